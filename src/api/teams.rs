//! TeamService.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, MAX_LIST_BYTES, convert, limit_size,
    parse::Fields,
    upload::{self, Transfers},
};
use crate::{
    model::{Number, TeamId, UserId},
    proto::{
        AddTeamMembersRequest, AddTeamMembersResponse, CreateTeamRequest, CreateTeamResponse, DeleteTeamRequest,
        DeleteTeamResponse, GetTeamRequest, GetTeamResponse, ListTeamMembersRequest, ListTeamMembersResponse,
        ListTeamsRequest, ListTeamsResponse, RemoveTeamMembersRequest, RemoveTeamMembersResponse,
        ReplaceTeamMembersRequest, ReplaceTeamMembersResponse, UpdateTeamRequest, UpdateTeamResponse,
        team_service_server::TeamService,
    },
    service::{self, HolderName, MAX_CHANGES_OF_A_WRITE, MAX_PAGE, NewTeam, ServiceError, TeamUpdate},
};

/// The most members of a team that are replaced at once.
const MAX_MEMBERS: usize = 2_000_000;

#[tonic::async_trait]
impl TeamService for Api {
    async fn get_team(&self, request: Request<GetTeamRequest>) -> Result<Response<GetTeamResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.team("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_team(account.clone(), id, at).await?;
        let team = Some(convert::team(&self.tokens, &account, view));
        Ok(Response::new(GetTeamResponse { team, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_teams(&self, request: Request<ListTeamsRequest>) -> Result<Response<ListTeamsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let search = fields.search(&request.search);
        let account = fields.done(account)?;
        let arguments = ["ListTeams", account.as_str(), &search];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| TeamId::new(after).ok());
        let list = self.service.list_teams(account.clone(), search.clone(), size, after, page.at).await?;
        Ok(Response::new(ListTeamsResponse {
            teams: list.items.into_iter().map(|view| convert::team(&self.tokens, &account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_team(&self, request: Request<CreateTeamRequest>) -> Result<Response<CreateTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let id = fields.id("team_id", &request.team_id, TeamId::new);
        let given = fields.required("team", request.team).unwrap_or_default();
        let display_name = fields.name("team.display_name", given.display_name);
        let description = fields.description("team.description", given.description);
        let roles = fields.roles("roles", &request.roles, MAX_CHANGES_OF_A_WRITE);
        let members = fields.short_list("members", &request.members, "users", MAX_CHANGES_OF_A_WRITE, UserId::new);
        let access = fields.access_lists("access_lists", request.access_lists);
        let holder = id.clone().map(HolderName::Team);
        let bindings = fields.first_bindings("role_bindings", holder.as_ref(), &request.role_bindings);
        let (account, id) = fields.done(account.zip(id))?;
        let new = NewTeam { id, display_name, description, roles, bindings, members, access };
        let (tokens, write) = (self.tokens, service::create_team(account.clone(), new));
        self.respond(write, manners, move |view, consistency_token| CreateTeamResponse {
            team: Some(convert::team(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn update_team(&self, request: Request<UpdateTeamRequest>) -> Result<Response<UpdateTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("team", request.team).unwrap_or_default();
        let name = fields.team("team.name", &given.name);
        let etag = fields.etag(&self.tokens, "team.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name", "description"]);
        let update = TeamUpdate {
            display_name: mask.take("display_name", || fields.name("team.display_name", given.display_name)),
            description: mask.take("description", || fields.description("team.description", given.description)),
        };
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_team(account.clone(), id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateTeamResponse {
            team: Some(convert::team(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_team(&self, request: Request<DeleteTeamRequest>) -> Result<Response<DeleteTeamResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.team("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::delete_team(account, id, request.force, etag);
        self.respond(write, manners, |deleted, consistency_token| DeleteTeamResponse {
            consistency_token,
            member_count: convert::count(deleted.members),
            removed: deleted.removed.into_iter().map(convert::removed).collect(),
        })
        .await
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
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| after.parse().ok()).map(Number);
        let list = self.service.list_team_members(account.clone(), id.clone(), size, after, page.at).await?;
        Ok(Response::new(ListTeamMembersResponse {
            members: list.items.iter().map(|user| format!("accounts/{account}/users/{user}")).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn add_team_members(
        &self,
        request: Request<AddTeamMembersRequest>,
    ) -> Result<Response<AddTeamMembersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.team("name", &request.name);
        let members = fields.short_names("members", &request.members, "users", UserId::new);
        let ((account, id), members) = fields.done(name.zip(members))?;
        let write = service::change_team_members(account, id, members, true);
        self.respond(write, manners, |(), consistency_token| AddTeamMembersResponse { consistency_token }).await
    }

    async fn remove_team_members(
        &self,
        request: Request<RemoveTeamMembersRequest>,
    ) -> Result<Response<RemoveTeamMembersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.team("name", &request.name);
        let members = fields.short_names("members", &request.members, "users", UserId::new);
        let ((account, id), members) = fields.done(name.zip(members))?;
        let write = service::change_team_members(account, id, members, false);
        self.respond(write, manners, |(), consistency_token| RemoveTeamMembersResponse { consistency_token }).await
    }

    async fn replace_team_members(
        &self,
        request: Request<Streaming<ReplaceTeamMembersRequest>>,
    ) -> Result<Response<ReplaceTeamMembersResponse>, Status> {
        let permit = self.transfers.begin()?;
        let received = members(&self.transfers, request.into_inner()).await?;
        let mut fields = Fields::default();
        let fingerprint = || received.fingerprint;
        let manners = fields.manners_of(received.validate_only, &received.request_id, fingerprint);
        let name = fields.team("name", &received.name);
        let members = fields.short_list("members", &received.members, "users", MAX_MEMBERS, UserId::new);
        let (account, id) = fields.done(name)?;
        let write = service::replace_team_members(account, id, members);
        let answered = self.respond(write, manners, |replaced, consistency_token| ReplaceTeamMembersResponse {
            added_count: convert::count(replaced.added),
            removed_count: convert::count(replaced.removed),
            consistency_token,
        });
        let answered = answered.await;
        drop(permit);
        answered
    }
}

/// A list of members that has come whole.
struct ReceivedMembers {
    name: String,
    members: Vec<String>,
    validate_only: bool,
    request_id: String,
    fingerprint: [u8; 32],
    _room: Vec<OwnedSemaphorePermit>,
}

/// Receives a list of members. A client that goes away looks like one that is done, so it counts only if its last piece
/// says that it is that.
async fn members(
    transfers: &Transfers,
    mut pieces: Streaming<ReplaceTeamMembersRequest>,
) -> Result<ReceivedMembers, Status> {
    let (mut name, mut members, mut room) = (None, Vec::new(), Vec::new());
    let mut hash = Sha256::new();
    loop {
        let Some(piece) = upload::next(&mut pieces).await? else {
            return Err(ServiceError::field(
                "last",
                "the list ended without a message that has it set; nothing was changed",
            )
            .into());
        };
        let bytes = piece.encode_to_vec();
        hash.update(&bytes);
        // A text takes some 24 bytes in memory beside its own.
        room.push(transfers.room_for(bytes.len() + 24 * piece.members.len())?);
        let count = piece.members.len();
        if count > MAX_PAGE {
            let message = format!("{count} were given in one message; the maximum is {MAX_PAGE}");
            return Err(ServiceError::field("members", message).into());
        }
        let first: &String = name.get_or_insert_with(|| piece.name.clone());
        if !piece.name.is_empty() && piece.name != *first {
            let message = "another team was given than in the first message; the same one or nothing is expected";
            return Err(ServiceError::field("name", message).into());
        }
        members.extend(piece.members);
        if members.len() > MAX_MEMBERS {
            let message = format!("more than {MAX_MEMBERS} were given, the maximum");
            return Err(ServiceError::field("members", message).into());
        }
        if piece.last {
            return Ok(ReceivedMembers {
                name: name.unwrap_or_default(),
                members,
                validate_only: piece.validate_only,
                request_id: piece.request_id,
                fingerprint: hash.finalize().into(),
                _room: room,
            });
        }
    }
}
