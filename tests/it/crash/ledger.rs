//! What one writer knows: what was acknowledged, what was in flight when its server was killed, and some answers of the
//! past.
//!
//! Each writer has things of its own, so that what is acknowledged to it is one state, and at most one more is possible:
//! the one after the write in flight. [`Ledger::write_on`] writes until the server is gone; [`Ledger::verify`] looks at
//! the next server. Revisions are read out of consistency tokens, which only a test may do.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rolecall::proto::{
    AddTeamMembersRequest, AddUserTeamsRequest, CreateRoleBindingRequest, CreateRoleRequest, CreateTeamRequest,
    CreateUserRequest, DeleteRoleBindingRequest, DeleteRoleRequest, DeleteTeamRequest, DeleteUserRequest,
    ListRoleBindingsRequest, RemoveTeamMembersRequest, RemoveUserTeamsRequest, Role, RoleBinding, Team,
    UpdateRoleRequest, UpdateUserRequest, User, user,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    facts::{Account, Write, catalog_file},
    observe,
};
use crate::{oracle::State, process::Random, support::Clients};

/// How a writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Call after call on a small account.
    Calls,
    /// A file of some hundred users, again and again, each in one write.
    Crowd,
    /// The catalog, in which a managed role changes every time.
    Catalog,
}

/// What one writer may rely on.
pub struct Ledger {
    pub id: String,
    kind: Kind,
    /// What was acknowledged.
    known: Known,
    /// What it is if the write in flight was made.
    possible: Option<Known>,
    pins: Vec<Pin>,
    random: Random,
    newest: Newest,
    pub counts: Counts,
}

/// A version counts whole files; of a writer of calls only the facts count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    version: usize,
    facts: Account,
}

/// An answer at a revision, as it was given before the kill.
struct Pin {
    token: String,
    answer: String,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub acknowledged: u64,
    /// Writes in flight that were there after the kill, and that were not.
    pub made: u64,
    pub not_made: u64,
    pub pins: u64,
}

/// The newest revision that was acknowledged to any writer of a directory.
#[derive(Clone, Default)]
pub struct Newest(Arc<AtomicU64>);

impl Newest {
    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// What was acknowledged has not gone behind the revision of this token.
    pub fn verify(&self, token: &str) {
        assert!(revision(token) >= self.get(), "{} was acknowledged, the server is at {}", self.get(), revision(token));
    }
}

impl Ledger {
    pub fn of_calls(number: usize, random: Random, newest: &Newest) -> Self {
        Self::new(format!("w{number}"), Kind::Calls, random, newest)
    }

    pub fn of_a_crowd(random: Random, newest: &Newest) -> Self {
        Self::new("crowd".to_owned(), Kind::Crowd, random, newest)
    }

    pub fn of_the_catalog(random: Random, newest: &Newest) -> Self {
        Self::new("catalog".to_owned(), Kind::Catalog, random, newest)
    }

    fn new(id: String, kind: Kind, random: Random, newest: &Newest) -> Self {
        let (known, counts) = Default::default();
        let newest = newest.clone();
        Self { id, kind, known, possible: None, pins: Vec::new(), random, newest, counts }
    }

    /// Makes what the writer works on.
    pub async fn create(&mut self, clients: &mut Clients) {
        let made = self.attempt(clients, &Write::Apply(Account::default())).await;
        assert!(made, "nothing is killed yet");
    }

    /// Writes until the server is gone.
    pub async fn write_on(&mut self, mut clients: Clients) {
        assert!(self.possible.is_none(), "the last write in flight was found out about");
        loop {
            let write = match self.kind {
                Kind::Calls => self.known.facts.random_write(&mut self.random),
                Kind::Crowd => Write::Apply(Account::crowd(self.known.version + 1)),
                Kind::Catalog => Write::Apply(Account::default()),
            };
            if !self.attempt(&mut clients, &write).await {
                return;
            }
            let pause = match self.kind {
                Kind::Calls => self.random.wait(0, 2),
                Kind::Crowd => self.random.wait(5, 100),
                Kind::Catalog => self.random.wait(5, 60),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One write. Whether it was acknowledged.
    async fn attempt(&mut self, clients: &mut Clients, write: &Write) -> bool {
        let next = Known { version: self.known.version + 1, facts: self.known.facts.after(write) };
        let before = self.newest.get();
        let outcome = match self.kind {
            Kind::Catalog => applied(clients.apply_catalog(&catalog_file(next.version)).await),
            _ => make(clients, &self.id, write).await,
        };
        match outcome {
            Ok(token) => {
                let revision = revision(&token);
                assert!(revision > before, "{}: acknowledged at {revision}, after {before}", self.id);
                self.newest.0.fetch_max(revision, Ordering::SeqCst);
                self.known = next;
                self.counts.acknowledged += 1;
                if self.kind == Kind::Calls
                    && self.random.one_in(20)
                    && let Ok(answer) = observe::pinned(clients, &self.id, &token).await
                {
                    self.pins.push(Pin { token, answer });
                }
                true
            }
            Err(status) => {
                if !is_surely_not_written(&self.id, write, &status) {
                    self.possible = Some(next);
                }
                false
            }
        }
    }

    /// Everything acknowledged is there, and of the write in flight everything or nothing. For all but the catalog.
    pub async fn verify(&mut self, mut clients: Clients, catalog: usize) {
        if self.kind == Kind::Catalog {
            self.settle(|known| known.version == catalog, &format!("version {catalog}"));
            return;
        }
        let candidates: Vec<_> = self.known.facts.users.keys().cloned().collect();
        let sample: BTreeSet<String> = match self.kind {
            Kind::Calls => (0..12).map(|number| format!("u{number}")).collect(),
            _ => (0..8.min(candidates.len())).map(|_| self.random.pick(&candidates).clone()).collect(),
        };
        let seen = observe::account(&mut clients, &self.id, &sample).await;
        self.settle(|known| known.facts == seen, &format!("{seen:#?}"));
        observe::check_answers(&mut clients, &self.id, &seen, catalog, &sample).await;
        for _ in 0..self.pins.len().min(4) {
            let index = self.random.below(self.pins.len());
            self.verify_pin(&mut clients, index).await;
        }
    }

    fn settle(&mut self, is_seen: impl Fn(&Known) -> bool, seen: &str) {
        let possible = self.possible.take();
        match possible {
            Some(possible) if is_seen(&possible) => {
                self.known = possible;
                self.counts.made += 1;
            }
            _ if is_seen(&self.known) => self.counts.not_made += u64::from(possible.is_some()),
            possible => panic!(
                "{}: acknowledged was\n{:#?}\nin flight was\n{possible:#?}\nthe server shows\n{seen}",
                self.id, self.known
            ),
        }
    }

    async fn verify_pin(&mut self, clients: &mut Clients, index: usize) {
        let pin = &self.pins[index];
        let answer = observe::pinned(clients, &self.id, &pin.token).await.unwrap();
        assert_eq!(answer, pin.answer, "{}: at revision {}", self.id, revision(&pin.token));
        self.counts.pins += 1;
    }

    /// All answers of the past.
    pub async fn verify_pins(&mut self, mut clients: Clients) {
        for index in 0..self.pins.len() {
            self.verify_pin(&mut clients, index).await;
        }
    }
}

fn revision(token: &str) -> u64 {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    u64::from_be_bytes(bytes[10..18].try_into().unwrap())
}

/// Whether the server has said that nothing was written. Any other refusal is a mistake of this test, or of the server.
#[track_caller]
fn is_surely_not_written(id: &str, write: &Write, status: &Status) -> bool {
    match status.get_details_error_info() {
        Some(info) if info.reason == "SHUTTING_DOWN" => true,
        Some(info) => panic!("{id}: {write:?}: {info:?} {status:?}"),
        None => {
            let is_transport = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled);
            assert!(is_transport || std::error::Error::source(status).is_some(), "{id}: {write:?}: {status:?}");
            false
        }
    }
}

#[track_caller]
fn applied(outcome: Result<String, (Vec<String>, Status)>) -> Result<String, Status> {
    outcome.map_err(|(problems, status)| {
        assert!(problems.is_empty(), "{problems:?}");
        status
    })
}

/// Makes one write. Gives its consistency token.
async fn make(clients: &mut Clients, id: &str, write: &Write) -> Result<String, Status> {
    let parent = format!("accounts/{id}");
    let name = |kind: &str, id: &str| format!("{parent}/{kind}/{id}");
    let members = |users: &[String]| users.iter().map(|id| format!("users/{id}")).collect();
    let of_teams = |teams: &[String]| teams.iter().map(|id| format!("teams/{id}")).collect();
    let user = |user: &str, state: &State, display_name: &str| {
        let state = match state {
            State::Invited => user::State::Invited,
            State::Active => user::State::Active,
            State::Suspended => user::State::Suspended,
        };
        let display_name = display_name.to_owned();
        Some(User { name: name("users", user), display_name, state: state.into(), ..User::default() })
    };
    let role = |role: &str, permissions: &BTreeSet<String>| {
        let (display_name, permissions) = (role.to_owned(), permissions.iter().cloned().collect());
        Some(Role { name: name("roles", role), display_name, permissions, ..Role::default() })
    };
    Ok(match write {
        Write::CreateUser(user_id, state, display_name) => {
            let user = user(user_id, state, display_name);
            let request =
                CreateUserRequest { parent: parent.clone(), user_id: user_id.clone(), user, ..Default::default() };
            clients.users.create_user(request).await?.into_inner().consistency_token
        }
        Write::UpdateUser(user_id, state, display_name) => {
            let request =
                UpdateUserRequest { user: user(user_id, state, display_name), update_mask: None, ..Default::default() };
            clients.users.update_user(request).await?.into_inner().consistency_token
        }
        Write::DeleteUser(id) => {
            let request = DeleteUserRequest { name: name("users", id), force: true, ..Default::default() };
            clients.users.delete_user(request).await?.into_inner().consistency_token
        }
        Write::AddUserTeams(user, teams) => {
            let request =
                AddUserTeamsRequest { name: name("users", user), teams: of_teams(teams), ..Default::default() };
            clients.users.add_user_teams(request).await?.into_inner().consistency_token
        }
        Write::RemoveUserTeams(user, teams) => {
            let request =
                RemoveUserTeamsRequest { name: name("users", user), teams: of_teams(teams), ..Default::default() };
            clients.users.remove_user_teams(request).await?.into_inner().consistency_token
        }
        Write::AddTeamMembers(team, users) => {
            let request =
                AddTeamMembersRequest { name: name("teams", team), members: members(users), ..Default::default() };
            clients.teams.add_team_members(request).await?.into_inner().consistency_token
        }
        Write::RemoveTeamMembers(team, users) => {
            let request =
                RemoveTeamMembersRequest { name: name("teams", team), members: members(users), ..Default::default() };
            clients.teams.remove_team_members(request).await?.into_inner().consistency_token
        }
        Write::CreateTeam(team_id) => {
            let team = Some(Team { display_name: team_id.clone(), ..Team::default() });
            let request =
                CreateTeamRequest { parent: parent.clone(), team_id: team_id.clone(), team, ..Default::default() };
            clients.teams.create_team(request).await?.into_inner().consistency_token
        }
        Write::DeleteTeam(id) => {
            let request = DeleteTeamRequest { name: name("teams", id), force: true, ..Default::default() };
            clients.teams.delete_team(request).await?.into_inner().consistency_token
        }
        Write::CreateRole(role_id, permissions) => {
            let role = role(role_id, permissions);
            let request =
                CreateRoleRequest { parent: parent.clone(), role_id: role_id.clone(), role, ..Default::default() };
            clients.roles.create_role(request).await?.into_inner().consistency_token
        }
        Write::UpdateRole(role_id, permissions) => {
            let request =
                UpdateRoleRequest { role: role(role_id, permissions), update_mask: None, ..Default::default() };
            clients.roles.update_role(request).await?.into_inner().consistency_token
        }
        Write::DeleteRole(id) => {
            let request = DeleteRoleRequest { name: name("roles", id), force: true, ..Default::default() };
            clients.roles.delete_role(request).await?.into_inner().consistency_token
        }
        Write::Bind(holder, role) => {
            let (holder, role) = (observe::holder_name(holder), observe::role_name(id, role));
            let role_binding = Some(RoleBinding { holder, role, ..RoleBinding::default() });
            let request = CreateRoleBindingRequest {
                parent: parent.clone(),
                role_binding,
                allow_internal_role: false,
                ..Default::default()
            };
            clients.bindings.create_role_binding(request).await?.into_inner().consistency_token
        }
        Write::Unbind(holder, role) => {
            let (holder, role) = (observe::holder_name(holder), observe::role_name(id, role));
            let request =
                ListRoleBindingsRequest { parent: parent.clone(), holder, role, ..ListRoleBindingsRequest::default() };
            let found = clients.bindings.list_role_bindings(request).await?.into_inner().role_bindings;
            assert_eq!(found.len(), 1, "{id}: {write:?}");
            let request = DeleteRoleBindingRequest { name: found[0].name.clone(), ..Default::default() };
            clients.bindings.delete_role_binding(request).await?.into_inner().consistency_token
        }
        Write::Apply(account) => {
            // Sent in one go: the time between is better spent on being killed.
            tokio::time::timeout(Duration::from_secs(30), async {
                applied(clients.apply_account(&account.file(id)).await)
            })
            .await
            .expect("an answer, or a broken connection")?
        }
    })
}
