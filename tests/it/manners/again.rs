//! Things that are deleted and created again under the same id: nothing comes back with them, neither rights nor denies
//! nor access.

use prost_reflect::Value;
use serde_json::json;

use crate::{
    bad_input::wire::{Caller, get},
    support::TestServer,
};

type Call = (&'static str, &'static [(&'static str, &'static str)]);

/// What is deleted by force, how it is created again, and who loses by that what on which resource.
struct Case {
    delete: Call,
    create: Call,
    lost: (&'static str, &'static str, &'static str),
    /// What lists something of it that has to be empty afterwards: the call, and the field.
    empty: &'static [(Call, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        delete: ("DeleteRole", &[("name", "accounts/x/roles/held"), ("force", "true")]),
        create: (
            "CreateRole",
            &[
                ("parent", "accounts/x"),
                ("role_id", "held"),
                ("role.display_name", "Held"),
                ("role.permissions", "a.b.one"),
                ("role.covered_facets", "line"),
            ],
        ),
        lost: ("users/direct", "a.b.one", ""),
        empty: &[
            (("ListRoleBindings", &[("parent", "accounts/x"), ("role", "accounts/x/roles/held")]), "role_bindings"),
            (("ListRoleHolders", &[("parent", "accounts/x"), ("role", "accounts/x/roles/held")]), "holders"),
        ],
    },
    // A role that others have as a parent.
    Case {
        delete: ("DeleteRole", &[("name", "accounts/x/roles/parent"), ("force", "true")]),
        create: (
            "CreateRole",
            &[
                ("parent", "accounts/x"),
                ("role_id", "parent"),
                ("role.display_name", "Parent"),
                ("role.permissions", "a.b.one"),
            ],
        ),
        lost: ("users/child", "a.b.one", ""),
        empty: &[(("GetRole", &[("name", "accounts/x/roles/child")]), "role.parents")],
    },
    Case {
        delete: ("DeleteAccessPolicy", &[("name", "accounts/x/accessPolicies/p"), ("force", "true")]),
        create: (
            "CreateAccessPolicy",
            &[
                ("parent", "accounts/x"),
                ("access_policy_id", "p"),
                ("access_policy.display_name", "P"),
                ("access_policy.statements[0].effect", "EFFECT_ALLOW"),
                ("access_policy.statements[0].permissions", "**"),
            ],
        ),
        lost: ("users/policy", "a.b.one", ""),
        empty: &[(("GetRole", &[("name", "accounts/x/roles/policy")]), "role.access_policies")],
    },
    // What a role is held on, with what lies below it.
    Case {
        delete: ("DeleteResource", &[("name", "accounts/x/resources/workspaces/w1"), ("force", "true")]),
        create: (
            "BatchCreateResources",
            &[
                ("parent", "accounts/x"),
                ("resources[0].path", "workspaces/w1"),
                ("resources[1].path", "workspaces/w1/channels/c1"),
            ],
        ),
        lost: ("users/placed", "a.b.placed", "workspaces/w1/channels/c1"),
        empty: &[(("ListRoleBindings", &[("parent", "accounts/x"), ("holder", "users/placed")]), "role_bindings")],
    },
    // What an access list names.
    Case {
        delete: ("DeleteResource", &[("name", "accounts/x/resources/lines/l1"), ("force", "true")]),
        create: ("CreateResource", &[("parent", "accounts/x"), ("resource.path", "lines/l1")]),
        lost: ("users/listed", "a.b.bounded", "lines/l1"),
        empty: &[(("ListAccessLists", &[("parent", "accounts/x/users/listed")]), "access_lists")],
    },
    Case {
        delete: ("DeleteUser", &[("name", "accounts/x/users/excepted"), ("force", "true")]),
        create: ("CreateUser", &[("parent", "accounts/x"), ("user_id", "excepted"), ("user.display_name", "E")]),
        lost: ("users/excepted", "a.b.two", ""),
        empty: &[
            (("ListExceptions", &[("parent", "accounts/x/users/excepted")]), "exceptions"),
            (("ListAccessLists", &[("parent", "accounts/x/users/excepted")]), "access_lists"),
            (("ListUserRoles", &[("name", "accounts/x/users/excepted")]), "roles"),
            (("ListUserTeams", &[("name", "accounts/x/users/excepted")]), "teams"),
        ],
    },
    Case {
        delete: ("DeleteTeam", &[("name", "accounts/x/teams/t"), ("force", "true")]),
        create: ("CreateTeam", &[("parent", "accounts/x"), ("team_id", "t"), ("team.display_name", "T")]),
        lost: ("users/member", "a.b.bounded", "lines/l2"),
        empty: &[
            (("ListTeamMembers", &[("name", "accounts/x/teams/t")]), "members"),
            (("ListAccessLists", &[("parent", "accounts/x/teams/t")]), "access_lists"),
            (("ListRoleBindings", &[("parent", "accounts/x"), ("holder", "teams/t")]), "role_bindings"),
            (("ListUserTeams", &[("name", "accounts/x/users/member")]), "teams"),
        ],
    },
    Case {
        delete: ("DeleteServiceAccount", &[("name", "accounts/x/serviceAccounts/bot")]),
        create: (
            "CreateServiceAccount",
            &[("parent", "accounts/x"), ("service_account_id", "bot"), ("service_account.display_name", "Bot")],
        ),
        lost: ("serviceAccounts/bot", "a.b.one", ""),
        empty: &[(
            ("ListRoleBindings", &[("parent", "accounts/x"), ("holder", "serviceAccounts/bot")]),
            "role_bindings",
        )],
    },
];

fn catalog() -> String {
    json!({
        "kind": "catalog", "id": "x", "display_name": "X",
        "custom_roles": ["permissions", "parents", "custom_policies"],
        "sections": [{"id": "s", "display_name": "S"}],
        "resource_types": [
            {"id": "workspace", "plural": "workspaces", "display_name": "Workspace"},
            {"id": "channel", "plural": "channels", "parent": "workspace", "display_name": "Channel"},
            {"id": "line", "plural": "lines", "display_name": "Line"},
        ],
        "permissions": [
            {"id": "a.b.one", "section": "s"}, {"id": "a.b.two", "section": "s"},
            {"id": "a.b.placed", "section": "s", "resource_type": "channel"},
            {"id": "a.b.bounded", "section": "s", "resource_type": "line", "facets": ["line"]},
        ],
        "roles": [{"id": "bounded", "display_name": "Bounded", "permissions": ["a.b.bounded"]}],
    })
    .to_string()
}

fn account() -> String {
    json!({
        "kind": "account", "id": "x", "catalog": "x",
        "resources": [
            {"path": "workspaces/w1"}, {"path": "workspaces/w1/channels/c1"}, {"path": "lines/l1"}, {"path": "lines/l2"},
        ],
        "policies": [{"id": "p", "display_name": "P", "statements": [{"effect": "allow", "permissions": ["a.**"]}]}],
        "roles": [
            {"id": "held", "display_name": "Held", "permissions": ["a.b.one"]},
            {"id": "parent", "display_name": "Parent", "permissions": ["a.b.one"]},
            {"id": "child", "display_name": "Child", "parents": ["custom/parent"]},
            {"id": "policy", "display_name": "Policy", "policies": ["custom/p"]},
            {"id": "placed", "display_name": "Placed", "permissions": ["a.b.placed"]},
            {"id": "steady", "display_name": "Steady", "permissions": ["a.b.one"]},
        ],
        "teams": [{"id": "t", "roles": ["bounded"], "access": [{"facet": "line", "values": ["lines/l2"]}]}],
        "users": [
            {"id": "direct", "roles": ["custom/held"]},
            {"id": "child", "roles": ["custom/child"]},
            {"id": "policy", "roles": ["custom/policy"]},
            {"id": "placed", "roles": [{"role": "custom/placed", "resource": "workspaces/w1"}]},
            {"id": "listed", "roles": ["bounded"], "access": [{"facet": "line", "values": ["lines/l1"]}]},
            {"id": "excepted", "teams": ["t"], "roles": ["custom/steady"],
                "access": [{"facet": "line", "all": true}], "exceptions": [{"permission": "a.b.two", "reason": "Asked"}]},
            {"id": "member", "teams": ["t"]},
        ],
        "service_accounts": [{"id": "bot", "roles": ["custom/steady"]}],
    })
    .to_string()
}

async fn is_allowed(caller: &Caller, (subject, permission, resource): (&str, &str, &str)) -> bool {
    let sets = [("account", "accounts/x"), ("subject", subject), ("permission", permission), ("resource", resource)];
    let answer = caller.ask("Check", &sets).await.unwrap();
    answer.get_field_by_name("decision").unwrap().as_enum_number() == Some(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_by_force_and_created_again_brings_nothing_back() {
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog()).await.unwrap();
    let mut failures = Vec::new();
    for case in CASES {
        server.clients.apply_account(&account()).await.unwrap();
        let caller = Caller::connect(&format!("http://{}", server.running.address.unwrap())).await;
        let shown = format!("{} {:?}", case.delete.0, case.delete.1[0].1);
        if !is_allowed(&caller, case.lost).await {
            failures.push(format!("{shown}: {:?} has nothing to lose", case.lost));
        }
        for (call, field) in case.empty {
            let listed = caller.ask(call.0, call.1).await.unwrap();
            if matches!(get(&listed, field), Some(Value::List(items)) if items.is_empty()) {
                failures.push(format!("{shown}: {} gives no {field} before", call.0));
            }
        }
        for (method, sets) in [&case.delete, &case.create] {
            if let Err(status) = caller.ask(method, sets).await {
                failures.push(format!("{shown}: {method}: {status}"));
            }
            if is_allowed(&caller, case.lost).await {
                failures.push(format!("{shown}: after {method} {:?} is allowed", case.lost));
            }
        }
        for (call, field) in case.empty {
            match caller.ask(call.0, call.1).await {
                Ok(listed) => match get(&listed, field) {
                    Some(Value::List(items)) if items.is_empty() => {}
                    other => failures.push(format!("{shown}: {} gives {field} {other:?}", call.0)),
                },
                Err(status) => failures.push(format!("{shown}: {}: {status}", call.0)),
            }
        }
    }
    // What was swept in the background, and what was read from disk, brings nothing back either.
    let server = server.restart().await;
    let caller = Caller::connect(&format!("http://{}", server.running.address.unwrap())).await;
    let last = CASES.last().unwrap();
    if is_allowed(&caller, last.lost).await {
        failures.push(format!("after a restart {:?} is allowed", last.lost));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
