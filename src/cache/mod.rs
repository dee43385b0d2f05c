//! Answers kept for the next question, and the proof that none of them is stale.
//!
//! Whether a kept answer still holds is decided by [`Stamps`] at every read, never by the map that keeps it: the map
//! (moka) only bounds memory, and may lose, delay or bring back whatever it likes. Read [`Stamps`] first, then
//! [`LoadCache`], which works answers out, then [`SubjectMap`], which has what nearly every question needs in few bytes.
//! The code here is what the model checker runs (feature `shuttle`).

#[cfg(feature = "server")]
mod at_hand;
mod compact;
#[cfg(all(test, feature = "server", not(feature = "shuttle")))]
mod compact_tests;
mod intern;
mod load;
#[cfg(all(test, feature = "shuttle"))]
mod model_check;
#[cfg(all(test, feature = "shuttle"))]
mod model_check_names;
#[cfg(feature = "server")]
mod moka_map;
mod shared;
mod stamps;
mod subject_map;
mod sync;
#[cfg(feature = "server")]
mod table_map;
#[cfg(feature = "server")]
mod values;
#[cfg(not(feature = "server"))]
#[path = "values_model.rs"]
mod values;
#[cfg(all(test, feature = "server"))]
mod values_tests;

#[cfg(feature = "server")]
pub use at_hand::AtHand;
pub use compact::{CompactTable, Mapped, Owner, Space};
pub use intern::Interner;
pub use load::{Entry, EntryMap, LoadCache, LoadError, Read};
#[cfg(feature = "server")]
pub use moka_map::{CacheLimits, MokaMap, Weighed};
pub use shared::{Shareable, Shared};
pub use stamps::{Dependencies, SlotSet, Stamps};
pub use subject_map::{Found, NamedSubject, Seen, SubjectMap};
#[cfg(feature = "server")]
pub use table_map::TableMap;
