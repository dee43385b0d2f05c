//! The decision itself, and the set that it is made from.

use std::{hint::black_box, sync::Arc};

use rolecall::{
    engine::{BoundRole, CompiledCatalog, EffectiveSet, Holdings, NoConditions, Standing, Subject, decide},
    files,
    model::{Catalog, Number, PermissionIndex},
    presets::INFOBIP_CLASSIC,
};

use super::pairs::{in_turns, report, rounds, time};

pub fn measure() {
    let definition = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    let numbers = |from: u64, count: usize| -> Vec<Number> { (from..from + count as u64).map(Number).collect() };
    let features = numbers(1_000, definition.features.len());
    let count = definition.permissions.len() as u32;
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
    let bindings: Vec<_> =
        roles.iter().map(|role| BoundRole { role: role.number, resource: None, is_expired: false }).collect();
    let compile = || {
        let holdings = Holdings { bindings: bindings.clone(), roles: roles.clone(), ..Holdings::default() };
        EffectiveSet::new(Arc::clone(&compiled), &features[..7], holdings)
    };
    let set = Arc::new(compile());
    let bits = set.settled().clone();
    let subject = Subject { standing: Standing::Active, set };
    let deciding = || {
        time(5_000_000, |number| {
            black_box(decide(black_box(&subject), PermissionIndex(number as u32 % count)));
        })
    };
    let testing = || {
        time(5_000_000, |number| {
            black_box(black_box(&bits).contains(PermissionIndex(number as u32 % count)));
        })
    };
    report("The engine's decision", "ns", "one bit test", &in_turns(rounds(), deciding, testing));
    let making = || time(20_000, |_| _ = black_box(compile()));
    let copying = || time(20_000, |_| _ = black_box((bits.clone(), bits.clone())));
    let copies = "two such sets of bits copied";
    report("An effective set of 3 roles and 133 permissions", "ns", copies, &in_turns(rounds(), making, copying));
}
