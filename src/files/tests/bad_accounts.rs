//! Bad account files, each with everything that is wrong with it.

use super::check;
use crate::files::parse_account;

/// What the word FIELDS stands for in expected messages.
const FIELDS: &str =
    "kind, id, display_name, catalog, state, features, resources, policies, roles, teams, users, service_accounts";

/// A file that is good so far.
const HEAD: &str = "kind: account\nid: a\ncatalog: c\n";

/// Whole files.
const WHOLE: &[(&str, &[&str])] = &[
    ("kind: catalog\nid: x\n", &["1:7: kind: \"catalog\" was given; expected account"]),
    (
        "kind: account\n",
        &[
            "1:1: the field \"id\" is missing, and is required",
            "1:1: the field \"catalog\" is missing, and is required",
        ],
    ),
    (
        "kind: account\nid: ..\ncatalog: \"a b\"\n",
        &[
            "2:5: id: \"..\" is not an account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "3:10: catalog: \"a b\" is not a catalog id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
        ],
    ),
    (
        "kind: account\nid:\ncatalog: ~\n",
        &[
            "2:3: id: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
            "3:10: catalog: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    ("kind: accounts\n", &["1:7: kind: \"accounts\" was given; expected account"]),
    (
        "{\"kind\": \"account\", \"id\": \"a\", \"catalog\": \"c\", \"users\": [{\"id\": \"u\", \"state\": \"gone\"}, {\"id\": \"u\"}]}",
        &[
            "1:79: users[0].state: \"gone\" was given; expected one of active, invited, suspended",
            "1:95: users[1].id: \"u\" is given twice; first at 1:65",
        ],
    ),
    (
        "\u{feff}kind: account\nid: a b\ncatalog: c\n",
        &["2:5: id: \"a b\" is not an account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."],
    ),
    (
        "kind: account\r\nid: a b\r\ncatalog: c\r\nx: 1\r\n",
        &[
            "2:5: id: \"a b\" is not an account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "4:1: unknown field \"x\"; expected one of FIELDS",
        ],
    ),
    (
        "%YAML 1.2\n---\nkind: account\nid: a b\ncatalog: c\n...\n",
        &["4:5: id: \"a b\" is not an account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."],
    ),
];

/// What follows [`HEAD`], and so begins in line 4.
const AFTER_HEAD: &[(&str, &[&str])] = &[
    ("state: invited\n", &["4:8: state: \"invited\" was given; expected one of active, suspended"]),
    ("state: [active]\n", &["4:8: state: a list was given; expected a text"]),
    (
        "state: null\n",
        &["4:8: state: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so"],
    ),
    (
        "display_name: \"\\e\"\n",
        &["4:15: display_name: the control character U+001B was given; expected none but newline and tab"],
    ),
    (
        "features: [f, g, f, g g, null, {}]\n",
        &[
            "4:18: features: \"f\" is listed twice; first at 4:12",
            "4:21: features[3]: \"g g\" is not a feature id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "4:26: features[4]: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
            "4:32: features[5]: a mapping was given; expected a text",
        ],
    ),
    (
        "features: f\nroles: r\nteams: t\nusers: u\n",
        &[
            "4:11: features: \"f\" was given; expected a list ([] or no field at all for an empty one)",
            "5:8: roles: \"r\" was given; expected a list ([] or no field at all for an empty one)",
            "6:8: teams: \"t\" was given; expected a list ([] or no field at all for an empty one)",
            "7:8: users: \"u\" was given; expected a list ([] or no field at all for an empty one)",
        ],
    ),
    (
        "roles:\n  - id: r\n  - display_name: R\n  - id: r\n    display_name: \"\"\n    permissions: [a.b, a, a.b]\n    internal: true\n",
        &[
            "5:5: roles[0]: the field \"display_name\" is missing, and is required",
            "6:5: roles[1]: the field \"id\" is missing, and is required",
            "7:9: roles[2].id: \"r\" is given twice; first at 5:9",
            "8:19: roles[2].display_name: \"\" was given; expected a name for people to read",
            "9:24: roles[2].permissions[1]: \"a\" is not a permission id: 2 to 5 segments of A-Z a-z 0-9 _ - joined by dots, 128 bytes at most",
            "9:27: roles[2].permissions: \"a.b\" is listed twice; first at 9:19",
            "10:5: roles[2]: unknown field \"internal\"; expected one of id, display_name, description, permissions, policies, parents, covers, left_out_api_scopes",
        ],
    ),
    (
        "roles:\n  - id: auditor\n    display_name: Auditor\nteams:\n  - id: t\n    roles: [custom/auditr, custom/, custom/x/y, other/x, managed, managed]\n",
        &[
            "9:13: teams[0].roles[0]: \"custom/auditr\" is not a custom role of this file; did you mean \"custom/auditor\"?",
            "9:28: teams[0].roles[1]: \"custom/\" is not a custom role of this file",
            "9:37: teams[0].roles[2]: \"custom/x/y\" is not a custom role of this file",
            "9:49: teams[0].roles[3]: \"other/x\" is not a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "9:67: teams[0].roles: \"managed\" is listed twice; first at 9:58",
        ],
    ),
    (
        "teams:\n  - id: support\n    roles: [a]\n  - id: support\nusers:\n  - id: u\n    teams: [suport, support, support, zzz]\n",
        &[
            "7:9: teams[1].id: \"support\" is given twice; first at 5:9",
            "10:13: users[0].teams[0]: \"suport\" is not a team of this file; did you mean \"support\"?",
            "10:30: users[0].teams: \"support\" is listed twice; first at 10:21",
            "10:39: users[0].teams[3]: \"zzz\" is not a team of this file",
        ],
    ),
    (
        "teams: [{id: a b}]\nusers: [{id: u, teams: [a b]}]\n",
        &["4:14: teams[0].id: \"a b\" is not a team id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."],
    ),
    (
        "roles: [{id: a b, display_name: X}]\nusers: [{id: u, roles: [custom/a b]}]\n",
        &["4:14: roles[0].id: \"a b\" is not a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."],
    ),
    (
        "users:\n  - id: u\n    emial: x@y\n",
        &[
            "6:5: users[0]: unknown field \"emial\"; expected one of id, display_name, username, email, state, teams, roles, access, exceptions",
        ],
    ),
    (
        "users:\n  - id: u\n    email: x\n  - id: v\n    email: x@y@z\n  - id: w\n    email: \"\"\n  - id: u\n    email: []\n",
        &[
            "6:12: users[0].email: \"x\" was given; expected an email address, with one @",
            "8:12: users[1].email: \"x@y@z\" was given; expected an email address, with one @",
            "11:9: users[3].id: \"u\" is given twice; first at 5:9",
            "12:12: users[3].email: a list was given; expected a text",
        ],
    ),
    (
        "users:\n  - id: u\n    teams: {}\n    roles: admin\n",
        &[
            "6:12: users[0].teams: a mapping was given; expected a list ([] or no field at all for an empty one)",
            "7:12: users[0].roles: \"admin\" was given; expected a list ([] or no field at all for an empty one)",
        ],
    ),
    (
        "users:\n  - id: ana\n    display_name: Ana\n    roles: [account-manager]\n  - id: ana\n  - id: \"\"\n  - id: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n",
        &[
            "8:9: users[1].id: \"ana\" is given twice; first at 5:9",
            "9:9: users[2].id: \"\" is not a user id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "10:9: users[3].id: \"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\" is not a user id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
        ],
    ),
    (
        "users:\n  - id: null\n  - id: \"null\"\n  - id: 12\n  - id: true\n",
        &[
            "5:9: users[0].id: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    (
        "owner: x\nteam: y\n",
        &[
            "4:1: unknown field \"owner\"; expected one of FIELDS",
            "5:1: unknown field \"team\"; expected one of FIELDS",
        ],
    ),
    (
        "users:\n  - id: u\n    id: v\n    teams: [a]\n    teams: [b]\n",
        &[
            "6:5: the key \"id\" is given twice in this mapping; first at 5:5",
            "7:13: users[0].teams[0]: \"a\" is not a team of this file",
            "8:5: the key \"teams\" is given twice in this mapping; first at 7:5",
        ],
    ),
    ("display_name: |\n  two\n  lines\nx: 1\n", &["7:1: unknown field \"x\"; expected one of FIELDS"]),
    (
        "...\nkind: account\nid: a\ncatalog: c\n",
        &["5:1: a second document begins here; expected one document in the file"],
    ),
    (
        "users: [{id: u}, {id: v, roles: [a b, custom/b]}]\nfeatures:\n  - 'f f'\n",
        &[
            "4:34: users[1].roles[0]: \"a b\" is not a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "4:39: users[1].roles[1]: \"custom/b\" is not a custom role of this file",
            "6:5: features[0]: \"f f\" is not a feature id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
        ],
    ),
];

#[test]
fn everything_wrong_with_an_account_file_is_reported_at_its_place() {
    for (file, expected) in WHOLE {
        check(file, expected, FIELDS, |bytes| parse_account(bytes).err());
    }
    for (rest, expected) in AFTER_HEAD {
        check(&format!("{HEAD}{rest}"), expected, FIELDS, |bytes| parse_account(bytes).err());
    }
}
