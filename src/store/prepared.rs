//! Changes made ready before they are appended: what is worked out here need not be worked out between the moment at
//! which a write is durable and that at which it is in force.
//!
//! What was made ready is used only if the store is still where it was; otherwise the changes are applied as if nothing
//! had been. Read [`Prepared`].

use std::borrow::Cow;

use super::{
    Digest, Head, Store, StoreError,
    sled_store::{Meta, Rows, SledStore, TRANSACTION_RECORDS},
};
use crate::model::Change;

/// Changes that are to be appended and then applied, and what the state will be after them.
pub struct Prepared<'c> {
    pub(super) changes: &'c [Change],
    digest: Digest,
    ready: Option<Box<Ready>>,
}

/// All that sled is to be told in one transaction.
struct Ready {
    /// Where the store was.
    before: Meta,
    rows: Rows,
    after: Meta,
}

impl<'c> Prepared<'c> {
    /// Changes that follow a head, with nothing worked out but the digest after them. Cost: linear in them.
    pub(super) fn plain(head: Head, changes: &'c [Change]) -> Self {
        let digest = changes.iter().fold(head.digest, |digest, change| digest.after(change));
        Self { changes, digest, ready: None }
    }

    /// The digest of the state after the changes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl SledStore {
    pub(super) fn make_ready<'c>(&self, changes: &'c [Change]) -> Result<Prepared<'c>, StoreError> {
        let before = self.meta();
        let records: usize = changes.iter().map(|change| change.records.len().max(1)).sum();
        let follow =
            changes.iter().zip(before.head.revision.0 + 1..).all(|(change, revision)| change.revision.0 == revision);
        if records > TRANSACTION_RECORDS || !follow || self.has_void_values(changes) {
            return Ok(Prepared::plain(before.head, changes));
        }
        let (mut rows, mut after) = (Rows::default(), before);
        for change in changes {
            self.add_records(&mut rows, &mut after, change, &change.records)?;
            after.head = after.head.moved_by(change);
        }
        let ready = Ready { before, rows, after };
        Ok(Prepared { changes, digest: after.head.digest, ready: Some(Box::new(ready)) })
    }

    pub(super) fn apply_ready(&self, prepared: Prepared<'_>) -> Result<(), StoreError> {
        if let Some(ready) = prepared.ready {
            let mut writer = self.writer()?;
            // Between then and now, something else may have been written: values erased, old ones forgotten.
            if writer.meta == ready.before && !self.has_void_values(prepared.changes) {
                return writer.guarded(|writer| self.finish(writer, &ready.rows, ready.after));
            }
        }
        self.apply(prepared.changes)
    }

    fn has_void_values(&self, changes: &[Change]) -> bool {
        matches!(self.erasures.clean(changes), Cow::Owned(_))
    }
}
