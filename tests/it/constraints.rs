//! What a catalog demands of who holds what, by example: everybody holds a role, somebody always holds the role `owner`,
//! nobody has two roles that exclude each other, and not too many hold a role.
//!
//! Each demand is broken in every way that there is. Each time the write is refused for its reason, tried or done, and
//! changes nothing; and once somebody else holds the role, or holds it no more, the same write is done. The ways are the
//! tables of [`ways`]; read [`Case`] first.

mod ways;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    bad_input::wire::{self, Caller, get, text},
    support::TestServer,
};

/// What is written. `{a}` stands for the account, `{c}` for its catalog, and `{binding HOLDER ROLE}` for the name of a
/// role binding.
enum Write {
    Call(&'static str, &'static [(&'static str, &'static str)]),
    /// The account's file, with another setup.
    Account(Setup),
    /// The catalog's file, changed so.
    Catalog(fn(&mut Value)),
}

/// Who holds what before: roles by id, custom ones as `custom/ID`; with `@PATH` behind it on a resource, with ` until`
/// behind it until a time.
#[derive(Clone, Copy)]
struct Setup {
    /// The user `u`, whom the case is about.
    u: &'static [&'static str],
    /// Whether `u` belongs to the team `t`.
    in_team: bool,
    /// The team `t`.
    t: &'static [&'static str],
    /// The user `v`.
    v: &'static [&'static str],
}

/// One way to break a demand.
struct Case {
    setup: Setup,
    write: Write,
    /// What makes the same write right; none: it is another write that is right.
    relief: Option<Write>,
    /// The write that is right in the end; none: the same.
    instead: Option<Write>,
}

fn catalog(id: &str) -> Value {
    let permissions = ["a.b.one", "a.b.two", "a.b.three"];
    let permissions: Vec<Value> = permissions.iter().map(|id| json!({"id": id, "section": "s"})).collect();
    json!({
        "kind": "catalog", "id": id, "display_name": "C", "must_hold_role": true,
        "custom_roles": ["permissions", "parents", "managed_policies", "custom_policies"],
        "mutually_exclusive": [["maker", "checker"]],
        "sections": [{"id": "s", "display_name": "S"}],
        "resource_types": [{"id": "line", "plural": "lines", "display_name": "Line"}],
        "permissions": permissions,
        "policies": [{"id": "mute", "display_name": "Mute",
            "statements": [{"effect": "deny", "permissions": ["a.b.three"]}]}],
        "roles": [
            {"id": "owner", "display_name": "Owner", "always_held": true, "permissions": ["a.b.one"]},
            {"id": "maker", "display_name": "Maker", "permissions": ["a.b.one"]},
            {"id": "checker", "display_name": "Checker", "permissions": ["a.b.two"]},
            {"id": "few", "display_name": "Few", "permissions": ["a.b.two"], "max_holders": 1},
            {"id": "boss", "display_name": "Boss", "parents": ["maker"]},
            {"id": "plain", "display_name": "Plain", "permissions": ["a.b.three"]},
            {"id": "other", "display_name": "Other", "permissions": ["a.b.three"]},
        ],
    })
}

fn account(id: &str, catalog: &str, setup: &Setup) -> Value {
    let roles = |held: &[&str]| -> Vec<Value> {
        let one = |role: &&str| match (role.split_once('@'), role.strip_suffix(" until")) {
            (Some((role, path)), _) => json!({"role": role, "resource": path}),
            (None, Some(role)) => json!({"role": role, "expires": "2999-01-01T00:00:00Z"}),
            (None, None) => json!(role),
        };
        held.iter().map(one).collect()
    };
    let statement = |effect: &str| json!([{"effect": effect, "permissions": ["a.b.*"]}]);
    json!({
        "kind": "account", "id": id, "catalog": catalog,
        "resources": [{"path": "lines/l1"}],
        "policies": [
            {"id": "yes", "display_name": "Yes", "statements": statement("allow")},
            {"id": "no", "display_name": "No", "statements": statement("deny")},
        ],
        "roles": [
            {"id": "calm", "display_name": "Calm", "permissions": ["a.b.three"]},
            {"id": "child", "display_name": "Child", "parents": ["custom/calm"]},
            {"id": "talker", "display_name": "Talker", "policies": ["custom/yes"]},
            {"id": "denier", "display_name": "Denier", "policies": ["custom/no"]},
        ],
        "teams": [{"id": "empty", "roles": roles(setup.t)}, {"id": "t", "roles": roles(setup.t)}],
        "users": [
            {"id": "u", "roles": roles(setup.u), "teams": if setup.in_team { json!(["t"]) } else { json!([]) }},
            {"id": "v", "roles": roles(setup.v)},
            {"id": "z", "roles": ["other"]},
        ],
        "service_accounts": [{"id": "bot", "roles": ["other", "maker"]}],
    })
}

/// One account of its own, and the server that has it.
struct Place<'a> {
    server: &'a mut TestServer,
    caller: &'a Caller,
    account: String,
    catalog: String,
}

impl Place<'_> {
    /// A text with its placeholders filled in.
    async fn fill(&self, written: &str) -> String {
        let filled = written
            .replace("{a}", &format!("accounts/{}", self.account))
            .replace("{c}", &format!("catalogs/{}", self.catalog));
        let Some((before, rest)) = filled.split_once("{binding ") else { return filled };
        let (binding, after) = rest.split_once('}').unwrap();
        let (holder, role) = binding.split_once(' ').unwrap();
        let parent = format!("accounts/{}", self.account);
        let listed = self
            .caller
            .ask("ListRoleBindings", &[("parent", &parent), ("holder", holder), ("role", role)])
            .await
            .unwrap();
        let name = text(&listed, "role_bindings[0].name");
        assert!(!name.is_empty(), "{holder} does not hold {role}");
        format!("{before}{name}{after}")
    }

    async fn write(&mut self, write: &Write, validate_only: bool) -> Result<(), Status> {
        match write {
            Write::Call(method, sets) => {
                let mut filled = Vec::new();
                for (path, value) in *sets {
                    filled.push((*path, self.fill(value).await));
                }
                let sets: Vec<(&str, &str)> = filled.iter().map(|(path, value)| (*path, value.as_str())).collect();
                let (method, mut request) = self.caller.request(method, &sets);
                wire::set(&mut request, "validate_only", Some(prost_reflect::Value::Bool(validate_only)));
                self.caller.send(&method, &request).await.map(|_| ())
            }
            Write::Account(setup) => {
                self.apply("ApplyAccount", &account(&self.account, &self.catalog, setup), validate_only).await
            }
            Write::Catalog(change) => {
                let mut file = catalog(&self.catalog);
                change(&mut file);
                self.apply("ApplyCatalog", &file, validate_only).await
            }
        }
    }

    async fn apply(&self, method: &str, file: &Value, validate_only: bool) -> Result<(), Status> {
        let file = file.to_string();
        let mut sets = vec![("chunk", file.as_str()), ("last", "true")];
        if method == "ApplyCatalog" {
            sets.push(("allow_drops", "true"));
        }
        if validate_only {
            sets.push(("validate_only", "true"));
        }
        self.caller.ask(method, &sets).await.map(|_| ())
    }

    /// What no refused write may change.
    async fn everything(&self) -> (u64, Vec<u8>, Vec<u8>) {
        let mut files = Vec::new();
        for (method, name) in [
            ("ExportAccount", format!("accounts/{}", self.account)),
            ("ExportCatalog", format!("catalogs/{}", self.catalog)),
        ] {
            let piece = self.caller.ask(method, &[("name", &name)]).await.unwrap();
            files.push(get(&piece, "chunk").unwrap().as_bytes().unwrap().to_vec());
        }
        let catalog = files.pop().unwrap();
        (self.server.running.service().head().revision.0, files.pop().unwrap(), catalog)
    }
}

/// Goes through all ways to break one demand.
async fn check(reason: &str, cases: Vec<Case>) {
    let mut server = TestServer::start().await;
    let address = format!("http://{}", server.running.address.unwrap());
    let caller = Caller::connect(&address).await;
    let count = cases.len();
    let mut failures = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let shown = match &case.write {
            Write::Call(method, sets) => format!("{number}: {method} {sets:?}"),
            Write::Account(_) => format!("{number}: an account file"),
            Write::Catalog(_) => format!("{number}: a catalog file"),
        };
        let (account_id, catalog_id) = (format!("a{number}"), format!("c{number}"));
        server.clients.apply_catalog(&catalog(&catalog_id).to_string()).await.unwrap();
        if let Err(error) =
            server.clients.apply_account(&account(&account_id, &catalog_id, &case.setup).to_string()).await
        {
            failures.push(format!("{shown}: the account is refused as it is before: {error:?}"));
            continue;
        }
        let mut place = Place { server: &mut server, caller: &caller, account: account_id, catalog: catalog_id };
        let before = place.everything().await;
        for validate_only in [true, false] {
            let way = if validate_only { "tried" } else { "done" };
            match place.write(&case.write, validate_only).await {
                Ok(()) => failures.push(format!("{shown} ({way}): it was accepted")),
                Err(status) => {
                    let given = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                    if (given.as_str(), status.code()) != (reason, Code::FailedPrecondition) {
                        failures.push(format!("{shown} ({way}): {given}: {status}"));
                    }
                }
            }
            if place.everything().await != before {
                failures.push(format!("{shown} ({way}): something changed"));
            }
        }
        if let Some(relief) = &case.relief
            && let Err(status) = place.write(relief, false).await
        {
            failures.push(format!("{shown}: what makes it right is refused: {status}"));
        }
        if let Err(status) = place.write(case.instead.as_ref().unwrap_or(&case.write), false).await {
            failures.push(format!("{shown}: it is refused though it is right now: {status}"));
        }
    }
    println!("{count} ways to {reason}");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_be_left_without_a_role_in_any_way() {
    check("LAST_ROLE", ways::to_hold_nothing()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_holder_of_a_role_that_is_always_held_cannot_lose_it_in_any_way() {
    check("ALWAYS_HELD_ROLE", ways::to_lose_the_last_owner()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_roles_that_exclude_each_other_cannot_meet_in_any_way() {
    check("MUTUALLY_EXCLUSIVE_ROLES", ways::to_hold_both()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_can_hold_a_role_than_its_maximum_in_any_way() {
    check("TOO_MANY_HOLDERS", ways::to_be_too_many()).await;
}
