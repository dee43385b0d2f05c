//! Check, BatchCheck, and the lists: what, who, where.

use std::collections::HashMap;

use prost::Message as _;
use tonic::{Request, Response, Status};

use super::{Api, MAX_CHECK_BYTES, MAX_LIST_BYTES, convert, limit_size, parse::Fields, status, tokens::PageToken};
use crate::{
    model::{
        AccountId, ApiScopeId, PermissionId, ResourcePath, ResourceTypeId, Revision, ServiceAccountId, Timestamp,
        UserId,
    },
    proto::{
        self, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, CheckResponse, ItemError,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        ListResourcesRequest, ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
        authorization_service_server::AuthorizationService,
    },
    service::{
        AllowedName, AllowedSubject, AskedName, Asking, AttributeValue, Attributes, Decided, ErrorReason, GrantPath,
        ListedApiScope, ListedPermission, NO_ATTRIBUTES, PlaceName, ReadAt, ResourceSearch, ServiceError, SubjectKind,
        SubjectName, SubjectSearch,
    },
};

#[tonic::async_trait]
impl AuthorizationService for Api {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_CHECK_BYTES)?;
        let answer = match self.decide(&request).await {
            Ok(answer) => answer,
            Err(error) => {
                let CheckRequest { account, subject, permission, api_scope, .. } = &request;
                return Err(malformed(account, subject, permission, api_scope).unwrap_or(error).into());
            }
        };
        tracing::debug!(account = %request.account, subject = %request.subject, permission = %request.permission,
            api_scope = %request.api_scope, resource = %request.resource, reason = answer.reason.name(),
            revision = answer.revision.0, "decided");
        Ok(Response::new(CheckResponse {
            decision: convert::decision(answer.reason).into(),
            reason: convert::reason(answer.reason).into(),
            consistency_token: self.tokens.write(answer.revision),
        }))
    }

    /// As it is served, for who has no bytes: see [`Api::answer_batch`].
    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        self.answer_batch(&request.into_inner().encode_to_vec()).await?.decoded()
    }

    /// As it is served, for who has no bytes: see [`Api::answer_permissions`].
    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        self.answer_permissions(&request.into_inner().encode_to_vec()).await?.decoded()
    }

    async fn list_api_scopes(
        &self,
        request: Request<ListApiScopesRequest>,
    ) -> Result<Response<ListApiScopesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("account", &request.account);
        let subject = subject_of(&mut fields, &request.subject);
        let (account, (kind, id)) = fields.done(account.zip(subject))?;
        let subject = SubjectName::new(account.as_str(), kind, id);
        let arguments = ["ListApiScopes", account.as_str(), &request.subject];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let listed = self.service.list_api_scopes(subject, size, after, page.at, page.now).await?;
        let shown = |scope: ListedApiScope| proto::EffectiveApiScope {
            api_scope: scope.api_scope,
            description: scope.description,
            permissions: scope.permissions,
        };
        Ok(Response::new(ListApiScopesResponse {
            api_scopes: listed.api_scopes.into_iter().map(shown).collect(),
            subject_reason: listed.subject_reason.map(convert::reason).unwrap_or_default().into(),
            next_page_token: self.next_page(listed.next, listed.revision, &page, &arguments),
            consistency_token: self.tokens.write(listed.revision),
        }))
    }

    async fn list_subjects(
        &self,
        request: Request<ListSubjectsRequest>,
    ) -> Result<Response<ListSubjectsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("account", &request.account);
        check_asked(&mut fields, &request.permission, &request.api_scope);
        let account = fields.done(account)?;
        let search = SubjectSearch {
            permission: request.permission,
            api_scope: request.api_scope,
            resource: request.resource,
            facets: owned(request.facets),
            attributes: request.attributes.as_ref().map(attributes).unwrap_or_default(),
        };
        let given = format!("{search:?}");
        let arguments = ["ListSubjects", account.as_str(), &given];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let found = self.service.list_subjects(account.clone(), search, size, after, page.at, page.now).await?;
        let shown = |subject: AllowedSubject| proto::AllowedSubject {
            subject: match subject.who {
                AllowedName::User(id) => format!("accounts/{account}/users/{id}"),
                AllowedName::ServiceAccount(id) => format!("accounts/{account}/serviceAccounts/{id}"),
            },
            direct: subject.direct,
            teams: subject.teams.iter().map(|team| convert::team_name(&account, team)).collect(),
        };
        Ok(Response::new(ListSubjectsResponse {
            subjects: found.subjects.into_iter().map(shown).collect(),
            next_page_token: self.next_page(found.next, found.revision, &page, &arguments),
            consistency_token: self.tokens.write(found.revision),
        }))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("account", &request.account);
        let subject = subject_of(&mut fields, &request.subject);
        let permission = fields.id("permission", &request.permission, PermissionId::new);
        let resource_type = fields.id("resource_type", &request.resource_type, ResourceTypeId::new);
        let ((account, (kind, id)), _) = fields.done(account.zip(subject).zip(permission.zip(resource_type)))?;
        let subject = SubjectName::new(account.as_str(), kind, id);
        let search = ResourceSearch {
            permission: request.permission.clone(),
            resource_type: request.resource_type.clone(),
            facets: owned(request.facets),
            attributes: request.attributes.as_ref().map(attributes).unwrap_or_default(),
        };
        let given = format!("{search:?}");
        let arguments = ["ListResources", account.as_str(), &request.subject, &given];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| ResourcePath::new(after).ok());
        let found = self.service.list_resources(subject, search, size, after, page.at, page.now).await?;
        Ok(Response::new(ListResourcesResponse {
            resources: found.resources.iter().map(ToString::to_string).collect(),
            all: found.all,
            next_page_token: self.next_page(found.next, found.revision, &page, &arguments),
            consistency_token: self.tokens.write(found.revision),
        }))
    }
}

impl Api {
    /// Answers a question. Whether it is well formed need be asked only if there is no answer: only what is well formed is
    /// known.
    async fn decide(&self, request: &CheckRequest) -> Result<Decided, ServiceError> {
        let account = request.account.strip_prefix("accounts/").ok_or_else(unreadable)?;
        let subject = subject_name(account, &request.subject).ok_or_else(unreadable)?;
        let asked = asked_name(&request.permission, &request.api_scope).ok_or_else(unreadable)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let facets = facets(&request.facets);
        let place = PlaceName { resource: &request.resource, facets: &facets };
        let given = request.attributes.as_ref().map(attributes);
        let question = Asking { subject, asked, place, attributes: given.as_ref().unwrap_or(&NO_ATTRIBUTES) };
        self.service.check(&question, at).await
    }

    /// Where and when a page of a list is read: as its first page was, or where the request says.
    pub(super) fn page_at(
        &self,
        token: &str,
        arguments: &[&str],
        consistency: Option<&proto::Consistency>,
    ) -> Result<ListPage, ServiceError> {
        let now = self.service.now();
        if token.is_empty() {
            return Ok(ListPage { at: self.read_at(consistency)?, now, after: None });
        }
        let page = self.tokens.read_page(token, arguments, now)?;
        self.reached(page.revision)?;
        Ok(ListPage { at: ReadAt::Exact(page.revision), now: page.issued, after: Some(page.cursor) })
    }

    /// The token of the page after one; empty on the last one.
    pub(super) fn next_page(
        &self,
        cursor: Option<String>,
        revision: Revision,
        page: &ListPage,
        arguments: &[&str],
    ) -> String {
        let Some(cursor) = cursor else { return String::new() };
        self.tokens.write_page(&PageToken { revision, issued: page.now, cursor }, arguments)
    }
}

/// One page of a list: where and when it is read.
pub(super) struct ListPage {
    /// The revision, the same for all pages.
    pub(super) at: ReadAt,
    /// The instant, that of the first page.
    pub(super) now: Timestamp,
    /// After which element it begins; none: it is the first page.
    pub(super) after: Option<String>,
}

/// The subject of an account, if its kind is named.
#[inline]
pub(super) fn subject_name<'a>(account: &'a str, subject: &'a str) -> Option<SubjectName<'a>> {
    let (kind, id) = subject_parts(subject)?;
    Some(SubjectName::new(account, kind, id))
}

/// What is asked for, if it is one permission or API scope.
#[inline]
pub(super) fn asked_name<'a>(permission: &'a str, api_scope: &'a str) -> Option<AskedName<'a>> {
    match (permission, api_scope) {
        (permission, "") => Some(AskedName::Permission(permission)),
        ("", api_scope) => Some(AskedName::ApiScope(api_scope)),
        _ => None,
    }
}

/// All that is wrong with the names in a question, if anything is.
pub(super) fn malformed(account: &str, subject: &str, permission: &str, api_scope: &str) -> Option<ServiceError> {
    let mut fields = Fields::default();
    let _ = fields.account("account", account);
    let _ = subject_of(&mut fields, subject);
    check_asked(&mut fields, permission, api_scope);
    fields.done(Some(())).err()
}

/// The error of a question that has no answer. What is wrong with its names is said instead.
pub(super) fn unreadable() -> ServiceError {
    ServiceError::new(ErrorReason::Internal, "the question could not be read")
}

/// Complains about what is asked for, if it is not one well-formed permission or API scope.
fn check_asked(fields: &mut Fields, permission: &str, api_scope: &str) {
    match (permission, api_scope) {
        (permission, "") => _ = fields.id("permission", permission, PermissionId::new),
        ("", api_scope) => _ = fields.id("api_scope", api_scope, ApiScopeId::new),
        _ => {
            for field in ["permission", "api_scope"] {
                fields.wrong(field, "a permission and an API scope were given; one of the two is expected");
            }
        }
    }
}

/// Facets as they were given, ordered, so that what is said about them is too.
fn facets(given: &HashMap<String, String>) -> Vec<(&str, &str)> {
    let mut facets: Vec<(&str, &str)> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    facets.sort_unstable();
    facets
}

fn owned(given: HashMap<String, String>) -> Vec<(String, String)> {
    let mut facets: Vec<(String, String)> = given.into_iter().collect();
    facets.sort_unstable();
    facets
}

/// What conditions can look at. How deep it is was bounded when the message was decoded.
pub(super) fn attributes(given: &prost_types::Struct) -> Attributes {
    given.fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &prost_types::Value) -> AttributeValue {
    use prost_types::value::Kind;
    match &value.kind {
        None | Some(Kind::NullValue(_)) => AttributeValue::Null,
        Some(Kind::BoolValue(value)) => AttributeValue::Bool(*value),
        Some(Kind::NumberValue(value)) => AttributeValue::Number(*value),
        Some(Kind::StringValue(value)) => AttributeValue::Text(value.clone()),
        Some(Kind::ListValue(list)) => AttributeValue::List(list.values.iter().map(attribute).collect()),
        Some(Kind::StructValue(map)) => AttributeValue::Map(attributes(map)),
    }
}

/// The kind and the id of a subject, which are yet to be looked at.
#[inline]
fn subject_parts(subject: &str) -> Option<(SubjectKind, &str)> {
    match subject.strip_prefix("users/") {
        Some(id) => Some((SubjectKind::User, id)),
        None => subject.strip_prefix("serviceAccounts/").map(|id| (SubjectKind::ServiceAccount, id)),
    }
}

pub(super) fn subject_of<'a>(fields: &mut Fields, subject: &'a str) -> Option<(SubjectKind, &'a str)> {
    let Some((kind, id)) = subject_parts(subject) else {
        let given: String = subject.chars().take(256).collect();
        fields.wrong(
            "subject",
            format!("{given:?} was given; \"users/{{user}}\" or \"serviceAccounts/{{service_account}}\" is expected"),
        );
        return None;
    };
    match kind {
        SubjectKind::User => fields.id("subject", id, UserId::new).map(|_| ())?,
        SubjectKind::ServiceAccount => fields.id("subject", id, ServiceAccountId::new).map(|_| ())?,
    }
    Some((kind, id))
}

/// The result of an item that has no answer.
pub(super) fn item_error(error: ServiceError) -> BatchCheckResult {
    BatchCheckResult {
        decision: proto::Decision::Unspecified.into(),
        reason: proto::DecisionReason::Unspecified.into(),
        error: Some(ItemError {
            code: status::code(error.reason.status()).into(),
            reason: error.reason.name().to_owned(),
            message: error.into_details().message,
        }),
    }
}

pub(super) fn effective_permission(account: &AccountId, listed: ListedPermission) -> proto::EffectivePermission {
    let depends = |path: &GrantPath| !path.conditions.is_empty();
    let conditional = listed.paths.iter().all(depends) || listed.denies.iter().any(depends);
    proto::EffectivePermission {
        permission: listed.permission,
        section: listed.section,
        feature: listed.feature.unwrap_or_default(),
        api_scopes: listed.api_scopes,
        grant_paths: listed.paths.into_iter().map(|path| grant_path(account, path)).collect(),
        deprecated: listed.deprecated,
        resource_type: listed.resource_type.unwrap_or_default(),
        facets: listed.facets,
        conditional,
        denies: listed.denies.into_iter().map(|path| deny_path(grant_path(account, path))).collect(),
    }
}

fn grant_path(account: &AccountId, path: GrantPath) -> proto::GrantPath {
    let mut shown = proto::GrantPath {
        covered_facets: path.covered_facets,
        conditions: path.conditions,
        expire_time: path.expires.map(convert::time),
        exception_reason: path.exception_reason.unwrap_or_default(),
        ..proto::GrantPath::default()
    };
    if let Some(held) = path.held {
        shown.role = convert::role_name(&held.role);
        shown.team = held.team.map(|team| convert::team_name(account, &team)).unwrap_or_default();
        shown.role_binding = convert::binding_name(account, held.binding);
        shown.resource = held.resource.map(|path| path.to_string()).unwrap_or_default();
        shown.listed_by = held.listed_by.as_ref().map(convert::role_name).unwrap_or_default();
    }
    if let Some(statement) = path.statement {
        shown.access_policy = statement.policy.to_string();
        shown.statement = i32::try_from(statement.position + 1).unwrap_or(i32::MAX);
        shown.resource_patterns = statement.resources;
    }
    shown
}

fn deny_path(path: proto::GrantPath) -> proto::DenyPath {
    proto::DenyPath {
        role: path.role,
        team: path.team,
        role_binding: path.role_binding,
        listed_by: path.listed_by,
        access_policy: path.access_policy,
        statement: path.statement,
        resource: path.resource,
        resource_patterns: path.resource_patterns,
        // A deny has at most the one condition of its statement.
        condition: path.conditions.into_iter().next().unwrap_or_default(),
        expire_time: path.expire_time,
    }
}
