//! Snapshots: state and history at one revision in one file, from which a lost state is rebuilt without the whole
//! journal.
//!
//! A snapshot is written while writes go on, by reading at its revision. It is a run of blocks, each with a CRC that
//! covers its position too; the last one says what the sums must be. It is believed only if they are, and if the journal
//! has the same digest and chain hash at that revision.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{
    Digest, StoreError,
    bytes::{Reader, Writer, crc},
    digest::{history_row, state_row},
    files::{self, at},
    history,
    journal::{FileJournal, JournalMark},
    sled_store::{Meta, Rows, SledStore, engine},
};
use crate::model::Revision;

const MAGIC: [u8; 8] = *b"\xf1RCSNP1\n";
const FORMAT_VERSION: u32 = 1;
const BLOCK_BYTES: usize = 256 << 10;
const BATCH: usize = 1000;
const HEADER: u8 = b'H';
const ROWS: u8 = b'R';
const FOOTER: u8 = b'F';

/// A snapshot file whose beginning could be read.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    pub path: PathBuf,
    pub revision: Revision,
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::DamagedState(format!("the snapshot {} cannot be used: {what}", path.display()))
}

/// The snapshots in a directory, newest first. Files that are none are passed over. Cost: linear in their number.
pub(super) fn list(directory: &Path, store_id: u64) -> Result<Vec<SnapshotFile>, StoreError> {
    let mut found = Vec::new();
    for name in files::names(directory)? {
        let path = directory.join(&name);
        if is_snapshot(&name)
            && let Ok((_, revision)) = BlockReader::open(&path, store_id)
        {
            found.push(SnapshotFile { path, revision });
        }
    }
    found.sort_by_key(|file| std::cmp::Reverse(file.revision));
    Ok(found)
}

/// Whether a file is a snapshot by its name.
pub(super) fn is_snapshot(name: &str) -> bool {
    name.starts_with("snapshot-") && name.ends_with(".snap")
}

/// The name of the snapshot of a revision.
pub(super) fn path(directory: &Path, revision: Revision) -> PathBuf {
    directory.join(format!("snapshot-{:020}.snap", revision.0))
}

/// Writes a snapshot of the head, verifies it against the journal, and gives it its name. Cost: linear in the store.
///
/// # Errors
/// [`StoreError::DamagedState`] if the state is not what the journal says; others if something cannot be read or written.
pub(super) fn write(
    store: &SledStore,
    journal: &FileJournal,
    directory: &Path,
    store_id: u64,
) -> Result<Revision, StoreError> {
    let meta = store.meta();
    let revision = meta.head.revision;
    let path = path(directory, revision);
    let mark = journal
        .mark(revision)?
        .filter(|mark| mark.digest == meta.head.digest)
        .ok_or_else(|| damaged(&path, "the journal was expected to have the same digest at its revision"))?;
    let written = write_blocks(store, &meta, &mark, &path, store_id);
    if written.is_err() {
        files::remove(&files::unfinished(&path))?;
    }
    written?;
    files::publish(&path)?;
    Ok(revision)
}

fn write_blocks(
    store: &SledStore,
    meta: &Meta,
    mark: &JournalMark,
    path: &Path,
    store_id: u64,
) -> Result<(), StoreError> {
    let revision = meta.head.revision;
    let temporary = files::unfinished(path);
    let file = files::private().write(true).create(true).truncate(true).open(&temporary).map_err(at(&temporary))?;
    let mut blocks = BlockWriter { output: BufWriter::new(file), path: &temporary, store_id, count: 0 };
    let header = Writer::default().bytes(&[HEADER]).bytes(&MAGIC).u32(FORMAT_VERSION).u64(store_id).u64(revision.0);
    blocks.write(&header.0)?;

    let mut state_sum = Digest::default();
    let mut block = Writer::default().bytes(&[ROWS]);
    let mut after = None;
    loop {
        let rows = store.rows_at(&[], after, BATCH, revision)?;
        for row in &rows {
            state_sum = state_sum.plus(state_row(&row.key, row.revision, &row.record));
            block = add_row(block, b's', &row.key, row.revision, Revision(0), &row.record);
            block = blocks.flush(block, BLOCK_BYTES)?;
        }
        after = match rows.last() {
            Some(last) if rows.len() == BATCH => Some(last.key.clone()),
            _ => break,
        };
    }
    let mut history_sum = Digest::default();
    for item in &store.history {
        let (stored, value) = item.map_err(engine)?;
        let (key, replaced_at) = history::split(&stored)?;
        if replaced_at <= revision {
            let row = store.row(key, &value)?;
            history_sum = history_sum.plus(history_row(key, row.revision, replaced_at, &row.record));
            block = add_row(block, b'h', key, row.revision, replaced_at, &row.record);
            block = blocks.flush(block, BLOCK_BYTES)?;
        }
    }
    blocks.flush(block, 1)?;
    if state_sum != meta.head.digest || history_sum != meta.history_digest {
        return Err(damaged(path, "the rows that were read do not have the digest that the store has"));
    }
    let footer = Writer::default()
        .bytes(&[FOOTER])
        .head(&meta.head)
        .bytes(&meta.history_digest.to_bytes())
        .u64(meta.oldest.0)
        .bytes(&mark.chain);
    blocks.write(&footer.0)?;
    blocks.output.flush().map_err(at(&temporary))?;
    blocks.output.get_ref().sync_all().map_err(at(&temporary))
}

fn add_row(block: Writer, kind: u8, key: &[u8], revision: Revision, replaced_at: Revision, record: &[u8]) -> Writer {
    block
        .bytes(&[kind])
        .u64(revision.0)
        .u64(replaced_at.0)
        .u64(key.len() as u64)
        .bytes(key)
        .u64(record.len() as u64)
        .bytes(record)
}

/// Fills an empty store from a snapshot, if the snapshot is what the journal says. Cost: linear in the snapshot.
///
/// # Errors
/// [`StoreError::DamagedState`] if it is damaged, or of another history than the journal.
pub(super) fn load(
    file: &SnapshotFile,
    store: &SledStore,
    journal: &FileJournal,
    store_id: u64,
) -> Result<(), StoreError> {
    let path = &file.path;
    let (mut blocks, revision) = BlockReader::open(path, store_id)?;
    let (mut state_sum, mut history_sum) = (Digest::default(), Digest::default());
    let mut rows = Rows::default();
    loop {
        let block = blocks.read()?;
        let mut reader = Reader(&block);
        match reader.u8() {
            Some(ROWS) => {
                while !reader.0.is_empty() {
                    let (kind, key, written, replaced_at, record) =
                        read_row(&mut reader).ok_or_else(|| damaged(path, "a row is cut short"))?;
                    if kind == b's' {
                        state_sum = state_sum.plus(state_row(key, written, record));
                        rows.put_state(key, written, record);
                    } else {
                        history_sum = history_sum.plus(history_row(key, written, replaced_at, record));
                        rows.put_history(key, written, replaced_at, record);
                    }
                    if rows.count >= BATCH {
                        store.load(std::mem::take(&mut rows))?;
                    }
                }
            }
            Some(FOOTER) => {
                store.load(std::mem::take(&mut rows))?;
                let mut footer = || {
                    Some((
                        reader.head()?,
                        Digest::from_bytes(&reader.array()?),
                        Revision(reader.u64()?),
                        reader.array()?,
                    ))
                };
                let (head, history_digest, oldest, chain) =
                    footer().ok_or_else(|| damaged(path, "its last block is cut short"))?;
                if head.revision != revision || head.digest != state_sum || history_digest != history_sum {
                    return Err(damaged(path, "its rows do not add up to the digest in its last block"));
                }
                if journal.mark(revision)? != Some(JournalMark { digest: head.digest, chain }) {
                    return Err(damaged(path, "the journal has another history at its revision"));
                }
                let oldest = oldest.max(journal.oldest());
                return store.finish_load(Meta { store_id, head, history_digest, oldest, ..Meta::default() });
            }
            _ => return Err(damaged(path, "a block of rows or the last block was expected")),
        }
    }
}

type RowParts<'a> = (u8, &'a [u8], Revision, Revision, &'a [u8]);

fn read_row<'a>(reader: &mut Reader<'a>) -> Option<RowParts<'a>> {
    let kind = reader.u8().filter(|kind| [b's', b'h'].contains(kind))?;
    let (written, replaced_at) = (Revision(reader.u64()?), Revision(reader.u64()?));
    let key_bytes = usize::try_from(reader.u64()?).ok()?;
    let key = reader.slice(key_bytes)?;
    let record_bytes = usize::try_from(reader.u64()?).ok()?;
    Some((kind, key, written, replaced_at, reader.slice(record_bytes)?))
}

struct BlockWriter<'a> {
    output: BufWriter<File>,
    path: &'a Path,
    store_id: u64,
    count: u64,
}

impl BlockWriter<'_> {
    /// Writes a block of rows that has grown to `least` bytes beyond its kind, and begins the next.
    fn flush(&mut self, block: Writer, least: usize) -> Result<Writer, StoreError> {
        if block.0.len() <= least {
            return Ok(block);
        }
        self.write(&block.0)?;
        Ok(Writer::default().bytes(&[ROWS]))
    }

    fn write(&mut self, block: &[u8]) -> Result<(), StoreError> {
        let sum = crc(self.store_id ^ self.count, block);
        self.count += 1;
        let mut all = Writer::default().u64(block.len() as u64).bytes(block);
        all = all.u32(sum);
        self.output.write_all(&all.0).map_err(at(self.path))
    }
}

struct BlockReader {
    input: BufReader<File>,
    path: PathBuf,
    store_id: u64,
    count: u64,
    left: u64,
}

impl BlockReader {
    /// Opens a snapshot and reads its first block.
    fn open(path: &Path, store_id: u64) -> Result<(Self, Revision), StoreError> {
        let file = File::open(path).map_err(at(path))?;
        let left = file.metadata().map_err(at(path))?.len();
        let mut blocks = Self { input: BufReader::new(file), path: path.to_owned(), store_id, count: 0, left };
        let block = blocks.read()?;
        let mut reader = Reader(&block);
        let mut header = || {
            (reader.u8()? == HEADER && reader.array()? == MAGIC).then_some(())?;
            (reader.u32()? == FORMAT_VERSION && reader.u64()? == store_id).then_some(())?;
            reader.u64().map(Revision)
        };
        let revision =
            header().ok_or_else(|| damaged(path, "its first block is not that of a snapshot of this store"))?;
        Ok((blocks, revision))
    }

    fn read(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut length = [0; 8];
        self.input.read_exact(&mut length).map_err(|_| damaged(&self.path, "it is cut short"))?;
        let length = u64::from_be_bytes(length);
        self.left = self.left.checked_sub(length).ok_or_else(|| damaged(&self.path, "it is cut short"))?;
        let mut block = vec![0; usize::try_from(length).map_err(|_| damaged(&self.path, "a block is too large"))?];
        let mut sum = [0; 4];
        let read = self.input.read_exact(&mut block).and_then(|()| self.input.read_exact(&mut sum));
        read.map_err(|_| damaged(&self.path, "it is cut short"))?;
        if crc(self.store_id ^ self.count, &block) != u32::from_be_bytes(sum) {
            return Err(damaged(&self.path, "the checksum of a block does not fit"));
        }
        self.count += 1;
        Ok(block)
    }
}
