//! The servers that are measured, each a process of its own: the binary, and two that do nothing.

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use prost::Message as _;
use rolecall::{
    proto::{
        BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, CheckResponse, Decision, DecisionReason,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        ListResourcesRequest, ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
        authorization_service_server::{AuthorizationService, AuthorizationServiceServer},
    },
    server::{self, Accepted, Listener, Workers},
};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use super::processes;

/// Which cores a process may use; none: all.
pub type Cores = Option<&'static str>;

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
    /// What tonic gives who asks for nothing, and constants for answers.
    Plain,
}

impl Server {
    /// Starts a server on TCP, or on a Unix socket.
    pub fn start(program: Program<'_>, socket: Option<&Path>, cores: Cores) -> Self {
        let own = std::env::current_exe().unwrap();
        let is_ours = matches!(program, Program::Ours(_));
        let mut command = pinned(if is_ours { Path::new(env!("CARGO_BIN_EXE_rolecall")) } else { &own }, cores);
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
            Program::Plain => _ = command.arg("--serve-plain").args(socket),
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

/// Ends the process when standard input ends: whoever started it is gone then.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
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

/// Serves nothing as tonic comes: one runtime of as many threads as there are cores, no layers, the limits that are there
/// by default. The allocator is that of this program. Given: the socket, or nothing for TCP.
pub fn serve_plain(given: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    end_with_parent();
    runtime.block_on(async {
        let router =
            tonic::transport::Server::builder().add_service(AuthorizationServiceServer::new(Nothing::new(None)));
        let outcome = match given.first() {
            Some(path) => {
                let listener = UnixListener::bind(path).unwrap();
                println!("{path}");
                router.serve_with_incoming(UnixListenerStream::new(listener)).await
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                println!("{}", listener.local_addr().unwrap());
                router.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await
            }
        };
        outcome.unwrap();
    });
}

/// Answers yes to everything.
struct Nothing {
    list: ListPermissionsResponse,
}

impl Nothing {
    fn new(list: Option<&Path>) -> Self {
        let bytes = list.map(|file| std::fs::read(file).unwrap()).unwrap_or_default();
        Self { list: ListPermissionsResponse::decode(&bytes[..]).unwrap() }
    }
}

const TOKEN: &str = "AWMAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Yes to each item of a batch.
pub fn yes_to_all(request: &BatchCheckRequest) -> BatchCheckResponse {
    let yes =
        |_| BatchCheckResult { decision: Decision::Allow.into(), reason: DecisionReason::Allowed.into(), error: None };
    BatchCheckResponse { results: request.items.iter().map(yes).collect(), consistency_token: TOKEN.to_owned() }
}

#[tonic::async_trait]
impl AuthorizationService for Nothing {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        black_box(request.into_inner());
        Ok(Response::new(CheckResponse {
            decision: Decision::Allow.into(),
            reason: DecisionReason::Allowed.into(),
            consistency_token: TOKEN.to_owned(),
        }))
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        Ok(Response::new(yes_to_all(&request.into_inner())))
    }

    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        black_box(request.into_inner());
        Ok(Response::new(self.list.clone()))
    }

    async fn list_api_scopes(
        &self,
        _: Request<ListApiScopesRequest>,
    ) -> Result<Response<ListApiScopesResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }

    async fn list_subjects(&self, _: Request<ListSubjectsRequest>) -> Result<Response<ListSubjectsResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }

    async fn list_resources(
        &self,
        _: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }
}
