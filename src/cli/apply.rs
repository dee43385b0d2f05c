//! `apply`: makes a catalog or an account equal to a file, and tells what changed or what is wrong.
//!
//! The server answers with any number of problems, or with any number of changes and then a result. Changes without a
//! result are not in force, and this says so rather than list them. A catalog that drops something in use is refused with
//! who uses it, and sent again only if that was confirmed. Start with [`run`].

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
};

use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use tonic::{Request, Status};

use super::{
    Exit, Failure, Format, Output,
    client::{Client, ClientSettings},
    session::{Mode, RiskyArgs, confirm, count},
    shown::Shown,
    upload::Upload,
};
use crate::files::FileKind;
use crate::proto::{
    AppliedChange, ApplyAccountRequest, ApplyCatalogRequest, CatalogDrop, FileProblem, applied_change::Action,
    apply_account_response::Event as AccountEvent, apply_catalog_response::Event as CatalogEvent,
};

/// More rows than this scroll away on a terminal.
const ROWS_ON_TERMINAL: usize = 50;

/// How a file is applied.
#[derive(Args, Clone, Debug, Default)]
pub struct ApplyArgs {
    /// A catalog may drop permissions, features and roles that accounts use
    #[arg(long)]
    allow_drops: bool,

    #[command(flatten)]
    risky: RiskyArgs,
}

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
    changes: Vec<Shown<'a, AppliedChange>>,
    drops: Vec<Shown<'a, CatalogDrop>>,
    consistency_token: &'a str,
}

impl ApplyArgs {
    /// Whether the write has an id of its own.
    pub fn is_named(&self) -> bool {
        !self.risky.write.request_id.is_empty()
    }
}

/// Sends the file, and prints what came of it. `open` is asked a second time if the file has to be sent again.
///
/// # Errors
/// That the file cannot be read or is wrong, what the server says, or that a drop was not confirmed.
pub async fn run(
    settings: &ClientSettings,
    open: impl Fn() -> Result<Upload, Failure>,
    how: &ApplyArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let RiskyArgs { write, yes } = &how.risky;
    let may_drop = how.allow_drops && (*yes || write.dry_run);
    let mut attempt = attempt(settings, open()?, write.mode(), may_drop, output).await?;
    if let (Err(failure), false, false) = (&attempt.ended, attempt.outcome.drops.is_empty(), may_drop) {
        let consequences: Vec<_> = attempt.outcome.drops.iter().map(dropped).collect();
        let is_asked = !yes && !write.dry_run && (how.allow_drops || io::stdin().is_terminal());
        if !is_asked {
            let mut failure = failure.clone();
            failure.details = consequences;
            return Err(failure.with_next("to drop it all the same: --allow-drops --yes"));
        }
        confirm(consequences, output)?;
        attempt = self::attempt(settings, open()?, write.mode(), true, output).await?;
    }
    let Attempt { label, ended, outcome } = attempt;
    // Problems explain better what is wrong than the status that follows them.
    match (outcome.problems.len(), ended, &outcome.result) {
        (0, Err(failure), _) => Err(failure),
        (0, Ok(()), Some(applied)) => {
            print(settings.format, applied, &outcome, write.dry_run, output).map(|()| Exit::Ok)
        }
        (0, Ok(()), None) => Err(Failure::new(Exit::Internal, "the server ended without saying what came of the file")
            .with_next("apply it again: a file that is in force already changes nothing")),
        (problems, ..) => {
            let problems = count(problems, "problem");
            Err(Failure::new(Exit::Data, format!("{problems} in {label}; nothing was changed")))
        }
    }
}

/// What came of sending a file once.
struct Attempt {
    label: String,
    ended: Result<(), Failure>,
    outcome: Outcome,
}

async fn attempt(
    settings: &ClientSettings,
    upload: Upload,
    mode: Mode,
    allow_drops: bool,
    output: &mut Output,
) -> Result<Attempt, Failure> {
    let (label, bar) = (upload.label.clone(), upload.bar.clone());
    let client = Client::connect(settings).await?;
    let mut outcome = Outcome::default();
    // Nothing is awaited on this connection after this: see `upload` for why a failed call must break it, not cancel
    // the call.
    let ended = client.stream(send(&client, upload, mode, allow_drops, &mut outcome)).await;
    bar.finish_and_clear();
    for problem in &outcome.problems {
        output.complain(&format!("{label}:{}:{}: {}", problem.line, problem.column, problem.message));
    }
    Ok(Attempt { label, ended, outcome })
}

async fn send(
    client: &Client,
    upload: Upload,
    Mode { validate_only, request_id }: Mode,
    allow_drops: bool,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let kind = upload.kind;
    let (chunks, failure) = upload.start();
    let call = async {
        match kind {
            FileKind::Catalog => {
                let last = ApplyCatalogRequest {
                    last: true,
                    validate_only,
                    request_id,
                    allow_drops,
                    ..ApplyCatalogRequest::default()
                };
                let chunks = chunks.map(|chunk| ApplyCatalogRequest { chunk, ..ApplyCatalogRequest::default() });
                let chunks = Request::new(chunks.chain(end(last)));
                let mut events = client.catalogs().apply_catalog(chunks).await?.into_inner();
                while let Some(answer) = events.message().await? {
                    outcome.note(answer.event.map(Event::from));
                }
            }
            FileKind::Account => {
                let last =
                    ApplyAccountRequest { last: true, validate_only, request_id, ..ApplyAccountRequest::default() };
                let chunks = chunks.map(|chunk| ApplyAccountRequest { chunk, ..ApplyAccountRequest::default() });
                let chunks = Request::new(chunks.chain(end(last)));
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

/// What is dropped although it is used, and by whom.
fn dropped(dropped: &CatalogDrop) -> String {
    let CatalogDrop { subject, account_count, use_count, used_by } = dropped;
    let (uses, accounts) = (count(*use_count, "use"), count(*account_count, "account"));
    let shown = i64::try_from(used_by.len()).unwrap_or(i64::MAX);
    let among = if *use_count > shown { "among them " } else { "" };
    format!("{subject} would go: {uses} in {accounts}, {among}{}", used_by.join(", "))
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

fn print(
    format: Format,
    applied: &Applied,
    outcome: &Outcome,
    dry_run: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let Applied { name, consistency_token } = applied;
    let Outcome { changes, drops, .. } = outcome;
    if format != Format::Table {
        let changes = changes.iter().map(Shown).collect();
        let drops = drops.iter().map(Shown).collect();
        return output.value(&Report { name, changes, drops, consistency_token }, format);
    }
    let before = if dry_run { "dry run, nothing was changed: " } else { "" };
    if changes.is_empty() {
        return output.line(&format!("{before}{name}: nothing changed, the file was in force already"));
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
    output.line(&format!("{before}{name} is as the file says: {created} created, {updated} updated, {deleted} deleted"))
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
        let outcome = Outcome { changes: changes.to_vec(), ..Outcome::default() };
        print(format, &applied, &outcome, false, &mut output).unwrap();
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
    fn what_is_dropped_although_it_is_used_names_who_uses_it() {
        let mut drop = CatalogDrop {
            subject: "permissions/reports.view".to_owned(),
            account_count: 1,
            use_count: 1,
            used_by: vec!["accounts/demo/roles/agent".to_owned()],
        };
        assert_eq!(dropped(&drop), "permissions/reports.view would go: 1 use in 1 account, accounts/demo/roles/agent");
        drop.use_count = 12;
        assert_eq!(
            dropped(&drop),
            "permissions/reports.view would go: 12 uses in 1 account, among them accounts/demo/roles/agent"
        );
    }

    #[test]
    fn programs_get_the_token_and_every_change() {
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Json, &changes(60), true)).unwrap();
        assert_eq!(json["changes"].as_array().unwrap().len(), 60);
        assert_eq!(json["changes"][1]["action"], "ACTION_UPDATE");
        assert_eq!(json["consistency_token"], "t");
    }
}
