//! Bad catalog files, each with everything that is wrong with it.

use super::check;
use crate::files::parse_catalog;

/// What the word FIELDS stands for in expected messages.
const FIELDS: &str = "kind, id, display_name, description, custom_roles, must_hold_role, mutually_exclusive, features, sections, \
     api_scopes, resource_types, permissions, policies, roles";

/// A file that is good so far.
const HEAD: &str = "kind: catalog\nid: c\ndisplay_name: C\n";

/// Whole files.
const WHOLE: &[(&str, &[&str])] = &[
    ("", &["1:1: the file is empty; expected a mapping with the field \"kind\""]),
    ("# nothing\n", &["1:1: the file is empty; expected a mapping with the field \"kind\""]),
    ("just text\n", &["1:1: \"just text\" was given; expected a mapping with the field \"kind\": catalog"]),
    ("- a\n- b\n", &["1:1: a list was given; expected a mapping with the field \"kind\": catalog"]),
    ("kind: account\nid: 1 2\nnothing: here\n", &["1:7: kind: \"account\" was given; expected catalog"]),
    ("kind: [catalog]\n", &["1:7: kind: a list was given; expected catalog"]),
    (
        "id: c\n",
        &[
            "1:1: the field \"kind\" is missing, and is required",
            "1:1: the field \"display_name\" is missing, and is required",
        ],
    ),
    (
        "kind: catalog\n",
        &[
            "1:1: the field \"id\" is missing, and is required",
            "1:1: the field \"display_name\" is missing, and is required",
        ],
    ),
    (
        "kind: catalog\nid: a/b\ndisplay_name: C\n",
        &["2:5: id: \"a/b\" is not a catalog id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."],
    ),
    (
        "kind: catalog\nkind: catalog\nid: c\nid: d\ndisplay_name: C\n",
        &[
            "2:1: the key \"kind\" is given twice in this mapping; first at 1:1",
            "4:1: the key \"id\" is given twice in this mapping; first at 3:1",
        ],
    ),
    (
        "kind: catalog\nid: \"c\n",
        &["3:1: this is not well-formed YAML or JSON: invalid indentation in multiline quoted scalar"],
    ),
    (
        "kind: catalog\nid: c\ndisplay_name: \"\"\n",
        &["3:15: display_name: \"\" was given; expected a name for people to read"],
    ),
    (
        "{\"kind\": \"catalog\", \"id\": \"c\", \"display_name\": \"C\", \"features\": [{\"id\": \"f\", \"id\": \"g\", \"display_name\": null}], \"x\": 1}",
        &[
            "1:78: the key \"id\" is given twice in this mapping; first at 1:67",
            "1:105: features[0].display_name: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
            "1:113: unknown field \"x\"; expected one of FIELDS",
        ],
    ),
    (
        "{\"kind\": \"catalog\",\n \"id\": 7,\n \"display_name\": true,\n \"roles\": [{\"id\": \"r\", \"display_name\": \"R\", \"internal\": \"false\"}]}",
        &["4:57: roles[0].internal: \"false\" was given; expected true or false, without quotes"],
    ),
    (
        "{\"kind\": \"catalog\", \"id\": \"c\" \"display_name\": \"C\"}",
        &["1:31: this is not well-formed YAML or JSON: invalid trailing content after double-quoted scalar"],
    ),
    (
        "kind: catalog\nid: 'é é'\ndisplay_name: É\ndescription: \"ü\\u0001\" # ö\nzusätzlich: 1\n",
        &[
            "2:5: id: \"é é\" is not a catalog id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "4:14: description: the control character U+0001 was given; expected none but newline and tab",
            "5:1: unknown field \"zusätzlich\"; expected one of FIELDS",
        ],
    ),
];

/// What follows [`HEAD`], and so begins in line 4.
const AFTER_HEAD: &[(&str, &[&str])] = &[
    ("---\nkind: catalog\n", &["4:1: a second document begins here; expected one document in the file"]),
    ("description: &d x\n", &["4:17: an anchor (&...) was given; anchors are not supported, write the value out"]),
    (
        "description: *d\n",
        &["4:14: an alias (*...) was given; aliases are not supported, write the value out (or quote the text)"],
    ),
    ("description: !!str x\n", &["4:20: a tag (!...) was given; tags are not supported, write the plain value"]),
    ("<<: {a: b}\n", &["4:1: a merge key (<<) was given; merge keys are not supported"]),
    ("\"<<\": x\n", &["4:1: unknown field \"<<\"; expected one of FIELDS"]),
    ("[a, b]: x\n", &["4:1: a list or mapping was given as a key; expected the name of a field"]),
    ("? {a: b}\n: x\n", &["4:3: a list or mapping was given as a key; expected the name of a field"]),
    ("features: [\n", &["4:11: this is not well-formed YAML or JSON: unclosed bracket '['"]),
    ("features: [}\n", &["4:11: this is not well-formed YAML or JSON: mismatched bracket '[' closed by '}'"]),
    ("\tfeatures: []\n", &["3:15: this is not well-formed YAML or JSON: while scanning a plain scalar, found a tab"]),
    ("description: a\u{0}b\n", &["4:15: a NUL byte was given; expected a text file in UTF-8"]),
    ("features: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n", &["4:26: lists and mappings are nested more than 16 deep"]),
    (
        "description: null\n",
        &[
            "4:14: description: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    (
        "description:\n",
        &[
            "4:12: description: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    (
        "description: ~\n",
        &[
            "4:14: description: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    ("description: [x]\n", &["4:14: description: a list was given; expected a text"]),
    ("description: {a: b}\n", &["4:14: description: a mapping was given; expected a text"]),
    (
        "description: \"a\\u0007b\"\n",
        &["4:14: description: the control character U+0007 was given; expected none but newline and tab"],
    ),
    (
        "description: \"a\\rb\"\n",
        &["4:14: description: the control character U+000D was given; expected none but newline and tab"],
    ),
    (
        "display_nam: x\ndescripton: y\n",
        &[
            "4:1: unknown field \"display_nam\"; expected one of FIELDS",
            "5:1: unknown field \"descripton\"; expected one of FIELDS",
        ],
    ),
    (
        "custom_roles: [permission, policies, permissions, permissions]\n",
        &[
            "4:16: custom_roles[0]: \"permission\" is not a part of custom roles (known are permissions, parents, managed_policies, custom_policies); did you mean \"permissions\"?",
            "4:28: custom_roles[1]: \"policies\" is not a part of custom roles (known are permissions, parents, managed_policies, custom_policies)",
            "4:51: custom_roles: \"permissions\" is listed twice; first at 4:38",
        ],
    ),
    (
        "custom_roles: permissions\n",
        &["4:15: custom_roles: \"permissions\" was given; expected a list ([] or no field at all for an empty one)"],
    ),
    (
        "custom_roles: {permissions: true}\n",
        &["4:15: custom_roles: a mapping was given; expected a list ([] or no field at all for an empty one)"],
    ),
    ("custom_roles: [[permissions]]\n", &["4:16: custom_roles[0]: a list was given; expected a text"]),
    (
        "features:\n",
        &["4:9: features: nothing, or null, was given; expected a list ([] or no field at all for an empty one)"],
    ),
    (
        "features: {id: f, display_name: F}\n",
        &["4:11: features: a mapping was given; expected a list ([] or no field at all for an empty one)"],
    ),
    (
        "features: [f]\n",
        &["4:12: features[0]: \"f\" was given; expected a mapping with the fields id, display_name, description"],
    ),
    (
        "features:\n  - id: f\n    display_name: F\n  - id: g\n  - display_name: H\n  - id: f\n    display_name: G\n",
        &[
            "7:5: features[1]: the field \"display_name\" is missing, and is required",
            "8:5: features[2]: the field \"id\" is missing, and is required",
            "9:9: features[3].id: \"f\" is given twice; first at 5:9",
        ],
    ),
    (
        "sections:\n  - {id: \"s s\", display_name: S}\n  - {id: s, display_name: S, icon: x}\n  - {id: s, display_name: [S]}\n",
        &[
            "5:10: sections[0].id: \"s s\" is not a section id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "6:30: sections[1]: unknown field \"icon\"; expected one of id, display_name, description",
            "7:10: sections[2].id: \"s\" is given twice; first at 6:10",
            "7:27: sections[2].display_name: a list was given; expected a text",
        ],
    ),
    (
        "api_scopes:\n  - id: a\n    includes: [b, c, b, a]\n  - id: b\n    includes: [a]\n  - id: d\n    includes: [a]\n",
        &[
            "6:19: api_scopes[0].includes[1]: \"c\" is not an API scope of this catalog",
            "6:22: api_scopes[0].includes: \"b\" is listed twice; first at 6:16",
            "6:25: api_scopes[0].includes[3]: API scopes include each other in a cycle: a -> a",
            "8:16: api_scopes[1].includes[0]: API scopes include each other in a cycle: a -> b -> a",
        ],
    ),
    (
        "api_scopes:\n  - id: a\n    includes: [b]\n  - id: b\n    includes: [c]\n  - id: c\n    includes: [a, b]\n",
        &[
            "10:16: api_scopes[2].includes[0]: API scopes include each other in a cycle: a -> b -> c -> a",
            "10:19: api_scopes[2].includes[1]: API scopes include each other in a cycle: b -> c -> b",
        ],
    ),
    (
        "api_scopes:\n  - id: message:send\n  - id: sms:send\n    includes: [mesage:send]\n  - id: sms:send\n",
        &[
            "7:16: api_scopes[1].includes[0]: \"mesage:send\" is not an API scope of this catalog; did you mean \"message:send\"?",
            "8:9: api_scopes[2].id: \"sms:send\" is given twice; first at 6:9",
        ],
    ),
    (
        "permissions:\n  - id: view\n    section: s\n",
        &[
            "5:9: permissions[0].id: \"view\" is not a permission id: 2 to 5 segments of A-Z a-z 0-9 _ - joined by dots, 128 bytes at most",
            "6:14: permissions[0].section: \"s\" is not a section of this catalog",
        ],
    ),
    (
        "sections: [{id: s, display_name: S}]\nfeatures: [{id: reports, display_name: R}]\npermissions:\n  - id: a.b\n    section: s\n    feature: reportz\n    api_scopes: [x, x]\n    internal: yes\n    deprecated: \"true\"\n  - id: a.b\n  - id: a.c\n    section: t\n    feature: other-thing\n    internal: True\n",
        &[
            "9:14: permissions[0].feature: \"reportz\" is not a feature of this catalog; did you mean \"reports\"?",
            "10:18: permissions[0].api_scopes[0]: \"x\" is not an API scope of this catalog",
            "10:21: permissions[0].api_scopes: \"x\" is listed twice; first at 10:18",
            "10:21: permissions[0].api_scopes[1]: \"x\" is not an API scope of this catalog",
            "11:15: permissions[0].internal: \"yes\" was given; expected true or false, without quotes",
            "12:17: permissions[0].deprecated: \"true\" was given; expected true or false, without quotes",
            "13:5: permissions[1]: the field \"section\" is missing, and is required",
            "13:9: permissions[1].id: \"a.b\" is given twice; first at 7:9",
            "15:14: permissions[2].section: \"t\" is not a section of this catalog",
            "16:14: permissions[2].feature: \"other-thing\" is not a feature of this catalog",
            "17:15: permissions[2].internal: \"True\" was given; expected true or false, without quotes",
        ],
    ),
    (
        "sections: [{id: s, display_name: S}]\npermissions:\n  - {id: a.b, section: s, internal: true}\n  - {id: a.c, section: s}\nroles:\n  - id: r\n    display_name: R\n    permissions: [a.b, a.c, a.c, a.d]\n  - id: i\n    display_name: I\n    internal: true\n    permissions: [a.b]\n  - id: r\n    internal: 1\n",
        &[
            "11:19: roles[0].permissions[0]: \"a.b\" is an internal permission; expected in roles with internal: true alone",
            "11:29: roles[0].permissions: \"a.c\" is listed twice; first at 11:24",
            "11:34: roles[0].permissions[3]: \"a.d\" is not a permission of this catalog; did you mean \"a.b\"?",
            "16:5: roles[2]: the field \"display_name\" is missing, and is required",
            "16:9: roles[2].id: \"r\" is given twice; first at 9:9",
            "17:15: roles[2].internal: \"1\" was given; expected true or false, without quotes",
        ],
    ),
    (
        "sections: [{id: bad id, display_name: S}]\npermissions:\n  - {id: a.b, section: bad id}\n  - {id: a, section: bad id}\nroles:\n  - {id: r, display_name: R, permissions: [a, a.b]}\n",
        &[
            "4:17: sections[0].id: \"bad id\" is not a section id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "7:10: permissions[1].id: \"a\" is not a permission id: 2 to 5 segments of A-Z a-z 0-9 _ - joined by dots, 128 bytes at most",
        ],
    ),
    (
        "roles: [null, 5, \"\", []]\n",
        &[
            "4:9: roles[0]: nothing, or null, was given; expected a mapping with the fields id, display_name, description, internal, always_held, max_holders, permissions, policies, parents, covers",
            "4:15: roles[1]: \"5\" was given; expected a mapping with the fields id, display_name, description, internal, always_held, max_holders, permissions, policies, parents, covers",
            "4:18: roles[2]: \"\" was given; expected a mapping with the fields id, display_name, description, internal, always_held, max_holders, permissions, policies, parents, covers",
            "4:22: roles[3]: a list was given; expected a mapping with the fields id, display_name, description, internal, always_held, max_holders, permissions, policies, parents, covers",
        ],
    ),
];

#[test]
fn everything_wrong_with_a_catalog_file_is_reported_at_its_place() {
    for (file, expected) in WHOLE {
        check(file, expected, FIELDS, |bytes| parse_catalog(bytes).err());
    }
    for (rest, expected) in AFTER_HEAD {
        check(&format!("{HEAD}{rest}"), expected, FIELDS, |bytes| parse_catalog(bytes).err());
    }
}
