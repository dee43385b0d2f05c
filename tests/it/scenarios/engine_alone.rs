//! A case answered by the engine from plain values: no server, no store, no cache.
//!
//! The facts are kept here the simplest way: everything by name, and what is deleted is removed from wherever it is
//! mentioned. For each question they are handed to the engine anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rolecall::{
    engine::{CompiledCatalog, EffectiveSet, HeldRole, RoleFacts, Standing, Subject, decide, effective_permissions},
    files,
    model::{Catalog, Number, RoleId, RoleRecord, TeamId, Timestamp},
};
use serde_json::Value;

use super::case::{Case, Scenario, Step};

struct Facts {
    catalog: Arc<CompiledCatalog>,
    active: bool,
    features: BTreeSet<String>,
    roles: BTreeMap<String, BTreeSet<String>>,
    teams: BTreeSet<String>,
    users: BTreeMap<String, String>,
    members: BTreeSet<(String, String)>,
    /// Holder (`users/u`, `teams/t`) and role (`r`, `custom/r`).
    bindings: BTreeSet<(String, String)>,
}

fn compile(file: &str) -> Arc<CompiledCatalog> {
    let definition = files::parse_catalog(file.as_bytes()).unwrap();
    let numbers = |from: u64, count: usize| (from..from + count as u64).map(Number).collect();
    Arc::new(CompiledCatalog::new(Catalog {
        number: Number(1),
        feature_numbers: numbers(1_000, definition.features.len()),
        permission_numbers: numbers(10_000, definition.permissions.len()),
        role_numbers: numbers(100_000, definition.roles.len()),
        definition,
    }))
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|each| each.as_str().unwrap().to_owned()).collect()
}

impl Facts {
    fn of(scenario: &Scenario) -> Self {
        let account = &scenario.account;
        let each = |list: &str| account[list].as_array().cloned().unwrap_or_default();
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let mut facts = Self {
            catalog: compile(&scenario.catalog_as(&scenario.catalog_id)),
            active: account["state"].as_str() != Some("suspended"),
            features: strings(&account["features"]),
            roles: each("roles").iter().map(|role| (id(role), strings(&role["permissions"]))).collect(),
            teams: each("teams").iter().map(id).collect(),
            users: BTreeMap::new(),
            members: BTreeSet::new(),
            bindings: BTreeSet::new(),
        };
        for team in each("teams") {
            facts
                .bindings
                .extend(strings(&team["roles"]).into_iter().map(|role| (format!("teams/{}", id(&team)), role)));
        }
        for user in each("users") {
            let state = user["state"].as_str().unwrap_or("active").to_owned();
            facts.users.insert(id(&user), state);
            facts.members.extend(strings(&user["teams"]).into_iter().map(|team| (team, id(&user))));
            facts
                .bindings
                .extend(strings(&user["roles"]).into_iter().map(|role| (format!("users/{}", id(&user)), role)));
        }
        facts
    }

    fn apply(&mut self, scenario: &Scenario, step: &Step) {
        match step {
            Step::SetFeatures(features) => self.features = features.iter().cloned().collect(),
            Step::AccountState { active } => self.active = *active,
            Step::UserState { user, state } => _ = self.users.insert(user.clone(), state.clone()),
            Step::Member { team, user, joins: true } => _ = self.members.insert((team.clone(), user.clone())),
            Step::Member { team, user, joins: false } => _ = self.members.remove(&(team.clone(), user.clone())),
            Step::Teams { user, teams, joins } => {
                for team in teams {
                    let member = (team.clone(), user.clone());
                    _ = if *joins { self.members.insert(member) } else { self.members.remove(&member) };
                }
            }
            Step::Bind { holder, role } => _ = self.bindings.insert((holder.clone(), role.clone())),
            Step::Unbind { holder, role } => _ = self.bindings.remove(&(holder.clone(), role.clone())),
            Step::Delete { kind, id } => {
                let (team, role) = (format!("{kind}s/{id}"), format!("custom/{id}"));
                match kind.as_str() {
                    "user" => {
                        self.users.remove(id);
                        self.members.retain(|(_, user)| user != id);
                        self.bindings.retain(|(holder, _)| *holder != team);
                    }
                    "team" => {
                        self.teams.remove(id);
                        self.members.retain(|(of, _)| of != id);
                        self.bindings.retain(|(holder, _)| *holder != team);
                    }
                    _ => {
                        self.roles.remove(id);
                        self.bindings.retain(|(_, of)| *of != role);
                    }
                }
            }
            Step::CreateUser(id) => _ = self.users.insert(id.clone(), "active".into()),
            Step::CreateTeam(id) => _ = self.teams.insert(id.clone()),
            Step::SetCustomRole { id, permissions } => {
                self.roles.insert(id.clone(), permissions.iter().cloned().collect());
            }
            Step::CatalogAdds { .. } => {
                self.catalog = compile(&scenario.catalog_with(step, &scenario.catalog_id));
            }
            Step::RemoveRoleFromUser { user, role, .. } => {
                self.bindings.remove(&(format!("users/{user}"), role.clone()));
                let bindings = &self.bindings;
                let gives = |team: &String| bindings.contains(&(format!("teams/{team}"), role.clone()));
                self.members.retain(|(team, of)| of != user || !gives(team));
            }
        }
    }

    fn role(&self, name: &str) -> Option<Arc<RoleFacts>> {
        let Some(id) = name.strip_prefix("custom/") else { return self.catalog.role(name).cloned() };
        let position = self.roles.keys().position(|each| each == id)?;
        let number = |permission: &String| self.catalog.number_of_permission(self.catalog.permission(permission)?);
        let mut permissions: Vec<Number> = self.roles[id].iter().filter_map(number).collect();
        permissions.sort();
        let record = RoleRecord {
            id: RoleId::new(id).unwrap(),
            display_name: id.to_owned(),
            description: String::new(),
            permissions,
            left_out_api_scopes: Vec::new(),
            created: Timestamp(0),
            updated: Timestamp(0),
        };
        Some(Arc::new(self.catalog.custom_role(Number(1_000_000 + position as u64), &record)))
    }

    fn subject(&self, subject: &str) -> Subject {
        let user = subject.strip_prefix("users/").unwrap();
        let standing = match self.users.get(user).map(String::as_str) {
            _ if !self.active => Standing::AccountSuspended,
            None => Standing::Unknown,
            Some("active") => Standing::Active,
            Some(_) => Standing::NotActive,
        };
        let mut held = Vec::new();
        let mut roles = Vec::new();
        for (number, (holder, name)) in self.bindings.iter().enumerate() {
            let team = holder.strip_prefix("teams/");
            let is_ours = match team {
                Some(team) => self.members.contains(&(team.to_owned(), user.to_owned())),
                None => holder == subject,
            };
            if is_ours && let Some(role) = self.role(name) {
                let team = team.map(|team| (Number(number as u64), TeamId::new(team).unwrap()));
                held.push(HeldRole { role: role.number, team, binding: Number(number as u64) });
                roles.push(role);
            }
        }
        let features: Vec<Number> =
            self.features.iter().filter_map(|feature| self.catalog.feature_number(feature)).collect();
        Subject { standing, set: Arc::new(EffectiveSet::new(Arc::clone(&self.catalog), &features, roles)), held }
    }
}

/// Asks the engine what the case asks. Gives how many questions that were.
pub fn ask(scenario: &Scenario, case: &Case, file: &str) -> usize {
    let name = format!("{file} (engine alone): {}", case.name);
    let mut facts = Facts::of(scenario);
    for (step, refused) in &case.steps {
        if refused.is_none() {
            facts.apply(scenario, step);
        }
    }
    for check in &case.checks {
        let permission = facts.catalog.permission(&check.permission).unwrap();
        let reason = decide(&facts.subject(&check.subject), permission);
        assert_eq!(reason.name(), check.reason, "{name}: {check:?}");
    }
    for listed in &case.listed {
        let subject = facts.subject(&listed.subject);
        let index = facts.catalog.permission(&listed.permission).unwrap();
        let found = effective_permissions(&subject, None).find(|(permission, _)| *permission == index);
        let Some((_, teams)) = &listed.through else {
            assert!(found.is_none(), "{name}: {} is listed", listed.permission);
            continue;
        };
        let (_, held) = found.unwrap_or_else(|| panic!("{name}: {} is not listed", listed.permission));
        let mut by: Vec<String> =
            held.iter().filter_map(|held| held.team.as_ref().map(|(_, id)| id.to_string())).collect();
        by.sort();
        by.dedup();
        assert_eq!(&by, teams, "{name}");
    }
    case.checks.len() + case.listed.len()
}
