//! UserService.

use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, MAX_LIST_BYTES, convert, import, limit_size,
    parse::Fields,
    upload::{self, Answers},
};
use crate::{
    model::{ProfileRecord, TeamId, UserId},
    proto::{
        self, AddUserTeamsRequest, AddUserTeamsResponse, BatchCreateUsersRequest, BatchCreateUsersResponse,
        CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, EraseUserPersonalFieldsRequest,
        EraseUserPersonalFieldsResponse, ExportUsersRequest, ExportUsersResponse, GetUserRequest, GetUserResponse,
        ImportUsersRequest, ImportUsersResponse, ListUserRolesRequest, ListUserRolesResponse, ListUserTeamsRequest,
        ListUserTeamsResponse, ListUsersRequest, ListUsersResponse, RecordUserSignInRequest, RecordUserSignInResponse,
        RemoveUserRoleRequest, RemoveUserRoleResponse, RemoveUserTeamsRequest, RemoveUserTeamsResponse,
        ReplaceUserTeamsRequest, ReplaceUserTeamsResponse, UpdateUserRequest, UpdateUserResponse,
        user_service_server::UserService,
    },
    service::{
        self, HolderName, MAX_CHANGES_OF_A_WRITE, MAX_TEAMS_OR_ROLES_OF_A_USER, NewUser, UserFilter, UserUpdate,
    },
};

#[tonic::async_trait]
impl UserService for Api {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.user("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_user(account.clone(), id, at).await?;
        let user = Some(convert::user(&self.tokens, &account, view));
        Ok(Response::new(GetUserResponse { user, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let search = fields.search(&request.search);
        let by_name = match request.order_by.as_str() {
            "" | "id" => false,
            "display_name" => true,
            other => {
                fields.wrong("order_by", format!("{other:?} was given; \"id\" or \"display_name\" is expected"));
                false
            }
        };
        if !search.is_empty() && !request.order_by.is_empty() {
            let given: String = request.order_by.chars().take(256).collect();
            fields.wrong(
                "order_by",
                format!(
                    "{given:?} was given with a search; nothing is expected: what is found is ordered by what was found"
                ),
            );
        }
        let state = (request.state != 0).then(|| fields.user_state("state", request.state)).flatten();
        let account = fields.done(account)?;
        let state_number = request.state.to_string();
        let arguments = ["ListUsers", account.as_str(), &search, &request.order_by, &state_number];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let filter = UserFilter { search: search.clone(), by_name, state };
        let list = self.service.list_users(account.clone(), filter, size, after, page.at).await?;
        Ok(Response::new(ListUsersResponse {
            users: list.items.into_iter().map(|view| convert::user(&self.tokens, &account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let given = proto::NewUser {
            user_id: request.user_id,
            user: request.user,
            roles: request.roles,
            teams: request.teams,
            access_lists: request.access_lists,
            role_bindings: request.role_bindings,
        };
        let new = new_user(&mut fields, "", given);
        let (account, new) = fields.done(account.zip(new))?;
        let (tokens, write) = (self.tokens, service::create_users("CreateUser", account.clone(), vec![new]));
        self.respond(write, manners, move |users, consistency_token| CreateUserResponse {
            user: users.into_iter().next().map(|view| convert::user(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn batch_create_users(
        &self,
        request: Request<BatchCreateUsersRequest>,
    ) -> Result<Response<BatchCreateUsersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let count = request.users.len();
        let mut users = Vec::new();
        if count == 0 || count > MAX_CHANGES_OF_A_WRITE {
            fields.wrong("users", format!("{count} were given; 1 to {MAX_CHANGES_OF_A_WRITE} are expected"));
        } else {
            for (index, given) in request.users.into_iter().enumerate() {
                users.extend(new_user(&mut fields, &format!("users[{index}]."), given));
            }
        }
        let account = fields.done(account)?;
        let (tokens, write) = (self.tokens, service::create_users("BatchCreateUsers", account.clone(), users));
        self.respond(write, manners, move |users, consistency_token| BatchCreateUsersResponse {
            users: users.into_iter().map(|view| convert::user(&tokens, &account, view)).collect(),
            consistency_token,
        })
        .await
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<UpdateUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("user", request.user).unwrap_or_default();
        let name = fields.user("user.name", &given.name);
        let etag = fields.etag(&self.tokens, "user.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name", "username", "email", "state"]);
        let state = fields.updated_state(&mask, "user.state", given.state, Fields::user_state);
        let update = UserUpdate {
            state,
            display_name: mask.take("display_name", || fields.name("user.display_name", given.display_name)),
            username: mask.take("username", || fields.name("user.username", given.username)),
            email: mask.take("email", || fields.email("user.email", given.email)),
        };
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_user(account.clone(), id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateUserResponse {
            user: Some(convert::user(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn erase_user_personal_fields(
        &self,
        request: Request<EraseUserPersonalFieldsRequest>,
    ) -> Result<Response<EraseUserPersonalFieldsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::erase_user(account.clone(), id, etag));
        self.respond(write, manners, move |view, consistency_token| EraseUserPersonalFieldsResponse {
            user: Some(convert::user(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn record_user_sign_in(
        &self,
        request: Request<RecordUserSignInRequest>,
    ) -> Result<Response<RecordUserSignInResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let time = fields.time("sign_in_time", request.sign_in_time);
        let (account, id) = fields.done(name)?;
        let write = service::record_sign_in(account, id, time);
        self.respond(write, manners, |last, consistency_token| RecordUserSignInResponse {
            last_sign_in_time: Some(convert::time(last)),
            consistency_token,
        })
        .await
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<DeleteUserResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::delete_user(account, id, request.erase_personal_fields, request.force, etag);
        self.respond(write, manners, |removed, consistency_token| DeleteUserResponse {
            consistency_token,
            removed: removed.into_iter().map(convert::removed).collect(),
        })
        .await
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
            teams: teams.iter().map(|team| convert::team_name(&account, team)).collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn add_user_teams(
        &self,
        request: Request<AddUserTeamsRequest>,
    ) -> Result<Response<AddUserTeamsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let teams = fields.short_names("teams", &request.teams, "teams", TeamId::new);
        let ((account, id), teams) = fields.done(name.zip(teams))?;
        let write = service::change_user_teams(account, id, teams, true);
        self.respond(write, manners, |(), consistency_token| AddUserTeamsResponse { consistency_token }).await
    }

    async fn remove_user_teams(
        &self,
        request: Request<RemoveUserTeamsRequest>,
    ) -> Result<Response<RemoveUserTeamsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let teams = fields.short_names("teams", &request.teams, "teams", TeamId::new);
        let ((account, id), teams) = fields.done(name.zip(teams))?;
        let write = service::change_user_teams(account, id, teams, false);
        self.respond(write, manners, |(), consistency_token| RemoveUserTeamsResponse { consistency_token }).await
    }

    async fn replace_user_teams(
        &self,
        request: Request<ReplaceUserTeamsRequest>,
    ) -> Result<Response<ReplaceUserTeamsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let teams = fields.short_list("teams", &request.teams, "teams", MAX_TEAMS_OR_ROLES_OF_A_USER, TeamId::new);
        let (account, id) = fields.done(name)?;
        let write = service::replace_user_teams(account.clone(), id, teams);
        self.respond(write, manners, move |replaced, consistency_token| ReplaceUserTeamsResponse {
            joined_teams: replaced.joined.iter().map(|team| convert::team_name(&account, team)).collect(),
            left_teams: replaced.left.iter().map(|team| convert::team_name(&account, team)).collect(),
            consistency_token,
        })
        .await
    }

    type ImportUsersStream = Answers<ImportUsersResponse>;

    async fn import_users(
        &self,
        request: Request<Streaming<ImportUsersRequest>>,
    ) -> Result<Response<Self::ImportUsersStream>, Status> {
        let (api, messages) = (self.clone(), request.into_inner());
        Ok(Response::new(self.transfers.answers(|sender| import::run(api, messages, sender))?))
    }

    type ExportUsersStream = Answers<ExportUsersResponse>;

    async fn export_users(
        &self,
        request: Request<ExportUsersRequest>,
    ) -> Result<Response<Self::ExportUsersStream>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.account("parent", &request.parent);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let mut export = self.service.export_users(id, at).await?;
        let token = self.tokens.write(export.revision());
        Ok(Response::new(self.transfers.answers(|sender| async move {
            while let Some((chunk, count)) = export.next().await? {
                let user_count = i64::try_from(count).unwrap_or(i64::MAX);
                let piece = ExportUsersResponse { chunk, user_count, consistency_token: token.clone() };
                upload::send(&sender, piece).await?;
            }
            Ok(())
        })?))
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
        let roles = roles.into_iter().map(|held| convert::user_role(&self.tokens, &account, held));
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
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.user("name", &request.name);
        let role = fields.role("role", &request.role);
        let ((account, id), role) = fields.done(name.zip(role))?;
        let write = service::remove_user_role(account.clone(), id, role, request.leave_teams);
        self.respond(write, manners, move |removed, consistency_token| RemoveUserRoleResponse {
            left_teams: removed.left_teams.iter().map(|team| convert::team_name(&account, team)).collect(),
            lost_roles: removed.lost_roles.iter().map(convert::role_name).collect(),
            consistency_token,
        })
        .await
    }
}

/// A user to be created; `place`: where in the request it stands.
fn new_user(fields: &mut Fields, place: &str, given: proto::NewUser) -> Option<NewUser> {
    let id = fields.id(&format!("{place}user_id"), &given.user_id, UserId::new);
    let user = fields.required(&format!("{place}user"), given.user).unwrap_or_default();
    let profile = ProfileRecord {
        display_name: fields.name(&format!("{place}user.display_name"), user.display_name),
        username: fields.name(&format!("{place}user.username"), user.username),
        email: fields.email(&format!("{place}user.email"), user.email),
    };
    let state = fields.user_state(&format!("{place}user.state"), user.state);
    let roles = fields.roles(&format!("{place}roles"), &given.roles, MAX_CHANGES_OF_A_WRITE);
    let (field, maximum) = (format!("{place}teams"), MAX_CHANGES_OF_A_WRITE);
    let teams = fields.short_list(&field, &given.teams, "teams", maximum, TeamId::new);
    let access = fields.access_lists(&format!("{place}access_lists"), given.access_lists);
    let holder = id.clone().map(HolderName::User);
    let bindings = fields.first_bindings(&format!("{place}role_bindings"), holder.as_ref(), &given.role_bindings);
    Some(NewUser { id: id?, state: state?, profile, roles, bindings, teams, access })
}
