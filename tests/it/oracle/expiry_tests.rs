//! Bindings that expire: they count while now is less than their expiry, and their records stay.

use super::{
    platform::{bind, may, platform},
    tests::{managed, set, team, user},
    *,
};
use Reason::{Allowed, FeatureNotEntitled, GrantExpired, NoRoleGrants, ResourceNotCovered};

fn key(path: Option<&str>) -> BindingKey {
    (user("ana"), managed("reader"), path.map(Into::into))
}

#[track_caller]
fn at(oracle: &Oracle, now: u64, question: &Question, expected: Reason) {
    assert_eq!(oracle.check("acme", question, now), Ok(expected), "{question:?} at {now}");
}

#[test]
fn a_binding_counts_until_the_instant_of_its_expiry() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    at(&oracle, 0, &may("account.read"), Allowed);
    at(&oracle, 9, &may("account.read"), Allowed);
    at(&oracle, 10, &may("account.read"), GrantExpired);
    at(&oracle, 11, &may("account.read"), GrantExpired);
    at(&oracle, 9, &Question::api_scope("ana", "base"), Allowed);
    at(&oracle, 10, &Question::api_scope("ana", "base"), GrantExpired);
}

#[test]
fn the_reason_is_expiry_while_the_record_is_there() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    at(&oracle, 10, &may("account.read"), GrantExpired);
    oracle.unbind("acme", &key(None));
    at(&oracle, 10, &may("account.read"), NoRoleGrants);
}

#[test]
fn another_failure_of_another_grant_is_further_than_expiry() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    at(&oracle, 10, &may("workspace.read").on("workspaces/w1"), ResourceNotCovered);
    at(&oracle, 10, &may("workspace.read").on("workspaces/w2"), Allowed);
    oracle.update_account("acme", None, Some(set(&[])));
    at(&oracle, 10, &may("channel.post"), FeatureNotEntitled);
    at(&oracle, 9, &may("channel.post"), FeatureNotEntitled);
}

#[test]
fn expiry_is_missed_before_the_feature_in_one_grant() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    oracle.update_account("acme", None, Some(set(&[])));
    at(&oracle, 10, &may("channel.post"), GrantExpired);
}

#[test]
fn a_team_loses_a_role_at_its_expiry_too() {
    let mut oracle = platform();
    oracle.add_member("acme", "t", "ana");
    oracle.bind("acme", (team("t"), managed("reader"), None), Some(10), 0);
    at(&oracle, 9, &may("account.read"), Allowed);
    at(&oracle, 10, &may("account.read"), GrantExpired);
}

#[test]
fn a_new_binding_takes_the_place_of_an_expired_one_and_of_no_other() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    oracle.next_write();
    oracle.bind("acme", key(None), None, 9);
    assert_eq!(oracle.accounts["acme"].bindings[&key(None)], Binding { made: 0, expires: Some(10) });
    oracle.bind("acme", key(None), Some(30), 10);
    assert_eq!(oracle.accounts["acme"].bindings[&key(None)], Binding { made: 1, expires: Some(30) });
    at(&oracle, 29, &may("account.read"), Allowed);
}

#[test]
fn a_role_is_bound_once_to_each_resource_and_once_to_the_account() {
    let mut oracle = platform();
    oracle.bind("acme", key(None), Some(10), 0);
    oracle.bind("acme", key(Some("workspaces/w1")), Some(20), 0);
    oracle.bind("acme", key(Some("workspaces/w1")), Some(90), 0);
    oracle.bind("acme", key(Some("workspaces/w2")), None, 0);
    assert_eq!(oracle.accounts["acme"].bindings.len(), 3);
    at(&oracle, 9, &may("account.read"), Allowed);
    at(&oracle, 15, &may("workspace.read").on("workspaces/w1"), Allowed);
    at(&oracle, 20, &may("workspace.read").on("workspaces/w1"), ResourceNotCovered);
    at(&oracle, 20, &may("workspace.read").on("workspaces/w2"), Allowed);
}

#[test]
fn what_has_expired_is_shown_and_counted_until_it_is_removed() {
    let mut oracle = platform();
    oracle.bind("acme", key(Some("workspaces/w1")), Some(10), 0);
    assert_eq!(oracle.counts("acme", &managed("reader")).direct_users, 1);
    assert!(oracle.user_roles("acme", "ana", false).contains_key(&managed("reader")));
    assert!(oracle.list("acme", "ana", 10).is_empty());
}
