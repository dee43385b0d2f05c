//! Accounts made at random, as files say them. What is there already is often kept.

use std::collections::BTreeSet;

use super::{
    super::oracle::{
        Access, Account, Catalog, CustomRole, Exception, Hierarchy, Holder, Oracle, PolicyName, RoleName,
        ServiceAccount, State, User, paths::segments,
    },
    Random, Set, Worker, managed_roles, policies, roles, service_accounts,
    statements::{fits, random_statements},
    teams, users,
    users::{random_state, random_texts},
};

impl Worker {
    /// A whole account under the catalog of another one. Every part of it is one that a file can have.
    pub(super) fn random_account(&mut self, id: &str, found: &Account) -> Account {
        let catalog = self.oracle.catalogs[&found.catalog].clone();
        let active = self.random.chance(95);
        let mut whole = Account { catalog: found.catalog.clone(), active, ..Account::default() };
        whole.features = self.random.subset(80, catalog.features.clone());
        let random = &mut self.random;
        whole.resources = random_resources(random, &catalog, found).into_iter().map(|path| (path, 0)).collect();
        if catalog.custom_roles.custom_policies {
            for id in random.subset(60, policies()) {
                let old = found.policies.get(&id).filter(|_| random.chance(60)).cloned();
                let mut statements = old.unwrap_or_else(|| random_statements(random, &catalog, false));
                statements.retain(|statement| fits(&catalog, statement, false));
                if !statements.is_empty() {
                    whole.policies.insert(id, statements);
                }
            }
        }
        whole.roles = random_roles(random, &catalog, found, &whole);
        self.flatten(id, &mut whole);
        let random = &mut self.random;
        whole.teams = random.subset(70, teams()).into_iter().map(|team| (team, Set::new())).collect();
        for id in random.subset(80, users()) {
            let (state, _) = random_state(random);
            let old = found.users.get(&id).filter(|_| random.chance(50)).map(|user| user.texts.clone());
            let texts = old.unwrap_or_else(|| random_texts(random));
            for members in whole.teams.values_mut() {
                if random.chance(35) {
                    members.insert(id.clone());
                }
            }
            whole.users.insert(id, User { state, texts, ..User::default() });
        }
        for id in random.subset(40, service_accounts()) {
            let state = if random.chance(85) { State::Active } else { State::Suspended };
            whole.service_accounts.insert(id, ServiceAccount { state, ..ServiceAccount::default() });
        }
        self.bind_at_random(&catalog, found, &mut whole);
        self.list_at_random(&catalog, found, &mut whole);
        whole
    }

    /// Takes parents away from roles that would have too many above each other.
    fn flatten(&self, id: &str, whole: &mut Account) {
        let mut oracle = Oracle::default();
        oracle.catalogs.insert(whole.catalog.clone(), self.oracle.catalogs[&whole.catalog].clone());
        for role in whole.roles.keys().cloned().collect::<Vec<_>>() {
            let mut without = whole.clone();
            let parents = std::mem::take(&mut without.roles.get_mut(&role).unwrap().parents);
            oracle.accounts.insert(id.to_owned(), without);
            if oracle.hierarchy(id, &role, &parents) == Some(Hierarchy::TooDeep)
                && let Some(role) = whole.roles.get_mut(&role)
            {
                role.parents.clear();
            }
        }
    }

    fn bind_at_random(&mut self, catalog: &Catalog, found: &Account, whole: &mut Account) {
        let mut names: Vec<RoleName> = catalog.roles.keys().cloned().map(RoleName::Managed).collect();
        names.extend(whole.roles.keys().cloned().map(RoleName::Custom));
        for holder in holders(whole) {
            for role in &names {
                for resource in [None, self.random.pick(whole.resources.keys().cloned())] {
                    let key = (holder.clone(), role.clone(), resource);
                    let old = found.bindings.get(&key).filter(|_| self.random.chance(80));
                    let expires = match old {
                        Some(old) => old.expires,
                        None if self.random.chance(if key.2.is_none() { 8 } else { 4 }) => self.random_expiry(30),
                        None => continue,
                    };
                    // What has expired would be refused as new.
                    if old.is_some() || expires.is_none_or(|expires| expires > self.now) {
                        let binding = super::super::oracle::Binding { expires, ..Default::default() };
                        whole.bindings.insert(key, binding);
                    }
                }
            }
        }
    }

    /// Access lists and exceptions.
    fn list_at_random(&mut self, catalog: &Catalog, found: &Account, whole: &mut Account) {
        let facets: Vec<String> = catalog.resource_types.keys().cloned().chain(["feature".to_owned()]).collect();
        for holder in holders(whole) {
            if matches!(holder, Holder::ServiceAccount(_)) {
                continue;
            }
            for facet in &facets {
                if self.random.chance(30) {
                    let access = random_access(&mut self.random, catalog, whole, facet);
                    whole.access.insert((holder.clone(), facet.clone()), access);
                }
            }
        }
        whole.access.retain(|_, access| access.all || !access.values.is_empty());
        let open = catalog.permissions.iter().filter(|(_, each)| !each.internal).map(|(id, _)| id.clone());
        let open: Vec<String> = open.collect();
        for user in whole.users.keys() {
            let old =
                found.exceptions.iter().filter(|((other, permission), _)| other == user && open.contains(permission));
            for (key, exception) in old {
                if self.random.chance(60) {
                    whole.exceptions.insert(key.clone(), exception.clone());
                }
            }
            if self.random.chance(25)
                && let Some(permission) = self.random.pick(open.clone())
            {
                let exception = Exception { reason: "asked by support".into(), expires: self.random_expiry(40) };
                let key = (user.clone(), permission);
                whole.exceptions.entry(key).or_insert(exception);
            }
        }
    }
}

fn holders(whole: &Account) -> Vec<Holder> {
    let mut holders: Vec<Holder> = whole.users.keys().cloned().map(Holder::User).collect();
    holders.extend(whole.teams.keys().cloned().map(Holder::Team));
    holders.extend(whole.service_accounts.keys().cloned().map(Holder::ServiceAccount));
    holders
}

/// Paths, each with all above it.
fn random_resources(random: &mut Random, catalog: &Catalog, found: &Account) -> Set {
    let mut chosen = random.subset(60, found.resources.keys().cloned());
    for resource_type in catalog.resource_types.keys() {
        if random.chance(60) {
            chosen.insert(catalog.path(random, resource_type));
        }
    }
    let above = |path: &String| {
        let whole = segments(path, '/');
        let steps = (1..=whole.len() / 2).map(|steps| whole[..2 * steps].join("/"));
        steps.collect::<Vec<_>>()
    };
    chosen.iter().flat_map(above).collect()
}

/// What somebody has of a facet: all, or some of what is registered.
pub(super) fn random_access(random: &mut Random, catalog: &Catalog, account: &Account, facet: &str) -> Access {
    if random.chance(12) {
        return Access { all: true, values: Set::new() };
    }
    let known: Vec<String> = match facet {
        "feature" => catalog.features.iter().cloned().collect(),
        facet => {
            let paths = account.resources.keys().filter(|path| catalog.type_of(path).as_deref() == Some(facet));
            paths.cloned().collect()
        }
    };
    Access { all: false, values: random.subset(50, known) }
}

/// Custom roles. Of the parts that the catalog does not offer, each keeps what it had.
fn random_roles(
    random: &mut Random,
    catalog: &Catalog,
    found: &Account,
    whole: &Account,
) -> std::collections::BTreeMap<String, CustomRole> {
    let parts = catalog.custom_roles;
    let is_offered = parts.permissions || parts.parents || parts.managed_policies || parts.custom_policies;
    let open = catalog.permissions.iter().filter(|(_, each)| !each.internal).map(|(id, _)| id.clone());
    let open: Set = open.collect();
    let chosen: Vec<String> = random.subset(60, roles()).into_iter().collect();
    let mut made = std::collections::BTreeMap::new();
    for (number, id) in chosen.iter().enumerate() {
        let old = found.roles.get(id).cloned();
        if old.is_none() && !is_offered {
            continue;
        }
        let keep = old.is_some() && (random.chance(60) || !is_offered);
        let mut role = old.unwrap_or_default();
        if !keep {
            if parts.permissions {
                role.permissions = random.subset(25, open.clone());
            }
            let managed = role.policies.iter().filter(|name| matches!(name, PolicyName::Managed(_)));
            let mut policies: BTreeSet<PolicyName> = managed.cloned().collect();
            if parts.managed_policies {
                let chosen = random.subset(25, catalog.policies.keys().cloned());
                policies = chosen.into_iter().map(PolicyName::Managed).collect();
            }
            if parts.custom_policies {
                let chosen = random.subset(35, whole.policies.keys().cloned());
                policies.extend(chosen.into_iter().map(PolicyName::Custom));
            }
            role.policies = policies;
            if parts.parents {
                let managed = random.subset(20, managed_roles()).into_iter().map(RoleName::Managed);
                role.parents = managed.collect();
                let custom = random.subset(30, chosen[number + 1..].iter().cloned());
                role.parents.extend(custom.into_iter().map(RoleName::Custom));
            }
            role.covers = random.subset(20, catalog.resource_types.keys().cloned().chain(["feature".to_owned()]));
            role.left_out = random.subset(15, catalog.api_scopes.keys().cloned());
        }
        role.permissions.retain(|permission| open.contains(permission));
        role.left_out.retain(|scope| catalog.api_scopes.contains_key(scope));
        made.insert(id.clone(), role);
    }
    // What is named has to be there, and stand further on: so there are no cycles.
    let ids: Vec<String> = made.keys().cloned().collect();
    for (id, role) in &mut made {
        role.policies.retain(|policy| match policy {
            PolicyName::Managed(id) => catalog.policies.contains_key(id),
            PolicyName::Custom(id) => whole.policies.contains_key(id),
        });
        role.parents.retain(|parent| match parent {
            RoleName::Managed(id) => catalog.roles.get(id).is_some_and(|role| !role.internal),
            RoleName::Custom(parent) => ids.contains(parent) && parent > id,
        });
    }
    made
}
