//! `check`: one question, its answer, and what to look at next if the answer is no.
//!
//! Anything but `DECISION_ALLOW` is a denial here too: a value that this command does not know, or none at all, ends
//! with the exit code of a denial.

use serde::Serialize;

use super::{
    Exit, Failure, Format, Output,
    client::{Client, ClientSettings},
    output::printable,
    question::{PlaceArgs, fill},
};
use crate::proto::{CheckRequest, CheckResponse, Decision, DecisionReason};

#[derive(Serialize)]
struct Answer {
    decision: String,
    reason: String,
    consistency_token: String,
}

/// Asks, and prints the answer.
///
/// # Errors
/// What the server says against the question, or that it cannot be asked.
pub async fn run(
    settings: &ClientSettings,
    mut question: CheckRequest,
    place: PlaceArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    fill!(question, place.detail);
    question.resource = place.resource;
    let client = Client::connect(settings).await?;
    let answer = client.answer(client.authorization().check(client.request(question.clone()))).await?;
    print(settings.format, &question, &answer, output)?;
    Ok(if is_allowed(&answer) { Exit::Ok } else { Exit::No })
}

fn is_allowed(answer: &CheckResponse) -> bool {
    answer.decision == Decision::Allow as i32
}

fn print(format: Format, question: &CheckRequest, answer: &CheckResponse, output: &mut Output) -> Result<(), Failure> {
    if format != Format::Table {
        let decision = Decision::try_from(answer.decision);
        let answer = Answer {
            decision: decision.map_or_else(|_| answer.decision.to_string(), |known| known.as_str_name().to_owned()),
            reason: reason_name(answer.reason),
            consistency_token: answer.consistency_token.clone(),
        };
        return output.value(&answer, format);
    }
    let reason = reason_name(answer.reason);
    let reason = printable(reason.strip_prefix("DECISION_REASON_").unwrap_or(&reason));
    let is_allowed = is_allowed(answer);
    let word = output.colored(if is_allowed { "ALLOW" } else { "DENY" }, is_allowed);
    output.write(format!("{word}  {reason}\n").as_bytes())?;

    let CheckRequest { account, subject, permission, api_scope, resource, .. } = question;
    let may = if is_allowed { "may" } else { "may not" };
    let place = if resource.is_empty() { format!("in {account}") } else { format!("on {resource} in {account}") };
    if api_scope.is_empty() {
        output.line(&format!("{subject} {may} {permission} {place}: {}", explain(answer.reason)))?;
    } else {
        let why = explain_api_scope(answer.reason);
        output.line(&format!("{subject} {may} use the API scope {api_scope} {place}: {why}"))?;
    }
    next_step(question, answer.reason).map_or(Ok(()), |next| output.line(&next))
}

/// What to look at or to do about a denial.
fn next_step(CheckRequest { account, subject, permission, .. }: &CheckRequest, reason: i32) -> Option<String> {
    let noun = if subject.starts_with("users/") { "users" } else { "service-accounts" };
    let permissions = format!("rolecall permissions {subject} --account {account}");
    Some(match DecisionReason::try_from(reason).ok()? {
        DecisionReason::NoRoleGrants => format!("to see what its roles give: {permissions}"),
        DecisionReason::FeatureNotEntitled => format!(
            "to see the features of the account: rolecall export {account}; its catalog says which one the permission \
             belongs to"
        ),
        DecisionReason::ApiScopeLeftOut => format!(
            "to see its roles: rolecall {noun} show {subject} --account {account}; then what each leaves out: \
             rolecall roles show"
        ),
        DecisionReason::GrantExpired => format!(
            "to see until when it had what: rolecall {noun} show {subject} --account {account}; to give a role again: \
             rolecall roles give ROLE {subject} --until TIME"
        ),
        DecisionReason::ResourceNotCovered => format!("to see where it has the permission: {permissions}"),
        // Asked about an API scope, there is no one permission whose resources could be listed.
        DecisionReason::ResourceRequired if permission.is_empty() => {
            "name the resource with --resource, or the value of a facet with --facet".to_owned()
        }
        DecisionReason::ResourceRequired => format!(
            "name the resource with --resource, or the value of a facet with --facet; to see where it has the \
             permission: rolecall where-can {subject} {permission} --type TYPE --account {account}"
        ),
        DecisionReason::FacetNotGranted => {
            format!("to give it access: rolecall access add {subject} FACET VALUE --account {account}")
        }
        DecisionReason::ConditionFailed => format!(
            "give what the condition looks at with --attribute NAME=VALUE; to see the condition: {permissions} -o yaml"
        ),
        DecisionReason::DeniedByPolicy => format!(
            "to see what denies it: {permissions} -o yaml; if the permission is not listed there, an access policy of \
             its roles denies it everywhere: rolecall roles show ROLE"
        ),
        _ => return None,
    })
}

/// The name of a reason as in the API; a reason that only a newer server knows is its number.
pub fn reason_name(reason: i32) -> String {
    DecisionReason::try_from(reason).map_or_else(|_| reason.to_string(), |known| known.as_str_name().to_owned())
}

/// A reason as the end of a sentence.
pub fn explain(reason: i32) -> &'static str {
    match DecisionReason::try_from(reason) {
        Ok(DecisionReason::Allowed) => "one of its roles contains the permission",
        Ok(DecisionReason::AccountSuspended) => "the account is suspended, so nobody in it may do anything",
        Ok(DecisionReason::SubjectUnknown) => "the account has no such user or service account",
        Ok(DecisionReason::SubjectNotActive) => "it is invited or suspended, not active",
        Ok(DecisionReason::NoRoleGrants) => {
            "none of its roles, held directly or through a team, contains the permission"
        }
        Ok(DecisionReason::FeatureNotEntitled) => {
            "a role contains the permission, but the account is not entitled to the feature that it belongs to"
        }
        Ok(DecisionReason::ApiScopeLeftOut) => {
            "it has a permission that provides the API scope, but every role that gives it leaves the API scope out"
        }
        Ok(DecisionReason::GrantExpired) => "what granted the permission has expired",
        Ok(DecisionReason::ResourceNotCovered) => "it has the permission, but not on this resource",
        Ok(DecisionReason::ResourceRequired) => {
            "it has the permission on some resources or facet values alone, and the question names none"
        }
        Ok(DecisionReason::FacetNotGranted) => {
            "it has the permission, but its access list does not contain what the question is about"
        }
        Ok(DecisionReason::ConditionFailed) => {
            "it has the permission under a condition, which does not hold or lacks an attribute"
        }
        Ok(DecisionReason::DeniedByPolicy) => "it has the permission, and a deny statement takes it away",
        Ok(DecisionReason::Unspecified) => "the server gave no reason",
        Err(_) => "the server gave a reason that this version does not know",
    }
}

/// The same for a question about an API scope.
fn explain_api_scope(reason: i32) -> &'static str {
    match DecisionReason::try_from(reason) {
        Ok(DecisionReason::Allowed) => "one of its permissions provides it",
        Ok(DecisionReason::NoRoleGrants) => "no permission of its roles, held directly or through a team, provides it",
        Ok(DecisionReason::FeatureNotEntitled) => {
            "a role contains a permission that provides it, but the account is not entitled to the feature of the permission"
        }
        _ => explain(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    fn printed(format: Format, decision: i32, reason: i32) -> String {
        let question = CheckRequest {
            account: "accounts/demo".to_owned(),
            subject: "users/ana".to_owned(),
            permission: "reports.view".to_owned(),
            consistency: None,
            ..Default::default()
        };
        let answer = CheckResponse { decision, reason, consistency_token: "t".to_owned() };
        let (mut output, page, _) = pages();
        print(format, &question, &answer, &mut output).unwrap();
        page.text()
    }

    #[test]
    fn only_an_allow_is_an_allow() {
        for decision in [-1, 0, 2, 3, i32::MAX] {
            let answer = CheckResponse { decision, reason: DecisionReason::Allowed as i32, ..CheckResponse::default() };
            assert!(!is_allowed(&answer), "{decision}");
            assert!(printed(Format::Table, decision, 1).starts_with("DENY  "), "{decision}");
        }
        assert!(
            printed(Format::Table, 1, 1).starts_with("ALLOW  ALLOWED\nusers/ana may reports.view in accounts/demo: ")
        );
    }

    #[test]
    fn a_denial_that_can_be_mended_says_where_to_look() {
        assert!(printed(Format::Table, 2, 5).contains("rolecall permissions users/ana --account accounts/demo"));
        assert!(printed(Format::Table, 2, 6).contains("rolecall export accounts/demo"));
    }

    #[test]
    fn every_reason_about_a_place_or_a_time_says_what_to_do() {
        for (reason, expected) in [
            (DecisionReason::GrantExpired, "rolecall roles give ROLE users/ana --until TIME"),
            (DecisionReason::ResourceNotCovered, "rolecall permissions users/ana --account accounts/demo"),
            (DecisionReason::ResourceRequired, "name the resource with --resource"),
            (DecisionReason::FacetNotGranted, "rolecall access add users/ana FACET VALUE --account accounts/demo"),
            (DecisionReason::ConditionFailed, "--attribute NAME=VALUE"),
            (DecisionReason::DeniedByPolicy, "rolecall roles show ROLE"),
        ] {
            let text = printed(Format::Table, 2, reason as i32);
            assert!(text.lines().nth(2).is_some_and(|line| line.contains(expected)), "{text}");
        }
        let question = CheckRequest { resource: "lines/l1".to_owned(), ..CheckRequest::default() };
        let (mut output, page, _) = pages();
        print(Format::Table, &question, &CheckResponse::default(), &mut output).unwrap();
        assert!(page.text().contains(" on lines/l1 in "), "{}", page.text());
    }

    #[test]
    fn an_api_scope_is_used_and_a_permission_is_not() {
        let question = CheckRequest {
            account: "accounts/demo".to_owned(),
            subject: "serviceAccounts/ci".to_owned(),
            api_scope: "reports:read".to_owned(),
            ..Default::default()
        };
        let answer = CheckResponse { decision: 2, reason: 7, consistency_token: "t".to_owned() };
        let (mut output, page, _) = pages();
        print(Format::Table, &question, &answer, &mut output).unwrap();
        let text = page.text();
        assert!(
            text.starts_with("DENY  API_SCOPE_LEFT_OUT\nserviceAccounts/ci may not use the API scope reports:read"),
            "{text}"
        );
    }

    #[test]
    fn programs_get_the_names_of_the_api() {
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Json, 2, 5)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "decision": "DECISION_DENY", "reason": "DECISION_REASON_NO_ROLE_GRANTS", "consistency_token": "t"
            })
        );
        assert_eq!(
            printed(Format::Yaml, 9, 99),
            "decision: \"9\"\nreason: \"99\"\nconsistency_token: t\n",
            "a value of a newer server is its number, as text"
        );
    }
}
