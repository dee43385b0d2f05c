//! What a new version of a catalog drops although accounts use it.

use std::collections::{BTreeMap, HashSet};

use super::{catalogs::place, error::ServiceError, facts, plan::Plan, policies::roles_with};
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
    /// How many uses there are: custom roles, accounts, role bindings, resources, exceptions.
    pub uses: u64,
    /// Some of those who use it, by their full names.
    pub used_by: Vec<String>,
}

impl CatalogDrop {
    fn note(&mut self, uses: &Uses) {
        self.accounts += 1;
        self.uses += uses.count;
        let room = NAMED - self.used_by.len().min(NAMED);
        self.used_by.extend(uses.by.iter().take(room).cloned());
    }
}

/// The uses of one thing in one account.
#[derive(Default)]
struct Uses {
    count: u64,
    by: Vec<String>,
}

impl Uses {
    fn add(&mut self, by: impl FnOnce() -> String) {
        self.count += 1;
        if self.by.len() < NAMED {
            self.by.push(by());
        }
    }
}

/// Things that are dropped, by number.
type Dropped = BTreeMap<Number, CatalogDrop>;

/// Everything that is dropped and used. Cost: nothing if nothing is dropped; else linear in the accounts under the
/// catalog, and for dropped permissions in their custom roles and the exceptions for those permissions, for dropped
/// resource types in their resources.
pub(super) fn drops_in_use(
    plan: &Plan<'_>,
    old: &Catalog,
    new: &CatalogDefinition,
) -> Result<Vec<CatalogDrop>, ServiceError> {
    let before = &old.definition;
    let mut features =
        dropped("features", before.features.iter().map(|each| each.id.to_string()).zip(&old.feature_numbers), |id| {
            new.features.iter().any(|each| each.id.as_str() == id)
        });
    let new_permissions: HashSet<&str> = new.permissions.iter().map(|each| each.id.as_str()).collect();
    let mut permissions = dropped(
        "permissions",
        before.permissions.iter().map(|each| each.id.to_string()).zip(&old.permission_numbers),
        |id| new_permissions.contains(id),
    );
    let mut roles =
        dropped("roles", before.roles.iter().map(|each| each.id.to_string()).zip(&old.role_numbers), |id| {
            new.roles.iter().any(|each| each.id.as_str() == id)
        });
    let mut policies =
        dropped("policies", before.policies.iter().map(|each| each.id.to_string()).zip(&old.policy_numbers), |id| {
            new.policies.iter().any(|each| each.id.as_str() == id)
        });
    let mut types = dropped_types(old, new);
    let all = [&features, &permissions, &roles, &policies, &types];
    if all.iter().all(|dropped| dropped.is_empty()) {
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
                feature.note(&Uses { count: 1, by: vec![name.clone()] });
            }
        }
        for (number, role) in &mut roles {
            let counts = facts::get_role_holders(plan, &Key::RoleHolders { account, role: *number })?;
            let held =
                counts.map_or(0, |counts| counts.value.users + counts.value.service_accounts + counts.value.teams);
            let children = facts::scan_all(plan, KeyRange::RoleChildren { account, parent: *number })?.len() as u64;
            if held + children > 0 {
                role.note(&Uses { count: held + children, by: vec![name.clone()] });
            }
        }
        for (number, policy) in &mut policies {
            let roles = roles_with(plan, account, *number)?;
            if !roles.is_empty() {
                let by = roles.iter().take(NAMED).map(|id| format!("{name}/roles/{id}")).collect();
                policy.note(&Uses { count: roles.len() as u64, by });
            }
        }
        if !permissions.is_empty() {
            note_permissions(plan, account, &record.id, &mut permissions)?;
        }
        if !types.is_empty() {
            note_types(plan, account, &record.id, &mut types)?;
        }
    }
    let all = [permissions, features, roles, types, policies].into_iter().flat_map(BTreeMap::into_values);
    Ok(all.filter(|each| each.accounts > 0).collect())
}

/// The things that are there before and not after, by number.
fn dropped<'a>(
    what: &str,
    before: impl Iterator<Item = (String, &'a Number)>,
    stays: impl Fn(&str) -> bool,
) -> Dropped {
    let gone = before.filter(|(id, _)| !stays(id));
    gone.map(|(id, number)| (*number, CatalogDrop { subject: format!("{what}/{id}"), ..CatalogDrop::default() }))
        .collect()
}

/// The resource types whose paths are not there any more: one that moves to another place is dropped too.
fn dropped_types(old: &Catalog, new: &CatalogDefinition) -> Dropped {
    let places: HashSet<String> = new.resource_types.iter().map(|each| place(new, each)).collect();
    let types = old.definition.resource_types.iter().zip(&old.resource_type_numbers);
    let gone = types.filter(|(each, _)| !places.contains(&place(&old.definition, each)));
    let drop = |subject| CatalogDrop { subject, ..CatalogDrop::default() };
    gone.map(|(each, number)| (*number, drop(format!("resource_types/{}", each.id)))).collect()
}

/// Notes the custom roles of an account that contain a dropped permission, and the users who have an exception for it.
fn note_permissions(
    plan: &Plan<'_>,
    account: Number,
    account_id: &AccountId,
    permissions: &mut Dropped,
) -> Result<(), ServiceError> {
    let mut used: BTreeMap<Number, Uses> = BTreeMap::new();
    let mut after: Option<Key> = None;
    loop {
        let piece = plan.scan(KeyRange::Roles(account), after.as_ref(), 256)?;
        let Some((last, _)) = piece.last() else { break };
        after = Some(last.clone());
        for (_, record) in piece {
            let Record::Role(role) = record.value else { continue };
            for number in role.permissions.iter().filter(|number| permissions.contains_key(number)) {
                used.entry(*number).or_default().add(|| format!("accounts/{account_id}/roles/{}", role.id));
            }
        }
    }
    for permission in permissions.keys().copied() {
        for (key, _) in facts::scan_all(plan, KeyRange::PermissionExceptions { account, permission })? {
            let Key::PermissionException { user, .. } = key else { continue };
            // One that has expired counts like others, as long as it is there.
            if let Some(user) = facts::get_user(plan, &Key::User { account, user })? {
                used.entry(permission).or_default().add(|| format!("accounts/{account_id}/users/{}", user.value.id));
            }
        }
    }
    note_all(permissions, &used);
    Ok(())
}

/// Notes the resources of an account that are of a dropped type.
fn note_types(
    plan: &Plan<'_>,
    account: Number,
    account_id: &AccountId,
    types: &mut Dropped,
) -> Result<(), ServiceError> {
    if plan.counts(account)?.resources == 0 {
        return Ok(());
    }
    let mut used: BTreeMap<Number, Uses> = BTreeMap::new();
    for (_, record) in facts::scan_all(plan, KeyRange::Resources(account))? {
        let Record::Resource(resource) = record.value else { continue };
        if types.contains_key(&resource.resource_type) {
            let name = || format!("accounts/{account_id}/resources/{}", resource.path);
            used.entry(resource.resource_type).or_default().add(name);
        }
    }
    note_all(types, &used);
    Ok(())
}

fn note_all(dropped: &mut Dropped, used: &BTreeMap<Number, Uses>) {
    for (number, uses) in used {
        if let Some(each) = dropped.get_mut(number) {
            each.note(uses);
        }
    }
}
