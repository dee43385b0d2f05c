//! Verifies the changes of a frame where they lie, and makes no values of them.
//!
//! A start reads the whole journal, and making a value of each record took twice as long as all checksums and hashes
//! together. The chain vouches for every byte of the payload; what it cannot vouch for is looked at here: that the
//! changes are those that the header says, and that each personal value is the one that was hashed.

use super::frame::FrameHeader;
use crate::{
    protobuf::{FieldsOf, Malformed},
    store::{
        key_codec,
        record_codec::{PersonalParts, check_personal},
    },
};

impl From<Malformed> for String {
    fn from(_: Malformed) -> Self {
        "messages as rolecall writes them were expected".to_owned()
    }
}

/// Verifies the changes of a group. Cost: linear in its bytes; allocates nothing.
///
/// # Errors
/// What was expected.
pub(super) fn group(header: &FrameHeader, group: &[u8], personal: &[u8]) -> Result<(), String> {
    let mut verifier = Verifier::new(header, personal);
    let mut changes = FieldsOf(group);
    while let Some((number, value)) = changes.next()? {
        if number == 1 {
            verifier.change(value.bytes()?)?;
        }
    }
    verifier.end()
}

/// Verifies a large change, put together from its parts. Cost: linear in its bytes; allocates nothing.
///
/// # Errors
/// What was expected.
pub(super) fn large(header: &FrameHeader, change: &[u8], personal: &[u8]) -> Result<(), String> {
    let mut verifier = Verifier::new(header, personal);
    verifier.change(change)?;
    verifier.end()
}

struct Verifier<'a> {
    header: &'a FrameHeader,
    /// The personal values that nothing has referred to yet.
    personal: FieldsOf<'a>,
    /// Revision, time, and next number of the last change.
    last: Option<(u64, u64, u64)>,
}

impl<'a> Verifier<'a> {
    fn new(header: &'a FrameHeader, personal: &'a [u8]) -> Self {
        Self { header, personal: FieldsOf(personal), last: None }
    }

    fn change(&mut self, change: &[u8]) -> Result<(), String> {
        let expected = self.last.map_or(self.header.first.0, |(revision, _, _)| revision.saturating_add(1));
        let (mut revision, mut time, mut next_number) = (0, 0, 0);
        let mut fields = FieldsOf(change);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => revision = value.number()?,
                2 => time = value.number()?,
                5 => next_number = value.number()?,
                6 => self.record(value.bytes()?)?,
                _ => {}
            }
        }
        if revision != expected {
            return Err(self.other_changes());
        }
        self.last = Some((revision, time, next_number));
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> Result<(), String> {
        let (mut key, mut before, mut after) = (&[][..], None, None);
        let mut fields = FieldsOf(record);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => key = value.bytes()?,
                2 => before = Some(value.bytes()?),
                3 => after = Some(value.bytes()?),
                _ => {}
            }
        }
        // In the order in which the personal section has them.
        [before, after].into_iter().flatten().try_for_each(|value| self.value(key, value))
    }

    fn value(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let mut is_there = false;
        let mut fields = FieldsOf(value);
        while let Some((number, value)) = fields.next()? {
            match number {
                2 => is_there = true,
                3 => {
                    is_there = true;
                    self.personal(key, value.bytes()?)?;
                }
                _ => {}
            }
        }
        if is_there { Ok(()) } else { Err("a value's content is missing or unknown".to_owned()) }
    }

    fn personal(&mut self, key: &[u8], hash: &[u8]) -> Result<(), String> {
        let mut parts = PersonalParts::default();
        let mut fields = FieldsOf(self.next_personal()?.ok_or("a personal value is missing")?);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => parts.salt = value.bytes()?,
                2 => parts.record = value.bytes()?,
                3 => parts.erased = value.number()? != 0,
                4 => parts.filler = value.bytes()?,
                _ => {}
            }
        }
        let is_personal = || key_codec::decode_key(key).is_ok_and(|key| key_codec::is_personal(&key));
        check_personal(&parts, hash, is_personal).map_err(str::to_owned)
    }

    fn next_personal(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some((number, value)) = self.personal.next()? {
            if number == 1 {
                return value.bytes().map(Some);
            }
        }
        Ok(None)
    }

    fn end(mut self) -> Result<(), String> {
        let head = &self.header.head;
        if self.last != Some((head.revision.0, head.time.0, head.next_number)) {
            return Err(self.other_changes());
        }
        match self.next_personal()? {
            None => Ok(()),
            Some(_) => Err("as many personal values as the payload refers to were expected".to_owned()),
        }
    }

    fn other_changes(&self) -> String {
        let (first, last) = (self.header.first.0, self.header.head.revision.0);
        format!("changes from revision {first} to {last} were expected in the frame")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::collections::BTreeSet;

    use super::super::{
        super::{
            conformance::{Random, Writer},
            key_codec::{encode_key, is_personal},
        },
        erase::erase_from,
        frame::{FrameHeader, FrameKind, FrameReader, FrameWriter, HEADER_BYTES},
        segment::Frame,
        *,
    };

    /// The frames of an append, with a group that has personal values and a large change.
    fn frames(changes: &mut Writer) -> Vec<Frame> {
        let before = changes.head().0 as usize;
        let mut head = Head { revision: changes.head(), digest: changes.digest, ..Head::default() };
        changes.group(3, 12, 20);
        if changes.random.below(2) == 0 {
            changes.change(250, 500);
        }
        let appended = &changes.changes[before..];
        let mut writer = FrameWriter::new(7, head, [0; 32]);
        let mut heads = Vec::new();
        for change in appended {
            head = head.after(change);
            heads.push(head);
        }
        writer.add(appended, &heads).unwrap();
        let (mut frames, mut rest) = (Vec::new(), &*writer.bytes);
        while !rest.is_empty() {
            let header = FrameHeader::decode(7, &rest[..HEADER_BYTES]).unwrap();
            let (hashed, personal) = (header.hashed_bytes as usize, header.personal_bytes as usize);
            let (frame, others) = rest.split_at(HEADER_BYTES + hashed + personal);
            let (hashed, personal) = frame[HEADER_BYTES..].split_at(hashed);
            frames.push(Frame { header, hashed: hashed.to_vec(), personal: personal.to_vec() });
            rest = others;
        }
        frames
    }

    /// Whether frames are what was written: as it is verified, and as it is read.
    fn is_good(frames: &[Frame]) -> (bool, bool) {
        let (mut verified, mut read) = (FrameReader::default(), FrameReader::default());
        let mut verify = |frame: &Frame| verified.verify(&frame.header, &frame.hashed, &frame.personal).is_ok();
        let mut add = |frame: &Frame| read.add(&frame.header, &frame.hashed, &frame.personal).is_ok();
        (frames.iter().all(&mut verify), frames.iter().all(&mut add))
    }

    #[test]
    fn personal_sections_whole_damaged_and_erased_are_verified_as_they_are_read() {
        let mut changes = Writer::new(Random::seeded("personal sections"));
        let mut refused = 0;
        for round in 0..200 {
            let mut frames = frames(&mut changes);
            assert_eq!(is_good(&frames), (true, true), "round {round}");
            if round % 3 == 0 {
                let keys = changes.changes.iter().rev().take(4).flat_map(|change| &change.records);
                let keys =
                    keys.map(|record| &record.key).filter(|key| is_personal(key) && changes.random.below(2) == 0);
                let keys: BTreeSet<_> = keys.map(encode_key).collect();
                // Each group and each large change by itself, as they stand in a segment.
                for whole in frames.chunk_by_mut(|before, _| before.header.kind == FrameKind::Part) {
                    erase_from(whole, &keys).unwrap();
                }
                assert_eq!(is_good(&frames), (true, true), "round {round}, {} erased", keys.len());
            }
            let count = frames.len();
            let frame = &mut frames[changes.random.below(count as u64) as usize];
            if !frame.personal.is_empty() {
                let at = changes.random.below(frame.personal.len() as u64) as usize;
                match changes.random.below(4) {
                    0 => frame.personal.truncate(at),
                    1 => frame.personal[at] ^= 1 << changes.random.below(8),
                    2 => frame.personal.insert(at, changes.random.below(256) as u8),
                    _ => frame.personal.extend_from_within(..),
                }
            }
            let (verified, read) = is_good(&frames);
            assert_eq!(verified, read, "round {round}");
            refused += usize::from(!verified);
        }
        assert!(refused > 50, "{refused} were refused");
    }

    #[test]
    fn changes_that_are_not_those_of_the_header_are_refused() {
        let mut changes = Writer::new(Random(5));
        for _ in 0..20 {
            for frame in frames(&mut changes).into_iter().filter(|frame| frame.header.kind == FrameKind::Group) {
                let verified = |alter: fn(&mut FrameHeader)| {
                    let mut header = frame.header;
                    alter(&mut header);
                    FrameReader::default().verify(&header, &frame.hashed, &frame.personal)
                };
                assert_eq!(verified(|_| ()), Ok(()));
                for alter in [
                    (|header| header.first.0 += 1) as fn(&mut FrameHeader),
                    |header| header.first.0 -= 1,
                    |header| header.head.revision.0 += 1,
                    |header| header.head.revision.0 -= 1,
                    |header| header.head.time.0 += 1,
                    |header| header.head.next_number += 1,
                ] {
                    let refused = verified(alter).unwrap_err();
                    assert!(refused.contains("were expected in the frame"), "{refused}");
                }
            }
        }
    }
}
