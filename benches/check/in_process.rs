//! Check in the process: from what is kept, and worked out anew.

use std::{collections::HashMap, hint::black_box, sync::Barrier, time::Instant};

use futures_util::FutureExt as _;
use rolecall::{
    server::Running,
    service::{
        AskedName, Asking, AttributeValue, Attributes, Decision, PlaceName, ReadAt, Service, SubjectKind, SubjectName,
    },
};

use super::{
    accounts::{KINDS, Kind, USERS, user},
    pairs::{Figures, in_turns, report, rounds, time, window},
};

/// A question of one kind for each user.
struct Questions {
    users: Vec<String>,
    attributes: Vec<Attributes>,
    kind: &'static Kind,
}

impl Questions {
    fn new(kind: &'static Kind) -> Self {
        let users: Vec<String> = (0..USERS).map(user).collect();
        let attributes = users
            .iter()
            .map(|user| match kind.is_assigned {
                true => Attributes::from([("assignee".to_owned(), AttributeValue::Text(user.clone()))]),
                false => Attributes::new(),
            })
            .collect();
        Self { users, attributes, kind }
    }

    fn question(&self, number: usize) -> Asking<'_> {
        let kind = self.kind;
        Asking {
            subject: SubjectName::new(kind.account, SubjectKind::User, &self.users[number]),
            asked: AskedName::Permission(kind.permission),
            place: PlaceName { resource: kind.resource, facets: kind.facets },
            attributes: &self.attributes[number],
        }
    }

    /// How long a Check takes whose subject is kept, in nanoseconds.
    fn kept(&self, service: &Service, calls: u64) -> f64 {
        time(calls, |number| {
            let question = self.question(number as usize % USERS);
            let decided = service.check(black_box(&question), ReadAt::Latest).now_or_never();
            black_box(decided).expect("it was kept").expect("it is answered");
        })
    }

    async fn warm(&self, service: &Service) {
        for number in 0..USERS {
            let decided = service.check(&self.question(number), ReadAt::Latest).await.unwrap();
            assert_eq!(decided.reason.decision(), Decision::Allow, "{}: {:?}", self.kind.name, decided.reason);
        }
    }

    /// How long a Check takes when nothing is kept, in nanoseconds.
    async fn anew(&self, service: &Service) -> f64 {
        service.clear_cache();
        let began = Instant::now();
        for number in 0..USERS {
            black_box(service.check(&self.question(number), ReadAt::Latest).await.unwrap());
        }
        began.elapsed().as_nanos() as f64 / USERS as f64
    }
}

/// A bare table with the same keys, and a bit test.
struct Bare {
    table: hashbrown::HashMap<Box<[u8]>, u32>,
    sets: Vec<Vec<u64>>,
    permissions: HashMap<String, usize>,
}

impl Bare {
    fn new(users: impl Iterator<Item = String>) -> Self {
        let key = |user: String| format!("plain/{user}").into_bytes().into_boxed_slice();
        Self {
            table: users.map(|user| (key(user), 0)).collect(),
            sets: vec![vec![u64::MAX; 3]],
            permissions: HashMap::from([(KINDS[0].permission.to_owned(), 7)]),
        }
    }

    fn look_up(&self, user: &str, permission: &str) -> bool {
        let mut key = [0; 32];
        key[..6].copy_from_slice(b"plain/");
        key[6..6 + user.len()].copy_from_slice(user.as_bytes());
        let Some(set) = self.table.get(&key[..6 + user.len()]) else { return false };
        let index = self.permissions[permission];
        self.sets[*set as usize][index / 64] & (1 << (index % 64)) != 0
    }
}

pub async fn measure(running: &Running) {
    let service = running.service();
    let kinds: Vec<Questions> = KINDS.iter().map(Questions::new).collect();
    for kind in &KINDS {
        kind.create(running).await;
    }
    // After the last write: what was kept before it can share a stamp with something that it changed.
    for questions in &kinds {
        questions.warm(service).await;
    }
    let plain = &kinds[0];
    let calls = 200 * USERS as u64;
    let bare = Bare::new((0..USERS).map(user));
    let looking_up = || {
        time(calls, |number| {
            black_box(bare.look_up(black_box(&plain.users[number as usize % USERS]), KINDS[0].permission));
        })
    };
    let pair = in_turns(rounds(), || plain.kept(service, calls), looking_up);
    report("A Check in process, 1,000 users, kept", "ns", "a bare hashbrown look-up and a bit test", &pair);
    let pair = in_turns(rounds(), || two_threads(plain, service, calls), || 1e9 / plain.kept(service, calls));
    report("The same on two threads, both together", "per s", "on one thread", &pair);
    for other in &kinds[1..] {
        let pair = in_turns(rounds(), || other.kept(service, calls), || plain.kept(service, calls));
        report(&format!("The same with {}", other.kind.name), "ns", "roles and teams", &pair);
    }
    let mut figures: Vec<Figures> = kinds.iter().map(|_| Figures::new()).collect();
    let mut kept = Figures::new();
    for _ in 0..rounds() {
        for (questions, figures) in kinds.iter().zip(&mut figures) {
            let figure = questions.anew(service).await;
            figures.push(window(|| figure));
        }
        plain.warm(service).await;
        kept.push(window(|| plain.kept(service, calls)));
    }
    let anew = (figures[0].clone(), kept);
    report("A Check in process worked out anew, sled", "ns", "the same, kept", &anew);
    for (other, figures) in kinds.iter().zip(&figures).skip(1) {
        let pair = (figures.clone(), anew.0.clone());
        report(&format!("The same with {}", other.kind.name), "ns", "roles and teams, anew", &pair);
    }
}

/// Checks a second of two threads that begin together.
fn two_threads(questions: &Questions, service: &Service, calls: u64) -> f64 {
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        1e9 / questions.kept(service, calls)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        run() + other.join().unwrap()
    })
}
