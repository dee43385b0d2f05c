//! A case answered by the engine from plain values: no server, no store, no cache.
//!
//! For each question the facts are handed to the engine anew. Lists of people and roles are not the engine's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rolecall::{
    engine::{
        Access, AccessList, AttributeValue, Attributes, BoundResource, BoundRole, CompiledCatalog, EffectiveSet,
        Evidence, HeldBy, HeldException, HeldRole, Holdings, Place, Question, Reason, RoleFacts, Standing, Subject,
        agrees, decide, effective_permissions,
    },
    model::{
        ApiScopeId, Condition, Effect, Facet, Number, PermissionPattern, PolicyId, PolicyRecord, ResourcePath,
        ResourcePattern, RoleId, RoleRecord, Statement, TeamId, Timestamp,
    },
};
use serde_json::{Map, Value};

use super::{
    case::{About, Asked, Case, Moment, Scenario},
    clocked::begin,
    facts::{CustomRole, Facts},
    lists::{List, Listed},
    steps,
};

/// The numbers of custom roles, registered resources and custom policies begin here, in the order of their names.
const ROLES: u64 = 1_000_000;
const RESOURCES: u64 = 2_000_000;
const POLICIES: u64 = 3_000_000;

fn number(from: u64, position: Option<usize>) -> Option<Number> {
    position.map(|position| Number(from + position as u64))
}

fn attributes(given: &Map<String, Value>) -> Attributes {
    given.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null,
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => AttributeValue::Number(value.as_f64().unwrap()),
        Value::String(value) => AttributeValue::Text(value.clone()),
        Value::Array(list) => AttributeValue::List(list.iter().map(attribute).collect()),
        Value::Object(map) => AttributeValue::Map(attributes(map)),
    }
}

fn statement(given: &steps::Statement) -> Statement {
    Statement {
        effect: if given.allows { Effect::Allow } else { Effect::Deny },
        permissions: given.permissions.iter().map(|each| PermissionPattern::new(each).unwrap()).collect(),
        resources: given.resources.iter().map(|each| ResourcePattern::new(each).unwrap()).collect(),
        condition: given.condition.as_deref().map(Condition::new),
    }
}

impl Asked {
    fn find(&self, catalog: &CompiledCatalog) -> rolecall::engine::Asked {
        match self {
            Self::Permission(permission) => catalog.permission(permission).unwrap().into(),
            Self::ApiScope(scope) => catalog.api_scope(scope).unwrap().into(),
        }
    }
}

impl About {
    fn place<'a>(&'a self, catalog: &CompiledCatalog) -> Place<'a> {
        let path = self.resource.as_deref().unwrap_or_default();
        let facets = self.facets.iter().map(|(facet, value)| (catalog.resource_type(facet).unwrap(), value.as_str()));
        Place { path, resource_type: catalog.type_of_path(path), facets: facets.collect() }
    }
}

/// Asks one question about a subject that is ready.
pub fn answer(catalog: &CompiledCatalog, subject: &Subject, name: &str, asked: &Asked, about: &About) -> Reason {
    let attributes = attributes(&about.attributes);
    let (_, id) = name.split_once('/').unwrap();
    let (asked, place) = (asked.find(catalog), about.place(catalog));
    decide(subject, Question { asked, place: &place, subject: id, attributes: &attributes })
}

impl Facts {
    fn role_number(&self, name: &str) -> Option<Number> {
        match name.strip_prefix("custom/") {
            Some(id) => number(ROLES, self.roles.keys().position(|each| each == id)),
            None => self.catalog.role(name).map(|role| role.number),
        }
    }

    fn policy_number(&self, name: &str) -> Option<Number> {
        match name.strip_prefix("custom/") {
            Some(id) => number(POLICIES, self.policies.keys().position(|each| each == id)),
            None => self.catalog.policy_number(name),
        }
    }

    fn role_name(&self, number: Number) -> String {
        let managed = self.catalog.role_of_number(number).map(|role| role.id.to_string());
        let custom = || self.roles.keys().nth(usize::try_from(number.0 - ROLES).unwrap()).unwrap();
        managed.unwrap_or_else(|| format!("custom/{}", custom()))
    }

    fn role(&self, name: &str) -> Option<Arc<RoleFacts>> {
        let Some(id) = name.strip_prefix("custom/") else { return self.catalog.role(name).cloned() };
        let CustomRole { permissions, left_out, policies, parents, covers } = self.roles.get(id)?;
        let permission = |id: &String| self.catalog.number_of_permission(self.catalog.permission(id)?);
        let facet = |name: &String| self.catalog.number_of_facet(self.catalog.facet(name)?);
        let mut permissions: Vec<Number> = permissions.iter().filter_map(permission).collect();
        permissions.sort();
        let record = RoleRecord {
            id: RoleId::new(id).unwrap(),
            display_name: id.to_owned(),
            description: String::new(),
            permissions,
            left_out_api_scopes: left_out.iter().map(|scope| ApiScopeId::new(scope).unwrap()).collect(),
            policies: policies.iter().filter_map(|policy| self.policy_number(policy)).collect(),
            parents: parents.iter().filter_map(|parent| self.role_number(parent)).collect(),
            covers: covers.iter().filter_map(facet).collect(),
            created: Timestamp(0),
            updated: Timestamp(0),
        };
        let policies = policies.iter().filter_map(|name| {
            let statements = self.policies.get(name.strip_prefix("custom/")?)?;
            let id = name.trim_start_matches("custom/");
            let record = PolicyRecord {
                id: PolicyId::new(id).unwrap(),
                display_name: id.to_owned(),
                description: String::new(),
                statements: statements.iter().map(statement).collect(),
                created: Timestamp(0),
                updated: Timestamp(0),
            };
            Some(Arc::new(self.catalog.custom_policy(self.policy_number(name)?, &record)))
        });
        let policies: Vec<_> = policies.collect();
        Some(Arc::new(self.catalog.custom_role_with(self.role_number(name)?, &record, &policies)))
    }

    /// The roles of these numbers with all that they reach.
    fn reached(&self, mut open: Vec<Number>) -> Vec<Arc<RoleFacts>> {
        let mut reached = BTreeMap::new();
        while let Some(number) = open.pop() {
            if let Some(role) = self.role(&self.role_name(number))
                && !reached.contains_key(&number)
            {
                open.extend(&role.parents);
                reached.insert(number, role);
            }
        }
        reached.into_values().collect()
    }

    fn bound_resource(&self, path: &str) -> BoundResource {
        BoundResource {
            number: number(RESOURCES, self.resources.iter().position(|each| each == path)).unwrap(),
            path: ResourcePath::new(path).unwrap(),
            resource_type: self.catalog.type_of_path(path).unwrap(),
        }
    }

    /// What a user has access to, itself and through its teams.
    fn access(&self, holders: &[String]) -> Access {
        let mut lists: BTreeMap<&str, (bool, BTreeSet<&str>)> = BTreeMap::new();
        for ((holder, facet), values) in &self.access {
            if holders.contains(holder) {
                let (all, list) = lists.entry(facet).or_default();
                *all |= values.is_none();
                list.extend(values.iter().flatten().map(String::as_str));
            }
        }
        let mut access = Access::default();
        for (facet, (all, values)) in lists {
            let values = values.into_iter().filter(|_| !all);
            match self.catalog.facet(facet).unwrap() {
                Facet::Feature => {
                    let feature = |id| self.catalog.feature_of_number(self.catalog.feature_number(id)?);
                    let mut values: Vec<_> = values.filter_map(feature).collect();
                    values.sort_unstable();
                    access.features = AccessList { all, values };
                }
                Facet::Type(resource_type) => {
                    let mut values: Vec<_> = values.map(|path| ResourcePath::new(path).unwrap()).collect();
                    values.sort_unstable();
                    access.resources.push((resource_type, AccessList { all, values }));
                }
            }
        }
        access
    }

    /// A subject as the engine wants it.
    pub fn whole(&self, name: &str, now: Timestamp) -> (Subject, Evidence) {
        let standing = match self.subjects.get(name).map(String::as_str) {
            _ if !self.active => Standing::AccountSuspended,
            None => Standing::Unknown,
            Some("active") => Standing::Active,
            Some(_) => Standing::NotActive,
        };
        let has_passed = |expires: &Option<Timestamp>| expires.is_some_and(|expires| now >= expires);
        let user = name.strip_prefix("users/").unwrap_or_default();
        let teams = self.members.iter().filter(|(_, of)| of == user).map(|(team, _)| format!("teams/{team}"));
        let mut holders: Vec<String> = teams.collect();
        holders.push(name.to_owned());
        let (mut held, mut bindings) = (Vec::new(), Vec::new());
        for (position, ((holder, role, on), expires)) in self.bindings.iter().enumerate() {
            let Some(role) = self.role_number(role).filter(|_| holders.contains(holder)) else { continue };
            let resource = on.as_ref().map(|path| self.bound_resource(path));
            let number = Number(position as u64);
            let is_expired = has_passed(expires);
            held.push(HeldRole {
                role,
                team: holder.strip_prefix("teams/").map(|team| (number, TeamId::new(team).unwrap())),
                binding: number,
                resource: resource.as_ref().map(|on| on.number),
                expires: *expires,
                is_expired,
            });
            let bound = BoundRole { role, resource, is_expired };
            if !bindings.contains(&bound) {
                bindings.push(bound);
            }
        }
        let exceptions = self.exceptions.iter().filter(|((of, _), _)| of == user);
        let exceptions: Vec<HeldException> = exceptions
            .map(|((_, permission), (reason, expires))| HeldException {
                permission: self.catalog.permission(permission).unwrap(),
                reason: reason.clone(),
                expires: *expires,
                is_expired: has_passed(expires),
            })
            .collect();
        let holdings = Holdings {
            roles: self.reached(bindings.iter().map(|bound| bound.role).collect()),
            bindings,
            exceptions: exceptions.iter().map(|each| (each.permission, each.is_expired)).collect(),
            access: self.access(&holders),
        };
        let features: Vec<Number> =
            self.features.iter().filter_map(|feature| self.catalog.feature_number(feature)).collect();
        let set = Arc::new(EffectiveSet::new(Arc::clone(&self.catalog), &features, holdings));
        (Subject { standing, set }, Evidence { held, exceptions })
    }

    /// What decides about a subject.
    pub fn subject(&self, name: &str, now: Timestamp) -> Subject {
        self.whole(name, now).0
    }

    fn decide(&self, name: &str, asked: &Asked, about: &About, now: Timestamp) -> Reason {
        answer(&self.catalog, &self.subject(name, now), name, asked, about)
    }

    fn check_listed(&self, listed: &Listed, name: &str) {
        let (subject, evidence) = self.whole(&listed.subject, begin());
        let index = self.catalog.permission(&listed.permission).unwrap();
        let found = effective_permissions(&subject, &evidence, None).find(|found| found.permission == index);
        let Some(through) = &listed.through else {
            assert!(found.is_none(), "{name}: {} is listed", listed.permission);
            return;
        };
        let found = found.unwrap_or_else(|| panic!("{name}: {} is not listed", listed.permission));
        let (mut roles, mut teams, mut resources) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut is_exception, mut api_scopes) = (false, self.catalog.no_api_scopes());
        for way in &found.grants {
            match way.by {
                HeldBy::Exception(_) => is_exception = true,
                HeldBy::Binding(held) => {
                    roles.insert(self.role_name(held.role));
                    teams.extend(held.team.as_ref().map(|(_, id)| id.to_string()));
                }
            }
            resources.extend(way.resource.map(|on| on.path.to_string()));
            let left_out = way.listed_by.map(|role| role.left_out.clone()).unwrap_or_default();
            self.catalog.add_api_scopes(index, &left_out, &mut api_scopes);
        }
        let named = |set: BTreeSet<String>| set.into_iter().collect::<Vec<String>>();
        assert_eq!((&named(roles), &named(teams)), (&through.roles, &through.teams), "{name}");
        assert_eq!(is_exception, through.exception, "{name}: by an exception");
        if let Some(expected) = &through.api_scopes {
            let ids: Vec<String> = self.catalog.api_scope_ids(&api_scopes).map(ToString::to_string).collect();
            assert_eq!(&ids, expected, "{name}");
        }
        if let Some(expected) = &through.resources {
            assert_eq!(&named(resources), expected, "{name}");
        }
        if let Some(expected) = &through.facets {
            let facets =
                self.catalog.facets(index).iter().map(|facet| {
                    (self.catalog.facet_name(*facet).to_owned(), self.values(subject.set.access(), *facet))
                });
            assert_eq!(&facets.collect::<BTreeMap<_, _>>(), expected, "{name}");
        }
    }

    /// What an access list has; none: all.
    fn values(&self, access: &Access, facet: Facet) -> Option<Vec<String>> {
        match facet {
            Facet::Feature => {
                let features = &self.catalog.catalog().definition.features;
                let id = |index: &rolecall::model::FeatureIndex| features[index.position()].id.to_string();
                let mut ids: Vec<String> = access.features.values.iter().map(id).collect();
                ids.sort();
                (!access.features.all).then_some(ids)
            }
            Facet::Type(resource_type) => match access.resources(resource_type) {
                None => Some(Vec::new()),
                Some(list) => (!list.all).then(|| list.values.iter().map(ToString::to_string).collect()),
            },
        }
    }

    /// Checks what the engine knows of a list. Gives how many questions that were.
    fn check_list(&self, scenario: &Scenario, list: &List, name: &str) -> usize {
        let is_allowed =
            |who: &str, asked: &Asked, about: &About| self.decide(who, asked, about, begin()) == Reason::Allowed;
        match list {
            List::Row(row) => {
                let role = self.role(&row.role).unwrap();
                let api_scopes = self.catalog.role_api_scopes(&role);
                let counts = (role.permissions.iter().count(), self.catalog.api_scope_ids(&api_scopes).count());
                let listed = (row.listed_permissions.try_into().unwrap(), row.listed_api_scopes.try_into().unwrap());
                assert_eq!(counts, listed, "{name}: permissions and API scopes that {} lists", row.role);
            }
            List::ApiScopesOf { subject, api_scopes } => {
                let nowhere = About::default();
                let is_allowed = |id: &String| is_allowed(subject, &Asked::ApiScope(id.clone()), &nowhere);
                let allowed: Vec<String> = scenario.api_scopes().into_iter().filter(is_allowed).collect();
                assert_eq!(&allowed, api_scopes, "{name}");
            }
            List::Subjects { asked, about, found } => {
                let allowed: BTreeSet<&String> =
                    self.subjects.keys().filter(|who| is_allowed(who, asked, about)).collect();
                assert_eq!(allowed, found.iter().collect(), "{name}: who may {asked:?} {about:?}");
            }
            List::Resources { subject, permission, kind, about, found, all } => {
                let asked = Asked::Permission(permission.clone());
                let resource_type = self.catalog.resource_type(kind).unwrap();
                let mut paths: Vec<ResourcePath> =
                    self.resources.iter().map(|path| ResourcePath::new(path).unwrap()).collect();
                paths.retain(|path| self.catalog.type_of_path(path.as_str()) == Some(resource_type));
                paths.retain(|path| about.facets.values().all(|value| agrees(path.as_str(), value)));
                paths.sort_unstable();
                let there = |path: &ResourcePath| About { resource: Some(path.to_string()), ..about.clone() };
                paths.retain(|path| is_allowed(subject, &asked, &there(path)));
                let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
                let everywhere = is_allowed(subject, &asked, about);
                assert_eq!((&paths, everywhere), (found, *all), "{name}: where {subject} may {permission}");
            }
            List::Search { .. }
            | List::Sections { .. }
            | List::Holders { .. }
            | List::Permission { .. }
            | List::ApiScope { .. } => return 0,
        }
        1
    }
}

/// Asks the engine what the case asks. Gives how many questions that were.
pub fn ask(catalog: &Arc<CompiledCatalog>, scenario: &Scenario, case: &Case, file: &str) -> usize {
    let name = format!("{file} (engine alone): {}", case.name);
    let mut facts = Facts::of(catalog, &scenario.account);
    for (step, refused) in &case.steps {
        if refused.is_none() {
            facts.apply(scenario, step);
        }
    }
    // What is refused is so before the engine is asked.
    let mut asked = 0;
    for check in case.checks.iter().filter(|check| check.refused.is_none()) {
        let now = check.at.as_ref().map_or_else(begin, Moment::instant);
        let reason = facts.decide(&check.subject, &check.asked, &check.about, now);
        assert_eq!(reason.name(), check.reason, "{name}: {check:?}");
        asked += 1;
    }
    for listed in &case.listed {
        facts.check_listed(listed, &name);
        asked += 1;
    }
    asked + case.lists.iter().map(|list| facts.check_list(scenario, list, &name)).sum::<usize>()
}
