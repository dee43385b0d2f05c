//! The bytes of a BatchCheck, read here and by the generated types.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use prost::Message as _;
use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng as _, SeedableRng as _},
};

use super::wire::{Batch, Malformed, add_decision, add_result, add_text};
use crate::proto::{
    BatchCheckItem, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, Consistency, Decision, DecisionReason,
    ItemError, consistency::Requirement,
};

/// A request as it is read here, of its items the first `most`, and how many there are.
fn read(bytes: &[u8], most: usize) -> Result<(BatchCheckRequest, usize), Malformed> {
    let batch = Batch::read(bytes)?;
    assert_eq!(batch.check_items(most).is_err(), read_items(&batch, most).is_err());
    let items = read_items(&batch, most)?;
    Ok((
        BatchCheckRequest { account: batch.account.to_owned(), items, consistency: batch.consistency.clone() },
        batch.count,
    ))
}

fn read_items(batch: &Batch<'_>, most: usize) -> Result<Vec<BatchCheckItem>, Malformed> {
    let (mut items, mut read) = (batch.items(), Vec::new());
    while read.len() < most
        && let Some(item) = items.next()?
    {
        assert!(item.facets.is_sorted_by(|(one, _), (other, _)| one < other), "{:?}", item.facets);
        let text = |text: &str| text.to_owned();
        read.push(BatchCheckItem {
            subject: text(item.subject),
            permission: text(item.permission),
            api_scope: text(item.api_scope),
            resource: text(item.resource),
            facets: item.facets.iter().map(|(name, value)| (text(name), text(value))).collect(),
            attributes: item.attributes.clone(),
        });
    }
    Ok(read)
}

fn check(bytes: &[u8], most: usize, of: &str) {
    match (read(bytes, most), BatchCheckRequest::decode(bytes)) {
        (Ok((read, count)), Ok(mut expected)) => {
            assert_eq!(count, expected.items.len(), "{of}");
            expected.items.truncate(most);
            assert_eq!(read, expected, "{of}");
        }
        (Err(Malformed), Err(_)) => {}
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

    /// An item that can have texts of the one before.
    fn item(&mut self, before: Option<&BatchCheckItem>) -> BatchCheckItem {
        let mut item = BatchCheckItem { subject: self.text(), permission: self.text(), ..Default::default() };
        if let Some(before) = before {
            match self.below(6) {
                0 => item.subject.clone_from(&before.subject),
                1 => item.permission.clone_from(&before.permission),
                2 => (item.subject, item.permission) = (before.subject.clone(), before.permission.clone()),
                3 => item.permission.clone_from(&before.subject),
                4 => item.subject = before.subject.clone() + "x",
                _ => {}
            }
        }
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
        let mut items: Vec<BatchCheckItem> = Vec::new();
        for _ in 0..self.below(6) {
            let item = self.item(items.last());
            items.push(item);
        }
        BatchCheckRequest {
            account: self.text(),
            items,
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
    let (read, count) = read(&bytes, 10).unwrap();
    assert_eq!((read.items.len(), count), (10, 500));
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
    let decisions = [Decision::Unspecified, Decision::Allow, Decision::Deny];
    let reasons: Vec<DecisionReason> = (0..50).filter_map(|number| DecisionReason::try_from(number).ok()).collect();
    assert!(reasons.len() > 13, "{reasons:?}");
    for token in ["", "t", &"t".repeat(200)] {
        let mut answer = Vec::new();
        results.iter().for_each(|result| add_result(&mut answer, result));
        let mut results = results.clone();
        for (decision, reason) in
            decisions.iter().flat_map(|decision| reasons.iter().map(|reason| (*decision, *reason)))
        {
            add_decision(&mut answer, decision, reason);
            results.push(BatchCheckResult { decision: decision.into(), reason: reason.into(), error: None });
        }
        add_text(&mut answer, 2, token);
        let expected = BatchCheckResponse { results, consistency_token: token.to_owned() };
        assert_eq!(BatchCheckResponse::decode(&*answer).unwrap(), expected);
    }
}
