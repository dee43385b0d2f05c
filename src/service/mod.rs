//! The use cases: questions answered from the cache, lists read at one revision, and writes planned one after another.
//!
//! Every write goes one way: a plan over the facts as they will be (`plan`), one change, the journal, the state, the
//! stamps (`writer`). Nothing here knows gRPC or sled. Read [`Service`], then `questions` and `writer`.

mod accounts;
mod apply_account;
mod bindings;
mod catalogs;
mod core;
mod error;
mod export;
mod facts;
mod plan;
mod questions;
mod roles;
mod sweep;
mod teams;
mod users;
mod writer;

#[cfg(test)]
mod planted_bugs;

pub use self::{
    accounts::{AccountUpdate, AccountView, NewAccount},
    apply_account::{Applied, AppliedAction},
    bindings::{BindingFilter, BindingView, HolderName, NewBinding},
    core::{Head, Page, ReadAt, Service, Settings},
    error::{ErrorReason, ServiceError, StatusKind, Violation},
    export::AccountExport,
    facts::RoleName,
    questions::{Answer, BatchItem, GrantPath, ListedPermission, ListedPermissions, SubjectName},
    roles::{NewRole, RoleKind, RoleUpdate, RoleView},
    teams::{NewTeam, TeamUpdate, TeamView},
    users::{HeldRoleView, NewUser, RemovedRole, UserUpdate, UserView},
    writer::Written,
};
pub use crate::engine::{Decision, Reason};

/// The most teams and the most roles that a user can have, each.
pub const MAX_TEAMS_OR_ROLES_OF_A_USER: usize = 256;
/// The most teams that an account can have.
pub const MAX_TEAMS: u64 = 10_000;
/// The most custom roles that an account can have.
pub const MAX_ROLES: u64 = 10_000;
/// The most permissions that a custom role can list.
pub const MAX_PERMISSIONS_OF_A_ROLE: usize = 20_000;
/// The most questions of a batch.
pub const MAX_BATCH: usize = 1_000;
/// The most elements of a page, and of a unary write that takes a list: see [`MAX_CHANGES_OF_A_WRITE`].
pub const MAX_PAGE: usize = 1_000;
/// The most things that one unary write can name.
pub const MAX_CHANGES_OF_A_WRITE: usize = 100;
