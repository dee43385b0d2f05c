//! The account that a write is about, and the names of what is in it.

use rolecall::service::ErrorReason;

use super::{
    super::oracle::{Account, Catalog, Holder, Oracle, PolicyName, RoleName, Subject},
    Set, Worker,
    expected::Wrong,
};

/// The account that a write is about.
pub(super) struct Place {
    pub id: String,
    pub name: String,
    pub found: Option<Account>,
    pub catalog: Catalog,
}

impl Worker {
    /// One of the accounts, or one that is not there.
    pub(super) fn place(&mut self) -> Place {
        let id = format!("{}-a{}", self.name, self.random.below(3));
        self.place_of(id)
    }

    pub(super) fn place_of(&self, id: String) -> Place {
        let found = self.oracle.accounts.get(&id).cloned();
        let catalog = found.as_ref().and_then(|found| self.oracle.catalogs.get(&found.catalog)).cloned();
        Place { name: format!("accounts/{id}"), id, found, catalog: catalog.unwrap_or_default() }
    }

    /// A role of an account by its whole name.
    pub(super) fn role_text(&self, account: &str, role: &RoleName) -> String {
        role_text(&self.oracle, account, role)
    }

    pub(super) fn role_texts(&self, account: &str, roles: impl IntoIterator<Item = RoleName>) -> Vec<String> {
        roles.into_iter().map(|role| self.role_text(account, &role)).collect()
    }

    pub(super) fn policy_text(&self, account: &str, policy: &PolicyName) -> String {
        match policy {
            PolicyName::Managed(id) => format!("catalogs/{}/accessPolicies/{id}", catalog_of(&self.oracle, account)),
            PolicyName::Custom(id) => format!("accounts/{account}/accessPolicies/{id}"),
        }
    }
}

fn catalog_of<'a>(oracle: &'a Oracle, account: &str) -> &'a str {
    oracle.accounts.get(account).map_or("none", |account| account.catalog.as_str())
}

fn role_text(oracle: &Oracle, account: &str, role: &RoleName) -> String {
    match role {
        RoleName::Managed(id) => format!("catalogs/{}/roles/{id}", catalog_of(oracle, account)),
        RoleName::Custom(id) => format!("accounts/{account}/roles/{id}"),
    }
}

impl Place {
    /// What is wrong if the account is not there.
    pub(super) fn missing(&self) -> Wrong {
        if self.found.is_none() { ErrorReason::AccountNotFound.into() } else { Wrong::new() }
    }

    /// What is wrong if one of the ids of something is not there.
    pub(super) fn without(&self, is_there: bool, missing: ErrorReason) -> Wrong {
        if self.found.is_some() && is_there { Wrong::new() } else { self.missing_or(missing) }
    }

    fn missing_or(&self, missing: ErrorReason) -> Wrong {
        if self.found.is_none() { self.missing() } else { missing.into() }
    }

    pub(super) fn user_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.users.keys().cloned()).collect()
    }

    pub(super) fn service_account_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.service_accounts.keys().cloned()).collect()
    }

    pub(super) fn team_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.teams.keys().cloned()).collect()
    }

    pub(super) fn role_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.roles.keys().cloned()).collect()
    }

    pub(super) fn policy_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.policies.keys().cloned()).collect()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.resources.keys().cloned()).collect()
    }

    pub(super) fn has_path(&self, path: &str) -> bool {
        self.found.as_ref().is_some_and(|found| found.resources.contains_key(path))
    }

    pub(super) fn has_holder(&self, holder: &Holder) -> bool {
        self.found.as_ref().is_some_and(|found| found.has_holder(holder))
    }

    /// Whether there is a role, and not an internal one.
    pub(super) fn shows_role(&self, role: &RoleName) -> bool {
        self.has_role(role) && !self.is_internal(role)
    }

    pub(super) fn has_role(&self, role: &RoleName) -> bool {
        let Some(found) = &self.found else { return false };
        match role {
            RoleName::Managed(id) => self.catalog.roles.contains_key(id),
            RoleName::Custom(id) => found.roles.contains_key(id),
        }
    }

    pub(super) fn is_internal(&self, role: &RoleName) -> bool {
        let RoleName::Managed(id) = role else { return false };
        self.catalog.roles.get(id).is_some_and(|role| role.internal)
    }

    pub(super) fn has_policy(&self, policy: &PolicyName) -> bool {
        let Some(found) = &self.found else { return false };
        match policy {
            PolicyName::Managed(id) => self.catalog.policies.contains_key(id),
            PolicyName::Custom(id) => found.policies.contains_key(id),
        }
    }

    /// The policies that are there.
    pub(super) fn policies(&self) -> Vec<PolicyName> {
        let managed = self.catalog.policies.keys().cloned().map(PolicyName::Managed);
        managed.chain(self.policy_ids().into_iter().map(PolicyName::Custom)).collect()
    }

    /// The permissions that a customer can name.
    pub(super) fn open_permissions(&self) -> Set {
        let open = self.catalog.permissions.iter().filter(|(_, definition)| !definition.internal);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// The types of resources.
    pub(super) fn types(&self) -> Vec<String> {
        self.catalog.resource_types.keys().cloned().collect()
    }

    /// What can be an access list, and be covered.
    pub(super) fn facets(&self) -> Vec<String> {
        self.types().into_iter().chain(["feature".to_owned()]).collect()
    }

    /// Whether custom roles are offered at all.
    pub(super) fn offers_roles(&self) -> bool {
        let parts = self.catalog.custom_roles;
        parts.permissions || parts.parents || parts.managed_policies || parts.custom_policies
    }
}

pub(super) fn holder_text(holder: &Holder) -> String {
    match holder {
        Holder::User(id) => format!("users/{id}"),
        Holder::Team(id) => format!("teams/{id}"),
        Holder::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}

pub(super) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::User(id) => format!("users/{id}"),
        Subject::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}
