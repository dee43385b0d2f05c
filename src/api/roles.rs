//! RoleService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{AccountId, CatalogId, RoleId},
    proto::{
        CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, DeleteRoleResponse, GetRoleRequest, GetRoleResponse,
        ListRolesRequest, ListRolesResponse, UpdateRoleRequest, UpdateRoleResponse, role_service_server::RoleService,
    },
    service::{NewRole, RoleName, RoleUpdate},
};

#[tonic::async_trait]
impl RoleService for Api {
    async fn duplicate_role(
        &self,
        _: Request<crate::proto::DuplicateRoleRequest>,
    ) -> Result<Response<crate::proto::DuplicateRoleResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn import_role_permissions(
        &self,
        _: Request<crate::proto::ImportRolePermissionsRequest>,
    ) -> Result<Response<crate::proto::ImportRolePermissionsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn add_role_permissions(
        &self,
        _: Request<crate::proto::AddRolePermissionsRequest>,
    ) -> Result<Response<crate::proto::AddRolePermissionsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn remove_role_permissions(
        &self,
        _: Request<crate::proto::RemoveRolePermissionsRequest>,
    ) -> Result<Response<crate::proto::RemoveRolePermissionsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn list_role_permissions(
        &self,
        _: Request<crate::proto::ListRolePermissionsRequest>,
    ) -> Result<Response<crate::proto::ListRolePermissionsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn list_role_holders(
        &self,
        _: Request<crate::proto::ListRoleHoldersRequest>,
    ) -> Result<Response<crate::proto::ListRoleHoldersResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn get_role(&self, request: Request<GetRoleRequest>) -> Result<Response<GetRoleResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.role("name", &request.name);
        let name = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_role(name, request.show_internal, at).await?;
        let role = Some(convert::role(view));
        Ok(Response::new(GetRoleResponse { role, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_roles(&self, request: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let account = fields.done(account)?;
        let internal = if request.show_internal { "internal" } else { "" };
        let arguments = ["ListRoles", account.as_str(), internal];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = match &page {
            Some(page) => self.role_after(&account, &page.cursor, at).await?,
            None => None,
        };
        let list = self.service.list_roles(account.clone(), request.show_internal, size, after, at).await?;
        Ok(Response::new(ListRolesResponse {
            roles: list.items.into_iter().map(convert::role).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_role(&self, request: Request<CreateRoleRequest>) -> Result<Response<CreateRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let account = fields.account("parent", &request.parent);
        let id = fields.id("role_id", &request.role_id, RoleId::new);
        let given = fields.required("role", request.role).unwrap_or_default();
        let display_name = fields.required_name("role.display_name", given.display_name);
        let description = fields.description("role.description", given.description);
        let permissions = fields.permissions("role.permissions", &given.permissions);
        let (account, id) = fields.done(account.zip(id))?;
        let new = NewRole { id, display_name, description, permissions };
        let written = self.service.create_role(account, new).await?;
        Ok(Response::new(CreateRoleResponse {
            role: Some(convert::role(written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn update_role(&self, request: Request<UpdateRoleRequest>) -> Result<Response<UpdateRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let given = fields.required("role", request.role).unwrap_or_default();
        let name = fields.custom_role("role.name", &given.name);
        let mask = fields.mask(request.update_mask, &["display_name", "description", "permissions"]);
        let update = RoleUpdate {
            display_name: mask.take("display_name", || fields.required_name("role.display_name", given.display_name)),
            description: mask.take("description", || fields.description("role.description", given.description)),
            permissions: mask.take("permissions", || fields.permissions("role.permissions", &given.permissions)),
        };
        let (account, id) = fields.done(name)?;
        let written = self.service.update_role(account, id, update).await?;
        Ok(Response::new(UpdateRoleResponse {
            role: Some(convert::role(written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn delete_role(&self, request: Request<DeleteRoleRequest>) -> Result<Response<DeleteRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.custom_role("name", &request.name);
        let (account, id) = fields.done(name)?;
        let written = self.service.delete_role(account, id).await?;
        Ok(Response::new(DeleteRoleResponse {
            consistency_token: self.tokens.write(written.revision),
            ..Default::default()
        }))
    }
}

impl Api {
    /// The role that a page token's cursor names.
    async fn role_after(
        &self,
        account: &AccountId,
        cursor: &str,
        at: crate::service::ReadAt,
    ) -> Result<Option<RoleName>, Status> {
        let Some((of, id)) = cursor.split_once('/') else { return Ok(None) };
        let Ok(id) = RoleId::new(id) else { return Ok(None) };
        if of == "account" {
            return Ok(Some(RoleName::Account(account.clone(), id)));
        }
        let catalog: CatalogId = self.service.get_account(account.clone(), at).await?.0.catalog;
        Ok(Some(RoleName::Catalog(catalog, id)))
    }
}
