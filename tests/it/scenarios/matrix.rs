//! The decision matrix of every preset: every role and every permission, with the features on and off, asked four ways.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use rolecall::{
    engine::{CompiledCatalog, EffectiveSet, Standing, Subject, decide},
    files,
    model::{Catalog, Number},
    presets::{self, Preset},
    proto::{BatchCheckItem, BatchCheckRequest, Decision},
};
use serde_json::{Value, json};

use super::{
    super::support::{Clients, TestServer},
    folder,
};

/// What the matrix says about each role.
fn expected(preset: &str) -> (String, BTreeMap<String, BTreeSet<String>>) {
    let path = folder().join(preset).join("matrix.yaml");
    let value: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let catalog = fs::read_to_string(path.parent().unwrap().join(value["catalog"].as_str().unwrap())).unwrap();
    let allowed = |role: &Value| {
        role["allowed"].as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect()
    };
    let matrix = value["matrix"].as_object().unwrap();
    (catalog, matrix.iter().map(|(role, cells)| (role.clone(), allowed(cells))).collect())
}

/// Asks every cell of an account in which user `has-ROLE` holds each role. Gives how many were asked.
async fn ask(
    clients: &mut Clients,
    account: &str,
    way: &str,
    cell: &dyn Fn(&str, &str) -> &'static str,
    cells: &[(String, String)],
) -> usize {
    for piece in cells.chunks(1000) {
        let items = piece.iter().map(|(role, permission)| BatchCheckItem {
            subject: format!("users/has-{role}"),
            permission: permission.clone(),
            ..Default::default()
        });
        let request =
            BatchCheckRequest { account: format!("accounts/{account}"), items: items.collect(), consistency: None };
        let answers = clients.authorization.batch_check(request).await.unwrap().into_inner();
        assert_eq!(answers.results.len(), piece.len());
        for ((role, permission), answer) in piece.iter().zip(answers.results) {
            let wanted = cell(role, permission);
            let name = answer.reason().as_str_name().trim_start_matches("DECISION_REASON_");
            assert_eq!(name, wanted, "{account} ({way}): {role} x {permission}");
            assert_eq!(answer.decision() == Decision::Allow, wanted == "ALLOWED");
        }
    }
    cells.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_and_every_permission_of_every_preset_is_as_its_matrix_says() {
    for preset in presets::ALL {
        the_matrix_of(preset).await;
    }
}

async fn the_matrix_of(preset: &Preset) {
    let (catalog, matrix) = expected(preset.name);
    let definition = files::parse_catalog(catalog.as_bytes()).unwrap();
    let roles: BTreeSet<String> = definition.roles.iter().map(|role| role.id.to_string()).collect();
    assert_eq!(roles, matrix.keys().cloned().collect(), "the matrix and the catalog have the same roles");
    let gated: BTreeSet<String> =
        definition.permissions.iter().filter(|each| each.feature.is_some()).map(|each| each.id.to_string()).collect();
    let permissions: Vec<String> = definition.permissions.iter().map(|each| each.id.to_string()).collect();
    for (role, allowed) in &matrix {
        for permission in allowed {
            assert!(permissions.contains(permission), "{role}: {permission} is not in the catalog");
        }
    }
    let features: Vec<String> = definition.features.iter().map(|feature| feature.id.to_string()).collect();
    let cells: Vec<(String, String)> = matrix
        .keys()
        .flat_map(|role| permissions.iter().map(move |permission| (role.clone(), permission.clone())))
        .collect();
    let with_features = |role: &str, permission: &str| {
        if matrix[role].contains(permission) { "ALLOWED" } else { "NO_ROLE_GRANTS" }
    };
    let without_features = |role: &str, permission: &str| match matrix[role].contains(permission) {
        true if gated.contains(permission) => "FEATURE_NOT_ENTITLED",
        true => "ALLOWED",
        false => "NO_ROLE_GRANTS",
    };

    let mut asked = engine_alone(&catalog, &cells, &with_features, &without_features);
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog).await.unwrap();
    // Only a server can tell that the demo account names what its catalog has.
    server.clients.apply_account(preset.account).await.unwrap();
    for (account, features) in [("all-features", features.clone()), ("no-features", Vec::new())] {
        let users: Vec<Value> =
            matrix.keys().map(|role| json!({"id": format!("has-{role}"), "roles": [role]})).collect();
        let file =
            json!({"kind": "account", "id": account, "catalog": preset.name, "features": features, "users": users});
        server.clients.apply_account(&file.to_string()).await.unwrap();
    }
    for way in ["cold", "warm"] {
        asked += ask(&mut server.clients, "all-features", way, &with_features, &cells).await;
        asked += ask(&mut server.clients, "no-features", way, &without_features, &cells).await;
    }
    let mut server = server.restart().await;
    asked += ask(&mut server.clients, "all-features", "after a restart", &with_features, &cells).await;
    asked += ask(&mut server.clients, "no-features", "after a restart", &without_features, &cells).await;
    println!("{}: {} roles x {} permissions, {asked} cells asked", preset.name, matrix.len(), permissions.len());
}

fn engine_alone(
    catalog: &str,
    cells: &[(String, String)],
    with_features: &dyn Fn(&str, &str) -> &'static str,
    without_features: &dyn Fn(&str, &str) -> &'static str,
) -> usize {
    let definition = files::parse_catalog(catalog.as_bytes()).unwrap();
    let numbers = |from: u64, count: usize| -> Vec<Number> { (from..from + count as u64).map(Number).collect() };
    let features = numbers(1_000, definition.features.len());
    let compiled = Arc::new(CompiledCatalog::new(Catalog {
        number: Number(1),
        feature_numbers: features.clone(),
        permission_numbers: numbers(10_000, definition.permissions.len()),
        role_numbers: numbers(100_000, definition.roles.len()),
        definition,
    }));
    for (role, permission) in cells {
        for (features, cell) in [(features.as_slice(), with_features), (&[], without_features)] {
            let roles = vec![Arc::clone(compiled.role(role).unwrap())];
            let set = Arc::new(EffectiveSet::new(Arc::clone(&compiled), features, roles));
            let subject = Subject { standing: Standing::Active, set, held: Vec::new() };
            let reason = decide(&subject, compiled.permission(permission).unwrap());
            assert_eq!(reason.name(), cell(role, permission), "engine alone: {role} x {permission}");
        }
    }
    cells.len() * 2
}
