//! What a user with three roles of `infobip-classic` may do: what the decision alone is measured with.

use std::sync::Arc;

use rolecall::{
    engine::{BoundRole, CompiledCatalog, EffectiveSet, Holdings, NoConditions, RoleFacts},
    files,
    model::{Catalog, Number},
    presets::INFOBIP_CLASSIC,
};

/// The compiled catalog, and what the user holds.
pub struct Classic {
    compiled: Arc<CompiledCatalog>,
    features: Vec<Number>,
    roles: Vec<Arc<RoleFacts>>,
    bindings: Vec<BoundRole>,
}

impl Classic {
    pub fn new() -> Self {
        let definition = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
        let numbers = |from: u64, count: usize| -> Vec<Number> { (from..from + count as u64).map(Number).collect() };
        let features = numbers(1_000, definition.features.len());
        let catalog = Catalog {
            number: Number(1),
            feature_numbers: features.clone(),
            permission_numbers: numbers(10_000, definition.permissions.len()),
            role_numbers: numbers(100_000, definition.roles.len()),
            resource_type_numbers: numbers(200_000, definition.resource_types.len()),
            policy_numbers: numbers(300_000, definition.policies.len()),
            definition,
        };
        let compiled = Arc::new(CompiledCatalog::new(catalog, Arc::new(NoConditions)));
        let roles: Vec<_> =
            numbers(100_000, 3).iter().map(|role| compiled.role_of_number(*role).unwrap().clone()).collect();
        let bindings =
            roles.iter().map(|role| BoundRole { role: role.number, resource: None, is_expired: false }).collect();
        Self { compiled, features, roles, bindings }
    }

    /// How many permissions the catalog has.
    pub fn permissions(&self) -> u32 {
        self.compiled.catalog().definition.permissions.len() as u32
    }

    /// The set of whoever holds the roles in an account that is entitled to seven features.
    pub fn set(&self) -> EffectiveSet {
        let holdings = Holdings { bindings: self.bindings.clone(), roles: self.roles.clone(), ..Holdings::default() };
        EffectiveSet::new(Arc::clone(&self.compiled), &self.features[..7], holdings)
    }
}
