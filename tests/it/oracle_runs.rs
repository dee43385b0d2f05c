//! The server against the oracle, through gRPC, with the cache on: a million answers and not one difference.
//!
//! A failure prints the seed. `ROLECALL_SEED=... cargo test --test it oracle_runs` repeats it, and
//! `ROLECALL_WRITES=...` makes it longer.

use std::{env, time::Instant};

use super::{
    random::{Done, Plan, Wire, Worker},
    support::TestServer,
};

const WORKERS: u64 = 4;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_checks_and_fifty_thousand_writes_agree_with_the_oracle() {
    let seed = number("ROLECALL_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("ROLECALL_SEED={seed}");
    let writes = number("ROLECALL_WRITES").unwrap_or(50_000) / WORKERS;
    let plan = Plan { writes: writes as usize, checks_per_write: 10, lists_percent: 33, views_percent: 25 };
    let began = Instant::now();
    let server = TestServer::start().await;
    let address = format!("http://{}", server.running.address.unwrap());
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let wire = Wire::connect(&address).await;
        let worker = Worker::new(&format!("w{worker}"), seed.wrapping_add(worker * 7919), wire);
        workers.push(tokio::spawn(worker.run(plan)));
    }
    let (mut done, mut differences) = (Done::default(), Vec::new());
    for worker in workers {
        match worker.await.unwrap() {
            Ok(part) => done.add(part),
            Err(difference) => differences.push(difference),
        }
    }
    assert!(differences.is_empty(), "ROLECALL_SEED={seed} repeats this: {}", differences.join("\n"));
    println!("{done:#?} in {:?}", began.elapsed());
    let forgotten = done.forgotten();
    assert!(writes < 1_000 || forgotten.is_empty(), "never compared, or never called: {forgotten:?}");
    if writes >= 12_500 {
        assert!(done.writes >= 50_000 && done.checks >= 1_000_000 && done.lists >= 20_000, "{done:?}");
    }
    server.running.stop().await.unwrap();
}
