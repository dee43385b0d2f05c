//! Users written as lines of JSON, which [`super::parse_user`] reads back as they were.
//!
//! Every list is sorted as in account files, and what is empty or at its default is left out: users who have the same give
//! the same line, and so lines say whether they do.

use serde::Serialize;

use super::{
    definition::{AccessDefinition, ExceptionDefinition, RoleGrant, UserDefinition},
    time,
};
use crate::model::UserState;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    display_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    teams: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Grant<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    access: Vec<Access<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exceptions: Vec<Exception<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Grant<'a> {
    Plain(String),
    Whole {
        role: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        resource: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
    },
}

#[derive(Serialize)]
struct Access<'a> {
    facet: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct Exception<'a> {
    permission: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// Adds the line of a user, with its line end. Cost: linear in it.
pub fn write_user(user: &UserDefinition, out: &mut Vec<u8>) {
    let mut teams: Vec<&str> = user.teams.iter().map(|team| team.value.as_str()).collect();
    teams.sort_unstable();
    let mut roles: Vec<&RoleGrant> = user.roles.iter().collect();
    roles.sort_unstable_by(|left, right| left.key().cmp(&right.key()));
    // An empty list gives nothing, as none does.
    let given = user.access.iter().filter(|access| access.all || !access.values.is_empty());
    let mut access: Vec<&AccessDefinition> = given.collect();
    access.sort_unstable_by(|left, right| left.facet.value.cmp(&right.facet.value));
    let mut exceptions: Vec<&ExceptionDefinition> = user.exceptions.iter().collect();
    exceptions.sort_unstable_by(|left, right| left.permission.value.cmp(&right.permission.value));
    let line = Line {
        id: user.id.value.as_str(),
        display_name: &user.display_name,
        username: &user.username,
        email: &user.email,
        state: match user.state {
            UserState::Active => None,
            UserState::Invited => Some("invited"),
            UserState::Suspended => Some("suspended"),
        },
        teams,
        roles: roles.into_iter().map(grant).collect(),
        access: access.into_iter().map(list).collect(),
        exceptions: exceptions.into_iter().map(exception).collect(),
    };
    // Neither texts nor writing to memory can fail.
    let _ = serde_json::to_writer(&mut *out, &line);
    out.push(b'\n');
}

fn grant(grant: &RoleGrant) -> Grant<'_> {
    let role = grant.role.value.to_string();
    if grant.resource.is_none() && grant.expires.is_none() {
        return Grant::Plain(role);
    }
    let resource = grant.resource.as_ref().map(|resource| resource.value.as_str());
    Grant::Whole { role, resource, expires: grant.expires.map(time::write) }
}

fn list(access: &AccessDefinition) -> Access<'_> {
    let mut values: Vec<&str> = access.values.iter().map(|value| value.value.as_str()).collect();
    values.sort_unstable();
    let values = (!access.all).then_some(values);
    Access { facet: access.facet.value.as_str(), all: access.all.then_some(true), values }
}

fn exception(exception: &ExceptionDefinition) -> Exception<'_> {
    let permission = exception.permission.value.as_str();
    Exception { permission, reason: &exception.reason, expires: exception.expires.map(time::write) }
}
