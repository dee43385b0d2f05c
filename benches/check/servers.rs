//! The servers that are measured, each a process of its own: the binary, and two that do nothing.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
};

use rolecall::{
    proto::authorization_service_server::AuthorizationServiceServer,
    server::{self, Accepted, Listener, Workers},
};
use tokio::net::{TcpListener, UnixListener};

use super::{
    nothing::{Nothing, end_with_parent},
    processes,
};

/// Which cores a process may use; none: all.
pub type Cores = Option<&'static str>;

/// Where the program of [`Program::Plain`] is. It is built when it is first needed, in a profile of its own.
static PLAIN: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["bench", "--no-run", "--locked", "--profile", "as-it-comes", "--bench", "plain"]);
    cargo.args(["--message-format", "json-render-diagnostics"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let built = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "tonic as it comes could not be built");
    let messages = serde_json::Deserializer::from_slice(&built.stdout).into_iter::<serde_json::Value>();
    let found = messages.map(Result::unwrap).find_map(|message| {
        let is_it = message["target"]["name"] == "plain";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    found.expect("cargo says where it built what it built")
});

/// A server that runs until it is dropped.
pub struct Server {
    child: Child,
    /// Where it is measured.
    pub address: String,
    /// Its TCP address; ours has one besides its socket.
    pub tcp: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        processes::has_ended(self.child.id());
        // It holds nothing that matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server is.
#[derive(Clone, Copy)]
pub enum Program<'a> {
    /// The binary, on some data.
    Ours(&'a Path),
    /// The same transport, threads and layers, and constants for answers; ListPermissions answers what the file has.
    Nothing(Option<&'a Path>),
    /// What tonic gives who asks for nothing, and constants for answers: `benches/plain`.
    Plain,
}

impl Server {
    /// Starts a server on TCP, or on a Unix socket.
    pub fn start(program: Program<'_>, socket: Option<&Path>, cores: Cores) -> Self {
        let file = match program {
            Program::Ours(_) => Path::new(env!("CARGO_BIN_EXE_rolecall")),
            Program::Nothing(_) => &std::env::current_exe().unwrap(),
            Program::Plain => &PLAIN,
        };
        let mut command = pinned(file, cores);
        let mut ready = None;
        match program {
            Program::Ours(data) => {
                let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
                std::fs::remove_file(&file).unwrap();
                // It listens on TCP too, where it is warmed.
                command.args(["serve", "--log", "error", "--drain", "0s", "--listen", "127.0.0.1:0"]);
                command.arg("--data-dir").arg(data).arg("--ready-file").arg(&file);
                if let Some(socket) = socket {
                    command.arg("--listen-unix").arg(socket);
                }
                ready = Some(file);
            }
            Program::Nothing(list) => {
                command.args(["--serve-nothing".as_ref(), socket.unwrap_or(Path::new("")).as_os_str()]).args(list);
            }
            Program::Plain => _ = command.args(socket),
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        processes::is_ours(child.id());
        let tcp = match &ready {
            Some(file) => wait_for(|| std::fs::read_to_string(file).ok()).trim().to_owned(),
            None => {
                let mut line = String::new();
                BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
                line.trim().to_owned()
            }
        };
        let address = socket.map_or_else(|| tcp.clone(), |socket| format!("unix:{}", socket.display()));
        Self { child, address, tcp }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) {
        self.child.wait().unwrap();
    }

    /// The processor time that it has used, in seconds.
    pub fn used(&self) -> f64 {
        processes::ticks_of(self.child.id()).unwrap() as f64 / 100.0
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        processes::resident_of(self.child.id()).unwrap()
    }
}

/// A command that runs on some cores alone.
pub fn pinned(program: &Path, cores: Cores) -> Command {
    match cores {
        None => Command::new(program),
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", cores]).arg(program);
            command
        }
    }
}

fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = what() {
            return found;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the server did not start");
}

/// Serves nothing until standard input ends: the same transport, threads and layers, and constants for answers. Given: the
/// socket (empty: TCP), and the file that has the answer to ListPermissions.
pub fn serve_nothing(given: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    end_with_parent();
    let socket = given.first().filter(|socket| !socket.is_empty());
    let nothing = Nothing::new(given.get(1).map(Path::new));
    runtime.block_on(async {
        let listener = match socket {
            Some(path) => {
                let listener = UnixListener::bind(path).unwrap();
                println!("{path}");
                Listener::Unix(listener)
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                println!("{}", listener.local_addr().unwrap());
                Listener::Tcp(listener)
            }
        };
        let services = server::transport().unwrap().add_service(AuthorizationServiceServer::new(nothing));
        let cores = thread::available_parallelism().unwrap().get();
        let workers = Workers::start(cores, &services).unwrap();
        loop {
            workers.give(Accepted::unlimited(&listener).await.unwrap()).await;
        }
    });
}
