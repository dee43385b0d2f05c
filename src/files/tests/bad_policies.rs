//! Files whose resource types, policies, hierarchies, access lists or exceptions are bad, each with everything that is
//! wrong with it.

use super::check;
use crate::files::{parse_account, parse_catalog};

/// What follows the head of a catalog, and so begins in line 4.
const CATALOGS: &[(&str, &[&str])] = &[
    (
        "resource_types:\n  - {id: a, plural: as, parent: b, display_name: A}\n  - {id: b, plural: bs, parent: c, display_name: B}\n  - {id: c, plural: cs, parent: a, display_name: C}\n  - {id: d, plural: ds, parent: d, display_name: D}\n  - {id: e, plural: es, parent: a, display_name: E}\n",
        &[
            "7:33: resource_types[2].parent: resource types lie in each other in a cycle: a -> b -> c -> a",
            "8:33: resource_types[3].parent: resource types lie in each other in a cycle: d -> d",
        ],
    ),
    (
        "resource_types:\n  - {id: feature, plural: features, display_name: F}\n  - {id: line, plural: lines, parent: workspce, display_name: L}\n  - {id: line, plural: lines, display_name: L}\n  - {id: workspace, display_name: W}\n  - {id: q/q, plural: q q, display_name: Q, colour: red}\n  - line\npolicies: [{id: p, display_name: P, statements: [{effect: allow, permissions: [\"**\"], resources: [workspaces/w1]}]}]\n",
        &[
            "5:10: resource_types[0].id: \"feature\" is the facet that is built in; expected another id",
            "6:39: resource_types[1].parent: \"workspce\" is not a resource type of this catalog; did you mean \"workspace\"?",
            "7:10: resource_types[2].id: \"line\" is given twice; first at 6:10",
            "7:24: resource_types[2].plural: \"lines\" is given twice; first at 6:24",
            "8:5: resource_types[3]: the field \"plural\" is missing, and is required",
            "9:10: resource_types[4].id: \"q/q\" is not a resource type: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "9:23: resource_types[4].plural: \"q q\" is not a resource type: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "9:45: resource_types[4]: unknown field \"colour\"; expected one of id, plural, parent, display_name, description",
            "10:5: resource_types[5]: \"line\" was given; expected a mapping with the fields id, plural, parent, display_name, description",
            "11:80: policies[0].statements[0].permissions[0]: \"**\" matches no permission of this catalog",
        ],
    ),
    (
        "resource_types:\n  - {id: t0, plural: ts0, display_name: T}\n  - {id: t1, plural: ts1, parent: t0, display_name: T}\n  - {id: t2, plural: ts2, parent: t1, display_name: T}\n  - {id: t3, plural: ts3, parent: t2, display_name: T}\n  - {id: t4, plural: ts4, parent: t3, display_name: T}\n  - {id: t5, plural: ts5, parent: t4, display_name: T}\n  - {id: t6, plural: ts6, parent: t5, display_name: T}\n  - {id: t7, plural: ts7, parent: t6, display_name: T}\n  - {id: t8, plural: ts8, parent: t7, display_name: T}\n  - {id: t9, plural: ts9, parent: t8, display_name: T}\n",
        &["13:35: resource_types[8].parent: \"t8\" lies 9 types deep; expected at most 8"],
    ),
    (
        "sections: [{id: s, display_name: S}]\nfeatures: [{id: f, display_name: F}]\nresource_types: [{id: line, plural: lines, display_name: L}]\npermissions:\n  - {id: a.b, section: s, resource_type: lines, facets: [feature, line, lin, line]}\n  - {id: a.c, section: s, feature: f, facets: [feature], condition: \"\"}\n  - {id: a.d, section: s, feature: g, facets: [feature, featur], condition: [x]}\n  - {id: a.e, section: s, condition: \"a\\u0000b\"}\n",
        &[
            "8:42: permissions[0].resource_type: \"lines\" is not a resource type of this catalog; did you mean \"line\"?",
            "8:58: permissions[0].facets[0]: \"feature\" was given; expected on permissions that have a feature alone",
            "8:73: permissions[0].facets[2]: \"lin\" is not a resource type of this catalog, or feature; did you mean \"line\"?",
            "8:78: permissions[0].facets: \"line\" is listed twice; first at 8:67",
            "9:69: permissions[1].condition: \"\" was given; expected a condition (no field at all for none)",
            "10:36: permissions[2].feature: \"g\" is not a feature of this catalog",
            "10:57: permissions[2].facets[1]: \"featur\" is not a resource type of this catalog, or feature; did you mean \"feature\"?",
            "10:77: permissions[2].condition: a list was given; expected a text",
            "11:38: permissions[3].condition: the control character U+0000 was given; expected none but newline and tab",
            "11:38: permissions[3].condition: 1:2: '\\0' can only stand in a text literal",
        ],
    ),
    (
        "sections: [{id: s, display_name: S}]\nresource_types:\n  - {id: line, plural: lines, parent: workspace, display_name: L}\n  - {id: workspace, plural: workspaces, display_name: W}\npermissions: [{id: inbox.conversations.view, section: s}, {id: inbox.exports, section: s, internal: true}]\npolicies:\n  - id: good\n    display_name: G\n    statements:\n      - {effect: deny, permissions: [\"**\", \"inbox.**\", \"inbox.*\", \"*.*.view\", \"inbox.exports.**\", \"inbox.exports\"]}\n      - {effect: allow, permissions: [\"inbox.*.*\"], resources: [\"**\", \"*/**\", \"workspaces/w1/lines/**\", \"workspaces/*\", \"workspaces/w1/lines/l1/**\", \"workspaces/w1/**\"]}\n  - id: typos\n    display_name: T\n    statements:\n      - {effect: denny, permissions: [inbox.conversation.view, \"inbx.**\", \"*\", \"inbox.*.*.*\", \"inbox.exports.*\", \"inbox.conversations.view.*.**\"]}\n      - {effect: deny, permissions: [\"a..b\", \"**.a\", \"\", \"inbox.**\", \"inbox.**\"], resources: [\"\", \"lines/l1\", \"lines/**\", \"workspaces\", \"workspaces/w1/line/l1\", \"workspaces/w1/lines/l1/x/**\", \"**/x\", \"a b/c\", \"workspaces/w1\", \"workspaces/w1\"]}\n",
        &[
            "18:18: policies[1].statements[0].effect: \"denny\" was given; expected one of allow, deny",
            "18:39: policies[1].statements[0].permissions[0]: \"inbox.conversation.view\" is not a permission of this catalog; did you mean \"inbox.conversations.view\"?",
            "18:64: policies[1].statements[0].permissions[1]: \"inbx.**\" matches no permission of this catalog",
            "18:75: policies[1].statements[0].permissions[2]: \"*\" matches no permission of this catalog",
            "18:80: policies[1].statements[0].permissions[3]: \"inbox.*.*.*\" matches no permission of this catalog",
            "18:95: policies[1].statements[0].permissions[4]: \"inbox.exports.*\" matches no permission of this catalog",
            "18:114: policies[1].statements[0].permissions[5]: \"inbox.conversations.view.*.**\" matches no permission of this catalog",
            "19:38: policies[1].statements[1].permissions[0]: \"a..b\" is not a permission pattern: 1 to 5 segments joined by dots, each of A-Z a-z 0-9 _ - or * (any one), the last may be ** (all the rest)",
            "19:46: policies[1].statements[1].permissions[1]: \"**.a\" is not a permission pattern: 1 to 5 segments joined by dots, each of A-Z a-z 0-9 _ - or * (any one), the last may be ** (all the rest)",
            "19:54: policies[1].statements[1].permissions[2]: \"\" is not a permission pattern: 1 to 5 segments joined by dots, each of A-Z a-z 0-9 _ - or * (any one), the last may be ** (all the rest)",
            "19:70: policies[1].statements[1].permissions: \"inbox.**\" is listed twice; first at 19:58",
            "19:95: policies[1].statements[1].resources[0]: \"\" is not a resource pattern: segments joined by slashes, each a type's plural, an id or * (any one), the last may be ** (all the rest)",
            "19:99: policies[1].statements[1].resources[1]: \"lines/l1\" matches no path of this catalog's resource types",
            "19:111: policies[1].statements[1].resources[2]: \"lines/**\" matches no path of this catalog's resource types",
            "19:123: policies[1].statements[1].resources[3]: \"workspaces\" matches no path of this catalog's resource types",
            "19:137: policies[1].statements[1].resources[4]: \"workspaces/w1/line/l1\" matches no path of this catalog's resource types",
            "19:162: policies[1].statements[1].resources[5]: \"workspaces/w1/lines/l1/x/**\" matches no path of this catalog's resource types",
            "19:193: policies[1].statements[1].resources[6]: \"**/x\" is not a resource pattern: segments joined by slashes, each a type's plural, an id or * (any one), the last may be ** (all the rest)",
            "19:201: policies[1].statements[1].resources[7]: \"a b/c\" is not a resource pattern: segments joined by slashes, each a type's plural, an id or * (any one), the last may be ** (all the rest)",
            "19:227: policies[1].statements[1].resources: \"workspaces/w1\" is listed twice; first at 19:210",
        ],
    ),
    (
        "policies:\n  - {id: p, display_name: P}\n  - {id: p, display_name: P, statements: []}\n  - {id: q, statements: [{}, x, {effect: null, permissions: [], resources: [], when: x}, {permissions: x, resources: {}, condition: \" \"}]}\n",
        &[
            "5:5: policies[0]: the field \"statements\" is missing, and is required",
            "6:10: policies[1].id: \"p\" is given twice; first at 5:10",
            "6:42: policies[1].statements: an empty list was given; expected at least one statement",
            "7:5: policies[2]: the field \"display_name\" is missing, and is required",
            "7:26: policies[2].statements[0]: the field \"effect\" is missing, and is required",
            "7:26: policies[2].statements[0]: the field \"permissions\" is missing, and is required",
            "7:30: policies[2].statements[1]: \"x\" was given; expected a mapping with the fields effect, permissions, resources, condition",
            "7:42: policies[2].statements[2].effect: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
            "7:61: policies[2].statements[2].permissions: an empty list was given; expected at least one permission pattern",
            "7:80: policies[2].statements[2]: unknown field \"when\"; expected one of effect, permissions, resources, condition",
            "7:90: policies[2].statements[3]: the field \"effect\" is missing, and is required",
            "7:104: policies[2].statements[3].permissions: \"x\" was given; expected a list ([] or no field at all for an empty one)",
            "7:118: policies[2].statements[3].resources: a mapping was given; expected a list ([] or no field at all for an empty one)",
            "7:133: policies[2].statements[3].condition: \" \" was given; expected a condition (no field at all for none)",
        ],
    ),
    (
        "sections: [{id: s, display_name: S}]\nresource_types: [{id: line, plural: lines, display_name: L}]\npolicies: [{id: p, display_name: P, statements: [{effect: allow, permissions: [\"a.*\"]}]}]\npermissions: [{id: a.b, section: s}]\nroles:\n  - {id: agent, display_name: A, policies: [p, q, p], parents: [lead, agnt, staff], covers: [feature, line, queue]}\n  - {id: lead, display_name: L, max_holders: 0, always_held: 1}\n  - {id: staff, display_name: S, internal: true, always_held: true, max_holders: \"3\"}\n  - {id: boss, display_name: B, max_holders: -1}\n  - {id: boss, display_name: B, max_holders: 18446744073709551616, parents: [nobody]}\n  - {id: chief, display_name: C, internal: true, parents: [staff, lead], max_holders: 1.5, always_held: false}\n",
        &[
            "9:48: roles[0].policies[1]: \"q\" is not a policy of this catalog",
            "9:51: roles[0].policies: \"p\" is listed twice; first at 9:45",
            "9:71: roles[0].parents[1]: \"agnt\" is not a role of this catalog; did you mean \"agent\"?",
            "9:77: roles[0].parents[2]: this is an internal role; expected as a parent in roles with internal: true alone",
            "9:109: roles[0].covers[2]: \"queue\" is not a resource type of this catalog, or feature",
            "10:46: roles[1].max_holders: \"0\" was given; expected a whole number of at least 1, without quotes",
            "10:62: roles[1].always_held: \"1\" was given; expected true or false, without quotes",
            "11:63: roles[2].always_held: true was given; expected in roles that are not internal alone",
            "11:82: roles[2].max_holders: \"3\" was given; expected a whole number of at least 1, without quotes",
            "12:46: roles[3].max_holders: \"-1\" was given; expected a whole number of at least 1, without quotes",
            "13:10: roles[4].id: \"boss\" is given twice; first at 12:10",
            "13:46: roles[4].max_holders: \"18446744073709551616\" was given; expected a whole number of at least 1, without quotes",
            "13:78: roles[4].parents[0]: \"nobody\" is not a role of this catalog",
            "14:87: roles[5].max_holders: \"1.5\" was given; expected a whole number of at least 1, without quotes",
        ],
    ),
    (
        "roles:\n  - {id: a, display_name: A, parents: [b]}\n  - {id: b, display_name: B, parents: [d, c]}\n  - {id: c, display_name: C, parents: [c, a, zz]}\n  - {id: d, display_name: D}\n  - x\n  - {id: e, display_name: E, parents: [e]}\n",
        &[
            "7:40: roles[2].parents[0]: roles are parents of each other in a cycle: c -> c",
            "7:43: roles[2].parents[1]: roles are parents of each other in a cycle: a -> b -> c -> a",
            "7:46: roles[2].parents[2]: \"zz\" is not a role of this catalog",
            "9:5: roles[4]: \"x\" was given; expected a mapping with the fields id, display_name, description, internal, always_held, max_holders, permissions, policies, parents, covers",
            "10:40: roles[5].parents[0]: roles are parents of each other in a cycle: e -> e",
        ],
    ),
    (
        "roles:\n  - {id: r0, display_name: R, parents: [r1]}\n  - {id: r1, display_name: R, parents: [r2]}\n  - {id: r2, display_name: R, parents: [r3]}\n  - {id: r3, display_name: R, parents: [r4]}\n  - {id: r4, display_name: R, parents: [r5]}\n  - {id: r5, display_name: R, parents: [r6]}\n  - {id: r6, display_name: R, parents: [r7]}\n  - {id: r7, display_name: R, parents: [r8]}\n  - {id: r8, display_name: R, parents: [r9]}\n  - {id: r9, display_name: R, parents: [r10]}\n  - {id: r10, display_name: R, parents: []}\n",
        &["6:41: roles[1].parents[0]: there are 9 steps to the furthest parent; expected at most 8"],
    ),
    (
        "mutually_exclusive:\n  - [maker, checker]\n  - [checker, maker]\n  - [maker, maker]\n  - [maker]\n  - [maker, checker, boss]\n  - maker\n  - [makr, boss]\n  - []\nroles:\n  - {id: under, display_name: U, parents: [boss]}\n  - {id: boss, display_name: B, parents: [makers, checker]}\n  - {id: makers, display_name: M, parents: [maker]}\n  - {id: maker, display_name: M}\n  - {id: checker, display_name: C}\n",
        &[
            "6:5: mutually_exclusive: \"maker\" and \"checker\" are listed twice; first at 5:5",
            "7:13: mutually_exclusive[2]: \"maker\" is listed twice; first at 7:6",
            "8:5: mutually_exclusive[3]: 1 entries were given; expected two roles",
            "9:5: mutually_exclusive[4]: 3 entries were given; expected two roles",
            "10:5: mutually_exclusive[5]: \"maker\" was given; expected a list ([] or no field at all for an empty one)",
            "11:6: mutually_exclusive[6][0]: \"makr\" is not a role of this catalog; did you mean \"maker\"?",
            "12:5: mutually_exclusive[7]: 0 entries were given; expected two roles",
            "15:43: roles[1].parents: \"boss\" has both \"maker\" and \"checker\" through its parents, and they are mutually exclusive by 5:5",
        ],
    ),
    (
        "mutually_exclusive: [[maker, checker]]\nmust_hold_role: \"yes\"\nroles:\n  - {id: maker, display_name: M}\n  - {id: checker, display_name: C, parents: [maker]}\n",
        &[
            "5:17: must_hold_role: \"yes\" was given; expected true or false, without quotes",
            "8:46: roles[1].parents: \"checker\" has both \"maker\" and \"checker\" through its parents, and they are mutually exclusive by 4:22",
        ],
    ),
];

/// What follows the head of an account, and so begins in line 4.
const ACCOUNTS: &[(&str, &[&str])] = &[
    (
        "resources:\n  - {path: workspaces/w1/lines/l1}\n  - {path: workspaces/w2, display_name: W}\n  - {path: workspaces/w2/lines/l1}\n  - {path: workspaces/w2}\n  - {path: workspaces}\n  - {display_name: X, type: y}\n  - {path: a b/c}\n  - {path: a b/c/d/e}\n",
        &[
            "5:12: resources[0].path: \"workspaces/w1/lines/l1\" lies in \"workspaces/w1\", which is not a resource of this file",
            "8:12: resources[3].path: \"workspaces/w2\" is given twice; first at 6:12",
            "9:12: resources[4].path: \"workspaces\" is not a resource path: 1 to 8 pairs of a type's plural and an id, joined by slashes, such as workspaces/w1",
            "10:5: resources[5]: the field \"path\" is missing, and is required",
            "10:23: resources[5]: unknown field \"type\"; expected one of path, display_name",
            "11:12: resources[6].path: \"a b/c\" is not a resource path: 1 to 8 pairs of a type's plural and an id, joined by slashes, such as workspaces/w1",
            "12:12: resources[7].path: \"a b/c/d/e\" is not a resource path: 1 to 8 pairs of a type's plural and an id, joined by slashes, such as workspaces/w1",
        ],
    ),
    (
        "policies:\n  - id: mine\n    display_name: Mine\n    statements: [{effect: deny, permissions: [any.thing, \"nothing.**\", \"a..b\", any.thing], resources: [\"x/y/z\", \"a//b\"], condition: \"\"}]\n  - id: mine\n    statements: []\n  - {id: p p, display_name: P, statement: []}\nroles:\n  - {id: r, display_name: R, policies: [mine, custom/mine, custom/mnie, custom/, custom/p p, a b, mine], covers: [feature, line, feature, a b]}\n",
        &[
            "7:72: policies[0].statements[0].permissions[2]: \"a..b\" is not a permission pattern: 1 to 5 segments joined by dots, each of A-Z a-z 0-9 _ - or * (any one), the last may be ** (all the rest)",
            "7:80: policies[0].statements[0].permissions: \"any.thing\" is listed twice; first at 7:47",
            "7:113: policies[0].statements[0].resources[1]: \"a//b\" is not a resource pattern: segments joined by slashes, each a type's plural, an id or * (any one), the last may be ** (all the rest)",
            "7:133: policies[0].statements[0].condition: \"\" was given; expected a condition (no field at all for none)",
            "8:5: policies[1]: the field \"display_name\" is missing, and is required",
            "8:9: policies[1].id: \"mine\" is given twice; first at 5:9",
            "9:17: policies[1].statements: an empty list was given; expected at least one statement",
            "10:5: policies[2]: the field \"statements\" is missing, and is required",
            "10:10: policies[2].id: \"p p\" is not an access policy id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "10:32: policies[2]: unknown field \"statement\"; expected one of id, display_name, description, statements",
            "12:60: roles[0].policies[2]: \"custom/mnie\" is not a custom policy of this file",
            "12:73: roles[0].policies[3]: \"custom/\" is not a custom policy of this file",
            "12:94: roles[0].policies[5]: \"a b\" is not an access policy id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "12:99: roles[0].policies: \"mine\" is listed twice; first at 12:41",
            "12:130: roles[0].covers: \"feature\" is listed twice; first at 12:115",
            "12:139: roles[0].covers[3]: \"a b\" is not a resource type: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
        ],
    ),
    (
        "roles:\n  - {id: a, display_name: A, parents: [viewer, custom/c]}\n  - {id: b, display_name: B, parents: [custom/a, custom/zz, custom/b, viewer, viewer, x x]}\n  - []\n  - {id: c, display_name: C, parents: [custom/b]}\n",
        &[
            "6:40: roles[1].parents[0]: roles are parents of each other in a cycle: custom/a -> custom/c -> custom/b -> custom/a",
            "6:50: roles[1].parents[1]: \"custom/zz\" is not a custom role of this file",
            "6:61: roles[1].parents[2]: roles are parents of each other in a cycle: custom/b -> custom/b",
            "6:79: roles[1].parents: \"viewer\" is listed twice; first at 6:71",
            "6:87: roles[1].parents[5]: \"x x\" is not a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "7:5: roles[2]: a list was given; expected a mapping with the fields id, display_name, description, permissions, policies, parents, covers, left_out_api_scopes",
        ],
    ),
    (
        "resources: [{path: lines/l1}]\nroles: [{id: lead, display_name: L}]\nteams:\n  - id: t\n    roles:\n      - agent\n      - {role: agent}\n      - {role: agent, resource: lines/l1}\n      - {resource: lines/l1, role: agent, expires: 2027-01-01T00:00:00Z}\n      - {role: agent, resource: lines/l2}\n      - {role: custom/laed, expires: tomorrow}\n      - {resource: lines/l1}\n      - {role: a b, resource: null, expires: [x], until: x}\n      - [agent]\n      - {role: custom/lead, expires: \"2027-01-01\"}\n      - {role: custom/lead, resource: lines/l1, expires: \"2027-01-01T00:00:00.0005Z\"}\n      - null\n",
        &[
            "10:16: teams[0].roles: \"agent\" is listed twice; first at 9:9",
            "12:36: teams[0].roles: \"agent\" on \"lines/l1\" is listed twice; first at 11:16",
            "13:33: teams[0].roles[4].resource: \"lines/l2\" is not a resource of this file; did you mean \"lines/l1\"?",
            "14:16: teams[0].roles[5].role: \"custom/laed\" is not a custom role of this file",
            "14:38: teams[0].roles[5].expires: \"tomorrow\" was given; expected a time from 1970 to 9999 with its offset and at most milliseconds, such as \"2027-01-01T00:00:00Z\"",
            "15:9: teams[0].roles[6]: the field \"role\" is missing, and is required",
            "16:16: teams[0].roles[7].role: \"a b\" is not a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "16:31: teams[0].roles[7].resource: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
            "16:46: teams[0].roles[7].expires: a list was given; expected a text",
            "16:51: teams[0].roles[7]: unknown field \"until\"; expected one of role, resource, expires",
            "17:9: teams[0].roles[8]: a list was given; expected a role, or a mapping with the fields role, resource, expires",
            "18:38: teams[0].roles[9].expires: \"2027-01-01\" was given; expected a time from 1970 to 9999 with its offset and at most milliseconds, such as \"2027-01-01T00:00:00Z\"",
            "19:58: teams[0].roles[10].expires: \"2027-01-01T00:00:00.0005Z\" was given; expected a time from 1970 to 9999 with its offset and at most milliseconds, such as \"2027-01-01T00:00:00Z\"",
            "20:9: teams[0].roles[11]: nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so",
        ],
    ),
    (
        "resources: [{path: lines/l1}, {path: lines/l2}]\nteams:\n  - id: t\n    access:\n      - {facet: line, values: [lines/l1, lines/l3, lines/l1]}\n      - {facet: line, all: true}\n      - {facet: feature, values: [inbox, \"a b\", inbox]}\n      - {facet: queue, all: true, values: []}\n      - {facet: x y, values: [anything]}\n      - {values: [anything, {}]}\n      - {facet: q1}\n      - {facet: q2, all: false}\n      - {facet: q3, all: \"true\"}\n      - {facet: q4, values: lines/l1}\n      - line\nusers:\n  - id: u\n    exceptions:\n      - {permission: a.b, reason: r}\n      - {permission: a.b, reason: \"\"}\n      - {permission: a, expires: \"2027-01-01 00:00:00Z\"}\n      - {reason: r, why: r}\n      - a.c\nservice_accounts:\n  - {id: s, access: [], exceptions: []}\n",
        &[
            "8:42: teams[0].access[0].values[1]: \"lines/l3\" is not a resource of this file; did you mean \"lines/l1\"?",
            "8:52: teams[0].access[0].values: \"lines/l1\" is listed twice; first at 8:32",
            "9:17: teams[0].access: \"line\" is listed twice; first at 8:17",
            "10:42: teams[0].access[2].values[1]: \"a b\" is not a feature id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "10:49: teams[0].access[2].values: \"inbox\" is listed twice; first at 10:35",
            "11:43: teams[0].access[3].values: values were given beside all: true; expected one of the two",
            "12:17: teams[0].access[4].facet: \"x y\" is not a resource type: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor ..",
            "13:9: teams[0].access[5]: the field \"facet\" is missing, and is required",
            "13:29: teams[0].access[5].values[1]: a mapping was given; expected a text",
            "14:9: teams[0].access[6]: neither all: true nor values were given; expected one of the two",
            "15:9: teams[0].access[7]: neither all: true nor values were given; expected one of the two",
            "16:26: teams[0].access[8].all: \"true\" was given; expected true or false, without quotes",
            "17:29: teams[0].access[9].values: \"lines/l1\" was given; expected a list ([] or no field at all for an empty one)",
            "18:9: teams[0].access[10]: \"line\" was given; expected a mapping with the fields facet, all, values",
            "23:22: users[0].exceptions: \"a.b\" is listed twice; first at 22:22",
            "23:35: users[0].exceptions[1].reason: \"\" was given; expected a reason for people to read",
            "24:9: users[0].exceptions[2]: the field \"reason\" is missing, and is required",
            "24:22: users[0].exceptions[2].permission: \"a\" is not a permission id: 2 to 5 segments of A-Z a-z 0-9 _ - joined by dots, 128 bytes at most",
            "24:34: users[0].exceptions[2].expires: \"2027-01-01 00:00:00Z\" was given; expected a time from 1970 to 9999 with its offset and at most milliseconds, such as \"2027-01-01T00:00:00Z\"",
            "25:9: users[0].exceptions[3]: the field \"permission\" is missing, and is required",
            "25:21: users[0].exceptions[3]: unknown field \"why\"; expected one of permission, reason, expires",
            "26:9: users[0].exceptions[4]: \"a.c\" was given; expected a mapping with the fields permission, reason, expires",
            "28:13: service_accounts[0]: unknown field \"access\"; expected one of id, display_name, description, state, roles",
            "28:25: service_accounts[0]: unknown field \"exceptions\"; expected one of id, display_name, description, state, roles",
        ],
    ),
];

#[test]
fn everything_wrong_with_policies_and_hierarchies_is_reported_at_its_place() {
    for (rest, expected) in CATALOGS {
        let file = format!("kind: catalog\nid: c\ndisplay_name: C\n{rest}");
        check(&file, expected, "", |bytes| parse_catalog(bytes).err());
    }
    for (rest, expected) in ACCOUNTS {
        let file = format!("kind: account\nid: a\ncatalog: c\n{rest}");
        check(&file, expected, "", |bytes| parse_account(bytes).err());
    }
}
