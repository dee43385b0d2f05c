//! What an account should hold: plain facts, the writes on them, and the same as files and for the naive evaluator.
//!
//! A [`Write`] is one call of the API and one atomic change; [`Account::after`] says what it should come to. Whether that
//! is what the server shows is looked at in `observe`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    oracle::{Catalog, Holder, Oracle, Permission, Role, RoleName, State},
    process::Random,
};

pub const CATALOG: &str = "crash";
/// The managed roles of the catalog.
pub const MANAGED: [&str; 2] = ["lead", "staff"];
const PERMISSIONS: usize = 12;
const NAMES: [&str; 5] = ["Ana", "Ana María", "null", "\"quoted\" \\ and 1e3", "Žofie 山田"];

/// Everything in an account that a write can change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// With the name for people.
    pub users: BTreeMap<String, (State, String)>,
    /// With the members.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// Custom roles with their permissions.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub bindings: BTreeSet<(Holder, RoleName)>,
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    CreateUser(String, State, String),
    UpdateUser(String, State, String),
    DeleteUser(String),
    AddUserTeams(String, Vec<String>),
    RemoveUserTeams(String, Vec<String>),
    AddTeamMembers(String, Vec<String>),
    RemoveTeamMembers(String, Vec<String>),
    CreateTeam(String),
    DeleteTeam(String),
    CreateRole(String, BTreeSet<String>),
    UpdateRole(String, BTreeSet<String>),
    DeleteRole(String),
    Bind(Holder, RoleName),
    Unbind(Holder, RoleName),
    /// The whole account from a file.
    Apply(Account),
}

impl Account {
    /// What a valid write makes of it.
    pub fn after(&self, write: &Write) -> Self {
        let mut next = self.clone();
        match write.clone() {
            Write::CreateUser(id, state, name) | Write::UpdateUser(id, state, name) => {
                next.users.insert(id, (state, name));
            }
            Write::DeleteUser(id) => {
                next.users.remove(&id);
                next.teams.values_mut().for_each(|members| _ = members.remove(&id));
                next.bindings.retain(|(holder, _)| *holder != Holder::User(id.clone()));
            }
            Write::AddUserTeams(user, teams) => {
                teams.iter().for_each(|team| _ = next.teams.get_mut(team).unwrap().insert(user.clone()));
            }
            Write::RemoveUserTeams(user, teams) => {
                teams.iter().for_each(|team| _ = next.teams.get_mut(team).unwrap().remove(&user));
            }
            Write::AddTeamMembers(team, users) => next.teams.get_mut(&team).unwrap().extend(users),
            Write::RemoveTeamMembers(team, users) => {
                next.teams.get_mut(&team).unwrap().retain(|member| !users.contains(member));
            }
            Write::CreateTeam(id) => _ = next.teams.insert(id, BTreeSet::new()),
            Write::DeleteTeam(id) => {
                next.teams.remove(&id);
                next.bindings.retain(|(holder, _)| *holder != Holder::Team(id.clone()));
            }
            Write::CreateRole(id, permissions) | Write::UpdateRole(id, permissions) => {
                next.roles.insert(id, permissions);
            }
            Write::DeleteRole(id) => {
                next.roles.remove(&id);
                next.bindings.retain(|(_, role)| *role != RoleName::Custom(id.clone()));
            }
            Write::Bind(holder, role) => _ = next.bindings.insert((holder, role)),
            Write::Unbind(holder, role) => _ = next.bindings.remove(&(holder, role)),
            Write::Apply(account) => next = account,
        }
        next
    }

    /// A write that is valid and changes something.
    pub fn random_write(&self, random: &mut Random) -> Write {
        loop {
            let (user, team, role) = (random_id(random, "u", 12), random_id(random, "t", 4), random_id(random, "r", 3));
            let users: Vec<_> = self.users.keys().filter(|_| random.one_in(3)).cloned().collect();
            let teams: Vec<_> = self.teams.keys().filter(|_| random.one_in(2)).cloned().collect();
            let holder = match random.one_in(3) {
                true => Holder::Team(team.clone()),
                false => Holder::User(user.clone()),
            };
            let held = match random.one_in(2) {
                true => RoleName::Custom(role.clone()),
                false => RoleName::Managed((*random.pick(&MANAGED)).to_owned()),
            };
            let state = [State::Invited, State::Suspended, State::Active, State::Active][random.below(4)];
            let name = format!("{} {}", random.pick(&NAMES), random.below(100));
            let permissions = (0..PERMISSIONS).filter(|_| random.one_in(3)).map(permission).collect();
            let has_role = matches!(&held, RoleName::Managed(_)) || self.roles.contains_key(&role);
            let has_holder = match &holder {
                Holder::User(id) => self.users.contains_key(id),
                Holder::Team(id) => self.teams.contains_key(id),
                Holder::ServiceAccount(_) => false, // this run makes none
            };
            let is_bound = self.bindings.contains(&(holder.clone(), held.clone()));
            let has_user = self.users.contains_key(&user);
            let has_team = self.teams.contains_key(&team);
            let write = match random.below(20) {
                0..3 if !has_user => Write::CreateUser(user, state, name),
                0..2 => Write::UpdateUser(user, state, name),
                2 => Write::DeleteUser(user),
                3..6 if !has_team => Write::CreateTeam(team),
                3..5 if has_user => Write::AddUserTeams(user, teams),
                5 if has_user => Write::RemoveUserTeams(user, teams),
                6..8 if has_team => Write::AddTeamMembers(team, users),
                8 if has_team => Write::RemoveTeamMembers(team, users),
                9 if has_team && random.one_in(3) => Write::DeleteTeam(team),
                10..13 if !self.roles.contains_key(&role) => Write::CreateRole(role, permissions),
                10..12 => Write::UpdateRole(role, permissions),
                12 if random.one_in(3) => Write::DeleteRole(role),
                13..19 if has_holder && has_role && !is_bound => Write::Bind(holder, held),
                13..16 if is_bound => Write::Unbind(holder, held),
                19 if random.one_in(2) => {
                    let mut next = self.clone();
                    for _ in 0..6 {
                        next = match next.random_write(random) {
                            Write::Apply(account) => account,
                            write => next.after(&write),
                        };
                    }
                    Write::Apply(next)
                }
                _ => continue,
            };
            if self.after(&write) != *self {
                return write;
            }
        }
    }

    /// As an account file.
    pub fn file(&self, id: &str) -> String {
        let mut file = format!("kind: account\nid: {id}\ndisplay_name: {id}\ncatalog: {CATALOG}\n");
        if has_feature(id) {
            file += "features: [extra]\n";
        }
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let list = |items: Vec<String>| serde_json::to_string(&items).unwrap();
        let roles_of = |holder: Holder| {
            let roles = self.bindings.iter().filter(|(held_by, _)| *held_by == holder).map(|(_, role)| match role {
                RoleName::Managed(id) => id.clone(),
                RoleName::Custom(id) => format!("custom/{id}"),
            });
            list(roles.collect())
        };
        let mut section = |name: &str, is_empty: bool, items: String| {
            if !is_empty {
                write!(file, "{name}:\n{items}").unwrap();
            }
        };
        let roles = self.roles.iter().map(|(id, permissions)| {
            let permissions = list(permissions.iter().cloned().collect());
            format!("  - id: {id}\n    display_name: {id}\n    permissions: {permissions}\n")
        });
        section("roles", self.roles.is_empty(), roles.collect());
        let teams = self.teams.keys().map(|id| {
            format!("  - id: {id}\n    display_name: {id}\n    roles: {}\n", roles_of(Holder::Team(id.clone())))
        });
        section("teams", self.teams.is_empty(), teams.collect());
        let users = self.users.iter().map(|(id, (state, name))| {
            let teams = list(self.teams_of(id).into_iter().collect());
            let roles = roles_of(Holder::User(id.clone()));
            let (name, state) = (quoted(name), format!("{state:?}").to_lowercase());
            format!(
                "  - id: {id}\n    display_name: {name}\n    state: {state}\n    teams: {teams}\n    roles: {roles}\n"
            )
        });
        section("users", self.users.is_empty(), users.collect());
        file
    }

    pub fn teams_of(&self, user: &str) -> BTreeSet<String> {
        self.teams.iter().filter(|(_, members)| members.contains(user)).map(|(id, _)| id.clone()).collect()
    }

    /// The same facts for the naive evaluator.
    pub fn oracle(&self, id: &str, version: usize) -> Oracle {
        let mut oracle = Oracle::default();
        oracle.replace_catalog(CATALOG, catalog(version));
        let features = if has_feature(id) { ["extra".to_owned()].into() } else { BTreeSet::new() };
        oracle.create_account(id, CATALOG, features);
        self.users.iter().for_each(|(user, (state, _))| oracle.create_user(id, user, *state));
        for (team, members) in &self.teams {
            oracle.create_team(id, team);
            members.iter().for_each(|user| oracle.add_member(id, team, user));
        }
        self.roles.iter().for_each(|(role, permissions)| oracle.create_role(id, role, permissions.clone()));
        self.bindings.iter().for_each(|(holder, role)| oracle.create_binding(id, holder.clone(), role.clone()));
        oracle
    }

    /// An account that is too large for one frame of the journal. Every version differs from the one before in every
    /// user, so that half of one would show.
    pub fn crowd(version: usize) -> Self {
        let users: Vec<_> = (0..300).map(|number| format!("u{}", number + version % 7 * 50)).collect();
        let half = |odd| users.iter().skip((version + odd) % 2).step_by(2).cloned().collect();
        let role = |number: usize| RoleName::Managed(MANAGED[(version + number) % 2].to_owned());
        let direct = users.iter().step_by(3).map(|user| (Holder::User(user.clone()), role(0)));
        Self {
            teams: [("t0".to_owned(), half(0)), ("t1".to_owned(), half(1))].into(),
            roles: BTreeMap::new(),
            bindings: direct.chain([(Holder::Team("t0".to_owned()), role(1))]).collect(),
            users: users.into_iter().map(|id| (id, (State::Active, format!("version {version}")))).collect(),
        }
    }
}

fn random_id(random: &mut Random, prefix: &str, count: usize) -> String {
    format!("{prefix}{}", random.below(count))
}

pub fn permission(number: usize) -> String {
    format!("things.p{number}.use")
}

pub fn permissions() -> Vec<String> {
    (0..PERMISSIONS).map(permission).collect()
}

/// Some accounts have the feature that half of the permissions need.
fn has_feature(account: &str) -> bool {
    !account.ends_with('1')
}

/// What a managed role has in a version of the catalog: a third of all permissions, and no two versions in a row the same.
fn managed(role: &str, version: usize) -> BTreeSet<String> {
    let shift = version + usize::from(role == "lead");
    (0..PERMISSIONS).filter(|number| (number + shift).is_multiple_of(3)).map(permission).collect()
}

/// A version of the catalog for the naive evaluator.
fn catalog(version: usize) -> Catalog {
    let definition = |number: usize| Permission {
        feature: (!number.is_multiple_of(2)).then(|| "extra".to_owned()),
        section: "things".to_owned(),
        ..Permission::default()
    };
    let role = |role: &str| (role.to_owned(), Role { permissions: managed(role, version), ..Role::default() });
    Catalog {
        features: ["extra".to_owned()].into(),
        permissions: (0..PERMISSIONS).map(|number| (permission(number), definition(number))).collect(),
        roles: MANAGED.into_iter().map(role).collect(),
        ..Catalog::default()
    }
}

/// The same as a file. The name for people says which version it is.
pub fn catalog_file(version: usize) -> String {
    let mut file = format!(
        "kind: catalog\nid: {CATALOG}\ndisplay_name: version {version}\ndescription: Tested.\ncustom_roles: [permissions]\n\
         features:\n  - id: extra\n    display_name: Extra\n    description: Extra.\n\
         sections:\n  - id: things\n    display_name: Things\n    description: Things.\npermissions:\n"
    );
    for (id, definition) in catalog(version).permissions {
        write!(file, "  - id: {id}\n    description: Use it.\n    section: things\n").unwrap();
        if definition.feature.is_some() {
            file += "    feature: extra\n";
        }
    }
    file += "roles:\n";
    for role in MANAGED {
        let permissions: Vec<_> = managed(role, version).into_iter().collect();
        writeln!(file, "  - id: {role}\n    display_name: {role}\n    description: version {version}").unwrap();
        writeln!(file, "    permissions: [{}]", permissions.join(", ")).unwrap();
    }
    file
}
