//! `permissions`: everything that a user may do, with the roles and teams that it comes from.
//!
//! All pages are gathered before anything is printed: half a list would look like a whole one.

use serde::Serialize;

use super::{
    Exit, Failure, Format, Output,
    check::{explain, reason_name},
    client::{Client, ClientSettings},
    names::{id_of, role_of},
    session::{Page, gather},
};
use crate::proto::{DecisionReason, EffectivePermission, GrantPath, ListPermissionsRequest};

#[derive(Serialize)]
struct Listing<'a> {
    permissions: Vec<Permission<'a>>,
    subject_reason: String,
    consistency_token: String,
}

#[derive(Serialize)]
struct Permission<'a> {
    permission: &'a str,
    section: &'a str,
    feature: &'a str,
    api_scopes: &'a [String],
    grant_paths: Vec<Path<'a>>,
    deprecated: bool,
}

#[derive(Serialize)]
struct Path<'a> {
    role: &'a str,
    team: &'a str,
    role_binding: &'a str,
}

/// Asks page by page, and prints the list.
///
/// # Errors
/// What the server says against the question, or that it cannot be asked.
pub async fn run(
    settings: &ClientSettings,
    account: String,
    subject: String,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let client = Client::connect(settings).await?;
    let request = ListPermissionsRequest { account, subject, ..ListPermissionsRequest::default() };
    let mut subject_reason = 0;
    let (permissions, token) = gather(async |page_token| {
        let call = client.request(ListPermissionsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.authorization().list_permissions(call)).await?;
        subject_reason = answer.subject_reason;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.permissions, next_page_token, consistency_token })
    })
    .await?;
    print(settings.format, &request, &permissions, subject_reason, token, output)?;
    Ok(Exit::Ok)
}

fn print(
    format: Format,
    request: &ListPermissionsRequest,
    permissions: &[EffectivePermission],
    subject_reason: i32,
    consistency_token: String,
    output: &mut Output,
) -> Result<(), Failure> {
    if format != Format::Table {
        let permissions = permissions.iter().map(Permission::of).collect();
        let listing = Listing { permissions, subject_reason: reason_name(subject_reason), consistency_token };
        return output.value(&listing, format);
    }
    if permissions.is_empty() {
        let ListPermissionsRequest { account, subject, .. } = request;
        let why = if subject_reason == DecisionReason::Unspecified as i32 {
            "it has no role with a permission that the account is entitled to"
        } else {
            explain(subject_reason)
        };
        return output.line(&format!("{subject} has no permissions in {account}: {why}"));
    }
    output.table(&["PERMISSION", "SECTION", "THROUGH", "API SCOPES"], permissions.iter().map(row).collect())
}

impl<'a> Permission<'a> {
    fn of(permission: &'a EffectivePermission) -> Self {
        let path = |path: &'a GrantPath| Path { role: &path.role, team: &path.team, role_binding: &path.role_binding };
        Self {
            permission: &permission.permission,
            section: &permission.section,
            feature: &permission.feature,
            api_scopes: &permission.api_scopes,
            grant_paths: permission.grant_paths.iter().map(path).collect(),
            deprecated: permission.deprecated,
        }
    }
}

fn row(permission: &EffectivePermission) -> Vec<Vec<String>> {
    let mark = if permission.deprecated { " (deprecated)" } else { "" };
    vec![
        vec![format!("{}{mark}", permission.permission)],
        vec![permission.section.clone()],
        permission.grant_paths.iter().map(through).collect(),
        permission.api_scopes.clone(),
    ]
}

/// A path as short as account files write it: `manager`, `custom/auditor [support]`.
fn through(path: &GrantPath) -> String {
    let role = role_of(&path.role);
    if path.team.is_empty() { role } else { format!("{role} [{}]", id_of(&path.team)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    fn permissions() -> Vec<EffectivePermission> {
        let path = |role: &str, team: &str| GrantPath {
            role: role.to_owned(),
            team: team.to_owned(),
            role_binding: "accounts/demo/roleBindings/7".to_owned(),
        };
        vec![EffectivePermission {
            permission: "reports.view".to_owned(),
            section: "reports".to_owned(),
            feature: String::new(),
            api_scopes: vec!["reports:read".to_owned()],
            grant_paths: vec![
                path("catalogs/c/roles/manager", ""),
                path("accounts/demo/roles/auditor", "accounts/demo/teams/support"),
            ],
            deprecated: true,
        }]
    }

    fn printed(format: Format, permissions: &[EffectivePermission], reason: DecisionReason) -> String {
        let request = ListPermissionsRequest {
            account: "accounts/demo".to_owned(),
            subject: "users/ana".to_owned(),
            ..ListPermissionsRequest::default()
        };
        let (mut output, page, _) = pages();
        print(format, &request, permissions, reason as i32, "t".to_owned(), &mut output).unwrap();
        page.text()
    }

    #[test]
    fn a_permission_is_a_line_with_the_roles_and_teams_that_it_comes_through() {
        let table = printed(Format::Table, &permissions(), DecisionReason::Unspecified);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert_eq!(lines[1], "reports.view (deprecated)  reports  manager, custom/auditor [support]  reports:read");
    }

    #[test]
    fn an_empty_list_says_why() {
        let suspended = printed(Format::Table, &[], DecisionReason::AccountSuspended);
        assert!(suspended.contains("the account is suspended"), "{suspended}");
        let nothing = printed(Format::Table, &[], DecisionReason::Unspecified);
        assert!(nothing.contains("no role"), "{nothing}");
    }

    #[test]
    fn programs_get_everything_with_the_names_of_the_api() {
        let json: serde_json::Value =
            serde_json::from_str(&printed(Format::Json, &permissions(), DecisionReason::Unspecified)).unwrap();
        assert_eq!(json["subject_reason"], "DECISION_REASON_UNSPECIFIED");
        assert_eq!(json["permissions"][0]["grant_paths"][1]["team"], "accounts/demo/teams/support");
        assert_eq!(json["permissions"][0]["deprecated"], true);
    }
}
