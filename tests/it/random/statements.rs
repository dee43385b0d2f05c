//! Conditions, patterns and statements made at random, and how they are sent.

use std::collections::BTreeMap;

use rolecall::proto;
use serde_json::{Value as Json, json};

use super::{
    super::oracle::{
        Catalog, Condition, Effect, Statement, Value,
        paths::{could_match, permission_matches},
    },
    Random, Set, users,
};

/// The attributes that conditions look at.
const ATTRIBUTES: [&str; 2] = ["a", "n"];

/// Attributes of a question: some absent, some of the other type.
pub(super) fn random_attributes(random: &mut Random) -> BTreeMap<String, Value> {
    let mut attributes = BTreeMap::new();
    for name in ATTRIBUTES {
        if random.chance(65) {
            attributes.insert(name.to_owned(), random_value(random, name));
        }
    }
    attributes
}

fn random_value(random: &mut Random, name: &str) -> Value {
    if (name == "n") == random.chance(85) {
        return Value::Number(random.below(6) as i64);
    }
    Value::Text(random_text(random))
}

fn random_text(random: &mut Random) -> String {
    let texts = ["x".to_owned(), "y".to_owned()].into_iter().chain(users().take(3));
    random.pick(texts).unwrap_or_default()
}

pub(super) fn random_condition(random: &mut Random, catalog: &Catalog, depth: usize) -> Condition {
    let text = || "a".to_owned();
    match random.below(if depth == 0 { 7 } else { 10 }) {
        0 => Condition::AttributeIsSubject(text()),
        1 => Condition::AttributeIs(text(), random_text(random)),
        2 => Condition::AttributeIn(text(), vec![random_text(random), random_text(random)]),
        3 | 4 => Condition::AttributeBelow("n".into(), random.below(6) as i64),
        5 => Condition::PathStartsWith(["", "sites", "sites/x0", "lines/x1"][random.below(4)].into()),
        6 => match random.pick(catalog.resource_types.keys().cloned()) {
            Some(facet) => {
                let value = catalog.path(random, &facet);
                Condition::FacetIs(facet, value)
            }
            None => Condition::AttributeIs(text(), "x".into()),
        },
        7 => random_condition(random, catalog, depth - 1).and(random_condition(random, catalog, depth - 1)),
        8 => random_condition(random, catalog, depth - 1).or(random_condition(random, catalog, depth - 1)),
        _ => random_condition(random, catalog, depth - 1).negated(),
    }
}

/// A pattern that matches a permission.
pub(super) fn permission_pattern(random: &mut Random, permission: &str, wide: bool) -> String {
    let mut segments: Vec<&str> = permission.split('.').collect();
    match random.below(20) {
        0 | 1 if wide => return "**".into(),
        1..5 => {
            segments.truncate(1 + random.below(segments.len()));
            segments.push("**");
        }
        5..13 => {
            let star = random.below(segments.len());
            segments[star] = "*";
        }
        _ => {}
    }
    segments.join(".")
}

/// A statement all of whose patterns match something. None if there is nothing to match.
pub(super) fn random_statement(random: &mut Random, catalog: &Catalog, internal: bool) -> Option<Statement> {
    let effect = if random.chance(25) { Effect::Deny } else { Effect::Allow };
    let known = matched(catalog, internal);
    let mut permissions = Vec::new();
    for _ in 0..1 + random.below(2) {
        let permission = random.pick(known.iter().cloned())?;
        let wide = effect == Effect::Allow || random.chance(15);
        let pattern = permission_pattern(random, &permission, wide);
        // A pattern stands once in a list.
        if !permissions.contains(&pattern) {
            permissions.push(pattern);
        }
    }
    let mut resources = Vec::new();
    if random.chance(45) {
        for _ in 0..1 + random.below(2) {
            let pattern = catalog.resource_pattern(random);
            if !resources.contains(&pattern) {
                resources.push(pattern);
            }
        }
    }
    let condition = random.chance(25).then(|| random_condition(random, catalog, 2));
    Some(Statement { effect, permissions, resources, condition })
}

/// One to three statements; none if there is nothing to match.
pub(super) fn random_statements(random: &mut Random, catalog: &Catalog, internal: bool) -> Vec<Statement> {
    let count = 1 + random.below(3);
    (0..count).filter_map(|_| random_statement(random, catalog, internal)).collect()
}

/// The permissions that patterns can match.
fn matched(catalog: &Catalog, internal: bool) -> Set {
    let known = catalog.permissions.iter().filter(|(_, each)| internal || !each.internal);
    known.map(|(id, _)| id.clone()).collect()
}

/// Whether a pattern matches a permission that is known.
pub(super) fn fits_permissions(catalog: &Catalog, pattern: &str, internal: bool) -> bool {
    matched(catalog, internal).iter().any(|permission| permission_matches(pattern, permission))
}

/// Whether a pattern can match a path.
pub(super) fn fits_paths(catalog: &Catalog, pattern: &str) -> bool {
    let free = |resource_type: &String| -> Vec<Option<String>> {
        let words = catalog.chain(Some(resource_type)).into_iter().map(|id| catalog.resource_types[&id].plural.clone());
        words.flat_map(|word| [Some(word), None]).collect()
    };
    pattern == "**" || catalog.resource_types.keys().any(|each| could_match(pattern, &free(each)))
}

/// Whether every pattern of a statement matches something.
pub(super) fn fits(catalog: &Catalog, statement: &Statement, internal: bool) -> bool {
    statement.permissions.iter().all(|pattern| fits_permissions(catalog, pattern, internal))
        && statement.resources.iter().all(|pattern| fits_paths(catalog, pattern))
}

fn condition_text(statement: &Statement) -> String {
    statement.condition.as_ref().map(Condition::cel).unwrap_or_default()
}

/// Statements as the API has them.
pub(super) fn statements_sent(statements: &[Statement]) -> Vec<proto::PolicyStatement> {
    let sent = |each: &Statement| proto::PolicyStatement {
        effect: match each.effect {
            Effect::Allow => proto::policy_statement::Effect::Allow,
            Effect::Deny => proto::policy_statement::Effect::Deny,
        }
        .into(),
        permissions: each.permissions.clone(),
        resources: each.resources.clone(),
        condition: condition_text(each),
    };
    statements.iter().map(sent).collect()
}

/// Statements as files have them.
pub(super) fn statements_written(statements: &[Statement]) -> Json {
    let written = |each: &Statement| {
        let effect = if each.effect == Effect::Allow { "allow" } else { "deny" };
        let mut text = json!({"effect": effect, "permissions": each.permissions});
        if !each.resources.is_empty() {
            text["resources"] = json!(each.resources);
        }
        if each.condition.is_some() {
            text["condition"] = json!(condition_text(each));
        }
        text
    };
    statements.iter().map(written).collect()
}

/// Attributes as the API has them.
pub(super) fn attributes_sent(attributes: &BTreeMap<String, Value>) -> Option<prost_types::Struct> {
    use prost_types::value::Kind;
    if attributes.is_empty() {
        return None;
    }
    let sent = attributes.iter().map(|(name, value)| {
        let kind = match value {
            Value::Text(text) => Kind::StringValue(text.clone()),
            Value::Number(number) => Kind::NumberValue(*number as f64),
        };
        (name.clone(), prost_types::Value { kind: Some(kind) })
    });
    Some(prost_types::Struct { fields: sent.collect() })
}
