//! Removes what still refers to deleted things, a little at a time, when there is nothing else to write.
//!
//! Nothing depends on it: a deleted thing's number is never given out again, so what refers to it is void at once.
//! Sweeping only gives the room back.

use super::{error::ServiceError, facts, plan::Plan};
use crate::{
    model::{AccountId, Change, Key, KeyRange, Kind, Number, Record, RetiredRecord, Stamped},
    store::View as _,
};

/// The most references that one step follows.
const STEP: usize = 30;
/// The most accounts that one step looks into for bindings of a role that its catalog dropped.
const ACCOUNTS: usize = 64;

/// What is left to sweep, as far as is known.
pub(super) struct Sweeper {
    has_work: bool,
    /// How far the accounts have been gone through for the retired role that is being swept.
    role: Option<(Number, AccountId)>,
}

impl Sweeper {
    /// Looks for work at first: an earlier run may have left some.
    pub(super) fn new() -> Self {
        Self { has_work: true, role: None }
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
            // Users and bindings leave nothing behind.
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
            let record = facts::get_binding(plan, &Key::Binding { account, binding })?;
            if let Some(record) = record {
                let (holder, role) = (record.value.holder, record.value.role);
                plan.remove(Key::HolderBinding { account, holder: holder.number(), binding })?;
                plan.remove(Key::RoleBinding { account, role, holder, binding })?;
            }
            plan.remove(Key::Binding { account, binding })?;
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
