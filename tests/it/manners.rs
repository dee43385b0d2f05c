//! How writes behave: versions expected, tried without being done, done once however often they are sent, and what is
//! left of a person after an erasure. [`new_writes`] holds a table of writes to all of that, [`last_holders`] lets two race
//! each other, and [`again`] looks for what comes back with a thing that is created again.

mod again;
mod last_holders;
mod new_writes;

use std::{collections::HashMap, fs, path::Path, time::Duration};

use rolecall::proto::{
    self, AddTeamMembersRequest, ApplyCatalogRequest, CheckRequest, Consistency, CreateRoleRequest, CreateUserRequest,
    Decision, DeleteAccountRequest, DeleteRoleBindingRequest, DeleteRoleRequest, DeleteTeamRequest, DeleteUserRequest,
    EraseUserPersonalFieldsRequest, GetRoleRequest, GetUserRequest, ListUsersRequest, RecordUserSignInRequest,
    ReplaceTeamMembersRequest, UpdateRoleRequest, UpdateTeamRequest, UpdateUserRequest, User,
    apply_catalog_response::Event, consistency::Requirement,
};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::support::{Clients, TestServer};

fn catalog(permissions: &[&str]) -> String {
    let permissions: Vec<_> = permissions.iter().map(|id| json!({"id": id, "section": "s", "feature": "f"})).collect();
    json!({
        "kind": "catalog", "id": "c", "display_name": "C",
        "custom_roles": ["permissions", "parents", "managed_policies", "custom_policies"],
        "features": [{"id": "f", "display_name": "F"}],
        "resource_types": [
            {"id": "workspace", "plural": "workspaces", "display_name": "Workspace"},
            {"id": "channel", "plural": "channels", "parent": "workspace", "display_name": "Channel"},
            {"id": "line", "plural": "lines", "display_name": "Line"},
        ],
        "policies": [{"id": "m", "display_name": "M", "statements": [{"effect": "allow", "permissions": ["a.b.*"]}]}],
        "sections": [{"id": "s", "display_name": "S"}],
        "permissions": permissions,
        "roles": [{"id": "m", "display_name": "M", "permissions": ["a.b.one"]}],
    })
    .to_string()
}

fn account() -> String {
    json!({
        "kind": "account", "id": "acme", "catalog": "c", "features": ["f"],
        "roles": [{"id": "r", "display_name": "R", "permissions": ["a.b.two"]}],
        "teams": [{"id": "t", "roles": ["custom/r"]}],
        "users": [
            {"id": "ana", "display_name": "Ana", "teams": ["t"], "roles": ["m"]},
            {"id": "ben", "roles": ["custom/r", "m"], "teams": ["t"]},
            {"id": "cleo"},
        ],
        "service_accounts": [{"id": "ana", "roles": ["custom/r"]}],
    })
    .to_string()
}

async fn started() -> TestServer {
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog(&["a.b.one", "a.b.two"])).await.unwrap();
    server.clients.apply_account(&account()).await.unwrap();
    server
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn user(clients: &mut Clients, id: &str) -> User {
    let name = format!("accounts/acme/users/{id}");
    let request = GetUserRequest { name, ..Default::default() };
    clients.users.get_user(request).await.unwrap().into_inner().user.unwrap()
}

fn new_user(id: &str, request_id: &str) -> CreateUserRequest {
    CreateUserRequest {
        parent: "accounts/acme".to_owned(),
        user_id: id.to_owned(),
        user: Some(User { display_name: format!("User {id}"), ..User::default() }),
        roles: vec!["catalogs/c/roles/m".to_owned()],
        teams: vec!["teams/t".to_owned()],
        request_id: request_id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_another_version_than_expected_is_aborted_and_changes_nothing() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let first = user(clients, "ana").await;
    let update = |etag: &str, name: &str| UpdateUserRequest {
        user: Some(User {
            name: "accounts/acme/users/ana".to_owned(),
            display_name: name.to_owned(),
            etag: etag.to_owned(),
            ..User::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
        ..Default::default()
    };
    let second = clients.users.update_user(update(&first.etag, "Anna")).await.unwrap().into_inner().user.unwrap();
    assert_ne!(first.etag, second.etag);
    assert_eq!(second, user(clients, "ana").await, "the answer has the etag that a read gives");
    let refused = clients.users.update_user(update(&first.etag, "Anya")).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    assert_eq!(user(clients, "ana").await.display_name, "Anna");
    // To what it is already: nothing changes, and so does the etag not.
    let same = clients.users.update_user(update(&second.etag, "Anna")).await.unwrap().into_inner().user.unwrap();
    assert_eq!(same.etag, second.etag);
    // The etag of another thing never fits, and what is none is said to be none.
    let other = user(clients, "ben").await.etag;
    assert_eq!(clients.users.update_user(update(&other, "x")).await.unwrap_err().code(), Code::Aborted);
    let malformed = clients.users.update_user(update("\"1\"", "x")).await.unwrap_err();
    assert_eq!((malformed.code(), reason(&malformed).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let name = "accounts/acme/users/ana".to_owned();
    let delete =
        |etag: &str| DeleteUserRequest { name: name.clone(), etag: etag.to_owned(), force: true, ..Default::default() };
    assert_eq!(clients.users.delete_user(delete(&first.etag)).await.unwrap_err().code(), Code::Aborted);
    clients.users.delete_user(delete(&second.etag)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_thing_has_an_etag_that_its_changes_are_held_to() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let stale = user(clients, "cleo").await.etag;
    let team = UpdateTeamRequest {
        team: Some(proto::Team {
            name: "accounts/acme/teams/t".to_owned(),
            etag: stale.clone(),
            ..proto::Team::default()
        }),
        ..Default::default()
    };
    let role = UpdateRoleRequest {
        role: Some(proto::Role {
            name: "accounts/acme/roles/r".to_owned(),
            display_name: "R".to_owned(),
            etag: stale.clone(),
            ..proto::Role::default()
        }),
        ..Default::default()
    };
    let (name, etag) = ("accounts/acme/teams/t".to_owned(), stale.clone());
    let delete_team = DeleteTeamRequest { name, etag, ..Default::default() };
    let (name, etag) = ("accounts/acme/roles/r".to_owned(), stale.clone());
    let delete_role = DeleteRoleRequest { name, etag, ..Default::default() };
    let (name, etag) = ("accounts/acme".to_owned(), stale.clone());
    let delete_account = DeleteAccountRequest { name, etag, ..Default::default() };
    let list = proto::ListRoleBindingsRequest { parent: "accounts/acme".to_owned(), ..Default::default() };
    let binding = clients.bindings.list_role_bindings(list).await.unwrap().into_inner().role_bindings.remove(0);
    let delete_binding = DeleteRoleBindingRequest { name: binding.name, etag: stale, ..Default::default() };
    let outcomes = [
        clients.teams.update_team(team).await.map(|_| ()),
        clients.roles.update_role(role).await.map(|_| ()),
        clients.teams.delete_team(delete_team).await.map(|_| ()),
        clients.roles.delete_role(delete_role).await.map(|_| ()),
        clients.accounts.delete_account(delete_account).await.map(|_| ()),
        clients.bindings.delete_role_binding(delete_binding).await.map(|_| ()),
    ];
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let status = outcome.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"), "{index}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_validated_is_answered_as_if_it_were_done_and_is_not() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let before = server.running.service().head();
    let dry = CreateUserRequest { validate_only: true, ..new_user("dora", "a-request") };
    let answer = clients.users.create_user(dry).await.unwrap().into_inner();
    assert_eq!(answer.user.unwrap().display_name, "User dora");
    let taken = CreateUserRequest { validate_only: true, ..new_user("ana", "") };
    assert_eq!(clients.users.create_user(taken).await.unwrap_err().code(), Code::AlreadyExists);
    let delete = DeleteRoleRequest {
        name: "accounts/acme/roles/r".to_owned(),
        validate_only: true,
        force: true,
        ..Default::default()
    };
    let counts = clients.roles.delete_role(delete).await.unwrap().into_inner().holder_counts.unwrap();
    assert_eq!((counts.user_count, counts.direct_user_count, counts.inherited_user_count), (2, 1, 2));
    assert_eq!((counts.service_account_count, counts.team_count), (1, 1));
    assert_eq!(server.running.service().head(), before);
    let missing = GetUserRequest { name: "accounts/acme/users/dora".to_owned(), ..Default::default() };
    assert_eq!(clients.users.get_user(missing).await.unwrap_err().code(), Code::NotFound);
    // A request that was only tried was not answered: with the same id it is done now.
    clients.users.create_user(new_user("dora", "a-request")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_is_done_once_and_answered_as_the_first_time_after_a_restart_too() {
    let mut server = started().await;
    let first = server.clients.users.create_user(new_user("dora", "r-1")).await.unwrap().into_inner();
    let head = server.running.service().head();
    let second = server.clients.users.create_user(new_user("dora", "r-1")).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!(server.running.service().head(), head, "answering again writes nothing");
    let other = server.clients.users.create_user(new_user("eli", "r-1")).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    // Another method may use the same id.
    let add = AddTeamMembersRequest {
        name: "accounts/acme/teams/t".to_owned(),
        members: vec!["users/cleo".to_owned()],
        request_id: "r-1".to_owned(),
        ..Default::default()
    };
    let added = server.clients.teams.add_team_members(add.clone()).await.unwrap().into_inner();
    // What changes nothing is remembered too.
    let again = AddTeamMembersRequest { request_id: "r-2".to_owned(), ..add.clone() };
    let unchanged = server.clients.teams.add_team_members(again.clone()).await.unwrap().into_inner();

    let mut server = server.restart().await;
    let clients = &mut server.clients;
    assert_eq!(clients.users.create_user(new_user("dora", "r-1")).await.unwrap().into_inner(), first);
    assert_eq!(clients.teams.add_team_members(add).await.unwrap().into_inner(), added);
    assert_eq!(clients.teams.add_team_members(again).await.unwrap().into_inner(), unchanged);
    // A refused request is not remembered: it is tried again.
    let taken = clients.users.create_user(new_user("dora", "r-3")).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let name = "accounts/acme/users/dora".to_owned();
    clients.users.delete_user(DeleteUserRequest { name, force: true, ..Default::default() }).await.unwrap();
    clients.users.create_user(new_user("dora", "r-3")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_request_sent_many_times_at_once_one_is_done_and_all_are_answered_alike() {
    let server = started().await;
    let mut sent = Vec::new();
    for _ in 0..32 {
        let mut clients = server.clients.clone();
        sent.push(tokio::spawn(async move { clients.users.create_user(new_user("dora", "r-1")).await }));
    }
    let mut answers = Vec::new();
    for each in sent {
        answers.push(each.await.unwrap().unwrap().into_inner());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_deleted_says_how_many_lost_it_and_brought_back_gives_nothing() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let name = "accounts/acme/roles/r".to_owned();
    let shown = GetRoleRequest { name: name.clone(), ..Default::default() };
    let before = clients.roles.get_role(shown.clone()).await.unwrap().into_inner().role.unwrap();
    let delete = DeleteRoleRequest { name, request_id: "r".to_owned(), force: true, ..Default::default() };
    let deleted = clients.roles.delete_role(delete.clone()).await.unwrap().into_inner();
    assert_eq!(deleted.holder_counts, before.holder_counts);
    assert_eq!(clients.roles.delete_role(delete).await.unwrap().into_inner(), deleted, "sent again");
    let new = CreateRoleRequest {
        parent: "accounts/acme".to_owned(),
        role_id: "r".to_owned(),
        role: Some(proto::Role { display_name: "R".to_owned(), ..proto::Role::default() }),
        ..Default::default()
    };
    clients.roles.create_role(new).await.unwrap();
    let after = clients.roles.get_role(shown).await.unwrap().into_inner().role.unwrap();
    assert_eq!(after.holder_counts, Some(proto::RoleHolderCounts::default()));
}

/// Applies a catalog. Gives the drops, and how the call ended.
async fn apply(
    clients: &mut Clients,
    file: &str,
    allow_drops: bool,
) -> (HashMap<String, (i64, i64, Vec<String>)>, Result<(), Status>) {
    let request =
        ApplyCatalogRequest { chunk: file.as_bytes().to_vec(), last: true, allow_drops, ..Default::default() };
    let mut drops = HashMap::new();
    let mut events = clients.catalogs.apply_catalog(tokio_stream::once(request)).await.unwrap().into_inner();
    loop {
        match events.message().await {
            Ok(Some(answer)) => {
                if let Some(Event::Drop(drop)) = answer.event {
                    drops.insert(drop.subject, (drop.account_count, drop.use_count, drop.used_by));
                }
            }
            Ok(None) => return (drops, Ok(())),
            Err(status) => return (drops, Err(status)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_drops_what_is_used_is_refused_with_who_uses_it_until_that_is_confirmed() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let head = server.running.service().head();
    let mut next: serde_json::Value = serde_json::from_str(&catalog(&["a.b.one"])).unwrap();
    next["features"] = json!([]);
    next["permissions"][0].as_object_mut().unwrap().remove("feature");
    next["roles"] = json!([]);
    let next = next.to_string();
    let (drops, outcome) = apply(clients, &next, false).await;
    let refused = outcome.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "CATALOG_DROPS_IN_USE"));
    let used = |by: &str, uses| (1, uses, vec![by.to_owned()]);
    let expected = HashMap::from([
        ("permissions/a.b.two".to_owned(), used("accounts/acme/roles/r", 1)),
        ("features/f".to_owned(), used("accounts/acme", 1)),
        ("roles/m".to_owned(), used("accounts/acme", 2)),
    ]);
    assert_eq!(drops, expected);
    assert_eq!(server.running.service().head(), head);
    let (drops, outcome) = apply(clients, &next, true).await;
    outcome.unwrap();
    assert_eq!(drops, expected, "and it is said all the same");
    // What nobody uses is dropped without a question.
    let (drops, outcome) = apply(clients, &catalog(&["a.b.one", "a.b.three"]), false).await;
    outcome.unwrap();
    assert!(drops.is_empty());
    let (drops, outcome) = apply(clients, &catalog(&["a.b.one"]), false).await;
    outcome.unwrap();
    assert!(drops.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_is_recorded_and_changes_neither_answers_nor_etags() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let before = user(clients, "ana").await;
    assert_eq!(before.last_sign_in_time, None);
    let at = |seconds| RecordUserSignInRequest {
        name: "accounts/acme/users/ana".to_owned(),
        sign_in_time: Some(prost_types::Timestamp { seconds, nanos: 5_000_000 }),
        ..Default::default()
    };
    for (seconds, recorded) in [(2_000, 2_000), (1_000, 2_000), (3_000, 3_000)] {
        let answer = clients.users.record_user_sign_in(at(seconds)).await.unwrap().into_inner();
        assert_eq!(answer.last_sign_in_time, Some(prost_types::Timestamp { seconds: recorded, nanos: 5_000_000 }));
    }
    let ahead = clients.users.record_user_sign_in(at(100_000_000_000)).await.unwrap_err();
    assert_eq!((ahead.code(), reason(&ahead).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let after = user(clients, "ana").await;
    assert_eq!(after.last_sign_in_time.unwrap().seconds, 3_000);
    assert_eq!(after.etag, before.etag);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_members_that_is_cut_off_changes_nothing_and_a_whole_one_replaces_all() {
    let mut server = started().await;
    let clients = &mut server.clients;
    let piece = |members: &[&str], last| ReplaceTeamMembersRequest {
        name: "accounts/acme/teams/t".to_owned(),
        members: members.iter().map(|id| format!("users/{id}")).collect(),
        last,
        ..Default::default()
    };
    let cut = tokio_stream::iter([piece(&["cleo"], false)]);
    let status = clients.teams.replace_team_members(cut).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let unknown = tokio_stream::iter([piece(&["cleo", "nobody"], true)]);
    let status = clients.teams.replace_team_members(unknown).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "USER_NOT_FOUND"));
    let whole = tokio_stream::iter([piece(&["cleo"], false), piece(&["ana", "cleo"], true)]);
    let answer = clients.teams.replace_team_members(whole).await.unwrap().into_inner();
    assert_eq!((answer.added_count, answer.removed_count), (1, 1));
    let list = proto::ListTeamMembersRequest { name: "accounts/acme/teams/t".to_owned(), ..Default::default() };
    let members = clients.teams.list_team_members(list).await.unwrap().into_inner().members;
    assert_eq!(members, ["accounts/acme/users/ana", "accounts/acme/users/cleo"]);
}

/// Whether a text is in any file below a directory, but for those of the state, which sled frees when it likes.
fn is_on_disk(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return !path.file_name().unwrap().to_string_lossy().starts_with("state") && is_on_disk(&path, text);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_person_is_left_in_answers_the_past_searches_or_the_journal() {
    const NAME: &str = "Zoraida Quintanilla";
    let mut server = started().await;
    let create = CreateUserRequest {
        user: Some(User {
            display_name: NAME.to_owned(),
            username: "zquintanilla".to_owned(),
            email: "zoraida@example.com".to_owned(),
            ..User::default()
        }),
        ..new_user("z1", "r-1")
    };
    let created = server.clients.users.create_user(create.clone()).await.unwrap().into_inner();
    assert!(is_on_disk(server.directory.path(), NAME), "it would be found if it were there");
    let erase = EraseUserPersonalFieldsRequest {
        name: "accounts/acme/users/z1".to_owned(),
        request_id: "r-2".to_owned(),
        ..Default::default()
    };
    let erased = server.clients.users.erase_user_personal_fields(erase.clone()).await.unwrap().into_inner();
    assert_eq!(erased.user.as_ref().unwrap().display_name, "");
    let past = GetUserRequest {
        name: "accounts/acme/users/z1".to_owned(),
        consistency: Some(Consistency { requirement: Some(Requirement::AtExactRevision(created.consistency_token)) }),
    };
    // The disk follows the answers.
    let mut rounds = 0;
    while is_on_disk(server.directory.path(), NAME)
        || !server.running.service().pending_erasures().await.unwrap().is_empty()
    {
        rounds += 1;
        assert!(rounds < 100, "it is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for text in [NAME, "zquintanilla", "zoraida@example.com"] {
        assert!(!is_on_disk(server.directory.path(), text), "{text}");
    }
    let mut server = server.restart().await;
    let clients = &mut server.clients;
    let shown = user(clients, "z1").await;
    assert_eq!((shown.display_name.as_str(), shown.email.as_str()), ("", ""));
    let shown = clients.users.get_user(past).await.unwrap().into_inner().user.unwrap();
    assert_eq!((shown.display_name.as_str(), shown.username.as_str()), ("", ""), "in the past too");
    for search in ["zor", "quint", "zq"] {
        let search = search.to_owned();
        let request = ListUsersRequest { parent: "accounts/acme".to_owned(), search, ..Default::default() };
        assert!(clients.users.list_users(request).await.unwrap().into_inner().users.is_empty());
    }
    // The command itself is remembered. Of the request that told the name only that it was done, so it is not done again.
    assert_eq!(clients.users.erase_user_personal_fields(erase).await.unwrap().into_inner(), erased);
    let again = clients.users.create_user(create).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::FailedPrecondition, "REQUEST_ERASED"));
    // The user stays, with what it may do.
    let check = CheckRequest {
        account: "accounts/acme".to_owned(),
        subject: "users/z1".to_owned(),
        permission: "a.b.one".to_owned(),
        ..Default::default()
    };
    assert_eq!(clients.authorization.check(check).await.unwrap().into_inner().decision(), Decision::Allow);
}
