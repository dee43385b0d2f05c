//! The decision matrix of every preset: every role and every permission, with the features on and off, asked four ways.
//!
//! A matrix says what each role allows to whoever has all that it takes. Its cases say what users have beside the role,
//! what the questions are about, and which cells are something else than allowed then, each with its reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use rolecall::{
    engine::{CompiledCatalog, EffectiveSet, Standing, Subject, decide},
    files,
    model::{Catalog, CatalogDefinition, Number},
    presets::{self, Preset},
    proto::{BatchCheckItem, BatchCheckRequest, Decision},
};
use serde_json::{Value, json};

use super::{
    super::support::{Clients, TestServer},
    case::{About, only, text, text_if_any, texts, texts_if_any},
    folder,
};

struct Matrix {
    catalog: String,
    /// What each role allows to whoever has all that it takes.
    allowed: BTreeMap<String, BTreeSet<String>>,
    cases: Vec<MatrixCase>,
}

/// What every user has beside its role, and what is asked.
struct MatrixCase {
    name: String,
    /// The resources that are registered.
    resources: Vec<String>,
    /// What the roles are held on; none: the account.
    held_on: Option<String>,
    /// The access lists of every user, as in an account file.
    access: Value,
    /// The resource that permissions of each type are asked about. Those of other types are asked about without one.
    asked_at: BTreeMap<String, String>,
    /// The facets and attributes of every question. `SUBJECT` in an attribute is the id of whoever is asked about.
    about: About,
    /// What cells are instead of allowed: by role or `every`, by reason, permissions or whole areas (`inbox.**`). What is
    /// said of a role counts before what is said of every role; `ALLOWED` takes out of it.
    instead: BTreeMap<String, Vec<(String, Vec<String>)>>,
}

impl Matrix {
    fn read(preset: &str) -> Self {
        let path = folder().join(preset).join("matrix.yaml");
        let value: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        only(&value, &["title", "catalog", "matrix", "cases"]);
        let catalog = fs::read_to_string(path.parent().unwrap().join(text(&value, "catalog"))).unwrap();
        let allowed = |role: &Value| {
            only(role, &["allowed"]);
            texts(&role["allowed"]).into_iter().collect()
        };
        let matrix = value["matrix"].as_object().unwrap();
        let allowed = matrix.iter().map(|(role, cells)| (role.clone(), allowed(cells))).collect();
        let plain = json!([{"name": "as it is"}]);
        let cases = value.get("cases").unwrap_or(&plain).as_array().unwrap().iter().map(MatrixCase::read).collect();
        Self { catalog, allowed, cases }
    }

    /// Whatever is named has to be there: a typo would make a cell of nothing.
    fn compare(&self, definition: &CatalogDefinition) {
        let roles: BTreeSet<String> = definition.roles.iter().map(|role| role.id.to_string()).collect();
        assert_eq!(roles, self.allowed.keys().cloned().collect(), "the matrix and the catalog have the same roles");
        let permissions: BTreeSet<String> = definition.permissions.iter().map(|each| each.id.to_string()).collect();
        for (role, allowed) in &self.allowed {
            for permission in allowed {
                assert!(permissions.contains(permission), "{role}: {permission} is not in the catalog");
            }
        }
        for case in &self.cases {
            for (role, cells) in &case.instead {
                assert!(role == "every" || roles.contains(role), "{}: {role} is not in the catalog", case.name);
                for named in cells.iter().flat_map(|(_, named)| named) {
                    let is_of_role = |permission: &String| {
                        let mut with_it = self.allowed.iter().filter(|(id, _)| role == "every" || *id == role);
                        is_named(named, permission) && with_it.any(|(_, has)| has.contains(permission))
                    };
                    assert!(permissions.iter().any(is_of_role), "{}: {role} has nothing of {named}", case.name);
                }
            }
        }
    }

    fn cell(&self, case: &MatrixCase, role: &str, permission: &str) -> String {
        if !self.allowed[role].contains(permission) {
            return "NO_ROLE_GRANTS".to_owned();
        }
        let cells = [role, "every"].into_iter().filter_map(|who| case.instead.get(who)).flatten();
        let mut reasons = cells.filter(|(_, named)| named.iter().any(|named| is_named(named, permission)));
        reasons.next().map_or_else(|| "ALLOWED".to_owned(), |(reason, _)| reason.clone())
    }
}

/// Whether a permission is the one that is named, or of the area that is (`inbox.**`, `**`).
fn is_named(named: &str, permission: &str) -> bool {
    match named.strip_suffix("**") {
        Some(area) => permission.starts_with(area),
        None => named == permission,
    }
}

impl MatrixCase {
    fn read(value: &Value) -> Self {
        only(value, &["name", "resources", "held_on", "access", "asked_at", "facets", "attributes", "instead"]);
        let asked_at = value.get("asked_at").map(|each| each.as_object().unwrap().clone()).unwrap_or_default();
        let instead = value.get("instead").map(|each| each.as_object().unwrap().clone()).unwrap_or_default();
        let cells = |cells: &Value| {
            let cells = cells.as_object().unwrap().iter();
            cells.map(|(reason, named)| (reason.clone(), texts(named))).collect()
        };
        Self {
            name: text(value, "name"),
            resources: texts_if_any(value, "resources").unwrap_or_default(),
            held_on: text_if_any(value, "held_on"),
            access: value.get("access").cloned().unwrap_or_else(|| json!([])),
            asked_at: asked_at.into_iter().map(|(kind, path)| (kind, path.as_str().unwrap().to_owned())).collect(),
            about: About::read(value),
            instead: instead.into_iter().map(|(role, each)| (role, cells(&each))).collect(),
        }
    }

    /// Whether it takes nothing but the roles.
    fn is_plain(&self) -> bool {
        self.held_on.is_none()
            && self.asked_at.is_empty()
            && self.about == About::default()
            && self.access.as_array().is_some_and(Vec::is_empty)
    }

    /// An account in which user `has-ROLE` holds each role and nothing else.
    fn account(&self, id: &str, catalog: &str, features: &[String], roles: &[String]) -> String {
        let held = |role: &String| match &self.held_on {
            Some(resource) => json!({"role": role, "resource": resource}),
            None => json!(role),
        };
        let user = |role: &String| {
            let mut user = json!({"id": format!("has-{role}"), "roles": [held(role)]});
            if !self.access.as_array().unwrap().is_empty() {
                user["access"] = self.access.clone();
            }
            user
        };
        let users: Vec<Value> = roles.iter().map(user).collect();
        let resources: Vec<Value> = self.resources.iter().map(|path| json!({"path": path})).collect();
        let mut file = json!({"kind": "account", "id": id, "catalog": catalog, "features": features, "users": users});
        if !resources.is_empty() {
            file["resources"] = json!(resources);
        }
        file.to_string()
    }
}

/// Asks every cell of an account. Gives how many were asked.
async fn ask(
    clients: &mut Clients,
    account: &str,
    way: &str,
    case: &MatrixCase,
    cell: &dyn Fn(&str, &str) -> String,
    cells: &[(String, String)],
) -> usize {
    for piece in cells.chunks(1000) {
        let items = piece.iter().map(|(role, permission)| {
            assert!(case.is_plain(), "{account}: {} cannot be sent yet", case.name);
            BatchCheckItem {
                subject: format!("users/has-{role}"),
                permission: permission.clone(),
                ..Default::default()
            }
        });
        let request =
            BatchCheckRequest { account: format!("accounts/{account}"), items: items.collect(), consistency: None };
        let answers = clients.authorization.batch_check(request).await.unwrap().into_inner();
        assert_eq!(answers.results.len(), piece.len());
        for ((role, permission), answer) in piece.iter().zip(answers.results) {
            let wanted = cell(role, permission);
            let name = answer.reason().as_str_name().trim_start_matches("DECISION_REASON_");
            assert_eq!(name, wanted, "{account} ({way}), {}: {role} x {permission}", case.name);
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
    let matrix = Matrix::read(preset.name);
    let definition = files::parse_catalog(matrix.catalog.as_bytes()).unwrap();
    matrix.compare(&definition);
    let gated: BTreeSet<String> =
        definition.permissions.iter().filter(|each| each.feature.is_some()).map(|each| each.id.to_string()).collect();
    let permissions: Vec<String> = definition.permissions.iter().map(|each| each.id.to_string()).collect();
    let features: Vec<String> = definition.features.iter().map(|feature| feature.id.to_string()).collect();
    let roles: Vec<String> = matrix.allowed.keys().cloned().collect();
    let cells: Vec<(String, String)> =
        roles.iter().flat_map(|role| permissions.iter().map(|each| (role.clone(), each.clone()))).collect();

    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&matrix.catalog).await.unwrap();
    // Only a server can tell that the demo account names what its catalog has.
    server.clients.apply_account(preset.account).await.unwrap();
    for (number, case) in matrix.cases.iter().enumerate() {
        for (account, features) in [("all-features", features.as_slice()), ("no-features", &[][..])] {
            let file = case.account(&format!("{account}-{number}"), preset.name, features, &roles);
            server.clients.apply_account(&file).await.unwrap();
        }
    }
    let mut asked = 0;
    for way in ["cold", "warm", "after a restart"] {
        if way == "after a restart" {
            server = server.restart().await;
        }
        for (number, case) in matrix.cases.iter().enumerate() {
            let with_features = |role: &str, permission: &str| matrix.cell(case, role, permission);
            // A missing feature comes before whatever else is missing.
            let without_features = |role: &str, permission: &str| match matrix.cell(case, role, permission) {
                reason if reason != "NO_ROLE_GRANTS" && gated.contains(permission) => "FEATURE_NOT_ENTITLED".to_owned(),
                reason => reason,
            };
            let clients = &mut server.clients;
            asked += ask(clients, &format!("all-features-{number}"), way, case, &with_features, &cells).await;
            asked += ask(clients, &format!("no-features-{number}"), way, case, &without_features, &cells).await;
            if way == "cold" && case.is_plain() {
                asked += engine_alone(&matrix.catalog, &cells, &with_features, &without_features);
            }
        }
    }
    let cases = matrix.cases.len();
    println!(
        "{}: {} roles x {} permissions x {cases} cases, {asked} asked",
        preset.name,
        roles.len(),
        permissions.len()
    );
}

fn engine_alone(
    catalog: &str,
    cells: &[(String, String)],
    with_features: &dyn Fn(&str, &str) -> String,
    without_features: &dyn Fn(&str, &str) -> String,
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
