//! Random writes through the API, each followed by questions whose answers the oracle knows.
//!
//! A worker has catalogs and accounts of its own, so several can work at a time and each is repeated by its seed alone.
//! Ids come from small sets: things are created, deleted and created again all the time. Writes that cannot succeed are
//! made too, and have to fail with the right code and change nothing. Start with [`Worker::run`].

mod files;
mod questions;

use std::collections::BTreeSet;

use rolecall::proto::{
    self, AddTeamMembersRequest, AddUserTeamsRequest, CreateAccountRequest, CreateRoleBindingRequest,
    CreateRoleRequest, CreateTeamRequest, CreateUserRequest, DeleteAccountRequest, DeleteCatalogRequest,
    DeleteRoleBindingRequest, DeleteRoleRequest, DeleteTeamRequest, DeleteUserRequest, ListRoleBindingsRequest,
    RemoveTeamMembersRequest, RemoveUserRoleRequest, RemoveUserTeamsRequest, UpdateAccountRequest, UpdateRoleRequest,
    UpdateTeamRequest, UpdateUserRequest,
};
use tonic::{Code, Status};

use super::{
    oracle::{Holder, Oracle, Reason, RoleName, State, Unknown},
    support::Clients,
};

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
    /// Of a hundred writes, after how many a whole list is compared.
    pub lists_percent: usize,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Writes that were acknowledged.
    pub writes: usize,
    /// Writes that were refused, as they had to be.
    pub refused: usize,
    pub checks: usize,
    pub lists: usize,
    pub past_checks: usize,
}

/// One difference between server and oracle; the run ends at the first.
pub type Difference = String;

/// A question that was answered, to be asked again about that time.
struct Past {
    token: String,
    account: String,
    user: String,
    permission: String,
    answer: Result<Reason, Unknown>,
}

pub struct Worker {
    name: String,
    random: Random,
    clients: Clients,
    oracle: Oracle,
    done: Done,
    past: Vec<Past>,
    token: String,
}

fn users() -> impl Iterator<Item = String> {
    (0..8).map(|number| format!("u{number}"))
}

fn teams() -> impl Iterator<Item = String> {
    (0..4).map(|number| format!("t{number}"))
}

fn roles() -> impl Iterator<Item = String> {
    (0..4).map(|number| format!("r{number}"))
}

fn permissions() -> impl Iterator<Item = String> {
    (0..16).map(|number| format!("area.thing{}.do{number}", number % 3))
}

fn features() -> impl Iterator<Item = String> {
    (0..4).map(|number| format!("f{number}"))
}

impl Worker {
    pub fn new(name: &str, seed: u64, clients: Clients) -> Self {
        let (oracle, done, past, token) = Default::default();
        Self { name: name.to_owned(), random: Random(seed), clients, oracle, done, past, token }
    }

    pub async fn run(mut self, plan: Plan) -> Result<Done, Difference> {
        for catalog in 0..2 {
            self.replace_catalog(catalog).await.map_err(|status| format!("the first catalog: {status}"))?;
        }
        while self.done.writes < plan.writes {
            let operation = self.random.below(100);
            let wrote = self.write(operation).await;
            if let Err(difference) = wrote {
                return Err(format!("write {} (operation {operation}): {difference}", self.done.writes));
            }
            let asked = self.ask(plan).await;
            if let Err(difference) = asked {
                return Err(format!("after write {} (operation {operation}): {difference}", self.done.writes));
            }
        }
        Ok(self.done)
    }

    fn catalog_id(&self, number: usize) -> String {
        format!("{}-c{number}", self.name)
    }

    fn account_id(&mut self) -> String {
        format!("{}-a{}", self.name, self.random.below(3))
    }

    fn role_name(&self, account: &str, role: &RoleName) -> String {
        match role {
            RoleName::Managed(id) => {
                let catalog = self.oracle.accounts.get(account).map_or("none", |account| account.catalog.as_str());
                format!("catalogs/{catalog}/roles/{id}")
            }
            RoleName::Custom(id) => format!("accounts/{account}/roles/{id}"),
        }
    }

    /// Notes a write that succeeded or failed as it had to.
    fn expect<T>(
        &mut self,
        what: &str,
        outcome: Result<T, Status>,
        code: Option<Code>,
    ) -> Result<Option<T>, Difference> {
        match (outcome, code) {
            (Ok(value), None) => {
                self.done.writes += 1;
                Ok(Some(value))
            }
            (Err(status), Some(code)) if status.code() == code => {
                self.done.refused += 1;
                Ok(None)
            }
            (Ok(_), Some(code)) => Err(format!("{what} succeeded; {code:?} was expected")),
            (Err(status), code) => Err(format!("{what} failed with {status}; {code:?} was expected")),
        }
    }

    async fn write(&mut self, mut operation: usize) -> Result<(), Difference> {
        let account = self.account_id();
        let parent = format!("accounts/{account}");
        let existing = self.oracle.accounts.get(&account).cloned();
        // Most writes are to succeed: what they need comes first.
        if existing.is_none() && self.random.chance(80) {
            operation = 0;
        } else if existing.as_ref().is_some_and(|found| found.users.len() < 4) && self.random.chance(60) {
            operation = 14;
        } else if existing.as_ref().is_some_and(|found| found.teams.len() < 2) && self.random.chance(40) {
            operation = 33;
        }
        let missing = if existing.is_none() { Some(Code::NotFound) } else { None };
        let user = self.random.pick(users()).unwrap();
        let team = self.random.pick(teams()).unwrap();
        let custom = self.random.pick(roles()).unwrap();
        let has_user = existing.as_ref().is_some_and(|account| account.users.contains_key(&user));
        let has_team = existing.as_ref().is_some_and(|account| account.teams.contains_key(&team));
        let has_role = existing.as_ref().is_some_and(|account| account.roles.contains_key(&custom));
        let user_name = format!("{parent}/users/{user}");
        let team_name = format!("{parent}/teams/{team}");
        let role_name = format!("{parent}/roles/{custom}");
        let not_found = |exists: bool| missing.or(if exists { None } else { Some(Code::NotFound) });
        let taken = |exists: bool| missing.or(if exists { Some(Code::AlreadyExists) } else { None });
        match operation {
            // Accounts.
            0..2 => {
                let catalog = self.catalog_id(self.random.0 as usize % 2);
                let known = self.oracle.catalogs.get(&catalog).map(|found| found.features.clone());
                let chosen = self.random.subset(60, known.clone().unwrap_or_default());
                let request = CreateAccountRequest {
                    account_id: account.clone(),
                    account: Some(proto::Account {
                        catalog: format!("catalogs/{catalog}"),
                        features: chosen.iter().cloned().collect(),
                        ..proto::Account::default()
                    }),
                    ..Default::default()
                };
                let code = if existing.is_some() { Some(Code::AlreadyExists) } else { None };
                let outcome = self.clients.accounts.create_account(request).await;
                if let Some(made) = self.expect("CreateAccount", outcome, code)? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.create_account(&account, &catalog, chosen);
                }
            }
            2..9 => {
                let catalog = existing.as_ref().and_then(|found| self.oracle.catalogs.get(&found.catalog)).cloned();
                let chosen = self.random.subset(65, catalog.map(|catalog| catalog.features).unwrap_or_default());
                let active = self.random.chance(85);
                let state = if active { proto::account::State::Active } else { proto::account::State::Suspended };
                let request = UpdateAccountRequest {
                    account: Some(proto::Account {
                        name: parent,
                        state: state.into(),
                        features: chosen.iter().cloned().collect(),
                        ..proto::Account::default()
                    }),
                    update_mask: Some(prost_types::FieldMask { paths: vec!["state".into(), "features".into()] }),
                    ..Default::default()
                };
                let outcome = self.clients.accounts.update_account(request).await;
                if let Some(made) = self.expect("UpdateAccount", outcome, missing)? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.update_account(&account, Some(active), Some(chosen));
                }
            }
            9 => {
                if self.random.chance(30) {
                    let outcome = self
                        .clients
                        .accounts
                        .delete_account(DeleteAccountRequest { name: parent, ..Default::default() })
                        .await;
                    if let Some(made) = self.expect("DeleteAccount", outcome, missing)? {
                        self.token = made.into_inner().consistency_token;
                        self.oracle.delete_account(&account);
                    }
                }
            }
            // Catalogs.
            10..13 => {
                let number = self.random.below(2);
                let outcome = self.replace_catalog(number).await;
                self.expect("ApplyCatalog", outcome, None)?;
            }
            13 => {
                let number = self.random.below(2);
                let id = self.catalog_id(number);
                let used = self.oracle.accounts.values().any(|account| account.catalog == id);
                if used {
                    let outcome = self
                        .clients
                        .catalogs
                        .delete_catalog(DeleteCatalogRequest { name: format!("catalogs/{id}"), ..Default::default() })
                        .await;
                    self.expect("DeleteCatalog", outcome, Some(Code::FailedPrecondition))?;
                } else {
                    let request = DeleteCatalogRequest { name: format!("catalogs/{id}"), ..Default::default() };
                    let outcome = self.clients.catalogs.delete_catalog(request.clone()).await;
                    self.expect("DeleteCatalog", outcome, None)?;
                    self.oracle.catalogs.remove(&id);
                    let again = self.clients.catalogs.delete_catalog(request).await;
                    self.expect("DeleteCatalog again", again, Some(Code::NotFound))?;
                    // Everything else needs it: another of the same id takes its place.
                    let made = self.replace_catalog(number).await;
                    self.expect("ApplyCatalog", made, None)?;
                }
            }
            // Users.
            14..24 => {
                let (state, sent) = self.random_state();
                let request = CreateUserRequest {
                    parent,
                    user_id: user.clone(),
                    user: Some(proto::User {
                        state: sent.into(),
                        display_name: "A user".into(),
                        ..proto::User::default()
                    }),
                    ..Default::default()
                };
                let outcome = self.clients.users.create_user(request).await;
                if let Some(made) = self.expect("CreateUser", outcome, taken(has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.create_user(&account, &user, state);
                }
            }
            24..30 => {
                let (state, sent) = self.random_state();
                let request = UpdateUserRequest {
                    user: Some(proto::User { name: user_name, state: sent.into(), ..proto::User::default() }),
                    update_mask: Some(prost_types::FieldMask { paths: vec!["state".into()] }),
                    ..Default::default()
                };
                let outcome = self.clients.users.update_user(request).await;
                if let Some(made) = self.expect("UpdateUser", outcome, not_found(has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.update_user(&account, &user, state);
                }
            }
            30..33 => {
                let outcome =
                    self.clients.users.delete_user(DeleteUserRequest { name: user_name, ..Default::default() }).await;
                if let Some(made) = self.expect("DeleteUser", outcome, not_found(has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.delete_user(&account, &user);
                }
            }
            // Teams and members, from either side.
            33..38 => {
                let request = CreateTeamRequest {
                    parent,
                    team_id: team.clone(),
                    team: Some(proto::Team::default()),
                    ..Default::default()
                };
                let outcome = self.clients.teams.create_team(request).await;
                if let Some(made) = self.expect("CreateTeam", outcome, taken(has_team))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.create_team(&account, &team);
                }
            }
            38..40 => {
                let outcome =
                    self.clients.teams.delete_team(DeleteTeamRequest { name: team_name, ..Default::default() }).await;
                if let Some(made) = self.expect("DeleteTeam", outcome, not_found(has_team))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.delete_team(&account, &team);
                }
            }
            40 => {
                let team = Some(proto::Team { name: team_name, display_name: "T".into(), ..proto::Team::default() });
                let outcome = self
                    .clients
                    .teams
                    .update_team(UpdateTeamRequest { team, update_mask: None, ..Default::default() })
                    .await;
                self.expect("UpdateTeam", outcome, not_found(has_team))?;
            }
            41..49 => {
                let request = AddTeamMembersRequest {
                    name: team_name,
                    members: vec![format!("users/{user}")],
                    ..Default::default()
                };
                let outcome = self.clients.teams.add_team_members(request).await;
                if let Some(made) = self.expect("AddTeamMembers", outcome, not_found(has_team && has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.add_member(&account, &team, &user);
                }
            }
            49..53 => {
                let request = RemoveTeamMembersRequest {
                    name: team_name,
                    members: vec![format!("users/{user}")],
                    ..Default::default()
                };
                let outcome = self.clients.teams.remove_team_members(request).await;
                if let Some(made) = self.expect("RemoveTeamMembers", outcome, not_found(has_team && has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.remove_member(&account, &team, &user);
                }
            }
            53..57 => {
                let request =
                    AddUserTeamsRequest { name: user_name, teams: vec![format!("teams/{team}")], ..Default::default() };
                let outcome = self.clients.users.add_user_teams(request).await;
                if let Some(made) = self.expect("AddUserTeams", outcome, not_found(has_team && has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.add_member(&account, &team, &user);
                }
            }
            57..59 => {
                let request = RemoveUserTeamsRequest {
                    name: user_name,
                    teams: vec![format!("teams/{team}")],
                    ..Default::default()
                };
                let outcome = self.clients.users.remove_user_teams(request).await;
                if let Some(made) = self.expect("RemoveUserTeams", outcome, not_found(has_team && has_user))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.remove_member(&account, &team, &user);
                }
            }
            // Custom roles.
            59..69 => {
                let catalog = existing.as_ref().and_then(|found| self.oracle.catalogs.get(&found.catalog)).cloned();
                let known = catalog.map(|catalog| catalog.permissions).unwrap_or_default();
                let listed: Set = self.random.subset(30, known.keys().cloned());
                let reachable = listed.iter().all(|permission| !known[permission].internal);
                let role = proto::Role {
                    name: role_name,
                    display_name: "A role".into(),
                    permissions: listed.iter().cloned().collect(),
                    ..proto::Role::default()
                };
                if self.random.chance(50) {
                    let request =
                        CreateRoleRequest { parent, role_id: custom.clone(), role: Some(role), ..Default::default() };
                    let code = taken(has_role).or(if reachable { None } else { Some(Code::NotFound) });
                    let outcome = self.clients.roles.create_role(request).await;
                    if let Some(made) = self.expect("CreateRole", outcome, code)? {
                        self.token = made.into_inner().consistency_token;
                        self.oracle.create_role(&account, &custom, listed);
                    }
                } else {
                    let mask = Some(prost_types::FieldMask { paths: vec!["permissions".into()] });
                    let request = UpdateRoleRequest { role: Some(role), update_mask: mask, ..Default::default() };
                    let code = not_found(has_role && reachable);
                    let outcome = self.clients.roles.update_role(request).await;
                    if let Some(made) = self.expect("UpdateRole", outcome, code)? {
                        self.token = made.into_inner().consistency_token;
                        self.oracle.update_role(&account, &custom, listed);
                    }
                }
            }
            69..71 => {
                let outcome =
                    self.clients.roles.delete_role(DeleteRoleRequest { name: role_name, ..Default::default() }).await;
                if let Some(made) = self.expect("DeleteRole", outcome, not_found(has_role))? {
                    self.token = made.into_inner().consistency_token;
                    self.oracle.delete_role(&account, &custom);
                }
            }
            // Role bindings.
            71..86 => self.bind(&account, &user, &team).await?,
            86..93 => self.unbind(&account).await?,
            93..97 => self.remove_role(&account).await?,
            // Account files.
            _ => self.apply_account(&account).await?,
        }
        Ok(())
    }

    fn random_state(&mut self) -> (State, proto::user::State) {
        match self.random.below(10) {
            0 => (State::Invited, proto::user::State::Invited),
            1 => (State::Suspended, proto::user::State::Suspended),
            _ => (State::Active, proto::user::State::Active),
        }
    }

    fn random_role(&mut self) -> RoleName {
        if self.random.chance(50) {
            RoleName::Managed(format!("m{}", self.random.below(5)))
        } else {
            RoleName::Custom(self.random.pick(roles()).unwrap())
        }
    }

    /// Whether an account has a role to assign, an internal one included.
    fn has_role(&self, account: &str, role: &RoleName) -> bool {
        let Some(found) = self.oracle.accounts.get(account) else { return false };
        match role {
            RoleName::Managed(id) => self.oracle.catalogs[&found.catalog].roles.contains_key(id),
            RoleName::Custom(id) => found.roles.contains_key(id),
        }
    }

    fn is_internal(&self, account: &str, role: &RoleName) -> bool {
        let RoleName::Managed(id) = role else { return false };
        let Some(found) = self.oracle.accounts.get(account) else { return false };
        self.oracle.catalogs[&found.catalog].roles.get(id).is_some_and(|role| role.internal)
    }

    async fn bind(&mut self, account: &str, user: &str, team: &str) -> Result<(), Difference> {
        let role = self.random_role();
        let holder = if self.random.chance(60) { Holder::User(user.to_owned()) } else { Holder::Team(team.to_owned()) };
        let allow_internal_role = self.random.chance(50);
        let found = self.oracle.accounts.get(account);
        let has_holder = found.is_some_and(|found| found.has_holder(&holder));
        let visible = self.has_role(account, &role) && (allow_internal_role || !self.is_internal(account, &role));
        let code = if !visible || !has_holder {
            Some(Code::NotFound)
        } else if found.is_some_and(|found| found.bindings.contains_key(&(holder.clone(), role.clone()))) {
            Some(Code::AlreadyExists)
        } else {
            None
        };
        let request = CreateRoleBindingRequest {
            parent: format!("accounts/{account}"),
            role_binding: Some(proto::RoleBinding {
                holder: holder_text(&holder),
                role: self.role_name(account, &role),
                ..proto::RoleBinding::default()
            }),
            allow_internal_role,
            ..Default::default()
        };
        let outcome = self.clients.bindings.create_role_binding(request).await;
        if let Some(made) = self.expect("CreateRoleBinding", outcome, code)? {
            self.token = made.into_inner().consistency_token;
            self.oracle.create_binding(account, holder, role);
        }
        Ok(())
    }

    /// Deletes a binding that is found by listing, and holds the list against the oracle.
    async fn unbind(&mut self, account: &str) -> Result<(), Difference> {
        let Some(found) = self.oracle.accounts.get(account).cloned() else { return Ok(()) };
        let Some((holder, role)) = self.random.pick(found.bindings.keys().cloned()) else { return Ok(()) };
        let request = ListRoleBindingsRequest {
            parent: format!("accounts/{account}"),
            holder: if self.random.chance(50) { holder_text(&holder) } else { String::new() },
            role: self.role_name(account, &role),
            show_internal: true,
            ..ListRoleBindingsRequest::default()
        };
        let by_holder = !request.holder.is_empty();
        let listed = self.clients.bindings.list_role_bindings(request).await.map_err(|status| status.to_string())?;
        let listed = listed.into_inner().role_bindings;
        let holders: Set = listed.iter().map(|binding| binding.holder.clone()).collect();
        let expected: Set = found
            .bindings
            .keys()
            .filter(|(other, of)| *of == role && (!by_holder || *other == holder))
            .map(|(holder, _)| holder_text(holder))
            .collect();
        if holders != expected || holders.len() != listed.len() {
            return Err(format!("the holders of {role:?} are {holders:?}; {expected:?} was expected"));
        }
        let binding = listed.into_iter().find(|binding| binding.holder == holder_text(&holder)).unwrap();
        let request = DeleteRoleBindingRequest { name: binding.name, ..Default::default() };
        let outcome = self.clients.bindings.delete_role_binding(request.clone()).await;
        if let Some(made) = self.expect("DeleteRoleBinding", outcome, None)? {
            self.token = made.into_inner().consistency_token;
            self.oracle.delete_binding(account, holder, role);
        }
        let again = self.clients.bindings.delete_role_binding(request).await;
        self.expect("DeleteRoleBinding again", again, Some(Code::NotFound))?;
        Ok(())
    }

    /// Takes a role away from a user who holds it, through teams too.
    async fn remove_role(&mut self, account: &str) -> Result<(), Difference> {
        let Some(found) = self.oracle.accounts.get(account).cloned() else { return Ok(()) };
        let Some(user) = self.random.pick(found.users.keys().cloned()) else { return Ok(()) };
        let role = self.random_role();
        let through: Set = found
            .teams
            .iter()
            .filter(|(team, members)| {
                members.contains(&user) && found.bindings.contains_key(&(Holder::Team((*team).clone()), role.clone()))
            })
            .map(|(team, _)| team.clone())
            .collect();
        let direct = found.bindings.contains_key(&(Holder::User(user.clone()), role.clone()));
        let leave_teams = self.random.chance(50);
        let code = if !self.has_role(account, &role) || self.is_internal(account, &role) {
            Some(Code::NotFound)
        } else if (!direct && through.is_empty()) || (!through.is_empty() && !leave_teams) {
            Some(Code::FailedPrecondition)
        } else {
            None
        };
        let request = RemoveUserRoleRequest {
            name: format!("accounts/{account}/users/{user}"),
            role: self.role_name(account, &role),
            leave_teams,
            ..Default::default()
        };
        let outcome = self.clients.users.remove_user_role(request).await;
        if let Some(made) = self.expect("RemoveUserRole", outcome, code)? {
            let made = made.into_inner();
            let left: Set =
                made.left_teams.iter().filter_map(|name| Some(name.rsplit('/').next()?.to_owned())).collect();
            if left != through {
                return Err(format!("the user left {left:?}; {through:?} was expected"));
            }
            self.token = made.consistency_token;
            self.oracle.delete_binding(account, Holder::User(user.clone()), role);
            for team in through {
                self.oracle.remove_member(account, &team, &user);
            }
        }
        Ok(())
    }
}

fn holder_text(holder: &Holder) -> String {
    match holder {
        Holder::User(id) => format!("users/{id}"),
        Holder::Team(id) => format!("teams/{id}"),
        Holder::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}
