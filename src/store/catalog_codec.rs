//! [`Catalog`] as protobuf, and back, with every position in it checked.

use super::{
    StoreError, proto,
    record_codec::{damaged, id},
};
use crate::model::{
    ApiScope, ApiScopeId, ApiScopeIndex, Catalog, CatalogDefinition, CatalogId, CatalogRole, CustomRoleParts, Feature,
    FeatureId, FeatureIndex, Number, PermissionDefinition, PermissionId, PermissionIndex, RoleId, Section, SectionId,
    SectionIndex,
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
            })
            .collect(),
        custom_roles: Some(proto::CustomRoleParts { permissions: definition.custom_roles.permissions }),
    }
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
            internal: permission.internal,
            deprecated: permission.deprecated,
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
        });
    }
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
            custom_roles: CustomRoleParts { permissions: parts.permissions },
        },
        feature_numbers,
        permission_numbers,
        role_numbers,
    })
}
