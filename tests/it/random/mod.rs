//! Random writes through the API, each followed by questions whose answers the oracle knows.
//!
//! A worker has catalogs and accounts of its own, so several can work at a time and each is repeated by its seed alone.
//! Ids come from small sets: things are created, deleted and created again all the time. Writes that cannot succeed are
//! made too, and have to fail with the right code and change nothing. Start with [`Worker::run`]; what can be done is
//! listed in [`OPERATIONS`].

mod access;
mod account_files;
mod accounts;
mod answers;
mod bindings;
mod catalog_files;
mod catalogs;
mod clock;
mod done;
mod etags;
mod exceptions;
mod expected;
mod expiries;
mod files;
mod manners;
mod paths;
mod permission_lists;
mod place;
mod policies;
mod questions;
mod random_accounts;
mod random_catalogs;
mod resources;
mod role_parts;
mod role_views;
mod roles;
mod searches;
mod service_accounts;
mod statements;
mod teams;
mod user_lines;
mod users;
mod views;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

pub use self::{
    clock::RunClock,
    done::{Done, Plan},
    wire::Wire,
};
use self::{
    manners::Again,
    place::{Place, holder_text, subject_text},
    questions::Past,
};
use super::oracle::{Catalog, Oracle};

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
    (2, "import users"),
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
    (5, "create resource"),
    (2, "create resources"),
    (1, "update resource"),
    (2, "delete resource"),
    (6, "create policy"),
    (4, "update policy"),
    (2, "delete policy"),
    (5, "set access"),
    (3, "add access"),
    (2, "remove access"),
    (5, "create exception"),
    (2, "delete exception"),
    (1, "send again"),
];

/// One difference between server and oracle; the run ends at the first.
pub type Difference = String;

/// A version of a catalog, and the token of the revision that has it.
#[derive(Clone)]
struct Version {
    id: String,
    token: String,
    catalog: Catalog,
}

pub struct Worker {
    name: String,
    random: Random,
    wire: Wire,
    clock: RunClock,
    /// The time of the step that is under way, in milliseconds.
    now: u64,
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
    ids('u', 7)
}

/// The last three are also ids of users.
fn service_accounts() -> impl Iterator<Item = String> {
    ids('b', 1).chain(ids('u', 3))
}

fn teams() -> impl Iterator<Item = String> {
    ids('t', 4)
}

fn roles() -> impl Iterator<Item = String> {
    ids('r', 7)
}

fn managed_roles() -> impl Iterator<Item = String> {
    ids('m', 6)
}

/// Of custom policies.
fn policies() -> impl Iterator<Item = String> {
    ids('p', 3)
}

fn features() -> impl Iterator<Item = String> {
    ids('f', 4)
}

fn sections() -> impl Iterator<Item = String> {
    ids('s', 3)
}

/// Some are longer than others, and end alike.
fn permissions() -> impl Iterator<Item = String> {
    (0..14).map(|number| match number {
        0..9 => format!("area.thing{}.do{number}", number % 3),
        9..12 => format!("area.thing{}.sub.do{}", number % 3, number - 9),
        _ => format!("area.do{number}"),
    })
}

fn api_scopes() -> impl Iterator<Item = String> {
    (0..5).map(|number| format!("x{number}:y"))
}

impl Worker {
    pub fn new(name: &str, seed: u64, wire: Wire, clock: RunClock) -> Self {
        let (oracle, done, past, again, requests, versions, etags, dead_etags, token) = Default::default();
        let (name, random, now) = (name.to_owned(), Random(seed), clock.millis());
        Self { name, random, wire, clock, now, oracle, done, past, again, requests, versions, etags, dead_etags, token }
    }

    pub async fn run(mut self, plan: Plan) -> Result<Done, Difference> {
        for catalog in 0..2 {
            self.first_catalog(catalog).await.map_err(|text| format!("the first catalog: {text}"))?;
        }
        while self.done.writes < plan.writes {
            let clock = self.clock.clone();
            {
                // Nobody else moves the clock during a step.
                let _step = clock.step().await;
                self.now = clock.millis();
                Box::pin(self.step(plan)).await?;
            }
            if clock.moves() && self.random.chance(35) {
                let moved = Box::pin(self.move_clock()).await;
                moved
                    .map_err(|difference| format!("at {} after write {}: {difference}", self.now, self.done.writes))?;
            }
        }
        self.done.not_called = Some(self.wire.notes.not_called());
        Ok(self.done)
    }

    /// A write, and what is asked after it.
    async fn step(&mut self, plan: Plan) -> Result<(), Difference> {
        self.oracle.next_write();
        let mut place = self.place();
        let operation = self.operation(&place);
        if operation != "create account" && place.found.is_none() && self.random.chance(60) {
            place = self.place();
        }
        let before = self.done.writes;
        let wrote = Box::pin(self.write(operation, &place)).await;
        wrote.map_err(|difference| format!("write {} ({operation}): {difference}", self.done.writes))?;
        // A write that was refused changes nothing: what it did all the same is found a little later.
        if self.done.writes == before && self.random.chance(60) {
            return Ok(());
        }
        let asked = Box::pin(self.ask(plan)).await;
        asked.map_err(|difference| format!("after write {} ({operation}): {difference}", self.done.writes))
    }

    /// Chooses what to do. Most writes are to succeed: what they need comes first.
    fn operation(&mut self, place: &Place) -> &'static str {
        match &place.found {
            None if self.random.chance(80) => return "create account",
            Some(found) if found.users.len() < 4 && self.random.chance(40) => return "create user",
            Some(found) if found.teams.len() < 2 && self.random.chance(40) => return "create team",
            Some(found) if found.roles.is_empty() && self.random.chance(40) => return "create role",
            Some(found) if found.resources.len() < 3 && self.random.chance(30) => return "create resources",
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
            "import users" => self.import_users(place).await,
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
            "create resource" => self.create_resource(place).await,
            "create resources" => self.create_resources(place).await,
            "update resource" => self.update_resource(place).await,
            "delete resource" => self.delete_resource(place).await,
            "create policy" => self.create_policy(place).await,
            "update policy" => self.update_policy(place).await,
            "delete policy" => self.delete_policy(place).await,
            "set access" => self.set_access(place).await,
            "add access" => self.change_access(place, true).await,
            "remove access" => self.change_access(place, false).await,
            "create exception" => self.create_exception(place).await,
            "delete exception" => self.delete_exception(place).await,
            "send again" => self.send_old().await,
            other => unreachable!("{other} is no operation"),
        }
    }
}

impl Worker {
    /// Notes that something was held against the oracle.
    fn compared(&mut self, what: &str) {
        *self.done.compared.entry(what.to_owned()).or_default() += 1;
    }

    fn catalog_id(&self, number: usize) -> String {
        format!("{}-c{number}", self.name)
    }

    /// One of these that is there, mostly; else any.
    fn one_of(&mut self, there: impl IntoIterator<Item = String>, any: impl IntoIterator<Item = String>) -> String {
        let known = if self.random.chance(85) { self.random.pick(there) } else { None };
        known.or_else(|| self.random.pick(any)).expect("there are ids")
    }

    /// A time ahead, or none: mostly a near one where the clock moves.
    fn random_expiry(&mut self, percent: usize) -> Option<u64> {
        let far = 20 * 365 * 24 * 3_600_000;
        let ahead = if self.clock.moves() && self.random.chance(90) { 30_000 } else { far };
        self.random.chance(percent).then(|| self.now + 1 + self.random.below(ahead) as u64)
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

/// A time on the wire.
fn time(millis: u64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: (millis / 1_000) as i64, nanos: (millis % 1_000) as i32 * 1_000_000 }
}
