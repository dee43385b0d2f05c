//! The use cases: questions answered from the cache, lists read at one revision, and writes planned one after another.
//!
//! Every write goes one way: a plan over the facts as they will be (`plan`), one change, the journal, the state, the
//! stamps (`writer`). Nothing here knows gRPC or sled. Read [`Service`], then `questions` and `writer`.

mod access_lists;
mod accounts;
mod answerable;
mod apply_account;
mod batches;
mod bindings;
mod catalog_drops;
mod catalogs;
mod constraints;
mod core;
mod custom_roles;
mod erasures;
mod error;
mod exceptions;
mod export;
mod export_users;
mod facts;
#[cfg(test)]
mod faults;
mod hierarchy;
mod holders;
mod holdings;
mod listings;
mod manners;
mod memberships;
mod new_access;
mod pages;
mod places;
mod plan;
mod policies;
mod questions;
mod resources;
mod role_parts;
mod role_totals;
mod roles;
mod searches;
mod service_accounts;
mod subjects;
mod sweep;
mod teams;
mod users;
mod uses;
mod writer;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod account_file_tests;
#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod catalog_drops_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod planted_bugs;
#[cfg(test)]
mod role_tests;

pub use self::{
    access_lists::{AccessListView, change_access, replace_access_list},
    accounts::{AccountUpdate, AccountView, NewAccount, create_account, delete_account, update_account},
    apply_account::{Existing, ImportedUsers, apply_account, import_users},
    batches::Batch,
    bindings::{
        BindingFilter, BindingView, HolderName, NewBinding, ReplacedRoles, create_bindings, delete_bindings,
        replace_bindings,
    },
    catalog_drops::CatalogDrop,
    catalogs::{AppliedCatalog, CatalogView, apply_catalog, delete_catalog},
    core::{Clock, Head, Page, ReadAt, Service, Settings, SystemClock},
    custom_roles::{
        ChangedRole, CopiedRole, DeletedRole, NewRole, PermissionChoice, RoleCopy, RoleUpdate, add_permissions,
        create_role, delete_role, duplicate_role, remove_permissions, update_role,
    },
    erasures::{Erasures, finish_erasures, repeats_personal_fields},
    error::{ErrorDetails, ErrorReason, ServiceError, StatusKind, Violation},
    exceptions::{ExceptionView, NewException, create_exception, delete_exception},
    export::AccountExport,
    export_users::UsersExport,
    facts::{PolicyName, RoleName},
    holders::{RoleHolderCounts, RoleHolderName, RoleHolderView, RolePermissionView, RoleSectionView},
    listings::{
        AccessView, GrantPath, HeldPath, ListedApiScope, ListedApiScopes, ListedPermission, ListedPermissions,
        StatementPath,
    },
    manners::{Answer, Etag, Manners, RequestMark},
    memberships::{
        ReplacedMembers, ReplacedTeams, change_team_members, change_user_teams, replace_team_members,
        replace_user_teams,
    },
    new_access::NewAccess,
    places::PlaceName,
    policies::{NewPolicy, PolicyParent, PolicyUpdate, PolicyView, create_policy, delete_policy, update_policy},
    questions::{AskedName, Asking, Decided},
    resources::{
        NewResource, ResourceFilter, ResourceView, create_resource, create_resources, delete_resource, update_resource,
    },
    role_totals::RoleTotal,
    roles::{RoleFilter, RoleKind, RoleOrder, RoleView},
    searches::{AllowedName, AllowedSubject, FoundResources, FoundSubjects, ResourceSearch, SubjectSearch},
    service_accounts::{
        NewServiceAccount, ServiceAccountUpdate, ServiceAccountView, create_service_account, delete_service_account,
        update_service_account,
    },
    subjects::{SubjectKind, SubjectName},
    teams::{DeletedTeam, NewTeam, TeamUpdate, TeamView, create_team, delete_team, update_team},
    users::{
        HeldRoleView, NewUser, RemovedRole, UserFilter, UserUpdate, UserView, create_users, delete_user, erase_user,
        record_sign_in, remove_user_role, update_user,
    },
    uses::Use,
    writer::{Write, Written},
};
pub use crate::{
    engine::{AttributeValue, Attributes, Decision, NO_ATTRIBUTES, Reason},
    files::check_condition,
    model::{Applied, AppliedAction},
};

/// The most teams and the most roles that a user can have, each.
pub const MAX_TEAMS_OR_ROLES_OF_A_USER: usize = 256;
/// The most teams that an account can have.
pub const MAX_TEAMS: u64 = 10_000;
/// The most custom roles that an account can have.
pub const MAX_ROLES: u64 = 10_000;
/// The most custom access policies that an account can have.
pub const MAX_POLICIES: u64 = 1_000;
/// The most statements of an access policy, and the most patterns of either kind of a statement.
pub const MAX_STATEMENTS: usize = 100;
/// The most resources that an account can register.
pub const MAX_RESOURCES: u64 = 100_000;
/// The most values of an access list.
pub const MAX_ACCESS_VALUES: usize = 1_000;
/// The most exceptions of a user.
pub const MAX_EXCEPTIONS: usize = 256;
/// The most permissions that a custom role can list.
pub const MAX_PERMISSIONS_OF_A_ROLE: usize = 20_000;
/// The most parents that a custom role can have, and the most access policies, each.
pub const MAX_PARENTS_OR_POLICIES_OF_A_ROLE: usize = 100;
/// The most facets that there can be: resource types, and features.
pub const MAX_FACETS: usize = 101;
/// The most questions of a batch.
pub const MAX_BATCH: usize = 1_000;
/// The most elements of a page, and of a unary write that takes a list: see [`MAX_CHANGES_OF_A_WRITE`].
pub const MAX_PAGE: usize = 1_000;
/// The most things that one unary write can name.
pub const MAX_CHANGES_OF_A_WRITE: usize = 100;
/// The most API scopes that a custom role can leave out.
pub const MAX_LEFT_OUT: usize = 1_000;
/// The longest text to search for, in bytes.
pub const MAX_SEARCH_BYTES: usize = 128;
