//! Finding an answer or working it out, race-free.
//!
//! A hit takes no lock and waits for nobody. A load notes the revision before its first read and asks after its last
//! one whether a write came between; loads of one key at one revision are worked out once, and nobody joins a load that
//! began at an earlier revision than their own question.

use std::collections::HashMap;

use super::{
    stamps::{Dependencies, Stamps},
    sync::{Arc, Condvar, Mutex, lock},
};
use crate::model::{Revision, Timestamp};

/// How many times a load that writes disturb begins again.
const ATTEMPTS: usize = 3;

/// An answer that was worked out, and what it depends on.
#[derive(Debug)]
pub struct Entry<V> {
    /// The answer.
    pub value: V,
    /// The revision at which it was worked out.
    pub revision: Revision,
    /// The instant from which it does not hold any more, whatever happens; none: no such instant.
    pub expires: Option<Timestamp>,
    /// The shared ones first.
    slots: Box<[u32]>,
    /// How many of them others may depend on too.
    shared: usize,
}

impl<V> Entry<V> {
    /// An answer that was read at a revision and is not to be kept: it holds at no other.
    pub fn unkept(value: V, revision: Revision) -> Self {
        // A slot that does not exist never holds.
        Self { value, revision, expires: None, slots: Box::new([u32::MAX]), shared: 1 }
    }

    /// An answer as a load makes it.
    pub(super) fn loaded(value: V, revision: Revision, expires: Option<Timestamp>, dependencies: Dependencies) -> Self {
        let (slots, shared) = dependencies.into_slots();
        Self { value, revision, expires, slots, shared }
    }

    /// An entry that depends on nothing.
    #[cfg(all(test, feature = "server"))]
    pub(super) fn new(value: V, revision: Revision) -> Self {
        Self { value, revision, expires: None, slots: Box::default(), shared: 0 }
    }

    /// Whether the instant has come from which it does not hold any more.
    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// Whether it was made by [`Self::unkept`].
    pub fn is_unkept(&self) -> bool {
        *self.slots == [u32::MAX]
    }

    /// The slots of all that it depends on.
    pub(super) fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// The slots of what others may depend on too who share the answer.
    pub(super) fn shared_slots(&self) -> &[u32] {
        self.slots.get(..self.shared).unwrap_or_default()
    }

    /// The slots of what its name alone depends on; none if that is nothing, or more than two things.
    pub(super) fn own_slots(&self) -> Option<[u16; 2]> {
        // There are no more slots than this type counts.
        let slot = |slot: u32| u16::try_from(slot).ok();
        match *self.slots.get(self.shared..)? {
            [one] => Some([slot(one)?; 2]),
            [one, other] => Some([slot(one)?, slot(other)?]),
            _ => None,
        }
    }

    /// What the list of dependencies takes in memory, in bytes.
    #[must_use]
    pub fn dependency_bytes(&self) -> usize {
        self.slots.len() * size_of::<u32>()
    }
}

/// Where entries are kept. It may forget them at any time, and bring back older ones: it is never trusted.
pub trait EntryMap<V>: Send + Sync {
    /// The entry of a key, if there is one.
    fn get(&self, key: &[u8]) -> Option<Arc<Entry<V>>>;

    /// Keeps an entry, if there is room.
    fn insert(&self, key: &[u8], entry: &Arc<Entry<V>>);
}

/// Why there is no answer. Never an answer in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError<E> {
    /// The facts could not be read.
    Failed(E),
    /// Writes kept disturbing the load. The caller reads at a revision instead, which no write disturbs.
    Disturbed,
}

/// One load under way, and who waits for it.
struct Flight<V, E> {
    outcome: Mutex<Option<Outcome<V, E>>>,
    landed: Condvar,
}

/// Which key is loaded, and at which revision.
type FlightName = (Box<[u8]>, Revision);

/// Works an answer out: notes each dependency before it reads it, and gives the value and when it expires.
pub type Read<'a, V, E> = &'a mut dyn FnMut(&Stamps, &mut Dependencies) -> Result<(V, Option<Timestamp>), E>;

type Outcome<V, E> = Result<Option<Arc<Entry<V>>>, E>;

/// Entries by key, each worked out when it is asked for and no good one is kept.
pub struct LoadCache<V, E, M> {
    stamps: Arc<Stamps>,
    map: M,
    flights: Mutex<HashMap<FlightName, Arc<Flight<V, E>>>>,
}

impl<V, E: Clone, M: EntryMap<V>> LoadCache<V, E, M> {
    /// An empty cache.
    pub fn new(stamps: Arc<Stamps>, map: M) -> Self {
        Self { stamps, map, flights: Mutex::new(HashMap::new()) }
    }

    /// The stamps that entries are checked against.
    pub fn stamps(&self) -> &Arc<Stamps> {
        &self.stamps
    }

    /// The map that keeps the entries.
    pub fn map(&self) -> &M {
        &self.map
    }

    /// A kept entry that still holds at `now`. Cost: one look-up, and one load for each dependency; no lock, no wait.
    pub fn hit(&self, key: &[u8], now: Timestamp) -> Option<Arc<Entry<V>>> {
        let entry = self.map.get(key)?;
        (!entry.has_expired(now) && self.stamps.hold(&entry.slots, entry.revision)).then_some(entry)
    }

    /// A kept entry that still holds, or a new one. `read` works it out: it has to note each dependency before it reads
    /// it, gives back the value and when it expires, and can be called several times. `keeps`: whether a new one is kept
    /// here.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is kept then.
    pub fn get_or_load(
        &self,
        key: &[u8],
        now: Timestamp,
        keeps: fn(&V) -> bool,
        read: Read<'_, V, E>,
    ) -> Result<Arc<Entry<V>>, LoadError<E>> {
        for _ in 0..ATTEMPTS {
            if let Some(entry) = self.hit(key, now) {
                return Ok(entry);
            }
            // Before the first read: whatever is published later than this is not promised to be in the answer.
            let revision = self.stamps.stable();
            // One that somebody else began to work out earlier can have expired since.
            if let Some(entry) = self.fly(key, revision, keeps, read)?
                && !entry.has_expired(now)
            {
                return Ok(entry);
            }
        }
        Err(LoadError::Disturbed)
    }

    /// Loads a key at a revision, or waits for whoever does so already. None: a write disturbed it.
    fn fly(
        &self,
        key: &[u8],
        revision: Revision,
        keeps: fn(&V) -> bool,
        read: Read<'_, V, E>,
    ) -> Result<Option<Arc<Entry<V>>>, LoadError<E>> {
        let name = (Box::from(key), revision);
        let (flight, leads) = {
            let mut flights = lock(&self.flights);
            match flights.get(&name) {
                Some(flight) => (Arc::clone(flight), false),
                None => {
                    let flight = Arc::new(Flight { outcome: Mutex::new(None), landed: Condvar::new() });
                    flights.insert(name.clone(), Arc::clone(&flight));
                    (flight, true)
                }
            }
        };
        if !leads {
            let mut outcome = lock(&flight.outcome);
            loop {
                if let Some(outcome) = &*outcome {
                    return outcome.clone().map_err(LoadError::Failed);
                }
                outcome = flight.landed.wait(outcome).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
        }
        // Lands even if `read` panics, so that nobody waits for ever.
        let landing = Landing { cache: self, flight: &flight, name };
        let outcome = self.load(key, revision, keeps, read);
        landing.land(outcome.clone());
        outcome.map_err(LoadError::Failed)
    }

    fn load(&self, key: &[u8], revision: Revision, keeps: fn(&V) -> bool, read: Read<'_, V, E>) -> Outcome<V, E> {
        let mut dependencies = Dependencies::default();
        let (value, expires) = read(&self.stamps, &mut dependencies)?;
        if !self.stamps.undisturbed(&dependencies, revision) {
            return Ok(None);
        }
        let entry = Arc::new(Entry::loaded(value, revision, expires, dependencies));
        if keeps(&entry.value) {
            self.map.insert(key, &entry);
        }
        Ok(Some(entry))
    }
}

/// Takes a flight off the board when it ends, in whatever way.
struct Landing<'a, V, E, M> {
    cache: &'a LoadCache<V, E, M>,
    flight: &'a Flight<V, E>,
    name: FlightName,
}

impl<V, E, M> Landing<'_, V, E, M> {
    fn land(self, outcome: Outcome<V, E>) {
        *lock(&self.flight.outcome) = Some(outcome);
    }
}

impl<V, E, M> Drop for Landing<'_, V, E, M> {
    fn drop(&mut self) {
        // A load that panicked counts as disturbed: whoever waits tries for itself.
        lock(&self.flight.outcome).get_or_insert(Ok(None));
        lock(&self.cache.flights).remove(&self.name);
        self.flight.landed.notify_all();
    }
}
