//! Random conditions, evaluated here and by the crate `cel`: where both speak the same language they must agree.
//!
//! They do not where numbers are calculated with, as the crate has three kinds of them, so that literals are doubles
//! here; nor where a map is added to a list, which the crate takes for its keys.

use std::collections::{BTreeMap, HashMap};

use cel::{Context, Program, Value};

use super::{check, evaluate, map, random::Random, text};
use crate::engine::AttributeValue::{self, Bool, List, Map, Null, Number};

fn value(attribute: &AttributeValue) -> Value {
    match attribute {
        Null => Value::Null,
        Bool(value) => (*value).into(),
        Number(number) => (*number).into(),
        AttributeValue::Text(text) => text.as_str().into(),
        List(elements) => elements.iter().map(value).collect::<Vec<_>>().into(),
        Map(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), value(field))).collect::<HashMap<_, _>>().into()
        }
    }
}

fn by_the_crate(condition: &str, attributes: &BTreeMap<String, AttributeValue>) -> Option<bool> {
    let named = |fields: &[(&str, &str)]| -> Value {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        fields.collect::<HashMap<_, _>>().into()
    };
    let mut context = Context::default();
    context.add_variable_from_value("subject", named(&[("id", "ana")]));
    context.add_variable_from_value("resource", named(&[("path", "lines/l1/conversations/c9")]));
    context.add_variable_from_value("facets", named(&[("line", "lines/l1"), ("support-queue", "queues/q1")]));
    context.add_variable_from_value("attributes", value(&Map(attributes.clone())));
    match Program::compile(condition).expect("it was checked").execute(&context) {
        Ok(Value::Bool(value)) => Some(value),
        _ => None,
    }
}

/// Makes conditions that pass the check, most of them.
struct Writer {
    random: Random,
    locals: usize,
}

impl Writer {
    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            let leaves = [
                "true",
                "false",
                "attributes.b",
                "attributes.no",
                "attributes.t",
                "has(attributes.no)",
                "has(attributes.m)",
            ];
            return self.random.one_of(&leaves).to_owned();
        }
        let next = depth - 1;
        match self.random.below(13) {
            0..=2 => format!("({} && {})", self.truth(next), self.truth(next)),
            3..=5 => format!("({} || {})", self.truth(next), self.truth(next)),
            6 => format!("!{}", self.truth(next)),
            7 => format!("({} ? {} : {})", self.truth(next), self.truth(next), self.truth(next)),
            8 => format!(
                "{} {} {}",
                self.number(next),
                self.random.one_of(&["<", "<=", ">", ">=", "==", "!="]),
                self.number(next)
            ),
            9 => {
                let sign = self.random.one_of(&["<", "<=", ">", ">=", "==", "!="]);
                format!("{} {sign} {}", self.text(next), self.text(next))
            }
            10 => {
                let search = self.random.one_of(&["startsWith", "endsWith", "contains"]);
                format!("{}.{search}({})", self.text(next), self.text(next))
            }
            11 => format!("({} in {})", self.any(next), self.list(next)),
            _ if self.locals < 2 => {
                let kind = self.random.one_of(&["all", "exists", "exists_one"]);
                let (range, local, body) = self.bound(next, Self::truth);
                format!("{range}.{kind}({local}, {body})")
            }
            _ => format!("({} == {})", self.list(next), self.list(next)),
        }
    }

    /// A list, a new name, and something that may use the name.
    fn bound(&mut self, depth: usize, body: fn(&mut Self, usize) -> String) -> (String, String, String) {
        let (range, local) = (self.list(depth), format!("v{}", self.locals));
        self.locals += 1;
        let body = body(self, depth);
        self.locals -= 1;
        (range, local, body)
    }

    fn any(&mut self, depth: usize) -> String {
        match self.random.below(5) {
            0 if self.locals > 0 => format!("v{}", self.random.below(self.locals)),
            0 | 1 => self.number(depth),
            2 | 3 => self.text(depth),
            _ => self.random.one_of(&["attributes.z", "attributes.m", "attributes.b", "attributes.no"]).to_owned(),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.random.below(5) {
            0 if depth > 0 => format!(
                "({} {} {})",
                self.number(depth - 1),
                self.random.one_of(&["+", "-", "*"]),
                self.number(depth - 1)
            ),
            1 if self.locals > 0 => format!("v{}", self.random.below(self.locals)),
            2 => self
                .random
                .one_of(&["attributes.n", "attributes.h", "attributes.l[1.0]", "attributes.l[9.0]"])
                .to_owned(),
            3 => format!("double({})", self.random.one_of(&["attributes.n", "'2.5'", "'x'", "attributes.t"])),
            _ => self.random.one_of(&["0.0", "1.0", "2.0", "-0.5"]).to_owned(),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.random.below(7) {
            0 if depth > 0 => format!("({} + {})", self.text(depth - 1), self.text(depth - 1)),
            1 if self.locals > 0 => format!("v{}", self.random.below(self.locals)),
            2 => "subject.id".to_owned(),
            3 => "facets.line".to_owned(),
            4 => self
                .random
                .one_of(&["attributes.t", "attributes.m.k", "attributes.m['k']", "attributes.m.no"])
                .to_owned(),
            5 => self.random.one_of(&["string(attributes.t)", "string(true)"]).to_owned(),
            _ => self.random.one_of(&["'a'", "'ana'", "''", "'lines/l1'", "'é'"]).to_owned(),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        match self.random.below(6) {
            0 if depth > 0 => {
                let lists = [
                    "attributes.l",
                    "attributes.e",
                    "attributes.x",
                    "[]",
                    "[1.0, 'ana']",
                    "attributes.t",
                    "attributes.no",
                ];
                format!("({} + {})", self.random.one_of(&lists), self.random.one_of(&lists))
            }
            1 if depth > 0 && self.locals < 2 => {
                let (range, local, body) = self.bound(depth - 1, Self::any);
                format!("{range}.map({local}, {body})")
            }
            2 if depth > 0 && self.locals < 2 => {
                let (range, local, body) = self.bound(depth - 1, Self::truth);
                format!("{range}.filter({local}, {body})")
            }
            3 => format!("[{}, {}]", self.any(depth.saturating_sub(1)), self.any(depth.saturating_sub(1))),
            _ => self
                .random
                .one_of(&["attributes.l", "attributes.e", "attributes.x", "attributes.m", "attributes.t"])
                .to_owned(),
        }
    }
}

#[test]
fn random_conditions_mean_what_the_crate_takes_them_to_mean() {
    const SEED: u64 = 0x0ce1_ce11;
    println!("seed {SEED:#x}");
    let attributes = map([
        ("b", Bool(true)),
        ("t", text("ana")),
        ("n", Number(2.0)),
        ("h", Number(0.5)),
        ("z", Null),
        ("l", List(vec![Number(1.0), Number(2.0), Number(0.5)])),
        ("e", List(Vec::new())),
        ("x", List(vec![text("ana"), Null, Bool(false), Number(1.0), List(vec![Number(1.0)])])),
        ("m", Map(map([("k", text("a")), ("ana", Number(1.0))]))),
    ]);
    let mut writer = Writer { random: Random::new(SEED), locals: 0 };
    let (mut compared, mut evaluated) = (0, 0);
    for _ in 0..4_000 {
        let condition = writer.truth(3);
        if check(&condition).is_err() {
            continue;
        }
        let ours = evaluate(&condition, &attributes);
        assert_eq!(ours, by_the_crate(&condition, &attributes), "{condition}");
        compared += 1;
        evaluated += usize::from(ours.is_some());
    }
    assert!(compared > 2_000 && evaluated > 1_000, "{compared} compared, {evaluated} of them evaluated");
}
