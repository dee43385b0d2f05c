//! How much a run does, and what it has done.

use std::collections::BTreeMap;

use super::Set;

/// How much a run does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub writes: usize,
    /// Questions after each write, at least.
    pub checks_per_write: usize,
    /// Of a hundred writes, after how many each of the three lists (what, who, where) is compared.
    pub lists_percent: usize,
    /// Of a hundred writes, after how many something that is shown is compared.
    pub views_percent: usize,
}

/// What a run has done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Writes that were acknowledged.
    pub writes: usize,
    /// Writes that were refused, as they had to be.
    pub refused: usize,
    pub checks: usize,
    /// Lists of what a subject may do, of who may do something, and of where.
    pub lists: usize,
    pub past_checks: usize,
    /// How often the clock was moved to the instant at which something expired.
    pub expiries: usize,
    /// How often each thing was held against the oracle.
    pub compared: BTreeMap<String, usize>,
    /// Methods of the API that were never called.
    pub not_called: Option<Set>,
}

impl Done {
    /// Adds what another worker has done.
    pub fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.refused += other.refused;
        self.checks += other.checks;
        self.lists += other.lists;
        self.past_checks += other.past_checks;
        self.expiries += other.expiries;
        for (what, times) in other.compared {
            *self.compared.entry(what).or_default() += times;
        }
        self.not_called = match (self.not_called.take(), other.not_called) {
            (Some(mine), Some(theirs)) => Some(mine.intersection(&theirs).cloned().collect()),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// What was never held against the oracle, and which methods were never called: nothing, if a run is long enough.
    pub fn forgotten(&self) -> Set {
        let all = COMPARED.iter().chain(ANSWERED).chain(REFUSED);
        let compared = all.filter(|what| !self.compared.contains_key(**what)).map(ToString::to_string);
        compared.chain(self.not_called.clone().unwrap_or_default()).collect()
    }
}

/// Everything that has to be held against the oracle at least once in a long run.
const COMPARED: &[&str] = &[
    "a check by API scope",
    "a check of a service account",
    "a check with an entry of a list",
    "an account",
    "an export that changes nothing",
    "an import of what was exported, and of new users",
    "catalog drops",
    "catalogs compared",
    "etag, right",
    "etag, stale",
    "list of API scopes",
    "list of access lists",
    "list of access policies",
    "list of accounts",
    "list of bindings",
    "list of catalogs",
    "list of exceptions",
    "list of permissions",
    "list of registered resources",
    "list of resources",
    "list of role holders",
    "list of role permissions",
    "list of roles",
    "list of service accounts",
    "list of subjects",
    "list of subjects, with how they come to it",
    "list of team members",
    "list of teams",
    "list of user roles",
    "list of user teams",
    "list of users",
    "request id, sent again",
    "request id, sent again later",
    "request id, used for another",
    "validate_only",
    "what a deletion removed",
];

/// Every answer that a question can have, as its reason in the oracle's words, or as the error's.
const ANSWERED: &[&str] = &[
    "AccountSuspended",
    "SubjectUnknown",
    "SubjectNotActive",
    "NoRoleGrants",
    "GrantExpired",
    "FeatureNotEntitled",
    "ResourceNotCovered",
    "ResourceRequired",
    "FacetNotGranted",
    "ConditionFailed",
    "ApiScopeLeftOut",
    "DeniedByPolicy",
    "Allowed",
    "error Permission",
    "error ApiScope",
    "error Resource",
    "error Facets",
];

/// Reasons for which a write has to be refused at least once.
const REFUSED: &[&str] = &[
    "ALREADY_EXISTS",
    "ALWAYS_HELD_ROLE",
    "CATALOG_DROPS_IN_USE",
    "CATALOG_IN_USE",
    "CUSTOM_ROLES_NOT_OFFERED",
    "ETAG_MISMATCH",
    "FIELD_INVALID",
    "IN_USE",
    "LAST_ROLE",
    "MUTUALLY_EXCLUSIVE_ROLES",
    "ROLE_CYCLE",
    "ROLE_INHERITED",
    "ROLE_TOO_DEEP",
    "TOO_MANY_HOLDERS",
];
