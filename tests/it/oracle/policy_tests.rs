//! Access policies: what the statements of managed and custom ones allow.

use super::{
    platform::{allow, bind, edit, give, may, platform, role_of, says},
    tests::{custom, managed, set},
    *,
};
use Reason::{Allowed, NoRoleGrants, ResourceNotCovered};

const CHANNEL: &str = "workspaces/w1/channels/c1";

#[test]
fn a_statement_allows_what_one_of_its_patterns_matches() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["channel.*", "account.**"], &[])]);
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    says(&oracle, &may("account.read"), Allowed);
    says(&oracle, &may("workspace.read").on("workspaces/w1"), NoRoleGrants);
}

#[test]
fn the_resource_patterns_of_a_statement_bound_it() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["**"], &["workspaces/w1/**", "workspaces/*/channels/c9"])]);
    for (path, expected) in [
        (CHANNEL, Allowed),
        ("workspaces/w2/channels/c9", Allowed),
        ("workspaces/w2/channels/c1", ResourceNotCovered),
        ("workspaces/w2/channels/c9/messages/m1", Allowed),
    ] {
        says(&oracle, &may("channel.post").on(path), expected);
    }
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
    says(&oracle, &may("account.read"), ResourceNotCovered);
}

#[test]
fn a_pattern_must_match_the_path_as_it_is_cut() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["workspace.read"], &["workspaces/w1/channels/*"])]);
    says(&oracle, &may("workspace.read").on(CHANNEL), ResourceNotCovered);
    oracle.update_policy("acme", "some", vec![allow(&["workspace.read"], &["workspaces/w1"])]);
    says(&oracle, &may("workspace.read").on(CHANNEL), Allowed);
}

#[test]
fn a_permission_of_the_account_is_matched_by_two_stars_and_by_nothing_that_names_a_resource() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["account.read"], &["lines/**"])]);
    says(&oracle, &may("account.read").on("lines/l1"), ResourceNotCovered);
    oracle.update_policy("acme", "some", vec![allow(&["account.read"], &["**"])]);
    says(&oracle, &may("account.read").on("lines/l1"), Allowed);
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn the_binding_and_the_patterns_must_both_cover_the_resource() {
    let mut oracle = platform();
    let role = role_of(&mut oracle, "some", vec![allow(&["**"], &["workspaces/*/channels/c1"])]);
    bind(&mut oracle, role, "workspaces/w1");
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c2"), ResourceNotCovered);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), ResourceNotCovered);
}

#[test]
fn one_grant_must_pass_everything_and_two_halves_do_not() {
    let mut oracle = platform();
    let here = role_of(&mut oracle, "here", vec![allow(&["channel.post"], &["workspaces/w2/**"])]);
    let there = role_of(&mut oracle, "there", vec![allow(&["channel.post"], &["workspaces/w1/**"])]);
    bind(&mut oracle, here, "workspaces/w1");
    bind(&mut oracle, there, "workspaces/w2");
    says(&oracle, &may("channel.post").on(CHANNEL), ResourceNotCovered);
}

#[test]
fn a_managed_policy_is_contained_in_managed_and_in_custom_roles() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        catalog.policies.insert("post".into(), vec![allow(&["channel.post"], &[])]);
        catalog.roles.insert("poster".into(), Role { policies: set(&["post"]), ..Role::default() });
    });
    bind(&mut oracle, managed("poster"), "");
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    edit(&mut oracle, |catalog| _ = catalog.policies.insert("post".into(), vec![allow(&["account.read"], &[])]));
    says(&oracle, &may("channel.post").on(CHANNEL), NoRoleGrants);

    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_policies("acme", "mine", BTreeSet::from([PolicyName::Managed("post".into())]));
    oracle.delete_binding("acme", Holder::User("ana".into()), managed("poster"));
    says(&oracle, &may("account.read"), NoRoleGrants);
    bind(&mut oracle, custom("mine"), "");
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_managed_and_a_custom_policy_of_one_id_are_two() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| _ = catalog.policies.insert("post".into(), vec![allow(&["channel.post"], &[])]));
    give(&mut oracle, "post", vec![allow(&["account.read"], &[])]);
    says(&oracle, &may("account.read"), Allowed);
    says(&oracle, &may("channel.post").on(CHANNEL), NoRoleGrants);
}

#[test]
fn a_new_permission_that_a_pattern_matches_is_included_at_once() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["channel.**"], &[])]);
    edit(&mut oracle, |catalog| _ = catalog.permissions.insert("channel.pin".into(), Permission::default()));
    says(&oracle, &may("channel.pin"), Allowed);
}

#[test]
fn a_policy_that_is_edited_changes_every_role_that_contains_it() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["account.read"], &[])]);
    oracle.update_policy("acme", "some", vec![]);
    says(&oracle, &may("account.read"), NoRoleGrants);
    oracle.update_policy("acme", "some", vec![allow(&["**"], &[])]);
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_policy_created_again_is_in_no_role() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["**"], &[])]);
    oracle.delete_policy("acme", "some");
    says(&oracle, &may("account.read"), NoRoleGrants);
    oracle.create_policy("acme", "some", vec![allow(&["**"], &[])]);
    says(&oracle, &may("account.read"), NoRoleGrants);
    oracle.set_role_policies("acme", "some", BTreeSet::from([PolicyName::Custom("some".into())]));
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_statement_needs_the_feature_of_the_permission_like_a_permission_that_is_listed() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["**"], &[])]);
    oracle.update_account("acme", None, Some(set(&[])));
    says(&oracle, &may("channel.post").on(CHANNEL), Reason::FeatureNotEntitled);
}

#[test]
fn what_a_role_leaves_out_goes_from_its_statements_too() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["channel.post"], &[])]);
    says(&oracle, &Question::api_scope("ana", "chat").on(CHANNEL), Allowed);
    oracle.leave_out("acme", "some", set(&["chat"]));
    says(&oracle, &Question::api_scope("ana", "chat").on(CHANNEL), Reason::ApiScopeLeftOut);
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
}
