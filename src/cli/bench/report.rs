//! What is printed when all has been asked. Start with [`Report`]: what programs get, and what the tables are made of.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    super::{Failure, Format, Output, session::cell},
    load::Load,
    questions::{Kind, Questions},
    tally::{Tally, code_name},
};

/// The result of a run. Times are in microseconds where nothing else is said.
#[derive(Debug, Serialize)]
pub struct Report {
    call: &'static str,
    account: String,
    subjects: u64,
    permissions: usize,
    zipf_exponent: Option<f64>,
    seed: u64,
    checks_per_call: usize,
    threads: usize,
    connections: usize,
    in_flight: usize,
    warmup_seconds: f64,
    duration_seconds: f64,
    /// Those that were due in the measured time, and sent.
    calls: u64,
    calls_per_second: f64,
    checks: u64,
    checks_per_second: f64,
    allowed: u64,
    denied: u64,
    of_unknown_subjects: u64,
    failed_items: u64,
    failed_calls: u64,
    errors: Vec<ErrorCount>,
    /// Of an open loop.
    rate: Option<Rate>,
    /// None if no call was due.
    latency_microseconds: Option<Times>,
}

#[derive(Debug, Serialize)]
struct ErrorCount {
    code: String,
    calls: u64,
    message: String,
}

/// How well the arrival rate was kept.
#[derive(Debug, Serialize)]
struct Rate {
    wanted_per_second: u64,
    sent_per_second: f64,
    kept: bool,
    /// Calls that were due and not sent before the end.
    unsent_calls: u64,
    /// Calls that were due while as many were under way as may be.
    calls_without_room: u64,
    /// How late calls were sent; part of their latency.
    sent_late_microseconds: Option<Times>,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, Serialize)]
struct Times {
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl Times {
    fn new(nanoseconds: &Histogram<u64>) -> Option<Self> {
        let micro = |nanoseconds: u64| nanoseconds as f64 / 1_000.0;
        let at = |share| micro(nanoseconds.value_at_quantile(share));
        (!nanoseconds.is_empty()).then(|| Self {
            min: micro(nanoseconds.min()),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: micro(nanoseconds.max()),
        })
    }

    fn cells(self, label: &str) -> Vec<Vec<String>> {
        let times = [self.min, self.p50, self.p90, self.p99, self.p99_9, self.max];
        [cell(label)].into_iter().chain(times.map(|time| cell(shown(time)))).collect()
    }
}

impl Report {
    /// What came of a run.
    pub fn new(load: &Load, questions: &Questions, seed: u64, tally: &Tally) -> Self {
        let Load { rate, in_flight, connections, threads, warmup, duration } = load;
        let (call, checks_per_call) = match questions.kind {
            Kind::Check => ("Check", 1),
            Kind::Batch(count) => ("BatchCheck", count),
            Kind::List => ("ListPermissions", 0),
        };
        let per_second = |count: u64| count as f64 / duration.as_secs_f64();
        let errors = tally.errors.values().map(|each| ErrorCount {
            code: code_name(each.first.code()),
            calls: each.calls,
            // As every command tells it: with its causes, and never empty.
            message: Failure::from(each.first.clone()).message,
        });
        Self {
            call,
            account: questions.template.account.clone(),
            subjects: questions.subjects.count(),
            permissions: questions.permissions.len(),
            zipf_exponent: questions.zipf,
            seed,
            checks_per_call,
            threads: *threads,
            connections: *connections,
            in_flight: *in_flight,
            warmup_seconds: warmup.as_secs_f64(),
            duration_seconds: duration.as_secs_f64(),
            calls: tally.calls,
            calls_per_second: per_second(tally.answered_meanwhile),
            checks: tally.answers.checks(),
            checks_per_second: per_second(tally.checks_meanwhile),
            allowed: tally.answers.allowed,
            denied: tally.answers.denied,
            of_unknown_subjects: tally.answers.of_unknown_subjects,
            failed_items: tally.answers.failed_items,
            failed_calls: tally.failed(),
            errors: errors.collect(),
            rate: rate.map(|wanted_per_second| Rate {
                wanted_per_second,
                sent_per_second: per_second(tally.calls),
                kept: tally.has_kept_rate(),
                unsent_calls: tally.unsent,
                calls_without_room: tally.without_room,
                sent_late_microseconds: Times::new(&tally.lateness),
            }),
            latency_microseconds: Times::new(&tally.latency),
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// As [`Output::value`].
    pub fn print(&self, format: Format, output: &mut Output) -> Result<(), Failure> {
        if format != Format::Table {
            return output.value(self, format);
        }
        output.line(&self.question())?;
        output.line(&self.load())?;
        output.table(&["WHAT", "COUNT", "PER SECOND"], self.counts())?;
        let late = self.rate.as_ref().and_then(|rate| rate.sent_late_microseconds);
        let times = [("latency", self.latency_microseconds), ("sent late by", late)];
        let rows: Vec<_> = times.into_iter().filter_map(|(label, times)| Some(times?.cells(label))).collect();
        if !rows.is_empty() {
            output.table(&["TIME", "MIN", "P50", "P90", "P99", "P99.9", "MAX"], rows)?;
        }
        for line in self.remarks() {
            output.line(&line)?;
        }
        Ok(())
    }

    fn question(&self) -> String {
        let each =
            if self.checks_per_call > 1 { format!(" of {} checks", self.checks_per_call) } else { String::new() };
        let permissions = if self.permissions == 0 {
            String::new()
        } else {
            format!(" and {}", many(self.permissions, "permission"))
        };
        let spread = self.zipf_exponent.map(|exponent| format!(" by Zipf's law with {exponent}")).unwrap_or_default();
        let Self { call, account, subjects, seed, .. } = self;
        format!("{call}{each} in {account} about {}{spread}{permissions}, seed {seed}", many(*subjects, "subject"))
    }

    fn load(&self) -> String {
        let pace =
            self.rate.as_ref().map(|rate| format!("{} calls/s, at most ", rate.wanted_per_second)).unwrap_or_default();
        let (connections, threads) = (many(self.connections, "connection"), many(self.threads, "thread"));
        let seconds = |seconds| format!("{:?}", Duration::from_secs_f64(seconds));
        let (duration, warmup) = (seconds(self.duration_seconds), seconds(self.warmup_seconds));
        format!(
            "{pace}{} in flight on {connections} from {threads}, {duration} after {warmup} of warm-up",
            self.in_flight
        )
    }

    fn counts(&self) -> Vec<Vec<Vec<String>>> {
        let row = |what: &str, count: u64, rate: String| vec![cell(what), cell(count), cell(rate)];
        let mut rows = Vec::new();
        if let Some(rate) = &self.rate {
            rows.push(row("due", self.calls + rate.unsent_calls, rate.wanted_per_second.to_string()));
            rows.push(row("sent", self.calls, per_second(rate.sent_per_second)));
        } else {
            rows.push(row("sent", self.calls, String::new()));
        }
        rows.push(row("answered", self.calls - self.failed_calls.min(self.calls), per_second(self.calls_per_second)));
        if self.checks_per_call > 0 {
            rows.push(row("checks", self.checks, per_second(self.checks_per_second)));
            rows.push(row("allowed", self.allowed, String::new()));
            rows.push(row("denied", self.denied, String::new()));
        }
        if self.failed_items > 0 {
            rows.push(row("failed items", self.failed_items, String::new()));
        }
        rows.extend(self.errors.iter().map(|error| row(&error.code, error.calls, String::new())));
        rows
    }

    /// What a reader should know beside the figures.
    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> =
            self.errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
        if self.of_unknown_subjects > 0 {
            remarks.push(format!(
                "{} were about subjects that {} does not have; are they as in `rolecall users list`?",
                many(self.of_unknown_subjects, "answer"),
                self.account
            ));
        }
        let Some(rate) = &self.rate else { return remarks };
        if rate.kept {
            remarks.push("the rate was kept".to_owned());
            return remarks;
        }
        // Whose fault it is: a server that does not answer leaves no room to send more.
        let is_full = (rate.calls_without_room + rate.unsent_calls) * 2 > self.calls + rate.unsent_calls;
        let why = if is_full {
            "the server does not answer as fast as calls become due, or more would have to be in flight: try a lower \
             --rate, or --in-flight and --connections"
        } else {
            "this command itself is too slow: try --threads, or run it on another machine than the server"
        };
        remarks.push(format!(
            "the rate was not kept: {} of {} calls/s were sent; {why}",
            per_second(rate.sent_per_second),
            rate.wanted_per_second
        ));
        remarks.push(format!(
            "{} not sent at all; the latency has them with how long they had waited at the end",
            if rate.unsent_calls == 1 { "1 call was".to_owned() } else { format!("{} calls were", rate.unsent_calls) }
        ));
        remarks
    }
}

fn many(count: impl TryInto<i64>, one: &str) -> String {
    super::super::session::count(count, one)
}

fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// Microseconds with three digits and their unit.
fn shown(microseconds: f64) -> String {
    let (value, unit) = match microseconds {
        small if small < 999.5 => (small, "us"),
        medium if medium < 999_500.0 => (medium / 1_000.0, "ms"),
        large => (large / 1_000_000.0, "s"),
    };
    let digits = match value {
        tens if tens < 9.995 => 2,
        hundreds if hundreds < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tonic::Status;

    use super::*;
    use crate::{
        cli::{
            bench::{
                pace::{Call, Window},
                questions::{Answers, Subjects},
            },
            output::tests::pages,
        },
        proto::CheckRequest,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn load(rate: Option<u64>) -> Load {
        Load { rate, in_flight: 64, connections: 4, threads: 1, warmup: SECOND, duration: 2 * SECOND }
    }

    fn questions(kind: Kind) -> Questions {
        Questions {
            kind,
            template: CheckRequest { account: "accounts/demo".to_owned(), ..CheckRequest::default() },
            subjects: Subjects::Named(vec!["users/ana".to_owned(); 3]),
            permissions: vec!["reports.view".to_owned()],
            zipf: None,
        }
    }

    /// So many calls, one every millisecond, each answered in 1 ms but every hundredth, which fails.
    fn tally(calls: u64, unsent: u64) -> Tally {
        let from = Instant::now();
        let mut tally = Tally::new(Window { from, until: from + 2 * SECOND }).unwrap();
        for number in 0..calls {
            let due = from + Duration::from_millis(number);
            let answer = match number % 100 {
                99 => Err(Status::unavailable("no server")),
                _ => Ok(Answers { allowed: 1, denied: 1, of_unknown_subjects: number % 2, ..Answers::default() }),
            };
            tally.note(Call { due, sent: due }, number % 10 != 0, due + Duration::from_millis(1), answer);
        }
        (0..unsent).for_each(|_| tally.note_unsent(from));
        tally
    }

    fn printed(report: &Report, format: Format) -> String {
        let (mut output, page, _) = pages();
        report.print(format, &mut output).unwrap();
        page.text()
    }

    #[test]
    fn people_get_counts_and_times() {
        let report = Report::new(&load(None), &questions(Kind::Batch(2)), 7, &tally(1_000, 0));
        assert_eq!(
            printed(&report, Format::Table),
            "BatchCheck of 2 checks in accounts/demo about 3 subjects and 1 permission, seed 7\n\
             64 in flight on 4 connections from 1 thread, 2s after 1s of warm-up\n\
             WHAT         COUNT  PER SECOND\n\
             sent         1000\n\
             answered     990    495\n\
             checks       1980   990\n\
             allowed      990\n\
             denied       990\n\
             UNAVAILABLE  10\n\
             TIME     MIN      P50      P90      P99      P99.9    MAX\n\
             latency  1.00 ms  1.00 ms  1.00 ms  1.00 ms  1.00 ms  1.00 ms\n\
             UNAVAILABLE: no server\n\
             490 answers were about subjects that accounts/demo does not have; are they as in `rolecall users list`?\n"
        );
    }

    #[test]
    fn programs_get_the_same_as_numbers() {
        let report = Report::new(&load(Some(500)), &questions(Kind::Check), 7, &tally(1_000, 0));
        let json: serde_json::Value = serde_json::from_str(&printed(&report, Format::Json)).unwrap();
        for (pointer, expected) in [
            ("/call", serde_json::json!("Check")),
            ("/seed", 7.into()),
            ("/calls", 1_000.into()),
            ("/failed_calls", 10.into()),
            ("/calls_per_second", 495.0.into()),
            ("/allowed", 990.into()),
            ("/errors/0/code", "UNAVAILABLE".into()),
            ("/rate/wanted_per_second", 500.into()),
            ("/rate/sent_per_second", 500.0.into()),
            ("/rate/kept", true.into()),
            ("/rate/sent_late_microseconds/max", 0.0.into()),
            ("/zipf_exponent", serde_json::Value::Null),
        ] {
            assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}: {json}");
        }
        let p99 = json["latency_microseconds"]["p99_9"].as_f64().unwrap();
        assert!((p99 - 1_000.0).abs() < 2.0, "{p99}");
        let yaml: serde_json::Value = serde_saphyr::from_str(&printed(&report, Format::Yaml)).unwrap();
        assert_eq!(json["latency_microseconds"]["p99"], yaml["latency_microseconds"]["p99"]);
    }

    #[test]
    fn a_rate_that_was_not_kept_says_so_and_who_was_too_slow() {
        let text = |calls, unsent| {
            let report = Report::new(&load(Some(1_000)), &questions(Kind::Check), 7, &tally(calls, unsent));
            printed(&report, Format::Table)
        };
        assert!(text(1_000, 0).contains("the rate was kept\n"));
        let slow_server = text(500, 500);
        for expected in [
            "due          1000   1000\nsent         500    250\n",
            "not kept: 250 of 1000 calls/s were sent; the server does not",
            "\n500 calls were not sent at all; the latency has them",
        ] {
            assert!(slow_server.contains(expected), "{slow_server}");
        }
        let slow_command = text(950, 50);
        assert!(slow_command.contains("this command itself is too slow"), "{slow_command}");
    }

    #[test]
    fn a_list_has_no_checks() {
        let text = printed(&Report::new(&load(None), &questions(Kind::List), 7, &tally(10, 0)), Format::Table);
        assert!(text.starts_with("ListPermissions in accounts/demo about 3 subjects"), "{text}");
        assert!(!text.contains("allowed"), "{text}");
    }

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (microseconds, expected) in [
            (0.0, "0.00 us"),
            (7.006, "7.01 us"),
            (61.234, "61.2 us"),
            (999.4, "999 us"),
            (999.9, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (999_600.0, "1.00 s"),
            (61_000_000.0, "61.0 s"),
        ] {
            assert_eq!(shown(microseconds), expected);
        }
    }
}
