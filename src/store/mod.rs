//! Where facts are kept: a journal of changes that is on stable storage before anything is acknowledged, and beside it
//! the state that the changes add up to.
//!
//! The journal is the truth; the state can be thrown away and rebuilt from it. Nothing here decides anything: a
//! [`Change`] is appended and applied as it is. Read [`ChangeLog`] and [`Store`] first; [`open`](fn@open) puts both
//! together in a data directory.

mod apply;
mod bytes;
mod catalog_codec;
#[cfg(test)]
mod conformance;
mod digest;
mod erase;
mod files;
mod history;
mod journal;
mod key_codec;
mod leaves;
mod memory;
mod open;
mod prune;
mod record_codec;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod recovery_tests;
mod sled_store;
mod snapshot;
mod time_mark;
mod user_index;
mod user_texts;
mod write_behind;
#[cfg(test)]
mod write_behind_tests;

#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/rolecall.storage.v1.rs"));
}

pub use journal::{DiskGuard, FileJournal, JournalMark, JournalOptions};
pub use memory::{MemoryLog, MemoryStore};
pub use open::{OpenOptions, OpenReport, Opened, PruneReport, open};
pub use sled_store::SledStore;
pub use user_texts::{MAX_TEXT_BYTES, UserText};
pub use write_behind::{Group, WriteBehind};

use std::{path::PathBuf, time::Duration};

use thiserror::Error;

use crate::model::{Change, Key, KeyRange, Number, Record, Revision, Stamped, Timestamp};

/// Why a store cannot do what was asked. Never shown to a client: `service` turns it into "unavailable".
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another server has the data directory.
    #[error("the data directory {} is in use by another rolecall server (process {holder}); stop that one, or give this one a directory of its own", directory.display())]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// The other process, or "unknown".
        holder: String,
    },
    /// A format that this version does not know.
    #[error("{} has format version {found}; this rolecall reads version {expected}: use the version of rolecall that wrote it", path.display())]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u64,
        /// What this version reads.
        expected: u64,
    },
    /// The journal is not what was written. rolecall does not guess: it does not start.
    #[error("the journal is damaged: {} at byte {offset}: {what}; restore this file from a backup, and do not delete it: what follows the damage in it would be lost", path.display())]
    DamagedJournal {
        /// Which file.
        path: PathBuf,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What was found, and what was expected.
        what: String,
    },
    /// The state is not what the journal says. At start it is rebuilt; later it is an error.
    #[error("the stored state is damaged: {0}")]
    DamagedState(String),
    /// An append was refused because the head has moved.
    #[error("the head of the change log is revision {head}, not {expected}", head = head.0, expected = expected.0)]
    HeadMoved {
        /// Where the head is.
        head: Revision,
        /// Where the caller thought that it was.
        expected: Revision,
    },
    /// A revision that is no longer kept.
    #[error("revision {asked} is no longer kept; the oldest is {oldest}", asked = asked.0, oldest = oldest.0)]
    RevisionGone {
        /// What was asked for.
        asked: Revision,
        /// What can be read.
        oldest: Revision,
    },
    /// Nothing can be written until a restart: an earlier write failed and its outcome is unknown.
    #[error("writing has stopped after an earlier failure; restart the server")]
    Stopped,
    /// The disk is nearly full.
    #[error("{free} bytes are free where the data directory is; writing stops below {needed}")]
    DiskNearlyFull {
        /// What is free, in bytes.
        free: u64,
        /// The limit, in bytes.
        needed: u64,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// sled refused.
    #[error("the embedded store failed: {0}")]
    Engine(String),
}

/// A sum over all current records that does not depend on their order: equal states have equal digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u64; 4]);

/// How far a store or a log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last revision that it holds; 0: empty.
    pub revision: Revision,
    /// The digest of the state at that revision.
    pub digest: Digest,
    /// The first internal number that is still free; 0 in an empty store counts as 1.
    pub next_number: u64,
    /// The time of the last change.
    pub time: Timestamp,
}

/// Facts that can be read: the current ones, those of an earlier revision, or those of a write that is being planned.
pub trait View {
    /// The record of a key, if it is there. Cost: one or two look-ups.
    ///
    /// # Errors
    /// [`StoreError`] if the storage cannot be read.
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError>;

    /// At most `limit` records of a range in key order, beginning after `after` (a key of that range).
    /// Cost: linear in `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the storage cannot be read.
    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError>;
}

/// Facts that can be read as they stood at any revision that is kept. As a [`View`] it shows what there is at the moment of
/// each call: two calls can see different revisions.
pub trait Versions: View + Send + Sync + 'static {
    /// How far it has come.
    fn head(&self) -> Head;

    /// As [`View::get`], as it stood when `at` was the head.
    ///
    /// # Errors
    /// [`StoreError::RevisionGone`] before [`Self::oldest`]; others if the storage cannot be read.
    fn get_at(&self, key: &Key, at: Revision) -> Result<Option<Stamped<Record>>, StoreError>;

    /// As [`View::scan`], as it stood when `at` was the head. Deleted records of that time are there.
    ///
    /// # Errors
    /// As [`Self::get_at`].
    fn scan_at(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError>;

    /// The oldest revision that can be read.
    fn oldest(&self) -> Revision;

    /// Users of an account in the order of a text of theirs that begins with `prefix`, and then of their numbers, as
    /// it stood when `at` was the head: at most `limit`, beginning after `after`. A user who has several such texts is
    /// there once, with the first of them. `prefix` and texts are in lower case, texts cut at [`MAX_TEXT_BYTES`].
    ///
    /// Cost on sled: linear in `limit`, in the length of the prefix, and in the texts on the way that were taken away and
    /// are still kept, or came later; not in the users of the account, nor in how often one of them was renamed to and
    /// fro. Provided here, and in memory: linear in the users of the account.
    ///
    /// # Errors
    /// As [`Self::get_at`].
    fn find_users(
        &self,
        account: Number,
        by: UserText,
        prefix: &str,
        after: Option<(&str, Number)>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(String, Number)>, StoreError> {
        user_texts::scan(&At { store: self.as_versions(), revision: at }, account, by, prefix, after, limit)
    }

    /// Itself, for methods that the trait provides.
    fn as_versions(&self) -> &dyn Versions;
}

/// The state that the changes add up to.
pub trait Store: Versions {
    /// Takes in changes that follow the head one by one: all of them, the before-images, and the new head, so that a
    /// crash leaves all or nothing of a small group and a large change is finished at the next open. Changes at or
    /// below the head are passed over. Never validates.
    ///
    /// # Errors
    /// [`StoreError`] if the storage failed; nothing more can be applied then until a restart.
    fn apply(&self, changes: &[Change]) -> Result<(), StoreError>;

    /// Reads every record and sums it up afresh. Cost: linear in the store.
    ///
    /// # Errors
    /// [`StoreError`] if the storage cannot be read.
    fn recompute_digest(&self) -> Result<Digest, StoreError>;
}

/// The log of changes: what is in it has been acknowledged, and nothing else has.
pub trait ChangeLog: Send + Sync + 'static {
    /// Appends changes with consecutive revisions, the first of which follows `expected`, and returns when they are on
    /// stable storage. `digest` is the state's digest after the last of them.
    ///
    /// # Errors
    /// [`StoreError::HeadMoved`] if the head is another, [`StoreError::DiskNearlyFull`], and
    /// [`StoreError::DamagedState`] if the revisions do not follow one another or the digest is not that of the changes:
    /// nothing was written, and the next append may succeed. Any other error: the outcome is unknown, and every later
    /// append fails with [`StoreError::Stopped`].
    fn append(&self, expected: Revision, changes: &[Change], digest: Digest) -> Result<(), StoreError>;

    /// How far it has come.
    fn head(&self) -> Head;

    /// The changes after `after` in order, at most `limit`; fewer only at the head.
    ///
    /// # Errors
    /// [`StoreError::RevisionGone`] if they are no longer kept; others if the log cannot be read.
    fn read(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// As [`Self::read`], but waits up to `patience` for a change if there is none yet.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn follow(&self, after: Revision, limit: usize, patience: Duration) -> Result<Vec<Change>, StoreError>;
}

/// Facts as they stood at one revision, whatever is written meanwhile.
pub struct At<'a> {
    /// Where they are kept.
    pub store: &'a dyn Versions,
    /// The revision.
    pub revision: Revision,
}

impl View for At<'_> {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        self.store.get_at(key, self.revision)
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.store.scan_at(range, after, limit, self.revision)
    }
}
