//! A case answered by the engine from plain values: no server, no store, no cache.
//!
//! The facts are kept here the simplest way: everything by name, and what is deleted is removed from wherever it is
//! mentioned. For each question they are handed to the engine anew. Lists of people and roles are not the engine's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rolecall::{
    engine::{
        CompiledCatalog, EffectiveSet, HeldRole, Reason, RoleFacts, Standing, Subject, decide, effective_permissions,
    },
    files,
    model::{ApiScopeId, Catalog, Number, RoleId, RoleRecord, TeamId, Timestamp},
};
use serde_json::Value;

use super::{
    case::{Asked, Case, List, Listed, Scenario},
    steps::Step,
};

struct Facts {
    catalog: Arc<CompiledCatalog>,
    active: bool,
    features: BTreeSet<String>,
    roles: BTreeMap<String, CustomRole>,
    teams: BTreeSet<String>,
    /// Users and service accounts (`users/u`, `serviceAccounts/s`), and the state of each.
    subjects: BTreeMap<String, String>,
    /// Team and user, both by id.
    members: BTreeSet<(String, String)>,
    /// Holder (`users/u`, `serviceAccounts/s`, `teams/t`) and role (`r`, `custom/r`).
    bindings: BTreeSet<(String, String)>,
}

#[derive(Clone, Default)]
struct CustomRole {
    permissions: BTreeSet<String>,
    left_out: BTreeSet<String>,
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
        let custom = |role: &Value| CustomRole {
            permissions: strings(&role["permissions"]),
            left_out: strings(&role["left_out_api_scopes"]),
        };
        let mut facts = Self {
            catalog: compile(&scenario.catalog_as(&scenario.catalog_id)),
            active: account["state"].as_str() != Some("suspended"),
            features: strings(&account["features"]),
            roles: each("roles").iter().map(|role| (id(role), custom(role))).collect(),
            teams: each("teams").iter().map(id).collect(),
            subjects: BTreeMap::new(),
            members: BTreeSet::new(),
            bindings: BTreeSet::new(),
        };
        for team in each("teams") {
            facts.bind(&format!("teams/{}", id(&team)), strings(&team["roles"]));
        }
        for user in each("users") {
            let state = user["state"].as_str().unwrap_or("active").to_owned();
            facts.subjects.insert(format!("users/{}", id(&user)), state);
            facts.members.extend(strings(&user["teams"]).into_iter().map(|team| (team, id(&user))));
            facts.bind(&format!("users/{}", id(&user)), strings(&user["roles"]));
        }
        for service_account in each("service_accounts") {
            let name = format!("serviceAccounts/{}", id(&service_account));
            facts.bind(&name, strings(&service_account["roles"]));
            let state = service_account["state"].as_str().unwrap_or("active").to_owned();
            facts.subjects.insert(name, state);
        }
        facts
    }

    fn bind(&mut self, holder: &str, roles: impl IntoIterator<Item = String>) {
        self.bindings.extend(roles.into_iter().map(|role| (holder.to_owned(), role)));
    }

    fn apply(&mut self, scenario: &Scenario, step: &Step) {
        match step {
            Step::SetFeatures(features) => self.features = features.iter().cloned().collect(),
            Step::AccountState { active } => self.active = *active,
            Step::State { subject, state } => _ = self.subjects.insert(subject.clone(), state.clone()),
            Step::Member { team, user, joins: true } => _ = self.members.insert((team.clone(), user.clone())),
            Step::Member { team, user, joins: false } => _ = self.members.remove(&(team.clone(), user.clone())),
            Step::Teams { user, teams, joins } => {
                for team in teams {
                    let member = (team.clone(), user.clone());
                    _ = if *joins { self.members.insert(member) } else { self.members.remove(&member) };
                }
            }
            Step::Bind { holder, given } => _ = self.bindings.insert((holder.clone(), given.role.clone())),
            Step::Unbind { holder, role, .. } | Step::TakeOff { holder, role } => {
                self.bindings.remove(&(holder.clone(), role.clone()));
            }
            Step::Delete { kind, id, .. } => self.delete(kind, id),
            Step::DeleteRole { only_asked: true, .. } | Step::NoteVersion { .. } | Step::RecordLogin { .. } => {}
            Step::DeleteRole { id, .. } => {
                self.roles.remove(id);
                let role = format!("custom/{id}");
                self.bindings.retain(|(_, of)| *of != role);
            }
            Step::CreateUser(new) => {
                let user = format!("users/{}", new.id);
                self.subjects.insert(user.clone(), new.state.clone().unwrap_or_else(|| "active".into()));
                self.members.extend(new.teams.iter().map(|team| (team.clone(), new.id.clone())));
                self.bind(&user, new.roles.iter().map(|given| given.role.clone()));
            }
            Step::CreateTeam(new) => {
                self.teams.insert(new.id.clone());
                self.members.extend(new.members.iter().map(|user| (new.id.clone(), user.clone())));
                self.bind(&format!("teams/{}", new.id), new.roles.iter().map(|given| given.role.clone()));
            }
            Step::CreateServiceAccount(new) => {
                let name = format!("serviceAccounts/{}", new.id);
                self.subjects.insert(name.clone(), new.state.clone().unwrap_or_else(|| "active".into()));
                self.bind(&name, new.roles.iter().map(|given| given.role.clone()));
            }
            Step::SetCustomRole(wanted) => {
                let role = self.roles.entry(wanted.id.clone()).or_default();
                role.permissions = wanted.permissions.iter().cloned().collect();
                if let Some(left_out) = &wanted.left_out_api_scopes {
                    role.left_out = left_out.iter().cloned().collect();
                }
                let name = format!("custom/{}", wanted.id);
                self.add_sections(&name, &wanted.sections);
                self.import(&name, &wanted.import_roles);
                for user in &wanted.users {
                    self.bind(&format!("users/{user}"), [name.clone()]);
                }
            }
            Step::EditRole { role, permissions, .. } => {
                self.custom(role).permissions = permissions.iter().flatten().cloned().collect();
            }
            Step::DuplicateRole { role, id } => {
                let copy = match role.strip_prefix("custom/") {
                    Some(custom) => self.roles[custom].clone(),
                    None => CustomRole { permissions: self.managed(role), left_out: BTreeSet::new() },
                };
                self.roles.insert(id.clone(), copy);
            }
            Step::ImportRoles { into, roles, .. } => self.import(into, roles),
            Step::AddSections { role, sections, .. } => self.add_sections(role, sections),
            Step::CatalogAdds { .. } => {
                self.catalog = compile(&scenario.catalog_with(step, &scenario.catalog_id));
            }
            Step::RemoveRoleFromUser { user, role, .. } => {
                self.bindings.remove(&(format!("users/{user}"), role.clone()));
                let bindings = &self.bindings;
                let gives = |team: &String| bindings.contains(&(format!("teams/{team}"), role.clone()));
                self.members.retain(|(team, of)| of != user || !gives(team));
            }
            other => panic!("{other:?} is not known to the engine alone yet"),
        }
    }

    fn delete(&mut self, kind: &str, id: &str) {
        let name = match kind {
            "team" => format!("teams/{id}"),
            "user" => format!("users/{id}"),
            _ => format!("serviceAccounts/{id}"),
        };
        self.bindings.retain(|(holder, _)| *holder != name);
        match kind {
            "team" => {
                self.teams.remove(id);
                self.members.retain(|(of, _)| of != id);
            }
            "user" => {
                self.subjects.remove(&name);
                self.members.retain(|(_, user)| user != id);
            }
            _ => _ = self.subjects.remove(&name),
        }
    }

    /// A custom role of the account; an empty one if it has none of that name.
    fn custom(&mut self, name: &str) -> &mut CustomRole {
        self.roles.entry(name.strip_prefix("custom/").unwrap().to_owned()).or_default()
    }

    fn import(&mut self, into: &str, roles: &[String]) {
        for role in roles {
            let permissions = self.managed(role);
            self.custom(into).permissions.extend(permissions);
        }
    }

    fn add_sections(&mut self, role: &str, sections: &[String]) {
        let definition = self.catalog.catalog().definition.clone();
        let is_chosen = |position: usize| sections.contains(&definition.sections[position].id.to_string());
        let all = definition.permissions.iter().filter(|each| is_chosen(each.section.position()));
        self.custom(role).permissions.extend(all.map(|each| each.id.to_string()));
    }

    /// What a managed role contains now.
    fn managed(&self, id: &str) -> BTreeSet<String> {
        let permissions = self.catalog.role(id).unwrap().permissions.iter();
        permissions.map(|each| self.catalog.definition(each).unwrap().id.to_string()).collect()
    }

    fn role(&self, name: &str) -> Option<Arc<RoleFacts>> {
        let Some(id) = name.strip_prefix("custom/") else { return self.catalog.role(name).cloned() };
        let position = self.roles.keys().position(|each| each == id)?;
        let role = &self.roles[id];
        let number = |permission: &String| self.catalog.number_of_permission(self.catalog.permission(permission)?);
        let mut permissions: Vec<Number> = role.permissions.iter().filter_map(number).collect();
        permissions.sort();
        let record = RoleRecord {
            id: RoleId::new(id).unwrap(),
            display_name: id.to_owned(),
            description: String::new(),
            permissions,
            left_out_api_scopes: role.left_out.iter().map(|scope| ApiScopeId::new(scope).unwrap()).collect(),
            created: Timestamp(0),
            updated: Timestamp(0),
        };
        Some(Arc::new(self.catalog.custom_role(Number(1_000_000 + position as u64), &record)))
    }

    fn subject(&self, subject: &str) -> Subject {
        let standing = match self.subjects.get(subject).map(String::as_str) {
            _ if !self.active => Standing::AccountSuspended,
            None => Standing::Unknown,
            Some("active") => Standing::Active,
            Some(_) => Standing::NotActive,
        };
        let user = subject.strip_prefix("users/");
        let mut held = Vec::new();
        let mut roles = Vec::new();
        for (number, (holder, name)) in self.bindings.iter().enumerate() {
            let team = holder.strip_prefix("teams/");
            let is_ours = match team {
                Some(team) => user.is_some_and(|user| self.members.contains(&(team.to_owned(), user.to_owned()))),
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

    fn check_listed(&self, listed: &Listed, name: &str) {
        let subject = self.subject(&listed.subject);
        let index = self.catalog.permission(&listed.permission).unwrap();
        let found = effective_permissions(&subject, None).find(|(permission, _)| *permission == index);
        let Some(through) = &listed.through else {
            assert!(found.is_none(), "{name}: {} is listed", listed.permission);
            return;
        };
        let (_, held) = found.unwrap_or_else(|| panic!("{name}: {} is not listed", listed.permission));
        let mut by: Vec<String> =
            held.iter().filter_map(|held| held.team.as_ref().map(|(_, id)| id.to_string())).collect();
        by.sort();
        by.dedup();
        assert_eq!(by, through.teams, "{name}");
        if let Some(api_scopes) = &through.api_scopes {
            let provided = subject.set.provided(index, held);
            let ids: Vec<String> = self.catalog.api_scope_ids(&provided).map(ToString::to_string).collect();
            assert_eq!(&ids, api_scopes, "{name}");
        }
    }

    /// Checks what the engine knows of a list. Gives how many questions that were.
    fn check_list(&self, scenario: &Scenario, list: &List, name: &str) -> usize {
        match list {
            List::Row(row) => {
                let role = self.role(&row.role).unwrap();
                let api_scopes = self.catalog.role_api_scopes(&role);
                let counts = (role.permissions.iter().count(), self.catalog.api_scope_ids(&api_scopes).count());
                let expected = (row.permissions.try_into().unwrap(), row.api_scopes.try_into().unwrap());
                assert_eq!(counts, expected, "{name}: permissions and API scopes of {}", row.role);
                1
            }
            List::ApiScopesOf { subject, api_scopes } => {
                let subject = self.subject(subject);
                let is_allowed = |id: &String| decide(&subject, self.catalog.api_scope(id).unwrap()) == Reason::Allowed;
                let allowed: Vec<String> = scenario.api_scopes().into_iter().filter(is_allowed).collect();
                assert_eq!(&allowed, api_scopes, "{name}");
                1
            }
            List::Search { .. }
            | List::Sections { .. }
            | List::Holders { .. }
            | List::Permission { .. }
            | List::ApiScope { .. } => 0,
            other @ (List::Subjects { .. } | List::Resources { .. }) => {
                panic!("{name}: {other:?} is not known to the engine alone yet")
            }
        }
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
        let subject = facts.subject(&check.subject);
        let reason = match &check.asked {
            Asked::Permission(permission) => decide(&subject, facts.catalog.permission(permission).unwrap()),
            Asked::ApiScope(scope) => decide(&subject, facts.catalog.api_scope(scope).unwrap()),
        };
        assert_eq!(reason.name(), check.reason, "{name}: {check:?}");
    }
    for listed in &case.listed {
        facts.check_listed(listed, &name);
    }
    let of_lists: usize = case.lists.iter().map(|list| facts.check_list(scenario, list, &name)).sum();
    case.checks.len() + case.listed.len() + of_lists
}
