//! What somebody sees who looks at a server with tools that know nothing of it: the real grpcurl and buf, and the
//! example clients that people copy.
//!
//! Reflection has to tell everything, comments too; errors have to be text; and an example has to say no whenever it
//! did not get a yes.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use rolecall::{
    config::{DataPlace, ServeSettings},
    presets::INFOBIP_CLASSIC,
    server,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{self, TestServer},
    tools::{self, Ended},
};

const CHECK: &str = "rolecall.v1.AuthorizationService/Check";
const PERMISSION: &str = "reports.detailed.view";

/// A server with the demo account, and where it is.
async fn demo() -> (TestServer, String) {
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(INFOBIP_CLASSIC.catalog).await.unwrap();
    server.clients.apply_account(INFOBIP_CLASSIC.account).await.unwrap();
    let address = server.running.address.unwrap().to_string();
    (server, address)
}

async fn grpcurl(arguments: &[&str]) -> Ended {
    let mut command = tools::command("grpcurl");
    command.args(["-plaintext", "-max-time", "10"]).args(arguments);
    tools::run(command).await
}

/// What a grpcurl that must succeed prints.
async fn printed(arguments: &[&str]) -> String {
    let ended = grpcurl(arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.stdout
}

/// The answer to a question that grpcurl asks.
async fn asked(question: &Value, at: &[&str]) -> Value {
    let question = question.to_string();
    serde_json::from_str(&printed(&[&["-d", &question], at, &[CHECK]].concat()).await).unwrap()
}

fn question(permission: &str) -> Value {
    json!({ "account": "accounts/demo", "subject": "users/beatriz", "permission": permission })
}

/// The comment lines of one message or service of a proto file, as reflection gives them back.
fn comments(file: &str, of: &str) -> Vec<String> {
    let proto = std::fs::read_to_string(tools::root().join("proto/rolecall/v1").join(file)).unwrap();
    let start = proto.find(&format!("\n{of} {{")).unwrap_or_else(|| panic!("{file} has no {of}"));
    let inside = &proto[start + 1..];
    let inside = &inside[..inside.find("\n}").unwrap()];
    let lines: Vec<&str> = proto[..start].lines().collect();
    let above = lines.iter().rev().take_while(|line| line.starts_with("//"));
    let found: Vec<String> =
        above.chain(&inside.lines().collect::<Vec<_>>()).map(|line| line.trim().to_owned()).collect();
    found.into_iter().filter(|line| line.starts_with("//") && line.len() > 2).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_lists_every_service() {
    let (_server, address) = demo().await;
    let listed = printed(&[&address, "list"]).await;
    let mut expected = vec!["grpc.health.v1.Health".to_owned(), "grpc.reflection.v1alpha.ServerReflection".to_owned()];
    for file in std::fs::read_dir(tools::root().join("proto/rolecall/v1")).unwrap() {
        let proto = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let services = proto.lines().filter_map(|line| line.strip_prefix("service ")?.strip_suffix(" {"));
        expected.extend(services.map(|name| format!("rolecall.v1.{name}")));
    }
    expected.sort();
    assert!(expected.len() > 5, "{expected:?}");
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn buf_lists_every_method_by_the_newer_reflection() {
    let (_server, address) = demo().await;
    let mut buf = tools::command("buf");
    // Away from the repository, so that it cannot read the proto files there.
    let elsewhere = TempDir::new().unwrap();
    buf.current_dir(&elsewhere).env("BUF_CACHE_DIR", elsewhere.path());
    buf.args(["curl", "--list-methods", "--http2-prior-knowledge", "--protocol", "grpc"]);
    buf.arg(format!("http://{address}"));
    let ended = tools::run(buf).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for method in [
        CHECK,
        "rolecall.v1.RoleService/CreateRole",
        "rolecall.v1.AuthorizationService/ListSubjects",
        "rolecall.v1.AuthorizationService/ListResources",
        "rolecall.v1.AccessPolicyService/UpdateAccessPolicy",
        "rolecall.v1.ResourceService/DeleteResource",
        "rolecall.v1.AccessListService/SetAccessList",
        "rolecall.v1.ExceptionService/CreateException",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        assert!(ended.stdout.lines().any(|line| line == method), "{method}: {}", ended.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_carry_the_comments_of_the_proto_files() {
    let (_server, address) = demo().await;
    let authorization = "authorization_service.proto";
    for (file, symbol, kind, expected) in [
        (authorization, "rolecall.v1.AuthorizationService", "service", "Anything but DECISION_ALLOW is a denial"),
        (authorization, "rolecall.v1.CheckRequest", "message", "What it wants to do: the id of a permission"),
        (authorization, "rolecall.v1.ListSubjectsRequest", "message", "What conditions can look at besides"),
        ("access_policy_service.proto", "rolecall.v1.AccessPolicyService", "service", "Keeps the access policies"),
        ("access_policy.proto", "rolecall.v1.PolicyStatement", "message", "The permissions, by patterns"),
        ("resource_service.proto", "rolecall.v1.ResourceService", "service", "Keeps the registered resources"),
        ("access_list_service.proto", "rolecall.v1.AccessListService", "service", "Keeps what users and teams"),
        ("exception_service.proto", "rolecall.v1.ExceptionService", "service", "Keeps exceptions"),
        ("role_binding.proto", "rolecall.v1.RoleBinding", "message", "From when on it counts no more"),
    ] {
        let described = printed(&[&address, "describe", symbol]).await;
        let shown: Vec<&str> = described.lines().map(str::trim).collect();
        let comments = comments(file, &format!("{kind} {}", &symbol["rolecall.v1.".len()..]));
        assert!(comments.iter().any(|line| line.contains(expected)), "{comments:?}");
        for comment in comments {
            assert!(shown.contains(&comment.as_str()), "{symbol} lacks {comment:?}: {described}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_asks_and_is_answered() {
    let (_server, address) = demo().await;
    let answer = asked(&question(PERMISSION), &[&address]).await;
    assert_eq!(answer["decision"], "DECISION_ALLOW");
    assert_eq!(answer["reason"], "DECISION_REASON_ALLOWED");
    assert!(answer["consistencyToken"].as_str().is_some_and(|token| !token.is_empty()));
    let answer = asked(&question("audit.history.view"), &[&address]).await;
    assert_eq!(answer["decision"], "DECISION_DENY", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_text_with_every_detail() {
    let (_server, address) = demo().await;
    let malformed = json!({ "account": "demo", "subject": "", "permission": "x y" }).to_string();
    let unknown = question("reports.nonsense").to_string();
    for (request, expected) in [
        (
            &malformed,
            &["InvalidArgument", "google.rpc.BadRequest", "fieldViolations", "google.rpc.ErrorInfo", "FIELD_INVALID"][..],
        ),
        (&malformed, &[r#""field":"account""#, r#""field":"subject""#, r#""field":"permission""#]),
        (&malformed, &[r#"\"demo\" was given; \"accounts/{account}\" is expected"#]),
        (&unknown, &["NotFound", "google.rpc.ErrorInfo", "PERMISSION_NOT_FOUND", "reports.nonsense"]),
    ] {
        let ended = grpcurl(&["-d", request, &address, CHECK]).await;
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        for expected in expected {
            assert!(ended.stderr.contains(expected), "{expected} is not in: {}", ended.stderr);
        }
        // What grpcurl writes in place of a detail that it cannot read.
        assert!(!ended.stderr.contains("@value") && !ended.stderr.contains("@error"), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_of_every_service() {
    let (_server, address) = demo().await;
    let services = printed(&[&address, "list"]).await;
    let ours = services.lines().filter(|name| name.starts_with("rolecall."));
    for service in [""].into_iter().chain(ours) {
        let request = json!({ "service": service }).to_string();
        let answer = printed(&["-d", &request, &address, "grpc.health.v1.Health/Check"]).await;
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["status"], "SERVING", "{service:?}");
    }
    let ended = grpcurl(&["-d", r#"{"service": "nobody"}"#, &address, "grpc.health.v1.Health/Check"]).await;
    assert!(ended.stderr.contains("NotFound"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_for_its_owner_and_answers_all_tools() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("s");
    let settings = ServeSettings {
        listen: None,
        listen_unix: Some(socket.clone()),
        data: DataPlace::Demo,
        ..support::settings(directory.path())
    };
    let running = server::start(settings).await.unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let unix = format!("unix:{}", socket.display());

    let answer = asked(&question(PERMISSION), &["-unix", "-authority", "localhost", socket.to_str().unwrap()]).await;
    assert_eq!(answer["decision"], "DECISION_ALLOW");
    for (name, example) in examples() {
        assert_eq!(ask(example, &unix, PERMISSION).await.code, Some(0), "{name}");
    }
    running.stop().await.unwrap();
}

/// The example clients, each by the command that starts it.
fn examples() -> [(&'static str, Command); 2] {
    let mut python = tools::command(tools::python());
    python.arg(tools::root().join("examples/python/check.py"));
    let (rust, source) = (tools::built().join("examples/check"), tools::root().join("examples/check.rs"));
    let changed = |file: &Path| file.metadata().and_then(|file| file.modified()).ok();
    assert!(
        changed(&rust) >= changed(&source),
        "the example is not built, or has changed since: run all of `cargo test`, or `cargo build --examples` first"
    );
    [("python", python), ("rust", tools::command(rust))]
}

async fn ask(mut example: Command, address: &str, permission: &str) -> Ended {
    example.args([address, "accounts/demo", "users/beatriz", permission]);
    tools::run(example).await
}

/// Exactly no: nothing else may look like an answer, and the reason is there to read.
#[track_caller]
fn assert_no(ended: &Ended, because: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(because), "{because} is not in: {}", ended.stderr);
    assert!(!ended.stderr.contains("Traceback"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_allow_what_is_allowed_and_nothing_else() {
    let (server, address) = demo().await;
    for (name, example) in examples() {
        let allowed = ask(example, &address, PERMISSION).await;
        assert_eq!((allowed.code, allowed.stderr.as_str()), (Some(0), ""), "{name}: {allowed:?}");
    }
    for (_, example) in examples() {
        assert_no(&ask(example, &address, "audit.history.view").await, "DECISION_REASON_");
    }
    for (_, example) in examples() {
        assert_no(&ask(example, &address, "reports.nonsense").await, "reports.nonsense");
    }
    for (_, mut example) in examples() {
        example.arg(&address);
        assert_no(&tools::run(example).await, "usage");
    }
    server.running.stop().await.unwrap();
    for (_, example) in examples() {
        let refused = ask(example, &address, PERMISSION).await;
        assert!(refused.stderr.to_lowercase().contains("refused"), "{refused:?}");
        assert_no(&refused, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_do_not_wait_for_a_server_that_never_answers() {
    // Connections come into being, for the system accepts them; nobody ever reads from one.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for (name, example) in examples() {
        let ended = ask(example, &address, PERMISSION).await;
        assert_no(&ended, "");
        assert!(!ended.stderr.is_empty(), "{name} says nothing");
        // Their deadline is a second; the rest is for starting on a busy machine.
        assert!((1..15).contains(&ended.took.as_secs()), "{name} took {:?}", ended.took);
    }
}
