//! What is wrong with a file: all of it at once, each problem at its line and column.
//!
//! [`Problems`] collects; it keeps the first [`MAX_PROBLEMS`] and counts the rest, and formats nothing that it does not
//! keep, so that a hostile file costs little more than a good one. Suggestions ("did you mean") are made here too, and
//! only so many of them.

use std::fmt;

use super::node::Position;

/// How many problems of one file are kept; the others are counted.
pub const MAX_PROBLEMS: usize = 10_000;

/// How many names may be compared for suggestions in one file. Comparing two long ones takes some ten microseconds.
const MAX_COMPARISONS: u32 = 100_000;

/// How much of a value a message shows, in bytes.
const SHOWN_BYTES: usize = 128;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// What was given, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Everything that is wrong with a file; as text, one line each (`line:column: message`).
#[derive(Clone, Debug)]
pub struct Problems {
    kept: Vec<Problem>,
    more: u64,
    comparisons_left: u32,
}

impl Default for Problems {
    fn default() -> Self {
        Self { kept: Vec::new(), more: 0, comparisons_left: MAX_COMPARISONS }
    }
}

impl Problems {
    /// Adds a problem; only counts it when there are too many.
    pub fn add(&mut self, at: Position, message: impl fmt::Display) {
        if self.kept.len() < MAX_PROBLEMS {
            self.kept.push(Problem { line: at.line, column: at.column, message: message.to_string() });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds that `given` is not `expected` ("a feature of the catalog"), with the most similar of `known`, if one is
    /// similar. `place` is the field, such as `features[3]`.
    pub fn add_unknown<'n>(
        &mut self,
        at: Position,
        place: impl fmt::Display,
        given: &str,
        expected: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        self.add_unknown_after("", at, place, given, expected, known);
    }

    /// The same for names that are written after a `prefix`, which neither `given` nor `known` has.
    pub(super) fn add_unknown_after<'n>(
        &mut self,
        prefix: &str,
        at: Position,
        place: impl fmt::Display,
        given: &str,
        expected: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        if self.kept.len() >= MAX_PROBLEMS {
            self.more = self.more.saturating_add(1);
            return;
        }
        let whole = format!("{prefix}{given}");
        let shown = Given(&whole);
        match self.most_similar(given, known) {
            Some(name) => {
                let name = format!("{prefix}{name}");
                self.add(at, format_args!("{place}: {shown} is not {expected}; did you mean {name:?}?"));
            }
            None => self.add(at, format_args!("{place}: {shown} is not {expected}")),
        }
    }

    /// The kept problems; in the file's order once a parse function has returned them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// How many problems there are beside the kept ones.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.more
    }

    /// How many problems there are, kept or not.
    pub(super) fn count(&self) -> u64 {
        self.more.saturating_add(self.kept.len() as u64)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The value, if nothing is wrong.
    ///
    /// # Errors
    /// The problems, in the file's order, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }

    pub(super) fn sorted(mut self) -> Self {
        self.kept.sort_by_key(|problem| (problem.line, problem.column));
        self
    }

    fn most_similar<'n>(&mut self, given: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let limit = match given.len() {
            // Any two names of so few characters are similar.
            0..=2 => 0,
            3..=4 => 1,
            _ => 2,
        };
        let mut best: Option<(usize, &str)> = None;
        for name in known {
            if limit == 0 || given.len() > SHOWN_BYTES || name.len().abs_diff(given.len()) > limit {
                continue;
            }
            // Out of budget: no half-searched suggestion, which would depend on the order of the names.
            self.comparisons_left = self.comparisons_left.checked_sub(1)?;
            let distance = distance(given.as_bytes(), name.as_bytes());
            if distance <= limit && best.is_none_or(|best| (distance, name) < best) {
                best = Some((distance, name));
            }
        }
        best.map(|(_, name)| name)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.kept.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A value as messages show it: quoted, escaped, and cut if it is long.
pub(super) struct Given<'t>(pub(super) &'t str);

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= SHOWN_BYTES {
            return write!(f, "{:?}", self.0);
        }
        let end = self.0.floor_char_boundary(SHOWN_BYTES);
        write!(f, "{:?}...", self.0.get(..end).unwrap_or_default())
    }
}

/// How many bytes must be inserted, removed or replaced to make one text of the other.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_byte) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = before;
        }
        for (cell, right_byte) in cells.zip(right) {
            let replaced = diagonal + usize::from(left_byte != right_byte);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}
