//! What is recorded of a benchmark, and how `docs/performance.md` shows it.
//!
//! [`Recorded`] is the file of figures, one [`Part`] for each part of the benchmark. [`written`] puts tables between the
//! markers of a document, and nothing else in it changes. No clock, no machine and no file here: the tests use it too.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// All that was measured and not replaced since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub parts: Vec<Part>,
}

/// One part of the benchmark: what one table and some curves are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub rows: Vec<Row>,
    pub curves: Vec<Curve>,
}

/// Where and how something was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub machine: String,
    pub cores: usize,
    pub kernel: String,
    pub rustc: String,
    pub workload: String,
    /// How many users there were; none: they do not matter.
    pub users: Option<u64>,
    /// How many rounds were asked for.
    pub rounds: usize,
}

/// A pair that was measured in turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub what: String,
    /// Of both medians; "ns" and "per s" are shown in larger units where that is shorter.
    pub unit: String,
    pub limit: String,
    /// Rounds that count.
    pub rounds: usize,
    /// Rounds in which something else used the machine.
    pub discarded: usize,
    pub ratio: Spread,
    /// The medians of both sides.
    pub one: f64,
    pub other: f64,
    pub run: Run,
}

/// How the ratios of a row are spread: the interval has the median with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub min: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub max: f64,
}

/// How something grows with something else: one plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Also the name of the plot's file.
    pub name: String,
    pub title: String,
    /// What it grows with.
    pub x: String,
    /// What grows.
    pub y: String,
    /// Of what grows.
    pub unit: String,
    pub series: Vec<Series>,
    pub run: Run,
}

/// One line of a plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<Point>,
}

/// One point of a line: the median of what was measured, with the least and the most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

/// What a row should come to.
// Which of these are used changes with what is wanted.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// In the unit of the row.
    AtMost(f64),
    /// In the unit of the row.
    AtLeast(f64),
}

/// What a row of a part should come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    pub part: &'static str,
    pub what: &'static str,
    /// The row's limit; empty: whatever it is.
    pub limit: &'static str,
    pub bound: Bound,
}

impl Bound {
    fn is_met(self, row: &Row) -> bool {
        match self {
            Self::RatioAtMost(bound) => row.ratio.median <= bound,
            Self::RatioAtLeast(bound) => row.ratio.median >= bound,
            Self::AtMost(bound) => row.one <= bound,
            Self::AtLeast(bound) => row.one >= bound,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::RatioAtMost(bound) => format!("ratio at most {bound}"),
            Self::RatioAtLeast(bound) => format!("ratio at least {bound}"),
            Self::AtMost(bound) => format!("at most {}", shown(bound, unit)),
            Self::AtLeast(bound) => format!("at least {}", shown(bound, unit)),
        }
    }
}

impl Wanted {
    /// Whether it is about a row: names of rows can end in how many there are of something.
    pub fn is_about(&self, part: &str, row: &Row) -> bool {
        self.part == part && row.what.starts_with(self.what) && (self.limit.is_empty() || self.limit == row.limit)
    }
}

/// The head of the table of rows.
pub const HEAD: &str = "| What | Median | Limit | Median | Ratio: min | Median (95 %) | Max | Rounds | Wanted |\n\
                        |---|---|---|---|---|---|---|---|---|";

impl Row {
    /// The row of a table. `wanted`: what it should come to.
    pub fn line(&self, wanted: Option<Bound>) -> String {
        let Self { what, unit, limit, rounds, discarded, ratio, one, other, .. } = self;
        let Spread { min, low, median, high, max } = ratio;
        let (one, other) = (shown(*one, unit), shown(*other, unit));
        let rounds = if *discarded == 0 { rounds.to_string() } else { format!("{rounds} of {}", rounds + discarded) };
        let wanted = match wanted {
            None => String::new(),
            Some(bound) if bound.is_met(self) => bound.text(unit),
            Some(bound) => format!("{}: **missed**", bound.text(unit)),
        };
        format!(
            "| {what} | {one} | {limit} | {other} | {min:.2} | **{median:.2}** ({low:.2} to {high:.2}) | {max:.2} | \
             {rounds} | {wanted} |"
        )
    }
}

/// A figure with three digits and a unit that fits.
pub fn shown(figure: f64, unit: &str) -> String {
    let (figure, unit) = match unit {
        "ns" if figure >= 1e6 => (figure / 1e6, "ms"),
        "ns" if figure >= 1e4 => (figure / 1e3, "us"),
        "per s" if figure >= 1e6 => (figure / 1e6, "M/s"),
        "per s" if figure >= 1e4 => (figure / 1e3, "k/s"),
        "per s" => (figure, "/s"),
        unit => (figure, unit),
    };
    let digits = if figure >= 100.0 { 0 } else { 1 };
    format!("{figure:.digits$} {unit}")
}

/// A count as it is read aloud: 1,500, 10 k, 1 M.
pub fn count(number: f64) -> String {
    match number {
        n if n >= 1e6 && n % 1e5 == 0.0 => format!("{} M", n / 1e6),
        n if n >= 1e4 && n % 1e3 == 0.0 => format!("{} k", n / 1e3),
        n if n >= 1e3 => format!("{},{:03}", (n / 1e3) as u64, (n % 1e3) as u64),
        n => format!("{n}"),
    }
}

const BEGIN: &str = "<!-- figures of ";
const BEGIN_END: &str = ": written by cargo bench -- write-docs -->";
const END: &str = "<!-- end of figures -->";

/// The place of a part's figures in a document: the lines between its markers, by number from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub part: String,
    pub lines: std::ops::Range<usize>,
}

/// Where the figures of each part stand, in the order of the document.
///
/// # Errors
/// Which line has a marker that does not fit, and why.
pub fn places(document: &str) -> Result<Vec<Place>, String> {
    let mut places: Vec<Place> = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for (number, line) in document.lines().enumerate() {
        let wrong = |why: &str| Err(format!("line {}: {why}: {line:?}", number + 1));
        if let Some(rest) = line.strip_prefix(BEGIN) {
            let Some(part) = rest.strip_suffix(BEGIN_END) else {
                return wrong("the marker before figures ends differently");
            };
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
                return wrong("a part is named by small letters and hyphens");
            }
            if open.is_some() {
                return wrong("the figures before it have no end");
            }
            if places.iter().any(|place| place.part == part) {
                return wrong("this part has a place already");
            }
            open = Some((part.to_owned(), number + 1));
        } else if line == END {
            let Some((part, begin)) = open.take() else { return wrong("an end without a beginning") };
            places.push(Place { part, lines: begin..number });
        } else if line.contains("figures of ") && line.trim_start().starts_with("<!--") || line.contains(END) {
            return wrong("a marker stands alone on its line");
        }
    }
    match open {
        None => Ok(places),
        Some((part, _)) => Err(format!("the figures of {part} have no end")),
    }
}

/// A document with what was recorded in the places of its parts. Parts without figures are left as they are.
///
/// # Errors
/// A marker that does not fit, or a part that was recorded and has no place.
pub fn written(document: &str, recorded: &Recorded, wanted: &[Wanted]) -> Result<String, String> {
    let places = places(document)?;
    if let Some(part) = recorded.parts.iter().find(|part| !places.iter().any(|place| place.part == part.name)) {
        return Err(format!(
            "the figures of {0} have no place; give them one:\n{BEGIN}{0}{BEGIN_END}\n{END}",
            part.name
        ));
    }
    let lines: Vec<&str> = document.lines().collect();
    let mut text = String::new();
    let mut done = 0;
    let copy = |text: &mut String, range: std::ops::Range<usize>| {
        for line in lines.get(range).unwrap_or_default() {
            text.push_str(line);
            text.push('\n');
        }
    };
    for place in &places {
        let Some(part) = recorded.parts.iter().find(|part| part.name == place.part) else { continue };
        copy(&mut text, done..place.lines.start);
        text.push_str(&part.text(wanted));
        done = place.lines.end;
    }
    copy(&mut text, done..lines.len());
    Ok(text)
}

impl Part {
    /// What stands between the markers.
    fn text(&self, wanted: &[Wanted]) -> String {
        let mut text = String::new();
        let mut runs: Vec<&Run> = Vec::new();
        for run in self.rows.iter().map(|row| &row.run).chain(self.curves.iter().map(|curve| &curve.run)) {
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
        for run in runs {
            let _ = write!(text, "\n{}\n", run.text());
        }
        if !self.rows.is_empty() {
            let _ = write!(text, "\n{HEAD}\n");
        }
        for row in &self.rows {
            let bound = wanted.iter().find(|wanted| wanted.is_about(&self.name, row)).map(|wanted| wanted.bound);
            text.push_str(&row.line(bound));
            text.push('\n');
        }
        for curve in &self.curves {
            text.push_str(&curve.text());
        }
        text.push('\n');
        text
    }
}

impl Run {
    fn text(&self) -> String {
        let Self { machine, cores, kernel, rustc, workload, users, rounds } = self;
        let cores = match cores {
            1 => "One core".to_owned(),
            2 => "Two cores".to_owned(),
            cores => format!("{cores} cores"),
        };
        let users = users.map(|users| format!(", {} users", count(users as f64))).unwrap_or_default();
        let end = if workload.is_empty() { String::new() } else { format!(". {workload}") };
        format!("{cores} of {machine}, {kernel}, {rustc}; {rounds} rounds{users}{}.", end.trim_end_matches('.'))
    }
}

impl Curve {
    /// The plot, and its points as a table.
    fn text(&self) -> String {
        let Self { name, title, x, y, unit, series, .. } = self;
        let mut text = format!("\n![{title}: {y} against {x}](plots/{name}.svg)\n\n| {x} |");
        for line in series {
            let _ = write!(text, " {} |", line.name);
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(series.len()));
        text.push('\n');
        let mut xs: Vec<f64> = series.iter().flat_map(|line| &line.points).map(|point| point.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        for x in xs {
            let _ = write!(text, "| {} |", count(x));
            for line in series {
                let point = line.points.iter().find(|point| point.x == x);
                let _ = write!(text, " {} |", point.map(|point| shown(point.median, unit)).unwrap_or_default());
            }
            text.push('\n');
        }
        text
    }
}
