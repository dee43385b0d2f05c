//! UserService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{ProfileRecord, TeamId, UserId},
    proto::{
        AddUserTeamsRequest, AddUserTeamsResponse, CreateUserRequest, CreateUserResponse, DeleteUserRequest,
        DeleteUserResponse, GetUserRequest, GetUserResponse, ListUserRolesRequest, ListUserRolesResponse,
        ListUserTeamsRequest, ListUserTeamsResponse, ListUsersRequest, ListUsersResponse, RemoveUserRoleRequest,
        RemoveUserRoleResponse, RemoveUserTeamsRequest, RemoveUserTeamsResponse, UpdateUserRequest, UpdateUserResponse,
        UserRole, user_service_server::UserService,
    },
    service::{NewUser, UserUpdate},
};

#[tonic::async_trait]
impl UserService for Api {
    async fn batch_create_users(
        &self,
        _: Request<crate::proto::BatchCreateUsersRequest>,
    ) -> Result<Response<crate::proto::BatchCreateUsersResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn erase_user_personal_fields(
        &self,
        _: Request<crate::proto::EraseUserPersonalFieldsRequest>,
    ) -> Result<Response<crate::proto::EraseUserPersonalFieldsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn record_user_sign_in(
        &self,
        _: Request<crate::proto::RecordUserSignInRequest>,
    ) -> Result<Response<crate::proto::RecordUserSignInResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn replace_user_teams(
        &self,
        _: Request<crate::proto::ReplaceUserTeamsRequest>,
    ) -> Result<Response<crate::proto::ReplaceUserTeamsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_user(account.clone(), id, at).await?;
        let user = Some(convert::user(&account, view));
        Ok(Response::new(GetUserResponse { user, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let account = fields.done(account)?;
        let arguments = ["ListUsers", account.as_str()];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().and_then(|page| UserId::new(&page.cursor).ok());
        let list = self.service.list_users(account.clone(), size, after, at).await?;
        Ok(Response::new(ListUsersResponse {
            users: list.items.into_iter().map(|view| convert::user(&account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let account = fields.account("parent", &request.parent);
        let id = fields.id("user_id", &request.user_id, UserId::new);
        let given = fields.required("user", request.user).unwrap_or_default();
        let profile = ProfileRecord {
            display_name: fields.name("user.display_name", given.display_name),
            username: fields.name("user.username", given.username),
            email: fields.email("user.email", given.email),
        };
        let state = fields.user_state("user.state", given.state);
        let ((account, id), state) = fields.done(account.zip(id).zip(state))?;
        let written = self.service.create_user(account.clone(), NewUser { id, state, profile }).await?;
        Ok(Response::new(CreateUserResponse {
            user: Some(convert::user(&account, written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<UpdateUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let given = fields.required("user", request.user).unwrap_or_default();
        let name = fields.user("user.name", &given.name);
        let mask = fields.mask(request.update_mask, &["display_name", "username", "email", "state"]);
        let state = fields.updated_state(&mask, "user.state", given.state, Fields::user_state);
        let update = UserUpdate {
            state,
            display_name: mask.take("display_name", || fields.name("user.display_name", given.display_name)),
            username: mask.take("username", || fields.name("user.username", given.username)),
            email: mask.take("email", || fields.email("user.email", given.email)),
        };
        let (account, id) = fields.done(name)?;
        let written = self.service.update_user(account.clone(), id, update).await?;
        Ok(Response::new(UpdateUserResponse {
            user: Some(convert::user(&account, written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<DeleteUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let (account, id) = fields.done(name)?;
        let written = self.service.delete_user(account, id).await?;
        Ok(Response::new(DeleteUserResponse { consistency_token: self.tokens.write(written.revision) }))
    }

    async fn list_user_teams(
        &self,
        request: Request<ListUserTeamsRequest>,
    ) -> Result<Response<ListUserTeamsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (teams, revision) = self.service.list_user_teams(account.clone(), id, at).await?;
        Ok(Response::new(ListUserTeamsResponse {
            teams: teams.iter().map(|team| format!("accounts/{account}/teams/{team}")).collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn add_user_teams(
        &self,
        request: Request<AddUserTeamsRequest>,
    ) -> Result<Response<AddUserTeamsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let teams = fields.short_names("teams", &request.teams, "teams", TeamId::new);
        let ((account, id), teams) = fields.done(name.zip(teams))?;
        let written = self.service.change_user_teams(account, id, teams, true).await?;
        Ok(Response::new(AddUserTeamsResponse { consistency_token: self.tokens.write(written.revision) }))
    }

    async fn remove_user_teams(
        &self,
        request: Request<RemoveUserTeamsRequest>,
    ) -> Result<Response<RemoveUserTeamsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let teams = fields.short_names("teams", &request.teams, "teams", TeamId::new);
        let ((account, id), teams) = fields.done(name.zip(teams))?;
        let written = self.service.change_user_teams(account, id, teams, false).await?;
        Ok(Response::new(RemoveUserTeamsResponse { consistency_token: self.tokens.write(written.revision) }))
    }

    async fn list_user_roles(
        &self,
        request: Request<ListUserRolesRequest>,
    ) -> Result<Response<ListUserRolesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (roles, revision) = self.service.list_user_roles(account.clone(), id, request.show_internal, at).await?;
        let roles = roles.into_iter().map(|held| UserRole {
            role: convert::role_name(&held.role),
            display_name: held.display_name,
            direct: held.direct,
            teams: held.teams.iter().map(|team| format!("accounts/{account}/teams/{team}")).collect(),
        });
        Ok(Response::new(ListUserRolesResponse {
            roles: roles.collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn remove_user_role(
        &self,
        request: Request<RemoveUserRoleRequest>,
    ) -> Result<Response<RemoveUserRoleResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let role = fields.role("role", &request.role);
        let ((account, id), role) = fields.done(name.zip(role))?;
        let written = self.service.remove_user_role(account.clone(), id, role, request.leave_teams).await?;
        let left = written.value.left_teams.iter();
        Ok(Response::new(RemoveUserRoleResponse {
            left_teams: left.map(|team| format!("accounts/{account}/teams/{team}")).collect(),
            lost_roles: written.value.lost_roles.iter().map(convert::role_name).collect(),
            consistency_token: self.tokens.write(written.revision),
        }))
    }
}
