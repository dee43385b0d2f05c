//! What a new version of a catalog drops although accounts use it.
//!
//! A resource type is dropped with its place in the tree: renamed or moved, it is another. Then custom policies may name
//! paths that are no more, and a deny that does takes nothing away; so they are uses of the type. Read [`drops_in_use`]
//! first.

use std::collections::{BTreeMap, HashSet};

use super::{bindings::remove_binding, catalogs::place, error::ServiceError, facts, plan::Plan, policies::roles_with};
use crate::{
    files::Vocabulary,
    model::{
        AccountId, Catalog, CatalogDefinition, Index, Key, KeyRange, Number, PolicyRecord, Record, ResourcePattern,
        ResourceTypeIndex,
    },
    store::View as _,
};

/// How many users of a dropped thing are named.
const NAMED: usize = 10;
/// How many roles or policies are read at a time: each of them can be large.
const PIECE: usize = 256;
/// The most role bindings that one load takes away, so that the writer is held up for seconds at the most.
pub(super) const MAX_BINDINGS_OF_A_LOAD: usize = 100_000;

/// Something that a new version drops, and who uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogDrop {
    /// What it is, such as `permissions/reports.detailed.view`.
    pub subject: String,
    /// How many accounts use it.
    pub accounts: u64,
    /// How many uses there are: custom roles, accounts, role bindings, resources, custom policies, exceptions.
    pub uses: u64,
    /// Some of those who use it, by their full names; custom policies first.
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
/// resource types in their resources and in the patterns of their custom policies.
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
    let mut types = DroppedTypes::new(old, new);
    let all = [&features, &permissions, &roles, &policies, &types.dropped];
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
        if !types.dropped.is_empty() {
            types.note(plan, account, &record.id)?;
        }
    }
    let types = types.finish();
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
struct DroppedTypes<'c> {
    dropped: Dropped,
    /// Where each of them was, and where the type of its id is now.
    places: Vec<(Number, ResourceTypeIndex, Option<ResourceTypeIndex>)>,
    before: Vocabulary<'c>,
    after: Vocabulary<'c>,
    /// Some of the custom policies that lose a pattern, by type: they are named before all resources, since what a lost deny
    /// denied is allowed.
    policies: BTreeMap<Number, Vec<String>>,
}

impl<'c> DroppedTypes<'c> {
    fn new(old: &'c Catalog, new: &'c CatalogDefinition) -> Self {
        let places: HashSet<String> = new.resource_types.iter().map(|each| place(new, each)).collect();
        let now = |id: &str| new.resource_types.iter().position(|each| each.id.as_str() == id).map(Index::at);
        let types = (0..).map(ResourceTypeIndex).zip(&old.definition.resource_types).zip(&old.resource_type_numbers);
        let (mut dropped, mut moved) = (Dropped::new(), Vec::new());
        for ((was, each), number) in types.filter(|((_, each), _)| !places.contains(&place(&old.definition, each))) {
            let subject = format!("resource_types/{}", each.id);
            dropped.insert(*number, CatalogDrop { subject, ..CatalogDrop::default() });
            moved.push((*number, was, now(each.id.as_str())));
        }
        Self {
            dropped,
            places: moved,
            before: Vocabulary::of_catalog(&old.definition, false),
            after: Vocabulary::of_catalog(new, false),
            policies: BTreeMap::new(),
        }
    }

    /// Notes the resources of an account that are of a dropped type, and its custom policies with patterns that match
    /// nothing of that type any more.
    fn note(&mut self, plan: &Plan<'_>, account: Number, account_id: &AccountId) -> Result<(), ServiceError> {
        let counts = plan.counts(account)?;
        let mut used: BTreeMap<Number, Uses> = BTreeMap::new();
        if counts.resources > 0 {
            for (_, record) in facts::scan_all(plan, KeyRange::Resources(account))? {
                let Record::Resource(resource) = record.value else { continue };
                if self.dropped.contains_key(&resource.resource_type) {
                    let name = || format!("accounts/{account_id}/resources/{}", resource.path);
                    used.entry(resource.resource_type).or_default().add(name);
                }
            }
        }
        if counts.policies > 0 {
            for_each(plan, KeyRange::Policies(account), |record| {
                let Record::Policy(policy) = record else { return };
                for number in self.lost_by(&policy) {
                    used.entry(number).or_default().count += 1;
                    let named = self.policies.entry(number).or_default();
                    if named.len() < NAMED {
                        named.push(format!("accounts/{account_id}/accessPolicies/{}", policy.id));
                    }
                }
            })?;
        }
        note_all(&mut self.dropped, &used);
        Ok(())
    }

    /// The dropped types that a policy loses: a pattern matched paths of the type, and matches none of those that it has
    /// now. Of a type that is gone: it matches no path at all any more.
    fn lost_by(&self, policy: &PolicyRecord) -> Vec<Number> {
        let patterns = || policy.statements.iter().flat_map(|statement| &statement.resources);
        let is_lost = |was: ResourceTypeIndex, now: Option<ResourceTypeIndex>, pattern: &ResourcePattern| {
            let matches_now = match now {
                Some(now) => self.after.has_path_of(now, pattern),
                None => self.after.has_path(pattern),
            };
            self.before.has_path_of(was, pattern) && !matches_now
        };
        let lost = self.places.iter().filter(|(_, was, now)| patterns().any(|pattern| is_lost(*was, *now, pattern)));
        lost.map(|(number, ..)| *number).collect()
    }

    fn finish(mut self) -> Dropped {
        for (number, mut names) in self.policies {
            if let Some(each) = self.dropped.get_mut(&number) {
                names.append(&mut each.used_by);
                names.truncate(NAMED);
                each.used_by = names;
            }
        }
        self.dropped
    }
}

/// Notes the custom roles of an account that contain a dropped permission, and the users who have an exception for it.
fn note_permissions(
    plan: &Plan<'_>,
    account: Number,
    account_id: &AccountId,
    permissions: &mut Dropped,
) -> Result<(), ServiceError> {
    let mut used: BTreeMap<Number, Uses> = BTreeMap::new();
    for_each(plan, KeyRange::Roles(account), |record| {
        let Record::Role(role) = record else { return };
        for number in role.permissions.iter().filter(|number| permissions.contains_key(number)) {
            used.entry(*number).or_default().add(|| format!("accounts/{account_id}/roles/{}", role.id));
        }
    })?;
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

/// Goes through the records of a range, some at a time.
fn for_each(plan: &Plan<'_>, range: KeyRange, mut look: impl FnMut(Record)) -> Result<(), ServiceError> {
    let mut after: Option<Key> = None;
    loop {
        let piece = plan.scan(range, after.as_ref(), PIECE)?;
        let Some((last, _)) = piece.last() else { return Ok(()) };
        after = Some(last.clone());
        piece.into_iter().for_each(|(_, record)| look(record.value));
    }
}

/// Takes the role bindings on resources of dropped types away, so that nobody is counted any more as a holder by one of them.
/// Those beyond `most` are counted until they are swept, as the resources themselves are swept later. Cost: linear in the
/// accounts under the catalog, their resources, and the bindings that go.
pub(super) fn remove_bindings_on(
    plan: &mut Plan<'_>,
    catalog: Number,
    types: &HashSet<Number>,
    most: usize,
) -> Result<(), ServiceError> {
    if types.is_empty() {
        return Ok(());
    }
    let mut left = most;
    for (key, _) in facts::scan_all(plan, KeyRange::CatalogAccounts(catalog))? {
        let Key::CatalogAccount { account, .. } = key else { continue };
        if plan.counts(account)?.resources == 0 {
            continue;
        }
        for (key, record) in facts::scan_all(plan, KeyRange::Resources(account))? {
            let (Key::Resource { resource, .. }, Record::Resource(record)) = (key, record.value) else { continue };
            if !types.contains(&record.resource_type) {
                continue;
            }
            let on_it = plan.scan(KeyRange::ResourceBindings { account, resource }, None, left)?;
            left = left.saturating_sub(on_it.len());
            for (key, _) in on_it {
                if let Key::ResourceBinding { binding, .. } = key {
                    remove_binding(plan, account, binding)?;
                    plan.remove(key)?;
                }
            }
            if left == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn note_all(dropped: &mut Dropped, used: &BTreeMap<Number, Uses>) {
    for (number, uses) in used {
        if let Some(each) = dropped.get_mut(number) {
            each.note(uses);
        }
    }
}
