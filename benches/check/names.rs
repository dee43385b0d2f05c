//! Ten million names in the compact table alone, beside a bare table of the same names.

use std::hint::black_box;

use rolecall::{
    cache::{CompactTable, Mapped, Space},
    model::Revision,
};

use super::{
    accounts::user,
    pairs::{Figures, Window, in_turns, report, rounds, time},
};

const NAMES: usize = 10_000_000;
/// How many names a window looks for, in an order that no processor can foresee.
const ASKED: usize = 1_000_000;

pub fn measure() {
    // Room for the names and a tenth more, of what is wanted for each.
    let table = CompactTable::new(NAMES * 64, 7);
    let space = Space::Users(table.owner("many"));
    for number in 0..NAMES {
        let mapped = Mapped { target: number as u64 % 1_000, revision: Revision(1), slots: [number as u16; 2] };
        table.insert(space, user(number).as_bytes(), mapped);
    }
    let (names, bytes) = table.filled();
    println!("{names} of {NAMES} names are kept");
    assert!(names > NAMES / 1_000 * 999, "{names} names are kept");
    let (mut each, mut wanted) = (Figures::new(), Figures::new());
    each.push(Window { figure: bytes as f64 / names as f64, is_clean: true });
    wanted.push(Window { figure: 64.0, is_clean: true });
    report("Each of ten million names, with its key", "bytes", "64 bytes", &(each, wanted));

    let bare: hashbrown::HashMap<Box<str>, u32> =
        (0..NAMES).map(|number| (user(number).into_boxed_str(), number as u32 % 1_000)).collect();
    let place = |number: u64| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % NAMES;
    let asked: Vec<String> = (0..ASKED as u64).map(|number| user(place(number))).collect();
    let ours = || {
        time(ASKED as u64, |number| {
            black_box(table.get(space, black_box(&asked[number as usize]).as_bytes()));
        })
    };
    let limit = || {
        time(ASKED as u64, |number| {
            black_box(bare.get(black_box(asked[number as usize].as_str())));
        })
    };
    report("Looking up one of ten million names", "ns", "hashbrown", &in_turns(rounds(), ours, limit));
}
