//! `import`: creates users from lines of JSON, as many as there are, and tells how far it has come.
//!
//! The file is read and sent piece by piece; the server takes it in steps and answers each, and so what was answered
//! stays, whatever happens to the rest. A file that cannot be read to its end never looks like a whole one. Start with
//! [`run`].

use std::{
    fs::File,
    future::pending,
    io::{self, IsTerminal, Read},
    path::Path,
    thread,
    time::Instant,
};

use clap::{Args, ValueEnum};
use futures_util::stream;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::sync::mpsc;
use tonic::{Request, Status};

use super::{
    Exit, Failure, Format, Output,
    client::{Client, ClientSettings},
    session::count,
};
use crate::proto::{
    FileProblem, ImportUsersProgress, ImportUsersRequest, import_users_request, import_users_response::Event,
};

const CHUNK_BYTES: usize = 256 << 10;

/// The part of the help that shows how it is used.
pub const EXAMPLES: &str = "\
A line: {\"id\": \"ana\", \"teams\": [\"support\"], \"roles\": [\"agent\", {\"role\": \"custom/lead\", \"resource\": \"lines/l1\"}]}
The fields are those of users in account files. An import that was interrupted is run again as it was.

Examples:
  rolecall import users.jsonl --account demo
  rolecall export accounts/demo --users | rolecall import - --account copy";

/// How users are imported.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// What to do about a user that is there already and differs from its line
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    on_existing: OnExisting,

    /// Only check whether it would be done; nothing changes
    #[arg(long)]
    dry_run: bool,
}

/// What to do about a user that is there already and differs from its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OnExisting {
    /// End with an error
    #[default]
    Refuse,
    /// Leave it as it is
    Skip,
    /// Make it what its line says
    Update,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Report<'a> {
    account: &'a str,
    lines: i64,
    created: i64,
    unchanged: i64,
    skipped: i64,
    updated: i64,
    consistency_token: &'a str,
}

/// Sends the lines, and prints what came of them.
///
/// # Errors
/// That the file cannot be read, what is wrong with its lines, or what the server says.
pub async fn run(
    settings: &ClientSettings,
    account: String,
    file: &Path,
    how: &ImportArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let source = Source::open(file)?;
    let bar = bar(source.bytes);
    let label = source.label.clone();
    let client = Client::connect(settings).await?;
    let mut outcome = Outcome { bar: bar.clone(), began: Instant::now(), last: None, problems: Vec::new() };
    // Nothing is awaited on this connection after this: what is still to be sent breaks off with it.
    let ended = client.stream(send(&client, &account, source, how, &mut outcome)).await;
    bar.finish_and_clear();
    for problem in &outcome.problems {
        output.complain(&format!("{label}:{}:{}: {}", problem.line, problem.column, problem.message));
    }
    let done = outcome.last.unwrap_or_default();
    if let Err(failure) = ended {
        return Err(told(failure, &done, &outcome.problems, &label));
    }
    if !done.done {
        return Err(Failure::new(Exit::Internal, "the server ended before all lines were imported").with_next(AGAIN));
    }
    print(settings.format, &account, &done, how, output).map(|()| Exit::Ok)
}

const AGAIN: &str = "run it again: users that are there already, just as their lines say, are passed over";

/// What came of sending, as far as it was answered.
struct Outcome {
    bar: ProgressBar,
    began: Instant,
    last: Option<ImportUsersProgress>,
    problems: Vec<FileProblem>,
}

impl Outcome {
    fn note(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Problem(problem)) => self.problems.push(problem),
            Some(Event::Progress(progress)) => {
                self.bar.set_position(u64::try_from(progress.byte_count).unwrap_or_default());
                let users = users(&progress);
                let seconds = self.began.elapsed().as_secs_f64().max(0.001);
                let speed = (users as f64 / seconds) as u64;
                self.bar.set_message(format!("{} users, {} users/s", HumanCount(users), HumanCount(speed)));
                self.last = Some(progress);
            }
            None => {}
        }
    }
}

/// How many users are done.
fn users(progress: &ImportUsersProgress) -> u64 {
    let counts = [progress.created_count, progress.unchanged_count, progress.skipped_count, progress.updated_count];
    u64::try_from(counts.iter().sum::<i64>()).unwrap_or_default()
}

/// A failure that says how far the import has come.
fn told(failure: Failure, done: &ImportUsersProgress, problems: &[FileProblem], label: &str) -> Failure {
    if !problems.is_empty() {
        let lines = match done.line_count {
            0 => "nothing was imported".to_owned(),
            done => format!("lines 1 to {done} are imported, and nothing after them"),
        };
        let problems = count(problems.len(), "problem");
        let next = "correct them and run it again: users that are there already are passed over";
        return Failure::new(Exit::Data, format!("{problems} in {label}; {lines}")).with_next(next);
    }
    if failure.exit != Exit::Unavailable {
        return failure;
    }
    let mut failure = failure;
    failure.details.push(match done.line_count {
        0 => "of no line is known that it was imported".to_owned(),
        done => format!("lines 1 to {done} are imported, and perhaps some after them"),
    });
    failure.with_next(AGAIN)
}

fn print(
    format: Format,
    account: &str,
    done: &ImportUsersProgress,
    how: &ImportArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let ImportUsersProgress { line_count, created_count, unchanged_count, skipped_count, updated_count, .. } = *done;
    let consistency_token = &done.consistency_token;
    if format != Format::Table {
        let (lines, created, unchanged) = (line_count, created_count, unchanged_count);
        let (skipped, updated) = (skipped_count, updated_count);
        let report = Report { account, lines, created, unchanged, skipped, updated, consistency_token };
        return output.value(&report, format);
    }
    let before = if how.dry_run { "dry run, nothing was changed: " } else { "" };
    let users = count(i64::try_from(users(done)).unwrap_or(i64::MAX), "user");
    output.line(&format!(
        "{before}{account}: {users} imported: {created_count} created, {updated_count} updated, {unchanged_count} there \
         already, {skipped_count} left as they are"
    ))
}

async fn send(
    client: &Client,
    account: &str,
    source: Source,
    how: &ImportArgs,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let existing = match how.on_existing {
        OnExisting::Refuse => import_users_request::Existing::Refuse,
        OnExisting::Skip => import_users_request::Existing::Skip,
        OnExisting::Update => import_users_request::Existing::Update,
    };
    let first = ImportUsersRequest {
        parent: account.to_owned(),
        existing: existing.into(),
        validate_only: how.dry_run,
        ..ImportUsersRequest::default()
    };
    let (failed, mut failure) = mpsc::channel(1);
    let pieces = stream::unfold((source.start(), failed, Some(first)), |(mut pieces, failed, first)| async move {
        if let Some(first) = first {
            return Some((first, (pieces, failed, None)));
        }
        let gone = || Some(Err(io::Error::other("reading stopped early")));
        // The end is a piece of its own, and behind it there is nothing.
        match pieces.recv().await.or_else(gone)? {
            Ok(Piece::Bytes(chunk)) => {
                Some((ImportUsersRequest { chunk, ..Default::default() }, (pieces, failed, None)))
            }
            Ok(Piece::Last) => Some((ImportUsersRequest { last: true, ..Default::default() }, (pieces, failed, None))),
            Ok(Piece::End) => None,
            Err(error) => {
                // Nobody listens any more if the call is already over.
                let _ = failed.send(error).await;
                pending().await
            }
        }
    });
    let call = async {
        let mut answers = client.users().import_users(Request::new(pieces)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            outcome.note(answer.event);
        }
        Ok::<_, Status>(())
    };
    tokio::select! {
        biased;
        Some(error) = failure.recv() => Err(unreadable("the lines", &error)),
        ended = call => Ok(ended?),
    }
}

/// Lines that are about to be sent.
struct Source {
    /// How people call them.
    label: String,
    /// How many bytes there are, as far as that is known.
    bytes: Option<u64>,
    content: Box<dyn Read + Send>,
}

/// What the reading thread hands over.
enum Piece {
    Bytes(Vec<u8>),
    /// There is nothing more to read.
    Last,
    /// There is nothing more to send.
    End,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let label = "(standard input)".to_owned();
            return Ok(Self { label, bytes: None, content: Box::new(io::stdin()) });
        }
        let label = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&label, &error))?;
        let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Ok(Self { label, bytes, content: Box::new(file) })
    }

    /// Starts reading, on a thread of its own: a pipe may keep it waiting while the connection has to stay alive.
    fn start(self) -> mpsc::Receiver<io::Result<Piece>> {
        let (pieces, received) = mpsc::channel(4);
        let mut content = self.content;
        thread::spawn(move || {
            loop {
                let mut bytes = Vec::with_capacity(CHUNK_BYTES);
                let read = (&mut content).take(CHUNK_BYTES as u64).read_to_end(&mut bytes);
                let is_last = bytes.is_empty();
                let piece = read.map(|_| if is_last { Piece::Last } else { Piece::Bytes(bytes) });
                if pieces.blocking_send(piece).is_err() {
                    return;
                }
                if is_last {
                    let _ = pieces.blocking_send(Ok(Piece::End));
                    return;
                }
            }
        });
        received
    }
}

fn unreadable(label: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Input, format!("cannot read {label}: {error}"))
}

/// On a terminal only. Of what comes through a pipe nobody knows how long it is.
fn bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (template, length) = match bytes {
        Some(_) => ("{bar:40} {percent}% {msg}, {eta} left", bytes),
        None => ("{spinner} {bytes} {msg}, {elapsed}", None),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style)
}
