//! TeamService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{Number, TeamId, UserId},
    proto::{
        AddTeamMembersRequest, AddTeamMembersResponse, CreateTeamRequest, CreateTeamResponse, DeleteTeamRequest,
        DeleteTeamResponse, GetTeamRequest, GetTeamResponse, ListTeamMembersRequest, ListTeamMembersResponse,
        ListTeamsRequest, ListTeamsResponse, RemoveTeamMembersRequest, RemoveTeamMembersResponse, UpdateTeamRequest,
        UpdateTeamResponse, team_service_server::TeamService,
    },
    service::{NewTeam, TeamUpdate},
};

#[tonic::async_trait]
impl TeamService for Api {
    async fn replace_team_members(
        &self,
        _: Request<tonic::Streaming<crate::proto::ReplaceTeamMembersRequest>>,
    ) -> Result<Response<crate::proto::ReplaceTeamMembersResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn get_team(&self, request: Request<GetTeamRequest>) -> Result<Response<GetTeamResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.team("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_team(account.clone(), id, at).await?;
        let team = Some(convert::team(&account, view));
        Ok(Response::new(GetTeamResponse { team, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_teams(&self, request: Request<ListTeamsRequest>) -> Result<Response<ListTeamsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let account = fields.done(account)?;
        let arguments = ["ListTeams", account.as_str()];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().and_then(|page| TeamId::new(&page.cursor).ok());
        let list = self.service.list_teams(account.clone(), size, after, at).await?;
        Ok(Response::new(ListTeamsResponse {
            teams: list.items.into_iter().map(|view| convert::team(&account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_team(&self, request: Request<CreateTeamRequest>) -> Result<Response<CreateTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let account = fields.account("parent", &request.parent);
        let id = fields.id("team_id", &request.team_id, TeamId::new);
        let given = fields.required("team", request.team).unwrap_or_default();
        let display_name = fields.name("team.display_name", given.display_name);
        let description = fields.description("team.description", given.description);
        let (account, id) = fields.done(account.zip(id))?;
        let written = self.service.create_team(account.clone(), NewTeam { id, display_name, description }).await?;
        Ok(Response::new(CreateTeamResponse {
            team: Some(convert::team(&account, written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn update_team(&self, request: Request<UpdateTeamRequest>) -> Result<Response<UpdateTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let given = fields.required("team", request.team).unwrap_or_default();
        let name = fields.team("team.name", &given.name);
        let mask = fields.mask(request.update_mask, &["display_name", "description"]);
        let update = TeamUpdate {
            display_name: mask.take("display_name", || fields.name("team.display_name", given.display_name)),
            description: mask.take("description", || fields.description("team.description", given.description)),
        };
        let (account, id) = fields.done(name)?;
        let written = self.service.update_team(account.clone(), id, update).await?;
        Ok(Response::new(UpdateTeamResponse {
            team: Some(convert::team(&account, written.value)),
            consistency_token: self.tokens.write(written.revision),
        }))
    }

    async fn delete_team(&self, request: Request<DeleteTeamRequest>) -> Result<Response<DeleteTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.team("name", &request.name);
        let (account, id) = fields.done(name)?;
        let written = self.service.delete_team(account, id).await?;
        Ok(Response::new(DeleteTeamResponse {
            consistency_token: self.tokens.write(written.revision),
            ..Default::default()
        }))
    }

    async fn list_team_members(
        &self,
        request: Request<ListTeamMembersRequest>,
    ) -> Result<Response<ListTeamMembersResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let name = fields.team("name", &request.name);
        let (account, id) = fields.done(name)?;
        let arguments = ["ListTeamMembers", account.as_str(), id.as_str()];
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().and_then(|page| page.cursor.parse().ok()).map(Number);
        let list = self.service.list_team_members(account.clone(), id.clone(), size, after, at).await?;
        Ok(Response::new(ListTeamMembersResponse {
            members: list.items.iter().map(|user| format!("accounts/{account}/users/{user}")).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn add_team_members(
        &self,
        request: Request<AddTeamMembersRequest>,
    ) -> Result<Response<AddTeamMembersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.team("name", &request.name);
        let members = fields.short_names("members", &request.members, "users", UserId::new);
        let ((account, id), members) = fields.done(name.zip(members))?;
        let written = self.service.change_team_members(account, id, members, true).await?;
        Ok(Response::new(AddTeamMembersResponse { consistency_token: self.tokens.write(written.revision) }))
    }

    async fn remove_team_members(
        &self,
        request: Request<RemoveTeamMembersRequest>,
    ) -> Result<Response<RemoveTeamMembersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.team("name", &request.name);
        let members = fields.short_names("members", &request.members, "users", UserId::new);
        let ((account, id), members) = fields.done(name.zip(members))?;
        let written = self.service.change_team_members(account, id, members, false).await?;
        Ok(Response::new(RemoveTeamMembersResponse { consistency_token: self.tokens.write(written.revision) }))
    }
}
