//! What is wrong with a text that is no condition: all of it at once, each problem at its line and column.

use std::fmt;

use thiserror::Error;

/// How many problems of one text are kept.
const MAX_PROBLEMS: usize = 16;

/// How much of a text a message shows, in bytes.
const SHOWN_BYTES: usize = 64;

/// Where in a text something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    line: u32,
    column: u32,
}

impl Place {
    /// The beginning of every text: where problems of the whole stand.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// A line and a column, both from 1. What the parser cannot place (it says 0) stands at the beginning.
    pub(super) fn at(line: usize, column: usize) -> Self {
        let number = |from: usize| u32::try_from(from.max(1)).unwrap_or(u32::MAX);
        Self { line: number(line), column: number(column) }
    }

    /// The place before which a text has so many characters.
    pub(super) fn after(text: &str, characters: usize) -> Self {
        let (mut line, mut column) = (1, 1);
        for character in text.chars().take(characters) {
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        Self::at(line, column)
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionProblem {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// What was given, and what was expected.
    pub message: String,
}

impl fmt::Display for ConditionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Why a text is no condition: at least one problem, of many the first few.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConditionError {
    /// What is wrong, in the order in which it stands in the text.
    pub problems: Vec<ConditionProblem>,
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConditionProblem>);

impl Problems {
    pub(super) fn add(&mut self, at: Place, message: impl fmt::Display) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(ConditionProblem { line: at.line, column: at.column, message: message.to_string() });
        }
    }

    /// What is right, if nothing is wrong.
    pub(super) fn or<T>(mut self, right: T) -> Result<T, ConditionError> {
        self.0.sort_by_key(|problem| (problem.line, problem.column));
        if self.0.is_empty() { Ok(right) } else { Err(ConditionError { problems: self.0 }) }
    }
}

/// The beginning of a text that may be long, for a message.
pub(super) fn shown(text: &str) -> String {
    let mut end = text.len().min(SHOWN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let dots = if end < text.len() { "..." } else { "" };
    format!("{}{dots}", text.get(..end).unwrap_or_default())
}
