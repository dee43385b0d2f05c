//! The time of a run, which the run itself moves forward.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rolecall::{model::Timestamp, service::Clock};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A clock that is shared by a server and all workers. It moves only while no worker is in a step.
#[derive(Clone, Debug)]
pub struct RunClock {
    millis: Arc<AtomicU64>,
    steps: Arc<RwLock<()>>,
    moves: bool,
}

impl RunClock {
    /// One that the workers move.
    pub fn moved_by_hand() -> Self {
        Self::at(1_800_000_000_000, true)
    }

    /// One that stands still, for a server that has a clock of its own: what expires has to do so far ahead.
    pub fn of_the_machine() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self::at(now.as_millis() as u64, false)
    }

    fn at(millis: u64, moves: bool) -> Self {
        Self { millis: Arc::new(AtomicU64::new(millis)), steps: Arc::default(), moves }
    }

    pub(super) fn moves(&self) -> bool {
        self.moves
    }

    pub(super) fn millis(&self) -> u64 {
        self.millis.load(Ordering::SeqCst)
    }

    /// Holds the clock still.
    pub(super) async fn step(&self) -> RwLockReadGuard<'_, ()> {
        self.steps.read().await
    }

    /// Waits until no step is under way, and lets none begin.
    pub(super) async fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.steps.write().await
    }

    /// Moves on to a time, with [`Self::still`] held.
    pub(super) fn go_to(&self, millis: u64) {
        self.millis.fetch_max(millis, Ordering::SeqCst);
    }
}

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.millis())
    }
}
