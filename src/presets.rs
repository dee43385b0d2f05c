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

/// Every preset.
pub const ALL: &[Preset] = &[INFOBIP_CLASSIC];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::files;

    #[test]
    fn every_preset_is_read_without_a_problem() {
        for preset in ALL {
            let catalog = files::parse_catalog(preset.catalog.as_bytes()).unwrap();
            let account = files::parse_account(preset.account.as_bytes()).unwrap();
            assert_eq!(catalog.id.as_str(), preset.name);
            assert_eq!(account.catalog.value, catalog.id);
        }
    }
}
