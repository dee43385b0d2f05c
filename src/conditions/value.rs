//! Values while a condition is evaluated: borrowed from the question and the condition wherever that can be.

use std::{collections::BTreeMap, rc::Rc};

use super::lower::MAX_WHOLE;
use crate::engine::AttributeValue;

/// Why an evaluation stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something is absent, of the wrong type, or has no result. `&&` and `||` can do without it.
    Error,
    /// The steps are used up. Nothing can do without them.
    Spent,
}

/// A value. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// Always finite: see [`Value::number`].
    Number(f64),
    Text(&'a str),
    /// A text that the condition made.
    NewText(Rc<str>),
    List(&'a [AttributeValue]),
    /// A list that the condition made.
    NewList(Rc<[Value<'a>]>),
    Map(&'a BTreeMap<String, AttributeValue>),
}

impl<'a> Value<'a> {
    /// The value of an attribute.
    ///
    /// # Errors
    /// [`Stop::Error`] for a number that is not finite.
    pub(super) fn of(attribute: &'a AttributeValue) -> Result<Self, Stop> {
        Ok(match attribute {
            AttributeValue::Null => Self::Null,
            AttributeValue::Bool(value) => Self::Bool(*value),
            AttributeValue::Number(number) => Self::number(*number)?,
            AttributeValue::Text(text) => Self::Text(text),
            AttributeValue::List(elements) => Self::List(elements),
            AttributeValue::Map(fields) => Self::Map(fields),
        })
    }

    /// A number, which is finite.
    ///
    /// # Errors
    /// [`Stop::Error`] if it is not, so that no comparison ever has to do with infinities.
    pub(super) fn number(number: f64) -> Result<Self, Stop> {
        if number.is_finite() { Ok(Self::Number(number)) } else { Err(Stop::Error) }
    }

    pub(super) fn as_bool(&self) -> Result<bool, Stop> {
        if let Self::Bool(value) = self { Ok(*value) } else { Err(Stop::Error) }
    }

    pub(super) fn as_number(&self) -> Result<f64, Stop> {
        if let Self::Number(number) = self { Ok(*number) } else { Err(Stop::Error) }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::NewText(text) => Some(text),
            _ => None,
        }
    }

    /// How many elements a list has.
    pub(super) fn elements(&self) -> Option<usize> {
        match self {
            Self::List(elements) => Some(elements.len()),
            Self::NewList(elements) => Some(elements.len()),
            _ => None,
        }
    }

    /// An element of a list.
    ///
    /// # Errors
    /// [`Stop::Error`] if this is no list or not so long.
    pub(super) fn element(&self, at: usize) -> Result<Self, Stop> {
        match self {
            Self::List(elements) => elements.get(at).ok_or(Stop::Error).and_then(Self::of),
            Self::NewList(elements) => elements.get(at).cloned().ok_or(Stop::Error),
            _ => Err(Stop::Error),
        }
    }
}

/// A field of a map.
pub(super) fn field<'a>(of: &Value<'a>, name: &str) -> Result<Value<'a>, Stop> {
    match of {
        Value::Map(fields) => fields.get(name).ok_or(Stop::Error).and_then(Value::of),
        _ => Err(Stop::Error),
    }
}

/// A number that counts something.
pub(super) fn count<'a>(number: usize) -> Result<Value<'a>, Stop> {
    i64::try_from(number).map_err(|_| Stop::Error).and_then(whole)
}

/// A whole number that is exact as a floating point number.
#[expect(clippy::cast_precision_loss, reason = "what would not be exact is an error")]
pub(super) fn whole<'a>(number: i64) -> Result<Value<'a>, Stop> {
    let number = number as f64;
    if number.abs() < MAX_WHOLE { Ok(Value::Number(number)) } else { Err(Stop::Error) }
}

/// Whether a number is whole, and exact.
pub(super) fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < MAX_WHOLE
}

/// A position in a list.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative and below 2^53")]
pub(super) fn position(number: f64) -> Option<usize> {
    (is_whole(number) && number >= 0.0).then_some(number as u64).and_then(|at| usize::try_from(at).ok())
}
