//! Check and BatchCheck: from the cache where it holds, worked out otherwise. The lists of `listings` begin here too.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    MAX_BATCH,
    core::{CatalogAt, Core, ReadAt, Service, StoreView},
    error::{ErrorReason, ServiceError},
    facts,
};
use crate::{
    cache::{Dependencies, Entry, Stamps, Weighed},
    engine::{Asked, EffectiveSet, HeldRole, Reason, Standing, Subject, decide},
    model::{
        AccountId, AccountState, CatalogId, Dependency, Key, MAX_ID_BYTES, Number, Revision, ServiceAccountId,
        ServiceAccountState, UserId, UserState,
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
                size_of::<Self>() + subject.held.len() * size_of::<HeldRole>() + subject.set.bytes()
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

/// One question of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchItem {
    /// Of which kind the subject is.
    pub kind: SubjectKind,
    /// The subject's id, not yet looked at.
    pub id: String,
    /// The permission's id, not yet looked at; empty: an API scope is asked for.
    pub permission: String,
    /// The API scope's id, not yet looked at.
    pub api_scope: String,
}

pub(super) type Kept = Arc<Entry<Answerable>>;

impl Service {
    /// May this subject do this? Cost: one look-up if the answer is kept and holds; else a few reads for each of the
    /// subject's teams and roles.
    ///
    /// # Errors
    /// An unknown account or permission, and whatever keeps the facts from being read: never an allow.
    pub async fn check(
        &self,
        subject: SubjectName<'_>,
        asked: AskedName<'_>,
        at: ReadAt,
    ) -> Result<Decided, ServiceError> {
        if let ReadAt::Exact(revision) = at {
            let answerable = self.answerable_at(subject, revision).await?;
            return answer(&answerable, subject, asked, revision);
        }
        // Read before the entry is looked at: whatever was published by now is seen, and the answer holds at the later
        // of the two revisions.
        let stable = self.core.stamps.stable();
        let entry = self.entry(subject).await?;
        answer(&entry.value, subject, asked, stable.max(entry.revision))
    }

    /// Answers many questions about one account at one revision; an item that is an error is an error of its own.
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
        if at == ReadAt::Latest {
            for _ in 0..3 {
                let start = self.core.stamps.stable();
                let mut entries: Vec<Result<Kept, ServiceError>> = Vec::with_capacity(items.len());
                for item in items {
                    entries.push(match item.subject(account) {
                        Ok(subject) => Ok(self.entry(subject).await?),
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
                hash_map::Entry::Vacant(new) => new.insert(self.answerable_at(subject, revision).await?),
            };
            results.push(item.result(account, answerable));
        }
        Ok((whole_account(results)?, revision))
    }

    /// The entry of a subject at a revision, and the revision at which it is so.
    pub(super) async fn entry_at(&self, name: SubjectName<'_>, at: ReadAt) -> Result<(Kept, Revision), ServiceError> {
        match at {
            ReadAt::Latest => {
                let stable = self.core.stamps.stable();
                let entry = self.entry(name).await?;
                let revision = stable.max(entry.revision);
                Ok((entry, revision))
            }
            ReadAt::Exact(revision) => {
                Ok((Arc::new(Entry::unkept(self.answerable_at(name, revision).await?, revision)), revision))
            }
        }
    }

    /// The kept entry of a subject, or a new one.
    async fn entry(&self, subject: SubjectName<'_>) -> Result<Kept, ServiceError> {
        let key = subject.key();
        if let Some(entry) = self.core.subjects.hit(key.as_bytes(), self.core.now()) {
            return Ok(entry);
        }
        let name = subject.to_owned()?;
        let core = Arc::clone(&self.core);
        self.blocking(move || {
            let mut read = |stamps: &Stamps, dependencies: &mut Dependencies| {
                let mut note = |dependency: Dependency| stamps.depend(dependencies, &dependency);
                let answerable = core.load(&StoreView(&*core.store), &name, None, &mut note)?;
                // No grant expires by itself yet, so neither does what is worked out from them.
                Ok((answerable, None))
            };
            // What was published before this line is seen by either way.
            let stable = core.stamps.stable();
            match core.subjects.get_or_load(key.as_bytes(), core.now(), &mut read).map_err(ServiceError::from) {
                Err(error) if error.reason == ErrorReason::Disturbed => {
                    // A large write can take long. What was published before it is answered meanwhile, from history.
                    let answerable = core.load(&core.at(stable), &name, Some(stable), &mut |_| {})?;
                    Ok(Arc::new(Entry::unkept(answerable, stable)))
                }
                outcome => outcome,
            }
        })
        .await
    }

    async fn answerable_at(&self, subject: SubjectName<'_>, revision: Revision) -> Result<Answerable, ServiceError> {
        let name = subject.to_owned()?;
        let core = Arc::clone(&self.core);
        self.blocking(move || core.load(&core.at(revision), &name, Some(revision), &mut |_| {})).await
    }
}

impl Core {
    /// Reads all that a question about a subject needs, noting each thing before it is read.
    fn load(
        &self,
        view: &dyn View,
        name: &LoadedName,
        past: Option<Revision>,
        note: facts::Note<'_>,
    ) -> Result<Answerable, ServiceError> {
        let account_id = &name.account;
        note(Dependency::AccountName(account_id.clone()));
        let Some(account) = facts::get_name(view, &Key::AccountName(account_id.clone()))?.map(|name| name.value) else {
            return Ok(Answerable::NoAccount);
        };
        note(Dependency::Thing(account));
        let Some(record) = facts::get_account(view, &Key::Account(account))?.map(|record| record.value) else {
            return Ok(Answerable::NoAccount);
        };
        note(Dependency::Thing(record.catalog));
        let catalog = match past {
            Some(revision) => self.catalog_at(record.catalog, revision)?,
            None => self.catalog(record.catalog)?,
        };
        let Some(catalog) = catalog else { return Ok(Answerable::NoAccount) };

        let (standing, held) = match &name.subject {
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
        let (record, held) = self.with_fault(record, held, &catalog);
        let (set, held) = self.set_of(view, account, &catalog, record.features, held, note)?;
        Ok(Answerable::Subject { account, subject: Subject { standing, set, held } })
    }

    /// The facts as a planted bug sees them.
    #[cfg(test)]
    fn with_fault(
        &self,
        mut record: crate::model::AccountRecord,
        mut held: Vec<HeldRole>,
        catalog: &CatalogAt,
    ) -> (crate::model::AccountRecord, Vec<HeldRole>) {
        use super::core::Fault;
        match self.settings.fault {
            Some(Fault::TeamRoleForgotten) => held.retain(|held| held.team.is_none()),
            Some(Fault::FeatureGateDropped) => record.features = catalog.compiled.catalog().feature_numbers.clone(),
            Some(_) | None => {}
        }
        (record, held)
    }

    /// A role as a planted bug sees it.
    #[cfg(test)]
    fn without_left_out(&self, role: Arc<crate::engine::RoleFacts>) -> Arc<crate::engine::RoleFacts> {
        if self.settings.fault != Some(super::core::Fault::LeftOutIgnored) {
            return role;
        }
        let (id, permissions) = (role.id.clone(), role.permissions.clone());
        let left_out = crate::engine::ApiScopeSet::default();
        let (number, origin) = (role.number, role.origin);
        Arc::new(crate::engine::RoleFacts { number, id, origin, permissions, left_out })
    }

    /// The compiled set of what is held, shared with everybody who holds the same; and what is held, less what is gone.
    fn set_of(
        &self,
        view: &dyn View,
        account: Number,
        catalog: &CatalogAt,
        features: Vec<Number>,
        held: Vec<HeldRole>,
        note: facts::Note<'_>,
    ) -> Result<(Arc<EffectiveSet>, Vec<HeldRole>), ServiceError> {
        let mut numbers: Vec<Number> = held.iter().map(|held| held.role).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut roles = Vec::with_capacity(numbers.len());
        let mut versions = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some((role, revision)) = facts::role_of_number(view, account, &catalog.compiled, number, note)? {
                #[cfg(test)]
                let role = self.without_left_out(role);
                roles.push(role);
                versions.push((number, revision));
            }
        }
        let signature = (catalog.compiled.catalog().number, catalog.revision, features.clone(), versions);
        let make = || EffectiveSet::new(Arc::clone(&catalog.compiled), &features, roles);
        let set = self.sets.get_or_make(signature, make);
        let held = held.into_iter().filter(|held| set.role(held.role).is_some()).collect();
        Ok((set, held))
    }
}

/// Where a user stands, and what it holds. Who is not active is asked about seldom and told no at once: its roles are not
/// even read.
fn load_user(
    view: &dyn View,
    account: Number,
    id: &UserId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<(Standing, Vec<HeldRole>), ServiceError> {
    let name = Key::UserName { account, id: id.clone() };
    note(Dependency::UserName { account, id: id.clone() });
    let Some(user) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), Vec::new()));
    };
    note(Dependency::Thing(user));
    let record = facts::get_user(view, &Key::User { account, user })?;
    let standing = standing(account_state, record.map(|record| record.value.state == UserState::Active));
    let held = match standing {
        Standing::Active => facts::held_roles(view, account, user, note)?,
        _ => Vec::new(),
    };
    Ok((standing, held))
}

/// The same for a service account, which holds what it holds directly.
fn load_service_account(
    view: &dyn View,
    account: Number,
    id: &ServiceAccountId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<(Standing, Vec<HeldRole>), ServiceError> {
    let name = Key::ServiceAccountName { account, id: id.clone() };
    note(Dependency::ServiceAccountName { account, id: id.clone() });
    let Some(service_account) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), Vec::new()));
    };
    note(Dependency::Thing(service_account));
    let record = facts::get_service_account(view, &Key::ServiceAccount { account, service_account })?;
    let is_active = record.map(|record| record.value.state == ServiceAccountState::Active);
    let standing = standing(account_state, is_active);
    let held = match standing {
        Standing::Active => facts::bindings_of(view, account, service_account)?,
        _ => Vec::new(),
    };
    Ok((
        standing,
        held.into_iter().map(|held| HeldRole { role: held.role, team: None, binding: held.binding }).collect(),
    ))
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
        let name = SubjectName { account, kind: self.kind, id: &self.id };
        let asked = match self.permission.as_str() {
            "" => AskedName::ApiScope(&self.api_scope),
            permission => AskedName::Permission(permission),
        };
        answer(answerable, name, asked, Revision(0)).map(|answer| answer.reason)
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
fn answer(
    answerable: &Answerable,
    name: SubjectName<'_>,
    asked: AskedName<'_>,
    revision: Revision,
) -> Result<Decided, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(name.account)) };
    let catalog = subject.set.catalog();
    let found = match asked {
        AskedName::Permission(id) => catalog.permission(id).map(Asked::from),
        AskedName::ApiScope(id) => catalog.api_scope(id).map(Asked::from),
    };
    let asked = found.ok_or_else(|| not_in_catalog(&catalog.catalog().definition.id, asked))?;
    Ok(Decided { reason: decide(subject, asked), revision })
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
