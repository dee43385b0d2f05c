//! Custom roles among other roles: their parents, without cycles and not too deep, and what finds a role from the
//! policies and the parents that it has.
//!
//! A catalog sees to its own roles, none of which has a custom one as a parent. Read [`check_parents`] and [`put_role`]
//! first.

use std::collections::HashMap;

use super::{
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
};
use crate::{
    engine::CompiledCatalog,
    model::{AccountId, Key, KeyRange, MAX_ROLE_DEPTH, Number, Record, RoleRecord},
    store::View,
};

/// The most steps that are followed one after the other. A catalog can have made its roles deeper since.
const MAX_STEPS: usize = 3 * MAX_ROLE_DEPTH;

/// A custom role that is given parents.
pub(super) struct Child<'a> {
    pub(super) account_id: &'a AccountId,
    pub(super) account: Number,
    pub(super) catalog: &'a CompiledCatalog,
    /// The role; none: it is yet to be created.
    pub(super) role: Option<Number>,
}

/// Refuses parents by which a custom role would come to be its own parent, or by which it or a custom role below it would
/// be too far from the last of its parents. Those of before are not looked at. Cost: linear in the roles above those that
/// are new, and in those below the role; nothing where none is new.
pub(super) fn check_parents(
    view: &dyn View,
    child: &Child<'_>,
    before: &[Number],
    parents: &[Number],
) -> Result<(), ServiceError> {
    let mut climb = Climb { view, child, heights: HashMap::new(), path: Vec::new() };
    let mut above = 0;
    for parent in parents.iter().filter(|parent| !before.contains(parent)) {
        above = above.max(climb.height(*parent)?.map_or(0, |height| height + 1));
    }
    if above == 0 {
        return Ok(());
    }
    let below = match child.role {
        Some(role) if above <= MAX_ROLE_DEPTH => depth(view, child.account, role, 0, &mut HashMap::new())?,
        _ => 0,
    };
    if above + below > MAX_ROLE_DEPTH { Err(too_deep(above + below)) } else { Ok(()) }
}

/// The way up from a role.
struct Climb<'a> {
    view: &'a dyn View,
    child: &'a Child<'a>,
    /// How many steps there are from a role to the last of its parents; none: the role is gone.
    heights: HashMap<Number, Option<usize>>,
    /// The roles between the child and the one that is looked at.
    path: Vec<Number>,
}

impl Climb<'_> {
    fn height(&mut self, role: Number) -> Result<Option<usize>, ServiceError> {
        if self.child.role == Some(role) {
            return Err(self.cycle(role)?);
        }
        if let Some(height) = self.heights.get(&role) {
            return Ok(*height);
        }
        if self.path.len() >= MAX_STEPS {
            return Err(too_deep(MAX_STEPS));
        }
        let mut height = None;
        if let Some(parents) = self.parents(role)? {
            self.path.push(role);
            let mut steps = 0;
            for parent in parents {
                steps = steps.max(self.height(parent)?.map_or(0, |height| height + 1));
            }
            self.path.pop();
            height = Some(steps);
        }
        self.heights.insert(role, height);
        Ok(height)
    }

    /// The parents of a role, managed or custom; none: it is gone.
    fn parents(&self, role: Number) -> Result<Option<Vec<Number>>, ServiceError> {
        let catalog = self.child.catalog;
        if let Some(managed) = catalog.role_of_number(role).and_then(|role| facts::catalog_role(catalog, role)) {
            let numbers = &catalog.catalog().role_numbers;
            let parents = managed.parents.iter().filter_map(|index| numbers.get(index.position()).copied());
            return Ok(Some(parents.collect()));
        }
        let record = facts::get_role(self.view, &Key::Role { account: self.child.account, role })?;
        // An internal role as a parent is void.
        let is_internal =
            |number: &Number| catalog.role_of_number(*number).is_some_and(|role| facts::is_internal(catalog, role));
        Ok(record.map(|record| record.value.parents.into_iter().filter(|parent| !is_internal(parent)).collect()))
    }

    /// The error for having come back to the child.
    fn cycle(&self, child: Number) -> Result<ServiceError, ServiceError> {
        let Child { account_id, account, catalog, .. } = self.child;
        let mut names = Vec::with_capacity(self.path.len() + 2);
        for role in std::iter::once(&child).chain(&self.path).chain(std::iter::once(&child)) {
            let role = facts::role_of_number(self.view, *account, catalog, *role, &mut |_| {})?;
            names.extend(role.map(|(role, _)| facts::role_name(account_id, catalog, &role).to_string()));
        }
        let cycle = names.join(" -> ");
        Ok(ServiceError::new(ErrorReason::RoleCycle, format!("the role would be its own parent: {cycle}"))
            .with("cycle", cycle))
    }
}

/// How many steps there are from a custom role down to the last of those below it.
fn depth(
    view: &dyn View,
    account: Number,
    role: Number,
    steps: usize,
    depths: &mut HashMap<Number, usize>,
) -> Result<usize, ServiceError> {
    if let Some(depth) = depths.get(&role) {
        return Ok(*depth);
    }
    if steps >= MAX_STEPS {
        return Err(too_deep(MAX_STEPS));
    }
    let mut deepest = 0;
    for (key, _) in facts::scan_all(view, KeyRange::RoleChildren { account, parent: role })? {
        if let Key::RoleChild { child, .. } = key {
            deepest = deepest.max(depth(view, account, child, steps + 1, depths)? + 1);
        }
    }
    depths.insert(role, deepest);
    Ok(deepest)
}

fn too_deep(steps: usize) -> ServiceError {
    ServiceError::new(
        ErrorReason::RoleTooDeep,
        format!(
            "from the role, or one below it, to the last of its parents there would be {steps} steps; the maximum is \
             {MAX_ROLE_DEPTH}"
        ),
    )
    .with("maximum", MAX_ROLE_DEPTH.to_string())
}

/// Sets a custom role, and what finds it from its policies and its parents. `before`: the role as it was, if it was.
pub(super) fn put_role(
    plan: &mut Plan<'_>,
    account: Number,
    role: Number,
    before: Option<&RoleRecord>,
    record: RoleRecord,
) -> Result<(), ServiceError> {
    let (policies, parents) = before.map_or((&[][..], &[][..]), |before| (&before.policies, &before.parents));
    for policy in policies.iter().filter(|policy| !record.policies.contains(policy)) {
        plan.remove(Key::PolicyRole { account, policy: *policy, role })?;
    }
    for policy in record.policies.iter().filter(|policy| !policies.contains(policy)) {
        plan.put(Key::PolicyRole { account, policy: *policy, role }, Record::Present)?;
    }
    for parent in parents.iter().filter(|parent| !record.parents.contains(parent)) {
        plan.remove(Key::RoleChild { account, parent: *parent, child: role })?;
    }
    for parent in record.parents.iter().filter(|parent| !parents.contains(parent)) {
        plan.put(Key::RoleChild { account, parent: *parent, child: role }, Record::Present)?;
    }
    plan.put(Key::Role { account, role }, Record::Role(record))
}

/// Takes a custom role out from among the others: those that have it as a parent lose it, and nothing finds it any more
/// from its policies and its parents. Cost: linear in all of these.
pub(super) fn leave(plan: &mut Plan<'_>, account: Number, role: Number) -> Result<(), ServiceError> {
    if let Some(record) = facts::get_role(plan, &Key::Role { account, role })? {
        for policy in record.value.policies {
            plan.remove(Key::PolicyRole { account, policy, role })?;
        }
        for parent in record.value.parents {
            plan.remove(Key::RoleChild { account, parent, child: role })?;
        }
    }
    for (key, _) in facts::scan_all(plan, KeyRange::RoleChildren { account, parent: role })? {
        let Key::RoleChild { child, .. } = key else { continue };
        if let Some(record) = facts::get_role(plan, &Key::Role { account, role: child })? {
            let mut record = record.value;
            record.parents.retain(|parent| *parent != role);
            record.updated = plan.time;
            plan.put(Key::Role { account, role: child }, Record::Role(record))?;
        }
        plan.remove(key)?;
    }
    Ok(())
}
