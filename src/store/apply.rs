//! Applying changes: row by row in the order of their keys, and not in transactions.
//!
//! A transaction of sled reads every row that it writes, writes them in the order of their hashes, and keeps every reader
//! waiting meanwhile. Changes need none. A piece of them is marked as begun before its first row, and the head moves behind
//! its last, so that a start after a crash applies it again. Who reads the latest finds what is applied in front of the state
//! (`write_behind`); and a before-image is written before the row that replaces it, so that who reads at an earlier revision
//! misses nothing. Of a large change the index of users is written beside the records, by a thread of its own: the two
//! have no row in common. Read [`SledStore::apply_all`].

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use sled::Batch;

use super::{
    Digest, StoreError,
    bytes::{Reader, Writer as Layout, checked},
    digest::history_row,
    key_codec::encode_key,
    record_codec::encode_record,
    sled_store::{META_KEY, Meta, SledStore, Writer, engine, suffixed, value},
    user_index::{Pending, Who, keys::are_of_one_row, who},
};
use crate::model::{Change, RecordChange, Revision};

/// So many records are made into rows at a time.
const CHUNK_RECORDS: usize = 16_384;
/// A piece of several changes has so many records at most.
const PIECE_RECORDS: usize = 1000;
/// Where it stands how far the index of users has come with a piece.
const INDEX_KEY: &[u8] = b"large change";

/// How far the index of users has come with the piece that ends at a revision: it may have the rows of so many of its
/// records, and with all of them it sums up to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IndexMark {
    revision: Revision,
    records: usize,
    digest: Digest,
}

impl IndexMark {
    fn encode(&self, store_id: u64) -> Vec<u8> {
        let layout = Layout::default().u64(self.revision.0).u64(self.records as u64);
        layout.bytes(&self.digest.to_bytes()).crc(store_id)
    }

    fn decode(store_id: u64, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(checked(store_id, bytes)?);
        let (revision, records) = (Revision(reader.u64()?), usize::try_from(reader.u64()?).ok()?);
        Some(Self { revision, records, digest: Digest::from_bytes(&reader.array()?) })
    }
}

/// How many rows are written before it stops, as after a crash. Only tests stop early.
#[derive(Clone, Copy)]
pub(super) struct Stops {
    pub records: usize,
    pub index: usize,
}

impl Stops {
    const NEVER: Self = Self { records: usize::MAX, index: usize::MAX };
}

/// Changes that are applied together. Of several none touches a user's texts that another touches: then what the index has of
/// a user is from before the piece, or from behind it.
type Piece<'a> = &'a [&'a Change];

/// Where the first piece of some changes ends.
pub(super) fn first_piece(changes: Piece<'_>) -> usize {
    let mut users = BTreeSet::new();
    let (mut records, mut count) = (0, 0);
    for change in changes {
        records += change.records.len();
        let touched: BTreeSet<Who> = change.records.iter().filter_map(who).collect();
        if count > 0 && (records > PIECE_RECORDS || !users.is_disjoint(&touched)) {
            break;
        }
        users.extend(touched);
        count += 1;
    }
    count
}

impl SledStore {
    /// Applies changes that follow the head. Cost: linear in their records.
    pub(super) fn apply_all(&self, writer: &mut Writer, mut changes: Piece<'_>) -> Result<(), StoreError> {
        while let Some(first) = changes.first() {
            let begun = writer.meta.applying;
            let end = match begun {
                Revision(0) => first_piece(changes),
                // The same piece again, whatever comes with it now.
                _ => changes.iter().position(|change| change.revision == begun).map_or(0, |last| last + 1),
            };
            let Some((piece, rest)) = changes.split_at_checked(end).filter(|(piece, _)| !piece.is_empty()) else {
                let what = format!("applying had come to revision {}, and {} is not there", first.revision.0, begun.0);
                return Err(StoreError::DamagedState(what));
            };
            self.apply_piece(writer, piece)?;
            changes = rest;
        }
        Ok(())
    }

    fn apply_piece(&self, writer: &mut Writer, piece: Piece<'_>) -> Result<(), StoreError> {
        let (history_digest, users_digest) = self.write_piece(writer, piece, Stops::NEVER)?;
        let meta = Meta {
            head: piece.iter().fold(writer.meta.head, |head, change| head.after(change)),
            history_digest: writer.meta.history_digest.plus(history_digest),
            users_digest,
            applying: Revision(0),
            ..writer.meta
        };
        self.put_meta(writer, meta)
    }

    /// Writes the rows of a piece. Gives the sum of its before-images, and what the index of users sums up to.
    pub(super) fn write_piece(
        &self,
        writer: &mut Writer,
        piece: Piece<'_>,
        stops: Stops,
    ) -> Result<(Digest, Digest), StoreError> {
        let last = piece.last().map(|change| change.revision).unwrap_or_default();
        // A crash can have left rows of it.
        let is_again = writer.meta.applying == last;
        let begun = Meta { applying: last, ..writer.meta };
        self.meta_tree().insert(META_KEY, begun.encode()).map_err(engine)?;
        writer.meta = begun;
        let write_index = || self.write_index(piece, last, is_again, &begun, stops.index);
        if records_of(piece) <= PIECE_RECORDS {
            return Ok((self.write_records(piece, stops.records)?, write_index()?));
        }
        thread::scope(|scope| {
            let index = thread::Builder::new()
                .name("rolecall-index".to_owned())
                .spawn_scoped(scope, write_index)
                .map_err(|source| StoreError::Io { path: "state".into(), source })?;
            let history = self.write_records(piece, stops.records);
            let index = index.join().unwrap_or_else(|_| Err(StoreError::Engine("writing the index panicked".into())));
            Ok((history?, index?))
        })
    }

    /// Writes before-images and records. Gives the sum of the before-images.
    fn write_records(&self, piece: Piece<'_>, mut stop: usize) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        for chunk in chunks(piece) {
            let mut rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
            for (change, records) in chunk {
                for RecordChange { key, before, after } in records {
                    let key = encode_key(key);
                    if let Some(before) = before {
                        let record = encode_record(&before.value);
                        let value = self.whole_value(&key, before.revision, &record)?;
                        self.history.insert(suffixed(&key, change.revision), value).map_err(engine)?;
                        sum = sum.plus(history_row(&key, before.revision, change.revision, &record));
                    }
                    let value = match after {
                        Some(after) => Some(self.whole_value(&key, change.revision, &encode_record(after))?),
                        None => None,
                    };
                    // Of one key the last change counts.
                    rows.insert(key, value);
                }
            }
            for (key, value) in rows {
                let Some(left) = stop.checked_sub(1) else { return Ok(sum) };
                stop = left;
                match value {
                    Some(value) => self.state.insert(key, value).map_err(engine)?,
                    None => self.state.remove(key).map_err(engine)?,
                };
            }
        }
        Ok(sum)
    }

    /// A record as it is stored; what does not fit into a value is written.
    fn whole_value(&self, key: &[u8], revision: Revision, record: &[u8]) -> Result<Vec<u8>, StoreError> {
        value(key, revision, record, |key, part| self.parts.insert(key, part).map(drop).map_err(engine))
    }

    /// Writes the index of users. Gives what it sums up to then.
    ///
    /// The row of a user comes behind its entries: where it is there after a crash, they are too, and where it is not, they
    /// are written again. What was there already cannot be summed up any more, and so the sum stands in a mark beforehand.
    fn write_index(
        &self,
        piece: Piece<'_>,
        last: Revision,
        is_again: bool,
        begun: &Meta,
        mut stop: usize,
    ) -> Result<Digest, StoreError> {
        let store_id = begun.store_id;
        let mark = match is_again {
            true => self.meta_tree().get(INDEX_KEY).map_err(engine)?,
            false => None,
        };
        let mark = mark.and_then(|mark| IndexMark::decode(store_id, &mark)).filter(|mark| mark.revision == last);
        let (mut digest, mut records) = (begun.users_digest, 0);
        for chunk in chunks(piece) {
            let mut pending = Pending::default();
            for (change, of_change) in chunk {
                records += of_change.len();
                self.users.add(&mut pending, of_change, change, !is_again)?;
            }
            let (rows, after) = pending.rows(digest);
            digest = after;
            match mark {
                Some(mark) if records < mark.records => {}
                Some(mark) if records == mark.records => digest = mark.digest,
                _ if rows.is_empty() => {}
                _ => {
                    let mark = IndexMark { revision: last, records, digest };
                    self.meta_tree().insert(INDEX_KEY, mark.encode(store_id)).map_err(engine)?;
                }
            }
            // Pieces of one row are of use together alone.
            for pieces in rows.chunk_by(|(one, _), (other, _)| are_of_one_row(one, other)) {
                let Some(left) = stop.checked_sub(pieces.len()) else { return Ok(digest) };
                stop = left;
                match pieces {
                    [(key, Some(value))] => _ = self.users.0.insert(key, value.as_slice()).map_err(engine)?,
                    [(key, None)] => _ = self.users.0.remove(key).map_err(engine)?,
                    pieces => {
                        let mut batch = Batch::default();
                        for (key, value) in pieces {
                            match value {
                                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                                None => batch.remove(key.as_slice()),
                            }
                        }
                        self.users.0.apply_batch(batch).map_err(engine)?;
                    }
                }
            }
        }
        Ok(digest)
    }
}

fn records_of(piece: Piece<'_>) -> usize {
    piece.iter().map(|change| change.records.len()).sum()
}

/// Records with the change that they are of.
type Part<'a> = (&'a Change, &'a [RecordChange]);

/// The records of a piece, so many at a time as are made into rows together.
fn chunks<'a>(piece: Piece<'a>) -> Vec<Vec<Part<'a>>> {
    if records_of(piece) <= CHUNK_RECORDS {
        return vec![piece.iter().map(|change| (*change, &*change.records)).collect()];
    }
    let parts = piece.iter().flat_map(|change| change.records.chunks(CHUNK_RECORDS).map(move |part| (*change, part)));
    parts.map(|part| vec![part]).collect()
}
