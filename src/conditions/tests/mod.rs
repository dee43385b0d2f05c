//! What conditions mean and which texts are none, as tables. `hostile` holds texts that would break a parser, `crate_agrees`
//! compares the evaluation with the crate's own.

mod crate_agrees;
mod hostile;
mod random;
mod refused;

use std::collections::BTreeMap;

use super::{CelConditions, MAX_STEPS, check};
use crate::engine::{
    AttributeValue::{self, Bool, List, Map, Null, Number},
    ConditionInput, Conditions,
};

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::Text(text.to_owned())
}

pub(super) fn map<const N: usize>(fields: [(&str, AttributeValue); N]) -> BTreeMap<String, AttributeValue> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The attributes of every question here.
pub(super) fn attributes() -> BTreeMap<String, AttributeValue> {
    map([
        ("assignee", text("ana")),
        ("count", Number(3.0)),
        ("half", Number(0.5)),
        ("large", Number(1e300)),
        ("none", Null),
        ("open", Bool(true)),
        ("nan", Number(f64::NAN)),
        ("tags", List(vec![text("vip"), text("new"), Number(7.0)])),
        ("numbers", List(vec![Number(1.0), Number(2.0), Number(3.0)])),
        ("empty", List(Vec::new())),
        ("same", List(vec![Number(1.0), Number(2.0), Number(3.0)])),
        ("owner", Map(map([("id", text("ana")), ("teams", List(vec![text("sales")]))]))),
        ("odd-name", text("x")),
        ("hundred", List(vec![Number(0.0); 100])),
        ("many", List(vec![Number(0.0); 400])),
        ("long", text(&"a".repeat(8_000))),
    ])
}

pub(super) fn evaluate(condition: &str, attributes: &BTreeMap<String, AttributeValue>) -> Option<bool> {
    let facets = [("line", "lines/l1"), ("support-queue", "queues/q1")];
    let input = ConditionInput { subject: "ana", path: "lines/l1/conversations/c9", facets: &facets, attributes };
    CelConditions.compile(condition).holds(&input)
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

fn check_all(table: &[(&str, Option<bool>)]) {
    let attributes = attributes();
    for (condition, expected) in table {
        assert_eq!(check(condition), Ok(()), "{condition}");
        assert_eq!(evaluate(condition, &attributes), *expected, "{condition}");
    }
}

#[test]
fn a_condition_sees_the_subject_the_path_the_facets_and_the_attributes() {
    check_all(&[
        ("attributes.assignee == subject.id", YES),
        ("subject.id == 'ana'", YES),
        ("resource.path.startsWith(\"lines/l1/\")", YES),
        ("facets.line == 'lines/l1' && facets['support-queue'] == \"queues/q1\"", YES),
        ("attributes['odd-name'] == 'x'", YES),
        ("attributes.owner.id == subject.id && 'sales' in attributes.owner.teams", YES),
        ("attributes.owner['id'] == subject.id", YES),
        ("attributes.open", YES),
        ("!attributes.open", NO),
        ("true", YES),
    ]);
}

#[test]
fn what_is_absent_or_of_the_wrong_type_cannot_be_evaluated() {
    check_all(&[
        ("attributes.nobody == subject.id", None),
        ("attributes.nobody != subject.id", None),
        ("facets.queue == 'queues/q1'", None),
        ("attributes.owner.name == ''", None),
        ("attributes.count", None),
        ("!attributes.assignee", None),
        ("attributes.assignee + 1 == 2", None),
        ("attributes.assignee < 3", None),
        ("attributes.assignee.id == ''", None),
        ("attributes.numbers[3] == 1", None),
        ("attributes.numbers[-1] == 1", None),
        ("attributes.numbers[0.5] == 1", None),
        ("attributes.nan == 1 || attributes.nan != 1", None),
        ("attributes.count.startsWith('a')", None),
        ("size(attributes.count) == 1", None),
        ("attributes.assignee.all(c, true)", None),
    ]);
}

#[test]
fn an_operand_that_decides_does_so_whatever_stands_beside_it() {
    check_all(&[
        ("false && attributes.nobody", NO),
        ("attributes.nobody && false", NO),
        ("true || attributes.nobody", YES),
        ("attributes.nobody || true", YES),
        ("attributes.nobody || attributes.count || true", YES),
        ("true && attributes.nobody", None),
        ("attributes.nobody && true", None),
        ("attributes.nobody || false", None),
        ("attributes.assignee && false", NO),
        ("!(attributes.nobody && false)", YES),
        ("attributes.open ? true : attributes.nobody", YES),
        ("attributes.nobody ? true : true", None),
        ("attributes.tags.exists(t, t > 6)", YES),
        ("attributes.tags.all(t, t > 7)", NO),
        ("attributes.tags.exists(t, t > 7)", None),
        ("attributes.tags.all(t, t > 6)", None),
        ("attributes.tags.exists_one(t, t > 6)", None),
    ]);
}

#[test]
fn has_tells_what_is_there() {
    check_all(&[
        ("has(attributes.assignee)", YES),
        ("has(attributes.none)", YES),
        ("has(attributes.nobody)", NO),
        ("has(facets.line) && !has(facets.queue)", YES),
        ("has(attributes.owner.id) && !has(attributes.owner.name)", YES),
        ("has(attributes.nobody.id)", None),
        ("has(attributes.assignee.id)", None),
        ("'odd-name' in attributes && !('nobody' in attributes)", YES),
        ("'support-queue' in facets && !('queue' in facets)", YES),
        ("'id' in attributes.owner && !('name' in attributes.owner)", YES),
        ("!has(attributes.nobody) || attributes.nobody == subject.id", YES),
        ("attributes.none == null", YES),
        ("attributes.assignee != null", YES),
    ]);
}

#[test]
fn there_is_one_kind_of_number() {
    check_all(&[
        ("attributes.count == 3 && attributes.count == 3.0", YES),
        ("attributes.count > 2 && attributes.count >= 3 && attributes.count <= 3 && attributes.count < 3.5", YES),
        ("attributes.count + 1 == 4 && attributes.count - 0.5 == 2.5", YES),
        ("attributes.count * attributes.half == 1.5", YES),
        ("attributes.count / 2 == 1.5 && 7 / 2 == 3.5", YES),
        ("attributes.count % 2 == 1 && -7 % 2 == -1", YES),
        ("attributes.half % 2 == 1", None),
        ("attributes.count / 0 > 1", None),
        ("attributes.count % 0 == 1", None),
        ("attributes.large * attributes.large > 1", None),
        ("-attributes.count == -3 && 0x10 == 16", YES),
        ("int(2.9) == 2 && int(-2.9) == -2 && int('12') == 12", YES),
        ("double('2.5') == 2.5 && double(3) == 3", YES),
        ("int('2.5') == 2", None),
        ("int(attributes.large) == 1", None),
        ("double('inf') > 1", None),
        ("string(attributes.count) == '3' && string(0.5) == '0.5' && string(-0.0) == '0'", YES),
        ("string(true) + string('x') == 'truex'", YES),
    ]);
}

#[test]
fn values_of_different_types_are_not_equal() {
    check_all(&[
        ("attributes.count == '3'", NO),
        ("attributes.count != '3'", YES),
        ("attributes.none == false", NO),
        ("attributes.tags == attributes.owner", NO),
        ("attributes.numbers == attributes.same && attributes.numbers == [1, 2.0, 3]", YES),
        ("attributes.numbers == [1, 2]", NO),
        ("attributes.owner == attributes.owner", YES),
        ("7 in attributes.tags && !('7' in attributes.tags)", YES),
        ("subject.id in ['bob', 'ana']", YES),
        ("subject.id in attributes.count", None),
        ("1 in attributes.owner", NO),
        ("null in attributes.owner", None),
    ]);
}

#[test]
fn texts_lists_and_comprehensions() {
    check_all(&[
        ("'zürich'.size() == 6 && size('') == 0", YES),
        ("size(attributes.tags) == 3 && size(attributes.owner) == 2 && attributes.empty.size() == 0", YES),
        ("'abc'.contains('bc') && 'abc'.endsWith('c') && !'abc'.startsWith('b')", YES),
        ("'a' < 'b' && 'a' + 'b' == \"ab\" && 'Z' < 'a'", YES),
        (r#"r"\d" == "\\d" && "\u0041" == 'A'"#, YES),
        ("attributes.numbers.all(n, n > 0) && attributes.numbers.exists(n, n == 2)", YES),
        ("attributes.empty.all(n, false) && !attributes.empty.exists(n, true)", YES),
        ("attributes.numbers.exists_one(n, n > 2) && !attributes.numbers.existsOne(n, n > 1)", YES),
        ("attributes.numbers.map(n, n * 2) == [2, 4, 6]", YES),
        ("attributes.numbers.map(n, n > 1, n * 2) == [4, 6]", YES),
        ("attributes.numbers.filter(n, n > 1)[0] == 2", YES),
        ("attributes.owner.exists(name, name == 'teams')", YES),
        ("[1] + [2] + attributes.empty == [1, 2]", YES),
        ("attributes.numbers.all(n, attributes.same.exists(m, m == n))", YES),
        ("[[1], []].exists(l, l.exists(n, n == 1))", YES),
        ("attributes.count == 3 // the usual\n && true", YES),
    ]);
}

#[test]
fn an_evaluation_that_takes_too_many_steps_is_given_up() {
    check_all(&[
        ("attributes.many.all(a, a == 0)", YES),
        ("attributes.hundred.all(a, attributes.hundred.all(b, a == b))", YES),
        ("attributes.many.all(a, attributes.many.all(b, a == b))", None),
        ("true || attributes.many.all(a, attributes.many.all(b, a == b))", YES),
        ("attributes.many.all(a, attributes.many.all(b, a == b)) || true", None),
        ("attributes.many.map(a, attributes.long + attributes.long).size() == 400", None),
        ("attributes.many.all(a, !attributes.long.contains('b'))", None),
        ("attributes.many.exists(a, attributes.many in [attributes.many, a])", YES),
        ("attributes.many.map(a, attributes.many).map(b, b + b).size() == 400", None),
    ]);
    assert_eq!(MAX_STEPS, 100_000, "documented in docs/conditions.md");
}

#[test]
fn attributes_that_nest_without_end_are_not_compared() {
    let nested = (0..1_000).fold(Null, |inner, _| List(vec![inner]));
    let attributes = map([("a", nested.clone()), ("b", nested)]);
    assert_eq!(evaluate("attributes.a == attributes.b", &attributes), None);
    assert_eq!(evaluate("attributes.a == attributes.b || true", &attributes), YES);
}

#[test]
fn a_text_that_is_no_condition_can_never_be_evaluated() {
    for text in ["", "true ||", "subject.name == ''", "subject.id", "true || now() > 3"] {
        assert!(check(text).is_err(), "{text}");
        assert_eq!(evaluate(text, &attributes()), None, "{text}");
    }
}
