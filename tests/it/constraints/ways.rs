//! The ways in which each demand can be broken.

use serde_json::json;

use super::{Case, Setup, Write, Write::Call};

const NONE: &[&str] = &[];
/// `z` and `v` hold nothing that matters.
const IDLE: Setup = Setup { u: &["plain"], in_team: false, t: NONE, v: &["other"] };

fn case(setup: Setup, write: Write, relief: Write) -> Case {
    Case { setup, write, relief: Some(relief), instead: None }
}

/// A write that is refused, and another one that is right.
fn pair(setup: Setup, write: Write, instead: Write) -> Case {
    Case { setup, write, relief: None, instead: Some(instead) }
}

/// Makes `u` hold another role too.
const U_HOLDS_OTHER: Write = Call(
    "CreateRoleBinding",
    &[("parent", "{a}"), ("role_binding.holder", "users/u"), ("role_binding.role", "{c}/roles/other")],
);

pub fn to_hold_nothing() -> Vec<Case> {
    let direct = IDLE;
    let through_team = Setup { u: NONE, in_team: true, t: &["plain"], ..IDLE };
    let mut cases = Vec::new();
    for write in [
        Call("DeleteRoleBinding", &[("name", "{binding users/u {c}/roles/plain}")]),
        Call("BatchDeleteRoleBindings", &[("parent", "{a}"), ("names", "{binding users/u {c}/roles/plain}")]),
        Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/plain")]),
        Write::Account(Setup { u: NONE, ..IDLE }),
        Write::Catalog(|file| file["roles"].as_array_mut().unwrap().retain(|role| role["id"] != "plain")),
    ] {
        // A file says what u holds: it is another one that is right.
        match write {
            Write::Account(_) => {
                cases.push(pair(direct, write, Write::Account(Setup { u: &["other"], ..IDLE })));
            }
            write => cases.push(case(direct, write, U_HOLDS_OTHER)),
        }
    }
    for write in [
        Call("RemoveTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u")]),
        Call("RemoveUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceUserTeams", &[("name", "{a}/users/u")]),
        Call("ReplaceTeamMembers", &[("name", "{a}/teams/t"), ("last", "true")]),
        Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/plain"), ("leave_teams", "true")]),
        Call("DeleteRoleBinding", &[("name", "{binding teams/t {c}/roles/plain}")]),
        Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "teams/t")]),
        Call("DeleteTeam", &[("name", "{a}/teams/t"), ("force", "true")]),
    ] {
        cases.push(case(through_team, write, U_HOLDS_OTHER));
    }
    cases.extend([
        case(
            Setup { u: &["custom/calm"], ..IDLE },
            Call("DeleteRole", &[("name", "{a}/roles/calm"), ("force", "true")]),
            U_HOLDS_OTHER,
        ),
        case(
            Setup { u: &["plain@lines/l1"], ..IDLE },
            Call("DeleteResource", &[("name", "{a}/resources/lines/l1"), ("force", "true")]),
            U_HOLDS_OTHER,
        ),
        // What ends one day does not count.
        case(
            Setup { u: &["plain", "boss until"], ..IDLE },
            Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/plain")]),
            U_HOLDS_OTHER,
        ),
        pair(
            IDLE,
            Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "users/u")]),
            Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "users/u"), ("roles", "{c}/roles/other")]),
        ),
        pair(
            IDLE,
            Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "serviceAccounts/bot")]),
            Call(
                "ReplaceRoleBindings",
                &[("parent", "{a}"), ("holder", "serviceAccounts/bot"), ("roles", "{c}/roles/other")],
            ),
        ),
        pair(
            Setup { t: &["plain"], ..IDLE },
            Call("CreateUser", &[("parent", "{a}"), ("user_id", "new"), ("user.display_name", "New")]),
            Call(
                "CreateUser",
                &[("parent", "{a}"), ("user_id", "new"), ("user.display_name", "New"), ("teams", "teams/t")],
            ),
        ),
        pair(
            IDLE,
            Call(
                "BatchCreateUsers",
                &[
                    ("parent", "{a}"),
                    ("users[0].user_id", "one"),
                    ("users[0].user.display_name", "One"),
                    ("users[0].roles", "{c}/roles/plain"),
                    ("users[1].user_id", "two"),
                    ("users[1].user.display_name", "Two"),
                ],
            ),
            Call(
                "BatchCreateUsers",
                &[
                    ("parent", "{a}"),
                    ("users[0].user_id", "one"),
                    ("users[0].user.display_name", "One"),
                    ("users[0].roles", "{c}/roles/plain"),
                ],
            ),
        ),
        pair(
            IDLE,
            Call(
                "CreateServiceAccount",
                &[("parent", "{a}"), ("service_account_id", "new"), ("service_account.display_name", "New")],
            ),
            Call(
                "CreateServiceAccount",
                &[
                    ("parent", "{a}"),
                    ("service_account_id", "new"),
                    ("service_account.display_name", "New"),
                    ("roles", "{a}/roles/calm"),
                ],
            ),
        ),
    ]);
    cases
}

/// Makes `z` an owner too.
const Z_OWNS: Write = Call(
    "CreateRoleBinding",
    &[("parent", "{a}"), ("role_binding.holder", "users/z"), ("role_binding.role", "{c}/roles/owner")],
);

pub fn to_lose_the_last_owner() -> Vec<Case> {
    // An owner of a resource, one until a time, one who cannot act yet: none of them counts.
    let direct = Setup { u: &["owner", "plain"], v: &["other", "owner@lines/l1"], ..IDLE };
    let until = Setup { v: &["other", "owner until"], ..direct };
    let through_team = Setup { u: &["plain"], in_team: true, t: &["owner"], ..IDLE };
    let mut cases = Vec::new();
    for setup in [direct, until] {
        for write in [
            Call("DeleteRoleBinding", &[("name", "{binding users/u {c}/roles/owner}")]),
            Call("BatchDeleteRoleBindings", &[("parent", "{a}"), ("names", "{binding users/u {c}/roles/owner}")]),
            Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/owner")]),
            Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "users/u"), ("roles", "{c}/roles/plain")]),
            Call(
                "UpdateUser",
                &[("user.name", "{a}/users/u"), ("user.state", "STATE_SUSPENDED"), ("update_mask", "state")],
            ),
            Call("DeleteUser", &[("name", "{a}/users/u"), ("force", "true")]),
            // Somebody else's deny takes the role from its last holder.
            Call(
                "CreateRoleBinding",
                &[("parent", "{a}"), ("role_binding.holder", "users/u"), ("role_binding.role", "{a}/roles/denier")],
            ),
            Call(
                "CreateRoleBinding",
                &[
                    ("parent", "{a}"),
                    ("role_binding.holder", "users/u"),
                    ("role_binding.role", "{a}/roles/denier"),
                    ("role_binding.resource", "lines/l1"),
                    ("role_binding.expire_time", "7258118400"),
                ],
            ),
        ] {
            cases.push(case(setup, write, Z_OWNS));
        }
    }
    for write in [
        Call("RemoveTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u")]),
        Call("RemoveUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceUserTeams", &[("name", "{a}/users/u")]),
        Call("ReplaceTeamMembers", &[("name", "{a}/teams/t"), ("last", "true")]),
        Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/owner"), ("leave_teams", "true")]),
        Call("DeleteRoleBinding", &[("name", "{binding teams/t {c}/roles/owner}")]),
        Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "teams/t")]),
        Call("DeleteTeam", &[("name", "{a}/teams/t"), ("force", "true")]),
        Call("DeleteUser", &[("name", "{a}/users/u"), ("force", "true")]),
        Call("UpdateUser", &[("user.name", "{a}/users/u"), ("user.state", "STATE_INVITED"), ("update_mask", "state")]),
    ] {
        cases.push(case(through_team, write, Z_OWNS));
    }
    // A role that the last owner holds comes to deny.
    let talks = Setup { u: &["owner", "custom/talker"], ..IDLE };
    let talks_in_team = Setup { u: &["owner"], in_team: true, t: &["custom/talker"], ..IDLE };
    for setup in [talks, talks_in_team] {
        for write in [
            Call(
                "UpdateAccessPolicy",
                &[
                    ("access_policy.name", "{a}/accessPolicies/yes"),
                    ("access_policy.statements[0].effect", "EFFECT_ALLOW"),
                    ("access_policy.statements[0].permissions", "a.b.*"),
                    ("access_policy.statements[1].effect", "EFFECT_DENY"),
                    ("access_policy.statements[1].permissions", "a.b.three"),
                    ("update_mask", "statements"),
                ],
            ),
            Call(
                "UpdateRole",
                &[
                    ("role.name", "{a}/roles/talker"),
                    ("role.access_policies", "{a}/accessPolicies/yes, {a}/accessPolicies/no"),
                    ("update_mask", "access_policies"),
                ],
            ),
            Call(
                "UpdateRole",
                &[
                    ("role.name", "{a}/roles/talker"),
                    ("role.access_policies", "{c}/accessPolicies/mute"),
                    ("update_mask", "access_policies"),
                ],
            ),
            Call(
                "UpdateRole",
                &[("role.name", "{a}/roles/talker"), ("role.parents", "{a}/roles/denier"), ("update_mask", "parents")],
            ),
        ] {
            cases.push(case(setup, write, Z_OWNS));
        }
    }
    cases.extend([
        // Through a parent of a parent.
        case(
            Setup { u: &["owner", "custom/child"], ..IDLE },
            Call(
                "UpdateRole",
                &[("role.name", "{a}/roles/calm"), ("role.parents", "{a}/roles/denier"), ("update_mask", "parents")],
            ),
            Z_OWNS,
        ),
        case(
            Setup { u: &["owner"], t: &["custom/denier"], ..IDLE },
            Call("AddTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u")]),
            Z_OWNS,
        ),
        case(
            Setup { u: &["owner"], in_team: true, ..IDLE },
            Call(
                "CreateRoleBinding",
                &[("parent", "{a}"), ("role_binding.holder", "teams/t"), ("role_binding.role", "{a}/roles/denier")],
            ),
            Z_OWNS,
        ),
        case(
            direct,
            Call(
                "CreateRole",
                &[
                    ("parent", "{a}"),
                    ("role_id", "new"),
                    ("role.display_name", "New"),
                    ("role.access_policies", "{c}/accessPolicies/mute"),
                    ("holders", "users/u"),
                ],
            ),
            Z_OWNS,
        ),
        pair(direct, Write::Account(IDLE), Write::Account(Setup { v: &["owner"], ..IDLE })),
        pair(
            direct,
            Write::Account(Setup { u: &["owner", "custom/denier"], ..IDLE }),
            Write::Account(Setup { u: &["owner", "custom/denier"], v: &["owner"], ..IDLE }),
        ),
        // The catalog makes another role of the last owner deny.
        case(
            direct,
            Write::Catalog(|file| {
                let plain = file["roles"].as_array_mut().unwrap().iter_mut().find(|role| role["id"] == "plain");
                plain.unwrap()["policies"] = json!(["mute"]);
            }),
            Z_OWNS,
        ),
        case(
            direct,
            Write::Catalog(|file| {
                file["policies"].as_array_mut().unwrap().push(json!({"id": "more", "display_name": "More",
                    "statements": [{"effect": "deny", "permissions": ["a.b.one"], "resources": ["lines/*"]}]}));
                let roles = file["roles"].as_array_mut().unwrap();
                roles.push(json!({"id": "deep", "display_name": "Deep", "policies": ["more"]}));
                roles.iter_mut().find(|role| role["id"] == "plain").unwrap()["parents"] = json!(["deep"]);
            }),
            Z_OWNS,
        ),
    ]);
    cases
}

/// Takes the role `maker` from `u`.
const U_MAKES_NOTHING: Write = Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/maker")]);

pub fn to_hold_both() -> Vec<Case> {
    let makes = Setup { u: &["plain", "maker"], ..IDLE };
    let team_checks = Setup { t: &["checker"], ..makes };
    let mut cases = Vec::new();
    for write in [
        Call(
            "CreateRoleBinding",
            &[("parent", "{a}"), ("role_binding.holder", "users/u"), ("role_binding.role", "{c}/roles/checker")],
        ),
        // On a resource, and until a time, it is held too.
        Call(
            "CreateRoleBinding",
            &[
                ("parent", "{a}"),
                ("role_binding.holder", "users/u"),
                ("role_binding.role", "{c}/roles/checker"),
                ("role_binding.resource", "lines/l1"),
                ("role_binding.expire_time", "7258118400"),
            ],
        ),
        Call(
            "BatchCreateRoleBindings",
            &[
                ("parent", "{a}"),
                ("role_bindings[0].holder", "users/v"),
                ("role_bindings[0].role", "{c}/roles/checker"),
                ("role_bindings[1].holder", "users/u"),
                ("role_bindings[1].role", "{c}/roles/checker"),
            ],
        ),
        Call(
            "CreateRole",
            &[
                ("parent", "{a}"),
                ("role_id", "new"),
                ("role.display_name", "New"),
                ("role.parents", "{c}/roles/checker"),
                ("holders", "users/u"),
            ],
        ),
        Call(
            "CreateTeam",
            &[
                ("parent", "{a}"),
                ("team_id", "new"),
                ("team.display_name", "New"),
                ("roles", "{c}/roles/checker"),
                ("members", "users/u"),
            ],
        ),
        Write::Catalog(|file| file["mutually_exclusive"].as_array_mut().unwrap().push(json!(["plain", "maker"]))),
        Write::Catalog(|file| {
            let plain = file["roles"].as_array_mut().unwrap().iter_mut().find(|role| role["id"] == "plain");
            plain.unwrap()["parents"] = json!(["checker"]);
        }),
    ] {
        cases.push(case(makes, write, U_MAKES_NOTHING));
    }
    for write in [
        Call("AddTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u")]),
        Call("AddUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u"), ("last", "true")]),
    ] {
        cases.push(case(team_checks, write, U_MAKES_NOTHING));
    }
    cases.extend([
        case(
            Setup { in_team: true, ..makes },
            Call(
                "CreateRoleBinding",
                &[("parent", "{a}"), ("role_binding.holder", "teams/t"), ("role_binding.role", "{c}/roles/checker")],
            ),
            U_MAKES_NOTHING,
        ),
        // Through a parent of the managed role.
        case(
            Setup { u: &["plain", "boss"], ..IDLE },
            Call(
                "CreateRoleBinding",
                &[("parent", "{a}"), ("role_binding.holder", "users/u"), ("role_binding.role", "{c}/roles/checker")],
            ),
            Call("RemoveUserRole", &[("name", "{a}/users/u"), ("role", "{c}/roles/boss")]),
        ),
        // A custom role that is held gains a parent, and so does a parent of one.
        case(
            Setup { u: &["plain", "maker", "custom/calm"], ..IDLE },
            Call(
                "UpdateRole",
                &[("role.name", "{a}/roles/calm"), ("role.parents", "{c}/roles/checker"), ("update_mask", "parents")],
            ),
            U_MAKES_NOTHING,
        ),
        case(
            Setup { u: &["plain", "maker", "custom/child"], ..IDLE },
            Call(
                "UpdateRole",
                &[("role.name", "{a}/roles/calm"), ("role.parents", "{c}/roles/checker"), ("update_mask", "parents")],
            ),
            U_MAKES_NOTHING,
        ),
        case(
            IDLE,
            Call(
                "CreateRoleBinding",
                &[
                    ("parent", "{a}"),
                    ("role_binding.holder", "serviceAccounts/bot"),
                    ("role_binding.role", "{c}/roles/checker"),
                ],
            ),
            Call("DeleteRoleBinding", &[("name", "{binding serviceAccounts/bot {c}/roles/maker}")]),
        ),
        pair(
            IDLE,
            Call(
                "ReplaceRoleBindings",
                &[("parent", "{a}"), ("holder", "users/u"), ("roles", "{c}/roles/boss, {c}/roles/checker")],
            ),
            Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "users/u"), ("roles", "{c}/roles/checker")]),
        ),
        pair(
            Setup { t: &["checker"], ..IDLE },
            Call(
                "CreateUser",
                &[
                    ("parent", "{a}"),
                    ("user_id", "new"),
                    ("user.state", "STATE_SUSPENDED"),
                    ("roles", "{c}/roles/maker"),
                    ("teams", "teams/t"),
                ],
            ),
            Call(
                "CreateUser",
                &[("parent", "{a}"), ("user_id", "new"), ("user.state", "STATE_SUSPENDED"), ("teams", "teams/t")],
            ),
        ),
        // A role that would have both itself can be had, and held by nobody.
        pair(
            IDLE,
            Call(
                "CreateRole",
                &[
                    ("parent", "{a}"),
                    ("role_id", "new"),
                    ("role.display_name", "New"),
                    ("role.parents", "{c}/roles/boss, {c}/roles/checker"),
                    ("holders", "users/u"),
                ],
            ),
            Call(
                "CreateRole",
                &[
                    ("parent", "{a}"),
                    ("role_id", "new"),
                    ("role.display_name", "New"),
                    ("role.parents", "{c}/roles/boss, {c}/roles/checker"),
                ],
            ),
        ),
        pair(
            makes,
            Write::Account(Setup { u: &["maker", "checker"], ..IDLE }),
            Write::Account(Setup { u: &["checker"], ..IDLE }),
        ),
        pair(
            makes,
            Write::Account(Setup { u: &["boss"], in_team: true, t: &["checker"], ..IDLE }),
            Write::Account(Setup { u: &["boss"], in_team: false, t: &["checker"], ..IDLE }),
        ),
    ]);
    cases
}

/// Takes the role `few` from `v`.
const V_IS_ONE_OF_MANY: Write = Call("RemoveUserRole", &[("name", "{a}/users/v"), ("role", "{c}/roles/few")]);

pub fn to_be_too_many() -> Vec<Case> {
    let held = Setup { v: &["other", "few"], ..IDLE };
    let mut cases = Vec::new();
    for write in [
        Call(
            "CreateRoleBinding",
            &[("parent", "{a}"), ("role_binding.holder", "users/u"), ("role_binding.role", "{c}/roles/few")],
        ),
        Call(
            "CreateRoleBinding",
            &[
                ("parent", "{a}"),
                ("role_binding.holder", "users/u"),
                ("role_binding.role", "{c}/roles/few"),
                ("role_binding.resource", "lines/l1"),
                ("role_binding.expire_time", "7258118400"),
            ],
        ),
        Call(
            "CreateRoleBinding",
            &[
                ("parent", "{a}"),
                ("role_binding.holder", "serviceAccounts/bot"),
                ("role_binding.role", "{c}/roles/few"),
            ],
        ),
        Call(
            "BatchCreateRoleBindings",
            &[("parent", "{a}"), ("role_bindings[0].holder", "users/u"), ("role_bindings[0].role", "{c}/roles/few")],
        ),
        Call("ReplaceRoleBindings", &[("parent", "{a}"), ("holder", "users/u"), ("roles", "{c}/roles/few")]),
        Call(
            "CreateUser",
            &[("parent", "{a}"), ("user_id", "new"), ("user.username", "n"), ("roles", "{c}/roles/few")],
        ),
        Call(
            "BatchCreateUsers",
            &[
                ("parent", "{a}"),
                ("users[0].user_id", "new"),
                ("users[0].user.state", "STATE_INVITED"),
                ("users[0].roles", "{c}/roles/few"),
            ],
        ),
        Call(
            "CreateServiceAccount",
            &[
                ("parent", "{a}"),
                ("service_account_id", "new"),
                ("service_account.display_name", "New"),
                ("roles", "{c}/roles/few"),
            ],
        ),
        Call(
            "CreateTeam",
            &[
                ("parent", "{a}"),
                ("team_id", "new"),
                ("team.display_name", "New"),
                ("roles", "{c}/roles/few"),
                ("members", "users/u"),
            ],
        ),
    ] {
        cases.push(case(held, write, V_IS_ONE_OF_MANY));
    }
    let team_has_it = Setup { t: &["few"], ..held };
    for write in [
        Call("AddTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u")]),
        Call("AddUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceUserTeams", &[("name", "{a}/users/u"), ("teams", "teams/t")]),
        Call("ReplaceTeamMembers", &[("name", "{a}/teams/t"), ("members", "users/u"), ("last", "true")]),
    ] {
        cases.push(case(team_has_it, write, V_IS_ONE_OF_MANY));
    }
    cases.extend([
        case(
            Setup { in_team: true, ..held },
            Call(
                "CreateRoleBinding",
                &[("parent", "{a}"), ("role_binding.holder", "teams/t"), ("role_binding.role", "{c}/roles/few")],
            ),
            V_IS_ONE_OF_MANY,
        ),
        pair(held, Write::Account(Setup { u: &["few"], ..held }), Write::Account(Setup { u: &["few"], ..IDLE })),
        // The catalog lowers the maximum below what is held.
        case(
            Setup { u: &["plain", "maker"], v: &["other", "few"], ..IDLE },
            Write::Catalog(|file| {
                let maker = file["roles"].as_array_mut().unwrap().iter_mut().find(|role| role["id"] == "maker");
                maker.unwrap()["max_holders"] = json!(1);
            }),
            U_MAKES_NOTHING,
        ),
    ]);
    cases
}
