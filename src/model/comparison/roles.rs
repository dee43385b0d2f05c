//! What each managed role gains and loses from one version of a catalog to the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::AppliedAction;
use crate::model::{
    CatalogDefinition, CatalogPolicy, CatalogRole, Effect, Index as _, MAX_ROLE_DEPTH, PermissionIndex,
};

/// What a managed role gains and loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDifference {
    /// The role's id.
    pub role: String,
    /// For people.
    pub display_name: String,
    /// Whether it is new, stays or goes.
    pub action: AppliedAction,
    /// The ids of the permissions that it has after and not before.
    pub gained: BTreeSet<String>,
    /// The ids of the permissions that it has before and not after.
    pub lost: BTreeSet<String>,
}

/// What each managed role gains and loses, ordered by id; those that neither gain nor lose are left out, and so are
/// internal ones. A role that is internal in one of the two is new in the other, or goes.
///
/// A role has what it lists, what the allow statements of its policies match, on whatever resources and conditions, and
/// what its parents have. What a deny takes away is not looked at. Cost: linear in both, but for patterns with
/// wildcards, each of which is held against every permission.
#[must_use]
pub fn compare_roles(old: &CatalogDefinition, new: &CatalogDefinition) -> Vec<RoleDifference> {
    let managed = |catalog: &CatalogDefinition| -> BTreeMap<String, (String, BTreeSet<String>)> {
        let roles = catalog.roles.iter().zip(given(catalog)).filter(|(role, _)| !role.internal);
        roles.map(|(role, given)| (role.id.to_string(), (role.display_name.clone(), ids(catalog, &given)))).collect()
    };
    let (before, after) = (managed(old), managed(new));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut differences = Vec::new();
    for id in ids {
        let none = BTreeSet::new();
        let (action, display_name) = match (before.get(id), after.get(id)) {
            (Some(_), Some((name, _))) => (AppliedAction::Update, name),
            (None, Some((name, _))) => (AppliedAction::Create, name),
            (Some((name, _)), None) => (AppliedAction::Delete, name),
            (None, None) => continue,
        };
        let (had, has) = (before.get(id).map_or(&none, |(_, had)| had), after.get(id).map_or(&none, |(_, has)| has));
        if had != has || action != AppliedAction::Update {
            differences.push(RoleDifference {
                role: id.clone(),
                display_name: display_name.clone(),
                action,
                gained: has.difference(had).cloned().collect(),
                lost: had.difference(has).cloned().collect(),
            });
        }
    }
    differences
}

/// Some of the permissions of a catalog, one bit each.
#[derive(Clone, Default, PartialEq)]
struct Permissions(Vec<u64>);

impl Permissions {
    fn insert(&mut self, index: PermissionIndex) {
        let (word, bit) = (index.position() / 64, index.position() % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    /// Takes in others; says whether some of them are new.
    fn extend(&mut self, others: &Self) -> bool {
        if self.0.len() < others.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        let mut is_more = false;
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            is_more |= *other & !*word != 0;
            *word |= other;
        }
        is_more
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn contains(&self, index: PermissionIndex) -> bool {
        self.0.get(index.position() / 64).is_some_and(|word| word >> (index.position() % 64) & 1 == 1)
    }
}

/// How many permissions each role of a catalog contains, in the order of its roles: those that it lists, that the allow
/// statements of its policies match, and that its parents contain. What a deny takes away is not looked at. Cost: linear in
/// the catalog, but for patterns with wildcards, each of which is held against every permission.
#[must_use]
pub fn count_permissions(catalog: &CatalogDefinition) -> Vec<usize> {
    given(catalog).iter().map(Permissions::len).collect()
}

/// What each role gives: internal permissions and what an internal parent has only one that is internal itself.
fn given(catalog: &CatalogDefinition) -> Vec<Permissions> {
    let (assignable, all) = (by_policy(catalog, false), by_policy(catalog, true));
    let of_role = |role: &CatalogRole| listed(catalog, role, if role.internal { &all } else { &assignable });
    let mut given: Vec<Permissions> = catalog.roles.iter().map(of_role).collect();
    // One step up the hierarchy a round, and it has no more steps than that.
    for _ in 0..MAX_ROLE_DEPTH {
        let mut is_more = false;
        for (position, role) in catalog.roles.iter().enumerate() {
            let parents = role.parents.iter().map(|parent| parent.position());
            let is_reached = |parent: &CatalogRole| role.internal || !parent.internal;
            for parent in parents.filter(|parent| catalog.roles.get(*parent).is_some_and(is_reached)) {
                let Some(above) = given.get(parent).cloned() else { continue };
                is_more |= given.get_mut(position).is_some_and(|own| own.extend(&above));
            }
        }
        if !is_more {
            break;
        }
    }
    given
}

/// What a role gives without its parents.
fn listed(catalog: &CatalogDefinition, role: &CatalogRole, by_policy: &[Permissions]) -> Permissions {
    let mut given = Permissions::default();
    let permission = |index: &PermissionIndex| catalog.permissions.get(index.position());
    let is_given = |index: &&PermissionIndex| permission(index).is_some_and(|each| role.internal || !each.internal);
    for index in role.permissions.iter().filter(is_given) {
        given.insert(*index);
    }
    for policy in role.policies.iter().filter_map(|index| by_policy.get(index.position())) {
        given.extend(policy);
    }
    given
}

/// What the allow statements of each policy match, internal permissions too if so wanted.
fn by_policy(catalog: &CatalogDefinition, with_internal: bool) -> Vec<Permissions> {
    let permissions = catalog.permissions.iter().enumerate();
    let permissions = permissions.filter(|(_, permission)| with_internal || !permission.internal);
    let by_id: HashMap<&str, PermissionIndex> =
        permissions.map(|(position, permission)| (permission.id.as_str(), PermissionIndex::at(position))).collect();
    let matched = |policy: &CatalogPolicy| {
        let mut matched = Permissions::default();
        let allowed = policy.statements.iter().filter(|statement| statement.effect == Effect::Allow);
        for pattern in allowed.flat_map(|statement| &statement.permissions) {
            if pattern.as_str().contains('*') {
                by_id.iter().filter(|(id, _)| pattern.matches(id)).for_each(|(_, index)| matched.insert(*index));
            } else if let Some(index) = by_id.get(pattern.as_str()) {
                matched.insert(*index);
            }
        }
        matched
    };
    catalog.policies.iter().map(matched).collect()
}

fn ids(catalog: &CatalogDefinition, permissions: &Permissions) -> BTreeSet<String> {
    let listed = catalog.permissions.iter().enumerate();
    let listed = listed.filter(|(position, _)| permissions.contains(PermissionIndex::at(*position)));
    listed.map(|(_, permission)| permission.id.to_string()).collect()
}
