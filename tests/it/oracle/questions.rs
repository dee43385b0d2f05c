//! The questions: may this subject do this, and what may it do at all?

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, Catalog, Holder, Listed, Oracle, Reason, RoleName, Set, State, Subject, Unknown};

impl Oracle {
    /// May this subject do this? An unknown account or permission is an error: a typo must not look like a denial.
    pub fn check(&self, account: &str, subject: impl Into<Subject>, permission: &str) -> Result<Reason, Unknown> {
        let (account, catalog) = self.find(account)?;
        let definition = catalog.permissions.get(permission).ok_or(Unknown::Permission)?;
        let subject = subject.into();
        if let Some(reason) = account.refuses_whole(&subject) {
            return Ok(reason);
        }
        if account.grants(catalog, &subject, permission).is_empty() {
            return Ok(Reason::NoRoleGrants);
        }
        Ok(if account.is_entitled(definition.feature.as_ref()) { Reason::Allowed } else { Reason::FeatureNotEntitled })
    }

    /// The same of an API scope: allowed if a permission that is allowed provides it, or one that includes it. Each way
    /// to have such a permission gets as far as it gets, and the one that gets furthest is the answer.
    pub fn check_api_scope(
        &self,
        account: &str,
        subject: impl Into<Subject>,
        api_scope: &str,
    ) -> Result<Reason, Unknown> {
        let (account, catalog) = self.find(account)?;
        if !catalog.api_scopes.contains_key(api_scope) {
            return Err(Unknown::ApiScope);
        }
        let subject = subject.into();
        if let Some(reason) = account.refuses_whole(&subject) {
            return Ok(reason);
        }
        let mut furthest = Reason::NoRoleGrants;
        for (permission, definition) in &catalog.permissions {
            if !catalog.with_included(&definition.api_scopes).contains(api_scope) {
                continue;
            }
            for (role, _) in account.grants(catalog, &subject, permission) {
                let reason = if !account.is_entitled(definition.feature.as_ref()) {
                    Reason::FeatureNotEntitled
                } else if !account.provides(catalog, &role, permission).contains(api_scope) {
                    Reason::ApiScopeLeftOut
                } else {
                    Reason::Allowed
                };
                furthest = furthest.max(reason);
            }
        }
        Ok(furthest)
    }

    /// Every permission for which [`Self::check`] says allowed, with what gives it. Of an unknown account: nothing.
    pub fn list(&self, account: &str, subject: impl Into<Subject>) -> BTreeMap<String, Listed> {
        let mut list = BTreeMap::new();
        let Ok((stored, catalog)) = self.find(account) else { return list };
        let subject = subject.into();
        for (permission, definition) in &catalog.permissions {
            if self.check(account, &subject, permission) == Ok(Reason::Allowed) {
                let grants = stored.grants(catalog, &subject, permission);
                let api_scopes =
                    grants.iter().flat_map(|(role, _)| stored.provides(catalog, role, permission)).collect();
                list.insert(permission.clone(), Listed { section: definition.section.clone(), api_scopes, grants });
            }
        }
        list
    }

    /// Every API scope for which [`Self::check_api_scope`] says allowed, with the permissions of the subject that
    /// provide it. Of an unknown account: nothing.
    pub fn list_api_scopes(&self, account: &str, subject: impl Into<Subject>) -> BTreeMap<String, Set> {
        let mut list: BTreeMap<String, Set> = BTreeMap::new();
        for (permission, listed) in self.list(account, subject) {
            for api_scope in listed.api_scopes {
                list.entry(api_scope).or_default().insert(permission.clone());
            }
        }
        list
    }

    pub(super) fn find(&self, account: &str) -> Result<(&Account, &Catalog), Unknown> {
        let account = self.accounts.get(account).ok_or(Unknown::Account)?;
        Ok((account, self.catalogs.get(&account.catalog).ok_or(Unknown::Account)?))
    }
}

impl Account {
    /// Why nothing at all is allowed.
    fn refuses_whole(&self, subject: &Subject) -> Option<Reason> {
        if !self.active {
            return Some(Reason::AccountSuspended);
        }
        match self.state_of(subject) {
            None => Some(Reason::SubjectUnknown),
            Some(State::Invited | State::Suspended) => Some(Reason::SubjectNotActive),
            Some(State::Active) => None,
        }
    }

    /// A permission that belongs to no feature needs none.
    fn is_entitled(&self, feature: Option<&String>) -> bool {
        feature.is_none_or(|feature| self.features.contains(feature))
    }

    /// Every way in which a subject has a permission by its roles, features left aside. Only users are in teams.
    fn grants(&self, catalog: &Catalog, subject: &Subject, permission: &str) -> BTreeSet<(RoleName, Option<String>)> {
        let mut grants = BTreeSet::new();
        for (holder, role) in self.bindings.keys() {
            if !self.contains(catalog, role, permission) {
                continue;
            }
            let through = match (holder, subject) {
                (Holder::User(id), Subject::User(user)) if id == user => None,
                (Holder::ServiceAccount(id), Subject::ServiceAccount(account)) if id == account => None,
                (Holder::Team(id), Subject::User(user)) if self.is_member(id, user) => Some(id.clone()),
                _ => continue,
            };
            grants.insert((role.clone(), through));
        }
        grants
    }

    pub(super) fn is_member(&self, team: &str, user: &str) -> bool {
        self.teams.get(team).is_some_and(|members| members.contains(user))
    }

    /// Whether a role gives a permission. One that is internal now is given by internal roles alone, whatever lists it.
    pub(super) fn contains(&self, catalog: &Catalog, role: &RoleName, permission: &str) -> bool {
        let (lists, role_is_internal) = match role {
            RoleName::Managed(id) => match catalog.roles.get(id) {
                Some(role) => (role.permissions.contains(permission), role.internal),
                None => (false, false),
            },
            RoleName::Custom(id) => {
                (self.roles.get(id).is_some_and(|role| role.permissions.contains(permission)), false)
            }
        };
        let is_internal = catalog.permissions.get(permission).is_some_and(|definition| definition.internal);
        lists && (role_is_internal || !is_internal)
    }

    /// The API scopes that a permission provides in a role: what the role leaves out goes first, with all that includes
    /// it; only then come those that are included in what is left.
    pub(super) fn provides(&self, catalog: &Catalog, role: &RoleName, permission: &str) -> Set {
        let none = Set::new();
        let left_out = match role {
            RoleName::Managed(_) => &none,
            RoleName::Custom(id) => self.roles.get(id).map_or(&none, |role| &role.left_out),
        };
        let Some(definition) = catalog.permissions.get(permission) else { return none };
        let mut own = definition.api_scopes.clone();
        own.retain(|api_scope| catalog.with_included(&Set::from([api_scope.clone()])).is_disjoint(left_out));
        catalog.with_included(&own)
    }
}

impl Catalog {
    /// The API scopes given, and all that they include, at any depth.
    pub fn with_included(&self, api_scopes: &Set) -> Set {
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
