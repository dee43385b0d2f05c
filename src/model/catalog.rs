//! What a platform offers: features, sections, API scopes, resource types, permission definitions, managed policies,
//! managed and internal roles.
//!
//! A [`CatalogDefinition`] is what a file says; its cross references are indexes that whoever built it has checked. A
//! [`Catalog`] is a definition that the store has taken in, with an internal number for everything that can be
//! referred to from an account.

use super::{
    ApiScopeId, CatalogId, Condition, FeatureId, Number, PermissionId, PolicyId, ResourceTypeId, RoleId, SectionId,
    Statement,
};

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

index!(
    /// A position in [`CatalogDefinition::resource_types`].
    ResourceTypeIndex
);
index!(
    /// A position in [`CatalogDefinition::policies`].
    PolicyIndex
);
index!(
    /// A position in [`CatalogDefinition::roles`].
    RoleIndex
);

/// A kind of resource: what paths below an account are made of, and what access lists are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Unique within the catalog; not `feature`.
    pub id: ResourceTypeId,
    /// The word for it in paths, unique within the catalog.
    pub plural: ResourceTypeId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// The type right above; none: the account. No cycles, at most [`super::MAX_PATH_TYPES`] deep.
    pub parent: Option<ResourceTypeIndex>,
}

/// Something that access lists are about, and that bounds permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facet {
    /// The features (products) that a user may use. The value in a question is the permission's own feature.
    Feature,
    /// The resources of a type.
    Type(ResourceTypeIndex),
}

/// A managed access policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogPolicy {
    /// Unique within the catalog.
    pub id: PolicyId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// What it says; at least one.
    pub statements: Vec<Statement>,
}

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
    /// The type of resource that it lives on; none: the account.
    pub resource_type: Option<ResourceTypeIndex>,
    /// What bounds it, ascending, each once. [`Facet::Feature`] only if it has a feature.
    pub facets: Vec<Facet>,
    /// What has to hold besides; none: nothing.
    pub condition: Option<Condition>,
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
    /// The permissions that it lists, in ascending order, each once.
    pub permissions: Vec<PermissionIndex>,
    /// The policies that it contains, ascending, each once.
    pub policies: Vec<PolicyIndex>,
    /// The roles all of whose contents it has too, ascending, each once. No cycles, at most [`MAX_ROLE_DEPTH`] deep; an
    /// internal one only of an internal one.
    pub parents: Vec<RoleIndex>,
    /// The facets that it covers whole, ascending, each once.
    pub covers: Vec<Facet>,
    /// Its last holder cannot lose it.
    pub always_held: bool,
    /// How many may hold it, at most; none: any number.
    pub max_holders: Option<u64>,
}

/// How many steps from a role to a parent there can be, one after the other.
pub const MAX_ROLE_DEPTH: usize = 8;

/// What custom roles under a catalog may consist of. Nothing set: there are no custom roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomRoleParts {
    /// Custom roles may list permissions.
    pub permissions: bool,
    /// Custom roles may have parents.
    pub parents: bool,
    /// Custom roles may contain managed policies.
    pub managed_policies: bool,
    /// There are custom policies, and custom roles may contain them.
    pub custom_policies: bool,
}

impl CustomRoleParts {
    /// Whether there are custom roles at all.
    #[must_use]
    pub fn any(self) -> bool {
        self.permissions || self.parents || self.managed_policies || self.custom_policies
    }
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
    /// In the file's order, ids and plurals unique.
    pub resource_types: Vec<ResourceType>,
    /// In the file's order, ids unique.
    pub permissions: Vec<PermissionDefinition>,
    /// Managed policies in the file's order, ids unique.
    pub policies: Vec<CatalogPolicy>,
    /// Managed and internal roles in the file's order, ids unique.
    pub roles: Vec<CatalogRole>,
    /// What custom roles may consist of.
    pub custom_roles: CustomRoleParts,
    /// Every user and service account has to hold a role.
    pub must_hold_role: bool,
    /// Pairs of roles that nobody may have both of, the lower position first, each pair once.
    pub mutually_exclusive: Vec<(RoleIndex, RoleIndex)>,
}

/// A catalog that the store has taken in.
///
/// The number lists run parallel to the definition's lists. A number stays with its id from one version of the
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
    /// The number of each resource type. One whose plural or parent changes gets a new one: its paths are others.
    pub resource_type_numbers: Vec<Number>,
    /// The number of each managed policy.
    pub policy_numbers: Vec<Number>,
}
