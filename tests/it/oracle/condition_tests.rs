//! Conditions: when they hold, when they cannot be evaluated, and how they are written.

use super::{
    platform::{allow, bind, edit, give, list, may, platform, says},
    tests::{managed, set, user},
    *,
};
use Reason::{Allowed, ApiScopeLeftOut, ConditionFailed};

fn is(name: &str, text: &str) -> Condition {
    Condition::AttributeIs(name.into(), text.into())
}

fn below(name: &str, limit: i64) -> Condition {
    Condition::AttributeBelow(name.into(), limit)
}

/// `a` is the text `x`, `n` the number 5, `me` the subject; the line is `lines/l1`.
fn seen() -> Seen {
    let text = |text: &str| Value::Text(text.into());
    Seen {
        subject: "ana".into(),
        path: "lines/l1/conversations/v1".into(),
        facets: BTreeMap::from([("line".into(), "lines/l1".into())]),
        attributes: BTreeMap::from([
            ("a".into(), text("x")),
            ("n".into(), Value::Number(5)),
            ("me".into(), text("ana")),
        ]),
    }
}

#[test]
fn a_comparison_holds_or_not_and_cannot_be_made_with_what_is_absent() {
    let facet = |facet: &str, value: &str| Condition::FacetIs(facet.into(), value.into());
    let one_of = |name: &str| Condition::AttributeIn(name.into(), vec!["w".into(), "x".into()]);
    for (condition, expected) in [
        (is("a", "x"), Some(true)),
        (is("a", "y"), Some(false)),
        (is("none", "x"), None),
        (one_of("a"), Some(true)),
        (one_of("me"), Some(false)),
        (one_of("none"), None),
        (Condition::AttributeIsSubject("me".into()), Some(true)),
        (Condition::AttributeIsSubject("a".into()), Some(false)),
        (Condition::AttributeIsSubject("none".into()), None),
        (below("n", 6), Some(true)),
        (below("n", 5), Some(false)),
        (below("none", 5), None),
        (facet("line", "lines/l1"), Some(true)),
        (facet("line", "lines/l2"), Some(false)),
        (facet("workspace", "workspaces/w1"), None),
        (Condition::PathStartsWith("lines/l1".into()), Some(true)),
        (Condition::PathStartsWith("lines/l2".into()), Some(false)),
    ] {
        assert_eq!(condition.holds(&seen()), expected, "{}", condition.cel());
    }
}

#[test]
fn things_of_two_types_are_not_equal_and_a_text_is_neither_more_nor_less() {
    for (condition, expected) in [
        (is("n", "5"), Some(false)),
        (Condition::AttributeIn("n".into(), vec!["5".into()]), Some(false)),
        (Condition::AttributeIsSubject("n".into()), Some(false)),
        (below("a", 5), None),
    ] {
        assert_eq!(condition.holds(&seen()), expected, "{}", condition.cel());
    }
}

#[test]
fn and_and_or_do_not_mind_what_cannot_be_said_if_the_other_side_decides() {
    let (yes, no, unclear) = (is("a", "x"), is("a", "y"), is("none", "x"));
    let cases = [
        (&yes, &yes, Some(true), Some(true)),
        (&yes, &no, Some(false), Some(true)),
        (&no, &no, Some(false), Some(false)),
        (&yes, &unclear, None, Some(true)),
        (&no, &unclear, Some(false), None),
        (&unclear, &unclear, None, None),
    ];
    for (one, other, both, either) in cases {
        for (one, other) in [(one, other), (other, one)] {
            assert_eq!(one.clone().and(other.clone()).holds(&seen()), both, "{} && {}", one.cel(), other.cel());
            assert_eq!(one.clone().or(other.clone()).holds(&seen()), either, "{} || {}", one.cel(), other.cel());
        }
    }
}

#[test]
fn not_turns_what_can_be_said_and_leaves_what_cannot() {
    for (condition, expected) in [(is("a", "x"), Some(false)), (is("a", "y"), Some(true)), (is("none", "x"), None)] {
        assert_eq!(condition.negated().holds(&seen()), expected);
    }
}

#[test]
fn a_condition_is_written_as_cel() {
    for (condition, cel) in [
        (Condition::AttributeIsSubject("owner".into()), "attributes.owner == subject.id"),
        (is("a", "say \"\\\""), r#"attributes.a == "say \"\\\"""#),
        (Condition::AttributeIn("a".into(), vec!["x".into(), "y".into()]), r#"attributes.a in ["x", "y"]"#),
        (below("n", 5), "attributes.n < 5.0"),
        (below("n", -5), "attributes.n < -5.0"),
        (Condition::PathStartsWith("lines/".into()), r#"resource.path.startsWith("lines/")"#),
        (Condition::FacetIs("line".into(), "lines/l1".into()), r#"facets.line == "lines/l1""#),
        (
            is("a", "x").and(below("n", 5).or(is("b", "y")).negated()),
            r#"(attributes.a == "x") && (!((attributes.n < 5.0) || (attributes.b == "y")))"#,
        ),
    ] {
        assert_eq!(condition.cel(), cel);
    }
}

#[test]
fn the_conditions_of_the_permission_and_of_the_statement_must_both_hold() {
    let mut oracle = platform();
    let condition_of_permission = is("a", "x");
    edit(&mut oracle, |catalog| {
        let condition = Some(condition_of_permission);
        catalog.permissions.entry("account.read".into()).and_modify(|it| it.condition = condition);
    });
    give(&mut oracle, "some", vec![allow(&["**"], &[]).when(is("b", "y"))]);
    let question = may("account.read");
    says(&oracle, &question, ConditionFailed);
    says(&oracle, &question.clone().text("a", "x"), ConditionFailed);
    says(&oracle, &question.clone().text("b", "y"), ConditionFailed);
    says(&oracle, &question.clone().text("a", "x").text("b", "y"), Allowed);
    bind(&mut oracle, managed("reader"), "");
    says(&oracle, &question.clone().text("a", "x"), Allowed);
    says(&oracle, &question.text("b", "y"), ConditionFailed);
}

#[test]
fn a_condition_that_cannot_be_evaluated_does_not_allow_and_neither_does_its_opposite() {
    let mut oracle = platform();
    let unclear = below("n", 5);
    for condition in [unclear.clone(), unclear.negated()] {
        give(&mut oracle, "some", vec![allow(&["account.read"], &[]).when(condition)]);
        says(&oracle, &may("account.read"), ConditionFailed);
        says(&oracle, &may("account.read").text("n", "4"), ConditionFailed);
    }
}

#[test]
fn a_condition_sees_the_whole_path_and_an_empty_one_if_there_is_none() {
    let mut oracle = platform();
    let below_c1 = Condition::PathStartsWith("workspaces/w1/channels/c1/".into());
    give(&mut oracle, "some", vec![allow(&["channel.post"], &[]).when(below_c1)]);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1/messages/m1"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1"), ConditionFailed);
    says(&oracle, &may("channel.post"), ConditionFailed);
    oracle.update_policy("acme", "some", vec![allow(&["**"], &[]).when(Condition::PathStartsWith(String::new()))]);
    says(&oracle, &may("channel.post"), Allowed);
}

#[test]
fn a_condition_sees_the_facets_that_are_given_and_those_of_the_path() {
    let mut oracle = platform();
    let on_l1 = Condition::FacetIs("line".into(), "lines/l1".into());
    give(&mut oracle, "some", vec![allow(&["account.read"], &[]).when(on_l1)]);
    says(&oracle, &may("account.read"), ConditionFailed);
    says(&oracle, &may("account.read").facet("line", "lines/l1"), Allowed);
    says(&oracle, &may("account.read").on("lines/l1/conversations/v1"), Allowed);
    says(&oracle, &may("account.read").on("lines/l2"), ConditionFailed);
}

#[test]
fn a_condition_sees_who_asks_user_or_service_account() {
    let mut oracle = platform();
    let own = Condition::AttributeIsSubject("owner".into());
    give(&mut oracle, "some", vec![allow(&["account.read"], &[]).when(own)]);
    platform::bind_to(&mut oracle, Holder::ServiceAccount("bot".into()), tests::custom("some"), "");
    says(&oracle, &may("account.read").text("owner", "ana"), Allowed);
    says(&oracle, &may("account.read").text("owner", "ben"), ConditionFailed);
    let bot = Question::permission(Subject::ServiceAccount("bot".into()), "account.read");
    says(&oracle, &bot.text("owner", "bot"), Allowed);
}

#[test]
fn a_condition_of_a_permission_bounds_an_exception_too() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        catalog.permissions.entry("account.read".into()).and_modify(|it| it.condition = Some(is("a", "x")));
    });
    oracle.create_exception("acme", "ana", "account.read", Exception::default(), 0);
    says(&oracle, &may("account.read"), ConditionFailed);
    says(&oracle, &may("account.read").text("a", "x"), Allowed);
}

#[test]
fn an_api_scope_that_is_left_out_is_further_than_a_condition_that_fails() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["account.read"], &[]).when(is("a", "x"))]);
    oracle.leave_out("acme", "some", set(&["base"]));
    says(&oracle, &Question::api_scope("ana", "base"), ConditionFailed);
    says(&oracle, &Question::api_scope("ana", "base").text("a", "x"), ApiScopeLeftOut);
}

#[test]
fn a_condition_is_looked_at_after_the_facets() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["line.call"], &[]).when(is("a", "x"))]);
    says(&oracle, &may("line.call").on("lines/l1"), Reason::FacetNotGranted);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call").on("lines/l1"), ConditionFailed);
}
