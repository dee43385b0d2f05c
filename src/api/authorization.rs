//! Check, BatchCheck, ListPermissions.

use tonic::{Request, Response, Status};

use super::{Api, MAX_CHECK_BYTES, MAX_LIST_BYTES, convert, limit_size, parse::Fields, status, tokens::PageToken};
use crate::{
    model::{AccountId, PermissionId, UserId},
    proto::{
        self, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, CheckResponse, ItemError,
        ListPermissionsRequest, ListPermissionsResponse, authorization_service_server::AuthorizationService,
    },
    service::{BatchItem, ListedPermission, ReadAt, Reason, ServiceError, SubjectName},
};

#[tonic::async_trait]
impl AuthorizationService for Api {
    async fn list_api_scopes(
        &self,
        _: Request<crate::proto::ListApiScopesRequest>,
    ) -> Result<Response<crate::proto::ListApiScopesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_CHECK_BYTES)?;
        let subject = question(&request.account, &request.subject, &request.permission)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let answer = self.service.check(subject, &request.permission, at).await?;
        tracing::debug!(account = %request.account, subject = %request.subject, permission = %request.permission,
            reason = answer.reason.name(), revision = answer.revision.0, "decided");
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
                let error = question(&request.account, &item.subject, &item.permission).err();
                let user = item.subject.strip_prefix("users/").unwrap_or_default().to_owned();
                items.push(BatchItem { user, permission: item.permission });
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
        let user = user_of(&mut fields, &request.subject);
        let (account, user) = fields.done(account.zip(user))?;
        let subject = SubjectName::new(account.as_str(), user.as_str())
            .map_err(|error| ServiceError::field("subject", error.to_string()))?;
        let arguments = ["ListPermissions", account.as_str(), user.as_str()];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().map(|page| page.cursor.clone());
        let listed = self.service.list_permissions(subject, size, after, at).await?;
        Ok(Response::new(ListPermissionsResponse {
            permissions: listed.permissions.into_iter().map(|each| effective_permission(&account, each)).collect(),
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

/// A question whose three parts are well formed. Allocates only to say what is wrong.
fn question<'a>(account: &'a str, subject: &'a str, permission: &str) -> Result<SubjectName<'a>, ServiceError> {
    if let (Some(account), Some(user)) = (account.strip_prefix("accounts/"), subject.strip_prefix("users/"))
        && PermissionId::check(permission).is_ok()
        && let Ok(subject) = SubjectName::new(account, user)
    {
        return Ok(subject);
    }
    let mut fields = Fields::default();
    let _ = fields.account("account", account);
    let _ = user_of(&mut fields, subject);
    let _ = fields.id("permission", permission, PermissionId::new);
    fields.done(None)
}

fn user_of(fields: &mut Fields, subject: &str) -> Option<UserId> {
    let Some(user) = subject.strip_prefix("users/") else {
        let given: String = subject.chars().take(256).collect();
        fields.wrong("subject", format!("{given:?} was given; \"users/{{user}}\" is expected"));
        return None;
    };
    fields.id("subject", user, UserId::new)
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
            })
            .collect(),
        deprecated: listed.deprecated,
    }
}
