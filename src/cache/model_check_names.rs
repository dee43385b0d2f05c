//! The table of names and the map of subjects under the shuttle model checker, in rooms so small that names are written
//! over all the time. Run as `model_check`, with it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use super::{
    compact::{CompactTable, Mapped, Owner, Space},
    *,
};
use crate::model::{Dependency, Number, Revision, Timestamp};

fn schedules() -> usize {
    std::env::var("ROLECALL_SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(20_000)
}

/// Words of a ring that has room for two short names.
const RING: usize = 8;

fn mapped(number: u64) -> Mapped {
    Mapped { target: number, revision: Revision(number * 3), slots: [number as u16; 2] }
}

/// One name or two are put in again and again while others ask: whatever is found is of one piece, and of that name.
fn overwrite(writes: u64) {
    let table = Arc::new(CompactTable::of_size(1, RING, 7));
    let names: [&[u8]; 2] = [b"ann", b"bob"];
    let writer = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            for number in 0..writes {
                let of = usize::from(thread_rng().gen_bool(0.3));
                table.insert(Space::Users(Owner::of(1)), names[of], mapped(2 * number + of as u64));
            }
        })
    };
    for _ in 0..2 {
        for (of, name) in names.into_iter().enumerate() {
            if let Some(found) = table.get(Space::Users(Owner::of(1)), name) {
                assert_eq!(found, mapped(found.target), "torn");
                assert_eq!(found.target % 2, of as u64, "another's");
            }
        }
    }
    writer.join().unwrap();
}

#[test]
fn no_schedule_tears_a_name_that_is_written_over() {
    shuttle::check_random(|| overwrite(6), schedules());
    shuttle::check_pct(|| overwrite(6), schedules(), 3);
}

/// Names are put in until the table grows, while others ask: whatever is found is of one piece, and of that name; and when
/// all is quiet, all are there.
fn grow() {
    let table = Arc::new(CompactTable::of_size(2, 12 * RING / 2, 7));
    let names: [&[u8]; 7] = [b"ann", b"bob", b"cat", b"dan", b"eve", b"flo", b"gil"];
    let space = Space::Users(Owner::of(1));
    names[..4].iter().zip(0..).for_each(|(name, number)| table.insert(space, name, mapped(number)));
    let writer = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            names.iter().zip(0..).skip(4).for_each(|(name, number)| table.insert(space, name, mapped(number)));
        })
    };
    for (name, number) in names.iter().zip(0..) {
        if let Some(found) = table.get(space, name) {
            assert_eq!(found, mapped(number), "torn, or another's");
        }
    }
    writer.join().unwrap();
    for (name, number) in names.iter().zip(0..) {
        assert_eq!(table.get(space, name), Some(mapped(number)), "gone");
    }
}

#[test]
fn no_schedule_tears_a_name_while_the_table_grows() {
    shuttle::check_random(grow, schedules() / 10);
    shuttle::check_pct(grow, schedules() / 10, 3);
}

impl Shareable for [u64; 2] {
    type Key = Self;
    type Own = u64;

    fn key(&self) -> Self {
        *self
    }

    fn own(&self) -> &u64 {
        &self[0]
    }

    fn account(&self) -> &str {
        "a"
    }

    fn bytes(&self) -> usize {
        16
    }
}

/// A map that keeps nothing, as the one that check answers pass by.
struct Nothing;

impl EntryMap<[u64; 2]> for Nothing {
    fn get(&self, _: &[u8]) -> Option<Arc<Entry<[u64; 2]>>> {
        None
    }

    fn insert(&self, _: &[u8], _: &Arc<Entry<[u64; 2]>>) {}
}

/// The way of a Check: what is kept if it holds, else what others found out who have the same of their own, else worked out
/// and kept. Two subjects have a record each that they alone depend on, and both depend on a third.
struct System {
    records: [AtomicU64; 3],
    dependencies: [Dependency; 3],
    acknowledged: AtomicU64,
    loads: LoadCache<[u64; 2], (), Nothing>,
    subjects: SubjectMap<[u64; 2]>,
}

/// Three things that have a slot each: where two share one, there are fewer ways to go wrong.
fn apart(stamps: &Stamps) -> [Dependency; 3] {
    let mut found: Vec<Dependency> = Vec::new();
    for number in 1..100 {
        let dependency = Dependency::Thing(Number(number));
        if stamps.slots(found.iter().chain([&dependency])).iter().count() > found.len() {
            found.push(dependency);
        }
        if let [one, other, shared] = &found[..] {
            return [one.clone(), other.clone(), shared.clone()];
        }
    }
    panic!("everything has the same slot");
}

/// Three writes, and what each subject's answer is before them and after each.
struct Course {
    /// Which records each changes, to its revision.
    writes: [&'static [usize]; 3],
    moments: [[[u64; 2]; 4]; 2],
}

/// One subject changes itself before what both share changes, or with it.
const COURSES: [Course; 2] = [
    Course {
        writes: [&[0, 1, 2], &[0], &[2]],
        moments: [[[0, 0], [1, 1], [2, 1], [2, 3]], [[0, 0], [1, 1], [1, 1], [1, 3]]],
    },
    Course {
        writes: [&[0, 1, 2], &[2], &[0, 2]],
        moments: [[[0, 0], [1, 1], [1, 2], [3, 3]], [[0, 0], [1, 1], [1, 2], [1, 3]]],
    },
];

impl System {
    fn new() -> Self {
        let stamps = Arc::new(Stamps::new(Revision(0), 7));
        let dependencies = apart(&stamps);
        Self {
            records: Default::default(),
            dependencies,
            acknowledged: AtomicU64::new(0),
            loads: LoadCache::new(Arc::clone(&stamps), Nothing),
            subjects: SubjectMap::with_names(stamps, CompactTable::of_size(1, RING, 7), 0),
        }
    }

    fn write(&self, revision: u64, of: &[usize]) {
        let stamps = self.loads.stamps();
        let dependencies = of.iter().map(|record| &self.dependencies[*record]);
        let make_visible = || of.iter().for_each(|record| self.records[*record].store(revision, SeqCst));
        stamps.commit(Revision(revision), &stamps.slots(dependencies), || Ok::<_, ()>(()), make_visible).unwrap();
        self.acknowledged.store(revision, SeqCst);
    }

    fn ask(&self, who: usize) -> [u64; 2] {
        let id = ["u", "v"][who];
        let name = NamedSubject { account: "a", space: Space::Users, id };
        let stable = self.loads.stamps().stable();
        // Either way of asking.
        let hit = match thread_rng().r#gen() {
            true => self.subjects.hit(name, stable, || Timestamp(0)).map(|found| *found.value().unwrap()),
            false => self.subjects.hit_with(name, stable, || Timestamp(0), |value, _| *value),
        };
        if let Some(hit) = hit {
            return hit;
        }
        if let Some(found) = self.subjects.follow(name, stable, || Timestamp(0)) {
            return *found.value().unwrap();
        }
        let mut read = |stamps: &Stamps, dependencies: &mut Dependencies| {
            stamps.depend_alone(dependencies, &self.dependencies[who]);
            let own = self.records[who].load(SeqCst);
            stamps.depend(dependencies, &self.dependencies[2]);
            Ok(([own, self.records[2].load(SeqCst)], None))
        };
        loop {
            match self.loads.get_or_load(id.as_bytes(), Timestamp(0), |_| false, &mut read) {
                Ok(entry) => return *self.subjects.keep(name, &entry, entry.value).value().unwrap(),
                Err(_) => thread::yield_now(),
            }
        }
    }
}

/// Every answer is at least as new as what was acknowledged before the question, and of one moment.
fn explore(course: &'static Course) {
    let system = Arc::new(System::new());
    let writer = {
        let system = Arc::clone(&system);
        thread::spawn(move || (1..).zip(course.writes).for_each(|(revision, of)| system.write(revision, of)))
    };
    let readers: Vec<_> = [[0, 1], [1, 0]]
        .into_iter()
        .map(|asked| {
            let system = Arc::clone(&system);
            thread::spawn(move || {
                for who in asked {
                    let acknowledged = system.acknowledged.load(SeqCst);
                    let answer = system.ask(who);
                    let moments = course.moments[who];
                    let least = moments[acknowledged as usize];
                    assert!(moments.contains(&answer), "{answer:?} is of no moment of {who}");
                    assert!(answer[0] >= least[0] && answer[1] >= least[1], "{answer:?} of {who} after {acknowledged}");
                }
            })
        })
        .collect();
    // Somebody who has been asked about before everything, and is asked about last.
    writer.join().unwrap();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    for who in [0, 1, 0] {
        assert_eq!(system.ask(who), course.moments[who][3]);
    }
}

#[test]
fn no_schedule_makes_what_a_check_is_made_from_stale_or_torn() {
    for course in &COURSES {
        shuttle::check_random(|| explore(course), schedules());
        shuttle::check_pct(|| explore(course), schedules(), 4);
    }
}

/// One asks who is about to follow another, while it changes itself and the other finds out what that means for those who
/// have what it had.
fn explore_following() {
    let (system, course) = (Arc::new(System::new()), &COURSES[1]);
    system.write(1, course.writes[0]);
    for who in [0, 1] {
        system.ask(who);
    }
    system.write(2, course.writes[1]);
    let other = {
        let system = Arc::clone(&system);
        thread::spawn(move || {
            system.write(3, course.writes[2]);
            assert_eq!(system.ask(1), course.moments[1][3]);
        })
    };
    let acknowledged = system.acknowledged.load(SeqCst);
    let answer = system.ask(0);
    assert!(course.moments[0][acknowledged as usize..].contains(&answer), "{answer:?} after {acknowledged}");
    other.join().unwrap();
}

#[test]
fn no_schedule_lets_one_follow_who_changes_itself_meanwhile() {
    shuttle::check_random(explore_following, schedules());
    shuttle::check_pct(explore_following, schedules(), 3);
}

/// Two ask when the last of what they share changed, while it and other things do: never is that earlier than what was
/// acknowledged before they asked.
fn explore_changes() {
    let stamps = Arc::new(Stamps::new(Revision(0), 7));
    let [own, _, of_all] = apart(&stamps);
    let slots = stamps.slots([&of_all]).iter().collect();
    let shared = Arc::new(Shared::numbered(1, [0, 0], slots, None));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writer = {
        let (stamps, acknowledged) = (Arc::clone(&stamps), Arc::clone(&acknowledged));
        thread::spawn(move || {
            for (revision, of) in [(1, &of_all), (2, &own), (3, &of_all)] {
                stamps.commit(Revision(revision), &stamps.slots([of]), || Ok::<_, ()>(()), || ()).unwrap();
                acknowledged.store(revision, SeqCst);
            }
        })
    };
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (stamps, shared, acknowledged) = (Arc::clone(&stamps), Arc::clone(&shared), Arc::clone(&acknowledged));
            thread::spawn(move || {
                for _ in 0..2 {
                    let least = [0, 1, 1, 3][acknowledged.load(SeqCst) as usize];
                    let stable = stamps.stable();
                    let changed = shared.changed(&stamps, stable);
                    assert!(changed.0 >= least, "{changed:?} after {least} was acknowledged");
                }
            })
        })
        .collect();
    writer.join().unwrap();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

#[test]
fn no_schedule_makes_a_change_of_what_is_shared_go_unseen() {
    shuttle::check_random(explore_changes, schedules());
    shuttle::check_pct(explore_changes, schedules(), 3);
}
