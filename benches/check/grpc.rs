//! Check over gRPC, beside a server that does nothing: each a process, asked by `rolecall bench` in turns.

use std::path::Path;

use rolecall::{
    files,
    presets::INFOBIP_CLASSIC,
    service::{apply_account, apply_catalog},
};

use super::{
    accounts::{self, KINDS, user},
    pairs::{Figures, Window, report, rounds, window},
    servers::{Cores, Server, pinned},
};

/// How many users there are, asked about by Zipf's law; `ROLECALL_BENCH_USERS` sets another number.
fn users() -> usize {
    std::env::var("ROLECALL_BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// What one run of the load generator found out.
struct Load {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Processor time of the server for each call, in nanoseconds.
    server: f64,
}

fn load(server: &Server, in_flight: &str, cores: Cores) -> Load {
    let before = server.used();
    let mut command = pinned(Path::new(env!("CARGO_BIN_EXE_rolecall")), cores);
    command.args(["--address", &server.address, "bench", "--output", "json", "--account", KINDS[0].account]);
    command.args(["--subject", "user-{}", "--subjects", &users().to_string(), "--zipf", "1"]);
    command.args(["--permission", KINDS[0].permission, "--in-flight", in_flight, "--seed", "1", "--threads", "1"]);
    let connections = if in_flight == "1" { "1" } else { "4" };
    command.args(["--connections", connections, "--warmup", "200ms", "--duration", "1s"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let used = server.used() - before;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["allowed"], report["calls"], "{report}");
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
    let mut text = KINDS[0].head();
    for number in 0..users() {
        text += &KINDS[0].user_line(&user(number));
    }
    let account = files::parse_account(text.as_bytes()).unwrap();
    running.service().write(apply_account(account, None, Default::default())).await.unwrap();
    running.stop().await.unwrap();
}

pub async fn measure() {
    let directory = tempfile::TempDir::new().unwrap();
    let data = directory.path().join("data");
    fill(&data).await;
    for (way, socket, server_cores, load_cores) in [
        ("TCP, sharing two cores with the load", false, None, None),
        ("a Unix socket, sharing two cores with the load", true, None, None),
        ("TCP, a core each", false, Some("0"), Some("1")),
        ("a Unix socket, a core each", true, Some("0"), Some("1")),
    ] {
        // Where one listened, another cannot.
        let path = |name: &str| socket.then(|| directory.path().join(format!("{name}-{}", server_cores.is_some())));
        let ours = Server::start(Some(&data), path("ours").as_deref(), server_cores);
        let nothing = Server::start(None, path("nothing").as_deref(), server_cores);
        let mut figures: [[Figures; 2]; 4] = Default::default();
        load(&ours, "64", load_cores);
        load(&nothing, "64", load_cores);
        for round in 0..rounds() {
            // Who goes first changes, so that neither always has the warmer machine.
            for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let server = [&ours, &nothing][which];
                let (mut many, mut one) = (None, None);
                let clean = window(|| {
                    many = Some(load(server, "64", load_cores));
                    one = Some(load(server, "1", load_cores));
                    0.0
                });
                let (many, one) = (many.unwrap(), one.unwrap());
                let all = [many.per_second, many.server, one.p50 * 1e3, one.p99 * 1e3];
                for (figures, figure) in figures.iter_mut().zip(all) {
                    figures[which].push(Window { figure, ..clean });
                }
            }
        }
        let names =
            ["64 in flight", "processor time of the server for a call", "one in flight, p50", "one in flight, p99"];
        for ((name, unit), [ours, limit]) in names.iter().zip(["per s", "ns", "ns", "ns"]).zip(figures) {
            report(&format!("Check over {way}: {name}"), unit, "a server that does nothing", &(ours, limit));
        }
        println!("Resident: {:.1} MB, and {:.1} MB", ours.resident() as f64 / 1e6, nothing.resident() as f64 / 1e6);
    }
}
