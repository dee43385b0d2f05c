//! A server in the test's own process on a directory of its own, and clients of it.

use std::{path::Path, time::Duration};

use rolecall::{
    config::{DataPlace, LogFormat, ServeSettings},
    proto::{
        ApplyAccountRequest, ApplyCatalogRequest, account_service_client::AccountServiceClient, apply_account_response,
        apply_catalog_response, authorization_service_client::AuthorizationServiceClient,
        catalog_service_client::CatalogServiceClient, role_binding_service_client::RoleBindingServiceClient,
        role_service_client::RoleServiceClient, team_service_client::TeamServiceClient,
        user_service_client::UserServiceClient,
    },
    server::{self, Running},
};
use tempfile::TempDir;
use tonic::{Status, transport::Channel};

/// A running server and the directory that it keeps its data in.
pub struct TestServer {
    pub running: Running,
    pub directory: TempDir,
    pub clients: Clients,
}

/// A client of each service, all over one connection.
#[derive(Clone)]
pub struct Clients {
    pub authorization: AuthorizationServiceClient<Channel>,
    pub catalogs: CatalogServiceClient<Channel>,
    pub accounts: AccountServiceClient<Channel>,
    pub users: UserServiceClient<Channel>,
    pub teams: TeamServiceClient<Channel>,
    pub roles: RoleServiceClient<Channel>,
    pub bindings: RoleBindingServiceClient<Channel>,
}

impl TestServer {
    /// Starts a server on an empty directory.
    pub async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap()).await
    }

    /// Starts a server on a directory.
    pub async fn start_in(directory: TempDir) -> Self {
        let running = server::start(settings(directory.path())).await.unwrap();
        let clients = Clients::connect(&format!("http://{}", running.address.unwrap())).await;
        Self { running, directory, clients }
    }

    /// Stops in good order and starts again on the same directory.
    pub async fn restart(self) -> Self {
        let Self { running, directory, clients } = self;
        drop(clients);
        running.stop().await.unwrap();
        Self::start_in(directory).await
    }
}

pub fn settings(directory: &Path) -> ServeSettings {
    ServeSettings {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        listen_unix: None,
        data: DataPlace::Directory(directory.to_owned()),
        cache_bytes: 64 << 20,
        threads: Some(2),
        log: "error".to_owned(),
        log_format: LogFormat::Pretty,
        drain: Duration::ZERO,
        shutdown_grace: Duration::from_secs(10),
        ready_file: None,
    }
}

impl Clients {
    pub async fn connect(address: &str) -> Self {
        let channel = Channel::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
        Self {
            authorization: AuthorizationServiceClient::new(channel.clone()),
            catalogs: CatalogServiceClient::new(channel.clone()),
            accounts: AccountServiceClient::new(channel.clone()),
            users: UserServiceClient::new(channel.clone()),
            teams: TeamServiceClient::new(channel.clone()),
            roles: RoleServiceClient::new(channel.clone()),
            bindings: RoleBindingServiceClient::new(channel),
        }
    }

    /// Applies a catalog file. Gives the problems, as `line:column: message`, and then the status, if it is refused.
    pub async fn apply_catalog(&mut self, file: &str) -> Result<String, (Vec<String>, Status)> {
        let request = ApplyCatalogRequest {
            chunk: file.as_bytes().to_vec(),
            last: true,
            allow_drops: true,
            ..Default::default()
        };
        let mut problems = Vec::new();
        let outcome = async {
            let mut events = self.catalogs.apply_catalog(tokio_stream::once(request)).await?.into_inner();
            let mut token = None;
            while let Some(answer) = events.message().await? {
                match answer.event.unwrap() {
                    apply_catalog_response::Event::Problem(problem) => {
                        problems.push(format!("{}:{}: {}", problem.line, problem.column, problem.message));
                    }
                    apply_catalog_response::Event::Change(_) | apply_catalog_response::Event::Drop(_) => {}
                    apply_catalog_response::Event::Result(result) => token = Some(result.consistency_token),
                }
            }
            Ok(token.expect("a result"))
        };
        outcome.await.map_err(|status| (problems, status))
    }

    /// Applies an account file in chunks, likewise.
    pub async fn apply_account(&mut self, file: &str) -> Result<String, (Vec<String>, Status)> {
        let mut chunks: Vec<_> = file
            .as_bytes()
            .chunks(256 << 10)
            .map(|chunk| ApplyAccountRequest { chunk: chunk.to_vec(), last: false, ..Default::default() })
            .collect();
        chunks.push(ApplyAccountRequest { chunk: Vec::new(), last: true, ..Default::default() });
        let mut problems = Vec::new();
        let outcome = async {
            let mut events = self.accounts.apply_account(tokio_stream::iter(chunks)).await?.into_inner();
            let mut token = None;
            while let Some(answer) = events.message().await? {
                match answer.event.unwrap() {
                    apply_account_response::Event::Problem(problem) => {
                        problems.push(format!("{}:{}: {}", problem.line, problem.column, problem.message));
                    }
                    apply_account_response::Event::Change(_) => {}
                    apply_account_response::Event::Result(result) => token = Some(result.consistency_token),
                }
            }
            Ok(token.expect("a result"))
        };
        outcome.await.map_err(|status| (problems, status))
    }
}
