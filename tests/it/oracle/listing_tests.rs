//! The lists: what a subject may do and by what, who may do a thing, and on which resources.

use super::{
    platform::{allow, bind, bind_to, deny, edit, give, list, may, platform, role_of},
    tests::{custom, managed, set, team, user},
    *,
};

fn listed(oracle: &Oracle, now: u64) -> Vec<String> {
    oracle.list("acme", "ana", now).into_keys().collect()
}

fn chain(role: RoleName) -> Chain {
    Chain { bound: role.clone(), team: None, resource: None, expires: None, listing: role, by: By::Permission }
}

#[test]
fn each_grant_says_where_it_comes_from() {
    let mut oracle = platform();
    oracle.add_member("acme", "t", "ana");
    let policy = role_of(&mut oracle, "some", vec![deny(&["x.**"], &[]), allow(&["workspace.*"], &["lines/**"])]);
    oracle.create_role("acme", "child", set(&[]));
    oracle.set_role_parents("acme", "child", BTreeSet::from([policy.clone(), managed("reader")]));
    oracle.bind("acme", (team("t"), custom("child"), Some("workspaces/w1".into())), Some(50), 0);
    bind(&mut oracle, managed("reader"), "");
    let exception = Exception { reason: "why not".into(), expires: Some(70) };
    oracle.create_exception("acme", "ana", "workspace.read", exception.clone(), 0);
    let through_team = |listing: RoleName, by: By| Chain {
        bound: custom("child"),
        team: Some("t".into()),
        resource: Some("workspaces/w1".into()),
        expires: Some(50),
        listing,
        by,
    };
    let statement = By::Statement(PolicyName::Custom("some".into()), 1);
    let expected = BTreeSet::from([
        Grant::Role(chain(managed("reader"))),
        Grant::Role(through_team(managed("reader"), By::Permission)),
        Grant::Role(through_team(policy, statement)),
        Grant::Exception(exception),
    ]);
    assert_eq!(oracle.list("acme", "ana", 0)["workspace.read"].grants, expected);
    assert_eq!(oracle.list("acme", "ana", 50)["workspace.read"].grants.len(), 2, "the team's binding has expired");
    assert_eq!(oracle.list("acme", "ana", 70)["workspace.read"].grants.len(), 1, "and the exception");
}

#[test]
fn a_grant_through_two_teams_or_on_two_resources_is_listed_for_each() {
    let mut oracle = platform();
    oracle.create_team("acme", "u");
    for id in ["t", "u"] {
        oracle.add_member("acme", id, "ana");
        bind_to(&mut oracle, team(id), managed("reader"), "workspaces/w1");
    }
    bind_to(&mut oracle, team("t"), managed("reader"), "workspaces/w2");
    assert_eq!(oracle.list("acme", "ana", 0)["workspace.read"].grants.len(), 3);
}

#[test]
fn a_permission_whose_type_no_binding_can_cover_is_not_listed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1/channels/c1");
    assert_eq!(listed(&oracle, 0), ["channel.post"]);
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    assert_eq!(listed(&oracle, 0), ["channel.post", "workspace.read"]);
}

#[test]
fn a_permission_whose_list_is_empty_is_not_listed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    assert_eq!(listed(&oracle, 0), ["account.read", "channel.post", "workspace.read"]);
    list(&mut oracle, user("ana"), "line", &["lines/l2"]);
    list(&mut oracle, user("ana"), "feature", &["chat"]);
    assert_eq!(
        listed(&oracle, 0),
        ["account.read", "channel.post", "conversation.read", "line.call", "workspace.read"],
        "voice is not among the features"
    );
    list(&mut oracle, user("ana"), "feature", &["voice"]);
    oracle.set_access("acme", user("ana"), "line", Access { all: true, values: set(&[]) });
    assert_eq!(listed(&oracle, 0).len(), 6);
}

#[test]
fn a_role_that_covers_the_facet_is_listed_without_a_list_and_the_others_are_not() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    oracle.create_role("acme", "mine", set(&["line.call"]));
    oracle.set_role_covers("acme", "mine", set(&["line"]));
    bind(&mut oracle, custom("mine"), "");
    let list = oracle.list("acme", "ana", 0);
    assert_eq!(list["line.call"].grants, BTreeSet::from([Grant::Role(chain(custom("mine")))]));
}

#[test]
fn a_permission_of_a_feature_that_the_account_lacks_is_not_listed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    oracle.update_account("acme", None, Some(set(&[])));
    assert_eq!(listed(&oracle, 0), ["account.read", "workspace.read"]);
}

#[test]
fn nothing_is_listed_for_whom_nothing_is_allowed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    oracle.update_user("acme", "ana", State::Suspended);
    assert!(listed(&oracle, 0).is_empty());
    oracle.update_user("acme", "ana", State::Active);
    oracle.update_account("acme", Some(false), None);
    assert!(listed(&oracle, 0).is_empty());
}

#[test]
fn a_deny_is_listed_beside_the_grants_unless_it_takes_everything() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    let no = role_of(&mut oracle, "no", vec![deny(&["channel.**"], &[])]);
    bind(&mut oracle, no.clone(), "workspaces/w1");
    let statement = By::Statement(PolicyName::Custom("no".into()), 0);
    let expected = Chain { resource: Some("workspaces/w1".into()), by: statement, ..chain(no.clone()) };
    assert_eq!(oracle.list("acme", "ana", 0)["channel.post"].denies, BTreeSet::from([expected]));
    assert!(oracle.list("acme", "ana", 0)["workspace.read"].denies.is_empty());
    bind(&mut oracle, no, "");
    assert!(!listed(&oracle, 0).contains(&"channel.post".to_owned()));
}

#[test]
fn only_a_deny_on_the_whole_account_without_patterns_and_conditions_takes_everything() {
    let never = Condition::PathStartsWith("never".into());
    for (statement, is_listed) in [
        (deny(&["**"], &[]), false),
        (deny(&["**"], &["**"]), false),
        (deny(&["**"], &["lines/*", "**"]), false),
        (deny(&["**"], &["*/**"]), true),
        (deny(&["**"], &[]).when(never), true),
    ] {
        let mut oracle = platform();
        bind(&mut oracle, managed("reader"), "");
        give(&mut oracle, "no", vec![statement.clone()]);
        assert_eq!(listed(&oracle, 0).contains(&"channel.post".to_owned()), is_listed, "{statement:?}");
    }
}

#[test]
fn a_deny_that_has_expired_is_not_listed_and_takes_nothing() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    let no = role_of(&mut oracle, "no", vec![deny(&["account.**"], &[])]);
    oracle.bind("acme", (user("ana"), no, None), Some(10), 0);
    assert!(!listed(&oracle, 9).contains(&"account.read".to_owned()));
    assert!(oracle.list("acme", "ana", 10)["account.read"].denies.is_empty());
}

#[test]
fn what_a_condition_or_a_pattern_bounds_is_listed() {
    let mut oracle = platform();
    let never = Condition::PathStartsWith("never".into());
    give(&mut oracle, "some", vec![allow(&["account.read"], &["lines/l1"]).when(never)]);
    assert_eq!(listed(&oracle, 0), ["account.read"]);
}

#[test]
fn an_api_scope_is_listed_with_the_permissions_that_are() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    let expected = BTreeMap::from([("all".into(), set(&["channel.post"])), ("chat".into(), set(&["channel.post"]))]);
    assert_eq!(oracle.list_api_scopes("acme", "ana", 0), expected);
}

#[test]
fn the_subjects_are_all_who_are_allowed_what_is_asked() {
    let mut oracle = platform();
    bind_to(&mut oracle, team("t"), managed("reader"), "workspaces/w1");
    oracle.add_member("acme", "t", "ben");
    oracle.bind("acme", (user("ana"), managed("reader"), None), Some(10), 0);
    bind_to(&mut oracle, Holder::ServiceAccount("bot".into()), managed("reader"), "");
    let bot = Subject::ServiceAccount("bot".into());
    let question = Question::permission("nobody", "workspace.read").on("workspaces/w1");
    let at = |now| oracle.list_subjects("acme", &question, now).unwrap();
    assert_eq!(at(0), BTreeSet::from(["ana".into(), "ben".into(), bot.clone()]));
    assert_eq!(at(10), BTreeSet::from(["ben".into(), bot.clone()]));
    let elsewhere = question.clone().on("workspaces/w2");
    assert_eq!(oracle.list_subjects("acme", &elsewhere, 10), Ok(BTreeSet::from([bot])));
    assert_eq!(oracle.list_subjects("acme", &question.clone().on("lines/l1"), 0), Err(Unknown::Resource));
    assert_eq!(oracle.list_subjects("nowhere", &question, 0), Err(Unknown::Account));
    oracle.update_account("acme", Some(false), None);
    assert_eq!(oracle.list_subjects("acme", &question, 0), Ok(BTreeSet::new()));
}

#[test]
fn the_resources_are_the_registered_ones_of_the_type_that_are_allowed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    let of = |oracle: &Oracle, permission: &str, kind: &str| oracle.list_resources("acme", &may(permission), kind, 0);
    let expected = |all, paths: &[&str]| Ok(Resources { all, resources: set(paths) });
    let channels = ["workspaces/w1/channels/c1", "workspaces/w1/channels/c2"];
    assert_eq!(of(&oracle, "channel.post", "channel"), expected(false, &channels));
    assert_eq!(of(&oracle, "channel.post", "workspace"), expected(false, &["workspaces/w1"]), "everything in it");
    let message = ["workspaces/w1/channels/c1/messages/m1"];
    assert_eq!(of(&oracle, "channel.post", "message"), expected(false, &message), "where it is written");
    bind(&mut oracle, managed("reader"), "");
    assert_eq!(of(&oracle, "workspace.read", "workspace"), expected(true, &["workspaces/w1", "workspaces/w2"]));
}

#[test]
fn the_resources_of_a_list_are_asked_for_one_by_one() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    list(&mut oracle, user("ana"), "line", &["lines/l2"]);
    let lines = oracle.list_resources("acme", &may("line.call"), "line", 0).unwrap();
    assert_eq!(lines, Resources { all: false, resources: set(&["lines/l2"]) });
    oracle.set_access("acme", user("ana"), "line", Access { all: true, values: set(&[]) });
    let lines = oracle.list_resources("acme", &may("line.call"), "line", 0).unwrap();
    assert_eq!(lines, Resources { all: true, resources: set(&["lines/l1", "lines/l2"]) });
}

#[test]
fn a_resource_that_disagrees_with_the_facets_given_is_not_listed() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("reader").map(|role| role.covers = set(&["line"])));
    let question = may("line.call").facet("line", "lines/l1");
    let lines = oracle.list_resources("acme", &question, "line", 0).unwrap();
    assert_eq!(lines, Resources { all: true, resources: set(&["lines/l1"]) });
}

#[test]
fn a_list_of_resources_of_an_unknown_type_or_of_another_line_is_an_error() {
    let oracle = platform();
    let of = |question: &Question, kind: &str| oracle.list_resources("acme", question, kind, 0).unwrap_err();
    assert_eq!(of(&may("channel.post"), "queue"), Unknown::Resource);
    assert_eq!(of(&may("channel.post"), "feature"), Unknown::Resource);
    assert_eq!(of(&may("channel.post"), "line"), Unknown::Resource);
    assert_eq!(of(&may("typo.x"), "queue"), Unknown::Permission);
    assert_eq!(of(&may("channel.post").facet("line", "x"), "queue"), Unknown::Resource);
    assert_eq!(of(&may("channel.post").facet("line", "x"), "channel"), Unknown::Facets);
    assert!(oracle.list_resources("acme", &may("account.read"), "line", 0).is_ok());
}
