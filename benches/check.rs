//! What a decision costs, beside what the least that could be done would cost. Run with `cargo bench`.
//!
//! Every pair is measured in turns, so that whatever else the machine does falls on both, and what counts is the ratio
//! of the two: minimum, median and maximum over the rounds. `ROLECALL_BENCH_ROUNDS` sets how many rounds (15).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

use std::{
    collections::HashMap,
    env,
    hint::black_box,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rolecall::{
    api::GuardLayer,
    config::{DataPlace, LogFormat, ServeSettings},
    engine::{
        BoundRole, CompiledCatalog, EffectiveSet, Holdings, NO_ATTRIBUTES, NoConditions, Standing, Subject, decide,
    },
    files,
    model::{Catalog, Number, PermissionIndex},
    presets::INFOBIP_CLASSIC,
    proto::{
        BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse, Decision, DecisionReason,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        ListResourcesRequest, ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
        authorization_service_client::AuthorizationServiceClient,
        authorization_service_server::{AuthorizationService, AuthorizationServiceServer},
    },
    server::{self, Running},
    service::{AskedName, Asking, PlaceName, ReadAt, SubjectKind, SubjectName, apply_account, apply_catalog},
};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, transport::Channel};

const USERS: usize = 1_000;
const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 4;

fn rounds() -> usize {
    env::var("ROLECALL_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// The figures of one pair: ours, the limit beside it, in nanoseconds or calls a second.
fn report(name: &str, unit: &str, ours: &[f64], limit_name: &str, limit: &[f64]) {
    let sorted = |figures: &[f64]| {
        let mut figures = figures.to_vec();
        figures.sort_by(f64::total_cmp);
        (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
    };
    let ratios: Vec<f64> = ours.iter().zip(limit).map(|(ours, limit)| ours / limit).collect();
    let (one, other, ratio) = (sorted(ours).1, sorted(limit).1, sorted(&ratios));
    println!(
        "| {name} | {one:.0} {unit} | {limit_name} | {other:.0} {unit} | {:.2} | {:.2} | {:.2} |",
        ratio.0, ratio.1, ratio.2
    );
}

/// How long one call takes, in nanoseconds.
fn time(calls: u64, mut call: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    for number in 0..calls {
        call(number);
    }
    began.elapsed().as_nanos() as f64 / calls as f64
}

fn engine() {
    let definition = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    let numbers = |from: u64, count: usize| -> Vec<Number> { (from..from + count as u64).map(Number).collect() };
    let features = numbers(1_000, definition.features.len());
    let count = definition.permissions.len() as u32;
    let catalog = Catalog {
        number: Number(1),
        feature_numbers: features.clone(),
        permission_numbers: numbers(10_000, definition.permissions.len()),
        role_numbers: numbers(100_000, definition.roles.len()),
        resource_type_numbers: numbers(200_000, definition.resource_types.len()),
        policy_numbers: numbers(300_000, definition.policies.len()),
        definition,
    };
    let compiled = Arc::new(CompiledCatalog::new(catalog, Arc::new(NoConditions)));
    let roles: Vec<_> =
        numbers(100_000, 3).iter().map(|role| compiled.role_of_number(*role).unwrap().clone()).collect();
    let bindings: Vec<_> =
        roles.iter().map(|role| BoundRole { role: role.number, resource: None, is_expired: false }).collect();
    let compile = || {
        let holdings = Holdings { bindings: bindings.clone(), roles: roles.clone(), ..Holdings::default() };
        EffectiveSet::new(Arc::clone(&compiled), &features[..7], holdings)
    };
    let set = Arc::new(compile());
    let subject = Subject { standing: Standing::Active, set, held: Vec::new(), exceptions: Vec::new() };
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    let (mut making, mut copying) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        ours.push(time(5_000_000, |number| {
            black_box(decide(black_box(&subject), PermissionIndex(number as u32 % count)));
        }));
        let bits = subject.set.settled();
        limit.push(time(5_000_000, |number| {
            black_box(black_box(bits).contains(PermissionIndex(number as u32 % count)));
        }));
        making.push(time(20_000, |_| _ = black_box(compile())));
        copying.push(time(20_000, |_| _ = black_box((bits.clone(), bits.clone()))));
    }
    report("the engine's decision", "ns", &ours, "one bit test", &limit);
    report("an effective set of 3 roles x 133 permissions", "ns", &making, "two such sets of bits copied", &copying);
}

/// A server with the preset and an account of many users.
async fn rolecall_server(directory: &Path) -> Running {
    let settings = ServeSettings {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        listen_unix: None,
        data: DataPlace::Directory(directory.to_owned()),
        cache_bytes: 256 << 20,
        log: "error".to_owned(),
        log_format: LogFormat::Pretty,
        drain: Duration::ZERO,
        shutdown_grace: Duration::from_secs(1),
        ready_file: None,
    };
    let running = server::start(settings).await.unwrap();
    let mut account = String::from(
        "kind: account\nid: bench\ncatalog: infobip-classic\nfeatures: [dashboard, logs, reports, teams]\nteams:\n",
    );
    for team in 0..20 {
        account += &format!("  - id: team-{team}\n    roles: [analyze-manager]\n");
    }
    account += "users:\n";
    for user in 0..USERS {
        account += &format!(
            "  - id: user-{user}\n    teams: [team-{}]\n    roles: [{}]\n",
            user % 20,
            ["account-manager", "people-manager", "finance-data-manager"][user % 3]
        );
    }
    let catalog = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    let account = files::parse_account(account.as_bytes()).unwrap();
    running.service().write(apply_catalog(catalog, true, None, Arc::default())).await.unwrap();
    running.service().write(apply_account(account, None, Arc::default())).await.unwrap();
    running
}

fn asking<'a>(user: &'a str, permission: &'a str) -> Asking<'a> {
    let subject = SubjectName::new("bench", SubjectKind::User, user).unwrap();
    let asked = AskedName::Permission(permission);
    Asking { subject, asked, place: PlaceName::default(), attributes: &NO_ATTRIBUTES }
}

async fn in_process(running: &Running) {
    let service = running.service();
    let users: Vec<String> = (0..USERS).map(|user| format!("user-{user}")).collect();
    let permission = "reports.detailed.view";
    let mut table: HashMap<(String, String), Vec<u64>> = HashMap::new();
    for user in &users {
        table.insert(("bench".to_owned(), user.clone()), vec![u64::MAX; 3]);
    }
    let permissions: HashMap<String, usize> = HashMap::from([(permission.to_owned(), 7)]);
    let keys: Vec<(String, String)> = users.iter().map(|user| ("bench".to_owned(), user.clone())).collect();
    let (mut cached, mut uncached, mut look_ups) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds() {
        service.clear_cache();
        let began = Instant::now();
        for user in &users {
            black_box(service.check(&asking(user, permission), ReadAt::Latest).await.unwrap());
        }
        uncached.push(began.elapsed().as_nanos() as f64 / USERS as f64);
        let began = Instant::now();
        for _ in 0..200 {
            for user in &users {
                black_box(service.check(&asking(black_box(user), permission), ReadAt::Latest).await.unwrap());
            }
        }
        cached.push(began.elapsed().as_nanos() as f64 / (200 * USERS) as f64);
        look_ups.push(time((200 * USERS) as u64, |number| {
            let bits = &table[black_box(&keys[number as usize % USERS])];
            let index = permissions[black_box(permission)];
            black_box(bits[index / 64] & (1 << (index % 64)) != 0);
        }));
    }
    report("a cached Check in process, 1,000 users", "ns", &cached, "two hash look-ups and a bit test", &look_ups);
    report("an uncached Check in process (sled)", "ns", &uncached, "the same, cached", &cached);
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
        account: "accounts/bench".to_owned(),
        subject: format!("users/user-{}", number % USERS as u64),
        permission: "reports.detailed.view".to_owned(),
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

async fn over_grpc(running: &Running) {
    let ours = clients(running.address.unwrap()).await;
    let theirs = clients(nothing_server().await).await;
    let mut figures = [const { Vec::new() }; 4];
    throughput(&ours).await;
    throughput(&theirs).await;
    for round in 0..rounds() {
        // Who goes first changes, so that neither always has the warmer machine.
        let order: [usize; 2] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let clients = [&ours, &theirs][which];
            figures[which].push(throughput(clients).await);
            figures[2 + which].push(latency(&mut clients[0].clone()).await);
        }
    }
    let limit = "a server that does nothing";
    report("Check over gRPC, 64 in flight", "calls/s", &figures[0], limit, &figures[1]);
    report("Check over gRPC, one in flight, median", "ns", &figures[2], limit, &figures[3]);
}

fn main() {
    println!("| what | median | limit | median | ratio: min | median | max |");
    println!("|---|---|---|---|---|---|---|");
    engine();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::TempDir::new().unwrap();
        let running = rolecall_server(directory.path()).await;
        in_process(&running).await;
        over_grpc(&running).await;
        running.stop().await.unwrap();
    });
}
