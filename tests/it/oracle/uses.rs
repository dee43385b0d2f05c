//! What keeps a thing from being deleted without force, and what keeps a role from having the parents given. Records of
//! expired things count like others.

use std::collections::BTreeSet;

use super::{Account, BindingKey, Catalog, Holder, Oracle, PolicyName, RoleName, paths::is_at_or_above};

/// What mentions a thing that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    Binding(BindingKey),
    /// A custom role that has it as a parent or contains it.
    Role(String),
    /// A user in a team: of the team the user, of the user the team.
    Member(String),
    /// A permission that the user has by an exception.
    Exception(String),
    /// A registered resource below it.
    Resource(String),
    /// The list of this holder for this facet.
    AccessList(Holder, String),
}

/// What is wrong with the parents of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    Cycle,
    TooDeep,
}

/// How many parent steps there may be from one role.
const MAX_STEPS: usize = 8;

impl Oracle {
    /// Of a custom role: its bindings, and the roles that have it as a parent.
    pub fn uses_of_role(&self, account: &str, id: &str) -> BTreeSet<Use> {
        let Some(account) = self.accounts.get(account) else { return BTreeSet::new() };
        let name = RoleName::Custom(id.to_owned());
        let bindings = account.bindings.keys().filter(|(_, role, _)| *role == name);
        let children = account.roles.iter().filter(|(_, role)| role.parents.contains(&name));
        let children = children.map(|(child, _)| Use::Role(child.clone()));
        bindings.cloned().map(Use::Binding).chain(children).collect()
    }

    /// Of a team: its members.
    pub fn uses_of_team(&self, account: &str, id: &str) -> BTreeSet<Use> {
        let Some(account) = self.accounts.get(account) else { return BTreeSet::new() };
        account.teams.get(id).into_iter().flatten().cloned().map(Use::Member).collect()
    }

    /// Of a user: its bindings, its teams and its exceptions.
    pub fn uses_of_user(&self, account: &str, id: &str) -> BTreeSet<Use> {
        let Some(account) = self.accounts.get(account) else { return BTreeSet::new() };
        let name = Holder::User(id.to_owned());
        let bindings = account.bindings.keys().filter(|(holder, _, _)| *holder == name);
        let mut uses: BTreeSet<Use> = bindings.cloned().map(Use::Binding).collect();
        let joined = account.teams.keys().filter(|team| account.is_member(team, id));
        uses.extend(joined.cloned().map(Use::Member));
        let exceptions = account.exceptions.keys().filter(|(user, _)| user == id);
        uses.extend(exceptions.map(|(_, permission)| Use::Exception(permission.clone())));
        uses
    }

    /// Of a custom policy: the roles that contain it.
    pub fn uses_of_policy(&self, account: &str, id: &str) -> BTreeSet<Use> {
        let Some(account) = self.accounts.get(account) else { return BTreeSet::new() };
        let name = PolicyName::Custom(id.to_owned());
        let roles = account.roles.iter().filter(|(_, role)| role.policies.contains(&name));
        roles.map(|(role, _)| Use::Role(role.clone())).collect()
    }

    /// Of a registered resource: those below it, and the bindings and access lists that name it or one below it.
    pub fn uses_of_resource(&self, account: &str, path: &str) -> BTreeSet<Use> {
        let Some(account) = self.accounts.get(account) else { return BTreeSet::new() };
        let below = account.resources.keys().filter(|other| *other != path && is_at_or_above(path, other));
        let mut uses: BTreeSet<Use> = below.cloned().map(Use::Resource).collect();
        for key in account.bindings.keys() {
            if key.2.as_ref().is_some_and(|resource| is_at_or_above(path, resource)) {
                uses.insert(Use::Binding(key.clone()));
            }
        }
        for ((holder, facet), access) in &account.access {
            if access.values.iter().any(|value| is_at_or_above(path, value)) {
                uses.insert(Use::AccessList(holder.clone(), facet.clone()));
            }
        }
        uses
    }

    /// What is wrong with giving a custom role these parents: it would be above itself, or a chain through it and a parent
    /// that it did not have would have more than eight steps. A load of a catalog can have made the others too long.
    pub fn hierarchy(&self, account: &str, id: &str, parents: &BTreeSet<RoleName>) -> Option<Hierarchy> {
        let (account, catalog) = self.find(account).ok()?;
        let mut account = account.clone();
        let role = account.roles.entry(id.to_owned()).or_default();
        let new: Vec<RoleName> = parents.difference(&role.parents).cloned().collect();
        role.parents = parents.clone();
        let name = RoleName::Custom(id.to_owned());
        if parents.iter().any(|parent| account.all_above(catalog, parent).contains(&name)) {
            return Some(Hierarchy::Cycle);
        }
        let above = new.iter().map(|parent| 1 + account.steps(catalog, parent)).max()?;
        (above + account.steps_below(&name) > MAX_STEPS).then_some(Hierarchy::TooDeep)
    }
}

impl Account {
    /// A role and all that is above it, void or not.
    fn all_above(&self, catalog: &Catalog, role: &RoleName) -> BTreeSet<RoleName> {
        let mut all = BTreeSet::from([role.clone()]);
        loop {
            let more: BTreeSet<RoleName> = all.iter().flat_map(|role| self.parents(catalog, role)).collect();
            if more.is_subset(&all) {
                return all;
            }
            all.extend(more);
        }
    }

    /// How many steps the longest way up from a role has. There are no cycles. An internal role is no parent of a custom
    /// one.
    fn steps(&self, catalog: &Catalog, role: &RoleName) -> usize {
        let is_custom = matches!(role, RoleName::Custom(_));
        let parents = self.parents(catalog, role).into_iter();
        let parents = parents.filter(|parent| !(is_custom && self.is_internal(catalog, parent)));
        parents.map(|parent| 1 + self.steps(catalog, &parent)).max().unwrap_or_default()
    }

    /// How many steps the longest way down from a role has.
    fn steps_below(&self, role: &RoleName) -> usize {
        let children = self.roles.iter().filter(|(_, child)| child.parents.contains(role));
        let below = children.map(|(id, _)| 1 + self.steps_below(&RoleName::Custom(id.clone())));
        below.max().unwrap_or_default()
    }
}
