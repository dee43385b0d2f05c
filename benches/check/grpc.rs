//! Check over gRPC, beside a server that does nothing.

use std::{
    hint::black_box,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rolecall::{
    api::GuardLayer,
    proto::{
        BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse, Decision, DecisionReason,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        ListResourcesRequest, ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
        authorization_service_client::AuthorizationServiceClient,
        authorization_service_server::{AuthorizationService, AuthorizationServiceServer},
    },
    server::Running,
};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, transport::Channel};

use super::{
    accounts::{KINDS, USERS, user},
    pairs::{Figures, Window, report, rounds},
};

const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 4;

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

async fn nothing_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming =
        TcpListenerStream::new(listener).map(|stream| stream.inspect(|stream| stream.set_nodelay(true).unwrap()));
    let server = tonic::transport::Server::builder()
        .max_concurrent_streams(256)
        .layer(GuardLayer::default())
        .add_service(AuthorizationServiceServer::new(Nothing));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

type Client = AuthorizationServiceClient<Channel>;

async fn clients(address: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        clients.push(AuthorizationServiceClient::new(channel));
    }
    clients
}

fn question(number: u64) -> CheckRequest {
    CheckRequest {
        account: format!("accounts/{}", KINDS[0].account),
        subject: format!("users/{}", user(number as usize % USERS)),
        permission: KINDS[0].permission.to_owned(),
        consistency: None,
        ..Default::default()
    }
}

/// Calls a second with many in flight.
async fn throughput(clients: &[Client]) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|number| {
            let (mut client, stop, calls) = (clients[number % CONNECTIONS].clone(), stop.clone(), calls.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let number = calls.fetch_add(1, Ordering::Relaxed);
                    let answer = client.check(question(number)).await.unwrap().into_inner();
                    assert_eq!(answer.decision(), Decision::Allow);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    calls.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

/// The median time of a call with nothing else in flight, in nanoseconds.
async fn latency(client: &mut Client) -> f64 {
    let mut times = Vec::new();
    for number in 0..2_000 {
        let request = question(number);
        let began = Instant::now();
        black_box(client.check(request).await.unwrap());
        times.push(began.elapsed().as_nanos() as f64);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

pub async fn measure(running: &Running) {
    let ours = clients(running.address.unwrap()).await;
    let theirs = clients(nothing_server().await).await;
    KINDS[0].create(running).await;
    let mut figures: [Figures; 4] = [const { Vec::new() }; 4];
    throughput(&ours).await;
    throughput(&theirs).await;
    for round in 0..rounds() {
        // Who goes first changes, so that neither always has the warmer machine.
        let order: [usize; 2] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let clients = [&ours, &theirs][which];
            figures[which].push(Window { figure: throughput(clients).await, is_clean: true });
            figures[2 + which].push(Window { figure: latency(&mut clients[0].clone()).await, is_clean: true });
        }
    }
    let limit = "a server that does nothing";
    let [calls, calls_limit, times, times_limit] = figures;
    report("Check over gRPC, 64 in flight", "per s", limit, &(calls, calls_limit));
    report("Check over gRPC, one in flight, median", "ns", limit, &(times, times_limit));
}
