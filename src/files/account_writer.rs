//! Accounts as canonical YAML, whole or piece by piece.
//!
//! Every list is sorted by id bytes (of roles and policies, managed ones first), but for statements and patterns, whose
//! order is their author's; fields that are empty or at their default are left out. So equal accounts give equal bytes. [`AccountWriter`] gives the pieces one by one, for an account
//! that is too large to hold as one text; [`write_account`] is made of the same pieces.

use std::fmt::{self, Write};

use super::{
    catalog_writer::{field, heading, inline, statement},
    definition::{
        AccessDefinition, AccountDefinition, ExceptionDefinition, Located, PolicyDefinition, ResourceDefinition,
        RoleDefinition, RoleGrant, ServiceAccountDefinition, TeamDefinition, UserDefinition,
    },
    scalar::Scalar,
    time,
};
use crate::model::{AccountState, ServiceAccountState, UserState};

/// Writes an account as a file: the same account, in whatever order its lists are, always gives the same bytes.
///
/// # Errors
/// Only those of `out`.
pub fn write_account(account: &AccountDefinition, out: &mut impl Write) -> fmt::Result {
    let mut writer = AccountWriter::default();
    out.write_str(&writer.header(account))?;
    for resource in sorted(&account.resources, |resource| &resource.path.value) {
        out.write_str(&writer.resource(resource))?;
    }
    for policy in sorted(&account.policies, |policy| &policy.id.value) {
        out.write_str(&writer.policy(policy))?;
    }
    for role in sorted(&account.roles, |role| &role.id.value) {
        out.write_str(&writer.role(role))?;
    }
    for team in sorted(&account.teams, |team| &team.id.value) {
        out.write_str(&writer.team(team))?;
    }
    for user in sorted(&account.users, |user| &user.id.value) {
        out.write_str(&writer.user(user))?;
    }
    for service_account in sorted(&account.service_accounts, |each| &each.id.value) {
        out.write_str(&writer.service_account(service_account))?;
    }
    Ok(())
}

/// Gives an account file piece by piece: the header, then every resource, every policy, every role, every team, every
/// user and every service account.
///
/// The pieces in this order, and each kind in the order of ids (resources: of [`crate::model::ResourcePath`]), are the
/// canonical file. In another order they may be no
/// file at all: a list that is begun twice is refused by [`super::parse_account`].
#[derive(Clone, Debug, Default)]
pub struct AccountWriter {
    list: List,
}

/// The list that was begun last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum List {
    #[default]
    None,
    Resources,
    Policies,
    Roles,
    Teams,
    Users,
    ServiceAccounts,
}

impl AccountWriter {
    /// The account's own fields. Its lists of things with ids of their own are not looked at.
    pub fn header(&mut self, account: &AccountDefinition) -> String {
        text(|out| {
            writeln!(out, "kind: account\nid: {}", Scalar(account.id.value.as_str()))?;
            field(out, "display_name", &account.display_name)?;
            field(out, "catalog", account.catalog.value.as_str())?;
            match account.state {
                AccountState::Active => {}
                AccountState::Suspended => field(out, "state", "suspended")?,
            }
            heading(out, "features", account.features.len())?;
            for feature in sorted(&account.features, |feature| &feature.value) {
                writeln!(out, "  - {}", Scalar(feature.value.as_str()))?;
            }
            Ok(())
        })
    }

    /// The next registered resource.
    pub fn resource(&mut self, resource: &ResourceDefinition) -> String {
        let begins = self.begins(List::Resources);
        text(|out| {
            heading(out, "resources", begins)?;
            writeln!(out, "  - path: {}", Scalar(resource.path.value.as_str()))?;
            field(out, "    display_name", &resource.display_name)
        })
    }

    /// The next custom policy.
    pub fn policy(&mut self, policy: &PolicyDefinition) -> String {
        let begins = self.begins(List::Policies);
        text(|out| {
            heading(out, "policies", begins)?;
            writeln!(out, "  - id: {}", Scalar(policy.id.value.as_str()))?;
            writeln!(out, "    display_name: {}", Scalar(&policy.display_name))?;
            field(out, "    description", &policy.description)?;
            heading(out, "    statements", policy.statements.len())?;
            policy.statements.iter().try_for_each(|each| {
                statement(
                    out,
                    each.effect,
                    each.permissions.iter().map(|pattern| pattern.value.as_str()),
                    each.resources.iter().map(|pattern| pattern.value.as_str()),
                    each.condition.as_ref().map(|condition| &condition.value),
                )
            })
        })
    }

    /// The next custom role.
    pub fn role(&mut self, role: &RoleDefinition) -> String {
        let begins = self.begins(List::Roles);
        text(|out| {
            heading(out, "roles", begins)?;
            writeln!(out, "  - id: {}", Scalar(role.id.value.as_str()))?;
            writeln!(out, "    display_name: {}", Scalar(&role.display_name))?;
            field(out, "    description", &role.description)?;
            heading(out, "    permissions", role.permissions.len())?;
            for permission in sorted(&role.permissions, |permission| &permission.value) {
                writeln!(out, "      - {}", Scalar(permission.value.as_str()))?;
            }
            inline(out, "    policies", names(&role.policies).iter().map(String::as_str))?;
            inline(out, "    parents", names(&role.parents).iter().map(String::as_str))?;
            inline(out, "    covers", names(&role.covers).iter().map(String::as_str))?;
            let left_out = sorted(&role.left_out_api_scopes, |scope| &scope.value);
            inline(out, "    left_out_api_scopes", left_out.iter().map(|scope| scope.value.as_str()))
        })
    }

    /// The next team.
    pub fn team(&mut self, team: &TeamDefinition) -> String {
        let begins = self.begins(List::Teams);
        text(|out| {
            heading(out, "teams", begins)?;
            writeln!(out, "  - id: {}", Scalar(team.id.value.as_str()))?;
            field(out, "    display_name", &team.display_name)?;
            field(out, "    description", &team.description)?;
            grants(out, &team.roles)?;
            access(out, &team.access)
        })
    }

    /// The next user.
    pub fn user(&mut self, user: &UserDefinition) -> String {
        let begins = self.begins(List::Users);
        text(|out| {
            heading(out, "users", begins)?;
            writeln!(out, "  - id: {}", Scalar(user.id.value.as_str()))?;
            field(out, "    display_name", &user.display_name)?;
            field(out, "    username", &user.username)?;
            field(out, "    email", &user.email)?;
            match user.state {
                UserState::Active => {}
                UserState::Invited => field(out, "    state", "invited")?,
                UserState::Suspended => field(out, "    state", "suspended")?,
            }
            let teams = sorted(&user.teams, |team| &team.value);
            inline(out, "    teams", teams.iter().map(|team| team.value.as_str()))?;
            grants(out, &user.roles)?;
            access(out, &user.access)?;
            exceptions(out, &user.exceptions)
        })
    }

    /// The next service account.
    pub fn service_account(&mut self, service_account: &ServiceAccountDefinition) -> String {
        let begins = self.begins(List::ServiceAccounts);
        text(|out| {
            heading(out, "service_accounts", begins)?;
            writeln!(out, "  - id: {}", Scalar(service_account.id.value.as_str()))?;
            field(out, "    display_name", &service_account.display_name)?;
            field(out, "    description", &service_account.description)?;
            match service_account.state {
                ServiceAccountState::Active => {}
                ServiceAccountState::Suspended => field(out, "    state", "suspended")?,
            }
            grants(out, &service_account.roles)
        })
    }

    /// 1 if this piece is the first of its list.
    fn begins(&mut self, list: List) -> usize {
        usize::from(std::mem::replace(&mut self.list, list) != list)
    }
}

/// Names in the canonical order.
fn names<T: Ord + fmt::Display>(list: &[Located<T>]) -> Vec<String> {
    sorted(list, |name| &name.value).iter().map(|name| name.value.to_string()).collect()
}

/// Roles on the whole account for good go on one line by their names; with others among them, each has its own.
fn grants(out: &mut String, roles: &[RoleGrant]) -> fmt::Result {
    let is_plain = |grant: &RoleGrant| grant.resource.is_none() && grant.expires.is_none();
    let mut sorted: Vec<&RoleGrant> = roles.iter().collect();
    sorted.sort_by(|left, right| left.key().cmp(&right.key()));
    if roles.iter().all(is_plain) {
        let names: Vec<String> = sorted.iter().map(|grant| grant.role.value.to_string()).collect();
        return inline(out, "    roles", names.iter().map(String::as_str));
    }
    heading(out, "    roles", roles.len())?;
    for grant in sorted {
        let role = grant.role.value.to_string();
        if is_plain(grant) {
            writeln!(out, "      - {}", Scalar(&role))?;
            continue;
        }
        write!(out, "      - {{role: {}", Scalar(&role))?;
        if let Some(resource) = &grant.resource {
            write!(out, ", resource: {}", Scalar(resource.value.as_str()))?;
        }
        if let Some(expires) = grant.expires {
            write!(out, ", expires: {}", Scalar(&time::write(expires)))?;
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}

fn access(out: &mut String, access: &[AccessDefinition]) -> fmt::Result {
    heading(out, "    access", access.len())?;
    for each in sorted(access, |each| &each.facet.value) {
        writeln!(out, "      - facet: {}", Scalar(each.facet.value.as_str()))?;
        if each.all {
            writeln!(out, "        all: true")?;
        } else if each.values.is_empty() {
            // To have access to nothing has to be said: a facet alone could be a slip.
            writeln!(out, "        values: []")?;
        } else {
            inline(out, "        values", names(&each.values).iter().map(String::as_str))?;
        }
    }
    Ok(())
}

fn exceptions(out: &mut String, exceptions: &[ExceptionDefinition]) -> fmt::Result {
    heading(out, "    exceptions", exceptions.len())?;
    for each in sorted(exceptions, |each| &each.permission.value) {
        writeln!(out, "      - permission: {}", Scalar(each.permission.value.as_str()))?;
        writeln!(out, "        reason: {}", Scalar(&each.reason))?;
        if let Some(expires) = each.expires {
            writeln!(out, "        expires: {}", Scalar(&time::write(expires)))?;
        }
    }
    Ok(())
}

fn sorted<T, K: Ord>(list: &[T], key: impl Fn(&T) -> &K) -> Vec<&T> {
    let mut sorted: Vec<&T> = list.iter().collect();
    sorted.sort_by(|left, right| key(left).cmp(key(right)));
    sorted
}

fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out);
    out
}
