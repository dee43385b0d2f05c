//! Reading a page of the index as it stood at a revision, while it is written to.
//!
//! What is written at a later revision ends entries above the page's revision, or begins them there: neither is seen.
//! So no entry has to be read twice, and two reads of one page are the same.

use super::{
    UserIndex, UserText,
    keys::{entries_of, entries_with, split_entry, split_value},
};
use crate::{
    model::{Number, Revision},
    store::{StoreError, sled_store::engine},
};

impl UserIndex {
    /// What [`super::super::Store::find_users`] gives. Cost: linear in `limit`, in how many texts each user has with
    /// the prefix, and in the texts on the way that no user has at the revision and that are still kept; not in how
    /// often one text of one user came and went.
    pub(in crate::store) fn find(
        &self,
        account: Number,
        by: UserText,
        prefix: &str,
        after: Option<(&str, Number)>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(String, Number)>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        let begin = entries_with(account, by, prefix);
        let mut next = after.map(|(text, user)| behind(&entries_of((account, user), by, text))).unwrap_or_default();
        next = next.max(begin.clone());
        let mut decided = Vec::new();
        // Each turn begins the walk anew, behind versions of a text that need not be looked at.
        'seek: loop {
            for item in self.0.range(next.clone()..) {
                let (key, value) = item.map_err(engine)?;
                if !key.starts_with(&begin) {
                    break;
                }
                let (text, user, since) = split_entry(&key)?;
                let of = key.get(..key.len().saturating_sub(8)).unwrap_or_default();
                if of == decided {
                    next = behind(of);
                    continue 'seek;
                }
                if since > at {
                    next = [of, &(!at.0).to_be_bytes()].concat();
                    continue 'seek;
                }
                // The newest comes first: this is the version of the revision, if there is one.
                let (shared, removed) = split_value(&value)?;
                if removed > at && usize::from(shared) <= prefix.len() {
                    found.push((text, user));
                    if found.len() == limit {
                        break;
                    }
                }
                decided = of.to_vec();
            }
            return Ok(found);
        }
    }
}

/// Where the keys begin that come behind all versions of one text of one user.
fn behind(of: &[u8]) -> Vec<u8> {
    [of, &[0xff; 9]].concat()
}
