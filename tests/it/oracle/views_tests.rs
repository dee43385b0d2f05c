//! What the oracle shows of roles, teams, users and catalogs.

use super::{
    platform::{allow, deny, platform, role_of},
    tests::{catalog, custom, managed, oracle, set, team, user},
    views::Held,
    *,
};

fn held(direct: bool, teams: &[&str]) -> Held {
    Held { direct, teams: set(teams) }
}

fn bot() -> Holder {
    Holder::ServiceAccount("bot".into())
}

/// Of the role `staff`: `ana` holds it herself and through `t` and `u`, `ben` through `t`, `cleo` herself, and `bot`.
fn held_in_every_way() -> Oracle {
    let mut oracle = oracle();
    oracle.create_service_account("acme", "bot", State::Active);
    oracle.create_user("acme", "cleo", State::Suspended);
    oracle.create_user("acme", "dora", State::Active);
    oracle.create_team("acme", "u");
    for (team, member) in [("t", "ana"), ("t", "ben"), ("u", "ana")] {
        oracle.add_member("acme", team, member);
    }
    for holder in [team("t"), team("u"), user("ana"), user("cleo"), bot()] {
        oracle.create_binding("acme", holder, managed("staff"));
    }
    oracle.create_binding("acme", user("dora"), custom("mine"));
    oracle
}

#[test]
fn each_holder_counts_once_however_it_holds_the_role() {
    let mut oracle = held_in_every_way();
    let counts = Counts { users: 3, direct_users: 2, inherited_users: 2, service_accounts: 1, teams: 2 };
    assert_eq!(oracle.counts("acme", &managed("staff")), counts);
    oracle.remove_member("acme", "u", "ana");
    assert_eq!(oracle.counts("acme", &managed("staff")), counts, "still through the other team");
    oracle.remove_member("acme", "t", "ana");
    assert_eq!(oracle.counts("acme", &managed("staff")), Counts { inherited_users: 1, ..counts });
    oracle.delete_user("acme", "ben");
    oracle.delete_service_account("acme", "bot");
    oracle.delete_team("acme", "u");
    let counts = Counts { users: 2, direct_users: 2, inherited_users: 0, service_accounts: 0, teams: 1 };
    assert_eq!(oracle.counts("acme", &managed("staff")), counts);
}

#[test]
fn users_and_then_service_accounts_are_listed_in_the_order_in_which_they_were_created() {
    let mut oracle = held_in_every_way();
    let expected = vec![
        ("ana".into(), held(true, &["t", "u"])),
        ("ben".into(), held(false, &["t"])),
        ("cleo".into(), held(true, &[])),
        (Subject::ServiceAccount("bot".into()), held(true, &[])),
    ];
    assert_eq!(oracle.holders("acme", &managed("staff")), expected);
    oracle.delete_user("acme", "ana");
    oracle.create_user("acme", "ana", State::Active);
    oracle.add_member("acme", "t", "ana");
    let third = oracle.holders("acme", &managed("staff")).remove(2);
    assert_eq!(third, ("ana".into(), held(false, &["t"])));
    assert_eq!(oracle.members("acme", "t"), ["ben", "ana"]);
    assert_eq!(oracle.member_count("acme", "t"), Some(2));
    assert_eq!(oracle.member_count("acme", "none"), None);
}

#[test]
fn the_roles_of_a_user_say_how_each_is_held_and_internal_ones_are_hidden() {
    let mut oracle = held_in_every_way();
    oracle.create_binding("acme", user("ana"), managed("ghost"));
    oracle.create_binding("acme", team("u"), custom("mine"));
    let shown = BTreeMap::from([(managed("staff"), held(true, &["t", "u"])), (custom("mine"), held(false, &["u"]))]);
    assert_eq!(oracle.user_roles("acme", "ana", false), shown);
    assert_eq!(oracle.user_roles("acme", "ana", true)[&managed("ghost")], held(true, &[]));
    assert_eq!(oracle.roles("acme", false), [managed("staff"), custom("mine")]);
    assert_eq!(oracle.roles("acme", true), [managed("ghost"), managed("staff"), custom("mine")]);
}

#[test]
fn a_role_shows_what_it_contains_and_provides_and_nothing_internal() {
    let mut oracle = oracle();
    let whole = oracle.role("acme", &custom("mine")).unwrap();
    let (permissions, api_scopes) = (set(&["x.free", "x.see"]), set(&["a", "b", "c"]));
    let counted = Shown { permission_count: 2, api_scope_count: 3, ..Shown::default() };
    assert_eq!(whole, Shown { permissions: permissions.clone(), api_scopes, ..counted });
    oracle.leave_out("acme", "mine", set(&["c"]));
    let less = oracle.role("acme", &custom("mine")).unwrap();
    assert_eq!(less, Shown { permissions, left_out: set(&["c"]), permission_count: 2, ..Shown::default() });
    assert_eq!(oracle.role("acme", &managed("ghost")).unwrap().permissions, set(&["x.secret"]));
    assert_eq!(oracle.role("acme", &custom("none")), None);
}

#[test]
fn a_role_counts_what_its_policies_allow_and_its_parents_contain_each_once() {
    let mut oracle = platform();
    let counts = |oracle: &Oracle, role: &RoleName| {
        let shown = oracle.role("acme", role).unwrap();
        (shown.permissions.len(), shown.permission_count, shown.api_scope_count)
    };
    role_of(&mut oracle, "some", vec![allow(&["channel.*"], &["workspaces/w1"]), deny(&["line.**"], &[])]);
    assert_eq!(counts(&oracle, &custom("some")), (0, 1, 2), "channel.secret is internal");
    oracle.create_role("acme", "child", set(&["account.read", "channel.post"]));
    oracle.leave_out("acme", "child", set(&["chat"]));
    assert_eq!(counts(&oracle, &custom("child")), (2, 2, 1), "what includes it is left out too");
    oracle.set_role_parents("acme", "child", BTreeSet::from([custom("some")]));
    assert_eq!(counts(&oracle, &custom("child")), (2, 2, 3), "the parent leaves nothing out");
    oracle.set_role_parents("acme", "child", BTreeSet::from([managed("reader"), managed("ghost")]));
    assert_eq!(counts(&oracle, &custom("child")), (2, 6, 4), "of an internal role nothing");
    assert_eq!(counts(&oracle, &managed("ghost")), (1, 1, 0));
}

#[test]
fn sections_count_what_a_role_could_contain_and_hide_what_is_internal() {
    let mut oracle = oracle();
    oracle.update_role("acme", "mine", set(&["x.see"]));
    let things =
        BTreeMap::from([("x.free".into(), (false, set(&[]))), ("x.see".into(), (true, set(&["a", "b", "c"])))]);
    assert_eq!(oracle.sections("acme", &custom("mine")), BTreeMap::from([("things".into(), things)]));
    assert!(oracle.sections("acme", &managed("ghost"))["things"]["x.secret"].0);
}

#[test]
fn a_sign_in_never_goes_back_and_a_user_created_again_has_none() {
    let mut oracle = oracle();
    let recorded = |oracle: &Oracle| oracle.accounts["acme"].users["ana"].last_sign_in;
    for (seconds, expected) in [(20, 20), (10, 20), (30, 30)] {
        oracle.record_sign_in("acme", "ana", seconds);
        assert_eq!(recorded(&oracle), Some(expected));
    }
    oracle.set_user_texts("acme", "ana", Texts { username: "ana".into(), ..Texts::default() });
    oracle.erase_user("acme", "ana");
    assert_eq!(oracle.accounts["acme"].users["ana"].texts, Texts::default());
    assert_eq!(recorded(&oracle), Some(30), "erasing takes the texts alone");
    oracle.delete_user("acme", "ana");
    oracle.create_user("acme", "ana", State::Active);
    assert_eq!(recorded(&oracle), None);
}

#[test]
fn a_file_keeps_what_it_names_and_forgets_the_rest() {
    let mut oracle = held_in_every_way();
    oracle.record_sign_in("acme", "ana", 5);
    let mut file = oracle.accounts["acme"].clone();
    file.users.remove("cleo");
    file.users.insert("abe".into(), User::default());
    file.bindings.remove(&(user("cleo"), managed("staff"), None));
    file.bindings.insert((user("abe"), managed("staff"), None), Binding::default());
    oracle.apply_account("acme", file);
    let order: Vec<_> = oracle.holders("acme", &managed("staff")).into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(order, ["ana".into(), "ben".into(), "abe".into(), Subject::ServiceAccount("bot".into())]);
    assert_eq!(oracle.accounts["acme"].users["ana"].last_sign_in, Some(5));
}

#[test]
fn two_catalogs_differ_by_what_each_managed_role_gains_and_loses() {
    let before = catalog();
    let mut after = catalog();
    assert!(before.compare(&after).is_empty());
    after.roles.insert("empty".into(), Role::default());
    after.roles.insert("staff".into(), Role { permissions: set(&["x.free", "x.new"]), ..Role::default() });
    after.permissions.insert("x.new".into(), Permission::default());
    after.permissions.entry("x.secret".into()).and_modify(|permission| permission.internal = false);
    after.roles.entry("ghost".into()).and_modify(|role| role.internal = false);
    let empty = Difference { before: false, after: true, ..Difference::default() };
    let ghost = Difference { before: false, after: true, gained: set(&["x.secret"]), lost: set(&[]) };
    let staff = Difference { before: true, after: true, gained: set(&["x.new"]), lost: set(&["x.see"]) };
    let expected = BTreeMap::from([("empty".into(), empty), ("ghost".into(), ghost), ("staff".into(), staff)]);
    assert_eq!(before.compare(&after), expected, "the internal role has become a managed one");
    let back = after.compare(&before);
    assert_eq!(back["ghost"], Difference { before: true, after: false, gained: set(&[]), lost: set(&["x.secret"]) });
    assert_eq!(back["staff"].gained, set(&["x.see"]));
}

#[test]
fn a_catalog_that_drops_what_accounts_use_says_how_much_they_use() {
    let mut oracle = held_in_every_way();
    oracle.create_account("other", "c", set(&["f"]));
    let mut next = catalog();
    assert!(oracle.drops("c", &next).is_empty());
    next.features.clear();
    next.permissions.remove("x.free");
    next.roles.clear();
    let expected = [("features/f", (2, 2)), ("permissions/x.free", (1, 1)), ("roles/staff", (1, 5))];
    let expected: BTreeMap<String, _> = expected.into_iter().map(|(subject, uses)| (subject.into(), uses)).collect();
    assert_eq!(oracle.drops("c", &next), expected, "nobody holds the role ghost");
}
