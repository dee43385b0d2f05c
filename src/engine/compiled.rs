//! A catalog made ready for decisions: names looked up once, roles as sets, included API scopes written out.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use super::{
    ApiScopeSet, Conditions, PermissionSet, PolicyFacts, PolicyName, ReadyCondition, RoleFacts, RoleOrigin,
    StatementFacts,
};
use crate::model::{
    ApiScopeId, ApiScopeIndex, Catalog, CatalogDefinition, Facet, FacetNumber, FeatureIndex, Index, MAX_PATH_TYPES,
    Number, PermissionDefinition, PermissionId, PermissionIndex, PolicyIndex, PolicyRecord, ResourceTypeIndex, RoleId,
    RoleIndex, RoleRecord, Statement, pairs,
};

/// The name of the facet of features.
pub const FEATURE_FACET: &str = "feature";

/// A catalog made ready for decisions. Made once for each version of a catalog and shared by all its accounts.
/// Size: linear in the catalog, and one bit for each role, each statement and each facet, and permission.
#[derive(Debug)]
pub struct CompiledCatalog {
    catalog: Catalog,
    language: Arc<dyn Conditions>,
    permission_by_id: HashMap<PermissionId, PermissionIndex, FixedState>,
    permission_by_number: HashMap<Number, PermissionIndex>,
    feature_by_number: HashMap<Number, FeatureIndex>,
    role_by_id: HashMap<RoleId, Arc<RoleFacts>>,
    role_by_number: HashMap<Number, Arc<RoleFacts>>,
    policy_by_number: HashMap<Number, PolicyIndex>,
    policies: Vec<Vec<Arc<StatementFacts>>>,
    assignable: PermissionSet,
    /// The conditions of permissions.
    conditions: HashMap<PermissionIndex, ReadyCondition>,
    conditional: PermissionSet,
    /// What each facet bounds.
    bounded: Vec<(Facet, PermissionSet)>,
    /// Each type with those above it, from the top down, itself too.
    chains: Vec<Vec<ResourceTypeIndex>>,
    api_scope_by_id: HashMap<ApiScopeId, ApiScopeIndex, FixedState>,
    /// What each API scope comes to with all that it includes, itself too.
    included_in: Vec<ApiScopeSet>,
    /// What the API scopes of each permission come to.
    api_scopes_of: Vec<ApiScopeSet>,
    api_scopes_by_id_order: Vec<ApiScopeIndex>,
    permissions_by_id_order: Vec<PermissionIndex>,
}

impl CompiledCatalog {
    /// Makes a catalog ready. Cost: linear in the catalog, in the API scopes that each permission ends up with, and in the
    /// permissions for each pattern.
    #[must_use]
    pub fn new(catalog: Catalog, language: Arc<dyn Conditions>) -> Self {
        let definition = &catalog.definition;
        let indexes = || (0u32..).map(PermissionIndex).zip(&definition.permissions);
        let none = || PermissionSet::with_capacity(definition.permissions.len());
        let (mut assignable, mut conditional) = (none(), none());
        let mut conditions = HashMap::new();
        let mut bounded: Vec<(Facet, PermissionSet)> = Vec::new();
        for (index, permission) in indexes() {
            if !permission.internal {
                assignable.insert(index);
            }
            if let Some(condition) = &permission.condition {
                conditional.insert(index);
                conditions.insert(index, ReadyCondition::new(condition, &*language));
            }
            for facet in &permission.facets {
                if !bounded.iter().any(|(of, _)| of == facet) {
                    bounded.push((*facet, none()));
                }
                for (_, permissions) in bounded.iter_mut().filter(|(of, _)| of == facet) {
                    permissions.insert(index);
                }
            }
        }
        let policies: Vec<Vec<Arc<StatementFacts>>> = (0u32..)
            .map(PolicyIndex)
            .zip(&definition.policies)
            .map(|(index, policy)| {
                let name = PolicyName::Managed(index, policy.id.clone());
                statements(definition, &assignable, &*language, &name, &policy.statements)
            })
            .collect();

        let mut role_by_id = HashMap::new();
        let mut role_by_number = HashMap::new();
        for (position, (role, number)) in definition.roles.iter().zip(&catalog.role_numbers).enumerate() {
            let mut permissions = none();
            for permission in &role.permissions {
                permissions.insert(*permission);
            }
            if !role.internal {
                permissions.intersect_with(&assignable);
            }
            // A role that is not internal reaches none that is, whatever a file says.
            let parent = |index: &RoleIndex| {
                let parent = definition.roles.get(index.position())?;
                let number = catalog.role_numbers.get(index.position())?;
                (role.internal || !parent.internal).then_some(*number)
            };
            let contained = role.policies.iter().filter_map(|index| policies.get(index.position()));
            let facts = Arc::new(RoleFacts {
                number: *number,
                id: role.id.clone(),
                origin: RoleOrigin::Catalog { position },
                is_internal: role.internal,
                permissions,
                statements: contained.flatten().cloned().collect(),
                covers: role.covers.clone(),
                parents: role.parents.iter().filter_map(parent).collect(),
                left_out: ApiScopeSet::default(),
            });
            role_by_id.insert(role.id.clone(), Arc::clone(&facts));
            role_by_number.insert(*number, facts);
        }

        let mut permissions_by_id_order: Vec<_> = indexes().collect();
        permissions_by_id_order.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
        let scopes = || (0..).map(ApiScopeIndex).zip(&definition.api_scopes);
        let mut api_scopes_by_id_order: Vec<_> = scopes().collect();
        api_scopes_by_id_order.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
        Self {
            permission_by_id: indexes().map(|(index, permission)| (permission.id.clone(), index)).collect(),
            permission_by_number: catalog.permission_numbers.iter().copied().zip((0..).map(PermissionIndex)).collect(),
            feature_by_number: catalog.feature_numbers.iter().copied().zip((0..).map(FeatureIndex)).collect(),
            role_by_id,
            role_by_number,
            policy_by_number: catalog.policy_numbers.iter().copied().zip((0..).map(PolicyIndex)).collect(),
            policies,
            conditions,
            conditional,
            bounded,
            chains: (0..definition.resource_types.len()).map(|index| chain(definition, Index::at(index))).collect(),
            assignable,
            api_scope_by_id: scopes().map(|(index, scope)| (scope.id.clone(), index)).collect(),
            included_in: scopes().map(|(index, _)| included(&catalog, &[index])).collect(),
            api_scopes_of: definition
                .permissions
                .iter()
                .map(|permission| included(&catalog, &permission.api_scopes))
                .collect(),
            api_scopes_by_id_order: api_scopes_by_id_order.into_iter().map(|(index, _)| index).collect(),
            permissions_by_id_order: permissions_by_id_order.into_iter().map(|(index, _)| index).collect(),
            language,
            catalog,
        }
    }

    /// The catalog itself.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Finds a permission by its id. Cost: one look-up.
    #[must_use]
    pub fn permission(&self, id: &str) -> Option<PermissionIndex> {
        self.permission_by_id.get(id).copied()
    }

    /// The definition of a permission of this catalog.
    #[must_use]
    pub fn definition(&self, permission: PermissionIndex) -> Option<&PermissionDefinition> {
        self.catalog.definition.permissions.get(permission.position())
    }

    /// All permissions, ordered by id.
    pub fn permissions(&self) -> impl Iterator<Item = PermissionIndex> + '_ {
        self.permissions_by_id_order.iter().copied()
    }

    /// The permission of a number; none if the catalog has it no more.
    #[must_use]
    pub fn permission_of_number(&self, number: Number) -> Option<PermissionIndex> {
        self.permission_by_number.get(&number).copied()
    }

    /// The number of a permission.
    #[must_use]
    pub fn number_of_permission(&self, permission: PermissionIndex) -> Option<Number> {
        self.catalog.permission_numbers.get(permission.position()).copied()
    }

    /// The feature of a number; none if the catalog has it no more.
    #[must_use]
    pub fn feature_of_number(&self, number: Number) -> Option<FeatureIndex> {
        self.feature_by_number.get(&number).copied()
    }

    /// The number of a feature id. Cost: linear in the features.
    #[must_use]
    pub fn feature_number(&self, id: &str) -> Option<Number> {
        let position = self.catalog.definition.features.iter().position(|feature| feature.id.as_str() == id)?;
        self.catalog.feature_numbers.get(position).copied()
    }

    /// The number of a managed policy. Cost: linear in the policies.
    #[must_use]
    pub fn policy_number(&self, id: &str) -> Option<Number> {
        let position = self.catalog.definition.policies.iter().position(|policy| policy.id.as_str() == id)?;
        self.catalog.policy_numbers.get(position).copied()
    }

    /// The managed policy of a number; none if the catalog has it no more.
    #[must_use]
    pub fn policy_of_number(&self, number: Number) -> Option<PolicyIndex> {
        self.policy_by_number.get(&number).copied()
    }

    /// A policy of an account made ready: it reaches no internal permission. Cost: linear in the permissions for each of
    /// its patterns.
    #[must_use]
    pub fn custom_policy(&self, number: Number, record: &PolicyRecord) -> PolicyFacts {
        let name = PolicyName::Custom(record.id.clone());
        let definition = &self.catalog.definition;
        let statements = statements(definition, &self.assignable, &*self.language, &name, &record.statements);
        PolicyFacts { number, statements }
    }

    /// The permissions that a customer can have: all but internal ones.
    #[must_use]
    pub fn assignable(&self) -> &PermissionSet {
        &self.assignable
    }

    /// The permissions that have a condition of their own.
    #[must_use]
    pub fn conditional(&self) -> &PermissionSet {
        &self.conditional
    }

    /// The condition of a permission.
    #[must_use]
    pub fn condition(&self, permission: PermissionIndex) -> Option<&ReadyCondition> {
        self.conditions.get(&permission)
    }

    /// Each facet that bounds a permission, with all that it bounds.
    #[must_use]
    pub fn bounded(&self) -> &[(Facet, PermissionSet)] {
        &self.bounded
    }

    /// The types from the top down to one, itself too.
    #[must_use]
    pub fn chain(&self, resource_type: ResourceTypeIndex) -> &[ResourceTypeIndex] {
        self.chains.get(resource_type.position()).map_or(&[], Vec::as_slice)
    }

    /// How many types there are from the top down to one, itself too.
    #[must_use]
    pub fn depth(&self, resource_type: ResourceTypeIndex) -> usize {
        self.chain(resource_type).len()
    }

    /// Whether a type is another one or lies below it.
    #[must_use]
    pub fn is_within_type(&self, resource_type: ResourceTypeIndex, other: ResourceTypeIndex) -> bool {
        self.chain(resource_type).contains(&other)
    }

    /// The permissions that provide an API scope, or one that includes it. Cost: linear in the permissions.
    pub fn providing(&self, scope: ApiScopeIndex) -> impl Iterator<Item = PermissionIndex> + '_ {
        let indexes = (0u32..).map(PermissionIndex).zip(&self.api_scopes_of);
        indexes.filter(move |(_, scopes)| scopes.contains(scope)).map(|(index, _)| index)
    }

    /// Whether a permission provides an API scope, itself or by inclusion, although this is left out.
    #[must_use]
    pub fn provides(&self, permission: PermissionIndex, scope: ApiScopeIndex, left_out: &ApiScopeSet) -> bool {
        let own = self.definition(permission).into_iter().flat_map(|permission| &permission.api_scopes);
        let mut kept = own.filter(|index| !left_out.contains(**index));
        kept.any(|index| self.included_in.get(index.position()).is_some_and(|included| included.contains(scope)))
    }

    /// Finds a resource type by its id. Cost: linear in the types.
    #[must_use]
    pub fn resource_type(&self, id: &str) -> Option<ResourceTypeIndex> {
        self.catalog.definition.resource_types.iter().position(|each| each.id.as_str() == id).map(Index::at)
    }

    /// The number of a resource type.
    #[must_use]
    pub fn number_of_resource_type(&self, resource_type: ResourceTypeIndex) -> Option<Number> {
        self.catalog.resource_type_numbers.get(resource_type.position()).copied()
    }

    /// The resource type of a number; none if the catalog has it no more. Cost: linear in the types.
    #[must_use]
    pub fn resource_type_of_number(&self, number: Number) -> Option<ResourceTypeIndex> {
        self.catalog.resource_type_numbers.iter().position(|each| *each == number).map(Index::at)
    }

    /// The type that a path ends at, if its words are those of the catalog's types, each right below the one before.
    /// Cost: linear in the path, and in the types for each of its words.
    #[must_use]
    pub fn type_of_path(&self, path: &str) -> Option<ResourceTypeIndex> {
        let types = &self.catalog.definition.resource_types;
        let mut reached = None;
        for (plural, _) in pairs(path) {
            let below = types.iter().position(|each| each.plural.as_str() == plural && each.parent == reached)?;
            reached = Some(Index::at(below));
        }
        reached
    }

    /// The facet of a name: `feature`, or a resource type's id.
    #[must_use]
    pub fn facet(&self, name: &str) -> Option<Facet> {
        if name == FEATURE_FACET { Some(Facet::Feature) } else { self.resource_type(name).map(Facet::Type) }
    }

    /// The name of a facet: `feature`, or a resource type's id.
    #[must_use]
    pub fn facet_name(&self, facet: Facet) -> &str {
        match facet {
            Facet::Feature => FEATURE_FACET,
            Facet::Type(index) => {
                self.catalog.definition.resource_types.get(index.position()).map_or("", |each| each.id.as_str())
            }
        }
    }

    /// A facet by its number, which stays with it from one version of the catalog to the next.
    #[must_use]
    pub fn number_of_facet(&self, facet: Facet) -> Option<FacetNumber> {
        match facet {
            Facet::Feature => Some(FacetNumber::Feature),
            Facet::Type(index) => self.number_of_resource_type(index).map(FacetNumber::Type),
        }
    }

    /// The facet of a number; none if the catalog has it no more.
    #[must_use]
    pub fn facet_of_number(&self, facet: FacetNumber) -> Option<Facet> {
        match facet {
            FacetNumber::Feature => Some(Facet::Feature),
            FacetNumber::Type(number) => self.resource_type_of_number(number).map(Facet::Type),
        }
    }

    /// A managed or internal role by its id.
    #[must_use]
    pub fn role(&self, id: &str) -> Option<&Arc<RoleFacts>> {
        self.role_by_id.get(id)
    }

    /// A managed or internal role by its number; none if the catalog has it no more.
    #[must_use]
    pub fn role_of_number(&self, number: Number) -> Option<&Arc<RoleFacts>> {
        self.role_by_number.get(&number)
    }

    /// A custom role made ready as far as it does not depend on the account's policies: to be shown.
    #[must_use]
    pub fn custom_role(&self, number: Number, record: &RoleRecord) -> RoleFacts {
        self.custom_role_with(number, record, &[])
    }

    /// A custom role made ready: what it lists, less what this catalog has no more and what is internal. `policies`: those of
    /// the account that it contains; one that is not among them is void, and so is an internal role as a parent.
    #[must_use]
    pub fn custom_role_with(&self, number: Number, record: &RoleRecord, policies: &[Arc<PolicyFacts>]) -> RoleFacts {
        let mut permissions = PermissionSet::with_capacity(self.catalog.definition.permissions.len());
        for permission in record.permissions.iter().filter_map(|number| self.permission_of_number(*number)) {
            permissions.insert(permission);
        }
        permissions.intersect_with(&self.assignable);
        let mut statements = Vec::new();
        for number in &record.policies {
            let managed = self.policy_of_number(*number).and_then(|index| self.policies.get(index.position()));
            let custom = policies.iter().find(|policy| policy.number == *number).map(|policy| &policy.statements);
            statements.extend(managed.or(custom).into_iter().flatten().cloned());
        }
        let is_internal = |number: &Number| self.role_of_number(*number).is_some_and(|role| role.is_internal);
        RoleFacts {
            number,
            id: record.id.clone(),
            origin: RoleOrigin::Account,
            is_internal: false,
            permissions,
            statements,
            covers: record.covers.iter().filter_map(|facet| self.facet_of_number(*facet)).collect(),
            parents: record.parents.iter().filter(|number| !is_internal(number)).copied().collect(),
            left_out: self.left_out(&record.left_out_api_scopes),
        }
    }

    /// What a role that leaves these API scopes out does not provide: they, and every one that includes one of them.
    /// Cost: linear in the catalog's API scopes; none if nothing is left out.
    fn left_out(&self, ids: &[ApiScopeId]) -> ApiScopeSet {
        if ids.is_empty() {
            return ApiScopeSet::default();
        }
        let mut named = ApiScopeSet::with_capacity(self.included_in.len());
        for index in ids.iter().filter_map(|id| self.api_scope(id.as_str())) {
            named.insert(index);
        }
        let mut left_out = ApiScopeSet::with_capacity(self.included_in.len());
        for (index, included) in (0..).map(ApiScopeIndex).zip(&self.included_in) {
            if included.intersects(&named) {
                left_out.insert(index);
            }
        }
        left_out
    }

    /// The permissions whose feature is among the given ones, or that have none.
    #[must_use]
    pub fn entitled(&self, features: &[Number]) -> PermissionSet {
        let mut entitled = vec![false; self.catalog.definition.features.len()];
        for feature in features.iter().filter_map(|number| self.feature_of_number(*number)) {
            if let Some(is_entitled) = entitled.get_mut(feature.position()) {
                *is_entitled = true;
            }
        }
        let mut permissions = PermissionSet::with_capacity(self.catalog.definition.permissions.len());
        for (index, definition) in (0..).map(PermissionIndex).zip(&self.catalog.definition.permissions) {
            let gate = definition.feature.map(|feature| entitled.get(feature.position()).copied().unwrap_or(false));
            if gate.unwrap_or(true) {
                permissions.insert(index);
            }
        }
        permissions
    }

    /// Finds an API scope by its id. Cost: one look-up.
    #[must_use]
    pub fn api_scope(&self, id: &str) -> Option<ApiScopeIndex> {
        self.api_scope_by_id.get(id).copied()
    }

    /// No permission of this catalog.
    #[must_use]
    pub fn no_permissions(&self) -> PermissionSet {
        PermissionSet::with_capacity(self.catalog.definition.permissions.len())
    }

    /// No API scope of this catalog.
    #[must_use]
    pub fn no_api_scopes(&self) -> ApiScopeSet {
        ApiScopeSet::with_capacity(self.included_in.len())
    }

    /// Adds the API scopes that a permission provides, included ones too, less what is left out. Cost: one step for
    /// each 64 API scopes of the catalog; if something is left out, for each of the permission's own too.
    pub fn add_api_scopes(&self, permission: PermissionIndex, left_out: &ApiScopeSet, to: &mut ApiScopeSet) {
        let Some(all) = self.api_scopes_of.get(permission.position()) else { return };
        if left_out.is_empty() {
            to.union_with(all);
            return;
        }
        // Taken away before inclusions are expanded. What is left includes nothing that is left out: that would be left
        // out with it.
        let own = self.definition(permission).into_iter().flat_map(|permission| &permission.api_scopes);
        for index in own.filter(|index| !left_out.contains(**index)) {
            if let Some(included) = self.included_in.get(index.position()) {
                to.union_with(included);
            }
        }
    }

    /// The API scopes that a permission provides, included ones too.
    #[must_use]
    pub fn api_scopes(&self, permission: PermissionIndex) -> ApiScopeSet {
        let mut scopes = self.no_api_scopes();
        self.add_api_scopes(permission, &ApiScopeSet::default(), &mut scopes);
        scopes
    }

    /// The API scopes that the permissions that a role lists provide, whatever the account is entitled to.
    /// Cost: linear in the role's permissions.
    #[must_use]
    pub fn role_api_scopes(&self, role: &RoleFacts) -> ApiScopeSet {
        let mut scopes = self.no_api_scopes();
        for permission in role.permissions.iter() {
            self.add_api_scopes(permission, &role.left_out, &mut scopes);
        }
        scopes
    }

    /// The ids of a set, in order.
    pub fn api_scope_ids<'a>(&'a self, set: &'a ApiScopeSet) -> impl Iterator<Item = &'a ApiScopeId> + 'a {
        let held = self.api_scopes_by_id_order.iter().filter(|index| set.contains(**index));
        held.filter_map(|index| self.catalog.definition.api_scopes.get(index.position())).map(|scope| &scope.id)
    }

    /// All API scopes, ordered by id.
    pub fn all_api_scopes(&self) -> impl Iterator<Item = ApiScopeIndex> + '_ {
        self.api_scopes_by_id_order.iter().copied()
    }
}

/// The types from the top down to one, itself too.
fn chain(definition: &CatalogDefinition, resource_type: ResourceTypeIndex) -> Vec<ResourceTypeIndex> {
    let mut chain = Vec::new();
    let mut next = Some(resource_type);
    while let Some(index) = next.filter(|_| chain.len() < MAX_PATH_TYPES) {
        chain.push(index);
        next = definition.resource_types.get(index.position()).and_then(|each| each.parent);
    }
    chain.reverse();
    chain
}

/// The statements of a policy made ready.
fn statements(
    definition: &CatalogDefinition,
    assignable: &PermissionSet,
    language: &dyn Conditions,
    policy: &PolicyName,
    statements: &[Statement],
) -> Vec<Arc<StatementFacts>> {
    let ready = |(position, statement): (usize, &Statement)| {
        let mut matched = PermissionSet::with_capacity(definition.permissions.len());
        for (index, permission) in (0..).map(PermissionIndex).zip(&definition.permissions) {
            if statement.permissions.iter().any(|pattern| pattern.matches(permission.id.as_str())) {
                matched.insert(index);
            }
        }
        let mut of_customers = matched.clone();
        of_customers.intersect_with(assignable);
        Arc::new(StatementFacts {
            policy: policy.clone(),
            position,
            effect: statement.effect,
            matched,
            assignable: of_customers,
            resources: statement.resources.clone(),
            condition: statement.condition.as_ref().map(|condition| ReadyCondition::new(condition, language)),
        })
    };
    statements.iter().enumerate().map(ready).collect()
}

/// What API scopes come to with all that they include.
fn included(catalog: &Catalog, own: &[ApiScopeIndex]) -> ApiScopeSet {
    let scopes = &catalog.definition.api_scopes;
    let mut reached = ApiScopeSet::with_capacity(scopes.len());
    let mut open = own.to_vec();
    while let Some(index) = open.pop() {
        if let Some(scope) = scopes.get(index.position())
            && !reached.contains(index)
        {
            reached.insert(index);
            open.extend(&scope.includes);
        }
    }
    reached
}
