//! The parts of custom roles beside single permissions: policies, parents, and the facets that they cover.

use std::collections::BTreeSet;

use rolecall::service::ErrorReason;

use super::{
    super::oracle::{CustomRole, Hierarchy, PolicyName, RoleName},
    Place, Set, Worker,
    expected::Wrong,
    policies,
};

impl Worker {
    /// Policies to contain, nearly always ones that are there.
    pub(super) fn some_policies(&mut self, place: &Place, wrong: &mut Wrong) -> BTreeSet<PolicyName> {
        let mut chosen: BTreeSet<PolicyName> = BTreeSet::new();
        for _ in 0..self.random.below(3) {
            chosen.extend(self.random.pick(place.policies()));
        }
        let parts = place.catalog.custom_roles;
        chosen.retain(|policy| match policy {
            PolicyName::Managed(_) => parts.managed_policies,
            PolicyName::Custom(_) => parts.custom_policies,
        } || self.random.chance(8));
        if self.random.chance(3) {
            chosen.extend(self.random.pick(policies()).map(PolicyName::Custom));
        }
        for policy in &chosen {
            if place.found.is_some() && !place.has_policy(policy) {
                wrong.push(ErrorReason::PolicyNotFound);
            }
            let is_offered = match policy {
                PolicyName::Managed(_) => parts.managed_policies,
                PolicyName::Custom(_) => parts.custom_policies,
            };
            if !is_offered {
                wrong.push(ErrorReason::CustomRolesNotOffered);
            }
        }
        chosen
    }

    /// Parents to have: often the role that has the most above it, so that they come to stand high.
    pub(super) fn some_parents(&mut self, place: &Place, id: &str, wrong: &mut Wrong) -> BTreeSet<RoleName> {
        let mut chosen = BTreeSet::new();
        if place.catalog.custom_roles.parents || self.random.chance(5) {
            if self.random.chance(65) {
                let reached = |role: &RoleName| {
                    place.found.as_ref().map(|found| found.reached(&place.catalog, role)).unwrap_or_default()
                };
                let name = RoleName::Custom(id.to_owned());
                let there = self.oracle.roles(&place.id, false).into_iter();
                let others = there.filter(|role| !reached(role).contains(&name));
                chosen.extend(others.max_by_key(|role| reached(role).len()));
            }
            let old = place.found.as_ref().and_then(|found| found.roles.get(id));
            if self.random.chance(80) {
                chosen.extend(old.iter().flat_map(|old| &old.parents).filter(|role| place.shows_role(role)).cloned());
            }
            for _ in 0..self.random.below(2) {
                let there = self.oracle.roles(&place.id, self.random.clone().chance(3));
                chosen.extend(self.random.pick(there));
            }
        }
        if self.random.chance(2) {
            chosen.insert(self.random_role());
        }
        if !chosen.is_empty() && !place.catalog.custom_roles.parents {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        if !chosen.iter().all(|role| place.shows_role(role)) {
            wrong.push(ErrorReason::RoleNotFound);
        }
        chosen
    }

    /// Whether the parents can stand above a role. Those that it has already are not looked at again.
    pub(super) fn check_parents(&self, place: &Place, id: &str, parents: &BTreeSet<RoleName>, wrong: &mut Wrong) {
        let old = place.found.as_ref().and_then(|found| found.roles.get(id));
        let new: BTreeSet<RoleName> =
            parents.iter().filter(|parent| !old.is_some_and(|old| old.parents.contains(parent))).cloned().collect();
        if new.is_empty() || !wrong.is_empty() {
            return;
        }
        match self.oracle.hierarchy(&place.id, id, parents) {
            Some(Hierarchy::Cycle) => wrong.push(ErrorReason::RoleCycle),
            Some(Hierarchy::TooDeep) => wrong.push(ErrorReason::RoleTooDeep),
            None => {}
        }
    }

    /// Facets to cover, nearly always ones that are there.
    pub(super) fn some_covers(&mut self, place: &Place, wrong: &mut Wrong) -> Set {
        let mut chosen = self.random.subset(20, place.facets());
        if self.random.chance(2) {
            chosen.insert("desk".into());
        }
        if place.found.is_some() && !chosen.iter().all(|facet| place.facets().contains(facet)) {
            wrong.push(ErrorReason::ResourceTypeNotFound);
        }
        if !chosen.is_empty() && !place.offers_roles() {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        chosen
    }

    /// Parts to send by name.
    pub(super) fn policy_texts(&self, account: &str, policies: &BTreeSet<PolicyName>) -> Vec<String> {
        policies.iter().map(|policy| self.policy_text(account, policy)).collect()
    }

    /// What a copy of a role has, and the parts that it cannot have.
    pub(super) fn copy_of(&self, place: &Place, source: &RoleName) -> (CustomRole, Vec<&'static str>) {
        let shown = self.oracle.role(&place.id, source).unwrap_or_default();
        let offered = place.catalog.custom_roles;
        let (custom, managed): (BTreeSet<PolicyName>, BTreeSet<PolicyName>) =
            shown.policies.into_iter().partition(|policy| matches!(policy, PolicyName::Custom(_)));
        let parents: BTreeSet<RoleName> = shown.parents.into_iter().filter(|role| !place.is_internal(role)).collect();
        let mut omitted = Vec::new();
        let mut is_kept = |is_offered: bool, is_empty: bool, part: &'static str| {
            if !is_offered && !is_empty {
                omitted.push(part);
            }
            is_offered
        };
        let mut copy = CustomRole { covers: shown.covers, left_out: shown.left_out, ..CustomRole::default() };
        if is_kept(offered.permissions, shown.permissions.is_empty(), "permissions") {
            copy.permissions = shown.permissions;
        }
        if is_kept(offered.parents, parents.is_empty(), "parents") {
            copy.parents = parents;
        }
        if is_kept(offered.managed_policies, managed.is_empty(), "managed_policies") {
            copy.policies = managed;
        }
        if is_kept(offered.custom_policies, custom.is_empty(), "custom_policies") {
            copy.policies.extend(custom);
        }
        (copy, omitted)
    }
}
