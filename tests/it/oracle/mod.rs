//! A naive evaluator, written from the rules of what a decision means, and sharing nothing with the engine: no type, no
//! cache, no order of evaluation. It keeps every fact in plain maps, reads the rules one by one for each question, and is
//! meant to be obviously right, never fast. Writes are assumed to be valid; one on something that is not there does
//! nothing. Read [`Oracle::check`] first, then `views` for what is shown of roles and teams. What a deletion takes away
//! for good is in `writes`: it removes every mention, so that nothing is left for a later thing of the same id to find.

mod api_scope_tests;
mod questions;
mod tests;
mod views;
mod views_tests;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

pub use views::{Counts, Difference, Shown};

type Set = BTreeSet<String>;

/// What a platform offers, as one version of a catalog file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub features: Set,
    pub permissions: BTreeMap<String, Permission>,
    /// Each API scope with those that it includes directly.
    pub api_scopes: BTreeMap<String, Set>,
    /// Managed roles, internal ones too.
    pub roles: BTreeMap<String, Role>,
}

/// A permission definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    pub feature: Option<String>,
    pub internal: bool,
    pub section: String,
    pub api_scopes: Set,
}

/// A managed role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    pub internal: bool,
    pub permissions: Set,
}

/// The state of a subject: only an active one is ever allowed anything. A service account is never invited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    Invited,
    #[default]
    Active,
    Suspended,
}

/// Who is asked about. A bare id is a user's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    User(String),
    ServiceAccount(String),
}

impl From<&str> for Subject {
    fn from(user: &str) -> Self {
        Self::User(user.into())
    }
}

impl From<&String> for Subject {
    fn from(user: &String) -> Self {
        Self::User(user.clone())
    }
}

impl From<&Subject> for Subject {
    fn from(subject: &Subject) -> Self {
        subject.clone()
    }
}

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    User(String),
    Team(String),
    ServiceAccount(String),
}

/// Which role is held. In the order in which roles are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleName {
    Managed(String),
    Custom(String),
}

/// Why a question was answered as it was; of several grants the furthest counts, so the order matters. Everything but
/// `Allowed` is a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    AccountSuspended,
    SubjectUnknown,
    SubjectNotActive,
    NoRoleGrants,
    FeatureNotEntitled,
    ApiScopeLeftOut,
    Allowed,
}

/// Why a question was not answered at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Account,
    Permission,
    ApiScope,
}

/// One allowed permission in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub section: String,
    /// What at least one of the grants provides.
    pub api_scopes: Set,
    /// Each role that gives the permission, with the team that it came through (none: held directly).
    pub grants: BTreeSet<(RoleName, Option<String>)>,
}

/// A user. `made` says who was there first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub state: State,
    pub texts: Texts,
    /// Seconds since 1970.
    pub last_sign_in: Option<i64>,
    pub made: u64,
}

/// A user's personal fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    pub display_name: String,
    pub username: String,
    pub email: String,
}

/// A service account. It belongs to no team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    pub state: State,
    pub made: u64,
}

/// A custom role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomRole {
    pub permissions: Set,
    pub left_out: Set,
}

/// A tenant and everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub catalog: String,
    pub active: bool,
    pub features: Set,
    pub users: BTreeMap<String, User>,
    pub service_accounts: BTreeMap<String, ServiceAccount>,
    /// Each team with its members.
    pub teams: BTreeMap<String, Set>,
    pub roles: BTreeMap<String, CustomRole>,
    /// Each with the write that made it.
    pub bindings: BTreeMap<(Holder, RoleName), u64>,
    /// How much was ever made in it.
    pub made: u64,
}

/// All facts.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub catalogs: BTreeMap<String, Catalog>,
    pub accounts: BTreeMap<String, Account>,
    /// The write that is under way. What one write makes is of one age.
    pub write: u64,
}
