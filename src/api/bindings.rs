//! RoleBindingService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::Number,
    proto::{
        CreateRoleBindingRequest, CreateRoleBindingResponse, DeleteRoleBindingRequest, DeleteRoleBindingResponse,
        GetRoleBindingRequest, GetRoleBindingResponse, ListRoleBindingsRequest, ListRoleBindingsResponse,
        role_binding_service_server::RoleBindingService,
    },
    service::{BindingFilter, NewBinding},
};

#[tonic::async_trait]
impl RoleBindingService for Api {
    async fn batch_create_role_bindings(
        &self,
        _: Request<crate::proto::BatchCreateRoleBindingsRequest>,
    ) -> Result<Response<crate::proto::BatchCreateRoleBindingsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn batch_delete_role_bindings(
        &self,
        _: Request<crate::proto::BatchDeleteRoleBindingsRequest>,
    ) -> Result<Response<crate::proto::BatchDeleteRoleBindingsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn replace_role_bindings(
        &self,
        _: Request<crate::proto::ReplaceRoleBindingsRequest>,
    ) -> Result<Response<crate::proto::ReplaceRoleBindingsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn get_role_binding(
        &self,
        request: Request<GetRoleBindingRequest>,
    ) -> Result<Response<GetRoleBindingResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.binding("name", &request.name);
        let (account, binding) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_binding(account.clone(), binding, at).await?;
        Ok(Response::new(GetRoleBindingResponse {
            role_binding: Some(convert::binding(&account, &view)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_role_bindings(
        &self,
        request: Request<ListRoleBindingsRequest>,
    ) -> Result<Response<ListRoleBindingsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let filter = BindingFilter {
            holder: if request.holder.is_empty() { None } else { fields.holder("holder", &request.holder) },
            role: if request.role.is_empty() { None } else { fields.role("role", &request.role) },
            show_internal: request.show_internal,
        };
        let account = fields.done(account)?;
        let internal = if request.show_internal { "internal" } else { "" };
        let arguments = ["ListRoleBindings", account.as_str(), &request.holder, &request.role, internal];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().and_then(|page| page.cursor.parse().ok()).map(Number);
        let list = self.service.list_bindings(account.clone(), filter, size, after, at).await?;
        Ok(Response::new(ListRoleBindingsResponse {
            role_bindings: list.items.iter().map(|view| convert::binding(&account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_role_binding(
        &self,
        request: Request<CreateRoleBindingRequest>,
    ) -> Result<Response<CreateRoleBindingResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let account = fields.account("parent", &request.parent);
        let given = fields.required("role_binding", request.role_binding).unwrap_or_default();
        let holder = fields.holder("role_binding.holder", &given.holder);
        let role = fields.role("role_binding.role", &given.role);
        let ((account, holder), role) = fields.done(account.zip(holder).zip(role))?;
        let new = NewBinding { holder, role, allow_internal: request.allow_internal_role };
        let written = self.service.create_binding(account.clone(), new).await?;
        Ok(Response::new(CreateRoleBindingResponse {
            role_binding: Some(convert::binding(&account, &written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn delete_role_binding(
        &self,
        request: Request<DeleteRoleBindingRequest>,
    ) -> Result<Response<DeleteRoleBindingResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.binding("name", &request.name);
        let (account, binding) = fields.done(name)?;
        let written = self.service.delete_binding(account, binding).await?;
        Ok(Response::new(DeleteRoleBindingResponse { consistency_token: self.tokens.write(written.revision) }))
    }
}
