//! What is expected of a write: that it is done, or that it is refused for one of several reasons.

use rolecall::service::{ErrorReason, StatusKind};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    super::oracle::{Broken, Oracle, Use},
    Worker,
};

/// What is wrong with a write: it has to be refused for one of these, or to succeed if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong(Vec<Refusal>);

/// A way to refuse. Without a reason every reason of the code will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: Code,
    reason: Option<&'static str>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, reason: None }
    }
}

impl From<ErrorReason> for Refusal {
    fn from(reason: ErrorReason) -> Self {
        Self { code: code(reason), reason: Some(reason.name()) }
    }
}

impl Wrong {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, refusal: impl Into<Refusal>) {
        self.0.push(refusal.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it may be refused so.
    pub(super) fn admits(&self, status: &Status) -> bool {
        let given = reason_of(status);
        let is_so = |refusal: &Refusal| {
            refusal.code == status.code() && refusal.reason.is_none_or(|reason| given.as_deref() == Some(reason))
        };
        self.0.iter().any(is_so)
    }
}

impl<R: Into<Refusal>> From<R> for Wrong {
    fn from(refusal: R) -> Self {
        Self(vec![refusal.into()])
    }
}

/// The status code that a reason comes with.
pub(super) fn code(reason: ErrorReason) -> Code {
    match reason.status() {
        StatusKind::InvalidArgument => Code::InvalidArgument,
        StatusKind::NotFound => Code::NotFound,
        StatusKind::AlreadyExists => Code::AlreadyExists,
        StatusKind::FailedPrecondition => Code::FailedPrecondition,
        StatusKind::Aborted => Code::Aborted,
        StatusKind::ResourceExhausted => Code::ResourceExhausted,
        StatusKind::OutOfRange => Code::OutOfRange,
        StatusKind::Unavailable => Code::Unavailable,
        StatusKind::Internal => Code::Internal,
    }
}

/// The reason that a status gives to programs.
pub(super) fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// How a write is refused that breaks a constraint.
fn refusal(broken: &Broken) -> ErrorReason {
    match broken {
        Broken::MustHoldRole(_) => ErrorReason::LastRole,
        Broken::AlwaysHeld(_) => ErrorReason::AlwaysHeldRole,
        Broken::MutuallyExclusive(..) => ErrorReason::MutuallyExclusiveRoles,
        Broken::MaxHolders(_) => ErrorReason::TooManyHolders,
    }
}

impl Worker {
    /// The facts as a write leaves them, if nothing is wrong with it. If it breaks a constraint in an account, that is
    /// wrong.
    pub(super) fn after(&self, account: &str, wrong: &mut Wrong, write: impl FnOnce(&mut Oracle)) -> Oracle {
        let mut after = self.oracle.clone();
        if wrong.is_empty() {
            write(&mut after);
            self.constrain(account, &after, wrong);
        }
        after
    }

    /// Notes what a write breaks in an account.
    pub(super) fn constrain(&self, account: &str, after: &Oracle, wrong: &mut Wrong) {
        after.broken(&self.oracle, account, self.now).iter().for_each(|broken| wrong.push(refusal(broken)));
    }
}

/// How many uses there are of each kind, as a deletion says it.
pub(super) fn counted<'a>(uses: impl IntoIterator<Item = &'a Use>, members: &str) -> Vec<(String, i64)> {
    let mut counts = std::collections::BTreeMap::new();
    for each in uses {
        let kind = match each {
            Use::Binding(_) => "role_bindings",
            Use::Role(_) => "roles",
            Use::Member(_) => members,
            Use::Exception(_) => "exceptions",
            Use::Resource(_) => "resources",
            Use::AccessList(..) => "access_lists",
        };
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The same of an answer.
pub(super) fn removed(uses: Vec<rolecall::proto::Use>) -> Vec<(String, i64)> {
    let mut counts: Vec<(String, i64)> = uses.into_iter().map(|each| (each.kind, each.count)).collect();
    counts.sort();
    counts
}
