//! All that answers about a subject are made from, read from the store.

use std::{sync::Arc, thread::LocalKey};

use super::{
    core::Core,
    error::ServiceError,
    facts,
    holdings::{Gathered, Gatherer, Holding, OwnHoldings},
    subjects::{LoadedName, LoadedSubject},
};
use crate::{
    cache::{AtHand, Shareable, Weighed},
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
        /// What decides.
        subject: Subject,
        /// How that came about.
        evidence: Evidence,
        /// What of it is the subject's own.
        own: Arc<OwnHoldings>,
    },
}

impl Weighed for Answerable {
    fn bytes(&self) -> usize {
        match self {
            Self::NoAccount => size_of::<Self>(),
            // The set may be shared by many; it is counted in full for each, so that a cache whose subjects share
            // nothing stays within its bound too.
            Self::Subject { subject, evidence, own, .. } => {
                let reasons = evidence.exceptions.iter().map(|each| size_of::<HeldException>() + each.reason.len());
                size_of::<Self>()
                    + evidence.held.len() * size_of::<HeldRole>()
                    + reasons.sum::<usize>()
                    + subject.set.bytes()
                    + own.bytes()
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
    pub(super) own: Own,
}

/// What those who share a [`Decidable`] have of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Own {
    /// Their account. Its number, for another account can come to its id.
    pub(super) account: Number,
    /// Whether what they hold counts. Where it does not, it was not even read.
    pub(super) standing: Standing,
    pub(super) holds: Arc<OwnHoldings>,
}

impl Shareable for Decidable {
    /// Where the set is, which is there once for each signature; and what of it is the subject's own.
    type Key = (usize, Own);
    type Own = Own;

    fn key(&self) -> Self::Key {
        (Arc::as_ptr(&self.subject.set).addr(), self.own.clone())
    }

    fn own(&self) -> &Own {
        &self.own
    }

    fn account(&self) -> &str {
        self.account.as_str()
    }

    fn bytes(&self) -> usize {
        self.subject.set.bytes() + self.own.holds.bytes()
    }

    fn at_hand() -> &'static LocalKey<AtHand<Self>> {
        thread_local!(static AT_HAND: AtHand<Decidable> = const { AtHand::new() });
        &AT_HAND
    }
}

/// Whose fact it is that an answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The subject's alone: which thing its name stands for, and that thing.
    Own,
    /// Others may depend on it too who hold the same.
    Shared,
}

/// Told of each fact before it is read.
pub(super) type NoteWhose<'a> = &'a mut dyn FnMut(Whose, Dependency);

impl Core {
    /// Reads all that a question about a subject needs, noting each thing before it is read. Gives the first instant at
    /// which something of it ceases to count too. `past`: the revision of the view, if it is not of this moment.
    pub(super) fn load(
        &self,
        view: &dyn View,
        name: &LoadedName,
        past: Option<Revision>,
        now: Timestamp,
        note_whose: NoteWhose<'_>,
    ) -> Result<(Answerable, Option<Timestamp>), ServiceError> {
        let mut note = |dependency| note_whose(Whose::Shared, dependency);
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

        let mut note_own = |dependency| note_whose(Whose::Own, dependency);
        let (standing, holding) = match &name.subject {
            #[cfg(test)]
            LoadedSubject::ServiceAccount(id)
                if self.settings.fault == Some(super::core::Fault::ServiceAccountAsUser) =>
            {
                let id = UserId::new(id.as_str()).map_err(|error| ServiceError::field("subject", error.to_string()))?;
                load_user(view, account, &id, record.state, &mut note_own)?
            }
            LoadedSubject::User(id) => load_user(view, account, id, record.state, &mut note_own)?,
            LoadedSubject::ServiceAccount(id) => load_service_account(view, account, id, record.state, &mut note_own)?,
        };
        #[cfg(test)]
        let record = self.with_faulty_features(record, &catalog);
        let gatherer = Gatherer { core: self, view, account, catalog: &catalog, now };
        let mut note = |dependency| note_whose(Whose::Shared, dependency);
        let Gathered { set, held, exceptions, expires, own } = gatherer.gather(holding, record.features, &mut note)?;
        let (subject, evidence) = (Subject { standing, set }, Evidence { held, exceptions });
        Ok((Answerable::Subject { account, subject, evidence, own }, expires))
    }
}

/// Whether a subject can be allowed anything, and whose holdings have to be read for it.
type Stands = (Standing, Holding);

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
) -> Result<Stands, ServiceError> {
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
