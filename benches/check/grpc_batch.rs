//! BatchCheck and ListPermissions over gRPC, beside a server that decodes the same and answers a constant.

use super::{
    accounts,
    accounts::{KINDS, USERS},
    batch::{BATCH, LIST, LIST_ACCOUNT, OF_MANY, OF_ONE, fill, write_list},
    figures,
    grpc::{Asked, load, measure_in_turns},
    pairs::report,
    servers::{Program, Server},
};

const CONSTANT: &str = "a server that answers a constant";

/// What the server could do if it had a core and the load took nothing of it.
pub const FOR_A_CORE: &str = "for each second of the server's processor time";

pub async fn measure() {
    figures::describe(
        "Over TCP on 4 connections, 8 batches in flight, or 64 lists; the server and `rolecall bench` share the cores; \
         everything kept",
        Some(USERS as u64),
    );
    let directory = tempfile::TempDir::new().unwrap();
    let (data, list) = (directory.path().join("data"), directory.path().join("list"));
    let running = accounts::server(&data).await;
    fill(&running).await;
    write_list(running.service(), &list).await;
    running.stop().await.unwrap();
    let ours = Server::start(Program::Ours(&data), None, None);
    let nothing = Server::start(Program::Nothing(Some(&list)), None, None);
    let (many, batch) = (USERS.to_string(), BATCH.to_string());
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let batches = owned(&["--account", KINDS[0].account, "--batch", &batch, "--permission", KINDS[0].permission]);
    let numbered = owned(&["--subject", "user-{}", "--subjects", &many]);
    let of_many = [batches.clone(), numbered.clone()].concat();
    let of_one = [batches, owned(&["--subject", "user-7"])].concat();
    let lists = [owned(&["--account", LIST_ACCOUNT, "--list"]), numbered].concat();
    // A batch is as much as a thousand calls; a list is one, and as many of them are in flight as of Checks.
    for (name, words, each, in_flight) in
        [(OF_MANY, of_many, BATCH, 8), (OF_ONE, of_one, BATCH, 8), (LIST, lists, 1, 64)]
    {
        let asked = Asked { words: &words, in_flight, cores: None };
        // Whoever is asked about is kept afterwards: so many that nobody is left out.
        for server in [&ours, &nothing] {
            load(server, &asked);
        }
        let servers = [&ours, &nothing];
        let measured = measure_in_turns(servers, |server| {
            let load = load(server, &asked);
            [load.per_second * each as f64, each as f64 * 1e9 / load.server]
        });
        let [[ours_all, all], [ours_core, core]] = measured;
        report(&format!("{name}, the load taking its share"), "per s", CONSTANT, &(ours_all, all));
        report(&format!("{name}, {FOR_A_CORE}"), "per s", CONSTANT, &(ours_core, core));
    }
    let resident = [&ours, &nothing].map(|server| format!("{:.1} MB", server.resident() as f64 / 1e6));
    println!("Resident: {}", resident.join(", "));
}
