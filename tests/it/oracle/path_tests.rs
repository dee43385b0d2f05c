//! What is a path, what a pattern matches, and which questions are errors.

use super::{
    paths::{agree, could_match, cut, is_at_or_above, path_matches, permission_matches},
    platform::{bind, catalog, edit, may, platform, says},
    tests::{managed, set},
    *,
};

#[test]
fn a_star_is_exactly_one_segment_of_a_permission_and_two_are_zero_or_more() {
    for (pattern, permission, expected) in [
        ("a.b.c", "a.b.c", true),
        ("a.b.c", "a.b.d", false),
        ("a.b", "a.b.c", false),
        ("a.b.c", "a.b", false),
        ("a.*.c", "a.b.c", true),
        ("a.*", "a.b.c", false),
        ("a.*", "a", false),
        ("*.*", "a.b", true),
        ("a.**", "a", true),
        ("a.**", "a.b.c", true),
        ("a.**", "ab.c", false),
        ("a.*.**", "a.b", true),
        ("a.*.**", "a", false),
        ("**", "a.b.c.d.e", true),
    ] {
        assert_eq!(permission_matches(pattern, permission), expected, "{pattern} {permission}");
    }
}

#[test]
fn a_resource_pattern_starts_at_the_account_and_matches_the_whole_path() {
    for (pattern, path, expected) in [
        ("workspaces/w1", "workspaces/w1", true),
        ("workspaces/w1", "workspaces/w1/channels/c1", false),
        ("channels/c1", "workspaces/w1/channels/c1", false),
        ("workspaces/w1/**", "workspaces/w1", true),
        ("workspaces/w1/**", "workspaces/w1/channels/c1", true),
        ("workspaces/w1/**", "workspaces/w10", false),
        ("workspaces/*/channels/c1", "workspaces/w1/channels/c1", true),
        ("workspaces/*", "workspaces/w1/channels/c1", false),
        ("*/*", "lines/l1", true),
        ("*", "", false),
        ("**", "", true),
        ("**", "lines/l1", true),
        ("lines/**", "", false),
        ("lines/**", "lines/l1", true),
        ("lines/*/**", "lines/l1", true),
    ] {
        assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn a_pattern_could_match_a_path_whose_ids_are_free() {
    let path = |segments: &[&str]| -> Vec<Option<String>> {
        segments.iter().map(|text| Some((*text).to_owned()).filter(|text| text != "?")).collect()
    };
    let channel = path(&["workspaces", "w1", "channels", "?"]);
    for (pattern, expected) in [
        ("workspaces/w1/channels/c7", true),
        ("workspaces/*/channels/*", true),
        ("workspaces/w2/channels/c7", false),
        ("workspaces/w1", false),
        ("workspaces/w1/**", true),
        ("workspaces/w1/channels/c7/**", true),
        ("workspaces/w1/channels/c7/messages/**", false),
        ("workspaces/w1/lines/*", false),
        ("**", true),
    ] {
        assert_eq!(could_match(pattern, &channel), expected, "{pattern}");
    }
}

#[test]
fn a_pattern_could_match_exactly_if_there_are_ids_with_which_it_does() {
    let segments = ["workspaces", "channels", "w1", "c1", "*", "**"];
    let ids = ["workspaces", "channels", "w1", "c1", "x"];
    let mut patterns: Vec<Vec<&str>> = vec![vec![]];
    for _ in 0..4 {
        for pattern in patterns.clone().into_iter().filter(|pattern| pattern.last() != Some(&"**")) {
            patterns.extend(segments.map(|segment| [pattern.clone(), vec![segment]].concat()));
        }
    }
    for pattern in patterns.iter().filter(|pattern| !pattern.is_empty()).map(|pattern| pattern.join("/")) {
        for workspace in [None, Some("w1")] {
            let given = ["workspaces", workspace.unwrap_or("?"), "channels", "?"];
            let given = given.map(|text| Some(text.to_owned()).filter(|text| text != "?"));
            let first: Vec<&str> = workspace.map_or(ids.to_vec(), |known| vec![known]);
            let mut paths = first.iter().flat_map(|w| ids.map(|c| format!("workspaces/{w}/channels/{c}")));
            let expected = paths.any(|path| path_matches(&pattern, &path));
            assert_eq!(could_match(&pattern, &given), expected, "{pattern} {workspace:?}");
        }
    }
}

#[test]
fn a_path_lies_below_another_by_whole_segments() {
    assert!(is_at_or_above("", "lines/l1"));
    assert!(is_at_or_above("lines/l1", "lines/l1"));
    assert!(is_at_or_above("lines/l1", "lines/l1/conversations/v1"));
    assert!(!is_at_or_above("lines/l1", "lines/l10"));
    assert!(!is_at_or_above("lines/l1", "lines"));
    assert_eq!(cut("lines/l1/conversations/v1", 1), "lines/l1");
    assert_eq!(cut("lines/l1", 0), "");
}

#[test]
fn paths_agree_if_the_ids_are_the_same_as_long_as_the_words_are() {
    for (one, other, expected) in [
        ("", "lines/l1", true),
        ("lines/l1", "lines/l1/conversations/v1", true),
        ("lines/l2", "lines/l1/conversations/v1", false),
        ("workspaces/w1", "lines/l1", true),
        ("workspaces/w1/channels/c1", "workspaces/w1/lines/l1", true),
        ("workspaces/w1/channels/c1", "workspaces/w2/lines/l1", false),
    ] {
        assert_eq!((agree(one, other), agree(other, one)), (expected, expected), "{one} {other}");
    }
}

#[test]
fn a_path_alternates_plural_words_and_ids_down_the_chain_of_its_last_type() {
    let catalog = catalog();
    assert_eq!(catalog.types(""), Some(vec![]));
    assert_eq!(catalog.types("workspaces/w1/channels/c7"), Some(vec!["workspace".into(), "channel".into()]));
    assert_eq!(catalog.type_of("lines/lines/conversations/x").as_deref(), Some("conversation"));
    assert_eq!(catalog.chain(Some("message")), ["workspace", "channel", "message"]);
    assert!(catalog.chain(None).is_empty());
    for malformed in [
        "workspaces",
        "workspaces/",
        "/workspaces/w1",
        "workspaces/w1/",
        "workspace/w1",
        "channels/c1",
        "workspaces/w1/conversations/v1",
        "workspaces/w1/workspaces/w2",
        "workspaces//channels/c1",
    ] {
        assert_eq!(catalog.types(malformed), None, "{malformed}");
    }
}

#[test]
fn a_malformed_path_and_one_of_another_line_of_types_are_errors() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    for path in ["", "workspaces", "channels/c1", "queues/q1", "lines/l1", "lines/l1/conversations/v1"] {
        assert_eq!(oracle.check("acme", &may("channel.post").on(path), 0), Err(Unknown::Resource), "{path}");
    }
    for path in ["workspaces/w1", "workspaces/w1/channels/none", "workspaces/w1/channels/c1/messages/m1"] {
        says(&oracle, &may("channel.post").on(path), Reason::Allowed);
    }
}

#[test]
fn any_well_formed_path_will_do_for_a_permission_of_the_account() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    says(&oracle, &may("account.read").on("lines/l1"), Reason::Allowed);
    says(&oracle, &may("account.read").on("workspaces/none/channels/none"), Reason::Allowed);
    assert_eq!(oracle.check("acme", &may("account.read").on("lines"), 0), Err(Unknown::Resource));
}

#[test]
fn a_facet_that_is_unknown_malformed_the_built_in_one_or_elsewhere_is_an_error() {
    let oracle = platform();
    let on_a_line = may("conversation.read").on("lines/l1/conversations/v1");
    for (facet, value) in [
        ("queue", "queues/q1"),
        ("line", "l1"),
        ("line", ""),
        ("line", "lines/l1/conversations/v1"),
        ("line", "workspaces/w1"),
        ("feature", "voice"),
        ("line", "lines/l2"),
        ("conversation", "lines/l1/conversations/v2"),
    ] {
        let question = on_a_line.clone().facet(facet, value);
        assert_eq!(oracle.check("acme", &question, 0), Err(Unknown::Facets), "{facet} {value}");
    }
    for (facet, value) in [("line", "lines/l1"), ("workspace", "workspaces/w1"), ("channel", "workspaces/x/channels/y")]
    {
        says(&oracle, &on_a_line.clone().facet(facet, value), Reason::NoRoleGrants);
    }
}

#[test]
fn two_facets_given_are_not_compared_with_each_other() {
    let oracle = platform();
    let question =
        may("account.read").facet("workspace", "workspaces/w1").facet("channel", "workspaces/w2/channels/c1");
    says(&oracle, &question, Reason::NoRoleGrants);
}

#[test]
fn the_account_is_unknown_first_then_the_permission_then_the_resource_and_then_the_facets() {
    let mut oracle = platform();
    let bad = |permission| may(permission).on("lines").facet("line", "l1");
    assert_eq!(oracle.check("nowhere", &bad("typo.x"), 0), Err(Unknown::Account));
    assert_eq!(oracle.check("acme", &bad("typo.x"), 0), Err(Unknown::Permission));
    assert_eq!(oracle.check("acme", &bad("line.call"), 0), Err(Unknown::Resource));
    assert_eq!(oracle.check("acme", &may("line.call").facet("line", "l1"), 0), Err(Unknown::Facets));
    let scope = Question { what: What::ApiScope("typo".into()), ..bad("line.call") };
    assert_eq!(oracle.check("acme", &scope, 0), Err(Unknown::ApiScope));
    oracle.update_account("acme", Some(false), None);
    assert_eq!(oracle.check("acme", &may("line.call").on("lines"), 0), Err(Unknown::Resource), "though suspended");
    says(&oracle, &may("line.call"), Reason::AccountSuspended);
}

#[test]
fn lines_may_lie_in_workspaces_and_then_the_whole_path_is_the_value_of_the_facet() {
    let mut oracle = platform();
    edit(&mut oracle, |catalog| {
        let parent = Some("workspace".into());
        catalog.resource_types.insert("line".into(), ResourceType { plural: "lines".into(), parent });
    });
    bind(&mut oracle, managed("reader"), "");
    oracle.register_resource("acme", "workspaces/w1/lines/l1");
    let access = Access { all: false, values: set(&["workspaces/w1/lines/l1"]) };
    oracle.set_access("acme", Holder::User("ana".into()), "line", access);
    says(&oracle, &may("line.call").on("workspaces/w1/lines/l1"), Reason::Allowed);
    says(&oracle, &may("line.call").on("workspaces/w2/lines/l1"), Reason::FacetNotGranted);
    assert_eq!(oracle.check("acme", &may("line.call").on("lines/l1"), 0), Err(Unknown::Resource));
}
