//! What two catalogs that were read differ in: each field that can change is named, and each role says what it gives.

use crate::{
    files::parse_catalog,
    model::{AppliedAction, CatalogDefinition, compare_catalogs, compare_roles, count_permissions},
};

const BEFORE: &str = "\
kind: catalog
id: c
display_name: C
mutually_exclusive: [[agent, boss]]
features: [{id: inbox, display_name: I}]
sections: [{id: s, display_name: S}]
resource_types:
  - {id: workspace, plural: workspaces, display_name: W}
  - {id: line, plural: lines, parent: workspace, display_name: L}
permissions:
  - {id: inbox.view, section: s, feature: inbox, resource_type: line, facets: [line]}
  - {id: inbox.edit, section: s}
  - {id: inbox.look, section: s, internal: true}
  - {id: users.edit, section: s, condition: has(attributes.x)}
policies:
  - id: all-inbox
    display_name: A
    statements: [{effect: allow, permissions: [\"inbox.**\"], resources: [\"workspaces/w1/**\"]}]
  - id: no-users
    display_name: N
    statements: [{effect: deny, permissions: [\"users.*\"]}]
roles:
  - {id: agent, display_name: A, policies: [all-inbox], covers: [line]}
  - {id: lead, display_name: L, parents: [agent], permissions: [users.edit], max_holders: 3}
  - {id: boss, display_name: B, policies: [no-users], permissions: [users.edit], always_held: true}
  - {id: staff, display_name: S, internal: true, permissions: [inbox.look], policies: [all-inbox]}
";

fn read(text: &str) -> CatalogDefinition {
    parse_catalog(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\nin:\n{text}"))
}

/// Makes one text of the catalog another, and expects these changes, and these roles with what they gain and lose.
fn check(replace: &[(&str, &str)], changes: &[&str], roles: &[&str]) {
    let after = replace.iter().fold(BEFORE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let (old, new) = (read(BEFORE), read(&after));
    let word = |action: AppliedAction| match action {
        AppliedAction::Create => "new",
        AppliedAction::Update => "changed",
        AppliedAction::Delete => "gone",
    };
    let found: Vec<String> = compare_catalogs(Some(&old), &new)
        .into_iter()
        .map(|each| format!("{} {}: {}", word(each.action), each.subject, each.detail))
        .collect();
    assert_eq!(found, changes, "{replace:?}");
    let found: Vec<String> = compare_roles(&old, &new)
        .into_iter()
        .map(|each| {
            let gained: String = each.gained.iter().map(|id| format!(" +{id}")).collect();
            let lost: String = each.lost.iter().map(|id| format!(" -{id}")).collect();
            format!("{} {}:{gained}{lost}", word(each.action), each.role)
        })
        .collect();
    assert_eq!(found, roles, "{replace:?}");
}

#[test]
fn every_field_that_changes_is_named() {
    check(&[], &[], &[]);
    check(
        &[("mutually_exclusive: [[agent, boss]]", "must_hold_role: true\nmutually_exclusive: [[boss, lead]]")],
        &["changed catalogs/c: must_hold_role, mutually_exclusive +boss/lead -agent/boss"],
        &[],
    );
    check(
        &[(
            "{id: line, plural: lines, parent: workspace, display_name: L}",
            "{id: line, plural: lines, display_name: L}\n  - {id: queue, plural: queues, display_name: Q}",
        )],
        &["changed resource_types/line: parent", "new resource_types/queue: "],
        &[],
    );
    check(
        &[
            ("resource_type: line, facets: [line]", "facets: [feature]"),
            ("condition: has(attributes.x)", "condition: has(attributes.y)"),
        ],
        &["changed permissions/inbox.view: resource_type, facets", "changed permissions/users.edit: condition"],
        &[],
    );
    check(
        &[("max_holders: 3", "max_holders: 4, covers: [feature, line]"), ("covers: [line]", "covers: [feature]")],
        // The first replacement is in the way of the second.
        &["changed roles/agent: covers +feature -line", "changed roles/lead: max_holders, covers +feature +line"],
        &[],
    );
    check(
        &[(", always_held: true", ""), ("parents: [agent]", "parents: [boss]"), ("[[agent, boss]]", "[]")],
        &[
            "changed catalogs/c: mutually_exclusive -agent/boss",
            "changed roles/lead: parents +boss -agent",
            "changed roles/boss: always_held",
        ],
        &["changed lead: -inbox.edit -inbox.view"],
    );
}

#[test]
fn what_moves_in_a_list_is_the_same() {
    check(
        &[
            ("  - {id: workspace, plural: workspaces, display_name: W}\n", ""),
            (
                "parent: workspace, display_name: L}",
                "parent: workspace, display_name: L}\n  - {id: workspace, plural: workspaces, display_name: W}",
            ),
            ("roles:\n", "roles:\n  - {id: first, display_name: F}\n"),
        ],
        &["new roles/first: "],
        &["new first:"],
    );
}

#[test]
fn roles_gain_and_lose_through_policies_and_parents() {
    // Wildcards take in what is new at once, but nothing internal.
    check(
        &[
            (
                "  - {id: inbox.edit, section: s}\n",
                "  - {id: inbox.edit, section: s}\n  - {id: inbox.a.b, section: s}\n",
            ),
            ("id: users.edit,", "id: users.edit, internal: true,"),
            (", permissions: [users.edit]", ""),
        ],
        &[
            "new permissions/inbox.a.b: ",
            "changed permissions/users.edit: internal",
            "changed roles/lead: permissions -users.edit",
            "changed roles/boss: permissions -users.edit",
        ],
        &["changed agent: +inbox.a.b", "changed boss: -users.edit", "changed lead: +inbox.a.b -users.edit"],
    );
    // A deny is a change of its policy, and of no role.
    check(
        &[
            (
                "effect: deny, permissions: [\"users.*\"]",
                "effect: deny, permissions: [\"**\"], condition: has(attributes.x)",
            ),
            ("permissions: [\"inbox.**\"]", "permissions: [inbox.edit, inbox.look, \"*.view\", \"inbox.*\"]"),
        ],
        &[
            "changed policies/all-inbox: statements +(allow inbox.edit inbox.look *.view and 1 more on workspaces/w1/**) -(allow inbox.** on workspaces/w1/**)",
            "changed policies/no-users: statements +(deny ** under a condition) -(deny users.*)",
        ],
        &[],
    );
}

#[test]
fn a_role_counts_what_it_lists_what_its_policies_allow_and_what_its_parents_contain() {
    // The agent has two by its policy, the lead one more, the boss one that nothing takes away, the staff all of the inbox.
    assert_eq!(count_permissions(&read(BEFORE)), [2, 3, 1, 3]);
}
