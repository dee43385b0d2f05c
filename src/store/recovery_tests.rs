//! What a store does when its files are not as it left them: torn, damaged, deleted, or in use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    ChangeLog as _, DiskGuard, FileJournal, OpenOptions, Store as _, StoreError, Versions as _,
    conformance::{Random, Writer, journal, options},
    files,
    journal::Verified,
    open,
};
use crate::model::{Revision, Timestamp};

/// Where syncing costs nothing, because these tests open thousands of journals.
fn fast_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A journal of two segments, and the revision after each append with the file and its length.
fn small_journal(directory: &Path) -> (Writer, Vec<(Revision, PathBuf, u64)>) {
    FileJournal::create(directory, 7).unwrap();
    let mut options = options().journal;
    options.segment_bytes = 900;
    let (log, _) = FileJournal::open(directory, 7, Revision(0), options, Verified::default()).unwrap();
    let mut writer = Writer::new(Random(4711));
    let mut ends = Vec::new();
    for _ in 0..10 {
        let expected = writer.head();
        let group = writer.group(1, 3, 5);
        log.append(expected, &group, writer.digest).unwrap();
        let path = segments(directory).pop().unwrap();
        ends.push((writer.head(), path.clone(), path.metadata().unwrap().len()));
    }
    assert!(segments(directory).len() > 1);
    (writer, ends)
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    files::names(directory).unwrap().into_iter().map(|name| directory.join(name)).collect()
}

#[test]
fn a_flipped_byte_anywhere_in_the_journal_is_refused_or_was_never_acknowledged() {
    let directory = fast_directory();
    let (writer, ends) = small_journal(directory.path());
    let head = writer.head();
    let (_, last_path, last_end) = ends.last().unwrap().clone();
    let last_start = ends.iter().rev().find(|(_, path, end)| *path == last_path && *end < last_end);
    let last_start = last_start.map_or(112, |(_, _, end)| *end);
    let (mut refused, mut cut_off) = (0, 0);
    for path in segments(directory.path()) {
        let good = fs::read(&path).unwrap();
        for offset in 0..good.len() {
            let mut bad = good.clone();
            bad[offset] ^= 1 << (offset % 8);
            fs::write(&path, &bad).unwrap();
            match journal(directory.path(), head) {
                Err(StoreError::DamagedJournal { path: found, offset: at, .. }) => {
                    assert_eq!(found, path);
                    assert!(at <= offset as u64, "damage at {offset} reported at {at}");
                }
                other => panic!("byte {offset} of {}: {:?}", path.display(), other.map(|(log, cut)| (log.head(), cut))),
            }
            match journal(directory.path(), Revision(0)) {
                Err(StoreError::DamagedJournal { path: found, .. }) => {
                    assert_eq!(found, path);
                    assert!(path != last_path || (offset as u64) < last_start, "byte {offset} was refused");
                    refused += 1;
                }
                Ok((log, cut)) => {
                    assert!(path == last_path && offset as u64 >= last_start, "byte {offset} was accepted");
                    assert_eq!(cut, last_end - last_start);
                    assert_eq!(log.head().revision.0, head.0 - 1);
                    cut_off += 1;
                }
                Err(other) => panic!("{other}"),
            }
            fs::write(&path, &good).unwrap();
        }
    }
    println!("{refused} refused, {cut_off} cut off");
    assert!(refused > 500 && cut_off > 100);
    assert_eq!(journal(directory.path(), head).unwrap().0.head().digest, writer.digest);
}

#[test]
fn a_journal_cut_short_anywhere_opens_up_to_its_last_whole_write_or_is_refused() {
    let directory = fast_directory();
    let (writer, ends) = small_journal(directory.path());
    let paths = segments(directory.path());
    for path in &paths {
        let good = fs::read(path).unwrap();
        for length in 0..good.len() {
            fs::write(path, &good[..length]).unwrap();
            assert!(matches!(journal(directory.path(), writer.head()), Err(StoreError::DamagedJournal { .. })));
            match journal(directory.path(), Revision(0)) {
                Err(StoreError::DamagedJournal { path: found, .. }) => {
                    // A short segment that is not the last is told by the one after it.
                    assert!(path != paths.last().unwrap() || length < 112, "{} to {length}", found.display());
                }
                Ok((log, cut)) => {
                    assert_eq!(path, paths.last().unwrap());
                    let whole = ends.iter().rev().find(|(_, at, end)| at != path || *end <= length as u64).unwrap();
                    assert_eq!(log.head().revision, whole.0);
                    let end = if whole.1 == *path { whole.2 } else { 112 };
                    assert_eq!(cut, length as u64 - end);
                    assert_eq!(log.read(Revision(0), 100).unwrap(), writer.changes[..log.head().revision.0 as usize]);
                }
                Err(other) => panic!("{other}"),
            }
            fs::write(path, &good).unwrap();
        }
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let directory = fast_directory();
    let (writer, _) = small_journal(directory.path());
    let paths = segments(directory.path());
    assert!(paths.len() >= 3);
    for (index, path) in paths.iter().enumerate() {
        let good = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        // That the first is missing shows only beside the state, which knows from where on it must be there.
        if index > 0 {
            assert!(matches!(journal(directory.path(), writer.head()), Err(StoreError::DamagedJournal { .. })));
        }
        fs::write(path, good).unwrap();
    }
    assert!(journal(directory.path(), writer.head()).is_ok());
}

#[test]
fn blocks_of_the_last_write_that_arrived_out_of_order_are_cut_off_together() {
    let directory = fast_directory();
    FileJournal::create(directory.path(), 7).unwrap();
    // One segment, so that only the frames themselves can tell what had arrived.
    let mut one_segment = options().journal;
    one_segment.segment_bytes = 64 << 20;
    let journal = |path: &Path, acknowledged| {
        FileJournal::open(path, 7, acknowledged, one_segment, FileJournal::verify_ahead(path, 7))
    };
    let (log, _) = journal(directory.path(), Revision(0)).unwrap();
    let mut writer = Writer::new(Random(99));
    let group = writer.group(2, 3, 5);
    log.append(Revision(0), &group, writer.digest).unwrap();
    let path = segments(directory.path()).pop().unwrap();
    let first_end = path.metadata().unwrap().len() as usize;
    // One append of several frames: a large change in parts, a group, another large change.
    let mut group = vec![writer.change(400, 500)];
    group.extend(writer.group(2, 3, 5));
    group.push(writer.change(400, 500));
    log.append(Revision(2), &group, writer.digest).unwrap();
    drop(log);
    let good = fs::read(&path).unwrap();
    let step = (good.len() - first_end) / 97;
    for offset in (first_end..good.len()).step_by(step) {
        let mut bad = good.clone();
        let end = bad.len().min(offset + 64);
        bad[offset..end].fill(0);
        if bad == good {
            continue;
        }
        fs::write(&path, &bad).unwrap();
        let (log, _) = journal(directory.path(), Revision(2)).unwrap();
        let head = log.head().revision.0;
        assert!((2..6).contains(&head), "{head}");
        assert!(log.read(Revision(0), 100).unwrap() == writer.changes[..head as usize]);
    }
    // The same hole is damage as soon as a later write shows that this one had arrived.
    fs::write(&path, &good).unwrap();
    let (log, _) = journal(directory.path(), Revision(6)).unwrap();
    let group = writer.group(1, 3, 5);
    log.append(Revision(6), &group, writer.digest).unwrap();
    drop(log);
    let mut bad = fs::read(&path).unwrap();
    bad[first_end + 500] ^= 1;
    fs::write(&path, &bad).unwrap();
    assert!(matches!(journal(directory.path(), Revision(2)), Err(StoreError::DamagedJournal { .. })));
}

#[test]
fn nothing_is_written_when_the_disk_is_nearly_full_and_writing_goes_on_when_it_is_not() {
    let directory = fast_directory();
    FileJournal::create(directory.path(), 7).unwrap();
    let mut full = options().journal;
    full.disk.floor_bytes = u64::MAX;
    let mut writer = Writer::new(Random(3));
    let group = writer.group(1, 3, 5);
    let (log, _) = FileJournal::open(directory.path(), 7, Revision(0), full, Verified::default()).unwrap();
    for _ in 0..2 {
        assert!(matches!(log.append(Revision(0), &group, writer.digest), Err(StoreError::DiskNearlyFull { .. })));
    }
    drop(log);
    let (log, cut) = journal(directory.path(), Revision(0)).unwrap();
    assert_eq!((log.head().revision, cut), (Revision(0), 0));
    log.append(Revision(0), &group, writer.digest).unwrap();
}

#[test]
fn a_second_server_is_kept_out_and_told_who_is_in() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path(), options()).unwrap();
    assert!(opened.report.created);
    match open(directory.path(), options()).map(|_| ()) {
        Err(StoreError::Locked { holder, .. }) => assert_eq!(holder, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    drop(opened);
    assert!(!open(directory.path(), options()).unwrap().report.created);
}

#[test]
fn a_lock_that_somebody_lets_go_of_in_a_moment_is_waited_for() {
    let directory = fast_directory();
    open(directory.path(), options()).unwrap().close().unwrap();
    let lock = fs::File::open(directory.path().join("LOCK")).unwrap();
    lock.try_lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            drop(lock);
        });
        open(directory.path(), options()).unwrap();
    });
}

#[test]
fn a_format_of_the_future_is_refused_and_so_is_a_directory_that_lost_its_format() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), options()).unwrap());
    let path = directory.path().join("FORMAT");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("format 1", "format 2")).unwrap();
    let refused = open(directory.path(), options()).map(|_| ());
    assert!(matches!(refused, Err(StoreError::UnknownFormat { found: 2, expected: 1, .. })), "{refused:?}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(open(directory.path(), options()).map(|_| ()), Err(StoreError::DamagedJournal { .. })));
    fs::write(&path, text).unwrap();
    open(directory.path(), options()).unwrap();
}

/// A directory with changes in it, in all shapes, not closed in order.
fn filled(directory: &Path, options: OpenOptions, seed: Random) -> Writer {
    let mut writer = Writer::new(seed);
    let opened = open(directory, options).unwrap();
    for round in 0..12 {
        let expected = writer.head();
        let group = if round == 6 { vec![writer.change(2500, 900)] } else { writer.group(4, 20, 30) };
        opened.log.append(expected, &group, writer.digest).unwrap();
        opened.store.apply(&group).unwrap();
    }
    writer
}

fn check_whole(directory: &Path, writer: &mut Writer) -> super::OpenReport {
    let opened = open(directory, options()).unwrap();
    assert_eq!(opened.store.head().digest, writer.digest);
    assert_eq!(opened.log.head(), opened.store.head());
    assert_eq!(opened.store.recompute_digest().unwrap(), writer.digest);
    for at in [opened.store.oldest(), Revision(writer.head().0 - 5), writer.head()] {
        writer.compare(&*opened.store, at);
    }
    opened.report.clone()
}

#[test]
fn a_clean_stop_is_believed_once_and_an_unclean_one_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = filled(directory.path(), options(), Random::seeded("clean stop"));
    let report = check_whole(directory.path(), &mut writer);
    assert!(!report.clean && report.rebuilt.is_none(), "{report:?}");
    let opened = open(directory.path(), options()).unwrap();
    opened.close().unwrap();
    let group = writer.group(1, 3, 5);
    let refused = opened.log.append(opened.log.head().revision, &group, writer.digest);
    assert!(matches!(refused, Err(StoreError::Stopped)));
    drop(opened);
    assert!(open(directory.path(), options()).unwrap().report.clean);
    assert!(!open(directory.path(), options()).unwrap().report.clean);
}

#[test]
fn a_journal_shorter_than_what_was_acknowledged_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), options(), Random::seeded("short journal")));
    let last = segments(&directory.path().join("journal")).pop().unwrap();
    let good = fs::read(&last).unwrap();
    fs::write(&last, &good[..good.len() - 1]).unwrap();
    // The state has applied it.
    let refused = open(directory.path(), options()).map(|_| ());
    assert!(matches!(refused, Err(StoreError::DamagedJournal { .. })), "{refused:?}");
    fs::write(&last, &good).unwrap();
    open(directory.path(), options()).unwrap().close().unwrap();
    fs::write(&last, &good[..good.len() - 1]).unwrap();
    fs::remove_dir_all(directory.path().join("state")).unwrap();
    // The state is gone, but the marker of the clean stop knows, and goes on knowing.
    for _ in 0..2 {
        let refused = open(directory.path(), options()).map(|_| ());
        assert!(matches!(refused, Err(StoreError::DamagedJournal { .. })), "{refused:?}");
    }
    fs::write(&last, &good).unwrap();
    assert!(open(directory.path(), options()).unwrap().report.rebuilt.is_some());
}

#[test]
fn a_change_that_is_in_the_journal_but_not_in_the_state_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = filled(directory.path(), options(), Random::seeded("replay"));
    let opened = open(directory.path(), options()).unwrap();
    let expected = writer.head();
    let mut group = writer.group(3, 10, 30);
    group.push(writer.change(1500, 900));
    opened.log.append(expected, &group, writer.digest).unwrap();
    drop(opened);
    let report = check_whole(directory.path(), &mut writer);
    assert!(report.replayed == 4 && report.rebuilt.is_none(), "{report:?}");
}

#[test]
fn a_lost_or_damaged_state_is_rebuilt_to_the_same_digest() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = filled(directory.path(), options(), Random::seeded("rebuild"));
    let state = directory.path().join("state");
    let mut random = Random::seeded("damage");
    fs::remove_dir_all(&state).unwrap();
    let report = check_whole(directory.path(), &mut writer);
    assert!(report.rebuilt.is_some(), "{report:?}");
    let mut rebuilt = 0;
    for round in 0..24 {
        let db = state.join("db");
        let mut bytes = fs::read(&db).unwrap();
        match round % 4 {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes.fill(0xa5),
            _ => {
                // Somewhere in what is used: sled's file is mostly empty.
                let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0).max(1);
                for _ in 0..8 {
                    let offset = usize::try_from(random.below(used as u64)).unwrap();
                    bytes[offset] ^= 0xff;
                }
            }
        }
        fs::write(&db, bytes).unwrap();
        let report = check_whole(directory.path(), &mut writer);
        rebuilt += u32::from(report.rebuilt.is_some());
        let aside = files::names(directory.path()).unwrap();
        assert!(aside.iter().filter(|name| name.starts_with("state.damaged-")).count() <= 1);
    }
    println!("rebuilt {rebuilt} times of 24");
    assert!(rebuilt >= 6);
    // A torn `conf`, and a half-written snapshot of sled, as a kill at the first start leaves them.
    let conf = fs::read(state.join("conf")).unwrap();
    fs::write(state.join("conf"), &conf[..conf.len() / 2]).unwrap();
    fs::write(state.join("snap.0000000000000001.generating"), b"half").unwrap();
    let report = check_whole(directory.path(), &mut writer);
    assert!(report.rebuilt.is_none(), "{report:?}");
}

#[test]
fn a_state_that_opens_but_is_not_what_the_journal_says_is_rebuilt() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = filled(directory.path(), options(), Random::seeded("one record more"));
    for history in [false, true] {
        let opened = open(directory.path(), options()).unwrap();
        let tree = if history { &opened.store.history } else { &opened.store.state };
        let (key, _) = tree.iter().next().unwrap().unwrap();
        tree.remove(key).unwrap();
        drop(opened);
        let report = check_whole(directory.path(), &mut writer);
        assert!(report.rebuilt.is_some() && report.moved_aside.is_some(), "{report:?}");
    }
}

#[test]
fn a_snapshot_waits_while_much_is_written_but_not_for_ever() {
    let directory = fast_directory();
    let mut writer = filled(directory.path(), options(), Random::seeded("busy"));
    let opened = open(directory.path(), options()).unwrap();
    opened.snapshot().unwrap();
    let beginning = opened.journal_bytes();
    // How far the journal has grown when one is due.
    let mut due = |is_busy| {
        let mut before = 0;
        loop {
            let grown = opened.journal_bytes() - beginning;
            if opened.should_snapshot(is_busy) {
                return before..grown;
            }
            before = grown;
            let (expected, group) = (writer.head(), writer.group(1, 20, 30));
            opened.log.append(expected, &group, writer.digest).unwrap();
        }
    };
    let (quiet, busy) = (due(false), due(true));
    assert!(quiet.end > options().snapshot_every_bytes);
    // Segments have headers, and there are small ones here.
    assert!(19 * quiet.start < 5 * busy.end && 5 * busy.start < 21 * quiet.end, "{quiet:?} and {busy:?}");
}

#[test]
fn what_was_pruned_is_gone_with_a_reason_and_the_rest_can_be_rebuilt_from_a_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = filled(directory.path(), options(), Random::seeded("prune"));
    let opened = open(directory.path(), options()).unwrap();
    assert!(opened.should_snapshot(false));
    opened.snapshot().unwrap();
    assert!(!opened.should_snapshot(false));
    assert_eq!(opened.prune(Timestamp(u64::MAX)).unwrap().segments, 0, "one snapshot is not enough");
    for _ in 0..3 {
        let expected = writer.head();
        let group = writer.group(40, 20, 30);
        opened.log.append(expected, &group, writer.digest).unwrap();
        opened.store.apply(&group).unwrap();
        opened.snapshot().unwrap();
        for _ in 0..3 {
            let expected = writer.head();
            let group = writer.group(10, 20, 30);
            opened.log.append(expected, &group, writer.digest).unwrap();
            opened.store.apply(&group).unwrap();
        }
    }
    assert_eq!(files::names(&directory.path().join("snapshots")).unwrap().len(), 2);
    assert_eq!(opened.prune(Timestamp(0)).unwrap().segments, 0, "young changes are kept");
    let pruned = opened.prune(Timestamp(u64::MAX)).unwrap();
    assert!(pruned.segments > 0 && pruned.before_images > 0, "{pruned:?}");
    let oldest = opened.store.oldest();
    assert!(oldest > Revision(0) && oldest == opened.log.oldest());
    let before = Revision(oldest.0 - 1);
    assert!(matches!(opened.log.read(before, 1), Err(StoreError::RevisionGone { .. })));
    let (key, _) = writer.facts.first_key_value().map(|(key, value)| (key.clone(), value.clone())).unwrap();
    assert!(matches!(opened.store.get_at(&key, before), Err(StoreError::RevisionGone { .. })));
    writer.compare(&*opened.store, oldest);
    let counts = |tree: &sled::Tree| {
        let values = tree.iter().values().map(|value| value.unwrap());
        values
            .filter(|value| value[0] == 1)
            .map(|value| u32::from_be_bytes(value[9..].try_into().unwrap()))
            .sum::<u32>()
    };
    let needed = counts(&opened.store.state) + counts(&opened.store.history);
    assert!(needed > 0 && opened.store.parts.len() == needed as usize, "parts of pruned values are gone");
    drop(opened);
    assert!(check_whole(directory.path(), &mut writer).rebuilt.is_none());

    fs::remove_dir_all(directory.path().join("state")).unwrap();
    let report = check_whole(directory.path(), &mut writer);
    assert_eq!(report.loaded_snapshot, Some(Revision(writer.head().0 - 30)), "{report:?}");

    // The newest snapshot is damaged: the one before it does.
    let newest = segments(&directory.path().join("snapshots")).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    fs::remove_dir_all(directory.path().join("state")).unwrap();
    let report = check_whole(directory.path(), &mut writer);
    assert!(report.rejected_snapshots.len() == 1 && report.loaded_snapshot.is_some(), "{report:?}");

    // The first segment that is left is needed.
    assert!(segments(&directory.path().join("journal")).len() > 2);
    let first = segments(&directory.path().join("journal")).remove(0);
    let good = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    assert!(matches!(open(directory.path(), options()).map(|_| ()), Err(StoreError::DamagedJournal { .. })));
    fs::write(&first, good).unwrap();
    check_whole(directory.path(), &mut writer);

    // Neither snapshots nor state: the journal alone does not reach back to the beginning, and that is said.
    fs::remove_dir_all(directory.path().join("state")).unwrap();
    fs::remove_dir_all(directory.path().join("snapshots")).unwrap();
    assert!(matches!(open(directory.path(), options()).map(|_| ()), Err(StoreError::DamagedJournal { .. })));
}

#[test]
fn a_ballast_is_kept_where_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut with_ballast = options();
    with_ballast.journal.disk = DiskGuard { floor_bytes: 0, floor_percent: 0, ballast_bytes: 1 << 20 };
    drop(open(directory.path(), with_ballast).unwrap());
    let path = directory.path().join("ballast");
    assert_eq!(path.metadata().unwrap().len(), 1 << 20);
    with_ballast.journal.disk.ballast_bytes = 0;
    drop(open(directory.path(), with_ballast).unwrap());
    assert!(!path.exists());
}

const CHILD_DIRECTORY: &str = "ROLECALL_TEST_CHILD_DIRECTORY";

/// Not a test by itself: what [`no_kill_at_any_moment_loses_an_acknowledged_change`] starts and kills.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else { return };
    let mut out = std::io::stdout();
    let opened = open(Path::new(&directory), options()).unwrap();
    let report = &opened.report;
    writeln!(out, "\nopened {} rebuilt {:?}", opened.log.head().revision.0, report.rebuilt).unwrap();
    // The generator begins anew each time, so that a change depends on nothing but its revision.
    let mut writer = Writer::new(Random(31));
    while writer.head() < opened.log.head().revision {
        next_group(&mut writer);
    }
    for round in 0.. {
        let expected = writer.head();
        let group = next_group(&mut writer);
        opened.log.append(expected, &group, writer.digest).unwrap();
        opened.store.apply(&group).unwrap();
        writeln!(out, "acknowledged {}", writer.head().0).unwrap();
        if round % 40 == 20 {
            opened.snapshot().unwrap();
            opened.prune(Timestamp(u64::MAX)).unwrap();
        }
        if round == 90 {
            opened.close().unwrap();
            writeln!(out, "closed").unwrap();
            return;
        }
    }
}

/// One change, so that revisions and calls agree however the child was cut off.
fn next_group(writer: &mut Writer) -> Vec<crate::model::Change> {
    let large = writer.head().0 % 30 == 29;
    vec![if large { writer.change(1200, 2000) } else { writer.change(8, 60) }]
}

#[test]
fn no_kill_at_any_moment_loses_an_acknowledged_change() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random::seeded("kills");
    let (mut acknowledged, mut opened, mut rebuilt, mut closed) = (0, 0, 0, 0);
    let cycles = 60;
    for _ in 0..cycles {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::recovery_tests::child_that_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let reader =
            std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).collect::<Vec<_>>());
        // Half of the time it is still opening.
        let limit = if random.below(2) == 0 { 40 } else { 500 };
        std::thread::sleep(Duration::from_millis(random.below(limit)));
        child.kill().unwrap();
        let end = child.wait_with_output().unwrap();
        let lines = reader.join().unwrap();
        assert!(end.status.success() || end.status.code().is_none(), "{}", String::from_utf8_lossy(&end.stderr));
        for line in lines {
            let number = |text: &str| text.split(' ').next().unwrap().parse::<u64>().unwrap_or(0);
            if let Some(rest) = line.strip_prefix("acknowledged ") {
                acknowledged = number(rest).max(acknowledged);
            } else if let Some(rest) = line.strip_prefix("opened ") {
                assert!(number(rest) >= acknowledged, "{rest} was opened, {acknowledged} was acknowledged");
                opened += 1;
                rebuilt += u32::from(!rest.ends_with("None"));
            } else if line == "closed" {
                closed += 1;
            }
        }
    }
    println!(
        "{cycles} kills, {opened} times open, {closed} times closed, {rebuilt} rebuilt, {acknowledged} acknowledged"
    );
    let mut writer = Writer::new(Random(31));
    let found = open(directory.path(), options()).unwrap();
    assert!(found.log.head().revision.0 >= acknowledged && acknowledged > 0);
    while writer.head() < found.log.head().revision {
        next_group(&mut writer);
    }
    assert_eq!(found.store.recompute_digest().unwrap(), writer.digest);
    writer.compare(&*found.store, writer.head());
}
