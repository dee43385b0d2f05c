//! One suite for every [`Store`] and one for every [`ChangeLog`], and the random changes that they and others use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{collections::BTreeMap, path::Path, sync::Arc, thread, time::Duration};

use super::{
    At, ChangeLog, Digest, DiskGuard, FileJournal, JournalOptions, MemoryLog, MemoryStore, OpenOptions, Opened, Store,
    StoreError, Versions, View as _, files, key_codec, open,
};
use crate::model::{
    AccessRecord, AccountId, Actor, BindingRecord, Change, ExceptionRecord, FacetNumber, HeldRecord, Holder, Key,
    KeyRange, Kind, Number, ProfileRecord, Record, RecordChange, ResourcePath, ResourceRecord, RetiredRecord, Revision,
    RoleId, Stamped, Sums, TeamId, TeamRecord, Timestamp, UserId, UserRecord, UserState,
};

/// Options for tests: no ballast, no limit on the disk, small segments.
pub(super) fn options() -> OpenOptions {
    OpenOptions {
        journal: JournalOptions {
            segment_bytes: 16 << 10,
            disk: DiskGuard { floor_bytes: 0, floor_percent: 0, ballast_bytes: 0 },
        },
        cache_bytes: 8 << 20,
        snapshot_every_bytes: 64 << 10,
        journal_kept: Duration::ZERO,
    }
}

/// A small generator of pseudo-random numbers, so that a seed is all that a failure needs.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn seeded(name: &str) -> Self {
        let seed = u64::from_be_bytes(files::random().unwrap()) | 1;
        println!("{name}: seed {seed}");
        Self(seed)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

pub(super) type Facts = BTreeMap<Key, Stamped<Record>>;

/// Makes changes that fit one another, and remembers what was true at every revision.
pub(super) struct Writer {
    pub random: Random,
    pub facts: Facts,
    pub at: Vec<Facts>,
    pub changes: Vec<Change>,
    pub digest: Digest,
}

impl Writer {
    pub(super) fn new(random: Random) -> Self {
        Self { random, facts: Facts::new(), at: vec![Facts::new()], changes: Vec::new(), digest: Digest::default() }
    }

    pub(super) fn head(&self) -> Revision {
        Revision(self.changes.len() as u64)
    }

    /// A change of so many records; keys out of `variety`.
    pub(super) fn change(&mut self, records: u64, variety: u64) -> Change {
        let revision = Revision(self.head().0 + 1);
        let mut changed = BTreeMap::new();
        for _ in 0..records {
            let (key, record) = self.key_and_record(variety);
            let before = self.facts.get(&key).cloned();
            let after = if before.is_some() && self.random.below(3) == 0 { None } else { Some(record) };
            changed.insert(key, (before, after));
        }
        let mut records = Vec::new();
        for (key, (before, after)) in changed {
            match &after {
                Some(value) => self.facts.insert(key.clone(), Stamped { revision, value: value.clone() }),
                None => self.facts.remove(&key),
            };
            records.push(RecordChange { key, before, after });
        }
        let change = Change {
            revision,
            time: Timestamp(1000 + revision.0),
            actor: if revision.0.is_multiple_of(2) { Actor::Server } else { Actor::LocalOperator },
            method: "Test".to_owned(),
            next_number: 1 + revision.0 * 10,
            records,
            sums: Sums::default(),
        };
        self.digest = self.digest.after(&change);
        self.at.push(self.facts.clone());
        self.changes.push(change.clone());
        change
    }

    pub(super) fn group(&mut self, count: u64, records: u64, variety: u64) -> Vec<Change> {
        (0..count)
            .map(|_| {
                let records = 1 + self.random.below(records);
                self.change(records, variety)
            })
            .collect()
    }

    fn text(&mut self, limit: u64) -> String {
        let length = self.random.below(limit);
        (0..length).map(|_| char::from(b'a' + u8::try_from(self.random.below(26)).unwrap())).collect()
    }

    fn key_and_record(&mut self, variety: u64) -> (Key, Record) {
        let account = Number(1 + self.random.below(2));
        let number = Number(10 + self.random.below(variety));
        let other = Number(10 + self.random.below(variety));
        let name = format!("n{}", self.random.below(variety));
        let (created, updated) = (Timestamp(5), Timestamp(self.random.below(1000)));
        match self.random.below(15) {
            0 => (
                Key::User { account, user: number },
                Record::User(UserRecord {
                    id: UserId::new(&name).unwrap(),
                    state: UserState::Invited,
                    created,
                    updated,
                }),
            ),
            1 => (Key::UserName { account, id: UserId::new(&name).unwrap() }, Record::Name(other)),
            2 => (
                Key::Profile { account, user: number },
                Record::Profile(ProfileRecord { display_name: self.text(20), username: name, email: self.text(20) }),
            ),
            3 => {
                // Some are larger than a value of sled may be.
                let size = if self.random.below(4) == 0 { 12_000 } else { 40 };
                let (id, description) = (TeamId::new(&name).unwrap(), self.text(size));
                let team = TeamRecord { id, display_name: String::new(), description, created, updated };
                (Key::Team { account, team: number }, Record::Team(team))
            }
            4 => (Key::Membership { account, user: number, team: other }, Record::Present),
            5 => (
                Key::Binding { account, binding: number },
                Record::Binding(BindingRecord {
                    holder: Holder::Team(other),
                    role: number,
                    resource: other.0.is_multiple_of(2).then_some(other),
                    expires: number.0.is_multiple_of(2).then_some(updated),
                    created,
                }),
            ),
            6 => (Key::HolderBinding { account, holder: number, binding: other }, Record::Name(number)),
            7 => (Key::AccountName(AccountId::new(&name).unwrap()), Record::Name(other)),
            8 => (Key::RoleName { account, id: RoleId::new(&name).unwrap() }, Record::Name(other)),
            9 => (
                Key::HolderBinding { account, holder: number, binding: other },
                Record::Held(HeldRecord { role: number, resource: Some(other), expires: Some(updated) }),
            ),
            10 => {
                let path = ResourcePath::new(&format!("lines/{name}")).unwrap();
                let record =
                    ResourceRecord { path, resource_type: other, display_name: self.text(20), created, updated };
                (Key::Resource { account, resource: number }, Record::Resource(record))
            }
            11 => {
                let below = if number.0.is_multiple_of(2) { "/calls/c" } else { "" };
                let path = ResourcePath::new(&format!("lines/{name}{below}")).unwrap();
                (Key::ResourceName { account, path }, Record::Name(other))
            }
            12 => {
                let facet = if other.0.is_multiple_of(2) { FacetNumber::Feature } else { FacetNumber::Type(other) };
                let values = vec![number, Number(number.0 + 1 + other.0)];
                let access = AccessRecord { all: other.0.is_multiple_of(3), values };
                (Key::Access { account, holder: number, facet }, Record::Access(access))
            }
            13 => (
                Key::Exception { account, user: number, permission: other },
                Record::Exception(ExceptionRecord { reason: self.text(20), expires: Some(updated), created }),
            ),
            _ => (Key::Retired(number), Record::Retired(RetiredRecord { kind: Kind::Team, account: Some(account) })),
        }
    }

    /// Compares a store with what is remembered: every key and some ranges, at one revision.
    pub(super) fn compare(&mut self, store: &dyn Versions, at: Revision) {
        let facts = self.at[usize::try_from(at.0).unwrap()].clone();
        let mut keys: Vec<_> = facts.keys().chain(self.facts.keys()).cloned().collect();
        keys.extend((0..20).map(|_| self.key_and_record(50).0));
        let view = At { store, revision: at };
        for key in keys {
            assert_eq!(view.get(&key).unwrap(), facts.get(&key).cloned(), "{key:?} at {at:?}");
            if at == self.head() {
                assert_eq!(store.get(&key).unwrap(), facts.get(&key).cloned(), "{key:?} now");
            }
        }
        for range in ranges() {
            let limit = 1 + usize::try_from(self.random.below(7)).unwrap();
            let expected = in_range(&facts, range);
            for now in [false, true] {
                if now && at != self.head() {
                    continue;
                }
                let scan = |after: Option<&Key>, limit| {
                    if now { store.scan(range, after, limit) } else { view.scan(range, after, limit) }
                };
                assert_eq!(scan(None, 100_000).unwrap(), expected, "{range:?} at {at:?}, now: {now}");
                let mut paged: Vec<(Key, Stamped<Record>)> = Vec::new();
                loop {
                    let page = scan(paged.last().map(|(key, _)| key), limit).unwrap();
                    assert!(page.len() <= limit);
                    let full = page.len() == limit;
                    paged.extend(page);
                    if !full {
                        break;
                    }
                }
                assert_eq!(paged, expected, "{range:?} in pages of {limit} at {at:?}, now: {now}");
            }
        }
    }
}

fn ranges() -> Vec<KeyRange> {
    let account = Number(1);
    vec![
        KeyRange::AccountNames,
        KeyRange::Retired,
        KeyRange::Users(account),
        KeyRange::UserNames(account),
        KeyRange::Profiles(Number(2)),
        KeyRange::Teams(account),
        KeyRange::RoleNames(account),
        KeyRange::AccountMemberships(account),
        KeyRange::Memberships { account, user: Number(11) },
        KeyRange::Bindings(account),
        KeyRange::AccountHolderBindings(Number(2)),
        KeyRange::HolderBindings { account, holder: Number(12) },
        KeyRange::Resources(account),
        KeyRange::ResourceNames(account),
        KeyRange::AccountAccess(account),
        KeyRange::Access { account, holder: Number(12) },
        KeyRange::Exceptions { account, user: Number(12) },
    ]
}

pub(super) fn in_range(facts: &Facts, range: KeyRange) -> Vec<(Key, Stamped<Record>)> {
    let prefix = key_codec::encode_range(range);
    let held = facts.iter().filter(|(key, _)| key_codec::encode_key(key).starts_with(&prefix));
    held.map(|(key, record)| (key.clone(), record.clone())).collect()
}

fn opened() -> (tempfile::TempDir, Opened) {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path(), options()).unwrap();
    (directory, opened)
}

fn check_reads_at_every_revision(store: &dyn Store) {
    let mut writer = Writer::new(Random::seeded("reads at every revision"));
    for _ in 0..60 {
        let count = 1 + writer.random.below(6);
        let group = writer.group(count, 12, 12);
        store.apply(&group).unwrap();
        assert_eq!(store.head().revision, writer.head());
        assert_eq!(store.head().digest, writer.digest);
        for _ in 0..2 {
            let at = Revision(writer.random.below(writer.head().0 + 1));
            writer.compare(store, at);
        }
        writer.compare(store, writer.head());
    }
    assert_eq!(store.recompute_digest().unwrap(), writer.digest);
    let last = writer.changes.last().unwrap();
    let head = store.head();
    assert_eq!((head.next_number, head.time), (last.next_number, last.time));
}

#[test]
fn a_store_shows_every_revision_as_it_stood_in_memory() {
    check_reads_at_every_revision(&MemoryStore::new());
}

#[test]
fn a_store_shows_every_revision_as_it_stood_on_sled() {
    check_reads_at_every_revision(&*opened().1.store);
}

fn check_large_change(store: &dyn Store) {
    let mut writer = Writer::new(Random::seeded("a large change"));
    let group = writer.group(5, 10, 100);
    store.apply(&group).unwrap();
    let large = [writer.change(1, 10), writer.change(3000, 1000), writer.change(900, 1000), writer.change(900, 1000)];
    store.apply(&large).unwrap();
    assert_eq!(store.head().revision, writer.head());
    assert_eq!(store.recompute_digest().unwrap(), writer.digest);
    for at in [5, 6, 7, 8, 9] {
        writer.compare(store, Revision(at));
    }
    store.apply(&large).unwrap();
    assert_eq!(store.head().digest, writer.digest, "changes at or below the head are passed over");
}

#[test]
fn a_large_change_is_applied_whole_in_memory() {
    check_large_change(&MemoryStore::new());
}

#[test]
fn a_large_change_is_applied_whole_on_sled() {
    check_large_change(&*opened().1.store);
}

fn check_gaps_are_refused(store: &dyn Store) {
    let mut writer = Writer::new(Random(7));
    let changes = writer.group(3, 5, 10);
    assert!(store.apply(&changes[1..]).is_err());
    store.apply(&changes).unwrap();
    assert_eq!(store.head().digest, writer.digest);
}

#[test]
fn changes_that_do_not_follow_the_head_are_refused() {
    check_gaps_are_refused(&MemoryStore::new());
    check_gaps_are_refused(&*opened().1.store);
}

#[test]
fn pages_read_while_others_write_are_those_of_their_revision() {
    let (_directory, opened) = opened();
    let mut writer = Writer::new(Random::seeded("pages while others write"));
    for _ in 0..10 {
        let group = writer.group(10, 20, 60);
        opened.store.apply(&group).unwrap();
    }
    let pinned = writer.head();
    let facts = writer.facts.clone();
    let store = Arc::clone(&opened.store);
    let others = thread::spawn(move || {
        for _ in 0..150 {
            let group = writer.group(4, 20, 60);
            store.apply(&group).unwrap();
        }
    });
    let mut rounds = 0;
    while !others.is_finished() || rounds == 0 {
        rounds += 1;
        let view = At { store: &*opened.store, revision: pinned };
        for range in ranges() {
            let expected = in_range(&facts, range);
            let mut paged: Vec<(Key, Stamped<Record>)> = Vec::new();
            loop {
                let page = view.scan(range, paged.last().map(|(key, _)| key), 7).unwrap();
                let full = page.len() == 7;
                paged.extend(page);
                if !full {
                    break;
                }
            }
            assert_eq!(paged, expected, "{range:?} in round {rounds}");
            assert_eq!(view.scan(range, None, 100_000).unwrap(), expected, "{range:?} in round {rounds}");
        }
        for (key, record) in &facts {
            assert_eq!(view.get(key).unwrap().as_ref(), Some(record));
        }
    }
    others.join().unwrap();
    println!("{rounds} rounds");
}

fn check_log(log: Arc<dyn ChangeLog>) -> Writer {
    let mut writer = Writer::new(Random::seeded("a log"));
    assert_eq!(log.read(Revision(0), 10).unwrap(), vec![]);
    log.append(Revision(0), &[], Digest::default()).unwrap();
    let first = writer.group(3, 10, 20);
    log.append(Revision(0), &first, writer.digest).unwrap();
    assert!(matches!(
        log.append(Revision(0), &first, writer.digest),
        Err(StoreError::HeadMoved { head: Revision(3), expected: Revision(0) })
    ));
    let follower = {
        let log = Arc::clone(&log);
        thread::spawn(move || {
            let mut seen: Vec<Change> = Vec::new();
            while seen.len() < 70 {
                let after = Revision(seen.len() as u64);
                let changes = log.follow(after, 5, Duration::from_secs(20)).unwrap();
                assert!((1..=5).contains(&changes.len()));
                seen.extend(changes);
            }
            seen
        })
    };
    for round in 0..20 {
        let expected = writer.head();
        // Groups, large changes alone, and both in one append.
        let mut group = if round % 5 == 4 { vec![writer.change(300, 500)] } else { writer.group(3, 10, 20) };
        if round % 5 == 3 {
            group.push(writer.change(250, 500));
            group.extend(writer.group(1, 5, 20));
        }
        log.append(expected, &group, writer.digest).unwrap();
        let head = log.head();
        assert_eq!((head.revision, head.digest), (writer.head(), writer.digest));
    }
    while writer.head() < Revision(70) {
        let expected = writer.head();
        let group = writer.group(1, 10, 20);
        log.append(expected, &group, writer.digest).unwrap();
    }
    assert!(follower.join().unwrap() == writer.changes[..70], "what was followed is what was appended");
    for after in 0..=writer.head().0 {
        let limit = 1 + usize::try_from(writer.random.below(9)).unwrap();
        let from = usize::try_from(after).unwrap();
        let expected: Vec<_> = writer.changes.iter().skip(from).take(limit).cloned().collect();
        assert!(log.read(Revision(after), limit).unwrap() == expected, "after {after}, {limit}");
    }
    assert_eq!(log.read(Revision(0), 0).unwrap(), vec![]);
    assert!(log.follow(writer.head(), 5, Duration::from_millis(5)).unwrap().is_empty());
    let expected = writer.head();
    let wrong = Digest([1, 2, 3, 4]);
    let next = writer.group(2, 3, 10);
    assert!(log.append(expected, &next, wrong).is_err(), "a digest that is not that of the changes");
    assert!(log.append(expected, &next[1..], writer.digest).is_err(), "a change is left out");
    log.append(expected, &next, writer.digest).unwrap();
    writer
}

#[test]
fn a_log_gives_back_what_was_appended_from_memory() {
    check_log(Arc::new(MemoryLog::new()));
}

pub(super) fn journal(directory: &Path, acknowledged: Revision) -> Result<(FileJournal, u64), StoreError> {
    // As a start does it, so that whatever is left behind is met both ways.
    let verified = FileJournal::verify_ahead(directory, 7);
    FileJournal::open(directory, 7, acknowledged, options().journal, verified)
}

#[test]
fn a_log_gives_back_what_was_appended_from_files_also_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    FileJournal::create(directory.path(), 7).unwrap();
    let log = Arc::new(journal(directory.path(), Revision(0)).unwrap().0);
    let writer = check_log(Arc::<FileJournal>::clone(&log));
    assert!(files::names(directory.path()).unwrap().len() > 3, "segments were begun");
    let head = log.head();
    drop(log);
    let (log, cut) = journal(directory.path(), head.revision).unwrap();
    assert_eq!((log.head(), cut), (head, 0));
    assert!(log.read(Revision(0), 1000).unwrap() == writer.changes);
    let mut digest = Digest::default();
    for change in &writer.changes {
        digest = digest.after(change);
        assert_eq!(log.mark(change.revision).unwrap().unwrap().digest, digest, "{:?}", change.revision);
    }
}
