//! A platform with resources, on which the tests of this folder try what is said of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Access, Catalog, Condition, Effect, Holder, Oracle, Permission, PolicyName, Question, Reason, ResourceType, Role,
    RoleName, State, Statement, tests::set,
};

fn permission(resource_type: Option<&str>, feature: Option<&str>, facets: &[&str], api_scopes: &[&str]) -> Permission {
    Permission {
        feature: feature.map(Into::into),
        section: "things".into(),
        api_scopes: set(api_scopes),
        resource_type: resource_type.map(Into::into),
        facets: set(facets),
        ..Permission::default()
    }
}

fn resource_type(plural: &str, parent: Option<&str>) -> ResourceType {
    ResourceType { plural: plural.into(), parent: parent.map(Into::into) }
}

/// Workspaces have channels, which have messages; lines have conversations. The role `reader` lists every permission that
/// is not internal, the internal role `ghost` the one that is. The API scope `all` includes `chat`.
pub(super) fn catalog() -> Catalog {
    let mut permissions = BTreeMap::from([
        ("account.read".into(), permission(None, None, &[], &["base"])),
        ("workspace.read".into(), permission(Some("workspace"), None, &[], &[])),
        ("channel.post".into(), permission(Some("channel"), Some("chat"), &[], &["all"])),
        ("line.call".into(), permission(Some("line"), None, &["line"], &["calls"])),
        ("conversation.read".into(), permission(Some("conversation"), None, &["line"], &["calls"])),
        ("voice.dial".into(), permission(None, Some("voice"), &["feature"], &[])),
    ]);
    let everything = permissions.keys().cloned().collect();
    let secret = Permission { internal: true, ..permission(Some("channel"), None, &[], &[]) };
    permissions.insert("channel.secret".into(), secret);
    Catalog {
        features: set(&["chat", "voice"]),
        permissions,
        api_scopes: BTreeMap::from([
            ("all".into(), set(&["chat"])),
            ("base".into(), set(&[])),
            ("calls".into(), set(&[])),
            ("chat".into(), set(&[])),
        ]),
        roles: BTreeMap::from([
            ("reader".into(), Role { permissions: everything, ..Role::default() }),
            ("ghost".into(), Role { internal: true, permissions: set(&["channel.secret"]), ..Role::default() }),
            ("owner".into(), Role::default()),
        ]),
        resource_types: BTreeMap::from([
            ("workspace".into(), resource_type("workspaces", None)),
            ("channel".into(), resource_type("channels", Some("workspace"))),
            ("message".into(), resource_type("messages", Some("channel"))),
            ("line".into(), resource_type("lines", None)),
            ("conversation".into(), resource_type("conversations", Some("line"))),
        ]),
        ..Catalog::default()
    }
}

/// The account `acme` has both features. `ana` and `ben` are active users, `bot` a service account; the team `t` is empty;
/// nobody holds a role or has a list.
pub(super) fn platform() -> Oracle {
    let mut oracle = Oracle::default();
    oracle.replace_catalog("p", catalog());
    oracle.create_account("acme", "p", set(&["chat", "voice"]));
    oracle.create_user("acme", "ana", State::Active);
    oracle.create_user("acme", "ben", State::Active);
    oracle.create_service_account("acme", "bot", State::Active);
    oracle.create_team("acme", "t");
    for path in [
        "workspaces/w1",
        "workspaces/w2",
        "workspaces/w1/channels/c1",
        "workspaces/w1/channels/c2",
        "workspaces/w1/channels/c1/messages/m1",
        "lines/l1",
        "lines/l2",
        "lines/l1/conversations/v1",
    ] {
        oracle.register_resource("acme", path);
    }
    oracle
}

/// Loads the catalog again, with something changed.
pub(super) fn edit(oracle: &mut Oracle, change: impl FnOnce(&mut Catalog)) {
    let mut catalog = oracle.catalogs["p"].clone();
    change(&mut catalog);
    oracle.replace_catalog("p", catalog);
}

/// Binds a role to `ana`, on a resource unless the path is empty.
pub(super) fn bind(oracle: &mut Oracle, role: RoleName, path: &str) {
    bind_to(oracle, Holder::User("ana".into()), role, path);
}

pub(super) fn bind_to(oracle: &mut Oracle, holder: Holder, role: RoleName, path: &str) {
    let resource = if path.is_empty() { None } else { Some(path.to_owned()) };
    oracle.bind("acme", (holder, role, resource), None, 0);
}

fn statement(effect: Effect, permissions: &[&str], resources: &[&str]) -> Statement {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Statement { effect, permissions: texts(permissions), resources: texts(resources), condition: None }
}

pub(super) fn allow(permissions: &[&str], resources: &[&str]) -> Statement {
    statement(Effect::Allow, permissions, resources)
}

pub(super) fn deny(permissions: &[&str], resources: &[&str]) -> Statement {
    statement(Effect::Deny, permissions, resources)
}

impl Statement {
    pub(super) fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }
}

/// A custom role of this id that contains nothing but a custom policy of this id.
pub(super) fn role_of(oracle: &mut Oracle, id: &str, statements: Vec<Statement>) -> RoleName {
    oracle.create_policy("acme", id, statements);
    oracle.create_role("acme", id, set(&[]));
    oracle.set_role_policies("acme", id, BTreeSet::from([PolicyName::Custom(id.into())]));
    RoleName::Custom(id.into())
}

/// Gives `ana` a role of these statements on the whole account.
pub(super) fn give(oracle: &mut Oracle, id: &str, statements: Vec<Statement>) {
    let role = role_of(oracle, id, statements);
    bind(oracle, role, "");
}

/// Gives a holder a list.
pub(super) fn list(oracle: &mut Oracle, holder: Holder, facet: &str, values: &[&str]) {
    oracle.set_access("acme", holder, facet, Access { all: false, values: set(values) });
}

/// May `ana` do this?
pub(super) fn may(permission: &str) -> Question {
    Question::permission("ana", permission)
}

#[track_caller]
pub(super) fn says(oracle: &Oracle, question: &Question, expected: Reason) {
    assert_eq!(oracle.check("acme", question, 0), Ok(expected), "{question:?}");
}
