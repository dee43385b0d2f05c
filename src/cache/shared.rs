//! A value that many names share, with all that it depends on.

use std::{
    hash::Hash,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::model::Timestamp;

/// What can be shared, and by what equal ones are known.
pub trait Shareable {
    /// Equal keys are equal values, as long as one of them is kept.
    type Key: Eq + Hash + Send;

    /// The value's key.
    fn key(&self) -> Self::Key;

    /// Memory that is freed when the value goes, in bytes.
    fn bytes(&self) -> usize;
}

/// A value with all that it depends on.
#[derive(Debug)]
pub struct Shared<V> {
    /// The value.
    pub value: V,
    /// The instant from which it does not hold any more, whatever happens; none: no such instant.
    pub expires: Option<Timestamp>,
    pub(super) slots: Box<[u32]>,
    /// Its number; none: it is not kept.
    pub(super) target: Option<u64>,
    was_asked: AtomicBool,
}

impl<V> Shared<V> {
    /// A value that nobody else shares.
    pub(super) fn unkept(value: V, slots: Box<[u32]>, expires: Option<Timestamp>) -> Self {
        Self { value, expires, slots, target: None, was_asked: AtomicBool::new(false) }
    }

    /// The value of a number.
    pub(super) fn numbered(target: u64, value: V, slots: Box<[u32]>, expires: Option<Timestamp>) -> Self {
        Self { target: Some(target), ..Self::unkept(value, slots, expires) }
    }

    /// Notes that it was asked for. Writes nothing if that is known.
    pub(super) fn note_asked(&self) {
        if !self.was_asked.load(Ordering::Relaxed) {
            self.was_asked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was asked for since this was called last.
    #[cfg(feature = "server")]
    pub(super) fn take_asked(&self) -> bool {
        self.was_asked.swap(false, Ordering::Relaxed)
    }
}
