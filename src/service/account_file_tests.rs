//! Accounts with everything in them, through files and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use super::{
    access_tests::{LATEST, account, apply, left, set, started, whole},
    apply_account,
    core::Service,
};
use crate::model::{CatalogDefinition, CustomRoleParts, KeyRange};

const FILE: &str = r#"kind: account
id: a
catalog: c
features:
  - inbox
resources:
  - path: queues/q1
    display_name: First
  - path: workspaces/w1
  - path: workspaces/w1/lines/l1
  - path: workspaces/w3
policies:
  - id: mine
    display_name: Mine
    statements:
      - effect: deny
        permissions: [inbox.close]
        resources: ["workspaces/w1/**"]
        condition: "attributes.vip == true"
roles:
  - id: base
    display_name: Base
    permissions:
      - inbox.view
  - id: lead
    display_name: Lead
    policies: [custom/mine]
    parents: [custom/base]
    covers: [feature, queue]
teams:
  - id: east
    roles:
      - {role: custom/lead, resource: workspaces/w1}
    access:
      - facet: line
        all: true
users:
  - id: ana
    teams: [east]
    roles:
      - custom/base
      - {role: custom/base, resource: queues/q1, expires: "2999-01-01T00:00:00Z"}
    access:
      - facet: line
        values: [workspaces/w1/lines/l1]
    exceptions:
      - permission: inbox.close
        reason: asked by support
        expires: "2999-01-01T00:00:00Z"
"#;

async fn apply_file(service: &Service, text: &str) -> Result<Vec<String>, Vec<String>> {
    let problems = Arc::new(Mutex::new(None));
    let definition = crate::files::parse_account(text.as_bytes()).unwrap();
    match service.write(apply_account(definition, None, Arc::clone(&problems))).await {
        Ok(written) => Ok(written.value.iter().map(|each| format!("{} {}", each.subject, each.detail)).collect()),
        Err(error) => {
            let problems = problems.lock().unwrap().take().unwrap_or_else(|| panic!("{error}"));
            Err(problems.to_string().lines().map(ToOwned::to_owned).collect())
        }
    }
}

async fn exported(service: &Service) -> String {
    let mut export = service.export_account(account(), LATEST).await.unwrap();
    let mut text = String::new();
    while let Some(piece) = export.next().await.unwrap() {
        text += &piece;
    }
    text
}

#[tokio::test]
async fn an_account_goes_through_a_file_and_is_the_same() {
    let service = started().await;
    let all = CustomRoleParts { permissions: true, parents: true, managed_policies: true, custom_policies: true };
    apply(&service, CatalogDefinition { custom_roles: all, ..whole() }, false).await.unwrap();
    set(&service, "line", false, &["workspaces/w1/lines/l2"]).await.unwrap();
    let changes = apply_file(&service, FILE).await.unwrap();
    for expected in [
        "resources/queues/q1 display_name",
        "resources/workspaces/w3 ",
        "resources/workspaces/w1/lines/l2 ",
        "policies/mine ",
        "roles/lead ",
        "users/ana teams +east, roles +custom/base +custom/base on queues/q1 until 2999-01-01T00:00:00Z, \
         access line +workspaces/w1/lines/l1 -workspaces/w1/lines/l2, \
         exceptions +inbox.close until 2999-01-01T00:00:00Z (asked by support)",
    ] {
        assert!(changes.iter().any(|change| change == expected), "{expected:?} is not in {changes:#?}");
    }
    assert_eq!(exported(&service).await, FILE);
    assert_eq!(apply_file(&service, FILE).await, Ok(Vec::new()));
    let before = service.head().revision;
    apply_file(&service, FILE).await.unwrap();
    assert_eq!(service.head().revision, before);

    let other = FILE
        .replace("  - path: workspaces/w3\n", "")
        .replace("2999-01-01T00:00:00Z\"}", "2998-01-01T00:00:00Z\"}")
        .replace("    parents: [custom/base]\n", "")
        .replace("all: true", "values: [workspaces/w1/lines/l1]");
    let changes = apply_file(&service, &other).await.unwrap();
    assert_eq!(
        changes,
        [
            "roles/lead parents -custom/base",
            "teams/east access line +workspaces/w1/lines/l1 -*",
            "users/ana roles +custom/base on queues/q1 until 2998-01-01T00:00:00Z -custom/base on queues/q1 until \
         2999-01-01T00:00:00Z",
            "resources/workspaces/w3 ",
        ]
    );
    assert_eq!(exported(&service).await, other);

    let wrong = FILE
        .replace("workspaces/w3", "lines/l1")
        .replace("[inbox.close]", "[inbox.klose]")
        .replace("facet: line\n        values", "facet: queue\n        values")
        .replace("covers: [feature, queue]", "covers: [feature, que]")
        .replace("custom/lead, resource: workspaces/w1", "custom/lead, expires: \"2001-01-01T00:00:00Z\"");
    let problems = apply_file(&service, &wrong).await.unwrap_err();
    let places = ["resources[3].path", "policies[0].statements[0].permissions[0]", "roles[1].covers[1]"];
    for place in places.into_iter().chain(["users[0].access[0].values[0]"]) {
        assert!(problems.iter().any(|problem| problem.contains(place)), "{place} is not in {problems:#?}");
    }
    let late = FILE.replace("custom/lead, resource: workspaces/w1", "custom/lead, expires: \"2001-01-01T00:00:00Z\"");
    let problems = apply_file(&service, &late).await.unwrap_err();
    assert!(problems.len() == 1 && problems[0].contains("teams[0].roles[0].expires"), "{problems:#?}");

    // Nothing is left of what the file has no more.
    let empty = "kind: account\nid: a\ncatalog: c\nusers:\n  - id: ana\n";
    apply_file(&service, empty).await.unwrap();
    assert_eq!(exported(&service).await, empty);
    let ranges = |account| {
        vec![
            KeyRange::Resources(account),
            KeyRange::ResourceNames(account),
            KeyRange::AccountResourceBindings(account),
            KeyRange::AccountAccess(account),
            KeyRange::AccountResourceAccess(account),
            KeyRange::Policies(account),
            KeyRange::PolicyNames(account),
            KeyRange::AccountPolicyRoles(account),
            KeyRange::AccountRoleChildren(account),
            KeyRange::AccountExceptions(account),
            KeyRange::AccountPermissionExceptions(account),
        ]
    };
    assert_eq!(left(&service, ranges).await, 0);
}

/// A catalog with a managed role at the end of so many steps.
fn ladder(steps: usize) -> CatalogDefinition {
    let mut text = String::from(
        "kind: catalog\nid: c\ndisplay_name: C\ncustom_roles: [permissions, parents]\nsections:\n  - {id: s, display_name: S}\n\
         permissions:\n  - {id: s.a.b, section: s}\nroles:\n  - {id: m0, display_name: M, permissions: [s.a.b]}\n",
    );
    for step in 1..=steps {
        text += &format!("  - {{id: m{step}, display_name: M, parents: [m{}]}}\n", step - 1);
    }
    text += &format!("  - {{id: top, display_name: T, parents: [m{steps}]}}\n");
    crate::files::parse_catalog(text.as_bytes()).unwrap()
}

#[tokio::test]
async fn an_account_whose_roles_a_catalog_made_too_deep_can_be_applied_as_it_was_exported() {
    let service = started().await;
    let file = |extra: &str| {
        let mut text = String::from("kind: account\nid: deep\ncatalog: c\nroles:\n");
        text += "  - {id: r0, display_name: R, parents: [top]}\n";
        for role in 1..6 {
            text += &format!("  - {{id: r{role}, display_name: R, parents: [custom/r{}]}}\n", role - 1);
        }
        crate::files::parse_account((text + extra).as_bytes()).unwrap()
    };
    let service_of = |service: &Service| service.clone();
    let apply_file = async |extra: &str| {
        service_of(&service)
            .write(apply_account(file(extra), None, Arc::default()))
            .await
            .map(|written| written.value.len())
    };
    apply(&service, ladder(1), true).await.unwrap();
    apply_file("").await.unwrap();
    apply(&service, ladder(6), true).await.unwrap();
    assert_eq!(apply_file("").await.unwrap(), 0, "nothing changes");
    let refused = |outcome: Result<usize, crate::service::ServiceError>| outcome.unwrap_err().reason;
    let new = "  - {id: r6, display_name: R, parents: [custom/r5]}\n";
    assert_eq!(refused(apply_file(new).await), crate::service::ErrorReason::FileInvalid);
}
