//! The names of subjects: as callers give them, as loads own them, and as keys.

use super::error::ServiceError;
use crate::{
    cache::{NamedSubject, Space},
    model::{AccountId, MAX_ID_BYTES, ServiceAccountId, UserId},
};

/// Of which kind a subject is. A user and a service account of the same id are two subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A user.
    User,
    /// A service account.
    ServiceAccount,
}

/// Who a question is about: the ids of an account and of a user or service account in it, as they were given. Whoever
/// looks for what is kept under a name need not look at the name: only well-formed ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectName<'a> {
    account: &'a str,
    kind: SubjectKind,
    id: &'a str,
}

/// A subject of an account, for a load.
pub(super) struct LoadedName {
    pub(super) account: AccountId,
    pub(super) subject: LoadedSubject,
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

/// The cache's key of a subject: its kind and both ids, the first with its length before it, so that no two share one.
pub(super) struct SubjectKey {
    bytes: [u8; 2 + 2 * MAX_ID_BYTES],
    length: usize,
}

/// Whether two texts are equal, where it is likely that they are one.
#[inline]
pub(super) fn same_text(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

impl<'a> SubjectName<'a> {
    /// Names a subject.
    #[must_use]
    pub fn new(account: &'a str, kind: SubjectKind, id: &'a str) -> Self {
        Self { account, kind, id }
    }

    /// Refuses ids that are not well formed.
    ///
    /// # Errors
    /// Which of the two is no id, and why.
    pub fn check(self) -> Result<(), ServiceError> {
        AccountId::check(self.account).map_err(|error| ServiceError::field("account", error.to_string()))?;
        let subject = match self.kind {
            SubjectKind::User => UserId::check(self.id),
            SubjectKind::ServiceAccount => ServiceAccountId::check(self.id),
        };
        subject.map_err(|error| ServiceError::field("subject", error.to_string()))
    }

    /// The key under which everything about a subject of this name is kept, which has to be well formed.
    pub(super) fn key(self) -> SubjectKey {
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

    /// The same, as the map of what decisions are made from takes it.
    #[inline]
    pub(super) fn named(self) -> NamedSubject<'a> {
        let space = match self.kind {
            SubjectKind::User => Space::Users,
            SubjectKind::ServiceAccount => Space::ServiceAccounts,
        };
        NamedSubject { account: self.account, space, id: self.id }
    }

    /// Whether this is another name of the same subject. Nothing is compared that is one text in memory.
    #[inline]
    pub(super) fn is(self, other: Self) -> bool {
        same_text(self.id, other.id) && self.kind == other.kind && same_text(self.account, other.account)
    }

    /// The account's id.
    pub(super) fn account(self) -> &'a str {
        self.account
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
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
