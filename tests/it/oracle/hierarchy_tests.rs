//! Parents: what a role has of them, and which parents a role cannot have.

use super::{
    platform::{allow, bind, edit, may, platform, role_of, says},
    tests::{custom, managed, set},
    *,
};
use Reason::{Allowed, ApiScopeLeftOut, NoRoleGrants};

fn parents(oracle: &mut Oracle, id: &str, parents: &[RoleName]) {
    oracle.set_role_parents("acme", id, parents.iter().cloned().collect());
}

/// Custom roles `r0` to the last; each has the next as its parent.
fn ladder(last: usize) -> Oracle {
    let mut oracle = platform();
    for step in 0..=last {
        oracle.create_role("acme", &format!("r{step}"), set(&[]));
    }
    for step in 0..last {
        parents(&mut oracle, &format!("r{step}"), &[custom(&format!("r{}", step + 1))]);
    }
    oracle
}

#[test]
fn a_role_has_all_that_its_parents_have_at_any_depth() {
    let mut oracle = ladder(8);
    oracle.update_role("acme", "r8", set(&["account.read"]));
    bind(&mut oracle, custom("r0"), "");
    says(&oracle, &may("account.read"), Allowed);
    parents(&mut oracle, "r4", &[]);
    says(&oracle, &may("account.read"), NoRoleGrants);
    parents(&mut oracle, "r4", &[managed("reader")]);
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_parent_has_nothing_of_its_children() {
    let mut oracle = ladder(1);
    oracle.update_role("acme", "r0", set(&["account.read"]));
    bind(&mut oracle, custom("r1"), "");
    says(&oracle, &may("account.read"), NoRoleGrants);
}

#[test]
fn what_a_parent_has_is_bounded_by_the_binding_of_the_child() {
    let mut oracle = ladder(1);
    oracle.update_role("acme", "r1", set(&["workspace.read"]));
    bind(&mut oracle, custom("r0"), "workspaces/w1");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), Reason::ResourceNotCovered);
}

#[test]
fn a_parent_gives_its_policies_too() {
    let mut oracle = ladder(0);
    let some = role_of(&mut oracle, "some", vec![allow(&["account.**"], &[])]);
    parents(&mut oracle, "r0", &[some]);
    bind(&mut oracle, custom("r0"), "");
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn an_api_scope_is_left_out_of_what_the_listing_role_gives_alone() {
    let mut oracle = ladder(1);
    oracle.update_role("acme", "r1", set(&["account.read"]));
    bind(&mut oracle, custom("r0"), "");
    oracle.leave_out("acme", "r0", set(&["base"]));
    says(&oracle, &Question::api_scope("ana", "base"), Allowed);
    oracle.leave_out("acme", "r0", set(&[]));
    oracle.leave_out("acme", "r1", set(&["base"]));
    says(&oracle, &Question::api_scope("ana", "base"), ApiScopeLeftOut);
}

#[test]
fn a_deleted_role_is_no_parent_any_more_and_does_not_come_back_as_one() {
    let mut oracle = ladder(1);
    oracle.update_role("acme", "r1", set(&["account.read"]));
    bind(&mut oracle, custom("r0"), "");
    oracle.delete_role("acme", "r1");
    oracle.create_role("acme", "r1", set(&["account.read"]));
    says(&oracle, &may("account.read"), NoRoleGrants);
}

#[test]
fn a_managed_and_a_custom_parent_of_one_id_are_two() {
    let mut oracle = ladder(0);
    oracle.create_role("acme", "reader", set(&[]));
    parents(&mut oracle, "r0", &[custom("reader")]);
    bind(&mut oracle, custom("r0"), "");
    says(&oracle, &may("account.read"), NoRoleGrants);
    parents(&mut oracle, "r0", &[managed("reader")]);
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_role_cannot_be_above_itself() {
    let oracle = ladder(3);
    let given = |id: &str, parent: &str| oracle.hierarchy("acme", id, &BTreeSet::from([custom(parent)]));
    assert_eq!(given("r3", "r0"), Some(Hierarchy::Cycle));
    assert_eq!(given("r2", "r2"), Some(Hierarchy::Cycle));
    assert_eq!(given("r0", "r3"), None);
    assert_eq!(given("new", "r0"), None);
    assert_eq!(given("new", "new"), Some(Hierarchy::Cycle));
}

#[test]
fn a_role_that_gives_up_the_parent_that_would_close_a_circle_makes_none() {
    let oracle = ladder(3);
    assert_eq!(oracle.hierarchy("acme", "r3", &BTreeSet::from([custom("r2")])), Some(Hierarchy::Cycle));
    let mut oracle = oracle;
    parents(&mut oracle, "r2", &[]);
    assert_eq!(oracle.hierarchy("acme", "r3", &BTreeSet::from([custom("r2")])), None);
    assert_eq!(oracle.hierarchy("acme", "r0", &BTreeSet::from([custom("r3")])), None);
}

#[test]
fn eight_steps_up_are_allowed_and_nine_are_not() {
    let oracle = ladder(8);
    let given = |id: &str, parent: RoleName| oracle.hierarchy("acme", id, &BTreeSet::from([parent]));
    assert_eq!(given("r7", custom("r8")), None);
    assert_eq!(given("new", custom("r1")), None);
    assert_eq!(given("new", custom("r0")), Some(Hierarchy::TooDeep));
    assert_eq!(given("r8", managed("reader")), Some(Hierarchy::TooDeep), "seen from r0");
}

#[test]
fn what_a_catalog_has_made_too_deep_keeps_no_other_parent_away() {
    let mut oracle = ladder(8);
    parents(&mut oracle, "r8", &[managed("reader")]);
    let given = |id: &str, others: &[RoleName]| oracle.hierarchy("acme", id, &others.iter().cloned().collect());
    assert_eq!(given("r0", &[custom("r1"), managed("owner")]), None, "one step by the new one");
    assert_eq!(given("r0", &[custom("r1")]), None, "nothing is new");
    assert_eq!(given("r8", &[managed("reader"), managed("owner")]), Some(Hierarchy::TooDeep), "seen from r0");
    assert_eq!(given("r1", &[managed("ghost")]), None);
}

#[test]
fn the_steps_of_managed_parents_count() {
    let mut oracle = ladder(7);
    edit(&mut oracle, |catalog| {
        catalog.roles.insert("low".into(), Role { parents: set(&["reader"]), ..Role::default() });
    });
    let given = |parent: &str| oracle.hierarchy("acme", "r7", &BTreeSet::from([managed(parent)]));
    assert_eq!(given("reader"), None);
    assert_eq!(given("low"), Some(Hierarchy::TooDeep));
}
