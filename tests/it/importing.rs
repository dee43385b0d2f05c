//! Users imported from lines of JSON, and exported as such: what is right, what is wrong, and what an interruption leaves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use rolecall::{
    model::{AccountId, UserId},
    proto::{
        ExportAccountRequest, ExportUsersRequest, FileProblem, GetUserRequest, ImportUsersProgress, ImportUsersRequest,
        import_users_request::Existing, import_users_response::Event,
    },
    service::record_sign_in,
};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::support::{Clients, TestServer};

fn catalog() -> String {
    json!({
        "kind": "catalog", "id": "c", "display_name": "C", "custom_roles": ["permissions"],
        "features": [{"id": "f", "display_name": "F"}],
        "sections": [{"id": "s", "display_name": "S"}],
        "resource_types": [{"id": "line", "plural": "lines", "display_name": "Line"}],
        "permissions": [{"id": "a.b.one", "section": "s"}, {"id": "a.b.two", "section": "s"},
                        {"id": "a.b.line", "section": "s", "resource_type": "line", "facets": ["line"]}],
        "roles": [{"id": "m", "display_name": "M", "permissions": ["a.b.one"]},
                  {"id": "l", "display_name": "L", "permissions": ["a.b.line"]}],
    })
    .to_string()
}

/// An account with teams, a custom role and resources, and with these users.
fn account(id: &str, users: &Value) -> String {
    json!({
        "kind": "account", "id": id, "catalog": "c",
        "resources": [{"path": "lines/l1"}, {"path": "lines/l2"}],
        "roles": [{"id": "r", "display_name": "R", "permissions": ["a.b.two"]}],
        "teams": [{"id": "t1"}, {"id": "t2", "roles": ["m"]}],
        "users": users,
    })
    .to_string()
}

async fn server(accounts: &[(&str, Value)]) -> TestServer {
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog()).await.unwrap();
    for (id, users) in accounts {
        server.clients.apply_account(&account(id, users)).await.unwrap();
    }
    server
}

/// What came of an import.
#[derive(Debug, Default)]
struct Imported {
    steps: Vec<ImportUsersProgress>,
    problems: Vec<FileProblem>,
    status: Option<Status>,
}

impl Imported {
    fn last(&self) -> ImportUsersProgress {
        self.steps.last().cloned().unwrap_or_default()
    }

    /// Created, unchanged, skipped and updated.
    #[track_caller]
    fn counts(&self) -> [i64; 4] {
        assert!(self.status.is_none() && self.last().done, "{self:?}");
        let last = self.last();
        [last.created_count, last.unchanged_count, last.skipped_count, last.updated_count]
    }

    /// The reason, and how many lines are said to be imported.
    #[track_caller]
    fn refusal(&self) -> (String, String) {
        let info = self.status.as_ref().expect("a refusal").get_error_details().error_info().cloned().unwrap();
        (info.reason, info.metadata["imported_lines"].clone())
    }
}

/// Sends lines in pieces that end anywhere.
async fn import(clients: &mut Clients, account: &str, lines: &str, existing: Existing, has_end: bool) -> Imported {
    let parent = format!("accounts/{account}");
    let first = ImportUsersRequest { parent, existing: existing.into(), ..Default::default() };
    let mut messages = vec![first];
    for chunk in lines.as_bytes().chunks(9_973) {
        messages.push(ImportUsersRequest { chunk: chunk.to_vec(), ..Default::default() });
    }
    if has_end {
        messages.push(ImportUsersRequest { last: true, ..Default::default() });
    }
    let mut imported = Imported::default();
    let outcome = async {
        let mut answers = clients.users.import_users(tokio_stream::iter(messages)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.event.unwrap() {
                Event::Progress(progress) => imported.steps.push(progress),
                Event::Problem(problem) => imported.problems.push(problem),
            }
        }
        Ok(())
    };
    imported.status = outcome.await.err();
    imported
}

async fn export(clients: &mut Clients, account: &str) -> String {
    let request = ExportUsersRequest { parent: format!("accounts/{account}"), consistency: None };
    let mut pieces = clients.users.export_users(request).await.unwrap().into_inner();
    let (mut lines, mut count) = (Vec::new(), 0);
    while let Some(piece) = pieces.message().await.unwrap() {
        lines.extend(piece.chunk);
        count += piece.user_count;
    }
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(usize::try_from(count).unwrap(), lines.lines().count());
    lines
}

/// The account as a file, without its id.
async fn file(clients: &mut Clients, account: &str) -> String {
    let request = ExportAccountRequest { name: format!("accounts/{account}"), consistency: None };
    let mut pieces = clients.accounts.export_account(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        file.extend(piece.chunk);
    }
    String::from_utf8(file).unwrap().replacen(&format!("id: {account}\n"), "", 1)
}

fn lines(count: usize) -> String {
    (0..count)
        .map(|user| json!({"id": format!("u{user}"), "roles": ["m"], "teams": ["t1"]}).to_string() + "\n")
        .collect()
}

async fn exists(clients: &mut Clients, account: &str, user: &str) -> bool {
    let request = GetUserRequest { name: format!("accounts/{account}/users/{user}"), consistency: None };
    clients.users.get_user(request).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_exported_is_imported_as_it_was() {
    let mut users = vec![
        json!({"id": "whole", "display_name": "Žofie \"Z\" 山田", "username": "z", "email": "z@example.com", "state": "suspended",
            "teams": ["t2", "t1"],
            "roles": ["m", "custom/r", {"role": "l", "resource": "lines/l1"},
                      {"role": "custom/r", "resource": "lines/l2", "expires": "2099-01-01T00:00:00.500Z"}],
            "access": [{"facet": "line", "values": ["lines/l2", "lines/l1"]}, {"facet": "feature", "all": true}],
            "exceptions": [{"permission": "a.b.two", "reason": "asked for", "expires": "2099-01-01T00:00:00Z"}]}),
        json!({"id": "bare"}),
        json!({"id": "a-feature", "state": "invited", "access": [{"facet": "feature", "values": ["f"]}]}),
    ];
    users.extend((0..2_300).map(|user| json!({"id": format!("u{user}"), "teams": ["t1"], "roles": ["m"]})));
    let mut server = server(&[("one", json!(users)), ("other", json!([]))]).await;
    let clients = &mut server.clients;
    let exported = export(clients, "one").await;
    let whole: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
    assert_eq!(whole["roles"].as_array().unwrap().len(), 4, "{exported}");

    let imported = import(clients, "other", &exported, Existing::Unspecified, true).await;
    assert_eq!(imported.counts(), [2_303, 0, 0, 0]);
    assert_eq!(imported.last().line_count, 2_303);
    assert_eq!(imported.last().byte_count, i64::try_from(exported.len()).unwrap());
    assert_eq!(imported.steps.len(), 3, "two full steps and the rest");
    assert_eq!(export(clients, "other").await, exported, "in the same order too");
    assert_eq!(file(clients, "other").await, file(clients, "one").await);

    let head = server.running.service().head();
    let clients = &mut server.clients;
    assert_eq!(import(clients, "other", &exported, Existing::Unspecified, true).await.counts(), [0, 2_303, 0, 0]);
    assert_eq!(server.running.service().head(), head, "nothing was written");

    let mut server = server.restart().await;
    assert_eq!(export(&mut server.clients, "other").await, exported, "after a restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_cut_off_is_run_again_from_its_beginning() {
    let mut server = server(&[("a", json!([]))]).await;
    let lines = lines(2_500);
    let cut = import(&mut server.clients, "a", &lines, Existing::Unspecified, false).await;
    let status = cut.status.as_ref().unwrap();
    assert!(status.code() == Code::InvalidArgument && status.message().contains("last"), "{status}");
    assert_eq!(cut.last().line_count, 2_000, "what was whole is in force");
    assert!(!cut.last().done);
    let mut server = server.restart().await;
    let clients = &mut server.clients;
    assert_eq!(export(clients, "a").await.lines().count(), 2_000);
    assert!(exists(clients, "a", "u1999").await && !exists(clients, "a", "u2000").await);
    let whole = import(clients, "a", &lines, Existing::Unspecified, true).await;
    assert_eq!(whole.counts(), [500, 2_000, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_line_is_named_with_all_that_is_wrong_with_it_and_stops_its_step_alone() {
    let mut server = server(&[("a", json!([{"id": "here", "roles": ["m"]}]))]).await;
    let clients = &mut server.clients;
    let good = lines(1_499);
    let lines: Vec<&str> = good.lines().collect();
    let cases: [(&str, &[&str]); 12] = [
        (
            r#"{"id": "a b", "email": "no", "state": "gone", "emial": 1, "teams": [3, "t1", "t1"]}"#,
            &[
                "\"emial\" is unknown",
                "id: ",
                "email: \"no\"",
                "state: \"gone\"",
                "teams[0]: a number",
                "teams[2]: \"t1\" is listed",
            ],
        ),
        (r#"{"id": "x", "id": "y"}"#, &["\"id\" was given twice"]),
        ("{", &["no JSON"]),
        ("[]", &["a list was given"]),
        (r#"{"display_name": "nobody"}"#, &["id: nothing was given"]),
        (
            r#"{"id": "x", "roles": ["m", "nobody", "custom/none", {"role": "l", "resource": "lines/l9"}, {"resource": "lines/l1"}]}"#,
            &["roles[4].role: nothing was given"],
        ),
        (
            r#"{"id": "x", "teams": ["t9"], "roles": ["nobody", "custom/none", {"role": "l", "resource": "lines/l9"}]}"#,
            &[
                "users/x.teams[0]: the account has no team \"t9\"",
                "users/x.roles[0]: \"nobody\"",
                "users/x.roles[1]: the account has no custom role \"none\"",
                "users/x.roles[2]: the account has no registered resource \"lines/l9\"",
            ],
        ),
        (
            r#"{"id": "x", "access": [{"facet": "line", "values": ["lines/l9"]}, {"facet": "feature", "values": ["g"]}]}"#,
            &["access[0].values[0]: the account has no registered resource", "access[1].values[0]: \"g\""],
        ),
        (
            r#"{"id": "x", "access": [{"facet": "line"}, {"facet": "feature", "all": true, "values": []}]}"#,
            &["access[0]: neither all", "access[1].values: values were given beside"],
        ),
        (
            r#"{"id": "x", "exceptions": [{"permission": "a.b.none", "reason": "r"}]}"#,
            &["users/x.exceptions[0].permission: \"a.b.none\""],
        ),
        (
            r#"{"id": "x", "roles": [{"role": "m", "expires": "2001-01-01T00:00:00Z"}]}"#,
            &["users/x.roles[0].expires: "],
        ),
        (r#"{"id": "here", "teams": ["t1"]}"#, &["users/here: the user is there already, with another teams, roles"]),
    ];
    for (round, (bad, expected)) in cases.into_iter().enumerate() {
        // The first step is one of good lines; then there is one bad line amid good ones.
        let all = [&lines[..1_200], &[bad], &lines[1_200..]].concat().join("\n");
        let imported = import(clients, "a", &all, Existing::Unspecified, true).await;
        assert_eq!(imported.refusal(), ("FILE_INVALID".to_owned(), "1000".to_owned()), "{bad}: {imported:?}");
        assert_eq!(imported.last().line_count, 1_000);
        assert_eq!(imported.last().created_count, if round == 0 { 1_000 } else { 0 });
        let told: Vec<&String> = imported.problems.iter().map(|problem| &problem.message).collect();
        assert!(imported.problems.iter().all(|problem| problem.line == 1_201), "{told:?}");
        assert_eq!(told.len(), expected.len(), "{bad}: {told:?}");
        for text in expected {
            assert!(told.iter().any(|told| told.contains(text)), "{text} is not in {told:?}");
        }
        for user in ["u1000", "u1199", "u1200", "x"] {
            assert!(!exists(clients, "a", user).await, "{user} of the refused step is there: {bad}");
        }
    }
    // A line that is bad in a later step leaves the lines of that step alone too.
    let nobody = import(clients, "nobody", &good, Existing::Unspecified, true).await;
    assert_eq!(nobody.refusal(), ("ACCOUNT_NOT_FOUND".to_owned(), "0".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_there_already_and_differs_is_refused_left_or_changed_as_asked() {
    let here = json!([{"id": "u1", "display_name": "Old", "teams": ["t1"], "roles": ["m"]}, {"id": "u2"}]);
    let mut server = server(&[("a", here)]).await;
    let clients = &mut server.clients;
    let lines = "{\"id\": \"u0\"}\n\n{\"id\": \"u1\", \"display_name\": \"New\", \"roles\": [\"custom/r\"], \
                 \"access\": [{\"facet\": \"line\", \"all\": true}]}\n{\"id\": \"u2\"}";
    let before = export(clients, "a").await;
    let refused = import(clients, "a", lines, Existing::Unspecified, true).await;
    assert_eq!(refused.refusal().0, "FILE_INVALID");
    assert_eq!(refused.problems[0].line, 3, "empty lines count");
    assert!(refused.problems[0].message.ends_with("display_name, teams, roles, access"), "{refused:?}");
    assert_eq!(export(clients, "a").await, before);

    assert_eq!(import(clients, "a", lines, Existing::Skip, true).await.counts(), [1, 1, 1, 0]);
    assert_eq!(export(clients, "a").await, format!("{before}{{\"id\":\"u0\"}}\n"));

    assert_eq!(import(clients, "a", lines, Existing::Update, true).await.counts(), [0, 2, 0, 1]);
    let changed = "{\"id\":\"u1\",\"display_name\":\"New\",\"roles\":[\"custom/r\"],\"access\":[{\"facet\":\"line\",\"all\":true}]}\n";
    assert_eq!(export(clients, "a").await, format!("{changed}{{\"id\":\"u2\"}}\n{{\"id\":\"u0\"}}\n"));
    assert_eq!(import(clients, "a", lines, Existing::Update, true).await.counts(), [0, 3, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_catalog_demands_holds_for_imported_users_too() {
    let mut server = TestServer::start().await;
    let clients = &mut server.clients;
    let strict = json!({
        "kind": "catalog", "id": "c", "display_name": "C", "must_hold_role": true,
        "mutually_exclusive": [["pay", "approve"]],
        "sections": [{"id": "s", "display_name": "S"}], "permissions": [{"id": "a.b.one", "section": "s"}],
        "roles": [{"id": "pay", "display_name": "P"}, {"id": "approve", "display_name": "A"},
                  {"id": "few", "display_name": "F", "max_holders": 2}],
    });
    clients.apply_catalog(&strict.to_string()).await.unwrap();
    let team = json!({"kind": "account", "id": "a", "catalog": "c", "teams": [{"id": "t", "roles": ["approve"]}]});
    clients.apply_account(&team.to_string()).await.unwrap();
    let good = "{\"id\": \"good\", \"roles\": [\"pay\"]}\n";
    for (bad, reason) in [
        ("{\"id\": \"bad\"}", "LAST_ROLE"),
        ("{\"id\": \"bad\", \"roles\": [\"pay\"], \"teams\": [\"t\"]}", "MUTUALLY_EXCLUSIVE_ROLES"),
        (
            "{\"id\": \"b1\", \"roles\": [\"few\"]}\n{\"id\": \"b2\", \"roles\": [\"few\"]}\n{\"id\": \"b3\", \"roles\": [\"few\"]}",
            "TOO_MANY_HOLDERS",
        ),
    ] {
        let refused = import(clients, "a", &format!("{good}{bad}"), Existing::Unspecified, true).await;
        assert_eq!(refused.refusal(), (reason.to_owned(), "0".to_owned()), "{refused:?}");
        assert_eq!(export(clients, "a").await, "", "{bad}");
    }
    assert_eq!(import(clients, "a", good, Existing::Unspecified, true).await.counts(), [1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_not_taken_far_ahead_of_what_is_written() {
    const LINES: usize = 200_000;
    let mut server = server(&[("a", json!([{"id": "here"}]))]).await;
    // The writer waits in the midst of another write.
    let (go_on, waits) = mpsc::channel::<()>();
    let service = server.running.service().clone();
    let (account, user) = (AccountId::new("a").unwrap(), UserId::new("here").unwrap());
    let held = record_sign_in(account, user, None).answering(move |_, _| {
        // Whatever comes, it goes on.
        let _ = waits.recv();
    });
    let held = tokio::spawn(async move { service.write(held).await });
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let messages = (0..=LINES / 100).map(move |message| {
        if message == 0 {
            return ImportUsersRequest { parent: "accounts/a".to_owned(), ..Default::default() };
        }
        let text: String = (0..100)
            .map(|line| json!({"id": format!("u{message}-{line}"), "display_name": "x".repeat(200)}).to_string() + "\n")
            .collect();
        count.fetch_add(text.len(), Ordering::Relaxed);
        ImportUsersRequest { chunk: text.into_bytes(), ..Default::default() }
    });
    let import = server.clients.users.import_users(tokio_stream::iter(messages));
    // It goes on only while it is asked to, so this is all that is taken while nothing can be written.
    let waited = tokio::time::timeout(Duration::from_secs(3), async {
        let mut answers = import.await.unwrap().into_inner();
        answers.message().await.unwrap()
    });
    assert!(waited.await.is_err(), "nothing can have been written");
    let taken = sent.load(Ordering::Relaxed);
    println!("{taken} bytes were taken while nothing could be written");
    assert!(taken > 200_000 && taken < 6 << 20, "{taken} of {} bytes were taken", LINES * 230);
    drop(go_on);
    held.await.unwrap().unwrap();
    // The server goes on as if nothing had been.
    assert_eq!(import_of(&mut server.clients).await, [1, 0, 0, 0]);
}

async fn import_of(clients: &mut Clients) -> [i64; 4] {
    import(clients, "a", "{\"id\": \"next\"}", Existing::Unspecified, true).await.counts()
}
