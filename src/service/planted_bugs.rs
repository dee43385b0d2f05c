//! The tests of the test: bugs planted into the service, each of which the random run against the oracle has to find.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};

use self::random::{Done, Plan, RunClock, Wire, Worker};
use super::core::{Fault, Service, Settings};
use crate::{
    api::Api,
    store::{MemoryLog, MemoryStore},
};

#[path = "../../tests/it/oracle/mod.rs"]
mod oracle;
#[path = "../../tests/it/random/mod.rs"]
mod random;

/// A random run against a service with a bug, or without one.
async fn run_with(fault: Option<Fault>) -> Result<Done, String> {
    let clock = RunClock::moved_by_hand();
    let (told, conditions) = (Arc::new(clock.clone()), Arc::new(crate::conditions::CelConditions));
    let settings = Settings { fault, clock: told, conditions, ..Settings::default() };
    let service = Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), settings).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let erasing = tokio::spawn(finish_erasures(service.clone()));
    let api = Api::new(service, 1);
    let server = tonic::transport::Server::builder().add_routes(api.routes()).serve_with_incoming(
        TcpListenerStream::new(listener).map(|stream| {
            // Without it every answer waits for the other side's delayed acknowledgement.
            stream.inspect(|stream| stream.set_nodelay(true).unwrap())
        }),
    );
    let server = tokio::spawn(server);
    let wire = Wire::connect(&format!("http://{address}")).await;
    let plan = Plan { writes: 1_500, checks_per_write: 20, lists_percent: 25, views_percent: 50 };
    let outcome = Worker::new("planted", 4_711, wire, clock).run(plan).await;
    server.abort();
    erasing.abort();
    outcome
}

/// Does for a store in memory, where nothing is left to erase, what a server does when it has erased something.
async fn finish_erasures(service: Service) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let pending = service.pending_erasures().await.unwrap();
        if !pending.is_empty() {
            service.write(super::finish_erasures(pending)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bug_the_random_run_finds_none() {
    run_with(None).await.unwrap();
}

/// The run has to end at a difference that names what the bug spoils.
async fn check_found(fault: Fault, named: &str) {
    check_found_by(fault, &[named]).await;
}

/// The same for what shows in several ways, of which the run meets one first.
async fn check_found_by(fault: Fault, named: &[&str]) {
    let difference = run_with(Some(fault)).await.unwrap_err();
    let is_named = named.iter().any(|named| difference.contains(named));
    assert!(difference.contains("the oracle says") && is_named, "{difference}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_stamp_is_found() {
    check_found(Fault::StampSkipped, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_role_of_a_team_is_found() {
    check_found(Fault::TeamRoleForgotten, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_feature_gate_is_found() {
    check_found(Fault::FeatureGateDropped, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_left_out_api_scope_that_is_provided_all_the_same_is_found() {
    check_found(Fault::LeftOutIgnored, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_that_is_taken_for_a_user_is_found() {
    check_found(Fault::ServiceAccountAsUser, "erviceAccount").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_of_holders_that_never_becomes_less_is_found() {
    check_found_by(Fault::HolderCountKept, &["the numbers of holders", "order_by: \"user_count"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deny_that_parents_do_not_hand_down_is_found() {
    check_found(Fault::InheritedDenyIgnored, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_on_a_resource_that_counts_everywhere_is_found() {
    check_found(Fault::ResourceIgnored, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_lists_of_everybody_are_found() {
    check_found(Fault::AccessOfEverybody, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_kept_beyond_an_expiry_is_found() {
    check_found(Fault::ExpiryIgnoredOnRead, "expires").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_star_that_matches_two_segments_is_found() {
    check_found(Fault::StarMatchesTwo, "").await;
}
