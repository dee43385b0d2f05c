//! Roles and policies made ready: what they list, as sets of one catalog.

use std::sync::Arc;

use super::{ApiScopeSet, PermissionSet, ReadyCondition};
use crate::model::{Effect, Facet, Number, PolicyId, PolicyIndex, ResourcePattern, RoleId};

/// Where a role comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoleOrigin {
    /// The catalog: managed or internal.
    Catalog {
        /// Its position in the catalog's roles.
        position: usize,
    },
    /// The account: custom.
    Account,
}

/// A role made ready for decisions.
#[derive(Debug)]
pub struct RoleFacts {
    /// Its number.
    pub number: Number,
    /// Its id within its catalog or account.
    pub id: RoleId,
    /// Where it comes from.
    pub origin: RoleOrigin,
    /// It is internal: it alone reaches internal permissions.
    pub is_internal: bool,
    /// The permissions that it lists: an internal one only if the role is internal.
    pub permissions: PermissionSet,
    /// What its policies say.
    pub statements: Vec<Arc<StatementFacts>>,
    /// The facets that it covers whole, for what it lists itself.
    pub covers: Vec<Facet>,
    /// The numbers of the roles all of whose contents it has too. One that is gone is void.
    pub parents: Vec<Number>,
    /// The API scopes that it does not provide, whatever its permissions do.
    pub left_out: ApiScopeSet,
}

/// Which policy a statement belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyName {
    /// One of the catalog: its position there, and its id.
    Managed(PolicyIndex, PolicyId),
    /// One of the account.
    Custom(PolicyId),
}

/// A statement of a policy made ready for decisions.
#[derive(Debug)]
pub struct StatementFacts {
    /// The policy that it belongs to.
    pub policy: PolicyName,
    /// Its position among the policy's statements.
    pub position: usize,
    /// Whether it grants or takes away.
    pub effect: Effect,
    /// What its patterns match, internal permissions too.
    pub(super) matched: PermissionSet,
    /// The same without internal permissions.
    pub(super) assignable: PermissionSet,
    /// The resources that it is about; none: every resource.
    pub resources: Vec<ResourcePattern>,
    /// What else has to hold.
    pub condition: Option<ReadyCondition>,
}

impl StatementFacts {
    /// The permissions that it is about where a role contains it. Internal ones only in an internal role of the catalog,
    /// and never by a policy of the account.
    #[must_use]
    pub fn permissions(&self, role: &RoleFacts) -> &PermissionSet {
        match self.policy {
            PolicyName::Managed(..) if role.is_internal => &self.matched,
            PolicyName::Managed(..) | PolicyName::Custom(_) => &self.assignable,
        }
    }

    /// Whether it is about every resource, and the account itself.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.resources.is_empty() || self.resources.iter().any(ResourcePattern::is_everything)
    }

    /// Whether it is about exactly this resource; the empty path is the account.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether it is about this resource and everything below it.
    #[must_use]
    pub fn matches_all_below(&self, path: &str) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|pattern| pattern.is_open() && pattern.matches(path))
    }
}

/// A policy of an account made ready.
#[derive(Debug)]
pub struct PolicyFacts {
    /// Its number.
    pub number: Number,
    /// What it says.
    pub statements: Vec<Arc<StatementFacts>>,
}
