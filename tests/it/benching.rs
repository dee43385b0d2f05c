//! `rolecall bench` against real servers: one that answers, one that stands still for a while, and one that goes away.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Process, rolecall, run};

/// Runs the command on the demo's account. Words are separated by spaces.
fn bench(address: &str, line: &str) -> Ended {
    let words = ["bench", "--account", "demo", "--address", address].into_iter().chain(line.split(' '));
    run(rolecall().args(words))
}

#[track_caller]
fn json(address: &str, line: &str) -> Value {
    let ended = bench(address, &format!("{line} -o json"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}: {}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn number(json: &Value, pointer: &str) -> u64 {
    json.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {json}"))
}

fn float(json: &Value, pointer: &str) -> f64 {
    json.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {json}"))
}

#[test]
fn a_run_without_names_asks_about_all_users_and_permissions() {
    let server = Process::start_demo();
    let found = json(&server.address(), "--duration 500ms --warmup 100ms --seed 7");
    assert_eq!((&found["call"], &found["account"]), (&"Check".into(), &"accounts/demo".into()));
    assert_eq!((number(&found, "/subjects"), number(&found, "/permissions")), (9, 136));
    assert_eq!((number(&found, "/seed"), number(&found, "/failed_calls")), (7, 0));
    assert_eq!((number(&found, "/in_flight"), number(&found, "/connections")), (64, 4));
    let (calls, checks) = (number(&found, "/calls"), number(&found, "/checks"));
    assert!(calls > 50 && calls == checks, "{found}");
    // The demo's users may do some things and not others.
    assert!(number(&found, "/allowed") > 0 && number(&found, "/denied") > 0, "{found}");
    assert_eq!(number(&found, "/allowed") + number(&found, "/denied"), checks);
    assert_eq!(number(&found, "/of_unknown_subjects"), 0);
    assert!(float(&found, "/calls_per_second") > 100.0, "{found}");
    let times = ["min", "p50", "p90", "p99", "p99_9", "max"]
        .map(|each| float(&found, &format!("/latency_microseconds/{each}")));
    assert!(times.is_sorted() && times[0] > 1.0, "{found}");
    assert_eq!(found["rate"], Value::Null);

    let ended = bench(&server.address(), "--duration 100ms --warmup 0s");
    assert_eq!(ended.stderr, "", "no bar where no terminal is");
    assert!(ended.expect(0).contains("\nlatency  "));
}

#[test]
fn every_call_of_the_questions_can_be_measured() {
    let server = Process::start_demo();
    let found = |line: &str| json(&server.address(), &format!("{line} --duration 200ms --warmup 0s --in-flight 4"));
    let check = found("--subject beatriz --permission reports.detailed.view");
    assert!(number(&check, "/allowed") > 0 && number(&check, "/denied") == 0, "{check}");
    let batch = found("--batch 100 --zipf 1.1");
    assert_eq!(number(&batch, "/checks"), 100 * number(&batch, "/calls"));
    assert_eq!((number(&batch, "/checks_per_call"), float(&batch, "/zipf_exponent")), (100, 1.1));
    let list = found("--list");
    assert!(number(&list, "/calls") > 0 && number(&list, "/checks") == 0, "{list}");
    // Names that nobody has: the figures are those of denials, and it says so.
    let numbered = found("--subject user-{} --subjects 1000000 --permission reports.detailed.view");
    assert_eq!(number(&numbered, "/subjects"), 1_000_000);
    assert_eq!(number(&numbered, "/of_unknown_subjects"), number(&numbered, "/checks"));
}

#[test]
fn it_measures_over_a_unix_socket_too() {
    let place = TempDir::new().unwrap();
    let socket = place.path().join("s").display().to_string();
    let _server = Process::start(&place.path().join("data"), &["--listen-unix", &socket]);
    let address = format!("unix:{socket}");
    let apply = |name: &str, content: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, content).unwrap();
        run(rolecall().args(["apply", "--address", &address]).arg(path)).expect(0);
    };
    apply("catalog.yaml", rolecall::presets::INFOBIP_CLASSIC.catalog);
    apply("account.yaml", rolecall::presets::INFOBIP_CLASSIC.account);
    assert!(number(&json(&address, "--duration 200ms --warmup 0s"), "/allowed") > 0);
}

#[test]
fn an_arrival_rate_is_kept_and_counted() {
    let server = Process::start_demo();
    let found = json(&server.address(), "--rate 200 --duration 1s --warmup 200ms");
    assert_eq!(number(&found, "/calls") + number(&found, "/rate/unsent_calls"), 200, "{found}");
    assert_eq!(number(&found, "/rate/wanted_per_second"), 200);
    // A machine that is busy with other things may keep less.
    assert!((0.0..=240.0).contains(&float(&found, "/rate/sent_per_second")), "{found}");
    assert!(found["rate"]["kept"].is_boolean());
}

/// Runs a bench, and lets the server stand still in the middle of it for a second.
fn stalled(line: &str) -> Value {
    let server = Process::start_demo();
    let id = Pid::from_raw(server.id().cast_signed()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1_000));
            kill_process(id, Signal::STOP).unwrap();
            std::thread::sleep(Duration::from_secs(1));
            kill_process(id, Signal::CONT).unwrap();
        });
        json(&server.address(), line)
    })
}

#[test]
fn a_server_that_stands_still_keeps_everybody_waiting_who_was_due() {
    let found = stalled("--rate 100 --duration 3s --warmup 0s");
    assert_eq!(number(&found, "/calls"), 300, "all that were due: {found}");
    // A third of them was due while nobody answered, and waited half a second on average.
    assert!(float(&found, "/latency_microseconds/p90") > 300_000.0, "{found}");
    // A closed loop with one call in flight has one that waits, and thousands that do not.
    let found = stalled("--in-flight 1 --duration 3s --warmup 0s");
    assert!(float(&found, "/latency_microseconds/max") > 900_000.0, "{found}");
    assert!(float(&found, "/latency_microseconds/p99") < 300_000.0, "{found}");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_measured() {
    let server = Process::start_demo();
    for (line, code, expected) in [
        ("--permission reports.detailed.vew", 67, "has no permission \"reports.detailed.vew\""),
        ("--subject a/b/c", 65, "subject"),
        ("--subject user-{}", 64, "--subjects COUNT"),
        ("--duration 3", 64, "expected a duration with its unit"),
    ] {
        let ended = bench(&server.address(), line);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
    let ended = run(rolecall().args(["bench", "--account", "nobody", "--address", &server.address()]));
    assert_eq!(ended.code, 67, "{}", ended.stderr);
    let ended = bench("http://127.0.0.1:1", "--duration 1s");
    assert_eq!(ended.code, 69);
    assert!(ended.stderr.contains("is the server running?"), "{}", ended.stderr);
}

#[test]
fn if_every_call_fails_so_does_the_command() {
    let mut server = Process::start_demo();
    let address = server.address();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1_000));
            server.kill();
        });
        bench(&address, "--warmup 2s --duration 200ms -o json")
    });
    assert_eq!(ended.code, 69, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.starts_with("error: every call failed"), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(number(&found, "/calls"), number(&found, "/failed_calls"));
    assert_eq!(found["errors"][0]["code"], "UNAVAILABLE", "{found}");
}
