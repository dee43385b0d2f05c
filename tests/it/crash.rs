//! The real server, killed at any moment, and its data directory damaged in every way.
//!
//! Writers of [`ledger`] write while a server is killed, again and again, all on one directory. Whatever was acknowledged
//! must be there afterwards, and of what was in flight everything or nothing. `ROLECALL_SEED` repeats a run as far as
//! time can be repeated, `ROLECALL_CRASH_CYCLES` makes it longer. Killing keeps what the operating system has been
//! given, so a missing sync does not show here.

mod damage;
mod facts;
mod ledger;
mod observe;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ledger::{Ledger, Newest};
use rolecall::proto::ListAccountsRequest;
use tempfile::TempDir;

use crate::{
    process::{Process, Random},
    support::Clients,
};

const WRITERS: usize = 5;

/// What is left of some cycles: a directory whose last server was killed while it wrote, and what it must hold.
struct Crashed {
    directory: TempDir,
    ledgers: Vec<Ledger>,
    newest: Newest,
    random: Random,
}

/// Starts, writes and kills so many times.
async fn crash(cycles: usize, mut random: Random) -> Crashed {
    let begun = Instant::now();
    let directory = TempDir::new().unwrap();
    let newest = Newest::default();
    let mut ledgers =
        vec![Ledger::of_the_catalog(random.split(), &newest), Ledger::of_a_crowd(random.split(), &newest)];
    ledgers.extend((0..WRITERS).map(|number| Ledger::of_calls(number, random.split(), &newest)));
    let (mut opened, mut killed_opening, mut killed_closing) = (0, 0, 0);
    let mut slowest = Duration::ZERO;

    let mut server = Process::start(directory.path(), &[]);
    let mut clients = Clients::connect(&server.address()).await;
    for ledger in &mut ledgers {
        ledger.create(&mut clients).await;
    }
    for cycle in 0..cycles {
        let clients = Clients::connect(&server.address()).await;
        let writing = join_all(ledgers.iter_mut().map(|ledger| ledger.write_on(clients.clone())));
        let killing = async {
            tokio::time::sleep(random.wait(50, 250)).await;
            if cycle % 6 == 5 {
                server.terminate();
                tokio::time::sleep(random.wait(0, 60)).await;
                killed_closing += 1;
            }
            server.kill();
        };
        tokio::join!(writing, killing);

        // Some are killed again while they open what the last one left.
        while random.one_in(3) {
            let mut server = Process::spawn(directory.path(), &[]);
            let until = if random.one_in(2) { 50 } else { 200 };
            tokio::time::sleep(random.wait(0, until)).await;
            killed_opening += usize::from(!server.is_ready());
            server.kill();
        }
        let starting = Instant::now();
        server = Process::start(directory.path(), &[]);
        slowest = slowest.max(starting.elapsed());
        opened += 1;
        verify(&server, &mut ledgers, &newest).await;
    }
    // The last word is a kill too.
    let clients = Clients::connect(&server.address()).await;
    let writing = join_all(ledgers.iter_mut().map(|ledger| ledger.write_on(clients.clone())));
    let killing = async {
        tokio::time::sleep(random.wait(50, 250)).await;
        server.kill();
    };
    tokio::join!(writing, killing);

    let sum = |count: fn(&Ledger) -> u64| ledgers.iter().map(count).sum::<u64>();
    println!(
        "{cycles} cycles in {:.1?}: {opened} servers opened, the slowest in {slowest:.1?}; killed opening: \
         {killed_opening}, closing: {killed_closing}; writes acknowledged: {}, in flight and made: {}, in flight and \
         not made: {}; answers of the past: {}; journal: {} KiB",
        begun.elapsed(),
        sum(|ledger| ledger.counts.acknowledged),
        sum(|ledger| ledger.counts.made),
        sum(|ledger| ledger.counts.not_made),
        sum(|ledger| ledger.counts.pins),
        damage::segments(directory.path()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>() >> 10,
    );
    Crashed { directory, ledgers, newest, random }
}

async fn verify(server: &Process, ledgers: &mut [Ledger], newest: &Newest) {
    let mut clients = Clients::connect(&server.address()).await;
    let request = ListAccountsRequest::default();
    let token = clients.accounts.list_accounts(request).await.unwrap().into_inner().consistency_token;
    newest.verify(&token);
    let catalog = observe::catalog_version(&mut clients).await;
    join_all(ledgers.iter_mut().map(|ledger| ledger.verify(clients.clone(), catalog))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let cycles = std::env::var("ROLECALL_CRASH_CYCLES").map_or(100, |cycles| cycles.parse().unwrap());
    let mut crashed = crash(cycles, Random::new("what_was_acknowledged_survives_a_kill_at_any_moment")).await;
    let directory = crashed.directory.path();
    let server = Process::start(directory, &[]);
    verify(&server, &mut crashed.ledgers, &crashed.newest).await;
    let expected = damage::answers(&server).await;
    drop(server);
    std::fs::remove_dir_all(directory.join("state")).unwrap();
    let server = Process::start(directory, &[]);
    damage::check_same(&server, &expected, "the state was deleted").await;
    verify(&server, &mut crashed.ledgers, &crashed.newest).await;
    let clients = Clients::connect(&server.address()).await;
    for ledger in &mut crashed.ledgers {
        ledger.verify_pins(clients.clone()).await;
    }
}

#[test]
fn a_directory_that_was_killed_while_it_was_made_can_be_opened() {
    let mut random = Random::new("a_directory_that_was_killed_while_it_was_made_can_be_opened");
    for _ in 0..10 {
        let directory = TempDir::new().unwrap();
        for _ in 0..3 {
            let mut server = Process::spawn(directory.path(), &[]);
            std::thread::sleep(random.wait(0, 60));
            server.kill();
        }
        Process::start(directory.path(), &[]).stop();
    }
}
