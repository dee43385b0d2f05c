//! The store and the log of changes in memory, with the same meaning as those on disk: for tests and benchmarks.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use super::{
    ChangeLog, Digest, Head, Store, StoreError, Versions, View,
    digest::state_row,
    journal::check_append,
    key_codec::{decode_key, encode_key, encode_range},
    record_codec::encode_record,
};
use crate::model::{Change, Key, KeyRange, Record, Revision, Stamped};

/// The state in memory. Keeps every revision.
#[derive(Default)]
pub struct MemoryStore(RwLock<State>);

/// All that a key ever was: by the revision that wrote it; none: it was deleted.
type History = BTreeMap<Revision, Option<Record>>;

#[derive(Default)]
struct State {
    /// What is there now, apart, so that reading it costs nothing for what was deleted.
    current: BTreeMap<Vec<u8>, Stamped<Record>>,
    records: BTreeMap<Vec<u8>, History>,
    head: Head,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(versions: &History, at: Revision) -> Option<Stamped<Record>> {
    let (revision, record) = versions.range(..=at).next_back()?;
    Some(Stamped { revision: *revision, value: record.clone()? })
}

impl View for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        Ok(self.state().current.get(&encode_key(key)).cloned())
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        let (prefix, start) = bounds(range, after);
        let state = self.state();
        let there = state.current.range((start, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(&prefix));
        there.take(limit).map(|(key, record)| Ok((decode_key(key)?, record.clone()))).collect()
    }
}

/// The prefix of a range, and where a scan of it begins.
fn bounds(range: KeyRange, after: Option<&Key>) -> (Vec<u8>, Bound<Vec<u8>>) {
    let prefix = encode_range(range);
    let start = match after.map(encode_key) {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix.clone()),
    };
    (prefix, start)
}

impl Versions for MemoryStore {
    fn as_versions(&self) -> &dyn Versions {
        self
    }

    fn head(&self) -> Head {
        self.state().head
    }

    fn get_at(&self, key: &Key, at: Revision) -> Result<Option<Stamped<Record>>, StoreError> {
        Ok(self.state().records.get(&encode_key(key)).and_then(|versions| version(versions, at)))
    }

    fn scan_at(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        let (prefix, start) = bounds(range, after);
        let state = self.state();
        let keys = state.records.range((start, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(&prefix));
        let there = keys.filter_map(|(key, versions)| version(versions, at).map(|record| (key, record)));
        there.take(limit).map(|(key, record)| Ok((decode_key(key)?, record))).collect()
    }

    fn oldest(&self) -> Revision {
        Revision(0)
    }
}

impl Store for MemoryStore {
    fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            if change.revision <= state.head.revision {
                continue;
            }
            if change.revision.0 != state.head.revision.0 + 1 {
                return Err(StoreError::DamagedState(
                    "changes were to be applied that do not follow the head; the next one was expected".to_owned(),
                ));
            }
            for record in &change.records {
                let key = encode_key(&record.key);
                match record.after.clone() {
                    Some(value) => state.current.insert(key.clone(), Stamped { revision: change.revision, value }),
                    None => state.current.remove(&key),
                };
                state.records.entry(key).or_default().insert(change.revision, record.after.clone());
            }
            state.head = state.head.after(change);
        }
        Ok(())
    }

    fn recompute_digest(&self) -> Result<Digest, StoreError> {
        let state = self.state();
        let current =
            state.records.iter().filter_map(|(key, versions)| Some((key, version(versions, state.head.revision)?)));
        Ok(current.fold(Digest::default(), |sum, (key, record)| {
            sum.plus(state_row(key, record.revision, &encode_record(&record.value)))
        }))
    }
}

/// The log of changes in memory. "On stable storage" means nothing here.
#[derive(Default)]
pub struct MemoryLog {
    log: Mutex<Log>,
    grown: Condvar,
}

#[derive(Default)]
struct Log {
    changes: Vec<Change>,
    head: Head,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeLog for MemoryLog {
    fn append(&self, expected: Revision, changes: &[Change], digest: Digest) -> Result<(), StoreError> {
        let mut log = self.log();
        let heads = check_append(log.head, expected, changes, digest)?;
        log.head = heads.last().copied().unwrap_or(log.head);
        log.changes.extend_from_slice(changes);
        drop(log);
        self.grown.notify_all();
        Ok(())
    }

    fn head(&self) -> Head {
        self.log().head
    }

    fn read(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        let log = self.log();
        // Revision 1 is at position 0, so what follows `after` begins at the position of that number.
        let skip = usize::try_from(after.0).unwrap_or(usize::MAX);
        Ok(log.changes.iter().skip(skip).take(limit).cloned().collect())
    }

    fn follow(&self, after: Revision, limit: usize, patience: Duration) -> Result<Vec<Change>, StoreError> {
        let log = self.log();
        drop(
            self.grown
                .wait_timeout_while(log, patience, |log| log.head.revision <= after)
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.read(after, limit)
    }
}
