//! Applying changes: row by row, so that they fill the leaves of sled (`leaves`), and not in transactions.
//!
//! A transaction of sled reads every row that it writes, writes them in the order of their hashes, and keeps every reader
//! waiting meanwhile. Changes need none. A piece of them is marked as begun before its first row, and the head moves behind
//! its last, so that a start after a crash applies it again. Who reads the latest finds what is applied in front of the state
//! (`write_behind`); and a before-image is written before the row that replaces it, so that who reads at an earlier revision
//! misses nothing. Of a large change the index of users is written beside the records, by a thread of its own: the two
//! have no row in common. Read [`SledStore::apply_all`].

use std::collections::BTreeSet;

use super::{
    Digest, StoreError,
    bytes::{Reader, Writer as Layout, checked},
    digest::history_row,
    key_codec::encode_key,
    leaves::{TreeRows, filling, write_rows},
    record_codec::encode_record,
    sled_store::{META_KEY, Meta, SledStore, Writer, engine, suffixed, value},
    user_index::{IndexRows, IndexWork, Pending, Who, keys::are_of_one_row, who},
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
        mut stops: Stops,
    ) -> Result<(Digest, Digest), StoreError> {
        let last = piece.last().map(|change| change.revision).unwrap_or_default();
        // A crash can have left rows of it.
        let is_again = writer.meta.applying == last;
        let begun = Meta { applying: last, ..writer.meta };
        self.meta_tree().insert(META_KEY, begun.encode()).map_err(engine)?;
        writer.meta = begun;
        let mut index = IndexRun::begin(self, last, is_again, &begun)?;
        let mut thread = match records_of(piece) > PIECE_RECORDS {
            true => Some(writer.index_thread(self)?),
            false => None,
        };
        let mut history = Digest::default();
        for chunk in chunks(piece) {
            let work = index.next(self, &chunk, &mut stops.index)?;
            let mut write_records = || self.write_records(&chunk, &mut stops.records);
            let sum = match &mut thread {
                Some(thread) => thread.beside(work, write_records)?,
                None => {
                    self.users.write(self.meta_tree(), &work)?;
                    write_records()?
                }
            };
            history = history.plus(sum);
        }
        Ok((history, index.digest))
    }

    /// Writes before-images and records. Gives the sum of the before-images.
    fn write_records(&self, chunk: &[Part<'_>], stop: &mut usize) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        if *stop == 0 {
            return Ok(sum);
        }
        let mut history = TreeRows::new();
        let mut rows = TreeRows::new();
        for (change, records) in chunk {
            for RecordChange { key, before, after } in *records {
                let key = encode_key(key);
                if let Some(before) = before {
                    let record = encode_record(&before.value);
                    sum = sum.plus(history_row(&key, before.revision, change.revision, &record));
                    let value = self.whole_value(&key, before.revision, &record)?;
                    history.push((suffixed(&key, change.revision), Some(value)));
                }
                let value = match after {
                    Some(after) => Some(self.whole_value(&key, change.revision, &encode_record(after))?),
                    None => None,
                };
                rows.push((key, value));
            }
        }
        write_rows(&self.history, filling(history))?;
        // Of one key the last change counts: a stable sort leaves it behind the others.
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        rows.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                std::mem::swap(next, kept);
            }
            is_same
        });
        let count = rows.len();
        write_rows(&self.state, filling(rows).take(*stop))?;
        *stop = stop.saturating_sub(count);
        Ok(sum)
    }

    /// A record as it is stored; what does not fit into a value is written.
    fn whole_value(&self, key: &[u8], revision: Revision, record: &[u8]) -> Result<Vec<u8>, StoreError> {
        value(key, revision, record, |key, part| self.parts.insert(key, part).map(drop).map_err(engine))
    }
}

/// Making a piece into rows of the index of users.
///
/// The row of a user comes behind its entries: where it is there after a crash, they are too, and where it is not, they
/// are written again. What was there already cannot be summed up any more, and so the sum stands in a mark beforehand.
struct IndexRun {
    store_id: u64,
    /// Of the last change of the piece.
    last: Revision,
    is_again: bool,
    /// The mark that the run before has left.
    mark: Option<IndexMark>,
    /// How many records have been made into rows, and what the index sums up to with these.
    records: usize,
    digest: Digest,
    /// A test wants no more of it.
    is_stopped: bool,
}

impl IndexRun {
    fn begin(store: &SledStore, last: Revision, is_again: bool, begun: &Meta) -> Result<Self, StoreError> {
        let store_id = begun.store_id;
        let mark = match is_again {
            true => store.meta_tree().get(INDEX_KEY).map_err(engine)?,
            false => None,
        };
        let mark = mark.and_then(|mark| IndexMark::decode(store_id, &mark)).filter(|mark| mark.revision == last);
        Ok(Self { store_id, last, is_again, mark, records: 0, digest: begun.users_digest, is_stopped: false })
    }

    /// The rows of the next records. All before them have to be written.
    fn next(&mut self, store: &SledStore, chunk: &[Part<'_>], stop: &mut usize) -> Result<IndexWork, StoreError> {
        if self.is_stopped {
            return Ok(IndexWork::default());
        }
        let mut pending = Pending::default();
        for (change, of_change) in chunk {
            self.records += of_change.len();
            store.users.add(&mut pending, of_change, change, !self.is_again)?;
        }
        let (mut rows, after) = pending.rows(self.digest);
        self.digest = after;
        let (records, digest) = (self.records, self.digest);
        let mark = match self.mark {
            Some(mark) if records < mark.records => None,
            Some(mark) if records == mark.records => {
                self.digest = mark.digest;
                None
            }
            _ if rows.is_empty() => None,
            _ => Some(IndexMark { revision: self.last, records, digest }),
        };
        self.is_stopped = stops_within(&mut rows, stop);
        Ok(IndexWork { mark: mark.map(|mark| (INDEX_KEY.to_vec(), mark.encode(self.store_id))), rows })
    }
}

/// Leaves so many rows, of a user's row that is cut in pieces all or none. Whether any were taken away.
fn stops_within(rows: &mut IndexRows, stop: &mut usize) -> bool {
    let all = rows.len();
    let mut kept = 0;
    for pieces in rows.chunk_by(|(one, _), (other, _)| are_of_one_row(one, other)) {
        let Some(left) = stop.checked_sub(pieces.len()) else { break };
        (*stop, kept) = (left, kept + pieces.len());
    }
    rows.truncate(kept);
    kept < all
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
