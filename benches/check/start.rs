//! How long a start takes, beside bare sled that opens the same state: after a stop in good order, and after a kill.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rolecall::proto::{CheckRequest, Decision, authorization_service_client::AuthorizationServiceClient};

use super::{
    accounts::user,
    many::{self, MANY, PERMISSION},
    pairs::{Figures, Window, report, rounds, window},
    processes,
};

/// What a start may take besides bare sled, in nanoseconds.
fn allowed() -> f64 {
    if many::users() > 1_000_000 { 2e9 } else { 0.3e9 }
}

/// Bare sled in a process of its own: opens a state, reads it through if told to, says so, and goes on until standard
/// input ends.
pub fn bare_sled(state: &str, reads: bool) {
    let db = sled::Config::new().path(state).cache_capacity(64 << 20).open().unwrap();
    let mut rows = 0;
    for name in db.tree_names() {
        let tree = db.open_tree(name).unwrap();
        if reads {
            rows += tree.iter().inspect(|row| assert!(row.is_ok())).count();
        }
    }
    println!("{rows}");
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process that has said that it is ready.
pub struct Ready {
    pub child: Child,
    pub address: String,
    /// How long that took, in nanoseconds.
    pub took: f64,
}

impl Drop for Ready {
    fn drop(&mut self) {
        processes::has_ended(self.child.id());
        // It holds nothing that matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ready {
    /// Starts bare sled on a state.
    pub fn bare(state: &Path, reads: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--bare-sled").arg(state).args(reads.then_some("reads"));
        let began = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        processes::is_ours(child.id());
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let took = began.elapsed().as_nanos() as f64;
        assert!(!line.is_empty(), "sled did not open");
        Self { child, address: line, took }
    }

    /// Starts the server on some data.
    pub fn server(data: &Path, arguments: &[&str]) -> Self {
        let file = data.with_extension("ready");
        let _ = std::fs::remove_file(&file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--drain", "0s"]).args(arguments);
        command.arg("--data-dir").arg(data).arg("--ready-file").arg(&file);
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        processes::is_ours(child.id());
        let address = loop {
            assert!(began.elapsed() < Duration::from_secs(1800), "the server did not start");
            match std::fs::read_to_string(&file) {
                Ok(address) => break address,
                Err(_) => thread::sleep(Duration::from_micros(500)),
            }
        };
        Self { child, address: format!("http://{}", address.trim()), took: began.elapsed().as_nanos() as f64 }
    }

    /// Stops the server in good order, and waits for it.
    pub fn stop(mut self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM)
            .unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// The resident memory, in bytes.
    pub fn resident(&self) -> f64 {
        processes::resident_of(self.child.id()).unwrap() as f64
    }
}

/// Asks a server one question over a new connection; gives the time that this takes, in nanoseconds.
pub async fn first_answer(address: &str) -> f64 {
    let began = Instant::now();
    let mut client = AuthorizationServiceClient::connect(address.to_owned()).await.unwrap();
    let request = CheckRequest {
        account: format!("accounts/{MANY}"),
        subject: format!("users/{}", user(0)),
        permission: PERMISSION.to_owned(),
        ..CheckRequest::default()
    };
    let answer = client.check(request).await.unwrap().into_inner();
    assert_eq!(answer.decision(), Decision::Allow);
    began.elapsed().as_nanos() as f64
}

/// Both open the same files in turns: there is room for ten million users once.
pub async fn measure(filled: &Path) {
    for (name, is_clean) in [("after a stop in good order", true), ("after a kill", false)] {
        let mut figures: [Figures; 4] = Default::default();
        for round in 0..rounds() {
            if !is_clean {
                // A server that was started and killed: nothing says any more that the state is whole.
                drop(Ready::server(filled, &[]));
            }
            let (mut ours, mut limit, mut answer) = (0.0, 0.0, 0.0);
            let clean = window(|| {
                for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    if which == 0 {
                        let server = Ready::server(filled, &[]);
                        ours = server.took;
                        answer = tokio::task::block_in_place(|| {
                            tokio::runtime::Handle::current().block_on(first_answer(&server.address))
                        });
                        server.stop();
                    } else {
                        limit = Ready::bare(&filled.join("state"), !is_clean).took + allowed();
                    }
                }
                0.0
            });
            for (figures, figure) in figures.iter_mut().zip([ours, limit, answer, 50e6]) {
                figures.push(Window { figure, ..clean });
            }
        }
        let [ours, limit, answer, most] = figures;
        let besides = format!("{} s", allowed() / 1e9);
        let limit_name = match is_clean {
            true => format!("bare sled's open, and {besides}"),
            false => format!("bare sled's open and one scan, and {besides}"),
        };
        report(&format!("Ready {name}, {} users", many::users()), "ns", &limit_name, &(ours, limit));
        report(&format!("The first answer {name}"), "ns", "50 ms", &(answer, most));
    }
    std::fs::remove_dir_all(filled.join("state")).unwrap();
    std::fs::remove_dir_all(filled.join("snapshots")).unwrap();
    let server = Ready::server(filled, &[]);
    println!("Rebuilt from the journal alone, {} users: {:.1} s", many::users(), server.took / 1e9);
    server.stop();
}
