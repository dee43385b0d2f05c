//! When calls are due, and from when on their time runs.
//!
//! Nothing here waits or looks at a clock: instants are handed in, so that a test can let a server stand still. Start
//! with [`Arrivals`].

use std::time::{Duration, Instant};

/// The time that is measured: what was due before it is not counted.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Where it begins: the end of the warm-up.
    pub from: Instant,
    /// Where it ends. Nothing is sent any more.
    pub until: Instant,
}

impl Window {
    /// Whether an instant lies in it.
    pub fn contains(self, at: Instant) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// A call that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it should have been sent.
    pub due: Instant,
    /// When it was.
    pub sent: Instant,
}

impl Call {
    /// A call of a closed loop: it is due when somebody is there to make it.
    pub fn at_once(now: Instant) -> Self {
        Self { due: now, sent: now }
    }

    /// How long a caller has waited who wanted to ask when the call was due. Counted from when it was sent, a server
    /// that stands still would be charged for the calls alone that it keeps waiting, and not for those that are kept
    /// from being sent by it: the omission would be coordinated with the server.
    pub fn latency(self, ended: Instant) -> Duration {
        ended.saturating_duration_since(self.due)
    }

    /// How much later than due it was sent.
    pub fn lateness(self) -> Duration {
        self.sent.saturating_duration_since(self.due)
    }
}

/// The calls of an open loop, or every so many of them: they become due at even intervals, whatever the server does.
#[derive(Clone, Debug)]
pub struct Arrivals {
    begin: Instant,
    window: Window,
    /// Calls in a second.
    rate: u64,
    /// The number of the call that is to be taken next.
    next: u64,
    /// How many share the calls, each taking every such one.
    step: u64,
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// To send this call.
    Send(Call),
    /// To come again then.
    Wait(Instant),
    /// Nothing any more.
    Over,
}

impl Arrivals {
    /// The share of one of several. `rate` is in calls a second, of all of them, and more than 0. From `begin` to the
    /// measured time is the warm-up.
    pub fn new(begin: Instant, window: Window, rate: u64, share: u64, shares: u64) -> Self {
        Self { begin, window, rate, next: share, step: shares }
    }

    /// When the next call is due; none: it would not be before the end.
    fn next_due(&self) -> Option<Instant> {
        // From the number, not by adding up intervals, which would add up what is rounded off.
        let nanoseconds = u128::from(self.next) * 1_000_000_000 / u128::from(self.rate);
        let due = self.begin.checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))?;
        (due < self.window.until).then_some(due)
    }

    /// What the warm-up has not sent is not made up for: the measured time would begin with its backlog.
    fn skip_warmup(&mut self) {
        let warmup = self.window.from.saturating_duration_since(self.begin).as_nanos();
        let first = (warmup * u128::from(self.rate)).div_ceil(1_000_000_000);
        let missing = u64::try_from(first).unwrap_or(u64::MAX).saturating_sub(self.next);
        self.next += missing.div_ceil(self.step) * self.step;
    }

    /// What to do now.
    pub fn take(&mut self, now: Instant) -> Next {
        if now >= self.window.from {
            self.skip_warmup();
        }
        match self.next_due() {
            Some(due) if now < due => Next::Wait(due),
            Some(due) if now < self.window.until => {
                self.next += self.step;
                Next::Send(Call { due, sent: now })
            }
            _ => Next::Over,
        }
    }

    /// Gives when each call of the measured time was due that nobody came to take.
    pub fn left_over(mut self) -> impl Iterator<Item = Instant> {
        self.skip_warmup();
        std::iter::from_fn(move || {
            let due = self.next_due();
            self.next += self.step;
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// What a server is sent that answers in 1 ms, one call at a time, and stands still for a while, in milliseconds.
    fn calls(rate: u64, duration: u64, stall: Range<u64>) -> (Vec<(Call, Instant)>, Arrivals) {
        let begin = Instant::now();
        let at = |milliseconds: u64| begin + MILLISECOND * u32::try_from(milliseconds).unwrap();
        let mut arrivals = Arrivals::new(begin, Window { from: begin, until: at(duration) }, rate, 0, 1);
        let (mut now, mut calls) = (begin, Vec::new());
        loop {
            match arrivals.take(now) {
                Next::Wait(due) => now = due,
                Next::Send(call) => {
                    let ended = now + MILLISECOND;
                    now = if ended > at(stall.start) && now < at(stall.end) { at(stall.end) } else { ended };
                    calls.push((call, now));
                }
                Next::Over => return (calls, arrivals),
            }
        }
    }

    /// How many of a way of measuring took so long.
    fn over(limit: Duration, calls: &[(Call, Instant)], measure: impl Fn(&(Call, Instant)) -> Duration) -> usize {
        calls.iter().filter(|call| measure(call) > limit).count()
    }

    #[test]
    fn calls_are_due_at_even_intervals_whatever_happens() {
        let (calls, _) = calls(300, 10_000, 2_000..4_000);
        assert_eq!(calls.len(), 3_000);
        for (number, (call, _)) in (0..).zip(&calls) {
            let expected = Duration::from_nanos(number * 1_000_000_000 / 300);
            assert_eq!(call.due - calls[0].0.due, expected, "{number}");
        }
    }

    #[test]
    fn a_server_that_stands_still_is_charged_for_everybody_who_was_due_meanwhile() {
        let (calls, _) = calls(100, 10_000, 2_000..4_000);
        let due = |call: &(Call, Instant)| call.0.latency(call.1);
        // 200 were due in those two seconds; the next ones wait for these to be answered.
        assert_eq!(over(10 * MILLISECOND, &calls, due), 222);
        assert_eq!(over(1_000 * MILLISECOND, &calls, due), 112);
        assert_eq!(calls.iter().map(due).max(), Some(2_000 * MILLISECOND));
        // One second on average for the two hundred, and a little for those behind them.
        let waited: Duration = calls.iter().map(due).sum();
        assert!((200..240).contains(&waited.as_secs()), "{waited:?}");
    }

    #[test]
    fn measured_from_when_it_was_sent_the_same_server_would_look_well() {
        let (calls, _) = calls(100, 10_000, 2_000..4_000);
        let sent = |call: &(Call, Instant)| call.1 - call.0.sent;
        assert_eq!(over(10 * MILLISECOND, &calls, sent), 1, "one call in a thousand");
        let closed = |call: &(Call, Instant)| Call::at_once(call.0.sent).latency(call.1);
        assert_eq!(over(10 * MILLISECOND, &calls, closed), 1, "and a closed loop measures so");
        assert_eq!(over(10 * MILLISECOND, &calls, |call| call.0.lateness()), 220, "the others were sent late");
    }

    #[test]
    fn calls_that_could_not_be_sent_are_left_over_with_when_they_were_due() {
        let (sent, arrivals) = calls(100, 3_000, 2_000..9_000);
        assert_eq!(sent.len(), 201);
        let left: Vec<Instant> = arrivals.left_over().collect();
        assert_eq!(left.len(), 99, "all 300 are accounted for");
        assert_eq!(left[0] - sent[0].0.due, 2_010 * MILLISECOND);
        let (_, arrivals) = calls(100, 3_000, 0..0);
        assert_eq!(arrivals.left_over().count(), 0);
    }

    #[test]
    fn what_the_warm_up_has_not_sent_is_not_made_up_for() {
        let begin = Instant::now();
        let at = |milliseconds: u32| begin + MILLISECOND * milliseconds;
        let mut arrivals = Arrivals::new(begin, Window { from: at(1_000), until: at(2_000) }, 3, 1, 2);
        let second = Duration::from_nanos(333_333_333);
        assert_eq!(arrivals.take(at(0)), Next::Wait(begin + second));
        assert_eq!(arrivals.take(at(999)), Next::Send(Call { due: begin + second, sent: at(999) }), "still warming up");
        assert_eq!(arrivals.take(at(1_600)), Next::Send(Call { due: at(1_000), sent: at(1_600) }));
        // The third and the fifth call are another one's; the sixth is this one's again.
        assert_eq!(arrivals.clone().left_over().collect::<Vec<_>>(), [begin + Duration::from_nanos(1_666_666_666)]);
        let never = Arrivals::new(begin, Window { from: at(1_000), until: at(2_000) }, 1_000, 0, 1);
        assert_eq!(never.left_over().count(), 1_000);
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        let begin = Instant::now();
        let window = Window { from: begin, until: begin + Duration::from_secs(2) };
        let whole: Vec<Instant> = Arrivals::new(begin, window, 7, 0, 1).left_over().collect();
        let mut shared: Vec<Instant> =
            (0..3).flat_map(|share| Arrivals::new(begin, window, 7, share, 3).left_over()).collect();
        shared.sort();
        assert_eq!(shared, whole);
        assert_eq!(whole.len(), 14);
        let empty = Window { until: begin, ..window };
        assert_eq!(Arrivals::new(begin, empty, 7, 0, 1).take(begin), Next::Over);
    }

    #[test]
    fn the_measured_time_ends_before_its_end() {
        let from = Instant::now();
        let window = Window { from, until: from + MILLISECOND };
        assert!(window.contains(from) && !window.contains(window.until));
        assert!(!window.contains(from - MILLISECOND));
    }
}
