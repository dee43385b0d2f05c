//! What keeps a thing from being deleted without force.

use super::{
    platform::{bind, bind_to, list, platform, role_of},
    tests::{custom, managed, set, team, user},
    *,
};

#[test]
fn a_role_is_used_by_its_bindings_and_by_the_roles_below_it() {
    let mut oracle = platform();
    oracle.create_role("acme", "mine", set(&[]));
    oracle.create_role("acme", "child", set(&[]));
    assert!(oracle.uses_of_role("acme", "mine").is_empty());
    oracle.set_role_parents("acme", "child", BTreeSet::from([custom("mine")]));
    let key = (team("t"), custom("mine"), Some("lines/l1".to_owned()));
    oracle.bind("acme", key.clone(), Some(1), 0);
    bind(&mut oracle, managed("reader"), "");
    assert_eq!(oracle.uses_of_role("acme", "mine"), BTreeSet::from([Use::Binding(key), Use::Role("child".into())]));
    assert!(oracle.uses_of_role("acme", "reader").is_empty(), "the managed role is another one");
}

#[test]
fn a_team_is_used_by_its_members_alone() {
    let mut oracle = platform();
    bind_to(&mut oracle, team("t"), managed("reader"), "");
    list(&mut oracle, team("t"), "line", &["lines/l1"]);
    assert!(oracle.uses_of_team("acme", "t").is_empty());
    oracle.add_member("acme", "t", "ana");
    assert_eq!(oracle.uses_of_team("acme", "t"), BTreeSet::from([Use::Member("ana".into())]));
}

#[test]
fn a_user_is_used_by_its_bindings_its_teams_and_its_exceptions() {
    let mut oracle = platform();
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    assert!(oracle.uses_of_user("acme", "ana").is_empty());
    bind(&mut oracle, managed("reader"), "lines/l1");
    bind_to(&mut oracle, user("ben"), managed("reader"), "");
    oracle.add_member("acme", "t", "ana");
    oracle.create_exception("acme", "ana", "account.read", Exception::default(), 0);
    let expected = [
        Use::Binding((user("ana"), managed("reader"), Some("lines/l1".into()))),
        Use::Member("t".into()),
        Use::Exception("account.read".into()),
    ];
    assert_eq!(oracle.uses_of_user("acme", "ana"), BTreeSet::from(expected));
}

#[test]
fn a_policy_is_used_by_the_roles_that_contain_it() {
    let mut oracle = platform();
    role_of(&mut oracle, "some", vec![]);
    assert_eq!(oracle.uses_of_policy("acme", "some"), BTreeSet::from([Use::Role("some".into())]));
    oracle.set_role_policies("acme", "some", BTreeSet::from([PolicyName::Managed("some".into())]));
    assert!(oracle.uses_of_policy("acme", "some").is_empty());
}

#[test]
fn a_resource_is_used_by_what_is_below_it_and_by_what_names_it_or_that() {
    let mut oracle = platform();
    assert!(oracle.uses_of_resource("acme", "lines/l2").is_empty());
    let below = Use::Resource("lines/l1/conversations/v1".into());
    assert_eq!(oracle.uses_of_resource("acme", "lines/l1"), BTreeSet::from([below.clone()]));
    bind(&mut oracle, managed("reader"), "lines/l1");
    bind(&mut oracle, managed("reader"), "lines/l2");
    bind(&mut oracle, managed("reader"), "");
    list(&mut oracle, team("t"), "conversation", &["lines/l1/conversations/v1"]);
    list(&mut oracle, user("ana"), "line", &["lines/l2", "lines/l1"]);
    list(&mut oracle, user("ben"), "line", &["lines/l2"]);
    let expected = [
        below,
        Use::Binding((user("ana"), managed("reader"), Some("lines/l1".into()))),
        Use::AccessList(team("t"), "conversation".into()),
        Use::AccessList(user("ana"), "line".into()),
    ];
    assert_eq!(oracle.uses_of_resource("acme", "lines/l1"), BTreeSet::from(expected));
}
