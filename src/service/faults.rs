//! What the service sees with a planted bug. Tests of the tests only.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    core::{CatalogAt, Core, Fault},
    holdings::{Gatherer, Held},
};
use crate::{
    engine::{ApiScopeSet, HeldRole, RoleFacts},
    model::{
        AccountRecord, Catalog, Effect, Key, KeyRange, Number, PermissionPattern, PolicyRecord, Statement, Timestamp,
    },
    store::StoreError,
};

impl Core {
    fn has(&self, fault: Fault) -> bool {
        self.settings.fault == Some(fault)
    }

    pub(super) fn with_faulty_features(&self, mut record: AccountRecord, catalog: &CatalogAt) -> AccountRecord {
        if self.has(Fault::FeatureGateDropped) {
            record.features = catalog.compiled.catalog().feature_numbers.clone();
        }
        record
    }

    pub(super) fn with_faulty_clock(&self, now: Timestamp) -> Timestamp {
        if self.has(Fault::ExpiryIgnoredOnRead) { Timestamp(0) } else { now }
    }

    pub(super) fn with_faulty_catalog(&self, mut catalog: Catalog) -> Catalog {
        if self.has(Fault::StarMatchesTwo) {
            catalog.definition.policies.iter_mut().for_each(|policy| widen(&mut policy.statements));
        }
        catalog
    }

    pub(super) fn with_faulty_statements(&self, mut record: PolicyRecord) -> PolicyRecord {
        if self.has(Fault::StarMatchesTwo) {
            widen(&mut record.statements);
        }
        record
    }
}

/// For each pattern with a star, another with two in its place.
fn widen(statements: &mut [Statement]) {
    for statement in statements {
        let wider = statement.permissions.iter().filter_map(|pattern| {
            let segments: Vec<&str> = pattern.segments().map(|each| if each == "*" { "*.*" } else { each }).collect();
            PermissionPattern::new(&segments.join(".")).ok()
        });
        let wider: Vec<_> = wider.collect();
        statement.permissions.extend(wider);
    }
}

impl Gatherer<'_> {
    pub(super) fn with_fault(&self, held: &mut Held) -> Result<(), StoreError> {
        match self.core.settings.fault {
            Some(Fault::TeamRoleForgotten) => held.roles.retain(|held| held.team.is_none()),
            Some(Fault::ResourceIgnored) => held.roles.iter_mut().for_each(|held| held.resource = None),
            Some(Fault::AccessOfEverybody) => {
                for (key, _) in super::facts::scan_all(self.view, KeyRange::Users(self.account))? {
                    if let Key::User { user, .. } = key {
                        self.add_access(user, &mut held.access)?;
                    }
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    pub(super) fn with_faulty_roles(
        &self,
        held: &[HeldRole],
        mut roles: BTreeMap<Number, Arc<RoleFacts>>,
    ) -> BTreeMap<Number, Arc<RoleFacts>> {
        for (number, role) in &mut roles {
            let is_parent = held.iter().all(|held| held.role != *number);
            let is_allow = |statement: &Arc<crate::engine::StatementFacts>| statement.effect == Effect::Allow;
            let (statements, left_out) = match self.core.settings.fault {
                Some(Fault::LeftOutIgnored) => (role.statements.clone(), ApiScopeSet::default()),
                Some(Fault::InheritedDenyIgnored) if is_parent => {
                    (role.statements.iter().filter(|each| is_allow(each)).cloned().collect(), role.left_out.clone())
                }
                Some(_) | None => continue,
            };
            *role = Arc::new(RoleFacts {
                number: role.number,
                id: role.id.clone(),
                origin: role.origin,
                is_internal: role.is_internal,
                permissions: role.permissions.clone(),
                covers: role.covers.clone(),
                parents: role.parents.clone(),
                statements,
                left_out,
            });
        }
        roles
    }
}
