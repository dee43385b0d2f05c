//! The server against the oracle, through gRPC, with the cache on: a million answers and not one difference.
//!
//! The server runs in this process on a durable store, with a clock that the run moves forward. A failure prints the seed.
//! `ROLECALL_SEED=... cargo test --test it oracle_runs` repeats it, `ROLECALL_SEED=new` looks elsewhere, and
//! `ROLECALL_WRITES=...` makes it longer.

use std::{env, sync::Arc, time::Instant};

use rolecall::{
    api::Api,
    conditions::CelConditions,
    service::{Service, Settings, finish_erasures},
    store::{self, OpenOptions},
};
use tempfile::TempDir;
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};

use super::{
    random::{Done, Plan, RunClock, Wire, Worker},
    support::TestServer,
};

const WORKERS: u64 = 4;
/// Writes of a run that is as long as it has to be.
const WRITES: u64 = 24_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The seed of a run, which is printed. Left alone it is always the same, so that what stops a change is the change; the
/// workers share one clock, so no two runs are the same all the same.
fn seed() -> u64 {
    let seed = match env::var("ROLECALL_SEED").as_deref() {
        Err(_) => 20_261_122,
        Ok("new") => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        }
        Ok(given) => given.parse().expect("a number, or new"),
    };
    println!("ROLECALL_SEED={seed}");
    seed
}

/// A run of several workers at a time.
async fn run(address: &str, clock: &RunClock, seed: u64, plan: Plan) -> Done {
    let began = Instant::now();
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let wire = Wire::connect(address).await;
        let seed = seed.wrapping_add(worker * 7919);
        workers.push(tokio::spawn(Worker::new(&format!("w{worker}"), seed, wire, clock.clone()).run(plan)));
    }
    let (mut done, mut differences) = (Done::default(), Vec::new());
    for worker in workers {
        match worker.await.unwrap() {
            Ok(part) => done.add(part),
            Err(difference) => differences.push(difference),
        }
    }
    assert!(differences.is_empty(), "ROLECALL_SEED={seed} repeats this: {}", differences.join("\n\n"));
    println!("{done:#?} in {:?}", began.elapsed());
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_checks_and_thousands_of_writes_agree_with_the_oracle() {
    let seed = seed();
    let writes = number("ROLECALL_WRITES").unwrap_or(WRITES) / WORKERS;
    let plan = Plan { writes: writes as usize, checks_per_write: 30, lists_percent: 35, views_percent: 25 };
    let clock = RunClock::moved_by_hand();
    let directory = TempDir::new().unwrap();
    let opened = Arc::new(store::open(directory.path(), OpenOptions::default()).unwrap());
    let settings = Settings {
        // So few that many a write stamps accounts in the place of what it touches, as the largest do.
        stamps_of_a_write: 6,
        clock: Arc::new(clock.clone()),
        conditions: Arc::new(CelConditions),
        ..Settings::default()
    };
    let service = Service::start(opened.store.clone() as _, opened.log.clone() as _, settings).unwrap();
    let erasing = tokio::spawn(erase(service.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let api = Api::new(service.clone(), opened.store_id());
    let server = tonic::transport::Server::builder().add_routes(api.routes()).serve_with_incoming(
        TcpListenerStream::new(listener).map(|stream| {
            // Without it every answer waits for the other side's delayed acknowledgement.
            stream.inspect(|stream| stream.set_nodelay(true).unwrap())
        }),
    );
    let server = tokio::spawn(server);
    let done = run(&address, &clock, seed, plan).await;
    let forgotten = done.forgotten();
    assert!(writes < WRITES / WORKERS || forgotten.is_empty(), "never compared, or never called: {forgotten:?}");
    if writes >= WRITES / WORKERS {
        assert!(done.checks >= 1_000_000 && done.lists >= 20_000 && done.expiries >= 1_000, "{done:?}");
    }
    server.abort();
    erasing.abort();
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
}

/// What a server does beside serving: ends the erasures that were begun. What is left on the disk is for other tests.
async fn erase(service: Service) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let pending = service.pending_erasures().await.unwrap();
        if !pending.is_empty() {
            service.write(finish_erasures(pending)).await.unwrap();
        }
    }
}

/// The whole server, with the clock of the machine: what expires does so in years.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_server_agrees_with_the_oracle() {
    let seed = seed();
    let server = TestServer::start().await;
    let address = format!("http://{}", server.running.address.unwrap());
    let plan = Plan { writes: 500, checks_per_write: 20, lists_percent: 30, views_percent: 25 };
    run(&address, &RunClock::of_the_machine(), seed, plan).await;
    server.running.stop().await.unwrap();
}
