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
mod record;

pub use catalog::{
    ApiScope, ApiScopeIndex, Catalog, CatalogDefinition, CatalogRole, CustomRoleParts, Feature, FeatureIndex, Index,
    PermissionDefinition, PermissionIndex, Section, SectionIndex,
};
pub use change::{Actor, Change, RecordChange, Revision, Stamped, Timestamp};
pub use comparison::{Applied, AppliedAction, RoleDifference, compare_catalogs, compare_roles, difference};
pub use ids::{
    AccountId, ApiScopeId, CatalogId, FeatureId, InvalidId, MAX_ID_BYTES, PermissionId, RequestId, RequestKey, RoleId,
    SectionId, ServiceAccountId, TeamId, UserId,
};
pub use key::{Dependency, Key, KeyRange, Kind, Number};
pub use record::{
    AccountRecord, AccountState, BindingRecord, CountsRecord, Holder, HolderKind, ProfileRecord, Record, RequestRecord,
    RetiredRecord, RoleHoldersRecord, RoleRecord, ServiceAccountRecord, ServiceAccountState, TeamRecord, UserRecord,
    UserState,
};
