//! The decision itself, and the set that it is made from.

use std::{hint::black_box, sync::Arc};

use rolecall::{
    engine::{Standing, Subject, decide},
    model::PermissionIndex,
};

use super::{
    classic::Classic,
    pairs::{in_turns, report, rounds, time},
};

pub fn measure() {
    let classic = Classic::new();
    let count = classic.permissions();
    let set = Arc::new(classic.set());
    let bits = set.settled().clone();
    let subject = Subject { standing: Standing::Active, set };
    let deciding = || {
        time(5_000_000, |number| {
            black_box(decide(black_box(&subject), PermissionIndex(number as u32 % count)));
        })
    };
    let testing = || {
        time(5_000_000, |number| {
            black_box(black_box(&bits).contains(PermissionIndex(number as u32 % count)));
        })
    };
    report("The engine's decision", "ns", "one bit test", &in_turns(rounds(), deciding, testing));
    let making = || time(20_000, |_| _ = black_box(classic.set()));
    let copying = || time(20_000, |_| _ = black_box((bits.clone(), bits.clone())));
    let copies = "two such sets of bits copied";
    report("An effective set of 3 roles and 133 permissions", "ns", copies, &in_turns(rounds(), making, copying));
}
