//! The catalogs that ship with the binary, each with a demo account.

/// A catalog that ships with the binary.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name, which is the catalog's id.
    pub name: &'static str,
    /// The catalog file.
    pub catalog: &'static str,
    /// The account file of its demo.
    pub account: &'static str,
}

/// Roles and features, teams with inherited roles.
pub const INFOBIP_CLASSIC: Preset = Preset {
    name: "infobip-classic",
    catalog: include_str!("../presets/infobip-classic/catalog.yaml"),
    account: include_str!("../presets/infobip-classic/account.yaml"),
};

/// The same platform today: twenty roles in five groups, API scopes, custom roles.
pub const INFOBIP: Preset = Preset {
    name: "infobip",
    catalog: include_str!("../presets/infobip/catalog.yaml"),
    account: include_str!("../presets/infobip/account.yaml"),
};

/// Policies, roles and users, in an organisation with workspaces.
pub const BIRD: Preset = Preset {
    name: "bird",
    catalog: include_str!("../presets/bird/catalog.yaml"),
    account: include_str!("../presets/bird/account.yaml"),
};

/// Three fixed roles, and exceptions for single users.
pub const TEAM_INBOX: Preset = Preset {
    name: "team-inbox",
    catalog: include_str!("../presets/team-inbox/catalog.yaml"),
    account: include_str!("../presets/team-inbox/account.yaml"),
};

/// Two fixed roles, with access to products and lines for each user.
pub const TEXTEL: Preset = Preset {
    name: "textel",
    catalog: include_str!("../presets/textel/catalog.yaml"),
    account: include_str!("../presets/textel/account.yaml"),
};

/// Every preset.
pub const ALL: &[Preset] = &[INFOBIP_CLASSIC, INFOBIP, BIRD, TEAM_INBOX, TEXTEL];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        files,
        model::{ApiScopeIndex, CatalogDefinition, CatalogRole, Effect, PermissionDefinition},
    };

    #[test]
    fn every_preset_is_read_without_a_problem() {
        for preset in ALL {
            let catalog = files::parse_catalog(preset.catalog.as_bytes()).unwrap();
            let account = files::parse_account(preset.account.as_bytes()).unwrap();
            assert_eq!(catalog.id.as_str(), preset.name);
            assert_eq!(account.catalog.value, catalog.id);
        }
    }

    /// The API scopes, with those that they include.
    fn expanded(catalog: &CatalogDefinition, mut waiting: Vec<ApiScopeIndex>) -> BTreeSet<ApiScopeIndex> {
        let mut found = BTreeSet::new();
        while let Some(scope) = waiting.pop() {
            if found.insert(scope) {
                waiting.extend(&catalog.api_scopes[scope.position()].includes);
            }
        }
        found
    }

    /// Everything that a role lists, its policies allow and its parents have, wherever and whenever that holds. What is
    /// internal comes to internal roles alone.
    fn contained(catalog: &CatalogDefinition, role: &CatalogRole) -> BTreeSet<usize> {
        let mut found: BTreeSet<usize> = role.permissions.iter().map(|each| each.position()).collect();
        let policies = role.policies.iter().flat_map(|each| &catalog.policies[each.position()].statements);
        for statement in policies.filter(|statement| statement.effect == Effect::Allow) {
            let is_matched = |permission: &PermissionDefinition| {
                let mut patterns = statement.permissions.iter();
                patterns.any(|pattern| pattern.matches(permission.id.as_str()))
                    && (role.internal || !permission.internal)
            };
            let matched = catalog.permissions.iter().enumerate().filter(|(_, permission)| is_matched(permission));
            found.extend(matched.map(|(position, _)| position));
        }
        for parent in &role.parents {
            found.extend(contained(catalog, &catalog.roles[parent.position()]));
        }
        found
    }

    #[test]
    fn no_managed_role_reaches_over_the_api_what_it_cannot_reach_otherwise() {
        for preset in ALL {
            let catalog = files::parse_catalog(preset.catalog.as_bytes()).unwrap();
            for role in &catalog.roles {
                let held = contained(&catalog, role);
                assert!(!held.is_empty(), "{}: {} contains nothing", preset.name, role.id);
                let provided = held.iter().flat_map(|position| catalog.permissions[*position].api_scopes.clone());
                let scopes = expanded(&catalog, provided.collect());
                for (position, permission) in catalog.permissions.iter().enumerate() {
                    let is_reached = permission.api_scopes.iter().any(|scope| scopes.contains(scope));
                    let is_held = held.contains(&position);
                    assert!(is_held || !is_reached, "{}: {} reaches {}", preset.name, role.id, permission.id);
                }
            }
        }
    }
}
