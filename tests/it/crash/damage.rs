//! Damage to a data directory: the state may be lost or filled with garbage and is rebuilt; the journal may not.
//!
//! Each test begins with a directory that some cycles of killing left. [`answers`] is what must not change.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rolecall::{
    files,
    service::{Service, Settings, apply_account},
    store::{self, JournalOptions, OpenOptions},
};

use tempfile::TempDir;
use tonic::Code;

use super::{crash, facts::Account, observe};
use crate::{
    process::{Process, Random},
    support::Clients,
};

/// What the log says of a state that was not believed.
const REBUILT: &str = "the state was rebuilt from the journal";

/// Every catalog and account as a file, by name.
pub async fn answers(server: &Process) -> BTreeMap<String, String> {
    observe::exports(&mut Clients::connect(&server.address()).await).await.unwrap()
}

pub async fn check_same(server: &Process, expected: &BTreeMap<String, String>, what: &str) {
    let found = answers(server).await;
    for (name, file) in expected {
        assert_eq!(found.get(name), Some(file), "{what}: {name}\n{}", server.stderr());
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// The files of the journal.
pub fn segments(directory: &Path) -> Vec<PathBuf> {
    files_in(&directory.join("journal"))
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Copies a directory but for what is made again anyway.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            if !name.to_string_lossy().starts_with("state.damaged-") {
                copy(&path, &to.join(name));
            }
        } else if name != "ballast" {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Overwrites, cuts or lengthens a file at random. Says how.
fn spoil(path: &Path, random: &mut Random) -> String {
    let mut bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let place = random.below(bytes.len().max(1));
    let what = match random.below(8) {
        0 => {
            bytes.truncate(place);
            format!("{name} cut at {place}")
        }
        1 => {
            bytes.extend((0..random.below(2000)).map(|number| number.to_le_bytes()[0]));
            format!("{name} lengthened")
        }
        _ => {
            let length = [1, 8, 512, 4096, 65536][random.below(5)].min(bytes.len() - place.min(bytes.len()));
            bytes[place..place + length].fill_with(|| random.next().to_le_bytes()[0]);
            format!("{name} overwritten, {length} bytes at {place}")
        }
    };
    std::fs::write(path, bytes).unwrap();
    what
}

/// Copies a directory and spoils the state in the copy. Says how.
fn spoiled_copy(directory: &Path, random: &mut Random) -> (TempDir, String) {
    let place = TempDir::new().unwrap();
    copy(directory, place.path());
    let mut what = Vec::new();
    for _ in 0..=random.below(4) {
        // Mostly the file with the records.
        let files = files_in(&place.path().join("state"));
        let database = place.path().join("state/db");
        let path = if random.one_in(3) { random.pick(&files).clone() } else { database };
        what.push(spoil(&path, random));
    }
    (place, what.join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_full_of_garbage_is_rebuilt() {
    let mut crashed = crash(4, Random::new("a_state_full_of_garbage_is_rebuilt")).await;
    let directory = crashed.directory.path();
    let mut server = Process::start(directory, &[]);
    let expected = answers(&server).await;
    server.kill();
    let (rounds, mut rebuilt) = (30, 0);
    for _ in 0..rounds {
        let (place, what) = spoiled_copy(directory, &mut crashed.random);
        if crashed.random.one_in(4) {
            // Hints that are not believed when they cannot be read.
            let hint = crashed.random.pick(&["CLEAN", "CLEAN.last", "LOCK"]);
            std::fs::write(place.path().join(hint), b"garbage").unwrap();
        }
        let server = Process::start(place.path(), &[]);
        check_same(&server, &expected, &what).await;
        rebuilt += usize::from(server.logged(REBUILT).is_some());
    }
    println!("{rounds} states were spoiled, {rebuilt} had to be rebuilt");
    assert!(rebuilt > 0, "the garbage was never where it matters");
}

/// After a stop in good order the state is not read through, so that garbage may show only when it is met.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_that_came_after_a_clean_stop_never_changes_an_answer_and_the_next_check_rebuilds_it() {
    let (met, left) = spoil_a_clean_directory("garbage_that_came_after_a_clean_stop", 25, Process::kill).await;
    println!("garbage was met {met} times, always as an error");
    assert_eq!(left, 0, "what is started after a kill looks at everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_that_was_met_is_rebuilt_by_a_restart_in_good_order() {
    let name = "garbage_that_was_met_is_rebuilt_by_a_restart_in_good_order";
    let in_order = |server: &mut Process| {
        server.terminate();
        server.wait();
    };
    let (met, left) = spoil_a_clean_directory(name, 60, in_order).await;
    assert_eq!(left, 0, "of {met} that had met garbage, so many had it after a restart too");
}

/// How often a server met garbage, and how often one that was started after `end` met it again.
async fn spoil_a_clean_directory(name: &str, rounds: usize, end: fn(&mut Process)) -> (usize, usize) {
    let mut crashed = crash(2, Random::new(name)).await;
    let directory = crashed.directory.path();
    let mut server = Process::start(directory, &[]);
    let expected = answers(&server).await;
    server.stop();
    let (mut met, mut left) = (0, 0);
    for _ in 0..rounds {
        let (place, what) = spoiled_copy(directory, &mut crashed.random);
        let mut server = Process::start(place.path(), &[]);
        if is_same(&server, &expected, &what).await {
            continue;
        }
        met += 1;
        end(&mut server);
        let server = Process::start(place.path(), &[]);
        left += usize::from(!is_same(&server, &expected, &what).await);
    }
    (met, left)
}

/// Whether everything is answered as it was. Not answering is the one other thing that is allowed.
async fn is_same(server: &Process, expected: &BTreeMap<String, String>, what: &str) -> bool {
    match observe::exports(&mut Clients::connect(&server.address()).await).await {
        Ok(found) => {
            assert!(found == *expected, "{what}: other answers");
            true
        }
        Err(status) => {
            // Some garbage makes sled panic, which ends the one call as a fault of the server.
            assert!(matches!(status.code(), Code::Unavailable | Code::Internal), "{what}: {status:?}");
            false
        }
    }
}

/// Writes on in segments that are small, so that there are several, and takes a snapshot on the way.
async fn write_small_segments(directory: &Path) {
    let journal = JournalOptions { segment_bytes: 64 << 10, ..JournalOptions::default() };
    let opened = store::open(directory, OpenOptions { journal, ..OpenOptions::default() }).unwrap();
    let service = Service::start(opened.store.clone() as _, opened.log.clone() as _, Settings::default()).unwrap();
    for version in 1..6 {
        let file = Account::crowd(version).file("segments");
        let definition = files::parse_account(file.as_bytes()).unwrap();
        service.write(apply_account(definition, None, Arc::default())).await.unwrap();
        if version == 3 {
            opened.snapshot().unwrap();
        }
    }
    service.stop();
    opened.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_anywhere_in_the_journal_is_refused_by_name_and_offset() {
    let mut crashed =
        crash(3, Random::new("a_flipped_byte_anywhere_in_the_journal_is_refused_by_name_and_offset")).await;
    let directory = crashed.directory.path();
    write_small_segments(directory).await;
    let mut server = Process::start(directory, &[]);
    let expected = answers(&server).await;
    // In good order, so that the state knows of every frame. Of a server that was killed, damage to the very last frame
    // cannot be told from a write that was cut short, unless the state had been flushed meanwhile.
    server.stop();
    let segments = segments(directory);
    assert!(segments.len() >= 4, "{segments:?}");

    let mut positions = Vec::new();
    for path in &segments {
        let length = usize::try_from(path.metadata().unwrap().len()).unwrap();
        // The segment's header, the first frame's, its end, and anywhere.
        for place in [0, 9, 60, 111, 112, 113, 200, length - 1] {
            positions.push((path, place));
        }
        positions.extend((0..8).map(|_| (path, crashed.random.below(length))));
    }
    println!("{} positions in {} segments", positions.len(), segments.len());
    for (path, place) in positions {
        let good = std::fs::read(path).unwrap();
        let mut bytes = good.clone();
        bytes[place] ^= 1 << crashed.random.below(8);
        std::fs::write(path, bytes).unwrap();
        check_refused(directory, path, place);
        std::fs::write(path, good).unwrap();
    }
    let last = segments.last().unwrap();
    let good = std::fs::read(last).unwrap();
    std::fs::write(last, &good[..good.len() - 1]).unwrap();
    check_refused(directory, last, good.len() - 1);

    // What is surely not acknowledged is cut off: a frame of which not even the header became whole.
    let torn = [&good[..], &good[112..212]].concat();
    std::fs::write(last, torn).unwrap();
    let server = Process::start(directory, &[]);
    check_same(&server, &expected, "a torn tail").await;
}

/// The server does not start, and says where the damage is: in the frame of that place.
#[track_caller]
fn check_refused(directory: &Path, path: &Path, place: usize) {
    let mut server = Process::spawn(directory, &[]);
    let code = server.wait();
    let stderr = server.stderr();
    assert_eq!(code, 65, "{} at {place}: {stderr}", path.display());
    let damaged = format!("the journal is damaged: {} at byte ", path.display());
    let offset = stderr.split_once(&damaged).and_then(|(_, rest)| rest.split_once(':')).map(|(offset, _)| offset);
    let offset: usize = offset.unwrap_or_else(|| panic!("{damaged}: {stderr}")).parse().unwrap();
    assert!(offset <= place, "{offset} is behind {place}: {stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let crashed = crash(1, Random::new("a_second_server_on_the_same_directory_is_refused")).await;
    let directory = crashed.directory.path();
    let first = Process::start(directory, &[]);
    let expected = answers(&first).await;
    let mut second = Process::spawn(directory, &[]);
    assert_eq!(second.wait(), 69);
    let stderr = second.stderr();
    assert!(stderr.contains(&directory.display().to_string()), "{stderr}");
    assert!(stderr.contains(&format!("process {}", first.id())), "{stderr}");
    check_same(&first, &expected, "after another server was refused").await;
}
