//! Values that a thread has at hand: the few that it comes by most, found without a word to any other thread.
//!
//! What a processor pays for a look-up that others could be writing to is not the look-up, but that it has to wait until all
//! that it wrote before is seen by all, and can look for nothing else meanwhile. A value of a number never changes, and
//! whether it holds is asked of its stamps each time. So each thread may hold on to those that it has found; only their
//! memory is at stake, and so it lets go of all of them as soon as one of them may have been evicted.

use std::{
    cell::Cell,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::shared::Shared;

/// How many values a thread has at hand at most.
const SEATS: usize = 64;
/// One of so many values that were not at hand is from then on.
const TAKEN: u32 = 8;

/// What was kept between two moments at which something went. No two maps of one process have the same.
pub(super) struct Era(AtomicU64);

static LATEST: AtomicU64 = AtomicU64::new(1);

impl Era {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(LATEST.fetch_add(1, Ordering::Relaxed)))
    }

    /// To be called when a value is not to be found any more.
    pub(super) fn end(&self) {
        self.0.store(LATEST.fetch_add(1, Ordering::Relaxed), Ordering::SeqCst);
    }
}

/// Values of one era, of one thread.
pub struct AtHand<V> {
    era: Cell<u64>,
    seats: [Cell<Option<Arc<Shared<V>>>>; SEATS],
    /// How many were not at hand.
    missed: Cell<u32>,
}

impl<V> AtHand<V> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { era: Cell::new(0), seats: [const { Cell::new(None) }; SEATS], missed: Cell::new(0) }
    }

    /// Hands on the value of a number. If it is not at hand, it is looked for with `find`. Cost: no lock, no wait, and no
    /// allocation.
    #[inline]
    pub(super) fn with<F: Deref<Target = Option<Arc<Shared<V>>>>, R>(
        &self,
        era: &Era,
        target: u64,
        find: impl FnOnce() -> F,
        then: impl FnOnce(&Shared<V>) -> R,
    ) -> Option<R> {
        // Read before anything is looked for: what is found then and goes afterwards is of an era that has ended.
        let era = era.0.load(Ordering::SeqCst);
        let seat = self.seats.get(seat(target))?;
        // Taken and put back: nobody else is at this thread's seats meanwhile, and if `then` panics one value is not at hand.
        let seated = seat.take();
        let is_it = self.era.get() == era && seated.as_ref().is_some_and(|shared| shared.target == Some(target));
        let found = if is_it { None } else { Some(find()) };
        let shared = found.as_ref().map_or(seated.as_ref(), |found| found.as_ref());
        let handed_on = shared.map(|shared| {
            shared.note_asked();
            then(shared)
        });
        match found {
            None => seat.set(seated),
            Some(found) => self.take(era, seat, seated, found.as_ref()),
        }
        handed_on
    }

    /// Takes in some of the values that were not at hand.
    #[cold]
    fn take(
        &self,
        era: u64,
        seat: &Cell<Option<Arc<Shared<V>>>>,
        seated: Option<Arc<Shared<V>>>,
        found: Option<&Arc<Shared<V>>>,
    ) {
        if self.era.replace(era) == era {
            seat.set(seated);
        } else {
            self.seats.iter().for_each(|seat| seat.set(None));
        }
        let missed = self.missed.get().wrapping_add(1);
        self.missed.set(missed);
        if missed.is_multiple_of(TAKEN) && found.is_some() {
            seat.set(found.cloned());
        }
    }
}

impl<V> Default for AtHand<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Numbers that are given out one after another stand side by side.
fn seat(target: u64) -> usize {
    (target % SEATS as u64) as usize
}
