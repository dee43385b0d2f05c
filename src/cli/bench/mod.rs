//! `bench`: asks a server many questions, and says how many it answers and how long the answers take.
//!
//! It is a client like every other command. With so many calls in flight all the time (a closed loop) it finds out how
//! much a server can do. At a fixed rate (an open loop) it finds out how long callers wait who do not wait for each
//! other; then a call's time runs from when it was due, so that a server that stands still is charged for everybody who
//! would have called meanwhile. Start with [`BenchArgs`], then `pace` for what is measured and `load` for who does it.

mod load;
mod pace;
mod questions;
mod report;
mod tally;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    thread,
    time::Duration,
};

use clap::{
    Args,
    builder::{NonEmptyStringValueParser, RangedU64ValueParser},
};

use self::{
    load::Load,
    questions::{Kind, NUMBER, Questions, Subjects},
    report::Report,
};
use super::{
    Exit, Failure, Output,
    client::{Client, ClientSettings},
    names::Account,
    question::{PlaceArgs, fill},
};
use crate::{config::parse_duration, proto::CheckRequest};

/// What stands below the flags in the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  As much as the server can, about the account's users and all permissions of its catalog:
    rolecall bench --account demo
  How long answers take at 2,000 calls a second:
    rolecall bench --account demo --rate 2000 --duration 1m
  A million users, a few of them asked about often and most of them seldom:
    rolecall bench --account big --subject 'user-{}' --subjects 1000000 --zipf 0.99
  A hundred checks a call, for a script:
    rolecall bench --account demo --batch 100 --in-flight 8 -o json

What is measured:
  With --rate the time of a call runs from when it was due, sent or not; without, from when it
  was sent. Calls that were due in the measured time count, however they end. What is given per
  second was answered in that time.

Exit codes: 0 done, even if some calls failed or the rate was not kept; if every call failed,
that of the failure; the others are listed by `rolecall --help`";

const DEFAULT_SUBJECTS: u64 = 1_000;
const DEFAULT_IN_FLIGHT: usize = 64;
/// In an open loop this is no aim but a bound: as many as four connections carry at a time.
const DEFAULT_IN_FLIGHT_AT_RATE: usize = 1_024;
const LONGEST: Duration = Duration::from_hours(24);

/// `bench`.
#[derive(Args, Debug)]
#[command(next_help_heading = "What to ask")]
pub struct BenchArgs {
    /// Who is asked about: users/ana, or just ana; {} stands for a number, see --subjects; may be repeated [default:
    /// the users of the account]
    #[arg(long = "subject", value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
    subjects: Vec<String>,

    /// How many subjects there are: {} in --subject is 0 to one less; without --subject, the most users that are taken
    /// of the account [default: 1000]
    #[arg(
        long = "subjects", value_name = "COUNT", id = "subject_count",
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000)
    )]
    subject_count: Option<u64>,

    /// Ask often about few subjects and seldom about many: the one at place K with a chance in proportion to 1 over K
    /// to this power, 0.01 to 10 [default: about all equally often]
    #[arg(long, value_name = "EXPONENT", value_parser = exponent)]
    zipf: Option<f64>,

    /// A permission that is asked about; may be repeated, each equally often [default: all of the account's catalog]
    #[arg(long = "permission", value_name = "PERMISSION", value_parser = NonEmptyStringValueParser::new())]
    permissions: Vec<String>,

    #[command(flatten)]
    place: PlaceArgs,

    /// Ask this many questions with each call, 1 to 1000
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    batch: Option<usize>,

    /// Ask what a subject may do, in place of whether it may do one thing; only the first page is read
    #[arg(long, conflicts_with_all = ["batch", "permissions", "resource", "facets", "attributes"])]
    list: bool,

    /// Which questions come in which order, for as many threads; printed, so that a run can be repeated [default:
    /// another every time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    #[command(flatten)]
    how: LoadArgs,
}

/// How much is asked.
#[derive(Args, Debug)]
#[command(next_help_heading = "How much to ask")]
struct LoadArgs {
    /// Calls in a second that become due at even intervals, whether or not the server keeps up [default: the next one
    /// as soon as one has ended]
    #[arg(long, value_name = "CALLS", value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_000_000))]
    rate: Option<u64>,

    /// Calls under way at a time; with --rate, at most [default: 64; with --rate 1024]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    in_flight: Option<usize>,

    /// Connections that the calls are spread over; a server takes 256 calls at a time on each
    #[arg(
        long, value_name = "COUNT", default_value = "4",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000)
    )]
    connections: usize,

    /// Threads of this command, at most one a connection [default: one less than the machine has cores]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    threads: Option<usize>,

    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,

    /// How long to ask before that without counting, so that the server's cache is filled
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = warmup)]
    warmup: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_millis(10)..=LONGEST)
}

fn warmup(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::ZERO..=LONGEST)
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse().ok().filter(|exponent| (0.01..=10.0).contains(exponent));
    exponent.ok_or_else(|| "expected a number from 0.01 to 10".to_owned())
}

impl BenchArgs {
    /// Measures, and prints what came of it.
    ///
    /// # Errors
    /// That the question is wrong, that the server cannot be asked, or that every call failed.
    pub async fn run(self, settings: &ClientSettings, account: String, output: &mut Output) -> Result<Exit, Failure> {
        let load = self.how.load();
        // Below 2^32, so that whatever reads the JSON keeps every digit.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
        let questions = self.questions(settings, account).await?;
        let tally = load::run(settings, &load, &questions, seed).await?;
        let report = Report::new(&load, &questions, seed, &tally);
        report.print(settings.format, output)?;
        tally.failure(&load).map_or(Ok(Exit::Ok), Err)
    }

    /// What is asked. Asks the server for what was not given, and puts one question of each kind to it: a slip of the
    /// pen is told at once, and not counted a million times.
    async fn questions(self, settings: &ClientSettings, account: String) -> Result<Arc<Questions>, Failure> {
        let given = subjects(self.subjects, self.subject_count)?;
        let mut template = CheckRequest { account, resource: self.place.resource, ..CheckRequest::default() };
        fill!(template, self.place.detail);
        let kind = match self.batch {
            _ if self.list => Kind::List,
            Some(count) => Kind::Batch(count),
            None => Kind::Check,
        };
        let client = Client::connect(settings).await?;
        let account = Account(template.account.clone());
        let subjects = match given {
            Some(subjects) => subjects,
            None => questions::users(&client, &account, self.subject_count.unwrap_or(DEFAULT_SUBJECTS)).await?,
        };
        let is_given = !self.permissions.is_empty();
        let permissions = match kind {
            Kind::List => Vec::new(),
            _ if is_given => self.permissions,
            _ => questions::permissions(&client, &account).await?,
        };
        let questions = Questions { kind, template, subjects, permissions, zipf: self.zipf };
        questions.try_out(&client, is_given).await?;
        Ok(Arc::new(questions))
    }
}

/// The subjects that were named; none: those of the account.
fn subjects(given: Vec<String>, count: Option<u64>) -> Result<Option<Subjects>, Failure> {
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    let names: Vec<String> = given.iter().map(|name| super::user_name(name)).collect();
    let numbered = names.iter().find_map(|name| name.split_once(NUMBER));
    match (numbered, count) {
        (Some((before, after)), Some(count)) if names.len() == 1 => {
            Ok(Some(Subjects::Numbered { before: before.to_owned(), after: after.to_owned(), count }))
        }
        (Some(_), _) if names.len() > 1 => usage(format!("--subject with {NUMBER} in it is to be the only one")),
        (Some(_), _) => usage(format!("--subject {}: say how many there are with --subjects COUNT", names.concat())),
        (None, Some(_)) if !names.is_empty() => {
            usage(format!("--subjects: none is numbered; put {NUMBER} where the number stands, as in user-{NUMBER}"))
        }
        (None, _) => Ok(Some(Subjects::Named(names)).filter(|_| !given.is_empty())),
    }
}

impl LoadArgs {
    /// No thread without a connection, and no connection without a call.
    fn load(&self) -> Load {
        let default = if self.rate.is_some() { DEFAULT_IN_FLIGHT_AT_RATE } else { DEFAULT_IN_FLIGHT };
        let in_flight = self.in_flight.unwrap_or(default);
        let connections = self.connections.min(in_flight);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores.saturating_sub(1).max(1)).min(connections);
        Load { rate: self.rate, in_flight, connections, threads, warmup: self.warmup, duration: self.duration }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn parsed(line: &str) -> Result<BenchArgs, clap::Error> {
        let words = ["bench"].into_iter().chain(line.split(' ').filter(|word| !word.is_empty()));
        Cli::try_parse_from(words).map(|cli| cli.bench)
    }

    fn load(line: &str) -> Load {
        parsed(line).unwrap().how.load()
    }

    #[test]
    fn without_flags_it_is_a_closed_loop_of_64_calls_on_4_connections() {
        let default = load("");
        assert_eq!((default.rate, default.in_flight, default.connections), (None, 64, 4));
        assert!((1..=4).contains(&default.threads), "{default:?}");
        assert_eq!((default.duration, default.warmup), (Duration::from_secs(10), Duration::from_secs(1)));
        let open = load("--rate 500 --warmup 0s --duration 250ms");
        assert_eq!((open.rate, open.in_flight), (Some(500), 1_024));
        assert_eq!((open.duration, open.warmup), (Duration::from_millis(250), Duration::ZERO));
    }

    #[test]
    fn no_thread_and_no_connection_is_idle() {
        for (line, expected) in [
            ("--in-flight 2 --threads 8", (2, 2, 2)),
            ("--connections 3 --threads 8", (64, 3, 3)),
            ("--connections 9 --threads 2 --in-flight 100", (100, 9, 2)),
        ] {
            let load = load(line);
            assert_eq!((load.in_flight, load.connections, load.threads), expected, "{line}");
        }
    }

    #[test]
    fn flags_that_mean_nothing_are_refused() {
        for line in [
            "--rate 0",
            "--rate 1.5",
            "--in-flight 0",
            "--connections 0",
            "--threads 0",
            "--batch 0",
            "--batch 1001",
            "--duration 5",
            "--duration 0s",
            "--zipf 0",
            "--zipf -1",
            "--zipf nan",
            "--zipf 11",
            "--subjects 0",
            "--seed x",
            "--list --batch 5",
            "--list --permission reports.view",
            "--list --resource lines/l1",
            "--list --facet line=lines/l1",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        for line in ["--zipf 0.99", "--batch 1000", "--list", "--seed 7 --subject ana --subject serviceAccounts/ci"] {
            assert!(parsed(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn subjects_are_named_numbered_or_those_of_the_account() {
        let subjects = |line: &str| {
            let bench = parsed(line).unwrap();
            subjects(bench.subjects, bench.subject_count)
        };
        let named = |names: &[&str]| Ok(Some(Subjects::Named(names.iter().map(|name| (*name).to_owned()).collect())));
        assert_eq!(subjects(""), Ok(None));
        assert_eq!(subjects("--subjects 20"), Ok(None));
        assert_eq!(subjects("--subject ana --subject serviceAccounts/ci"), named(&["users/ana", "serviceAccounts/ci"]));
        let numbered =
            Subjects::Numbered { before: "users/user-".to_owned(), after: "@shop".to_owned(), count: 1_000_000 };
        for line in ["--subject user-{}@shop --subjects 1000000", "--subjects 1000000 --subject users/user-{}@shop"] {
            assert_eq!(subjects(line), Ok(Some(numbered.clone())), "{line}");
        }
        for line in ["--subject user-{}", "--subject user-{} --subject ana --subjects 5", "--subject ana --subjects 5"]
        {
            assert_eq!(subjects(line).unwrap_err().exit, Exit::Usage, "{line}");
        }
    }
}
