//! The state on sled: current records, the before-images of what was replaced, and how far both have come.
//!
//! Five trees. `state`: key -> value. `history`: key, zero byte, the revision that replaced it -> value. `parts`: what does not
//! fit into a value of sled, under key, zero byte, the revision that wrote it, position; an old part is never rewritten, so a
//! reader never meets half of two values. `users`: the index that users are found by. `meta`: how far the others have come.
//! Changes are written by `apply`, in no transaction; what is pruned or erased goes in transactions over all five.
//! Never scan inside a transaction, and never call `flush_async`: sled deadlocks.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sled::{IVec, Transactional as _, Tree, transaction::TransactionError};

use super::{
    Digest, Head, Store, StoreError, Versions, View,
    bytes::{Reader, Writer as Layout, checked},
    digest::{history_row, state_row},
    erase::Erasures,
    files, history,
    key_codec::{decode_key, encode_key, encode_range},
    leaves::{TreeRows, batch, filling, write_rows},
    record_codec::decode_record,
    user_index::{IndexThread, Pending, UserIndex},
    user_texts::UserText,
};
use crate::model::{Change, Key, KeyRange, Number, Record, Revision, Stamped};

/// sled keeps larger values in files of their own, a second path that is not as safe.
pub(super) const VALUE_BYTES: usize = 3584;
/// A transaction holds at most so many records; larger changes take none.
pub(super) const TRANSACTION_RECORDS: usize = 1000;
/// Where the one row of [`Meta`] stands.
pub(super) const META_KEY: &[u8] = b"meta";
const META_VERSION: u32 = 2;

/// The state on sled.
pub struct SledStore {
    directory: PathBuf,
    db: sled::Db,
    pub(super) state: Tree,
    pub(super) history: Tree,
    pub(super) parts: Tree,
    pub(super) users: UserIndex,
    meta: Tree,
    writer: Mutex<Writer>,
    published: RwLock<Published>,
    /// A read met what cannot be: at the next start the state is read through before it is believed.
    suspect: AtomicBool,
    /// What is never written again.
    pub(super) erasures: Erasures,
    /// Odd while parts of values that readers may be reading are deleted; counted up before and after.
    pub(super) deletions: AtomicU64,
}

pub(super) struct Writer {
    pub meta: Meta,
    stopped: bool,
    /// Begun with the first large change.
    index_thread: Option<IndexThread>,
}

impl Writer {
    /// Does something after which, if it fails or panics, nothing more may be written.
    pub(super) fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.stopped = true;
        let outcome = work(self);
        self.stopped = outcome.is_err();
        outcome
    }

    /// The thread that writes the index of users beside the records of large changes.
    pub(super) fn index_thread(&mut self, store: &SledStore) -> Result<&mut IndexThread, StoreError> {
        match &mut self.index_thread {
            Some(thread) => Ok(thread),
            none => Ok(none.insert(IndexThread::start(&store.users, &store.meta)?)),
        }
    }
}

#[derive(Clone, Copy)]
struct Published {
    head: Head,
    oldest: Revision,
}

/// The one row of `meta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    pub store_id: u64,
    pub head: Head,
    /// The sum over all before-images.
    pub history_digest: Digest,
    /// The sum over the index of users as it is, whatever is under way.
    pub users_digest: Digest,
    /// The oldest revision that can be read.
    pub oldest: Revision,
    /// A large change that has been begun and must be applied again; 0: none.
    pub applying: Revision,
}

impl Meta {
    pub(super) fn encode(&self) -> Vec<u8> {
        Layout::default()
            .u32(META_VERSION)
            .u64(self.store_id)
            .head(&self.head)
            .bytes(&self.history_digest.to_bytes())
            .bytes(&self.users_digest.to_bytes())
            .u64(self.oldest.0)
            .u64(self.applying.0)
            .crc(self.store_id)
    }

    fn decode(store_id: u64, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(checked(store_id, bytes)?);
        (reader.u32()? == META_VERSION).then_some(())?;
        Some(Self {
            store_id: reader.u64()?,
            head: reader.head()?,
            history_digest: Digest::from_bytes(&reader.array()?),
            users_digest: Digest::from_bytes(&reader.array()?),
            oldest: Revision(reader.u64()?),
            applying: Revision(reader.u64()?),
        })
    }
}

/// One row with its bytes: the current one, or the one of an earlier revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub key: Vec<u8>,
    pub revision: Revision,
    pub record: Vec<u8>,
}

/// Rows that are written together.
#[derive(Default)]
pub(super) struct Rows {
    state: TreeRows,
    history: TreeRows,
    parts: TreeRows,
    pub users: Pending,
    pub count: usize,
}

impl Rows {
    pub(super) fn put_state(&mut self, key: &[u8], revision: Revision, record: &[u8]) {
        let value = self.value(key, revision, record);
        self.state.push((key.to_vec(), Some(value)));
        self.count += 1;
    }

    pub(super) fn put_history(&mut self, key: &[u8], revision: Revision, replaced_at: Revision, record: &[u8]) {
        let value = self.value(key, revision, record);
        self.history.push((suffixed(key, replaced_at), Some(value)));
        self.count += 1;
    }

    /// Deletes a before-image, by the key that it is stored under.
    pub(super) fn remove_history(&mut self, stored: &[u8]) {
        self.history.push((stored.to_vec(), None));
        self.count += 1;
    }

    /// Deletes what did not fit into a value.
    pub(super) fn remove_parts(&mut self, row: &Row) {
        if row.record.len() > VALUE_BYTES {
            for (position, _) in (0..).zip(row.record.chunks(VALUE_BYTES)) {
                self.parts.push((part_key(&row.key, row.revision, position), None));
            }
        }
    }

    /// Deletes one part, whatever leads to it.
    pub(super) fn remove_part(&mut self, part: &[u8]) {
        self.parts.push((part.to_vec(), None));
        self.count += 1;
    }

    fn value(&mut self, key: &[u8], revision: Revision, record: &[u8]) -> Vec<u8> {
        let put = |key: Vec<u8>, part: &[u8]| {
            self.parts.push((key, Some(part.to_vec())));
            Ok::<(), Infallible>(())
        };
        let Ok(value) = value(key, revision, record, put);
        value
    }
}

/// A record as it is stored. What does not fit into a value is handed to `put_part`, with the key that it belongs to.
pub(super) fn value<E>(
    key: &[u8],
    revision: Revision,
    record: &[u8],
    mut put_part: impl FnMut(Vec<u8>, &[u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    if record.len() <= VALUE_BYTES {
        return Ok(Layout::with_capacity(9 + record.len()).bytes(&[0]).u64(revision.0).bytes(record).0);
    }
    let mut count = 0;
    for part in record.chunks(VALUE_BYTES) {
        put_part(part_key(key, revision, count), part)?;
        count += 1;
    }
    Ok(Layout::default().bytes(&[1]).u64(revision.0).u32(count).0)
}

/// A key with a revision behind it; sorts as the keys do, then by revision.
pub(super) fn suffixed(key: &[u8], revision: Revision) -> Vec<u8> {
    Layout::with_capacity(key.len() + 16).bytes(key).bytes(&[0]).u64(revision.0).0
}

pub(super) fn part_key(key: &[u8], revision: Revision, position: u32) -> Vec<u8> {
    Layout(suffixed(key, revision)).u32(position).0
}

pub(super) fn engine(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::Io { path: "state".into(), source },
        other => StoreError::Engine(other.to_string()),
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::DamagedState(what.to_owned())
}

/// The revision that a stored value begins with.
pub(super) fn value_revision(value: &[u8]) -> Result<Revision, StoreError> {
    let mut reader = Reader(value);
    reader.u8().and_then(|_| reader.u64()).map(Revision).ok_or_else(|| damaged("a stored value is cut short"))
}

impl SledStore {
    /// Opens sled in a directory. It takes changes only once [`Self::finish_load`] was called.
    /// Also gives whether that ever happened: otherwise the directory was never finished.
    pub(super) fn open(directory: &Path, store_id: u64, cache_bytes: u64) -> Result<(Self, bool), StoreError> {
        let config = sled::Config::new().path(directory).cache_capacity(cache_bytes);
        let db = config.open().map_err(engine)?;
        let tree = |name: &str| db.open_tree(name).map_err(engine);
        let (state, history, parts, meta) = (tree("state")?, tree("history")?, tree("parts")?, tree("meta")?);
        let row = meta.get(META_KEY).map_err(engine)?;
        let known = row.as_ref().and_then(|row| Meta::decode(store_id, row));
        let is_whole = known.is_some();
        let users = UserIndex(tree("users")?);
        if is_whole && !users.is_begun()? {
            return Err(damaged("the index of users is missing, or is one of another version"));
        }
        let known = known.unwrap_or(Meta { store_id, ..Meta::default() });
        let store = Self {
            directory: directory.to_owned(),
            db,
            state,
            history,
            parts,
            users,
            meta,
            writer: Mutex::new(Writer { meta: known, stopped: !is_whole, index_thread: None }),
            suspect: AtomicBool::new(false),
            erasures: Erasures::default(),
            deletions: AtomicU64::new(0),
            published: RwLock::new(Published { head: known.head, oldest: known.oldest }),
        };
        Ok((store, is_whole))
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // `stopped` is set while anything is half done, so a poisoned lock tells nothing more.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to write.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let writer = self.lock();
        if writer.stopped { Err(StoreError::Stopped) } else { Ok(writer) }
    }

    fn publish(&self, meta: &Meta) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) =
            Published { head: meta.head, oldest: meta.oldest };
    }

    fn published(&self) -> Published {
        *self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree of `meta`.
    pub(super) fn meta_tree(&self) -> &Tree {
        &self.meta
    }

    /// The row of `meta` as it is now.
    pub(super) fn meta(&self) -> Meta {
        self.lock().meta
    }

    /// Adds rows to a store that is being rebuilt, in no transaction. Cost: linear in them.
    pub(super) fn load(&self, rows: Rows) -> Result<(), StoreError> {
        write_rows(&self.parts, filling(rows.parts))?;
        write_rows(&self.state, filling(rows.state))?;
        write_rows(&self.history, filling(rows.history))
    }

    /// Makes what was loaded a store, with its index of users: only now does a start take it for one.
    pub(super) fn finish_load(&self, meta: Meta) -> Result<(), StoreError> {
        let meta = Meta { users_digest: self.users.derive(self)?, ..meta };
        self.users.begin()?;
        self.sync()?;
        let mut writer = self.lock();
        self.meta.insert(META_KEY, meta.encode()).map_err(engine)?;
        writer.meta = meta;
        writer.stopped = false;
        self.publish(&meta);
        Ok(())
    }

    /// Brings everything to stable storage. sled's own flush does not reach that far.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(engine)?;
        files::sync_tree(&self.directory)
    }

    /// What stands in the tree of parts of a key's values that were written at `until` or before, whether a row leads to it
    /// or not.
    pub(super) fn parts_of(&self, key: &[u8], until: Revision) -> impl Iterator<Item = Result<IVec, StoreError>> {
        let range = part_key(key, Revision(0), 0)..=part_key(key, until, u32::MAX);
        let length = range.end().len();
        // Behind a key come those that begin with it too.
        let is_of = move |part: &IVec| part.starts_with(key) && part.len() == length;
        self.parts.range(range).keys().map(|part| part.map_err(engine)).filter(move |part| match part {
            Ok(part) => is_of(part),
            Err(_) => true,
        })
    }

    /// Waits until a revision that is in the journal has been applied.
    pub(super) fn wait_for(&self, revision: Revision) -> Result<(), StoreError> {
        while self.writer()?.meta.head.revision < revision {
            // Whoever applies it needs the lock, and the time of a sync matters to nobody who erases.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }

    /// Lets nothing more be applied.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Writes rows and meta together. What the index of users sums up to is worked out here.
    fn commit(&self, writer: &mut Writer, rows: Rows, meta: Meta) -> Result<Meta, StoreError> {
        let (users, users_digest) = rows.users.rows(writer.meta.users_digest);
        let meta = Meta { users_digest, ..meta };
        let row = meta.encode();
        let [kept, past, cut] = [rows.state, rows.history, rows.parts].map(batch);
        let users = batch(users);
        (&self.state, &self.history, &self.parts, &self.users.0, &self.meta)
            .transaction(|(state, history, parts, index, meta)| {
                state.apply_batch(&kept)?;
                history.apply_batch(&past)?;
                parts.apply_batch(&cut)?;
                index.apply_batch(&users)?;
                meta.insert(META_KEY, row.as_slice())?;
                Ok(())
            })
            .map_err(|error: TransactionError<()>| match error {
                TransactionError::Storage(error) => engine(error),
                TransactionError::Abort(()) => StoreError::Engine("a transaction was aborted".to_owned()),
            })?;
        writer.meta.users_digest = users_digest;
        Ok(meta)
    }

    /// Leaves changes as a crash amid applying them does.
    #[cfg(test)]
    pub(super) fn apply_half(&self, changes: &[&Change], stops: super::apply::Stops) -> Result<(), StoreError> {
        self.write_piece(&mut self.lock(), changes, stops).map(|_| ())
    }

    /// Moves on how far the state has come.
    pub(super) fn put_meta(&self, writer: &mut Writer, meta: Meta) -> Result<(), StoreError> {
        self.meta.insert(META_KEY, meta.encode()).map_err(engine)?;
        writer.meta = meta;
        self.publish(&meta);
        Ok(())
    }

    /// Writes rows that no change writes, in a transaction, and what the state sums up to then.
    pub(super) fn finish(&self, writer: &mut Writer, rows: Rows, meta: Meta) -> Result<(), StoreError> {
        let meta = self.commit(writer, rows, meta)?;
        writer.meta = meta;
        self.publish(&meta);
        Ok(())
    }

    /// A stored value as a row.
    pub(super) fn row(&self, key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
        let mut reader = Reader(value);
        let (Some(kind), Some(revision)) = (reader.u8(), reader.u64().map(Revision)) else {
            return Err(damaged("a stored value is cut short"));
        };
        let record = match (kind, reader.0.len()) {
            (0, _) => reader.0.to_vec(),
            (1, 4) => {
                let mut record = Vec::new();
                for position in 0..reader.u32().unwrap_or_default() {
                    let part = self.parts.get(part_key(key, revision, position)).map_err(engine)?;
                    record.extend_from_slice(&part.ok_or_else(|| damaged("a part of a large record is missing"))?);
                }
                record
            }
            _ => return Err(damaged("a stored value is of no known kind")),
        };
        Ok(Row { key: key.to_vec(), revision, record })
    }

    fn check_kept(&self, at: Revision) -> Result<(), StoreError> {
        let oldest = self.oldest();
        if at < oldest { Err(StoreError::RevisionGone { asked: at, oldest }) } else { Ok(()) }
    }

    /// Sums up all before-images afresh. Cost: linear in the history.
    pub(super) fn recompute_history_digest(&self) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        for item in &self.history {
            let (stored, value) = item.map_err(engine)?;
            let (key, replaced_at) = history::split(&stored)?;
            let row = self.row(key, &value)?;
            sum = sum.plus(history_row(key, row.revision, replaced_at, &row.record));
        }
        Ok(sum)
    }
}

fn decoded(row: &Row) -> Result<Stamped<Record>, StoreError> {
    Ok(Stamped { revision: row.revision, value: decode_record(&row.record)? })
}

fn decoded_rows(rows: Vec<Row>) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
    rows.iter().map(|row| Ok((decode_key(&row.key)?, decoded(row)?))).collect()
}

impl SledStore {
    /// Whether a read has met what cannot be.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    /// Reads, and notes if that met damage. On damaged files sled can panic; that is an error like another here.
    fn watched<T>(&self, read: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        loop {
            let deletions = self.deletions.load(Ordering::SeqCst);
            let outcome = catch_unwind(AssertUnwindSafe(&read))
                .unwrap_or_else(|_| Err(StoreError::Engine("reading the state ended abnormally".to_owned())));
            if matches!(outcome, Err(StoreError::DamagedState(_) | StoreError::Engine(_))) {
                if deletions % 2 == 1 || self.deletions.load(Ordering::SeqCst) != deletions {
                    // Parts of what was read were being erased: now something else stands in its place.
                    std::thread::yield_now();
                    continue;
                }
                self.suspect.store(true, Ordering::Relaxed);
            }
            return outcome;
        }
    }
}

impl View for SledStore {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        let key = encode_key(key);
        self.watched(|| {
            let value: Option<IVec> = self.state.get(&key).map_err(engine)?;
            value.map(|value| decoded(&self.row(&key, &value)?)).transpose()
        })
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        let prefix = encode_range(range);
        self.watched(|| {
            let rows = self.state.range(history::from(&prefix, after.map(encode_key)));
            let rows = rows.take(limit).map(|item| item.map_err(engine));
            let rows = rows.take_while(|item| item.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)));
            let rows = rows.map(|item| item.and_then(|(key, value)| self.row(&key, &value)));
            decoded_rows(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Versions for SledStore {
    fn as_versions(&self) -> &dyn Versions {
        self
    }

    fn head(&self) -> Head {
        self.published().head
    }

    fn get_at(&self, key: &Key, at: Revision) -> Result<Option<Stamped<Record>>, StoreError> {
        self.check_kept(at)?;
        let row = self.watched(|| self.row_at(&encode_key(key), at));
        // What was read is right only if nothing of it was pruned in the meantime; and a failure may be just that.
        self.check_kept(at)?;
        row?.map(|row| decoded(&row)).transpose()
    }

    fn scan_at(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.check_kept(at)?;
        let rows = self.watched(|| self.rows_at(&encode_range(range), after.map(encode_key), limit, at));
        self.check_kept(at)?;
        decoded_rows(rows?)
    }

    fn oldest(&self) -> Revision {
        self.published().oldest
    }

    fn find_users(
        &self,
        account: Number,
        by: UserText,
        prefix: &str,
        after: Option<(&str, Number)>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(String, Number)>, StoreError> {
        self.check_kept(at)?;
        let found = self.watched(|| self.users.find(account, by, prefix, after, limit, at));
        self.check_kept(at)?;
        found
    }
}

impl Store for SledStore {
    fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut writer = self.writer()?;
        let head = writer.meta.head.revision;
        let changes = self.erasures.clean(changes);
        let new: Vec<_> = changes.iter().filter(|change| change.revision > head).collect();
        if new.iter().zip(head.0 + 1..).any(|(change, revision)| change.revision.0 != revision) {
            return Err(damaged("changes were to be applied that do not follow the head; the next one was expected"));
        }
        writer.guarded(|writer| self.apply_all(writer, &new))
    }

    fn recompute_digest(&self) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        for item in &self.state {
            let (key, value) = item.map_err(engine)?;
            let row = self.row(&key, &value)?;
            sum = sum.plus(state_row(&key, row.revision, &row.record));
        }
        Ok(sum)
    }
}
