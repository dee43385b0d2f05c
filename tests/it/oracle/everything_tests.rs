//! Questions about everything: the path stops above the permission's type, or is absent.

use super::{
    platform::{allow, bind, deny, give, may, platform, role_of, says},
    tests::managed,
    *,
};
use Reason::{Allowed, DeniedByPolicy, ResourceNotCovered, ResourceRequired};

#[test]
fn everything_below_a_path_is_allowed_if_the_binding_is_at_or_above_it() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    says(&oracle, &may("channel.post").on("workspaces/w1"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w2"), ResourceNotCovered);
    says(&oracle, &may("channel.post"), ResourceRequired);
    bind(&mut oracle, managed("reader"), "");
    says(&oracle, &may("channel.post"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w2"), Allowed);
}

#[test]
fn a_binding_below_the_path_asks_for_a_longer_one() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1/channels/c1");
    says(&oracle, &may("channel.post").on("workspaces/w1"), ResourceRequired);
    says(&oracle, &may("channel.post"), ResourceRequired);
    says(&oracle, &may("channel.post").on("workspaces/w2"), ResourceNotCovered);
    says(&oracle, &may("workspace.read"), ResourceNotCovered);
}

#[test]
fn a_binding_of_another_line_of_types_asks_for_nothing() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "lines/l1");
    says(&oracle, &may("channel.post"), ResourceNotCovered);
    says(&oracle, &may("workspace.read"), ResourceNotCovered);
}

#[test]
fn a_pattern_must_end_in_two_stars_and_match_the_path_as_given() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["channel.post"], &["workspaces/w1/**"])]);
    says(&oracle, &may("channel.post").on("workspaces/w1"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w2"), ResourceNotCovered);
    says(&oracle, &may("channel.post"), ResourceRequired);
    for pattern in ["workspaces/*/channels/*", "workspaces/w1/channels/**", "workspaces/*/channels/c1/**"] {
        oracle.update_policy("acme", "some", vec![allow(&["channel.post"], &[pattern])]);
        says(&oracle, &may("channel.post").on("workspaces/w1"), ResourceRequired);
        says(&oracle, &may("channel.post"), ResourceRequired);
    }
    for pattern in ["workspaces/*", "workspaces/w1", "workspaces/*/channels/*/messages/**", "lines/**"] {
        oracle.update_policy("acme", "some", vec![allow(&["channel.post"], &[pattern])]);
        says(&oracle, &may("channel.post").on("workspaces/w1"), ResourceNotCovered);
        says(&oracle, &may("channel.post"), ResourceNotCovered);
    }
    for pattern in ["**", "*/**", "workspaces/**", "workspaces/*/**"] {
        oracle.update_policy("acme", "some", vec![allow(&["channel.post"], &[pattern])]);
        says(&oracle, &may("channel.post").on("workspaces/w1"), Allowed);
        says(&oracle, &may("channel.post"), if pattern == "**" { Allowed } else { ResourceRequired });
    }
}

#[test]
fn a_longer_path_must_pass_the_binding_and_a_pattern_at_once() {
    let mut oracle = platform();
    let role = role_of(&mut oracle, "some", vec![allow(&["**"], &["workspaces/w1/channels/c1"])]);
    bind(&mut oracle, role.clone(), "workspaces/w2");
    says(&oracle, &may("channel.post"), ResourceNotCovered);
    bind(&mut oracle, role, "workspaces/w1/channels/c1");
    says(&oracle, &may("channel.post"), ResourceRequired);
}

#[test]
fn everything_is_denied_by_a_deny_at_above_or_below_the_path_whatever_its_patterns() {
    for (bound, on_w1) in [
        ("", true),
        ("workspaces/w1", true),
        ("workspaces/w1/channels/c1", true),
        ("workspaces/w1/channels/c1/messages/m1", true),
        ("workspaces/w2", false),
        ("lines/l1", false),
    ] {
        let mut oracle = platform();
        bind(&mut oracle, managed("reader"), "");
        let no = role_of(&mut oracle, "no", vec![deny(&["channel.**"], &["workspaces/w9/channels/c9"])]);
        bind(&mut oracle, no, bound);
        says(&oracle, &may("channel.post").on("workspaces/w1"), if on_w1 { DeniedByPolicy } else { Allowed });
        says(&oracle, &may("channel.post"), DeniedByPolicy);
        says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1"), Allowed);
        says(&oracle, &may("workspace.read"), Allowed);
    }
}

#[test]
fn everything_is_denied_by_a_deny_even_if_its_condition_does_not_hold() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    let night = Condition::AttributeIs("time".into(), "night".into());
    give(&mut oracle, "no", vec![deny(&["channel.**"], &[]).when(night)]);
    says(&oracle, &may("channel.post").text("time", "day"), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w1").text("time", "day"), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1").text("time", "day"), Allowed);
}

#[test]
fn a_question_of_a_permission_of_the_account_is_never_about_everything() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    let no = role_of(&mut oracle, "no", vec![deny(&["account.**"], &[])]);
    bind(&mut oracle, no, "workspaces/w1");
    give(&mut oracle, "nowhere", vec![deny(&["account.**"], &["lines/**"])]);
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn everything_is_not_denied_by_a_deny_that_has_expired() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &[])]);
    oracle.bind("acme", (Holder::User("ana".into()), no, Some("workspaces/w1".into())), Some(10), 0);
    assert_eq!(oracle.check("acme", &may("channel.post"), 9), Ok(DeniedByPolicy));
    assert_eq!(oracle.check("acme", &may("channel.post"), 10), Ok(Allowed));
}
