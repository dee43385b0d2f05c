//! Lists read page by page while others write to them: what comes is exactly what there was at the revision of the
//! first page, each thing once and in the promised order.
//!
//! One account is as large as an account can be. What there was is asked in two other ways: the export at that revision
//! says which things there were, and the same list read once more at that revision, in pages of other sizes, has to be
//! the same byte by byte.

mod writers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Instant,
};

use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};
use serde::Deserialize;
use serde_json::json;
use tonic::transport::Channel;

use crate::{
    bad_input::wire::{self, call, get, set, text},
    support::TestServer,
};
use writers::Writers;

/// The most roles and teams of an account.
const MANY: usize = 10_000;
/// How many users belong to one team, and hold one role.
const MEMBERS: usize = 6_000;
/// How many service accounts there are.
const SERVICE_ACCOUNTS: usize = 50;
/// How many permissions the catalog has.
const PERMISSIONS: usize = 3_000;
/// How many boxes are registered, each with two cells in it.
const BOXES: usize = 1_000;
/// How many custom policies there are.
const POLICIES: usize = 900;

const ACCOUNT: &str = "accounts/big";
const POPULAR: &str = "accounts/big/roles/r00000";
const EVERYONE: &str = "accounts/big/teams/t00000";

/// A list, and where its elements are in an answer.
struct List {
    method: &'static str,
    arguments: &'static [(&'static str, &'static str)],
    elements: &'static str,
    /// The sizes of its pages, one after the other and then again.
    sizes: &'static [i32],
}

const LISTS: &[List] = &[
    List { method: "ListRoles", arguments: &[("parent", ACCOUNT)], elements: "roles", sizes: &[1, 999, 1000, 7] },
    List {
        method: "ListRoles",
        arguments: &[("parent", ACCOUNT), ("order_by", "display_name"), ("view", "ROLE_VIEW_BASIC")],
        elements: "roles",
        sizes: &[1000, 1, 500],
    },
    List {
        method: "ListRoles",
        arguments: &[("parent", ACCOUNT), ("order_by", "user_count desc")],
        elements: "roles",
        sizes: &[1000],
    },
    List {
        method: "ListRoles",
        arguments: &[("parent", ACCOUNT), ("search", "ROLE 9")],
        elements: "roles",
        sizes: &[100, 1],
    },
    List { method: "ListTeams", arguments: &[("parent", ACCOUNT)], elements: "teams", sizes: &[1, 1000, 333] },
    List { method: "ListTeams", arguments: &[("parent", ACCOUNT), ("search", "99")], elements: "teams", sizes: &[40] },
    List { method: "ListUsers", arguments: &[("parent", ACCOUNT)], elements: "users", sizes: &[1000, 1, 333] },
    List {
        method: "ListUsers",
        arguments: &[("parent", ACCOUNT), ("order_by", "display_name")],
        elements: "users",
        sizes: &[1000, 1, 777],
    },
    List {
        method: "ListUsers",
        arguments: &[("parent", ACCOUNT), ("search", "person 1")],
        elements: "users",
        sizes: &[97, 1],
    },
    List {
        method: "ListRoleHolders",
        arguments: &[("parent", ACCOUNT), ("role", POPULAR)],
        elements: "holders",
        sizes: &[1000, 1, 50],
    },
    List { method: "ListTeamMembers", arguments: &[("name", EVERYONE)], elements: "members", sizes: &[1000, 1, 50] },
    List {
        method: "ListRoleBindings",
        arguments: &[("parent", ACCOUNT)],
        elements: "role_bindings",
        sizes: &[1000, 3],
    },
    List {
        method: "ListRoleBindings",
        arguments: &[("parent", ACCOUNT), ("role", POPULAR)],
        elements: "role_bindings",
        sizes: &[500],
    },
    List {
        method: "ListServiceAccounts",
        arguments: &[("parent", ACCOUNT)],
        elements: "service_accounts",
        sizes: &[20, 1],
    },
    List {
        method: "ListPermissions",
        arguments: &[("account", ACCOUNT), ("subject", "users/reader")],
        elements: "permissions",
        sizes: &[1000, 1, 100],
    },
    List {
        method: "ListAccessPolicies",
        arguments: &[("parent", ACCOUNT)],
        elements: "access_policies",
        sizes: &[1, 300, 7],
    },
    List {
        method: "ListAccessPolicies",
        arguments: &[("parent", ACCOUNT), ("search", "POLICY 1")],
        elements: "access_policies",
        sizes: &[50, 1],
    },
    List {
        method: "ListRegisteredResources",
        arguments: &[("parent", ACCOUNT)],
        elements: "resources",
        sizes: &[1, 999, 1000, 7],
    },
    List {
        method: "ListRegisteredResources",
        arguments: &[("parent", ACCOUNT), ("resource_type", "cell")],
        elements: "resources",
        sizes: &[333, 1],
    },
    List {
        method: "ListRegisteredResources",
        arguments: &[("parent", ACCOUNT), ("below", "boxes/b00002")],
        elements: "resources",
        sizes: &[1],
    },
    List {
        method: "ListSubjects",
        arguments: &[("account", ACCOUNT), ("permission", "a.p00000")],
        elements: "subjects",
        sizes: &[1000, 1, 333],
    },
    List {
        method: "ListResources",
        arguments: &[
            ("account", ACCOUNT),
            ("subject", "users/reader"),
            ("permission", "a.cells.open"),
            ("resource_type", "cell"),
        ],
        elements: "resources",
        sizes: &[50, 1, 1000],
    },
    List {
        method: "ListApiScopes",
        arguments: &[("account", ACCOUNT), ("subject", "users/reader")],
        elements: "api_scopes",
        sizes: &[100, 1],
    },
];

/// As much of an account file as says what there is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    roles: Vec<Entry>,
    teams: Vec<Entry>,
    users: Vec<Entry>,
    policies: Vec<Entry>,
    resources: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: String,
    display_name: String,
    roles: Vec<Held>,
    teams: Vec<String>,
    permissions: Vec<String>,
    path: String,
}

/// A role that is held, on the account or on a resource.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Held {
    Whole(String),
    On { role: String, resource: String },
}

impl Entry {
    fn holds(&self, wanted: &str) -> bool {
        self.roles.iter().any(|held| matches!(held, Held::Whole(role) if role == wanted))
    }
}

fn catalog() -> String {
    let scopes: Vec<_> = (0..PERMISSIONS / 10).map(|scope| json!({"id": format!("s{scope:05}")})).collect();
    let permissions: Vec<_> = (0..PERMISSIONS)
        .map(
            |each| json!({"id": format!("a.p{each:05}"), "section": "s", "api_scopes": [format!("s{:05}", each / 10)]}),
        )
        .collect();
    let cells = json!({"id": "a.cells.open", "section": "s", "resource_type": "cell"});
    let permissions: Vec<_> = permissions.into_iter().chain([cells]).collect();
    let all: Vec<_> = (0..PERMISSIONS).map(|each| format!("a.p{each:05}")).collect();
    let allow = json!([{"effect": "allow", "permissions": ["a.**"]}]);
    let policies: Vec<_> = (0..20)
        .map(|each| json!({"id": format!("m{each:05}"), "display_name": format!("Policy {each}"), "statements": allow}))
        .collect();
    json!({
        "kind": "catalog", "id": "c", "display_name": "C", "custom_roles": ["permissions", "custom_policies"],
        "sections": [{"id": "s", "display_name": "S"}], "api_scopes": scopes, "permissions": permissions,
        "resource_types": [
            {"id": "box", "plural": "boxes", "display_name": "Box"},
            {"id": "cell", "plural": "cells", "parent": "box", "display_name": "Cell"},
        ],
        "policies": policies,
        "roles": [
            {"id": "all", "display_name": "All", "permissions": all},
            {"id": "keeper", "display_name": "Keeper", "permissions": ["a.cells.open"]},
        ],
    })
    .to_string()
}

/// An account that is nearly as large as it can be: there is room for what is created while it is read.
fn account() -> String {
    // Names that come in another order than the ids, some of them several times.
    let mixed = |number: usize| (number * 7919) % 5000;
    let roles: Vec<_> = (0..MANY - 100)
        .map(|role| {
            let name = format!("Role {}", mixed(role));
            json!({"id": format!("r{role:05}"), "display_name": name, "permissions": [format!("a.p{:05}", role % 100)]})
        })
        .collect();
    let teams: Vec<_> = (0..MANY - 100)
        .map(|team| {
            let roles: &[&str] = if team == 1 { &["custom/r00000"] } else { &[] };
            json!({"id": format!("t{team:05}"), "display_name": format!("Team {}", mixed(team)), "roles": roles})
        })
        .collect();
    let users = (0..MANY).map(|user| {
        let mut teams = vec![format!("t{:05}", user % 500 + 1)];
        if user < MEMBERS {
            teams.push("t00000".to_owned());
        }
        let roles: Vec<String> = match user {
            _ if user < MEMBERS => vec!["custom/r00000".to_owned()],
            _ => vec![format!("custom/r{user:05}")],
        };
        let roles = if user >= MANY - 100 { Vec::new() } else { roles };
        let name = format!("Person {}", mixed(user));
        json!({"id": format!("u{user:05}"), "display_name": name, "teams": teams, "roles": roles})
    });
    // On every fifth box.
    let kept = (0..BOXES / 5).map(|number| json!({"role": "keeper", "resource": format!("boxes/b{:05}", number * 5)}));
    let held: Vec<_> = [json!("all"), json!("custom/r00001")].into_iter().chain(kept).collect();
    let reader = json!({"id": "reader", "roles": held});
    let users: Vec<_> = users.chain([reader]).collect();
    let path = |number: usize| format!("boxes/b{number:05}");
    let resources: Vec<_> = (0..BOXES)
        .flat_map(|number| {
            let paths = [path(number), format!("{}/cells/x", path(number)), format!("{}/cells/y", path(number))];
            paths.map(|path| json!({"path": path}))
        })
        .collect();
    let deny = json!([{"effect": "deny", "permissions": ["a.p00001"]}]);
    let policies: Vec<_> = (0..POLICIES)
        .map(|each| {
            let name = format!("Policy {}", mixed(each));
            json!({"id": format!("p{each:05}"), "display_name": name, "statements": deny})
        })
        .collect();
    json!({
        "kind": "account", "id": "big", "catalog": "c", "resources": resources, "policies": policies, "roles": roles,
        "teams": teams, "users": users,
    })
    .to_string()
}

/// Reads lists of one server.
struct Reader {
    channel: Channel,
    methods: Vec<MethodDescriptor>,
}

impl Reader {
    fn method(&self, name: &str) -> MethodDescriptor {
        self.methods.iter().find(|method| method.name() == name).unwrap().clone()
    }

    /// Reads a list to its end, from the newest revision or from that of a token. Gives the token of its revision.
    async fn read(&self, list: &List, sizes: &[i32], at: Option<&str>) -> Result<(String, Vec<Value>), String> {
        let method = self.method(list.method);
        let mut request = DynamicMessage::new(method.input());
        for (path, value) in list.arguments {
            let field = wire::field_at(&method.input(), path).unwrap();
            set(&mut request, path, Some(wire::parse(&field, value)));
        }
        if let Some(token) = at {
            set(&mut request, "consistency.at_exact_revision", Some(Value::String(token.to_owned())));
        }
        let (mut elements, mut first, mut pages) = (Vec::new(), String::new(), 0);
        for size in sizes.iter().cycle() {
            set(&mut request, "page_size", Some(Value::I32(*size)));
            let answers = call(&self.channel, &method, vec![request.encode_to_vec()]).await;
            let answer = answers.map_err(|status| status.to_string())?.remove(0);
            let Some(Value::List(page)) = get(&answer, list.elements) else { panic!("no {}", list.elements) };
            let next = text(&answer, "next_page_token");
            let token = text(&answer, "consistency_token");
            let size = usize::try_from(*size).unwrap();
            // What searches and filters may give less than asked for; no page may give more.
            let may_be_short = ["ListUsers", "ListSubjects", "ListResources", "ListRegisteredResources"];
            let is_short = page.len() < size && !next.is_empty() && !may_be_short.contains(&list.method);
            if page.len() > size || is_short {
                return Err(format!("page {pages} has {} of {size} elements and is not the last", page.len()));
            }
            if pages == 0 {
                first = token;
            } else if token != first {
                return Err(format!("page {pages} is of another revision than the first"));
            }
            pages += 1;
            elements.extend(page);
            if next.is_empty() {
                return Ok((first, elements));
            }
            set(&mut request, "page_token", Some(Value::String(next)));
        }
        Err("there are no sizes".to_owned())
    }

    async fn create_service_account(&self, number: usize) -> Result<(), String> {
        let method = self.method("CreateServiceAccount");
        let mut request = DynamicMessage::new(method.input());
        set(&mut request, "parent", Some(Value::String(ACCOUNT.to_owned())));
        set(&mut request, "service_account_id", Some(Value::String(format!("s{number:05}"))));
        set(&mut request, "service_account.display_name", Some(Value::String(format!("Robot {number}"))));
        call(&self.channel, &method, vec![request.encode_to_vec()]).await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// What the account has at the revision of a token.
    async fn export(&self, token: &str) -> File {
        let method = self.method("ExportAccount");
        let mut request = DynamicMessage::new(method.input());
        set(&mut request, "name", Some(Value::String(ACCOUNT.to_owned())));
        set(&mut request, "consistency.at_exact_revision", Some(Value::String(token.to_owned())));
        let mut file = Vec::new();
        for piece in call(&self.channel, &method, vec![request.encode_to_vec()]).await.unwrap() {
            file.extend_from_slice(get(&piece, "chunk").unwrap().as_bytes().unwrap());
        }
        // It is larger than what the reader takes for reasonable.
        let options = serde_saphyr::options! { budget: None };
        serde_saphyr::from_str_with_options(&String::from_utf8(file).unwrap(), options).unwrap()
    }
}

/// The last part of the name, or the id, of an element; of a resource the whole path.
fn id(element: &Value) -> String {
    let name = match element {
        Value::String(path) if path.starts_with("boxes/") => return path.clone(),
        Value::String(name) => name.clone(),
        Value::Message(message) if message.descriptor().name() == "Resource" => return text(message, "path"),
        Value::Message(message) => {
            let fields = ["name", "permission", "api_scope", "subject"];
            fields.iter().map(|field| text(message, field)).find(|name| !name.is_empty()).unwrap()
        }
        other => panic!("{other:?} has no name"),
    };
    name.rsplit('/').next().unwrap().to_owned()
}

/// The lists whose elements an export shows.
const EXPORTED: [&str; 9] = [
    "ListRoles",
    "ListTeams",
    "ListUsers",
    "ListTeamMembers",
    "ListRoleHolders",
    "ListAccessPolicies",
    "ListRegisteredResources",
    "ListSubjects",
    "ListResources",
];

/// The ids that a list has to give, in any order.
fn expected(list: &List, file: &File) -> Vec<String> {
    let argument = |name: &str| {
        list.arguments.iter().find(|(path, _)| *path == name).map_or(String::new(), |(_, value)| value.to_lowercase())
    };
    let search = argument("search");
    let contains = |entry: &&Entry| {
        entry.id.to_lowercase().contains(&search) || entry.display_name.to_lowercase().contains(&search)
    };
    let begins = |entry: &&Entry| {
        let name = entry.display_name.to_lowercase();
        let words = name.split(' ').any(|word| word.starts_with(&search));
        search.is_empty() || entry.id.to_lowercase().starts_with(&search) || name.starts_with(&search) || words
    };
    let ids = |entries: Vec<&Entry>| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
    let managed = ["all", "keeper"].into_iter().filter(|role| role.contains(&search)).map(str::to_owned);
    let with_role: BTreeSet<&String> =
        file.teams.iter().filter(|team| team.holds(POPULAR_IN_FILES)).map(|team| &team.id).collect();
    let holds = |user: &&Entry| user.holds(POPULAR_IN_FILES) || user.teams.iter().any(|team| with_role.contains(team));
    let paths = |wanted: &dyn Fn(&str) -> bool| {
        file.resources.iter().map(|each| each.path.clone()).filter(|path| wanted(path)).collect::<Vec<_>>()
    };
    match list.method {
        "ListAccessPolicies" => {
            let managed = (0..20).map(|each| (format!("m{each:05}"), format!("policy {each}")));
            let managed = managed.filter(|(id, name)| id.contains(&search) || name.contains(&search)).map(|(id, _)| id);
            managed.chain(ids(file.policies.iter().filter(contains).collect())).collect()
        }
        "ListRegisteredResources" => paths(&|_| true),
        "ListResources" => {
            let reader = file.users.iter().find(|user| user.id == "reader").unwrap();
            let kept: BTreeSet<&str> = reader
                .roles
                .iter()
                .filter_map(|held| match held {
                    Held::On { role, resource } if role == "keeper" => Some(resource.as_str()),
                    _ => None,
                })
                .collect();
            paths(&|path| path.split_once("/cells/").is_some_and(|(inside, _)| kept.contains(inside)))
        }
        "ListSubjects" => {
            let wanted = argument("permission");
            let granting = file.roles.iter().filter(|role| role.permissions.contains(&wanted));
            let granting: Vec<String> =
                granting.map(|role| format!("custom/{}", role.id)).chain(["all".to_owned()]).collect();
            let granting: BTreeSet<&str> = granting.iter().map(String::as_str).collect();
            let grants = |held: &Held| matches!(held, Held::Whole(role) if granting.contains(role.as_str()));
            let teams = file.teams.iter().filter(|team| team.roles.iter().any(grants));
            let teams: BTreeSet<&String> = teams.map(|team| &team.id).collect();
            let can =
                |user: &&Entry| user.roles.iter().any(grants) || user.teams.iter().any(|team| teams.contains(team));
            ids(file.users.iter().filter(can).collect())
        }
        "ListRoles" => managed.chain(ids(file.roles.iter().filter(contains).collect())).collect(),
        "ListTeams" => ids(file.teams.iter().filter(contains).collect()),
        "ListUsers" => ids(file.users.iter().filter(begins).collect()),
        "ListTeamMembers" => {
            ids(file.users.iter().filter(|user| user.teams.iter().any(|team| team == "t00000")).collect())
        }
        "ListRoleHolders" => ids(file.users.iter().filter(holds).collect()),
        other => panic!("an export does not show {other}"),
    }
}

/// Whether a list is a part of another one, of policies or resources.
fn is_part(list: &List, whole: &List) -> bool {
    let is_new = ["ListAccessPolicies", "ListRegisteredResources"].contains(&list.method);
    is_new && list.method == whole.method && whole.arguments.len() == 1 && list.arguments.len() > 1
}

/// Whether an element of the whole list belongs to its part.
fn is_wanted(list: &List, element: &Value) -> bool {
    list.arguments.iter().all(|(argument, value)| match *argument {
        "search" => {
            let name = text(element.as_message().unwrap(), "display_name");
            format!("{} {name}", id(element)).to_lowercase().contains(&value.to_lowercase())
        }
        "below" => id(element).starts_with(&format!("{value}/")),
        "resource_type" => id(element).contains("/cells/"),
        _ => true,
    })
}

/// [`POPULAR`] as files write it.
const POPULAR_IN_FILES: &str = "custom/r00000";

/// Whether the elements are in the promised order.
fn is_in_order(list: &List, elements: &[Value]) -> bool {
    let order = list.arguments.iter().find(|(path, _)| *path == "order_by").map_or("", |(_, value)| *value);
    let is_searched = list.arguments.iter().any(|(path, _)| *path == "search");
    let message = |element: &Value| element.as_message().unwrap().clone();
    match (list.method, order) {
        // What is found is ordered by what was found, which is for the tests of searches.
        ("ListUsers", "") if is_searched => true,
        (_, "display_name") => {
            elements.is_sorted_by_key(|element| text(&message(element), "display_name").to_lowercase())
        }
        (_, "user_count desc") => elements.is_sorted_by_key(|element| {
            let count = get(&message(element), "holder_counts.user_count").and_then(|count| count.as_i64());
            std::cmp::Reverse(count.unwrap_or_default())
        }),
        // The managed ones stand before the custom ones.
        ("ListRoles", _) => {
            elements.is_sorted_by_key(|element| (!["all", "keeper"].contains(&id(element).as_str()), id(element)))
        }
        ("ListAccessPolicies", _) => elements.is_sorted_by_key(|element| (!id(element).starts_with('m'), id(element))),
        // Each with what lies below it.
        ("ListRegisteredResources" | "ListResources", _) => {
            elements.is_sorted_by_key(|element| id(element).split('/').map(str::to_owned).collect::<Vec<_>>())
        }
        ("ListRoleBindings", _) if list.arguments.len() == 1 => {
            elements.is_sorted_by_key(|element| id(element).parse::<u64>().unwrap())
        }
        // By when they were created as users: those of the file, in its order, and then those of the writers.
        ("ListRoleHolders" | "ListTeamMembers" | "ListSubjects", _) => {
            elements.is_sorted_by_key(|element| (id(element).starts_with('w'), id(element) == "reader", id(element)))
        }
        ("ListRoleBindings", _) => true,
        _ => elements.is_sorted_by_key(id),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_read_in_pages_is_what_there_was_at_its_first_page_whatever_is_written_meanwhile() {
    let began = Instant::now();
    let mut server = TestServer::start().await;
    server.clients.apply_catalog(&catalog()).await.unwrap();
    server.clients.apply_account(&account()).await.unwrap();
    let address = format!("http://{}", server.running.address.unwrap());
    let channel = Channel::from_shared(address.clone()).unwrap().connect().await.unwrap();
    let reader = Reader { channel, methods: wire::methods(&wire::descriptors()) };
    let (mut failures, mut read) = (Vec::new(), Vec::new());
    for number in 0..SERVICE_ACCOUNTS {
        failures.extend(reader.create_service_account(number).await.err());
    }
    println!("{} ms: the account is there", began.elapsed().as_millis());

    let writers = Writers::start(&address).await;
    for list in LISTS {
        let shown = format!("{} {:?}", list.method, list.arguments);
        let before = writers.count.load(Ordering::Relaxed);
        match reader.read(list, list.sizes, None).await {
            Err(error) => failures.push(format!("{shown}: {error}")),
            Ok((token, elements)) => {
                let written = writers.count.load(Ordering::Relaxed) - before;
                println!("{} ms: {shown}: {}, {written} writes", began.elapsed().as_millis(), elements.len());
                read.push((list, shown, token, elements));
            }
        }
    }
    failures.extend(writers.stop().await);

    for (list, shown, token, elements) in read {
        let ids: Vec<String> = elements.iter().map(id).collect();
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        ids.iter().for_each(|id| *counts.entry(id).or_default() += 1);
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).map(|(id, _)| *id).take(5).collect();
        if !twice.is_empty() {
            failures.push(format!("{shown}: several times {twice:?}"));
        }
        if !is_in_order(list, &elements) {
            failures.push(format!("{shown}: not in the promised order"));
        }
        if EXPORTED.contains(&list.method) {
            // A part of a list that is compared whole is looked for in the whole: an export takes long.
            let whole = LISTS.iter().find(|whole| is_part(list, whole));
            let expected = match whole {
                Some(whole) => match reader.read(whole, &[1000], Some(&token)).await {
                    Ok((_, all)) => all.iter().filter(|element| is_wanted(list, element)).map(id).collect(),
                    Err(error) => vec![error],
                },
                None => expected(list, &reader.export(&token).await),
            };
            let expected: BTreeSet<&String> = expected.iter().collect();
            let given: BTreeSet<&String> = ids.iter().collect();
            let missing: Vec<_> = expected.difference(&given).take(5).collect();
            let more: Vec<_> = given.difference(&expected).take(5).collect();
            if !missing.is_empty() || !more.is_empty() {
                failures.push(format!("{shown}: not given {missing:?}, and given though it is not there {more:?}"));
            }
        }
        match reader.read(list, &[1000], Some(&token)).await {
            Err(error) => failures.push(format!("{shown}: read once more at the same revision: {error}")),
            Ok((_, again)) if again != elements => {
                let differs = again.iter().zip(&elements).position(|(one, other)| one != other);
                failures.push(format!("{shown}: other elements when read once more, from {differs:?} on"));
            }
            Ok(_) => {}
        }
    }
    println!("{} ms in all", began.elapsed().as_millis());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
