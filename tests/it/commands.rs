//! The commands of README.md and docs/, run as they are written.
//!
//! A block marked `sh` is run; all blocks of a file share one shell, one directory and one server with the demo. If a
//! block marked `text` follows with nothing between, the output has to be that. There `...` stands for anything: for
//! the rest of a word or line within a line, for any number of lines on a line of its own. Blocks marked `sh setup` and
//! `console` are shown and not run: they build, or belong to a machine that is not this one.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::tools::{self, root};

/// The port of a server that is told nothing, which is what the documents use.
const PORT: u16 = 50051;
/// How long all commands of one file may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A block of commands.
#[derive(Debug, PartialEq)]
struct Block {
    /// Where its first line is.
    line: usize,
    commands: String,
    /// What they have to print, if the document says so.
    output: Option<String>,
}

/// What a document has.
#[derive(Debug, Default)]
struct Document {
    blocks: Vec<Block>,
    /// How many blocks are shown and not run.
    not_run: usize,
}

/// Finds the blocks of a document.
///
/// # Errors
/// What is wrong: a block that looks like commands and says neither that it is run nor that it is not, or one that
/// does not end.
fn read(markdown: &str) -> Result<Document, String> {
    let mut document = Document::default();
    // Whether nothing but empty lines came since the end of a block that is run.
    let mut follows = false;
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(kind) = line.trim().strip_prefix("```") else {
            follows &= line.trim().is_empty();
            continue;
        };
        let mut body = String::new();
        loop {
            let (_, line) = lines.next().ok_or_else(|| format!("line {}: the block does not end", number + 1))?;
            if line.trim() == "```" {
                break;
            }
            // A block within a list is indented, and its text is not.
            let own = line.len() - line.trim_start().len();
            body.push_str(&line[indent.min(own)..]);
            body.push('\n');
        }
        match kind.trim() {
            "sh" => document.blocks.push(Block { line: number + 2, commands: body, output: None }),
            "sh setup" | "console" => document.not_run += 1,
            "text" if follows => document.blocks.last_mut().unwrap().output = Some(body),
            kind @ ("" | "bash" | "shell" | "zsh" | "shell-session" | "console-output") => {
                return Err(format!(
                    "line {}: a block is marked {kind:?}: use sh, sh setup, console or text",
                    number + 1
                ));
            }
            kind if kind.starts_with("sh ") => return Err(format!("line {}: {kind:?} is unknown", number + 1)),
            _ => {}
        }
        follows = kind.trim() == "sh";
    }
    Ok(document)
}

/// How many commands a block has: its lines, less those that go on with another, comments, and texts for a command.
fn count(commands: &str) -> usize {
    let mut end_of_text = None;
    let mut goes_on = false;
    let mut found = 0;
    for line in commands.lines() {
        if let Some(end) = &end_of_text {
            if line == end {
                end_of_text = None;
            }
            continue;
        }
        found += usize::from(!goes_on && !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        goes_on = line.ends_with('\\');
        end_of_text = line.split_once("<<").map(|(_, after)| {
            after.trim_start_matches('-').split_whitespace().next().unwrap().trim_matches(['\'', '"']).to_owned()
        });
    }
    found
}

/// What differs between two runs: consistency tokens and times.
fn normalised(text: &str) -> String {
    // In base64: 22 bytes that begin with 1 and "c", or for a page 38 and more that begin with 1 and "p".
    let is_token = |word: &str| {
        let is_known = |each: char| each.is_ascii_alphanumeric() || each == '-' || each == '_';
        let has_shape = (word.len() == 30 && word.starts_with("AW")) || (word.len() > 50 && word.starts_with("AX"));
        has_shape && word.chars().all(is_known)
    };
    let is_time = |word: &str| {
        let shape: String = word.chars().map(|each| if each.is_ascii_digit() { '0' } else { each }).collect();
        shape.starts_with("0000-00-00T00:00:00") && word.ends_with('Z')
    };
    let is_apart = |each: char| each.is_whitespace() || "\"',()".contains(each);
    let word = |word: &str| {
        let (inner, end) =
            word.split_at(word.len() - word.chars().last().filter(|c| is_apart(*c)).map_or(0, char::len_utf8));
        let shown = if is_token(inner) {
            "TOKEN"
        } else if is_time(inner) {
            "TIME"
        } else {
            inner
        };
        format!("{shown}{end}")
    };
    text.trim_end()
        .lines()
        .map(|line| line.trim_end().split_inclusive(is_apart).map(word).collect::<String>() + "\n")
        .collect()
}

/// Whether a line is as expected, where `...` stands for anything.
fn line_matches(expected: &str, line: &str) -> bool {
    match expected.split_once("...") {
        None => expected == line,
        Some((before, after)) => {
            let Some(rest) = line.strip_prefix(before) else { return false };
            (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| line_matches(after, rest))
        }
    }
}

/// Whether an output is as expected, where a line that is `...` stands for any number of lines.
fn matches(expected: &[&str], lines: &[&str]) -> bool {
    match expected {
        [] => lines.is_empty(),
        [first, after @ ..] if first.trim() == "..." => (0..=lines.len()).any(|skip| matches(after, &lines[skip..])),
        [first, after @ ..] => {
            lines.split_first().is_some_and(|(line, rest)| line_matches(first, line) && matches(after, rest))
        }
    }
}

fn output_matches(expected: &str, output: &str) -> bool {
    let (expected, output) = (normalised(expected), normalised(output));
    matches(&expected.lines().collect::<Vec<_>>(), &output.lines().collect::<Vec<_>>())
}

/// The only holder of the port, among all test runs on this machine.
struct Port {
    _lock: File,
}

impl Port {
    fn take() -> Self {
        let lock = File::create(std::env::temp_dir().join(format!("rolecall-port-{PORT}.lock"))).unwrap();
        lock.lock().unwrap();
        Self::assert_free();
        Self { _lock: lock }
    }

    fn assert_free() {
        // Asked, not bound: a process that is being started elsewhere in this test would hold on to the port for a moment.
        let taken = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_ok();
        assert!(!taken, "port {PORT} is taken: the documents are tested on it; stop what listens there");
    }
}

/// A program that ends with the test, and everything that it has started with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let group = Pid::from_child(&self.0);
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// Starts a program in a directory of its own, with that as its home and for its temporary files.
fn start(mut command: Command, directory: &Path, output: &str) -> Running {
    let output = File::create(directory.join(output)).unwrap();
    command
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    Running(command.spawn().unwrap())
}

/// Copies what documents may name: everything of the repository but what is hidden, built or ours to test with.
fn copy_repository(to: &Path) {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name();
        let shown = name.to_string_lossy();
        if !shown.starts_with('.') && !["target", "src", "tests", "rolecall-data"].contains(&shown.as_ref()) {
            copy(&root().join(&name), &to.join(&name));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Runs the blocks of one document against a server of their own.
///
/// # Errors
/// Where a command failed or printed something else, and what.
fn run(blocks: &[Block]) -> Result<(), String> {
    Port::assert_free();
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    copy_repository(theirs.path());
    let mut serve = tools::command(env!("CARGO_BIN_EXE_rolecall"));
    serve.args(["serve", "--demo"]).current_dir(&ours);
    let mut server = start(serve, ours.path(), "server");
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_err() {
        let log = || fs::read_to_string(ours.path().join("server")).unwrap();
        assert!(server.0.try_wait().unwrap().is_none(), "the server has ended: {}", log());
        assert!(began.elapsed() < PATIENCE, "the server does not start: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }

    // Each block is a file of its own, so that a block that no shell can read is known by its line.
    let place = |name: &str, index: usize| ours.path().join(format!("{name}-{index}"));
    // Whatever a document starts in the background ends with its shell.
    let mut script = "trap 'jobs -p | xargs -r kill || true' EXIT\n".to_owned();
    for (index, block) in blocks.iter().enumerate() {
        let (commands, output) = (place("commands", index), place("output", index));
        fs::write(&commands, &block.commands).unwrap();
        script += &format!("source '{}' >'{}' 2>&1 </dev/null\n", commands.display(), output.display());
    }
    let mut shell = tools::command("bash");
    let path =
        std::env::join_paths([tools::built().to_owned()].into_iter().chain(std::env::split_paths(&tools::path())));
    shell.args(["-euo", "pipefail", "-c", &script]).env("PATH", path.unwrap()).current_dir(&theirs);
    let mut shell = start(shell, theirs.path(), ".shell");
    let began = Instant::now();
    let code = loop {
        match shell.0.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if began.elapsed() > PATIENCE => break None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let printed = |index| fs::read_to_string(place("output", index)).unwrap_or_default();
    let reached = (0..blocks.len()).rev().find(|index| place("output", *index).exists()).unwrap_or_default();
    for (index, block) in blocks.iter().enumerate().take(reached + 1) {
        let (line, commands, printed) = (block.line, &block.commands, printed(index));
        if index == reached && code != Some(0) {
            let how = code.map_or("did not end".to_owned(), |code| format!("ended with {code}"));
            return Err(format!("line {line}: the block {how}\n{commands}--- it printed\n{printed}"));
        }
        if let Some(expected) = block.output.as_ref().filter(|expected| !output_matches(expected, &printed)) {
            return Err(format!("line {line}: {commands}--- should print\n{expected}--- but printed\n{printed}"));
        }
    }
    Ok(())
}

/// README.md and every document below docs/, as far as they are there.
fn documents() -> Vec<PathBuf> {
    fn below(path: &Path, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| below(&entry.unwrap().path(), found));
        } else if path.extension().is_some_and(|extension| extension == "md") && path.exists() {
            found.push(path.to_owned());
        }
    }
    let mut found = Vec::new();
    ["README.md", "docs"].iter().for_each(|name| below(&root().join(name), &mut found));
    found.sort();
    found
}

#[test]
fn every_command_of_the_documents_does_what_they_say() {
    let _port = Port::take();
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let document = match read(&fs::read_to_string(&path).unwrap()) {
            Ok(document) => document,
            Err(error) => {
                wrong.push(format!("{name}, {error}"));
                continue;
            }
        };
        if document.blocks.is_empty() && document.not_run == 0 {
            continue;
        }
        if !document.blocks.is_empty()
            && let Err(error) = run(&document.blocks)
        {
            wrong.push(format!("{name}, {error}"));
        }
        let commands: usize = document.blocks.iter().map(|block| count(&block.commands)).sum();
        // Written past the test harness, which shows what a test prints only if it fails.
        let _ = writeln!(std::io::stderr(), "{name}: {commands} commands run, {} blocks not run", document.not_run);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

const SAMPLE: &str = "\
Start it:

```sh setup
false
```

```sh
# One shell for all blocks.
cd presets && here=$PWD
rolecall check users/beatriz reports.detailed.view \\
  --account demo
```

```text
ALLOW  ALLOWED
...
```

- In a list:

  ```sh
  test \"$here\" = \"$PWD\"
  rolecall check users/beatriz reports.detailed.view --account demo -o json
  ```

  ```text
  {
    \"decision\": \"DECISION_ALLOW\",
    \"reason\": \"DECISION_REASON_...\",
    \"consistency_token\": \"AWNJHjC_5hoVuAAAAAAAAAAC7lMgww\"
  }
  ```

```text
Not the output of anything.
```
";

#[test]
fn blocks_are_found_with_what_they_have_to_print() {
    let document = read(SAMPLE).unwrap();
    assert_eq!(document.not_run, 1);
    let lines: Vec<(usize, usize, bool)> =
        document.blocks.iter().map(|block| (block.line, count(&block.commands), block.output.is_some())).collect();
    assert_eq!(lines, [(8, 2, true), (22, 2, true)]);
    assert!(document.blocks[1].commands.starts_with("test "));
    assert!(document.blocks[1].output.as_ref().unwrap().starts_with("{\n  \"decision\""));
    assert_eq!(count("cat > a <<'END'\none\ntwo\nEND\nrolecall apply a\n"), 2);
    for wrong in ["```bash\nls\n```\n", "```\nls\n```\n", "```sh ignore\nls\n```\n", "```sh\nls\n"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn dots_stand_for_anything() {
    for (expected, output, is_match) in [
        ("a\nb\n", "a  \nb\n\n", true),
        ("a\n", "a\nb\n", false),
        ("a\n...\n", "a\n", true),
        ("a\n...\nd\n", "a\nb\nc\nd\n", true),
        ("a\n...\nd\n", "a\nb\nc\n", false),
        ("a...b...c", "a-bb--c", true),
        ("a...b", "a-c", false),
        ("at 2026-01-01T00:00:00Z", "at 2027-11-22T02:08:41.577619Z", true),
        ("\"AWNJHjC_5hoVuAAAAAAAAAAC7lMgww\"", "\"AWNKHjC_5hoVuAAAAAAAAAAC7lMgwx\"", true),
        ("\"AWNJHjC_5hoVuAAAAAAAAAAC7lMgww\"", "\"AWNqJXonxDnZdAAAAAAAAAACyBMnaw\"", true),
        ("\"AWNJHjC_5hoVuAAAAAAAAAAC7lMgww\"", "\"\"", false),
    ] {
        assert_eq!(output_matches(expected, output), is_match, "{expected:?} and {output:?}");
    }
}

#[test]
fn a_document_that_is_right_passes_and_one_that_is_wrong_does_not() {
    let _port = Port::take();
    run(&read(SAMPLE).unwrap().blocks).unwrap();
    for (markdown, complaint) in [
        ("```sh\ntrue\n```\n\n```sh\nfalse\ntrue\n```\n", "line 6: the block ended with 1"),
        ("```sh\nfalse | cat\n```\n", "ended with 1"),
        ("```sh\necho $unset_variable\n```\n", "ended with 1"),
        ("```sh\nif\n```\n", "line 2: the block ended with"),
        ("```sh\necho one; echo two >&2\n```\n```text\none\n```\n", "but printed\none\ntwo"),
        ("```sh\necho one\n```\n```text\ntwo\n```\n```sh\nfalse\n```\n", "line 2: echo one"),
    ] {
        let error = run(&read(markdown).unwrap().blocks).unwrap_err();
        assert!(error.contains(complaint), "{markdown}: {error}");
    }
}
