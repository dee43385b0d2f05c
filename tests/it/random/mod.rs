//! Random writes through the API, each followed by questions whose answers the oracle knows.
//!
//! A worker has catalogs and accounts of its own, so several can work at a time and each is repeated by its seed alone.
//! Ids come from small sets: things are created, deleted and created again all the time. Writes that cannot succeed are
//! made too, and have to fail with the right code and change nothing. Start with [`Worker::run`]; what can be done is
//! listed in [`OPERATIONS`].

mod accounts;
mod bindings;
mod catalogs;
mod etags;
mod files;
mod manners;
mod questions;
mod role_views;
mod roles;
mod service_accounts;
mod teams;
mod users;
mod views;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use tonic::Code;

use self::manners::{Again, Wrong};
pub use self::wire::Wire;
use super::oracle::{Account, Catalog, Holder, Oracle, Reason, RoleName, Subject, Unknown};

type Set = BTreeSet<String>;

/// Numbers that look random and are repeated by their seed (splitmix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, choices: impl IntoIterator<Item = T>) -> Option<T> {
        let choices: Vec<T> = choices.into_iter().collect();
        if choices.is_empty() { None } else { Some(choices[self.below(choices.len())].clone()) }
    }

    fn subset(&mut self, percent: usize, choices: impl IntoIterator<Item = String>) -> Set {
        choices.into_iter().filter(|_| self.chance(percent)).collect()
    }
}

/// How much a run does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub writes: usize,
    /// Questions after each write, at least.
    pub checks_per_write: usize,
    /// Of a hundred writes, after how many the whole list of what a subject may do is compared.
    pub lists_percent: usize,
    /// Of a hundred writes, after how many something that is shown is compared.
    pub views_percent: usize,
}

/// What a run has done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Writes that were acknowledged.
    pub writes: usize,
    /// Writes that were refused, as they had to be.
    pub refused: usize,
    pub checks: usize,
    pub lists: usize,
    pub past_checks: usize,
    /// How often each thing was held against the oracle.
    pub compared: BTreeMap<&'static str, usize>,
    /// Methods of the API that were never called.
    pub not_called: Option<Set>,
}

impl Done {
    /// Adds what another worker has done.
    pub fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.refused += other.refused;
        self.checks += other.checks;
        self.lists += other.lists;
        self.past_checks += other.past_checks;
        for (what, times) in other.compared {
            *self.compared.entry(what).or_default() += times;
        }
        self.not_called = match (self.not_called.take(), other.not_called) {
            (Some(mine), Some(theirs)) => Some(mine.intersection(&theirs).cloned().collect()),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// What was never held against the oracle, and which methods were never called: nothing, if a run is long enough.
    pub fn forgotten(&self) -> Set {
        let compared = COMPARED.iter().filter(|what| !self.compared.contains_key(**what)).map(ToString::to_string);
        compared.chain(self.not_called.clone().unwrap_or_default()).collect()
    }
}

/// Everything that has to be held against the oracle at least once in a long run.
const COMPARED: &[&str] = &[
    "a check by API scope",
    "a check of a service account",
    "an account",
    "an export that changes nothing",
    "catalog drops",
    "catalogs compared",
    "etag, right",
    "etag, stale",
    "list of API scopes",
    "list of accounts",
    "list of bindings",
    "list of catalogs",
    "list of role holders",
    "list of role permissions",
    "list of roles",
    "list of service accounts",
    "list of team members",
    "list of teams",
    "list of user roles",
    "list of user teams",
    "list of users",
    "request id, sent again",
    "request id, sent again later",
    "request id, used for another",
    "validate_only",
];

/// What a worker can do, with how often of all.
const OPERATIONS: &[(usize, &str)] = &[
    (2, "create account"),
    (6, "update account"),
    (1, "delete account"),
    (3, "apply account"),
    (1, "export account"),
    (4, "apply catalog"),
    (1, "delete catalog"),
    (2, "compare catalogs"),
    (9, "create user"),
    (2, "create users"),
    (6, "update user"),
    (1, "erase user"),
    (2, "sign in"),
    (3, "delete user"),
    (4, "add user teams"),
    (2, "remove user teams"),
    (2, "replace user teams"),
    (5, "remove user role"),
    (4, "create service account"),
    (2, "update service account"),
    (1, "delete service account"),
    (5, "create team"),
    (1, "update team"),
    (2, "delete team"),
    (6, "add members"),
    (3, "remove members"),
    (2, "replace members"),
    (7, "create role"),
    (5, "update role"),
    (2, "delete role"),
    (2, "duplicate role"),
    (2, "import permissions"),
    (3, "add permissions"),
    (3, "remove permissions"),
    (14, "create binding"),
    (5, "delete binding"),
    (3, "create bindings"),
    (2, "delete bindings"),
    (3, "replace bindings"),
    (1, "send again"),
];

/// One difference between server and oracle; the run ends at the first.
pub type Difference = String;

/// A question that was answered, to be asked again about that time.
struct Past {
    token: String,
    question: Question,
    answer: Result<Reason, Unknown>,
}

/// May this subject do this, or use this API scope?
#[derive(Clone, Debug)]
struct Question {
    account: String,
    subject: Subject,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Permission(String),
    ApiScope(String),
}

/// A version of a catalog, and the token of the revision that has it.
#[derive(Clone)]
struct Version {
    id: String,
    token: String,
    catalog: Catalog,
}

/// The account that a write is about.
struct Place {
    id: String,
    name: String,
    found: Option<Account>,
    catalog: Catalog,
}

pub struct Worker {
    name: String,
    random: Random,
    wire: Wire,
    oracle: Oracle,
    done: Done,
    past: Vec<Past>,
    again: Vec<Again>,
    /// How many request ids were given.
    requests: usize,
    versions: Vec<Version>,
    /// The etag that each thing had when it was last looked at.
    etags: BTreeMap<String, String>,
    /// The etags of what is deleted: no later thing of the same name has one of them.
    dead_etags: BTreeSet<(String, String)>,
    token: String,
}

fn ids(letter: char, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{letter}{number}"))
}

fn users() -> impl Iterator<Item = String> {
    ids('u', 8)
}

/// The last three are also ids of users.
fn service_accounts() -> impl Iterator<Item = String> {
    ids('b', 2).chain(ids('u', 3))
}

fn teams() -> impl Iterator<Item = String> {
    ids('t', 4)
}

fn roles() -> impl Iterator<Item = String> {
    ids('r', 4)
}

fn features() -> impl Iterator<Item = String> {
    ids('f', 4)
}

fn sections() -> impl Iterator<Item = String> {
    ids('s', 3)
}

fn permissions() -> impl Iterator<Item = String> {
    (0..16).map(|number| format!("area.thing{}.do{number}", number % 3))
}

fn api_scopes() -> impl Iterator<Item = String> {
    (0..5).map(|number| format!("x{number}:y"))
}

impl Worker {
    pub fn new(name: &str, seed: u64, wire: Wire) -> Self {
        let (oracle, done, past, again, requests, versions, etags, dead_etags, token) = Default::default();
        let (name, random) = (name.to_owned(), Random(seed));
        Self { name, random, wire, oracle, done, past, again, requests, versions, etags, dead_etags, token }
    }

    pub async fn run(mut self, plan: Plan) -> Result<Done, Difference> {
        for catalog in 0..2 {
            self.first_catalog(catalog).await.map_err(|text| format!("the first catalog: {text}"))?;
        }
        while self.done.writes < plan.writes {
            self.oracle.next_write();
            let mut place = self.place();
            let operation = self.operation(&place);
            if operation != "create account" && place.found.is_none() && self.random.chance(60) {
                place = self.place();
            }
            let before = self.done.writes;
            let wrote = Box::pin(self.write(operation, &place)).await;
            if let Err(difference) = wrote {
                return Err(format!("write {} ({operation}): {difference}", self.done.writes));
            }
            // A write that was refused changes nothing: what it did all the same is found a little later.
            if self.done.writes == before && self.random.chance(60) {
                continue;
            }
            let asked = Box::pin(self.ask(plan)).await;
            if let Err(difference) = asked {
                return Err(format!("after write {} ({operation}): {difference}", self.done.writes));
            }
        }
        self.done.not_called = Some(self.wire.notes.not_called());
        Ok(self.done)
    }

    /// Chooses what to do. Most writes are to succeed: what they need comes first.
    fn operation(&mut self, place: &Place) -> &'static str {
        match &place.found {
            None if self.random.chance(80) => return "create account",
            Some(found) if found.users.len() < 4 && self.random.chance(40) => return "create user",
            Some(found) if found.teams.len() < 2 && self.random.chance(40) => return "create team",
            Some(found) if found.roles.is_empty() && self.random.chance(40) => return "create role",
            _ => {}
        }
        let mut left = self.random.below(OPERATIONS.iter().map(|(weight, _)| weight).sum());
        for (weight, operation) in OPERATIONS {
            if left < *weight {
                return operation;
            }
            left -= weight;
        }
        unreachable!("the weights have this sum")
    }

    async fn write(&mut self, operation: &'static str, place: &Place) -> Result<(), Difference> {
        match operation {
            "create account" => self.create_account(place).await,
            "update account" => self.update_account(place).await,
            "delete account" => self.delete_account(place).await,
            "apply account" => self.apply_account(place).await,
            "export account" => self.export_account(place).await,
            "apply catalog" => self.apply_catalog().await,
            "delete catalog" => self.delete_catalog().await,
            "compare catalogs" => self.compare_catalogs().await,
            "create user" => self.create_user(place).await,
            "create users" => self.create_users(place).await,
            "update user" => self.update_user(place).await,
            "erase user" => self.erase_user(place).await,
            "sign in" => self.sign_in(place).await,
            "delete user" => self.delete_user(place).await,
            "add user teams" => self.add_user_teams(place).await,
            "remove user teams" => self.remove_user_teams(place).await,
            "replace user teams" => self.replace_user_teams(place).await,
            "remove user role" => self.remove_user_role(place).await,
            "create service account" => self.create_service_account(place).await,
            "update service account" => self.update_service_account(place).await,
            "delete service account" => self.delete_service_account(place).await,
            "create team" => self.create_team(place).await,
            "update team" => self.update_team(place).await,
            "delete team" => self.delete_team(place).await,
            "add members" => self.add_members(place).await,
            "remove members" => self.remove_members(place).await,
            "replace members" => self.replace_members(place).await,
            "create role" => self.create_role(place).await,
            "update role" => self.update_role(place).await,
            "delete role" => self.delete_role(place).await,
            "duplicate role" => self.duplicate_role(place).await,
            "import permissions" => self.import_permissions(place).await,
            "add permissions" => self.add_permissions(place).await,
            "remove permissions" => self.remove_permissions(place).await,
            "create binding" => self.create_binding(place).await,
            "delete binding" => self.delete_binding(place).await,
            "create bindings" => self.create_bindings(place).await,
            "delete bindings" => self.delete_bindings(place).await,
            "replace bindings" => self.replace_bindings(place).await,
            "send again" => self.send_old().await,
            other => unreachable!("{other} is no operation"),
        }
    }
}

/// What all writes need.
impl Worker {
    /// Notes that something was held against the oracle.
    fn compared(&mut self, what: &'static str) {
        debug_assert!(COMPARED.contains(&what), "{what}");
        *self.done.compared.entry(what).or_default() += 1;
    }

    fn catalog_id(&self, number: usize) -> String {
        format!("{}-c{number}", self.name)
    }

    /// One of the accounts, or one that is not there.
    fn place(&mut self) -> Place {
        let id = format!("{}-a{}", self.name, self.random.below(3));
        let found = self.oracle.accounts.get(&id).cloned();
        let catalog = found.as_ref().and_then(|found| self.oracle.catalogs.get(&found.catalog)).cloned();
        Place { name: format!("accounts/{id}"), id, found, catalog: catalog.unwrap_or_default() }
    }

    /// One of these that is there, mostly; else any.
    fn one_of(&mut self, there: impl IntoIterator<Item = String>, any: impl IntoIterator<Item = String>) -> String {
        let known = if self.random.chance(85) { self.random.pick(there) } else { None };
        known.or_else(|| self.random.pick(any)).expect("there are ids")
    }

    /// A role of an account by its whole name.
    fn role_text(&self, account: &str, role: &RoleName) -> String {
        match role {
            RoleName::Managed(id) => {
                let catalog = self.oracle.accounts.get(account).map_or("none", |account| account.catalog.as_str());
                format!("catalogs/{catalog}/roles/{id}")
            }
            RoleName::Custom(id) => format!("accounts/{account}/roles/{id}"),
        }
    }

    fn role_texts(&self, account: &str, roles: impl IntoIterator<Item = RoleName>) -> Vec<String> {
        roles.into_iter().map(|role| self.role_text(account, &role)).collect()
    }
}

impl Place {
    /// What is wrong if the account is not there.
    fn missing(&self) -> Wrong {
        if self.found.is_none() { vec![Code::NotFound] } else { Vec::new() }
    }

    fn user_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.users.keys().cloned()).collect()
    }

    fn service_account_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.service_accounts.keys().cloned()).collect()
    }

    fn team_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.teams.keys().cloned()).collect()
    }

    fn role_ids(&self) -> Vec<String> {
        self.found.iter().flat_map(|found| found.roles.keys().cloned()).collect()
    }

    fn has_holder(&self, holder: &Holder) -> bool {
        self.found.as_ref().is_some_and(|found| found.has_holder(holder))
    }

    /// Whether there is a role, and not an internal one.
    fn shows_role(&self, role: &RoleName) -> bool {
        self.has_role(role) && !self.is_internal(role)
    }

    fn has_role(&self, role: &RoleName) -> bool {
        let Some(found) = &self.found else { return false };
        match role {
            RoleName::Managed(id) => self.catalog.roles.contains_key(id),
            RoleName::Custom(id) => found.roles.contains_key(id),
        }
    }

    fn is_internal(&self, role: &RoleName) -> bool {
        let RoleName::Managed(id) = role else { return false };
        self.catalog.roles.get(id).is_some_and(|role| role.internal)
    }

    /// The permissions that a customer can name.
    fn open_permissions(&self) -> Set {
        let open = self.catalog.permissions.iter().filter(|(_, definition)| !definition.internal);
        open.map(|(id, _)| id.clone()).collect()
    }
}

fn holder_text(holder: &Holder) -> String {
    match holder {
        Holder::User(id) => format!("users/{id}"),
        Holder::Team(id) => format!("teams/{id}"),
        Holder::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}

fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::User(id) => format!("users/{id}"),
        Subject::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}

/// The same set, or what differs.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, given: &T, expected: &T) -> Result<(), Difference> {
    if given == expected {
        return Ok(());
    }
    Err(format!("{what} is {given:?}; the oracle says {expected:?}"))
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}
