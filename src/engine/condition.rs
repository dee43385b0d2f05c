//! Conditions as the engine sees them: something that holds, does not hold, or cannot be evaluated.
//!
//! The language that they are written in lies behind [`Conditions`], so that the engine stays small and without
//! dependencies. With [`NoConditions`] nothing can be evaluated: grants deny, and denies apply.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::Condition;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// No value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<AttributeValue>),
    /// Values by name.
    Map(BTreeMap<String, AttributeValue>),
}

/// The attributes of a question, by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// What a condition sees of a question.
#[derive(Clone, Copy, Debug)]
pub struct ConditionInput<'a> {
    /// The id of the subject: `subject.id`.
    pub subject: &'a str,
    /// The whole path that was asked about, empty if there was none: `resource.path`.
    pub path: &'a str,
    /// The facets that have a value, each with its path, each once: `facets.<facet>`.
    pub facets: &'a [(&'a str, &'a str)],
    /// What the caller gave besides: `attributes.<name>`.
    pub attributes: &'a Attributes,
}

/// A condition made ready.
pub trait CompiledCondition: std::fmt::Debug + Send + Sync {
    /// Whether it holds; none: it cannot be evaluated, for want of an attribute or for any other reason.
    fn holds(&self, input: &ConditionInput<'_>) -> Option<bool>;
}

/// The language of conditions.
pub trait Conditions: std::fmt::Debug + Send + Sync {
    /// Makes a condition ready. A text that is none becomes one that cannot be evaluated.
    fn compile(&self, text: &str) -> Arc<dyn CompiledCondition>;
}

/// No language: no condition can be evaluated.
#[derive(Clone, Copy, Debug)]
pub struct NoConditions;

impl Conditions for NoConditions {
    fn compile(&self, _text: &str) -> Arc<dyn CompiledCondition> {
        Arc::new(Self)
    }
}

impl CompiledCondition for NoConditions {
    fn holds(&self, _input: &ConditionInput<'_>) -> Option<bool> {
        None
    }
}

/// A condition with its text.
#[derive(Clone, Debug)]
pub struct ReadyCondition {
    /// As its author wrote it.
    pub text: Condition,
    compiled: Arc<dyn CompiledCondition>,
}

impl ReadyCondition {
    /// Makes a condition ready.
    pub fn new(text: &Condition, language: &dyn Conditions) -> Self {
        Self { text: text.clone(), compiled: language.compile(text.as_str()) }
    }

    /// Whether it holds; none: it cannot be evaluated.
    #[must_use]
    pub fn holds(&self, input: &ConditionInput<'_>) -> Option<bool> {
        self.compiled.holds(input)
    }
}
