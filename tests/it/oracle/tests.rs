//! What the oracle says about decisions.

use super::*;
use Reason::{AccountSuspended, Allowed, FeatureNotEntitled, NoRoleGrants, SubjectNotActive, SubjectUnknown};

pub(super) fn set(ids: &[&str]) -> Set {
    ids.iter().map(|id| (*id).into()).collect()
}

pub(super) fn user(id: &str) -> Holder {
    Holder::User(id.into())
}

pub(super) fn team(id: &str) -> Holder {
    Holder::Team(id.into())
}

pub(super) fn managed(id: &str) -> RoleName {
    RoleName::Managed(id.into())
}

pub(super) fn custom(id: &str) -> RoleName {
    RoleName::Custom(id.into())
}

/// Permissions `x.see` (of the feature `f`), `x.free` (of none) and `x.secret` (internal); the role `staff` lists the
/// first two, the internal role `ghost` the last, the custom role `mine` the first two and (wrongly) the last.
pub(super) fn catalog() -> Catalog {
    let permission = |feature: Option<&str>, internal, api_scopes: &[&str]| Permission {
        feature: feature.map(Into::into),
        internal,
        section: "things".into(),
        api_scopes: set(api_scopes),
        ..Permission::default()
    };
    let role = |internal, permissions: &[&str]| Role { internal, permissions: set(permissions), ..Role::default() };
    Catalog {
        features: set(&["f"]),
        permissions: BTreeMap::from([
            ("x.see".into(), permission(Some("f"), false, &["a"])),
            ("x.free".into(), permission(None, false, &[])),
            ("x.secret".into(), permission(None, true, &[])),
        ]),
        api_scopes: BTreeMap::from([
            ("a".into(), set(&["b"])),
            ("b".into(), set(&["c"])),
            ("c".into(), set(&[])),
            ("d".into(), set(&["a"])),
        ]),
        roles: BTreeMap::from([
            ("staff".into(), role(false, &["x.see", "x.free"])),
            ("ghost".into(), role(true, &["x.secret"])),
        ]),
        ..Catalog::default()
    }
}

/// The account `acme` has the feature; `ana` is active, `ben` invited; the team `t` is empty; nobody holds a role.
pub(super) fn oracle() -> Oracle {
    let mut oracle = Oracle::default();
    oracle.replace_catalog("c", catalog());
    oracle.create_account("acme", "c", set(&["f"]));
    oracle.create_user("acme", "ana", State::Active);
    oracle.create_user("acme", "ben", State::Invited);
    oracle.create_team("acme", "t");
    oracle.create_role("acme", "mine", set(&["x.see", "x.free", "x.secret"]));
    oracle
}

#[track_caller]
fn check(oracle: &Oracle, who: &str, permission: &str, expected: Reason) {
    assert_eq!(oracle.check_permission("acme", who, permission, 0), Ok(expected), "{who} {permission}");
    assert_eq!(oracle.list("acme", who, 0).contains_key(permission), expected == Allowed, "{who} {permission}, listed");
}

#[test]
fn a_role_and_the_feature_are_both_needed_and_a_missing_role_is_said_first() {
    let mut oracle = oracle();
    check(&oracle, "ana", "x.see", NoRoleGrants);
    oracle.create_binding("acme", user("ana"), managed("staff"));
    check(&oracle, "ana", "x.see", Allowed);
    oracle.update_account("acme", None, Some(set(&[])));
    check(&oracle, "ana", "x.see", FeatureNotEntitled);
    check(&oracle, "ana", "x.free", Allowed);
    oracle.delete_binding("acme", user("ana"), managed("staff"));
    check(&oracle, "ana", "x.see", NoRoleGrants);
}

#[test]
fn the_account_is_looked_at_before_the_subject_and_the_subject_before_its_roles() {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), managed("staff"));
    check(&oracle, "ben", "x.see", SubjectNotActive);
    check(&oracle, "Ana", "x.see", SubjectUnknown);
    oracle.update_user("acme", "ana", State::Suspended);
    check(&oracle, "ana", "x.see", SubjectNotActive);
    oracle.update_account("acme", Some(false), None);
    for who in ["ana", "ben", "Ana"] {
        check(&oracle, who, "x.see", AccountSuspended);
    }
    oracle.update_account("acme", Some(true), None);
    oracle.update_user("acme", "ana", State::Active);
    check(&oracle, "ana", "x.see", Allowed);
}

#[test]
fn an_unknown_account_or_permission_is_an_error_whatever_else_is_wrong() {
    let mut oracle = oracle();
    oracle.update_account("acme", Some(false), None);
    assert_eq!(oracle.check_permission("nowhere", "ana", "x.typo", 0), Err(Unknown::Account));
    assert_eq!(oracle.check_permission("acme", "nobody", "x.typo", 0), Err(Unknown::Permission));
    assert!(oracle.list("nowhere", "ana", 0).is_empty());
}

#[test]
fn a_list_names_every_role_and_team_and_the_included_api_scopes() {
    let mut oracle = oracle();
    oracle.add_member("acme", "t", "ana");
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.create_binding("acme", team("t"), managed("staff"));
    oracle.create_binding("acme", team("t"), custom("mine"));
    let chain = |bound: RoleName, team: Option<&str>| {
        let (listing, team) = (bound.clone(), team.map(Into::into));
        Grant::Role(Chain { bound, team, resource: None, expires: None, listing, by: By::Permission })
    };
    let grants = BTreeSet::from([
        chain(managed("staff"), None),
        chain(managed("staff"), Some("t")),
        chain(custom("mine"), Some("t")),
    ]);
    let list = oracle.list("acme", "ana", 0);
    let (section, denies) = ("things".to_owned(), BTreeSet::new());
    let see = Listed { section, api_scopes: set(&["a", "b", "c"]), grants, denies };
    let free = Listed { api_scopes: set(&[]), ..see.clone() };
    let roles = [(managed("staff"), None), (managed("staff"), Some("t".into())), (custom("mine"), Some("t".into()))];
    assert_eq!(see.roles(), BTreeSet::from(roles));
    assert_eq!(list, BTreeMap::from([("x.see".into(), see), ("x.free".into(), free)]));
}

#[test]
fn losing_one_of_two_paths_keeps_the_permission_and_losing_the_last_loses_it() {
    let mut oracle = oracle();
    oracle.add_member("acme", "t", "ana");
    oracle.create_binding("acme", team("t"), managed("staff"));
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.delete_binding("acme", user("ana"), managed("staff"));
    check(&oracle, "ana", "x.free", Allowed);
    oracle.remove_member("acme", "t", "ana");
    check(&oracle, "ana", "x.free", NoRoleGrants);
}

#[test]
fn an_internal_permission_is_given_by_internal_roles_alone() {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), custom("mine"));
    check(&oracle, "ana", "x.secret", NoRoleGrants);
    oracle.create_binding("acme", user("ana"), managed("ghost"));
    check(&oracle, "ana", "x.secret", Allowed);
    let mut next = catalog();
    next.roles.entry("ghost".into()).and_modify(|role| role.internal = false);
    oracle.replace_catalog("c", next);
    check(&oracle, "ana", "x.secret", NoRoleGrants);
}

#[test]
fn a_permission_that_becomes_internal_leaves_custom_roles_and_managed_ones() {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), custom("mine"));
    oracle.create_binding("acme", user("ana"), managed("staff"));
    let mut next = catalog();
    next.permissions.entry("x.free".into()).and_modify(|permission| permission.internal = true);
    oracle.replace_catalog("c", next);
    check(&oracle, "ana", "x.free", NoRoleGrants);
    check(&oracle, "ana", "x.see", Allowed);
}

#[test]
fn a_managed_role_follows_its_catalog_and_a_custom_role_does_not() {
    let mut oracle = oracle();
    oracle.create_user("acme", "cleo", State::Active);
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.create_binding("acme", user("cleo"), custom("mine"));
    let mut next = catalog();
    next.permissions.insert("x.new".into(), Permission::default());
    next.roles.entry("staff".into()).and_modify(|role| _ = role.permissions.insert("x.new".into()));
    oracle.replace_catalog("c", next);
    check(&oracle, "ana", "x.new", Allowed);
    check(&oracle, "cleo", "x.new", NoRoleGrants);
    oracle.update_role("acme", "mine", set(&["x.new"]));
    check(&oracle, "cleo", "x.new", Allowed);
    check(&oracle, "cleo", "x.see", NoRoleGrants);
}

#[test]
fn what_a_catalog_drops_and_brings_back_restores_nothing() {
    let mut oracle = oracle();
    oracle.create_user("acme", "cleo", State::Active);
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.create_binding("acme", user("cleo"), custom("mine"));
    oracle.replace_catalog("c", Catalog::default());
    assert_eq!(oracle.check_permission("acme", "ana", "x.see", 0), Err(Unknown::Permission));
    oracle.replace_catalog("c", catalog());
    check(&oracle, "ana", "x.free", NoRoleGrants);
    check(&oracle, "cleo", "x.free", NoRoleGrants);
    oracle.create_binding("acme", user("ana"), managed("staff"));
    check(&oracle, "ana", "x.free", Allowed);
    check(&oracle, "ana", "x.see", FeatureNotEntitled);
    oracle.update_account("acme", None, Some(set(&["f"])));
    check(&oracle, "ana", "x.see", Allowed);
}

#[test]
fn another_catalog_changes_nothing_here() {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.replace_catalog("d", Catalog::default());
    check(&oracle, "ana", "x.see", Allowed);
}

#[test]
fn a_user_a_team_or_a_custom_role_created_again_is_another_one() {
    let mut oracle = oracle();
    oracle.add_member("acme", "t", "ana");
    oracle.create_binding("acme", team("t"), managed("staff"));
    oracle.delete_user("acme", "ana");
    check(&oracle, "ana", "x.free", SubjectUnknown);
    oracle.create_user("acme", "ana", State::Active);
    check(&oracle, "ana", "x.free", NoRoleGrants);

    oracle.add_member("acme", "t", "ana");
    oracle.delete_team("acme", "t");
    oracle.create_team("acme", "t");
    oracle.create_binding("acme", team("t"), managed("staff"));
    check(&oracle, "ana", "x.free", NoRoleGrants);
    oracle.delete_binding("acme", team("t"), managed("staff"));

    oracle.add_member("acme", "t", "ana");
    oracle.create_binding("acme", team("t"), custom("mine"));
    check(&oracle, "ana", "x.free", Allowed);
    oracle.delete_role("acme", "mine");
    oracle.create_role("acme", "mine", set(&["x.free"]));
    check(&oracle, "ana", "x.free", NoRoleGrants);
}

#[test]
fn a_team_created_again_has_no_role() {
    let mut oracle = oracle();
    oracle.create_binding("acme", team("t"), managed("staff"));
    oracle.delete_team("acme", "t");
    oracle.create_team("acme", "t");
    oracle.add_member("acme", "t", "ana");
    check(&oracle, "ana", "x.free", NoRoleGrants);
}

#[test]
fn an_account_created_again_is_empty() {
    let mut oracle = oracle();
    oracle.create_binding("acme", user("ana"), managed("staff"));
    oracle.delete_account("acme");
    assert_eq!(oracle.check_permission("acme", "ana", "x.free", 0), Err(Unknown::Account));
    oracle.create_account("acme", "c", set(&["f"]));
    check(&oracle, "ana", "x.free", SubjectUnknown);
    oracle.create_user("acme", "ana", State::Active);
    check(&oracle, "ana", "x.free", NoRoleGrants);
}
