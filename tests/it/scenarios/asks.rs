//! The questions of a case, as requests to the server.

use std::collections::BTreeMap;

use rolecall::{
    model::Timestamp,
    proto::{
        BatchCheckItem, BatchCheckRequest, CheckRequest, Decision, DecisionReason, GrantPath, ListApiScopesRequest,
        ListPermissionsRequest, ListResourcesRequest, ListSubjectsRequest,
    },
};
use serde_json::{Map, Value};
use tonic::Status;

use super::{
    Callers, Placed,
    case::{About, Asked, Moment, Question, Scenario},
    is_as_expected,
    lists::{List, Listed},
};

/// A mistake in an answer is a panic; a refusal is for the caller to judge.
pub type Asking = Result<(), Status>;

/// The last part of a name.
pub fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap().to_owned()
}

fn ordered(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Attributes as the API takes them; none: nothing is sent.
pub fn attributes(given: &Map<String, Value>) -> Option<prost_types::Struct> {
    (!given.is_empty()).then(|| structure(given))
}

fn structure(given: &Map<String, Value>) -> prost_types::Struct {
    let fields = given.iter().map(|(name, value)| (name.clone(), attribute(value)));
    prost_types::Struct { fields: fields.collect() }
}

fn attribute(value: &Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::Array(list) => Kind::ListValue(prost_types::ListValue { values: list.iter().map(attribute).collect() }),
        Value::Object(map) => Kind::StructValue(structure(map)),
    };
    prost_types::Value { kind: Some(kind) }
}

impl Asked {
    /// The permission and the API scope, one of them empty.
    fn parts(&self) -> (String, String) {
        match self {
            Self::Permission(permission) => (permission.clone(), String::new()),
            Self::ApiScope(scope) => (String::new(), scope.clone()),
        }
    }
}

impl About {
    fn resource(&self) -> String {
        self.resource.clone().unwrap_or_default()
    }
}

impl Placed<'_> {
    /// Asks everything that the case asks at a later moment, or at none, and looks at the answers if they have to hold.
    /// Gives how many questions that were.
    pub async fn ask(
        &self,
        callers: &mut Callers,
        scenario: &Scenario,
        way: &str,
        at: Option<Timestamp>,
        hold: bool,
    ) -> usize {
        let name = self.names(way);
        let mut asked = 0;
        let mut judge = |outcome: Asking| {
            asked += 1;
            if let (Err(status), true) = (outcome, hold) {
                panic!("{name}: {status}");
            }
        };
        for check in self.case.checks.iter().filter(|check| check.at.as_ref().map(Moment::instant) == at) {
            judge(self.check(callers, check, way, hold).await);
        }
        if at.is_some() {
            return asked;
        }
        if let Some((subject, expected)) = &self.case.roles_of {
            judge(self.roles_of(callers, subject, expected, way, hold).await);
        }
        for listed in &self.case.listed {
            judge(self.listed(callers, listed, way, hold).await);
        }
        for list in &self.case.lists {
            let outcome = match list {
                List::Row(row) => self.row(callers, row, way, hold).await,
                List::Search { text, kind, found } => self.search(callers, text, kind, found, way, hold).await,
                List::Sections { role, sections } => self.sections(callers, scenario, role, sections, way, hold).await,
                List::Holders { role, holders } => self.holders(callers, role, holders, way, hold).await,
                List::Permission { .. } | List::ApiScope { .. } => self.catalog_row(callers, list, way, hold).await,
                List::ApiScopesOf { subject, api_scopes } => {
                    self.api_scopes_of(callers, scenario, subject, api_scopes, way, hold).await
                }
                List::Subjects { .. } => self.subjects(callers, list, way, hold).await,
                List::Resources { .. } => self.resources(callers, list, way, hold).await,
            };
            judge(outcome);
        }
        asked
    }

    async fn check(&self, callers: &mut Callers, check: &Question, way: &str, hold: bool) -> Asking {
        let (permission, api_scope) = check.asked.parts();
        let request = CheckRequest {
            account: self.parent(),
            subject: check.subject.clone(),
            permission,
            api_scope,
            resource: check.about.resource(),
            facets: check.about.facets.clone().into_iter().collect(),
            attributes: attributes(&check.about.attributes),
            consistency: None,
        };
        let answer = callers.clients.authorization.check(request).await;
        if let Some(refusal) = &check.refused {
            let outcome = answer.map(|_| ());
            let is_as_expected = is_as_expected(&outcome, Some(refusal));
            assert!(is_as_expected || !hold, "{}: {check:?} {outcome:?}", self.names(way));
            return Ok(());
        }
        let answer = answer?.into_inner();
        if hold {
            let decision = if check.allow { Decision::Allow } else { Decision::Deny };
            let reason = DecisionReason::from_str_name(&format!("DECISION_REASON_{}", check.reason)).unwrap();
            assert_eq!((answer.decision(), answer.reason()), (decision, reason), "{}: {check:?}", self.names(way));
        }
        Ok(())
    }

    async fn listed(&self, callers: &mut Callers, listed: &Listed, way: &str, hold: bool) -> Asking {
        let request = ListPermissionsRequest {
            account: self.parent(),
            subject: listed.subject.clone(),
            ..ListPermissionsRequest::default()
        };
        let answer = callers.clients.authorization.list_permissions(request).await?.into_inner();
        if !hold {
            return Ok(());
        }
        let name = format!("{}: {} of {}", self.names(way), listed.permission, listed.subject);
        let found = answer.permissions.into_iter().find(|each| each.permission == listed.permission);
        let Some(through) = &listed.through else {
            assert!(found.is_none(), "{name} is listed");
            return Ok(());
        };
        let found = found.unwrap_or_else(|| panic!("{name} is not listed"));
        let named = |part: fn(&GrantPath) -> &String| {
            ordered(found.grant_paths.iter().map(part).filter(|part| !part.is_empty()).cloned())
        };
        let roles = ordered(named(|path| &path.role).iter().map(|role| self.short_role(role)));
        let teams = ordered(named(|path| &path.team).iter().map(|team| id(team)));
        assert_eq!((&roles, &teams), (&through.roles, &through.teams), "{name}");
        assert_eq!(!named(|path| &path.exception_reason).is_empty(), through.exception, "{name}: by an exception");
        if let Some(api_scopes) = &through.api_scopes {
            assert_eq!(&found.api_scopes, api_scopes, "{name}");
        }
        if let Some(resources) = &through.resources {
            assert_eq!(&named(|path| &path.resource), resources, "{name}");
        }
        if let Some(facets) = &through.facets {
            let list = |facet: &String| {
                let list = answer.access_lists.iter().find(|list| list.facet == *facet);
                let values = list.map_or_else(|| Some(Vec::new()), |list| (!list.all).then(|| list.values.clone()));
                (facet.clone(), values)
            };
            assert_eq!(&found.facets.iter().map(list).collect::<BTreeMap<_, _>>(), facets, "{name}");
        }
        Ok(())
    }

    /// Who may.
    async fn subjects(&self, callers: &mut Callers, list: &List, way: &str, hold: bool) -> Asking {
        let List::Subjects { asked, about, found } = list else { unreachable!("no such list") };
        let (permission, api_scope) = asked.parts();
        let request = ListSubjectsRequest {
            account: self.parent(),
            permission,
            api_scope,
            resource: about.resource(),
            facets: about.facets.clone().into_iter().collect(),
            attributes: attributes(&about.attributes),
            ..ListSubjectsRequest::default()
        };
        let answer = callers.clients.authorization.list_subjects(request).await?.into_inner();
        if hold {
            assert!(answer.next_page_token.is_empty(), "{}: more than one page", self.names(way));
            let prefix = format!("{}/", self.parent());
            let short = |name: &String| name.strip_prefix(&prefix).unwrap().to_owned();
            let subjects: Vec<String> = answer.subjects.iter().map(|each| short(&each.subject)).collect();
            assert_eq!(&subjects, found, "{}: who may {asked:?} {about:?}", self.names(way));
            for each in answer.subjects {
                assert!(each.direct || !each.teams.is_empty(), "{}: {} by nothing", self.names(way), each.subject);
            }
        }
        Ok(())
    }

    /// Where somebody may.
    async fn resources(&self, callers: &mut Callers, list: &List, way: &str, hold: bool) -> Asking {
        let List::Resources { subject, permission, kind, about, found, all } = list else {
            unreachable!("no such list")
        };
        let request = ListResourcesRequest {
            account: self.parent(),
            subject: subject.clone(),
            permission: permission.clone(),
            resource_type: kind.clone(),
            facets: about.facets.clone().into_iter().collect(),
            attributes: attributes(&about.attributes),
            ..ListResourcesRequest::default()
        };
        let answer = callers.clients.authorization.list_resources(request).await?.into_inner();
        if hold {
            assert!(answer.next_page_token.is_empty(), "{}: more than one page", self.names(way));
            let name = format!("{}: where {subject} may {permission} {about:?}", self.names(way));
            assert_eq!((&answer.resources, answer.all), (found, *all), "{name}");
        }
        Ok(())
    }

    /// The list of API scopes, and a check of every API scope of the catalog, which has to allow exactly those.
    async fn api_scopes_of(
        &self,
        callers: &mut Callers,
        scenario: &Scenario,
        subject: &str,
        expected: &[String],
        way: &str,
        hold: bool,
    ) -> Asking {
        let authorization = &mut callers.clients.authorization;
        let (account, name) = (self.parent(), self.names(way));
        let request =
            ListApiScopesRequest { account: account.clone(), subject: subject.to_owned(), ..Default::default() };
        let listed = authorization.list_api_scopes(request).await?.into_inner().api_scopes;
        let all = scenario.api_scopes();
        let item = |api_scope: &String| BatchCheckItem {
            subject: subject.to_owned(),
            api_scope: api_scope.clone(),
            ..BatchCheckItem::default()
        };
        let request = BatchCheckRequest { account, items: all.iter().map(item).collect(), consistency: None };
        let checked = authorization.batch_check(request).await?.into_inner().results;
        if hold {
            let ids: Vec<&String> = listed.iter().map(|each| &each.api_scope).collect();
            assert_eq!(ids, expected.iter().collect::<Vec<_>>(), "{name}");
            for each in &listed {
                assert!(!each.permissions.is_empty(), "{name}: {} comes from nothing", each.api_scope);
                assert!(!each.description.is_empty(), "{name}: {} has no description", each.api_scope);
            }
            let allowed = all.iter().zip(checked).filter(|(_, result)| result.decision() == Decision::Allow);
            assert_eq!(ids, allowed.map(|(id, _)| id).collect::<Vec<_>>(), "{name}: checked one by one");
        }
        Ok(())
    }
}
