//! Erasing what is left of the personal fields of users, after they are gone from every answer.
//!
//! The write that erases them leaves a mark, which stays until the store has rid the journal, the history and the
//! snapshots of them, so that a restart goes on with it. Kept answers that repeat the fields are erased with them.

use super::{
    core::{ReadAt, Service},
    error::ServiceError,
    facts,
    writer::Write,
};
use crate::{
    model::{Key, KeyRange, Number, RequestKey},
    store::View as _,
};

/// Users, each with its account before it.
pub type Erasures = Vec<(Number, Number)>;

impl Service {
    /// The users whose personal fields are yet to be erased.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn pending_erasures(&self) -> Result<Erasures, ServiceError> {
        let (pending, _) = self
            .read(ReadAt::Latest, |_, view| {
                let marks = facts::scan_all(&view, KeyRange::Erasures)?.into_iter();
                Ok(marks.filter_map(|(key, _)| match key {
                    Key::Erasure { account, user } => Some((account, user)),
                    _ => None,
                }))
            })
            .await?;
        Ok(pending.collect())
    }

    /// Whether the server is yet to write something that nobody asks for: what deleted things leave is swept, and
    /// personal fields are erased. Answers do not depend on it. Cost: two look-ups.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn has_leftovers(&self) -> Result<bool, ServiceError> {
        let left = self.read(ReadAt::Latest, |_, view| {
            let is_left = |range| view.scan(range, None, 1).map(|found| !found.is_empty());
            Ok(is_left(KeyRange::Retired)? || is_left(KeyRange::Erasures)?)
        });
        Ok(left.await?.0)
    }
}

/// Whether the kept answer to a request can repeat personal fields. Those of the erasing methods do not.
#[must_use]
pub fn repeats_personal_fields(request: &RequestKey) -> bool {
    !["EraseUserPersonalFields", "DeleteUser"].iter().any(|method| request.as_str().split('/').nth(1) == Some(method))
}

/// Takes the marks of users away whose personal fields are erased.
#[must_use]
pub fn finish_erasures(erased: Erasures) -> Write<()> {
    Write::new("FinishErasures", move |plan| {
        for (account, user) in erased {
            plan.remove(Key::Erasure { account, user })?;
        }
        Ok(())
    })
    .by_server()
}
