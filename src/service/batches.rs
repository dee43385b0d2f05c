//! BatchCheck: many questions about one account, at one revision and one instant.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    MAX_BATCH,
    answerable::{Answerable, Decidable},
    core::{ReadAt, Service},
    error::ServiceError,
    questions::{AskedName, Asking, answer, answer_about, decided_by, no_account},
    subjects::SubjectName,
};
use crate::{
    cache::{Seen, Shared},
    engine::{Asked, CompiledCatalog, Reason},
    model::{AccountId, Revision, Timestamp},
};

/// How many times a batch is begun because of writes that came between, before it is read from history.
const ATTEMPTS: usize = 3;

/// The questions of a batch about one account, one after another, and where their answers go. A batch is gone through
/// again if writes came between its answers.
pub trait Batch<'a> {
    /// How many items there are, those that are no questions too.
    fn count(&self) -> usize;

    /// Goes back to before the first question, and throws away all answers.
    fn restart(&mut self);

    /// Goes on to the next question, and says who it is about and what it asks for; none: there are no more.
    fn next(&mut self) -> Option<(SubjectName<'a>, AskedName<'a>)>;

    /// The question that [`Self::next`] came to.
    fn question(&self) -> Asking<'_>;

    /// Takes the answer to it, or why it has none.
    fn answer(&mut self, answer: Result<Reason, ServiceError>);
}

impl Service {
    /// Answers many questions about one account at one revision and one instant, and gives the revision. A question that
    /// is wrong gets an error of its own. Cost: that of a Check for each; one about the subject of the one before looks for
    /// nobody.
    ///
    /// # Errors
    /// Too many items or none, an unknown account, and whatever keeps the facts from being read. The answers that the batch
    /// has been given by then count for nothing.
    pub async fn batch_check<'a>(
        &self,
        account: &str,
        batch: &mut impl Batch<'a>,
        at: ReadAt,
    ) -> Result<Revision, ServiceError> {
        check_size(batch.count())?;
        AccountId::check(account).map_err(|error| ServiceError::field("account", error.to_string()))?;
        let now = self.core.now();
        if at == ReadAt::Latest {
            for _ in 0..ATTEMPTS {
                let start = self.core.stamps.stable();
                batch.restart();
                let Some(seen) = self.answer_at_latest(batch, start, now).await? else {
                    // A large write is under way, or there is no such account: history knows.
                    break;
                };
                if self.core.decisions.all_hold_at(&seen, start) {
                    return Ok(start);
                }
            }
        }
        let revision = match at {
            ReadAt::Latest => self.core.stamps.stable(),
            ReadAt::Exact(revision) => revision,
        };
        batch.restart();
        self.answer_at(batch, revision, now).await?;
        Ok(revision)
    }

    /// Answers each question from what holds when it is looked at, and gives what the answers depend on. None: something is
    /// only to be had from the past.
    async fn answer_at_latest<'a>(
        &self,
        batch: &mut impl Batch<'a>,
        start: Revision,
        now: Timestamp,
    ) -> Result<Option<Seen<Decidable>>, ServiceError> {
        let mut seen = Seen::default();
        // Many a batch is about one subject, or about one permission.
        let mut last: Option<(SubjectName<'a>, Arc<Shared<Decidable>>)> = None;
        let mut last_asked: Option<LastAsked<'a>> = None;
        while let Some((name, asked)) = batch.next() {
            if !last.as_ref().is_some_and(|(last, _)| last.is(name)) {
                let found = match self.core.decisions.hit(name.named(), start, || self.core.asked_at(now)) {
                    Some(found) => found,
                    None => match name.check() {
                        Ok(()) => self.decidable(name, start, now).await?,
                        Err(error) => {
                            batch.answer(Err(error));
                            continue;
                        }
                    },
                };
                if found.is_unkept() {
                    return Ok(None);
                }
                last = seen.note(&found).map(|shared| (name, shared));
            }
            // A missing account is an error of the batch, not of each of its items.
            let Some((_, shared)) = &last else { return Err(no_account(name.account())) };
            let subject = &shared.value.subject;
            let found = match &last_asked {
                Some(last) if last.is(asked, subject.set.catalog()) => Ok(last.found),
                _ => asked.find(subject.set.catalog()).inspect(|found| {
                    let catalog = Arc::clone(subject.set.catalog());
                    last_asked = Some(LastAsked { catalog, name: asked, found: *found });
                }),
            };
            let answered = found.and_then(|found| answer_about(subject, found, &batch.question()));
            batch.answer(answered);
        }
        Ok(Some(seen))
    }

    /// Answers each question from the facts as they stood at a revision.
    async fn answer_at<'a>(
        &self,
        batch: &mut impl Batch<'a>,
        revision: Revision,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut known: HashMap<SubjectName<'a>, Answerable> = HashMap::new();
        while let Some((name, _)) = batch.next() {
            if let Err(error) = name.check() {
                batch.answer(Err(error));
                continue;
            }
            let answerable = match known.entry(name) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(new) => new.insert(self.answerable_at(name, revision, now).await?),
            };
            // A missing account is an error of the batch here too.
            let answered = answer(decided_by(answerable, name)?, &batch.question());
            batch.answer(answered);
        }
        Ok(())
    }
}

/// What the question before asked for, and where its catalog has it.
struct LastAsked<'a> {
    /// Held, so that no other catalog comes to its place in memory.
    catalog: Arc<CompiledCatalog>,
    name: AskedName<'a>,
    found: Asked,
}

impl LastAsked<'_> {
    #[inline]
    fn is(&self, name: AskedName<'_>, catalog: &Arc<CompiledCatalog>) -> bool {
        Arc::ptr_eq(&self.catalog, catalog) && self.name.is(name)
    }
}

/// Refuses a batch of too many items, or of none.
fn check_size(count: usize) -> Result<(), ServiceError> {
    if (1..=MAX_BATCH).contains(&count) {
        return Ok(());
    }
    Err(ServiceError::field("items", format!("{count} items were given; 1 to {MAX_BATCH} are expected")))
}
