//! Reading [`SledStore`] as it stood at an earlier revision, while it is written to.
//!
//! A record of revision R is the current one if that is not newer than R, else the oldest before-image that was
//! replaced after R, if that is not newer either. The current one is always read first: whatever replaces it afterwards has
//! put its before-image in place before, and so it cannot be missed.

use std::ops::Bound;

use sled::{IVec, Tree};

use super::{
    StoreError,
    sled_store::{Row, SledStore, engine, suffixed, value_revision},
};
use crate::model::Revision;

/// At most so many current rows are read ahead.
const AHEAD: usize = 1024;

type From = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A range that begins with a prefix, or behind a key of it.
pub(super) fn from(prefix: &[u8], after: Option<Vec<u8>>) -> From {
    let start = match after {
        Some(after) if after.as_slice() >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix.to_vec()),
    };
    (start, Bound::Unbounded)
}

/// The key of a before-image, and the revision that replaced it.
pub(super) fn split(stored: &[u8]) -> Result<(&[u8], Revision), StoreError> {
    stored
        .split_last_chunk::<8>()
        .and_then(|(rest, revision)| match rest.split_last() {
            Some((0, key)) => Some((key, Revision(u64::from_be_bytes(*revision)))),
            _ => None,
        })
        .ok_or_else(|| StoreError::DamagedState("a key of the history is not one that rolecall writes".to_owned()))
}

/// Goes through the keys of the history that stood at a revision and have been replaced since. Seeks, so that a record
/// that was replaced a million times costs no more than one that was replaced once.
struct Cursor<'a> {
    history: &'a Tree,
    prefix: &'a [u8],
    next: Bound<Vec<u8>>,
    at: Revision,
}

impl Cursor<'_> {
    /// The next key up to `end` with its before-image.
    fn next(&mut self, end: Option<&IVec>) -> Result<Option<(Vec<u8>, IVec)>, StoreError> {
        loop {
            let Some(item) = self.history.range((self.next.clone(), Bound::Unbounded)).next() else { return Ok(None) };
            let (stored, value) = item.map_err(engine)?;
            let (key, replaced_at) = split(&stored)?;
            if !key.starts_with(self.prefix) || end.is_some_and(|end| *key > **end) {
                return Ok(None);
            }
            if replaced_at <= self.at {
                self.next = Bound::Included(suffixed(key, Revision(self.at.0.saturating_add(1))));
                continue;
            }
            self.next = Bound::Excluded(suffixed(key, Revision(u64::MAX)));
            if value_revision(&value)? <= self.at {
                return Ok(Some((key.to_vec(), value)));
            }
        }
    }
}

impl SledStore {
    /// One row as it stood at a revision.
    pub(super) fn row_at(&self, key: &[u8], at: Revision) -> Result<Option<Row>, StoreError> {
        if let Some(value) = self.state.get(key).map_err(engine)?
            && value_revision(&value)? <= at
        {
            return self.row(key, &value).map(Some);
        }
        let first = suffixed(key, Revision(at.0.saturating_add(1)));
        let last = suffixed(key, Revision(u64::MAX));
        match self.history.range(first..=last).next().transpose().map_err(engine)? {
            Some((_, value)) if value_revision(&value)? <= at => self.row(key, &value).map(Some),
            _ => Ok(None),
        }
    }

    /// The first rows with a prefix, as they stood at a revision. Cost: linear in `limit`, and in the keys on the way
    /// that were not there then.
    pub(super) fn rows_at(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < limit {
            let ahead = (limit - found.len()).clamp(1, AHEAD);
            let start = from(prefix, after.clone());
            let mut current = Vec::with_capacity(ahead);
            for item in self.state.range(start).take(ahead) {
                let (key, value) = item.map_err(engine)?;
                if !key.starts_with(prefix) {
                    break;
                }
                current.push((key, value));
            }
            // Only now the history: see the comment on top.
            let end = if current.len() < ahead { None } else { current.last().map(|(key, _)| key.clone()) };
            let next = match &after {
                Some(after) if after.as_slice() >= prefix => Bound::Excluded(suffixed(after, Revision(u64::MAX))),
                _ => Bound::Included(prefix.to_vec()),
            };
            let mut cursor = Cursor { history: &self.history, prefix, next, at };
            let mut replaced = cursor.next(end.as_ref())?;
            for (key, value) in &current {
                while let Some((older, image)) = replaced.take_if(|(older, _)| older.as_slice() < &**key) {
                    found.push(self.row(&older, &image)?);
                    if found.len() == limit {
                        return Ok(found);
                    }
                    replaced = cursor.next(end.as_ref())?;
                }
                let image = replaced.take_if(|(older, _)| older.as_slice() == &**key);
                if image.is_some() {
                    replaced = cursor.next(end.as_ref())?;
                }
                if value_revision(value)? <= at {
                    found.push(self.row(key, value)?);
                } else if let Some((older, image)) = image {
                    found.push(self.row(&older, &image)?);
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            while let Some((older, image)) = replaced {
                found.push(self.row(&older, &image)?);
                if found.len() == limit {
                    return Ok(found);
                }
                replaced = cursor.next(end.as_ref())?;
            }
            match end {
                Some(end) => after = Some(end.to_vec()),
                None => break,
            }
        }
        Ok(found)
    }
}
