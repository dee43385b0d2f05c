//! Catalogs as canonical YAML: what [`super::parse_catalog`] reads back as the same definition.
//!
//! Lists keep the catalog's order, which is part of it; fields come in a fixed order, and those that are empty or false
//! are left out. Read [`write_catalog`].

use std::fmt::{self, Write};

use super::{catalog_file::CUSTOM_ROLE_PARTS, definition::FEATURE, scalar::Scalar};
use crate::model::{
    CatalogDefinition, CatalogRole, Condition, CustomRoleParts, Effect, Facet, PermissionDefinition, ResourceTypeIndex,
    RoleIndex,
};

/// The catalog as a file. The same catalog always gives the same bytes.
#[must_use]
pub fn write_catalog(catalog: &CatalogDefinition) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(catalog, &mut out);
    out
}

fn write(catalog: &CatalogDefinition, out: &mut String) -> fmt::Result {
    writeln!(out, "kind: catalog\nid: {}", Scalar(catalog.id.as_str()))?;
    writeln!(out, "display_name: {}", Scalar(&catalog.display_name))?;
    field(out, "description", &catalog.description)?;
    let parts = parts(catalog.custom_roles);
    heading(out, "custom_roles", parts.len())?;
    parts.iter().try_for_each(|part| writeln!(out, "  - {part}"))?;
    flag(out, "must_hold_role", catalog.must_hold_role)?;
    heading(out, "mutually_exclusive", catalog.mutually_exclusive.len())?;
    for (one, other) in &catalog.mutually_exclusive {
        sequence(out, &"  - ", [*one, *other].into_iter().filter_map(|index| role_id(catalog, index)))?;
    }
    heading(out, "features", catalog.features.len())?;
    for feature in &catalog.features {
        writeln!(out, "  - id: {}", Scalar(feature.id.as_str()))?;
        writeln!(out, "    display_name: {}", Scalar(&feature.display_name))?;
        field(out, "    description", &feature.description)?;
    }
    heading(out, "sections", catalog.sections.len())?;
    for section in &catalog.sections {
        writeln!(out, "  - id: {}", Scalar(section.id.as_str()))?;
        writeln!(out, "    display_name: {}", Scalar(&section.display_name))?;
        field(out, "    description", &section.description)?;
    }
    let scope_id = |index: usize| catalog.api_scopes.get(index).map(|scope| scope.id.as_str());
    heading(out, "api_scopes", catalog.api_scopes.len())?;
    for scope in &catalog.api_scopes {
        writeln!(out, "  - id: {}", Scalar(scope.id.as_str()))?;
        field(out, "    description", &scope.description)?;
        inline(out, "    includes", scope.includes.iter().filter_map(|index| scope_id(index.position())))?;
    }
    heading(out, "resource_types", catalog.resource_types.len())?;
    for each in &catalog.resource_types {
        writeln!(out, "  - id: {}", Scalar(each.id.as_str()))?;
        writeln!(out, "    plural: {}", Scalar(each.plural.as_str()))?;
        field(out, "    parent", each.parent.and_then(|index| type_id(catalog, index)).unwrap_or_default())?;
        writeln!(out, "    display_name: {}", Scalar(&each.display_name))?;
        field(out, "    description", &each.description)?;
    }
    heading(out, "permissions", catalog.permissions.len())?;
    catalog.permissions.iter().try_for_each(|permission| write_permission(catalog, permission, out))?;
    heading(out, "policies", catalog.policies.len())?;
    for policy in &catalog.policies {
        writeln!(out, "  - id: {}", Scalar(policy.id.as_str()))?;
        writeln!(out, "    display_name: {}", Scalar(&policy.display_name))?;
        field(out, "    description", &policy.description)?;
        heading(out, "    statements", policy.statements.len())?;
        for each in &policy.statements {
            let permissions = each.permissions.iter().map(|pattern| pattern.as_str());
            let resources = each.resources.iter().map(|pattern| pattern.as_str());
            statement(out, each.effect, permissions, resources, each.condition.as_ref())?;
        }
    }
    heading(out, "roles", catalog.roles.len())?;
    catalog.roles.iter().try_for_each(|role| write_role(catalog, role, out))
}

fn write_permission(catalog: &CatalogDefinition, permission: &PermissionDefinition, out: &mut String) -> fmt::Result {
    writeln!(out, "  - id: {}", Scalar(permission.id.as_str()))?;
    field(out, "    description", &permission.description)?;
    if let Some(section) = catalog.sections.get(permission.section.position()) {
        field(out, "    section", section.id.as_str())?;
    }
    if let Some(feature) = permission.feature.and_then(|index| catalog.features.get(index.position())) {
        field(out, "    feature", feature.id.as_str())?;
    }
    let scopes = permission.api_scopes.iter().filter_map(|index| catalog.api_scopes.get(index.position()));
    inline(out, "    api_scopes", scopes.map(|scope| scope.id.as_str()))?;
    let resource_type = permission.resource_type.and_then(|index| type_id(catalog, index));
    field(out, "    resource_type", resource_type.unwrap_or_default())?;
    inline(out, "    facets", facets(catalog, &permission.facets))?;
    field(out, "    condition", permission.condition.as_ref().map_or("", Condition::as_str))?;
    flag(out, "    internal", permission.internal)?;
    flag(out, "    deprecated", permission.deprecated)
}

fn write_role(catalog: &CatalogDefinition, role: &CatalogRole, out: &mut String) -> fmt::Result {
    writeln!(out, "  - id: {}", Scalar(role.id.as_str()))?;
    writeln!(out, "    display_name: {}", Scalar(&role.display_name))?;
    field(out, "    description", &role.description)?;
    flag(out, "    internal", role.internal)?;
    flag(out, "    always_held", role.always_held)?;
    if let Some(max) = role.max_holders {
        writeln!(out, "    max_holders: {max}")?;
    }
    heading(out, "    permissions", role.permissions.len())?;
    for permission in role.permissions.iter().filter_map(|index| catalog.permissions.get(index.position())) {
        writeln!(out, "      - {}", Scalar(permission.id.as_str()))?;
    }
    let policies = role.policies.iter().filter_map(|index| catalog.policies.get(index.position()));
    inline(out, "    policies", policies.map(|policy| policy.id.as_str()))?;
    inline(out, "    parents", role.parents.iter().filter_map(|index| role_id(catalog, *index)))?;
    inline(out, "    covers", facets(catalog, &role.covers))
}

fn parts(parts: CustomRoleParts) -> Vec<&'static str> {
    let parts = CUSTOM_ROLE_PARTS.map(|(name, field)| (name, *field(&mut { parts })));
    parts.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

fn type_id(catalog: &CatalogDefinition, index: ResourceTypeIndex) -> Option<&str> {
    catalog.resource_types.get(index.position()).map(|each| each.id.as_str())
}

fn role_id(catalog: &CatalogDefinition, index: RoleIndex) -> Option<&str> {
    catalog.roles.get(index.position()).map(|role| role.id.as_str())
}

fn facets<'c>(catalog: &'c CatalogDefinition, facets: &'c [Facet]) -> impl Iterator<Item = &'c str> {
    facets.iter().filter_map(|facet| match facet {
        Facet::Feature => Some(FEATURE),
        Facet::Type(index) => type_id(catalog, *index),
    })
}

/// One statement of a policy, in a catalog or in an account.
pub(super) fn statement<'t>(
    out: &mut String,
    effect: Effect,
    permissions: impl Iterator<Item = &'t str>,
    resources: impl Iterator<Item = &'t str>,
    condition: Option<&Condition>,
) -> fmt::Result {
    let effect = match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    writeln!(out, "      - effect: {effect}")?;
    inline(out, "        permissions", permissions)?;
    inline(out, "        resources", resources)?;
    field(out, "        condition", condition.map_or("", Condition::as_str))
}

/// A field, unless it is empty.
pub(super) fn field(out: &mut impl Write, name: &str, text: &str) -> fmt::Result {
    if text.is_empty() { Ok(()) } else { writeln!(out, "{name}: {}", Scalar(text)) }
}

/// The name of a list, unless it is empty.
pub(super) fn heading(out: &mut impl Write, name: &str, entries: usize) -> fmt::Result {
    if entries == 0 { Ok(()) } else { writeln!(out, "{name}:") }
}

/// A short list on one line, unless it is empty.
pub(super) fn inline<'t>(out: &mut impl Write, name: &str, texts: impl Iterator<Item = &'t str>) -> fmt::Result {
    let name = format_args!("{name}: ");
    sequence(out, &name, texts)
}

fn sequence<'t>(out: &mut impl Write, begin: &dyn fmt::Display, texts: impl Iterator<Item = &'t str>) -> fmt::Result {
    let mut first = true;
    for text in texts {
        if first {
            write!(out, "{begin}[")?;
        } else {
            write!(out, ", ")?;
        }
        first = false;
        write!(out, "{}", Scalar(text))?;
    }
    if first { Ok(()) } else { writeln!(out, "]") }
}

fn flag(out: &mut impl Write, name: &str, value: bool) -> fmt::Result {
    if value { writeln!(out, "{name}: true") } else { Ok(()) }
}
