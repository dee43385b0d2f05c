//! ExceptionService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{AccountId, PermissionId, UserId},
    proto::{
        CreateExceptionRequest, CreateExceptionResponse, DeleteExceptionRequest, DeleteExceptionResponse, Exception,
        ListExceptionsRequest, ListExceptionsResponse, exception_service_server::ExceptionService,
    },
    service::{self, ExceptionView, NewException},
};

/// The longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1024;

#[tonic::async_trait]
impl ExceptionService for Api {
    async fn list_exceptions(
        &self,
        request: Request<ListExceptionsRequest>,
    ) -> Result<Response<ListExceptionsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let user = fields.user("parent", &request.parent);
        let (account, user) = fields.done(user)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (views, revision) = self.service.list_exceptions(account.clone(), user.clone(), at).await?;
        Ok(Response::new(ListExceptionsResponse {
            exceptions: views.into_iter().map(|view| exception(&account, &user, view)).collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn create_exception(
        &self,
        request: Request<CreateExceptionRequest>,
    ) -> Result<Response<CreateExceptionResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let user = fields.user("parent", &request.parent);
        let given = fields.required("exception", request.exception).unwrap_or_default();
        let permission = fields.id("exception.permission", &given.permission, PermissionId::new);
        if given.reason.trim().is_empty() {
            fields.wrong("exception.reason", "nothing was given; why the permission is given is expected");
        }
        let reason = fields.text("exception.reason", given.reason, MAX_REASON_BYTES);
        let expires = fields.time("exception.expire_time", given.expire_time);
        let ((account, user), permission) = fields.done(user.zip(permission))?;
        let new = NewException { permission, reason, expires };
        let write = service::create_exception(account.clone(), user.clone(), new);
        self.respond(write, manners, move |view, consistency_token| CreateExceptionResponse {
            exception: Some(exception(&account, &user, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_exception(
        &self,
        request: Request<DeleteExceptionRequest>,
    ) -> Result<Response<DeleteExceptionResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.exception("name", &request.name);
        let (account, user, permission) = fields.done(name)?;
        let write = service::delete_exception(account, user, permission);
        self.respond(write, manners, |(), consistency_token| DeleteExceptionResponse { consistency_token }).await
    }
}

fn exception(account: &AccountId, user: &UserId, view: ExceptionView) -> Exception {
    Exception {
        name: format!("accounts/{account}/users/{user}/exceptions/{}", view.permission),
        permission: view.permission.to_string(),
        reason: view.record.reason,
        expire_time: view.record.expires.map(convert::time),
        create_time: Some(convert::time(view.record.created)),
    }
}
