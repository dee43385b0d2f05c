//! Scenario files: given facts, when asked, then decision and reason, or what a list shows. Every case is asked four
//! ways.
//!
//! - the engine alone, from the facts as values, without a server: decisions, and what roles come to;
//! - warm: the answers of before the writes are in the cache when the question comes;
//! - cold: the cache is empty;
//! - after a restart of the server on the same data.
//!
//! Each case has an account of its own (and, if it changes the catalog, a catalog of its own), so that all of them can
//! be asked again after one restart.

mod asks;
mod case;
mod engine_alone;
mod matrix;
mod steps;
mod writes;

use std::{fs, path::PathBuf};

use rolecall::proto::service_account_service_client::ServiceAccountServiceClient;
use serde_json::Value;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

use self::{
    case::{Case, Scenario},
    steps::Refusal,
};
use super::support::{Clients, TestServer};

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Every scenario file with cases, by its path below the folder.
fn scenarios() -> Vec<(String, Scenario)> {
    let mut files = Vec::new();
    for preset in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(preset.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let value: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if value.get("matrix").is_none() {
                let name = path.strip_prefix(folder()).unwrap().display().to_string();
                files.push((name, Scenario::read(&path, &value)));
            }
        }
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    files
}

/// Whoever calls the server.
struct Callers {
    clients: Clients,
    service_accounts: ServiceAccountServiceClient<Channel>,
}

impl Callers {
    async fn of(server: &TestServer) -> Self {
        let address = format!("http://{}", server.running.address.unwrap());
        Self {
            clients: server.clients.clone(),
            service_accounts: ServiceAccountServiceClient::connect(address).await.unwrap(),
        }
    }
}

/// A case on the server: where its facts are.
struct Placed<'a> {
    file: &'a str,
    case: &'a Case,
    account: String,
    catalog: String,
}

impl Placed<'_> {
    fn parent(&self) -> String {
        format!("accounts/{}", self.account)
    }

    fn role(&self, name: &str) -> String {
        match name.strip_prefix("custom/") {
            Some(custom) => format!("accounts/{}/roles/{custom}", self.account),
            None => format!("catalogs/{}/roles/{name}", self.catalog),
        }
    }

    fn roles(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.role(name)).collect()
    }

    fn short_role(&self, name: &str) -> String {
        let id = name.rsplit('/').next().unwrap();
        if name.starts_with("accounts/") { format!("custom/{id}") } else { id.to_owned() }
    }

    fn user(&self, id: &str) -> String {
        format!("accounts/{}/users/{id}", self.account)
    }

    fn team(&self, id: &str) -> String {
        format!("accounts/{}/teams/{id}", self.account)
    }

    fn names(&self, way: &str) -> String {
        format!("{} ({way}): {}", self.file, self.case.name)
    }
}

/// Whether a write went as it had to.
fn is_as_expected(outcome: &Result<(), Status>, refusal: Option<&Refusal>) -> bool {
    match (outcome, refusal) {
        (Ok(()), None) => true,
        (Err(status), Some(refusal)) => {
            let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
            reason == refusal.reason && status.message().contains(&refusal.words)
        }
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_is_answered_alike_by_the_engine_a_cold_and_a_warm_cache_and_after_a_restart() {
    let mut server = TestServer::start().await;
    let mut callers = Callers::of(&server).await;
    let files = scenarios();
    let mut placed = Vec::new();
    let mut questions = 0;
    for (file, scenario) in &files {
        server.clients.apply_catalog(&scenario.catalog_as(&scenario.catalog_id)).await.unwrap();
        for case in &scenario.cases {
            let number = placed.len();
            let changes_catalog = case.changes_catalog();
            let catalog = if changes_catalog { format!("catalog-{number}") } else { scenario.catalog_id.clone() };
            if changes_catalog {
                server.clients.apply_catalog(&scenario.catalog_as(&catalog)).await.unwrap();
            }
            let here = Placed { file, case, account: format!("account-{number}"), catalog };
            server.clients.apply_account(&scenario.account_as(&here.account, &here.catalog)).await.unwrap();
            // Fills the cache with what was true before the writes.
            here.ask(&mut callers, scenario, "before", false).await;
            let mut noted = String::new();
            for (step, refusal) in &case.steps {
                let outcome = here.step(&mut callers, server.running.service(), scenario, step, &mut noted).await;
                let is_as_expected = is_as_expected(&outcome, refusal.as_ref());
                assert!(is_as_expected, "{}: {step:?} {outcome:?} {refusal:?}", here.names("writing"));
            }
            questions += here.ask(&mut callers, scenario, "warm", true).await;
            server.running.service().clear_cache();
            questions += here.ask(&mut callers, scenario, "cold", true).await;
            questions += engine_alone::ask(scenario, case, file);
            placed.push((scenario, here));
        }
    }
    drop(callers);
    let server = server.restart().await;
    let mut callers = Callers::of(&server).await;
    for (scenario, here) in &placed {
        questions += here.ask(&mut callers, scenario, "after a restart", true).await;
    }
    println!("{} cases of {} files, {questions} questions", placed.len(), files.len());
    assert!(placed.len() >= 200);
}
