//! The server that bad input is sent to, what it has, and the tokens and etags that it has given out.
//!
//! The account `demo` is the one that the table is about; `other` has things that `demo` has not.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use rolecall::{api::Tokens, model::Revision, proto::GetAccountRequest};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use super::{
    files::{account_file, catalog_file, foreign_account_file, foreign_catalog_file},
    rules::Rule,
    rules_of,
    things::Thing,
    wire::{self, call, get, set, text},
};
use crate::support::TestServer;

/// The etag of a thing of `demo`, and that of another thing of the same kind.
#[derive(Clone, Debug, Default)]
pub struct Etags {
    pub own: String,
    pub other: String,
}

/// What the cases are made with.
pub struct Fixture {
    pub server: TestServer,
    pub address: Endpoint,
    pub channel: Channel,
    pub methods: Vec<MethodDescriptor>,
    /// For each list the token of its second page; empty if it gave none.
    pub page_tokens: BTreeMap<String, String>,
    pub consistency_token: String,
    pub foreign_token: String,
    pub future_token: String,
    pub etags: HashMap<Thing, Etags>,
    /// Methods that do what they should only try.
    pub unsafe_methods: BTreeSet<String>,
    /// What could not be prepared: each is a failure of the test.
    pub problems: Vec<String>,
    names: Names,
}

/// What the placeholders of the table stand for.
#[derive(Clone, Debug)]
pub struct Names {
    pub account: String,
    /// A catalog that no account lives under.
    pub spare: String,
    pub binding: String,
    foreign_binding: String,
}

impl Names {
    /// A text of the table with its placeholders filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{account_file}", &account_file(&self.account, "changed"))
            .replace("{catalog_file}", &catalog_file(&self.spare, "Changed"))
            .replace("{account}", &self.account)
            .replace("{spare}", &self.spare)
            .replace("{binding}", &self.binding)
            .replace("{foreign_binding}", &self.foreign_binding)
    }
}

impl Fixture {
    pub async fn start() -> Self {
        let mut server = TestServer::start().await;
        let clients = &mut server.clients;
        for catalog in [catalog_file("c", "C"), foreign_catalog_file(), catalog_file("spare", "Spare")] {
            clients.apply_catalog(&catalog).await.unwrap();
        }
        for account in [account_file("demo", ""), foreign_account_file()] {
            clients.apply_account(&account).await.unwrap();
        }
        let address = Channel::from_shared(format!("http://{}", server.running.address.unwrap())).unwrap();
        let channel = address.connect().await.unwrap();
        let request = GetAccountRequest { name: "accounts/demo".to_owned(), consistency: None };
        let consistency_token = clients.accounts.get_account(request).await.unwrap().into_inner().consistency_token;
        let token = URL_SAFE_NO_PAD.decode(&consistency_token).unwrap();
        let store = u64::from_be_bytes(token[2..10].try_into().unwrap());
        let none = String::new;
        let mut fixture = Self {
            server,
            address,
            channel,
            methods: wire::methods(&wire::descriptors()),
            page_tokens: BTreeMap::new(),
            foreign_token: Tokens::new(store ^ 1).write(Revision(1)),
            future_token: Tokens::new(store).write(Revision(1 << 40)),
            consistency_token,
            etags: HashMap::new(),
            unsafe_methods: BTreeSet::new(),
            problems: Vec::new(),
            names: Names {
                account: "demo".to_owned(),
                spare: "spare".to_owned(),
                binding: none(),
                foreign_binding: none(),
            },
        };
        for (account, id) in [("demo", "robot"), ("demo", "second"), ("other", "foreign")] {
            fixture.create_service_account(account, id).await;
        }
        fixture.names.foreign_binding = fixture.binding_of("other").await;
        fixture.names.binding = fixture.binding_of("demo").await;
        fixture.use_request_ids().await;
        fixture.find_page_tokens().await;
        fixture.find_etags().await;
        fixture.settle().await;
        // Of a revision at which everything is there.
        let answer = fixture.ask("GetAccount", &[]).await.unwrap();
        fixture.consistency_token = text(&answer, "consistency_token");
        fixture
    }

    pub fn fill(&self, text: &str) -> String {
        self.names.fill(text)
    }

    pub fn method(&self, name: &str) -> MethodDescriptor {
        self.methods.iter().find(|method| method.name() == name).unwrap_or_else(|| panic!("no method {name}")).clone()
    }

    /// A request that is right, from the table.
    pub fn base(&self, method: &MethodDescriptor, names: &Names) -> DynamicMessage {
        let mut request = DynamicMessage::new(method.input());
        for (path, rule, value) in rules_of(method.name()) {
            let Some(field) = wire::field_at(&method.input(), &path) else { continue };
            if !value.is_empty() {
                set(&mut request, &path, Some(wire::parse(&field, &names.fill(&value))));
            } else if matches!(rule, Rule::Required) && get(&request, &path).is_none() {
                set(&mut request, &path, Some(wire::parse(&field, "")));
            }
        }
        request
    }

    /// The request that is right for `demo`.
    pub fn own_base(&self, method: &MethodDescriptor) -> DynamicMessage {
        self.base(method, &self.names)
    }

    /// Calls a method with a base that is changed first.
    async fn ask(&self, method: &str, sets: &[(&str, Value)]) -> Result<DynamicMessage, Status> {
        let method = self.method(method);
        let mut request = self.own_base(&method);
        for (path, value) in sets {
            set(&mut request, path, Some(value.clone()));
        }
        let answers = call(&self.channel, &method, vec![request.encode_to_vec()]).await?;
        answers.into_iter().next_back().ok_or_else(|| Status::unknown("no answer"))
    }

    async fn create_service_account(&mut self, account: &str, id: &str) {
        let sets = [
            ("parent", Value::String(format!("accounts/{account}"))),
            ("service_account_id", Value::String(id.to_owned())),
            ("roles", Value::List(Vec::new())),
            ("role_bindings", Value::List(Vec::new())),
        ];
        if let Err(status) = self.ask("CreateServiceAccount", &sets).await {
            self.problems.push(format!("cannot create the service account {account}/{id}: {status}"));
        }
    }

    /// The number of a binding of an account.
    async fn binding_of(&mut self, account: &str) -> String {
        let sets = [("parent", Value::String(format!("accounts/{account}")))];
        match self.ask("ListRoleBindings", &sets).await {
            Ok(answer) => text(&answer, "role_bindings[0].name").rsplit('/').next().unwrap().to_owned(),
            Err(status) => {
                self.problems.push(format!("cannot list the role bindings of {account}: {status}"));
                "1".to_owned()
            }
        }
    }

    /// Does with every method that takes a request id one write under an id, each in an account of its own.
    ///
    /// Each is only tried first: a method that does what it should only try would change what the cases stand on, so it
    /// gets none.
    async fn use_request_ids(&mut self) {
        let mut ready = Vec::new();
        for (number, method) in self.methods.clone().into_iter().enumerate() {
            if method.input().get_field_by_name("request_id").is_none() {
                continue;
            }
            let account = format!("scratch-{number}");
            self.server.clients.apply_catalog(&catalog_file(&account, "Scratch")).await.unwrap();
            self.server.clients.apply_account(&account_file(&account, "")).await.unwrap();
            for id in ["robot", "second"] {
                self.create_service_account(&account, id).await;
            }
            let names = Names {
                binding: self.binding_of(&account).await,
                spare: account.clone(),
                account,
                ..self.names.clone()
            };
            let mut request = self.base(&method, &names);
            set(&mut request, "validate_only", Some(Value::Bool(true)));
            let before = self.server.running.service().head();
            if let Err(status) = call(&self.channel, &method, vec![request.encode_to_vec()]).await {
                self.problems.push(format!("{}: a request that is right is refused: {status}", method.name()));
            }
            if self.server.running.service().head() != before {
                self.problems.push(format!("{}: what was only to be tried was done", method.name()));
                self.unsafe_methods.insert(method.name().to_owned());
            } else {
                ready.push((method, request));
            }
        }
        for (method, mut request) in ready {
            set(&mut request, "validate_only", None);
            set(&mut request, "request_id", Some(Value::String(used_request_id(method.name()))));
            if let Err(status) = call(&self.channel, &method, vec![request.encode_to_vec()]).await {
                self.problems.push(format!("{}: a write with a request id is refused: {status}", method.name()));
            }
        }
    }

    async fn find_page_tokens(&mut self) {
        for method in self.methods.clone() {
            if method.input().get_field_by_name("page_token").is_none() {
                continue;
            }
            let token = match self.ask(method.name(), &[("page_size", Value::I32(1))]).await {
                Ok(answer) => text(&answer, "next_page_token"),
                Err(status) => {
                    self.problems.push(format!("{} gives no page: {status}", method.name()));
                    String::new()
                }
            };
            if token.is_empty() {
                self.problems.push(format!("{} has no second page", method.name()));
            }
            self.page_tokens.insert(method.name().to_owned(), token);
        }
    }

    async fn find_etags(&mut self) {
        for (thing, method, field, own, other) in [
            (Thing::Catalog, "GetCatalog", "catalog", "catalogs/spare", "catalogs/d"),
            (Thing::Account, "GetAccount", "account", "accounts/demo", "accounts/other"),
            (Thing::User, "GetUser", "user", Thing::User.present(), Thing::User.foreign()),
            (Thing::Team, "GetTeam", "team", Thing::Team.present(), Thing::Team.foreign()),
            (Thing::CustomRole, "GetRole", "role", Thing::CustomRole.present(), Thing::CustomRole.foreign()),
            (Thing::Binding, "GetRoleBinding", "role_binding", Thing::Binding.present(), Thing::Binding.foreign()),
            (
                Thing::CustomPolicy,
                "GetAccessPolicy",
                "access_policy",
                Thing::CustomPolicy.present(),
                Thing::CustomPolicy.foreign(),
            ),
            (Thing::Resource, "GetResource", "resource", Thing::Resource.present(), Thing::Resource.foreign()),
            (
                Thing::ServiceAccount,
                "GetServiceAccount",
                "service_account",
                Thing::ServiceAccount.present(),
                Thing::ServiceAccount.foreign(),
            ),
        ] {
            let mut found = Vec::new();
            for name in [own, other] {
                match self.ask(method, &[("name", Value::String(self.fill(name)))]).await {
                    Ok(answer) => found.push(text(&answer, &format!("{field}.etag"))),
                    Err(status) => self.problems.push(format!("{method} does not answer: {status}")),
                }
            }
            let [own, other] = found.try_into().unwrap_or_default();
            if own.is_empty() || own == other {
                self.problems.push(format!("{method} gives the etags {own:?} and {other:?}"));
            }
            self.etags.insert(thing, Etags { own, other });
        }
    }

    /// Waits until the server has nothing more to write by itself. However long a disk takes, it is not enough that
    /// nothing was written for a while.
    async fn settle(&self) {
        for _ in 0..1_200 {
            if !self.server.running.service().has_leftovers().await.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not stop writing");
    }

    /// For a list: each argument that a page token is bound to, with another value than the base has.
    pub fn other_arguments(&self, method: &str) -> Vec<(String, Value)> {
        let descriptor = self.method(method).input();
        let mut others = Vec::new();
        for (path, rule, base) in rules_of(method) {
            if path.starts_with("page_") || path.starts_with("consistency") {
                continue;
            }
            let field = wire::field_at(&descriptor, &path).unwrap();
            let other = match rule {
                Rule::Anchor(things) => self.fill(things[0].foreign()),
                Rule::Inside(_) | Rule::Filter(_) => self.fill(Thing::ManagedRole.present()),
                Rule::ShortFilter(_) => "users/cyd".to_owned(),
                Rule::Subject => "users/ben".to_owned(),
                Rule::KnownPermission => "desk.tickets.edit".to_owned(),
                Rule::RequiredKnown(_) | Rule::Known("RESOURCE_TYPE_NOT_FOUND") => "workspace".to_owned(),
                Rule::RegisteredPath => "workspaces/w1".to_owned(),
                Rule::Place => "workspaces/w1/channels/c2".to_owned(),
                Rule::Facets => "line=lines/l2".to_owned(),
                Rule::Attributes => "urgent=no".to_owned(),
                Rule::Search(_) => "a".to_owned(),
                Rule::Order(other) | Rule::OneOf(other) => other.to_owned(),
                Rule::Free => "true".to_owned(),
                _ => continue,
            };
            assert_ne!(base, other, "{method}.{path}");
            others.push((path, wire::parse(&field, &other)));
        }
        others
    }

    /// All catalogs and accounts as files, and the revision: what no refused call may change.
    pub async fn everything(&self) -> (Revision, Vec<(String, String)>) {
        let mut files = Vec::new();
        for (list, export, field) in
            [("ListCatalogs", "ExportCatalog", "catalogs"), ("ListAccounts", "ExportAccount", "accounts")]
        {
            let listed = self.ask(list, &[]).await.unwrap();
            let Some(Value::List(things)) = get(&listed, field) else { panic!("{list} gives no {field}") };
            for thing in things {
                let name = text(thing.as_message().unwrap(), "name");
                let method = self.method(export);
                let mut request = DynamicMessage::new(method.input());
                set(&mut request, "name", Some(Value::String(name.clone())));
                let mut file = Vec::new();
                for piece in call(&self.channel, &method, vec![request.encode_to_vec()]).await.unwrap() {
                    file.extend_from_slice(get(&piece, "chunk").unwrap().as_bytes().unwrap());
                }
                files.push((name, String::from_utf8(file).unwrap()));
            }
        }
        (self.server.running.service().head().revision, files)
    }
}

/// The request id under which a method has done something already.
pub fn used_request_id(method: &str) -> String {
    format!("used-by-{method}")
}
