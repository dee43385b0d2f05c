//! Catalogs as canonical YAML: what [`super::parse_catalog`] reads back as the same definition.
//!
//! Lists keep the catalog's order, which is part of it; fields come in a fixed order, and those that are empty or false
//! are left out. Read [`write_catalog`].

use std::fmt::{self, Write};

use super::scalar::Scalar;
use crate::model::CatalogDefinition;

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
    if catalog.custom_roles.permissions {
        writeln!(out, "custom_roles:\n  - permissions")?;
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
    heading(out, "permissions", catalog.permissions.len())?;
    for permission in &catalog.permissions {
        writeln!(out, "  - id: {}", Scalar(permission.id.as_str()))?;
        field(out, "    description", &permission.description)?;
        if let Some(section) = catalog.sections.get(permission.section.position()) {
            field(out, "    section", section.id.as_str())?;
        }
        if let Some(feature) = permission.feature.and_then(|index| catalog.features.get(index.position())) {
            field(out, "    feature", feature.id.as_str())?;
        }
        inline(out, "    api_scopes", permission.api_scopes.iter().filter_map(|index| scope_id(index.position())))?;
        flag(out, "    internal", permission.internal)?;
        flag(out, "    deprecated", permission.deprecated)?;
    }
    heading(out, "roles", catalog.roles.len())?;
    for role in &catalog.roles {
        writeln!(out, "  - id: {}", Scalar(role.id.as_str()))?;
        writeln!(out, "    display_name: {}", Scalar(&role.display_name))?;
        field(out, "    description", &role.description)?;
        flag(out, "    internal", role.internal)?;
        heading(out, "    permissions", role.permissions.len())?;
        for permission in role.permissions.iter().filter_map(|index| catalog.permissions.get(index.position())) {
            writeln!(out, "      - {}", Scalar(permission.id.as_str()))?;
        }
    }
    Ok(())
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
    let mut first = true;
    for text in texts {
        if first {
            write!(out, "{name}: [")?;
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
