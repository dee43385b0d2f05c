//! The decision itself: what a subject may do, worked out from facts before anybody asks, and then looked up.
//!
//! Plain values and pure functions: no clock, no I/O, no errors, no logging. What does not fit the facts (a number that
//! the catalog has no more, a role that is gone) gives nothing. An answer is [`Reason::Allowed`] in one place only:
//! [`decide`]. Read [`CompiledCatalog`], then [`EffectiveSet`], then [`decide`].

mod compiled;
mod condition;
mod decide;
mod effective;
mod index_set;
mod list;
mod place;
mod role;

#[cfg(test)]
mod tests;

pub use compiled::{CompiledCatalog, FEATURE_FACET};
pub use condition::{
    AttributeValue, Attributes, CompiledCondition, ConditionInput, Conditions, NoConditions, ReadyCondition,
};
pub use decide::{Asked, Decision, NO_ATTRIBUTES, Question, Reason, decide};
pub use effective::{
    Access, AccessList, BoundResource, BoundRole, EffectiveSet, Evidence, HeldException, HeldRole, Holdings, Standing,
    Subject,
};
pub use index_set::{ApiScopeSet, IndexSet, PermissionSet};
pub use list::{HeldBy, Listed, Way, allowing_ways, effective_permissions};
pub use place::{Fit, NOWHERE, Place, agrees};
pub use role::{PolicyFacts, PolicyName, RoleFacts, RoleOrigin, StatementFacts};
