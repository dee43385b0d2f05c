//! Writes about policies, resources, access lists, exceptions and all that names them, one after another: each is tried,
//! done, and sent again, the last after a restart too.

use std::time::Duration;

use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    bad_input::wire::{Caller, get, set, text},
    support::TestServer,
};

/// A method, what is put where, and a field that another request has otherwise.
type Step = (&'static str, &'static [(&'static str, &'static str)], (&'static str, &'static str));

const ANA: &str = "accounts/acme/users/ana";

const STEPS: &[Step] = &[
    (
        "CreateResource",
        &[("parent", "accounts/acme"), ("resource.path", "workspaces/w1"), ("resource.display_name", "W")],
        ("resource.display_name", "X"),
    ),
    (
        "BatchCreateResources",
        &[
            ("parent", "accounts/acme"),
            ("resources[0].path", "workspaces/w1/channels/c1"),
            ("resources[1].path", "lines/l1"),
            ("resources[2].path", "lines/l2"),
        ],
        ("resources[2].path", "lines/l3"),
    ),
    (
        "UpdateResource",
        &[
            ("resource.name", "accounts/acme/resources/workspaces/w1"),
            ("resource.display_name", "Workspace 1"),
            ("update_mask", "display_name"),
        ],
        ("resource.display_name", "Workspace 2"),
    ),
    (
        "CreateAccessPolicy",
        &[
            ("parent", "accounts/acme"),
            ("access_policy_id", "p"),
            ("access_policy.display_name", "P"),
            ("access_policy.statements[0].effect", "EFFECT_ALLOW"),
            ("access_policy.statements[0].permissions", "a.b.*"),
            ("access_policy.statements[0].resources", "workspaces/**"),
        ],
        ("access_policy_id", "p2"),
    ),
    (
        "UpdateAccessPolicy",
        &[
            ("access_policy.name", "accounts/acme/accessPolicies/p"),
            ("access_policy.statements[0].effect", "EFFECT_ALLOW"),
            ("access_policy.statements[0].permissions", "a.b.two"),
            ("access_policy.statements[0].condition", "attributes.urgent"),
            ("update_mask", "statements"),
        ],
        ("access_policy.statements[0].condition", "attributes.calm"),
    ),
    (
        "CreateRole",
        &[
            ("parent", "accounts/acme"),
            ("role_id", "q"),
            ("role.display_name", "Q"),
            ("role.permissions", "a.b.one"),
            ("role.access_policies", "accounts/acme/accessPolicies/p, catalogs/c/accessPolicies/m"),
            ("role.parents", "catalogs/c/roles/m"),
            ("role.covered_facets", "line"),
        ],
        ("role.covered_facets", "channel"),
    ),
    (
        "UpdateRole",
        &[
            ("role.name", "accounts/acme/roles/q"),
            ("role.covered_facets", "channel, line"),
            ("role.parents", "accounts/acme/roles/r, catalogs/c/roles/m"),
            ("update_mask", "covered_facets, parents"),
        ],
        ("update_mask", "covered_facets"),
    ),
    (
        "CreateRoleBinding",
        &[
            ("parent", "accounts/acme"),
            ("role_binding.holder", "users/ana"),
            ("role_binding.role", "accounts/acme/roles/q"),
            ("role_binding.resource", "workspaces/w1"),
            ("role_binding.expire_time", "7258118400"),
        ],
        ("role_binding.resource", "lines/l1"),
    ),
    (
        "SetAccessList",
        &[("parent", ANA), ("access_list.facet", "line"), ("access_list.values", "lines/l1")],
        ("access_list.values", "lines/l2"),
    ),
    ("AddAccess", &[("parent", ANA), ("facet", "line"), ("values", "lines/l2")], ("values", "lines/l1")),
    ("RemoveAccess", &[("parent", ANA), ("facet", "line"), ("values", "lines/l1")], ("values", "lines/l2")),
    (
        "CreateException",
        &[
            ("parent", ANA),
            ("exception.permission", "a.b.two"),
            ("exception.reason", "Asked for"),
            ("exception.expire_time", "7258118400"),
        ],
        ("exception.reason", "Asked for twice"),
    ),
    (
        "CreateUser",
        &[
            ("parent", "accounts/acme"),
            ("user_id", "dora"),
            ("user.display_name", "Dora"),
            ("access_lists[0].facet", "line"),
            ("access_lists[0].all", "true"),
            ("access_lists[1].facet", "channel"),
            ("access_lists[1].values", "workspaces/w1/channels/c1"),
        ],
        ("access_lists[1].values", ""),
    ),
    (
        "CreateTeam",
        &[
            ("parent", "accounts/acme"),
            ("team_id", "u"),
            ("team.display_name", "U"),
            ("members", "users/dora"),
            ("access_lists[0].facet", "line"),
            ("access_lists[0].values", "lines/l2"),
        ],
        ("access_lists[0].values", "lines/l1"),
    ),
    (
        "DeleteException",
        &[("name", "accounts/acme/users/ana/exceptions/a.b.two")],
        ("name", "accounts/acme/users/ana/exceptions/a.b.one"),
    ),
    ("DeleteAccessPolicy", &[("name", "accounts/acme/accessPolicies/p"), ("force", "true")], ("force", "false")),
    ("DeleteResource", &[("name", "accounts/acme/resources/workspaces/w1"), ("force", "true")], ("force", "false")),
    ("DeleteTeam", &[("name", "accounts/acme/teams/u"), ("force", "true")], ("force", "false")),
    ("DeleteRole", &[("name", "accounts/acme/roles/q"), ("force", "true")], ("force", "false")),
    ("DeleteUser", &[("name", ANA), ("force", "true")], ("force", "false")),
];

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn caller(server: &TestServer) -> Caller {
    Caller::connect(&format!("http://{}", server.running.address.unwrap())).await
}

/// An answer without what only a write that is done has: times, versions, numbers.
fn plain(answer: &DynamicMessage) -> DynamicMessage {
    let mut plain = answer.clone();
    for field in answer.descriptor().fields() {
        let is_of_the_write = ["consistency_token", "create_time", "update_time", "etag"].contains(&field.name());
        if is_of_the_write || text(answer, field.name()).contains("/roleBindings/") {
            plain.clear_field(&field);
        } else if let (Kind::Message(of), false, false) = (field.kind(), field.is_list(), field.is_map()) {
            if let (Value::Message(inner), true) = (plain.get_field_mut(&field), of.package_name() == "rolecall.v1") {
                *inner = self::plain(inner);
            }
        } else if let (Kind::Message(_), Value::List(items)) = (field.kind(), plain.get_field_mut(&field)) {
            for item in items.iter_mut() {
                let inner = item.as_message_mut().unwrap();
                *inner = self::plain(inner);
            }
        }
    }
    plain
}

/// The head once what is swept after deletes has been swept.
async fn settled(server: &TestServer) -> rolecall::service::Head {
    let head = || server.running.service().head();
    loop {
        let before = head();
        tokio::time::sleep(Duration::from_millis(300)).await;
        if head() == before {
            return before;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_new_write_is_tried_done_once_and_answered_again_after_a_restart_too() {
    let server = super::started().await;
    let mut failures = Vec::new();
    let mut done = Vec::new();
    let ask = caller(&server).await;
    let head = || server.running.service().head();
    for (number, (method, sets, (path, other))) in STEPS.iter().enumerate() {
        let before = head();
        let id = format!("step-{number}");
        let (descriptor, mut request) = ask.request(method, &[*sets, &[("request_id", &id)]].concat());
        set(&mut request, "validate_only", Some(Value::Bool(true)));
        let tried = ask.send(&descriptor, &request).await;
        if head() != before {
            failures.push(format!("{method}: it was done though it was only to be tried"));
        }
        set(&mut request, "validate_only", None);
        let answer = match (tried, ask.send(&descriptor, &request).await) {
            (Ok(tried), Ok(answer)) => {
                if plain(&tried) != plain(&answer) {
                    failures.push(format!("{method}: tried it answers {tried:?}, and done {answer:?}"));
                }
                answer
            }
            (tried, answer) => {
                failures.push(format!("{method}: {:?}, {:?}", tried.err(), answer.err()));
                continue;
            }
        };
        let after = if method.starts_with("Delete") { settled(&server).await } else { head() };
        if after == before {
            failures.push(format!("{method}: nothing was written"));
        }
        if ask.send(&descriptor, &request).await.ok().as_ref() != Some(&answer) || head() != after {
            failures.push(format!("{method}: sent again it is not answered as the first time"));
        }
        let (_, changed) = ask.request(method, &[(*path, *other)]);
        let mut another = request.clone();
        set(&mut another, path, get(&changed, path));
        match ask.send(&descriptor, &another).await {
            Err(status) if reason(&status) == "REQUEST_ID_REUSED" => {}
            outcome => failures.push(format!("{method}: another request of the same id: {outcome:?}")),
        }
        done.push((descriptor, request, answer));
    }
    drop(ask);
    let server = server.restart().await;
    let ask = caller(&server).await;
    let before = settled(&server).await;
    for (method, request, answer) in &done {
        if ask.send(method, request).await.ok().as_ref() != Some(answer) {
            failures.push(format!("{}: after a restart it is not answered as the first time", method.name()));
        }
    }
    assert_eq!(server.running.service().head(), before, "answering again writes nothing");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(done.len(), STEPS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_new_things_are_held_to_their_etags_forced_or_not() {
    let server = super::started().await;
    let ask = caller(&server).await;
    for (method, sets, _) in &STEPS[..14] {
        ask.ask(method, sets).await.unwrap();
    }
    let policy = "accounts/acme/accessPolicies/p";
    let resource = "accounts/acme/resources/workspaces/w1";
    let of = async |method: &str, name: &str, field: &str| {
        text(&ask.ask(method, &[("name", name)]).await.unwrap(), &format!("{field}.etag"))
    };
    let stale = of("GetUser", "accounts/acme/users/ben", "user").await;
    let change: &[(&str, &str)] = &[
        ("access_policy.name", policy),
        ("access_policy.display_name", "Another"),
        ("update_mask", "display_name"),
        ("access_policy.etag", &stale),
    ];
    let rename: &[(&str, &str)] =
        &[("resource.name", resource), ("resource.display_name", "Another"), ("resource.etag", &stale)];
    let role: &[(&str, &str)] = &[
        ("role.name", "accounts/acme/roles/q"),
        ("role.parents", "catalogs/c/roles/m"),
        ("update_mask", "parents"),
        ("role.etag", &stale),
    ];
    let before = server.running.service().head();
    for (method, sets) in [("UpdateAccessPolicy", change), ("UpdateResource", rename), ("UpdateRole", role)] {
        let status = ask.ask(method, sets).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"), "{method}");
    }
    for (method, name) in [
        ("DeleteAccessPolicy", policy),
        ("DeleteResource", resource),
        ("DeleteRole", "accounts/acme/roles/q"),
        ("DeleteTeam", "accounts/acme/teams/u"),
        ("DeleteUser", "accounts/acme/users/ana"),
    ] {
        for force in ["true", "false"] {
            let status = ask.ask(method, &[("name", name), ("etag", &stale), ("force", force)]).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"), "{method}");
        }
        let status = ask.ask(method, &[("name", name)]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "IN_USE"), "{method}");
    }
    assert_eq!(server.running.service().head(), before);
    // Its own etag fits, and another one is given out for what it has become.
    for (get, update, field, name) in [
        ("GetAccessPolicy", "UpdateAccessPolicy", "access_policy", policy),
        ("GetResource", "UpdateResource", "resource", resource),
    ] {
        let own = of(get, name, field).await;
        let path = |part: &str| format!("{field}.{part}");
        let (named, shown, etag) = (path("name"), path("display_name"), path("etag"));
        let sets = [
            (named.as_str(), name),
            (shown.as_str(), "Another"),
            ("update_mask", "display_name"),
            (etag.as_str(), own.as_str()),
        ];
        let answer = ask.ask(update, &sets).await.unwrap();
        assert_ne!(text(&answer, &path("etag")), own);
        assert_eq!(text(&answer, &path("etag")), of(get, name, field).await);
        let status = ask.ask(update, &sets).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted, "{update}");
    }
    // Who holds a role, and what names a resource, is no part of them.
    let before =
        (of("GetResource", resource, "resource").await, of("GetUser", "accounts/acme/users/ana", "user").await);
    ask.ask("DeleteException", &[("name", "accounts/acme/users/ana/exceptions/a.b.two")]).await.unwrap();
    let sets = [("parent", "accounts/acme/users/ana"), ("access_list.facet", "line"), ("access_list.all", "true")];
    ask.ask("SetAccessList", &sets).await.unwrap();
    let after = (of("GetResource", resource, "resource").await, of("GetUser", "accounts/acme/users/ana", "user").await);
    assert_eq!(before, after);
}
