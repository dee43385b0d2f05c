//! A plain table as the place where entries are kept, for things of which there are few.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::load::{Entry, EntryMap};

type Table<V> = HashMap<Box<[u8]>, Arc<Entry<V>>>;

/// Entries by key, every one kept: for catalogs, of which there are a handful.
pub struct TableMap<V> {
    entries: RwLock<Table<V>>,
}

impl<V> Default for TableMap<V> {
    fn default() -> Self {
        Self { entries: RwLock::default() }
    }
}

impl<V> TableMap<V> {
    /// Forgets everything.
    pub fn forget(&self) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl<V: Send + Sync> EntryMap<V> for TableMap<V> {
    fn get(&self, key: &[u8]) -> Option<Arc<Entry<V>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn insert(&self, key: &[u8], entry: &Arc<Entry<V>>) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(key.into(), Arc::clone(entry));
    }
}
