//! What the oracle says about API scopes and service accounts. Of the API scopes `d` includes `a`, `a` includes `b`, and
//! `b` includes `c`; `x.see` provides `a`.

use super::{
    tests::{catalog, custom, managed, oracle, set, team, user},
    *,
};
use Reason::{Allowed, ApiScopeLeftOut, FeatureNotEntitled, NoRoleGrants, SubjectNotActive, SubjectUnknown};

#[track_caller]
fn check(oracle: &Oracle, who: impl Into<Subject>, api_scope: &str, expected: Reason) {
    let who = who.into();
    assert_eq!(oracle.check_api_scope("acme", &who, api_scope, 0), Ok(expected), "{who:?} {api_scope}");
    let listed = oracle.list_api_scopes("acme", &who, 0).contains_key(api_scope);
    assert_eq!(listed, expected == Allowed, "{who:?} {api_scope}, listed");
}

fn bot() -> Subject {
    Subject::ServiceAccount("bot".into())
}

fn held_by_bot() -> Holder {
    Holder::ServiceAccount("bot".into())
}

/// `ana` holds the custom role `mine`.
fn with_mine() -> Oracle {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), custom("mine"));
    oracle
}

#[test]
fn an_api_scope_is_allowed_if_a_permission_provides_it_or_one_that_includes_it() {
    let oracle = with_mine();
    for api_scope in ["a", "b", "c"] {
        check(&oracle, "ana", api_scope, Allowed);
    }
    check(&oracle, "ana", "d", NoRoleGrants);
    check(&oracle, "ben", "a", SubjectNotActive);
    check(&oracle, "nobody", "a", SubjectUnknown);
    assert_eq!(oracle.check_api_scope("acme", "ana", "typo", 0), Err(Unknown::ApiScope));
    assert_eq!(oracle.check_api_scope("nowhere", "ana", "a", 0), Err(Unknown::Account));
}

#[test]
fn an_api_scope_needs_the_feature_of_the_permission() {
    let mut oracle = with_mine();
    oracle.update_account("acme", None, Some(set(&[])));
    check(&oracle, "ana", "a", FeatureNotEntitled);
    check(&oracle, "ana", "d", NoRoleGrants);
}

#[test]
fn what_is_left_out_goes_with_all_that_includes_it_and_with_what_only_those_include() {
    let mut oracle = with_mine();
    oracle.leave_out("acme", "mine", set(&["b"]));
    // `a` includes `b`, so it goes; and nothing else brings `b` and `c`.
    for api_scope in ["a", "b", "c"] {
        check(&oracle, "ana", api_scope, ApiScopeLeftOut);
    }
    oracle.leave_out("acme", "mine", set(&["d"]));
    check(&oracle, "ana", "a", Allowed);
}

#[test]
fn what_is_left_out_comes_back_with_another_permission_that_provides_it_apart() {
    let mut next = catalog();
    next.permissions.entry("x.free".into()).and_modify(|permission| permission.api_scopes = set(&["c"]));
    let mut oracle = with_mine();
    oracle.replace_catalog("c", next.clone());
    oracle.leave_out("acme", "mine", set(&["b"]));
    check(&oracle, "ana", "b", ApiScopeLeftOut);
    check(&oracle, "ana", "c", Allowed); // of x.free, where nothing includes b
    assert_eq!(oracle.list_api_scopes("acme", "ana", 0)["c"], set(&["x.free"]));
    next.permissions.entry("x.see".into()).and_modify(|permission| permission.api_scopes = set(&["a", "c"]));
    oracle.replace_catalog("c", next);
    assert_eq!(oracle.list_api_scopes("acme", "ana", 0)["c"], set(&["x.free", "x.see"]));
}

#[test]
fn another_role_with_the_same_permission_gives_what_one_role_leaves_out() {
    let mut oracle = with_mine();
    oracle.leave_out("acme", "mine", set(&["c"]));
    check(&oracle, "ana", "a", ApiScopeLeftOut);
    oracle.add_member("acme", "t", "ana");
    oracle.create_binding("acme", team("t"), managed("staff"));
    check(&oracle, "ana", "a", Allowed);
    assert_eq!(oracle.list("acme", "ana", 0)["x.see"].api_scopes, set(&["a", "b", "c"]));
    oracle.remove_member("acme", "t", "ana");
    assert_eq!(oracle.list("acme", "ana", 0)["x.see"].api_scopes, set(&[]));
    assert_eq!(oracle.check_permission("acme", "ana", "x.see", 0), Ok(Allowed));
}

#[test]
fn a_left_out_api_scope_is_a_further_failure_than_a_missing_feature() {
    let mut next = catalog();
    next.permissions.entry("x.free".into()).and_modify(|permission| permission.api_scopes = set(&["d"]));
    let mut oracle = with_mine();
    oracle.replace_catalog("c", next);
    oracle.leave_out("acme", "mine", set(&["a"]));
    oracle.update_account("acme", None, Some(set(&[])));
    // By x.see the feature is missing, by x.free the API scope is left out: d includes a.
    check(&oracle, "ana", "a", ApiScopeLeftOut);
    // If both fail in one grant, the first failure counts.
    oracle.update_role("acme", "mine", set(&["x.see"]));
    check(&oracle, "ana", "a", FeatureNotEntitled);
}

#[test]
fn an_api_scope_stays_left_out_when_a_catalog_drops_it_and_brings_it_back() {
    let mut oracle = with_mine();
    oracle.leave_out("acme", "mine", set(&["c"]));
    let mut next = catalog();
    next.api_scopes.remove("c");
    next.api_scopes.insert("b".into(), set(&[]));
    oracle.replace_catalog("c", next);
    check(&oracle, "ana", "a", Allowed);
    assert_eq!(oracle.check_api_scope("acme", "ana", "c", 0), Err(Unknown::ApiScope));
    oracle.leave_out("acme", "mine", set(&["d"])); // whoever writes this cannot see it
    oracle.replace_catalog("c", catalog());
    check(&oracle, "ana", "a", ApiScopeLeftOut);
}

#[test]
fn a_role_created_again_leaves_nothing_out() {
    let mut oracle = with_mine();
    oracle.leave_out("acme", "mine", set(&["c"]));
    oracle.delete_role("acme", "mine");
    oracle.create_role("acme", "mine", set(&["x.see"]));
    check(&oracle, "ana", "a", NoRoleGrants);
    oracle.create_binding("acme", user("ana"), custom("mine"));
    check(&oracle, "ana", "a", Allowed);
}

#[test]
fn an_internal_permission_provides_nothing_to_roles_that_are_not_internal() {
    let mut next = catalog();
    next.permissions.entry("x.secret".into()).and_modify(|permission| permission.api_scopes = set(&["d"]));
    let mut oracle = with_mine();
    oracle.replace_catalog("c", next);
    check(&oracle, "ana", "d", NoRoleGrants);
    oracle.create_binding("acme", user("ana"), managed("ghost"));
    check(&oracle, "ana", "d", Allowed);
}

#[test]
fn a_service_account_is_another_subject_than_the_user_of_the_same_id() {
    let mut oracle = oracle();
    oracle.create_user("acme", "bot", State::Active);
    assert_eq!(oracle.check_permission("acme", bot(), "x.see", 0), Ok(SubjectUnknown));
    oracle.create_service_account("acme", "bot", State::Active);
    oracle.create_binding("acme", user("bot"), managed("staff"));
    assert_eq!(oracle.check_permission("acme", bot(), "x.see", 0), Ok(NoRoleGrants));
    oracle.delete_binding("acme", user("bot"), managed("staff"));
    oracle.create_binding("acme", held_by_bot(), managed("staff"));
    assert_eq!(oracle.check_permission("acme", bot(), "x.see", 0), Ok(Allowed));
    assert_eq!(oracle.check_permission("acme", "bot", "x.see", 0), Ok(NoRoleGrants));
    check(&oracle, bot(), "a", Allowed);
    oracle.delete_user("acme", "bot");
    assert_eq!(oracle.check_permission("acme", bot(), "x.see", 0), Ok(Allowed));
}

#[test]
fn a_service_account_has_nothing_of_a_team_that_has_a_user_of_its_id() {
    let mut oracle = oracle();
    oracle.create_user("acme", "bot", State::Active);
    oracle.create_service_account("acme", "bot", State::Active);
    oracle.add_member("acme", "t", "bot");
    oracle.create_binding("acme", team("t"), managed("staff"));
    assert_eq!(oracle.check_permission("acme", "bot", "x.see", 0), Ok(Allowed));
    assert_eq!(oracle.check_permission("acme", bot(), "x.see", 0), Ok(NoRoleGrants));
}

#[test]
fn a_suspended_service_account_is_allowed_nothing_and_one_created_again_holds_nothing() {
    let mut oracle = oracle();
    oracle.create_service_account("acme", "bot", State::Active);
    oracle.create_binding("acme", held_by_bot(), managed("staff"));
    oracle.update_service_account("acme", "bot", State::Suspended);
    assert_eq!(oracle.check_permission("acme", bot(), "x.free", 0), Ok(SubjectNotActive));
    check(&oracle, bot(), "a", SubjectNotActive);
    oracle.update_service_account("acme", "bot", State::Active);
    assert_eq!(oracle.check_permission("acme", bot(), "x.free", 0), Ok(Allowed));
    oracle.delete_service_account("acme", "bot");
    oracle.create_service_account("acme", "bot", State::Active);
    assert_eq!(oracle.check_permission("acme", bot(), "x.free", 0), Ok(NoRoleGrants));
}
