//! Erasing personal fields on request from all that a data directory holds: journal, state, history, index, snapshots.
//!
//! A value belongs to a key and to the revision that wrote it. All values of the keys up to the head at which erasing
//! begins are void from then on: [`Erasures`] keeps a write that was planned before from bringing one back. So one pass
//! over each place is enough, and each can be begun again. `journal/erase.rs` does the segments, `state` does sled.
//! What is left reads as an empty profile, or as a request with an empty answer.

mod state;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use super::{
    ChangeLog as _, Opened, StoreError, files,
    key_codec::{encode_key, erased},
    snapshot,
};
use crate::model::{Change, Key, Number, RequestKey, Revision};

/// So many changes of the journal are read at a time.
const READ_CHANGES: usize = 256;

impl Opened {
    /// The keys of the requests whose answers can repeat what a profile of these users (account and user) held: those
    /// that were recorded in a change that also wrote or removed one of the profiles. Cost: reading the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the journal cannot be read.
    pub fn personal_requests(&self, users: &[(Number, Number)]) -> Result<Vec<RequestKey>, StoreError> {
        let _one = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let users: BTreeSet<_> = users.iter().copied().collect();
        let mut found = BTreeSet::new();
        let mut after = self.log.oldest();
        loop {
            let changes = self.log.read(after, READ_CHANGES)?;
            let Some(last) = changes.last() else { return Ok(found.into_iter().collect()) };
            after = last.revision;
            for change in changes {
                let keys = || change.records.iter().map(|record| &record.key);
                let concerned =
                    |key: &Key| matches!(key, Key::Profile { account, user } if users.contains(&(*account, *user)));
                if keys().any(concerned) {
                    found.extend(keys().filter_map(|key| match key {
                        Key::Request(request) => Some(request.clone()),
                        _ => None,
                    }));
                }
            }
        }
    }

    /// Erases every value that the profiles of these users (account and user) and these requests have had up to now:
    /// from the journal, whose chain goes on to verify, from the state, its history and its index of users, and from
    /// the snapshots, of which a new one is left alone. Damaged states that were put aside are deleted. Writing and
    /// reading go on meanwhile. Interrupted at any moment, it is to be called again, until it succeeds; called again
    /// after that, it only takes a snapshot. To be called from a thread of its own.
    ///
    /// A profile that is there now is erased like those before it. What is written later is not.
    ///
    /// Cost: reading the journal, writing those segments that hold such values, and a snapshot.
    ///
    /// # Errors
    /// [`StoreError::DamagedJournal`] if a segment is not what was written, [`StoreError::DiskNearlyFull`] if there is
    /// no room to write one anew; others if the disk refuses. Then some values are erased, and others are not.
    pub fn erase_personal(&self, users: &[(Number, Number)], requests: &[RequestKey]) -> Result<(), StoreError> {
        self.erase_in_steps(users, requests, &mut || Ok(()))
    }

    /// `step` is asked before each thing that is done for good.
    fn erase_in_steps(
        &self,
        users: &[(Number, Number)],
        requests: &[RequestKey],
        step: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if users.is_empty() && requests.is_empty() {
            return Ok(());
        }
        let _one = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let profiles = users.iter().map(|&(account, user)| Key::Profile { account, user });
        let requests = requests.iter().cloned().map(Key::Request);
        let keys: BTreeMap<Vec<u8>, Key> = profiles.chain(requests).map(|key| (encode_key(&key), key)).collect();
        let bytes: BTreeSet<Vec<u8>> = keys.keys().cloned().collect();

        step()?;
        let until = self.log.begin_erasing(&bytes)?;
        self.log.erase(&bytes, until, step)?;
        // What is journaled and yet to come to the state can be read by writes that are planned; once it is there it is
        // erased with the rest.
        self.store.wait_for(until)?;
        self.store.erase(&keys, users, until, step)?;
        // A write that is lost to a power cut from here on would be done again from a journal that holds nothing more.
        self.store.sync()?;
        step()?;
        self.renew_snapshots(step)?;
        let head = self.log.head().revision;
        self.log.erasures.settle(head);
        self.store.erasures.settle(head);
        Ok(())
    }

    /// Writes a snapshot, in the place of one of the same revision too, and deletes all others, and the states that
    /// were put aside.
    fn renew_snapshots(&self, step: &mut dyn FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let directory = &self.paths.snapshots;
        files::remove_unfinished(directory)?;
        let path = snapshot::path(directory, snapshot::write(&self.store, &self.log, directory, self.store_id)?);
        for name in files::names(directory)? {
            // Those that can no longer be read too.
            if snapshot::is_snapshot(&name) && directory.join(&name) != path {
                step()?;
                files::remove(&directory.join(name))?;
            }
        }
        files::sync_directory(directory)?;
        step()?;
        self.paths.remove_damaged_states()?;
        files::sync_directory(&self.paths.directory)
    }
}

/// Which values are void: those of a key that were written at a revision or before it. A write that was planned before
/// they were erased can still hold them as before-images.
#[derive(Default)]
pub(super) struct Erasures(Mutex<Void>);

#[derive(Default)]
struct Void {
    until: BTreeMap<Vec<u8>, Revision>,
    /// When the head is beyond this, no write that was planned before is to come.
    settled: Option<Revision>,
}

impl Erasures {
    fn void(&self) -> std::sync::MutexGuard<'_, Void> {
        // Replaced in single steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes values of these keys void that were written at `until` or before. `head`: where the log or the store is.
    pub(super) fn begin(&self, keys: &BTreeSet<Vec<u8>>, until: Revision, head: Revision) {
        let mut void = self.void();
        // Writes are planned one after the other, each at the head that the one before it left.
        if void.settled.take().is_some_and(|settled| settled < head) {
            void.until.clear();
        }
        void.until.extend(keys.iter().map(|key| (key.clone(), until)));
    }

    /// All values have been erased, and the head of the log was here.
    fn settle(&self, head: Revision) {
        self.void().settled = Some(head);
    }

    /// The changes without void values. Cost: nothing if there are none.
    pub(super) fn clean<'a>(&self, changes: &'a [Change]) -> Cow<'a, [Change]> {
        let void = self.void();
        if void.until.is_empty() {
            return Cow::Borrowed(changes);
        }
        let mut cleaned = Cow::Borrowed(changes);
        for (index, change) in changes.iter().enumerate() {
            for (position, record) in change.records.iter().enumerate() {
                let Some(empty) = erased(&record.key) else { continue };
                let Some(until) = void.until.get(&encode_key(&record.key)) else { continue };
                let before = record.before.as_ref().is_some_and(|before| before.revision <= *until);
                let after = record.after.is_some() && change.revision <= *until;
                let own = (before || after).then(|| cleaned.to_mut().get_mut(index)).flatten();
                let Some(own) = own.and_then(|change| change.records.get_mut(position)) else { continue };
                if let Some(own) = own.before.as_mut().filter(|_| before) {
                    own.value = empty.clone();
                }
                if let Some(own) = own.after.as_mut().filter(|_| after) {
                    *own = empty;
                }
            }
        }
        cleaned
    }
}
