//! Texts that are no conditions, and what is said of them.

use super::super::{MAX_BYTES, check};

/// Texts, each with what its error says: the whole of it, or its beginning if that ends in `...`.
fn check_refused(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = check(text).expect_err(text).to_string();
        match expected.strip_suffix("...") {
            Some(beginning) => assert!(error.starts_with(beginning), "{text}: {error}"),
            None => assert_eq!(error, *expected, "{text}"),
        }
    }
}

const SEES: &str = "a condition sees subject.id, resource.path, facets.<name> and attributes.<name>";

#[test]
fn names_that_a_condition_does_not_see_are_refused() {
    for (text, given) in [
        ("assignee == subject.id", "1:1: unknown name assignee; "),
        ("subject.name == ''", "1:8: unknown name subject.name; "),
        ("resource.type == ''", "1:9: unknown name resource.type; "),
        ("subject == 'ana'", "1:1: subject as a whole; "),
        ("size(attributes) > 1", "1:6: attributes as a whole; "),
        (".subject.id == ''", "1:2: unknown name .subject; "),
        ("int == int", "1:1: unknown name int; "),
    ] {
        let error = check(text).expect_err(text).to_string();
        assert!(error.starts_with(&format!("{given}{SEES}")), "{text}: {error}");
    }
    check_refused(&[
        ("attributes[subject.id] == 1", "1:11: attributes[...] takes a text literal"),
        ("subject.id in attributes", "1:12: in attributes takes a text literal"),
        ("[1].all(attributes, true)", "1:9: the name attributes has a meaning here already"),
        ("[1].all(a, [1].all(a, true))", "1:20: the name a has a meaning here already"),
        ("[1].all('a', true)", "1:9: expected a name for the element"),
        ("has(subject.id)", "1:4: has(...) takes facets.<name>, attributes.<name> or a field of an attribute's value"),
    ]);
}

#[test]
fn functions_that_conditions_do_not_have_are_refused() {
    check_refused(&[
        ("now() > 3", "1:4: now(...): a condition has no clock"),
        ("timestamp('2020-01-01T00:00:00Z') == null", "1:10: timestamp(...): a condition has no clock"),
        ("subject.id.matches('a*')", "1:19: matches(...): a condition has no regular expressions"),
        ("subject.id.lowerAscii() == ''", "1:22: unknown function lowerAscii; expected one of size, ..."),
        ("and(true, true)", "1:4: unknown function and; ..."),
        ("startsWith('a', 'b')", "1:11: startsWith(...) called in a way that it has not; expected one such as ..."),
        ("[1].all(x)", "1:8: all(...) called in a way that it has not; ..."),
        ("optional.of(1) == 1", "1:12: unknown function of; ..."),
        ("type(1) == 1", "1:5: unknown function type; ..."),
    ]);
}

#[test]
fn types_that_cannot_fit_are_refused() {
    check_refused(&[
        ("'yes'", "1:1: a condition is true or false; this is a text"),
        ("3", "1:1: a condition is true or false; this is a number"),
        ("subject.id", "1:8: a condition is true or false; this is a text"),
        ("subject.id + 'x'", "1:12: a condition is true or false; this is a text"),
        ("[1].map(x, x)", "1:8: a condition is true or false; this is a list"),
        ("subject.id + 1 == 2", "1:12: + of a text and a number; expected two numbers, two texts or two lists"),
        ("!subject.id", "1:9: ! takes true or false; this is a text"),
        ("true && subject.id", "1:16: && takes true or false; this is a text"),
        ("1 || true", "1:1: || takes true or false; this is a number"),
        ("subject.id < 3", "1:12: < of a text and a number; expected two numbers or two texts"),
        ("true < false", "1:6: < of true or false and true or false; expected two numbers or two texts"),
        ("subject.id == 3", "1:12: == of a text and a number; expected two of a kind"),
        ("subject.id != null", "1:12: != of a text and null; expected two of a kind"),
        ("'a' in subject.id", "1:5: in of a text and a text; expected a list to look in"),
        ("'a' - 'b' == ''", "1:5: - of a text and a text; expected two numbers"),
        ("-subject.id == 1", "1:9: - takes a number; this is a text"),
        ("size(3) == 3", "1:6: size takes a text or a list; this is a number"),
        ("subject.id.length == 3", "1:8: a field is taken from an attribute's value; this is a text"),
        ("subject.id[0] == 'a'", "1:8: [ ] takes a list; this is a text"),
        ("(true ? 1 : 'a') == 1", "1:7: ? : of a number and a text; expected two of a kind"),
        ("3 ? true : false", "1:1: ? takes true or false; this is a number"),
        ("[1].all(x, 'a')", "1:12: the last argument is true or false; this is a text"),
        ("attributes.a.startsWith(3)", "1:25: startsWith takes a text; this is a number"),
    ]);
}

#[test]
fn literals_that_conditions_do_not_have_are_refused() {
    check_refused(&[
        ("attributes.a == 3u", "1:17: a number that ends in u; write it without"),
        ("attributes.a == 9007199254740992", "1:17: a number too large; ..."),
        ("attributes.a == 99999999999999999999", "1:17: invalid int literal"),
        ("attributes.a == 1e999", "1:17: invalid double literal"),
        ("attributes.a == b'x'", "1:17: b before a quote; expected an operator or a space"),
        ("attributes.a == '''x'''", "1:17: three quotes; ..."),
        ("attributes.a == {'a': 1}", "1:17: a map in braces; maps can only come from attributes"),
        ("attributes.a == A{b: 1}", "1:18: a map in braces; ..."),
        (r"'\d' == ''", "1:1: an unknown escape in a text literal; ..."),
        (r"'\u12' == ''", "1:1: an unknown escape in a text literal; ..."),
    ]);
}

#[test]
fn syntax_that_is_wrong_is_told_with_its_place() {
    check_refused(&[
        ("", "1:1: mismatched input '<EOF>'"),
        ("true &&", "1:8: mismatched input '<EOF>'"),
        ("true\n&& )", "2:4: ..."),
        ("a = b", "1:3: a single =; expected =="),
        ("a & b", "1:3: a single &; expected &&"),
        ("a | b", "1:3: a single |; expected ||"),
        ("'é' == 'open", "1:8: a text literal that does not end on its line: 'open"),
        ("ü == 1", "1:1: 'ü' can only stand in a text literal"),
        ("a.`b` == 1", "1:3: '`' can only stand in a text literal"),
        ("attributes.?a == 1", "1:11: unsupported syntax '.?'"),
    ]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    check_refused(&[(
        "owner == 'x' ||\n  now() > 3 || subject.id",
        "1:1: unknown name owner; a condition sees subject.id, resource.path, facets.<name> and attributes.<name>; \
         2:6: now(...): a condition has no clock; 2:23: || takes true or false; this is a text",
    )]);
    assert_eq!(check(&["x"; 100].join("||")).expect_err("unknown").problems.len(), 16);
}

#[test]
fn what_is_too_much_is_refused() {
    let long = format!("'{}' == ''", "a".repeat(MAX_BYTES));
    let wide = ["true"; 130].join(" || ");
    let rows = format!("[{}] == []", ["1"; 300].join(","));
    let deep = format!("{}1 == 1", "1 + ".repeat(40));
    let brackets = format!("{}true{}", "(".repeat(33), ")".repeat(33));
    check_refused(&[
        (long.as_str(), "1:1: 4104 bytes; expected at most 4096"),
        (&wide, "1:1: more than 256 values, names and operators"),
        (&rows, "1:1: more than 256 values, names and operators"),
        (&deep, "1:35: nested more than 32 deep; ..."),
        (&brackets, "1:33: brackets nested more than 32 deep"),
        ("[1].all(a, [1].all(b, [1].all(c, true)))", "1:31: comprehensions nested more than 2 deep"),
    ]);
    assert_eq!(check(&["true"; 128].join(" || ")), Ok(()));
}

#[test]
fn what_the_documentation_shows_is_so() {
    let page = include_str!("../../../docs/conditions.md");
    let examples: Vec<&str> = page.split("```cel\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(examples.len() >= 6, "{examples:?}");
    for example in examples {
        assert_eq!(check(example), Ok(()), "{example}");
    }
    let rows: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `")).collect();
    let refused = rows.iter().filter(|(_, problem)| problem.starts_with("1:"));
    assert!(refused.clone().count() >= 5);
    for (text, problem) in refused {
        assert_eq!(check(text).expect_err(text).to_string(), *problem, "{text}");
    }
}
