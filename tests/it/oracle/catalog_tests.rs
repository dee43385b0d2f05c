//! What a new version of a catalog takes away for good.

use super::{
    platform::{allow, bind, bind_to, catalog, deny, edit, give, list, may, platform, says},
    tests::{custom, managed, set, team, user},
    *,
};
use Reason::{Allowed, FacetNotGranted, NoRoleGrants};

const CHANNEL: &str = "workspaces/w1/channels/c1";

fn paths(oracle: &Oracle) -> Vec<String> {
    oracle.accounts["acme"].resources.keys().cloned().collect()
}

fn back(oracle: &mut Oracle) {
    oracle.replace_catalog("p", catalog());
}

#[test]
fn a_type_that_is_dropped_takes_its_resources_and_those_below_with_all_that_is_on_them() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), CHANNEL);
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    list(&mut oracle, user("ana"), "channel", &[CHANNEL]);
    edit(&mut oracle, |catalog| {
        catalog.resource_types.remove("channel");
        catalog.resource_types.remove("message");
        catalog.permissions.retain(|_, it| it.resource_type.as_deref() != Some("channel"));
    });
    back(&mut oracle);
    let left = ["lines/l1", "lines/l1/conversations/v1", "lines/l2", "workspaces/w1", "workspaces/w2"];
    assert_eq!(paths(&oracle), left);
    assert_eq!(oracle.accounts["acme"].bindings.len(), 1);
    assert!(oracle.accounts["acme"].access.is_empty());
}

#[test]
fn a_type_with_another_plural_or_another_parent_is_a_new_one() {
    let changes: [fn(&mut ResourceType); 2] =
        [|it| it.plural = "phones".into(), |it| it.parent = Some("workspace".into())];
    for change in changes {
        let mut oracle = platform();
        bind(&mut oracle, managed("reader"), "");
        bind(&mut oracle, managed("reader"), "lines/l1");
        list(&mut oracle, user("ana"), "line", &["lines/l1"]);
        oracle.set_access("acme", team("t"), "line", Access { all: true, values: set(&[]) });
        edit(&mut oracle, |catalog| _ = catalog.resource_types.get_mut("line").map(change));
        back(&mut oracle);
        assert!(!paths(&oracle).iter().any(|path| path.starts_with("lines")), "conversations too");
        assert_eq!(oracle.accounts["acme"].bindings.len(), 1);
        oracle.register_resource("acme", "lines/l1");
        oracle.add_member("acme", "t", "ana");
        says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    }
}

#[test]
fn a_type_below_one_that_changes_is_another_type_too() {
    let mut oracle = platform();
    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_covers("acme", "mine", set(&["line", "conversation", "feature"]));
    oracle.set_access("acme", user("ana"), "conversation", Access { all: true, values: set(&[]) });
    edit(&mut oracle, |catalog| _ = catalog.resource_types.get_mut("line").map(|it| it.plural = "phones".into()));
    assert_eq!(oracle.role("acme", &custom("mine")).unwrap().covers, set(&["feature"]));
    assert!(oracle.accounts["acme"].access.is_empty());
    assert!(!paths(&oracle).contains(&"lines/l1/conversations/v1".to_owned()));
}

#[test]
fn a_load_that_changes_no_type_keeps_resources_bindings_and_lists() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), CHANNEL);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    let before = oracle.accounts.clone();
    edit(&mut oracle, |catalog| _ = catalog.resource_types.insert("queue".into(), ResourceType::default()));
    assert_eq!(oracle.accounts, before);
}

#[test]
fn a_feature_that_comes_back_is_in_no_list() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    list(&mut oracle, user("ana"), "feature", &["voice"]);
    edit(&mut oracle, |catalog| {
        catalog.features.remove("voice");
        catalog.permissions.remove("voice.dial");
    });
    back(&mut oracle);
    oracle.update_account("acme", None, Some(set(&["voice"])));
    says(&oracle, &may("voice.dial"), FacetNotGranted);
}

#[test]
fn a_managed_policy_that_comes_back_is_in_no_custom_role() {
    let mut oracle = platform();
    let with_policy = |catalog: &mut Catalog| _ = catalog.policies.insert("p".into(), vec![allow(&["**"], &[])]);
    edit(&mut oracle, with_policy);
    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_policies("acme", "mine", BTreeSet::from([PolicyName::Managed("p".into())]));
    bind(&mut oracle, custom("mine"), "");
    says(&oracle, &may("account.read"), Allowed);
    back(&mut oracle);
    edit(&mut oracle, with_policy);
    says(&oracle, &may("account.read"), NoRoleGrants);
}

#[test]
fn a_managed_role_that_comes_back_is_no_parent_and_bound_to_nobody() {
    let mut oracle = platform();
    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_parents("acme", "mine", BTreeSet::from([managed("reader")]));
    bind(&mut oracle, custom("mine"), "");
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    edit(&mut oracle, |catalog| _ = catalog.roles.remove("reader"));
    back(&mut oracle);
    says(&oracle, &may("account.read"), NoRoleGrants);
    assert_eq!(oracle.accounts["acme"].bindings.len(), 1);
}

#[test]
fn a_part_that_custom_roles_may_have_no_more_takes_nothing_from_those_that_are_there() {
    let mut oracle = platform();
    oracle.create_role("acme", "mine", set(&["account.read"]));
    bind(&mut oracle, custom("mine"), "");
    edit(&mut oracle, |catalog| catalog.custom_roles = CustomRoleParts { parents: true, ..Default::default() });
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_load_says_what_it_drops_of_policies_types_roles_features_and_permissions() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| _ = catalog.policies.insert("p".into(), Vec::new()));
    oracle.create_role("acme", "mine", set(&[]));
    oracle.set_role_policies("acme", "mine", BTreeSet::from([PolicyName::Managed("p".into())]));
    oracle.set_role_parents("acme", "mine", BTreeSet::from([managed("reader")]));
    oracle.set_role_covers("acme", "mine", set(&["line"]));
    bind_to(&mut oracle, team("t"), managed("reader"), "lines/l1");
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    list(&mut oracle, user("ana"), "feature", &["voice"]);
    oracle.create_exception("acme", "ana", "account.read", Exception::default(), 0);
    let expected = [
        ("features/chat", (1, 1)),
        ("features/voice", (1, 1)),
        ("permissions/account.read", (1, 1)),
        ("policies/p", (1, 1)),
        ("resource_types/channel", (1, 2)),
        ("resource_types/conversation", (1, 1)),
        ("resource_types/line", (1, 2)),
        ("resource_types/message", (1, 1)),
        ("resource_types/workspace", (1, 2)),
        ("roles/reader", (1, 2)),
    ];
    let expected: BTreeMap<String, _> = expected.into_iter().map(|(what, uses)| (what.into(), uses)).collect();
    assert_eq!(oracle.drops("p", &Catalog::default()), expected);
}

#[test]
fn a_file_keeps_the_age_of_resources_and_bindings_and_makes_the_rest_new() {
    let mut oracle = platform();
    let key = |path: &str| (user("ana"), managed("reader"), Some(path.to_owned()));
    oracle.bind("acme", key("lines/l1"), Some(10), 0);
    oracle.bind("acme", key("lines/l2"), None, 0);
    let before = oracle.accounts["acme"].clone();
    let mut file = before.clone();
    file.resources.insert("lines/l3".into(), 0);
    file.resources.remove("workspaces/w2");
    file.bindings.insert(key("lines/l1"), Binding { made: 0, expires: Some(20) });
    file.bindings.insert(key("lines/l2"), Binding::default());
    file.bindings.insert(key("lines/l3"), Binding::default());
    file.access.insert((user("ana"), "line".into()), Access::default());
    oracle.next_write();
    oracle.apply_account("acme", file);
    let after = &oracle.accounts["acme"];
    assert_eq!(after.resources["lines/l1"], before.resources["lines/l1"]);
    assert_eq!(after.resources["lines/l3"], before.made + 1);
    assert!(!after.resources.contains_key("workspaces/w2"));
    assert_eq!(after.bindings[&key("lines/l1")], Binding { made: 1, expires: Some(20) }, "another one");
    assert_eq!(after.bindings[&key("lines/l2")].made, 0);
    assert_eq!(after.bindings[&key("lines/l3")].made, 1);
    assert!(after.access.is_empty());
}

#[test]
fn a_custom_policy_with_a_pattern_that_matches_nothing_of_a_dropped_type_any_more_is_a_use_of_it() {
    let mut oracle = platform();
    give(&mut oracle, "named", vec![deny(&["line.call"], &["workspaces/w1", "lines/l1", "lines/l2"])]);
    give(&mut oracle, "any", vec![allow(&["**"], &["*/l1"]), deny(&["**"], &["**"])]);
    give(&mut oracle, "below", vec![deny(&["**"], &["lines/*/conversations/v1"])]);
    give(&mut oracle, "beside", vec![deny(&["**"], &["workspaces/w1"]), deny(&["line.call"], &[])]);
    let used = |change: &dyn Fn(&mut Catalog)| {
        let mut new = catalog();
        change(&mut new);
        let drops = oracle.drops("p", &new);
        let uses = |id: &str| drops.get(&format!("resource_types/{id}")).map_or(0, |(_, uses)| *uses);
        (uses("line"), uses("conversation"))
    };
    // Besides two lines and one conversation.
    assert_eq!(used(&|new| new.resource_types.get_mut("line").unwrap().plural = "phones".into()), (2 + 1, 1 + 1));
    let below = |new: &mut Catalog| new.resource_types.get_mut("line").unwrap().parent = Some("workspace".into());
    assert_eq!(used(&below), (2 + 2, 1 + 1), "one star is a workspace now");
    let other_id = |new: &mut Catalog| {
        let line = new.resource_types.remove("line").unwrap();
        new.resource_types.insert("phone".into(), line);
        new.resource_types.get_mut("conversation").unwrap().parent = Some("phone".into());
    };
    assert_eq!(used(&other_id), (2, 1), "the paths are the same");
    let gone = |new: &mut Catalog| {
        new.resource_types.remove("line");
        new.resource_types.remove("conversation");
    };
    assert_eq!(used(&gone), (2 + 1, 1 + 1));
}
