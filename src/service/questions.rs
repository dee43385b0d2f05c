//! Check, BatchCheck and ListPermissions: from the cache where it holds, worked out otherwise.

use std::{collections::HashMap, sync::Arc};

use super::{
    MAX_BATCH,
    core::{CatalogAt, Core, ReadAt, Service, StoreView},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
};
use crate::{
    cache::{Dependencies, Entry, Stamps, Weighed},
    engine::{Asked, EffectiveSet, HeldRole, Reason, Standing, Subject, decide, effective_permissions},
    model::{
        AccountId, AccountState, CatalogId, Dependency, Key, MAX_ID_BYTES, Number, Revision, ServiceAccountId,
        ServiceAccountState, TeamId, UserId, UserState,
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
struct LoadedName {
    account: AccountId,
    subject: LoadedSubject,
}

enum LoadedSubject {
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

    fn to_owned(self) -> Result<LoadedName, ServiceError> {
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

/// One path by which a subject has a permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantPath {
    /// The role.
    pub role: RoleName,
    /// The team through which it is held; none: directly.
    pub team: Option<TeamId>,
    /// The binding.
    pub binding: Number,
}

/// One permission that a subject has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPermission {
    /// Its id.
    pub permission: String,
    /// The section that it is shown under.
    pub section: String,
    /// The feature that it belongs to, if any.
    pub feature: Option<String>,
    /// The API scopes that it provides, included ones too, ordered by id.
    pub api_scopes: Vec<String>,
    /// Every path by which the subject has it.
    pub paths: Vec<GrantPath>,
    /// The catalog calls it outdated.
    pub deprecated: bool,
}

/// Everything that a subject may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPermissions {
    /// The account, as it is called.
    pub account: AccountId,
    /// What it may do, ordered by id.
    pub permissions: Vec<ListedPermission>,
    /// Why it may do nothing at all, if that is so whatever its roles are.
    pub subject_reason: Option<Reason>,
    /// The permission after which the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

/// One API scope that a subject may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApiScope {
    /// Its id.
    pub api_scope: String,
    /// For people.
    pub description: String,
    /// The permissions of the subject that provide it, ordered by id.
    pub permissions: Vec<String>,
}

/// Every API scope that a subject may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApiScopes {
    /// Ordered by id.
    pub api_scopes: Vec<ListedApiScope>,
    /// Why there is none, if that is so whatever its roles are.
    pub subject_reason: Option<Reason>,
    /// The API scope after which the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

type Kept = Arc<Entry<Answerable>>;

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
            let key = (item.kind, item.id.as_str());
            if !known.contains_key(&key) {
                known.insert(key, self.answerable_at(subject, revision).await?);
            }
            if let Some(answerable) = known.get(&key) {
                results.push(item.result(account, answerable));
            }
        }
        Ok((whole_account(results)?, revision))
    }

    /// What a subject may do, and why: a page of at most `size` permissions after `after`, and fewer if very many paths
    /// lead to them. Cost: as [`Self::check`], and linear in the catalog's permissions and the paths on the page.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn list_permissions(
        &self,
        name: SubjectName<'_>,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<ListedPermissions, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at).await?;
        self.blocking(move || {
            let page = listed(&entry.value, &account, size, after.as_deref())?;
            Ok(ListedPermissions { revision, ..page })
        })
        .await
    }

    /// The API scopes that a subject may use, with the permissions that provide them: a page of at most `size` after
    /// `after`. Cost: as [`Self::check`], and linear in the subject's permissions.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn list_api_scopes(
        &self,
        name: SubjectName<'_>,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<ListedApiScopes, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at).await?;
        self.blocking(move || {
            let page = listed_api_scopes(&entry.value, &account, size, after.as_deref())?;
            Ok(ListedApiScopes { revision, ..page })
        })
        .await
    }

    /// The entry of a subject at a revision, and the revision at which it is so.
    async fn entry_at(&self, name: SubjectName<'_>, at: ReadAt) -> Result<(Kept, Revision), ServiceError> {
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
    Ok((standing, held.into_iter().map(|(binding, role)| HeldRole { role, team: None, binding }).collect()))
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

fn no_account(id: &str) -> ServiceError {
    ServiceError::new(ErrorReason::AccountNotFound, format!("there is no account {id:?}")).with("account", id)
}

/// A page ends before a permission with which it would have more paths than this.
const MAX_PATHS: usize = 20_000;

fn listed(
    answerable: &Answerable,
    account: &AccountId,
    size: usize,
    after: Option<&str>,
) -> Result<ListedPermissions, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(account.as_str())) };
    let catalog = subject.set.catalog();
    let definition = &catalog.catalog().definition;
    let mut permissions: Vec<ListedPermission> = Vec::new();
    let (mut path_count, mut next) = (0, None);
    for (index, held) in effective_permissions(subject, after) {
        let Some(permission) = catalog.definition(index) else { continue };
        let is_full = permissions.len() == size || path_count + held.len() > MAX_PATHS;
        if let Some(last) = permissions.last().filter(|_| is_full) {
            next = Some(last.permission.clone());
            break;
        }
        path_count += held.len();
        let scopes = subject.set.provided(index, held.iter().copied());
        let mut paths: Vec<GrantPath> = held
            .into_iter()
            .filter_map(|held| {
                let role = facts::role_name(account, catalog, subject.set.role(held.role)?);
                Some(GrantPath { role, team: held.team.as_ref().map(|(_, id)| id.clone()), binding: held.binding })
            })
            .collect();
        paths.sort();
        let feature = permission.feature.and_then(|feature| definition.features.get(feature.position()));
        permissions.push(ListedPermission {
            permission: permission.id.to_string(),
            section: text(definition.sections.get(permission.section.position()).map(|section| &section.id)),
            feature: feature.map(|feature| feature.id.to_string()),
            api_scopes: catalog.api_scope_ids(&scopes).map(ToString::to_string).collect(),
            paths,
            deprecated: permission.deprecated,
        });
    }
    let subject_reason = subject_reason(subject.standing);
    Ok(ListedPermissions { account: account.clone(), permissions, subject_reason, next, revision: Revision(0) })
}

/// Why nothing is listed, if that is so whatever a subject's roles are.
fn subject_reason(standing: Standing) -> Option<Reason> {
    match standing {
        Standing::Active => None,
        Standing::AccountSuspended => Some(Reason::AccountSuspended),
        Standing::Unknown => Some(Reason::SubjectUnknown),
        Standing::NotActive => Some(Reason::SubjectNotActive),
    }
}

fn listed_api_scopes(
    answerable: &Answerable,
    account: &AccountId,
    size: usize,
    after: Option<&str>,
) -> Result<ListedApiScopes, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(account.as_str())) };
    let catalog = subject.set.catalog();
    let definition = &catalog.catalog().definition;
    let mut provided = Vec::new();
    for (index, held) in effective_permissions(subject, None) {
        provided.push((index, subject.set.provided(index, held)));
    }
    let mut api_scopes: Vec<ListedApiScope> = Vec::new();
    let (mut permission_count, mut next) = (0, None);
    for index in catalog.all_api_scopes() {
        let Some(scope) = definition.api_scopes.get(index.position()) else { continue };
        let comes_after = after.is_none_or(|after| scope.id.as_str() > after);
        if !comes_after || decide(subject, index) != Reason::Allowed {
            continue;
        }
        let by = provided.iter().filter(|(_, scopes)| scopes.contains(index));
        let permissions: Vec<String> =
            by.filter_map(|(index, _)| catalog.definition(*index)).map(|each| each.id.to_string()).collect();
        let is_full = api_scopes.len() == size || permission_count + permissions.len() > MAX_PATHS;
        if let Some(last) = api_scopes.last().filter(|_| is_full) {
            next = Some(last.api_scope.clone());
            break;
        }
        permission_count += permissions.len();
        let (api_scope, description) = (scope.id.to_string(), scope.description.clone());
        api_scopes.push(ListedApiScope { api_scope, description, permissions });
    }
    let subject_reason = subject_reason(subject.standing);
    Ok(ListedApiScopes { api_scopes, subject_reason, next, revision: Revision(0) })
}

fn text(id: Option<&impl ToString>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}
