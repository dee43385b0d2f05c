//! What the commands of an administrator share: reading all pages, trying a write before it is made, and asking.
//!
//! [`Session`] is what a handler works with. A write takes [`WriteArgs`]; one that takes something away takes
//! [`RiskyArgs`] and goes through [`Session::carefully`], or [`Session::delete`] where others may use the thing.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    Exit, Failure, Format, Output,
    client::{Client, ClientSettings},
    shown::Shown,
};

/// A connection, and where the answer goes.
pub struct Session<'a> {
    /// The server.
    pub client: Client,
    /// How to print.
    pub format: Format,
    /// Where to print.
    pub output: &'a mut Output,
}

/// How a write is made.
#[derive(Args, Clone, Debug, Default)]
pub struct WriteArgs {
    /// Only check whether it would be done; nothing changes
    #[arg(long)]
    pub dry_run: bool,

    /// Name this request, best with a UUID: sent again within 24 hours, it is not done again
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub request_id: String,
}

/// How a write is made that takes something away.
#[derive(Args, Clone, Debug, Default)]
pub struct RiskyArgs {
    #[command(flatten)]
    pub write: WriteArgs,

    /// Do not ask; needed where no terminal is there to answer
    #[arg(long, short)]
    pub yes: bool,
}

/// What a request says about how it is made.
#[derive(Clone, Debug, Default)]
pub struct Mode {
    /// Nothing changes.
    pub validate_only: bool,
    /// Names the request.
    pub request_id: String,
}

impl WriteArgs {
    /// As the request says it.
    pub fn mode(&self) -> Mode {
        Mode { validate_only: self.dry_run, request_id: self.request_id.clone() }
    }
}

impl Mode {
    /// Only tries, and does not use up the request's id.
    pub fn trial() -> Self {
        Self { validate_only: true, request_id: String::new() }
    }
}

/// One page of a list.
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Gives the next one; empty on the last.
    pub next_page_token: String,
    /// The revision that it was answered from.
    pub consistency_token: String,
}

/// A list with all its pages, under the name that the API has for it.
pub struct Listing<'a, T> {
    /// The name.
    pub name: &'static str,
    /// What is in it.
    pub items: &'a [T],
    /// The revision that it was answered from.
    pub consistency_token: &'a str,
}

impl<T> Serialize for Listing<'_, T>
where
    for<'s> Shown<'s, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.name, &self.items.iter().map(Shown).collect::<Vec<_>>())?;
        map.serialize_entry("consistency_token", self.consistency_token)?;
        map.end()
    }
}

/// Reads a list to its end, and gives all of it with its consistency token: half a list would look like a whole one.
///
/// # Errors
/// As fetching a page.
pub async fn gather<T>(
    mut fetch: impl AsyncFnMut(String) -> Result<Page<T>, Failure>,
) -> Result<(Vec<T>, String), Failure> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let mut page = fetch(token.clone()).await?;
        items.append(&mut page.items);
        if page.next_page_token.is_empty() {
            return Ok((items, page.consistency_token));
        }
        if page.next_page_token == token {
            return Err(Failure::new(Exit::Internal, "the server gives the same page again and again"));
        }
        token = page.next_page_token;
    }
}

impl<'a> Session<'a> {
    /// Connects to a server.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn open(settings: &ClientSettings, output: &'a mut Output) -> Result<Self, Failure> {
        Ok(Self { client: Client::connect(settings).await?, format: settings.format, output })
    }

    /// Whether people read the answer.
    pub fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Whether a person is there to answer a question.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Prints an answer for programs.
    ///
    /// # Errors
    /// As [`Output::value`].
    pub fn value<T: Serialize>(&mut self, value: &T) -> Result<Exit, Failure> {
        self.output.value(value, self.format).map(|()| Exit::Ok)
    }

    /// Prints a list: a table for people, or a sentence if there is nothing in it.
    ///
    /// # Errors
    /// As [`Output::value`].
    pub fn list<T>(
        &mut self,
        list: &Listing<'_, T>,
        header: &[&str],
        row: impl Fn(&T) -> Vec<Vec<String>>,
        nothing: &str,
    ) -> Result<Exit, Failure>
    where
        for<'s> Shown<'s, T>: Serialize,
    {
        if !self.is_table() {
            return self.value(list);
        }
        if list.items.is_empty() {
            self.output.line(nothing)
        } else {
            self.output.table(header, list.items.iter().map(row).collect())
        }
        .map(|()| Exit::Ok)
    }

    /// Prints what came of a write: a sentence for people.
    ///
    /// # Errors
    /// As [`Output::value`].
    pub fn done<T: Serialize>(&mut self, write: &WriteArgs, sentence: &str, answer: &T) -> Result<Exit, Failure> {
        if !self.is_table() {
            return self.value(answer);
        }
        let before = if write.dry_run { "dry run, nothing was changed: " } else { "" };
        self.output.line(&format!("{before}{sentence}")).map(|()| Exit::Ok)
    }

    /// Makes a write that takes something away: tries it, says what it would take, asks, and makes it.
    ///
    /// # Errors
    /// As the write; [`Exit::No`] if the answer is no, and [`Exit::Usage`] if there is nobody to ask.
    pub async fn carefully<T>(
        &mut self,
        risky: &RiskyArgs,
        call: impl AsyncFn(&Client, Mode) -> Result<T, Failure>,
        consequences: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<T, Failure> {
        if !risky.yes && !risky.write.dry_run {
            let consequences = consequences(&call(&self.client, Mode::trial()).await?);
            if !consequences.is_empty() {
                confirm(consequences, self.output)?;
            }
        }
        call(&self.client, risky.write.mode()).await
    }
}

/// Says what is about to happen and asks whether it should.
///
/// # Errors
/// [`Exit::No`] if the answer is no, and [`Exit::Usage`] if standard input is no terminal.
pub fn confirm(consequences: Vec<String>, output: &mut Output) -> Result<(), Failure> {
    let input = io::stdin();
    let is_terminal = input.is_terminal();
    decide(consequences, is_terminal, &mut input.lock(), output)
}

fn decide(
    consequences: Vec<String>,
    is_terminal: bool,
    input: &mut dyn BufRead,
    output: &mut Output,
) -> Result<(), Failure> {
    if !is_terminal {
        let mut failure = Failure::new(Exit::Usage, "this has to be confirmed, and no terminal is there to ask on");
        failure.details = consequences;
        return Err(failure.with_next("nothing was changed; to do it without being asked: --yes"));
    }
    for line in &consequences {
        output.complain(line);
    }
    output.prompt("go on? [y/N] ");
    let mut answer = String::new();
    // An answer that cannot be read is not a yes.
    let _ = input.read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::No, "not confirmed; nothing was changed")),
    }
}

/// How many of something: `1 user`, `2 users`.
pub fn count(count: impl TryInto<i64>, one: &str) -> String {
    let count = count.try_into().unwrap_or(i64::MAX);
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A time for people; nothing if there is none.
pub fn moment<T: ToString>(time: Option<&T>) -> String {
    // The fraction helps nobody who reads it.
    let text = time.map(T::to_string).unwrap_or_default();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}

/// A cell with one text.
pub fn cell(text: impl ToString) -> Vec<String> {
    vec![text.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::pages;

    fn decided(is_terminal: bool, input: &str) -> (Result<(), Failure>, String) {
        let (mut output, _, err) = pages();
        let consequences = vec!["users/ana loses 2 roles".to_owned()];
        (decide(consequences, is_terminal, &mut input.as_bytes(), &mut output), err.text())
    }

    #[test]
    fn only_a_yes_at_a_terminal_is_a_yes() {
        for (input, is_yes) in [
            ("y\n", true),
            ("YES\n", true),
            (" yes ", true),
            ("", false),
            ("\n", false),
            ("n\n", false),
            ("yess\n", false),
        ] {
            let (decision, asked) = decided(true, input);
            assert_eq!(decision.is_ok(), is_yes, "{input:?}");
            assert_eq!(asked, "users/ana loses 2 roles\ngo on? [y/N] ");
            assert!(decision.err().is_none_or(|failure| failure.exit == Exit::No));
        }
    }

    #[test]
    fn without_a_terminal_nobody_is_asked_and_nothing_is_read() {
        let (decision, asked) = decided(false, "y\n");
        let failure = decision.unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.details, ["users/ana loses 2 roles"]);
        assert!(failure.next.unwrap().contains("--yes"));
        assert_eq!(asked, "");
    }

    #[test]
    fn a_list_is_read_to_its_end_and_never_for_ever() {
        fn run<T>(work: impl Future<Output = T>) -> T {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
        }
        let page = |items: &[u8], next: &str| Page {
            items: items.to_vec(),
            next_page_token: next.to_owned(),
            consistency_token: "t".to_owned(),
        };
        let all =
            run(gather(async |token: String| Ok(if token.is_empty() { page(&[1, 2], "a") } else { page(&[3], "") })));
        assert_eq!(all, Ok((vec![1, 2, 3], "t".to_owned())));
        let stuck = run(gather(async |_| Ok(page(&[1], "a"))));
        assert_eq!(stuck.unwrap_err().exit, Exit::Internal);
    }

    #[test]
    fn counts_and_times_read_like_text() {
        assert_eq!([count(0, "user"), count(1, "user"), count(2, "user")], ["0 users", "1 user", "2 users"]);
        assert_eq!(moment(Some(&"2026-11-22T02:08:41.577619Z")), "2026-11-22T02:08:41Z");
        assert_eq!(moment(Some(&"2026-11-22T02:08:41Z")), "2026-11-22T02:08:41Z");
        assert_eq!(moment::<String>(None), "");
    }
}
