//! The load of a catalog, and what every account under it loses by it.

use super::{Account, Catalog, Oracle, PolicyName, RoleName, Set};

impl Oracle {
    /// Loads a catalog whole. Every account under it loses for good what the new version no longer has: a later version
    /// with the same id again has a new thing. What stays under its id keeps its references, however else it changes; but
    /// a resource type with another plural or another parent is a new one. An API scope that a role leaves out is a
    /// restriction, and no load takes one away: it stays left out should it return.
    pub fn replace_catalog(&mut self, id: &str, catalog: Catalog) {
        let old = self.catalogs.get(id).cloned().unwrap_or_default();
        for account in self.accounts.values_mut().filter(|account| account.catalog == id) {
            account.follow(&old, &catalog);
        }
        self.catalogs.insert(id.into(), catalog);
    }
}

impl Catalog {
    /// The resource types that another version has no more, or as new ones. A type is its whole place in the tree: where one
    /// above it is another, it is too.
    pub fn dropped_types(&self, new: &Self) -> Set {
        let same = |id: &String| new.resource_types.get(id) == self.resource_types.get(id);
        let stays = |id: &&String| self.chain(Some(id)).iter().all(same);
        self.resource_types.keys().filter(|id| !stays(id)).cloned().collect()
    }
}

impl Account {
    fn follow(&mut self, old: &Catalog, new: &Catalog) {
        let dropped = old.dropped_types(new);
        self.features.retain(|feature| new.features.contains(feature));
        for role in self.roles.values_mut() {
            role.permissions.retain(|permission| new.permissions.contains_key(permission));
            role.policies.retain(|policy| match policy {
                PolicyName::Managed(policy) => new.policies.contains_key(policy),
                PolicyName::Custom(_) => true,
            });
            role.parents.retain(|parent| is_there(new, parent));
            role.covers.retain(|facet| !dropped.contains(facet));
        }
        self.exceptions.retain(|(_, permission), _| new.permissions.contains_key(permission));
        self.bindings.retain(|(_, role, _), _| is_there(new, role));
        // What lies below something of a dropped type goes with it.
        self.resources.retain(|path, _| old.types(path).unwrap_or_default().iter().all(|id| !dropped.contains(id)));
        self.access.retain(|(_, facet), _| !dropped.contains(facet));
        for ((_, facet), access) in &mut self.access {
            if facet == "feature" {
                access.values.retain(|feature| new.features.contains(feature));
            }
        }
        self.drop_unregistered();
    }
}

fn is_there(catalog: &Catalog, role: &RoleName) -> bool {
    match role {
        RoleName::Managed(role) => catalog.roles.contains_key(role),
        RoleName::Custom(_) => true,
    }
}
