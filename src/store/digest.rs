//! The arithmetic of [`Digest`]: a sum of hashes, so that a change costs what it touches and not what there is.
//!
//! The sum finds damage and mistakes; it is no defence against someone who can write the files, and need not be: the
//! journal's hash chain is that.

use sha2::{Digest as _, Sha256};

use super::{
    Digest, Head,
    key_codec::{encode_key, is_personal_key},
    record_codec::encode_record,
};
use crate::model::{Change, Revision};

fn lanes(hash: &[u8]) -> [u64; 4] {
    let mut lanes = [0; 4];
    for (lane, bytes) in lanes.iter_mut().zip(hash.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    lanes
}

/// The digest of one current row.
pub(super) fn state_row(key: &[u8], revision: Revision, record: &[u8]) -> Digest {
    row(b's', key, revision, Revision(0), record)
}

/// The digest of one before-image.
pub(super) fn history_row(key: &[u8], revision: Revision, replaced_at: Revision, record: &[u8]) -> Digest {
    row(b'h', key, revision, replaced_at, record)
}

/// The digest of one row of the index of users, which is the state's own: no journal and no snapshot has it.
pub(super) fn index_row(key: &[u8], value: &[u8]) -> Digest {
    let hash = Sha256::new_with_prefix([b'i']).chain_update((key.len() as u64).to_be_bytes()).chain_update(key);
    Digest(lanes(&hash.chain_update(value).finalize()))
}

fn row(domain: u8, key: &[u8], revision: Revision, replaced_at: Revision, record: &[u8]) -> Digest {
    // Personal values can be erased from the journal, and a state that is rebuilt from it afterwards has to come to the
    // digests that stand there: of a personal value the sum holds that it is there, and not what it is.
    let record = if is_personal_key(key) { &[] } else { record };
    let mut hash = Sha256::new();
    hash.update([domain]);
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(revision.0.to_be_bytes());
    hash.update(replaced_at.0.to_be_bytes());
    hash.update((record.len() as u64).to_be_bytes());
    hash.update(record);
    Digest(lanes(&hash.finalize()))
}

impl Digest {
    /// The sum with a row that is added.
    #[must_use]
    pub(super) fn plus(self, row: Self) -> Self {
        let mut sum = self.0;
        for (lane, other) in sum.iter_mut().zip(row.0) {
            *lane = lane.wrapping_add(other);
        }
        Self(sum)
    }

    /// The sum with a row that is taken away.
    #[must_use]
    pub(super) fn minus(self, row: Self) -> Self {
        let mut sum = self.0;
        for (lane, other) in sum.iter_mut().zip(row.0) {
            *lane = lane.wrapping_sub(other);
        }
        Self(sum)
    }

    /// The digest of the state after a change, if this is the digest before it. Cost: linear in the change, the first time.
    #[must_use]
    pub fn after(self, change: &Change) -> Self {
        let [removed, added] = change.sums(Self::rows).map(Self);
        self.minus(removed).plus(added)
    }

    /// The digest of the state before a change, if this is the digest after it. Cost: linear in the change.
    #[must_use]
    pub fn before(self, change: &Change) -> Self {
        let [removed, added] = change.sums(Self::rows).map(Self);
        self.minus(added).plus(removed)
    }

    fn rows(change: &Change) -> [[u64; 4]; 2] {
        let (mut removed, mut added) = (Self::default(), Self::default());
        for record in &change.records {
            let key = encode_key(&record.key);
            if let Some(before) = &record.before {
                removed = removed.plus(state_row(&key, before.revision, &encode_record(&before.value)));
            }
            if let Some(after) = &record.after {
                added = added.plus(state_row(&key, change.revision, &encode_record(after)));
            }
        }
        [removed.0, added.0]
    }

    /// The digest as 32 bytes.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = lane.to_le_bytes();
        }
        bytes
    }

    /// The digest that [`Self::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(lanes(bytes))
    }
}

impl Head {
    /// The head after a change. Cost: linear in the change, the first time.
    #[must_use]
    pub fn after(self, change: &Change) -> Self {
        let digest = self.digest.after(change);
        Self { revision: change.revision, digest, next_number: change.next_number, time: change.time }
    }
}
