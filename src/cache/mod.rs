//! Answers kept for the next question, and the proof that none of them is stale.
//!
//! Whether a kept answer still holds is decided by [`Stamps`] at every read, never by the map that keeps it: the map
//! (moka) only bounds memory, and may lose, delay or bring back whatever it likes. Read [`Stamps`] first, then
//! [`LoadCache`]. The code here is what the model checker runs (feature `shuttle`).

mod intern;
mod load;
#[cfg(all(test, feature = "shuttle"))]
mod model_check;
#[cfg(feature = "server")]
mod moka_map;
mod stamps;
mod sync;
#[cfg(feature = "server")]
mod table_map;

pub use intern::Interner;
pub use load::{Entry, EntryMap, LoadCache, LoadError, Read};
#[cfg(feature = "server")]
pub use moka_map::{CacheLimits, MokaMap, Weighed};
#[cfg(feature = "server")]
pub(crate) use stamps::MAX_SLOTS_OF_A_WRITE;
pub use stamps::{CommitError, Dependencies, SlotSet, Stamps};
#[cfg(feature = "server")]
pub use table_map::TableMap;
