//! Evaluates an [`Expression`] and counts its steps.
//!
//! A step is one visited expression, one element that is looked at, or [`TEXT_STEP_BYTES`] bytes of text, so that steps
//! bound both time and memory. Nothing here can panic: all numbers are floating point and all lookups can fail.

use super::{
    MAX_STEPS,
    expression::{Arithmetic, Comparison, Conversion, Expression, Search},
    lower::MAX_WHOLE,
    value::{Stop, Value, count, field, is_whole, position, whole},
};
use crate::engine::ConditionInput;

/// How many bytes of text are looked at or made in one step.
const TEXT_STEP_BYTES: usize = 32;

/// How deep two values are compared. Deeper ones cannot be.
const MAX_COMPARED_DEPTH: usize = 64;

/// One evaluation.
pub(super) struct Evaluation<'a> {
    input: &'a ConditionInput<'a>,
    pub(super) locals: Vec<Value<'a>>,
    steps_left: usize,
}

pub(super) type Evaluated<'a> = Result<Value<'a>, Stop>;

impl<'a> Evaluation<'a> {
    pub(super) fn new(input: &'a ConditionInput<'a>) -> Self {
        Self { input, locals: Vec::new(), steps_left: MAX_STEPS }
    }

    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Evaluated<'a> {
        self.spend(1)?;
        let input = self.input;
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Bool(value) => Ok(Value::Bool(*value)),
            Expression::Number(number) => Ok(Value::Number(*number)),
            Expression::Text(text) => Ok(Value::Text(text)),
            Expression::List(elements) => {
                let elements: Result<Vec<_>, _> = elements.iter().map(|element| self.evaluate(element)).collect();
                Ok(Value::NewList(elements?.into()))
            }
            Expression::Subject => Ok(Value::Text(input.subject)),
            Expression::Path => Ok(Value::Text(input.path)),
            Expression::Facet(name) => self.facet(name).map(Value::Text).ok_or(Stop::Error),
            Expression::HasFacet(name) => Ok(Value::Bool(self.facet(name).is_some())),
            Expression::Attribute(name) => input.attributes.get(&**name).ok_or(Stop::Error).and_then(Value::of),
            Expression::HasAttribute(name) => Ok(Value::Bool(input.attributes.contains_key(&**name))),
            Expression::Local(local) => self.locals.get(*local).cloned().ok_or(Stop::Error),
            Expression::Field(of, name) => field(&self.evaluate(of)?, name),
            Expression::HasField(of, name) => match self.evaluate(of)? {
                Value::Map(fields) => Ok(Value::Bool(fields.contains_key(&**name))),
                _ => Err(Stop::Error),
            },
            Expression::Index(pair) => {
                let (of, at) = self.pair(pair)?;
                match at.as_text() {
                    Some(name) => field(&of, name),
                    None => position(at.as_number()?).ok_or(Stop::Error).and_then(|at| of.element(at)),
                }
            }
            Expression::Not(of) => Ok(Value::Bool(!self.holds(of)?)),
            Expression::Negate(of) => Ok(Value::Number(-self.evaluate(of)?.as_number()?)),
            Expression::And(all) => self.logic(all, false),
            Expression::Or(any) => self.logic(any, true),
            Expression::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.holds(condition)? { self.evaluate(then) } else { self.evaluate(otherwise) }
            }
            Expression::Equal(pair, wanted) => {
                let (left, right) = self.pair(pair)?;
                Ok(Value::Bool(self.equal(&left, &right, MAX_COMPARED_DEPTH)? == *wanted))
            }
            Expression::Compare(comparison, pair) => self.compare(*comparison, pair),
            Expression::Calculate(arithmetic, pair) => self.calculate(*arithmetic, pair),
            Expression::In(pair) => self.look_in(pair),
            Expression::Convert(conversion, of) => self.convert(*conversion, of),
            Expression::Search(search, pair) => self.search(*search, pair),
            Expression::Comprehend(comprehension) => self.comprehend(comprehension),
        }
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Stop> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(Stop::Spent)?;
        Ok(())
    }

    fn spend_text(&mut self, bytes: usize) -> Result<(), Stop> {
        self.spend(bytes / TEXT_STEP_BYTES)
    }

    fn facet(&self, name: &str) -> Option<&'a str> {
        self.input.facets.iter().find(|(facet, _)| *facet == name).map(|(_, value)| *value)
    }

    pub(super) fn holds(&mut self, condition: &'a Expression) -> Result<bool, Stop> {
        self.evaluate(condition)?.as_bool()
    }

    fn pair(&mut self, pair: &'a [Expression; 2]) -> Result<(Value<'a>, Value<'a>), Stop> {
        let [left, right] = pair;
        Ok((self.evaluate(left)?, self.evaluate(right)?))
    }

    /// `&&` (decided by false) and `||` (decided by true): an operand that decides does so whatever errors stand
    /// before or after it.
    fn logic(&mut self, operands: &'a [Expression], decides: bool) -> Evaluated<'a> {
        let mut result = Ok(Value::Bool(!decides));
        for operand in operands {
            match self.holds(operand) {
                Ok(value) if value == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(Stop::Error) => result = Err(Stop::Error),
                Err(Stop::Spent) => return Err(Stop::Spent),
            }
        }
        result
    }

    /// Values of different types are not equal.
    fn equal(&mut self, left: &Value<'_>, right: &Value<'_>, depth: usize) -> Result<bool, Stop> {
        self.spend(1)?;
        let deeper = depth.checked_sub(1).ok_or(Stop::Error)?;
        if let (Some(left), Some(right)) = (left.as_text(), right.as_text()) {
            if left.len() == right.len() {
                self.spend_text(left.len())?;
            }
            return Ok(left == right);
        }
        if let (Some(length), Some(other)) = (left.elements(), right.elements()) {
            if length != other {
                return Ok(false);
            }
            for at in 0..length {
                if !self.equal(&left.element(at)?, &right.element(at)?, deeper)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
            #[expect(clippy::float_cmp, reason = "equal is what the condition asks for")]
            (Value::Number(left), Value::Number(right)) => Ok(left == right),
            (Value::Map(left), Value::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for ((name, value), (other_name, other)) in left.iter().zip(right.iter()) {
                    self.spend_text(name.len())?;
                    if name != other_name || !self.equal(&Value::of(value)?, &Value::of(other)?, deeper)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn compare(&mut self, comparison: Comparison, pair: &'a [Expression; 2]) -> Evaluated<'a> {
        let (left, right) = self.pair(pair)?;
        let order = if let (Some(left), Some(right)) = (left.as_text(), right.as_text()) {
            self.spend_text(left.len().min(right.len()))?;
            left.cmp(right)
        } else {
            left.as_number()?.partial_cmp(&right.as_number()?).ok_or(Stop::Error)?
        };
        Ok(Value::Bool(match comparison {
            Comparison::Less => order.is_lt(),
            Comparison::AtMost => order.is_le(),
            Comparison::More => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
        }))
    }

    fn calculate(&mut self, arithmetic: Arithmetic, pair: &'a [Expression; 2]) -> Evaluated<'a> {
        let (left, right) = self.pair(pair)?;
        if arithmetic == Arithmetic::Add {
            if let (Some(left), Some(right)) = (left.as_text(), right.as_text()) {
                self.spend_text(left.len().saturating_add(right.len()))?;
                return Ok(Value::NewText([left, right].concat().into()));
            }
            if let (Some(length), Some(more)) = (left.elements(), right.elements()) {
                self.spend(length.saturating_add(more))?;
                let left = (0..length).map(|at| left.element(at));
                let joined: Result<Vec<_>, _> = left.chain((0..more).map(|at| right.element(at))).collect();
                return Ok(Value::NewList(joined?.into()));
            }
        }
        let (left, right) = (left.as_number()?, right.as_number()?);
        Value::number(match arithmetic {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            // By zero: infinite, or no number at all.
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder if is_whole(left) && is_whole(right) => left % right,
            Arithmetic::Remainder => return Err(Stop::Error),
        })
    }

    fn look_in(&mut self, pair: &'a [Expression; 2]) -> Evaluated<'a> {
        let (what, range) = self.pair(pair)?;
        if let Value::Map(fields) = range {
            return match (what.as_text(), &what) {
                (Some(name), _) => Ok(Value::Bool(fields.contains_key(name))),
                (None, Value::Bool(_) | Value::Number(_)) => Ok(Value::Bool(false)),
                // What could be no name in any map.
                _ => Err(Stop::Error),
            };
        }
        for at in 0..range.elements().ok_or(Stop::Error)? {
            if self.equal(&what, &range.element(at)?, MAX_COMPARED_DEPTH)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn convert(&mut self, conversion: Conversion, of: &'a Expression) -> Evaluated<'a> {
        let value = self.evaluate(of)?;
        self.spend_text(value.as_text().map_or(0, str::len))?;
        match (conversion, &value) {
            (Conversion::Size, Value::Map(fields)) => count(fields.len()),
            (Conversion::Size, _) => {
                let size = value.as_text().map(|text| text.chars().count()).or_else(|| value.elements());
                size.ok_or(Stop::Error).and_then(count)
            }
            (Conversion::Text, Value::Bool(value)) => Ok(Value::Text(if *value { "true" } else { "false" })),
            // Adding zero makes the negative zero the other one.
            (Conversion::Text, Value::Number(number)) => Ok(Value::NewText((number + 0.0).to_string().into())),
            (Conversion::Text, _) => value.as_text().is_some().then_some(value).ok_or(Stop::Error),
            (Conversion::Number, _) => {
                let parsed = value.as_text().map(|text| text.parse().map_err(|_| Stop::Error));
                parsed.unwrap_or_else(|| value.as_number()).and_then(Value::number)
            }
            (Conversion::Whole, _) => match value.as_text() {
                Some(text) => text.parse::<i64>().map_err(|_| Stop::Error).and_then(whole),
                None => {
                    let number = value.as_number()?.trunc();
                    if number.abs() < MAX_WHOLE { Ok(Value::Number(number)) } else { Err(Stop::Error) }
                }
            },
        }
    }

    fn search(&mut self, search: Search, pair: &'a [Expression; 2]) -> Evaluated<'a> {
        let (of, what) = self.pair(pair)?;
        let (of, what) = of.as_text().zip(what.as_text()).ok_or(Stop::Error)?;
        self.spend_text(of.len().saturating_add(what.len()))?;
        Ok(Value::Bool(match search {
            Search::StartsWith => of.starts_with(what),
            Search::EndsWith => of.ends_with(what),
            Search::Contains => of.contains(what),
        }))
    }
}
