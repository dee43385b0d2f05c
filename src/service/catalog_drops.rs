//! What a new version of a catalog drops although accounts use it.

use std::collections::BTreeMap;

use super::{error::ServiceError, facts, plan::Plan};
use crate::{
    model::{AccountId, Catalog, CatalogDefinition, Key, KeyRange, Number, Record},
    store::View as _,
};

/// How many users of a dropped thing are named.
const NAMED: usize = 10;

/// Something that a new version drops, and who uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogDrop {
    /// What it is, such as `permissions/reports.detailed.view`.
    pub subject: String,
    /// How many accounts use it.
    pub accounts: u64,
    /// How many uses there are: custom roles, accounts, or role bindings.
    pub uses: u64,
    /// Some of those who use it, by their full names.
    pub used_by: Vec<String>,
}

impl CatalogDrop {
    fn note(&mut self, uses: u64, by: impl Iterator<Item = String>) {
        self.accounts += 1;
        self.uses += uses;
        let room = NAMED - self.used_by.len().min(NAMED);
        self.used_by.extend(by.take(room));
    }
}

/// Everything that is dropped and used. Cost: nothing if nothing is dropped; else linear in the accounts under the
/// catalog, and for dropped permissions in their custom roles.
pub(super) fn drops_in_use(
    plan: &Plan<'_>,
    old: &Catalog,
    new: &CatalogDefinition,
) -> Result<Vec<CatalogDrop>, ServiceError> {
    let before = &old.definition;
    let features =
        dropped("features", before.features.iter().map(|each| each.id.as_str()).zip(&old.feature_numbers), |id| {
            new.features.iter().any(|each| each.id.as_str() == id)
        });
    let new_permissions: std::collections::HashSet<&str> =
        new.permissions.iter().map(|each| each.id.as_str()).collect();
    let permissions = dropped(
        "permissions",
        before.permissions.iter().map(|each| each.id.as_str()).zip(&old.permission_numbers),
        |id| new_permissions.contains(id),
    );
    let roles = dropped("roles", before.roles.iter().map(|each| each.id.as_str()).zip(&old.role_numbers), |id| {
        new.roles.iter().any(|each| each.id.as_str() == id)
    });
    let (mut features, mut permissions, mut roles) = (features, permissions, roles);
    if features.is_empty() && permissions.is_empty() && roles.is_empty() {
        return Ok(Vec::new());
    }
    for (key, _) in facts::scan_all(plan, KeyRange::CatalogAccounts(old.number))? {
        let Key::CatalogAccount { account, .. } = key else { continue };
        let Some(record) = facts::get_account(plan, &Key::Account(account))?.map(|record| record.value) else {
            continue;
        };
        let name = format!("accounts/{}", record.id);
        for (number, feature) in &mut features {
            if record.features.contains(number) {
                feature.note(1, std::iter::once(name.clone()));
            }
        }
        for (number, role) in &mut roles {
            let counts = facts::get_role_holders(plan, &Key::RoleHolders { account, role: *number })?;
            if let Some(counts) = counts.map(|counts| counts.value) {
                role.note(counts.users + counts.service_accounts + counts.teams, std::iter::once(name.clone()));
            }
        }
        if !permissions.is_empty() {
            note_permissions(plan, account, &record.id, &mut permissions)?;
        }
    }
    let all = permissions.into_values().chain(features.into_values()).chain(roles.into_values());
    Ok(all.filter(|each| each.accounts > 0).collect())
}

/// The things that are there before and not after, by number.
fn dropped<'a>(
    what: &str,
    before: impl Iterator<Item = (&'a str, &'a Number)>,
    stays: impl Fn(&str) -> bool,
) -> BTreeMap<Number, CatalogDrop> {
    let gone = before.filter(|(id, _)| !stays(id));
    gone.map(|(id, number)| (*number, CatalogDrop { subject: format!("{what}/{id}"), ..CatalogDrop::default() }))
        .collect()
}

/// Notes the custom roles of an account that contain a dropped permission.
fn note_permissions(
    plan: &Plan<'_>,
    account: Number,
    account_id: &AccountId,
    permissions: &mut BTreeMap<Number, CatalogDrop>,
) -> Result<(), ServiceError> {
    let mut used: BTreeMap<Number, Vec<String>> = BTreeMap::new();
    let mut after: Option<Key> = None;
    loop {
        let piece = plan.scan(KeyRange::Roles(account), after.as_ref(), 256)?;
        let Some((last, _)) = piece.last() else { break };
        after = Some(last.clone());
        for (_, record) in piece {
            let Record::Role(role) = record.value else { continue };
            for number in role.permissions.iter().filter(|number| permissions.contains_key(number)) {
                used.entry(*number).or_default().push(format!("accounts/{account_id}/roles/{}", role.id));
            }
        }
    }
    for (number, roles) in used {
        if let Some(permission) = permissions.get_mut(&number) {
            permission.note(roles.len() as u64, roles.into_iter());
        }
    }
    Ok(())
}
