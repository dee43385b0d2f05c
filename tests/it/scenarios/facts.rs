//! The facts of an account as values, without a server, a store or a cache.
//!
//! They are kept the simplest way: everything by name, and what is deleted is removed from wherever it is mentioned.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rolecall::{
    conditions::CelConditions,
    engine::CompiledCatalog,
    files,
    model::{Catalog, Number, Timestamp},
};
use serde_json::Value;

use super::{
    case::{Moment, Scenario},
    steps::{Access, Exception, GivenRole, Newcomer, Parts, Policy, Statement, Step},
    words::{moment_if_any, text},
};

/// A role binding: its holder (`users/u`, `serviceAccounts/s`, `teams/t`), the role (`r`, `custom/r`), and the resource.
pub type Binding = (String, String, Option<String>);

pub struct Facts {
    pub catalog: Arc<CompiledCatalog>,
    pub active: bool,
    pub features: BTreeSet<String>,
    /// By their paths.
    pub resources: BTreeSet<String>,
    pub policies: BTreeMap<String, Vec<Statement>>,
    pub roles: BTreeMap<String, CustomRole>,
    pub teams: BTreeSet<String>,
    /// Users and service accounts (`users/u`, `serviceAccounts/s`), and the state of each.
    pub subjects: BTreeMap<String, String>,
    /// Team and user, both by id.
    pub members: BTreeSet<(String, String)>,
    /// And from when on each does not count any more.
    pub bindings: BTreeMap<Binding, Option<Timestamp>>,
    /// Of a holder and a facet: what it has access to; none: all.
    pub access: BTreeMap<(String, String), Option<BTreeSet<String>>>,
    /// Of a user and a permission: why, and from when on it does not count any more.
    pub exceptions: BTreeMap<(String, String), (String, Option<Timestamp>)>,
}

#[derive(Clone, Default)]
pub struct CustomRole {
    pub permissions: BTreeSet<String>,
    pub left_out: BTreeSet<String>,
    pub policies: Vec<String>,
    pub parents: Vec<String>,
    pub covers: Vec<String>,
}

/// A catalog file made ready.
pub fn compile(file: &str) -> Arc<CompiledCatalog> {
    let definition = files::parse_catalog(file.as_bytes()).unwrap();
    let numbers = |from: u64, count: usize| (from..from + count as u64).map(Number).collect();
    let catalog = Catalog {
        number: Number(1),
        feature_numbers: numbers(1_000, definition.features.len()),
        resource_type_numbers: numbers(2_000, definition.resource_types.len()),
        policy_numbers: numbers(3_000, definition.policies.len()),
        permission_numbers: numbers(10_000, definition.permissions.len()),
        role_numbers: numbers(100_000, definition.roles.len()),
        definition,
    };
    Arc::new(CompiledCatalog::new(catalog, Arc::new(CelConditions)))
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|each| each.as_str().unwrap().to_owned()).collect()
}

impl Facts {
    /// What an account file says.
    pub fn of(catalog: &Arc<CompiledCatalog>, account: &Value) -> Self {
        let each = |list: &str| account[list].as_array().cloned().unwrap_or_default();
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let mut facts = Self {
            catalog: Arc::clone(catalog),
            active: account["state"].as_str() != Some("suspended"),
            features: strings(&account["features"]),
            resources: each("resources").iter().map(|resource| text(resource, "path")).collect(),
            policies: each("policies").iter().map(Policy::read).map(|each| (each.id, each.statements)).collect(),
            roles: BTreeMap::new(),
            teams: each("teams").iter().map(id).collect(),
            subjects: BTreeMap::new(),
            members: BTreeSet::new(),
            bindings: BTreeMap::new(),
            access: BTreeMap::new(),
            exceptions: BTreeMap::new(),
        };
        for role in each("roles") {
            let mut custom = CustomRole {
                permissions: strings(&role["permissions"]),
                left_out: strings(&role["left_out_api_scopes"]),
                ..CustomRole::default()
            };
            custom.take(&Parts::read(&role));
            facts.roles.insert(id(&role), custom);
        }
        for team in each("teams") {
            facts.give(&format!("teams/{}", id(&team)), &team);
        }
        for user in each("users") {
            let name = format!("users/{}", id(&user));
            facts.members.extend(strings(&user["teams"]).into_iter().map(|team| (team, id(&user))));
            facts.subjects.insert(name.clone(), user["state"].as_str().unwrap_or("active").to_owned());
            facts.give(&name, &user);
            for exception in user["exceptions"].as_array().into_iter().flatten() {
                let expires = moment_if_any(exception, "expires").as_ref().map(Moment::instant);
                let of = (id(&user), text(exception, "permission"));
                facts.exceptions.insert(of, (text(exception, "reason"), expires));
            }
        }
        for service_account in each("service_accounts") {
            let name = format!("serviceAccounts/{}", id(&service_account));
            facts.give(&name, &service_account);
            facts.subjects.insert(name, service_account["state"].as_str().unwrap_or("active").to_owned());
        }
        facts
    }

    /// The roles and the access of a holder in an account file.
    fn give(&mut self, holder: &str, value: &Value) {
        for given in value["roles"].as_array().into_iter().flatten().map(GivenRole::read) {
            self.bind(holder, &given);
        }
        for access in value["access"].as_array().into_iter().flatten().map(Access::read) {
            self.set_access(holder, &access);
        }
    }

    fn bind(&mut self, holder: &str, given: &GivenRole) {
        let binding = (holder.to_owned(), given.role.clone(), given.resource.clone());
        self.bindings.insert(binding, given.expires.as_ref().map(Moment::instant));
    }

    fn set_access(&mut self, holder: &str, access: &Access) {
        let values = access.values.as_ref().map(|values| values.iter().cloned().collect());
        self.access.insert((holder.to_owned(), access.facet.clone()), values);
    }

    pub fn apply(&mut self, scenario: &Scenario, step: &Step) {
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
            Step::Bind { holder, given } => self.bind(holder, given),
            Step::Unbind { holder, role, resource } => {
                self.bindings.remove(&(holder.clone(), role.clone(), resource.clone()));
            }
            Step::TakeOff { holder, role } => _ = self.bindings.remove(&(holder.clone(), role.clone(), None)),
            Step::Delete { kind, id, .. } => self.delete(kind, id),
            Step::NoteVersion { .. } | Step::RecordLogin { .. } => {}
            Step::CreateUser(new) => {
                self.members.extend(new.teams.iter().map(|team| (team.clone(), new.id.clone())));
                self.create_subject(format!("users/{}", new.id), new);
            }
            Step::CreateTeam(new) => {
                self.teams.insert(new.id.clone());
                self.members.extend(new.members.iter().map(|user| (new.id.clone(), user.clone())));
                self.create(&format!("teams/{}", new.id), new);
            }
            Step::CreateServiceAccount(new) => self.create_subject(format!("serviceAccounts/{}", new.id), new),
            Step::CatalogAdds { .. } => {
                self.catalog = compile(&scenario.catalog_with(step, &scenario.catalog_id));
            }
            Step::RemoveRoleFromUser { user, role, .. } => {
                let holder = format!("users/{user}");
                self.bindings.retain(|(of, held, _), _| *of != holder || held != role);
                let bindings = &self.bindings;
                let gives = |team: &str| {
                    let team = format!("teams/{team}");
                    bindings.keys().any(|(of, held, _)| *of == team && held == role)
                };
                self.members.retain(|(team, of)| of != user || !gives(team));
            }
            other => self.apply_to_roles(other),
        }
    }

    fn apply_to_roles(&mut self, step: &Step) {
        match step {
            Step::DeleteRole { only_asked: true, .. } => {}
            Step::DeleteRole { id, .. } => {
                self.roles.remove(id);
                let role = format!("custom/{id}");
                self.bindings.retain(|(_, of, _), _| *of != role);
                self.roles.values_mut().for_each(|other| other.parents.retain(|parent| *parent != role));
            }
            Step::SetCustomRole(wanted) => {
                let role = self.roles.entry(wanted.id.clone()).or_default();
                role.permissions = wanted.permissions.iter().cloned().collect();
                if let Some(left_out) = &wanted.left_out_api_scopes {
                    role.left_out = left_out.iter().cloned().collect();
                }
                role.take(&wanted.parts);
                let name = format!("custom/{}", wanted.id);
                self.add_sections(&name, &wanted.sections);
                self.import(&name, &wanted.import_roles);
                for user in &wanted.users {
                    self.bindings.insert((format!("users/{user}"), name.clone(), None), None);
                }
            }
            Step::EditRole { role, permissions, parts } => {
                let role = self.custom(role);
                if let Some(permissions) = permissions {
                    role.permissions = permissions.iter().cloned().collect();
                }
                role.take(parts);
            }
            Step::DuplicateRole { role, id } => {
                let copy = match role.strip_prefix("custom/") {
                    Some(custom) => self.roles[custom].clone(),
                    None => self.copy_of(role),
                };
                self.roles.insert(id.clone(), copy);
            }
            Step::ImportRoles { into, roles, .. } => self.import(into, roles),
            Step::AddSections { role, sections, .. } => self.add_sections(role, sections),
            other => self.apply_to_access(other),
        }
    }

    fn apply_to_access(&mut self, step: &Step) {
        match step {
            Step::RegisterResource { path, .. } => _ = self.resources.insert(path.clone()),
            Step::DeleteResource { path, .. } => {
                let is_gone = |each: &str| {
                    each.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                self.resources.retain(|each| !is_gone(each));
                self.bindings.retain(|(_, _, on), _| on.as_ref().is_none_or(|on| !is_gone(on)));
                let lists = self.access.iter_mut().filter(|((_, facet), _)| facet != "feature");
                lists.filter_map(|(_, list)| list.as_mut()).for_each(|list| list.retain(|value| !is_gone(value)));
            }
            Step::CreatePolicy(policy) | Step::UpdatePolicy(policy) => {
                self.policies.insert(policy.id.clone(), policy.statements.clone());
            }
            Step::DeletePolicy { id, .. } => {
                self.policies.remove(id);
                let policy = format!("custom/{id}");
                self.roles.values_mut().for_each(|role| role.policies.retain(|each| *each != policy));
            }
            Step::SetAccess { holder, access } => self.set_access(holder, access),
            Step::GrantException { user, exception: Exception { permission, reason, expires } } => {
                let expires = expires.as_ref().map(Moment::instant);
                self.exceptions.insert((user.clone(), permission.clone()), (reason.clone(), expires));
            }
            Step::RevokeException { user, permission } => {
                self.exceptions.remove(&(user.clone(), permission.clone()));
            }
            other => unreachable!("{other:?} was applied before"),
        }
    }

    fn create_subject(&mut self, name: String, new: &Newcomer) {
        self.create(&name, new);
        self.subjects.insert(name, new.state.clone().unwrap_or_else(|| "active".into()));
    }

    fn create(&mut self, name: &str, new: &Newcomer) {
        new.roles.iter().for_each(|given| self.bind(name, given));
        new.access.iter().for_each(|access| self.set_access(name, access));
    }

    fn delete(&mut self, kind: &str, id: &str) {
        let name = match kind {
            "team" => format!("teams/{id}"),
            "user" => format!("users/{id}"),
            _ => format!("serviceAccounts/{id}"),
        };
        self.bindings.retain(|(holder, _, _), _| *holder != name);
        self.access.retain(|(holder, _), _| *holder != name);
        match kind {
            "team" => {
                self.teams.remove(id);
                self.members.retain(|(of, _)| of != id);
            }
            "user" => {
                self.subjects.remove(&name);
                self.members.retain(|(_, user)| user != id);
                self.exceptions.retain(|(user, _), _| user != id);
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
            let copy = self.copy_of(role);
            self.custom(into).permissions.extend(copy.permissions);
        }
    }

    fn add_sections(&mut self, role: &str, sections: &[String]) {
        let definition = self.catalog.catalog().definition.clone();
        let is_chosen = |position: usize| sections.contains(&definition.sections[position].id.to_string());
        let all = definition.permissions.iter().filter(|each| is_chosen(each.section.position()));
        self.custom(role).permissions.extend(all.map(|each| each.id.to_string()));
    }

    /// A custom role with what a managed role contains now.
    fn copy_of(&self, id: &str) -> CustomRole {
        let definition = &self.catalog.catalog().definition;
        let role = definition.roles.iter().find(|role| role.id.as_str() == id).unwrap();
        let permission = |index: &rolecall::model::PermissionIndex| &definition.permissions[index.position()];
        let held = role.permissions.iter().map(permission).filter(|permission| !permission.internal);
        CustomRole {
            permissions: held.map(|permission| permission.id.to_string()).collect(),
            left_out: BTreeSet::new(),
            policies: role.policies.iter().map(|each| definition.policies[each.position()].id.to_string()).collect(),
            parents: role.parents.iter().map(|each| definition.roles[each.position()].id.to_string()).collect(),
            covers: role.covers.iter().map(|facet| self.catalog.facet_name(*facet).to_owned()).collect(),
        }
    }
}

impl CustomRole {
    /// Takes what is given, and leaves the rest as it is.
    fn take(&mut self, parts: &Parts) {
        let given = [
            (&parts.policies, &mut self.policies),
            (&parts.parents, &mut self.parents),
            (&parts.covers, &mut self.covers),
        ];
        for (given, own) in given {
            if let Some(given) = given {
                own.clone_from(given);
            }
        }
    }
}
