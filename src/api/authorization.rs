//! Check, BatchCheck, ListPermissions.

use tonic::{Request, Response, Status};

use super::{Api, MAX_CHECK_BYTES, MAX_LIST_BYTES, convert, limit_size, parse::Fields, status, tokens::PageToken};
use crate::{
    model::{AccountId, ApiScopeId, PermissionId, ServiceAccountId, UserId},
    proto::{
        self, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, CheckResponse, ItemError,
        ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse,
        authorization_service_server::AuthorizationService,
    },
    service::{
        AskedName, BatchItem, ListedApiScope, ListedPermission, ReadAt, Reason, ServiceError, SubjectKind, SubjectName,
    },
};

#[tonic::async_trait]
impl AuthorizationService for Api {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_CHECK_BYTES)?;
        let (subject, asked) = question(&request.account, &request.subject, &request.permission, &request.api_scope)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let answer = self.service.check(subject, asked, at).await?;
        tracing::debug!(account = %request.account, subject = %request.subject, permission = %request.permission,
            api_scope = %request.api_scope, reason = answer.reason.name(), revision = answer.revision.0, "decided");
        Ok(Response::new(CheckResponse {
            decision: convert::decision(answer.reason).into(),
            reason: convert::reason(answer.reason).into(),
            consistency_token: self.tokens.write(answer.revision),
        }))
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let account = fields.account("account", &request.account);
        let account = fields.done(account)?;
        let at = self.read_at(request.consistency.as_ref())?;
        // Items that are malformed are errors of their own; the others are asked together.
        let mut items = Vec::with_capacity(request.items.len());
        let malformed: Vec<Option<ServiceError>> = request
            .items
            .into_iter()
            .map(|item| {
                let error = question(&request.account, &item.subject, &item.permission, &item.api_scope).err();
                let (kind, id) = subject_parts(&item.subject).unwrap_or((SubjectKind::User, ""));
                let id = id.to_owned();
                items.push(BatchItem { kind, id, permission: item.permission, api_scope: item.api_scope });
                error
            })
            .collect();
        let (answers, revision) = self.service.batch_check(account.as_str(), &items, at).await?;
        let results = malformed.into_iter().zip(answers).map(|(malformed, answer)| match malformed {
            Some(error) => item_result(Err(error)),
            None => item_result(answer),
        });
        Ok(Response::new(BatchCheckResponse {
            results: results.collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("account", &request.account);
        let subject = subject_of(&mut fields, &request.subject);
        let (account, (kind, id)) = fields.done(account.zip(subject))?;
        let subject = SubjectName::new(account.as_str(), kind, id)
            .map_err(|error| ServiceError::field("subject", error.to_string()))?;
        let arguments = ["ListPermissions", account.as_str(), &request.subject];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().map(|page| page.cursor.clone());
        let listed = self.service.list_permissions(subject, size, after, at).await?;
        Ok(Response::new(ListPermissionsResponse {
            permissions: listed.permissions.into_iter().map(|each| effective_permission(&account, each)).collect(),
            subject_reason: listed.subject_reason.map(convert::reason).unwrap_or_default().into(),
            next_page_token: self.next_page(listed.next, listed.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(listed.revision),
            access_lists: Vec::new(),
        }))
    }

    async fn list_subjects(
        &self,
        _request: Request<proto::ListSubjectsRequest>,
    ) -> Result<Response<proto::ListSubjectsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn list_resources(
        &self,
        _request: Request<proto::ListResourcesRequest>,
    ) -> Result<Response<proto::ListResourcesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
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
        let subject = SubjectName::new(account.as_str(), kind, id)
            .map_err(|error| ServiceError::field("subject", error.to_string()))?;
        let arguments = ["ListApiScopes", account.as_str(), &request.subject];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().map(|page| page.cursor.clone());
        let listed = self.service.list_api_scopes(subject, size, after, at).await?;
        let shown = |scope: ListedApiScope| proto::EffectiveApiScope {
            api_scope: scope.api_scope,
            description: scope.description,
            permissions: scope.permissions,
        };
        Ok(Response::new(ListApiScopesResponse {
            api_scopes: listed.api_scopes.into_iter().map(shown).collect(),
            subject_reason: listed.subject_reason.map(convert::reason).unwrap_or_default().into(),
            next_page_token: self.next_page(listed.next, listed.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(listed.revision),
        }))
    }
}

impl Api {
    /// Where a list is read: at the revision of its first page, or where the request says.
    pub(super) fn page_at(
        &self,
        token: &str,
        arguments: &[&str],
        consistency: Option<&proto::Consistency>,
    ) -> Result<(ReadAt, Option<PageToken>), ServiceError> {
        if token.is_empty() {
            return Ok((self.read_at(consistency)?, None));
        }
        let page = self.tokens.read_page(token, arguments, self.service.now())?;
        self.reached(page.revision)?;
        Ok((ReadAt::Exact(page.revision), Some(page)))
    }

    /// The token of the next page; empty on the last one.
    pub(super) fn next_page(
        &self,
        cursor: Option<String>,
        revision: crate::model::Revision,
        page: Option<&PageToken>,
        arguments: &[&str],
    ) -> String {
        let Some(cursor) = cursor else { return String::new() };
        let issued = page.map_or_else(|| self.service.now(), |page| page.issued);
        self.tokens.write_page(&PageToken { revision, issued, cursor }, arguments)
    }
}

/// A question whose parts are well formed. Allocates only to say what is wrong.
fn question<'a>(
    account: &'a str,
    subject: &'a str,
    permission: &'a str,
    api_scope: &'a str,
) -> Result<(SubjectName<'a>, AskedName<'a>), ServiceError> {
    let asked = match (permission, api_scope) {
        (permission, "") if PermissionId::check(permission).is_ok() => Some(AskedName::Permission(permission)),
        ("", api_scope) if ApiScopeId::check(api_scope).is_ok() => Some(AskedName::ApiScope(api_scope)),
        _ => None,
    };
    if let (Some(account), Some((kind, id)), Some(asked)) =
        (account.strip_prefix("accounts/"), subject_parts(subject), asked)
        && let Ok(subject) = SubjectName::new(account, kind, id)
    {
        return Ok((subject, asked));
    }
    let mut fields = Fields::default();
    let _ = fields.account("account", account);
    let _ = subject_of(&mut fields, subject);
    match (permission, api_scope) {
        (permission, "") => _ = fields.id("permission", permission, PermissionId::new),
        ("", api_scope) => _ = fields.id("api_scope", api_scope, ApiScopeId::new),
        _ => {
            for field in ["permission", "api_scope"] {
                fields.wrong(field, "a permission and an API scope were given; one of the two is expected");
            }
        }
    }
    fields.done(None)
}

/// The kind and the id of a subject, which are yet to be looked at.
fn subject_parts(subject: &str) -> Option<(SubjectKind, &str)> {
    match subject.split_once('/')? {
        ("users", id) => Some((SubjectKind::User, id)),
        ("serviceAccounts", id) => Some((SubjectKind::ServiceAccount, id)),
        _ => None,
    }
}

fn subject_of<'a>(fields: &mut Fields, subject: &'a str) -> Option<(SubjectKind, &'a str)> {
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

fn item_result(answer: Result<Reason, ServiceError>) -> BatchCheckResult {
    match answer {
        Ok(reason) => BatchCheckResult {
            decision: convert::decision(reason).into(),
            reason: convert::reason(reason).into(),
            error: None,
        },
        Err(error) => BatchCheckResult {
            decision: proto::Decision::Unspecified.into(),
            reason: proto::DecisionReason::Unspecified.into(),
            error: Some(ItemError {
                code: status::code(error.reason.status()).into(),
                reason: error.reason.name().to_owned(),
                message: error.message,
            }),
        },
    }
}

fn effective_permission(account: &AccountId, listed: ListedPermission) -> proto::EffectivePermission {
    proto::EffectivePermission {
        permission: listed.permission,
        section: listed.section,
        feature: listed.feature.unwrap_or_default(),
        api_scopes: listed.api_scopes,
        grant_paths: listed
            .paths
            .into_iter()
            .map(|path| proto::GrantPath {
                role: convert::role_name(&path.role),
                team: path.team.map(|team| format!("accounts/{account}/teams/{team}")).unwrap_or_default(),
                role_binding: format!("accounts/{account}/roleBindings/{}", path.binding.0),
                ..Default::default()
            })
            .collect(),
        deprecated: listed.deprecated,
        ..Default::default()
    }
}
