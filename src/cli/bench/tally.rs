//! What is counted while questions are asked. Every thread counts for itself, and in the end all is added up.
//!
//! Start with [`Tally`].

use std::{collections::BTreeMap, time::Instant};

use hdrhistogram::Histogram;
use tonic::{Code, Status};

use super::{
    super::{Exit, Failure},
    load::Load,
    pace::{Call, Window},
    questions::Answers,
};

/// Three digits of every time are kept, from nanoseconds to an hour; a longer one counts as an hour.
const LONGEST_NANOSECONDS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// What came of the calls of one thread, or of all.
///
/// A call belongs to the measured time if it was due in it; what the server has done in that time is counted beside it.
#[derive(Debug)]
pub struct Tally {
    window: Window,
    /// How long calls took, in nanoseconds: all that were due, also those that failed or were never sent.
    pub latency: Histogram<u64>,
    /// How much later than due they were sent, in nanoseconds. Only of those that were.
    pub lateness: Histogram<u64>,
    /// Calls that were due and sent.
    pub calls: u64,
    /// Calls that were due and not sent before the time was over.
    pub unsent: u64,
    /// Calls that were due while all that may be under way were.
    pub without_room: u64,
    /// Calls that were answered in the measured time, whenever they were due.
    pub answered_meanwhile: u64,
    /// Questions that were answered with them.
    pub checks_meanwhile: u64,
    /// What the answers were to the calls that were due.
    pub answers: Answers,
    /// The calls that were due and failed, by status code.
    pub errors: BTreeMap<i32, Errors>,
}

/// Calls that failed with one status code.
#[derive(Clone, Debug)]
pub struct Errors {
    /// How many.
    pub calls: u64,
    /// The first of them.
    pub first: Status,
}

impl Tally {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// [`Exit::Internal`]; not reached, the bounds are good.
    pub fn new(window: Window) -> Result<Self, Failure> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NANOSECONDS, DIGITS).map_err(|error| internal(&error));
        Ok(Self {
            window,
            latency: histogram()?,
            lateness: histogram()?,
            calls: 0,
            unsent: 0,
            without_room: 0,
            answered_meanwhile: 0,
            checks_meanwhile: 0,
            answers: Answers::default(),
            errors: BTreeMap::new(),
        })
    }

    /// Counts a call that has ended. `had_room` is whether it could have been sent when it was due.
    pub fn note(&mut self, call: Call, had_room: bool, ended: Instant, answer: Result<Answers, Status>) {
        if let (Ok(answers), true) = (&answer, self.window.contains(ended)) {
            self.answered_meanwhile += 1;
            self.checks_meanwhile += answers.checks();
        }
        if !self.window.contains(call.due) {
            return;
        }
        self.calls += 1;
        self.without_room += u64::from(!had_room);
        self.latency.saturating_record(nanoseconds(call.latency(ended)));
        self.lateness.saturating_record(nanoseconds(call.lateness()));
        match answer {
            Ok(answers) => self.answers += answers,
            Err(status) => {
                let code = status.code().into();
                self.errors.entry(code).or_insert_with(|| Errors { calls: 0, first: status }).calls += 1;
            }
        }
    }

    /// Counts a call that was never sent. Nobody knows how long it would have taken; at least until now.
    pub fn note_unsent(&mut self, due: Instant) {
        if self.window.contains(due) {
            self.unsent += 1;
            self.latency.saturating_record(nanoseconds(self.window.until.saturating_duration_since(due)));
        }
    }

    /// Adds what another thread has counted.
    ///
    /// # Errors
    /// [`Exit::Internal`]; not reached, all histograms have the same bounds.
    pub fn add(&mut self, other: Self) -> Result<(), Failure> {
        self.latency.add(other.latency).map_err(|error| internal(&error))?;
        self.lateness.add(other.lateness).map_err(|error| internal(&error))?;
        self.calls += other.calls;
        self.unsent += other.unsent;
        self.without_room += other.without_room;
        self.answered_meanwhile += other.answered_meanwhile;
        self.checks_meanwhile += other.checks_meanwhile;
        self.answers += other.answers;
        for (code, errors) in other.errors {
            self.errors.entry(code).or_insert_with(|| Errors { calls: 0, ..errors.clone() }).calls += errors.calls;
        }
        Ok(())
    }

    /// How many calls were due.
    pub fn due(&self) -> u64 {
        self.calls + self.unsent
    }

    /// How many calls failed.
    pub fn failed(&self) -> u64 {
        self.errors.values().map(|errors| errors.calls).sum()
    }

    /// Whether calls were sent as often as they were due: 99 of 100, or all but one.
    pub fn has_kept_rate(&self) -> bool {
        self.unsent <= 1 + self.due() / 100
    }

    /// Why the command fails, if it does: nothing was asked, or nothing answered.
    pub fn failure(&self, load: &Load) -> Option<Failure> {
        if self.due() == 0 {
            let failure = Failure::new(Exit::Usage, format!("no call was due within {:?}", load.duration));
            return Some(failure.with_next("give it longer with --duration, or a higher --rate"));
        }
        if self.calls == 0 {
            let failure = Failure::new(Exit::Unavailable, "no call could be sent: those before were not answered");
            return Some(failure.with_next("ask for less with --rate, or see the server's log"));
        }
        if self.failed() < self.calls {
            return None;
        }
        let most = self.errors.values().max_by_key(|errors| errors.calls)?;
        let mut failure = Failure::from(most.first.clone());
        let all = if self.errors.len() == 1 { "" } else { ", most of them with" };
        failure.message = format!("every call failed{all}: {}", failure.message);
        Some(failure)
    }
}

/// A status code as gRPC writes it, such as `DEADLINE_EXCEEDED`.
pub fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn nanoseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Internal, format!("cannot count: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LOAD: Load = Load { rate: None, in_flight: 1, connections: 1, threads: 1, warmup: SECOND, duration: SECOND };

    /// Measures from the first second to the second one, from the instant given.
    fn tally(begin: Instant) -> Tally {
        Tally::new(Window { from: begin + SECOND, until: begin + 2 * SECOND }).unwrap()
    }

    fn at(begin: Instant, due: u64, sent: u64) -> Call {
        Call { due: begin + Duration::from_millis(due), sent: begin + Duration::from_millis(sent) }
    }

    fn allowed() -> Result<Answers, Status> {
        Ok(Answers { allowed: 2, denied: 1, ..Answers::default() })
    }

    #[test]
    fn a_call_counts_where_it_was_due_and_work_where_it_was_done() {
        let begin = Instant::now();
        let mut tally = tally(begin);
        let mut note =
            |due, sent, ended| tally.note(at(begin, due, sent), true, begin + Duration::from_millis(ended), allowed());
        note(500, 500, 900);
        note(900, 1_100, 1_300);
        note(1_000, 1_001, 1_400);
        note(1_999, 1_999, 2_600);
        assert_eq!((tally.calls, tally.answers.checks()), (2, 6));
        assert_eq!((tally.answered_meanwhile, tally.checks_meanwhile), (2, 6));
        assert_eq!(tally.latency.max() / 1_000_000, 601);
        assert_eq!(tally.latency.len(), 2);
        assert_eq!(tally.lateness.min(), 0);
    }

    #[test]
    fn a_call_that_was_never_sent_has_waited_until_the_end() {
        let begin = Instant::now();
        let mut tally = tally(begin);
        for due in [900, 1_000, 1_500] {
            tally.note_unsent(begin + Duration::from_millis(due));
        }
        assert_eq!((tally.calls, tally.unsent, tally.due()), (0, 2, 2));
        assert_eq!(tally.latency.len(), 2);
        assert_eq!(tally.latency.max() / 10_000_000, 100);
    }

    #[test]
    fn adding_up_is_as_if_one_had_counted_all() {
        let begin = Instant::now();
        let (mut one, mut other, mut both) = (tally(begin), tally(begin), tally(begin));
        for number in 0..900 {
            let call = at(begin, 1_000 + number, 1_001 + number);
            let ended = call.sent + Duration::from_micros(10 + number * number);
            let answer = || match number % 10 {
                0 => Err(Status::unavailable(number.to_string())),
                5 => Err(Status::internal("it broke")),
                _ => allowed(),
            };
            let has_room = number % 3 == 0;
            if number < 300 { &mut one } else { &mut other }.note(call, has_room, ended, answer());
            both.note(call, has_room, ended, answer());
        }
        other.note_unsent(begin + SECOND);
        both.note_unsent(begin + SECOND);
        one.add(other).unwrap();
        assert_eq!(one.latency, both.latency);
        assert_eq!(one.lateness, both.lateness);
        assert_eq!(
            (one.calls, one.unsent, one.without_room, one.answers, one.failed()),
            (900, 1, 600, both.answers, 180)
        );
        assert_eq!((one.answered_meanwhile, one.checks_meanwhile), (both.answered_meanwhile, both.checks_meanwhile));
        let errors = |tally: &Tally| -> Vec<(i32, u64, String)> {
            tally.errors.iter().map(|(code, each)| (*code, each.calls, each.first.message().to_owned())).collect()
        };
        assert_eq!(errors(&one), [(13, 90, "it broke".to_owned()), (14, 90, "0".to_owned())]);
        assert_eq!(errors(&one), errors(&both));
    }

    #[test]
    fn the_command_fails_if_nothing_was_answered() {
        let begin = Instant::now();
        let mut tally = tally(begin);
        assert_eq!(tally.failure(&LOAD).unwrap().exit, Exit::Usage);
        let mut note = |answer| tally.note(at(begin, 1_000, 1_000), true, begin + SECOND, answer);
        note(Err(Status::unavailable("gone")));
        note(Err(Status::not_found("no such account")));
        note(Err(Status::not_found("another one")));
        let failure = tally.failure(&LOAD).unwrap();
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.message, "every call failed, most of them with: no such account");
        tally.note(at(begin, 1_000, 1_000), true, begin + SECOND, allowed());
        assert_eq!(tally.failure(&LOAD), None);
    }

    #[test]
    fn a_rate_is_kept_if_nearly_all_was_sent_in_time() {
        let begin = Instant::now();
        for (sent, unsent, is_kept) in [(1, 0, true), (999, 1, true), (990, 10, true), (900, 100, false)] {
            let mut tally = tally(begin);
            for _ in 0..sent {
                tally.note(at(begin, 1_000, 1_500), true, begin + 2 * SECOND, allowed());
            }
            for _ in 0..unsent {
                tally.note_unsent(begin + SECOND);
            }
            assert_eq!(tally.has_kept_rate(), is_kept, "{sent} and {unsent}");
        }
    }

    #[test]
    fn codes_have_the_names_that_grpc_has_for_them() {
        assert_eq!(code_name(Code::DeadlineExceeded), "DEADLINE_EXCEEDED");
        assert_eq!(code_name(Code::Unavailable), "UNAVAILABLE");
    }
}
