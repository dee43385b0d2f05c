//! A value that many names share, with all that it depends on.

use std::{hash::Hash, sync::atomic::AtomicBool};

use super::{
    stamps::Stamps,
    sync::{AtomicU64, Ordering},
};
use crate::model::{Revision, Timestamp};

/// What can be shared, and by what equal ones are known.
pub trait Shareable {
    /// Equal keys are equal values, as long as one of them is kept.
    type Key: Eq + Hash + Send;

    /// What those who share the value have of their own. Together with what the value's slots stand for it makes the value:
    /// of two values with the same, each is right for whoever shares the other, wherever it holds.
    type Own: Clone + Eq + Hash + Send;

    /// The value's key.
    fn key(&self) -> Self::Key;

    /// What those who share it have of their own.
    fn own(&self) -> &Self::Own;

    /// The id of the account whose subjects may share it. Equal keys have the same.
    fn account(&self) -> &str;

    /// Memory that is freed when the value goes, in bytes.
    fn bytes(&self) -> usize;

    /// Where each thread has those at hand that it comes by most.
    #[cfg(feature = "server")]
    fn at_hand() -> &'static std::thread::LocalKey<super::AtHand<Self>>
    where
        Self: Sized;
}

/// A value with all that it depends on.
#[derive(Debug)]
pub struct Shared<V> {
    /// The value.
    pub value: V,
    /// The instant from which it does not hold any more, whatever happens; none: no such instant.
    pub expires: Option<Timestamp>,
    pub(super) slots: Box<[u32]>,
    /// Its number; none: it is not kept.
    pub(super) target: Option<u64>,
    was_asked: AtomicBool,
    /// The latest revision at which it was worked out.
    worked_out: AtomicU64,
    /// All writes up to this revision are in `changed`.
    seen: AtomicU64,
    /// The revision of the last write that touched one of the slots; never less than it was at `seen`.
    changed: AtomicU64,
}

impl<V> Shared<V> {
    /// A value that nobody else shares.
    pub(super) fn unkept(value: V, slots: Box<[u32]>, expires: Option<Timestamp>) -> Self {
        let (worked_out, seen, changed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { value, expires, slots, target: None, was_asked: AtomicBool::new(false), worked_out, seen, changed }
    }

    /// The value of a number.
    pub(super) fn numbered(target: u64, value: V, slots: Box<[u32]>, expires: Option<Timestamp>) -> Self {
        Self { target: Some(target), ..Self::unkept(value, slots, expires) }
    }

    /// When the last of what it depends on changed, looked at no earlier than when `stable` was the stable revision. Cost:
    /// constant unless something was published since this was asked last; else one look for each slot.
    pub(super) fn changed(&self, stamps: &Stamps, stable: Revision) -> Revision {
        if self.seen.load(Ordering::SeqCst) >= stable.0 {
            return Revision(self.changed.load(Ordering::SeqCst));
        }
        // Whoever published `stable` had stamped its slots before, and stamps only rise. So what is found now has
        // every write up to there. It is noted before it is said that it is: who reads that reads this much at least.
        let changed = stamps.latest(&self.slots);
        self.changed.fetch_max(changed.0, Ordering::SeqCst);
        self.seen.fetch_max(stable.0, Ordering::SeqCst);
        changed
    }

    /// Notes that it was worked out at a revision.
    pub(super) fn note_worked_out(&self, revision: Revision) {
        self.worked_out.fetch_max(revision.0, Ordering::SeqCst);
    }

    /// The latest revision at which it was worked out.
    pub(super) fn worked_out(&self) -> Revision {
        Revision(self.worked_out.load(Ordering::SeqCst))
    }

    /// Notes that it was asked for. Writes nothing if that is known.
    pub(super) fn note_asked(&self) {
        if !self.was_asked.load(Ordering::Relaxed) {
            self.was_asked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was asked for since this was called last.
    #[cfg(feature = "server")]
    pub(super) fn take_asked(&self) -> bool {
        self.was_asked.swap(false, Ordering::Relaxed)
    }
}
