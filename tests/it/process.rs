//! The real binary as a process: a server on a directory and a free port, and any other command run to its end.
//!
//! A server is killed when its [`Process`] is dropped. What a process writes goes to files, so that it never waits for a
//! reader. Variables of the machine's own are kept away from it. [`Random`] is for tests that roll dice.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Debug builds on a busy machine are slow to start; nothing waits so long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `rolecall serve` that was started.
pub struct Process {
    child: Child,
    /// Where its ready file and its output are; not its data.
    place: TempDir,
}

impl Process {
    /// Starts a server on a directory; it may not be ready for some time.
    pub fn spawn(data: &Path, arguments: &[&str]) -> Self {
        Self::spawn_with(data, arguments, &[])
    }

    /// The same with variables.
    pub fn spawn_with(data: &Path, arguments: &[&str], variables: &[(&str, &OsStr)]) -> Self {
        let place = TempDir::new().unwrap();
        let mut command = rolecall();
        command.args(["serve", "--listen", "127.0.0.1:0"]).arg("--ready-file").arg(place.path().join("ready"));
        command.arg("--data-dir").arg(data);
        if !arguments.contains(&"--drain") {
            command.args(["--drain", "0s"]);
        }
        Self::run(command.args(arguments).envs(variables.iter().copied()), place)
    }

    fn run(command: &mut Command, place: TempDir) -> Self {
        let file = |name| Stdio::from(File::create(place.path().join(name)).unwrap());
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Self { child, place }
    }

    /// Starts a server and waits until it answers.
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut process = Self::spawn(data, arguments);
        process.wait_until_ready();
        process
    }

    /// Starts `serve --demo`.
    pub fn start_demo() -> Self {
        let place = TempDir::new().unwrap();
        let mut command = rolecall();
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--drain", "0s"]);
        let mut process = Self::run(command.arg("--ready-file").arg(place.path().join("ready")), place);
        process.wait_until_ready();
        process
    }

    /// Panics with what it said if it ends instead.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while !self.place.path().join("ready").exists() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status} and was expected to start:\n{}", self.stderr());
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not become ready:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn is_ready(&self) -> bool {
        self.place.path().join("ready").exists()
    }

    /// As `http://127.0.0.1:PORT`. It has to be ready.
    pub fn address(&self) -> String {
        format!("http://{}", std::fs::read_to_string(self.place.path().join("ready")).unwrap().trim())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.place.path().join("err")).unwrap()
    }

    pub fn stdout(&self) -> String {
        std::fs::read_to_string(self.place.path().join("out")).unwrap()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        // One that has ended already is none the worse for it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// SIGKILL, and until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself. Gives its exit code.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return code(status);
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM, and until it has stopped in good order.
    #[track_caller]
    pub fn stop(&mut self) {
        self.terminate();
        assert_eq!(self.wait(), 0, "{}", self.stderr());
    }

    /// The fields of the log line with this message, if there is one.
    pub fn logged(&self, message: &str) -> Option<serde_json::Value> {
        let lines = self.stderr();
        let mut lines = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find(|line| line["message"] == message)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command came to.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Its standard output, if it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// The binary, away from the machine's own variables. Add arguments, then [`run`] it.
pub fn rolecall() -> Command {
    let mut command = Command::new(program());
    command.env_clear();
    command
}

pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_rolecall").into()
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: code(output.status), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The exit code; -1 for one that was killed.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// Chance that can be repeated.
pub struct Random(u64);

impl Random {
    /// The seed is that of the variable, or any; printed, so that a failure can be repeated.
    pub fn new(test: &str) -> Self {
        let given = std::env::var("ROLECALL_SEED").ok().map(|seed| seed.parse().expect("ROLECALL_SEED is a number"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = given.unwrap_or_else(|| now.subsec_nanos().into());
        println!("{test}: ROLECALL_SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// Up to so many milliseconds.
    pub fn wait(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(from * 1000 + self.next() % ((to - from) * 1000 + 1))
    }

    /// Another one, whose numbers do not depend on how often this one is asked.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}
