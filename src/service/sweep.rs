//! Removes what still refers to deleted things, a little at a time, when there is nothing else to write.
//!
//! Nothing depends on it: a deleted thing's number is never given out again, so what refers to it is void at once.
//! Sweeping only gives the room back.

use super::{
    access_lists::remove_resource_access,
    bindings::{remove_binding, take_binding},
    error::ServiceError,
    facts,
    plan::Plan,
    resources::remove_resource,
};
use crate::{
    model::{AccountId, BindingRecord, Change, Key, KeyRange, Kind, Number, Record, RetiredRecord, Stamped},
    store::View as _,
};

/// The most references that one step follows.
const STEP: usize = 30;
/// The most accounts that one step looks into for bindings of a role that its catalog dropped.
const ACCOUNTS: usize = 64;
/// The most resources that one step looks at for those of a type that its catalog dropped.
const LOOKED_AT: usize = 1_000;

/// What is left to sweep, as far as is known.
pub(super) struct Sweeper {
    has_work: bool,
    /// How far the accounts have been gone through for the retired role that is being swept.
    role: Option<(Number, AccountId)>,
    /// The same for the retired resource type, with how far the resources of the account after that one have been.
    resource_type: Option<(Number, Option<AccountId>, Option<Key>)>,
}

impl Sweeper {
    /// Looks for work at first: an earlier run may have left some.
    pub(super) fn new() -> Self {
        Self { has_work: true, role: None, resource_type: None }
    }

    pub(super) fn has_work(&self) -> bool {
        self.has_work
    }

    /// Notes what changes leave to sweep.
    pub(super) fn note(&mut self, changes: &[Change]) {
        let retires = |key: &Key| matches!(key, Key::Retired(_));
        self.has_work |= changes.iter().flat_map(|change| &change.records).any(|record| retires(&record.key));
    }

    /// Looks for no more work in this run.
    pub(super) fn give_up(&mut self) {
        self.has_work = false;
    }

    /// Plans one step.
    pub(super) fn step(&mut self, plan: &mut Plan<'_>) -> Result<(), ServiceError> {
        let Some((Key::Retired(number), Stamped { value: Record::Retired(retired), .. })) =
            plan.scan(KeyRange::Retired, None, 1)?.into_iter().next()
        else {
            self.has_work = false;
            return Ok(());
        };
        if self.sweep(plan, number, retired)? {
            plan.remove(Key::Retired(number))?;
        }
        Ok(())
    }

    /// Sweeps a part of what refers to a number. Whether that was the last of it.
    fn sweep(&mut self, plan: &mut Plan<'_>, number: Number, retired: RetiredRecord) -> Result<bool, ServiceError> {
        match (retired.kind, retired.account) {
            (Kind::Team, Some(account)) => sweep_memberships(plan, KeyRange::Members { account, team: number }),
            (Kind::Role, Some(account)) => {
                sweep_bindings(plan, account, KeyRange::RoleBindings { account, role: number })
            }
            (Kind::Role, None) => self.sweep_catalog_role(plan, number),
            (Kind::Account, _) => sweep_account(plan, number),
            (Kind::Resource, None) => self.sweep_resource_type(plan, number),
            // Users and bindings leave nothing behind, and a deleted resource or policy is gone from what named it.
            (Kind::Catalog | Kind::Binding | Kind::User | Kind::Policy | Kind::Resource, _) | (Kind::Team, None) => {
                Ok(true)
            }
        }
    }

    /// A role that its catalog dropped can have bindings in any account.
    fn sweep_catalog_role(&mut self, plan: &mut Plan<'_>, role: Number) -> Result<bool, ServiceError> {
        let reached = self.role.take().filter(|(of, _)| *of == role).map(|(_, id)| Key::AccountName(id));
        let accounts = plan.scan(KeyRange::AccountNames, reached.as_ref(), ACCOUNTS)?;
        let is_last = accounts.len() < ACCOUNTS;
        let mut done = reached;
        for (name, value) in accounts {
            let (Key::AccountName(id), Record::Name(account)) = (&name, value.value) else { continue };
            plan.remove(Key::RoleHolders { account, role })?;
            let range = KeyRange::RoleBindings { account, role };
            let had_some = !plan.scan(range, None, 1)?.is_empty();
            if !sweep_bindings(plan, account, range)? || had_some {
                // As much as one step may do: the next one begins with this account again.
                if let Some(Key::AccountName(before)) = done {
                    self.role = Some((role, before));
                }
                return Ok(false);
            }
            done = Some(Key::AccountName(id.clone()));
        }
        if !is_last && let Some(Key::AccountName(id)) = done {
            self.role = Some((role, id));
        }
        Ok(is_last)
    }

    /// A type that its catalog dropped can have resources in any account. Access lists that are all of it stay: they are
    /// void by its number, and go with their holders.
    fn sweep_resource_type(&mut self, plan: &mut Plan<'_>, number: Number) -> Result<bool, ServiceError> {
        let place = self.resource_type.take().filter(|(of, ..)| *of == number);
        let (mut reached, mut after) = place.map_or((None, None), |(_, account, after)| (account, after));
        let from = reached.clone().map(Key::AccountName);
        let accounts = plan.scan(KeyRange::AccountNames, from.as_ref(), ACCOUNTS)?;
        let is_last = accounts.len() < ACCOUNTS;
        for (name, value) in accounts {
            let (Key::AccountName(id), Record::Name(account)) = (name, value.value) else { continue };
            // Most accounts live under other catalogs, or have no resources.
            if plan.counts(account)?.resources > 0 {
                // A place in another account says nothing about this one.
                let after = after.take().filter(|key| key.account() == Some(account));
                if let Swept::Part(after) = sweep_resources(plan, account, number, after)? {
                    self.resource_type = Some((number, reached, after));
                    return Ok(false);
                }
            }
            reached = Some(id);
        }
        if !is_last {
            self.resource_type = Some((number, reached, None));
        }
        Ok(is_last)
    }
}

/// What a step over the resources of an account came to.
enum Swept {
    /// None of the type is left.
    All,
    /// As much was done as one step may do; the next goes on after this resource.
    Part(Option<Key>),
}

/// Removes resources of a type with what names them, from those after one on. Looks at a bounded number of resources, and
/// follows a bounded number of references.
fn sweep_resources(
    plan: &mut Plan<'_>,
    account: Number,
    resource_type: Number,
    mut after: Option<Key>,
) -> Result<Swept, ServiceError> {
    let found = plan.scan(KeyRange::Resources(account), after.as_ref(), LOOKED_AT)?;
    let is_last = found.len() < LOOKED_AT;
    let mut followed = 0;
    for (key, record) in found {
        if let (Key::Resource { resource, .. }, Record::Resource(record)) = (&key, record.value)
            && record.resource_type == resource_type
        {
            if followed >= STEP {
                return Ok(Swept::Part(after));
            }
            let bindings = plan.scan(KeyRange::ResourceBindings { account, resource: *resource }, None, STEP)?;
            let lists = plan.scan(KeyRange::ResourceAccess { account, resource: *resource }, None, STEP)?;
            if bindings.len() == STEP || lists.len() == STEP {
                sweep_references(plan, account, resource_type, bindings.into_iter().chain(lists))?;
                return Ok(Swept::Part(after));
            }
            remove_resource(plan, account, *resource)?;
            followed += 1 + bindings.len() + lists.len();
        }
        after = Some(key);
    }
    Ok(if is_last { Swept::All } else { Swept::Part(after) })
}

/// Removes bindings and entries of access lists found from their resource.
fn sweep_references(
    plan: &mut Plan<'_>,
    account: Number,
    resource_type: Number,
    found: impl Iterator<Item = (Key, Stamped<Record>)>,
) -> Result<(), ServiceError> {
    for (key, _) in found {
        match key {
            Key::ResourceBinding { binding, .. } => {
                remove_binding(plan, account, binding)?;
                plan.remove(key)?;
            }
            Key::ResourceAccess { resource, holder, .. } => {
                remove_resource_access(plan, account, resource, resource_type, holder)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes memberships found from either side.
fn sweep_memberships(plan: &mut Plan<'_>, range: KeyRange) -> Result<bool, ServiceError> {
    let found = plan.scan(range, None, STEP)?;
    let is_last = found.len() < STEP;
    for (key, _) in found {
        if let Key::Membership { account, user, team } | Key::Member { account, team, user } = key {
            plan.remove(Key::Membership { account, user, team })?;
            plan.remove(Key::Member { account, team, user })?;
        }
    }
    Ok(is_last)
}

/// Removes bindings found from the holder or from the role.
fn sweep_bindings(plan: &mut Plan<'_>, account: Number, range: KeyRange) -> Result<bool, ServiceError> {
    let found = plan.scan(range, None, STEP)?;
    let is_last = found.len() < STEP;
    for (key, _) in found {
        if let Key::HolderBinding { binding, .. } | Key::RoleBinding { binding, .. } = key {
            if let Some(record) = facts::get_binding(plan, &Key::Binding { account, binding })? {
                let BindingRecord { holder, role, resource, .. } = record.value;
                take_binding(plan, account, binding, holder, role, resource)?;
            }
            plan.remove(key)?;
        }
    }
    Ok(is_last)
}

/// Removes whatever lies below a deleted account.
fn sweep_account(plan: &mut Plan<'_>, account: Number) -> Result<bool, ServiceError> {
    let ranges = [
        KeyRange::Users(account),
        KeyRange::UserNames(account),
        KeyRange::Profiles(account),
        KeyRange::Teams(account),
        KeyRange::TeamNames(account),
        KeyRange::Roles(account),
        KeyRange::RoleNames(account),
        KeyRange::AccountMemberships(account),
        KeyRange::AccountMembers(account),
        KeyRange::Bindings(account),
        KeyRange::AccountHolderBindings(account),
        KeyRange::AccountRoleBindings(account),
        KeyRange::AccountRoleHolders(account),
        KeyRange::TeamSizes(account),
        KeyRange::ServiceAccounts(account),
        KeyRange::ServiceAccountNames(account),
        KeyRange::SignIns(account),
        KeyRange::Resources(account),
        KeyRange::ResourceNames(account),
        KeyRange::AccountResourceBindings(account),
        KeyRange::AccountAccess(account),
        KeyRange::AccountResourceAccess(account),
        KeyRange::Policies(account),
        KeyRange::PolicyNames(account),
        KeyRange::AccountPolicyRoles(account),
        KeyRange::AccountRoleChildren(account),
        KeyRange::AccountExceptions(account),
        KeyRange::AccountPermissionExceptions(account),
    ];
    for range in ranges {
        let found = plan.scan(range, None, STEP)?;
        if !found.is_empty() {
            for (key, _) in found {
                plan.remove(key)?;
            }
            return Ok(false);
        }
    }
    plan.remove(Key::Counts { account })?;
    Ok(true)
}
