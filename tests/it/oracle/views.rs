//! What is shown of roles, teams and catalogs: who holds what, how many they are, and what a new version changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Account, Catalog, Effect, Holder, Oracle, PolicyName, RoleName, Set, Statement, Subject, paths::could_match,
};

/// Who holds a role, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those who hold it in any way, each once.
    pub users: usize,
    pub direct_users: usize,
    /// Those who hold it through teams, each once, whether or not they hold it directly too.
    pub inherited_users: usize,
    pub service_accounts: usize,
    pub teams: usize,
}

/// How a subject holds a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub direct: bool,
    pub teams: Set,
}

/// What a role itself contains, its parents and the statements of its policies left aside; and how much with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub permissions: Set,
    pub left_out: Set,
    /// What the permissions provide.
    pub api_scopes: Set,
    pub policies: BTreeSet<PolicyName>,
    pub parents: BTreeSet<RoleName>,
    pub covers: Set,
    /// How many permissions it contains with all that its parents and the allow statements of all policies give.
    pub permission_count: usize,
    /// How many API scopes those provide.
    pub api_scope_count: usize,
}

/// What a managed role gains and loses from one catalog to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub before: bool,
    pub after: bool,
    pub gained: Set,
    pub lost: Set,
}

impl Oracle {
    /// The roles of an account, with internal ones if asked for: managed ones first.
    pub fn roles(&self, account: &str, show_internal: bool) -> Vec<RoleName> {
        let Ok((account, catalog)) = self.find(account) else { return Vec::new() };
        let managed = catalog.roles.iter().filter(|(_, role)| show_internal || !role.internal);
        let managed = managed.map(|(id, _)| RoleName::Managed(id.clone()));
        managed.chain(account.roles.keys().cloned().map(RoleName::Custom)).collect()
    }

    /// What a role of an account contains and provides.
    pub fn role(&self, account: &str, role: &RoleName) -> Option<Shown> {
        let (account, catalog) = self.find(account).ok()?;
        let (left_out, covers) = match role {
            RoleName::Managed(id) => (Set::new(), catalog.roles.get(id)?.covers.clone()),
            RoleName::Custom(id) => (account.roles.get(id)?.left_out.clone(), account.roles.get(id)?.covers.clone()),
        };
        let permissions: Set =
            catalog.permissions.keys().filter(|id| account.contains(catalog, role, id)).cloned().collect();
        let api_scopes = permissions.iter().flat_map(|id| account.provides(catalog, role, id)).collect();
        let (policies, parents) = (account.policies(catalog, role), account.parents(catalog, role));
        let (mut all, mut all_scopes) = (Set::new(), Set::new());
        for reached in account.reached(catalog, role) {
            for id in catalog.permissions.keys() {
                if !account.entries(catalog, &reached, id, Effect::Allow).is_empty() {
                    all.insert(id.clone());
                    all_scopes.extend(account.provides(catalog, &reached, id));
                }
            }
        }
        let (permission_count, api_scope_count) = (all.len(), all_scopes.len());
        Some(Shown { permissions, left_out, api_scopes, policies, parents, covers, permission_count, api_scope_count })
    }

    /// The permissions that a role could contain, by section: whether it does, and the API scopes that each provides in
    /// it. Only an internal role could contain internal ones. Sections without any are left out.
    pub fn sections(&self, account: &str, role: &RoleName) -> BTreeMap<String, BTreeMap<String, (bool, Set)>> {
        let mut sections: BTreeMap<String, BTreeMap<String, (bool, Set)>> = BTreeMap::new();
        let Ok((account, catalog)) = self.find(account) else { return sections };
        let role_is_internal = match role {
            RoleName::Managed(id) => catalog.roles.get(id).is_some_and(|role| role.internal),
            RoleName::Custom(_) => false,
        };
        for (id, definition) in &catalog.permissions {
            if role_is_internal || !definition.internal {
                let shown = (account.contains(catalog, role, id), account.provides(catalog, role, id));
                sections.entry(definition.section.clone()).or_default().insert(id.clone(), shown);
            }
        }
        sections
    }

    /// Who holds a role, directly or through teams: users and then service accounts, the oldest of each first.
    pub fn holders(&self, account: &str, role: &RoleName) -> Vec<(Subject, Held)> {
        let Some(account) = self.accounts.get(account) else { return Vec::new() };
        let mut holders = Vec::new();
        for (id, user) in &account.users {
            holders.push(((false, user.made), Subject::User(id.clone()), account.held(id, role)));
        }
        for (id, service_account) in &account.service_accounts {
            let direct = account.holds(Holder::ServiceAccount(id.clone()), role);
            let held = Held { direct, teams: Set::new() };
            holders.push(((true, service_account.made), Subject::ServiceAccount(id.clone()), held));
        }
        holders.retain(|(_, _, held)| held.direct || !held.teams.is_empty());
        holders.sort_by_key(|(order, _, _)| *order);
        holders.into_iter().map(|(_, subject, held)| (subject, held)).collect()
    }

    pub fn counts(&self, account: &str, role: &RoleName) -> Counts {
        let mut counts = Counts::default();
        for (subject, held) in self.holders(account, role) {
            match subject {
                Subject::User(_) => {
                    counts.users += 1;
                    counts.direct_users += usize::from(held.direct);
                    counts.inherited_users += usize::from(!held.teams.is_empty());
                }
                Subject::ServiceAccount(_) => counts.service_accounts += 1,
            }
        }
        if let Some(account) = self.accounts.get(account) {
            counts.teams = account.teams.keys().filter(|id| account.holds(Holder::Team((*id).clone()), role)).count();
        }
        counts
    }

    /// The roles that a user holds, and how.
    pub fn user_roles(&self, account: &str, user: &str, show_internal: bool) -> BTreeMap<RoleName, Held> {
        let Some(stored) = self.accounts.get(account) else { return BTreeMap::new() };
        let roles = self.roles(account, show_internal).into_iter().map(|role| (stored.held(user, &role), role));
        roles.filter(|(held, _)| held.direct || !held.teams.is_empty()).map(|(held, role)| (role, held)).collect()
    }

    /// What a new version of a catalog drops although accounts use it, with how many accounts do and how many uses there
    /// are. Of a permission: custom roles that list it, and exceptions. Of a feature: accounts with it. Of a role: those who
    /// hold it, and custom roles under it. Of a policy: custom roles that contain it. Of a resource type: its resources, and
    /// the custom policies that lose a pattern by it.
    /// A custom role that lists a permission which is internal
    /// by now loses it too, and would have it again were it internal no more.
    pub fn drops(&self, id: &str, new: &Catalog) -> BTreeMap<String, (usize, usize)> {
        let mut drops = BTreeMap::new();
        let Some(old) = self.catalogs.get(id) else { return drops };
        let mut count = |subject: String, uses: &dyn Fn(&Account) -> usize| {
            let accounts = self.accounts.values().filter(|account| account.catalog == id);
            let uses: Vec<usize> = accounts.map(uses).filter(|uses| *uses > 0).collect();
            if !uses.is_empty() {
                drops.insert(subject, (uses.len(), uses.iter().sum()));
            }
        };
        for permission in old.permissions.keys().filter(|id| !new.permissions.contains_key(*id)) {
            count(format!("permissions/{permission}"), &|account| {
                account.roles.values().filter(|role| role.permissions.contains(permission)).count()
                    + account.exceptions.keys().filter(|(_, excepted)| excepted == permission).count()
            });
        }
        for feature in old.features.difference(&new.features) {
            count(format!("features/{feature}"), &|account| usize::from(account.features.contains(feature)));
        }
        for role in old.roles.keys().filter(|id| !new.roles.contains_key(*id)) {
            let role_name = RoleName::Managed(role.clone());
            count(format!("roles/{role}"), &|account| {
                let bindings = account.bindings.keys().filter(|(_, held, _)| *held == role_name);
                bindings.map(|(holder, _, _)| holder).collect::<BTreeSet<_>>().len()
                    + account.roles.values().filter(|role| role.parents.contains(&role_name)).count()
            });
        }
        for policy in old.policies.keys().filter(|id| !new.policies.contains_key(*id)) {
            let policy_name = PolicyName::Managed(policy.clone());
            count(format!("policies/{policy}"), &|account| {
                account.roles.values().filter(|role| role.policies.contains(&policy_name)).count()
            });
        }
        for resource_type in old.dropped_types(new) {
            count(format!("resource_types/{resource_type}"), &|account| {
                let paths = account.resources.keys();
                let lost = |each: &&Vec<Statement>| {
                    each.iter().any(|each| each.resources.iter().any(|it| old.loses(new, &resource_type, it)))
                };
                paths.filter(|path| old.type_of(path).as_ref() == Some(&resource_type)).count()
                    + account.policies.values().filter(lost).count()
            });
        }
        drops
    }

    /// How many users belong to a team.
    pub fn member_count(&self, account: &str, team: &str) -> Option<usize> {
        Some(self.accounts.get(account)?.teams.get(team)?.len())
    }

    /// The members of a team, the oldest first.
    pub fn members(&self, account: &str, team: &str) -> Vec<String> {
        let Some(account) = self.accounts.get(account) else { return Vec::new() };
        let mut members: Vec<String> = account.teams.get(team).into_iter().flatten().cloned().collect();
        members.sort_by_key(|id| account.users.get(id).map(|user| user.made));
        members
    }
}

impl Catalog {
    /// Whether a pattern matched something of a type, and in a new version matches none of it; of a type that is not there
    /// any more, whether it matches no path of any type.
    fn loses(&self, new: &Self, resource_type: &String, pattern: &str) -> bool {
        let matches = |catalog: &Self, id: &String| {
            catalog.longer_path(id, "", "").is_some_and(|path| could_match(pattern, &path))
        };
        let mut now = new.resource_types.keys().filter(|id| match new.resource_types.contains_key(resource_type) {
            true => *id == resource_type,
            false => true,
        });
        pattern != "**" && matches(self, resource_type) && !now.any(|id| matches(new, id))
    }
}

impl Account {
    /// On anything, and until whenever: a binding that has expired is shown until it is removed.
    fn holds(&self, holder: Holder, role: &RoleName) -> bool {
        self.bindings.keys().any(|(other, held, _)| *other == holder && held == role)
    }

    /// How a user holds a role.
    pub fn held(&self, user: &str, role: &RoleName) -> Held {
        let teams = self
            .teams
            .keys()
            .filter(|team| self.is_member(team, user) && self.holds(Holder::Team((*team).clone()), role));
        Held { direct: self.holds(Holder::User(user.to_owned()), role), teams: teams.cloned().collect() }
    }
}

impl Catalog {
    /// The managed roles that are new in another catalog, go, or have more or less there. Internal ones are shown to
    /// nobody: one that becomes internal goes, and one that ceases to be is new.
    pub fn compare(&self, after: &Catalog) -> BTreeMap<String, Difference> {
        let mut differences = BTreeMap::new();
        for id in self.roles.keys().chain(after.roles.keys()) {
            let (old, new) = (self.shown(id), after.shown(id));
            if old != new {
                let (before, now) = (old.clone().unwrap_or_default(), new.clone().unwrap_or_default());
                let gained = now.difference(&before).cloned().collect();
                let lost = before.difference(&now).cloned().collect();
                let difference = Difference { before: old.is_some(), after: new.is_some(), gained, lost };
                differences.insert(id.clone(), difference);
            }
        }
        differences
    }

    /// What a managed role gives, itself and by its parents, if it is not internal; wherever and on whatever condition.
    fn shown(&self, role: &str) -> Option<Set> {
        self.roles.get(role).filter(|role| !role.internal)?;
        let nobody = Account::default();
        let reached = nobody.reached(self, &RoleName::Managed(role.to_owned()));
        let gives = |id: &&String| reached.iter().any(|role| !nobody.entries(self, role, id, Effect::Allow).is_empty());
        let open = self.permissions.iter().filter(|(_, definition)| !definition.internal).map(|(id, _)| id);
        Some(open.filter(gives).cloned().collect())
    }
}
