#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{sync::Arc, thread::LocalKey};

use super::{
    AtHand,
    shared::{Shareable, Shared},
    values::SharedValues,
};
use crate::model::{Revision, Timestamp};

/// A number, and how many bytes it takes.
struct Value(u64, usize);

impl Shareable for Value {
    type Key = u64;
    type Own = u64;

    fn key(&self) -> u64 {
        self.0
    }

    fn own(&self) -> &u64 {
        &self.0
    }

    fn account(&self) -> &str {
        "a"
    }

    fn bytes(&self) -> usize {
        self.1
    }

    fn at_hand() -> &'static LocalKey<AtHand<Self>> {
        thread_local!(static AT_HAND: AtHand<Value> = const { AtHand::new() });
        &AT_HAND
    }
}

fn keep(values: &SharedValues<Value>, number: u64) -> Arc<Shared<Value>> {
    values.keep(Value(number, 1_000), Box::new([1, 2]), None, Revision(1))
}

fn is_there(values: &SharedValues<Value>, shared: &Shared<Value>) -> bool {
    let found = values.get(shared.target.unwrap());
    found.as_ref().is_some_and(|found| {
        assert_eq!(found.value.0, shared.value.0, "another's");
        true
    })
}

#[test]
fn equal_values_are_one_and_others_are_not() {
    let values = SharedValues::new(1 << 20);
    let one = keep(&values, 1);
    assert!(Arc::ptr_eq(&one, &keep(&values, 1)));
    let others = [
        keep(&values, 2),
        values.keep(Value(1, 1_000), Box::new([1]), None, Revision(1)),
        values.keep(Value(1, 1_000), Box::new([1, 2]), Some(Timestamp(5)), Revision(1)),
    ];
    for other in &others {
        assert!(!Arc::ptr_eq(&one, other));
        assert!(is_there(&values, other));
    }
    assert!(is_there(&values, &one));
    assert!(values.get(77 << 20).is_none());
    values.clear();
    assert!(!is_there(&values, &one));
    assert!(is_there(&values, &keep(&values, 1)));
}

#[test]
fn small_values_go_before_all_places_are_taken() {
    // A thousand places, and memory for more values than that.
    let values = SharedValues::new(1 << 20);
    for number in 0..5_000 {
        let shared = values.keep(Value(number, 1), Box::new([1]), None, Revision(1));
        values.settle();
        assert!(shared.target.is_some(), "there was no place for {number}");
    }
}

#[test]
fn values_beyond_the_room_go_and_those_that_are_asked_for_stay() {
    let values = SharedValues::new(1 << 20);
    let asked_for: Vec<_> = (0..50).map(|number| keep(&values, number)).collect();
    let mut others = Vec::new();
    for number in 50..20_000 {
        assert!(asked_for.iter().all(|shared| is_there(&values, shared)), "one is gone after {number}");
        others.push(keep(&values, number));
        if number % 100 == 0 {
            values.settle();
        }
    }
    let kept = values.settle();
    assert!((400..=900).contains(&kept), "{kept}");
    let there = others.iter().filter(|shared| is_there(&values, shared)).count() as u64;
    assert_eq!(there + 50, kept);
    // A place that is used again is another number.
    let all: std::collections::BTreeSet<_> = others.iter().map(|shared| shared.target).collect();
    assert_eq!(all.len(), others.len());
}

/// Asks often enough that it is at hand.
fn ask(values: &SharedValues<Value>, shared: &Shared<Value>) -> Option<u64> {
    (0..20).map(|_| values.with(shared.target.unwrap(), |found| found.value.0)).last().unwrap()
}

#[test]
fn what_a_thread_has_at_hand_is_let_go_once_it_is_evicted() {
    let values = SharedValues::new(1 << 20);
    let (gone, stays) = (keep(&values, 1), keep(&values, 2));
    assert_eq!(ask(&values, &gone), Some(1));
    let kept = Arc::strong_count(&gone);
    for number in 3..20_000 {
        keep(&values, number);
        assert_eq!(ask(&values, &stays), Some(2));
        if number % 100 == 0 {
            values.settle();
        }
    }
    assert!(!is_there(&values, &gone));
    assert_eq!(values.with(gone.target.unwrap(), |found| found.value.0), None);
    assert_eq!(ask(&values, &stays), Some(2));
    // This test has it, and nobody else: neither moka, nor its place, nor this thread.
    assert_eq!(Arc::strong_count(&gone), 1, "{kept} when it was kept");
    let kept = Arc::strong_count(&stays);
    assert!(kept > 3, "{kept}: this one is at hand");
    values.clear();
    assert_eq!(ask(&values, &stays), None);
}

#[test]
fn two_maps_of_one_thread_hand_on_their_own_values() {
    let maps = [SharedValues::new(1 << 20), SharedValues::new(1 << 20)];
    let kept = [10, 20]
        .map(|number| maps.each_ref().map(|values| keep(values, number + u64::from(std::ptr::eq(values, &maps[1])))));
    for _ in 0..100 {
        for (map, values) in maps.iter().enumerate() {
            for (value, number) in [10, 20].into_iter().enumerate() {
                let shared = &kept[value][map];
                assert_eq!(shared.target, kept[value][1 - map].target, "the same number in both");
                assert_eq!(values.with(shared.target.unwrap(), |found| found.value.0), Some(number + map as u64));
            }
        }
    }
}
