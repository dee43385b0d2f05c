//! The index against the scan over all users, which [`MemoryStore`] answers by.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{collections::BTreeMap, fs, thread};

use crate::{
    model::{
        Actor, Change, Key, Number, ProfileRecord, Record, RecordChange, Revision, Stamped, Sums, Timestamp, UserId,
        UserRecord, UserState,
    },
    store::{
        ChangeLog as _, Digest, MemoryStore, Opened, Store as _, StoreError, UserText, Versions,
        apply::{Stops, first_piece},
        conformance::{Random, options},
        open,
        user_index::keys::are_of_one_row,
    },
};

const NAMES: [&str; 14] = [
    "",
    "Ada Lovelace",
    "ADA LOVELACE",
    "ada  ada adam",
    "\u{130}stanbul \u{130}",
    "Stra\u{df}e \u{1e9e}",
    "\u{39f}\u{3b4}\u{3c5}\u{3c3}\u{3c3}\u{3b5}\u{3cd}\u{3a3} \u{3a3}",
    "a\0b a\0",
    "a",
    "\u{1f600} \u{10ffff}",
    "n1",
    "Zo\u{eb} \u{1c5}a",
    "a\u{1}b",
    " ",
];

const PREFIXES: [&str; 20] = [
    "",
    "a",
    "ad",
    "ada",
    "ada ",
    "ada lovelace",
    "i",
    "i\u{307}",
    "i\u{307}s",
    "stra",
    "stra\u{df}",
    "\u{3bf}",
    "\u{3c3}",
    "a\0",
    "a\0b",
    "\u{1f600}",
    "n",
    "u1",
    "xxxx",
    "z",
];

/// Users who come, go, and are renamed, in changes of every shape.
struct Users {
    random: Random,
    facts: BTreeMap<Key, Stamped<Record>>,
    head: Revision,
    digest: Digest,
    memory: MemoryStore,
}

impl Users {
    fn new(name: &str) -> Self {
        Self {
            random: Random::seeded(name),
            facts: BTreeMap::new(),
            head: Revision(0),
            digest: Digest::default(),
            memory: MemoryStore::new(),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.below(limit as u64)).unwrap()
    }

    fn name(&mut self) -> String {
        match self.below(8) {
            // Longer than a text of the index, cut within a character now and then.
            0 => "x".repeat(120 + self.below(10)) + "\u{e4}\u{1f600}y" + NAMES[self.below(14)],
            // More texts than fit one value of sled.
            1 if self.below(4) == 0 => (0..60).map(|n| format!("{n}{}", "w".repeat(110))).collect::<Vec<_>>().join(" "),
            _ => NAMES[self.below(14)].to_owned(),
        }
    }

    fn change(&mut self, records: usize, variety: usize) -> Change {
        let revision = Revision(self.head.0 + 1);
        let mut changed = Vec::new();
        let mut keys = Vec::new();
        for _ in 0..records {
            let (account, user) = (Number(1 + self.below(2) as u64), Number(10 + self.below(variety) as u64));
            // One record, the other, or both in either order.
            let (this, other) = (Key::User { account, user }, Key::Profile { account, user });
            match self.below(4) {
                0 => keys.push(this),
                1 => keys.push(other),
                2 => keys.extend([this, other]),
                _ => keys.extend([other, this]),
            }
        }
        for key in keys {
            if changed.iter().any(|change: &RecordChange| change.key == key) {
                continue;
            }
            let before = self.facts.get(&key).cloned();
            let record = match key {
                Key::User { user, .. } => {
                    // Deleted and created again, the number is another one in life; here the id can change too.
                    let id = if self.below(9) == 0 { "Ada".to_owned() } else { format!("U{}", user.0 % 7) };
                    let (id, state) = (UserId::new(&id).unwrap(), UserState::Active);
                    let updated = Timestamp(self.random.below(99));
                    Record::User(UserRecord { id, state, created: Timestamp(1), updated })
                }
                _ => Record::Profile(ProfileRecord {
                    display_name: self.name(),
                    username: self.name(),
                    email: self.name(),
                }),
            };
            let after = if self.below(4) == 0 { None } else { Some(record) };
            match &after {
                Some(value) => self.facts.insert(key.clone(), Stamped { revision, value: value.clone() }),
                None => self.facts.remove(&key),
            };
            changed.push(RecordChange { key, before, after });
        }
        let change = Change {
            revision,
            time: Timestamp(revision.0),
            actor: Actor::Server,
            method: "Test".to_owned(),
            next_number: 5,
            records: changed,
            sums: Sums::default(),
        };
        self.digest = self.digest.after(&change);
        self.head = revision;
        self.memory.apply(std::slice::from_ref(&change)).unwrap();
        change
    }

    fn group(&mut self, count: usize, records: usize, variety: usize) -> Vec<Change> {
        (0..count)
            .map(|_| {
                let records = 1 + self.below(records);
                self.change(records, variety)
            })
            .collect()
    }

    fn write(&mut self, opened: &Opened, group: &[Change]) {
        let expected = Revision(group[0].revision.0 - 1);
        opened.log.append(expected, group, self.digest).unwrap();
        opened.store.apply(group).unwrap();
    }

    fn check(&mut self, store: &dyn Versions, at: Revision) {
        check(&mut self.random, &self.memory, store, at);
    }
}

fn check(random: &mut Random, memory: &dyn Versions, store: &dyn Versions, at: Revision) {
    for account in [Number(1), Number(2), Number(3)] {
        for by in [UserText::Name, UserText::Any] {
            for prefix in PREFIXES {
                // The scan is slow: a part of the prefixes each time.
                if random.below(6) > 0 {
                    continue;
                }
                let all = memory.find_users(account, by, prefix, None, 10_000, at).unwrap();
                let limit = 1 + usize::try_from(random.below(6)).unwrap();
                let mut paged: Vec<(String, Number)> = Vec::new();
                loop {
                    let after = paged.last().map(|(text, user)| (text.as_str(), *user));
                    let page = store.find_users(account, by, prefix, after, limit, at).unwrap();
                    let full = page.len() == limit;
                    paged.extend(page);
                    if !full {
                        break;
                    }
                }
                assert_eq!(paged, all, "{account:?} {by:?} {prefix:?} in pages of {limit} at {at:?}");
                // A place that no user stands at.
                for after in [("", Number(0)), ("ada", Number(u64::MAX)), ("\u{10ffff}", Number(3))] {
                    let expected = memory.find_users(account, by, prefix, Some(after), 3, at).unwrap();
                    let found = store.find_users(account, by, prefix, Some(after), 3, at).unwrap();
                    assert_eq!(found, expected, "{account:?} {by:?} {prefix:?} after {after:?} at {at:?}");
                }
            }
        }
    }
}

#[test]
fn a_page_of_users_is_what_a_scan_gives_at_every_revision_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut users = Users::new("pages of users");
    let mut opened = open(directory.path(), options()).unwrap();
    for round in 0..60 {
        let variety = if round % 3 == 0 { 4 } else { 12 };
        let count = 1 + users.below(8);
        let mut group = users.group(count, 6, variety);
        if round % 20 == 10 {
            group.push(users.change(1200, 900));
        }
        users.write(&opened, &group);
        users.check(&*opened.store, users.head);
        let at = Revision(opened.store.oldest().0 + users.random.below(users.head.0 - opened.store.oldest().0 + 1));
        users.check(&*opened.store, at);
        let stored = opened.store.meta().users_digest;
        assert_eq!(opened.store.users.recompute_digest().unwrap(), stored);
        if round % 15 == 7 {
            opened.snapshot().unwrap();
            opened.prune(Timestamp(u64::MAX)).unwrap();
            for at in [opened.store.oldest(), users.head] {
                users.check(&*opened.store, at);
            }
        }
        if round % 10 == 9 {
            drop(opened);
            // Rebuilt from a snapshot or from the journal alone, as it may be, or opened as it is.
            if round % 20 == 9 {
                fs::remove_dir_all(directory.path().join("state")).unwrap();
            }
            opened = open(directory.path(), options()).unwrap();
            assert_eq!(opened.report.rebuilt.is_some(), round % 20 == 9, "{:?}", opened.report);
            for _ in 0..4 {
                let oldest = opened.store.oldest().0;
                let at = Revision(oldest + users.random.below(users.head.0 - oldest + 1));
                users.check(&*opened.store, at);
            }
        }
    }
    assert!(opened.store.oldest() > Revision(0), "something was pruned");
    // All gone, and all of it pruned: nothing is left over but the format.
    let keys: Vec<_> = users.facts.keys().cloned().collect();
    for piece in keys.chunks(50) {
        let revision = Revision(users.head.0 + 1);
        let records = piece.iter().map(|key| RecordChange {
            key: key.clone(),
            before: users.facts.get(key).cloned(),
            after: None,
        });
        let change = Change { revision, records: records.collect(), ..users.memory_change() };
        users.digest = users.digest.after(&change);
        users.head = revision;
        users.write(&opened, &[change]);
    }
    opened.store.prune(users.head).unwrap();
    let left: Vec<_> = opened.store.users.0.iter().keys().map(Result::unwrap).collect();
    assert!(left == [[0].as_slice()], "{left:?}");
    assert_eq!(opened.store.meta().users_digest, Digest::default());
}

impl Users {
    fn memory_change(&self) -> Change {
        let (time, method) = (Timestamp(9), "Sweep".to_owned());
        Change {
            revision: self.head,
            time,
            actor: Actor::Server,
            method,
            next_number: 5,
            records: Vec::new(),
            sums: Sums::default(),
        }
    }
}

type Page = (Number, UserText, &'static str, Vec<(String, Number)>);

fn expected(memory: &dyn Versions, at: Revision) -> Vec<Page> {
    let mut pages = Vec::new();
    for by in [UserText::Name, UserText::Any] {
        for prefix in PREFIXES {
            let all = memory.find_users(Number(1), by, prefix, None, 10_000, at).unwrap();
            pages.push((Number(1), by, prefix, all));
        }
    }
    pages
}

#[test]
fn a_page_of_users_is_that_of_its_revision_while_others_write() {
    let directory = tempfile::tempdir().unwrap();
    let mut users = Users::new("pages of users while others write");
    let opened = open(directory.path(), options()).unwrap();
    for _ in 0..10 {
        let group = users.group(5, 10, 40);
        opened.store.apply(&group).unwrap();
    }
    let pinned = users.head;
    let expected = expected(&users.memory, pinned);
    let store = std::sync::Arc::clone(&opened.store);
    thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for _ in 0..80 {
                let group = users.group(4, 10, 40);
                store.apply(&group).unwrap();
            }
        });
        let mut rounds = 0;
        while !writing.is_finished() || rounds == 0 {
            for (account, by, prefix, all) in &expected {
                let mut paged: Vec<(String, Number)> = Vec::new();
                loop {
                    let after = paged.last().map(|(text, user)| (text.as_str(), *user));
                    let page = opened.store.find_users(*account, *by, prefix, after, 3, pinned).unwrap();
                    let full = page.len() == 3;
                    paged.extend(page);
                    if !full {
                        break;
                    }
                }
                assert_eq!(&paged, all, "{account:?} {by:?} {prefix:?} in round {rounds}");
            }
            rounds += 1;
        }
        println!("{rounds} rounds");
    });
}

#[test]
fn a_large_change_that_was_applied_by_half_and_then_again_leaves_the_index_right() {
    let directory = tempfile::tempdir().unwrap();
    let mut users = Users::new("half a large change");
    let mut opened = open(directory.path(), options()).unwrap();
    let first = users.group(3, 30, 60);
    users.write(&opened, &first);
    for round in 0..8 {
        let large = users.change(1200, 900);
        assert!(large.records.len() > 1000);
        opened.log.append(Revision(large.revision.0 - 1), std::slice::from_ref(&large), users.digest).unwrap();
        // Nothing, a part, and all of the entries; the users' own rows come last.
        let rows = [0, 1, 500, 3_000, 6_000, 9_000, usize::MAX][round % 7];
        opened.store.apply_half(&[&large], Stops { records: 600, index: rows }).unwrap();
        if round % 2 == 0 {
            let rows = rows.saturating_add(700);
            opened.store.apply_half(&[&large], Stops { records: usize::MAX, index: rows }).unwrap();
        }
        // The half that is there is of no revision that can be asked for.
        users.check(&*opened.store, Revision(large.revision.0 - 1));
        drop(opened);
        opened = open(directory.path(), options()).unwrap();
        assert!(opened.report.replayed == 1 && opened.report.rebuilt.is_none(), "{:?}", opened.report);
        for at in 0..=users.head.0 {
            users.check(&*opened.store, Revision(at));
        }
        let next = users.group(2, 30, 60);
        users.write(&opened, &next);
    }
}

#[test]
fn groups_that_were_applied_by_half_and_then_again_leave_everything_right() {
    let directory = tempfile::tempdir().unwrap();
    let mut users = Users::new("half a group");
    let mut opened = open(directory.path(), options()).unwrap();
    for round in 0..60 {
        // Many users, so that a piece has several changes; or few, so that many a change begins a piece.
        let variety = if round % 3 == 0 { 6 } else { 400 };
        let count = 2 + users.below(12);
        let group = users.group(count, 5, variety);
        let before = Revision(group[0].revision.0 - 1);
        opened.log.append(before, &group, users.digest).unwrap();
        // What follows was durable too, and comes with the rest when it is applied again.
        let next = users.group(2, 5, variety);
        opened.log.append(Revision(next[0].revision.0 - 1), &next, users.digest).unwrap();
        let whole = users.below(count);
        opened.store.apply(&group[..whole]).unwrap();
        let all: Vec<&Change> = group[whole..].iter().collect();
        let piece = &all[..first_piece(&all)];
        let stops = match users.below(4) {
            0 => Stops { records: usize::MAX, index: usize::MAX },
            1 => Stops { records: users.below(20), index: 0 },
            _ => Stops { records: usize::MAX, index: users.below(60) },
        };
        opened.store.apply_half(piece, stops).unwrap();
        if round % 4 == 0 {
            opened.store.apply_half(piece, Stops { records: usize::MAX, index: users.below(60) }).unwrap();
        }
        users.check(&*opened.store, before);
        drop(opened);
        opened = open(directory.path(), options()).unwrap();
        let report = &opened.report;
        assert!(report.replayed == (count - whole + 2) as u64 && report.rebuilt.is_none(), "{round}: {report:?}");
        for _ in 0..4 {
            let at = Revision(users.random.below(users.head.0 + 1));
            users.check(&*opened.store, at);
        }
        users.check(&*opened.store, before);
    }
}

#[test]
fn a_row_of_several_pieces_is_whole_wherever_a_large_change_is_cut_off() {
    let mut users = Users::new("rows of several pieces");
    let large = users.change(1200, 900);
    // One more: its row does not fit into one value of sled.
    let key = Key::Profile { account: Number(2), user: Number(5_000) };
    let words: Vec<String> = (0..60).map(|n| format!("{n}{}", "w".repeat(110))).collect();
    let profile = ProfileRecord { display_name: words.join(" "), username: "long".to_owned(), email: String::new() };
    let user = UserRecord {
        id: UserId::new("Long").unwrap(),
        state: UserState::Active,
        created: Timestamp(1),
        updated: Timestamp(1),
    };
    let mut records = large.records.clone();
    let of_user = Key::User { account: Number(2), user: Number(5_000) };
    records.push(RecordChange { key: of_user, before: None, after: Some(Record::User(user)) });
    records.push(RecordChange { key, before: None, after: Some(Record::Profile(profile)) });
    let large = Change { records, ..large };
    let digest = Digest::default().after(&large);
    let memory = MemoryStore::new();
    memory.apply(std::slice::from_ref(&large)).unwrap();
    for missing in 0..6 {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(directory.path(), options()).unwrap();
        let mut pending = super::Pending::default();
        opened.store.users.add(&mut pending, &large.records, &large, true).unwrap();
        let (rows, _) = pending.rows(Digest::default());
        // Nobody else's row is in pieces.
        let first = rows.windows(2).position(|pair| are_of_one_row(&pair[0].0, &pair[1].0)).unwrap();
        let pieces = rows[first..].iter().take_while(|row| are_of_one_row(&rows[first].0, &row.0)).count();
        opened.log.append(Revision(0), std::slice::from_ref(&large), digest).unwrap();
        opened.store.apply_half(&[&large], Stops { records: 600, index: first + pieces - missing }).unwrap();
        drop(opened);
        let opened = open(directory.path(), options()).unwrap();
        assert!(opened.report.rebuilt.is_none(), "{missing} rows were missing: {:?}", opened.report);
        check(&mut users.random, &memory, &*opened.store, Revision(1));
    }
}

#[test]
fn an_index_that_is_missing_or_damaged_is_built_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut users = Users::new("a damaged index");
    let opened = open(directory.path(), options()).unwrap();
    for _ in 0..5 {
        let group = users.group(5, 10, 20);
        users.write(&opened, &group);
    }
    drop(opened);
    for damage in 0..4 {
        let opened = open(directory.path(), options()).unwrap();
        let tree = &opened.store.users.0;
        match damage {
            0 => tree.clear().unwrap(),
            1 => drop(tree.insert([0], &[9]).unwrap()),
            2 => drop(tree.remove(tree.iter().keys().nth(3).unwrap().unwrap()).unwrap()),
            _ => drop(tree.insert(tree.iter().keys().nth(5).unwrap().unwrap(), &[0; 9]).unwrap()),
        }
        // Even a stop in order does not hide that there is no index.
        if damage < 2 {
            opened.close().unwrap();
        }
        drop(opened);
        let opened = open(directory.path(), options()).unwrap();
        let why = opened.report.rebuilt.clone().unwrap();
        assert!(why.contains("index of users"), "{why}");
        for at in 0..=users.head.0 {
            users.check(&*opened.store, Revision(at));
        }
    }
    let gone = open(directory.path(), options()).unwrap();
    gone.store.prune(Revision(3)).unwrap();
    let refused = gone.store.find_users(Number(1), UserText::Name, "", None, 1, Revision(2));
    assert!(matches!(refused, Err(StoreError::RevisionGone { .. })), "{refused:?}");
}
