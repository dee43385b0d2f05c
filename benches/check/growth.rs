//! How the time of an answer grows with what there is: users, accounts, roles of a user, permissions of a catalog.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::join_all};
use rolecall::service::{
    AskedName, Asking, Decision, NO_ATTRIBUTES, PlaceName, ReadAt, Service, SubjectKind, SubjectName,
};

use super::{
    accounts::{server_with_cache, user},
    document::{Curve, Point, Run, Series},
    figures, made,
    pairs::{Window, rounds, spread, time, window, window_of},
};

/// Sets to how many users an account grows, at the most; ten million take an hour.
const MOST_USERS: &str = "ROLECALL_BENCH_MOST_USERS";
/// The most subjects that one measurement asks about. Their entries are more than any processor keeps near.
const MOST_ASKED: usize = 100_000;
/// How many subjects are worked out anew in a window.
const ANEW: usize = 300;
/// How many lists are made in a window.
const LISTS: usize = 50;
/// The cache, in bytes, that has room for every name: of that it was told, half is for names.
const CACHED: u64 = 160;
/// The least cache that is measured with, in bytes.
const SMALL_CACHE: u64 = 3 << 19;
/// The cache where users are not what grows: room for the names of 100,000 accounts and users. Emptying a larger one would
/// leave the processor's own caches with nothing of what is measured next.
const LARGER_CACHE: u64 = 64 << 20;
/// The cache where accounts grow: each shares a set with no other, and a quarter of this has room for 100,000 of them.
const ACCOUNTS_CACHE: u64 = 1 << 30;
/// How many users there are where they are not what grows.
const FEW: usize = 100;

/// Who is asked about: all that there are, and where they are.
struct Asked {
    /// Account and user.
    subjects: Vec<(String, String)>,
    permission: String,
}

impl Asked {
    fn question(&self, number: usize) -> Asking<'_> {
        Asking {
            subject: self.subject(number),
            asked: AskedName::Permission(&self.permission),
            place: PlaceName::default(),
            attributes: &NO_ATTRIBUTES,
        }
    }

    fn subject(&self, number: usize) -> SubjectName<'_> {
        let (account, user) = &self.subjects[number % self.subjects.len()];
        SubjectName::new(account, SubjectKind::User, user)
    }

    /// The place of a number in an order that nothing can foresee, the same every time.
    fn scattered(&self, number: u64) -> usize {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * self.subjects.len() as u128) >> 64) as usize
    }

    /// Everything is kept afterwards.
    async fn warm(&self, service: &Service) {
        let numbers: Vec<usize> = (0..self.subjects.len()).collect();
        for numbers in numbers.chunks(64) {
            let checks = numbers.iter().map(|number| async move {
                let question = self.question(*number);
                service.check(&question, ReadAt::Latest).await.unwrap().reason
            });
            for reason in join_all(checks).await {
                assert_eq!(reason.decision(), Decision::Allow, "{reason:?}");
            }
        }
    }

    /// A kept Check, a Check worked out anew, and ListPermissions, in nanoseconds.
    async fn measure(&self, service: &Service) -> [Vec<Window>; 3] {
        let mut windows: [Vec<Window>; 3] = Default::default();
        let asked: Vec<usize> =
            (0..MOST_ASKED as u64).map(|number| self.scattered(number)).take(self.subjects.len().max(1_000)).collect();
        let kept = || {
            time(100_000, |number| {
                let question = self.question(asked[number as usize % asked.len()]);
                let decided = service.check(black_box(&question), ReadAt::Latest).now_or_never();
                black_box(decided).expect("it was kept").expect("it is answered");
            })
        };
        for _ in 0..rounds() {
            windows[0].push(window(kept));
        }
        for round in 0..rounds() as u64 {
            // Nobody is asked about twice, unless it was forgotten again.
            let count = ANEW.min(self.subjects.len());
            let anew = async {
                let (mut taken, mut number) = (Duration::ZERO, round * ANEW as u64);
                for _ in 0..ANEW.div_ceil(count) {
                    service.clear_cache();
                    let began = Instant::now();
                    for _ in 0..count {
                        let question = self.question(self.scattered(number));
                        black_box(service.check(&question, ReadAt::Latest).await.unwrap());
                        number += 1;
                    }
                    taken += began.elapsed();
                }
                taken.as_nanos() as f64 / (ANEW.div_ceil(count) * count) as f64
            };
            windows[1].push(window_of(anew).await);
        }
        let list = async |number: u64| {
            let subject = self.subject(self.scattered(number));
            let listed = service.list_permissions(subject, usize::MAX, None, ReadAt::Latest, service.now()).await;
            assert!(!black_box(listed.unwrap()).permissions.is_empty());
        };
        for number in 0..LISTS as u64 {
            list(number).await;
        }
        for _ in 0..rounds() {
            let lists = async {
                let began = Instant::now();
                for number in 0..LISTS as u64 {
                    list(number).await;
                }
                began.elapsed().as_nanos() as f64 / LISTS as f64
            };
            windows[2].push(window_of(lists).await);
        }
        windows
    }
}

const LINES: [&str; 3] = ["a kept Check", "a Check worked out anew", "ListPermissions"];

/// The points of three lines, as they come.
struct Times {
    curve: Curve,
}

impl Times {
    fn new(name: &str, title: &str, x: &str) -> Self {
        let series = LINES.map(|name| Series { name: name.to_owned(), points: Vec::new() });
        Self { curve: curve(name, title, x, "time", "ns", series.into()) }
    }

    fn add(&mut self, x: usize, windows: &[Vec<Window>; 3]) {
        let mut told = format!("{}, {x}:", self.curve.x);
        for (line, windows) in self.curve.series.iter_mut().zip(windows) {
            let (min, median, max) = spread(windows);
            told += &format!(" {} {median:.0} ns,", line.name);
            line.points.push(Point { x: x as f64, min, median, max });
        }
        println!("{}", told.trim_end_matches(','));
    }
}

fn curve(name: &str, title: &str, x: &str, y: &str, unit: &str, series: Vec<Series>) -> Curve {
    let [name, title, x, y, unit] = [name, title, x, y, unit].map(str::to_owned);
    Curve { name, title, x, y, unit, series, run: Run::default() }
}

pub async fn measure() {
    figures::describe(
        "In process, sled; subjects in an order by chance, each with one role unless it says otherwise, and lists whole",
        None,
    );
    over_users().await;
    over_accounts().await;
    over_roles().await;
    over_permissions().await;
}

async fn over_users() {
    let most = std::env::var(MOST_USERS).ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::TempDir::new().unwrap();
    let mut running = server_with_cache(directory.path(), SMALL_CACHE).await;
    made::catalog(running.service(), "made", 150, 3).await;
    made::account(running.service(), "users", "made").await;
    let mut times = Times::new("growth-users", "Answers, by how many users an account has", "users of the account");
    let mut bytes = Vec::new();
    let mut before = 0;
    for count in [1_000, 10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|count| *count <= most) {
        let began = Instant::now();
        made::users(running.service(), "users", "made", before..count, 1).await;
        let created = began.elapsed();
        // A table of names takes its buckets whole: one that all of them fit into, and no more.
        running.stop().await.unwrap();
        running = server_with_cache(directory.path(), SMALL_CACHE.max(CACHED * count as u64)).await;
        let service = running.service();
        let asked = Asked {
            subjects: (0..count).map(|number| ("users".to_owned(), user(number))).collect(),
            permission: made::permission(0),
        };
        let began = Instant::now();
        asked.warm(service).await;
        println!("{count} users: created in {created:.1?}, asked about in {:.1?}", began.elapsed());
        let (names, taken, _) = service.kept_subjects();
        assert!(names >= count, "{names} of {count} are kept");
        let each = taken as f64 / count as f64;
        if CACHED * count as u64 > SMALL_CACHE {
            bytes.push(Point { x: count as f64, min: each, median: each, max: each });
        }
        times.add(count, &asked.measure(service).await);
        before = count;
    }
    figures::record_curve(times.curve);
    let series = vec![Series { name: "names in the cache".to_owned(), points: bytes }];
    let title = "Memory of the cache's table of names, where all users were asked about";
    let taken = curve("growth-bytes", title, "users of the account", "bytes for each user", "B", series);
    figures::record_curve(taken);
    running.stop().await.unwrap();
}

async fn over_accounts() {
    let directory = tempfile::TempDir::new().unwrap();
    let running = server_with_cache(directory.path(), ACCOUNTS_CACHE).await;
    let service = running.service();
    made::catalog(service, "made", 150, 3).await;
    let mut times =
        Times::new("growth-accounts", "Answers, by how many accounts there are", "accounts, each of one user");
    let mut before = 0;
    for count in [1, 10, 100, 1_000, 10_000, 100_000] {
        let began = Instant::now();
        let numbers: Vec<usize> = (before..count).collect();
        // What waits together is written together.
        for numbers in numbers.chunks(128) {
            join_all(numbers.iter().map(|number| async move {
                let id = format!("account-{number}");
                made::account(service, &id, "made").await;
                made::users(service, &id, "made", 0..1, 1).await;
            }))
            .await;
        }
        println!("{count} accounts: created in {:.1?}", began.elapsed());
        service.clear_cache();
        let asked = Asked {
            subjects: (0..count).map(|number| (format!("account-{number}"), user(0))).collect(),
            permission: made::permission(0),
        };
        asked.warm(service).await;
        times.add(count, &asked.measure(service).await);
        before = count;
    }
    figures::record_curve(times.curve);
    running.stop().await.unwrap();
}

async fn over_roles() {
    let directory = tempfile::TempDir::new().unwrap();
    let running = server_with_cache(directory.path(), LARGER_CACHE).await;
    let service = running.service();
    made::catalog(service, "made", 1_024, 256).await;
    let mut times = Times::new(
        "growth-roles",
        "Answers, by how many roles a user holds",
        "roles of each user, four permissions each",
    );
    for count in [1, 4, 16, 64, 256] {
        let account = format!("roles-{count}");
        made::account(service, &account, "made").await;
        made::users(service, &account, "made", 0..FEW, count).await;
        times.add(count, &few(service, &account).await);
    }
    figures::record_curve(times.curve);
    running.stop().await.unwrap();
}

async fn over_permissions() {
    let directory = tempfile::TempDir::new().unwrap();
    let running = server_with_cache(directory.path(), LARGER_CACHE).await;
    let service = running.service();
    let title = "Answers, by how many permissions the catalog has";
    let mut times =
        Times::new("growth-permissions", title, "permissions of the catalog, all of them in the user's role");
    for count in [100, 500, 1_500, 5_000, 15_000] {
        let name = format!("permissions-{count}");
        made::catalog(service, &name, count, 1).await;
        made::account(service, &name, &name).await;
        made::users(service, &name, &name, 0..FEW, 1).await;
        times.add(count, &few(service, &name).await);
    }
    figures::record_curve(times.curve);
    running.stop().await.unwrap();
}

async fn few(service: &Service, account: &str) -> [Vec<Window>; 3] {
    service.clear_cache();
    let asked = Asked {
        subjects: (0..FEW).map(|number| (account.to_owned(), user(number))).collect(),
        permission: made::permission(0),
    };
    asked.warm(service).await;
    asked.measure(service).await
}
