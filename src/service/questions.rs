//! Check and BatchCheck: from what is kept where it holds, worked out otherwise. The lists of `listings` begin here too.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    MAX_BATCH,
    answerable::{Answerable, Decidable, Own, Whose},
    core::{ReadAt, Service},
    error::{ErrorReason, ServiceError},
    places::PlaceName,
    subjects::SubjectName,
};
use crate::{
    cache::{Dependencies, Entry, Found, Seen, Shared, Stamps, Weighed},
    engine::{Asked, Attributes, CompiledCatalog, Question, Reason, Subject, decide},
    model::{AccountId, CatalogId, Dependency, MAX_ID_BYTES, Revision, Timestamp},
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
#[derive(Clone, Debug)]
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

/// A question of a batch, or what is wrong with it in itself.
pub type BatchItem<'a> = Result<Asking<'a>, ServiceError>;

/// The answer to one question of a batch, or why there is none. The error is in a box, because there are up to a thousand
/// of these and hardly ever an error.
pub type Answered = Result<Reason, Box<ServiceError>>;

type Kept = Arc<Entry<Answerable>>;

impl Service {
    /// May this subject do this? Cost: three look-ups if what it is made from is kept and holds, and what [`decide`] costs;
    /// else a few reads for each of the subject's teams, roles, policies and resources.
    ///
    /// # Errors
    /// An unknown account or permission, a place that does not fit, and whatever keeps the facts from being read: never an
    /// allow.
    pub async fn check(&self, question: &Asking<'_>, at: ReadAt) -> Result<Decided, ServiceError> {
        match at {
            ReadAt::Latest => match self.check_kept(question) {
                Some(decided) => decided,
                // In a box, so that whoever waits for an answer that is kept does not carry what this one needs.
                None => Box::pin(self.check_anew(question)).await,
            },
            ReadAt::Exact(revision) => Box::pin(self.check_at(question, revision)).await,
        }
    }

    /// The answer, if what it is made from is kept and holds. Waits for nothing, takes no lock, allocates nothing unless
    /// the question names facets or is wrong.
    pub(super) fn check_kept(&self, question: &Asking<'_>) -> Option<Result<Decided, ServiceError>> {
        // Read before the kept value is looked at: whatever was published by now is seen, and the answer holds at the
        // later of the two revisions.
        let stable = self.core.stamps.stable();
        let found =
            self.core.decisions.hit(question.subject.named(), stable, || self.core.asked_at(self.core.now()))?;
        let Decidable { subject, .. } = found.value()?;
        let revision = stable.max(found.revision);
        Some(answer(subject, question).map(|reason| Decided { reason, revision }))
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

    /// Refuses a batch of too many items, or of none.
    ///
    /// # Errors
    /// How many were given, and how many may be.
    pub fn check_batch_size(count: usize) -> Result<(), ServiceError> {
        if (1..=MAX_BATCH).contains(&count) {
            return Ok(());
        }
        Err(ServiceError::field("items", format!("{count} items were given; 1 to {MAX_BATCH} are expected")))
    }

    /// Answers many questions about one account at one revision and one instant; an item that is an error is an error of
    /// its own.
    ///
    /// # Errors
    /// An unknown account, too many items, and whatever keeps the facts from being read.
    pub async fn batch_check(
        &self,
        account: &str,
        items: &[BatchItem<'_>],
        at: ReadAt,
    ) -> Result<(Vec<Answered>, Revision), ServiceError> {
        Self::check_batch_size(items.len())?;
        AccountId::check(account).map_err(|error| ServiceError::field("account", error.to_string()))?;
        let now = self.core.now();
        if at == ReadAt::Latest {
            for _ in 0..3 {
                let start = self.core.stamps.stable();
                let Some((results, seen)) = self.batch_of_latest(items, start, now).await? else {
                    // A large write is under way: history is where the rest of the batch is found too.
                    break;
                };
                if self.core.decisions.all_hold_at(&seen, start) {
                    return Ok((whole_account(results)?, start));
                }
            }
        }
        let revision = match at {
            ReadAt::Latest => self.core.stamps.stable(),
            ReadAt::Exact(revision) => revision,
        };
        let mut results = Vec::with_capacity(items.len());
        let mut known: HashMap<SubjectName<'_>, Answerable> = HashMap::new();
        for item in items {
            let question = match item {
                Ok(question) => question,
                Err(error) => {
                    results.push(Err(Box::new(error.clone())));
                    continue;
                }
            };
            if let Err(error) = question.subject.check() {
                results.push(Err(Box::new(error)));
                continue;
            }
            let answerable = match known.entry(question.subject) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(new) => new.insert(self.answerable_at(question.subject, revision, now).await?),
            };
            let answered = decided_by(answerable, question.subject).and_then(|subject| answer(subject, question));
            results.push(answered.map_err(Box::new));
        }
        Ok((whole_account(results)?, revision))
    }

    /// The answers at this moment, each from what holds when it is looked at, and what they depend on. None: something is
    /// only to be had from the past.
    async fn batch_of_latest(
        &self,
        items: &[BatchItem<'_>],
        start: Revision,
        now: Timestamp,
    ) -> Result<Option<(Vec<Answered>, Seen<Decidable>)>, ServiceError> {
        let mut results = Vec::with_capacity(items.len());
        let mut seen = Seen::default();
        // Many a batch is about one subject.
        let mut last: Option<(SubjectName<'_>, Arc<Shared<Decidable>>)> = None;
        for item in items {
            let question = match item {
                Ok(question) => question,
                Err(error) => {
                    results.push(Err(Box::new(error.clone())));
                    continue;
                }
            };
            let name = question.subject;
            if !last.as_ref().is_some_and(|(last, _)| *last == name) {
                let found = match self.core.decisions.hit(name.named(), start, || self.core.asked_at(now)) {
                    Some(found) => found,
                    None => match name.check() {
                        Ok(()) => self.decidable(name, start, now).await?,
                        Err(error) => {
                            results.push(Err(Box::new(error)));
                            continue;
                        }
                    },
                };
                if found.is_unkept() {
                    return Ok(None);
                }
                last = seen.note(&found).map(|shared| (name, shared));
            }
            results.push(match &last {
                Some((_, shared)) => answer(&shared.value.subject, question).map_err(Box::new),
                None => Err(Box::new(no_account(name.account()))),
            });
        }
        Ok(Some((results, seen)))
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
    async fn decidable(
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

    async fn answerable_at(
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
fn decided_by<'a>(answerable: &'a Answerable, name: SubjectName<'_>) -> Result<&'a Subject, ServiceError> {
    match answerable {
        Answerable::Subject { subject, .. } => Ok(subject),
        Answerable::NoAccount => Err(no_account(name.account())),
    }
}

/// A missing account is an error of the batch, not of each of its items.
fn whole_account(results: Vec<Answered>) -> Result<Vec<Answered>, ServiceError> {
    let missing = results.iter().find_map(|result| match result {
        Err(error) if error.reason == ErrorReason::AccountNotFound => Some(ServiceError::clone(error)),
        _ => None,
    });
    missing.map_or(Ok(results), Err)
}

/// The one place where a subject becomes an answer.
fn answer(subject: &Subject, question: &Asking<'_>) -> Result<Reason, ServiceError> {
    Ok(decide(subject, question.about(subject.set.catalog())?))
}

impl<'a> Asking<'a> {
    /// The question as its account's catalog understands it.
    pub(super) fn about(&self, catalog: &CompiledCatalog) -> Result<Question<'a>, ServiceError> {
        let asked = self.asked.find(catalog)?;
        let permission = match asked {
            Asked::Permission(permission) => Some(permission),
            Asked::ApiScope(_) => None,
        };
        let place = self.place.find(catalog, permission)?;
        Ok(Question { asked, place, subject: self.subject.id(), attributes: self.attributes })
    }
}

impl AskedName<'_> {
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
