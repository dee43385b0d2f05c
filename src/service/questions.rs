//! Check: from what is kept where it holds, worked out otherwise. BatchCheck and the lists of `listings` begin here too.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use super::{
    answerable::{Answerable, Decidable, Own, Whose},
    core::{ReadAt, Service},
    error::{ErrorReason, ServiceError},
    places::PlaceName,
    subjects::{SubjectName, same_text},
};
use crate::{
    cache::{Dependencies, Entry, Found, Stamps, Weighed},
    engine::{Asked, Attributes, CompiledCatalog, NOWHERE, Place, Question, Reason, Subject, decide},
    model::{CatalogId, Dependency, MAX_ID_BYTES, Revision, Timestamp},
};

/// What a question is about, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedName<'a> {
    /// A permission.
    Permission(&'a str),
    /// An API scope.
    ApiScope(&'a str),
}

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Why, and with it the decision.
    pub reason: Reason,
    /// The revision at which it is so.
    pub revision: Revision,
}

/// A question, as its caller says it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Who it is about.
    pub subject: SubjectName<'a>,
    /// What it is about.
    pub asked: AskedName<'a>,
    /// Where it is asked.
    pub place: PlaceName<'a>,
    /// What conditions can look at.
    pub attributes: &'a Attributes,
}

type Kept = Arc<Entry<Answerable>>;

/// An answer that is worked out.
trait Deciding: Future<Output = Result<Decided, ServiceError>> + Send {}

impl<F: Future<Output = Result<Decided, ServiceError>> + Send> Deciding for F {}

impl Service {
    /// May this subject do this? Cost: three look-ups if what it is made from is kept and holds, and what [`decide`] costs;
    /// else a few reads for each of the subject's teams, roles, policies and resources.
    ///
    /// # Errors
    /// An unknown account or permission, a place that does not fit, and whatever keeps the facts from being read: never an
    /// allow.
    pub fn check<'a>(
        &'a self,
        question: &'a Asking<'a>,
        at: ReadAt,
    ) -> impl Future<Output = Result<Decided, ServiceError>> + Send + 'a {
        // In a box, so that whoever waits for an answer that is kept does not carry what this one needs.
        let mut anew: Option<Pin<Box<dyn Deciding + 'a>>> = None;
        poll_fn(move |context| {
            if let Some(anew) = &mut anew {
                return anew.as_mut().poll(context);
            }
            if at == ReadAt::Latest
                && let Some(decided) = self.check_kept(question)
            {
                return Poll::Ready(decided);
            }
            let begun = match at {
                ReadAt::Latest => anew.insert(Box::pin(self.check_anew(question))),
                ReadAt::Exact(revision) => anew.insert(Box::pin(self.check_at(question, revision))),
            };
            begun.as_mut().poll(context)
        })
    }

    /// The answer, if what it is made from is kept and holds. Waits for nothing, takes no lock, allocates nothing unless
    /// the question names a place or is wrong.
    #[inline]
    pub(super) fn check_kept(&self, question: &Asking<'_>) -> Option<Result<Decided, ServiceError>> {
        // Read before the kept value is looked at: whatever was published by now is seen, and the answer holds at the
        // later of the two revisions.
        let stable = self.core.stamps.stable();
        let now = || self.core.asked_at(self.core.now());
        let answering = |kept: &Decidable, worked_out: Revision| {
            answer(&kept.subject, question).map(|reason| Decided { reason, revision: stable.max(worked_out) })
        };
        self.core.decisions.hit_with(question.subject.named(), stable, now, answering)
    }

    async fn check_at(&self, question: &Asking<'_>, revision: Revision) -> Result<Decided, ServiceError> {
        let answerable = self.answerable_at(question.subject, revision, self.core.now()).await?;
        Ok(Decided { reason: answer(decided_by(&answerable, question.subject)?, question)?, revision })
    }

    async fn check_anew(&self, question: &Asking<'_>) -> Result<Decided, ServiceError> {
        let stable = self.core.stamps.stable();
        let found = self.decidable(question.subject, stable, self.core.now()).await?;
        let Some(Decidable { subject, .. }) = found.value() else { return Err(no_account(question.subject.account())) };
        Ok(Decided { reason: answer(subject, question)?, revision: stable.max(found.revision) })
    }

    /// Everything about a subject at a revision and an instant, and the revision at which it is so.
    pub(super) async fn entry_at(
        &self,
        name: SubjectName<'_>,
        at: ReadAt,
        now: Timestamp,
    ) -> Result<(Kept, Revision), ServiceError> {
        match at {
            ReadAt::Latest => {
                let stable = self.core.stamps.stable();
                let entry = self.entry(name, now, |_| true).await?;
                let revision = stable.max(entry.revision);
                Ok((entry, revision))
            }
            ReadAt::Exact(revision) => {
                let answerable = self.answerable_at(name, revision, now).await?;
                Ok((Arc::new(Entry::unkept(answerable, revision)), revision))
            }
        }
    }

    /// What decides about a subject: what was worked out since for others who have the same of their own, or else worked out
    /// now and kept for the next question. `stable`: the stable revision, read when the question had come. No value: there
    /// is no such account.
    pub(super) async fn decidable(
        &self,
        subject: SubjectName<'_>,
        stable: Revision,
        now: Timestamp,
    ) -> Result<Found<Decidable>, ServiceError> {
        if let Some(found) = self.core.decisions.follow(subject.named(), stable, || self.core.asked_at(now)) {
            return Ok(found);
        }
        // What exists is kept in the map of subjects, in few bytes.
        let entry = self.entry(subject, now, Weighed::is_negative).await?;
        let Answerable::Subject { account, subject: decides, own: holds, .. } = &entry.value else {
            return Ok(Found::nothing(&entry));
        };
        let name = subject.to_owned()?;
        let own = Own { account: *account, standing: decides.standing, holds: Arc::clone(holds) };
        let value = Decidable { account: name.account, subject: decides.clone(), own };
        if entry.is_unkept() || entry.value.is_negative() {
            return Ok(Found::unkept(&entry, value));
        }
        Ok(self.core.decisions.keep(subject.named(), &entry, value))
    }

    /// The kept entry of a subject, or a new one. `keeps`: whether a new one is kept.
    async fn entry(
        &self,
        subject: SubjectName<'_>,
        now: Timestamp,
        keeps: fn(&Answerable) -> bool,
    ) -> Result<Kept, ServiceError> {
        subject.check()?;
        let key = subject.key();
        let asked_at = self.core.asked_at(now);
        if let Some(entry) = self.core.subjects.hit(key.as_bytes(), asked_at) {
            return Ok(entry);
        }
        let name = subject.to_owned()?;
        let core = Arc::clone(&self.core);
        self.blocking(move || {
            let mut read = |stamps: &Stamps, dependencies: &mut Dependencies| {
                let mut note = |whose, dependency: Dependency| match whose {
                    Whose::Own => stamps.depend_alone(dependencies, &dependency),
                    Whose::Shared => stamps.depend(dependencies, &dependency),
                };
                core.load(&core.store, &name, None, now, &mut note)
            };
            // What was published before this line is seen by either way.
            let stable = core.stamps.stable();
            match core.subjects.get_or_load(key.as_bytes(), asked_at, keeps, &mut read).map_err(ServiceError::from) {
                Err(error) if error.reason == ErrorReason::Disturbed => {
                    // A large write can take long. What was published before it is answered meanwhile, from history.
                    let (answerable, _) = core.load(&core.at(stable), &name, Some(stable), now, &mut |_, _| {})?;
                    Ok(Arc::new(Entry::unkept(answerable, stable)))
                }
                outcome => outcome,
            }
        })
        .await
    }

    pub(super) async fn answerable_at(
        &self,
        subject: SubjectName<'_>,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Answerable, ServiceError> {
        let name = subject.to_owned()?;
        let core = Arc::clone(&self.core);
        self.blocking(move || Ok(core.load(&core.at(revision), &name, Some(revision), now, &mut |_, _| {})?.0)).await
    }
}

/// What decides about a subject that was read at a revision.
pub(super) fn decided_by<'a>(answerable: &'a Answerable, name: SubjectName<'_>) -> Result<&'a Subject, ServiceError> {
    match answerable {
        Answerable::Subject { subject, .. } => Ok(subject),
        Answerable::NoAccount => Err(no_account(name.account())),
    }
}

/// The answer of a subject to a question.
#[inline]
pub(super) fn answer(subject: &Subject, question: &Asking<'_>) -> Result<Reason, ServiceError> {
    answer_about(subject, question.asked.find(subject.set.catalog())?, question)
}

/// The same, where it is known what the subject's catalog has for what the question asks for. The one place where a
/// subject becomes an answer.
#[inline]
pub(super) fn answer_about(subject: &Subject, asked: Asked, question: &Asking<'_>) -> Result<Reason, ServiceError> {
    if question.place.is_nowhere() {
        // Every permission fits where no path is given.
        return Ok(decide(subject, question.about(asked, &NOWHERE)));
    }
    let place = question.place.find(subject.set.catalog(), asked.permission())?;
    Ok(decide(subject, question.about(asked, &place)))
}

impl<'a> Asking<'a> {
    /// The question as its account's catalog understands it, of which these were found.
    #[inline]
    pub(super) fn about(&self, asked: Asked, place: &'a Place<'a>) -> Question<'a> {
        Question { asked, place, subject: self.subject.id(), attributes: self.attributes }
    }
}

impl AskedName<'_> {
    /// Whether this is another name of the same. Nothing is compared that is one text in memory.
    #[inline]
    pub(super) fn is(self, other: AskedName<'_>) -> bool {
        match (self, other) {
            (AskedName::Permission(one), AskedName::Permission(other))
            | (AskedName::ApiScope(one), AskedName::ApiScope(other)) => same_text(one, other),
            _ => false,
        }
    }

    /// What is asked for, if the catalog has it.
    pub(super) fn find(self, catalog: &CompiledCatalog) -> Result<Asked, ServiceError> {
        let found = match self {
            AskedName::Permission(id) => catalog.permission(id).map(Asked::from),
            AskedName::ApiScope(id) => catalog.api_scope(id).map(Asked::from),
        };
        found.ok_or_else(|| not_in_catalog(&catalog.catalog().definition.id, self))
    }
}

fn not_in_catalog(catalog: &CatalogId, asked: AskedName<'_>) -> ServiceError {
    let (reason, what, name, id) = match asked {
        AskedName::Permission(id) => (ErrorReason::PermissionNotFound, "permission", "permission", id),
        AskedName::ApiScope(id) => (ErrorReason::ApiScopeNotFound, "API scope", "api_scope", id),
    };
    let cut: String = id.chars().take(MAX_ID_BYTES).collect();
    ServiceError::new(reason, format!("the catalog {:?} has no {what} {cut:?}", catalog.as_str()))
        .with(name, cut)
        .with("catalog", catalog.as_str())
}

pub(super) fn no_account(id: &str) -> ServiceError {
    ServiceError::new(ErrorReason::AccountNotFound, format!("there is no account {id:?}")).with("account", id)
}
