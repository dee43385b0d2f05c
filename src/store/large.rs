//! Applying a change of many records: row by row in the order of their keys, and not in transactions.
//!
//! A transaction of sled reads every row that it writes, writes them in the order of their hashes, and keeps every reader
//! waiting meanwhile. A large change needs none. It is marked as begun before its first row and the head moves behind its
//! last, so that a start after a crash applies it again. A before-image is written before the row that replaces it, so
//! that who reads at an earlier revision misses nothing. The index of users is written beside the records, by a thread of
//! its own: the two have no row in common. Read [`SledStore::apply_large`].

use std::thread;

use sled::Batch;

use super::{
    Digest, StoreError,
    bytes::{Reader, Writer as Layout, checked},
    digest::history_row,
    key_codec::encode_key,
    record_codec::encode_record,
    sled_store::{Meta, Rows, SledStore, VALUE_BYTES, Writer, engine, part_key, suffixed},
    user_index::{Pending, keys::are_of_one_row},
};
use crate::model::{Change, RecordChange, Revision};

/// So many records are made into rows at a time.
const CHUNK_RECORDS: usize = 16_384;
/// Where it stands how far the index of users has come with a large change.
const INDEX_KEY: &[u8] = b"large change";

/// How far the index of users has come with a large change: it may have the rows of so many of its records, and with all
/// of them it sums up to this.
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

impl SledStore {
    /// Applies a large change whole. `meta` is as the changes before it leave it, which are written. Gives what it is then.
    pub(super) fn apply_large(&self, writer: &mut Writer, meta: Meta, change: &Change) -> Result<Meta, StoreError> {
        let (history_digest, users_digest) = self.write_large(writer, change, Stops::NEVER)?;
        writer.meta.users_digest = users_digest;
        let history_digest = meta.history_digest.plus(history_digest);
        let meta = Meta { history_digest, head: meta.head.after(change), ..meta };
        self.finish(writer, &Rows::default(), meta)?;
        Ok(meta)
    }

    /// Writes the rows of a large change. Gives the sum of its before-images, and what the index of users sums up to.
    pub(super) fn write_large(
        &self,
        writer: &mut Writer,
        change: &Change,
        stops: Stops,
    ) -> Result<(Digest, Digest), StoreError> {
        // A crash can have left rows of it.
        let is_again = writer.meta.applying == change.revision;
        let begun = Meta { applying: change.revision, ..writer.meta };
        self.meta_tree().insert(super::sled_store::META_KEY, begun.encode()).map_err(engine)?;
        writer.meta = begun;
        let store_id = begun.store_id;
        thread::scope(|scope| {
            let index = thread::Builder::new()
                .name("rolecall-index".to_owned())
                .spawn_scoped(scope, || self.write_index(change, is_again, begun.users_digest, store_id, stops.index))
                .map_err(|source| StoreError::Io { path: "state".into(), source })?;
            let history = self.write_records(change, stops.records);
            let index = index.join().unwrap_or_else(|_| Err(StoreError::Engine("writing the index panicked".into())));
            Ok((history?, index?))
        })
    }

    /// Writes before-images and records. Gives the sum of the before-images.
    fn write_records(&self, change: &Change, mut stop: usize) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        for chunk in change.records.chunks(CHUNK_RECORDS) {
            let mut rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::with_capacity(chunk.len());
            for RecordChange { key, before, after } in chunk {
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
                rows.push((key, value));
            }
            // Keys have the same order as bytes and as values, but for their kinds.
            rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
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
        if record.len() <= VALUE_BYTES {
            return Ok(Layout::default().bytes(&[0]).u64(revision.0).bytes(record).0);
        }
        let mut count = 0;
        for part in record.chunks(VALUE_BYTES) {
            self.parts.insert(part_key(key, revision, count), part).map_err(engine)?;
            count += 1;
        }
        Ok(Layout::default().bytes(&[1]).u64(revision.0).u32(count).0)
    }

    /// Writes the index of users. Gives what it sums up to then.
    ///
    /// The row of a user comes behind its entries: where it is there after a crash, they are too, and where it is not, they
    /// are written again. What was there already cannot be summed up any more, and so the sum stands in a mark beforehand.
    fn write_index(
        &self,
        change: &Change,
        is_again: bool,
        digest: Digest,
        store_id: u64,
        mut stop: usize,
    ) -> Result<Digest, StoreError> {
        let mark = match is_again {
            true => self.meta_tree().get(INDEX_KEY).map_err(engine)?,
            false => None,
        };
        let mark = mark.and_then(|mark| IndexMark::decode(store_id, &mark));
        let mark = mark.filter(|mark| mark.revision == change.revision);
        let (mut digest, mut records) = (digest, 0);
        for chunk in change.records.chunks(CHUNK_RECORDS) {
            records += chunk.len();
            let mut pending = Pending::default();
            self.users.add(&mut pending, chunk, change, !is_again)?;
            let (rows, after) = pending.rows(digest);
            digest = after;
            match mark {
                Some(mark) if records < mark.records => {}
                Some(mark) if records == mark.records => digest = mark.digest,
                _ => {
                    let mark = IndexMark { revision: change.revision, records, digest };
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
