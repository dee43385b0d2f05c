//! Reading what is ahead of the state, beside a store in memory that has it all, at every step between.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Digest, Head, MemoryStore, Store, StoreError, UserText, Versions, View, WriteBehind,
    conformance::{Random, Writer, options},
    open,
};
use crate::model::{Change, Key, KeyRange, Number, Record, Revision, Stamped};

/// A state in memory that takes changes in when it is told to, and can refuse them.
#[derive(Default)]
struct Slow {
    memory: MemoryStore,
    /// How many changes it may take in yet; each that waits looks again.
    allowed: Mutex<u64>,
    refuses: AtomicBool,
    /// Once a read is done, changes are taken in up to here before it returns.
    takes_in_behind_reads: AtomicU64,
}

impl Slow {
    fn allow(&self, changes: u64) {
        *self.allowed.lock().unwrap() += changes;
    }

    /// What a read gave, once the state has moved on behind it.
    fn read<T>(&self, read: T) -> T {
        let until = self.takes_in_behind_reads.load(Ordering::SeqCst);
        if self.memory.head().revision.0 < until {
            self.allow(until - self.memory.head().revision.0);
            while self.memory.head().revision.0 < until {
                thread::yield_now();
            }
            // What was taken in leaves in the next moment.
            thread::sleep(Duration::from_millis(2));
        }
        read
    }
}

impl View for Slow {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        self.read(self.memory.get(key))
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.read(self.memory.scan(range, after, limit))
    }
}

impl Versions for Slow {
    fn head(&self) -> Head {
        self.memory.head()
    }

    fn get_at(&self, key: &Key, at: Revision) -> Result<Option<Stamped<Record>>, StoreError> {
        self.read(self.memory.get_at(key, at))
    }

    fn scan_at(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.read(self.memory.scan_at(range, after, limit, at))
    }

    fn oldest(&self) -> Revision {
        self.memory.oldest()
    }

    fn as_versions(&self) -> &dyn Versions {
        self
    }
}

impl Store for Slow {
    fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        loop {
            if self.refuses.load(Ordering::SeqCst) {
                return Err(StoreError::Engine("refused".to_owned()));
            }
            let mut allowed = self.allowed.lock().unwrap();
            if let Some(left) = allowed.checked_sub(changes.len() as u64) {
                *allowed = left;
                return self.memory.apply(changes);
            }
            drop(allowed);
            thread::sleep(Duration::from_micros(100));
        }
    }

    fn recompute_digest(&self) -> Result<Digest, StoreError> {
        self.memory.recompute_digest()
    }
}

fn put(behind: &WriteBehind, changes: Vec<Change>) {
    let group = Arc::new(behind.group(changes));
    behind.put(group);
}

/// Pages of users, by every text, of both accounts.
fn found(store: &dyn Versions, at: Revision, limit: usize) -> Vec<(String, Number)> {
    let mut found = Vec::new();
    for account in [Number(1), Number(2)] {
        for (by, prefix) in [(UserText::Name, ""), (UserText::Any, ""), (UserText::Any, "n1"), (UserText::Any, "a")] {
            let mut last: Option<(String, Number)> = None;
            loop {
                let after = last.as_ref().map(|(text, user)| (text.as_str(), *user));
                let page = store.find_users(account, by, prefix, after, limit, at).unwrap();
                let is_last = page.len() < limit;
                last = page.last().cloned();
                found.extend(page);
                if is_last {
                    break;
                }
            }
        }
    }
    found
}

fn compare(behind: &WriteBehind, memory: &MemoryStore, writer: &mut Writer) {
    assert_eq!((behind.head().revision, behind.head().digest), (writer.head(), writer.digest));
    let past = Revision(writer.random.below(writer.head().0 + 1));
    for at in [writer.head(), past] {
        writer.compare(behind, at);
        let limit = 1 + usize::try_from(writer.random.below(9)).unwrap();
        assert_eq!(found(behind, at, limit), found(memory, at, limit), "users at {at:?} in pages of {limit}");
    }
}

#[test]
fn what_is_ahead_of_the_state_reads_as_if_the_state_had_it() {
    let mut writer = Writer::new(Random::seeded("ahead of the state"));
    let (slow, memory) = (Arc::new(Slow::default()), MemoryStore::new());
    let behind = WriteBehind::start(Arc::clone(&slow) as _).unwrap();
    for _ in 0..60 {
        let count = 1 + writer.random.below(4);
        let group = writer.group(count, 12, 12);
        memory.apply(&group).unwrap();
        // One group is being taken in and one waits, at most.
        if slow.head().revision < behind.head().revision {
            slow.allow(writer.random.below(5));
            let lacks = behind.head().revision.0 - slow.head().revision.0;
            slow.allow(lacks);
        }
        behind.make_room().unwrap();
        put(&behind, group);
        compare(&behind, &memory, &mut writer);
    }
    slow.allow(1_000);
    behind.stop();
    assert_eq!(slow.head(), behind.head());
    assert_eq!(slow.recompute_digest().unwrap(), writer.digest);
    compare(&behind, &memory, &mut writer);
}

#[test]
fn a_large_change_reads_alike_before_and_after_the_state_has_it() {
    let mut writer = Writer::new(Random::seeded("a large change ahead"));
    let (slow, memory) = (Arc::new(Slow::default()), MemoryStore::new());
    let behind = WriteBehind::start(Arc::clone(&slow) as _).unwrap();
    for records in [200, 3_000, 10] {
        let group = vec![writer.change(records, 400)];
        memory.apply(&group).unwrap();
        put(&behind, group);
        compare(&behind, &memory, &mut writer);
    }
    slow.allow(3);
    behind.stop();
    compare(&behind, &memory, &mut writer);
}

#[test]
fn a_state_that_fails_takes_no_more_and_what_is_durable_goes_on_being_read() {
    let mut writer = Writer::new(Random(31));
    let (slow, memory) = (Arc::new(Slow::default()), MemoryStore::new());
    let behind = WriteBehind::start(Arc::clone(&slow) as _).unwrap();
    slow.allow(2);
    for _ in 0..2 {
        let group = writer.group(2, 12, 12);
        memory.apply(&group).unwrap();
        behind.make_room().unwrap();
        put(&behind, group);
    }
    slow.refuses.store(true, Ordering::SeqCst);
    // It waits for room that will never be, and hears so.
    let failed = (0..2).find_map(|_| {
        let group = writer.group(1, 12, 12);
        memory.apply(&group).unwrap();
        put(&behind, group);
        behind.make_room().err()
    });
    assert!(matches!(failed, Some(StoreError::Stopped)), "{failed:?}");
    assert!(behind.has_failed());
    compare(&behind, &memory, &mut writer);
    behind.stop();
    compare(&behind, &memory, &mut writer);
    assert!(slow.head().revision < behind.head().revision);
}

#[test]
fn a_state_that_never_comes_back_stops_writing_and_hides_nothing() {
    let mut writer = Writer::new(Random::seeded("a state that never comes back"));
    let (slow, memory) = (Arc::new(Slow::default()), MemoryStore::new());
    let behind = WriteBehind::with_patience(Arc::clone(&slow) as _, Duration::from_millis(50)).unwrap();
    for _ in 0..2 {
        behind.make_room().unwrap();
        let group = writer.group(2, 12, 12);
        memory.apply(&group).unwrap();
        put(&behind, group);
    }
    assert!(matches!(behind.make_room(), Err(StoreError::Stopped)));
    assert!(behind.has_failed());
    compare(&behind, &memory, &mut writer);
    // Whoever stops does not wait for it.
    behind.stop();
    compare(&behind, &memory, &mut writer);
    // It comes back after all: writing has stopped all the same.
    slow.allow(4);
    while slow.head() != behind.head() {
        thread::yield_now();
    }
    assert!(matches!(behind.make_room(), Err(StoreError::Stopped)));
    compare(&behind, &memory, &mut writer);
}

#[test]
fn a_state_that_never_comes_back_is_noticed_though_nobody_writes() {
    let mut writer = Writer::new(Random::seeded("noticed though nobody writes"));
    let slow = Arc::new(Slow::default());
    let behind = WriteBehind::with_patience(Arc::clone(&slow) as _, Duration::from_millis(50)).unwrap();
    let begun = Instant::now();
    put(&behind, writer.group(2, 12, 12));
    while !behind.has_failed() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody noticed");
        thread::yield_now();
    }
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(matches!(behind.make_room(), Err(StoreError::Stopped)));
    // Whoever stops does not wait for it.
    behind.stop();
    slow.allow(2);
    while slow.head() != behind.head() {
        thread::yield_now();
    }
    assert!(behind.has_failed());

    // One that has taken in what there was, and waits, has failed nobody.
    let behind = WriteBehind::with_patience(Arc::new(MemoryStore::new()), Duration::from_millis(50)).unwrap();
    put(&behind, Writer::new(Random(5)).group(2, 12, 12));
    thread::sleep(Duration::from_millis(120));
    assert!(!behind.has_failed());
    behind.stop();
}

#[test]
fn a_change_that_leaves_for_the_state_in_the_middle_of_a_read_is_not_missed() {
    let mut writer = Writer::new(Random::seeded("leaving in the middle of a read"));
    let (slow, memory) = (Arc::new(Slow::default()), MemoryStore::new());
    let behind = WriteBehind::start(Arc::clone(&slow) as _).unwrap();
    for _ in 0..40 {
        for way in 0..5 {
            let group = writer.group(2, 12, 12);
            memory.apply(&group).unwrap();
            let (at, head) = (writer.head(), writer.head());
            let key = &group[0].records[0].key.clone();
            put(&behind, group);
            slow.takes_in_behind_reads.store(head.0, Ordering::SeqCst);
            let range = KeyRange::Users(Number(1));
            match way {
                0 => assert_eq!(behind.get(key).unwrap(), memory.get(key).unwrap()),
                1 => assert_eq!(behind.get_at(key, at).unwrap(), memory.get_at(key, at).unwrap()),
                2 => assert_eq!(behind.scan(range, None, 90).unwrap(), memory.scan(range, None, 90).unwrap()),
                3 => assert_eq!(
                    behind.scan_at(range, None, 90, at).unwrap(),
                    memory.scan_at(range, None, 90, at).unwrap()
                ),
                _ => assert_eq!(found(&behind, at, 3), found(&memory, at, 3)),
            }
            // Whatever was not read from the state waits for this.
            slow.read(());
        }
    }
    behind.stop();
}

/// Readers ask at published revisions while a thread writes and the state follows, on sled.
#[test]
fn readers_see_every_published_revision_whole_while_the_state_follows() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path(), options()).unwrap();
    let behind = WriteBehind::start(Arc::clone(&opened.store) as _).unwrap();
    let mut writer = Writer::new(Random::seeded("readers while the state follows"));
    let groups: Vec<Vec<Change>> = (0..300).map(|_| writer.group(3, 20, 30)).collect();
    let (at, published, asked) = (writer.at.clone(), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for reader in 0..2u64 {
            let (behind, at, published, asked) = (&behind, &at, &published, &asked);
            scope.spawn(move || {
                let mut random = Random(97 + reader);
                while published.load(Ordering::SeqCst) < 900 {
                    let revision = Revision(published.load(Ordering::SeqCst));
                    let facts = &at[usize::try_from(revision.0).unwrap()];
                    let keys: Vec<&Key> = facts.keys().collect();
                    for _ in 0..20 {
                        if keys.is_empty() {
                            break;
                        }
                        let key = keys[usize::try_from(random.below(keys.len() as u64)).unwrap()];
                        let found = behind.get_at(key, revision).unwrap();
                        assert_eq!(found.as_ref(), facts.get(key), "{key:?} at {revision:?}");
                        // What there is now is that, or newer.
                        let now = behind.get(key).unwrap();
                        assert!(now.is_none_or(|now| now.revision >= facts[key].revision), "{key:?} at {revision:?}");
                    }
                    for range in [KeyRange::Users(Number(1)), KeyRange::AccountMemberships(Number(1))] {
                        let expected = super::conformance::in_range(facts, range);
                        assert_eq!(behind.scan_at(range, None, 1_000, revision).unwrap(), expected, "{revision:?}");
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for group in groups {
            behind.make_room().unwrap();
            let last = group[group.len() - 1].revision;
            put(&behind, group);
            published.store(last.0, Ordering::SeqCst);
        }
        published.store(900.max(writer.head().0), Ordering::SeqCst);
    });
    println!("{} readings", asked.load(Ordering::SeqCst));
    behind.stop();
    assert_eq!(opened.store.head(), behind.head());
}
