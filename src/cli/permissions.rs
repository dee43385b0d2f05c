//! `permissions`: everything that a user may do, with where and when, and the roles and teams that it comes from.
//!
//! A table has a row for each permission, and says in short what its paths say; `-o json` has every path whole. All pages
//! are gathered before anything is printed: half a list would look like a whole one.

use serde::Serialize;

use super::{
    Exit, Failure, Format, Output,
    check::{explain, reason_name},
    client::{Client, ClientSettings},
    names::{id_of, policy_of, role_of},
    session::{Page, cell, gather, moment},
    shown::Shown,
};
use crate::proto::{AccessList, DecisionReason, DenyPath, EffectivePermission, GrantPath, ListPermissionsRequest};

/// All permissions of a subject.
struct Permissions {
    items: Vec<EffectivePermission>,
    access_lists: Vec<AccessList>,
    subject_reason: i32,
    consistency_token: String,
}

#[derive(Serialize)]
struct Listing<'a> {
    permissions: Vec<Shown<'a, EffectivePermission>>,
    access_lists: Vec<Shown<'a, AccessList>>,
    subject_reason: String,
    consistency_token: &'a str,
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
    let (mut subject_reason, mut access_lists) = (0, Vec::<AccessList>::new());
    let (items, consistency_token) = gather(async |page_token| {
        let call = client.request(ListPermissionsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.authorization().list_permissions(call)).await?;
        subject_reason = answer.subject_reason;
        // Each page has those that bound its own permissions.
        for list in answer.access_lists {
            if !access_lists.iter().any(|known| known.facet == list.facet) {
                access_lists.push(list);
            }
        }
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.permissions, next_page_token, consistency_token })
    })
    .await?;
    access_lists.sort_by(|one, other| one.facet.cmp(&other.facet));
    let permissions = Permissions { items, access_lists, subject_reason, consistency_token };
    print(settings.format, &request, &permissions, output)?;
    Ok(Exit::Ok)
}

fn print(
    format: Format,
    request: &ListPermissionsRequest,
    Permissions { items, access_lists, subject_reason, consistency_token }: &Permissions,
    output: &mut Output,
) -> Result<(), Failure> {
    if format != Format::Table {
        let listing = Listing {
            permissions: items.iter().map(Shown).collect(),
            access_lists: access_lists.iter().map(Shown).collect(),
            subject_reason: reason_name(*subject_reason),
            consistency_token,
        };
        return output.value(&listing, format);
    }
    if items.is_empty() {
        let ListPermissionsRequest { account, subject, .. } = request;
        let why = if *subject_reason == DecisionReason::Unspecified as i32 {
            "it has no role with a permission that the account is entitled to"
        } else {
            explain(*subject_reason)
        };
        return output.line(&format!("{subject} has no permissions in {account}: {why}"));
    }
    let has_denies = items.iter().any(|permission| !permission.denies.is_empty());
    let mut header = vec!["PERMISSION", "SECTION", "THROUGH", "WHERE", "WHEN"];
    header.extend(has_denies.then_some("DENIED BY"));
    header.push("API SCOPES");
    output.table(&header, items.iter().map(|permission| row(permission, has_denies)).collect())?;
    if access_lists.is_empty() {
        return Ok(());
    }
    output.line("")?;
    output.table(&["FACET", "ACCESS"], access_lists.iter().map(access_row).collect())
}

/// A facet and what of it somebody has access to.
pub fn access_row(list: &AccessList) -> Vec<Vec<String>> {
    vec![cell(&list.facet), if list.all { cell("all") } else { list.values.clone() }]
}

fn row(permission: &EffectivePermission, has_denies: bool) -> Vec<Vec<String>> {
    let mark = if permission.deprecated { " (deprecated)" } else { "" };
    let paths = &permission.grant_paths;
    let mut row = vec![
        cell(format!("{}{mark}", permission.permission)),
        cell(&permission.section),
        each_once(paths.iter().map(through)),
        each_once(paths.iter().map(|path| place(path, &permission.facets))),
        each_once(paths.iter().map(time)),
    ];
    row.extend(has_denies.then(|| each_once(permission.denies.iter().map(denied))));
    row.push(permission.api_scopes.clone());
    row
}

fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut once = Vec::new();
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

/// A path as short as account files write it: `manager`, `custom/auditor [support]`, `lead > agent > policy inbox-agent`.
fn through(path: &GrantPath) -> String {
    if !path.exception_reason.is_empty() {
        return format!("exception: {}", path.exception_reason);
    }
    chain(&path.role, &path.listed_by, &path.access_policy, &path.team)
}

fn chain(role: &str, listed_by: &str, policy: &str, team: &str) -> String {
    let mut text = role_of(role);
    if !listed_by.is_empty() {
        text += &format!(" > {}", role_of(listed_by));
    }
    if !policy.is_empty() {
        text += &format!(" > policy {}", policy_of(policy));
    }
    if !team.is_empty() {
        text += &format!(" [{}]", id_of(team));
    }
    text
}

/// Where a path holds: `everywhere`, `workspaces/w1`, `workspaces/w1: **/channels/*`, and behind it the facets whose
/// access lists bound it: ` by line`.
fn place(path: &GrantPath, facets: &[String]) -> String {
    let place = place_of(&path.resource, &path.resource_patterns);
    let bounding: Vec<_> =
        facets.iter().filter(|facet| !path.covered_facets.contains(facet)).map(String::as_str).collect();
    if bounding.is_empty() { place } else { format!("{place} by {}", bounding.join(" and ")) }
}

fn place_of(resource: &str, patterns: &[String]) -> String {
    match (resource, patterns) {
        ("", []) => "everywhere".to_owned(),
        ("", patterns) => patterns.join(" or "),
        (resource, []) => resource.to_owned(),
        (resource, patterns) => format!("{resource}: {}", patterns.join(" or ")),
    }
}

/// When a path holds: `always`, `until 2027-01-01T00:00:00Z`, `on condition`.
fn time(path: &GrantPath) -> String {
    let until = path.expire_time.as_ref().map(|time| format!("until {}", moment(Some(time))));
    let condition = (!path.conditions.is_empty()).then(|| "on condition".to_owned());
    let parts: Vec<_> = until.into_iter().chain(condition).collect();
    if parts.is_empty() { "always".to_owned() } else { parts.join(" ") }
}

/// What denies, where and when: `custom/agent > policy no-export [support] on lines/l1 on condition`.
fn denied(path: &DenyPath) -> String {
    let mut text = chain(&path.role, &path.listed_by, &path.access_policy, &path.team);
    if !path.resource.is_empty() || !path.resource_patterns.is_empty() {
        text += &format!(" on {}", place_of(&path.resource, &path.resource_patterns));
    }
    if path.expire_time.is_some() {
        text += &format!(" until {}", moment(path.expire_time.as_ref()));
    }
    if !path.condition.is_empty() {
        text += " on condition";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    fn path(role: &str, team: &str) -> GrantPath {
        GrantPath {
            role: role.to_owned(),
            team: team.to_owned(),
            role_binding: "accounts/demo/roleBindings/7".to_owned(),
            ..GrantPath::default()
        }
    }

    fn permission() -> EffectivePermission {
        EffectivePermission {
            permission: "reports.view".to_owned(),
            section: "reports".to_owned(),
            api_scopes: vec!["reports:read".to_owned()],
            grant_paths: vec![
                path("catalogs/c/roles/manager", ""),
                path("accounts/demo/roles/auditor", "accounts/demo/teams/support"),
            ],
            deprecated: true,
            ..EffectivePermission::default()
        }
    }

    fn printed(format: Format, items: Vec<EffectivePermission>, reason: DecisionReason) -> String {
        let request = ListPermissionsRequest {
            account: "accounts/demo".to_owned(),
            subject: "users/ana".to_owned(),
            ..ListPermissionsRequest::default()
        };
        let access_lists = if items.iter().any(|item| !item.facets.is_empty()) {
            vec![AccessList { facet: "line".to_owned(), all: false, values: vec!["lines/l1".to_owned()] }]
        } else {
            Vec::new()
        };
        let permissions =
            Permissions { items, access_lists, subject_reason: reason as i32, consistency_token: "t".to_owned() };
        let (mut output, page, _) = pages();
        print(format, &request, &permissions, &mut output).unwrap();
        page.text()
    }

    #[test]
    fn a_permission_is_a_line_with_the_roles_and_teams_that_it_comes_through() {
        let table = printed(Format::Table, vec![permission()], DecisionReason::Unspecified);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert_eq!(
            lines[1],
            "reports.view (deprecated)  reports  manager, custom/auditor [support]  everywhere  always  reports:read"
        );
    }

    #[test]
    fn a_permission_that_is_bounded_is_still_a_line() {
        let mut bounded = permission();
        bounded.facets = vec!["line".to_owned()];
        bounded.api_scopes.clear();
        bounded.grant_paths = vec![
            GrantPath {
                listed_by: "catalogs/c/roles/agent".to_owned(),
                access_policy: "catalogs/c/accessPolicies/inbox".to_owned(),
                statement: 1,
                resource: "workspaces/w1".to_owned(),
                resource_patterns: vec!["**".to_owned()],
                conditions: vec!["true".to_owned()],
                expire_time: Some("2027-01-01T00:00:00Z".parse().unwrap()),
                ..path("catalogs/c/roles/lead", "")
            },
            GrantPath {
                exception_reason: "on call".to_owned(),
                covered_facets: vec!["line".to_owned()],
                ..GrantPath::default()
            },
        ];
        bounded.denies = vec![DenyPath {
            role: "accounts/demo/roles/guest".to_owned(),
            access_policy: "accounts/demo/accessPolicies/no-export".to_owned(),
            statement: 1,
            resource_patterns: vec!["lines/l1".to_owned()],
            condition: "true".to_owned(),
            ..DenyPath::default()
        }];
        let table = printed(Format::Table, vec![bounded], DecisionReason::Unspecified);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines[1],
            "reports.view (deprecated)  reports  lead > agent > policy inbox, exception: on call  \
             workspaces/w1: ** by line, everywhere  until 2027-01-01T00:00:00Z on condition, always  \
             custom/guest > policy custom/no-export on lines/l1 on condition"
        );
        assert_eq!(lines[2..], ["", "FACET  ACCESS", "line   lines/l1"]);
    }

    #[test]
    fn an_empty_list_says_why() {
        let suspended = printed(Format::Table, Vec::new(), DecisionReason::AccountSuspended);
        assert!(suspended.contains("the account is suspended"), "{suspended}");
        let nothing = printed(Format::Table, Vec::new(), DecisionReason::Unspecified);
        assert!(nothing.contains("no role"), "{nothing}");
    }

    #[test]
    fn programs_get_everything_with_the_names_of_the_api() {
        let json: serde_json::Value =
            serde_json::from_str(&printed(Format::Json, vec![permission()], DecisionReason::Unspecified)).unwrap();
        assert_eq!(json["subject_reason"], "DECISION_REASON_UNSPECIFIED");
        assert_eq!(json["permissions"][0]["grant_paths"][1]["team"], "accounts/demo/teams/support");
        assert_eq!(json["permissions"][0]["deprecated"], true);
        assert_eq!(json["permissions"][0]["denies"], serde_json::json!([]));
        assert_eq!(json["access_lists"], serde_json::json!([]));
    }
}
