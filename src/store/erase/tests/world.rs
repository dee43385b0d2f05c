//! Changes that follow one another, and what they come to.

use std::collections::BTreeMap;

use crate::{
    model::{Actor, Change, Key, Record, RecordChange, Revision, Stamped, Sums, Timestamp},
    store::{ChangeLog as _, Digest, Opened, Store as _, key_codec::erased},
};

/// Changes that fit one another.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) facts: BTreeMap<Key, Stamped<Record>>,
    pub(super) changes: Vec<Change>,
    pub(super) digest: Digest,
}

impl World {
    pub(super) fn change(&mut self, records: Vec<(Key, Option<Record>)>) -> Change {
        let revision = Revision(self.changes.len() as u64 + 1);
        let mut changed = Vec::new();
        for (key, after) in records {
            let before = self.facts.get(&key).cloned();
            match &after {
                Some(value) => self.facts.insert(key.clone(), Stamped { revision, value: value.clone() }),
                None => self.facts.remove(&key),
            };
            changed.push(RecordChange { key, before, after });
        }
        let (time, method) = (Timestamp(revision.0), "Test".to_owned());
        let sums = Sums::default();
        let change = Change { revision, time, actor: Actor::Server, method, next_number: 99, records: changed, sums };
        self.digest = self.digest.after(&change);
        self.changes.push(change.clone());
        change
    }

    pub(super) fn write(&mut self, opened: &Opened, records: Vec<(Key, Option<Record>)>) {
        let expected = opened.log.head().revision;
        let change = self.change(records);
        opened.log.append(expected, std::slice::from_ref(&change), self.digest).unwrap();
        opened.store.apply(&[change]).unwrap();
    }

    pub(super) fn head(&self) -> Revision {
        Revision(self.changes.len() as u64)
    }

    /// The changes as they read once the values of these keys up to `until` are erased.
    pub(super) fn without(&self, keys: &[Key], until: Revision) -> Vec<Change> {
        let mut changes = self.changes.clone();
        for change in &mut changes {
            let revision = change.revision;
            for record in change.records.iter_mut().filter(|record| keys.contains(&record.key)) {
                let empty = erased(&record.key).unwrap();
                if let Some(before) = record.before.as_mut().filter(|before| before.revision <= until) {
                    before.value = empty.clone();
                }
                if let Some(after) = record.after.as_mut().filter(|_| revision <= until) {
                    *after = empty;
                }
            }
        }
        changes
    }
}
