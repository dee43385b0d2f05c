//! One accepted write: which records it replaces, and by what.
//!
//! A [`Change`] is complete in itself. Applying it needs no catalog, no clock and no decision, and so cannot fail for
//! any reason but the disk.

use std::sync::OnceLock;

use super::{Key, Record};

/// The number of a change: 1 for the first, then one more each. 0 is the empty store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// An instant of the server's clock, in milliseconds since 1970-01-01T00:00:00Z. Never runs backwards in one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

/// A value, with the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped<T> {
    /// The revision of the change that wrote the value.
    pub revision: Revision,
    /// The value.
    pub value: T,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever reaches the loopback address or the Unix socket.
    LocalOperator,
    /// The server itself, tidying up.
    Server,
}

/// One record before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// Which record.
    pub key: Key,
    /// What it was; none: it was not there.
    pub before: Option<Stamped<Record>>,
    /// What it is now; none: it is gone.
    pub after: Option<Record>,
}

/// One accepted write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order of all changes.
    pub revision: Revision,
    /// When it was accepted.
    pub time: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// The method that asked for it, such as `CreateUser`.
    pub method: String,
    /// The first internal number that is still free after it.
    pub next_number: u64,
    /// The records that it replaces, each key once.
    pub records: Vec<RecordChange>,
    /// What was summed up over it.
    pub sums: Sums,
}

/// What whoever stores a change has summed up over its records, kept so that it is worked out once. Says nothing about the
/// change that the change does not say: all are equal, and a copy begins without.
#[derive(Debug, Default)]
pub struct Sums(OnceLock<(Summed, [[u64; 4]; 2])>);

/// Which records were summed up: of which revision, where they lie, and how many.
type Summed = (Revision, usize, usize);

impl Clone for Sums {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Sums {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sums {}

impl Change {
    /// Two sums over the records, worked out the first time only.
    pub fn sums(&self, sum_up: impl Fn(&Self) -> [[u64; 4]; 2]) -> [[u64; 4]; 2] {
        let summed = (self.revision, self.records.as_ptr().addr(), self.records.len());
        match self.sums.0.get_or_init(|| (summed, sum_up(self))) {
            (of, sums) if *of == summed => *sums,
            // Other records than those were put in since.
            _ => sum_up(self),
        }
    }
}
