//! Conditions: a small language of the oracle's own, each sentence of which can be written as CEL. A condition holds, does
//! not hold, or cannot be evaluated (`None`).

use std::collections::BTreeMap;

use super::Value;

/// What a statement or a permission asks for besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The attribute is the subject's id.
    AttributeIsSubject(String),
    /// The attribute is this text.
    AttributeIs(String, String),
    /// The attribute is one of these texts.
    AttributeIn(String, Vec<String>),
    /// The attribute is a number less than this one.
    AttributeBelow(String, i64),
    /// The whole path, as it was given, starts with this text.
    PathStartsWith(String),
    /// The facet has this value.
    FacetIs(String, String),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

/// What a condition sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The subject's id, of a user or of a service account alike.
    pub subject: String,
    /// The whole path, not cut; empty if none was given.
    pub path: String,
    /// The values given and those read from the path.
    pub facets: BTreeMap<String, String>,
    pub attributes: BTreeMap<String, Value>,
}

impl Condition {
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether it holds; `None` if that cannot be said. What is absent makes it so, and so does a comparison of size with
    /// what is no number. Things of two types are not equal. `&&` and `||` do not mind what cannot be said on one side, if
    /// the other side decides.
    pub fn holds(&self, seen: &Seen) -> Option<bool> {
        match self {
            Self::AttributeIsSubject(name) => Some(*seen.attributes.get(name)? == Value::Text(seen.subject.clone())),
            Self::AttributeIs(name, text) => Some(*seen.attributes.get(name)? == Value::Text(text.clone())),
            Self::AttributeIn(name, texts) => match seen.attributes.get(name)? {
                Value::Text(text) => Some(texts.contains(text)),
                Value::Number(_) => Some(false),
            },
            Self::AttributeBelow(name, limit) => match seen.attributes.get(name)? {
                Value::Text(_) => None,
                Value::Number(number) => Some(number < limit),
            },
            Self::PathStartsWith(text) => Some(seen.path.starts_with(text)),
            Self::FacetIs(facet, value) => Some(seen.facets.get(facet)? == value),
            Self::And(one, other) => match (one.holds(seen), other.holds(seen)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(one, other) => match (one.holds(seen), other.holds(seen)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(inner) => inner.holds(seen).map(|holds| !holds),
        }
    }

    /// The same as CEL.
    pub fn cel(&self) -> String {
        match self {
            Self::AttributeIsSubject(name) => format!("attributes.{name} == subject.id"),
            Self::AttributeIs(name, text) => format!("attributes.{name} == {}", quoted(text)),
            Self::AttributeIn(name, texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("attributes.{name} in [{}]", texts.join(", "))
            }
            Self::AttributeBelow(name, limit) => format!("attributes.{name} < {limit}.0"),
            Self::PathStartsWith(text) => format!("resource.path.startsWith({})", quoted(text)),
            Self::FacetIs(facet, value) => format!("facets.{facet} == {}", quoted(value)),
            Self::And(one, other) => format!("({}) && ({})", one.cel(), other.cel()),
            Self::Or(one, other) => format!("({}) || ({})", one.cel(), other.cel()),
            Self::Not(inner) => format!("!({})", inner.cel()),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
