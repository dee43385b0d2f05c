//! The bytes of a BatchCheck, read here and by the generated types.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use prost::Message as _;
use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::wire::{Batch, BatchItem, Malformed, add_result, add_text};
use crate::proto::{
    BatchCheckItem, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, Consistency, ItemError,
    consistency::Requirement,
};

/// The same, as the generated types read it.
fn generated(bytes: &[u8]) -> Option<BatchCheckRequest> {
    BatchCheckRequest::decode(bytes).ok()
}

fn agrees(read: &Batch<'_>, expected: &BatchCheckRequest) -> bool {
    let same = |item: &BatchItem<'_>, expected: &BatchCheckItem| {
        let facets: BTreeMap<&str, &str> =
            expected.facets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        item.subject == expected.subject
            && item.permission == expected.permission
            && item.api_scope == expected.api_scope
            && item.resource == expected.resource
            && item.facets.iter().copied().eq(facets)
            && item.attributes == expected.attributes
    };
    read.account == expected.account
        && read.count == expected.items.len()
        && read.consistency == expected.consistency
        && read.items.iter().zip(&expected.items).all(|(item, expected)| same(item, expected))
}

fn check(bytes: &[u8], most: usize, of: &str) {
    let read = Batch::read(bytes, most);
    match (read, generated(bytes)) {
        (Ok(read), Some(expected)) => {
            assert!(agrees(&read, &expected), "{of}: {read:?} is not {expected:?}");
            assert_eq!(read.items.len(), expected.items.len().min(most), "{of}");
        }
        (Err(Malformed), None) => {}
        (read, expected) => panic!("{of}: {read:?} of {bytes:?}, and the generated types say {expected:?}"),
    }
}

struct Random(Pcg64Mcg);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    fn text(&mut self) -> String {
        let length = [0, 1, 3, 8, 20, 127, 128, 300][self.below(8) as usize];
        (0..length).map(|_| ['a', '/', '.', 'é', '0', '\u{1f600}'][self.below(6) as usize]).collect()
    }

    fn item(&mut self) -> BatchCheckItem {
        let mut item = BatchCheckItem { subject: self.text(), permission: self.text(), ..Default::default() };
        if self.below(3) == 0 {
            (item.api_scope, item.resource) = (self.text(), self.text());
        }
        if self.below(3) == 0 {
            item.facets = (0..self.below(4)).map(|_| (self.text(), self.text())).collect();
        }
        if self.below(3) == 0 {
            let value = prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(self.text())) };
            item.attributes = Some(prost_types::Struct { fields: BTreeMap::from([(self.text(), value)]) });
        }
        item
    }

    fn request(&mut self) -> BatchCheckRequest {
        let requirement =
            [None, Some(Requirement::FullyConsistent(true)), Some(Requirement::AtExactRevision(self.text()))];
        BatchCheckRequest {
            account: self.text(),
            items: (0..self.below(6)).map(|_| self.item()).collect(),
            consistency: [None, Some(Consistency { requirement: requirement[self.below(3) as usize].clone() })]
                [self.below(2) as usize]
                .clone(),
        }
    }
}

#[test]
fn random_requests_whole_damaged_and_one_after_another_are_read_as_the_generated_types_read_them() {
    let seed: u64 = std::env::var("ROLECALL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut random = Random(Pcg64Mcg::seed_from_u64(seed));
    for round in 0..40_000 {
        let of = format!("ROLECALL_SEED={seed}, round {round}");
        let mut bytes = random.request().encode_to_vec();
        check(&bytes, 1_000, &of);
        // Fields that stand there twice: the last text counts, items are added, messages are merged.
        bytes.extend(random.request().encode_to_vec());
        check(&bytes, 3, &of);
        for _ in 0..random.below(4) {
            let position = random.below(bytes.len().max(1) as u64) as usize;
            match random.below(4) {
                _ if bytes.is_empty() => {}
                0 => bytes.truncate(position),
                1 => bytes[position] = random.below(256) as u8,
                2 => bytes.insert(position, random.below(256) as u8),
                _ => bytes[position] ^= 1 << random.below(8),
            }
        }
        check(&bytes, 1_000, &of);
    }
}

#[test]
fn whatever_can_stand_in_the_bytes_is_taken_as_the_generated_types_take_it() {
    for bytes in [
        &[][..],
        // An unknown field of each kind: a number, eight bytes, bytes, a group with a field in it, four bytes.
        &[0x50, 0x96, 0x01],
        &[0x51, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x52, 2, 1, 2],
        &[0x53, 0x08, 0x05, 0x54],
        &[0x55, 1, 2, 3, 4],
        // A group that ends as another, that does not end, that ends without having begun.
        &[0x53, 0x08, 0x05, 0x5c],
        &[0x53, 0x08, 0x05],
        &[0x54],
        // Kinds that there are not, the field 0, a field that is too large.
        &[0x56, 1],
        &[0x57, 1],
        &[0x02, 0],
        &[0x82, 0x80, 0x80, 0x80, 0x10, 0],
        // A text that is a number, an item that is one.
        &[0x08, 1],
        &[0x10, 1],
        // Numbers of ten bytes, of too many bits, without an end.
        &[0x50, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x50, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        &[0x50, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x50, 0x80],
        // Texts that are longer than the message, and no UTF-8.
        &[0x0a, 5, b'a'],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, b'a'],
        &[0x0a, 1, 0xff],
        // An item whose text is longer than the item, but not than the message.
        &[0x12, 2, 0x0a, 3, b'a', b'b', b'c'],
        // A facet without a name, without a value, with two names.
        &[0x12, 5, 0x2a, 3, 0x12, 1, b'v'],
        &[0x12, 5, 0x2a, 3, 0x0a, 1, b'n'],
        &[0x12, 8, 0x2a, 6, 0x0a, 1, b'n', 0x0a, 1, b'm'],
    ] {
        check(bytes, 1_000, "by hand");
    }
    let groups = |depth: usize| [vec![0x53; depth], vec![0x54; depth]].concat();
    check(&groups(50), 1_000, "groups in groups");
    check(&groups(10_000), 1_000, "groups in groups");
}

#[test]
fn of_too_many_items_the_first_are_read_and_all_are_counted() {
    let request = BatchCheckRequest { items: vec![BatchCheckItem::default(); 500], ..Default::default() };
    let bytes = request.encode_to_vec();
    let read = Batch::read(&bytes, 10).unwrap();
    assert_eq!((read.items.len(), read.count), (10, 500));
}

#[test]
fn an_answer_is_the_bytes_of_the_generated_message() {
    let error = |reason: &str| Some(ItemError { code: 5, reason: reason.to_owned(), message: "m".repeat(300) });
    let mut results = vec![
        BatchCheckResult::default(),
        BatchCheckResult { decision: 1, reason: 300, error: None },
        BatchCheckResult { decision: -1, reason: 2, error: None },
        BatchCheckResult { decision: 0, reason: 0, error: error("X") },
    ];
    results.extend((0..130).map(|reason| BatchCheckResult { decision: reason % 3, reason, error: None }));
    for token in ["", "t", &"t".repeat(200)] {
        let mut answer = Vec::new();
        results.iter().for_each(|result| add_result(&mut answer, result));
        add_text(&mut answer, 2, token);
        let expected = BatchCheckResponse { results: results.clone(), consistency_token: token.to_owned() };
        assert_eq!(BatchCheckResponse::decode(&*answer).unwrap(), expected);
    }
}
