//! Accounts as canonical YAML, whole or piece by piece.
//!
//! Every list is sorted by id bytes (of roles, managed ones first), and fields that are empty or at their default are
//! left out, so that equal accounts give equal bytes. [`AccountWriter`] gives the pieces one by one, for an account
//! that is too large to hold as one text; [`write_account`] is made of the same pieces.

use std::fmt::{self, Write};

use super::{
    account_file::{
        AccountDefinition, Located, RoleDefinition, RoleName, ServiceAccountDefinition, TeamDefinition, UserDefinition,
    },
    catalog_writer::{field, heading, inline},
    scalar::Scalar,
};
use crate::model::{AccountState, ServiceAccountState, UserState};

/// Writes an account as a file: the same account, in whatever order its lists are, always gives the same bytes.
///
/// # Errors
/// Only those of `out`.
pub fn write_account(account: &AccountDefinition, out: &mut impl Write) -> fmt::Result {
    let mut writer = AccountWriter::default();
    out.write_str(&writer.header(account))?;
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

/// Gives an account file piece by piece: the header, then every role, every team, every user and every service account.
///
/// The pieces in this order, and each kind in the order of ids, are the canonical file. In another order they may be no
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
            role_names(out, &team.roles)
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
            role_names(out, &user.roles)
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
            role_names(out, &service_account.roles)
        })
    }

    /// 1 if this piece is the first of its list.
    fn begins(&mut self, list: List) -> usize {
        usize::from(std::mem::replace(&mut self.list, list) != list)
    }
}

fn role_names(out: &mut String, roles: &[Located<RoleName>]) -> fmt::Result {
    let names: Vec<String> = sorted(roles, |role| &role.value).iter().map(|role| role.value.to_string()).collect();
    inline(out, "    roles", names.iter().map(String::as_str))
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
