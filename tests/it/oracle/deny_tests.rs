//! Denies: what they take away, and what they do not reach.

use super::{
    platform::{allow, bind, bind_to, deny, edit, give, may, platform, role_of, says},
    tests::{custom, managed, set, team},
    *,
};
use Reason::{Allowed, ApiScopeLeftOut, DeniedByPolicy, NoRoleGrants, ResourceNotCovered};

const CHANNEL: &str = "workspaces/w1/channels/c1";

fn reader() -> Oracle {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    oracle
}

#[test]
fn a_deny_beats_every_grant_and_every_exception() {
    let mut oracle = reader();
    give(&mut oracle, "other", vec![allow(&["**"], &[])]);
    oracle.create_exception("acme", "ana", "account.read", Exception::default(), 0);
    says(&oracle, &may("account.read"), Allowed);
    give(&mut oracle, "no", vec![deny(&["account.*"], &[])]);
    says(&oracle, &may("account.read"), DeniedByPolicy);
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
}

#[test]
fn a_deny_and_an_allow_in_one_policy_leave_what_the_deny_does_not_match() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["**"], &[]), deny(&["channel.**"], &["workspaces/w1/**"])]);
    says(&oracle, &may("channel.post").on(CHANNEL), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), Allowed);
}

#[test]
fn a_deny_matters_only_if_some_grant_passes_everything() {
    let mut oracle = platform();
    give(&mut oracle, "no", vec![deny(&["**"], &[])]);
    says(&oracle, &may("account.read"), NoRoleGrants);
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), ResourceNotCovered);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), DeniedByPolicy);
}

#[test]
fn a_deny_reaches_what_its_binding_covers_and_its_patterns_match() {
    let mut oracle = reader();
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &["workspaces/*/channels/c1"])]);
    bind(&mut oracle, no, "workspaces/w1");
    says(&oracle, &may("channel.post").on(CHANNEL), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c2"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), Allowed);
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
}

#[test]
fn a_deny_on_a_resource_does_not_reach_what_is_above_it_or_beside_it_or_of_the_account() {
    let mut oracle = reader();
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &[])]);
    bind(&mut oracle, no, CHANNEL);
    says(&oracle, &may("channel.post").on(CHANNEL), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1/messages/m1"), DeniedByPolicy);
    says(&oracle, &may("workspace.read").on(CHANNEL), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c2"), Allowed);
    says(&oracle, &may("account.read").on(CHANNEL), Allowed);
}

#[test]
fn a_deny_is_reached_through_teams_and_parents_like_a_grant() {
    let mut oracle = reader();
    role_of(&mut oracle, "no", vec![deny(&["account.read"], &[])]);
    oracle.create_role("acme", "child", set(&[]));
    oracle.set_role_parents("acme", "child", BTreeSet::from([custom("no")]));
    bind_to(&mut oracle, team("t"), custom("child"), "");
    says(&oracle, &may("account.read"), Allowed);
    oracle.add_member("acme", "t", "ana");
    says(&oracle, &may("account.read"), DeniedByPolicy);
    oracle.set_role_parents("acme", "child", BTreeSet::new());
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_deny_of_somebody_else_denies_nothing() {
    let mut oracle = reader();
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &[])]);
    bind_to(&mut oracle, Holder::User("ben".into()), no.clone(), "");
    bind_to(&mut oracle, Holder::ServiceAccount("bot".into()), no, "");
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_deny_that_has_expired_denies_nothing() {
    let mut oracle = reader();
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &[])]);
    oracle.bind("acme", (Holder::User("ana".into()), no, None), Some(10), 0);
    assert_eq!(oracle.check("acme", &may("account.read"), 9), Ok(DeniedByPolicy));
    assert_eq!(oracle.check("acme", &may("account.read"), 10), Ok(Allowed));
}

#[test]
fn a_deny_whose_condition_does_not_hold_denies_nothing_and_one_that_cannot_be_evaluated_denies() {
    let mut oracle = reader();
    let night = Condition::AttributeIs("time".into(), "night".into());
    give(&mut oracle, "no", vec![deny(&["**"], &[]).when(night)]);
    says(&oracle, &may("account.read").text("time", "night"), DeniedByPolicy);
    says(&oracle, &may("account.read").text("time", "day"), Allowed);
    says(&oracle, &may("account.read"), DeniedByPolicy);
    let young = Condition::AttributeBelow("age".into(), 18);
    oracle.update_policy("acme", "no", vec![deny(&["**"], &[]).when(young)]);
    says(&oracle, &may("account.read").number("age", 18), Allowed);
    says(&oracle, &may("account.read").text("age", "18"), DeniedByPolicy);
}

#[test]
fn a_deny_of_a_permission_denies_the_api_scope_by_that_permission_alone() {
    let mut oracle = reader();
    platform::list(&mut oracle, Holder::User("ana".into()), "line", &["lines/l1"]);
    give(&mut oracle, "no", vec![deny(&["line.*"], &[])]);
    let question = Question::api_scope("ana", "calls").facet("line", "lines/l1");
    says(&oracle, &question, Allowed); // by conversation.read
    oracle.update_policy("acme", "no", vec![deny(&["line.*", "conversation.*"], &[])]);
    says(&oracle, &question, DeniedByPolicy);
}

#[test]
fn a_denial_is_further_than_an_api_scope_that_is_left_out() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["channel.post"], &[]), deny(&["**"], &[])]);
    let question = Question::api_scope("ana", "chat").on(CHANNEL);
    says(&oracle, &question, DeniedByPolicy);
    oracle.leave_out("acme", "some", set(&["chat"]));
    says(&oracle, &question, ApiScopeLeftOut);
}

#[test]
fn a_deny_of_a_managed_policy_denies_in_every_account() {
    let mut oracle = reader();
    edit(&mut oracle, |catalog| {
        catalog.policies.insert("no".into(), vec![deny(&["account.**"], &[])]);
        catalog.roles.entry("reader".into()).and_modify(|role| role.policies = set(&["no"]));
    });
    says(&oracle, &may("account.read"), DeniedByPolicy);
    says(&oracle, &may("workspace.read"), Allowed);
}
