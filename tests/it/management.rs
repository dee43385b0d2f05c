//! What administrators and their scripts meet beyond single decisions: updates, files, lists, large writes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rolecall::proto::{self, CheckRequest, CreateAccountRequest, Decision, DecisionReason, ExportAccountRequest};
use serde_json::{Value, json};
use tonic::Code;

use super::support::{Clients, TestServer};

fn catalog(custom_roles: &[&str]) -> String {
    json!({
        "kind": "catalog", "id": "c", "display_name": "C", "custom_roles": custom_roles,
        "sections": [{"id": "s", "display_name": "S"}],
        "permissions": [{"id": "a.b.one", "section": "s"}, {"id": "a.b.two", "section": "s"}],
        "roles": [{"id": "m", "display_name": "M", "permissions": ["a.b.one"]}],
    })
    .to_string()
}

/// An account of many users who hold one custom role each.
fn account(users: usize, role: &str) -> String {
    let users: Vec<Value> =
        (0..users).map(|user| json!({"id": format!("u{user}"), "roles": [format!("custom/{role}")]})).collect();
    let roles = json!([{"id": role, "display_name": "R", "permissions": ["a.b.two"]}]);
    json!({"kind": "account", "id": "big", "catalog": "c", "roles": roles, "users": users}).to_string()
}

async fn export(clients: &mut Clients, account: &str) -> String {
    let request = ExportAccountRequest { name: format!("accounts/{account}"), consistency: None };
    let mut pieces = clients.accounts.export_account(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        file.extend(piece.chunk);
    }
    String::from_utf8(file).unwrap()
}

async fn ask(clients: &mut Clients, user: &str, permission: &str) -> Result<(Decision, DecisionReason), tonic::Status> {
    let request = CheckRequest {
        account: "accounts/big".to_owned(),
        subject: format!("users/{user}"),
        permission: permission.to_owned(),
        consistency: None,
        ..Default::default()
    };
    let answer = clients.authorization.check(request).await?.into_inner();
    Ok((answer.decision(), answer.reason()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_leaves_the_state_out_makes_nobody_active() {
    let mut server = TestServer::start().await;
    let clients = &mut server.clients;
    clients.apply_catalog(&catalog(&["permissions"])).await.unwrap();
    clients.apply_account(&account(1, "r")).await.unwrap();
    let update = |state: i32, paths: &[&str]| proto::UpdateUserRequest {
        user: Some(proto::User {
            name: "accounts/big/users/u0".to_owned(),
            display_name: "New name".to_owned(),
            state,
            ..proto::User::default()
        }),
        update_mask: (!paths.is_empty())
            .then(|| prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..Default::default()
    };
    let suspended = proto::user::State::Suspended.into();
    clients.users.update_user(update(suspended, &["state"])).await.unwrap();
    let user = clients.users.update_user(update(0, &[])).await.unwrap().into_inner().user.unwrap();
    assert_eq!((user.state, user.display_name.as_str()), (suspended, "New name"));
    let denied = (Decision::Deny, DecisionReason::SubjectNotActive);
    assert_eq!(ask(clients, "u0", "a.b.two").await.unwrap(), denied);
    let refused = clients.users.update_user(update(0, &["state"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("user.state"), "{refused}");
    assert_eq!(ask(clients, "u0", "a.b.two").await.unwrap(), denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_what_was_exported_writes_nothing_even_for_an_empty_account() {
    let mut server = TestServer::start().await;
    let clients = &mut server.clients;
    clients.apply_catalog(&catalog(&["permissions"])).await.unwrap();
    let request = CreateAccountRequest {
        account_id: "empty".to_owned(),
        account: Some(proto::Account { catalog: "catalogs/c".to_owned(), ..proto::Account::default() }),
        ..Default::default()
    };
    let before = clients.accounts.create_account(request).await.unwrap().into_inner().consistency_token;
    let file = export(clients, "empty").await;
    assert_eq!(clients.apply_account(&file).await.unwrap(), before, "{file}");
    assert_eq!(export(clients, "empty").await, file);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_roles_outlive_a_catalog_that_offers_none_any_more_but_do_not_grow() {
    let mut server = TestServer::start().await;
    let clients = &mut server.clients;
    clients.apply_catalog(&catalog(&["permissions"])).await.unwrap();
    clients.apply_account(&account(1, "r")).await.unwrap();
    let token = clients.apply_catalog(&catalog(&[])).await.unwrap();
    let file = export(clients, "big").await;
    assert_eq!(clients.apply_account(&file).await.unwrap(), token, "its own export changes nothing");
    assert_eq!(ask(clients, "u0", "a.b.two").await.unwrap(), (Decision::Allow, DecisionReason::Allowed));
    for more in [file.replace("a.b.two", "a.b.one"), account(1, "another")] {
        let (problems, status) = clients.apply_account(&more).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(problems.iter().any(|problem| problem.contains("offers no custom roles")), "{problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_about_an_account_are_answered_while_large_files_are_applied_to_it() {
    const USERS: usize = 6_000;
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog(&["permissions"])).await.unwrap();
    server.clients.apply_account(&account(USERS, "r0")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let asking = {
        let (mut clients, done) = (server.clients.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                // Another user each time: none of them is in the cache.
                let answer = ask(&mut clients, &format!("u{}", asked % USERS), "a.b.two").await;
                assert_eq!(answer.unwrap(), (Decision::Allow, DecisionReason::Allowed));
                asked += 1;
            }
            asked
        })
    };
    // Every user loses one role and gets another, in one write: at every moment each has one of the two.
    for role in ["r1", "r2", "r3"] {
        server.clients.apply_account(&account(USERS, role)).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let asked = asking.await.unwrap();
    println!("{asked} questions were answered meanwhile");
    assert!(asked > 100, "{asked} questions were answered while three files were applied");
}
