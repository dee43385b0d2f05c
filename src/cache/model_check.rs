//! The stamp, load and publish code under the shuttle model checker, and the weaker ways of doing it, which it catches.
//!
//! A writer changes two records that belong together while readers ask about them. The map in moka's place gives back
//! whatever it likes of what was ever put into it, or nothing. Checked in every schedule: no answer is older than an
//! acknowledged write, none is torn, and none shows what is not durable yet.
//! Run with `cargo test --release --no-default-features --features shuttle --lib model_check`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::env;

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use super::*;
use crate::model::{Dependency, Number, Revision, Timestamp};

const WRITES: u64 = 2;
const READERS: usize = 2;
const READS: usize = 2;

/// What the schedules share: two records that every write sets together, what is durable, what is acknowledged.
#[derive(Default)]
struct Facts {
    records: [AtomicU64; 2],
    durable: AtomicU64,
    acknowledged: AtomicU64,
}

impl Facts {
    fn make_durable(&self, revision: u64) {
        self.durable.store(revision, SeqCst);
    }

    fn apply(&self, revision: u64) {
        for record in &self.records {
            record.store(revision, SeqCst);
        }
    }

    fn read(&self, record: usize) -> u64 {
        self.records[record].load(SeqCst)
    }
}

/// A way of writing, and of finding an answer.
trait System: Send + Sync + 'static {
    fn new() -> Self;
    fn facts(&self) -> &Facts;
    fn write(&self, revision: u64);
    fn ask(&self) -> [u64; 2];
}

fn explore<S: System>() {
    let system = Arc::new(S::new());
    let writer = {
        let system = Arc::clone(&system);
        thread::spawn(move || {
            for revision in 1..=WRITES {
                system.write(revision);
                system.facts().acknowledged.store(revision, SeqCst);
            }
        })
    };
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let system = Arc::clone(&system);
            thread::spawn(move || {
                for _ in 0..READS {
                    let acknowledged = system.facts().acknowledged.load(SeqCst);
                    let answer = system.ask();
                    let durable = system.facts().durable.load(SeqCst);
                    assert_eq!(answer[0], answer[1], "a torn set");
                    assert!(answer[0] >= acknowledged, "a stale answer after an acknowledgement");
                    assert!(answer[0] <= durable, "an answer from data that is not durable");
                }
            })
        })
        .collect();
    writer.join().unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
}

/// A map that forgets, and brings back old entries as a load that was overtaken would.
struct UnreliableMap<T>(Mutex<Vec<T>>);

impl<T: Clone> UnreliableMap<T> {
    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn any(&self) -> Option<T> {
        let kept = self.0.lock().unwrap();
        let choice = thread_rng().gen_range(0..=kept.len());
        kept.get(choice).cloned()
    }

    fn keep(&self, value: T) {
        self.0.lock().unwrap().push(value);
    }
}

impl<V: Send + Sync> EntryMap<V> for UnreliableMap<Arc<Entry<V>>> {
    fn get(&self, _key: &[u8]) -> Option<Arc<Entry<V>>> {
        self.any()
    }

    fn insert(&self, _key: &[u8], entry: &Arc<Entry<V>>) {
        self.keep(Arc::clone(entry));
    }
}

/// The code that ships.
struct Shipped {
    facts: Facts,
    cache: LoadCache<[u64; 2], (), UnreliableMap<Arc<Entry<[u64; 2]>>>>,
}

const FIRST: Dependency = Dependency::Thing(Number(1));
const SECOND: Dependency = Dependency::Thing(Number(2));

impl System for Shipped {
    fn new() -> Self {
        let stamps = Arc::new(Stamps::new(Revision(0), 7));
        Self { facts: Facts::default(), cache: LoadCache::new(stamps, UnreliableMap::new()) }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn write(&self, revision: u64) {
        let stamps = self.cache.stamps();
        let slots = stamps.slots([&FIRST, &SECOND]);
        let durable = || {
            self.facts.make_durable(revision);
            Ok::<_, ()>(())
        };
        stamps.commit(Revision(revision), &slots, durable, || self.facts.apply(revision)).unwrap();
    }

    fn ask(&self) -> [u64; 2] {
        let mut read = |stamps: &Stamps, dependencies: &mut Dependencies| {
            stamps.depend(dependencies, &FIRST);
            let first = self.facts.read(0);
            stamps.depend(dependencies, &SECOND);
            Ok(([first, self.facts.read(1)], None))
        };
        loop {
            match self.cache.get_or_load(b"user", Timestamp(0), |_| true, &mut read) {
                Ok(entry) => return entry.value,
                // The service reads at a revision then; here there is only one revision to read.
                Err(LoadError::Disturbed) => thread::yield_now(),
                Err(LoadError::Failed(())) => panic!("reading cannot fail"),
            }
        }
    }
}

/// The weaker ways, by what they leave out.
#[derive(Clone, Copy, PartialEq)]
enum Weakness {
    /// Load and insert; commit and invalidate. What most caches do.
    InvalidateOnly,
    /// Stamps are published before the data changes, and loads are not checked again.
    StampBeforeData,
    /// Stamps are published after the data changed, and nothing announces the write.
    StampAfterData,
    /// The write is announced only after the data changed.
    AnnounceAfterData,
    /// The load asks whether it was disturbed before its last read.
    EarlyRecheck,
    /// The load is labelled with the revision after its reads.
    LateLabel,
    /// A question joins whatever load is under way.
    JoinAnyLoad,
    /// The data is applied before it is durable.
    ApplyBeforeDurable,
}

struct Weak<const WEAKNESS: usize> {
    facts: Facts,
    stable: AtomicU64,
    published: AtomicU64,
    inflight: AtomicU64,
    map: UnreliableMap<([u64; 2], u64)>,
    invalidated: Mutex<Option<([u64; 2], u64)>>,
    flight: Mutex<Option<Arc<Mutex<Option<([u64; 2], u64)>>>>>,
}

const WEAKNESSES: [Weakness; 8] = [
    Weakness::InvalidateOnly,
    Weakness::StampBeforeData,
    Weakness::StampAfterData,
    Weakness::AnnounceAfterData,
    Weakness::EarlyRecheck,
    Weakness::LateLabel,
    Weakness::JoinAnyLoad,
    Weakness::ApplyBeforeDurable,
];

impl<const WEAKNESS: usize> Weak<WEAKNESS> {
    const IS: Weakness = WEAKNESSES[WEAKNESS];

    fn load(&self) -> ([u64; 2], u64) {
        loop {
            let label = self.stable.load(SeqCst);
            let first = self.facts.read(0);
            let disturbed_early = self.inflight.load(SeqCst) > label;
            let answer = [first, self.facts.read(1)];
            let disturbed = match Self::IS {
                Weakness::InvalidateOnly | Weakness::StampBeforeData | Weakness::StampAfterData => false,
                Weakness::EarlyRecheck => disturbed_early,
                _ => self.inflight.load(SeqCst) > label,
            };
            let label = if Self::IS == Weakness::LateLabel { self.stable.load(SeqCst) } else { label };
            if !disturbed || Self::IS == Weakness::LateLabel {
                return (answer, label);
            }
            thread::yield_now();
        }
    }
}

impl<const WEAKNESS: usize> System for Weak<WEAKNESS> {
    fn new() -> Self {
        Self {
            facts: Facts::default(),
            stable: AtomicU64::new(0),
            published: AtomicU64::new(0),
            inflight: AtomicU64::new(0),
            map: UnreliableMap::new(),
            invalidated: Mutex::new(None),
            flight: Mutex::new(None),
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn write(&self, revision: u64) {
        let is = Self::IS;
        if is == Weakness::StampBeforeData {
            self.published.store(revision, SeqCst);
            self.stable.store(revision, SeqCst);
        }
        if !matches!(is, Weakness::AnnounceAfterData | Weakness::StampAfterData) {
            self.inflight.store(revision, SeqCst);
        }
        if is == Weakness::ApplyBeforeDurable {
            // The announcement is withdrawn between the two, as a writer that applies first would do it.
            self.facts.apply(revision);
            self.published.store(revision, SeqCst);
            self.stable.store(revision, SeqCst);
            self.facts.make_durable(revision);
            return;
        }
        self.facts.make_durable(revision);
        self.facts.apply(revision);
        if is == Weakness::AnnounceAfterData {
            self.inflight.store(revision, SeqCst);
        }
        if is != Weakness::StampBeforeData {
            self.published.store(revision, SeqCst);
            self.stable.store(revision, SeqCst);
        }
        if is == Weakness::InvalidateOnly {
            *self.invalidated.lock().unwrap() = None;
        }
    }

    fn ask(&self) -> [u64; 2] {
        if Self::IS == Weakness::InvalidateOnly {
            if let Some(kept) = *self.invalidated.lock().unwrap() {
                return kept.0;
            }
            let loaded = self.load();
            *self.invalidated.lock().unwrap() = Some(loaded);
            return loaded.0;
        }
        if let Some(kept) = self.map.any().filter(|kept| self.published.load(SeqCst) <= kept.1) {
            return kept.0;
        }
        if Self::IS == Weakness::JoinAnyLoad {
            let (flight, leads) = {
                let mut board = self.flight.lock().unwrap();
                match &*board {
                    Some(flight) => (Arc::clone(flight), false),
                    None => {
                        let flight = Arc::new(Mutex::new(None));
                        *board = Some(Arc::clone(&flight));
                        (flight, true)
                    }
                }
            };
            let mut landed = flight.lock().unwrap();
            if !leads && let Some(landed) = *landed {
                return landed.0;
            }
            let loaded = self.load();
            *landed = Some(loaded);
            drop(landed);
            *self.flight.lock().unwrap() = None;
            return loaded.0;
        }
        let loaded = self.load();
        self.map.keep(loaded);
        loaded.0
    }
}

/// How many schedules of each of the two kinds; `ROLECALL_SCHEDULES` sets another number.
fn schedules() -> usize {
    env::var("ROLECALL_SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(100_000)
}

#[test]
fn no_schedule_makes_the_shipped_code_stale_or_torn() {
    shuttle::check_random(explore::<Shipped>, schedules());
    shuttle::check_pct(explore::<Shipped>, schedules(), 4);
}

/// A write that fails to become durable leaves everything as it was, and loads go on.
#[test]
fn a_write_that_failed_holds_no_load_up() {
    let run = || {
        let system = Arc::new(Shipped::new());
        let failing = Arc::clone(&system);
        let writer = thread::spawn(move || {
            let stamps = failing.cache.stamps();
            let slots = stamps.slots([&FIRST, &SECOND]);
            let outcome = stamps.commit(Revision(1), &slots, || Err(()), || ());
            assert_eq!(outcome, Err(()));
        });
        assert_eq!(system.ask(), [0, 0]);
        writer.join().unwrap();
        assert_eq!(system.ask(), [0, 0]);
    };
    shuttle::check_random(run, 5_000);
}

fn is_caught<const WEAKNESS: usize>() {
    let run = || {
        shuttle::check_random(explore::<Weak<WEAKNESS>>, 50_000);
        shuttle::check_pct(explore::<Weak<WEAKNESS>>, 50_000, 4);
    };
    assert!(std::panic::catch_unwind(run).is_err(), "the model checker does not catch it");
}

#[test]
fn loading_and_invalidating_without_stamps_is_caught() {
    is_caught::<0>();
}

#[test]
fn stamping_before_the_data_without_a_second_look_is_caught() {
    is_caught::<1>();
}

#[test]
fn stamping_after_the_data_without_an_announcement_is_caught() {
    is_caught::<2>();
}

#[test]
fn announcing_after_the_data_is_caught() {
    is_caught::<3>();
}

#[test]
fn looking_again_before_the_last_read_is_caught() {
    is_caught::<4>();
}

#[test]
fn labelling_a_load_after_its_reads_is_caught() {
    is_caught::<5>();
}

#[test]
fn joining_a_load_that_began_earlier_is_caught() {
    is_caught::<6>();
}

#[test]
fn applying_before_it_is_durable_is_caught() {
    is_caught::<7>();
}
