//! Conditions as the engine sees them: something made ready beforehand that holds, does not hold, or cannot be evaluated.
//!
//! The engine knows no language of conditions; it is handed one through [`Conditions`]. None handed: no condition can be
//! evaluated, so that no grant with one counts and every deny with one applies.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// Given, as nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list of values.
    List(Vec<AttributeValue>),
    /// Values by name.
    Map(BTreeMap<String, AttributeValue>),
}

/// What a condition sees of a question.
#[derive(Clone, Copy, Debug)]
pub struct ConditionInput<'a> {
    /// `subject.id`.
    pub subject: &'a str,
    /// `resource.path`: the whole path as it was given, empty if none was.
    pub path: &'a str,
    /// `facets.<facet>`: the values that are known, as paths. What is absent here is absent there.
    pub facets: &'a [(&'a str, &'a str)],
    /// `attributes.<name>`.
    pub attributes: &'a BTreeMap<String, AttributeValue>,
}

/// A condition made ready.
pub trait CompiledCondition: fmt::Debug + Send + Sync {
    /// Whether it holds. `None`: it cannot be evaluated (absent attribute, wrong type, error, too costly).
    fn holds(&self, input: &ConditionInput<'_>) -> Option<bool>;
}

/// The language of conditions.
pub trait Conditions: fmt::Debug + Send + Sync {
    /// Makes a condition ready. A text that is no condition gives one that can never be evaluated.
    fn compile(&self, text: &str) -> Arc<dyn CompiledCondition>;
}
