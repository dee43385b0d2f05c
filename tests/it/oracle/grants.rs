//! How a subject comes to a permission: by a binding, its own or one of its teams', by one role reached from it, and by
//! the permission or a statement that this role lists; or by an exception.

use std::collections::BTreeSet;

use super::{
    Access, Account, By, Catalog, Chain, Effect, Exception, Grant, Holder, PolicyName, RoleName, Set, Statement,
    Subject, paths::permission_matches,
};

impl Grant {
    pub fn expires(&self) -> Option<u64> {
        match self {
            Self::Role(chain) => chain.expires,
            Self::Exception(exception) => exception.expires,
        }
    }

    /// The resource of the binding; empty for the whole account.
    pub fn resource(&self) -> &str {
        match self {
            Self::Role(chain) => chain.resource.as_deref().unwrap_or_default(),
            Self::Exception(_) => "",
        }
    }
}

impl Account {
    /// Every grant that contains a permission, expired ones too.
    pub(super) fn grants(&self, catalog: &Catalog, subject: &Subject, permission: &str) -> BTreeSet<Grant> {
        let chains = self.chains(catalog, subject, permission, Effect::Allow);
        let mut grants: BTreeSet<Grant> = chains.into_iter().map(Grant::Role).collect();
        grants.extend(self.exception(catalog, subject, permission).cloned().map(Grant::Exception));
        grants
    }

    /// A user's exception for a permission. One for a permission that is internal by now is void.
    fn exception(&self, catalog: &Catalog, subject: &Subject, permission: &str) -> Option<&Exception> {
        let Subject::User(user) = subject else { return None };
        let is_internal = catalog.permissions.get(permission).is_some_and(|definition| definition.internal);
        self.exceptions.get(&(user.clone(), permission.to_owned())).filter(|_| !is_internal)
    }

    /// Every chain by which a subject comes to an allow or a deny of a permission, expired ones too.
    pub(super) fn chains(
        &self,
        catalog: &Catalog,
        subject: &Subject,
        permission: &str,
        effect: Effect,
    ) -> BTreeSet<Chain> {
        let mut chains = BTreeSet::new();
        for ((holder, bound, resource), binding) in &self.bindings {
            let Some(team) = self.through(holder, subject) else { continue };
            for listing in self.reached(catalog, bound) {
                for by in self.entries(catalog, &listing, permission, effect) {
                    chains.insert(Chain {
                        bound: bound.clone(),
                        team: team.clone(),
                        resource: resource.clone(),
                        expires: binding.expires,
                        listing: listing.clone(),
                        by,
                    });
                }
            }
        }
        chains
    }

    /// Whether a subject has what a holder has, and through which team (none: it is the holder). Only users are in teams.
    pub(super) fn through(&self, holder: &Holder, subject: &Subject) -> Option<Option<String>> {
        match (holder, subject) {
            (Holder::User(id), Subject::User(user)) if id == user => Some(None),
            (Holder::ServiceAccount(id), Subject::ServiceAccount(account)) if id == account => Some(None),
            (Holder::Team(id), Subject::User(user)) if self.is_member(id, user) => Some(Some(id.clone())),
            _ => None,
        }
    }

    pub(super) fn is_member(&self, team: &str, user: &str) -> bool {
        self.teams.get(team).is_some_and(|members| members.contains(user))
    }

    /// A role and all its parents, at any depth. From a role that is not internal, no internal one is reached.
    pub fn reached(&self, catalog: &Catalog, role: &RoleName) -> BTreeSet<RoleName> {
        let mut reached = BTreeSet::from([role.clone()]);
        let mut open = vec![role.clone()];
        while let Some(role) = open.pop() {
            for parent in self.parents(catalog, &role) {
                let is_void = self.is_internal(catalog, &parent) && !self.is_internal(catalog, &role);
                if !is_void && reached.insert(parent.clone()) {
                    open.push(parent);
                }
            }
        }
        reached
    }

    pub(super) fn parents(&self, catalog: &Catalog, role: &RoleName) -> BTreeSet<RoleName> {
        match role {
            RoleName::Managed(id) => {
                let parents = catalog.roles.get(id).into_iter().flat_map(|role| &role.parents);
                parents.cloned().map(RoleName::Managed).collect()
            }
            RoleName::Custom(id) => self.roles.get(id).map(|role| role.parents.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn is_internal(&self, catalog: &Catalog, role: &RoleName) -> bool {
        match role {
            RoleName::Managed(id) => catalog.roles.get(id).is_some_and(|role| role.internal),
            RoleName::Custom(_) => false,
        }
    }

    /// What a role itself lists, its parents left aside, that allows or denies a permission. One that is internal now is
    /// matched by what internal roles list alone.
    pub(super) fn entries(&self, catalog: &Catalog, role: &RoleName, permission: &str, effect: Effect) -> Vec<By> {
        let mut entries = Vec::new();
        if effect == Effect::Allow && self.contains(catalog, role, permission) {
            entries.push(By::Permission);
        }
        if !self.may_match(catalog, role, permission) {
            return entries;
        }
        for policy in self.policies(catalog, role) {
            for (index, statement) in self.statements(catalog, &policy).iter().enumerate() {
                let matches = statement.permissions.iter().any(|pattern| permission_matches(pattern, permission));
                if statement.effect == effect && matches {
                    entries.push(By::Statement(policy.clone(), index));
                }
            }
        }
        entries
    }

    fn may_match(&self, catalog: &Catalog, role: &RoleName, permission: &str) -> bool {
        let is_internal = catalog.permissions.get(permission).is_some_and(|definition| definition.internal);
        !is_internal || self.is_internal(catalog, role)
    }

    /// Whether a role itself lists a permission, and gives it. One that is internal now is given by internal roles alone,
    /// whatever lists it.
    pub(super) fn contains(&self, catalog: &Catalog, role: &RoleName, permission: &str) -> bool {
        let lists = match role {
            RoleName::Managed(id) => catalog.roles.get(id).is_some_and(|role| role.permissions.contains(permission)),
            RoleName::Custom(id) => self.roles.get(id).is_some_and(|role| role.permissions.contains(permission)),
        };
        lists && self.may_match(catalog, role, permission)
    }

    /// The policies that a role itself contains.
    pub(super) fn policies(&self, catalog: &Catalog, role: &RoleName) -> BTreeSet<PolicyName> {
        match role {
            RoleName::Managed(id) => {
                let policies = catalog.roles.get(id).into_iter().flat_map(|role| &role.policies);
                policies.cloned().map(PolicyName::Managed).collect()
            }
            RoleName::Custom(id) => self.roles.get(id).map(|role| role.policies.clone()).unwrap_or_default(),
        }
    }

    /// The statements of a policy.
    pub fn statements<'a>(&'a self, catalog: &'a Catalog, policy: &PolicyName) -> &'a [Statement] {
        let statements = match policy {
            PolicyName::Managed(id) => catalog.policies.get(id),
            PolicyName::Custom(id) => self.policies.get(id),
        };
        statements.map(Vec::as_slice).unwrap_or_default()
    }

    /// The statement that a chain ends in, if it does.
    pub fn statement<'a>(&'a self, catalog: &'a Catalog, by: &By) -> Option<&'a Statement> {
        match by {
            By::Permission => None,
            By::Statement(policy, index) => self.statements(catalog, policy).get(*index),
        }
    }

    pub(super) fn statement_of<'a>(&'a self, catalog: &'a Catalog, grant: &Grant) -> Option<&'a Statement> {
        match grant {
            Grant::Role(chain) => self.statement(catalog, &chain.by),
            Grant::Exception(_) => None,
        }
    }

    /// Whether the role that lists the permission or the policy covers a facet. An exception covers none.
    pub(super) fn covers_facet(&self, catalog: &Catalog, grant: &Grant, facet: &str) -> bool {
        match grant {
            Grant::Exception(_) => false,
            Grant::Role(chain) => match &chain.listing {
                RoleName::Managed(id) => catalog.roles.get(id).is_some_and(|role| role.covers.contains(facet)),
                RoleName::Custom(id) => self.roles.get(id).is_some_and(|role| role.covers.contains(facet)),
            },
        }
    }

    /// What a subject has of a facet: a user's own list and its teams' together. A service account has nothing.
    pub fn access_of(&self, subject: &Subject, facet: &str) -> Access {
        let mut whole = Access::default();
        for ((holder, listed), access) in &self.access {
            if listed == facet && self.through(holder, subject).is_some() {
                whole.all |= access.all;
                whole.values.extend(access.values.iter().cloned());
            }
        }
        whole
    }

    /// The API scopes that a grant of a permission provides. An exception leaves out nothing.
    pub(super) fn provided(&self, catalog: &Catalog, grant: &Grant, permission: &str) -> Set {
        match grant {
            Grant::Role(chain) => self.provides(catalog, &chain.listing, permission),
            Grant::Exception(_) => {
                let definition = catalog.permissions.get(permission);
                catalog.with_included(&definition.map(|found| found.api_scopes.clone()).unwrap_or_default())
            }
        }
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
