//! `apply`: makes a catalog or an account equal to a file, and tells what changed or what is wrong.
//!
//! The server answers with any number of problems, or with any number of changes and then a result. Changes without a
//! result are not in force, and this says so rather than list them. Start with [`run`].

use std::{collections::BTreeMap, path::Path};

use futures_util::StreamExt;
use serde::Serialize;
use tonic::{Request, Status};

use super::{
    Exit, Failure, Format, Output,
    client::{Client, ClientSettings},
    upload::Upload,
};
use crate::files::FileKind;
use crate::proto::{
    AppliedChange, ApplyAccountRequest, ApplyCatalogRequest, CatalogDrop, FileProblem, applied_change::Action,
    apply_account_response::Event as AccountEvent, apply_catalog_response::Event as CatalogEvent,
};

/// More rows than this scroll away on a terminal.
const ROWS_ON_TERMINAL: usize = 50;

/// One thing that the server says about a file, the same for catalogs and accounts.
enum Event {
    Drop(CatalogDrop),
    Problem(FileProblem),
    Change(AppliedChange),
    Result(Applied),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Applied {
    name: String,
    consistency_token: String,
}

/// What came of applying a file.
#[derive(Debug, Default)]
struct Outcome {
    problems: Vec<FileProblem>,
    changes: Vec<AppliedChange>,
    drops: Vec<CatalogDrop>,
    result: Option<Applied>,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    changes: Vec<Change<'a>>,
    consistency_token: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    action: String,
    subject: &'a str,
    detail: &'a str,
}

/// Sends the file, and prints what came of it.
///
/// # Errors
/// That the file cannot be read or is wrong, or what the server says.
pub async fn run(settings: &ClientSettings, file: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let upload = Upload::open(file)?;
    let (label, bar) = (upload.label.clone(), upload.bar.clone());
    let client = Client::connect(settings).await?;
    let mut outcome = Outcome::default();
    // Nothing is awaited after this: see `upload` for why a failed call must break the connection, not cancel the call.
    let ended = client.stream(send(&client, upload, &mut outcome)).await;
    bar.finish_and_clear();
    for problem in &outcome.problems {
        output.complain(&format!("{label}:{}:{}: {}", problem.line, problem.column, problem.message));
    }
    // Problems explain better what is wrong than the status that follows them.
    match (outcome.problems.len(), ended, outcome.result) {
        (0, Err(failure), _) => Err(failure),
        (0, Ok(()), Some(applied)) => print(settings.format, &applied, &outcome.changes, output).map(|()| Exit::Ok),
        (0, Ok(()), None) => Err(Failure::new(Exit::Internal, "the server ended without saying what came of the file")
            .with_next("apply it again: a file that is in force already changes nothing")),
        (problems, ..) => {
            let problems = if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") };
            Err(Failure::new(Exit::Data, format!("{problems} in {label}; nothing was changed")))
        }
    }
}

async fn send(client: &Client, upload: Upload, outcome: &mut Outcome) -> Result<(), Failure> {
    let kind = upload.kind;
    let (chunks, failure) = upload.start();
    let call = async {
        match kind {
            FileKind::Catalog => {
                let chunks = Request::new(
                    chunks
                        .map(|chunk| ApplyCatalogRequest { chunk, last: false, ..Default::default() })
                        .chain(end(ApplyCatalogRequest { chunk: Vec::new(), last: true, ..Default::default() })),
                );
                let mut events = client.catalogs().apply_catalog(chunks).await?.into_inner();
                while let Some(answer) = events.message().await? {
                    outcome.note(answer.event.map(Event::from));
                }
            }
            FileKind::Account => {
                let chunks = Request::new(
                    chunks
                        .map(|chunk| ApplyAccountRequest { chunk, last: false, ..Default::default() })
                        .chain(end(ApplyAccountRequest { chunk: Vec::new(), last: true, ..Default::default() })),
                );
                let mut events = client.accounts().apply_account(chunks).await?.into_inner();
                while let Some(answer) = events.message().await? {
                    outcome.note(answer.event.map(Event::from));
                }
            }
        }
        Ok::<_, Status>(())
    };
    tokio::select! {
        biased;
        Ok(failure) = failure => Err(failure),
        ended = call => Ok(ended?),
    }
}

/// The message that says that the file was whole. The stream of pieces ends only if it was.
fn end<T: Send + 'static>(message: T) -> impl futures_util::Stream<Item = T> + Send + 'static {
    futures_util::stream::iter([message])
}

impl Outcome {
    /// An event that this version does not know says nothing about what is in force.
    fn note(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Problem(problem)) => self.problems.push(problem),
            Some(Event::Change(change)) => self.changes.push(change),
            Some(Event::Result(result)) => self.result = Some(result),
            // Said in full once the call has ended.
            Some(Event::Drop(dropped)) => self.drops.push(dropped),
            None => {}
        }
    }
}

impl From<CatalogEvent> for Event {
    fn from(event: CatalogEvent) -> Self {
        match event {
            CatalogEvent::Problem(problem) => Self::Problem(problem),
            CatalogEvent::Change(change) => Self::Change(change),
            CatalogEvent::Drop(dropped) => Self::Drop(dropped),
            CatalogEvent::Result(result) => {
                Self::Result(Applied { name: result.name, consistency_token: result.consistency_token })
            }
        }
    }
}

impl From<AccountEvent> for Event {
    fn from(event: AccountEvent) -> Self {
        match event {
            AccountEvent::Problem(problem) => Self::Problem(problem),
            AccountEvent::Change(change) => Self::Change(change),
            AccountEvent::Result(result) => {
                Self::Result(Applied { name: result.name, consistency_token: result.consistency_token })
            }
        }
    }
}

fn print(format: Format, applied: &Applied, changes: &[AppliedChange], output: &mut Output) -> Result<(), Failure> {
    let Applied { name, consistency_token } = applied;
    if format != Format::Table {
        let changes = changes.iter().map(Change::of).collect();
        return output.value(&Report { name, changes, consistency_token }, format);
    }
    if changes.is_empty() {
        return output.line(&format!("{name}: nothing changed, the file was in force already"));
    }
    let shown = if output.is_terminal { ROWS_ON_TERMINAL } else { usize::MAX };
    let rows = changes.iter().take(shown).map(|change| {
        let cell = |text: &str| vec![text.to_owned()];
        vec![cell(word(change)), cell(&change.subject), cell(&change.detail)]
    });
    output.table(&["CHANGE", "SUBJECT", "DETAIL"], rows.collect())?;
    if changes.len() > shown {
        output.line(&format!("and {} more; to see all: -o json. In all:", changes.len() - shown))?;
        output.table(&["KIND", "CREATED", "UPDATED", "DELETED"], counts(changes))?;
    }
    let count = |action| changes.iter().filter(|change| change.action() == action).count();
    let (created, updated, deleted) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    output.line(&format!("{name} is as the file says: {created} created, {updated} updated, {deleted} deleted"))
}

impl<'a> Change<'a> {
    fn of(change: &'a AppliedChange) -> Self {
        let action = Action::try_from(change.action);
        Self {
            action: action.map_or_else(|_| change.action.to_string(), |known| known.as_str_name().to_owned()),
            subject: &change.subject,
            detail: &change.detail,
        }
    }
}

fn word(change: &AppliedChange) -> &'static str {
    match change.action() {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Delete => "deleted",
        Action::Unspecified => "changed",
    }
}

/// How much changed, by kind: "users" for "users/ana".
fn counts(changes: &[AppliedChange]) -> Vec<Vec<Vec<String>>> {
    let mut kinds: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for change in changes {
        let [created, updated, deleted] =
            kinds.entry(change.subject.split('/').next().unwrap_or_default()).or_default();
        match change.action() {
            Action::Create => *created += 1,
            Action::Update => *updated += 1,
            Action::Delete => *deleted += 1,
            Action::Unspecified => {}
        }
    }
    let row = |(kind, counts): (&str, [u64; 3])| {
        let counts = counts.into_iter().map(|count| vec![count.to_string()]);
        std::iter::once(vec![kind.to_owned()]).chain(counts).collect()
    };
    kinds.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    fn changes(count: usize) -> Vec<AppliedChange> {
        let change = |number| AppliedChange {
            action: if number % 2 == 0 { Action::Create } else { Action::Update } as i32,
            subject: format!("users/{number}"),
            detail: if number % 2 == 0 { String::new() } else { "teams +support".to_owned() },
        };
        (0..count).map(change).collect()
    }

    fn printed(format: Format, changes: &[AppliedChange], is_terminal: bool) -> String {
        let applied = Applied { name: "accounts/demo".to_owned(), consistency_token: "t".to_owned() };
        let (mut output, page, _) = pages();
        output.is_terminal = is_terminal;
        print(format, &applied, changes, &mut output).unwrap();
        page.text()
    }

    #[test]
    fn what_changed_is_listed_and_summed_up() {
        assert_eq!(
            printed(Format::Table, &changes(2), false),
            "CHANGE   SUBJECT  DETAIL\ncreated  users/0\nupdated  users/1  teams +support\n\
             accounts/demo is as the file says: 1 created, 1 updated, 0 deleted\n"
        );
        assert!(printed(Format::Table, &[], false).contains("nothing changed"));
    }

    #[test]
    fn a_terminal_gets_the_first_rows_and_a_count_and_a_pipe_gets_all() {
        let terminal = printed(Format::Table, &changes(60), true);
        assert!(terminal.contains("users/49") && !terminal.contains("users/50"), "{terminal}");
        assert!(terminal.contains("and 10 more; to see all: -o json"), "{terminal}");
        assert!(printed(Format::Table, &changes(60), false).contains("users/59"));
        let count = |text: &str| vec![text.to_owned()];
        assert_eq!(counts(&changes(60)), [vec![count("users"), count("30"), count("30"), count("0")]]);
    }

    #[test]
    fn programs_get_the_token_and_every_change() {
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Json, &changes(60), true)).unwrap();
        assert_eq!(json["changes"].as_array().unwrap().len(), 60);
        assert_eq!(json["changes"][1]["action"], "ACTION_UPDATE");
        assert_eq!(json["consistency_token"], "t");
    }
}
