//! The facts that rolecall keeps, as plain values: ids, catalogs, accounts, roles, and the changes to them.
//!
//! Nothing here reads a clock, a file or a socket, and nothing here can be half valid: an id that exists is well
//! formed, and an index points into the catalog that it came from. Parsing of outside formats happens in `files` and
//! `api`; storage formats live in `store`. Start with [`Catalog`], then [`Change`].

mod catalog;
mod change;
mod comparison;
mod ids;
mod key;
mod policy;
mod record;
mod resource;

pub use catalog::{
    ApiScope, ApiScopeIndex, Catalog, CatalogDefinition, CatalogPolicy, CatalogRole, CustomRoleParts, Facet, Feature,
    FeatureIndex, Index, MAX_ROLE_DEPTH, PermissionDefinition, PermissionIndex, PolicyIndex, ResourceType,
    ResourceTypeIndex, RoleIndex, Section, SectionIndex,
};
pub use change::{Actor, Change, RecordChange, Revision, Stamped, Sums, Timestamp};
pub use comparison::{
    Applied, AppliedAction, RoleDifference, compare_catalogs, compare_roles, count_permissions, difference,
};
pub use ids::{
    AccountId, ApiScopeId, CatalogId, FeatureId, InvalidId, MAX_ID_BYTES, PermissionId, PolicyId, RequestId,
    RequestKey, ResourceTypeId, RoleId, SectionId, ServiceAccountId, TeamId, UserId,
};
pub use key::{Dependency, Key, KeyRange, Kind, Number};
pub use policy::{Condition, Effect, PermissionPattern, ResourcePattern, Statement};
pub use record::{
    AccessRecord, AccountRecord, AccountState, BindingRecord, CountsRecord, ExceptionRecord, FacetNumber, HeldRecord,
    Holder, HolderKind, PolicyRecord, ProfileRecord, Record, RequestRecord, ResourceRecord, RetiredRecord,
    RoleHoldersRecord, RoleRecord, ServiceAccountRecord, ServiceAccountState, TeamRecord, UserRecord, UserState,
};
pub use resource::{MAX_PATH_BYTES, MAX_PATH_TYPES, ResourcePath, is_within, pairs};
