//! Check and BatchCheck: from the cache where it holds, worked out otherwise. The lists of `listings` begin here too.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    MAX_BATCH,
    core::{Core, ReadAt, Service, StoreView},
    error::{ErrorReason, ServiceError},
    facts,
    holdings::{Gathered, Gatherer, Holding},
    places::PlaceName,
};
use crate::{
    cache::{Dependencies, Entry, Stamps, Weighed},
    engine::{
        Asked, Attributes, CompiledCatalog, HeldException, HeldRole, Question, Reason, Standing, Subject, decide,
    },
    model::{
        AccountId, AccountState, CatalogId, Dependency, Key, MAX_ID_BYTES, Number, Revision, ServiceAccountId,
        ServiceAccountState, Timestamp, UserId, UserState,
    },
    store::View,
};

/// Of which kind a subject is. A user and a service account of the same id are two subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A user.
    User,
    /// A service account.
    ServiceAccount,
}

/// Who a question is about: the well-formed ids of an account and of a user or service account in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectName<'a> {
    account: &'a str,
    kind: SubjectKind,
    id: &'a str,
}

/// A subject of an account, for a load.
pub(super) struct LoadedName {
    pub(super) account: AccountId,
    subject: LoadedSubject,
}

impl LoadedName {
    /// A user of an account.
    pub(super) fn user(account: AccountId, id: UserId) -> Self {
        Self { account, subject: LoadedSubject::User(id) }
    }

    /// A service account of an account.
    pub(super) fn service_account(account: AccountId, id: ServiceAccountId) -> Self {
        Self { account, subject: LoadedSubject::ServiceAccount(id) }
    }

    /// The same, borrowed.
    pub(super) fn as_subject(&self) -> SubjectName<'_> {
        let (kind, id) = match &self.subject {
            LoadedSubject::User(id) => (SubjectKind::User, id.as_str()),
            LoadedSubject::ServiceAccount(id) => (SubjectKind::ServiceAccount, id.as_str()),
        };
        SubjectName { account: self.account.as_str(), kind, id }
    }
}

pub(super) enum LoadedSubject {
    User(UserId),
    ServiceAccount(ServiceAccountId),
}

/// What a question is about, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedName<'a> {
    /// A permission.
    Permission(&'a str),
    /// An API scope.
    ApiScope(&'a str),
}

/// The cache's key of a subject: its kind and both ids, the first with its length before it, so that no two share one.
struct SubjectKey {
    bytes: [u8; 2 + 2 * MAX_ID_BYTES],
    length: usize,
}

impl<'a> SubjectName<'a> {
    /// Names a subject, if both ids are well formed. Allocates nothing.
    ///
    /// # Errors
    /// Which of the two is no id, and why.
    pub fn new(account: &'a str, kind: SubjectKind, id: &'a str) -> Result<Self, crate::model::InvalidId> {
        AccountId::check(account)?;
        match kind {
            SubjectKind::User => UserId::check(id)?,
            SubjectKind::ServiceAccount => ServiceAccountId::check(id)?,
        }
        Ok(Self { account, kind, id })
    }

    fn key(self) -> SubjectKey {
        let mut bytes = [0; 2 + 2 * MAX_ID_BYTES];
        // Ids are at most MAX_ID_BYTES long, so the length fits a byte and both fit the array.
        let length = u8::try_from(self.account.len()).unwrap_or(u8::MAX);
        let kind = match self.kind {
            SubjectKind::User => b'u',
            SubjectKind::ServiceAccount => b's',
        };
        let parts = [&[kind, length][..], self.account.as_bytes(), self.id.as_bytes()];
        let mut end = 0;
        for part in parts {
            for byte in part {
                if let Some(place) = bytes.get_mut(end) {
                    *place = *byte;
                }
                end += 1;
            }
        }
        SubjectKey { bytes, length: end }
    }

    /// The subject's id.
    pub(super) fn id(self) -> &'a str {
        self.id
    }

    pub(super) fn to_owned(self) -> Result<LoadedName, ServiceError> {
        let invalid = |error: crate::model::InvalidId| ServiceError::field("subject", error.to_string());
        Ok(LoadedName {
            account: AccountId::new(self.account).map_err(invalid)?,
            subject: match self.kind {
                SubjectKind::User => LoadedSubject::User(UserId::new(self.id).map_err(invalid)?),
                SubjectKind::ServiceAccount => {
                    LoadedSubject::ServiceAccount(ServiceAccountId::new(self.id).map_err(invalid)?)
                }
            },
        })
    }
}

impl SubjectKey {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What is kept for a subject.
#[derive(Debug)]
pub(super) enum Answerable {
    /// There is no such account.
    NoAccount,
    /// Everything that a question needs.
    Subject { account: Number, subject: Subject },
}

impl Weighed for Answerable {
    fn bytes(&self) -> usize {
        match self {
            Self::NoAccount => size_of::<Self>(),
            // The set may be shared by many; it is counted in full for each, so that a cache whose subjects share
            // nothing stays within its bound too.
            Self::Subject { subject, .. } => {
                let reasons = subject.exceptions.iter().map(|each| size_of::<HeldException>() + each.reason.len());
                size_of::<Self>()
                    + subject.held.len() * size_of::<HeldRole>()
                    + reasons.sum::<usize>()
                    + subject.set.bytes()
            }
        }
    }

    fn is_negative(&self) -> bool {
        match self {
            Self::NoAccount => true,
            Self::Subject { subject, .. } => subject.standing == Standing::Unknown,
        }
    }

    fn account(&self) -> Option<Number> {
        match self {
            Self::NoAccount => None,
            Self::Subject { account, .. } => Some(*account),
        }
    }
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

/// One question of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchItem {
    /// Of which kind the subject is.
    pub kind: SubjectKind,
    /// The subject's id, not yet looked at.
    pub id: String,
    /// The permission's id, not yet looked at; empty: an API scope is asked for.
    pub permission: String,
    /// The API scope's id, not yet looked at.
    pub api_scope: String,
    /// The path, not yet looked at; empty: none.
    pub resource: String,
    /// Facets with their values, not yet looked at.
    pub facets: Vec<(String, String)>,
    /// What conditions can look at.
    pub attributes: Attributes,
}

pub(super) type Kept = Arc<Entry<Answerable>>;

impl Service {
    /// May this subject do this? Cost: one look-up if the answer is kept and holds, and what [`decide`] costs; else a few
    /// reads for each of the subject's teams, roles, policies and resources.
    ///
    /// # Errors
    /// An unknown account or permission, a place that does not fit, and whatever keeps the facts from being read: never an
    /// allow.
    pub async fn check(&self, question: &Asking<'_>, at: ReadAt) -> Result<Decided, ServiceError> {
        let now = self.core.now();
        if let ReadAt::Exact(revision) = at {
            let answerable = self.answerable_at(question.subject, revision, now).await?;
            return answer(&answerable, question, revision);
        }
        // Read before the entry is looked at: whatever was published by now is seen, and the answer holds at the later
        // of the two revisions.
        let stable = self.core.stamps.stable();
        let entry = self.entry(question.subject, now).await?;
        answer(&entry.value, question, stable.max(entry.revision))
    }

    /// Answers many questions about one account at one revision and one instant; an item that is an error is an error of
    /// its own.
    ///
    /// # Errors
    /// An unknown account, too many items, and whatever keeps the facts from being read.
    pub async fn batch_check(
        &self,
        account: &str,
        items: &[BatchItem],
        at: ReadAt,
    ) -> Result<(Vec<Result<Reason, ServiceError>>, Revision), ServiceError> {
        if items.is_empty() || items.len() > MAX_BATCH {
            return Err(ServiceError::field(
                "items",
                format!("{} items were given; 1 to {MAX_BATCH} are expected", items.len()),
            ));
        }
        AccountId::check(account).map_err(|error| ServiceError::field("account", error.to_string()))?;
        let now = self.core.now();
        if at == ReadAt::Latest {
            for _ in 0..3 {
                let start = self.core.stamps.stable();
                let mut entries: Vec<Result<Kept, ServiceError>> = Vec::with_capacity(items.len());
                for item in items {
                    entries.push(match item.subject(account) {
                        Ok(subject) => Ok(self.entry(subject, now).await?),
                        Err(error) => Err(error),
                    });
                }
                let holds = |entry: &Result<Kept, ServiceError>| {
                    entry.as_ref().map_or(true, |entry| self.core.subjects.holds_at(entry, start))
                };
                if entries.iter().flatten().any(|entry| entry.is_unkept()) {
                    // A large write is under way: history is where the rest of the batch is found too.
                    break;
                }
                if entries.iter().all(holds) {
                    let results = items.iter().zip(entries).map(|(item, entry)| item.result(account, &entry?.value));
                    return Ok((whole_account(results.collect())?, start));
                }
            }
        }
        let revision = match at {
            ReadAt::Latest => self.core.stamps.stable(),
            ReadAt::Exact(revision) => revision,
        };
        let mut results = Vec::with_capacity(items.len());
        let mut known: HashMap<(SubjectKind, &str), Answerable> = HashMap::new();
        for item in items {
            let subject = match item.subject(account) {
                Ok(subject) => subject,
                Err(error) => {
                    results.push(Err(error));
                    continue;
                }
            };
            let answerable = match known.entry((item.kind, item.id.as_str())) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(new) => new.insert(self.answerable_at(subject, revision, now).await?),
            };
            results.push(item.result(account, answerable));
        }
        Ok((whole_account(results)?, revision))
    }

    /// The entry of a subject at a revision and an instant, and the revision at which it is so.
    pub(super) async fn entry_at(
        &self,
        name: SubjectName<'_>,
        at: ReadAt,
        now: Timestamp,
    ) -> Result<(Kept, Revision), ServiceError> {
        match at {
            ReadAt::Latest => {
                let stable = self.core.stamps.stable();
                let entry = self.entry(name, now).await?;
                let revision = stable.max(entry.revision);
                Ok((entry, revision))
            }
            ReadAt::Exact(revision) => {
                let answerable = self.answerable_at(name, revision, now).await?;
                Ok((Arc::new(Entry::unkept(answerable, revision)), revision))
            }
        }
    }

    /// The kept entry of a subject, or a new one.
    async fn entry(&self, subject: SubjectName<'_>, now: Timestamp) -> Result<Kept, ServiceError> {
        let key = subject.key();
        #[cfg(test)]
        let asked_at = self.core.with_faulty_clock(now);
        #[cfg(not(test))]
        let asked_at = now;
        if let Some(entry) = self.core.subjects.hit(key.as_bytes(), asked_at) {
            return Ok(entry);
        }
        let name = subject.to_owned()?;
        let core = Arc::clone(&self.core);
        self.blocking(move || {
            let mut read = |stamps: &Stamps, dependencies: &mut Dependencies| {
                let mut note = |dependency: Dependency| stamps.depend(dependencies, &dependency);
                core.load(&StoreView(&*core.store), &name, None, now, &mut note)
            };
            // What was published before this line is seen by either way.
            let stable = core.stamps.stable();
            match core.subjects.get_or_load(key.as_bytes(), asked_at, &mut read).map_err(ServiceError::from) {
                Err(error) if error.reason == ErrorReason::Disturbed => {
                    // A large write can take long. What was published before it is answered meanwhile, from history.
                    let (answerable, _) = core.load(&core.at(stable), &name, Some(stable), now, &mut |_| {})?;
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
        self.blocking(move || Ok(core.load(&core.at(revision), &name, Some(revision), now, &mut |_| {})?.0)).await
    }
}

impl Core {
    /// Reads all that a question about a subject needs, noting each thing before it is read. Gives the first instant at
    /// which something of it ceases to count too. `past`: the revision of the view, if it is not of this moment.
    pub(super) fn load(
        &self,
        view: &dyn View,
        name: &LoadedName,
        past: Option<Revision>,
        now: Timestamp,
        note: facts::Note<'_>,
    ) -> Result<(Answerable, Option<Timestamp>), ServiceError> {
        let account_id = &name.account;
        note(Dependency::AccountName(account_id.clone()));
        let Some(account) = facts::get_name(view, &Key::AccountName(account_id.clone()))?.map(|name| name.value) else {
            return Ok((Answerable::NoAccount, None));
        };
        note(Dependency::Thing(account));
        let Some(record) = facts::get_account(view, &Key::Account(account))?.map(|record| record.value) else {
            return Ok((Answerable::NoAccount, None));
        };
        note(Dependency::Thing(record.catalog));
        let catalog = match past {
            Some(revision) => self.catalog_at(record.catalog, revision)?,
            None => self.catalog(record.catalog)?,
        };
        let Some(catalog) = catalog else { return Ok((Answerable::NoAccount, None)) };

        let (standing, holding) = match &name.subject {
            #[cfg(test)]
            LoadedSubject::ServiceAccount(id)
                if self.settings.fault == Some(super::core::Fault::ServiceAccountAsUser) =>
            {
                let id = UserId::new(id.as_str()).map_err(|error| ServiceError::field("subject", error.to_string()))?;
                load_user(view, account, &id, record.state, note)?
            }
            LoadedSubject::User(id) => load_user(view, account, id, record.state, note)?,
            LoadedSubject::ServiceAccount(id) => load_service_account(view, account, id, record.state, note)?,
        };
        #[cfg(test)]
        let record = self.with_faulty_features(record, &catalog);
        let gatherer = Gatherer { core: self, view, account, catalog: &catalog, now };
        let Gathered { set, held, exceptions, expires } = gatherer.gather(holding, record.features, note)?;
        Ok((Answerable::Subject { account, subject: Subject { standing, set, held, exceptions } }, expires))
    }
}

/// Where a user stands, and whether what it holds matters. Who is not active is asked about seldom and told no at once: its
/// roles are not even read.
fn load_user(
    view: &dyn View,
    account: Number,
    id: &UserId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<(Standing, Holding), ServiceError> {
    let name = Key::UserName { account, id: id.clone() };
    note(Dependency::UserName { account, id: id.clone() });
    let Some(user) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), Holding::Nothing));
    };
    note(Dependency::Thing(user));
    let record = facts::get_user(view, &Key::User { account, user })?;
    let standing = standing(account_state, record.map(|record| record.value.state == UserState::Active));
    let holding = if standing == Standing::Active { Holding::User(user) } else { Holding::Nothing };
    Ok((standing, holding))
}

/// The same for a service account, which holds what it holds directly.
fn load_service_account(
    view: &dyn View,
    account: Number,
    id: &ServiceAccountId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<(Standing, Holding), ServiceError> {
    let name = Key::ServiceAccountName { account, id: id.clone() };
    note(Dependency::ServiceAccountName { account, id: id.clone() });
    let Some(service_account) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), Holding::Nothing));
    };
    note(Dependency::Thing(service_account));
    let record = facts::get_service_account(view, &Key::ServiceAccount { account, service_account })?;
    let is_active = record.map(|record| record.value.state == ServiceAccountState::Active);
    let standing = standing(account_state, is_active);
    let holding =
        if standing == Standing::Active { Holding::ServiceAccount(service_account) } else { Holding::Nothing };
    Ok((standing, holding))
}

/// Whether a subject can be allowed anything. `is_active`: none if it does not exist.
fn standing(account: AccountState, is_active: Option<bool>) -> Standing {
    match (account, is_active) {
        (AccountState::Suspended, _) => Standing::AccountSuspended,
        (AccountState::Active, None) => Standing::Unknown,
        (AccountState::Active, Some(true)) => Standing::Active,
        (AccountState::Active, Some(false)) => Standing::NotActive,
    }
}

impl BatchItem {
    fn subject<'a>(&'a self, account: &'a str) -> Result<SubjectName<'a>, ServiceError> {
        SubjectName::new(account, self.kind, &self.id)
            .map_err(|error| ServiceError::field("subject", error.to_string()))
    }

    fn result(&self, account: &str, answerable: &Answerable) -> Result<Reason, ServiceError> {
        let asked = match self.permission.as_str() {
            "" => AskedName::ApiScope(&self.api_scope),
            permission => AskedName::Permission(permission),
        };
        let facets = self.facets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let question = Asking {
            subject: SubjectName { account, kind: self.kind, id: &self.id },
            asked,
            place: PlaceName { resource: &self.resource, facets },
            attributes: &self.attributes,
        };
        answer(answerable, &question, Revision(0)).map(|answer| answer.reason)
    }
}

/// A missing account is an error of the batch, not of each of its items.
fn whole_account(
    results: Vec<Result<Reason, ServiceError>>,
) -> Result<Vec<Result<Reason, ServiceError>>, ServiceError> {
    let missing = results.iter().find_map(|result| match result {
        Err(error) if error.reason == ErrorReason::AccountNotFound => Some(error.clone()),
        _ => None,
    });
    missing.map_or(Ok(results), Err)
}

/// The one place where a kept subject becomes an answer.
fn answer(answerable: &Answerable, question: &Asking<'_>, revision: Revision) -> Result<Decided, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(question.subject.account)) };
    Ok(Decided { reason: decide(subject, question.about(subject.set.catalog())?), revision })
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
        Ok(Question { asked, place, subject: self.subject.id, attributes: self.attributes })
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
