//! The servers that are measured, each a process of its own: the binary, and one that does nothing.

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use rolecall::{
    proto::{
        BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse, Decision, DecisionReason,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        ListResourcesRequest, ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
        authorization_service_server::{AuthorizationService, AuthorizationServiceServer},
    },
    server::{self, Accepted, Listener, Workers},
};
use tokio::net::{TcpListener, UnixListener};
use tonic::{Request, Response, Status};

use super::processes;

/// Which cores a process may use; none: all.
pub type Cores = Option<&'static str>;

/// A server that runs until it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        processes::has_ended(self.child.id());
        // It holds nothing that matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the binary on some data, or the server that does nothing (none); on TCP, or on a Unix socket.
    pub fn start(data: Option<&Path>, socket: Option<&Path>, cores: Cores) -> Self {
        let own = std::env::current_exe().unwrap();
        let program = if data.is_some() { Path::new(env!("CARGO_BIN_EXE_rolecall")) } else { &own };
        let mut command = pinned(program, cores);
        match (data, socket) {
            (Some(data), None) => command.args(["serve", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(data),
            (Some(data), Some(socket)) => {
                command.args(["serve", "--listen", "none", "--listen-unix"]).arg(socket).arg("--data-dir").arg(data)
            }
            (None, None) => command.arg("--serve-nothing"),
            (None, Some(socket)) => command.arg("--serve-nothing").arg(socket),
        };
        let mut ready = None;
        if data.is_some() {
            let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            std::fs::remove_file(&file).unwrap();
            if socket.is_none() {
                command.arg("--ready-file").arg(&file);
            }
            command.args(["--log", "error", "--drain", "0s"]);
            ready = Some(file);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        processes::is_ours(child.id());
        let address = match (&ready, socket) {
            (_, Some(socket)) => {
                wait_for(|| std::os::unix::net::UnixStream::connect(socket).ok().map(drop));
                format!("unix:{}", socket.display())
            }
            (Some(file), None) => wait_for(|| std::fs::read_to_string(file).ok()).trim().to_owned(),
            (None, None) => {
                let mut line = String::new();
                BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
                line.trim().to_owned()
            }
        };
        Self { child, address }
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

/// Serves nothing until standard input ends: the same transport, threads and layers, and a constant for an answer.
pub fn serve_nothing(socket: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = match socket {
            Some(path) => Listener::Unix(UnixListener::bind(path).unwrap()),
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                println!("{}", listener.local_addr().unwrap());
                Listener::Tcp(listener)
            }
        };
        let services = server::transport().unwrap().add_service(AuthorizationServiceServer::new(Nothing));
        let cores = thread::available_parallelism().unwrap().get();
        let workers = Workers::start(cores, &services).unwrap();
        loop {
            workers.give(Accepted::unlimited(&listener).await.unwrap()).await;
        }
    });
}

/// Answers yes to everything, through the same layers.
struct Nothing;

#[tonic::async_trait]
impl AuthorizationService for Nothing {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        black_box(request.into_inner());
        Ok(Response::new(CheckResponse {
            decision: Decision::Allow.into(),
            reason: DecisionReason::Allowed.into(),
            consistency_token: "AWMAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        }))
    }

    async fn batch_check(&self, _: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        Err(Status::unimplemented("only Check is measured"))
    }

    async fn list_permissions(
        &self,
        _: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        Err(Status::unimplemented("only Check is measured"))
    }

    async fn list_api_scopes(
        &self,
        _: Request<ListApiScopesRequest>,
    ) -> Result<Response<ListApiScopesResponse>, Status> {
        Err(Status::unimplemented("only Check is measured"))
    }

    async fn list_subjects(&self, _: Request<ListSubjectsRequest>) -> Result<Response<ListSubjectsResponse>, Status> {
        Err(Status::unimplemented("only Check is measured"))
    }

    async fn list_resources(
        &self,
        _: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        Err(Status::unimplemented("only Check is measured"))
    }
}
