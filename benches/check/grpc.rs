//! Check over gRPC, beside servers that do nothing: each a process, asked by `rolecall bench` in turns.

use std::{array, path::Path, time::Instant};

use rolecall::{
    files,
    model::{AccountId, CatalogId, ProfileRecord, RoleId, TeamId, UserId, UserState},
    presets::INFOBIP_CLASSIC,
    proto::{BatchCheckItem, BatchCheckRequest, authorization_service_client::AuthorizationServiceClient},
    service::{NewUser, RoleName, apply_account, apply_catalog, create_users},
};

use super::{
    accounts::{self, KINDS, user},
    figures,
    pairs::{Figures, Window, report, rounds, window},
    servers::{Cores, Program, Server, pinned},
};

/// How many users there are, asked about by Zipf's law; `ROLECALL_BENCH_USERS` sets another number.
fn users() -> usize {
    std::env::var("ROLECALL_BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// The servers that do nothing.
pub const NOTHING: &str = "a server that does nothing";
pub const PLAIN: &str = "tonic as it comes";

/// What one run of the load generator asks.
pub struct Asked<'a> {
    /// More words of its command line.
    pub words: &'a [String],
    pub in_flight: usize,
    pub cores: Cores,
}

/// What one run of the load generator found out.
pub struct Load {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
    /// Processor time of the server for each call, in nanoseconds.
    pub server: f64,
}

/// Asks a server for a second. Every answer has to be a yes.
pub fn load(server: &Server, asked: &Asked<'_>) -> Load {
    let before = server.used();
    let mut command = pinned(Path::new(env!("CARGO_BIN_EXE_rolecall")), asked.cores);
    command.args(["--address", &server.address, "bench", "--output", "json", "--seed", "1", "--threads", "1"]);
    command.args(["--connections", if asked.in_flight == 1 { "1" } else { "4" }]);
    command.args(["--warmup", "200ms", "--duration", "1s", "--in-flight", &asked.in_flight.to_string()]);
    let output = command.args(asked.words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let used = server.used() - before;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["denied"], &report["failed_calls"]), (&0.into(), &0.into()), "{report}");
    let figure = |value: &serde_json::Value| value.as_f64().unwrap();
    let per_second = figure(&report["calls_per_second"]);
    let times = &report["latency_microseconds"];
    // The calls of the warm-up count as well.
    Load { per_second, p50: figure(&times["p50"]), p99: figure(&times["p99"]), server: used / (per_second * 1.2) * 1e9 }
}

/// An account of many users in a directory.
async fn fill(directory: &Path) {
    let running = accounts::server(directory).await;
    let catalog = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    running.service().write(apply_catalog(catalog, true, None, Default::default())).await.unwrap();
    let account = files::parse_account(KINDS[0].head().trim_end_matches("users:\n").as_bytes()).unwrap();
    running.service().write(apply_account(account, None, Default::default())).await.unwrap();
    let catalog = CatalogId::new(INFOBIP_CLASSIC.name).unwrap();
    let numbers: Vec<usize> = (0..users()).collect();
    for numbers in numbers.chunks(1_000) {
        let new = |number: &usize| NewUser {
            id: UserId::new(&user(*number)).unwrap(),
            state: UserState::Active,
            profile: ProfileRecord::default(),
            roles: vec![RoleName::Catalog(catalog.clone(), RoleId::new("account-manager").unwrap())],
            bindings: Vec::new(),
            teams: vec![TeamId::new("team").unwrap()],
            access: Vec::new(),
        };
        let account = AccountId::new(KINDS[0].account).unwrap();
        let write = create_users("CreateUser", account, numbers.iter().map(new).collect());
        running.service().write(write).await.unwrap();
    }
    running.stop().await.unwrap();
}

/// Asks about every user once, so that no call that is measured is the first about somebody. Checks in a second.
async fn warm(server: &Server) -> f64 {
    let address = format!("http://{}", server.tcp.trim_start_matches("http://"));
    let mut client = AuthorizationServiceClient::connect(address).await.unwrap();
    let began = Instant::now();
    let numbers: Vec<usize> = (0..users()).collect();
    for numbers in numbers.chunks(1_000) {
        let item = |number: &usize| BatchCheckItem {
            subject: format!("users/{}", user(*number)),
            permission: KINDS[0].permission.to_owned(),
            ..BatchCheckItem::default()
        };
        let request = BatchCheckRequest {
            account: format!("accounts/{}", KINDS[0].account),
            items: numbers.iter().map(item).collect(),
            consistency: None,
        };
        let answer = client.batch_check(request).await.unwrap().into_inner();
        assert!(answer.results.iter().all(|result| result.decision == 1));
    }
    users() as f64 / began.elapsed().as_secs_f64()
}

/// Measures figures of several servers in turns: for each figure those of each server, by round.
pub fn measure_in_turns<const SERVERS: usize, const FIGURES: usize>(
    servers: [&Server; SERVERS],
    mut measure: impl FnMut(&Server) -> [f64; FIGURES],
) -> [[Figures; SERVERS]; FIGURES] {
    let mut figures: [[Figures; SERVERS]; FIGURES] = array::from_fn(|_| array::from_fn(|_| Figures::new()));
    for round in 0..rounds() {
        // Who goes first changes, so that nobody always has the warmer machine.
        for turn in 0..SERVERS {
            let which = (turn + round) % SERVERS;
            let mut found = [0.0; FIGURES];
            let clean = window(|| {
                found = measure(servers[which]);
                0.0
            });
            for (figures, figure) in figures.iter_mut().zip(found) {
                figures[which].push(Window { figure, ..clean });
            }
        }
    }
    figures
}

pub async fn measure() {
    figures::describe(
        "Users asked about by Zipf's law with the exponent 1, each asked about before; the servers and `rolecall bench` are \
         processes of their own, with 64 calls in flight on 4 connections, or one on one",
        Some(users() as u64),
    );
    let directory = tempfile::TempDir::new().unwrap();
    let data = directory.path().join("data");
    fill(&data).await;
    let words = ["--account", KINDS[0].account, "--subject", "user-{}", "--subjects", &users().to_string()];
    let words: Vec<String> = words
        .iter()
        .chain(&["--zipf", "1", "--permission", KINDS[0].permission])
        .map(|word| (*word).to_owned())
        .collect();
    for (way, has_socket, server_cores, cores) in [
        ("TCP, sharing two cores with the load", false, None, None),
        ("a Unix socket, sharing two cores with the load", true, None, None),
        ("TCP, a core each", false, Some("0"), Some("1")),
        ("a Unix socket, a core each", true, Some("0"), Some("1")),
    ] {
        // Where one listened, another cannot.
        let socket =
            |name: &str| has_socket.then(|| directory.path().join(format!("{name}-{}", server_cores.is_some())));
        let ours = Server::start(Program::Ours(&data), socket("ours").as_deref(), server_cores);
        let nothing = Server::start(Program::Nothing(None), socket("nothing").as_deref(), server_cores);
        let plain = Server::start(Program::Plain, socket("plain").as_deref(), server_cores);
        println!("Users asked about for the first time, by BatchCheck: {:.0} a second", warm(&ours).await);
        let many = Asked { words: &words, in_flight: 64, cores };
        let one = Asked { in_flight: 1, ..many };
        for server in [&ours, &nothing, &plain] {
            load(server, &many);
        }
        let measured = measure_in_turns([&ours, &nothing, &plain], |server| {
            let (many, one) = (load(server, &many), load(server, &one));
            [many.per_second, many.server, one.p50 * 1e3, one.p99 * 1e3]
        });
        let names =
            ["64 in flight", "processor time of the server for a call", "one in flight, p50", "one in flight, p99"];
        for ((name, unit), [ours, nothing, plain]) in names.iter().zip(["per s", "ns", "ns", "ns"]).zip(measured) {
            let name = format!("Check over {way}: {name}");
            report(&name, unit, NOTHING, &(ours.clone(), nothing));
            report(&name, unit, PLAIN, &(ours, plain));
        }
        let resident = [&ours, &nothing, &plain].map(|server| format!("{:.1} MB", server.resident() as f64 / 1e6));
        println!("Resident: {}", resident.join(", "));
    }
}
