//! What each subject's answers are made from: names in a compact table, and the values that many of them share.
//!
//! The way of a hit: both names to a value and a revision, the value to the account that it is of, then the stamps of what
//! the subject alone depends on, and of what all who share the value depend on.

use std::{collections::HashMap, sync::Arc};

use super::{
    compact::{CompactTable, Mapped, Owner, Space},
    load::Entry,
    shared::{Shareable, Shared},
    stamps::Stamps,
    values::{Guard, SharedValues},
};
use crate::model::{Revision, Timestamp};

/// A subject as its callers name it.
#[derive(Clone, Copy, Debug)]
pub struct NamedSubject<'a> {
    /// The account's id.
    pub account: &'a str,
    /// Which of the account's subjects.
    pub space: fn(Owner) -> Space,
    /// The subject's id.
    pub id: &'a str,
}

/// What was found for a subject, and when it was found out.
pub struct Found<V> {
    shared: Guard<Option<Arc<Shared<V>>>>,
    /// The revision at which it was worked out.
    pub revision: Revision,
    own: [u16; 2],
}

/// All that the answers to many questions were made from.
pub struct Seen<V> {
    own: Vec<[u16; 2]>,
    /// By number.
    shared: HashMap<u64, Arc<Shared<V>>, foldhash::fast::RandomState>,
    /// Those without a number.
    alone: Vec<Arc<Shared<V>>>,
}

impl<V> Default for Seen<V> {
    fn default() -> Self {
        Self { own: Vec::new(), shared: HashMap::default(), alone: Vec::new() }
    }
}

impl<V> Seen<V> {
    /// Adds what was found, and gives what answers are made from; none if nothing was found.
    pub fn note(&mut self, found: &Found<V>) -> Option<Arc<Shared<V>>> {
        let shared = found.shared.as_ref()?;
        self.own.push(found.own);
        match shared.target {
            Some(target) => Some(Arc::clone(self.shared.entry(target).or_insert_with(|| shared.clone()))),
            None => {
                self.alone.push(Arc::clone(shared));
                Some(Arc::clone(shared))
            }
        }
    }
}

/// Subjects with what their answers are made from. Size: as it was told.
pub struct SubjectMap<V: Shareable + Send + Sync + 'static> {
    stamps: Arc<Stamps>,
    names: CompactTable,
    values: SharedValues<V>,
}

impl<V: Shareable + Send + Sync + 'static> SubjectMap<V> {
    /// An empty map: so many bytes for names, and so many for the values that they share. `seed`: any number that outsiders
    /// cannot guess.
    #[must_use]
    pub fn new(stamps: Arc<Stamps>, names: usize, values: u64, seed: u64) -> Self {
        Self::with_names(stamps, CompactTable::new(names, seed), values)
    }

    /// The same, with a table of names that is there already.
    pub(super) fn with_names(stamps: Arc<Stamps>, names: CompactTable, values: u64) -> Self {
        Self { stamps, names, values: SharedValues::new(values) }
    }

    /// What is kept for a subject, if it still holds. `stable`: the stable revision, read when the question had come. `now`
    /// is asked for only if it can expire. Cost: two look-ups; no lock, no wait, no allocation. The first time after a
    /// write one look for each dependency besides.
    pub fn hit(&self, name: NamedSubject<'_>, stable: Revision, now: impl FnOnce() -> Timestamp) -> Option<Found<V>> {
        let space = (name.space)(self.names.owner(name.account));
        let mapped = self.names.get(space, name.id.as_bytes())?;
        let found = Found { shared: self.values.get(mapped.target), revision: mapped.revision, own: mapped.slots };
        let kept = found.shared.as_ref()?;
        // The table knows accounts by a hash alone. Here their names are compared.
        let is_its_own = kept.value.account() == name.account;
        let holds =
            || self.stamps.hold_own(found.own, found.revision) && kept.changed(&self.stamps, stable) <= found.revision;
        (is_its_own && holds() && kept.expires.is_none_or(|expires| now() < expires)).then_some(found)
    }

    /// Keeps what was worked out for a subject. `own`: the slots of what it alone depends on.
    pub fn keep<W>(&self, name: NamedSubject<'_>, entry: &Entry<W>, own: [u16; 2], value: V) -> Found<V> {
        let slots = entry.slots().iter().copied().filter(|slot| !own.iter().any(|own| u32::from(*own) == *slot));
        let shared = self.values.keep(value, slots.collect(), entry.expires);
        if let Some(target) = shared.target {
            let space = (name.space)(self.names.owner(name.account));
            self.names.insert(space, name.id.as_bytes(), Mapped { target, revision: entry.revision, slots: own });
        }
        Found { shared: Guard::from_inner(Some(shared)), revision: entry.revision, own }
    }

    /// The same for all that was seen.
    pub fn all_hold_at(&self, seen: &Seen<V>, revision: Revision) -> bool {
        let mut shared = seen.shared.values().chain(&seen.alone);
        seen.own.iter().all(|own| self.stamps.hold_own(*own, revision))
            && shared.all(|shared| self.stamps.hold(&shared.slots, revision))
    }
}

#[cfg(feature = "server")]
impl<V: Shareable + Send + Sync + 'static> SubjectMap<V> {
    /// Forgets everything. Correctness never needs it; tests and benchmarks do.
    pub fn clear(&self) {
        self.names.clear();
        self.values.clear();
    }

    /// How many names are known, the memory that they take in bytes, and how many values they share. For figures.
    pub fn filled(&self) -> (usize, usize, u64) {
        let (names, bytes) = self.names.filled();
        (names, bytes, self.values.settle())
    }
}

impl<V> Found<V> {
    /// What was worked out and is not kept here.
    pub fn unkept<W>(entry: &Entry<W>, value: V) -> Self {
        let shared = Shared::unkept(value, entry.slots().into(), entry.expires);
        let shared = Guard::from_inner(Some(Arc::new(shared)));
        Self { shared, revision: entry.revision, own: [0; 2] }
    }

    /// That there is nothing.
    pub fn nothing<W>(entry: &Entry<W>) -> Self {
        Self { shared: Guard::from_inner(None), revision: entry.revision, own: [0; 2] }
    }

    /// What the answers are made from.
    pub fn value(&self) -> Option<&V> {
        self.shared.as_ref().map(|shared| &shared.value)
    }

    /// Whether it stands for a moment that is past already, and is kept nowhere.
    pub fn is_unkept(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| *shared.slots == [u32::MAX])
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Value(&'static str);

    impl Shareable for Value {
        type Key = &'static str;

        fn key(&self) -> &'static str {
            self.0
        }

        fn account(&self) -> &str {
            self.0
        }

        fn bytes(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_name_whose_account_has_the_hash_of_another_is_not_answered_for_it() {
        let stamps = Arc::new(Stamps::new(Revision(3), 7));
        let map = SubjectMap::new(Arc::clone(&stamps), 1 << 16, 1 << 16, 7);
        let named = |account| NamedSubject { account, space: Space::Users, id: "ann" };
        let entry = Entry::unkept((), Revision(3));
        let kept = map.values.keep(Value("one"), Box::new([1]), None);
        let mapped = Mapped { target: kept.target.unwrap(), revision: entry.revision, slots: [2; 2] };
        for account in ["one", "other"] {
            // As if both names had the same hash.
            map.names.insert(Space::Users(map.names.owner(account)), b"ann", mapped);
        }
        let hit = |account| map.hit(named(account), stamps.stable(), || Timestamp(0)).map(|found| found.revision);
        assert_eq!((hit("one"), hit("other"), hit("third")), (Some(Revision(3)), None, None));
    }
}
