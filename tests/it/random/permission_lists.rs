//! The list of what a subject may do: held against the oracle's grant by grant, and against Check.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto::{self, EffectivePermission, ListPermissionsRequest};

use super::{
    super::oracle::{
        Access, Account, By, Catalog, Chain, Condition, Grant, Question, Seen, Subject, What,
        paths::{cut, is_at_or_above, path_matches, segments},
    },
    Difference, Place, Worker,
    answers::Given,
    api_scopes, permissions, same, subject_text, time,
};

/// What is left of a permission without its paths.
type Head = (String, String, Vec<String>, String, Vec<String>, bool);

impl Worker {
    /// Compares all that a subject may do with the oracle's list, and with Check for every permission there is.
    pub(super) async fn list_permissions(&mut self, place: &Place, subject: &Subject) -> Result<(), Difference> {
        self.done.lists += 1;
        let account = &place.id;
        let mut request = ListPermissionsRequest {
            account: format!("accounts/{account}"),
            subject: subject_text(subject),
            page_size: if self.random.chance(20) { 3 } else { 0 },
            ..Default::default()
        };
        let mut listed: BTreeMap<String, EffectivePermission> = BTreeMap::new();
        let mut lists: BTreeMap<String, proto::AccessList> = BTreeMap::new();
        loop {
            let answer = self.wire.authorization.list_permissions(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            lists.extend(answer.access_lists.into_iter().map(|list| (list.facet.clone(), list)));
            listed.extend(answer.permissions.into_iter().map(|each| (each.permission.clone(), each)));
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let what = format!("{request:?} at {}", self.now);
        self.same_permissions(place, subject, &what, &listed)?;
        let facets: BTreeSet<&String> = listed.values().flat_map(|each| &each.facets).collect();
        let found = &self.oracle.accounts[account];
        let expected: BTreeMap<String, (bool, Vec<String>)> =
            facets.into_iter().map(|facet| (facet.clone(), sent(found.access_of(subject, facet)))).collect();
        let given = lists.iter().map(|(facet, list)| (facet.clone(), (list.all, list.values.clone()))).collect();
        same(&format!("the access lists of {what}"), &given, &expected)?;
        self.compared("list of permissions");
        self.check_entries(place, subject, &listed, &lists).await?;
        self.list_api_scopes(account, subject).await?;
        let asked = permissions().map(What::Permission).chain(api_scopes().map(What::ApiScope));
        let questions: Vec<Question> = asked.map(|what| Question::new(subject, what)).collect();
        self.batch(account, &questions).await
    }

    fn same_permissions(
        &self,
        place: &Place,
        subject: &Subject,
        what: &str,
        listed: &BTreeMap<String, EffectivePermission>,
    ) -> Result<(), Difference> {
        let expected = self.oracle.list(&place.id, subject, self.now);
        let (ids, expected_ids): (Vec<_>, Vec<_>) = (listed.keys().collect(), expected.keys().collect());
        same(what, &ids, &expected_ids)?;
        for (id, entry) in expected {
            let given = &listed[&id];
            let definition = &place.catalog.permissions[&id];
            let grants: Vec<proto::GrantPath> =
                entry.grants.iter().map(|grant| self.grant_path(place, &id, grant)).collect();
            let denies: Vec<proto::DenyPath> =
                entry.denies.iter().map(|deny| deny_path(self.chain_path(place, deny))).collect();
            let conditional = grants.iter().all(|path| !path.conditions.is_empty())
                || denies.iter().any(|path| !path.condition.is_empty());
            let head: Head = (
                entry.section,
                definition.feature.clone().unwrap_or_default(),
                entry.api_scopes.into_iter().collect(),
                definition.resource_type.clone().unwrap_or_default(),
                sorted(definition.facets.clone().into_iter().collect()),
                conditional,
            );
            let given_head: Head = (
                given.section.clone(),
                given.feature.clone(),
                given.api_scopes.clone(),
                given.resource_type.clone(),
                sorted(given.facets.clone()),
                given.conditional,
            );
            same(&format!("{id} of {what}"), &given_head, &head)?;
            let paths = given.grant_paths.iter().cloned().map(nameless).collect();
            same(&format!("the grants of {id} of {what}"), &shown(paths), &shown(grants))?;
            let paths =
                given.denies.iter().cloned().map(|deny| proto::DenyPath { role_binding: String::new(), ..deny });
            same(&format!("the denies of {id} of {what}"), &shown(paths.collect()), &shown(denies))?;
        }
        Ok(())
    }

    /// A grant of the oracle as the API shows it, without the name of its binding.
    fn grant_path(&self, place: &Place, permission: &str, grant: &Grant) -> proto::GrantPath {
        let definition = &place.catalog.permissions[permission];
        let mut path = match grant {
            Grant::Role(chain) => self.chain_path(place, chain),
            Grant::Exception(exception) => proto::GrantPath {
                exception_reason: exception.reason.clone(),
                expire_time: exception.expires.map(time),
                ..Default::default()
            },
        };
        path.conditions.extend(definition.condition.as_ref().map(Condition::cel));
        path.conditions = sorted(path.conditions);
        if let Grant::Role(chain) = grant {
            let covers = self.oracle.role(&place.id, &chain.listing).unwrap_or_default().covers;
            path.covered_facets = definition.facets.intersection(&covers).cloned().collect();
        }
        path
    }

    fn chain_path(&self, place: &Place, chain: &Chain) -> proto::GrantPath {
        let found = place.found.as_ref().unwrap();
        let mut path = proto::GrantPath {
            role: self.role_text(&place.id, &chain.bound),
            team: chain.team.as_ref().map(|team| format!("{}/teams/{team}", place.name)).unwrap_or_default(),
            resource: chain.resource.clone().unwrap_or_default(),
            expire_time: chain.expires.map(time),
            ..Default::default()
        };
        if chain.listing != chain.bound {
            path.listed_by = self.role_text(&place.id, &chain.listing);
        }
        if let By::Statement(policy, index) = &chain.by {
            path.access_policy = self.policy_text(&place.id, policy);
            path.statement = *index as i32 + 1;
            let statement = found.statement(&place.catalog, &chain.by).unwrap();
            path.resource_patterns = statement.resources.clone();
            path.conditions = statement.condition.iter().map(Condition::cel).collect();
        }
        path
    }

    /// Check is allowed exactly if one entry of the list applies and no deny does. The entries are read as they were
    /// given, without the oracle.
    async fn check_entries(
        &mut self,
        place: &Place,
        subject: &Subject,
        listed: &BTreeMap<String, EffectivePermission>,
        lists: &BTreeMap<String, proto::AccessList>,
    ) -> Result<(), Difference> {
        let mut questions = Vec::new();
        for _ in 0..8 {
            let id = self.one_of(listed.keys().cloned(), permissions());
            let mut question = Question::new(subject, What::Permission(id));
            self.complete(place, &mut question);
            questions.push(question);
        }
        let conditions = conditions(place.found.as_ref().unwrap(), &place.catalog);
        let answers = self.answers(&place.id, &questions).await?;
        for (question, answer) in questions.into_iter().zip(answers) {
            self.compare(&place.id, &question, answer.clone())?;
            let What::Permission(id) = &question.what else { continue };
            let Given::Ok((decision, _)) = answer else { continue };
            let entry = listed.get(id);
            let applies = entry.is_some_and(|entry| {
                let asked = Asked::new(&place.catalog, &question, entry, &conditions);
                entry.grant_paths.iter().any(|path| asked.grants(path, lists, self.now))
                    && !entry.denies.iter().any(|path| asked.denies(path, self.now))
            });
            if applies != (decision == proto::Decision::Allow) {
                return Err(format!("{question:?}: Check says {decision:?}; by the list ({applies}) it is {entry:?}"));
            }
            self.compared("a check with an entry of a list");
        }
        Ok(())
    }
}

/// A question to hold against an entry of a list.
struct Asked<'a> {
    entry: &'a EffectivePermission,
    conditions: &'a BTreeMap<String, Condition>,
    path: String,
    everything: bool,
    seen: Seen,
}

impl<'a> Asked<'a> {
    fn new(
        catalog: &Catalog,
        question: &Question,
        entry: &'a EffectivePermission,
        conditions: &'a BTreeMap<String, Condition>,
    ) -> Self {
        let whole = question.resource.clone().unwrap_or_default();
        let steps = match entry.resource_type.as_str() {
            "" => 0,
            resource_type => catalog.chain(Some(resource_type)).len(),
        };
        let (Subject::User(subject) | Subject::ServiceAccount(subject)) = &question.subject;
        let facets = catalog.facet_values(&whole, &question.facets).unwrap_or_default();
        let attributes = question.attributes.clone();
        let everything = segments(&whole, '/').len() < 2 * steps;
        let seen = Seen { subject: subject.clone(), path: whole.clone(), facets, attributes };
        Self { entry, conditions, path: cut(&whole, steps), everything, seen }
    }

    fn holds(&self, condition: &str) -> Option<bool> {
        self.conditions[condition].holds(&self.seen)
    }

    fn grants(&self, path: &proto::GrantPath, lists: &BTreeMap<String, proto::AccessList>, now: u64) -> bool {
        let is_open = |pattern: &String| !self.everything || pattern.ends_with("**");
        let has_value = |facet: &String| {
            let list = &lists[facet];
            let value = if facet == "feature" { Some(&self.entry.feature) } else { self.seen.facets.get(facet) };
            list.all || value.is_some_and(|value| list.values.contains(value))
        };
        path.expire_time.is_none_or(|expires| millis(expires) > now)
            && is_at_or_above(&path.resource, &self.path)
            && (path.resource_patterns.is_empty()
                || path.resource_patterns.iter().any(|pattern| is_open(pattern) && path_matches(pattern, &self.path)))
            && self.entry.facets.iter().all(|facet| path.covered_facets.contains(facet) || has_value(facet))
            && path.conditions.iter().all(|condition| self.holds(condition) == Some(true))
    }

    fn denies(&self, path: &proto::DenyPath, now: u64) -> bool {
        if path.expire_time.is_some_and(|expires| millis(expires) <= now) {
            return false;
        }
        if self.everything {
            return is_at_or_above(&path.resource, &self.path) || is_at_or_above(&self.path, &path.resource);
        }
        is_at_or_above(&path.resource, &self.path)
            && (path.resource_patterns.is_empty()
                || path.resource_patterns.iter().any(|pattern| path_matches(pattern, &self.path)))
            && (path.condition.is_empty() || self.holds(&path.condition) != Some(false))
    }
}

/// Every condition there is, by its text.
fn conditions(account: &Account, catalog: &Catalog) -> BTreeMap<String, Condition> {
    let of_permissions = catalog.permissions.values().filter_map(|each| each.condition.clone());
    let statements = catalog.policies.values().chain(account.policies.values()).flatten();
    let all = of_permissions.chain(statements.filter_map(|each| each.condition.clone()));
    all.map(|condition| (condition.cel(), condition)).collect()
}

fn millis(time: prost_types::Timestamp) -> u64 {
    time.seconds as u64 * 1_000 + time.nanos as u64 / 1_000_000
}

/// Of what has all, no values are shown.
fn sent(access: Access) -> (bool, Vec<String>) {
    (access.all, access.values.into_iter().filter(|_| !access.all).collect())
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn nameless(path: proto::GrantPath) -> proto::GrantPath {
    let (covered_facets, conditions) = (sorted(path.covered_facets), sorted(path.conditions));
    proto::GrantPath { role_binding: String::new(), covered_facets, conditions, ..path }
}

fn deny_path(path: proto::GrantPath) -> proto::DenyPath {
    proto::DenyPath {
        role: path.role,
        team: path.team,
        role_binding: String::new(),
        listed_by: path.listed_by,
        access_policy: path.access_policy,
        statement: path.statement,
        resource: path.resource,
        resource_patterns: path.resource_patterns,
        condition: path.conditions.into_iter().next().unwrap_or_default(),
        expire_time: path.expire_time,
    }
}

/// Paths as texts, ordered; one that stands twice stands twice.
fn shown<T: std::fmt::Debug>(paths: Vec<T>) -> Vec<String> {
    sorted(paths.into_iter().map(|path| format!("{path:?}")).collect())
}
