//! The writes of registered resources and access lists.

use super::{Access, Account, Holder, Oracle, paths::is_at_or_above};

impl Oracle {
    /// A resource that is there stays the same one.
    pub fn register_resource(&mut self, account: &str, path: &str) {
        self.write(account, |account| {
            if !account.resources.contains_key(path) {
                let made = account.next();
                account.resources.insert(path.into(), made);
            }
        });
    }

    /// With what is on and below it: resources, bindings, and what access lists have of them.
    pub fn delete_resource(&mut self, account: &str, path: &str) {
        self.write(account, |account| {
            account.resources.retain(|other, _| !is_at_or_above(path, other));
            account.drop_unregistered();
        });
    }

    /// What a user or a team has of a facet from now on.
    pub fn set_access(&mut self, account: &str, holder: Holder, facet: &str, access: Access) {
        self.write(account, |account| {
            account.access.insert((holder, facet.into()), access);
            account.drop_empty_access();
        });
    }

    pub fn remove_access(&mut self, account: &str, holder: Holder, facet: &str) {
        self.write(account, |account| _ = account.access.remove(&(holder, facet.to_owned())));
    }
}

impl Account {
    /// Forgets the bindings on resources that are not registered, and what access lists have of them.
    pub(super) fn drop_unregistered(&mut self) {
        let Self { bindings, access, resources, .. } = self;
        bindings.retain(|(_, _, resource), _| resource.as_ref().is_none_or(|path| resources.contains_key(path)));
        for ((_, facet), access) in access {
            if facet != "feature" {
                access.values.retain(|path| resources.contains_key(path));
            }
        }
        self.drop_empty_access();
    }

    pub(super) fn drop_empty_access(&mut self) {
        self.access.retain(|_, access| access.all || !access.values.is_empty());
    }
}
