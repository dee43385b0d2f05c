//! The writes of custom roles, custom policies, role bindings and exceptions.

use std::collections::BTreeSet;

use super::{
    Binding, BindingKey, CustomRole, Exception, Holder, Oracle, PolicyName, RoleName, Set, Statement,
    questions::is_expired,
};

impl Oracle {
    pub fn create_role(&mut self, account: &str, id: &str, permissions: Set) {
        self.write(account, |account| {
            account.roles.insert(id.into(), CustomRole { permissions, ..CustomRole::default() });
        });
    }

    /// Its bindings stay: it is the same role.
    pub fn update_role(&mut self, account: &str, id: &str, permissions: Set) {
        self.write(account, |account| _ = account.roles.get_mut(id).map(|role| role.permissions = permissions));
    }

    /// What a role leaves out from now on. What the catalog has no more is not spoken of, and stays left out.
    pub fn leave_out(&mut self, account: &str, id: &str, api_scopes: Set) {
        let Some(found) = self.accounts.get(account) else { return };
        let before = found.roles.get(id).map(|role| role.left_out.clone()).unwrap_or_default();
        let void = self.void(&found.catalog, before);
        let left_out = &api_scopes | &void;
        self.write(account, |account| _ = account.roles.get_mut(id).map(|role| role.left_out = left_out));
    }

    pub(super) fn void(&self, catalog: &str, mut api_scopes: Set) -> Set {
        api_scopes.retain(|id| !self.catalogs.get(catalog).is_some_and(|catalog| catalog.api_scopes.contains_key(id)));
        api_scopes
    }

    pub fn set_role_policies(&mut self, account: &str, id: &str, policies: BTreeSet<PolicyName>) {
        self.write(account, |account| _ = account.roles.get_mut(id).map(|role| role.policies = policies));
    }

    pub fn set_role_parents(&mut self, account: &str, id: &str, parents: BTreeSet<RoleName>) {
        self.write(account, |account| _ = account.roles.get_mut(id).map(|role| role.parents = parents));
    }

    /// The facets that a role covers whole.
    pub fn set_role_covers(&mut self, account: &str, id: &str, facets: Set) {
        self.write(account, |account| _ = account.roles.get_mut(id).map(|role| role.covers = facets));
    }

    /// With its bindings; it is no role's parent any more.
    pub fn delete_role(&mut self, account: &str, id: &str) {
        let name = RoleName::Custom(id.into());
        self.write(account, |account| {
            account.roles.remove(id);
            account.bindings.retain(|(_, role, _), _| *role != name);
            account.roles.values_mut().for_each(|role| _ = role.parents.remove(&name));
        });
    }

    pub fn create_policy(&mut self, account: &str, id: &str, statements: Vec<Statement>) {
        self.write(account, |account| _ = account.policies.insert(id.into(), statements));
    }

    /// The roles that contain it follow: it is the same policy.
    pub fn update_policy(&mut self, account: &str, id: &str, statements: Vec<Statement>) {
        self.write(account, |account| _ = account.policies.get_mut(id).map(|policy| *policy = statements));
    }

    /// No role contains it any more.
    pub fn delete_policy(&mut self, account: &str, id: &str) {
        let name = PolicyName::Custom(id.into());
        self.write(account, |account| {
            account.policies.remove(id);
            account.roles.values_mut().for_each(|role| _ = role.policies.remove(&name));
        });
    }

    /// A binding on the whole account, without expiry. One that is there stays as it is, even if it has expired.
    pub fn create_binding(&mut self, account: &str, holder: Holder, role: RoleName) {
        let made = self.write;
        self.write(account, |account| {
            account.bindings.entry((holder, role, None)).or_insert(Binding { made, expires: None });
        });
    }

    /// A binding on anything. It takes the place of an expired one; one that has not expired stays as it is.
    pub fn bind(&mut self, account: &str, key: BindingKey, expires: Option<u64>, now: u64) {
        let made = self.write;
        self.write(account, |account| {
            account.bindings.retain(|other, binding| *other != key || !is_expired(binding.expires, now));
            account.bindings.entry(key).or_insert(Binding { made, expires });
        });
    }

    /// Deletes a binding on the whole account.
    pub fn delete_binding(&mut self, account: &str, holder: Holder, role: RoleName) {
        self.unbind(account, &(holder, role, None));
    }

    pub fn unbind(&mut self, account: &str, key: &BindingKey) {
        self.write(account, |account| _ = account.bindings.remove(key));
    }

    /// It takes the place of an expired one; one that has not expired stays as it is.
    pub fn create_exception(&mut self, account: &str, user: &str, permission: &str, exception: Exception, now: u64) {
        let key = (user.to_owned(), permission.to_owned());
        self.write(account, |account| {
            account.exceptions.retain(|other, old| *other != key || !is_expired(old.expires, now));
            account.exceptions.entry(key).or_insert(exception);
        });
    }

    pub fn delete_exception(&mut self, account: &str, user: &str, permission: &str) {
        self.write(account, |account| _ = account.exceptions.remove(&(user.to_owned(), permission.to_owned())));
    }
}
