//! What is written is read back as it was, and JSON means what YAML means.

use super::random::Random;
use crate::files::*;

pub(super) const CATALOG: &str = "\
kind: catalog
id: infobip-classic
display_name: \"Infobip (classic)\"
description: All of it
custom_roles:
  - permissions
  - parents
  - managed_policies
  - custom_policies
must_hold_role: true
mutually_exclusive:
  - [analyze-manager, checker]
features:
  - id: reports
    display_name: Reports
sections:
  - id: reports
    display_name: Reports
    description: \"Two\\nlines\"
api_scopes:
  - id: \"sms:send\"
  - id: \"message:send\"
    description: Sends
    includes: [\"sms:send\"]
resource_types:
  - id: line
    plural: lines
    parent: workspace
    display_name: Line
  - id: workspace
    plural: workspaces
    display_name: Workspace
    description: Where people work together
permissions:
  - id: reports.detailed.view
    description: Sees them
    section: reports
    feature: reports
    api_scopes: [\"message:send\", \"sms:send\"]
    resource_type: line
    facets: [feature, line]
    condition: \"attributes.assignee == subject.id\"
  - id: staff.look
    section: reports
    internal: true
    deprecated: true
policies:
  - id: reporting
    display_name: Reporting
    description: Reports of one workspace
    statements:
      - effect: allow
        permissions: [\"reports.**\", reports.detailed.view]
        resources: [\"workspaces/w1/**\", \"workspaces/*/lines/l1\"]
        condition: \"subject.id != \\\"x\\\"\"
      - effect: deny
        permissions: [\"*.look\"]
roles:
  - id: analyze-manager
    display_name: Analyze Manager
    always_held: true
    max_holders: 3
    permissions:
      - reports.detailed.view
    policies: [reporting]
    covers: [feature, line]
  - id: checker
    display_name: Checker
    parents: [last]
  - id: last
    display_name: Last
  - id: staff
    display_name: Staff
    internal: true
    permissions:
      - reports.detailed.view
      - staff.look
    parents: [analyze-manager, last]
";

const CATALOG_JSON: &str = r#"{
	"kind": "catalog", "id": "infobip-classic", "display_name": "Infobip (classic)", "description": "All of it",
	"custom_roles": ["custom_policies", "permissions", "managed_policies", "parents"],
	"must_hold_role": true, "mutually_exclusive": [["checker", "analyze-manager"]],
	"features": [{"id":"reports","display_name":"Reports"}],
	"sections": [{"id": "reports", "display_name": "Reports", "description": "Two\nlines"}],
	"api_scopes": [
		{"id": "sms:send", "includes": []},
		{"id": "message:send", "description": "\u0053ends", "includes": ["sms:send"]}
	],
	"policies": [{"id": "reporting", "display_name": "Reporting", "description": "Reports of one workspace", "statements": [
		{"condition": "subject.id != \"x\"", "effect": "allow", "permissions": ["reports.**", "reports.detailed.view"],
		 "resources": ["workspaces/w1/**", "workspaces/*/lines/l1"]},
		{"effect": "deny", "permissions": ["*.look"], "resources": []}]}],
	"resource_types": [
		{"id": "line", "plural": "lines", "display_name": "Line", "parent": "workspace"},
		{"id": "workspace", "plural": "workspaces", "display_name": "Workspace", "description": "Where people work together"}
	],
	"permissions": [
		{"id": "reports.detailed.view", "description": "Sees them", "section": "reports", "feature": "reports",
		 "api_scopes": ["message:send", "sms:send"], "internal": false, "resource_type": "line",
		 "facets": ["line", "feature"], "condition": "attributes.assignee == subject.id"},
		{"id": "staff.look", "section": "reports", "internal": true, "deprecated": true}
	],
	"roles": [
		{"id": "analyze-manager", "display_name": "Analyze Manager", "permissions": ["reports.detailed.view"],
		 "policies": ["reporting"], "covers": ["line", "feature"], "always_held": true, "max_holders": 3, "parents": []},
		{"id": "checker", "display_name": "Checker", "parents": ["last"], "always_held": false},
		{"id": "last", "display_name": "Last"},
		{"id": "staff", "display_name": "Staff", "internal": true, "permissions": ["staff.look", "reports.detailed.view"],
		 "parents": ["last", "analyze-manager"]}
	]
}"#;

pub(super) const ACCOUNT: &str = "\
kind: account
id: demo
display_name: Demo
catalog: infobip-classic
state: suspended
features:
  - reports
resources:
  - path: workspaces/w1
    display_name: Sales
  - path: workspaces/w1/lines/l1
  - path: workspaces/w1/lines/l2
policies:
  - id: mine
    display_name: Mine
    description: Not at night
    statements:
      - effect: deny
        permissions: [\"**\"]
        condition: attributes.night
roles:
  - id: auditor
    display_name: Auditor
    description: \"Looks: only\"
    permissions:
      - reports.detailed.view
    policies: [reporting, custom/mine]
    parents: [viewer, custom/base]
    covers: [feature, line]
    left_out_api_scopes: [\"messages:send\"]
  - id: base
    display_name: Base
teams:
  - id: support
    display_name: Support
    roles: [analyze-manager, custom/auditor]
    access:
      - facet: feature
        all: true
      - facet: line
        values: [workspaces/w1/lines/l1, workspaces/w1/lines/l2]
users:
  - id: ana
    display_name: Ana
    username: ana
    email: ana@example.com
    teams: [support]
    roles:
      - account-manager
      - {role: account-manager, resource: workspaces/w1, expires: \"2027-01-01T00:00:00Z\"}
      - {role: custom/auditor, expires: \"2027-01-01T00:00:00.500Z\"}
    access:
      - facet: workspace
        values: []
    exceptions:
      - permission: reports.detailed.view
        reason: asked by support
      - permission: staff.look
        reason: for a week
        expires: \"2026-12-01T12:00:00Z\"
  - id: \"null\"
    display_name: \"👩\\u200d🚀\"
    state: invited
service_accounts:
  - id: nightly-export
    display_name: Nightly Export
    description: Fetches reports at night.
    state: suspended
    roles: [custom/auditor]
";

const ACCOUNT_JSON: &str = r#"{"users": [
  {"id": "null", "display_name": "\ud83d\udc69\u200d\uD83D\uDE80", "state": "invited", "teams": []},
  {"id": "ana", "display_name": "Ana", "username": "ana", "email": "ana\u0040example.com", "teams": ["support"],
   "roles": [{"role": "custom/auditor", "expires": "2027-01-01T01:00:00.5+01:00"}, {"role": "account-manager"},
             {"role": "account-manager", "expires": "2027-01-01T00:00:00Z", "resource": "workspaces/w1"}],
   "access": [{"facet": "workspace", "all": false, "values": []}],
   "exceptions": [{"permission": "staff.look", "reason": "for a week", "expires": "2026-12-01t12:00:00.000z"},
                  {"permission": "reports.detailed.view", "reason": "asked by support"}], "state": "active"}],
 "teams": [{"id": "support", "display_name": "Support", "roles": ["custom\/auditor", "analyze-manager"],
            "access": [{"facet": "line", "values": ["workspaces/w1/lines/l2", "workspaces/w1/lines/l1"]},
                       {"facet": "feature", "all": true}]}],
 "resources": [{"path": "workspaces/w1/lines/l2"}, {"path": "workspaces/w1", "display_name": "Sales"},
               {"path": "workspaces/w1/lines/l1", "display_name": ""}],
 "policies": [{"id": "mine", "display_name": "Mine", "description": "Not at night",
               "statements": [{"effect": "deny", "permissions": ["**"], "condition": "attributes.night"}]}],
 "roles": [{"id": "base", "display_name": "Base"},
           {"id": "auditor", "display_name": "Auditor", "description": "Looks: only",
            "policies": ["custom/mine", "reporting"], "parents": ["custom/base", "viewer"], "covers": ["line", "feature"],
            "permissions": ["reports.detailed.view"], "left_out_api_scopes": ["messages:send"]}],
 "service_accounts": [{"roles": ["custom/auditor"], "id": "nightly-export", "display_name": "Nightly Export",
                       "state": "suspended", "description": "Fetches reports at night."}],
 "features": ["reports"], "state": "suspended", "catalog": "infobip-classic", "display_name": "Demo",
 "id": "demo", "kind": "account"}"#;

fn catalog_text(text: &str) -> String {
    write_catalog(&parse_catalog(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\nin:\n{text}")))
}

fn account_text(text: &str) -> String {
    let account = parse_account(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\nin:\n{text}"));
    let mut out = String::new();
    write_account(&account, &mut out).unwrap();
    out
}

#[test]
fn canonical_files_are_written_as_they_were_read() {
    assert_eq!(catalog_text(CATALOG), CATALOG);
    assert_eq!(account_text(ACCOUNT), ACCOUNT);
}

#[test]
fn the_examples_of_the_reference_are_good_files() {
    let reference = include_str!("../../../docs/files.md");
    let examples: Vec<_> =
        reference.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        if example.starts_with("kind: catalog") {
            catalog_text(example);
        } else {
            account_text(&format!("kind: account\nid: a\ncatalog: c\n{example}"));
        }
    }
}

#[test]
fn json_means_what_yaml_means() {
    assert_eq!(catalog_text(CATALOG_JSON), CATALOG);
    assert_eq!(account_text(ACCOUNT_JSON), ACCOUNT);
    for indented in [false, true] {
        let tree: serde_json::Value = serde_json::from_str(ACCOUNT_JSON).unwrap();
        let json = if indented { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) };
        assert_eq!(account_text(&json.unwrap()), ACCOUNT);
    }
}

#[test]
fn random_catalogs_are_read_back_as_they_were_written() {
    for seed in 1..=500 {
        let catalog = Random::new(seed).catalog();
        let text = write_catalog(&catalog);
        let read = parse_catalog(text.as_bytes()).unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{text}"));
        assert_eq!(read, catalog, "seed {seed}:\n{text}");
        assert_eq!(write_catalog(&read), text, "seed {seed}");
    }
}

#[test]
fn random_accounts_are_read_back_as_they_were_written() {
    for seed in 1..=500 {
        let mut account = Random::new(seed).account();
        let mut text = String::new();
        write_account(&account, &mut text).unwrap();
        let read = parse_account(text.as_bytes()).unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{text}"));
        account.sort();
        assert_eq!(read, account, "seed {seed}:\n{text}");
        let mut again = String::new();
        write_account(&account, &mut again).unwrap();
        assert_eq!(again, text, "seed {seed}: another order of the lists, and other bytes");
    }
}

#[test]
fn references_keep_their_places() {
    let account = parse_account(ACCOUNT.as_bytes()).unwrap();
    let lines: Vec<&str> = ACCOUNT.lines().collect();
    let place = |at: Position, text: &str| {
        let line = lines[at.line as usize - 1];
        assert!(line[at.column as usize - 1..].starts_with(text), "{at} is not {text}: {line}");
    };
    place(account.id.at, "demo");
    place(account.catalog.at, "infobip-classic");
    place(account.features[0].at, "reports");
    place(account.resources[1].path.at, "workspaces/w1/lines/l1");
    let policy = &account.policies[0];
    place(policy.id.at, "mine");
    place(policy.statements[0].permissions[0].at, "\"**\"");
    place(policy.statements[0].condition.as_ref().unwrap().at, "attributes.night");
    let role = &account.roles[0];
    place(role.permissions[0].at, "reports.detailed.view");
    place(role.policies[1].at, "custom/mine");
    place(role.parents[0].at, "viewer");
    place(role.covers[1].at, "line");
    let team = &account.teams[0];
    place(team.roles[1].role.at, "custom/auditor");
    place(team.access[1].facet.at, "line");
    place(team.access[1].values[1].at, "workspaces/w1/lines/l2");
    let user = &account.users[0];
    place(user.teams[0].at, "support");
    place(user.roles[1].role.at, "account-manager");
    place(user.roles[1].resource.as_ref().unwrap().at, "workspaces/w1");
    place(user.exceptions[1].permission.at, "staff.look");
}

#[test]
fn the_kind_is_told_from_the_beginning_of_a_file() {
    let cases = [
        ("kind: catalog\nid: [", Some(FileKind::Catalog)),
        ("\u{feff}# comment\n\nkind: \"account\"\n", Some(FileKind::Account)),
        ("id: x\nroles: [{kind: catalog}, [kind]]\ndescription: kind\nkind: account\n", Some(FileKind::Account)),
        (ACCOUNT_JSON, Some(FileKind::Account)),
        (CATALOG_JSON, Some(FileKind::Catalog)),
        ("kind: accounts\nkind: account\n", None),
        ("- kind: account\n", None),
        ("kind: [account]\n", None),
        ("kind\n", None),
        ("? [kind]\n: account\nkind: account\n", None),
        ("", None),
        ("a: 1\n---\nkind: account\n", None),
        ("id: x\nid: [\n", None),
    ];
    for (text, expected) in cases {
        assert_eq!(kind_of(text.as_bytes()), expected, "{text:?}");
    }
    // A cut through a character, and bytes behind it that are no text.
    let mut large = format!("kind: account\nid: {}", "é".repeat(40_000)).into_bytes();
    large.extend([0xff; 100_000]);
    assert_eq!(kind_of(&large), Some(FileKind::Account));
    // The parser looks a kilobyte ahead on one line before it lets go of the first brace.
    let cut = format!("{{\"kind\":\"account\",\"users\":[{}", "{\"id\":\"u\"},".repeat(20_000));
    assert_eq!(kind_of(cut.as_bytes()), Some(FileKind::Account));
    assert_eq!(kind_of(format!("id: \"{}\"\nkind: account", "x".repeat(70_000)).as_bytes()), None);
}
