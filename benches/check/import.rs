//! What importing and exporting users costs, beside sled alone with the same rows.
//!
//! `ROLECALL_BENCH_IMPORT` sets how many users (100,000). Each round has a server of its own on an empty directory; the
//! rows that sled alone loads are those of a finished store, tree by tree in key order, and are flushed once at the end.

use std::{
    env,
    fs::File,
    io::{BufReader, BufWriter, Read, Write as _},
    path::Path,
    time::Instant,
};

use rolecall::proto::{
    ApplyAccountRequest, ApplyCatalogRequest, ExportUsersRequest, ImportUsersRequest,
    account_service_client::AccountServiceClient, catalog_service_client::CatalogServiceClient,
    import_users_response::Event, user_service_client::UserServiceClient,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{
    pairs::{self, Figures},
    servers::{Program, Server},
};

const CATALOG: &str = r#"{"kind": "catalog", "id": "c", "display_name": "C", "sections": [{"id": "s", "display_name": "S"}],
    "resource_types": [{"id": "line", "plural": "lines", "display_name": "Line"}],
    "permissions": [{"id": "inbox.conversations.view", "section": "s"}, {"id": "inbox.lines.view", "section": "s", "resource_type": "line"}],
    "roles": [{"id": "agent", "display_name": "A", "permissions": ["inbox.conversations.view"]},
              {"id": "lead", "display_name": "L", "permissions": ["inbox.lines.view"]}]}"#;
const TEAMS: usize = 100;
const LINES: usize = 100;
const FIRST: [&str; 8] = ["Ana", "Beatriz", "Chidi", "Dunja", "Emil", "Farah", "Goran", "Hana"];
const LAST: [&str; 8] = ["Anić", "Brown", "Costa", "Diallo", "Eze", "Ferreira", "Gupta", "Horvat"];
const TREES: [&str; 5] = ["state", "history", "parts", "users", "meta"];

fn users() -> usize {
    env::var("ROLECALL_BENCH_IMPORT").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn account() -> String {
    let mut text = "kind: account\nid: a\ncatalog: c\nresources:\n".to_owned();
    for line in 0..LINES {
        text += &format!("  - path: lines/l{line}\n");
    }
    text += "teams:\n";
    for team in 0..TEAMS {
        text += &format!("  - {{id: team-{team}, roles: [agent]}}\n");
    }
    text
}

/// Each user has a name, an email address, a team and a role; every fourth one a role on a line besides.
fn write_lines(path: &Path, users: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for user in 0..users {
        let (first, last) = (FIRST[user % 8], LAST[user / 8 % 8]);
        let lead = match user % 4 {
            0 => format!(r#", {{"role": "lead", "resource": "lines/l{}"}}"#, user / 4 % LINES),
            _ => String::new(),
        };
        writeln!(
            file,
            r#"{{"id": "agent-{user:07}", "display_name": "{first} {last}", "email": "agent-{user:07}@example.com", "teams": ["team-{}"], "roles": ["agent"{lead}]}}"#,
            user % TEAMS
        )
        .unwrap();
    }
    file.flush().unwrap();
}

/// The most resident memory that a process has had, in MiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

async fn channel(server: &Server) -> Channel {
    Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap()
}

async fn prepare(channel: &Channel) {
    let catalog = ApplyCatalogRequest { chunk: CATALOG.into(), last: true, ..Default::default() };
    let applied = CatalogServiceClient::new(channel.clone()).apply_catalog(tokio_stream::once(catalog)).await;
    let mut events = applied.unwrap().into_inner();
    while events.message().await.unwrap().is_some() {}
    let account = ApplyAccountRequest { chunk: account().into(), last: true, ..Default::default() };
    let applied = AccountServiceClient::new(channel.clone()).apply_account(tokio_stream::once(account)).await;
    let mut events = applied.unwrap().into_inner();
    while events.message().await.unwrap().is_some() {}
}

/// Sends the lines as the command does, and waits until all are in force.
async fn import(channel: &Channel, lines: &Path, users: usize) {
    let (pieces, received) = tokio::sync::mpsc::channel(4);
    let mut file = File::open(lines).unwrap();
    std::thread::spawn(move || {
        let mut parent = "accounts/a".to_owned();
        loop {
            let mut chunk = Vec::with_capacity(256 << 10);
            (&mut file).take(256 << 10).read_to_end(&mut chunk).unwrap();
            let last = chunk.is_empty();
            let piece = ImportUsersRequest { parent: std::mem::take(&mut parent), chunk, last, ..Default::default() };
            if pieces.blocking_send(piece).is_err() || last {
                break;
            }
        }
    });
    let mut client = UserServiceClient::new(channel.clone());
    let mut answers = client.import_users(ReceiverStream::new(received)).await.unwrap().into_inner();
    let mut created = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.event.unwrap() {
            Event::Progress(progress) => created = progress.created_count,
            Event::Problem(problem) => panic!("{problem:?}"),
        }
    }
    assert_eq!(usize::try_from(created).unwrap(), users);
}

async fn export(channel: &Channel, users: usize) {
    let request = ExportUsersRequest { parent: "accounts/a".to_owned(), consistency: None };
    let mut client = UserServiceClient::new(channel.clone());
    let mut pieces = client.export_users(request).await.unwrap().into_inner();
    let (mut count, mut bytes) = (0, 0);
    while let Some(piece) = pieces.message().await.unwrap() {
        count += piece.user_count;
        bytes += piece.chunk.len();
    }
    assert_eq!(usize::try_from(count).unwrap(), users);
    std::hint::black_box(bytes);
}

/// Lets a server stop in order, so that its store is whole.
fn stop(server: Server) {
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    kill_process(process, Signal::TERM).unwrap();
    server.wait();
    assert!(test_kill_process(process).is_err());
}

/// Writes the rows of a store, tree by tree.
fn write_rows(state: &Path, to: &Path) {
    let db = sled::open(state).unwrap();
    let mut file = BufWriter::new(File::create(to).unwrap());
    for (number, tree) in TREES.iter().enumerate() {
        for row in &db.open_tree(tree).unwrap() {
            let (key, value) = row.unwrap();
            file.write_all(&[u8::try_from(number).unwrap()]).unwrap();
            for part in [&key, &value] {
                file.write_all(&u32::try_from(part.len()).unwrap().to_le_bytes()).unwrap();
                file.write_all(part).unwrap();
            }
        }
    }
    file.flush().unwrap();
}

/// Loads rows into an empty sled, and flushes it. Gives how long that took, in seconds.
fn load(rows: &Path, directory: &Path) -> f64 {
    let began = Instant::now();
    let db = sled::Config::new().path(directory).cache_capacity(64 << 20).open().unwrap();
    let trees = TREES.map(|tree| db.open_tree(tree).unwrap());
    let mut file = BufReader::with_capacity(1 << 20, File::open(rows).unwrap());
    let mut tree = [0];
    while file.read_exact(&mut tree).is_ok() {
        let mut part = || {
            let mut length = [0; 4];
            file.read_exact(&mut length).unwrap();
            let mut part = vec![0; u32::from_le_bytes(length) as usize];
            file.read_exact(&mut part).unwrap();
            part
        };
        let (key, value) = (part(), part());
        trees[usize::from(tree[0])].insert(key, value).unwrap();
    }
    db.flush().unwrap();
    began.elapsed().as_secs_f64()
}

/// Goes through all rows of a store. Gives how long that took, in seconds.
fn scan(directory: &Path) -> f64 {
    let db = sled::Config::new().path(directory).cache_capacity(64 << 20).open().unwrap();
    let began = Instant::now();
    let mut bytes = 0;
    for tree in TREES {
        for row in &db.open_tree(tree).unwrap() {
            let (key, value) = row.unwrap();
            bytes += key.len() + value.len();
        }
    }
    std::hint::black_box(bytes);
    began.elapsed().as_secs_f64()
}

/// Measures both pairs.
pub fn measure(runtime: &tokio::runtime::Runtime) {
    let users = users();
    let files = TempDir::new().unwrap();
    let (lines, rows) = (files.path().join("users.jsonl"), files.path().join("rows"));
    write_lines(&lines, users);
    let mut figures: [Figures; 4] = Default::default();
    let [imports, loads, exports, scans] = &mut figures;
    let (mut peak_import, mut peak_export) = (0, 0);
    for _ in 0..pairs::rounds().min(5) {
        let data = TempDir::new().unwrap();
        let server = Server::start(Program::Ours(data.path()), None, None);
        let channel = runtime.block_on(async {
            let channel = channel(&server).await;
            prepare(&channel).await;
            channel
        });
        let timed = |work: &mut dyn FnMut()| {
            let began = Instant::now();
            work();
            users as f64 / began.elapsed().as_secs_f64()
        };
        imports.push(pairs::window(|| timed(&mut || runtime.block_on(import(&channel, &lines, users)))));
        peak_import = peak_import.max(peak(server.id()));
        exports.push(pairs::window(|| timed(&mut || runtime.block_on(export(&channel, users)))));
        peak_export = peak_export.max(peak(server.id()));
        drop(channel);
        stop(server);
        if !rows.exists() {
            write_rows(&data.path().join("state"), &rows);
        }
        drop(data);
        let bare = TempDir::new().unwrap();
        loads.push(pairs::window(|| users as f64 / load(&rows, bare.path())));
        scans.push(pairs::window(|| users as f64 / scan(bare.path())));
    }
    let [imports, loads, exports, scans] = figures;
    pairs::report(&format!("import of {users} users"), "per s", "sled alone, the same rows", &(imports, loads));
    pairs::report(&format!("export of {users} users"), "per s", "sled alone, a scan", &(exports, scans));
    println!("\nMost resident memory of the server: {peak_import} MiB at import, {peak_export} MiB with export");
}
