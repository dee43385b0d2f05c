//! The language of conditions: CEL, made smaller, and bounded in what one evaluation can cost.
//!
//! [`check`] says whether a text is a condition; [`CelConditions`] makes one ready for the engine. The crate `cel` parses;
//! checking and evaluating are ours, because here a number is a number (the crate does not add an attribute, a double,
//! to the literal `1`, an int), a hostile condition must stop at a stated number of steps, and nothing may panic. The
//! tests hold the evaluation against the crate's own. `&&` and `||` follow CEL: an operand that decides does so
//! whichever side an error stands on. No clock and no regular expressions. `docs/conditions.md` is for users.
//! Read [`check`], then `lower` (names and types), then `evaluate`.

mod calls;
mod comprehend;
mod evaluate;
mod expression;
mod guard;
mod lower;
mod problem;
#[cfg(test)]
mod tests;
mod value;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cel::{Env, parser::ParseErrors};

use self::{
    evaluate::Evaluation,
    expression::{Expression, Type},
    lower::Lowering,
    problem::{Place, Problems, shown},
};
use crate::engine::{CompiledCondition, ConditionInput, Conditions};

pub use problem::{ConditionError, ConditionProblem};

/// The longest condition, in bytes.
pub const MAX_BYTES: usize = 4_096;

/// How many values, names and operators a condition can have.
pub const MAX_NODES: usize = 256;

/// How deep they can nest. A row of `&&`, or of `||`, is one level.
pub const MAX_DEPTH: usize = 32;

/// How deep comprehensions (`all`, `exists`, `exists_one`, `map`, `filter`) can nest.
pub const MAX_COMPREHENSIONS: usize = 2;

/// How many steps one evaluation can take; a condition that needs more cannot be evaluated. Steps are counted while
/// they are made, so that the same question always has the same outcome.
pub const MAX_STEPS: usize = 100_000;

/// Says whether a text is a condition.
///
/// # Errors
/// [`ConditionError`] with everything that is wrong with it: syntax, names that conditions do not see, unknown
/// functions, types that cannot fit, a result that is not true or false, or more than the limits of this module.
pub fn check(text: &str) -> Result<(), ConditionError> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<Expression, ConditionError> {
    let mut problems = Problems::default();
    if !guard::is_safe(text, &mut problems) {
        return problems.or(Expression::Null);
    }
    // An environment without macros: `lower` wants them as they are written. The parser is known to have panicked on
    // texts that are wrong, and keeps no state that a panic could leave half done.
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let parser = Env::default().with_optional_support(false).parser();
        let parser = parser.max_recursion_depth(MAX_PARSED_DEPTH).error_recovery_limit(MAX_RECOVERIES);
        parser.parse_with_source_info(text)
    }));
    let (tree, source) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(errors)) => {
            add_syntax(&errors, &mut problems);
            return problems.or(Expression::Null);
        }
        Err(_) => {
            problems.add(Place::START, "the parser cannot make sense of this; expected a CEL expression");
            return problems.or(Expression::Null);
        }
    };
    let mut lowering = Lowering { source: &source, problems, locals: Vec::new(), nodes: 0, depth: 0 };
    let expression = lowering.typed(&tree, &[Type::Bool], "a condition is");
    lowering.problems.or(expression)
}

/// How many expressions the parser opens inside of each other: those of [`MAX_DEPTH`] brackets. After a mistake it can
/// see more of them than there are.
const MAX_PARSED_DEPTH: u16 = 40;

/// How often the parser tries to go on after a mistake, to find more of them.
const MAX_RECOVERIES: u32 = 4;

fn add_syntax(errors: &ParseErrors, problems: &mut Problems) {
    // Others are about the parser's own tree, which has gaps after a mistake.
    let told = errors.errors.iter().filter(|error| !error.msg.contains(['`', '{']) || error.msg.starts_with(SYNTAX));
    let told: Vec<_> = told.filter(|error| !error.msg.contains("error recovery")).collect();
    for error in &told {
        let (line, column) = error.pos;
        let place = Place::at(usize::try_from(line).unwrap_or_default(), usize::try_from(column).unwrap_or_default());
        let (what, expected) =
            error.msg.trim_start_matches(SYNTAX).split_once(" expecting ").unwrap_or((&error.msg, ""));
        // All that could stand here, where many things could: no help.
        let (expecting, expected) =
            if (1..32).contains(&expected.len()) { (" expecting ", expected) } else { ("", "") };
        problems.add(place, format_args!("{}{expecting}{expected}", shown(what.trim_start_matches(SYNTAX))));
    }
    if told.is_empty() {
        problems.add(Place::START, "expected a CEL expression");
    }
}

/// What the parser's messages for people begin with.
const SYNTAX: &str = "Syntax error: ";

/// Conditions in CEL.
#[derive(Clone, Copy, Debug, Default)]
pub struct CelConditions;

impl Conditions for CelConditions {
    fn compile(&self, text: &str) -> Arc<dyn CompiledCondition> {
        match parse(text) {
            Ok(expression) => Arc::new(Ready(expression)),
            Err(_) => Arc::new(Unusable),
        }
    }
}

/// A text that is a condition.
#[derive(Debug)]
struct Ready(Expression);

impl CompiledCondition for Ready {
    fn holds(&self, input: &ConditionInput<'_>) -> Option<bool> {
        Evaluation::new(input).holds(&self.0).ok()
    }
}

/// A text that is none.
#[derive(Debug)]
struct Unusable;

impl CompiledCondition for Unusable {
    fn holds(&self, _input: &ConditionInput<'_>) -> Option<bool> {
        None
    }
}
