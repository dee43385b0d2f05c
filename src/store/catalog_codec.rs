//! [`Catalog`] as protobuf, and back, with every position in it checked.

use super::{
    StoreError, proto,
    record_codec::{damaged, id},
};
use crate::model::{
    ApiScope, ApiScopeId, ApiScopeIndex, Catalog, CatalogDefinition, CatalogId, CatalogPolicy, CatalogRole, Condition,
    CustomRoleParts, Effect, Facet, Feature, FeatureId, FeatureIndex, Number, PermissionDefinition, PermissionId,
    PermissionIndex, PermissionPattern, PolicyId, PolicyIndex, ResourcePattern, ResourceType, ResourceTypeId,
    ResourceTypeIndex, RoleId, RoleIndex, Section, SectionId, SectionIndex, Statement,
};

pub(super) fn to_proto(catalog: &Catalog) -> proto::Catalog {
    let definition = &catalog.definition;
    proto::Catalog {
        number: catalog.number.0,
        id: definition.id.as_str().to_owned(),
        display_name: definition.display_name.clone(),
        description: definition.description.clone(),
        features: definition
            .features
            .iter()
            .zip(&catalog.feature_numbers)
            .map(|(feature, number)| proto::Feature {
                number: number.0,
                id: feature.id.as_str().to_owned(),
                display_name: feature.display_name.clone(),
                description: feature.description.clone(),
            })
            .collect(),
        sections: definition
            .sections
            .iter()
            .map(|section| proto::Section {
                id: section.id.as_str().to_owned(),
                display_name: section.display_name.clone(),
                description: section.description.clone(),
            })
            .collect(),
        api_scopes: definition
            .api_scopes
            .iter()
            .map(|scope| proto::ApiScope {
                id: scope.id.as_str().to_owned(),
                description: scope.description.clone(),
                includes: scope.includes.iter().map(|index| index.0).collect(),
            })
            .collect(),
        permissions: definition
            .permissions
            .iter()
            .zip(&catalog.permission_numbers)
            .map(|(permission, number)| proto::PermissionDefinition {
                number: number.0,
                id: permission.id.as_str().to_owned(),
                description: permission.description.clone(),
                section: permission.section.0,
                feature: permission.feature.map(|index| index.0),
                api_scopes: permission.api_scopes.iter().map(|index| index.0).collect(),
                internal: permission.internal,
                deprecated: permission.deprecated,
                resource_type: permission.resource_type.map(|index| index.0),
                facets: facets_to_proto(&permission.facets),
                condition: permission.condition.as_ref().map(|condition| condition.as_str().to_owned()),
            })
            .collect(),
        roles: definition
            .roles
            .iter()
            .zip(&catalog.role_numbers)
            .map(|(role, number)| proto::CatalogRole {
                number: number.0,
                id: role.id.as_str().to_owned(),
                display_name: role.display_name.clone(),
                description: role.description.clone(),
                internal: role.internal,
                permissions: role.permissions.iter().map(|index| index.0).collect(),
                policies: role.policies.iter().map(|index| index.0).collect(),
                parents: role.parents.iter().map(|index| index.0).collect(),
                covers: facets_to_proto(&role.covers),
                always_held: role.always_held,
                max_holders: role.max_holders,
            })
            .collect(),
        custom_roles: Some(proto::CustomRoleParts {
            permissions: definition.custom_roles.permissions,
            parents: definition.custom_roles.parents,
            managed_policies: definition.custom_roles.managed_policies,
            custom_policies: definition.custom_roles.custom_policies,
        }),
        resource_types: definition
            .resource_types
            .iter()
            .zip(&catalog.resource_type_numbers)
            .map(|(resource_type, number)| proto::ResourceType {
                number: number.0,
                id: resource_type.id.as_str().to_owned(),
                plural: resource_type.plural.as_str().to_owned(),
                display_name: resource_type.display_name.clone(),
                description: resource_type.description.clone(),
                parent: resource_type.parent.map(|index| index.0),
            })
            .collect(),
        policies: definition
            .policies
            .iter()
            .zip(&catalog.policy_numbers)
            .map(|(policy, number)| proto::CatalogPolicy {
                number: number.0,
                id: policy.id.as_str().to_owned(),
                display_name: policy.display_name.clone(),
                description: policy.description.clone(),
                statements: policy.statements.iter().map(statement_to_proto).collect(),
            })
            .collect(),
        must_hold_role: definition.must_hold_role,
        mutually_exclusive: definition
            .mutually_exclusive
            .iter()
            .map(|(one, other)| proto::RolePair { one: one.0, other: other.0 })
            .collect(),
    }
}

fn facets_to_proto(facets: &[Facet]) -> Vec<proto::Facet> {
    let facet = |facet: &Facet| match facet {
        Facet::Feature => proto::facet::Facet::Feature(proto::facet::Feature {}),
        Facet::Type(index) => proto::facet::Facet::ResourceType(index.0),
    };
    facets.iter().map(|each| proto::Facet { facet: Some(facet(each)) }).collect()
}

fn facets_from_proto(facets: Vec<proto::Facet>, type_count: usize) -> Result<Vec<Facet>, StoreError> {
    let facet = |facet: proto::Facet| match facet.facet {
        Some(proto::facet::Facet::Feature(proto::facet::Feature {})) => Ok(Facet::Feature),
        Some(proto::facet::Facet::ResourceType(index)) => {
            position(index, type_count).map(|index| Facet::Type(ResourceTypeIndex(index)))
        }
        None => Err(damaged("a facet is missing or unknown")),
    };
    facets.into_iter().map(facet).collect()
}

pub(super) fn statement_to_proto(statement: &Statement) -> proto::Statement {
    proto::Statement {
        effect: match statement.effect {
            Effect::Allow => proto::Effect::Allow,
            Effect::Deny => proto::Effect::Deny,
        }
        .into(),
        permissions: statement.permissions.iter().map(ToString::to_string).collect(),
        resources: statement.resources.iter().map(ToString::to_string).collect(),
        condition: statement.condition.as_ref().map(|condition| condition.as_str().to_owned()),
    }
}

/// # Errors
/// [`StoreError::DamagedState`] if a pattern is none, or an effect is missing.
pub(super) fn statements_from_proto(statements: Vec<proto::Statement>) -> Result<Vec<Statement>, StoreError> {
    let statement = |statement: proto::Statement| {
        Ok(Statement {
            effect: match statement.effect() {
                proto::Effect::Allow => Effect::Allow,
                proto::Effect::Deny => Effect::Deny,
                proto::Effect::Unspecified => return Err(damaged("a statement's effect is missing or unknown")),
            },
            permissions: statement
                .permissions
                .iter()
                .map(|pattern| id(pattern, PermissionPattern::new))
                .collect::<Result<_, _>>()?,
            resources: statement
                .resources
                .iter()
                .map(|pattern| id(pattern, ResourcePattern::new))
                .collect::<Result<_, _>>()?,
            condition: statement.condition.as_deref().map(Condition::new),
        })
    };
    statements.into_iter().map(statement).collect()
}

/// A position that is known to lie in a list of `count`.
fn position(value: u32, count: usize) -> Result<u32, StoreError> {
    if (value as usize) < count {
        Ok(value)
    } else {
        Err(damaged(format_args!("position {value} was expected to be below {count}")))
    }
}

fn positions<T>(values: Vec<u32>, count: usize, make: fn(u32) -> T) -> Result<Vec<T>, StoreError> {
    values.into_iter().map(|value| position(value, count).map(make)).collect()
}

/// # Errors
/// [`StoreError::DamagedState`] if an id is none, a position points nowhere, or the parts of custom roles are missing.
pub(super) fn from_proto(catalog: proto::Catalog) -> Result<Catalog, StoreError> {
    let scope_count = catalog.api_scopes.len();
    let feature_count = catalog.features.len();
    let section_count = catalog.sections.len();
    let permission_count = catalog.permissions.len();
    let (type_count, policy_count) = (catalog.resource_types.len(), catalog.policies.len());
    let role_count = catalog.roles.len();
    let parts = catalog.custom_roles.ok_or_else(|| damaged("the parts of custom roles are missing"))?;

    let mut feature_numbers = Vec::with_capacity(feature_count);
    let mut features = Vec::with_capacity(feature_count);
    for feature in catalog.features {
        feature_numbers.push(Number(feature.number));
        features.push(Feature {
            id: id(&feature.id, FeatureId::new)?,
            display_name: feature.display_name,
            description: feature.description,
        });
    }
    let mut sections = Vec::with_capacity(section_count);
    for section in catalog.sections {
        sections.push(Section {
            id: id(&section.id, SectionId::new)?,
            display_name: section.display_name,
            description: section.description,
        });
    }
    let mut api_scopes = Vec::with_capacity(scope_count);
    for scope in catalog.api_scopes {
        api_scopes.push(ApiScope {
            id: id(&scope.id, ApiScopeId::new)?,
            description: scope.description,
            includes: positions(scope.includes, scope_count, ApiScopeIndex)?,
        });
    }
    let mut permission_numbers = Vec::with_capacity(permission_count);
    let mut permissions = Vec::with_capacity(permission_count);
    for permission in catalog.permissions {
        permission_numbers.push(Number(permission.number));
        permissions.push(PermissionDefinition {
            id: id(&permission.id, PermissionId::new)?,
            description: permission.description,
            section: SectionIndex(position(permission.section, section_count)?),
            feature: permission
                .feature
                .map(|feature| position(feature, feature_count).map(FeatureIndex))
                .transpose()?,
            api_scopes: positions(permission.api_scopes, scope_count, ApiScopeIndex)?,
            resource_type: permission
                .resource_type
                .map(|index| position(index, type_count).map(ResourceTypeIndex))
                .transpose()?,
            facets: facets_from_proto(permission.facets, type_count)?,
            condition: permission.condition.as_deref().map(Condition::new),
            internal: permission.internal,
            deprecated: permission.deprecated,
        });
    }
    let mut resource_type_numbers = Vec::with_capacity(type_count);
    let mut resource_types = Vec::with_capacity(type_count);
    for resource_type in catalog.resource_types {
        resource_type_numbers.push(Number(resource_type.number));
        resource_types.push(ResourceType {
            id: id(&resource_type.id, ResourceTypeId::new)?,
            plural: id(&resource_type.plural, ResourceTypeId::new)?,
            display_name: resource_type.display_name,
            description: resource_type.description,
            parent: resource_type.parent.map(|index| position(index, type_count).map(ResourceTypeIndex)).transpose()?,
        });
    }
    let mut policy_numbers = Vec::with_capacity(policy_count);
    let mut policies = Vec::with_capacity(policy_count);
    for policy in catalog.policies {
        policy_numbers.push(Number(policy.number));
        policies.push(CatalogPolicy {
            id: id(&policy.id, PolicyId::new)?,
            display_name: policy.display_name,
            description: policy.description,
            statements: statements_from_proto(policy.statements)?,
        });
    }
    let mut role_numbers = Vec::with_capacity(catalog.roles.len());
    let mut roles = Vec::with_capacity(catalog.roles.len());
    for role in catalog.roles {
        role_numbers.push(Number(role.number));
        roles.push(CatalogRole {
            id: id(&role.id, RoleId::new)?,
            display_name: role.display_name,
            description: role.description,
            internal: role.internal,
            permissions: positions(role.permissions, permission_count, PermissionIndex)?,
            policies: positions(role.policies, policy_count, PolicyIndex)?,
            parents: positions(role.parents, role_count, RoleIndex)?,
            covers: facets_from_proto(role.covers, type_count)?,
            always_held: role.always_held,
            max_holders: role.max_holders,
        });
    }
    let mutually_exclusive = catalog
        .mutually_exclusive
        .into_iter()
        .map(|pair| Ok((RoleIndex(position(pair.one, role_count)?), RoleIndex(position(pair.other, role_count)?))));
    let mutually_exclusive = mutually_exclusive.collect::<Result<_, StoreError>>()?;
    Ok(Catalog {
        number: Number(catalog.number),
        definition: CatalogDefinition {
            id: id(&catalog.id, CatalogId::new)?,
            display_name: catalog.display_name,
            description: catalog.description,
            features,
            sections,
            api_scopes,
            permissions,
            roles,
            custom_roles: CustomRoleParts {
                permissions: parts.permissions,
                parents: parts.parents,
                managed_policies: parts.managed_policies,
                custom_policies: parts.custom_policies,
            },
            resource_types,
            policies,
            must_hold_role: catalog.must_hold_role,
            mutually_exclusive,
        },
        feature_numbers,
        permission_numbers,
        role_numbers,
        resource_type_numbers,
        policy_numbers,
    })
}
