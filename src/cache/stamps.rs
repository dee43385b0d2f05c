//! When each thing that an answer can depend on last changed: the reason why a kept answer can be trusted.
//!
//! Time is counted in revisions. A write announces the slots that it touches before any data changes (`inflight`),
//! makes the change durable and visible, and then stamps the slots with its revision (`published`). An answer that was
//! worked out at revision R holds as long as no slot that it depends on is stamped later than R. The order of these
//! steps is the whole proof; the model checker runs it, and the variants of it that do not hold.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::sync::{AtomicU64, Ordering};
use crate::model::{Dependency, Revision};

#[cfg(not(feature = "shuttle"))]
const SLOTS: usize = 1 << 16;
#[cfg(feature = "shuttle")]
const SLOTS: usize = 8;

/// The slots of a write, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotSet(Vec<u32>);

#[cfg(all(test, feature = "shuttle"))]
impl SlotSet {
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }
}

/// The slots that a load has read from, noted before each read.
#[derive(Debug, Default)]
pub struct Dependencies {
    /// Those of what others may depend on too.
    shared: Vec<u32>,
    /// Those of what the answer's own name alone depends on.
    own: Vec<u32>,
}

/// The stamps of one store. Size: 1 MiB.
pub struct Stamps {
    stable: AtomicU64,
    /// The last write that stamped accounts in the place of what it touched in them.
    coarse: AtomicU64,
    published: Box<[AtomicU64]>,
    inflight: Box<[AtomicU64]>,
    seed: u64,
}

impl Stamps {
    /// Stamps for a store whose head is `head`. `seed` is any number that outsiders cannot guess, so that nobody can
    /// choose ids that all share one slot.
    #[must_use]
    pub fn new(head: Revision, seed: u64) -> Self {
        let slots = || (0..SLOTS).map(|_| AtomicU64::new(head.0)).collect();
        Self {
            stable: AtomicU64::new(head.0),
            coarse: AtomicU64::new(head.0),
            published: slots(),
            inflight: slots(),
            seed,
        }
    }

    /// The revision of the last published write.
    #[must_use]
    pub fn stable(&self) -> Revision {
        Revision(self.stable.load(Ordering::SeqCst))
    }

    /// The slot of a dependency. Two can share one: that costs a load now and then, never a wrong answer.
    fn slot(&self, dependency: &Dependency) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        dependency.hash(&mut hasher);
        // The mask keeps it below SLOTS, which fits.
        u32::try_from(hasher.finish() & (SLOTS as u64 - 1)).unwrap_or(0)
    }

    /// The slots of everything that a write touches.
    pub fn slots<'a>(&self, dependencies: impl IntoIterator<Item = &'a Dependency>) -> SlotSet {
        let mut slots: Vec<u32> = dependencies.into_iter().map(|dependency| self.slot(dependency)).collect();
        slots.sort_unstable();
        slots.dedup();
        SlotSet(slots)
    }

    /// Notes, before it is read, that a load depends on something.
    pub fn depend(&self, dependencies: &mut Dependencies, dependency: &Dependency) {
        dependencies.shared.push(self.slot(dependency));
    }

    /// The same for something that nobody else depends on who shares the answer.
    pub fn depend_alone(&self, dependencies: &mut Dependencies, dependency: &Dependency) {
        dependencies.own.push(self.slot(dependency));
    }

    /// Notes, before a write is published as `revision`, that it stamps accounts in the place of what it touches in them: what
    /// somebody alone depends on can change without its own slots being stamped.
    #[cfg(feature = "server")]
    pub fn note_coarse(&self, revision: Revision) {
        self.coarse.store(revision.0, Ordering::SeqCst);
    }

    /// Carries out one write: announces it, makes it durable, makes it visible, publishes it as `revision`. To be
    /// called by one thread at a time, with revisions that rise.
    ///
    /// # Errors
    /// What kept the change from being durable, as far as is known. Nothing that answers are made from has changed then.
    pub fn commit<E>(
        &self,
        revision: Revision,
        slots: &SlotSet,
        make_durable: impl FnOnce() -> Result<(), E>,
        make_visible: impl FnOnce(),
    ) -> Result<(), E> {
        for slot in &slots.0 {
            self.set(&self.inflight, *slot, revision.0);
        }
        if let Err(error) = make_durable() {
            // Nothing has changed, so loads of these slots may go on.
            let stable = self.stable.load(Ordering::SeqCst);
            for slot in &slots.0 {
                self.set(&self.inflight, *slot, stable);
            }
            return Err(error);
        }
        make_visible();
        for slot in &slots.0 {
            self.set(&self.published, *slot, revision.0);
        }
        self.stable.store(revision.0, Ordering::SeqCst);
        Ok(())
    }

    /// Whether none of these slots was published after `revision`: an answer worked out then still holds.
    #[must_use]
    pub(super) fn hold(&self, slots: &[u32], revision: Revision) -> bool {
        slots.iter().all(|slot| self.get(&self.published, *slot) <= revision.0)
    }

    /// The revision at which one of these slots was published last.
    #[must_use]
    pub(super) fn latest(&self, slots: &[u32]) -> Revision {
        Revision(slots.iter().map(|slot| self.get(&self.published, *slot)).max().unwrap_or_default())
    }

    /// The same for the slots of what a name alone depends on.
    #[must_use]
    pub(super) fn hold_own(&self, slots: [u16; 2], revision: Revision) -> bool {
        slots.iter().all(|slot| self.get(&self.published, u32::from(*slot)) <= revision.0)
    }

    /// Whether a load that began at `revision` has read nothing of a later write. To be asked after its last read.
    pub(super) fn undisturbed(&self, dependencies: &Dependencies, revision: Revision) -> bool {
        let mut slots = dependencies.shared.iter().chain(&dependencies.own);
        slots.all(|slot| self.get(&self.inflight, *slot) <= revision.0)
    }

    /// Whether nothing of what a name alone depends on has changed since a revision, though all that it shares may have.
    #[must_use]
    pub(super) fn own_unchanged(&self, slots: [u16; 2], revision: Revision) -> bool {
        self.coarse.load(Ordering::SeqCst) <= revision.0 && self.hold_own(slots, revision)
    }

    fn get(&self, stamps: &[AtomicU64], slot: u32) -> u64 {
        // A slot that does not exist cannot be made; if it were, it would never hold.
        stamps.get(slot as usize).map_or(u64::MAX, |stamp| stamp.load(Ordering::SeqCst))
    }

    fn set(&self, stamps: &[AtomicU64], slot: u32, revision: u64) {
        if let Some(stamp) = stamps.get(slot as usize) {
            stamp.store(revision, Ordering::SeqCst);
        }
    }
}

impl Dependencies {
    /// Each slot once: the shared ones and then the own ones, and how many are shared.
    pub(super) fn into_slots(mut self) -> (Box<[u32]>, usize) {
        for slots in [&mut self.shared, &mut self.own] {
            slots.sort_unstable();
            slots.dedup();
        }
        let shared = self.shared.len();
        self.shared.append(&mut self.own);
        (self.shared.into(), shared)
    }
}
