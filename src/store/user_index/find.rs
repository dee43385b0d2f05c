//! Reading a page of the index as it stood at a revision, while it is written to.
//!
//! What is written at a later revision ends entries above the page's revision, or begins them there: neither is seen.
//! So no entry has to be read twice, and two reads of one page are the same.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    UserIndex, UserText,
    keys::{entries_with, split_entry, split_value, versions_of},
};
use crate::{
    model::{Number, Revision},
    store::{StoreError, sled_store::engine},
};

impl UserIndex {
    /// What [`super::super::Store::find_users`] gives: the runs of entries that are the first of their users with the
    /// prefix, merged. Cost: linear in `limit`, in the length of the prefix, and in the texts on the way that no user
    /// has at the revision and that are still kept; not in how often one text of one user came and went.
    pub(in crate::store) fn find(
        &self,
        account: Number,
        by: UserText,
        prefix: &str,
        after: Option<(&str, Number)>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(String, Number)>, StoreError> {
        let longest = match by {
            UserText::Name => 0,
            UserText::Any => u8::try_from(prefix.len()).unwrap_or(u8::MAX),
        };
        let mut runs = Vec::new();
        let mut heads = BinaryHeap::new();
        for shared in 0..=longest {
            let begin = entries_with(account, by, shared, prefix);
            let next = after.map(|(text, user)| behind(&versions_of((account, user), by, shared, text)));
            let next = next.unwrap_or_default().max(begin.clone());
            let mut run = Run { index: self, items: self.0.range(next..), begin, decided: Vec::new(), at };
            if let Some((text, user)) = run.next()? {
                heads.push(Reverse((text, user, runs.len())));
                runs.push(run);
            }
        }
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(Reverse((text, user, position))) = heads.pop()
        {
            found.push((text, user));
            if let Some((text, user)) = runs.get_mut(position).map(Run::next).transpose()?.flatten() {
                heads.push(Reverse((text, user, position)));
            }
        }
        Ok(found)
    }
}

/// Entries in the order of their texts and users, of which one revision is looked at.
struct Run<'a> {
    index: &'a UserIndex,
    items: sled::Iter,
    /// What their keys begin with.
    begin: Vec<u8>,
    /// The text and the user whose version of the revision has been seen.
    decided: Vec<u8>,
    at: Revision,
}

impl Run<'_> {
    /// The next entry that was there at the revision.
    fn next(&mut self) -> Result<Option<(String, Number)>, StoreError> {
        loop {
            let Some(item) = self.items.next() else { return Ok(None) };
            let (key, value) = item.map_err(engine)?;
            if !key.starts_with(&self.begin) {
                return Ok(None);
            }
            let (text, user, since) = split_entry(&key)?;
            let of = key.get(..key.len().saturating_sub(8)).unwrap_or_default();
            // The newest version comes first. Those that came later, and older ones, are leapt over.
            if of == self.decided {
                self.items = self.index.0.range(behind(of)..);
            } else if since > self.at {
                self.items = self.index.0.range([of, &(!self.at.0).to_be_bytes()].concat()..);
            } else {
                self.decided = of.to_vec();
                if split_value(&value)? > self.at {
                    return Ok(Some((text, user)));
                }
            }
        }
    }
}

/// Where the keys begin that come behind all versions of an entry.
fn behind(of: &[u8]) -> Vec<u8> {
    [of, &[0xff; 9]].concat()
}
