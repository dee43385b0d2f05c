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
        model::{ApiScopeIndex, CatalogDefinition},
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

    #[test]
    fn no_managed_role_reaches_over_the_api_what_it_cannot_reach_otherwise() {
        for preset in ALL {
            let catalog = files::parse_catalog(preset.catalog.as_bytes()).unwrap();
            for role in &catalog.roles {
                let held = role.permissions.iter().map(|each| &catalog.permissions[each.position()]);
                let scopes = expanded(&catalog, held.flat_map(|each| each.api_scopes.clone()).collect());
                for (index, permission) in catalog.permissions.iter().enumerate() {
                    let is_held = role.permissions.iter().any(|each| each.position() == index);
                    let is_reached = permission.api_scopes.iter().any(|scope| scopes.contains(scope));
                    assert!(is_held || !is_reached, "{}: {} reaches {}", preset.name, role.id, permission.id);
                }
            }
        }
    }
}
