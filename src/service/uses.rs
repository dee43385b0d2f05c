//! What uses a thing that is to be deleted, or went with it.
//!
//! Deleting what is used is refused unless it is forced; then what used it goes in the same write. Read [`Use`] and
//! [`refuse_if_used`] first.

use super::{
    HolderName,
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, RoleName},
};
use crate::{
    engine::CompiledCatalog,
    model::{AccountId, Key, KeyRange, Number, Record},
    store::View,
};

/// The most names that are given of those that use a thing.
const NAMED: usize = 10;

/// Those of one kind that use a thing, or that went with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The kind, such as `role_bindings`: more than one of it, with an `s`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// Some of them: at most 10 names.
    pub names: Vec<String>,
}

impl Use {
    /// None of a kind so far.
    fn none(kind: &'static str) -> Self {
        Self { kind, count: 0, names: Vec::new() }
    }

    /// One more, by its name; none: it may not be named.
    fn note(&mut self, name: impl FnOnce() -> Option<String>) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.extend(name());
        }
    }
}

/// Refuses to delete what is used.
pub(super) fn refuse_if_used(uses: Vec<Use>) -> Result<(), ServiceError> {
    let count: u64 = uses.iter().map(|each| each.count).sum();
    if count == 0 {
        return Ok(());
    }
    let (mut shown, mut names) = (Vec::new(), Vec::new());
    for each in uses.into_iter().filter(|each| each.count > 0) {
        let more = if each.count > each.names.len() as u64 { " and more" } else { "" };
        let named = if each.names.is_empty() { String::new() } else { format!(" ({}{more})", each.names.join(", ")) };
        let kind = each.kind.replace('_', " ");
        let kind = if each.count == 1 { kind.strip_suffix('s').unwrap_or(&kind) } else { &kind };
        shown.push(format!("{} {kind}{named}", each.count));
        names.extend(each.names);
    }
    let message = format!("it is used by {}; set force to delete it with what uses it", shown.join(" and "));
    Err(ServiceError::new(ErrorReason::InUse, message)
        .with("used_by", names.join(","))
        .with("count", count.to_string()))
}

/// Who holds a custom role directly, and which custom roles have it as a parent. Cost: linear in those roles.
pub(super) fn uses_of_role(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    role: Number,
) -> Result<Vec<Use>, ServiceError> {
    let held = facts::get_role_holders(view, &Key::RoleHolders { account, role })?;
    let held = held.map(|held| held.value).unwrap_or_default();
    let mut holders = Use::none("role_bindings");
    holders.count = held.users.saturating_add(held.service_accounts).saturating_add(held.teams);
    let mut after = None;
    while holders.count > 0 && holders.names.len() < NAMED {
        let found = view.scan(KeyRange::RoleBindings { account, role }, after.as_ref(), 1)?;
        let Some((Key::RoleBinding { holder, .. }, _)) = found.into_iter().next() else { break };
        holders.names.extend(facts::holder_name(view, account, holder)?.map(|name| name.to_string()));
        // On to the next holder, however many bindings this one has.
        after = Some(Key::RoleBinding { account, role, holder, binding: Number(u64::MAX) });
    }
    let mut children = Use::none("roles");
    for (key, _) in facts::scan_all(view, KeyRange::RoleChildren { account, parent: role })? {
        let Key::RoleChild { child, .. } = key else { continue };
        if let Some(record) = facts::get_role(view, &Key::Role { account, role: child })? {
            children.note(|| Some(RoleName::Account(account_id.clone(), record.value.id).to_string()));
        }
    }
    Ok(used([holders, children]))
}

/// Who belongs to a team. Cost: constant, however many they are.
pub(super) fn uses_of_team(view: &dyn View, account: Number, team: Number) -> Result<Vec<Use>, ServiceError> {
    let mut members = Use::none("members");
    members.count = facts::get_count(view, &Key::TeamSize { account, team })?.map_or(0, |size| size.value);
    if members.count > 0 {
        for (key, _) in view.scan(KeyRange::Members { account, team }, None, NAMED)? {
            let Key::Member { user, .. } = key else { continue };
            let record = facts::get_user(view, &Key::User { account, user })?;
            members.names.extend(record.map(|record| HolderName::User(record.value.id).to_string()));
        }
    }
    Ok(used([members]))
}

/// The roles that a user holds itself, the teams that it belongs to, and its exceptions. What is void does not count, and
/// what is internal is not named. Cost: linear in all of them.
pub(super) fn uses_of_user(
    view: &dyn View,
    account_id: &AccountId,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    user: Number,
) -> Result<Vec<Use>, ServiceError> {
    let account = found.number;
    let mut held = Use::none("role_bindings");
    for binding in facts::bindings_of(view, account, user)? {
        let role = facts::role_of_number(view, account, catalog, binding.role, &mut |_| {})?;
        if let Some((role, _)) = role {
            let is_internal = facts::is_internal(catalog, &role);
            held.note(|| (!is_internal).then(|| facts::role_name(account_id, catalog, &role).to_string()));
        }
    }
    let mut teams = Use::none("teams");
    for (_, id) in facts::teams_of(view, account, user, &mut |_| {})? {
        teams.note(|| Some(HolderName::Team(id).to_string()));
    }
    let mut exceptions = Use::none("exceptions");
    for (key, record) in facts::scan_all(view, KeyRange::Exceptions { account, user })? {
        let (Key::Exception { permission, .. }, Record::Exception(_)) = (key, record.value) else { continue };
        let definition = catalog.permission_of_number(permission).and_then(|index| catalog.definition(index));
        if let Some(definition) = definition {
            exceptions.note(|| (!definition.internal).then(|| definition.id.to_string()));
        }
    }
    Ok(used([held, teams, exceptions]))
}

fn used<const N: usize>(uses: [Use; N]) -> Vec<Use> {
    uses.into_iter().filter(|each| each.count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_uses_a_thing_how_often_and_who() {
        let names = vec!["users/ana".to_owned(), "teams/east".to_owned()];
        let uses = vec![
            Use { kind: "role_bindings", count: 3, names },
            Use { kind: "exceptions", count: 0, names: Vec::new() },
            Use { kind: "roles", count: 1, names: vec!["accounts/a/roles/x".to_owned()] },
        ];
        let error = refuse_if_used(uses).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InUse);
        assert_eq!(
            error.message,
            "it is used by 3 role bindings (users/ana, teams/east and more) and 1 role (accounts/a/roles/x); set force to \
             delete it with what uses it"
        );
        assert_eq!(
            error.metadata,
            [("used_by", "users/ana,teams/east,accounts/a/roles/x".to_owned()), ("count", "4".to_owned())]
        );
        assert!(refuse_if_used(vec![Use::none("roles")]).is_ok());
    }
}
