//! Scenario files: given facts, when asked, then decision and reason, or what a list shows. Every case is asked four
//! ways.
//!
//! - the engine alone, from the facts as values, without a server: decisions, and what roles come to;
//! - warm: the answers of before the writes are in the cache when the question comes;
//! - cold: the cache is empty;
//! - after a restart of the server on the same data.
//!
//! Each case has an account of its own (and, if it changes the catalog, a catalog of its own), so that all of them can
//! be asked again after one restart. They all begin at one instant, at which the clock stands still until everything
//! that is asked then has been asked; from there it goes from one later moment of the cases to the next.

mod access_writes;
mod asks;
mod case;
mod clocked;
mod engine_alone;
mod facts;
mod lists;
mod matrix;
mod read_steps;
mod role_writes;
mod rows;
mod steps;
mod words;
mod writes;

use std::{any::Any, collections::BTreeSet, fs, net::SocketAddr, panic::AssertUnwindSafe, path::PathBuf};

use futures_util::FutureExt as _;
use rolecall::{
    model::Timestamp,
    proto::{
        access_list_service_client::AccessListServiceClient, access_policy_service_client::AccessPolicyServiceClient,
        exception_service_client::ExceptionServiceClient, resource_service_client::ResourceServiceClient,
        service_account_service_client::ServiceAccountServiceClient,
    },
};
use serde_json::Value;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

use self::{
    case::{Case, Scenario},
    clocked::ClockedServer,
    steps::Refusal,
};
use super::support::Clients;

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
    policies: AccessPolicyServiceClient<Channel>,
    resources: ResourceServiceClient<Channel>,
    access_lists: AccessListServiceClient<Channel>,
    exceptions: ExceptionServiceClient<Channel>,
}

impl Callers {
    async fn of(address: SocketAddr) -> Self {
        let address = format!("http://{address}");
        let channel = Channel::from_shared(address.clone()).unwrap().connect().await.unwrap();
        Self {
            clients: Clients::connect(&address).await,
            service_accounts: ServiceAccountServiceClient::new(channel.clone()),
            policies: AccessPolicyServiceClient::new(channel.clone()),
            resources: ResourceServiceClient::new(channel.clone()),
            access_lists: AccessListServiceClient::new(channel.clone()),
            exceptions: ExceptionServiceClient::new(channel),
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

    fn policy(&self, name: &str) -> String {
        match name.strip_prefix("custom/") {
            Some(custom) => format!("accounts/{}/accessPolicies/{custom}", self.account),
            None => format!("catalogs/{}/accessPolicies/{name}", self.catalog),
        }
    }

    fn policies(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.policy(name)).collect()
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

/// What came of a run: one that finds a difference goes on, so that it tells all of them.
#[derive(Default)]
struct Outcome {
    questions: usize,
    differences: Vec<String>,
}

impl Outcome {
    /// Notes what panics.
    async fn of<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let text = |panic: Box<dyn Any + Send>| {
            let text = panic.downcast::<String>().map(|text| *text);
            text.unwrap_or_else(|other| {
                other.downcast::<&str>().map_or_else(|_| "a panic".into(), |text| text.to_string())
            })
        };
        AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| self.differences.push(text(panic))).ok()
    }

    async fn asked(&mut self, asking: impl Future<Output = usize>) {
        self.questions += self.of(asking).await.unwrap_or_default();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_is_answered_alike_by_the_engine_a_cold_and_a_warm_cache_and_after_a_restart() {
    let mut server = ClockedServer::start().await;
    let mut callers = Callers::of(server.address).await;
    let files = scenarios();
    let (mut placed, mut number, mut outcome) = (Vec::new(), 0, Outcome::default());
    for (file, scenario) in &files {
        let catalog = scenario.catalog_as(&scenario.catalog_id);
        callers.clients.apply_catalog(&catalog).await.unwrap();
        let compiled = facts::compile(&catalog);
        for case in &scenario.cases {
            number += 1;
            outcome.asked(async { engine_alone::ask(&compiled, scenario, case, file) }).await;
            let placing = place(&server, &mut callers, scenario, file, case, number);
            let Some(here) = outcome.of(placing).await else { continue };
            outcome.asked(here.ask(&mut callers, scenario, "warm", None, true)).await;
            server.service.clear_cache();
            outcome.asked(here.ask(&mut callers, scenario, "cold", None, true)).await;
            placed.push((scenario, here));
        }
    }
    drop(callers);
    server = server.restart().await;
    let mut callers = Callers::of(server.address).await;
    for (scenario, here) in &placed {
        outcome.asked(here.ask(&mut callers, scenario, "after a restart", None, true)).await;
    }
    let moments = placed.iter().flat_map(|(_, here)| here.case.moments());
    for moment in moments.collect::<BTreeSet<Timestamp>>() {
        server.move_to(moment);
        let later: Vec<_> = placed.iter().filter(|(_, here)| here.case.moments().contains(&moment)).collect();
        for way in ["later, warm", "later, cold", "later, after a restart"] {
            match way {
                "later, warm" => {}
                "later, cold" => server.service.clear_cache(),
                _ => {
                    drop(callers);
                    server = server.restart().await;
                    callers = Callers::of(server.address).await;
                }
            }
            for (scenario, here) in &later {
                outcome.asked(here.ask(&mut callers, scenario, way, Some(moment), true)).await;
            }
        }
    }
    let Outcome { questions, differences } = outcome;
    println!("{} cases of {} files, {questions} questions", placed.len(), files.len());
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n\n"));
    assert!(placed.len() >= 200);
}

/// Brings a case as far as its questions.
async fn place<'a>(
    server: &ClockedServer,
    callers: &mut Callers,
    scenario: &Scenario,
    file: &'a str,
    case: &'a Case,
    number: usize,
) -> Placed<'a> {
    let changes_catalog = case.changes_catalog();
    let catalog = if changes_catalog { format!("catalog-{number}") } else { scenario.catalog_id.clone() };
    if changes_catalog {
        callers.clients.apply_catalog(&scenario.catalog_as(&catalog)).await.unwrap();
    }
    let here = Placed { file, case, account: format!("account-{number}"), catalog };
    let account = scenario.account_as(&here.account, &here.catalog);
    let applied = callers.clients.apply_account(&account).await;
    assert!(applied.is_ok(), "{}: {applied:?}", here.names("the account"));
    // Fills the cache with what was true before the writes.
    here.ask(callers, scenario, "before", None, false).await;
    let mut noted = String::new();
    for (step, refusal) in &case.steps {
        let outcome = here.step(callers, &server.service, scenario, step, &mut noted).await;
        let is_as_expected = is_as_expected(&outcome, refusal.as_ref());
        assert!(is_as_expected, "{}: {step:?} {outcome:?} {refusal:?}", here.names("writing"));
    }
    here
}
