//! The programs that are not ours: grpcurl, buf and Python, from where `tests/run` puts them.
//!
//! A test that needs one fails without it. It never skips, for a skipped test looks like a passed one.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

/// No program that a test runs takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program that has ended printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The directory that `rolecall` itself was built into.
pub fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap()
}

/// PATH with the tools first, whether or not `tests/run` has put them there.
pub fn path() -> OsString {
    let python = PathBuf::from(python());
    let ours = [python.parent().map(Path::to_owned), built().parent().map(|target| target.join("tools/bin"))];
    let given = env::var_os("PATH").unwrap_or_default();
    env::join_paths(ours.into_iter().flatten().chain(env::split_paths(&given))).unwrap()
}

/// A Python that has the packages of the examples.
pub fn python() -> OsString {
    env::var_os("ROLECALL_TEST_PYTHON").unwrap_or_else(|| built().with_file_name("tools/bin/python").into())
}

/// A command that finds the tools, and none of our own settings.
///
/// # Panics
/// If the program is not there.
pub fn command(program: impl Into<OsString>) -> Command {
    let program = program.into();
    let found = env::split_paths(&path()).map(|directory| directory.join(&program)).find(|file| file.is_file());
    let Some(found) = found else {
        panic!("{} is not there: run `tests/run` once, which installs it", program.display());
    };
    let mut command = Command::new(found);
    command.env("PATH", path());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROLECALL_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end, away from the threads that serve.
pub async fn run(mut command: Command) -> Ended {
    let began = Instant::now();
    let shown = format!("{command:?}");
    let ended = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || command.output())).await;
    let Output { status, stdout, stderr } = ended.unwrap_or_else(|_| panic!("{shown} does not end")).unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr), took: began.elapsed() }
}
