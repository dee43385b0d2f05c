//! The answer to one question, and the list of all that would be allowed.

use super::{HeldRole, Standing, Subject};
use crate::model::PermissionIndex;

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// Why the answer is what it is. Each reason belongs to one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A role of the subject contains the permission, and the account is entitled to its feature.
    Allowed,
    /// The account is suspended.
    AccountSuspended,
    /// The account has no such subject.
    SubjectUnknown,
    /// The subject is invited or suspended.
    SubjectNotActive,
    /// No role of the subject contains the permission.
    NoRoleGrants,
    /// A role does, but the account is not entitled to the permission's feature.
    FeatureNotEntitled,
}

impl Reason {
    /// Every reason, in the order in which they are looked for; [`Self::Allowed`] last.
    pub const ALL: [Self; 6] = [
        Self::AccountSuspended,
        Self::SubjectUnknown,
        Self::SubjectNotActive,
        Self::NoRoleGrants,
        Self::FeatureNotEntitled,
        Self::Allowed,
    ];

    /// The decision that it belongs to.
    #[must_use]
    pub fn decision(self) -> Decision {
        match self {
            Self::Allowed => Decision::Allow,
            Self::AccountSuspended
            | Self::SubjectUnknown
            | Self::SubjectNotActive
            | Self::NoRoleGrants
            | Self::FeatureNotEntitled => Decision::Deny,
        }
    }

    /// Its name in documents and scenario files; on the wire it has the prefix `DECISION_REASON_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "ALLOWED",
            Self::AccountSuspended => "ACCOUNT_SUSPENDED",
            Self::SubjectUnknown => "SUBJECT_UNKNOWN",
            Self::SubjectNotActive => "SUBJECT_NOT_ACTIVE",
            Self::NoRoleGrants => "NO_ROLE_GRANTS",
            Self::FeatureNotEntitled => "FEATURE_NOT_ENTITLED",
        }
    }

    /// What it means and what to look at next, in one or two sentences for people.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Allowed => {
                "A role of the subject contains the permission, and the account is entitled to its feature."
            }
            Self::AccountSuspended => "The account is suspended: nobody of it is allowed anything until it is active.",
            Self::SubjectUnknown => "The account has no such subject. Ids are case-sensitive.",
            Self::SubjectNotActive => {
                "The subject is invited or suspended. Only an active one is ever allowed anything."
            }
            Self::NoRoleGrants => {
                "No role that the subject holds, directly or through a team, contains the permission. \
                 Give it a role that does, or add the permission to a custom role that it holds."
            }
            Self::FeatureNotEntitled => {
                "A role of the subject contains the permission, but the account is not entitled to the feature that the \
                 permission belongs to. Entitle the account to it."
            }
        }
    }
}

/// May this subject do this? Cost: constant.
#[must_use]
pub fn decide(subject: &Subject, permission: PermissionIndex) -> Reason {
    match subject.standing {
        Standing::AccountSuspended => Reason::AccountSuspended,
        Standing::Unknown => Reason::SubjectUnknown,
        Standing::NotActive => Reason::SubjectNotActive,
        Standing::Active if subject.set.allowed().contains(permission) => Reason::Allowed,
        Standing::Active if subject.set.granted().contains(permission) => Reason::FeatureNotEntitled,
        Standing::Active => Reason::NoRoleGrants,
    }
}

/// Every permission that [`decide`] allows, ordered by id, each with the bindings that it comes from.
/// Cost: linear in the catalog's permissions, and in bindings times permissions for what is taken from it.
pub fn effective_permissions(subject: &Subject) -> impl Iterator<Item = (PermissionIndex, Vec<&HeldRole>)> + '_ {
    let set = &subject.set;
    set.catalog().permissions().filter(|permission| decide(subject, *permission) == Reason::Allowed).map(|permission| {
        let contains = |held: &&HeldRole| set.role(held.role).is_some_and(|role| role.permissions.contains(permission));
        (permission, subject.held.iter().filter(contains).collect())
    })
}
