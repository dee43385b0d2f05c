//! All that answers about a subject are made from, read from the store.

use std::sync::Arc;

use super::{
    core::Core,
    error::ServiceError,
    facts,
    holdings::{Gathered, Gatherer, Holding},
    subjects::{LoadedName, LoadedSubject},
};
use crate::{
    cache::{Shareable, Stamps, Weighed},
    engine::{Evidence, HeldException, HeldRole, Standing, Subject},
    model::{
        AccountId, AccountState, Dependency, Key, Number, Revision, ServiceAccountId, ServiceAccountState, Timestamp,
        UserId, UserState,
    },
    store::View,
};

/// What is kept for a subject.
#[derive(Debug)]
pub(super) enum Answerable {
    /// There is no such account.
    NoAccount,
    /// Everything that a question needs.
    Subject {
        /// The account.
        account: Number,
        /// The subject's number; none: there is no such subject.
        number: Option<Number>,
        /// What decides.
        subject: Subject,
        /// How that came about.
        evidence: Evidence,
    },
}

impl Weighed for Answerable {
    fn bytes(&self) -> usize {
        match self {
            Self::NoAccount => size_of::<Self>(),
            // The set may be shared by many; it is counted in full for each, so that a cache whose subjects share
            // nothing stays within its bound too.
            Self::Subject { subject, evidence, .. } => {
                let reasons = evidence.exceptions.iter().map(|each| size_of::<HeldException>() + each.reason.len());
                size_of::<Self>()
                    + evidence.held.len() * size_of::<HeldRole>()
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

/// What decisions are made from: the part of [`Answerable`] that all share who hold the same.
#[derive(Debug)]
pub(super) struct Decidable {
    pub(super) account: AccountId,
    pub(super) subject: Subject,
}

impl Shareable for Decidable {
    /// Where the set is, which is there once for each signature; whether it counts; and in which account.
    type Key = (usize, Standing, AccountId);

    fn key(&self) -> Self::Key {
        (Arc::as_ptr(&self.subject.set).addr(), self.subject.standing, self.account.clone())
    }

    fn account(&self) -> &str {
        self.account.as_str()
    }

    fn bytes(&self) -> usize {
        self.subject.set.bytes()
    }
}

impl Answerable {
    /// The slots of what a subject alone depends on: which thing its name stands for, and that thing.
    pub(super) fn own_slots(&self, name: &LoadedName, stamps: &Stamps) -> [u16; 2] {
        let Self::Subject { account, number, .. } = self else { return [0; 2] };
        let named = stamps.own_slot(&match &name.subject {
            LoadedSubject::User(id) => Dependency::UserName { account: *account, id: id.clone() },
            LoadedSubject::ServiceAccount(id) => Dependency::ServiceAccountName { account: *account, id: id.clone() },
        });
        [named, number.map_or(named, |number| stamps.own_slot(&Dependency::Thing(number)))]
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

        let (standing, number, holding) = match &name.subject {
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
        let (subject, evidence) = (Subject { standing, set }, Evidence { held, exceptions });
        Ok((Answerable::Subject { account, number, subject, evidence }, expires))
    }
}

/// Whether a subject can be allowed anything, which one it is, and whose holdings have to be read for it.
type Stands = (Standing, Option<Number>, Holding);

/// Where a user stands, and whether what it holds matters. Who is not active is asked about seldom and told no at once: its
/// roles are not even read.
fn load_user(
    view: &dyn View,
    account: Number,
    id: &UserId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<Stands, ServiceError> {
    let name = Key::UserName { account, id: id.clone() };
    note(Dependency::UserName { account, id: id.clone() });
    let Some(user) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), None, Holding::Nothing));
    };
    note(Dependency::Thing(user));
    let record = facts::get_user(view, &Key::User { account, user })?;
    let standing = standing(account_state, record.map(|record| record.value.state == UserState::Active));
    let holding = if standing == Standing::Active { Holding::User(user) } else { Holding::Nothing };
    Ok((standing, Some(user), holding))
}

/// The same for a service account, which holds what it holds directly.
fn load_service_account(
    view: &dyn View,
    account: Number,
    id: &ServiceAccountId,
    account_state: AccountState,
    note: facts::Note<'_>,
) -> Result<Stands, ServiceError> {
    let name = Key::ServiceAccountName { account, id: id.clone() };
    note(Dependency::ServiceAccountName { account, id: id.clone() });
    let Some(service_account) = facts::get_name(view, &name)?.map(|name| name.value) else {
        return Ok((standing(account_state, None), None, Holding::Nothing));
    };
    note(Dependency::Thing(service_account));
    let record = facts::get_service_account(view, &Key::ServiceAccount { account, service_account })?;
    let is_active = record.map(|record| record.value.state == ServiceAccountState::Active);
    let standing = standing(account_state, is_active);
    let holding =
        if standing == Standing::Active { Holding::ServiceAccount(service_account) } else { Holding::Nothing };
    Ok((standing, Some(service_account), holding))
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
