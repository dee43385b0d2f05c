//! What can be wrong with a request beyond its single fields: several at once, fields that do not go together, sizes,
//! and the messages of a stream.

use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, Value};

use super::{
    Case, WITHOUT_REASON,
    fixture::Fixture,
    violations::{Expected, Violation},
    wire::{self, set},
};

/// Requests in which several fields are malformed: each pair, and all at once. Every one of them has to be named.
pub fn several(malformed: &[Violation]) -> Vec<Violation> {
    let mut all = Vec::new();
    let inside = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with(['.', '[']));
    let together = |one: &Violation, other: &Violation| {
        let (one, other) = (&one.sets[0].0, &other.sets[0].0);
        // Two values of one choice cannot both be there, and what is in a missing message is missing too.
        let is_one_choice = one.starts_with("consistency.") && other.starts_with("consistency.");
        !(inside(one, other) || inside(other, one) || is_one_choice)
    };
    for (position, one) in malformed.iter().enumerate() {
        for other in &malformed[position + 1..] {
            if together(one, other) {
                all.push(join(&[one, other]));
            }
        }
    }
    let mut most: Vec<&Violation> = Vec::new();
    // From the back: what is in a message goes before the message itself.
    for violation in malformed.iter().rev() {
        if most.iter().all(|other| together(violation, other)) {
            most.push(violation);
        }
    }
    if most.len() > 2 {
        all.push(join(&most));
    }
    all
}

fn join(violations: &[&Violation]) -> Violation {
    let mut fields: Vec<String> = violations.iter().flat_map(|violation| violation.expected.fields.clone()).collect();
    fields.sort();
    Violation {
        what: violations.iter().map(|violation| violation.what.as_str()).collect::<Vec<_>>().join(" and "),
        sets: violations.iter().flat_map(|violation| violation.sets.clone()).collect(),
        expected: Expected { reasons: vec!["FIELD_INVALID"], fields, says: Vec::new() },
        is_late: false,
    }
}

/// A method, what is put where, the reasons that the error can have, and the fields that are named.
type Together = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

/// Fields that do not go together, and things that do not allow what is asked.
const TOGETHER: &[Together] = &[
    ("Check", &[("permission", "")], "FIELD_INVALID", "permission|api_scope"),
    ("Check", &[("api_scope", "tickets-read")], "FIELD_INVALID", "permission|api_scope"),
    ("Check", &[("permission", "a"), ("api_scope", "a b")], "FIELD_INVALID", "permission|api_scope"),
    ("Check", &[("account", "accounts/nobody"), ("subject", "users/nobody")], "ACCOUNT_NOT_FOUND", ""),
    ("Check", &[("subject", "users/nobody"), ("permission", "desk.tickets.vew")], "PERMISSION_NOT_FOUND", ""),
    ("BatchCheck", &[("items[0].permission", "")], "FIELD_INVALID", "items[0].permission|items[0].api_scope"),
    (
        "BatchCheck",
        &[("items[0].api_scope", "tickets-read")],
        "FIELD_INVALID",
        "items[0].permission|items[0].api_scope",
    ),
    ("ListUsers", &[("search", "a"), ("order_by", "display_name")], "FIELD_INVALID", "order_by"),
    ("ListUsers", &[("search", "a"), ("order_by", "id")], "FIELD_INVALID", "order_by"),
    ("ListUsers", &[("order_by", "id desc")], "FIELD_INVALID", "order_by"),
    ("ListUsers", &[("order_by", "email")], "FIELD_INVALID", "order_by"),
    ("ListRoles", &[("order_by", "team_count")], "FIELD_INVALID", "order_by"),
    ("AddRolePermissions", &[("permissions", ""), ("sections", "")], "FIELD_INVALID", "permissions|sections"),
    ("RemoveRolePermissions", &[("permissions", ""), ("sections", "")], "FIELD_INVALID", "permissions|sections"),
    ("AddRolePermissions", &[("permissions", "inner.all.touch")], "PERMISSION_NOT_FOUND", ""),
    ("CreateRole", &[("role.permissions", "inner.all.touch")], "PERMISSION_NOT_FOUND", ""),
    ("UpdateRole", &[("role.permissions", "desk.tickets.view, inner.all.touch")], "PERMISSION_NOT_FOUND", ""),
    ("CreateRoleBinding", &[("role_binding.holder", "users/ana"), ("role_binding.resource", "")], "ALREADY_EXISTS", ""),
    (
        "CreateRoleBinding",
        &[("role_binding.holder", "users/ben"), ("role_binding.resource", "lines/l1")],
        "ALREADY_EXISTS",
        "",
    ),
    (
        "CreateRoleBinding",
        &[("parent", "accounts/other")],
        "USER_NOT_FOUND ROLE_NOT_FOUND FIELD_INVALID",
        "role_binding",
    ),
    (
        "BatchCreateRoleBindings",
        &[("role_bindings[0].holder", "users/ana"), ("role_bindings[0].resource", "")],
        "ALREADY_EXISTS",
        "",
    ),
    (
        "BatchCreateRoleBindings",
        &[("role_bindings[0].holder", "users/ana"), ("role_bindings[0].resource", ""), ("skip_held", "true")],
        "ALREADY_EXISTS",
        "",
    ),
    ("RemoveUserRole", &[("role", "accounts/{account}/roles/lead"), ("leave_teams", "false")], "ROLE_INHERITED", ""),
    ("RemoveUserRole", &[("name", "accounts/{account}/users/cyd")], "ROLE_NOT_HELD", ""),
    ("DeleteCatalog", &[("name", "catalogs/c")], "CATALOG_IN_USE", ""),
    ("UpdateAccount", &[("account.catalog", "catalogs/d")], "CATALOG_FIXED", ""),
    ("GetRole", &[("account", "accounts/other")], "FIELD_INVALID ROLE_NOT_FOUND", "account"),
    (
        "GetRole",
        &[("name", "catalogs/d/roles/foreign"), ("account", "accounts/{account}")],
        "FIELD_INVALID ROLE_NOT_FOUND",
        "account",
    ),
    ("DuplicateRole", &[("parent", "accounts/other")], "ROLE_NOT_FOUND FIELD_INVALID", "name"),
    ("ListRoleHolders", &[("parent", "accounts/other")], "ROLE_NOT_FOUND FIELD_INVALID", "role"),
    ("CreateTeam", &[("parent", "accounts/other"), ("roles", "")], "USER_NOT_FOUND", ""),
    ("CreateUser", &[("parent", "accounts/other"), ("roles", "")], "TEAM_NOT_FOUND", ""),
    ("AddTeamMembers", &[("name", "accounts/other/teams/foreign")], "USER_NOT_FOUND", ""),
    ("RemoveTeamMembers", &[("name", "accounts/other/teams/foreign")], "USER_NOT_FOUND", ""),
    ("ReplaceTeamMembers", &[("name", "accounts/other/teams/foreign")], "USER_NOT_FOUND", ""),
    ("AddUserTeams", &[("name", "accounts/other/users/foreign")], "TEAM_NOT_FOUND", ""),
    ("RemoveUserTeams", &[("name", "accounts/other/users/foreign")], "TEAM_NOT_FOUND", ""),
    ("ReplaceUserTeams", &[("name", "accounts/other/users/foreign")], "TEAM_NOT_FOUND", ""),
    ("BatchDeleteRoleBindings", &[("parent", "accounts/other")], "ROLE_BINDING_NOT_FOUND FIELD_INVALID", "names[0]"),
    ("ReplaceRoleBindings", &[("parent", "accounts/other")], "USER_NOT_FOUND ROLE_NOT_FOUND FIELD_INVALID", "roles"),
    ("Check", &[("resource", "lines/l1")], "FIELD_INVALID", "resource"),
    ("Check", &[("resource", "workspaces/w1/lines/l1")], "FIELD_INVALID", "resource"),
    ("Check", &[("facets", "workspace=workspaces/w2")], "FIELD_INVALID", "facets.workspace"),
    (
        "Check",
        &[("resource", "boxes/b1"), ("facets", "nothing=lines/l1, feature=desk")],
        "FIELD_INVALID",
        "resource facets.nothing facets.feature",
    ),
    ("Check", &[("subject", "users/nobody"), ("resource", "boxes/b1")], "FIELD_INVALID", "resource"),
    ("BatchCheck", &[("items[0].resource", "lines/l1")], "FIELD_INVALID", "items[0].resource"),
    ("BatchCheck", &[("items[0].facets", "workspace=workspaces/w2")], "FIELD_INVALID", "items[0].facets.workspace"),
    ("ListSubjects", &[("resource", "lines/l1")], "FIELD_INVALID", "resource"),
    ("ListSubjects", &[("facets", "workspace=workspaces/w2")], "FIELD_INVALID", "facets.workspace"),
    ("ListSubjects", &[("permission", "")], "FIELD_INVALID", "permission|api_scope"),
    ("ListSubjects", &[("api_scope", "tickets-read")], "FIELD_INVALID", "permission|api_scope"),
    ("ListResources", &[("resource_type", "line")], "FIELD_INVALID", "resource_type"),
    ("ListResources", &[("permission", "")], "FIELD_INVALID", "permission"),
    ("CreateRole", &[("role.parents", "catalogs/c/roles/inner")], "ROLE_NOT_FOUND", ""),
    ("UpdateRole", &[("role.parents", "accounts/{account}/roles/agent")], "ROLE_CYCLE", ""),
    (
        "UpdateRole",
        &[("role.name", "accounts/{account}/roles/lead"), ("role.parents", "accounts/{account}/roles/chief")],
        "ROLE_CYCLE",
        "",
    ),
    ("DeleteRole", &[("force", "false")], "IN_USE", ""),
    ("DeleteTeam", &[("force", "false")], "IN_USE", ""),
    ("DeleteUser", &[("force", "false")], "IN_USE", ""),
    ("DeleteAccessPolicy", &[("force", "false")], "IN_USE", ""),
    ("DeleteResource", &[("force", "false")], "IN_USE", ""),
    ("CreateResource", &[("resource.path", "workspaces/w9/channels/c1")], "RESOURCE_NOT_FOUND", ""),
    ("CreateResource", &[("parent", "accounts/other")], "RESOURCE_NOT_FOUND", ""),
    (
        "BatchCreateResources",
        &[("resources[0].path", "workspaces/new/channels/c1"), ("resources[1].path", "workspaces/new")],
        "RESOURCE_NOT_FOUND",
        "",
    ),
    ("BatchCreateResources", &[("resources[1].path", "workspaces/w1/channels/new")], "ALREADY_EXISTS", ""),
    ("BatchCreateResources", &[("resources[1].path", "boxes/b1")], "FIELD_INVALID", "resources[1].path"),
    ("SetAccessList", &[("access_list.all", "true")], "FIELD_INVALID", "access_list.values"),
    ("SetAccessList", &[("access_list.facet", "feature")], "FIELD_INVALID", "access_list.values[0]"),
    (
        "SetAccessList",
        &[("access_list.facet", "feature"), ("access_list.values", "desk, nothing")],
        "FEATURE_NOT_FOUND",
        "",
    ),
    ("SetAccessList", &[("access_list.facet", "channel")], "FIELD_INVALID", "access_list.values[0]"),
    ("SetAccessList", &[("parent", "accounts/{account}/serviceAccounts/robot")], "FIELD_INVALID", "parent"),
    ("AddAccess", &[("facet", "feature"), ("values", "nothing")], "FEATURE_NOT_FOUND", ""),
    ("RemoveAccess", &[("parent", "accounts/{account}/teams/support")], "FIELD_INVALID", "values"),
    ("CreateUser", &[("access_lists[0].all", "true")], "FIELD_INVALID", "access_lists[0].values"),
    ("CreateUser", &[("access_lists[1].facet", "line")], "FIELD_INVALID", "access_lists[1].facet"),
    ("CreateTeam", &[("access_lists[1].facet", "line")], "FIELD_INVALID", "access_lists[1].facet"),
    (
        "BatchCreateUsers",
        &[("users[0].access_lists[1].facet", "line")],
        "FIELD_INVALID",
        "users[0].access_lists[1].facet",
    ),
    ("CreateException", &[("exception.permission", "desk.tickets.close")], "ALREADY_EXISTS", ""),
    ("CreateException", &[("exception.permission", "inner.all.touch")], "PERMISSION_NOT_FOUND", ""),
    ("CreateException", &[("exception.reason", "  ")], "FIELD_INVALID", "exception.reason"),
    (
        "DeleteException",
        &[("name", "accounts/{account}/users/ana/exceptions/desk.tickets.vew")],
        "PERMISSION_NOT_FOUND",
        "",
    ),
    (
        "DeleteException",
        &[("name", "accounts/{account}/users/nobody/exceptions/desk.tickets.close")],
        "USER_NOT_FOUND",
        "",
    ),
];

/// The largest request of a method, in bytes; none: as large as any message may be.
fn largest(method: &str) -> Option<usize> {
    match method {
        "Check" => Some(16 << 10),
        _ if method.starts_with("Get") || method.starts_with("List") => Some(64 << 10),
        _ => None,
    }
}

/// What is wrong with a request of a method as a whole.
pub fn of_method(method: &MethodDescriptor, fixture: &Fixture) -> Vec<Violation> {
    let mut all = Vec::new();
    for (_, sets, reasons, field) in TOGETHER.iter().filter(|(name, ..)| *name == method.name()) {
        let sets = sets.iter().map(|(path, value)| {
            let field = wire::field_at(&method.input(), path).unwrap();
            let value = (!value.is_empty()).then(|| wire::parse(&field, &fixture.fill(value)));
            ((*path).to_owned(), value)
        });
        let sets: Vec<_> = sets.collect();
        let reasons: Vec<&str> = reasons.split(' ').collect();
        all.push(Violation {
            what: format!("{sets:?}"),
            sets,
            expected: Expected {
                fields: field.split(' ').map(str::to_owned).collect(),
                ..Expected::reason(&reasons, "")
            },
            is_late: false,
        });
    }
    let first = method.input().fields().find(|field| field.kind() == Kind::String);
    if let (Some(most), Some(first)) = (largest(method.name()), first) {
        let text = Some(Value::String("x".repeat(most + 1)));
        let mut expected = Expected::invalid("request");
        expected.says = vec![most.to_string()];
        all.push(Violation {
            what: "the message is too large".to_owned(),
            sets: vec![(first.name().to_owned(), text)],
            expected,
            is_late: false,
        });
    }
    if let Some(field) = method.input().fields().find(|field| matches!(field.kind(), Kind::String | Kind::Bytes)) {
        let huge = vec![b'x'; (1 << 20) + 1];
        let one = if field.kind() == Kind::Bytes {
            Value::Bytes(huge.into())
        } else {
            Value::String(String::from_utf8(huge).unwrap())
        };
        let value = Some(if field.is_list() { Value::List(vec![one]) } else { one });
        let expected = Expected::reason(&[WITHOUT_REASON], "");
        all.push(Violation {
            what: "the message is larger than any".to_owned(),
            sets: vec![(field.name().to_owned(), value)],
            expected,
            is_late: false,
        });
    }
    all
}

/// What is wrong with the messages of a stream.
pub fn of_stream(method: &MethodDescriptor, base: &DynamicMessage) -> Vec<Case> {
    // What has no request id is no file that is taken whole: `importing` has its streams.
    if !method.is_client_streaming() || method.input().get_field_by_name("request_id").is_none() {
        return Vec::new();
    }
    let with = |sets: &[(&str, Option<Value>)]| {
        let mut message = base.clone();
        for (path, value) in sets {
            set(&mut message, path, value.clone());
        }
        message
    };
    let text = |text: &str| Some(Value::String(text.to_owned()));
    let first = with(&[("last", None)]);
    let empty = DynamicMessage::new(method.input());
    let mut streams: Vec<(&str, Vec<DynamicMessage>, Expected)> = vec![
        ("no message", Vec::new(), Expected::invalid("last")),
        ("no last message", vec![first.clone(), first.clone()], Expected::invalid("last")),
        (
            "an empty message alone",
            vec![empty],
            Expected {
                reasons: vec!["FIELD_INVALID", "FILE_INVALID"],
                fields: vec!["last|name".to_owned()],
                says: Vec::new(),
            },
        ),
        (
            "a bad request id in the last message",
            vec![first.clone(), with(&[("request_id", text("a b"))])],
            Expected::invalid("request_id"),
        ),
    ];
    if method.name() == "ReplaceTeamMembers" {
        let other = with(&[("name", text("accounts/demo/teams/sales"))]);
        streams.push(("another name in the second message", vec![first.clone(), other], Expected::invalid("name")));
        let unnamed = with(&[("last", None), ("name", None)]);
        streams.push(("no name in the first message", vec![unnamed, base.clone()], Expected::invalid("name")));
        let bad = with(&[("members", Some(Value::List(vec![Value::String("users/a b".to_owned())])))]);
        streams.push(("a bad member in the second message", vec![first.clone(), bad], Expected::invalid("members[2]")));
        let nobody = with(&[("members", Some(Value::List(vec![Value::String("users/nobody".to_owned())])))]);
        streams.push((
            "an unknown user in the second message",
            vec![first, nobody],
            Expected::reason(&["USER_NOT_FOUND"], ""),
        ));
    } else {
        let large = with(&[("chunk", Some(Value::Bytes(vec![b' '; (256 << 10) + 1].into())))]);
        streams.push(("a large chunk second", vec![first.clone(), large], Expected::reason(&["FILE_TOO_LARGE"], "")));
        streams.push((
            "a bad etag in the last message",
            vec![first, with(&[("etag", text("x y"))])],
            Expected::invalid("etag"),
        ));
    }
    streams
        .into_iter()
        .map(|(what, messages, expected)| Case {
            method: method.clone(),
            what: what.to_owned(),
            messages,
            expected,
            ways: (true, true),
        })
        .collect()
}
