//! UserService.ImportUsers: lines that come in pieces, taken in step by step.
//!
//! While one step is being written, the next is read and parsed, and no more than that: how much memory an import takes
//! does not depend on its length, and a caller that sends faster than steps are written has to wait. Steps are written one
//! after another, so that what is in force is always the lines up to one of them. Read [`run`].

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::{Api, parse::Fields, upload};
use crate::{
    files::{MAX_LINE_BYTES, Position, Problems, UserDefinition, parse_user},
    model::AccountId,
    proto::{
        ImportUsersProgress, ImportUsersRequest, ImportUsersResponse, import_users_request::Existing as Asked,
        import_users_response::Event,
    },
    service::{ErrorReason, Existing, ImportedUsers, ServiceError, import_users},
};

/// The most lines of a step.
const STEP_LINES: u32 = 1_000;
/// A step with so many bytes is followed by another.
const STEP_BYTES: usize = 1 << 20;
/// How many steps may wait, parsed, for the one that is being written.
const STEPS_AHEAD: usize = 1;

/// How an import wants to be treated: what its first message says.
struct Wish {
    account: AccountId,
    existing: Existing,
    is_dry: bool,
}

impl Wish {
    fn of(first: &ImportUsersRequest) -> Result<Self, ServiceError> {
        let mut fields = Fields::default();
        let account = fields.account("parent", &first.parent);
        let existing = match Asked::try_from(first.existing) {
            Ok(Asked::Unspecified | Asked::Refuse) => Some(Existing::Refuse),
            Ok(Asked::Skip) => Some(Existing::Skip),
            Ok(Asked::Update) => Some(Existing::Update),
            Err(_) => {
                let given = first.existing;
                let expected = "EXISTING_REFUSE, EXISTING_SKIP or EXISTING_UPDATE is expected";
                fields.wrong("existing", format!("{given} was given; {expected}"));
                None
            }
        };
        let (account, existing) = fields.done(account.zip(existing))?;
        Ok(Self { account, existing, is_dry: first.validate_only })
    }
}

/// Some lines, as they came.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    /// How many there are, and how many there are up to their end.
    count: u32,
    end: u32,
    /// How many bytes there are up to their end.
    end_byte: u64,
    is_last: bool,
}

/// A step that is ready to be written.
struct Step {
    users: Vec<UserDefinition>,
    problems: Problems,
    end: u32,
    end_byte: u64,
    is_last: bool,
}

/// Takes lines in until their end, and sends how far it has come.
pub(super) async fn run(
    api: Api,
    mut messages: Streaming<ImportUsersRequest>,
    sender: mpsc::Sender<Result<ImportUsersResponse, Status>>,
) -> Result<(), Status> {
    let Some(first) = next(&mut messages).await? else { return Err(cut_off().into()) };
    let wish = Wish::of(&first)?;
    let (steps, ready) = mpsc::channel(STEPS_AHEAD);
    let mut reading = Box::pin(read(first, messages, steps));
    let mut writing = Box::pin(write(&api, &wish, ready, &sender));
    tokio::select! {
        biased;
        // A step that is refused ends the import, whatever the caller is still to send.
        written = &mut writing => match written {
            Ok(()) => reading.await,
            refused => refused,
        },
        // What was read is written, and only then is said what was wrong with the rest.
        read = &mut reading => writing.await.and(read),
    }
}

/// The next message; none: the caller has gone, or thinks that it is done.
async fn next(messages: &mut Streaming<ImportUsersRequest>) -> Result<Option<ImportUsersRequest>, Status> {
    tokio::time::timeout(upload::IDLE, messages.message()).await.map_err(|_| {
        Status::deadline_exceeded("the import said nothing for 30 seconds; what was answered is in force")
    })?
}

fn cut_off() -> ServiceError {
    let description = "the import ended without a message that has it set; what was answered is in force";
    ServiceError::field("last", description)
}

/// Reads lines, and gives them on in steps.
async fn read(
    first: ImportUsersRequest,
    mut messages: Streaming<ImportUsersRequest>,
    steps: mpsc::Sender<Step>,
) -> Result<(), Status> {
    let mut message = first;
    let mut lines = Lines::default();
    loop {
        let ImportUsersRequest { chunk, last, .. } = message;
        if chunk.len() > upload::MAX_CHUNK_BYTES {
            let (given, maximum) = (chunk.len(), upload::MAX_CHUNK_BYTES);
            let message = format!("a chunk has {given} bytes; the maximum is {maximum}");
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).into());
        }
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            rest = lines.take(rest);
            if lines.is_full() && !give(&mut lines, &steps).await? {
                return Ok(());
            }
        }
        if lines.has_long_line() {
            let line = lines.end.saturating_add(1);
            let message = format!("line {line} is longer than {MAX_LINE_BYTES} bytes, the maximum");
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).with("line", line.to_string()).into());
        }
        if last {
            lines.finish();
            give(&mut lines, &steps).await?;
            return Ok(());
        }
        message = next(&mut messages).await?.ok_or_else(cut_off)?;
    }
}

impl Lines {
    /// Takes bytes up to the end of a step, and gives the others back.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut taken = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            taken += line.len();
            if line.ends_with(b"\n") {
                self.count += 1;
                if self.count >= STEP_LINES || self.text.len() + taken >= STEP_BYTES {
                    break;
                }
            }
        }
        let (own, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        self.text.extend_from_slice(own);
        rest
    }

    fn is_full(&self) -> bool {
        self.text.ends_with(b"\n") && (self.count >= STEP_LINES || self.text.len() >= STEP_BYTES)
    }

    /// Whether a line has been begun that can be none.
    fn has_long_line(&self) -> bool {
        let begun = self.text.rsplit(|byte| *byte == b'\n').next();
        self.text.len() > MAX_LINE_BYTES && begun.is_some_and(|line| line.len() > MAX_LINE_BYTES)
    }

    /// Ends the last line, which needs no line end.
    fn finish(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(b"\n") {
            self.count += 1;
        }
        self.is_last = true;
    }

    /// What there is, and room for what comes after it.
    fn cut(&mut self) -> Self {
        let text = std::mem::take(&mut self.text);
        self.end = self.end.saturating_add(self.count);
        self.end_byte += text.len() as u64;
        let (count, is_last) = (std::mem::take(&mut self.count), self.is_last);
        Self { text, count, end: self.end, end_byte: self.end_byte, is_last }
    }

    /// Parses each line. Cost: linear in them.
    fn parse(self) -> Step {
        let mut problems = Problems::default();
        let mut users = Vec::with_capacity(usize::try_from(self.count).unwrap_or_default());
        let first = self.end.saturating_sub(self.count).saturating_add(1);
        for (number, line) in (first..).zip(self.text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.len() > MAX_LINE_BYTES {
                let message = format_args!("the line is longer than {MAX_LINE_BYTES} bytes, the maximum");
                problems.add(Position { line: number, column: 1 }, message);
            } else if !line.is_empty() {
                users.extend(parse_user(line, number, &mut problems));
            }
        }
        Step { users, problems, end: self.end, end_byte: self.end_byte, is_last: self.is_last }
    }
}

/// Parses a step away from the threads that serve calls, and gives it on. Whether anybody takes it.
async fn give(lines: &mut Lines, steps: &mpsc::Sender<Step>) -> Result<bool, Status> {
    // Only now, so that no more is parsed ahead than there is room for.
    let Ok(room) = steps.reserve().await else { return Ok(false) };
    let lines = lines.cut();
    let step = tokio::task::spawn_blocking(move || lines.parse());
    room.send(step.await.map_err(|_| Status::internal("the lines could not be read"))?);
    Ok(true)
}

/// Writes steps one after another, and says how far it has come after each.
async fn write(
    api: &Api,
    wish: &Wish,
    mut ready: mpsc::Receiver<Step>,
    sender: &mpsc::Sender<Result<ImportUsersResponse, Status>>,
) -> Result<(), Status> {
    let mut sum = ImportedUsers::default();
    let mut done: u32 = 0;
    let event = |event| ImportUsersResponse { event: Some(event) };
    while let Some(step) = ready.recv().await {
        let found = Arc::new(Mutex::new(Some(step.problems).filter(|problems| !problems.is_empty())));
        let is_sound = found.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        let written = match is_sound {
            true => {
                let account = wish.account.clone();
                let write = import_users(account, step.users, wish.existing, wish.is_dry, Arc::clone(&found));
                api.service.write(write).await
            }
            false => Err(ServiceError::new(ErrorReason::FileInvalid, "lines have problems")),
        };
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                let problems = found.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(refuse(sender, done, step.end, problems, error).await);
            }
        };
        sum.add(written.value);
        done = step.end;
        let progress = ImportUsersProgress {
            line_count: i64::from(step.end),
            byte_count: signed(step.end_byte),
            created_count: signed(sum.created),
            unchanged_count: signed(sum.unchanged),
            skipped_count: signed(sum.skipped),
            updated_count: signed(sum.updated),
            consistency_token: api.tokens.write(written.revision),
            done: step.is_last,
        };
        upload::send(sender, event(Event::Progress(progress))).await?;
    }
    Ok(())
}

/// Says why a step was not done, and how far the import has come.
async fn refuse(
    sender: &mpsc::Sender<Result<ImportUsersResponse, Status>>,
    done: u32,
    end: u32,
    problems: Option<Problems>,
    mut error: ServiceError,
) -> Status {
    let stands = match done {
        0 => "nothing was imported".to_owned(),
        done => format!("lines 1 to {done} are imported, and nothing after them"),
    };
    match &problems {
        None => error.message = format!("{}; {stands}", error.message),
        Some(problems) => {
            for problem in problems {
                let event = Some(Event::Problem(upload::file_problem(problem)));
                if let Err(gone) = upload::send(sender, ImportUsersResponse { event }).await {
                    return gone;
                }
            }
            let count = problems.iter().len() as u64 + problems.more();
            let what = if count == 1 { "problem" } else { "problems" };
            error =
                upload::invalid(problems, format!("there are {count} {what} in lines {} to {end}; {stands}", done + 1));
        }
    }
    error.metadata.push(("imported_lines", done.to_string()));
    error.into()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
