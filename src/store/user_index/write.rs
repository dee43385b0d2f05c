//! Writing rows of the index: at once, or by a thread beside the one that writes the records of a large change.
//!
//! The thread stays. One that is begun for each change has an allocator's heap of its own, which is taken apart again
//! when it ends: that took a twelfth of its time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use sled::Tree;

use super::{IndexRows, UserIndex, keys::are_of_one_row};
use crate::store::{StoreError, leaves::batch, sled_store::engine};

/// The work of [`IndexThread`].
#[derive(Default)]
pub(in crate::store) struct IndexWork {
    /// A row of another tree, which has to be there first.
    pub mark: Option<(Vec<u8>, Vec<u8>)>,
    /// Written in this order.
    pub rows: IndexRows,
}

impl UserIndex {
    /// Writes rows one by one, but the pieces of a user's row together: they are of use together alone. `marks` is the
    /// tree of the mark. Cost: a write for each row.
    pub(in crate::store) fn write(&self, marks: &Tree, work: &IndexWork) -> Result<(), StoreError> {
        if let Some((key, mark)) = &work.mark {
            marks.insert(key.as_slice(), mark.as_slice()).map_err(engine)?;
        }
        for pieces in work.rows.chunk_by(|(one, _), (other, _)| are_of_one_row(one, other)) {
            match pieces {
                [(key, Some(value))] => _ = self.0.insert(key, value).map_err(engine)?,
                [(key, None)] => _ = self.0.remove(key).map_err(engine)?,
                pieces => {
                    let pieces = batch(pieces.iter().map(|(key, value)| (key.as_slice(), value.as_ref())));
                    self.0.apply_batch(pieces).map_err(engine)?;
                }
            }
        }
        Ok(())
    }
}

/// A thread that writes rows of the index.
pub(in crate::store) struct IndexThread {
    /// None: it is to end.
    work: Option<SyncSender<IndexWork>>,
    done: Receiver<Result<(), StoreError>>,
    thread: Option<JoinHandle<()>>,
}

impl IndexThread {
    /// Begins it. It ends when this is dropped.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(in crate::store) fn start(index: &UserIndex, marks: &Tree) -> Result<Self, StoreError> {
        let (index, marks) = (UserIndex(index.0.clone()), marks.clone());
        let (work, received) = sync_channel::<IndexWork>(1);
        let (written, done) = sync_channel(1);
        let write_all = move || {
            for work in received {
                let outcome = catch_unwind(AssertUnwindSafe(|| index.write(&marks, &work)));
                let outcome = outcome.unwrap_or_else(|_| Err(StoreError::Engine("writing the index panicked".into())));
                if written.send(outcome).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("rolecall-index".to_owned()).spawn(write_all);
        let thread = thread.map_err(|source| StoreError::Io { path: "state".into(), source })?;
        Ok(Self { work: Some(work), done, thread: Some(thread) })
    }

    /// Lets it write rows while something else is done here, and waits for both.
    ///
    /// # Errors
    /// What either of them says.
    pub(in crate::store) fn beside<T>(
        &mut self,
        work: IndexWork,
        other: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let ended = || StoreError::Engine("the thread that writes the index has ended".to_owned());
        self.work.as_ref().ok_or_else(ended)?.send(work).map_err(|_| ended())?;
        // Whatever becomes of the other: nothing is written any more when this returns.
        let other = catch_unwind(AssertUnwindSafe(other));
        let written = self.done.recv().map_err(|_| ended());
        let other = other.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        written??;
        Ok(other)
    }
}

impl Drop for IndexThread {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
