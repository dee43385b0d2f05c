//! `api-scopes`: every API scope that a subject may use, and the permissions that provide it.

use serde::Serialize;

use super::{
    Exit, Failure,
    check::{explain, reason_name},
    client::Client,
    session::{Page, Session, cell, gather},
    shown::Shown,
};
use crate::proto::{DecisionReason, EffectiveApiScope, ListApiScopesRequest};

/// All API scopes of a subject.
pub struct ApiScopes {
    /// Ordered by id.
    pub items: Vec<EffectiveApiScope>,
    /// Why there is none, if the subject as a whole is not allowed anything.
    pub subject_reason: i32,
    /// The revision that was answered from.
    pub consistency_token: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    api_scopes: Vec<Shown<'a, EffectiveApiScope>>,
    subject_reason: String,
    consistency_token: &'a str,
}

/// Asks, and prints the list.
///
/// # Errors
/// What the server says against the question, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &str, subject: &str) -> Result<Exit, Failure> {
    let ApiScopes { items, subject_reason, consistency_token } = read(&session.client, account, subject).await?;
    if !session.is_table() {
        return session.value(&Listed {
            api_scopes: items.iter().map(Shown).collect(),
            subject_reason: reason_name(subject_reason),
            consistency_token: &consistency_token,
        });
    }
    if items.is_empty() {
        let why = if subject_reason == DecisionReason::Unspecified as i32 {
            "none of its permissions provides one, or its roles leave them out"
        } else {
            explain(subject_reason)
        };
        return session.output.line(&format!("{subject} may use no API scope in {account}: {why}")).map(|()| Exit::Ok);
    }
    let row =
        |scope: &EffectiveApiScope| vec![cell(&scope.api_scope), scope.permissions.clone(), cell(&scope.description)];
    let rows = items.iter().map(row).collect();
    session.output.table(&["API SCOPE", "PERMISSIONS", "DESCRIPTION"], rows).map(|()| Exit::Ok)
}

/// Reads the list to its end.
///
/// # Errors
/// As [`run`].
pub async fn read(client: &Client, account: &str, subject: &str) -> Result<ApiScopes, Failure> {
    let request = ListApiScopesRequest {
        account: account.to_owned(),
        subject: subject.to_owned(),
        ..ListApiScopesRequest::default()
    };
    let mut subject_reason = 0;
    let (items, consistency_token) = gather(async |page_token| {
        let call = client.request(ListApiScopesRequest { page_token, ..request.clone() });
        let answer = client.answer(client.authorization().list_api_scopes(call)).await?;
        subject_reason = answer.subject_reason;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.api_scopes, next_page_token, consistency_token })
    })
    .await?;
    Ok(ApiScopes { items, subject_reason, consistency_token })
}
