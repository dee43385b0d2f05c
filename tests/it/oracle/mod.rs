//! A naive evaluator, written from the rules of what a decision means, and sharing nothing with the engine: no type, no
//! cache, no order of evaluation. It keeps every fact in plain maps, reads the rules one by one for each question, and is
//! meant to be obviously right, never fast. Writes are assumed to be valid; one on something that is not there does
//! nothing. Read [`Oracle::check`] first, then `grants` for how a subject comes to a permission, `lists` and `views` for
//! what is shown, and `constraints` and `uses` for the writes that are refused. What a deletion takes away for good is in
//! `writes`, `role_writes`, `place_writes` and `catalog_writes`: it removes every mention, so that nothing is left for a
//! later thing of the same id to find.

mod api_scope_tests;
mod catalog_tests;
mod catalog_writes;
mod condition_tests;
mod conditions;
mod constraint_tests;
mod constraints;
mod deny_tests;
mod everything_tests;
mod exception_tests;
mod expiry_tests;
mod facet_tests;
mod facts;
mod grants;
mod hierarchy_tests;
mod internal_tests;
mod listing_tests;
mod lists;
mod path_tests;
pub mod paths;
mod place_writes;
mod platform;
mod policy_tests;
mod questions;
mod resource_tests;
mod role_writes;
mod tests;
mod uses;
mod uses_tests;
mod views;
mod views_tests;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

pub use conditions::{Condition, Seen};
pub use constraints::Broken;
pub use facts::*;
pub use lists::{Listed, Resources};
pub use questions::{Question, Value, What};
pub use uses::{Hierarchy, Use};
pub use views::{Counts, Difference, Shown};

type Set = BTreeSet<String>;

/// Why a question was answered as it was; of several grants the furthest counts, so the order matters. Everything but
/// `Allowed` is a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    AccountSuspended,
    SubjectUnknown,
    SubjectNotActive,
    NoRoleGrants,
    GrantExpired,
    FeatureNotEntitled,
    ResourceNotCovered,
    ResourceRequired,
    FacetNotGranted,
    ConditionFailed,
    ApiScopeLeftOut,
    DeniedByPolicy,
    Allowed,
}

/// Why a question was not answered at all. Of several the first of these is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    Account,
    Permission,
    ApiScope,
    /// The path is malformed, or of another line of types than the permission.
    Resource,
    /// A facet is unknown or `feature`, its value is malformed, or it disagrees with the path.
    Facets,
}

/// How a subject comes to a statement or a permission: a binding, and one role reached from it that lists this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// The role that is bound.
    pub bound: RoleName,
    /// The team that holds the binding (none: the subject does).
    pub team: Option<String>,
    /// The resource of the binding (none: the whole account).
    pub resource: Option<String>,
    /// When the binding ends, in milliseconds.
    pub expires: Option<u64>,
    /// The role that lists it: the one that is bound, or a parent at any depth.
    pub listing: RoleName,
    pub by: By,
}

/// What the listing role lists: the permission itself, or a policy, one of whose statements (from 0) matches it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Permission,
    Statement(PolicyName, usize),
}

/// One way to have a permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    Role(Chain),
    Exception(Exception),
}
