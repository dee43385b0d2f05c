//! Erasing against a store in memory that was given the same changes without the erased values, and against the bytes
//! of every file and every tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod late;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use world::World;

use crate::{
    model::{
        Change, Key, KeyRange, Number, ProfileRecord, Record, RequestKey, RequestRecord, Revision, Stamped, Timestamp,
        UserId, UserRecord, UserState,
    },
    store::{
        ChangeLog as _, FileJournal, MemoryStore, Opened, Store as _, StoreError, UserText, Versions,
        conformance::{journal, options},
        files,
        journal::frame::{FrameHeader, HEADER_BYTES},
        key_codec::{encode_key, erased},
        open,
    },
};

const ACCOUNT: Number = Number(1);
/// The user whose fields are erased, and one whose fields are not.
const ADA: Number = Number(10);
const BOB: Number = Number(11);
/// What is in every text of the one and of the other, in lower case for the index.
const SECRET: &str = "secretname";
const KEPT: &str = "keptname";

fn profile(user: Number) -> Key {
    Key::Profile { account: ACCOUNT, user }
}

fn request(name: &str) -> RequestKey {
    RequestKey::new(&format!("local/Test/{name}")).unwrap()
}

fn fields(name: &str, number: u64, size: usize) -> Record {
    let display_name = format!("{name} the {number}{}", " x".repeat(size));
    let (username, email) = (format!("{name}{number}"), format!("{name}@{number}"));
    Record::Profile(ProfileRecord { display_name, username, email })
}

fn answer(name: &str, size: usize) -> Record {
    let answer = name.repeat(1 + size / name.len()).into_bytes();
    Record::Request(RequestRecord { fingerprint: [7; 32], answer, expires: Timestamp(0) })
}

fn user(id: &str) -> Record {
    let (id, state) = (UserId::new(id).unwrap(), UserState::Active);
    Record::User(UserRecord { id, state, created: Timestamp(1), updated: Timestamp(2) })
}

/// A directory in which a user was created, renamed, answered about, and removed, in changes of all shapes.
fn filled(directory: &Path) -> (World, Vec<RequestKey>) {
    let mut world = World::default();
    let opened = open(directory, options()).unwrap();
    let requests = ["a", "b", "c"].map(request).to_vec();
    let other = Key::Request(request("bob"));
    world.write(
        &opened,
        vec![
            (Key::User { account: ACCOUNT, user: ADA }, Some(user("ada"))),
            (profile(ADA), Some(fields(SECRET, 1, 0))),
            (Key::Request(requests[0].clone()), Some(answer(SECRET, 10))),
        ],
    );
    world.write(
        &opened,
        vec![
            (Key::User { account: ACCOUNT, user: BOB }, Some(user("bob"))),
            (profile(BOB), Some(fields(KEPT, 2, 0))),
            (other, Some(answer(KEPT, 9000))),
        ],
    );
    for round in 0..12_u64 {
        // Now and then longer than a value of sled, so that it has parts.
        let size = if round % 4 == 0 { 3000 } else { 10 };
        let mut records = vec![(profile(ADA), Some(fields(SECRET, round, size)))];
        if round == 5 {
            records.push((Key::Request(requests[1].clone()), Some(answer(SECRET, 9000))));
        }
        world.write(&opened, records);
        world.write(&opened, vec![(profile(BOB), Some(fields(KEPT, round, size)))]);
        for n in 0..3 {
            let number = Number(100 + n);
            world.write(&opened, vec![(profile(number), Some(fields("other", round, 200)))]);
        }
        if round == 3 || round == 8 {
            opened.snapshot().unwrap();
        }
        if round == 7 {
            // A large change in parts, whose personal section takes more than one of them.
            let mut records: Vec<_> =
                (0..150).map(|n| (profile(Number(200 + n)), Some(fields("other", n, 5000)))).collect();
            records.insert(50, (profile(ADA), Some(fields(SECRET, 77, 300))));
            records.insert(90, (Key::Request(requests[2].clone()), Some(answer(SECRET, 500))));
            world.write(&opened, records);
        }
    }
    // One answer was forgotten in the meantime; the others are still there.
    world.write(&opened, vec![(Key::Request(requests[0].clone()), None)]);
    world.write(
        &opened,
        vec![(profile(ADA), None), (Key::Erasure { account: ACCOUNT, user: ADA }, Some(Record::Present))],
    );
    world.write(&opened, vec![(profile(BOB), Some(fields(KEPT, 99, 0)))]);
    (world, requests)
}

fn keys(requests: &[RequestKey]) -> Vec<Key> {
    requests.iter().cloned().map(Key::Request).chain([profile(ADA)]).collect()
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// The files of journal and snapshots, and the trees of sled, that hold a text.
fn holding(directory: &Path, opened: Option<&Opened>, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["journal", "snapshots", ""] {
        let part = directory.join(part);
        for path in files::names(&part).unwrap().iter().map(|name| part.join(name)) {
            if path.is_dir() {
                assert!(!path.display().to_string().contains("state.damaged"), "{}", path.display());
            } else if holds(&fs::read(&path).unwrap(), needle) {
                found.push(path.strip_prefix(directory).unwrap().display().to_string());
            }
        }
    }
    if let Some(opened) = opened {
        let store = &opened.store;
        for (name, tree) in
            [("state", &store.state), ("history", &store.history), ("parts", &store.parts), ("users", &store.users.0)]
        {
            let rows = tree.iter().map(Result::unwrap);
            if rows.into_iter().any(|(key, value)| holds(&key, needle) || holds(&value, needle)) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Everything that can be read is what a store says that was given these changes.
fn check(opened: &Opened, changes: &[Change]) {
    let memory = MemoryStore::new();
    memory.apply(changes).unwrap();
    let store = &*opened.store;
    assert_eq!(store.head(), memory.head());
    assert_eq!(opened.log.head(), memory.head());
    assert_eq!(store.recompute_digest().unwrap(), memory.head().digest);
    let meta = store.meta();
    assert_eq!(store.recompute_history_digest().unwrap(), meta.history_digest);
    assert_eq!(store.users.recompute_digest().unwrap(), meta.users_digest);
    assert!(opened.log.read(Revision(0), 10_000).unwrap() == changes, "the journal holds something else");
    for at in 0..=changes.len() as u64 {
        let at = Revision(at);
        for range in [KeyRange::Users(ACCOUNT), KeyRange::Profiles(ACCOUNT), KeyRange::Erasures] {
            let expected = memory.scan_at(range, None, 10_000, at).unwrap();
            assert!(store.scan_at(range, None, 10_000, at).unwrap() == expected, "{range:?} at {at:?}");
        }
        for key in changes.iter().flat_map(|change| &change.records).map(|record| &record.key) {
            if matches!(key, Key::Request(_)) {
                assert_eq!(store.get_at(key, at).unwrap(), memory.get_at(key, at).unwrap(), "{key:?} at {at:?}");
            }
        }
        for by in [UserText::Name, UserText::Any] {
            for prefix in ["", "ada", "se", SECRET, KEPT, "o"] {
                let expected = memory.find_users(ACCOUNT, by, prefix, None, 1000, at).unwrap();
                let found = store.find_users(ACCOUNT, by, prefix, None, 1000, at).unwrap();
                assert_eq!(found, expected, "{by:?} {prefix:?} at {at:?}");
            }
        }
    }
}

#[test]
fn an_erased_value_is_in_no_file_and_in_no_tree_and_all_else_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (world, requests) = filled(path);
    let opened = open(path, options()).unwrap();
    check(&opened, &world.changes);
    let before = holding(path, Some(&opened), SECRET);
    println!("{before:?}");
    assert!(before.iter().filter(|name| name.starts_with("journal/")).count() > 5, "{before:?}");
    assert_eq!(before.iter().filter(|name| name.starts_with("snapshots/")).count(), 2, "{before:?}");
    for tree in ["state", "history", "parts", "users"] {
        assert!(before.iter().any(|name| name == tree), "{tree}: {before:?}");
    }
    let chain = opened.log.mark(world.head()).unwrap();

    assert_eq!(opened.personal_requests(&[(ACCOUNT, ADA)]).unwrap(), requests);
    fs::create_dir(path.join("state.damaged-1")).unwrap();
    opened.erase_personal(&[(ACCOUNT, ADA)], &requests).unwrap();

    let none: Vec<String> = Vec::new();
    assert_eq!(holding(path, Some(&opened), SECRET), none);
    let kept = holding(path, Some(&opened), KEPT);
    assert!(kept.len() > 8 && kept.iter().any(|name| name.starts_with("snapshots/")), "{kept:?}");
    assert_eq!(opened.log.mark(world.head()).unwrap(), chain, "digest and chain are the same");
    let changes = world.without(&keys(&requests), world.head());
    check(&opened, &changes);
    // Called again, it finds nothing, and harms nothing.
    opened.erase_personal(&[(ACCOUNT, ADA)], &requests).unwrap();
    check(&opened, &changes);
    drop(opened);

    // Not stopped in order, so that all of it is verified; then without the state; then without the snapshot too.
    for lost in ["", "state", "snapshots"] {
        match lost {
            "" => {}
            "snapshots" => {
                fs::remove_dir_all(path.join("snapshots")).unwrap();
                fs::remove_dir_all(path.join("state")).unwrap();
            }
            _ => fs::remove_dir_all(path.join("state")).unwrap(),
        }
        let opened = open(path, options()).unwrap();
        let report = &opened.report;
        assert_eq!(report.rebuilt.is_some(), !lost.is_empty(), "{report:?}");
        assert_eq!(report.loaded_snapshot.is_some(), lost == "state", "{report:?}");
        check(&opened, &changes);
        assert_eq!(holding(path, Some(&opened), SECRET), none);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[test]
fn erasing_that_is_interrupted_at_any_step_is_finished_by_calling_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let (world, requests) = filled(directory.path());
    let changes = world.without(&keys(&requests), world.head());
    let mut stopped = 0;
    loop {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        let mut opened = open(copied.path(), options()).unwrap();
        let mut left = stopped;
        let outcome = opened.erase_in_steps(&[(ACCOUNT, ADA)], &requests, &mut || {
            left -= 1;
            if left < 0 { Err(StoreError::Engine("killed".to_owned())) } else { Ok(()) }
        });
        let is_finished = outcome.is_ok();
        // Killed, or interrupted and still running.
        if stopped % 3 != 1 {
            drop(opened);
            let half = files::names(&copied.path().join("journal")).unwrap().remove(0);
            let half = copied.path().join("journal").join(half + ".unfinished");
            fs::write(&half, SECRET).unwrap();
            opened = open(copied.path(), options()).unwrap();
            assert!(opened.report.rebuilt.is_none(), "{:?}", opened.report);
        }
        if !is_finished {
            opened.erase_personal(&[(ACCOUNT, ADA)], &requests).unwrap();
        }
        assert_eq!(holding(copied.path(), Some(&opened), SECRET), Vec::<String>::new(), "stopped at step {stopped}");
        if stopped % 4 == 0 || is_finished {
            check(&opened, &changes);
        }
        if is_finished {
            break;
        }
        stopped += 1;
    }
    println!("{stopped} steps");
    assert!(stopped > 12);
}

/// Alters the personal section of the frames of a segment and makes the checksums fit again.
fn forge(path: &Path, store_id: u64, alter: impl Fn(&mut [u8]) -> bool) {
    let mut bytes = fs::read(path).unwrap();
    let mut position = 112;
    while position < bytes.len() {
        let mut header = FrameHeader::decode(store_id, &bytes[position..position + HEADER_BYTES]).unwrap();
        let start = position + HEADER_BYTES + header.hashed_bytes as usize;
        let end = start + header.personal_bytes as usize;
        let found = alter(&mut bytes[start..end]);
        header.personal_crc = crc32fast::hash(&bytes[start..end]);
        bytes[position..position + HEADER_BYTES].copy_from_slice(&header.encode(store_id));
        position = end;
        if found {
            break;
        }
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_mark_of_an_erased_value_that_is_not_as_it_was_written_is_refused() {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    FileJournal::create(directory.path(), 7).unwrap();
    let (log, _) = journal(directory.path(), Revision(0)).unwrap();
    let mut world = World::default();
    let first = world.change(vec![
        (profile(BOB), Some(fields(KEPT, 1, 0))),
        (profile(ADA), Some(fields(SECRET, 1, 40))),
        (Key::Request(request("a")), Some(answer(SECRET, 40))),
    ]);
    log.append(Revision(0), &[first], world.digest).unwrap();
    let path = directory.path().join(files::names(directory.path()).unwrap().remove(0));
    let before = fs::read(&path).unwrap();
    let targets = keys(&[request("a")]);
    let bytes: BTreeSet<_> = targets.iter().map(encode_key).collect();
    let until = log.begin_erasing(&bytes).unwrap();
    log.erase(&bytes, until, &mut || Ok(())).unwrap();
    drop(log);
    let good = fs::read(&path).unwrap();
    assert_eq!(good.len(), before.len());
    let (log, _) = journal(directory.path(), Revision(1)).unwrap();
    assert_eq!(log.read(Revision(0), 9).unwrap(), world.without(&targets, Revision(1)));
    drop(log);
    let erased: Vec<_> = (0..good.len()).filter(|index| good[*index] != before[*index]).collect();
    assert!(erased.len() > 100);
    let refused = |what: &str| match journal(directory.path(), Revision(1)).map(|_| ()) {
        Err(StoreError::DamagedJournal { what: found, .. }) => assert!(found.contains(what), "{found}"),
        other => panic!("{other:?}"),
    };
    for index in erased {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        fs::write(&path, &bad).unwrap();
        refused("");
    }
    // With checksums that fit.
    let last = |section: &mut [u8]| section.len() - 1;
    for (what, alter) in [
        ("the mark of an erased value is not one that is written", 1),
        ("a personal value is not the one that was hashed", 0),
        ("the mark of an erased value is not one that is written", 2),
    ] {
        fs::write(&path, &good).unwrap();
        forge(&path, 7, |section| {
            if section.is_empty() {
                return false;
            }
            match alter {
                // A byte of the filler.
                1 => {
                    let last = last(section);
                    section[last] = 1;
                }
                // The mark itself, which stands before the filler and its field.
                0 => {
                    let mark = section.len() - 17;
                    assert_eq!(section[mark], 1);
                    section[mark] = 0;
                }
                // A byte of what was the record.
                _ => {
                    let record = section.len() - 30;
                    assert_eq!(section[record], 0);
                    section[record] = b'x';
                }
            }
            true
        });
        refused(what);
    }
}

#[test]
fn a_large_value_that_is_removed_at_any_step_of_its_erasing_leaves_no_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (world, requests) = filled(directory.path());
    let erased: BTreeMap<_, _> = keys(&requests).into_iter().map(|key| (encode_key(&key), key)).collect();
    let large = Key::Request(requests[1].clone());
    let mut removed_at = 0;
    loop {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        let opened = open(copied.path(), options()).unwrap();
        let mut world = world.clone();
        let until = opened.log.begin_erasing(&erased.keys().cloned().collect()).unwrap();
        let mut step = 0;
        let mut remove = || {
            if step == removed_at {
                // Planned with what was true before anything was erased.
                world.write(&opened, vec![(large.clone(), None)]);
            }
            step += 1;
            Ok(())
        };
        opened.store.erase(&erased, &[(ACCOUNT, ADA)], until, &mut remove).unwrap();
        for (name, tree) in [("state", &opened.store.state), ("parts", &opened.store.parts)] {
            let holds = tree.iter().values().any(|value| holds(&value.unwrap(), SECRET));
            assert!(!holds, "{name}, where it was removed at step {removed_at}");
        }
        if removed_at >= step {
            break;
        }
        removed_at += 1;
    }
    assert!(removed_at >= 4);
}

#[test]
fn erasing_while_others_write_and_read_loses_nothing_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (mut world, requests) = filled(path);
    let opened = open(path, options()).unwrap();
    let at = world.head();
    let targets = keys(&requests);
    // A profile that came after the removal is erased as well; what is written after erasing began is not.
    world.write(&opened, vec![(profile(ADA), Some(fields(SECRET, 500, 4000)))]);
    let done = AtomicBool::new(false);
    let known = world.changes.clone();
    let (erased_until, world) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) || rounds < 3 {
                for at in (0..=at.0).map(Revision) {
                    for key in &targets {
                        let found = opened.store.get_at(key, at).unwrap();
                        let true_then = world_at(&known, key, at);
                        let empty = true_then.clone().map(|then| Stamped { value: erased(key).unwrap(), ..then });
                        assert!(found == true_then || found == empty, "{key:?} at {at:?}");
                    }
                }
                opened.log.read(Revision(0), 1000).unwrap();
                rounds += 1;
            }
            rounds
        });
        let mut later = world.clone();
        let (writer, done) = (&opened, &done);
        let writing = scope.spawn(move || {
            for round in 0..150 {
                let mut records = vec![(profile(BOB), Some(fields(KEPT, round, 50)))];
                // Planned with what was true before anything was erased.
                match round {
                    80 => records.push((Key::Request(request("b")), None)),
                    100 => records.push((profile(ADA), None)),
                    _ => {}
                }
                later.write(writer, records);
            }
            later
        });
        while opened.log.head().revision.0 < at.0 + 20 {
            thread::yield_now();
        }
        let first = opened.log.head().revision;
        opened.erase_personal(&[(ACCOUNT, ADA)], &requests).unwrap();
        let after = writing.join().unwrap();
        done.store(true, Ordering::SeqCst);
        println!("{} rounds of reading; erased from {first:?} on", reading.join().unwrap());
        (first, after)
    });
    assert!(erased_until < world.head());
    assert_eq!(holding(path, Some(&opened), SECRET), Vec::<String>::new());
    // Nothing of the two was written anew, so that any later revision gives the same.
    let changes = world.without(&targets, world.head());
    check(&opened, &changes);
    drop(opened);
    check(&open(path, options()).unwrap(), &changes);
    fs::remove_dir_all(path.join("state")).unwrap();
    check(&open(path, options()).unwrap(), &changes);
}

fn world_at(changes: &[Change], key: &Key, at: Revision) -> Option<Stamped<Record>> {
    let changes = changes.iter().rev().filter(|change| change.revision <= at);
    let (revision, record) =
        changes.filter_map(|c| Some((c.revision, c.records.iter().find(|record| record.key == *key)?))).next()?;
    record.after.clone().map(|value| Stamped { revision, value })
}

#[test]
fn erasing_after_the_first_segments_were_deleted_leaves_a_snapshot_to_rebuild_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (world, requests) = filled(path);
    let opened = open(path, options()).unwrap();
    assert!(opened.prune(Timestamp(u64::MAX)).unwrap().segments > 0);
    opened.erase_personal(&[(ACCOUNT, ADA)], &requests).unwrap();
    opened.prune(Timestamp(u64::MAX)).unwrap();
    let oldest = opened.store.oldest();
    assert!(oldest > Revision(0));
    drop(opened);
    fs::remove_dir_all(path.join("state")).unwrap();
    let opened = open(path, options()).unwrap();
    assert_eq!(opened.report.loaded_snapshot, Some(world.head()));
    assert_eq!(holding(path, Some(&opened), SECRET), Vec::<String>::new());
    let memory = MemoryStore::new();
    memory.apply(&world.without(&keys(&requests), world.head())).unwrap();
    for at in (oldest.0..=world.head().0).map(Revision) {
        let expected = memory.scan_at(KeyRange::Profiles(ACCOUNT), None, 1000, at).unwrap();
        assert!(opened.store.scan_at(KeyRange::Profiles(ACCOUNT), None, 1000, at).unwrap() == expected, "{at:?}");
    }
}

#[test]
fn a_large_value_that_is_erased_while_it_is_read_is_the_old_one_or_empty_and_never_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path(), options()).unwrap();
    let mut world = World::default();
    // Many parts, so that the time between reading the first and the last is long.
    let requests: Vec<_> = (0..40).map(|n| Key::Request(request(&n.to_string()))).collect();
    let store = &*opened.store;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (requests, done) = (&requests, &done);
        for start in [0, 20] {
            scope.spawn(move || {
                for key in requests.iter().cycle().skip(start) {
                    match store.get_at(key, store.head().revision).unwrap().map(|record| record.value) {
                        None => {}
                        Some(Record::Request(request)) => assert!([0, 60_004].contains(&request.answer.len())),
                        other => panic!("{other:?}"),
                    }
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
        for _ in 0..12 {
            let records = requests.iter().map(|key| (key.clone(), Some(answer("abcd", 60_000)))).collect();
            let change = world.change(records);
            store.apply(&[change]).unwrap();
            let keys = requests.iter().map(|key| (encode_key(key), key.clone())).collect();
            store.erase(&keys, &[], world.head(), &mut || Ok(())).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(!store.is_suspect());
    assert!(store.parts.is_empty(), "what did not fit into the values is gone");
}
