//! Sizes: what is just allowed is read, one more is refused.

use std::fmt::Write as _;

use crate::files::*;

const CATALOG: &str = "kind: catalog\nid: c\ndisplay_name: C\n";
const ACCOUNT: &str = "kind: account\nid: a\ncatalog: c\n";

fn entries(count: usize, entry: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "  - {}", entry(index));
        text
    })
}

/// Expects the file to be fine with `max` entries in the list, and refused with one more, in the line of the first.
fn check(
    head: &str,
    list: &str,
    max: usize,
    entry: impl Fn(usize) -> String,
    parse: impl Fn(&[u8]) -> Option<Problems>,
) {
    let good = format!("{head}{list}:\n{}", entries(max, &entry));
    assert_eq!(parse(good.as_bytes()).map(|problems| problems.to_string()), None, "{list}");
    let problems = parse(format!("{head}{list}:\n{}", entries(max + 1, &entry)).as_bytes()).unwrap().to_string();
    let name = list.trim();
    let expected = format!("{name}: {} entries were given; expected at most {max}", max + 1);
    assert!(problems.ends_with(&expected), "{problems}");
    assert!(!problems.contains('\n'), "{problems}");
}

fn catalog(bytes: &[u8]) -> Option<Problems> {
    parse_catalog(bytes).err()
}

fn account(bytes: &[u8]) -> Option<Problems> {
    parse_account(bytes).err()
}

#[test]
fn every_list_has_its_limit() {
    let named = |index| format!("{{id: x{index}, display_name: X}}");
    check(CATALOG, "features", 1_000, named, catalog);
    check(CATALOG, "sections", 1_000, named, catalog);
    check(CATALOG, "api_scopes", 20_000, |index| format!("{{id: x{index}}}"), catalog);
    let with_section = format!("{CATALOG}sections: [{{id: s, display_name: S}}]\n");
    check(&with_section, "permissions", 20_000, |index| format!("{{id: a.x{index}, section: s}}"), catalog);
    let types = |index| format!("{{id: x{index}, plural: xs{index}, display_name: X}}");
    check(CATALOG, "resource_types", 100, types, catalog);
    let with_permission = format!("{with_section}permissions: [{{id: a.b, section: s}}]\n");
    let policy =
        |index| format!("{{id: x{index}, display_name: X, statements: [{{effect: deny, permissions: ['a.*']}}]}}");
    check(&with_permission, "policies", 10_000, policy, catalog);
    check(CATALOG, "roles", 10_000, named, catalog);
    let pairs = format!("{CATALOG}roles:\n{}", entries(1_002, named));
    check(&pairs, "mutually_exclusive", 1_000, |index| format!("[x{index}, x{}]", index + 1), catalog);
    check(ACCOUNT, "policies", 10_000, policy, account);
    check(ACCOUNT, "roles", 10_000, named, account);
    check(ACCOUNT, "teams", 10_000, |index| format!("{{id: x{index}}}"), account);
}

#[test]
fn a_user_has_at_most_256_roles_and_teams() {
    for count in [256, 257] {
        let names: Vec<_> = (0..count).map(|index| format!("x{index}")).collect();
        let names = names.join(", ");
        let teams = entries(count, |index| format!("{{id: x{index}}}"));
        let file = format!("{ACCOUNT}users: [{{id: u, roles: [{names}], teams: [{names}]}}]\nteams:\n{teams}");
        let found: Vec<_> = account(file.as_bytes()).iter().flatten().map(|problem| problem.message.clone()).collect();
        let expected = [
            "users[0].roles: 257 entries were given; expected at most 256",
            "users[0].teams: 257 entries were given; expected at most 256",
        ];
        assert_eq!(found, if count == 256 { &[][..] } else { &expected });
    }
}

#[test]
fn what_policies_and_roles_consist_of_has_its_limits() {
    let names =
        |count: usize, before: &str| (0..count).map(|index| format!("{before}{index}")).collect::<Vec<_>>().join(", ");
    for more in [0, 1] {
        let statement = format!(
            "{{effect: allow, permissions: [{}], resources: [{}]}}",
            names(1_000 + more, "a.x"),
            names(1_000 + more, "a/x")
        );
        let statements = vec!["{effect: deny, permissions: [a.b]}"; 99 + more].join(", ");
        let file = format!(
            "{ACCOUNT}policies: [{{id: p, display_name: P, statements: [{statement}, {statements}]}}]\n\
             roles: [{{id: r, display_name: R, parents: [{}]}}]\n\
             users: [{{id: u, exceptions: [{}]}}]\n",
            names(100 + more, "r"),
            (0..256 + more)
                .map(|index| format!("{{permission: a.b{index}, reason: r}}"))
                .collect::<Vec<_>>()
                .join(", "),
        );
        let found: Vec<_> = account(file.as_bytes()).iter().flatten().map(|problem| problem.message.clone()).collect();
        let expected = [
            "policies[0].statements: 101 entries were given; expected at most 100",
            "policies[0].statements[0].permissions: 1001 entries were given; expected at most 1000",
            "policies[0].statements[0].resources: 1001 entries were given; expected at most 1000",
            "roles[0].parents: 101 entries were given; expected at most 100",
            "users[0].exceptions: 257 entries were given; expected at most 256",
        ];
        assert_eq!(found, if more == 0 { &[][..] } else { &expected });
    }
    let file = |reason: usize, condition: usize| {
        format!(
            "{ACCOUNT}users: [{{id: u, exceptions: [{{permission: a.b, reason: {}}}]}}]\n\
             policies: [{{id: p, display_name: P, statements: [{{effect: deny, permissions: ['**'], condition: {}}}]}}]\n",
            "é".repeat(reason / 2),
            format_args!("'attributes.a == \"{}\"'", "é".repeat((condition - 18) / 2)),
        )
    };
    assert!(account(file(1024, 4096).as_bytes()).is_none());
    let problems = account(file(1026, 4098).as_bytes()).unwrap();
    let found: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        found,
        [
            "users[0].exceptions[0].reason: 1026 bytes were given; expected at most 1024",
            "policies[0].statements[0].condition: 4098 bytes were given; expected at most 4096",
        ]
    );
}

#[test]
fn texts_have_their_limits_in_bytes() {
    let file = |name: usize, description: usize| {
        format!(
            "{ACCOUNT}users: [{{id: u, username: {0}, display_name: {0}, email: {1}@}}]\n\
             teams: [{{id: t, display_name: {0}, description: {2}}}]\n",
            "é".repeat(name / 2),
            "x".repeat(name - 1),
            "é".repeat(description / 2),
        )
    };
    assert!(account(file(256, 4096).as_bytes()).is_none());
    let problems = account(file(258, 4098).as_bytes()).unwrap();
    let found: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        found,
        [
            "users[0].username: 258 bytes were given; expected at most 256",
            "users[0].display_name: 258 bytes were given; expected at most 256",
            "users[0].email: 258 bytes were given; expected at most 256",
            "teams[0].display_name: 258 bytes were given; expected at most 256",
            "teams[0].description: 4098 bytes were given; expected at most 4096",
        ]
    );
    let long = "x".repeat(129);
    let problems = account(format!("kind: account\nid: {long}\ncatalog: c\n").as_bytes()).unwrap().to_string();
    assert!(
        problems.starts_with(&format!("2:5: id: {:?} is not an account id: 1 to 128", "x".repeat(128))),
        "{problems}"
    );
}

#[test]
fn too_many_problems_are_counted() {
    let file = format!("{ACCOUNT}users:\n{}", entries(10_005, |index| format!("{{id: u{index}, emial: x}}")));
    let problems = account(file.as_bytes()).unwrap();
    assert_eq!(problems.iter().count(), MAX_PROBLEMS);
    assert_eq!(problems.more(), 5);
    assert!(problems.to_string().ends_with("\nand 5 more"));
}

#[test]
fn a_large_account_is_read_in_linear_time() {
    let file = |count| {
        let users = entries(count, |index| {
            format!(
                "{{id: u{index}, display_name: User {index}, email: u{index}@example.com, teams: [t], roles: [viewer]}}"
            )
        });
        format!("{ACCOUNT}teams: [{{id: t}}]\nusers:\n{users}")
    };
    let time = |file: &str, count: usize| {
        let begin = std::time::Instant::now();
        assert_eq!(parse_account(file.as_bytes()).unwrap().users.len(), count);
        begin.elapsed()
    };
    let (small, large) = (file(5_000), file(80_000));
    // The fastest of several in turns: whatever else the machine does, it does not make any of them faster.
    let times = (0..4).map(|_| (time(&small, 5_000), time(&large, 80_000)));
    let (of_small, of_large) = times.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1))).unwrap();
    // Of 16 times as many users: what looks at all users for each of them takes up to 256 times as long.
    assert!(of_large < of_small * 40, "{of_small:?} for 5,000 users, {of_large:?} for 80,000");
}

#[test]
fn long_inclusion_cycles_are_shown_in_part() {
    let count = 20_000;
    let scopes = entries(count, |index| format!("{{id: s{index}, includes: [s{}]}}", (index + 1) % count));
    let problems = catalog(format!("{CATALOG}api_scopes:\n{scopes}").as_bytes()).unwrap().to_string();
    let expected = "20004:29: api_scopes[19999].includes[0]: API scopes include each other in a cycle: \
                    s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> s6 -> s7 -> ... 19992 more ... -> s0";
    assert_eq!(problems, expected);
}

#[test]
fn suggestions_cost_no_more_with_many_typos() {
    let features = entries(1_000, |index| format!("{{id: feature{index}, display_name: X}}"));
    let permissions =
        entries(9_000, |index| format!("{{id: a.x{index}, section: s, feature: faeture{}}}", index % 1000));
    let file =
        format!("{CATALOG}features:\n{features}permissions:\n{permissions}sections: [{{id: s, display_name: S}}]\n");
    let problems = catalog(file.as_bytes()).unwrap();
    assert_eq!(problems.iter().count(), 9_000);
    let first = &problems.iter().next().unwrap().message;
    assert!(first.ends_with("\"faeture0\" is not a feature of this catalog; did you mean \"feature0\"?"), "{first}");
}
