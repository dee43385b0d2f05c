//! Clients of the last release keep working: the proto files may add to what it had, and take nothing away.
//!
//! The API of the last release is the one file in `proto/released`; `tests/run api` writes it. What buf compares is said
//! in `buf.yaml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::tools::{self, Ended, root};

/// The API of the last release.
fn released() -> PathBuf {
    let found: Vec<PathBuf> =
        fs::read_dir(root().join("proto/released")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [one] = found.as_slice() else { panic!("proto/released has one file, that of the last release: {found:?}") };
    one.clone()
}

/// Compares the proto files below a directory with the API of the last release.
async fn compare(directory: &Path) -> Ended {
    let mut buf = tools::command("buf");
    let cache = TempDir::new().unwrap();
    buf.current_dir(directory).env("BUF_CACHE_DIR", cache.path()).args(["breaking", "--against"]).arg(released());
    tools::run(buf).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// The result of the comparison after one change of one file: `before` stands in it once, and becomes `after`.
async fn compare_changed(file: &str, before: &str, after: &str) -> Ended {
    let directory = TempDir::new().unwrap();
    copy(&root().join("proto"), &directory.path().join("proto"));
    fs::copy(root().join("buf.yaml"), directory.path().join("buf.yaml")).unwrap();
    let path = directory.path().join("proto/rolecall/v1").join(file);
    let proto = fs::read_to_string(&path).unwrap();
    assert_eq!(proto.matches(before).count(), 1, "{file} has {before:?} once");
    fs::write(&path, proto.replace(before, after)).unwrap();
    compare(directory.path()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_takes_nothing_away_from_clients_of_the_last_release() {
    let ended = compare(root()).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_break_a_client_of_the_last_release_is_found() {
    let check = "authorization_service.proto";
    for (file, before, after, expected) in [
        (check, "  string api_scope = 5;\n", "", "Previously present field \"5\" with name \"api_scope\""),
        (check, "string api_scope = 5;", "string api_scope = 60;", "Previously present field \"5\""),
        (check, "string api_scope = 5;", "string scope = 5;", "Field \"5\""),
        (check, "string api_scope = 5;", "bytes api_scope = 5;", "Field \"5\""),
        (check, "DECISION_ALLOW = 1;", "DECISION_ALLOW = 4;", "Previously present enum value \"1\""),
        (check, "  rpc BatchCheck(BatchCheckRequest) returns (BatchCheckResponse);\n", "", "Previously present RPC"),
        ("role_service.proto", "returns (GetRoleResponse);", "returns (CreateRoleResponse);", "RPC \"GetRole\""),
    ] {
        let ended = compare_changed(file, before, after).await;
        assert_ne!(ended.code, Some(0), "{before:?} became {after:?}, and nothing was found");
        assert!(ended.stdout.contains(expected), "{before:?} to {after:?}: {}{}", ended.stdout, ended.stderr);
    }
    // Adding is no change for a client: the comparison is not against everything.
    let ended =
        compare_changed(check, "string api_scope = 5;", "string api_scope = 5;\n\n  // More.\n  string more = 60;");
    let ended = ended.await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
