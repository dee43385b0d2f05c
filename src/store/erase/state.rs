//! Erasing personal values from sled: current records, before-images, their parts, and the index of users.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    model::{Key, Number, Revision},
    store::{
        StoreError, history,
        key_codec::erased,
        record_codec::encode_record,
        sled_store::{Rows, SledStore, engine},
    },
};

/// So many before-images are replaced in one transaction.
const BATCH: usize = 500;

/// Odd while parts of values are being deleted: a reader that misses one then reads again.
struct Deleting<'a>(&'a AtomicU64);

impl<'a> Deleting<'a> {
    fn begin(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Deleting<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl SledStore {
    /// Erases the values of these keys that were written at `until` or before, and what the index of users has of them.
    /// `step` is asked before each key and each user. Digests stay as they are: they leave personal values out.
    pub(in crate::store) fn erase(
        &self,
        keys: &BTreeMap<Vec<u8>, Key>,
        users: &[(Number, Number)],
        until: Revision,
        step: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let head = self.meta().head.revision;
        self.erasures.begin(&keys.keys().cloned().collect(), until, head);
        for (bytes, key) in keys {
            if let Some(empty) = erased(key) {
                step()?;
                self.erase_key(bytes, &encode_record(&empty), until)?;
            }
        }
        for user in users {
            step()?;
            let mut writer = self.writer()?;
            let mut rows = Rows::default();
            self.users.erase(&mut rows.users, self, *user)?;
            let meta = writer.meta;
            self.finish(&mut writer, rows, meta)?;
        }
        Ok(())
    }

    fn erase_key(&self, key: &[u8], empty: &[u8], until: Revision) -> Result<(), StoreError> {
        let first = [key, &[0][..]].concat();
        let mut from = first.clone();
        loop {
            let mut writer = self.writer()?;
            let mut rows = Rows::default();
            let mut seen = 0;
            for item in self.history.range(std::mem::take(&mut from)..).take(BATCH) {
                let (stored, value) = item.map_err(engine)?;
                if !stored.starts_with(&first) {
                    break;
                }
                seen += 1;
                from = [&stored, &[0][..]].concat();
                let row = self.row(key, &value)?;
                if row.revision <= until && row.record != empty {
                    rows.remove_parts(&row);
                    rows.put_history(key, row.revision, history::split(&stored)?.1, empty);
                }
            }
            if seen < BATCH
                && let Some(value) = self.state.get(key).map_err(engine)?
            {
                let row = self.row(key, &value)?;
                if row.revision <= until && row.record != empty {
                    rows.remove_parts(&row);
                    rows.put_state(key, row.revision, empty);
                }
            }
            if seen < BATCH {
                // A change that was applied since erasing began leaves a before-image that is empty already.
                for part in self.parts_of(key, until) {
                    rows.remove_part(&part?);
                }
            }
            if rows.count > 0 {
                let _deleting = Deleting::begin(&self.deletions);
                let meta = writer.meta;
                self.finish(&mut writer, rows, meta)?;
            }
            if seen < BATCH {
                return Ok(());
            }
        }
    }
}
