//! What the model checker has in the place of `values`: it forgets whatever it likes.

use std::{ops::Deref, sync::Arc};

use shuttle::rand::{Rng, thread_rng};

use super::{
    shared::{Shareable, Shared},
    sync::{Mutex, lock},
};
use crate::model::{Revision, Timestamp};

/// A value that was found.
pub(super) struct Guard<T>(T);

impl<T> Guard<T> {
    pub(super) fn from_inner(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Values by number.
pub struct SharedValues<V>(Mutex<Vec<Arc<Shared<V>>>>);

impl<V: Shareable> SharedValues<V> {
    /// No values yet.
    #[must_use]
    pub fn new(_bytes: u64) -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The value of a number, or nothing.
    pub(super) fn get(&self, target: u64) -> Guard<Option<Arc<Shared<V>>>> {
        let values = lock(&self.0);
        let found = values.get(usize::try_from(target).unwrap_or(usize::MAX)).filter(|_| thread_rng().gen_bool(0.9));
        if let Some(shared) = found {
            shared.note_asked();
        }
        Guard(found.cloned())
    }

    /// Hands on the value of a number, or nothing.
    pub fn with<R>(&self, target: u64, then: impl FnOnce(&Shared<V>) -> R) -> Option<R> {
        self.get(target).as_ref().map(|shared| then(shared))
    }

    /// Any value of those who have the same of their own.
    pub fn latest(&self, own: &V::Own) -> Option<Arc<Shared<V>>> {
        let values = lock(&self.0);
        let same: Vec<_> = values.iter().filter(|kept| kept.value.own() == own).collect();
        if same.is_empty() {
            None
        } else {
            same.get(thread_rng().gen_range(0..same.len())).map(|kept| Arc::clone(kept))
        }
    }

    /// Keeps a value, or finds the one that is kept and equal to it.
    pub fn keep(&self, value: V, slots: Box<[u32]>, expires: Option<Timestamp>, revision: Revision) -> Arc<Shared<V>> {
        let mut values = lock(&self.0);
        let is_same =
            |kept: &&Arc<Shared<V>>| kept.value.key() == value.key() && kept.slots == slots && kept.expires == expires;
        if let Some(kept) = values.iter().find(is_same) {
            kept.note_worked_out(revision);
            return Arc::clone(kept);
        }
        let shared = Arc::new(Shared::numbered(values.len() as u64, value, slots, expires));
        shared.note_worked_out(revision);
        values.push(Arc::clone(&shared));
        shared
    }
}
