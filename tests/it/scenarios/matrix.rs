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
    engine::CompiledCatalog,
    files,
    model::{CatalogDefinition, PermissionDefinition},
    presets::{self, Preset},
    proto::{BatchCheckItem, BatchCheckRequest, Decision},
};
use serde_json::{Value, json};

use super::{
    super::support::{Clients, TestServer},
    asks::attributes,
    case::{About, Asked},
    clocked::begin,
    engine_alone::answer,
    facts::{self, Facts},
    folder,
    words::{only, text, text_if_any, texts, texts_if_any},
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

    /// What is asked of a role's user about a permission that lives on a type.
    fn about(&self, role: &str, resource_type: Option<&String>) -> About {
        let resource = resource_type.and_then(|resource_type| self.asked_at.get(resource_type));
        let mut about = About { resource: resource.cloned(), ..self.about.clone() };
        for value in about.attributes.values_mut() {
            if value.as_str() == Some("SUBJECT") {
                *value = json!(format!("has-{role}"));
            }
        }
        about
    }

    /// An account in which user `has-ROLE` holds each role and nothing else.
    fn account(&self, id: &str, catalog: &str, features: &[String], roles: &[String]) -> Value {
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
        file
    }
}

/// A question of the matrix: a role, a permission, and the type that the permission lives on.
struct Cell {
    role: String,
    permission: String,
    resource_type: Option<String>,
}

/// What the cells of an account have to be.
type Expected<'a> = &'a dyn Fn(&Cell) -> String;

/// Asks every cell of an account. Gives what is otherwise than expected.
async fn ask(
    clients: &mut Clients,
    account: &str,
    way: &str,
    case: &MatrixCase,
    expected: Expected<'_>,
    cells: &[Cell],
) -> Vec<String> {
    let mut differences = Vec::new();
    for piece in cells.chunks(1000) {
        let items = piece.iter().map(|cell| {
            let about = case.about(&cell.role, cell.resource_type.as_ref());
            BatchCheckItem {
                subject: format!("users/has-{}", cell.role),
                permission: cell.permission.clone(),
                resource: about.resource.unwrap_or_default(),
                facets: about.facets.into_iter().collect(),
                attributes: attributes(&about.attributes),
                ..Default::default()
            }
        });
        let request =
            BatchCheckRequest { account: format!("accounts/{account}"), items: items.collect(), consistency: None };
        let answers = clients.authorization.batch_check(request).await.unwrap().into_inner();
        assert_eq!(answers.results.len(), piece.len());
        for (cell, answer) in piece.iter().zip(answers.results) {
            let name = format!("{account} ({way}), {}: {} x {}", case.name, cell.role, cell.permission);
            let wanted = expected(cell);
            let reason = answer.reason().as_str_name().trim_start_matches("DECISION_REASON_");
            let is_allowed = answer.decision() == Decision::Allow;
            if reason != wanted || is_allowed != (wanted == "ALLOWED") || answer.error.is_some() {
                differences.push(format!("{name}: {wanted} is expected, {answer:?}"));
            }
        }
    }
    differences
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
    let compiled = facts::compile(&matrix.catalog);
    let gated: BTreeSet<String> =
        definition.permissions.iter().filter(|each| each.feature.is_some()).map(|each| each.id.to_string()).collect();
    let features: Vec<String> = definition.features.iter().map(|feature| feature.id.to_string()).collect();
    let roles: Vec<String> = matrix.allowed.keys().cloned().collect();
    let cell = |role: &String, permission: &PermissionDefinition| Cell {
        role: role.clone(),
        permission: permission.id.to_string(),
        resource_type: permission.resource_type.map(|each| definition.resource_types[each.position()].id.to_string()),
    };
    let cells: Vec<Cell> =
        roles.iter().flat_map(|role| definition.permissions.iter().map(|each| cell(role, each))).collect();

    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&matrix.catalog).await.unwrap();
    // Only a server can tell that the demo account names what its catalog has.
    server.clients.apply_account(preset.account).await.unwrap();
    let accounts = [("all-features", features.as_slice()), ("no-features", &[][..])];
    for (number, case) in matrix.cases.iter().enumerate() {
        for (account, features) in accounts {
            let file = case.account(&format!("{account}-{number}"), preset.name, features, &roles);
            let applied = server.clients.apply_account(&file.to_string()).await;
            assert!(applied.is_ok(), "{}, {}: {applied:?}", preset.name, case.name);
        }
    }
    let (mut asked, mut differences) = (0, Vec::new());
    for way in ["cold", "warm", "after a restart", "engine alone"] {
        if way == "after a restart" {
            server = server.restart().await;
        }
        for (number, case) in matrix.cases.iter().enumerate() {
            let with_features = |cell: &Cell| matrix.cell(case, &cell.role, &cell.permission);
            // A missing feature comes before whatever else is missing.
            let without_features = |cell: &Cell| match with_features(cell) {
                reason if reason != "NO_ROLE_GRANTS" && gated.contains(&cell.permission) => {
                    "FEATURE_NOT_ENTITLED".to_owned()
                }
                reason => reason,
            };
            for (account, features) in accounts {
                let expected: Expected<'_> = if features.is_empty() { &without_features } else { &with_features };
                let account = format!("{account}-{number}");
                asked += cells.len();
                differences.extend(if way == "engine alone" {
                    let facts = Facts::of(&compiled, &case.account(&account, preset.name, features, &roles));
                    engine_alone(&compiled, &facts, case, expected, &cells)
                } else {
                    ask(&mut server.clients, &account, way, case, expected, &cells).await
                });
            }
        }
    }
    let (roles, permissions, cases) = (roles.len(), definition.permissions.len(), matrix.cases.len());
    println!("{}: {roles} roles x {permissions} permissions x {cases} cases, {asked} asked", preset.name);
    // All of them would be thousands if a role were wrong.
    let shown = &differences[..differences.len().min(50)];
    assert!(differences.is_empty(), "{} differences, such as\n{}", differences.len(), shown.join("\n"));
}

/// Asks the engine every cell of an account. Gives what is otherwise than expected.
fn engine_alone(
    catalog: &Arc<CompiledCatalog>,
    facts: &Facts,
    case: &MatrixCase,
    expected: Expected<'_>,
    cells: &[Cell],
) -> Vec<String> {
    let mut differences = Vec::new();
    for of_role in cells.chunk_by(|one, other| one.role == other.role) {
        let name = format!("users/has-{}", of_role[0].role);
        let subject = facts.subject(&name, begin());
        for cell in of_role {
            let asked = Asked::Permission(cell.permission.clone());
            let about = case.about(&cell.role, cell.resource_type.as_ref());
            let reason = answer(catalog, &subject, &name, &asked, &about);
            let name = format!("engine alone, {}: {} x {}", case.name, cell.role, cell.permission);
            let wanted = expected(cell);
            if reason.name() != wanted {
                differences.push(format!("{name}: {wanted} is expected, {}", reason.name()));
            }
        }
    }
    differences
}
