//! The real server from outside: how it stops, what it refuses to start with, and where the limits of a call are.
//!
//! [`Exchange`] speaks just enough HTTP/2 to see what the server itself says when a deadline passes: a client with a
//! deadline gives up on its own.

use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use prost::Message as _;
use rolecall::{
    presets::INFOBIP_CLASSIC,
    proto::{
        ApplyAccountRequest, BatchCheckItem, BatchCheckRequest, CheckRequest, Decision, ExportAccountRequest,
        ListAccountsRequest, ListCatalogsRequest, ListPermissionsRequest, ListRoleBindingsRequest, ListRolesRequest,
        ListTeamMembersRequest, ListTeamsRequest, ListUsersRequest,
    },
};
use tempfile::TempDir;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::{
    process::{Process, rolecall, run},
    support::Clients,
};

const SERVICES: [&str; 13] = [
    "",
    "rolecall.v1.AuthorizationService",
    "rolecall.v1.CatalogService",
    "rolecall.v1.AccountService",
    "rolecall.v1.UserService",
    "rolecall.v1.ServiceAccountService",
    "rolecall.v1.TeamService",
    "rolecall.v1.RoleService",
    "rolecall.v1.RoleBindingService",
    "rolecall.v1.AccessPolicyService",
    "rolecall.v1.ResourceService",
    "rolecall.v1.AccessListService",
    "rolecall.v1.ExceptionService",
];

/// A server with the demo's catalog and account.
async fn start(data: &TempDir, arguments: &[&str]) -> (Process, Clients) {
    let server = Process::start(data.path(), arguments);
    let mut clients = Clients::connect(&server.address()).await;
    clients.apply_catalog(INFOBIP_CLASSIC.catalog).await.unwrap();
    clients.apply_account(INFOBIP_CLASSIC.account).await.unwrap();
    (server, clients)
}

fn question() -> CheckRequest {
    CheckRequest {
        account: "accounts/demo".to_owned(),
        subject: "users/beatriz".to_owned(),
        permission: "reports.detailed.view".to_owned(),
        consistency: None,
        ..Default::default()
    }
}

async fn is_allowed(clients: &mut Clients) -> Result<bool, Status> {
    let answer = clients.authorization.check(question()).await?.into_inner();
    Ok(answer.decision() == Decision::Allow)
}

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.clone()).check(request).await?;
    Ok(answer.into_inner().status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_announced_while_calls_are_still_answered_and_the_next_start_is_clean() {
    let data = TempDir::new().unwrap();
    let (mut server, mut clients) = start(&data, &["--drain", "1s"]).await;
    let channel = Channel::from_shared(server.address()).unwrap().connect().await.unwrap();
    for service in SERVICES {
        assert_eq!(health(&channel, service).await.unwrap(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(health(&channel, "rolecall.v1.NoService").await.unwrap_err().code(), Code::NotFound);

    let told = Instant::now();
    server.terminate();
    while health(&channel, "").await.unwrap() == ServingStatus::Serving {
        assert!(told.elapsed() < Duration::from_millis(900), "nothing is announced");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for service in SERVICES {
        assert_eq!(health(&channel, service).await.unwrap(), ServingStatus::NotServing, "{service}");
    }
    assert_eq!(is_allowed(&mut clients).await.ok(), Some(true), "on a connection that is there");
    let mut anew = Clients::connect(&server.address()).await;
    assert_eq!(is_allowed(&mut anew).await.ok(), Some(true), "on a new connection");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    assert!(told.elapsed() >= Duration::from_secs(1), "the drain time was not kept");
    assert!(data.path().join("CLEAN").exists());

    let mut server = Process::start(data.path(), &[]);
    let opened = server.logged("opened the data").unwrap();
    assert_eq!((&opened["clean"], &opened["replayed"]), (&true.into(), &0.into()), "{opened}");
    let mut clients = Clients::connect(&server.address()).await;
    assert_eq!(is_allowed(&mut clients).await.ok(), Some(true));
    server.stop();
}

/// The server does not start, names the setting as it was given, and has touched nothing.
#[track_caller]
fn check_bad(arguments: &[&str], variables: &[(&str, &str)], expected: &[&str]) {
    let place = TempDir::new().unwrap();
    let (data, socket, ready) = (place.path().join("data"), place.path().join("socket"), place.path().join("ready"));
    let mut command = rolecall();
    command.arg("serve").args(arguments).envs(variables.iter().copied());
    let mut add = |flag: &str, value: &OsStr| {
        let variable = format!("ROLECALL_{}", flag[2..].replace('-', "_").to_uppercase());
        let is_given = arguments.iter().any(|argument| argument.split('=').next() == Some(flag))
            || variables.iter().any(|(name, _)| *name == variable);
        if !is_given {
            command.arg(flag).arg(value);
        }
    };
    add("--listen", "127.0.0.1:0".as_ref());
    add("--listen-unix", socket.as_ref());
    add("--data-dir", data.as_ref());
    add("--ready-file", ready.as_ref());
    let ended = run(&mut command);
    assert_eq!(ended.code, 64, "{arguments:?} {variables:?}: {}", ended.stderr);
    for expected in expected {
        assert!(ended.stderr.contains(expected), "{arguments:?} {variables:?}: {expected}: {}", ended.stderr);
    }
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{arguments:?} {variables:?}: {left:?}");
}

#[test]
fn a_bad_setting_is_named_and_nothing_is_begun() {
    let reason = ["there is no TLS and no authentication yet"].as_slice();
    for (flag, variable, value, expected) in [
        ("--listen", "ROLECALL_LISTEN", "0.0.0.0:0", reason),
        ("--listen", "ROLECALL_LISTEN", "[::]:0", reason),
        ("--listen", "ROLECALL_LISTEN", "192.0.2.1:50051", reason),
        ("--listen", "ROLECALL_LISTEN", "localhost:50051", &["expected a loopback IP address"]),
        ("--listen", "ROLECALL_LISTEN", "127.0.0.1:70000", &["expected a loopback IP address"]),
        ("--listen", "ROLECALL_LISTEN", "none", &["ready-file", "there is no TCP address"]),
        ("--data-dir", "ROLECALL_DATA_DIR", "", &["expected a path"]),
        ("--demo", "ROLECALL_DEMO", "maybe", &["expected true or false"]),
        ("--cache-bytes", "ROLECALL_CACHE_BYTES", "lots", &["expected bytes or a size"]),
        ("--cache-bytes", "ROLECALL_CACHE_BYTES", "1", &["from 1048576"]),
        ("--log", "ROLECALL_LOG", "debgu", &["expected a level"]),
        ("--log-format", "ROLECALL_LOG_FORMAT", "xml", &["expected auto, pretty or json"]),
        ("--drain", "ROLECALL_DRAIN", "5", &["expected a duration with its unit"]),
        ("--drain", "ROLECALL_DRAIN", "-1s", &["expected a duration with its unit"]),
        ("--shutdown-grace", "ROLECALL_SHUTDOWN_GRACE", "2h", &["expected a duration with its unit", "1h"]),
        ("--ready-file", "ROLECALL_READY_FILE", "", &["expected a path"]),
        ("--listen-unix", "ROLECALL_LISTEN_UNIX", "", &["expected a path"]),
    ] {
        let given = if value.is_empty() { "\"\"" } else { value };
        // "none" is no bad address: the setting that does not go with it is named.
        let (as_flag, as_variable) = match value {
            "none" => (String::new(), String::new()),
            _ => (format!("{flag} {given}: "), format!("{variable}={given}: ")),
        };
        check_bad(&[&format!("{flag}={value}")], &[], &[expected, &[&as_flag]].concat());
        check_bad(&[], &[(variable, value)], &[expected, &[&as_variable]].concat());
    }
    check_bad(&["--frobnicate"], &[], &["--frobnicate"]);
    check_bad(&["more"], &[], &["more"]);
    check_bad(&["--address=http://127.0.0.1:1"], &[], &["--address is for commands that ask a server"]);
    check_bad(&["--demo"], &[], &["--data-dir", "cannot go with a demo"]);
    let (all, named) = (["--drain=1", "--log=x"], ["--drain 1: ", "--log x: ", "ROLECALL_CACHE_BYTES=x: "]);
    check_bad(&all, &[("ROLECALL_CACHE_BYTES", "x")], &named);
}

#[test]
fn a_flag_wins_over_its_variable() {
    let place = TempDir::new().unwrap();
    let (wanted, other) = (place.path().join("wanted"), place.path().join("other"));
    let variables: [(&str, &OsStr); 4] = [
        ("ROLECALL_DATA_DIR", other.as_ref()),
        ("ROLECALL_LISTEN", "0.0.0.0:1".as_ref()),
        ("ROLECALL_DRAIN", "nonsense".as_ref()),
        ("ROLECALL_LOG_FORMAT", "json".as_ref()),
    ];
    let mut server = Process::spawn_with(&wanted, &[], &variables);
    server.wait_until_ready();
    server.stop();
    assert!(wanted.is_dir() && !other.exists());
}

/// A refusal has this code, and its message and details name this.
#[track_caller]
fn check_refused<T: std::fmt::Debug>(what: &str, outcome: Result<T, Status>, code: Code, named: &str) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{what}: {status:?}");
    let text = format!("{} {:?}", status.message(), status.get_error_details());
    assert!(text.contains(named), "{what}: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_with_the_limit_and_the_connection_goes_on() {
    let data = TempDir::new().unwrap();
    let (_server, mut clients) = start(&data, &[]).await;
    let invalid = Code::InvalidArgument;

    let long = CheckRequest { subject: format!("users/{}", "x".repeat(16 << 10)), ..question() };
    check_refused("Check", clients.authorization.check(long).await, invalid, "the maximum is 16384");

    let batch = |count: usize| {
        let CheckRequest { account, subject, permission, .. } = question();
        BatchCheckRequest {
            account,
            items: vec![BatchCheckItem { subject, permission, ..Default::default() }; count],
            consistency: None,
        }
    };
    for count in [0, 1001] {
        let outcome = clients.authorization.batch_check(batch(count)).await;
        check_refused("BatchCheck", outcome, invalid, &format!("{count} items were given; 1 to 1000 are expected"));
    }
    assert_eq!(clients.authorization.batch_check(batch(1000)).await.unwrap().into_inner().results.len(), 1000);

    let parent = "accounts/demo".to_owned();
    for page_size in [-1, 1001, i32::MAX, i32::MIN] {
        let expected = format!("{page_size} was given; 0 to 1000 is expected");
        let (what, account) = (format!("page_size {page_size}"), parent.clone());
        let check = |outcome: Option<Status>| check_refused(&what, outcome.map_or(Ok(()), Err), invalid, &expected);
        let request = ListUsersRequest { parent: parent.clone(), page_size, ..Default::default() };
        check(clients.users.list_users(request).await.err());
        let request = ListTeamsRequest { parent: parent.clone(), page_size, ..Default::default() };
        check(clients.teams.list_teams(request).await.err());
        let name = "accounts/demo/teams/support".to_owned();
        let request = ListTeamMembersRequest { name, page_size, ..Default::default() };
        check(clients.teams.list_team_members(request).await.err());
        let request = ListRolesRequest { parent: parent.clone(), page_size, ..Default::default() };
        check(clients.roles.list_roles(request).await.err());
        let request = ListRoleBindingsRequest { parent: parent.clone(), page_size, ..Default::default() };
        check(clients.bindings.list_role_bindings(request).await.err());
        let request = ListAccountsRequest { page_size, ..Default::default() };
        check(clients.accounts.list_accounts(request).await.err());
        let request = ListCatalogsRequest { page_size, ..Default::default() };
        check(clients.catalogs.list_catalogs(request).await.err());
        let subject = "users/beatriz".to_owned();
        let request = ListPermissionsRequest { account, subject, page_size, ..Default::default() };
        check(clients.authorization.list_permissions(request).await.err());
    }

    let chunk = |bytes: usize| {
        tokio_stream::once(ApplyAccountRequest { chunk: vec![b'#'; bytes], last: true, ..Default::default() })
    };
    for (bytes, code, named) in [
        ((256 << 10) + 1, Code::ResourceExhausted, "FILE_TOO_LARGE"),
        // No message may be so large, whatever it is.
        ((1 << 20) + 1, Code::OutOfRange, "1048576"),
    ] {
        let outcome = async { clients.accounts.apply_account(chunk(bytes)).await?.into_inner().message().await };
        check_refused("a chunk", outcome.await, code, named);
    }

    let mut request = Request::new(question());
    request.metadata_mut().insert("x-long", "y".repeat(8 << 10).parse().unwrap());
    // HTTP itself refuses headers of more than 8 KiB; which code a client makes of that is its own matter.
    clients.authorization.check(request).await.unwrap_err();

    assert_eq!(is_allowed(&mut clients).await.ok(), Some(true), "the connection still serves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_256_streams_and_more_calls_wait_for_their_turn() {
    let data = TempDir::new().unwrap();
    let (server, _) = start(&data, &[]).await;
    let channel = Channel::from_shared(server.address()).unwrap().connect().await.unwrap();
    let mut watches = Vec::new();
    for _ in 0..256 {
        let request = HealthCheckRequest { service: String::new() };
        watches.push(HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner());
    }
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { health(&channel, "").await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "the 257th stream was not kept waiting");
    watches.pop();
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(answer.unwrap(), ServingStatus::Serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_does_not_say_that_it_is_whole_changes_nothing() {
    let data = TempDir::new().unwrap();
    let (server, mut clients) = start(&data, &[]).await;
    let before = export(&mut clients).await;
    // A file that is right in itself, so that only the missing mark can keep it from being taken for the whole.
    let (head, _) = INFOBIP_CLASSIC.account.split_once("  - id: goran").unwrap();
    let piece = || ApplyAccountRequest { chunk: head.as_bytes().to_vec(), last: false, ..Default::default() };

    let outcome =
        async { clients.accounts.apply_account(tokio_stream::once(piece())).await?.into_inner().message().await };
    check_refused("closed without last", outcome.await, Code::InvalidArgument, "last");

    for is_connection in [false, true] {
        let mut other = Clients::connect(&server.address()).await;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let mut answers = other.accounts.apply_account(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        sender.send(piece()).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(100), answers.message()).await;
        assert!(early.is_err(), "the server waits for the rest: {early:?}");
        // The call alone is dropped, and then a whole connection while the call is under way.
        if is_connection {
            drop(other);
        }
        drop(answers);
        drop(sender);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(export(&mut clients).await, before);
    clients.apply_account(head).await.unwrap();
    assert_ne!(export(&mut clients).await, before, "the same bytes as a whole file");
}

async fn export(clients: &mut Clients) -> String {
    let request = ExportAccountRequest { name: "accounts/demo".to_owned(), consistency: None };
    let mut chunks = clients.accounts.export_account(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        file.extend(chunk.chunk);
    }
    String::from_utf8(file).unwrap()
}

/// One call over a connection of its own, as bytes.
struct Exchange {
    method: &'static str,
    timeout: &'static str,
    message: Vec<u8>,
}

impl Exchange {
    /// The gRPC status that the server itself ends the call with.
    fn status(&self, address: &str) -> u8 {
        let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut headers = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", self.method),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", self.timeout),
        ] {
            // A literal that is neither indexed nor compressed.
            headers.push(0);
            for text in [name, value] {
                headers.push(u8::try_from(text.len()).unwrap());
                headers.extend(text.as_bytes());
            }
        }
        let mut body = vec![0];
        body.extend(u32::try_from(self.message.len()).unwrap().to_be_bytes());
        body.extend(&self.message);
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let mut frame = |kind: u8, flags: u8, stream: u8, content: &[u8]| {
            bytes.extend(&u32::try_from(content.len()).unwrap().to_be_bytes()[1..]);
            bytes.extend([kind, flags, 0, 0, 0, stream]);
            bytes.extend(content);
        };
        let (settings, headers_frame, data) = (4, 1, 0);
        frame(settings, 0, 0, &[]);
        frame(headers_frame, 4, 1, &headers);
        let pieces: Vec<_> = body.chunks(16_000).collect();
        for (index, piece) in pieces.iter().enumerate() {
            frame(data, u8::from(index + 1 == pieces.len()), 1, piece);
        }
        stream.write_all(&bytes).unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut content = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut content).unwrap();
            if head[3] == headers_frame && head[4] & 1 == 1 {
                return grpc_status(&content);
            }
        }
    }
}

/// "grpc-status" and its value in the last header block, both in the Huffman code of HPACK.
fn grpc_status(block: &[u8]) -> u8 {
    const NAME: [u8; 9] = [0x88, 0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f];
    let at = block.windows(NAME.len()).position(|window| window == NAME).expect("a status") + NAME.len();
    match block[at..at + 2] {
        [0x81, 0x07] => 0,
        [0x81, 0x0f] => 1,
        [0x81, 0x6b] => 4,
        ref other => panic!("another status: {other:x?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_passes_is_told_as_that_and_not_as_a_cancelled_call() {
    let data = TempDir::new().unwrap();
    let (server, mut clients) = start(&data, &[]).await;
    // A thousand questions about users whom no cache knows yet take longer than a millisecond.
    let account: String = (0..1000).map(|number| format!("  - id: slow{number}\n    teams: [support]\n")).collect();
    clients.apply_account(&format!("{}{account}", INFOBIP_CLASSIC.account)).await.unwrap();
    let item = |number: usize| BatchCheckItem {
        subject: format!("users/slow{number}"),
        permission: "reports.detailed.view".to_owned(),
        ..Default::default()
    };
    let items = (0..1000).map(item).collect();
    let batch = BatchCheckRequest { account: "accounts/demo".to_owned(), items, consistency: None }.encode_to_vec();
    let check = question().encode_to_vec();
    let (batch_check, check_method) =
        ("/rolecall.v1.AuthorizationService/BatchCheck", "/rolecall.v1.AuthorizationService/Check");
    let address = server.address();
    for (method, timeout, message, expected) in [
        (check_method, "1m", &check, 4),
        (batch_check, "1m", &batch, 4),
        (batch_check, "6m", &batch, 4),
        (batch_check, "5S", &batch, 0),
        (check_method, "5S", &check, 0),
    ] {
        let exchange = Exchange { method, timeout, message: message.clone() };
        assert_eq!(exchange.status(&address), expected, "{method} {timeout}");
    }
}
