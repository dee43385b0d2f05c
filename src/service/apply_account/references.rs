//! What a file names and only the catalog can tell: looked up, and everything that the catalog does not have reported.

use std::collections::{HashMap, HashSet};

use super::{
    super::{MAX_ACCESS_VALUES, custom_roles::permission_number, facts},
    Parents, Policies,
};
use crate::{
    engine::CompiledCatalog,
    files::{
        AccessDefinition, AccountDefinition, FacetName, Located, PolicyDefinition, PolicyName, Problems,
        RoleDefinition, RoleGrant, RoleName, StatementDefinition, UserDefinition, Vocabulary,
    },
    model::{CatalogDefinition, Facet, FeatureId, MAX_ROLE_DEPTH, Number, PermissionId, RoleId, Statement},
};

/// The numbers of what a file names in the catalog.
pub(super) struct Names {
    pub(super) features: Vec<Number>,
}

/// Looks up every name that only the catalog can tell, and reports each that it does not have. `policies`: the account's
/// custom policies as they are; patterns that are in them may stay there. `parents`: those of its custom roles as they are.
/// Cost: linear in the file, and in the catalog.
pub(super) fn resolve(
    catalog: &CompiledCatalog,
    file: &AccountDefinition,
    policies: &Policies,
    parents: &Parents,
    problems: &mut Problems,
) -> Names {
    let definition = &catalog.catalog().definition;
    let mut resolver = Resolver { catalog, definition, problems };
    let mut features: Vec<Number> = Vec::new();
    for (index, feature) in file.features.iter().enumerate() {
        features.extend(resolver.feature(feature.value.as_str(), feature, &format!("features[{index}]")));
    }
    features.sort_unstable();
    features.dedup();
    for (index, resource) in file.resources.iter().enumerate() {
        if catalog.type_of_path(resource.path.value.as_str()).is_none() {
            let given = resource.path.value.as_str();
            let expected = super::super::resources::paths_of_catalog(catalog);
            let message = format_args!("resources[{index}].path: {given:?} was given; {expected}");
            resolver.problems.add(resource.path.at, message);
        }
    }
    let mut vocabulary = Vocabulary::of_catalog(definition, false);
    for (index, policy) in file.policies.iter().enumerate() {
        let before = policies.get(&policy.id.value).map_or(&[][..], |(_, record)| &record.statements);
        resolver.policy(policy, &format!("policies[{index}]"), before, &mut vocabulary);
    }
    for (index, role) in file.roles.iter().enumerate() {
        resolver.role(role, &format!("roles[{index}]"));
    }
    resolver.depths(&file.roles, parents);
    for (index, team) in file.teams.iter().enumerate() {
        let place = format!("teams[{index}]");
        resolver.grants(&place, &team.roles);
        resolver.access(&place, &team.access);
    }
    for (index, user) in file.users.iter().enumerate() {
        resolver.user(&format!("users[{index}]"), user);
    }
    for (index, service_account) in file.service_accounts.iter().enumerate() {
        resolver.grants(&format!("service_accounts[{index}]"), &service_account.roles);
    }
    Names { features }
}

/// Looks up every name of users that only the catalog can tell, and reports each that it does not have.
pub(super) fn resolve_users(catalog: &CompiledCatalog, users: &[UserDefinition], problems: &mut Problems) {
    let mut resolver = Resolver { catalog, definition: &catalog.catalog().definition, problems };
    for user in users {
        resolver.user(&format!("users/{}", user.id.value), user);
    }
}

/// The facet of a name in a file.
pub(super) fn facet(catalog: &CompiledCatalog, name: &FacetName) -> Option<Facet> {
    catalog.facet(name.as_str())
}

/// The catalog that names are looked up in, and what it does not have.
struct Resolver<'a> {
    catalog: &'a CompiledCatalog,
    definition: &'a CatalogDefinition,
    problems: &'a mut Problems,
}

impl Resolver<'_> {
    fn feature<T>(&mut self, id: &str, at: &Located<T>, place: &str) -> Option<Number> {
        let number = self.catalog.feature_number(id);
        if number.is_none() {
            let known = self.definition.features.iter().map(|feature| FeatureId::as_str(&feature.id));
            self.problems.add_unknown(at.at, place, id, "a feature of the catalog", known);
        }
        number
    }

    fn permission(&mut self, permission: &Located<PermissionId>, place: &str) {
        if permission_number(self.catalog, &permission.value).is_none() {
            let known = self.definition.permissions.iter().filter(|each| !each.internal).map(|each| each.id.as_str());
            let given = permission.value.as_str();
            self.problems.add_unknown(permission.at, place, given, "a permission of the catalog", known);
        }
    }

    fn policy(
        &mut self,
        policy: &PolicyDefinition,
        place: &str,
        before: &[Statement],
        vocabulary: &mut Vocabulary<'_>,
    ) {
        let statements: Vec<Statement> = policy.statements.iter().map(StatementDefinition::statement).collect();
        if statements == before {
            return;
        }
        if !self.definition.custom_roles.custom_policies {
            let id = &self.definition.id;
            let message = format_args!("{place}: the catalog {id} does not offer custom access policies");
            return self.problems.add(policy.id.at, message);
        }
        let permissions: HashSet<_> = before.iter().flat_map(|statement| &statement.permissions).collect();
        let resources: HashSet<_> = before.iter().flat_map(|statement| &statement.resources).collect();
        for (index, statement) in policy.statements.iter().enumerate() {
            let place = format!("{place}.statements[{index}]");
            for (position, pattern) in statement.permissions.iter().enumerate() {
                let (given, at) = (&pattern.value, pattern.at);
                if !permissions.contains(given) && !vocabulary.has_permission(given) {
                    let known = vocabulary.permissions();
                    let expected = "a pattern that matches a permission of the catalog";
                    let place = format_args!("{place}.permissions[{position}]");
                    self.problems.add_unknown(at, place, given.as_str(), expected, known);
                }
            }
            for (position, pattern) in statement.resources.iter().enumerate() {
                let (given, at) = (&pattern.value, pattern.at);
                if !resources.contains(given) && !vocabulary.has_path(given) {
                    let message = format_args!(
                        "{place}.resources[{position}]: {:?} matches no path of the catalog's resource types",
                        given.as_str()
                    );
                    self.problems.add(at, message);
                }
            }
        }
    }

    fn role(&mut self, role: &RoleDefinition, place: &str) {
        for (position, permission) in role.permissions.iter().enumerate() {
            self.permission(permission, &format!("{place}.permissions[{position}]"));
        }
        for (position, policy) in role.policies.iter().enumerate() {
            let PolicyName::Managed(id) = &policy.value else { continue };
            if self.catalog.policy_number(id.as_str()).is_none() {
                let known = self.definition.policies.iter().map(|policy| policy.id.as_str());
                let expected = "a managed access policy of the catalog (a custom one is written custom/ID)";
                let place = format_args!("{place}.policies[{position}]");
                self.problems.add_unknown(policy.at, place, id.as_str(), expected, known);
            }
        }
        for (position, parent) in role.parents.iter().enumerate() {
            self.managed_role(parent, &format!("{place}.parents[{position}]"), false);
        }
        for (position, covered) in role.covers.iter().enumerate() {
            self.facet(covered, &format!("{place}.covers[{position}]"));
        }
        for (position, scope) in role.left_out_api_scopes.iter().enumerate() {
            if self.catalog.api_scope(scope.value.as_str()).is_none() {
                let known = self.definition.api_scopes.iter().map(|each| each.id.as_str());
                let place = format_args!("{place}.left_out_api_scopes[{position}]");
                let given = scope.value.as_str();
                self.problems.add_unknown(scope.at, place, given, "an API scope of the catalog", known);
            }
        }
    }

    fn managed_role(&mut self, role: &Located<RoleName>, place: &str, with_internal: bool) {
        let RoleName::Managed(id) = &role.value else { return };
        let found = self.catalog.role(id.as_str());
        if found.is_none_or(|found| !with_internal && facts::is_internal(self.catalog, found)) {
            let known = self.definition.roles.iter().filter(|role| with_internal || !role.internal);
            let expected = "a managed role of the catalog (a custom one is written custom/ID)";
            self.problems.add_unknown(role.at, place, id.as_str(), expected, known.map(|role| role.id.as_str()));
        }
    }

    fn facet(&mut self, name: &Located<FacetName>, place: &str) -> Option<Facet> {
        let found = facet(self.catalog, &name.value);
        if found.is_none() {
            let known = self.definition.resource_types.iter().map(|each| each.id.as_str()).chain(["feature"]);
            let given = name.value.as_str();
            self.problems.add_unknown(name.at, place, given, "a facet of the catalog", known);
        }
        found
    }

    fn grants(&mut self, place: &str, grants: &[RoleGrant]) {
        for (position, grant) in grants.iter().enumerate() {
            self.managed_role(&grant.role, &format!("{place}.roles[{position}]"), true);
        }
    }

    fn user(&mut self, place: &str, user: &UserDefinition) {
        self.grants(place, &user.roles);
        self.access(place, &user.access);
        for (position, exception) in user.exceptions.iter().enumerate() {
            self.permission(&exception.permission, &format!("{place}.exceptions[{position}].permission"));
        }
    }

    fn access(&mut self, place: &str, access: &[AccessDefinition]) {
        for (index, list) in access.iter().enumerate() {
            let place = format!("{place}.access[{index}]");
            let Some(facet) = self.facet(&list.facet, &format!("{place}.facet")) else { continue };
            if list.values.len() > MAX_ACCESS_VALUES {
                let count = list.values.len();
                let message = format_args!("{place}.values: {count} were given; expected at most {MAX_ACCESS_VALUES}");
                self.problems.add(list.facet.at, message);
                continue;
            }
            for (position, value) in list.values.iter().enumerate() {
                let place = format!("{place}.values[{position}]");
                match facet {
                    Facet::Feature => {
                        self.feature(&value.value, value, &place);
                    }
                    Facet::Type(wanted) if self.catalog.type_of_path(&value.value) == Some(wanted) => {}
                    Facet::Type(_) => {
                        let (given, expected) = (&value.value, list.facet.value.as_str());
                        let message =
                            format_args!("{place}: {given:?} was given; expected a resource of the type {expected:?}");
                        self.problems.add(value.at, message);
                    }
                }
            }
        }
    }

    /// Reports the roles from which there are too many steps to the last of their parents, unless neither they nor any above
    /// them get a parent that they did not have: a load of the catalog made them what they are, and what was exported can
    /// be applied. Cost: linear in the parents, a few times over.
    fn depths(&mut self, roles: &[RoleDefinition], before: &Parents) {
        let mut managed = vec![0; self.definition.roles.len()];
        for _ in 0..=MAX_ROLE_DEPTH {
            let steps = |parent: &crate::model::RoleIndex| managed.get(parent.position()).map_or(1, |depth| depth + 1);
            let roles = self.definition.roles.iter();
            managed = roles.map(|role| role.parents.iter().map(steps).max().unwrap_or(0)).collect();
        }
        let ids = self.definition.roles.iter().map(|role| &role.id);
        let managed: HashMap<&RoleId, usize> = ids.zip(managed).collect();
        let mut custom: HashMap<&RoleId, usize> = HashMap::new();
        // After each round the depths are right for those that are no deeper than rounds were made.
        for _ in 0..=MAX_ROLE_DEPTH + 1 {
            let steps = |parent: &Located<RoleName>| match &parent.value {
                RoleName::Managed(id) => managed.get(id).map_or(1, |depth| depth + 1),
                RoleName::Custom(id) => custom.get(id).map_or(1, |depth| depth + 1),
            };
            let depth = |role: &RoleDefinition| role.parents.iter().map(steps).max().unwrap_or(0);
            custom = roles.iter().map(|role| (&role.id.value, depth(role))).collect();
        }
        let is_new = |role: &&RoleDefinition| {
            let before = before.get(&role.id.value);
            role.parents.iter().any(|parent| !before.is_some_and(|of| of.contains(&parent.value.to_string())))
        };
        let mut changed: HashSet<&RoleId> = roles.iter().filter(is_new).map(|role| &role.id.value).collect();
        for _ in 0..=MAX_ROLE_DEPTH + 1 {
            let is_below = |role: &&RoleDefinition| {
                let mut parents = role.parents.iter();
                parents.any(|parent| matches!(&parent.value, RoleName::Custom(id) if changed.contains(id)))
            };
            let below: Vec<&RoleId> = roles.iter().filter(is_below).map(|role| &role.id.value).collect();
            changed.extend(below);
        }
        for (index, role) in roles.iter().enumerate() {
            let is_deep = custom.get(&role.id.value).is_some_and(|depth| *depth > MAX_ROLE_DEPTH);
            if is_deep && changed.contains(&role.id.value) {
                let message = format_args!(
                    "roles[{index}]: there are more than {MAX_ROLE_DEPTH} steps from the role to the last of its parents"
                );
                self.problems.add(role.id.at, message);
            }
        }
    }
}
