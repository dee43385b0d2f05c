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
    /// The one that was noted last: many have the same in turn.
    last: Option<Arc<Shared<V>>>,
    /// Those without a number.
    alone: Vec<Arc<Shared<V>>>,
}

impl<V> Default for Seen<V> {
    fn default() -> Self {
        Self { own: Vec::new(), shared: HashMap::default(), last: None, alone: Vec::new() }
    }
}

impl<V> Seen<V> {
    /// Adds what was found, and gives what answers are made from; none if nothing was found.
    pub fn note(&mut self, found: &Found<V>) -> Option<Arc<Shared<V>>> {
        let shared = found.shared.as_ref()?;
        self.own.push(found.own);
        if let Some(last) = &self.last
            && Arc::ptr_eq(last, shared)
        {
            return Some(Arc::clone(last));
        }
        match shared.target {
            Some(target) => {
                let noted = self.shared.entry(target).or_insert_with(|| shared.clone());
                self.last = Some(Arc::clone(noted));
                Some(Arc::clone(noted))
            }
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
        let mapped = self.mapped(name)?;
        let shared = self.values.get(mapped.target);
        let holds = self.holds(shared.as_ref()?, mapped, name, stable, now);
        holds.then_some(Found { shared, revision: mapped.revision, own: mapped.slots })
    }

    /// The same for whoever needs it only at once: hands on what is kept, and when it was worked out.
    #[inline]
    pub fn hit_with<R>(
        &self,
        name: NamedSubject<'_>,
        stable: Revision,
        now: impl FnOnce() -> Timestamp,
        then: impl FnOnce(&V, Revision) -> R,
    ) -> Option<R> {
        let mapped = self.mapped(name)?;
        let then =
            |kept: &Shared<V>| self.holds(kept, mapped, name, stable, now).then(|| then(&kept.value, mapped.revision));
        self.values.with(mapped.target, then)?
    }

    /// What the table has of a name.
    #[inline(always)]
    fn mapped(&self, name: NamedSubject<'_>) -> Option<Mapped> {
        let space = (name.space)(self.names.owner(name.account));
        self.names.get(space, name.id.as_bytes())
    }

    /// Whether what the name leads to is the subject's, and holds.
    #[inline]
    fn holds(
        &self,
        kept: &Shared<V>,
        mapped: Mapped,
        name: NamedSubject<'_>,
        stable: Revision,
        now: impl FnOnce() -> Timestamp,
    ) -> bool {
        // The table knows accounts by a hash alone. Here their names are compared.
        kept.value.account() == name.account
            && self.stamps.hold_own(mapped.slots, mapped.revision)
            && kept.changed(&self.stamps, stable) <= mapped.revision
            && kept.expires.is_none_or(|expires| now() < expires)
    }

    /// What is kept for a subject whose value does not hold any more, though all that the subject has of its own is as it was:
    /// then the value that was worked out since for others who have the same of their own is the subject's too, if it
    /// holds. So one who shares a value works it out anew when a role changes, and a million do not. Cost: three look-ups
    /// and two short locks.
    pub fn follow(
        &self,
        name: NamedSubject<'_>,
        stable: Revision,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Found<V>> {
        let mapped = self.mapped(name)?;
        let before = self.values.get(mapped.target);
        let before = before.as_ref().filter(|before| before.value.account() == name.account)?;
        let next = self.values.latest(before.value.own())?;
        let (target, revision, own) = (next.target?, next.worked_out(), mapped.slots);
        // After the value was found: whatever it has seen that the subject has of its own was published by then.
        let holds = self.stamps.own_unchanged(own, mapped.revision) && next.changed(&self.stamps, stable) <= revision;
        if !holds || next.expires.is_some_and(|expires| now() >= expires) {
            return None;
        }
        self.note(name, Mapped { target, revision, slots: own });
        Some(Found { shared: Guard::from_inner(Some(next)), revision, own })
    }

    /// Keeps what was worked out for a subject.
    pub fn keep<W>(&self, name: NamedSubject<'_>, entry: &Entry<W>, value: V) -> Found<V> {
        let Some(own) = entry.own_slots() else { return Found::unkept(entry, value) };
        let shared = self.values.keep(value, entry.shared_slots().into(), entry.expires, entry.revision);
        if let Some(target) = shared.target {
            self.note(name, Mapped { target, revision: entry.revision, slots: own });
        }
        Found { shared: Guard::from_inner(Some(shared)), revision: entry.revision, own }
    }

    /// Has the table lead from a name to something.
    fn note(&self, name: NamedSubject<'_>, mapped: Mapped) {
        let space = (name.space)(self.names.owner(name.account));
        self.names.insert(space, name.id.as_bytes(), mapped);
    }

    /// Whether all that was seen holds at a revision.
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
    use std::thread::LocalKey;

    use super::*;
    use crate::{
        cache::{AtHand, Dependencies},
        model::{Dependency, Number},
    };

    /// An account, what its subjects have of their own, and what came of it.
    #[derive(Clone, Copy)]
    struct Value(&'static str, u8, u8);

    impl Shareable for Value {
        type Key = (&'static str, u8, u8);
        type Own = (&'static str, u8);

        fn key(&self) -> Self::Key {
            (self.0, self.1, self.2)
        }

        fn own(&self) -> &Self::Own {
            OWNS.iter().find(|own| **own == (self.0, self.1)).unwrap()
        }

        fn account(&self) -> &str {
            self.0
        }

        fn bytes(&self) -> usize {
            1
        }

        fn at_hand() -> &'static LocalKey<AtHand<Self>> {
            thread_local!(static AT_HAND: AtHand<Value> = const { AtHand::new() });
            &AT_HAND
        }
    }

    const OWNS: [(&str, u8); 3] = [("one", 1), ("one", 2), ("other", 1)];

    #[test]
    fn a_name_whose_account_has_the_hash_of_another_is_not_answered_for_it() {
        let stamps = Arc::new(Stamps::new(Revision(3), 7));
        let map = SubjectMap::new(Arc::clone(&stamps), 1 << 16, 1 << 16, 7);
        let named = |account| NamedSubject { account, space: Space::Users, id: "ann" };
        let kept = map.values.keep(Value("one", 1, 1), Box::new([1]), None, Revision(3));
        let mapped = Mapped { target: kept.target.unwrap(), revision: Revision(3), slots: [2; 2] };
        for account in ["one", "other"] {
            // As if both names had the same hash.
            map.names.insert(Space::Users(map.names.owner(account)), b"ann", mapped);
        }
        let hit = |account| map.hit(named(account), stamps.stable(), || Timestamp(0)).map(|found| found.revision);
        assert_eq!((hit("one"), hit("other"), hit("third")), (Some(Revision(3)), None, None));
        let follow = |account| map.follow(named(account), stamps.stable(), || Timestamp(0)).map(|found| found.revision);
        assert_eq!((follow("one"), follow("other"), follow("third")), (Some(Revision(3)), None, None));
    }

    /// Ann and Bob have the same of their own; all of their account depend on one more thing.
    struct Shop {
        stamps: Arc<Stamps>,
        map: SubjectMap<Value>,
    }

    const ALL: Dependency = Dependency::Thing(Number(1));
    const ANN: (&str, Dependency) = ("ann", Dependency::Thing(Number(2)));
    const BOB: (&str, Dependency) = ("bob", Dependency::Thing(Number(3)));

    impl Shop {
        fn new() -> Self {
            let stamps = Arc::new(Stamps::new(Revision(1), 7));
            let map = SubjectMap::new(Arc::clone(&stamps), 1 << 16, 1 << 16, 7);
            Self { stamps, map }
        }

        fn named(id: &str) -> NamedSubject<'_> {
            NamedSubject { account: "one", space: Space::Users, id }
        }

        fn keep(&self, who: &(&str, Dependency), own: u8, expires: Option<u64>) {
            let mut dependencies = Dependencies::default();
            self.stamps.depend_alone(&mut dependencies, &who.1);
            self.stamps.depend(&mut dependencies, &ALL);
            let revision = self.stamps.stable();
            let value = Value("one", own, revision.0 as u8);
            let entry = Entry::loaded(value, revision, expires.map(Timestamp), dependencies);
            self.map.keep(Self::named(who.0), &entry, value);
        }

        fn change(&self, what: &Dependency) {
            let next = Revision(self.stamps.stable().0 + 1);
            self.stamps.commit(next, &self.stamps.slots([what]), || Ok::<_, ()>(()), || ()).unwrap();
        }

        /// What is found, by a hit or by following; the revision that the value is of.
        fn found(&self, who: &(&str, Dependency)) -> (Option<u8>, Option<u8>) {
            let stable = self.stamps.stable();
            let value = |found: Option<Found<Value>>| found.map(|found| found.value().unwrap().2);
            let hit = value(self.map.hit(Self::named(who.0), stable, || Timestamp(5)));
            let followed = match hit {
                Some(_) => None,
                None => value(self.map.follow(Self::named(who.0), stable, || Timestamp(5))),
            };
            (hit, followed)
        }
    }

    #[test]
    fn who_has_the_same_of_its_own_is_answered_from_what_another_found_out_since() {
        let shop = Shop::new();
        shop.keep(&ANN, 1, None);
        shop.keep(&BOB, 1, None);
        assert_eq!((shop.found(&ANN), shop.found(&BOB)), ((Some(1), None), (Some(1), None)));
        shop.change(&ALL);
        // Nobody has found out anything since.
        assert_eq!((shop.found(&ANN), shop.found(&BOB)), ((None, None), (None, None)));
        shop.keep(&ANN, 1, None);
        assert_eq!((shop.found(&ANN), shop.found(&BOB)), ((Some(2), None), (None, Some(2))));
        assert_eq!(shop.found(&BOB), (Some(2), None), "it is kept from then on");
    }

    #[test]
    fn who_has_changed_itself_follows_nobody() {
        let shop = Shop::new();
        shop.keep(&ANN, 1, None);
        shop.keep(&BOB, 1, None);
        shop.change(&BOB.1);
        shop.change(&ALL);
        shop.keep(&ANN, 1, None);
        assert_eq!(shop.found(&BOB), (None, None));
        // Nor by what it had before, once it has something else.
        shop.keep(&BOB, 2, None);
        shop.change(&ALL);
        shop.keep(&ANN, 1, None);
        assert_eq!(shop.found(&BOB), (None, None));
    }

    #[test]
    fn nobody_follows_to_what_has_expired_or_does_not_hold_any_more() {
        let shop = Shop::new();
        shop.keep(&ANN, 1, None);
        shop.keep(&BOB, 1, None);
        shop.change(&ALL);
        shop.keep(&ANN, 1, Some(5));
        assert_eq!(shop.found(&BOB), (None, None), "it expired at the instant of the question");
        shop.keep(&ANN, 1, Some(6));
        shop.change(&ALL);
        assert_eq!(shop.found(&BOB), (None, None), "it has changed again");
        shop.keep(&ANN, 1, Some(6));
        assert_eq!(shop.found(&BOB), (None, Some(3)));
    }
}
