#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use super::compact::{CompactTable, Mapped, Owner, Space};
use crate::model::Revision;

fn mapped(target: u64) -> Mapped {
    // Every part of it follows from the others, so that a torn one can be told.
    Mapped { target, revision: Revision(target * 3), slots: [target as u16, (target * 7) as u16] }
}

fn users(account: u64) -> Space {
    Space::Users(Owner::of(account))
}

fn name(number: u64) -> String {
    format!("user-{number:07}")
}

fn put(table: &CompactTable, account: u64, number: u64) {
    table.insert(users(account), name(number).as_bytes(), mapped(number));
}

fn knows(table: &CompactTable, account: u64, number: u64) -> bool {
    match table.get(users(account), name(number).as_bytes()) {
        Some(found) => {
            assert_eq!(found, mapped(number), "what was found is another's");
            true
        }
        None => false,
    }
}

#[test]
fn what_was_put_in_is_found_under_its_own_name_alone() {
    let table = CompactTable::new(1 << 20, 7);
    let long = "x".repeat(128);
    let names = ["", "a", "ab", "abcdefgh", "abcdefghi", "abcdefgh\0", &long, &long[..127]];
    let spaces = [users(0), users(1), users(2), Space::ServiceAccounts(Owner::of(1))];
    let mut expected = HashMap::new();
    for (row, space) in spaces.into_iter().enumerate() {
        for (column, name) in names.into_iter().enumerate() {
            assert_eq!(table.get(space, name.as_bytes()), None);
            let target = (row * 100 + column) as u64;
            table.insert(space, name.as_bytes(), mapped(target));
            expected.insert((row, column), target);
        }
    }
    for ((row, column), target) in expected {
        assert_eq!(table.get(spaces[row], names[column].as_bytes()), Some(mapped(target)));
    }
    assert_eq!(table.filled().0, spaces.len() * names.len());
}

#[test]
fn what_is_put_in_again_replaces_what_was_there() {
    let table = CompactTable::new(1 << 16, 7);
    for target in 0..10_000 {
        table.insert(users(1), b"ann", mapped(target));
        assert_eq!(table.get(users(1), b"ann"), Some(mapped(target)));
    }
    assert_eq!(table.filled().0, 1);
    table.clear();
    assert_eq!(table.get(users(1), b"ann"), None);
    table.insert(users(1), b"ann", mapped(1));
    assert_eq!(table.get(users(1), b"ann"), Some(mapped(1)));
}

#[test]
fn what_does_not_fit_into_its_bits_is_not_kept() {
    let table = CompactTable::new(1 << 16, 7);
    let limit = Mapped::LIMIT;
    table.insert(users(1), b"a", Mapped { target: limit, ..mapped(0) });
    table.insert(users(1), b"a", Mapped { revision: Revision(limit), ..mapped(0) });
    table.insert(users(1), "x".repeat(129).as_bytes(), mapped(0));
    assert_eq!(table.filled().0, 0);
    let largest = Mapped { target: limit - 1, revision: Revision(limit - 1), slots: [u16::MAX; 2] };
    table.insert(users(limit - 1), b"a", largest);
    assert_eq!(table.get(users(limit - 1), b"a"), Some(largest));
}

#[test]
fn it_takes_no_more_memory_than_it_was_told_and_few_bytes_for_a_name() {
    let bytes = 4 << 20;
    let table = CompactTable::new(bytes, 7);
    let count = 200_000;
    for number in 0..count {
        put(&table, 1, number);
    }
    let (names, taken) = table.filled();
    assert!(taken <= bytes, "{taken} of {bytes}");
    // Names of 12 bytes: two words, beside the three that each has.
    let each = taken / names;
    assert!(each <= 56, "{each} bytes for each of {names} names");
    let found = (0..count).filter(|number| knows(&table, 1, *number)).count();
    assert_eq!(found, names);
    // The youngest are there, but for a few whose buckets were full.
    let young = (count - 50_000..count).filter(|number| knows(&table, 1, *number)).count();
    assert!(young > 49_900, "{young}");
}

#[test]
fn names_that_are_asked_for_stay_and_others_go() {
    let table = CompactTable::new(1 << 20, 7);
    for number in 0..1_000 {
        put(&table, number, number);
    }
    for number in 1_000..200_000 {
        put(&table, number, number);
        // Each of them is asked for a few times before the ring has come round.
        knows(&table, number % 1_000, number % 1_000);
    }
    let stayed = (0..1_000).filter(|number| knows(&table, *number, *number)).count();
    assert!(stayed > 990, "{stayed}");
    let others = (1_000..100_000).filter(|number| knows(&table, *number, *number)).count();
    assert_eq!(others, 0);
}

#[test]
fn an_account_that_has_more_than_its_share_pushes_out_its_own_names_and_no_others() {
    let table = CompactTable::new(1 << 20, 7);
    for number in 0..5_000 {
        put(&table, 1 + number % 100, number);
    }
    for number in 5_000..500_000 {
        put(&table, 777, number);
        knows(&table, 777, number);
    }
    let stayed = (0..5_000).filter(|number| knows(&table, 1 + number % 100, *number)).count();
    assert!(stayed > 4_800, "{stayed}");
    let own = (5_000..500_000).filter(|number| knows(&table, 777, *number)).count();
    let names = table.filled().0;
    assert!(own > 1_000, "{own} of {names}");
}

#[test]
fn accounts_of_different_names_are_told_apart() {
    let table = CompactTable::new(1 << 16, 7);
    let names = ["", "a", "b", "ab", "ba", "a\0", "abcdefgh", "abcdefgi", "abcdefghi", "accounts-of-a-long-name"];
    let owners: std::collections::BTreeSet<String> =
        names.iter().map(|name| format!("{:?}", table.owner(name))).collect();
    assert_eq!(owners.len(), names.len());
    assert_eq!(table.owner("abcdefghi"), table.owner("abcdefghi"));
    assert_ne!(table.owner("a"), CompactTable::new(1 << 16, 8).owner("a"), "outsiders could choose names that are one");
}

#[test]
fn ids_that_differ_in_one_byte_are_told_apart_at_every_length() {
    let table = CompactTable::new(1 << 20, 7);
    let mut target = 0;
    for length in 1..=40usize {
        for position in 0..length {
            let mut id = vec![b'x'; length];
            id[position] = b'y';
            table.insert(users(1), &id, mapped(target));
            target += 1;
        }
    }
    let mut expected = 0;
    for length in 1..=40usize {
        for position in 0..length {
            let mut id = vec![b'x'; length];
            assert_eq!(table.get(users(1), &id), None);
            id[position] = b'y';
            assert_eq!(table.get(users(1), &id), Some(mapped(expected)), "{length} {position}");
            expected += 1;
        }
    }
}

#[test]
fn readers_never_see_the_words_of_two_names_while_the_ring_goes_round() {
    // So small that names are written over all the time, and full of names of all lengths.
    let table = CompactTable::new(3_000, 7);
    let stop = AtomicBool::new(false);
    let key = |number: u64| format!("{}{number}", "x".repeat((number % 60) as usize));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..300_000u64 {
                        let number = (round * 7 + writer * 13) % 97;
                        table.insert(users(number % 3), key(number).as_bytes(), mapped(number + 97 * (round % 50)));
                    }
                })
            })
            .collect();
        for reader in 0..2u64 {
            let (table, stop) = (&table, &stop);
            scope.spawn(move || {
                let mut found = 0;
                for round in reader.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let number = round * 11 % 97;
                    if let Some(it) = table.get(users(number % 3), key(number).as_bytes()) {
                        assert_eq!(it, mapped(it.target), "torn");
                        assert_eq!(it.target % 97, number, "another's");
                        found += 1;
                    }
                }
                assert!(found > 0);
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, Relaxed);
    });
}

#[test]
fn names_stay_while_the_table_grows_from_few_pages_to_all_of_them() {
    let table = CompactTable::new(8 << 20, 7);
    for number in 0..80_000 {
        put(&table, 1 + number % 7, number);
        // One that was put in before: what it stands for now is what counts.
        table.insert(users(9), b"again", mapped(number));
        assert_eq!(table.get(users(9), b"again"), Some(mapped(number)));
        if number.is_power_of_two() || number % 7_919 == 0 {
            let gone = (0..=number).filter(|number| !knows(&table, 1 + number % 7, *number)).count() as u64;
            assert!(gone <= number / 10_000, "{gone} of {number} are gone");
        }
    }
    assert!(table.filled().1 > 3 << 20, "{:?}", table.filled());
    let small = CompactTable::new(128 << 20, 7);
    (0..1_000).for_each(|number| put(&small, 1, number));
    assert!(small.filled().1 < 100 << 10, "{:?}", small.filled());
}

#[test]
fn every_word_leads_to_a_name_of_its_bucket_while_the_table_grows_and_the_ring_goes_round() {
    // One that never has more buckets than at first, and one that takes them into use as it fills.
    for bytes in [3_000, 1 << 20] {
        let table = CompactTable::new(bytes, 7);
        for number in 0..60_000u64 {
            let id = format!("{}{number}", "x".repeat((number % 60) as usize));
            table.insert(users(number % 5), id.as_bytes(), mapped(number));
            // Some are put in again, and some are asked for and stay.
            put(&table, 7, number % 300);
            knows(&table, 7, number % 300);
            if number % 500 == 0 || number < 50 {
                table.check_words();
            }
        }
        table.check_words();
    }
}
