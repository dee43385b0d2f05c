//! A naive evaluator, written from the rules of what a decision means, and sharing nothing with the engine: no type, no
//! cache, no order of evaluation. It keeps every fact in plain maps, reads the rules one by one for each question, and is
//! meant to be obviously right, never fast. Writes are assumed to be valid; one on something that is not there does
//! nothing. Read [`Oracle::check`] first. What a deletion takes away for good is in [`Oracle::replace_catalog`] and the
//! `delete_` functions: they remove every mention, so that nothing is left for a later thing of the same id to find.

use std::collections::{BTreeMap, BTreeSet};

type Set = BTreeSet<String>;

/// What a platform offers, as one version of a catalog file says it.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub features: Set,
    pub permissions: BTreeMap<String, Permission>,
    /// Each API scope with those that it includes directly.
    pub api_scopes: BTreeMap<String, Set>,
    /// Managed roles, internal ones too.
    pub roles: BTreeMap<String, Role>,
}

/// A permission definition.
#[derive(Clone, Debug, Default)]
pub struct Permission {
    pub feature: Option<String>,
    pub internal: bool,
    pub section: String,
    pub api_scopes: Set,
}

/// A managed role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    pub internal: bool,
    pub permissions: Set,
}

/// The state of a user: only an active one is ever allowed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Invited,
    Active,
    Suspended,
}

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    User(String),
    Team(String),
}

/// Which role is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleName {
    Managed(String),
    Custom(String),
}

/// Why a question was answered as it was. Everything but `Allowed` is a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Allowed,
    AccountSuspended,
    SubjectUnknown,
    SubjectNotActive,
    NoRoleGrants,
    FeatureNotEntitled,
}

/// Why a question was not answered at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Account,
    Permission,
}

/// One allowed permission in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub section: String,
    /// Those that the permission provides, and all that they include.
    pub api_scopes: Set,
    /// Each role that gives the permission, with the team that it came through (none: held directly).
    pub grants: BTreeSet<(RoleName, Option<String>)>,
}

/// A tenant and everything in it.
#[derive(Clone, Debug)]
pub struct Account {
    pub catalog: String,
    pub active: bool,
    pub features: Set,
    pub users: BTreeMap<String, State>,
    /// Each team with its members.
    pub teams: BTreeMap<String, Set>,
    /// Each custom role with the permissions that it lists.
    pub roles: BTreeMap<String, Set>,
    pub bindings: BTreeSet<(Holder, RoleName)>,
}

/// All facts.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub catalogs: BTreeMap<String, Catalog>,
    pub accounts: BTreeMap<String, Account>,
}

/// The writes, one for each call of the API.
impl Oracle {
    /// Loads a catalog whole. Every account under it loses for good what the new version no longer has: a later version
    /// with the same id again has a new thing. What stays under its id keeps its references, however else it changes.
    pub fn replace_catalog(&mut self, id: &str, catalog: Catalog) {
        for account in self.accounts.values_mut().filter(|account| account.catalog == id) {
            account.features.retain(|feature| catalog.features.contains(feature));
            for listed in account.roles.values_mut() {
                listed.retain(|permission| catalog.permissions.contains_key(permission));
            }
            account.bindings.retain(|(_, role)| match role {
                RoleName::Managed(role) => catalog.roles.contains_key(role),
                RoleName::Custom(_) => true,
            });
        }
        self.catalogs.insert(id.into(), catalog);
    }

    pub fn create_account(&mut self, id: &str, catalog: &str, features: Set) {
        let (users, teams, roles, bindings) = Default::default();
        let account = Account { catalog: catalog.into(), active: true, features, users, teams, roles, bindings };
        self.accounts.insert(id.into(), account);
    }

    pub fn update_account(&mut self, id: &str, active: Option<bool>, features: Option<Set>) {
        if let Some(account) = self.accounts.get_mut(id) {
            account.active = active.unwrap_or(account.active);
            account.features = features.unwrap_or_else(|| account.features.clone());
        }
    }

    pub fn delete_account(&mut self, id: &str) {
        self.accounts.remove(id);
    }

    pub fn create_user(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| _ = account.users.insert(id.into(), state));
    }

    pub fn update_user(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| _ = account.users.get_mut(id).map(|old| *old = state));
    }

    pub fn delete_user(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.users.remove(id);
            account.teams.values_mut().for_each(|members| _ = members.remove(id));
            account.bindings.retain(|(holder, _)| *holder != Holder::User(id.into()));
        });
    }

    pub fn create_team(&mut self, account: &str, id: &str) {
        self.write(account, |account| _ = account.teams.insert(id.into(), Set::new()));
    }

    pub fn delete_team(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.teams.remove(id);
            account.bindings.retain(|(holder, _)| *holder != Holder::Team(id.into()));
        });
    }

    pub fn add_member(&mut self, account: &str, team: &str, user: &str) {
        self.write(account, |account| _ = account.teams.get_mut(team).map(|members| members.insert(user.into())));
    }

    pub fn remove_member(&mut self, account: &str, team: &str, user: &str) {
        self.write(account, |account| _ = account.teams.get_mut(team).map(|members| members.remove(user)));
    }

    pub fn create_role(&mut self, account: &str, id: &str, permissions: Set) {
        self.write(account, |account| _ = account.roles.insert(id.into(), permissions));
    }

    pub fn update_role(&mut self, account: &str, id: &str, permissions: Set) {
        self.create_role(account, id, permissions); // its bindings stay: it is the same role
    }

    pub fn delete_role(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.roles.remove(id);
            account.bindings.retain(|(_, role)| *role != RoleName::Custom(id.into()));
        });
    }

    pub fn create_binding(&mut self, account: &str, holder: Holder, role: RoleName) {
        self.write(account, |account| _ = account.bindings.insert((holder, role)));
    }

    pub fn delete_binding(&mut self, account: &str, holder: Holder, role: RoleName) {
        self.write(account, |account| _ = account.bindings.remove(&(holder, role)));
    }

    fn write(&mut self, account: &str, write: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(account) {
            write(account);
        }
    }
}

/// The questions.
impl Oracle {
    /// May this user do this? An unknown account or permission is an error: a typo must not look like a denial.
    pub fn check(&self, account: &str, user: &str, permission: &str) -> Result<Reason, Unknown> {
        let account = self.accounts.get(account).ok_or(Unknown::Account)?;
        let catalog = self.catalogs.get(&account.catalog).ok_or(Unknown::Account)?;
        let definition = catalog.permissions.get(permission).ok_or(Unknown::Permission)?;
        if !account.active {
            return Ok(Reason::AccountSuspended);
        }
        match account.users.get(user) {
            None => return Ok(Reason::SubjectUnknown),
            Some(State::Invited | State::Suspended) => return Ok(Reason::SubjectNotActive),
            Some(State::Active) => {}
        }
        if account.grants(catalog, user, permission).is_empty() {
            return Ok(Reason::NoRoleGrants);
        }
        match &definition.feature {
            Some(feature) if !account.features.contains(feature) => Ok(Reason::FeatureNotEntitled),
            _ => Ok(Reason::Allowed),
        }
    }

    /// Every permission for which [`Self::check`] says allowed, with what gives it. Of an unknown account: nothing.
    pub fn list(&self, account: &str, user: &str) -> BTreeMap<String, Listed> {
        let mut list = BTreeMap::new();
        let Some((stored, catalog)) =
            self.accounts.get(account).and_then(|found| Some((found, self.catalogs.get(&found.catalog)?)))
        else {
            return list;
        };
        for (permission, definition) in &catalog.permissions {
            if self.check(account, user, permission) == Ok(Reason::Allowed) {
                let grants = stored.grants(catalog, user, permission);
                let api_scopes = catalog.with_included(&definition.api_scopes);
                list.insert(permission.clone(), Listed { section: definition.section.clone(), api_scopes, grants });
            }
        }
        list
    }
}

impl Account {
    /// Every way in which a user has a permission by its roles, features left aside.
    fn grants(&self, catalog: &Catalog, user: &str, permission: &str) -> BTreeSet<(RoleName, Option<String>)> {
        let mut grants = BTreeSet::new();
        for (holder, role) in &self.bindings {
            if !self.contains(catalog, role, permission) {
                continue;
            }
            match holder {
                Holder::User(id) if id == user => _ = grants.insert((role.clone(), None)),
                Holder::Team(id) if self.teams.get(id).is_some_and(|members| members.contains(user)) => {
                    grants.insert((role.clone(), Some(id.clone())));
                }
                Holder::User(_) | Holder::Team(_) => {}
            }
        }
        grants
    }

    /// Whether a role gives a permission. One that is internal now is given by internal roles alone, whatever lists it.
    fn contains(&self, catalog: &Catalog, role: &RoleName, permission: &str) -> bool {
        let (lists, role_is_internal) = match role {
            RoleName::Managed(id) => match catalog.roles.get(id) {
                Some(role) => (role.permissions.contains(permission), role.internal),
                None => (false, false),
            },
            RoleName::Custom(id) => (self.roles.get(id).is_some_and(|listed| listed.contains(permission)), false),
        };
        let is_internal = catalog.permissions.get(permission).is_some_and(|definition| definition.internal);
        lists && (role_is_internal || !is_internal)
    }
}

impl Catalog {
    /// The API scopes given, and all that they include, at any depth.
    fn with_included(&self, api_scopes: &Set) -> Set {
        let mut all = api_scopes.clone();
        loop {
            let more: Set = all.iter().filter_map(|scope| self.api_scopes.get(scope)).flatten().cloned().collect();
            if more.is_subset(&all) {
                return all;
            }
            all.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::{AccountSuspended, Allowed, FeatureNotEntitled, NoRoleGrants, SubjectNotActive, SubjectUnknown};

    fn set(ids: &[&str]) -> Set {
        ids.iter().map(|id| (*id).into()).collect()
    }

    fn user(id: &str) -> Holder {
        Holder::User(id.into())
    }

    fn team(id: &str) -> Holder {
        Holder::Team(id.into())
    }

    fn managed(id: &str) -> RoleName {
        RoleName::Managed(id.into())
    }

    fn custom(id: &str) -> RoleName {
        RoleName::Custom(id.into())
    }

    /// Permissions `x.see` (of the feature `f`), `x.free` (of none) and `x.secret` (internal); the role `staff` lists the
    /// first two, the internal role `ghost` the last, the custom role `mine` the first two and (wrongly) the last.
    fn catalog() -> Catalog {
        let permission = |feature: Option<&str>, internal, api_scopes: &[&str]| Permission {
            feature: feature.map(Into::into),
            internal,
            section: "things".into(),
            api_scopes: set(api_scopes),
        };
        let role = |internal, permissions: &[&str]| Role { internal, permissions: set(permissions) };
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
        }
    }

    /// The account `acme` has the feature; `ana` is active, `ben` invited; the team `t` is empty; nobody holds a role.
    fn oracle() -> Oracle {
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
        assert_eq!(oracle.check("acme", who, permission), Ok(expected), "{who} {permission}");
        assert_eq!(
            oracle.list("acme", who).contains_key(permission),
            expected == Allowed,
            "{who} {permission}, listed"
        );
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
        assert_eq!(oracle.check("nowhere", "ana", "x.typo"), Err(Unknown::Account));
        assert_eq!(oracle.check("acme", "nobody", "x.typo"), Err(Unknown::Permission));
        assert!(oracle.list("nowhere", "ana").is_empty());
    }

    #[test]
    fn a_list_names_every_role_and_team_and_the_included_api_scopes() {
        let mut oracle = oracle();
        oracle.add_member("acme", "t", "ana");
        oracle.create_binding("acme", user("ana"), managed("staff"));
        oracle.create_binding("acme", team("t"), managed("staff"));
        oracle.create_binding("acme", team("t"), custom("mine"));
        let grants = BTreeSet::from([
            (managed("staff"), None),
            (managed("staff"), Some("t".into())),
            (custom("mine"), Some("t".into())),
        ]);
        let list = oracle.list("acme", "ana");
        let see = Listed { section: "things".into(), api_scopes: set(&["a", "b", "c"]), grants: grants.clone() };
        let free = Listed { section: "things".into(), api_scopes: set(&[]), grants };
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
        assert_eq!(oracle.check("acme", "ana", "x.see"), Err(Unknown::Permission));
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
        assert_eq!(oracle.check("acme", "ana", "x.free"), Err(Unknown::Account));
        oracle.create_account("acme", "c", set(&["f"]));
        check(&oracle, "ana", "x.free", SubjectUnknown);
        oracle.create_user("acme", "ana", State::Active);
        check(&oracle, "ana", "x.free", NoRoleGrants);
    }
}
