//! Constraints: which writes break them.

use super::{
    platform::{bind, bind_to, deny, edit, platform, role_of},
    tests::{custom, managed, set, team, user},
    *,
};

/// What a write breaks.
#[track_caller]
fn breaks(oracle: &Oracle, write: impl FnOnce(&mut Oracle), expected: &[Broken]) {
    let mut after = oracle.clone();
    write(&mut after);
    assert_eq!(after.broken(oracle, "acme", 5), expected.iter().cloned().collect());
}

fn bot() -> Holder {
    Holder::ServiceAccount("bot".into())
}

/// Everybody must hold a role, and does: `ana` and `bot` directly, `ben` through the team.
fn everybody_holds_one() -> Oracle {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "lines/l1");
    bind_to(&mut oracle, bot(), managed("reader"), "");
    bind_to(&mut oracle, team("t"), managed("reader"), "");
    oracle.add_member("acme", "t", "ben");
    edit(&mut oracle, |catalog| catalog.must_hold_role = true);
    oracle
}

#[test]
fn whoever_must_hold_a_role_cannot_lose_the_last_one_in_any_way() {
    let oracle = everybody_holds_one();
    let none = |subject: &str| [Broken::MustHoldRole(subject.into())];
    let of_bot = [Broken::MustHoldRole(Subject::ServiceAccount("bot".into()))];
    let key = (user("ana"), managed("reader"), Some("lines/l1".to_owned()));
    breaks(&oracle, |oracle| oracle.unbind("acme", &key), &none("ana"));
    breaks(&oracle, |oracle| oracle.delete_resource("acme", "lines/l1"), &none("ana"));
    breaks(&oracle, |oracle| oracle.delete_binding("acme", bot(), managed("reader")), &of_bot);
    breaks(&oracle, |oracle| oracle.remove_member("acme", "t", "ben"), &none("ben"));
    breaks(&oracle, |oracle| oracle.delete_team("acme", "t"), &none("ben"));
    let everybody = [none("ana"), none("ben"), of_bot].concat();
    breaks(&oracle, |oracle| edit(oracle, |catalog| _ = catalog.roles.remove("reader")), &everybody);
    breaks(&oracle, |oracle| oracle.delete_user("acme", "ana"), &[]);
}

#[test]
fn a_new_subject_must_hold_a_role_from_the_start_whatever_its_state() {
    let oracle = everybody_holds_one();
    let dora = || Broken::MustHoldRole("dora".into());
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Invited), &[dora()]);
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Suspended), &[dora()]);
    let with_role = |oracle: &mut Oracle| {
        oracle.create_user("acme", "dora", State::Invited);
        oracle.add_member("acme", "t", "dora");
    };
    breaks(&oracle, with_role, &[]);
}

#[test]
fn a_role_that_expires_is_not_the_role_that_must_be_held() {
    let oracle = everybody_holds_one();
    let key = (user("ana"), managed("reader"), Some("lines/l1".to_owned()));
    let swap = |oracle: &mut Oracle| {
        oracle.bind("acme", (user("ana"), managed("owner"), None), Some(100), 5);
        oracle.unbind("acme", &key);
    };
    breaks(&oracle, swap, &[Broken::MustHoldRole("ana".into())]);
}

#[test]
fn a_catalog_that_comes_to_demand_a_role_is_refused_while_somebody_holds_none() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    bind_to(&mut oracle, bot(), managed("reader"), "");
    let demand = |oracle: &mut Oracle| edit(oracle, |catalog| catalog.must_hold_role = true);
    breaks(&oracle, demand, &[Broken::MustHoldRole("ben".into())]);
}

/// The role `owner` must always be held: `ana` holds it.
fn owned() -> Oracle {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| _ = catalog.roles.get_mut("owner").map(|role| role.always_held = true));
    bind(&mut oracle, managed("owner"), "");
    oracle
}

fn unowned() -> [Broken; 1] {
    [Broken::AlwaysHeld("owner".into())]
}

#[test]
fn the_last_holder_of_a_role_that_must_be_held_cannot_lose_it_in_any_way() {
    let mut oracle = owned();
    let unbind = |oracle: &mut Oracle| oracle.delete_binding("acme", user("ana"), managed("owner"));
    breaks(&oracle, unbind, &unowned());
    breaks(&oracle, |oracle| oracle.delete_user("acme", "ana"), &unowned());
    breaks(&oracle, |oracle| oracle.update_user("acme", "ana", State::Suspended), &unowned());
    bind_to(&mut oracle, user("ben"), managed("owner"), "");
    breaks(&oracle, unbind, &[]);
    breaks(&oracle, |oracle| oracle.delete_user("acme", "ana"), &[]);
}

#[test]
fn a_holder_through_a_team_counts() {
    let mut oracle = owned();
    bind_to(&mut oracle, team("t"), managed("owner"), "");
    oracle.add_member("acme", "t", "ben");
    let unbind = |oracle: &mut Oracle| oracle.delete_binding("acme", user("ana"), managed("owner"));
    breaks(&oracle, unbind, &[]);
    unbind(&mut oracle);
    breaks(&oracle, |oracle| oracle.remove_member("acme", "t", "ben"), &unowned());
    breaks(&oracle, |oracle| oracle.delete_team("acme", "t"), &unowned());
}

#[test]
fn who_is_not_active_or_holds_it_for_a_time_or_somewhere_or_by_a_child_does_not_count() {
    let unbind = |oracle: &mut Oracle| oracle.delete_binding("acme", user("ana"), managed("owner"));
    let others: [fn(&mut Oracle); 5] = [
        |oracle| {
            bind_to(oracle, user("ben"), managed("owner"), "");
            oracle.update_user("acme", "ben", State::Invited);
        },
        |oracle| oracle.bind("acme", (user("ben"), managed("owner"), None), Some(100), 0),
        |oracle| bind_to(oracle, user("ben"), managed("owner"), "lines/l1"),
        |oracle| bind_to(oracle, bot(), managed("owner"), ""),
        |oracle| {
            oracle.create_role("acme", "child", set(&[]));
            oracle.set_role_parents("acme", "child", BTreeSet::from([managed("owner")]));
            bind_to(oracle, user("ben"), custom("child"), "");
        },
    ];
    for other in others {
        let mut oracle = owned();
        other(&mut oracle);
        breaks(&oracle, unbind, &unowned());
    }
}

#[test]
fn whom_a_deny_of_another_role_reaches_does_not_count() {
    let mut oracle = owned();
    let no = role_of(&mut oracle, "no", vec![deny(&["x.y"], &["lines/l2"])]);
    breaks(&oracle, |oracle| bind(oracle, no.clone(), "lines/l1"), &unowned());
    breaks(&oracle, |oracle| oracle.bind("acme", (user("ana"), no.clone(), None), Some(6), 5), &unowned());
    let through_team = |oracle: &mut Oracle| {
        oracle.create_role("acme", "child", set(&[]));
        oracle.set_role_parents("acme", "child", BTreeSet::from([no.clone()]));
        bind_to(oracle, team("t"), custom("child"), "");
        oracle.add_member("acme", "t", "ana");
    };
    breaks(&oracle, through_team, &unowned());
    bind(&mut oracle, managed("reader"), "");
    let in_catalog = |catalog: &mut Catalog| {
        catalog.policies.insert("no".into(), vec![deny(&["**"], &[])]);
        catalog.roles.entry("reader".into()).and_modify(|role| role.policies = set(&["no"]));
    };
    breaks(&oracle, |oracle| edit(oracle, in_catalog), &unowned());
}

#[test]
fn a_policy_that_is_edited_to_deny_is_looked_at_too() {
    let mut oracle = owned();
    let some = role_of(&mut oracle, "some", vec![]);
    bind(&mut oracle, some, "");
    breaks(&oracle, |oracle| oracle.update_policy("acme", "some", vec![deny(&["**"], &[])]), &unowned());
}

#[test]
fn a_deny_of_the_role_itself_and_one_that_has_expired_do_not_matter() {
    let mut oracle = owned();
    let of_owner = |catalog: &mut Catalog| {
        catalog.policies.insert("no".into(), vec![deny(&["**"], &[])]);
        catalog.roles.entry("owner".into()).and_modify(|role| role.policies = set(&["no"]));
    };
    breaks(&oracle, |oracle| edit(oracle, of_owner), &[]);
    let no = role_of(&mut oracle, "no", vec![deny(&["**"], &[])]);
    breaks(&oracle, |oracle| oracle.bind("acme", (user("ana"), no.clone(), None), Some(5), 0), &[]);
}

#[test]
fn a_role_that_nobody_held_may_stay_without_a_holder() {
    let mut oracle = owned();
    oracle.delete_binding("acme", user("ana"), managed("owner"));
    breaks(&oracle, |oracle| oracle.delete_user("acme", "ana"), &[]);
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Active), &[]);
}

#[test]
fn a_role_that_a_catalog_drops_or_marks_no_more_may_lose_its_last_holder() {
    let oracle = owned();
    breaks(&oracle, |oracle| edit(oracle, |catalog| _ = catalog.roles.remove("owner")), &[]);
    let no_more = |oracle: &mut Oracle| {
        edit(oracle, |catalog| _ = catalog.roles.get_mut("owner").map(|role| role.always_held = false));
        oracle.delete_user("acme", "ana");
    };
    breaks(&oracle, no_more, &[]);
}

/// The roles `owner` and `reader` exclude each other: `ana` holds the first.
fn exclusive() -> Oracle {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| catalog.mutually_exclusive = vec![("owner".into(), "reader".into())]);
    bind(&mut oracle, managed("owner"), "");
    oracle
}

fn both(subject: impl Into<Subject>) -> [Broken; 1] {
    [Broken::MutuallyExclusive(subject.into(), "owner".into(), "reader".into())]
}

#[test]
fn two_roles_that_exclude_each_other_do_not_meet_directly_or_through_a_team_or_anywhere() {
    let mut oracle = exclusive();
    breaks(&oracle, |oracle| bind(oracle, managed("reader"), "lines/l1"), &both("ana"));
    bind_to(&mut oracle, team("t"), managed("reader"), "");
    breaks(&oracle, |oracle| oracle.add_member("acme", "t", "ana"), &both("ana"));
    breaks(&oracle, |oracle| oracle.add_member("acme", "t", "ben"), &[]);
    oracle.update_user("acme", "ana", State::Suspended);
    breaks(&oracle, |oracle| oracle.add_member("acme", "t", "ana"), &both("ana"));
    let on_bot = |oracle: &mut Oracle| {
        bind_to(oracle, bot(), managed("reader"), "");
        bind_to(oracle, bot(), managed("owner"), "lines/l1");
    };
    breaks(&oracle, on_bot, &both(Subject::ServiceAccount("bot".into())));
}

#[test]
fn two_roles_that_exclude_each_other_do_not_meet_through_parents() {
    let mut oracle = exclusive();
    oracle.create_role("acme", "low", set(&[]));
    oracle.create_role("acme", "lower", set(&[]));
    oracle.set_role_parents("acme", "lower", BTreeSet::from([custom("low")]));
    bind(&mut oracle, custom("lower"), "");
    let give_parent = |oracle: &mut Oracle| {
        oracle.set_role_parents("acme", "low", BTreeSet::from([managed("reader")]));
    };
    breaks(&oracle, give_parent, &both("ana"));
    let in_catalog = |catalog: &mut Catalog| {
        _ = catalog.roles.get_mut("owner").map(|role| role.parents = set(&["reader"]));
    };
    breaks(&oracle, |oracle| edit(oracle, in_catalog), &both("ana"));
    oracle.create_role("acme", "unheld", set(&[]));
    let unheld = |oracle: &mut Oracle| {
        let parents = BTreeSet::from([managed("reader"), managed("owner")]);
        oracle.set_role_parents("acme", "unheld", parents);
    };
    breaks(&oracle, unheld, &[]);
}

#[test]
fn a_binding_that_expires_counts_until_it_has() {
    let mut oracle = exclusive();
    let until = |expires| {
        move |oracle: &mut Oracle| {
            oracle.bind("acme", (user("ana"), managed("reader"), None), Some(expires), 0);
        }
    };
    breaks(&oracle, until(6), &both("ana"));
    breaks(&oracle, until(5), &[]);
    until(5)(&mut oracle);
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Active), &[]);
}

#[test]
fn a_catalog_that_comes_to_separate_two_roles_is_refused_while_somebody_holds_both() {
    let mut oracle = exclusive();
    let pair = oracle.catalogs["p"].mutually_exclusive.clone();
    edit(&mut oracle, |catalog| catalog.mutually_exclusive.clear());
    bind(&mut oracle, managed("reader"), "");
    breaks(&oracle, |oracle| edit(oracle, |catalog| catalog.mutually_exclusive = pair), &both("ana"));
}

fn most(oracle: &mut Oracle, maximum: Option<usize>) {
    edit(oracle, |catalog| _ = catalog.roles.get_mut("owner").map(|role| role.max_holders = maximum));
}

fn too_many() -> [Broken; 1] {
    [Broken::MaxHolders("owner".into())]
}

#[test]
fn a_role_has_at_most_so_many_holders_each_counted_once() {
    let mut oracle = platform();
    most(&mut oracle, Some(2));
    bind(&mut oracle, managed("owner"), "");
    bind(&mut oracle, managed("owner"), "lines/l1");
    bind_to(&mut oracle, team("t"), managed("owner"), "");
    oracle.add_member("acme", "t", "ana");
    breaks(&oracle, |oracle| oracle.add_member("acme", "t", "ben"), &[]);
    breaks(&oracle, |oracle| bind_to(oracle, bot(), managed("owner"), ""), &[]);
    oracle.add_member("acme", "t", "ben");
    breaks(&oracle, |oracle| bind_to(oracle, bot(), managed("owner"), "lines/l1"), &too_many());
    breaks(&oracle, |oracle| bind_to(oracle, user("ben"), managed("owner"), ""), &[]);
}

#[test]
fn holders_through_a_child_and_those_whose_binding_has_expired_do_not_count() {
    let mut oracle = platform();
    most(&mut oracle, Some(1));
    oracle.bind("acme", (user("ben"), managed("owner"), None), Some(5), 0);
    oracle.create_role("acme", "child", set(&[]));
    oracle.set_role_parents("acme", "child", BTreeSet::from([managed("owner")]));
    bind_to(&mut oracle, bot(), custom("child"), "");
    breaks(&oracle, |oracle| bind(oracle, managed("owner"), ""), &[]);
}

#[test]
fn a_write_that_makes_it_no_worse_passes_where_there_are_too_many_already() {
    let mut oracle = platform();
    bind(&mut oracle, managed("owner"), "");
    bind_to(&mut oracle, user("ben"), managed("owner"), "");
    bind_to(&mut oracle, bot(), managed("owner"), "");
    most(&mut oracle, Some(1));
    breaks(&oracle, |oracle| oracle.delete_user("acme", "ben"), &[]);
    breaks(&oracle, |oracle| bind(oracle, managed("owner"), "lines/l1"), &[]);
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Active), &[]);
}

#[test]
fn a_catalog_that_lowers_the_maximum_below_what_is_held_is_refused() {
    let mut oracle = platform();
    bind(&mut oracle, managed("owner"), "");
    bind_to(&mut oracle, user("ben"), managed("owner"), "");
    breaks(&oracle, |oracle| most(oracle, Some(1)), &too_many());
    breaks(&oracle, |oracle| most(oracle, Some(2)), &[]);
    most(&mut oracle, Some(3));
    breaks(&oracle, |oracle| most(oracle, Some(1)), &too_many());
    breaks(&oracle, |oracle| most(oracle, None), &[]);
}

#[test]
fn one_write_can_break_several_and_a_deleted_account_breaks_none() {
    let mut oracle = exclusive();
    most(&mut oracle, Some(1));
    bind_to(&mut oracle, user("ben"), managed("reader"), "");
    let expected = [both("ben"), too_many()].concat();
    breaks(&oracle, |oracle| bind_to(oracle, user("ben"), managed("owner"), ""), &expected);
    breaks(&oracle, |oracle| oracle.delete_account("acme"), &[]);
}

#[test]
fn what_was_as_bad_before_is_not_broken_by_a_later_write() {
    let mut oracle = exclusive();
    edit(&mut oracle, |catalog| catalog.must_hold_role = true);
    bind(&mut oracle, managed("reader"), "");
    breaks(&oracle, |oracle| oracle.create_team("acme", "u"), &[]);
    breaks(&oracle, |oracle| bind(oracle, managed("reader"), "lines/l1"), &[]);
    let dora = [Broken::MustHoldRole("dora".into())];
    breaks(&oracle, |oracle| oracle.create_user("acme", "dora", State::Active), &dora);
}
