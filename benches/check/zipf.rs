//! A kept Check about one of very many users, asked about by Zipf's law, beside a bare look-up of the same name.

use std::hint::black_box;

use futures_util::FutureExt as _;
use rand_distr::{Distribution as _, Zipf};
use rolecall::service::ReadAt;

use super::{
    accounts::user,
    many::{self, MANY, PERMISSION, Served, ask, question},
    pairs::{in_turns, report, rounds, time},
};

/// How many questions a window asks.
const ASKED: usize = 400_000;

/// Bare tables with the same names, and a bit test.
struct Bare {
    users: hashbrown::HashMap<Box<str>, u32>,
    permissions: hashbrown::HashMap<&'static str, usize>,
    sets: Vec<Vec<u64>>,
}

impl Bare {
    fn look_up(&self, user: &str, permission: &str) -> bool {
        let Some(set) = self.users.get(user) else { return false };
        let index = self.permissions[permission];
        self.sets[*set as usize][index / 64] & (1 << (index % 64)) != 0
    }
}

pub async fn measure(served: &Served) {
    let users = many::users();
    let service = &served.service;
    for number in 0..users {
        ask(service, MANY, &user(number), true).await;
    }
    let (names, bytes, _) = service.kept_subjects();
    println!("{names} names are kept, {:.1} bytes each", bytes as f64 / names as f64);
    let mut random = rand_pcg::Pcg64Mcg::new(7);
    let zipf = Zipf::new(users as f64, 1.0).unwrap();
    // Which of them is asked about often says nothing about where it stands.
    let place = |rank: f64| {
        let mixed = (rank as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * users as u128) >> 64) as usize
    };
    let asked: Vec<String> = (0..ASKED).map(|_| user(place(zipf.sample(&mut random)))).collect();
    let bare = Bare {
        users: (0..users).map(|number| (user(number).into_boxed_str(), 0)).collect(),
        permissions: hashbrown::HashMap::from([(PERMISSION, 7)]),
        sets: vec![vec![u64::MAX; 3]],
    };
    let kept = || {
        time(ASKED as u64, |number| {
            let question = question(MANY, &asked[number as usize]);
            let decided = service.check(black_box(&question), ReadAt::Latest).now_or_never();
            black_box(decided).expect("it was kept").expect("it is answered");
        })
    };
    let looking_up = || {
        time(ASKED as u64, |number| {
            black_box(bare.look_up(black_box(&asked[number as usize]), PERMISSION));
        })
    };
    let name = format!("A Check in process, {users} users by Zipf's law, kept");
    report(&name, "ns", "a bare hashbrown look-up and a bit test", &in_turns(rounds(), kept, looking_up));
}
