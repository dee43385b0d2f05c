//! The synchronisation that `cache` is built on: std's, or the model checker's in its place.

#[cfg(feature = "shuttle")]
pub(super) use shuttle::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

/// Locks, whatever a panicking holder left: every value behind these locks is whole between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Words that are all 0. Memory is taken for those that are written.
#[cfg(not(feature = "shuttle"))]
pub(super) fn zeroes(count: usize) -> Box<[AtomicU64]> {
    bytemuck::allocation::zeroed_slice_box(count)
}

/// The same for the model checker, whose words are no plain ones.
#[cfg(feature = "shuttle")]
pub(super) fn zeroes(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}
