//! Durable writes, beside bare sled that applies the same groups and syncs nothing; one writer, beside a bare sync; and
//! what is left of the rate of Checks while a thousand writes are done in a second.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    hint::black_box,
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use rolecall::{model::Revision, service::ReadAt};
use sled::{Batch, Transactional as _};
use tempfile::TempDir;

use super::{
    accounts::user,
    many::{self, MANY, Served, ask, copy, median, question},
    pairs::{in_turns, report, rounds},
};

/// How many writers there are, and how many writes each does in a round.
const WRITERS: usize = 64;
const WRITES: usize = 100;

/// One write: a user with a role, in a team.
async fn write(served: &rolecall::service::Service, number: usize) {
    let new = many::new_user(MANY, &format!("written-{number}"), true);
    served.write(many::creation(MANY, vec![new])).await.unwrap();
}

/// Lets many writers write at once; gives writes in a second.
async fn many_writers(served: &Served) -> f64 {
    let began = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let service = served.service.clone();
        tokio::spawn(async move {
            for number in 0..WRITES {
                write(&service, writer * WRITES + number).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    (WRITERS * WRITES) as f64 / began.elapsed().as_secs_f64()
}

/// What one transaction wrote: in each tree.
#[derive(Default)]
struct Group {
    trees: [Vec<(Vec<u8>, Vec<u8>)>; 3],
}

const TREES: [&str; 3] = ["state", "history", "users"];

/// The revision at the place in some bytes.
fn revision_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The rows of a state that writes left, by the group that wrote them; the first group is all that was there before.
fn groups_of(state: &Path, before: Revision, appends: &[Vec<Revision>]) -> Vec<Group> {
    let db = sled::open(state).unwrap();
    let mut place: HashMap<u64, usize> = HashMap::new();
    for (number, revisions) in appends.iter().enumerate() {
        place.extend(revisions.iter().map(|revision| (revision.0, number + 1)));
    }
    let group_of = |revision: u64| if revision <= before.0 { 0 } else { place[&revision] };
    let mut groups: Vec<Group> = (0..=appends.len()).map(|_| Group::default()).collect();
    // A row may have been written many times; what a group wrote last is what counts.
    let mut state: BTreeMap<(usize, Vec<u8>), Vec<u8>> = BTreeMap::new();
    for row in &db.open_tree("state").unwrap() {
        let (key, value) = row.unwrap();
        state.insert((group_of(revision_at(&value, 1)), key.to_vec()), value.to_vec());
    }
    for row in &db.open_tree("history").unwrap() {
        let (key, value) = row.unwrap();
        let (record, replaced_at) = (&key[..key.len() - 9], revision_at(&key, key.len() - 8));
        state.insert((group_of(revision_at(&value, 1)), record.to_vec()), value.to_vec());
        groups[group_of(replaced_at)].trees[1].push((key.to_vec(), value.to_vec()));
    }
    for ((group, key), value) in state {
        groups[group].trees[0].push((key, value));
    }
    // The rows of the index do not say when they were written. They go to the groups evenly.
    let written: Vec<usize> =
        appends.iter().enumerate().flat_map(|(number, group)| group.iter().map(move |_| number + 1)).collect();
    let index: Vec<_> = db.open_tree("users").unwrap().iter().map(|row| row.unwrap()).collect();
    for (number, (key, value)) in index.iter().enumerate() {
        let group = written[number * written.len() / index.len()];
        groups[group].trees[2].push((key.to_vec(), value.to_vec()));
    }
    groups
}

/// Applies groups to bare sled; gives writes in a second.
fn bare(groups: &[Group]) -> f64 {
    let directory = TempDir::new().unwrap();
    let db = sled::Config::new().path(directory.path()).cache_capacity(64 << 20).open().unwrap();
    let trees = TREES.map(|name| db.open_tree(name).unwrap());
    let apply = |group: &Group| {
        let batches = group.trees.each_ref().map(|rows| {
            let mut batch = Batch::default();
            for (key, value) in rows {
                batch.insert(key.as_slice(), value.as_slice());
            }
            batch
        });
        (&trees[0], &trees[1], &trees[2])
            .transaction(|(state, history, users)| {
                state.apply_batch(&batches[0])?;
                history.apply_batch(&batches[1])?;
                users.apply_batch(&batches[2])?;
                Ok::<_, sled::transaction::ConflictableTransactionError<()>>(())
            })
            .unwrap();
    };
    let (first, rest) = groups.split_first().unwrap();
    apply(first);
    let began = Instant::now();
    rest.iter().for_each(apply);
    (WRITERS * WRITES) as f64 / began.elapsed().as_secs_f64()
}

/// How long a bare sync of as many bytes as a write has takes, in nanoseconds: the median.
fn bare_sync(directory: &Path) -> f64 {
    let mut file = File::create(directory.join("bare")).unwrap();
    let figures = (0..200).map(|_| {
        let began = Instant::now();
        file.write_all(&[7; 1024]).unwrap();
        file.sync_data().unwrap();
        began.elapsed().as_nanos() as f64
    });
    median(figures.collect())
}

/// How many Checks two threads answer in a second, and how many writes were done meanwhile.
fn checks(served: &Served, users: &[String], writes_per_second: u64, runtime: &tokio::runtime::Handle) -> (f64, f64) {
    const TIME: Duration = Duration::from_secs(1);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (ended, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let answered: u64 = std::thread::scope(|scope| {
        let ask = || {
            let _entered = runtime.enter();
            let mut answered = 0;
            while !ended.load(Ordering::Relaxed) {
                for user in users {
                    let question = question(MANY, user);
                    let asking = served.service.check(&question, ReadAt::Latest);
                    match asking.now_or_never() {
                        Some(decided) => drop(black_box(decided.unwrap())),
                        // It felt a write, and is worked out anew.
                        None => drop(runtime.block_on(served.service.check(&question, ReadAt::Latest)).unwrap()),
                    }
                    answered += 1;
                }
            }
            answered
        };
        let askers = [scope.spawn(ask), scope.spawn(ask)];
        let began = Instant::now();
        let mut writing = Vec::new();
        while began.elapsed() < TIME {
            let due = (began.elapsed().as_secs_f64() * writes_per_second as f64) as usize;
            while writing.len() < due {
                let service = served.service.clone();
                let number = NEXT.fetch_add(1, Ordering::Relaxed) as usize + 1_000_000_000;
                writing.push(runtime.spawn(async move { write(&service, number).await }));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        written.store(writing.iter().filter(|write| write.is_finished()).count() as u64, Ordering::Relaxed);
        ended.store(true, Ordering::Relaxed);
        let answered = askers.into_iter().map(|asker| asker.join().unwrap()).sum();
        for write in writing {
            runtime.block_on(write).unwrap();
        }
        answered
    });
    (answered as f64 / TIME.as_secs_f64(), written.into_inner() as f64 / TIME.as_secs_f64())
}

pub async fn measure(filled: &Path) {
    let runtime = tokio::runtime::Handle::current();
    // Groups are as large as they are whatever is there already; each round begins with a copy of it.
    let small = TempDir::new().unwrap();
    many::fill(small.path(), 1_000).await;
    let many_writers = || {
        let directory = TempDir::new().unwrap();
        copy(small.path(), directory.path());
        let served = Served::open(directory.path());
        let before = served.service.head().revision;
        let figure = tokio::task::block_in_place(|| runtime.block_on(many_writers(&served)));
        let appends = std::mem::take(&mut *served.log.groups.lock().unwrap());
        served.close();
        (figure, groups_of(&directory.path().join("state"), before, &appends))
    };
    let (_, groups) = many_writers();
    let sizes = groups[1..].len();
    println!("{WRITERS} writers: {} writes in {sizes} groups", WRITERS * WRITES);
    let pair = in_turns(rounds(), || many_writers().0, || bare(&groups));
    report("64 writers, durable", "per s", "bare sled with the same groups, no sync", &pair);

    let directory = TempDir::new().unwrap();
    copy(filled, directory.path());
    let served = Served::open(directory.path());
    let mut next = 500_000_000;
    let one_writer = || {
        let figures = (0..200).map(|_| {
            next += 1;
            let began = Instant::now();
            tokio::task::block_in_place(|| runtime.block_on(write(&served.service, next)));
            began.elapsed().as_nanos() as f64
        });
        median(figures.collect())
    };
    let limit = || (2.0 * bare_sync(directory.path())).max(500_000.0);
    report("One writer, p50", "ns", "two bare syncs, or 500 us", &in_turns(rounds(), one_writer, limit));

    let users: Vec<String> = (0..many::users().min(1_000)).map(user).collect();
    for user in &users {
        ask(&served.service, MANY, user, true).await;
    }
    let mut rates = Vec::new();
    let with = || {
        let (rate, written) = checks(&served, &users, 1_000, &runtime);
        rates.push(written);
        rate
    };
    let pair = tokio::task::block_in_place(|| in_turns(rounds(), with, || checks(&served, &users, 0, &runtime).0));
    report("Checks on two threads while 1,000 writes a second are done", "per s", "while none are", &pair);
    println!("Writes done in a second meanwhile: {:.0}", median(rates));
    served.close();
}
