//! The answers of Check, held against the oracle's.

use rolecall::{
    proto::{BatchCheckResult, CheckResponse, Decision, DecisionReason},
    service::ErrorReason,
};
use tonic::{Code, Response, Status};

use super::{
    super::oracle::{Question, Reason, Subject, Unknown, What},
    Difference, Worker,
    expected::{code, reason_of},
    same,
};

/// An answer: a decision and why, or an error's code and reason.
pub(super) type Given = Result<(Decision, DecisionReason), (Code, String)>;

pub(super) fn given(answer: Result<Response<CheckResponse>, Status>) -> Given {
    match answer {
        Ok(answer) => Ok((answer.get_ref().decision(), answer.get_ref().reason())),
        Err(status) => Err((status.code(), reason_of(&status).unwrap_or_default())),
    }
}

pub(super) fn given_item(result: BatchCheckResult) -> Given {
    match &result.error {
        Some(error) => Err((Code::from(error.code), error.reason.clone())),
        None => Ok((result.decision(), result.reason())),
    }
}

/// How an error of a question is told.
pub(super) fn error(unknown: Unknown) -> (Code, String) {
    let reason = match unknown {
        Unknown::Account => ErrorReason::AccountNotFound,
        Unknown::Permission => ErrorReason::PermissionNotFound,
        Unknown::ApiScope => ErrorReason::ApiScopeNotFound,
        Unknown::Resource | Unknown::Facets => ErrorReason::FieldInvalid,
    };
    (code(reason), reason.name().to_owned())
}

fn wire(reason: Reason) -> (Decision, DecisionReason) {
    let wire = match reason {
        Reason::Allowed => return (Decision::Allow, DecisionReason::Allowed),
        Reason::AccountSuspended => DecisionReason::AccountSuspended,
        Reason::SubjectUnknown => DecisionReason::SubjectUnknown,
        Reason::SubjectNotActive => DecisionReason::SubjectNotActive,
        Reason::NoRoleGrants => DecisionReason::NoRoleGrants,
        Reason::GrantExpired => DecisionReason::GrantExpired,
        Reason::FeatureNotEntitled => DecisionReason::FeatureNotEntitled,
        Reason::ResourceNotCovered => DecisionReason::ResourceNotCovered,
        Reason::ResourceRequired => DecisionReason::ResourceRequired,
        Reason::FacetNotGranted => DecisionReason::FacetNotGranted,
        Reason::ConditionFailed => DecisionReason::ConditionFailed,
        Reason::ApiScopeLeftOut => DecisionReason::ApiScopeLeftOut,
        Reason::DeniedByPolicy => DecisionReason::DeniedByPolicy,
    };
    (Decision::Deny, wire)
}

/// Whether a question was answered as the oracle answers it.
pub(super) fn same_answer(
    question: &Question,
    answer: &Given,
    expected: Result<Reason, Unknown>,
) -> Result<(), Difference> {
    same(&format!("{question:?}"), answer, &expected.map(wire).map_err(error))
}

impl Worker {
    pub(super) fn compare(&mut self, account: &str, question: &Question, answer: Given) -> Result<(), Difference> {
        let expected = self.oracle.check(account, question, self.now);
        if matches!(question.what, What::ApiScope(_)) {
            self.compared("a check by API scope");
        }
        if matches!(question.subject, Subject::ServiceAccount(_)) {
            self.compared("a check of a service account");
        }
        match expected {
            Ok(reason) => self.compared(&format!("{reason:?}")),
            Err(unknown) => self.compared(&format!("error {unknown:?}")),
        }
        same_answer(question, &answer, expected).map_err(|difference| {
            format!("{difference}\nin {account} at {}: {}", self.now, self.told(account, question))
        })
    }

    /// The facts that a question depends on, for whoever looks into a difference.
    fn told(&self, account: &str, question: &Question) -> String {
        let Some(found) = self.oracle.accounts.get(account) else { return String::new() };
        let catalog = &self.oracle.catalogs[&found.catalog];
        let permissions = catalog.permissions.iter().filter(|(id, each)| match &question.what {
            What::Permission(asked) => *id == asked,
            What::ApiScope(asked) => catalog.with_included(&each.api_scopes).contains(asked),
        });
        let teams = found.teams.iter().filter(|(_, members)| match &question.subject {
            Subject::User(id) => members.contains(id),
            Subject::ServiceAccount(_) => false,
        });
        format!(
            "permissions {:?}\ntypes {:?}\nteams {:?}\nbindings {:?}\naccess {:?}\nexceptions {:?}\nroles {:?}\ncustom roles \
             {:?}\npolicies {:?}\ncustom policies {:?}\nfeatures {:?}",
            permissions.collect::<Vec<_>>(),
            catalog.resource_types,
            teams.collect::<Vec<_>>(),
            found.bindings,
            found.access,
            found.exceptions,
            catalog.roles,
            found.roles,
            catalog.policies,
            found.policies,
            found.features,
        )
    }
}
