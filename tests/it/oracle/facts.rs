//! The facts: what a platform offers, and a tenant and everything in it. Times are in milliseconds. A path is a text like
//! `workspaces/w1/channels/c7`; where there is none, the whole account is meant.

use std::collections::{BTreeMap, BTreeSet};

use super::{Condition, Set};

/// What a platform offers, as one version of a catalog file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub features: Set,
    pub permissions: BTreeMap<String, Permission>,
    /// Each API scope with those that it includes directly.
    pub api_scopes: BTreeMap<String, Set>,
    /// Managed roles, internal ones too.
    pub roles: BTreeMap<String, Role>,
    /// By id, which is the singular word.
    pub resource_types: BTreeMap<String, ResourceType>,
    /// Managed policies.
    pub policies: BTreeMap<String, Vec<Statement>>,
    pub must_hold_role: bool,
    /// Pairs of managed roles.
    pub mutually_exclusive: Vec<(String, String)>,
    pub custom_roles: CustomRoleParts,
}

/// Which parts custom roles may have. It bounds what can be written, and takes nothing from what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomRoleParts {
    pub permissions: bool,
    pub parents: bool,
    pub managed_policies: bool,
    pub custom_policies: bool,
}

/// A type of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceType {
    /// The word in paths.
    pub plural: String,
    /// Another type's id.
    pub parent: Option<String>,
}

/// A permission definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    pub feature: Option<String>,
    pub internal: bool,
    pub section: String,
    pub api_scopes: Set,
    /// The type that it lives on (none: the account).
    pub resource_type: Option<String>,
    /// What bounds it: resource types, and `feature`.
    pub facets: Set,
    pub condition: Option<Condition>,
}

/// A statement of an access policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pub effect: Effect,
    /// Patterns, at least one.
    pub permissions: Vec<String>,
    /// Patterns (none: every resource).
    pub resources: Vec<String>,
    pub condition: Option<Condition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    #[default]
    Allow,
    Deny,
}

/// A managed role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    pub internal: bool,
    pub permissions: Set,
    /// Managed policies.
    pub policies: Set,
    /// Managed roles.
    pub parents: Set,
    /// Facets, `feature` too.
    pub covers: Set,
    pub always_held: bool,
    pub max_holders: Option<usize>,
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

/// Who holds a role or an access list.
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

/// Which access policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyName {
    Managed(String),
    Custom(String),
}

/// Who holds which role, and on which resource (none: on the whole account).
pub type BindingKey = (Holder, RoleName, Option<String>);

/// A role binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The write that made it.
    pub made: u64,
    pub expires: Option<u64>,
}

/// What a user or a team has of one facet: everything, or these registered resources (of `feature`: these features).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub all: bool,
    pub values: Set,
}

/// One extra permission of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    pub reason: String,
    pub expires: Option<u64>,
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
    pub policies: BTreeSet<PolicyName>,
    pub parents: BTreeSet<RoleName>,
    /// Facets, `feature` too.
    pub covers: Set,
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
    /// Custom policies.
    pub policies: BTreeMap<String, Vec<Statement>>,
    pub bindings: BTreeMap<BindingKey, Binding>,
    /// Registered resources by path; the number says which was there first.
    pub resources: BTreeMap<String, u64>,
    /// Access lists by holder (a user or a team) and facet. An empty one is not kept.
    pub access: BTreeMap<(Holder, String), Access>,
    /// By user and permission.
    pub exceptions: BTreeMap<(String, String), Exception>,
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
