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

pub use compiled::CompiledCatalog;
pub use condition::{AttributeValue, CompiledCondition, ConditionInput, Conditions};
pub use decide::{Asked, Decision, Reason, decide, effective_permissions};
pub use effective::{EffectiveSet, HeldRole, RoleFacts, RoleOrigin, Standing, Subject};
pub use index_set::{ApiScopeSet, IndexSet, PermissionSet};
