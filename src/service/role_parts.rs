//! What custom roles consist of beside single permissions, what of it a catalog offers, and how it is named.
//!
//! Read [`Part`] and [`Contents`] first.

use std::collections::BTreeSet;

use super::{
    MAX_PARENTS_OR_POLICIES_OF_A_ROLE,
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, PolicyName, RoleName},
};
use crate::{
    engine::CompiledCatalog,
    model::{AccountId, CatalogRole, Facet, FacetNumber, Key, Number, RoleRecord},
    store::View,
};

/// A part that custom roles can have where the catalog offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// They list permissions.
    Permissions,
    /// They have parents.
    Parents,
    /// They contain managed policies.
    ManagedPolicies,
    /// They contain custom policies.
    CustomPolicies,
}

impl Part {
    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Parents => "parents",
            Self::ManagedPolicies => "managed_policies",
            Self::CustomPolicies => "custom_policies",
        }
    }

    /// The part that a policy is.
    fn of_policy(name: &PolicyName) -> Self {
        match name {
            PolicyName::Catalog(..) => Self::ManagedPolicies,
            PolicyName::Account(..) => Self::CustomPolicies,
        }
    }

    /// Whether a catalog offers it.
    fn is_offered(self, catalog: &CompiledCatalog) -> bool {
        let parts = catalog.catalog().definition.custom_roles;
        match self {
            Self::Permissions => parts.permissions,
            Self::Parents => parts.parents,
            Self::ManagedPolicies => parts.managed_policies,
            Self::CustomPolicies => parts.custom_policies,
        }
    }
}

/// Refuses where the catalog offers no custom roles with a part.
pub(super) fn offers_part(catalog: &CompiledCatalog, part: Part) -> Result<(), ServiceError> {
    if part.is_offered(catalog) {
        return Ok(());
    }
    let with = match part {
        Part::Permissions => "list permissions",
        Part::Parents => "have parents",
        Part::ManagedPolicies => "contain managed policies",
        Part::CustomPolicies => "contain custom policies",
    };
    let id = &catalog.catalog().definition.id;
    let message = format!("the catalog {id} does not offer custom roles that {with}");
    Err(ServiceError::new(ErrorReason::CustomRolesNotOffered, message).with("part", part.name()))
}

/// The numbers of policies, ascending, each once. Refused if one does not exist, or the catalog offers none of its kind.
pub(super) fn policy_numbers(
    view: &dyn View,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    names: &[PolicyName],
) -> Result<Vec<Number>, ServiceError> {
    let mut numbers = BTreeSet::new();
    for name in names {
        offers_part(catalog, Part::of_policy(name))?;
        numbers.insert(facts::find_policy(view, found, catalog, name)?);
    }
    Ok(numbers.into_iter().collect())
}

/// The numbers of parents, ascending, each once. Refused if one does not exist for customers, or the catalog offers no
/// parents. Whether a role can have them is for [`super::hierarchy::check_parents`].
pub(super) fn parent_numbers(
    view: &dyn View,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    names: &[RoleName],
) -> Result<Vec<Number>, ServiceError> {
    let mut numbers = BTreeSet::new();
    for name in names {
        offers_part(catalog, Part::Parents)?;
        numbers.insert(facts::find_role(view, found, catalog, name, false)?);
    }
    Ok(numbers.into_iter().collect())
}

/// The numbers of facets, ascending, each once. Refused if the catalog does not have one.
pub(super) fn facet_numbers(catalog: &CompiledCatalog, names: &[String]) -> Result<Vec<FacetNumber>, ServiceError> {
    let mut numbers = BTreeSet::new();
    for name in names {
        let number = catalog.facet(name).and_then(|facet| catalog.number_of_facet(facet));
        numbers.insert(number.ok_or_else(|| {
            let id = &catalog.catalog().definition.id;
            let message = format!("the catalog {id} has no facet {name:?}");
            ServiceError::new(ErrorReason::ResourceTypeNotFound, message).with("facet", name)
        })?);
    }
    Ok(numbers.into_iter().collect())
}

/// What a role contains beside single permissions, as far as it exists for those who see the role. Ordered by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) policies: Vec<(PolicyName, Number)>,
    pub(super) parents: Vec<(RoleName, Number)>,
    pub(super) covers: Vec<Facet>,
}

impl Contents {
    /// Those of a role of the catalog. Cost: linear in them.
    pub(super) fn of_catalog_role(catalog: &CompiledCatalog, role: &CatalogRole) -> Self {
        let whole = catalog.catalog();
        let definition = &whole.definition;
        let policy = |index: &crate::model::PolicyIndex| {
            let id = definition.policies.get(index.position())?.id.clone();
            let number = whole.policy_numbers.get(index.position())?;
            Some((PolicyName::Catalog(definition.id.clone(), id), *number))
        };
        let parent = |index: &crate::model::RoleIndex| {
            let parent = definition.roles.get(index.position()).filter(|parent| role.internal || !parent.internal)?;
            let number = whole.role_numbers.get(index.position())?;
            Some((RoleName::Catalog(definition.id.clone(), parent.id.clone()), *number))
        };
        let policies = role.policies.iter().filter_map(policy).collect();
        let parents = role.parents.iter().filter_map(parent).collect();
        Self { policies, parents, covers: role.covers.clone() }.ordered()
    }

    /// Those of a custom role. Cost: linear in them.
    pub(super) fn of_custom_role(
        view: &dyn View,
        account_id: &AccountId,
        account: Number,
        catalog: &CompiledCatalog,
        record: &RoleRecord,
    ) -> Result<Self, ServiceError> {
        let definition = &catalog.catalog().definition;
        let mut contents = Self::default();
        for number in &record.policies {
            let managed = catalog.policy_of_number(*number);
            let managed = managed.and_then(|index| definition.policies.get(index.position()));
            let name = match managed {
                Some(policy) => Some(PolicyName::Catalog(definition.id.clone(), policy.id.clone())),
                None => facts::get_policy(view, &Key::Policy { account, policy: *number })?
                    .map(|policy| PolicyName::Account(account_id.clone(), policy.value.id)),
            };
            contents.policies.extend(name.map(|name| (name, *number)));
        }
        for number in &record.parents {
            let name = match catalog.role_of_number(*number) {
                // An internal role as a parent is void.
                Some(role) if facts::is_internal(catalog, role) => None,
                Some(role) => Some(RoleName::Catalog(definition.id.clone(), role.id.clone())),
                None => facts::get_role(view, &Key::Role { account, role: *number })?
                    .map(|role| RoleName::Account(account_id.clone(), role.value.id)),
            };
            contents.parents.extend(name.map(|name| (name, *number)));
        }
        contents.covers = record.covers.iter().filter_map(|facet| catalog.facet_of_number(*facet)).collect();
        Ok(contents.ordered())
    }

    fn ordered(mut self) -> Self {
        self.policies.sort();
        self.parents.sort();
        self
    }

    /// The facets by name, ordered.
    pub(super) fn facet_names(&self, catalog: &CompiledCatalog) -> Vec<String> {
        let mut names: Vec<String> = self.covers.iter().map(|facet| catalog.facet_name(*facet).to_owned()).collect();
        names.sort();
        names
    }

    /// Takes out what the catalog does not offer to custom roles, and says which parts those were.
    pub(super) fn keep_offered(&mut self, catalog: &CompiledCatalog) -> Vec<Part> {
        let mut omitted = Vec::new();
        if !self.parents.is_empty() && !Part::Parents.is_offered(catalog) {
            self.parents.clear();
            omitted.push(Part::Parents);
        }
        for part in [Part::ManagedPolicies, Part::CustomPolicies] {
            let is_of_part = |(name, _): &(PolicyName, Number)| Part::of_policy(name) == part;
            if !part.is_offered(catalog) && self.policies.iter().any(is_of_part) {
                self.policies.retain(|policy| !is_of_part(policy));
                omitted.push(part);
            }
        }
        omitted
    }

    /// The numbers of the policies, ascending. Refused if there are too many.
    pub(super) fn policy_numbers(&self) -> Result<Vec<Number>, ServiceError> {
        within_limit("access policies", self.policies.iter().map(|(_, number)| *number).collect())
    }

    /// The numbers of the parents, ascending. Refused if there are too many.
    pub(super) fn parent_numbers(&self) -> Result<Vec<Number>, ServiceError> {
        within_limit("parents", self.parents.iter().map(|(_, number)| *number).collect())
    }

    /// The numbers of the facets, ascending.
    pub(super) fn facet_numbers(&self, catalog: &CompiledCatalog) -> Vec<FacetNumber> {
        let numbers: BTreeSet<_> = self.covers.iter().filter_map(|facet| catalog.number_of_facet(*facet)).collect();
        numbers.into_iter().collect()
    }
}

fn within_limit(what: &str, numbers: BTreeSet<Number>) -> Result<Vec<Number>, ServiceError> {
    if numbers.len() <= MAX_PARENTS_OR_POLICIES_OF_A_ROLE {
        return Ok(numbers.into_iter().collect());
    }
    Err(ServiceError::new(
        ErrorReason::LimitReached,
        format!("the role would have {} {what}; the maximum is {MAX_PARENTS_OR_POLICIES_OF_A_ROLE}", numbers.len()),
    )
    .with("maximum", MAX_PARENTS_OR_POLICIES_OF_A_ROLE.to_string()))
}
