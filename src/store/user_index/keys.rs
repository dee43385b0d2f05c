//! The layout of the index of users: which keys its rows have.
//!
//! `FORMAT_KEY`: the format. `ENTRY`, account, kind, what is shared with the user's text before, text, user, revision
//! from which on (the newest first): the revision at which it ended. `USER`, account, user, position: a piece of a
//! user's row. `ENDED`, account, user, revision at which it ended, kind, what is shared, text, revision from which on:
//! nothing; there so that entries that ended are found without reading those that did not.

use sled::IVec;

use super::{Entry, UserText, Who, damaged};
use crate::{
    model::{Number, Revision},
    store::{StoreError, bytes::Reader, bytes::Writer},
};

/// Where the format of the index stands.
pub(super) const FORMAT_KEY: &[u8] = &[0];
const ENTRY: u8 = 1;
const USER: u8 = 2;
/// The first byte of the keys of entries that ended; no other is larger.
pub(super) const ENDED: u8 = 3;

/// Where the rows begin that are summed up.
pub(super) fn rows_of() -> Vec<u8> {
    vec![ENTRY]
}

fn kind(by: UserText) -> u8 {
    match by {
        UserText::Name => 1,
        UserText::Any => 2,
    }
}

/// A text so that it sorts as its bytes do, and that its end sorts before every byte: a zero byte gets a one behind it,
/// and the end is two zero bytes.
fn escaped(key: Writer, text: &str) -> Writer {
    let mut pieces = text.as_bytes().split(|byte| *byte == 0);
    let key = key.bytes(pieces.next().unwrap_or_default());
    pieces.fold(key, |key, piece| key.bytes(&[0, 1]).bytes(piece))
}

/// What the keys of all entries begin with that share so much and whose text begins with a prefix.
pub(super) fn entries_with(account: Number, by: UserText, shared: u8, prefix: &str) -> Vec<u8> {
    // With room for what an entry's key has behind it.
    let key = Writer::with_capacity(prefix.len() + 32).bytes(&[ENTRY]).u64(account.0).bytes(&[kind(by), shared]);
    escaped(key, prefix).0
}

/// What the keys of all versions of an entry begin with; behind it stands the revision.
pub(super) fn versions_of((account, user): Who, by: UserText, shared: u8, text: &str) -> Vec<u8> {
    Writer(entries_with(account, by, shared, text)).bytes(&[0, 0]).u64(user.0).0
}

pub(super) fn entry_key(who: Who, entry: &Entry<'_>, since: Revision) -> Vec<u8> {
    Writer(versions_of(who, entry.by, entry.shared, entry.text)).u64(!since.0).0
}

/// The text, the user and the revision of an entry's key.
pub(super) fn split_entry(key: &[u8]) -> Result<(String, Number, Revision), StoreError> {
    let parse = || {
        let mut reader = Reader(key);
        reader.u8().filter(|tag| *tag == ENTRY)?;
        reader.u64()?;
        reader.u8()?;
        reader.u8()?;
        let mut text = Vec::new();
        loop {
            match reader.u8()? {
                0 => match reader.u8()? {
                    0 => break,
                    _ => text.push(0),
                },
                byte => text.push(byte),
            }
        }
        let (user, since) = (Number(reader.u64()?), Revision(!reader.u64()?));
        (reader.0.is_empty()).then_some((String::from_utf8(text).ok()?, user, since))
    };
    parse().ok_or_else(|| damaged("the key of an entry cannot be read"))
}

pub(super) fn entry_value(removed: Revision) -> IVec {
    IVec::from(&removed.0.to_be_bytes())
}

/// The revision at which an entry ended.
pub(super) fn split_value(value: &[u8]) -> Result<Revision, StoreError> {
    Reader(value).u64().map(Revision).ok_or_else(|| damaged("an entry is cut short"))
}

/// Whether both are keys of pieces of the same user's row.
pub(in crate::store) fn are_of_one_row(one: &[u8], other: &[u8]) -> bool {
    const PREFIX: usize = 1 + 2 * size_of::<u64>();
    one.first() == Some(&USER) && one.get(..PREFIX).is_some_and(|prefix| other.starts_with(prefix))
}

/// What the keys of a user's row begin with.
pub(super) fn user_key((account, user): Who) -> Vec<u8> {
    Writer::default().bytes(&[USER]).u64(account.0).u64(user.0).0
}

pub(super) fn chunk_key(who: Who, position: u32) -> Vec<u8> {
    Writer(user_key(who)).u32(position).0
}

/// What the keys of a user's entries that ended begin with.
pub(super) fn ended_of((account, user): Who) -> Vec<u8> {
    Writer::default().bytes(&[ENDED]).u64(account.0).u64(user.0).0
}

pub(super) fn ended_key(who: Who, entry: &Entry<'_>, since: Revision, removed: Revision) -> Vec<u8> {
    let key = Writer(ended_of(who)).u64(removed.0).bytes(&[kind(entry.by), entry.shared]);
    escaped(key, entry.text).bytes(&[0, 0]).u64(since.0).0
}

/// The key of the entry that ended, and the revision at which it did.
pub(super) fn split_ended(key: &[u8]) -> Result<(Vec<u8>, Revision), StoreError> {
    let parse = || {
        let mut reader = Reader(key);
        reader.u8().filter(|tag| *tag == ENDED)?;
        let (account, user, removed) = (reader.u64()?, reader.u64()?, Revision(reader.u64()?));
        let (rest, since) = reader.0.split_last_chunk::<8>()?;
        let entry = Writer::default().bytes(&[ENTRY]).u64(account).bytes(rest).u64(user);
        Some((entry.u64(!u64::from_be_bytes(*since)).0, removed))
    };
    parse().ok_or_else(|| damaged("the key of an entry that ended cannot be read"))
}
