//! Two things measured in turns, and what their ratio is.

use std::{env, time::Instant};

use super::{
    document::{Row, Run, Spread},
    figures,
};

/// How many rounds each pair is measured.
pub fn rounds() -> usize {
    env::var("ROLECALL_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// What was measured in one window, and whether the machine was ours meanwhile.
#[derive(Clone, Copy)]
pub struct Window {
    pub figure: f64,
    pub is_clean: bool,
}

/// Figures of one side, by round.
pub type Figures = Vec<Window>;

/// How much of the machine may go to others within a window that counts.
const STOLEN: f64 = 0.05;

/// Processor time, in ticks: what others than this process and its children used, and what there was.
struct Ticks {
    others: u64,
    all: u64,
}

fn ticks() -> Option<Ticks> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal] = *fields.first_chunk()?;
    let used = user + nice + system + steal;
    let ours: u64 = std::iter::once(std::process::id())
        .chain(super::processes::children())
        .filter_map(super::processes::ticks_of)
        .chain(super::processes::ticks_of_ended(std::process::id()))
        .sum();
    Some(Ticks { others: used.saturating_sub(ours), all: used + idle + iowait + irq + softirq })
}

/// Measures one window.
pub fn window(measure: impl FnOnce() -> f64) -> Window {
    let before = ticks();
    let figure = measure();
    Window { figure, is_clean: is_clean(before) }
}

/// Measures one window of something that waits.
pub async fn window_of(measure: impl Future<Output = f64>) -> Window {
    let before = ticks();
    let figure = measure.await;
    Window { figure, is_clean: is_clean(before) }
}

/// Whether nobody else has used the machine since.
fn is_clean(before: Option<Ticks>) -> bool {
    match (before, ticks()) {
        (Some(before), Some(after)) => {
            let others = after.others.saturating_sub(before.others) as f64;
            // One tick is the grain of the clock, and no sign of anybody.
            others <= 2.0 || others <= STOLEN * (after.all - before.all) as f64
        }
        _ => true,
    }
}

/// Measures both in turns. Who goes first changes, so that neither always has the warmer machine. Windows in which
/// something else used the machine are measured again, up to twice as many as were asked for.
pub fn in_turns(rounds: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> (Figures, Figures) {
    let (mut ours, mut limit) = (Figures::new(), Figures::new());
    for round in 0..2 * rounds {
        let (a, b);
        if round % 2 == 0 {
            a = window(&mut one);
            b = window(&mut other);
        } else {
            b = window(&mut other);
            a = window(&mut one);
        }
        ours.push(a);
        limit.push(b);
        if clean(&ours, &limit).count() >= rounds {
            break;
        }
    }
    (ours, limit)
}

fn clean<'a>(ours: &'a [Window], limit: &'a [Window]) -> impl Iterator<Item = (f64, f64)> + 'a {
    let both = ours.iter().zip(limit).filter(|(ours, limit)| ours.is_clean && limit.is_clean);
    both.map(|(ours, limit)| (ours.figure, limit.figure))
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The interval that has the median with a confidence of 95 %, whatever the distribution: the ranks at which a fair coin
/// stays for so many throws (W. J. Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2).
fn interval(sorted: &[f64]) -> (f64, f64) {
    let count = sorted.len() as f64;
    let reach = 1.96 * count.sqrt() / 2.0;
    let low = (count / 2.0 - reach).floor().max(0.0) as usize;
    let high = ((count / 2.0 + reach).ceil() as usize).min(sorted.len().saturating_sub(1));
    (sorted.get(low).copied().unwrap_or(f64::NAN), sorted.get(high).copied().unwrap_or(f64::NAN))
}

/// Prints the row of a pair, and records it for the part that is measured.
pub fn report(name: &str, unit: &str, limit_name: &str, (ours, limit): &(Figures, Figures)) {
    let pairs: Vec<(f64, f64)> = match clean(ours, limit).collect::<Vec<_>>() {
        clean if !clean.is_empty() => clean,
        _ => ours.iter().zip(limit).map(|(ours, limit)| (ours.figure, limit.figure)).collect(),
    };
    let ratios = sorted(pairs.iter().map(|(ours, limit)| ours / limit));
    let (low, high) = interval(&ratios);
    let (min, max) = (ratios.first().unwrap_or(&f64::NAN), ratios.last().unwrap_or(&f64::NAN));
    figures::record(Row {
        what: name.to_owned(),
        unit: unit.to_owned(),
        limit: limit_name.to_owned(),
        // None of them: then the figures are of all, and the row says so.
        rounds: clean(ours, limit).count(),
        discarded: ours.len() - clean(ours, limit).count(),
        ratio: Spread { min: *min, low, median: median(&ratios), high, max: *max },
        one: median(&sorted(pairs.iter().map(|pair| pair.0))),
        other: median(&sorted(pairs.iter().map(|pair| pair.1))),
        run: Run::default(),
    });
}

/// The least, the median and the most of some windows, of the clean ones if there are any.
pub fn spread(windows: &[Window]) -> (f64, f64, f64) {
    let is_any_clean = windows.iter().any(|window| window.is_clean);
    let figures = sorted(windows.iter().filter(|window| window.is_clean || !is_any_clean).map(|window| window.figure));
    let end = |figure: Option<&f64>| figure.copied().unwrap_or(f64::NAN);
    (end(figures.first()), median(&figures), end(figures.last()))
}

/// How long one call takes, in nanoseconds.
pub fn time(calls: u64, mut call: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    for number in 0..calls {
        call(number);
    }
    began.elapsed().as_nanos() as f64 / calls as f64
}
