//! One copy of each value that many entries would otherwise hold a copy of.

use std::{collections::HashMap, hash::Hash};

use super::sync::{Mutex, lock};

/// Values by what they are made from, kept as long as somebody uses them.
pub struct Interner<S, V> {
    values: Mutex<Values<S, V>>,
}

struct Values<S, V> {
    by_signature: HashMap<S, std::sync::Weak<V>>,
    sweep_at: usize,
}

impl<S: Eq + Hash, V> Default for Interner<S, V> {
    fn default() -> Self {
        Self { values: Mutex::new(Values { by_signature: HashMap::new(), sweep_at: 1024 }) }
    }
}

impl<S: Eq + Hash, V> Interner<S, V> {
    /// The value of a signature, made now if nobody uses one. Equal signatures have to make equal values. Cost: one
    /// look-up under a lock; now and then a sweep over all of them, in proportion to how many were added since.
    pub fn get_or_make(&self, signature: S, make: impl FnOnce() -> V) -> std::sync::Arc<V> {
        if let Some(value) = lock(&self.values).by_signature.get(&signature).and_then(std::sync::Weak::upgrade) {
            return value;
        }
        // Made outside the lock: two threads may make the same value, and the second one to come back takes the first's.
        let made = std::sync::Arc::new(make());
        let mut values = lock(&self.values);
        if let Some(value) = values.by_signature.get(&signature).and_then(std::sync::Weak::upgrade) {
            return value;
        }
        values.by_signature.insert(signature, std::sync::Arc::downgrade(&made));
        if values.by_signature.len() >= values.sweep_at {
            values.by_signature.retain(|_, value| value.strong_count() > 0);
            values.sweep_at = (values.by_signature.len() * 2).max(1024);
        }
        made
    }
}
