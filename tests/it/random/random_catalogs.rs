//! Catalogs made at random. Whatever is made is a catalog that a file can have.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::oracle::{Catalog, CustomRoleParts, Permission, ResourceType, Role, Statement},
    Random, Set, Worker, api_scopes, features, ids, managed_roles, permissions, sections,
    statements::{fits, random_condition, random_statements},
};

/// The types with their plurals, and what each lies in as a rule.
const TYPES: [(&str, &str, Option<&str>); 4] = [
    ("site", "sites", None),
    ("room", "rooms", Some("site")),
    ("desk", "desks", Some("room")),
    ("line", "lines", None),
];

impl Worker {
    /// A new version: mostly of what was there before, with some things changed.
    pub(super) fn random_catalog(&mut self, before: Option<&Catalog>) -> Catalog {
        let whole = Catalog::default();
        let old = before.filter(|_| self.random.chance(75)).unwrap_or(&whole);
        let random = &mut self.random;
        let is_new = old.permissions.is_empty();
        let mut new = Catalog {
            features: match is_new {
                true => random.subset(85, features()),
                false => features().filter(|id| old.features.contains(id) ^ random.chance(3)).collect(),
            },
            resource_types: random_types(random, old),
            must_hold_role: if random.chance(if is_new { 100 } else { 8 }) {
                random.chance(25)
            } else {
                old.must_hold_role
            },
            custom_roles: if random.chance(if is_new { 100 } else { 8 }) {
                random_parts(random)
            } else {
                old.custom_roles
            },
            ..Catalog::default()
        };
        new.api_scopes = random_api_scopes(random, old);
        new.permissions = random_permissions(random, old, &new);
        new.policies = random_policies(random, old, &new);
        new.roles = random_roles(random, old, &new);
        new.mutually_exclusive = random_pairs(random, old, &new);
        new
    }
}

fn random_types(random: &mut Random, old: &Catalog) -> BTreeMap<String, ResourceType> {
    let mut types = BTreeMap::new();
    let stays = random.chance(85);
    for (id, plural, parent) in TYPES {
        let same = old.resource_types.get(id).filter(|_| stays || random.chance(85)).cloned();
        let made = match random.below(12) {
            0 => None,
            1 if id == "line" => Some((plural, Some("site"))),
            1 if id == "desk" => Some((plural, Some("site"))),
            2 if id == "line" => Some(("phones", parent)),
            _ => Some((plural, parent)),
        };
        let made = made.filter(|_| !stays || old.resource_types.is_empty());
        let made = made.map(|(plural, parent)| ResourceType { plural: plural.into(), parent: parent.map(Into::into) });
        if let Some(each) = same.or(made) {
            types.insert(id.to_owned(), each);
        }
    }
    let known: Set = types.keys().cloned().collect();
    types.values_mut().for_each(|each| each.parent = each.parent.take().filter(|parent| known.contains(parent)));
    types
}

fn random_parts(random: &mut Random) -> CustomRoleParts {
    if random.chance(6) {
        return CustomRoleParts::default();
    }
    let mut part = || random.chance(88);
    CustomRoleParts { permissions: part(), parents: part(), managed_policies: part(), custom_policies: part() }
}

fn random_api_scopes(random: &mut Random, old: &Catalog) -> BTreeMap<String, Set> {
    let mut scopes: BTreeMap<String, Set> = BTreeMap::new();
    for (number, id) in api_scopes().enumerate() {
        if random.chance(4) {
            continue;
        }
        // Only later ones are included, so there are no cycles.
        let later = random.subset(30, api_scopes().skip(number + 1));
        let includes = old.api_scopes.get(&id).filter(|_| random.chance(95)).cloned().unwrap_or(later);
        scopes.insert(id, includes);
    }
    let known: Set = scopes.keys().cloned().collect();
    scopes.values_mut().for_each(|includes| includes.retain(|scope| known.contains(scope)));
    scopes
}

fn random_permissions(random: &mut Random, old: &Catalog, new: &Catalog) -> BTreeMap<String, Permission> {
    let mut defined = BTreeMap::new();
    let types = || new.resource_types.keys().cloned();
    for id in permissions() {
        let same = old.permissions.get(&id).filter(|_| random.chance(95)).cloned();
        let mut definition = match same {
            Some(same) => same,
            None if random.chance(5) => continue,
            None => Permission {
                feature: if random.chance(50) { random.pick(features()) } else { None },
                internal: random.chance(10),
                section: random.pick(sections()).unwrap_or_default(),
                api_scopes: random.subset(25, api_scopes()),
                resource_type: if random.chance(65) { random.pick(types()) } else { None },
                facets: match random.below(10) {
                    0..4 => random.pick(types().chain(["feature".to_owned()])).into_iter().collect(),
                    4 => random.subset(40, types().chain(["feature".to_owned()])),
                    _ => Set::new(),
                },
                condition: random.chance(15).then(|| random_condition(random, new, 2)),
            },
        };
        definition.feature = definition.feature.filter(|feature| new.features.contains(feature));
        definition.api_scopes.retain(|scope| new.api_scopes.contains_key(scope));
        definition.resource_type = definition.resource_type.filter(|id| new.resource_types.contains_key(id));
        let has_feature = definition.feature.is_some();
        definition.facets.retain(|facet| match facet.as_str() {
            "feature" => has_feature,
            facet => new.resource_types.contains_key(facet),
        });
        defined.insert(id, definition);
    }
    defined
}

fn random_policies(random: &mut Random, old: &Catalog, new: &Catalog) -> BTreeMap<String, Vec<Statement>> {
    let mut policies = BTreeMap::new();
    for id in ids('q', 4) {
        let same = old.policies.get(&id).filter(|_| random.chance(90)).cloned();
        let mut statements = match same {
            Some(same) => same,
            None if random.chance(15) => continue,
            None => random_statements(random, new, true),
        };
        statements.retain(|statement| fits(new, statement, true));
        if !statements.is_empty() {
            policies.insert(id, statements);
        }
    }
    policies
}

/// The last role is internal, and each has only earlier ones as parents. Often they stand above each other in a line.
fn random_roles(random: &mut Random, old: &Catalog, new: &Catalog) -> BTreeMap<String, Role> {
    let mut roles: BTreeMap<String, Role> = BTreeMap::new();
    let in_line = random.chance(50);
    for (number, id) in managed_roles().enumerate() {
        let internal = number == 5 || random.chance(2);
        let same = old.roles.get(&id).filter(|_| random.chance(90)).cloned();
        let mut role = match same {
            Some(same) => same,
            None if random.chance(8) => continue,
            None => Role {
                internal,
                permissions: random.subset(22, new.permissions.keys().cloned()),
                policies: random.subset(30, new.policies.keys().cloned()),
                parents: match in_line {
                    true => managed_roles().take(number).last().into_iter().collect(),
                    false => random.subset(25, managed_roles().take(number)),
                },
                covers: random.subset(20, new.resource_types.keys().cloned().chain(["feature".to_owned()])),
                always_held: !internal && number == 0 && random.chance(60),
                max_holders: (number == 2 && random.chance(50)).then(|| 2 + random.below(3)),
            },
        };
        role.permissions.retain(|id| new.permissions.get(id).is_some_and(|each| role.internal || !each.internal));
        role.policies.retain(|id| new.policies.contains_key(id));
        role.parents.retain(|id| roles.get(id).is_some_and(|parent| role.internal || !parent.internal));
        role.covers.retain(|facet| facet == "feature" || new.resource_types.contains_key(facet));
        roles.insert(id, role);
    }
    roles
}

/// Pairs of roles, none of which any role reaches both of.
fn random_pairs(random: &mut Random, old: &Catalog, new: &Catalog) -> Vec<(String, String)> {
    let made = || ("m1".to_owned(), "m3".to_owned());
    let wanted = if random.chance(92) && !old.roles.is_empty() {
        old.mutually_exclusive.clone()
    } else {
        (0..1).filter(|_| random.chance(50)).map(|_| made()).collect()
    };
    let reached = |id: &String| {
        let mut all = BTreeSet::from([id.clone()]);
        loop {
            let above: BTreeSet<String> = all.iter().flat_map(|id| new.roles[id].parents.clone()).collect();
            if above.is_subset(&all) {
                return all;
            }
            all.extend(above);
        }
    };
    let may_be = |(one, other): &(String, String)| {
        let known = new.roles.contains_key(one) && new.roles.contains_key(other);
        known && !new.roles.keys().map(reached).any(|all| all.contains(one) && all.contains(other))
    };
    wanted.into_iter().filter(may_be).collect()
}
