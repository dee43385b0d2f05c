//! Facets: access lists, coverage by roles, and the built-in facet `feature`.

use super::{
    platform::{allow, bind, bind_to, edit, give, list, may, platform, role_of, says},
    tests::{custom, managed, set, team, user},
    *,
};
use Reason::{Allowed, FacetNotGranted, ResourceNotCovered, ResourceRequired};

fn reader() -> Oracle {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    oracle
}

fn everything(oracle: &mut Oracle, holder: Holder, facet: &str) {
    oracle.set_access("acme", holder, facet, Access { all: true, values: set(&[]) });
}

#[test]
fn a_permission_that_a_facet_bounds_needs_the_value_in_the_list_of_the_user() {
    let mut oracle = reader();
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    says(&oracle, &may("line.call").on("lines/l2"), FacetNotGranted);
    oracle.remove_access("acme", user("ana"), "line");
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
}

#[test]
fn a_list_of_all_has_every_value_registered_or_not_and_needs_none() {
    let mut oracle = reader();
    everything(&mut oracle, user("ana"), "line");
    says(&oracle, &may("line.call").on("lines/none"), Allowed);
    says(&oracle, &may("line.call"), Allowed);
}

#[test]
fn the_list_of_a_user_is_its_own_and_that_of_its_teams_together() {
    let mut oracle = reader();
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    list(&mut oracle, team("t"), "line", &["lines/l2"]);
    says(&oracle, &may("line.call").on("lines/l2"), FacetNotGranted);
    oracle.add_member("acme", "t", "ana");
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    says(&oracle, &may("line.call").on("lines/l2"), Allowed);
    everything(&mut oracle, team("t"), "line");
    says(&oracle, &may("line.call").on("lines/none"), Allowed);
    everything(&mut oracle, user("ana"), "line");
    list(&mut oracle, team("t"), "line", &["lines/l2"]);
    says(&oracle, &may("line.call").on("lines/none"), Allowed);
    oracle.remove_access("acme", user("ana"), "line");
    oracle.delete_team("acme", "t");
    oracle.create_team("acme", "t");
    oracle.add_member("acme", "t", "ana");
    says(&oracle, &may("line.call").on("lines/l2"), FacetNotGranted);
}

#[test]
fn the_team_of_the_list_need_not_be_the_team_of_the_role() {
    let mut oracle = platform();
    oracle.create_team("acme", "u");
    bind_to(&mut oracle, team("t"), managed("reader"), "");
    list(&mut oracle, team("u"), "line", &["lines/l1"]);
    oracle.add_member("acme", "t", "ana");
    oracle.add_member("acme", "u", "ana");
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
}

#[test]
fn a_service_account_has_no_list_and_passes_by_coverage_alone() {
    let mut oracle = platform();
    bind_to(&mut oracle, Holder::ServiceAccount("bot".into()), managed("reader"), "");
    let bot = || Question::permission(Subject::ServiceAccount("bot".into()), "line.call").on("lines/l1");
    oracle.create_user("acme", "bot", State::Active);
    everything(&mut oracle, user("bot"), "line");
    says(&oracle, &bot(), FacetNotGranted);
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("reader").map(|role| role.covers = set(&["line"])));
    says(&oracle, &bot(), Allowed);
}

#[test]
fn a_role_that_covers_the_facet_needs_no_list() {
    let mut oracle = reader();
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("reader").map(|role| role.covers = set(&["line"])));
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    says(&oracle, &may("line.call"), Allowed);
    says(&oracle, &may("voice.dial"), FacetNotGranted);
}

#[test]
fn coverage_is_that_of_the_role_that_lists_the_permission_and_passes_neither_up_nor_down() {
    let mut oracle = platform();
    oracle.create_role("acme", "lists", set(&["line.call"]));
    oracle.create_role("acme", "child", set(&[]));
    oracle.set_role_parents("acme", "child", BTreeSet::from([custom("lists")]));
    bind(&mut oracle, custom("child"), "");
    oracle.set_role_covers("acme", "child", set(&["line"]));
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    oracle.set_role_covers("acme", "child", set(&[]));
    oracle.set_role_covers("acme", "lists", set(&["line"]));
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    oracle.create_role("acme", "grandchild", set(&["line.call"]));
    oracle.delete_binding("acme", user("ana"), custom("child"));
    oracle.set_role_parents("acme", "grandchild", BTreeSet::from([custom("child")]));
    bind(&mut oracle, custom("grandchild"), "");
    says(&oracle, &may("line.call").on("lines/l1"), Allowed); // as the role `lists` gives it, two steps up
    oracle.update_role("acme", "lists", set(&[]));
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
}

#[test]
fn a_role_that_lists_a_policy_covers_what_its_statements_give() {
    let mut oracle = platform();
    give(&mut oracle, "some", vec![allow(&["line.**"], &["lines/l1"])]);
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    oracle.set_role_covers("acme", "some", set(&["line"]));
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    says(&oracle, &may("line.call").on("lines/l2"), ResourceNotCovered);
}

#[test]
fn a_facet_is_read_from_the_whole_path_before_it_is_cut() {
    let mut oracle = reader();
    edit(&mut oracle, |catalog| {
        let bounded = Permission { facets: set(&["channel"]), ..Permission::default() };
        catalog.permissions.insert("report.read".into(), bounded);
        catalog.roles.entry("reader".into()).and_modify(|role| _ = role.permissions.insert("report.read".into()));
    });
    list(&mut oracle, user("ana"), "channel", &["workspaces/w1/channels/c1"]);
    says(&oracle, &may("report.read").on("workspaces/w1/channels/c1/messages/m1"), Allowed);
    says(&oracle, &may("report.read").on("workspaces/w1/channels/c2"), FacetNotGranted);
    says(&oracle, &may("report.read").on("workspaces/w1"), ResourceRequired);
    says(&oracle, &may("report.read").on("workspaces/w2"), FacetNotGranted);
    says(&oracle, &may("report.read").on("lines/l1"), ResourceRequired);
    let given = may("report.read").on("workspaces/w1").facet("channel", "workspaces/w1/channels/c1");
    says(&oracle, &given, Allowed);
}

#[test]
fn a_value_that_is_given_counts_like_one_in_the_path() {
    let mut oracle = reader();
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call").facet("line", "lines/l1"), Allowed);
    says(&oracle, &may("line.call").facet("line", "lines/l2"), FacetNotGranted);
    says(&oracle, &may("line.call").on("lines/l1").facet("line", "lines/l1"), Allowed);
}

#[test]
fn without_a_value_one_is_asked_for_if_the_list_has_one_that_agrees_with_the_path() {
    let mut oracle = reader();
    says(&oracle, &may("line.call"), FacetNotGranted);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call"), ResourceRequired);
    says(&oracle, &may("conversation.read").on("lines/l2"), FacetNotGranted);
    says(&oracle, &may("conversation.read").on("lines/l1"), Allowed);
}

#[test]
fn if_two_facets_fail_and_a_value_of_one_could_pass_it_is_asked_for() {
    let mut oracle = reader();
    edit(&mut oracle, |catalog| {
        catalog.permissions.entry("line.call".into()).and_modify(|it| it.facets = set(&["line", "workspace"]));
    });
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call"), ResourceRequired);
    list(&mut oracle, user("ana"), "workspace", &["workspaces/w1"]);
    says(&oracle, &may("line.call").on("lines/l2"), ResourceRequired);
    let both = may("line.call").on("lines/l1").facet("workspace", "workspaces/w1");
    says(&oracle, &both, Allowed);
    says(&oracle, &may("line.call").on("lines/l2").facet("workspace", "workspaces/w1"), FacetNotGranted);
}

#[test]
fn the_value_of_the_facet_feature_is_the_feature_of_the_permission() {
    let mut oracle = reader();
    says(&oracle, &may("voice.dial"), FacetNotGranted);
    list(&mut oracle, user("ana"), "feature", &["chat"]);
    says(&oracle, &may("voice.dial"), FacetNotGranted);
    list(&mut oracle, team("t"), "feature", &["voice"]);
    oracle.add_member("acme", "t", "ana");
    says(&oracle, &may("voice.dial"), Allowed);
    everything(&mut oracle, team("t"), "feature");
    says(&oracle, &may("voice.dial"), Allowed);
    oracle.update_account("acme", None, Some(set(&["chat"])));
    says(&oracle, &may("voice.dial"), Reason::FeatureNotEntitled);
}

#[test]
fn a_role_may_cover_the_facet_feature_and_the_account_must_have_the_feature_all_the_same() {
    let mut oracle = reader();
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("reader").map(|role| role.covers = set(&["feature"])));
    says(&oracle, &may("voice.dial"), Allowed);
    oracle.update_account("acme", None, Some(set(&[])));
    says(&oracle, &may("voice.dial"), Reason::FeatureNotEntitled);
}

#[test]
fn lists_do_not_matter_to_a_permission_that_no_facet_bounds() {
    let mut oracle = reader();
    list(&mut oracle, user("ana"), "channel", &["workspaces/w1/channels/c1"]);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c2"), Allowed);
}

#[test]
fn a_deleted_resource_leaves_the_lists_and_does_not_come_back_into_them() {
    let mut oracle = reader();
    list(&mut oracle, user("ana"), "line", &["lines/l1", "lines/l2"]);
    list(&mut oracle, team("t"), "conversation", &["lines/l1/conversations/v1"]);
    oracle.delete_resource("acme", "lines/l1");
    oracle.register_resource("acme", "lines/l1");
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    says(&oracle, &may("line.call").on("lines/l2"), Allowed);
    assert_eq!(oracle.accounts["acme"].access.len(), 1);
}

#[test]
fn the_resource_fails_before_the_facet_and_the_facet_before_the_condition() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        let never = Condition::PathStartsWith("never".into());
        catalog.permissions.entry("line.call".into()).and_modify(|it| it.condition = Some(never));
    });
    let role = role_of(&mut oracle, "some", vec![allow(&["**"], &[])]);
    bind(&mut oracle, role, "lines/l1");
    says(&oracle, &may("line.call").on("lines/l2"), ResourceNotCovered);
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("line.call").on("lines/l1"), Reason::ConditionFailed);
}
