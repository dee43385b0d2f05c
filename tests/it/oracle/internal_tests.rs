//! What is internal: matched by nothing that a customer has.

use super::{
    platform::{allow, bind, deny, edit, give, may, platform, says},
    tests::{custom, managed, set},
    *,
};
use Reason::{Allowed, DeniedByPolicy, NoRoleGrants};

fn secret() -> Question {
    may("channel.secret").on("workspaces/w1/channels/c1")
}

#[test]
fn no_pattern_of_a_custom_policy_matches_an_internal_permission() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["**", "channel.secret", "*.*"], &[])]);
    says(&oracle, &secret(), NoRoleGrants);
    bind(&mut oracle, managed("ghost"), "");
    says(&oracle, &secret(), Allowed);
}

#[test]
fn no_deny_of_a_custom_policy_reaches_an_internal_permission() {
    let mut oracle = platform();
    bind(&mut oracle, managed("ghost"), "");
    give(&mut oracle, "no", vec![deny(&["**", "channel.secret"], &[])]);
    says(&oracle, &secret(), Allowed);
    says(&oracle, &may("channel.secret"), Allowed);
}

#[test]
fn a_managed_policy_matches_an_internal_permission_in_an_internal_role_alone() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        catalog.policies.insert("wide".into(), vec![allow(&["**"], &[])]);
        catalog.policies.insert("no".into(), vec![deny(&["channel.*"], &[])]);
        catalog.roles.insert("open".into(), Role { policies: set(&["wide", "no"]), ..Role::default() });
        let agent = Role { internal: true, policies: set(&["wide"]), ..Role::default() };
        catalog.roles.insert("agent".into(), agent);
    });
    bind(&mut oracle, managed("open"), "");
    says(&oracle, &secret(), NoRoleGrants);
    bind(&mut oracle, managed("agent"), "");
    says(&oracle, &secret(), Allowed);
    edit(&mut oracle, |catalog| {
        catalog.roles.entry("agent".into()).and_modify(|role| role.policies = set(&["wide", "no"]));
    });
    says(&oracle, &secret(), DeniedByPolicy);
}

#[test]
fn an_internal_role_has_what_its_parents_have_and_is_itself_what_must_list_what_is_internal() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        let child = Role { internal: true, parents: set(&["ghost", "reader"]), ..Role::default() };
        catalog.roles.insert("child".into(), child);
        // Listed by a role that is not internal: given to nobody, not even below an internal one.
        catalog.roles.entry("reader".into()).and_modify(|role| _ = role.permissions.insert("x.hidden".into()));
        let hidden = Permission { internal: true, ..Permission::default() };
        catalog.permissions.insert("x.hidden".into(), hidden);
    });
    bind(&mut oracle, managed("child"), "");
    says(&oracle, &secret(), Allowed);
    says(&oracle, &may("account.read"), Allowed);
    says(&oracle, &may("x.hidden"), NoRoleGrants);
}

#[test]
fn an_internal_parent_of_a_role_that_is_not_internal_is_void_with_all_above_it() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        let parents = set(&["reader"]);
        catalog.roles.insert("middle".into(), Role { parents, ..Role::default() });
    });
    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_parents("acme", "mine", BTreeSet::from([managed("middle")]));
    bind(&mut oracle, custom("mine"), "");
    says(&oracle, &may("account.read"), Allowed);
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("middle").map(|role| role.internal = true));
    says(&oracle, &may("account.read"), NoRoleGrants);
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("middle").map(|role| role.internal = false));
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_deny_that_is_reached_by_an_internal_parent_alone_is_void_too() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        catalog.policies.insert("no".into(), vec![deny(&["**"], &[])]);
        catalog.roles.entry("ghost".into()).and_modify(|role| role.policies = set(&["no"]));
        catalog.roles.entry("reader".into()).and_modify(|role| role.parents = set(&["ghost"]));
    });
    bind(&mut oracle, managed("reader"), "");
    says(&oracle, &may("account.read"), Allowed);
    bind(&mut oracle, managed("ghost"), "");
    says(&oracle, &may("account.read"), DeniedByPolicy);
}
