//! What is written is read back as it was, and JSON means what YAML means.

use super::random::Random;
use crate::files::*;

const CATALOG: &str = "\
kind: catalog
id: infobip-classic
display_name: \"Infobip (classic)\"
description: All of it
custom_roles:
  - permissions
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
permissions:
  - id: reports.detailed.view
    description: Sees them
    section: reports
    feature: reports
    api_scopes: [\"message:send\", \"sms:send\"]
  - id: staff.look
    section: reports
    internal: true
    deprecated: true
roles:
  - id: analyze-manager
    display_name: Analyze Manager
    permissions:
      - reports.detailed.view
  - id: staff
    display_name: Staff
    internal: true
    permissions:
      - reports.detailed.view
      - staff.look
";

const CATALOG_JSON: &str = r#"{
	"kind": "catalog", "id": "infobip-classic", "display_name": "Infobip (classic)", "description": "All of it",
	"custom_roles": ["permissions"],
	"features": [{"id":"reports","display_name":"Reports"}],
	"sections": [{"id": "reports", "display_name": "Reports", "description": "Two\nlines"}],
	"api_scopes": [
		{"id": "sms:send", "includes": []},
		{"id": "message:send", "description": "\u0053ends", "includes": ["sms:send"]}
	],
	"permissions": [
		{"id": "reports.detailed.view", "description": "Sees them", "section": "reports", "feature": "reports",
		 "api_scopes": ["message:send", "sms:send"], "internal": false},
		{"id": "staff.look", "section": "reports", "internal": true, "deprecated": true}
	],
	"roles": [
		{"id": "analyze-manager", "display_name": "Analyze Manager", "permissions": ["reports.detailed.view"]},
		{"id": "staff", "display_name": "Staff", "internal": true, "permissions": ["staff.look", "reports.detailed.view"]}
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
roles:
  - id: auditor
    display_name: Auditor
    description: \"Looks: only\"
    permissions:
      - reports.detailed.view
    left_out_api_scopes: [\"messages:send\"]
teams:
  - id: support
    display_name: Support
    roles: [analyze-manager, custom/auditor]
users:
  - id: ana
    display_name: Ana
    username: ana
    email: ana@example.com
    teams: [support]
    roles: [account-manager]
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
   "roles": ["account-manager"], "state": "active"}],
 "teams": [{"id": "support", "display_name": "Support", "roles": ["custom\/auditor", "analyze-manager"]}],
 "roles": [{"id": "auditor", "display_name": "Auditor", "description": "Looks: only",
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
    let place = |at: Position| at.to_string();
    assert_eq!(place(account.id.at), "2:5");
    assert_eq!(place(account.catalog.at), "4:10");
    assert_eq!(place(account.features[0].at), "7:5");
    assert_eq!(place(account.roles[0].permissions[0].at), "13:9");
    assert_eq!(place(account.teams[0].roles[1].at), "18:30");
    assert_eq!(place(account.users[0].teams[0].at), "24:13");
    assert_eq!(place(account.users[0].roles[0].at), "25:13");
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
