//! Catalogs as files.

use serde_json::{Value, json};

use super::{
    super::oracle::{Catalog, Condition, Permission, Role},
    sections,
    statements::statements_written,
};

pub(super) fn catalog_file(id: &str, catalog: &Catalog) -> Vec<u8> {
    let named = |id: &String| json!({"id": id, "display_name": id});
    let parts = catalog.custom_roles;
    let parts = [
        ("permissions", parts.permissions),
        ("parents", parts.parents),
        ("managed_policies", parts.managed_policies),
        ("custom_policies", parts.custom_policies),
    ];
    let types = catalog.resource_types.iter().map(|(id, each)| {
        let mut text = json!({"id": id, "plural": each.plural, "display_name": id});
        if let Some(parent) = &each.parent {
            text["parent"] = json!(parent);
        }
        text
    });
    let policies = catalog
        .policies
        .iter()
        .map(|(id, statements)| json!({"id": id, "display_name": id, "statements": statements_written(statements)}));
    let file = json!({
        "kind": "catalog", "id": id, "display_name": id,
        "custom_roles": parts.iter().filter(|(_, is_offered)| *is_offered).map(|(part, _)| part).collect::<Vec<_>>(),
        "must_hold_role": catalog.must_hold_role,
        "mutually_exclusive": catalog.mutually_exclusive,
        "features": catalog.features.iter().map(named).collect::<Vec<_>>(),
        "sections": sections().map(|id| named(&id)).collect::<Vec<_>>(),
        "api_scopes": catalog.api_scopes.iter()
            .map(|(id, includes)| json!({"id": id, "includes": includes})).collect::<Vec<_>>(),
        "resource_types": types.collect::<Vec<_>>(),
        "permissions": catalog.permissions.iter().map(|(id, each)| permission(id, each)).collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
        "roles": catalog.roles.iter().map(|(id, each)| role(id, each)).collect::<Vec<_>>(),
    });
    serde_json::to_vec_pretty(&file).unwrap()
}

fn permission(id: &str, each: &Permission) -> Value {
    let mut text = json!({
        "id": id, "section": each.section, "api_scopes": each.api_scopes, "internal": each.internal,
        "facets": each.facets,
    });
    if let Some(feature) = &each.feature {
        text["feature"] = json!(feature);
    }
    if let Some(resource_type) = &each.resource_type {
        text["resource_type"] = json!(resource_type);
    }
    if let Some(condition) = &each.condition {
        text["condition"] = json!(Condition::cel(condition));
    }
    text
}

fn role(id: &str, each: &Role) -> Value {
    let mut text = json!({
        "id": id, "display_name": id, "internal": each.internal, "permissions": each.permissions,
        "policies": each.policies, "parents": each.parents, "covers": each.covers, "always_held": each.always_held,
    });
    if let Some(maximum) = each.max_holders {
        text["max_holders"] = json!(maximum);
    }
    text
}
