#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use super::{
    shared::{Shareable, Shared},
    values::SharedValues,
};
use crate::model::{Revision, Timestamp};

struct Value(u64);

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
        1_000
    }
}

fn keep(values: &SharedValues<Value>, number: u64) -> Arc<Shared<Value>> {
    values.keep(Value(number), Box::new([1, 2]), None, Revision(1))
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
        values.keep(Value(1), Box::new([1]), None, Revision(1)),
        values.keep(Value(1), Box::new([1, 2]), Some(Timestamp(5)), Revision(1)),
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
