//! Values that many names share, each found by a number. moka weighs them and says which of them go.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwapOption;
pub(super) use arc_swap::Guard;
use moka::{policy::EvictionPolicy, sync::Cache};

use super::{
    at_hand::Era,
    compact::Mapped,
    shared::{Shareable, Shared},
};
use crate::model::{Revision, Timestamp};

/// The lower bits of a number say where a value stands, the others how many stood there before.
const PLACE_BITS: u32 = 20;
/// Room is made for as many values as would fill the memory if each of them took this much.
const SMALL: usize = 1024;
/// How many values a new one looks at, so that moka hears which are asked for.
const LOOKED_AT: usize = 16;

/// Values by number. Size: as it was told.
pub struct SharedValues<V: Shareable + Send + Sync + 'static> {
    places: Arc<Places<V>>,
    kept: Cache<u64, Arc<Shared<V>>>,
    hand: AtomicUsize,
}

type Key<V> = (<V as Shareable>::Key, Box<[u32]>, Option<Timestamp>);

struct Places<V: Shareable> {
    values: Box<[ArcSwapOption<Shared<V>>]>,
    /// Ends when a value is taken away.
    era: Era,
    known: Mutex<Known<V>>,
}

struct Known<V: Shareable> {
    by_key: HashMap<Key<V>, u64>,
    /// By what those who share it have of their own: the value that was worked out last.
    latest: HashMap<V::Own, u64>,
    free: Vec<usize>,
    /// How many places have ever been taken.
    taken: usize,
    /// How many values stood in each of them.
    stood: Vec<u64>,
}

impl<V: Shareable + Send + Sync + 'static> Places<V> {
    fn known(&self) -> std::sync::MutexGuard<'_, Known<V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, target: u64) -> Guard<Option<Arc<Shared<V>>>> {
        match self.values.get(place(target)) {
            Some(value) => value.load(),
            None => Guard::from_inner(None),
        }
    }

    /// Takes a value away, so that its place is free.
    fn remove(&self, shared: &Shared<V>) {
        let Some(target) = shared.target else { return };
        let mut known = self.known();
        let key = (shared.value.key(), shared.slots.clone(), shared.expires);
        if known.by_key.get(&key) == Some(&target) {
            known.by_key.remove(&key);
        }
        if known.latest.get(shared.value.own()) == Some(&target) {
            known.latest.remove(shared.value.own());
        }
        if let Some(value) = self.values.get(place(target))
            && value.load().as_ref().is_some_and(|there| there.target == Some(target))
        {
            value.store(None);
            self.era.end();
            known.free.push(place(target));
        }
    }
}

/// Where the value of a number stands.
fn place(target: u64) -> usize {
    (target & ((1 << PLACE_BITS) - 1)) as usize
}

impl<V: Shareable + Send + Sync + 'static> SharedValues<V> {
    /// No values yet, and at most this many bytes of them.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let count = usize::try_from(bytes).unwrap_or(usize::MAX) / SMALL;
        let count = count.clamp(SMALL, 1 << PLACE_BITS);
        let known =
            Known { by_key: HashMap::new(), latest: HashMap::new(), free: Vec::new(), taken: 0, stood: Vec::new() };
        let values = (0..count).map(|_| ArcSwapOption::empty()).collect();
        let places = Arc::new(Places { values, era: Era::new(), known: Mutex::new(known) });
        let leaving = Arc::clone(&places);
        // However little a value takes: the memory has to run out before the places do, or nothing would leave.
        let least = usize::try_from(bytes).unwrap_or(usize::MAX) / (count - count / 16);
        // Numbers are never used twice, so how often one was asked for before says nothing: the longest unused goes.
        let kept = Cache::builder()
            .max_capacity(bytes)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(move |_, shared: &Arc<Shared<V>>| {
                let own = size_of::<Shared<V>>() + 2 * size_of_val(&*shared.slots) + 256;
                u32::try_from((shared.value.bytes() + own).max(least)).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |_, shared: Arc<Shared<V>>, _| leaving.remove(&shared))
            .build();
        Self { places, kept, hand: AtomicUsize::new(0) }
    }

    /// The value of a number, if it is still there. Cost: one look-up; no lock, no wait.
    pub fn get(&self, target: u64) -> Guard<Option<Arc<Shared<V>>>> {
        let found = self.find(target);
        found.iter().for_each(|shared| shared.note_asked());
        found
    }

    /// The same, without taking note that it was asked for.
    fn find(&self, target: u64) -> Guard<Option<Arc<Shared<V>>>> {
        let found = self.places.get(target);
        match &*found {
            Some(shared) if shared.target == Some(target) => found,
            _ => Guard::from_inner(None),
        }
    }

    /// Hands on the value of a number, if it is still there. Cost: as [`Self::get`], and less for one that this thread has at
    /// hand.
    #[inline]
    pub fn with<R>(&self, target: u64, then: impl FnOnce(&Shared<V>) -> R) -> Option<R> {
        V::at_hand().with(|at_hand| at_hand.with(&self.places.era, target, || self.find(target), then))
    }

    /// The value that was worked out last for those who have the same of their own. Cost: a lock, and one look-up.
    pub fn latest(&self, own: &V::Own) -> Option<Arc<Shared<V>>> {
        let target = *self.places.known().latest.get(own)?;
        self.get(target).clone()
    }

    /// Keeps a value that was worked out at a revision, or finds the one that is kept and equal to it. Without a number if
    /// there is no room.
    pub fn keep(&self, value: V, slots: Box<[u32]>, expires: Option<Timestamp>, revision: Revision) -> Arc<Shared<V>> {
        self.tell();
        let key = (value.key(), slots.clone(), expires);
        let shared = {
            let mut known = self.places.known();
            if let Some(target) = known.by_key.get(&key)
                && let Some(shared) = &*self.places.get(*target)
                && shared.target == Some(*target)
            {
                shared.note_worked_out(revision);
                let (own, target) = (value.own().clone(), *target);
                let shared = Arc::clone(shared);
                known.latest.insert(own, target);
                return shared;
            }
            let Some(target) = known.take_place(self.places.values.len()) else {
                return Arc::new(Shared::unkept(value, slots, expires));
            };
            let shared = Arc::new(Shared::numbered(target, value, slots, expires));
            if let Some(value) = self.places.values.get(place(target)) {
                value.store(Some(Arc::clone(&shared)));
            }
            shared.note_worked_out(revision);
            known.latest.insert(shared.value.own().clone(), target);
            known.by_key.insert(key, target);
            shared
        };
        // Not under the lock: moka may call the listener, which takes it.
        if let Some(target) = shared.target {
            self.kept.insert(target, Arc::clone(&shared));
        }
        shared
    }

    /// Tells moka of some values that were asked for since this came by them last. A hit does not, so that it is cheap.
    fn tell(&self) {
        let count = self.places.known().taken;
        for _ in 0..LOOKED_AT.min(count) {
            let hand = self.hand.fetch_add(1, Ordering::Relaxed) % count;
            let Some(value) = self.places.values.get(hand) else { continue };
            if let Some(shared) = &*value.load()
                && shared.take_asked()
                && let Some(target) = shared.target
            {
                let _ = self.kept.get(&target);
            }
        }
    }

    /// Carries out what moka has put off, and says how many values are kept. For tests and figures.
    pub fn settle(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.entry_count()
    }

    /// Forgets everything. Correctness never needs it.
    pub fn clear(&self) {
        self.kept.invalidate_all();
        self.kept.run_pending_tasks();
    }
}

impl<V: Shareable> Known<V> {
    /// A number that was never used, at a place that is free.
    fn take_place(&mut self, places: usize) -> Option<u64> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.taken < places => {
                self.taken += 1;
                self.stood.push(0);
                self.taken - 1
            }
            None => return None,
        };
        let stood = self.stood.get_mut(place)?;
        *stood += 1;
        let target = *stood << PLACE_BITS | place as u64;
        (target < Mapped::LIMIT).then_some(target)
    }
}
