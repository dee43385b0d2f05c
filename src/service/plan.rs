//! A write being planned: the facts as they will be when the writes before it in its group are done, and what it
//! replaces. A plan that is refused leaves no trace.

use std::collections::BTreeMap;

use super::{
    core::{CatalogAt, Core},
    error::{ErrorReason, ServiceError},
};
use crate::{
    model::{
        CountsRecord, Key, KeyRange, Kind, Number, Record, RecordChange, RetiredRecord, Revision, Stamped, Timestamp,
    },
    store::{StoreError, View},
};

/// What the writes of a group have changed so far.
#[derive(Default)]
pub(super) struct Pending {
    records: BTreeMap<Key, Option<Stamped<Record>>>,
}

impl Pending {
    /// Takes in an accepted write.
    pub(super) fn take_in(&mut self, revision: Revision, changes: &[RecordChange]) {
        for change in changes {
            let after = change.after.clone().map(|value| Stamped { revision, value });
            self.records.insert(change.key.clone(), after);
        }
    }
}

/// One write being planned.
pub(super) struct Plan<'a> {
    pub(super) core: &'a Core,
    pending: &'a Pending,
    /// When the write is accepted, if it is.
    pub(super) time: Timestamp,
    /// Only to see what would come of it: nothing of it is kept.
    pub(super) is_dry: bool,
    /// The last revision before it.
    last: Revision,
    /// Its answer will be kept, so that it is a change even if it changes nothing else.
    pub(super) is_remembered: bool,
    next_number: u64,
    /// The first number that was free when it began: nothing is kept under what has this number or a later one.
    first_number: u64,
    changes: BTreeMap<Key, RecordChange>,
}

impl<'a> Plan<'a> {
    /// A plan for the write after the revision `last`.
    pub(super) fn new(core: &'a Core, pending: &'a Pending, time: Timestamp, last: Revision, next_number: u64) -> Self {
        let (is_dry, is_remembered, changes) = (false, false, BTreeMap::new());
        let first_number = next_number.max(1);
        Self { core, pending, time, is_dry, last, is_remembered, next_number: first_number, first_number, changes }
    }

    /// The revision at which what is planned so far holds.
    pub(super) fn revision(&self) -> Revision {
        if self.is_dry || (self.changes.is_empty() && !self.is_remembered) { self.last } else { self.next_revision() }
    }

    fn next_revision(&self) -> Revision {
        Revision(self.last.0 + 1)
    }

    /// A number that nothing ever had.
    pub(super) fn allocate(&mut self) -> Number {
        let number = Number(self.next_number);
        self.next_number += 1;
        number
    }

    /// Sets a record. Setting it to what it is changes nothing.
    pub(super) fn put(&mut self, key: Key, record: Record) -> Result<(), ServiceError> {
        self.set(key, Some(record))
    }

    /// Sets a record, and has it count as changed even if it is what it was.
    pub(super) fn rewrite(&mut self, key: Key, record: Record) -> Result<(), ServiceError> {
        self.put(key.clone(), record.clone())?;
        if !self.changes.contains_key(&key) {
            let before = self.underneath(&key)?;
            self.changes.insert(key.clone(), RecordChange { key, before, after: Some(record) });
        }
        Ok(())
    }

    /// Removes a record, if it is there.
    pub(super) fn remove(&mut self, key: Key) -> Result<(), ServiceError> {
        self.set(key, None)
    }

    fn set(&mut self, key: Key, after: Option<Record>) -> Result<(), ServiceError> {
        let before = match self.changes.remove(&key) {
            Some(change) => change.before,
            None => self.underneath(&key)?,
        };
        if before.as_ref().map(|before| &before.value) != after.as_ref() {
            self.changes.insert(key.clone(), RecordChange { key, before, after });
        }
        Ok(())
    }

    /// A catalog made ready, as it will be.
    pub(super) fn catalog(&self, number: Number) -> Result<Option<CatalogAt>, ServiceError> {
        let key = Key::Catalog(number);
        if self.changes.contains_key(&key) || self.pending.records.contains_key(&key) {
            return self.core.catalog_in(self, number);
        }
        self.core.catalog(number)
    }

    /// How much an account holds.
    pub(super) fn counts(&self, account: Number) -> Result<CountsRecord, ServiceError> {
        match self.get(&Key::Counts { account })? {
            None => Ok(CountsRecord::default()),
            Some(Stamped { value: Record::Counts(counts), .. }) => Ok(counts),
            Some(_) => Err(StoreError::DamagedState("counts hold a record of another kind".to_owned()).into()),
        }
    }

    /// Changes how much an account holds, within its limits.
    pub(super) fn count(&mut self, account: Number, teams: i64, roles: i64) -> Result<(), ServiceError> {
        let before = self.counts(account)?;
        let counts = CountsRecord {
            teams: before.teams.saturating_add_signed(teams),
            roles: before.roles.saturating_add_signed(roles),
            ..before
        };
        if counts == before {
            return Ok(());
        }
        let over = |what: &str, maximum: u64| {
            ServiceError::new(
                ErrorReason::LimitReached,
                format!("the account has {maximum} {what}, which is the maximum"),
            )
            .with("maximum", maximum.to_string())
        };
        if counts.teams > super::MAX_TEAMS && teams > 0 {
            return Err(over("teams", super::MAX_TEAMS));
        }
        if counts.roles > super::MAX_ROLES && roles > 0 {
            return Err(over("custom roles", super::MAX_ROLES));
        }
        self.put(Key::Counts { account }, Record::Counts(counts))
    }

    /// Changes how many custom policies an account has, within the limit.
    pub(super) fn count_policies(&mut self, account: Number, change: i64) -> Result<(), ServiceError> {
        if change == 0 {
            return Ok(());
        }
        let mut counts = self.counts(account)?;
        counts.policies = counted(counts.policies, change, super::MAX_POLICIES, "custom access policies")?;
        self.put(Key::Counts { account }, Record::Counts(counts))
    }

    /// Changes how many registered resources an account has, within the limit.
    pub(super) fn count_resources(&mut self, account: Number, change: i64) -> Result<(), ServiceError> {
        if change == 0 {
            return Ok(());
        }
        let mut counts = self.counts(account)?;
        counts.resources = counted(counts.resources, change, super::MAX_RESOURCES, "registered resources")?;
        self.put(Key::Counts { account }, Record::Counts(counts))
    }

    /// Notes that a number is gone for good, so that what still refers to it is swept later.
    pub(super) fn retire(&mut self, number: Number, kind: Kind, account: Option<Number>) -> Result<(), ServiceError> {
        self.put(Key::Retired(number), Record::Retired(RetiredRecord { kind, account }))
    }

    /// What the plan came to: the records that change, and the next free number.
    pub(super) fn finish(self) -> (Vec<RecordChange>, u64) {
        (self.changes.into_values().collect(), self.next_number)
    }

    /// A record without this plan's own changes.
    fn underneath(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        if self.is_new(key.newest()) {
            return Ok(None);
        }
        match self.pending.records.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.core.store.get(key),
        }
    }
}

impl Plan<'_> {
    /// Whether a number was given out by this very plan: then there is nothing to be read of it, which saves a large plan
    /// most of its reads.
    fn is_new(&self, number: Option<Number>) -> bool {
        number.is_some_and(|number| number.0 >= self.first_number)
    }
}

/// A count after a change. More than the maximum is refused, if it becomes more.
fn counted(count: u64, change: i64, maximum: u64, what: &str) -> Result<u64, ServiceError> {
    let after = count.saturating_add_signed(change);
    if after <= maximum || change <= 0 {
        return Ok(after);
    }
    let message = format!("the account has {maximum} {what}, which is the maximum");
    Err(ServiceError::new(ErrorReason::LimitReached, message).with("maximum", maximum.to_string()))
}

impl View for Plan<'_> {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.after.clone().map(|value| Stamped { revision: self.next_revision(), value })),
            None => self.underneath(key),
        }
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        let from = after.cloned().unwrap_or_else(|| range.first_key());
        // Only the run of the range is looked at: a plan can hold a million changes, and scans for each of them.
        let changes = self.changes.range(from..).take_while(|(key, _)| range.contains(key));
        let overlay = changes.map(|(key, change)| {
            let value = change.after.clone().map(|value| Stamped { revision: self.next_revision(), value });
            (key, value)
        });
        self.scan_over(range, after, limit, overlay)
    }
}

/// The facts as they are without a plan: with the writes before it in its group.
pub(super) struct Before<'a>(&'a Plan<'a>);

impl View for Before<'_> {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        self.0.underneath(key)
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.0.scan_over(range, after, limit, std::iter::empty())
    }
}

impl Plan<'_> {
    /// Scans what is underneath, with changes laid over it.
    fn scan_over<'k>(
        &'k self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        changes: impl Iterator<Item = (&'k Key, Option<Stamped<Record>>)>,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        let from = after.cloned().unwrap_or_else(|| range.first_key());
        let is_new = |key: &Key| after != Some(key);
        let mut overlay: BTreeMap<&Key, Option<Stamped<Record>>> = BTreeMap::new();
        let pending = self.pending.records.range(from..).take_while(|(key, _)| range.contains(key));
        for (key, pending) in pending.filter(|(key, _)| is_new(key)) {
            overlay.insert(key, pending.clone());
        }
        for (key, value) in changes.filter(|(key, _)| is_new(key)) {
            overlay.insert(key, value);
        }
        // Each change can take at most one record away, so this many more make up for all of them.
        let stored = match self.is_new(range.newest()) {
            true => Vec::new(),
            false => self.core.store.scan(range, after, limit + overlay.len())?,
        };
        let mut merged: BTreeMap<Key, Stamped<Record>> = stored.into_iter().collect();
        for (key, value) in overlay {
            match value {
                Some(value) => {
                    merged.insert(key.clone(), value);
                }
                None => {
                    merged.remove(key);
                }
            }
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    /// The keys whose records change.
    pub(super) fn changed_keys(&self) -> impl Iterator<Item = &Key> {
        self.changes.keys()
    }

    /// The facts as they are without this plan.
    pub(super) fn before(&self) -> Before<'_> {
        Before(self)
    }

    /// A catalog made ready, as it is without this plan.
    pub(super) fn catalog_before(&self, number: Number) -> Result<Option<CatalogAt>, ServiceError> {
        let key = Key::Catalog(number);
        if self.changes.contains_key(&key) {
            return self.core.catalog_in(&self.before(), number);
        }
        self.catalog(number)
    }
}
