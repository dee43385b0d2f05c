//! How paths, facets, attributes, patterns, conditions and expiries can be wrong, and what the answer to that has to be.

use std::collections::HashMap;

use prost_reflect::{MapKey, Value};
use prost_types::value::Kind;

use super::{
    UNREADABLE,
    rules::Rule,
    things,
    violations::{Expected, Place, Violation, no_times, string},
    wire,
};

/// Every way in which a field with one of these rules can be wrong.
pub fn of(rule: Rule, place: &Place<'_>) -> Vec<Violation> {
    match rule {
        Rule::Future => {
            let mut bad = no_times(place);
            for (what, seconds) in [("the beginning of time", 0), ("a time that has passed", 1_700_000_000)] {
                bad.push(place.invalid(what, Some(wire::timestamp(&place.field, seconds, 0))).late());
            }
            bad
        }
        Rule::NewPath => {
            let mut bad = place.texts(things::bad_paths());
            bad.push(place.invalid("nothing", string("")));
            bad.extend(place.texts(things::strange_paths()).into_iter().map(Violation::late));
            for (what, path, reason) in [
                ("what is registered", "workspaces/w1", "ALREADY_EXISTS"),
                ("what lies in nothing", "workspaces/nobody/channels/c1", "RESOURCE_NOT_FOUND"),
            ] {
                bad.push(place.with(what, string(path), Expected::reason(&[reason], "")));
            }
            bad
        }
        Rule::RegisteredPath => {
            let mut bad = place.texts(things::bad_paths());
            let missing = [("what is not registered", "lines/nobody"), ("another account's", "lines/foreign")];
            let missing = missing.map(|(what, path)| (what.to_owned(), path.to_owned()));
            for (what, path) in missing.into_iter().chain(things::strange_paths()) {
                bad.push(place.with(what, string(path), Expected::reason(&["RESOURCE_NOT_FOUND"], "")));
            }
            bad
        }
        Rule::Place => {
            let bad = things::bad_paths().into_iter().chain(things::strange_paths());
            place.texts(bad.collect()).into_iter().map(Violation::late).collect()
        }
        Rule::Facets => facets(place),
        Rule::Attributes => {
            let deep = (0..200).fold(Kind::NullValue(0), |inner, _| nested(inner));
            let deep = attributes(place, [("deep".to_owned(), deep)]);
            vec![place.with("200 levels", Some(deep), Expected::reason(&[UNREADABLE], ""))]
        }
        Rule::Value => {
            let other = [("of another type".to_owned(), "workspaces/w1".to_owned())];
            let bad = things::bad_paths().into_iter().chain(things::strange_paths()).chain(other);
            let mut bad: Vec<Violation> = place.texts(bad.collect()).into_iter().map(Violation::late).collect();
            bad.push(place.invalid("nothing", string("")).late());
            for (what, path) in [("what is not registered", "lines/nobody"), ("another account's", "lines/foreign")] {
                bad.push(place.with(what, string(path), Expected::reason(&["RESOURCE_NOT_FOUND"], "")));
            }
            bad
        }
        Rule::PermissionPattern => {
            let bad = [
                "",
                "a..b",
                "a.",
                ".a",
                "**.a",
                "a.**.b",
                "a.b*",
                "***",
                "a.b.c.d.e.f",
                "a b",
                "a/b",
                "é",
                "a\0b",
                "a:b",
            ];
            let strange =
                ["nothing.**", "desk.tickets.vew", "desk.*", "inner.**", "inner.all.touch", "foreign.things.view"];
            patterns(place, &bad, ["x".repeat(129), ["a"; 6].join(".")], &strange)
        }
        Rule::ResourcePattern => {
            let bad = [
                "",
                "/",
                "lines/",
                "/lines",
                "lines//l1",
                "**/l1",
                "lines/**/x",
                "lines/..",
                "lines/a b",
                "a\0",
                "l*/x",
            ];
            let strange = ["boxes/**", "lines", "channels/c1", "lines/l1/channels/*", "*", "*/*/*"];
            patterns(place, &bad, [vec!["x".repeat(128); 8].join("/"), ["a"; 18].join("/")], &strange)
        }
        Rule::Condition => {
            let mut bad: Vec<Violation> = [
                "1 +",
                "subject.id ==",
                "(true",
                "'ana",
                "nonsense == 'a'",
                "subject.nothing == 'a'",
                "now() < 1",
                "subject.id.nothing()",
                "[1, 2",
                "true;",
                "true true",
                "{",
                "\0",
            ]
            .into_iter()
            .map(|text| place.invalid(format!("{text:?}"), string(text)))
            .collect();
            let mut long = place.invalid("4,097 bytes", string(format!("true{}", " ".repeat(4093))));
            long.expected.says = vec!["4097".to_owned(), "4096".to_owned()];
            bad.push(long);
            bad.push(place.invalid("deep brackets", string(format!("{}true{}", "(".repeat(1000), ")".repeat(1000)))));
            bad
        }
        Rule::Effect => [0, 99, -1, i32::MAX, i32::MIN]
            .into_iter()
            .map(|number| place.invalid(format!("the value {number}"), Some(Value::EnumNumber(number))))
            .collect(),
        _ => Vec::new(),
    }
}

/// What has to be accepted all the same.
pub fn accepted(rule: Rule, place: &Place<'_>) -> Vec<Violation> {
    let fine = |what: &str, value: Value| place.with(what, Some(value), Expected::default());
    let text = |text: &str| fine(&format!("{text:?}"), Value::String(text.to_owned()));
    match rule {
        // What is not registered too, and what lies above the permission's type.
        Rule::Place => ["", "workspaces/w1", "workspaces/w9/channels/c9"].map(text).to_vec(),
        Rule::RegisteredPath => ["", "workspaces/w1/channels/c1"].map(text).to_vec(),
        Rule::Facets => {
            ["line=lines/l9", "workspace=workspaces/w1", "line=lines/l1, channel=workspaces/w1/channels/c1"]
                .map(|text| fine(text, wire::parse(&place.field, text)))
                .to_vec()
        }
        Rule::Attributes => {
            let shadowing = ["subject", "resource", "facets", "attributes", "", "é", "a b"];
            let shadowing = shadowing.map(|name| (name.to_owned(), Kind::StringValue("x".to_owned())));
            let deep = (0..20).fold(Kind::NumberValue(f64::NAN), |inner, _| nested(inner));
            vec![
                fine("names of other things", attributes(place, shadowing)),
                fine("20 levels", attributes(place, [("deep".to_owned(), deep)])),
                place.with("none", None, Expected::default()),
            ]
        }
        Rule::Condition => {
            let long = format!("true{}", " ".repeat(4092));
            vec![text(&long), text("resource.path.startsWith('lines/') && facets.line == 'lines/l1'"), text("")]
        }
        Rule::PermissionPattern => ["**", "*.*.*", "desk.tickets.view"].map(text).to_vec(),
        Rule::ResourcePattern => ["**", "*/**", "workspaces/*/channels/*"].map(text).to_vec(),
        _ => Vec::new(),
    }
}

fn patterns<const N: usize>(place: &Place<'_>, bad: &[&str], long: [String; N], strange: &[&str]) -> Vec<Violation> {
    let mut all: Vec<Violation> = bad.iter().map(|text| place.invalid(format!("{text:?}"), string(*text))).collect();
    all.extend(long.into_iter().map(|text| place.invalid(format!("{} bytes", text.len()), string(text))));
    // What matches nothing of the catalog that a customer can have.
    all.extend(strange.iter().map(|text| place.invalid(format!("{text:?}"), string(*text)).late()));
    all
}

fn facets(place: &Place<'_>) -> Vec<Violation> {
    let mut bad = Vec::new();
    let long = "x".repeat(200);
    let mut add = |what: &str, given: &[(&str, &str)]| {
        let entries: HashMap<MapKey, Value> = given
            .iter()
            .map(|(name, value)| (MapKey::String((*name).to_owned()), Value::String((*value).to_owned())))
            .collect();
        let mut violation = place.invalid(what, Some(Value::Map(entries))).late();
        // A name that is long is shown as long as an id can be.
        let named = |name: &&str| format!("{}.{}", place.path, name.chars().take(128).collect::<String>());
        violation.expected.fields = given.iter().map(|(name, _)| named(name)).collect();
        bad.push(violation);
    };
    for (what, name) in
        [("one that there is not", "nothing"), ("the plural", "lines"), ("no name", ""), ("a long name", &long)]
    {
        add(what, &[(name, "lines/l1")]);
    }
    add("the permission's own feature", &[("feature", "desk")]);
    for (what, value) in things::bad_paths().into_iter().chain(things::strange_paths()) {
        add(&format!("{what} for a value"), &[("line", &value)]);
    }
    add("nothing for a value", &[("line", "")]);
    add("the id alone", &[("line", "l1")]);
    add("a value of another type", &[("line", "workspaces/w1")]);
    add("several", &[("nothing", "lines/l1"), ("feature", "desk"), ("line", "l1")]);
    bad
}

/// A value within another one.
fn nested(inner: Kind) -> Kind {
    let value = prost_types::Value { kind: Some(inner) };
    Kind::StructValue(prost_types::Struct { fields: [("in".to_owned(), value)].into() })
}

fn attributes(place: &Place<'_>, given: impl IntoIterator<Item = (String, Kind)>) -> Value {
    wire::attributes(&place.field, given)
}
