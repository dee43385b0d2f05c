//! What a platform offers: features, sections, permission definitions, API scopes, managed and internal roles.
//!
//! A [`CatalogDefinition`] is what a file says; its cross references are indexes that whoever built it has checked. A
//! [`Catalog`] is a definition that the store has taken in, with an internal number for everything that can be
//! referred to from an account.

use super::{ApiScopeId, CatalogId, FeatureId, Number, PermissionId, RoleId, SectionId};

/// A position in one of the lists of a catalog.
pub trait Index: Copy {
    /// The index of a position. A position beyond 4 billion, which no list has, is the last that there can be.
    fn at(position: usize) -> Self;

    /// The index as a position in a slice.
    fn position(self) -> usize;
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a position in a slice.
            #[must_use]
            pub fn position(self) -> usize {
                self.0 as usize
            }
        }

        impl Index for $name {
            fn at(position: usize) -> Self {
                Self(u32::try_from(position).unwrap_or(u32::MAX))
            }

            fn position(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(
    /// A position in [`CatalogDefinition::features`].
    FeatureIndex
);
index!(
    /// A position in [`CatalogDefinition::sections`].
    SectionIndex
);
index!(
    /// A position in [`CatalogDefinition::api_scopes`].
    ApiScopeIndex
);
index!(
    /// A position in [`CatalogDefinition::permissions`].
    PermissionIndex
);

/// A capability that is switched on for an account as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Unique within the catalog.
    pub id: FeatureId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
}

/// A heading that permissions are shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Unique within the catalog.
    pub id: SectionId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
}

/// The right to call a part of the platform's API, provided by permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiScope {
    /// Unique within the catalog.
    pub id: ApiScopeId,
    /// The API access that it gives, for people; may be empty.
    pub description: String,
    /// The API scopes that come with this one; no cycles.
    pub includes: Vec<ApiScopeIndex>,
}

/// The right to do one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionDefinition {
    /// Unique within the catalog.
    pub id: PermissionId,
    /// For people; may be empty.
    pub description: String,
    /// Where it is shown.
    pub section: SectionIndex,
    /// The feature that an account must be entitled to; none: not gated.
    pub feature: Option<FeatureIndex>,
    /// The API scopes that it provides itself, without what those include.
    pub api_scopes: Vec<ApiScopeIndex>,
    /// Held through internal roles alone, whatever else lists it.
    pub internal: bool,
    /// Shown as outdated; changes no decision.
    pub deprecated: bool,
}

/// A role of the platform: the same in every account, changed only with the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogRole {
    /// Unique within the catalog.
    pub id: RoleId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Neither visible nor assignable to customers.
    pub internal: bool,
    /// What it contains, in ascending order, each once.
    pub permissions: Vec<PermissionIndex>,
}

/// What custom roles under a catalog may consist of. Nothing set: there are no custom roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomRoleParts {
    /// Custom roles may list permissions.
    pub permissions: bool,
}

/// A catalog as its file says it. Indexes in it point into its own lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogDefinition {
    /// Names the catalog.
    pub id: CatalogId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// In the file's order, ids unique.
    pub features: Vec<Feature>,
    /// In the file's order, ids unique.
    pub sections: Vec<Section>,
    /// In the file's order, ids unique.
    pub api_scopes: Vec<ApiScope>,
    /// In the file's order, ids unique.
    pub permissions: Vec<PermissionDefinition>,
    /// Managed and internal roles in the file's order, ids unique.
    pub roles: Vec<CatalogRole>,
    /// What custom roles may consist of.
    pub custom_roles: CustomRoleParts,
}

/// A catalog that the store has taken in.
///
/// The three number lists run parallel to the definition's lists. A number stays with its id from one version of the
/// catalog to the next, and is gone for good when the id is dropped: adding the id again gives a new number, so what
/// referred to the old one stays void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The catalog's own number.
    pub number: Number,
    /// What its file said.
    pub definition: CatalogDefinition,
    /// The number of each feature.
    pub feature_numbers: Vec<Number>,
    /// The number of each permission definition.
    pub permission_numbers: Vec<Number>,
    /// The number of each role.
    pub role_numbers: Vec<Number>,
}
