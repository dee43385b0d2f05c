//! The writes of a case, as requests to the server.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost_types::FieldMask;
use rolecall::{
    model::{AccountId, Revision, UserId},
    proto::{
        self, CreateServiceAccountRequest, CreateTeamRequest, CreateUserRequest, DeleteRoleBindingRequest,
        DeleteServiceAccountRequest, DeleteTeamRequest, DeleteUserRequest, ListRoleHoldersRequest,
        RecordUserSignInRequest, RemoveUserRoleRequest, UpdateAccountRequest, UpdateServiceAccountRequest,
        UpdateUserRequest,
    },
    service::{ReadAt, Service},
};
use tonic::Status;

use super::{
    Callers, Placed,
    access_writes::access_list,
    case::Scenario,
    steps::{Newcomer, Step, Went},
};

pub fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn ids(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
}

impl Placed<'_> {
    /// Writes one step. `noted` is the version that an earlier step has noted.
    pub async fn step(
        &self,
        callers: &mut Callers,
        service: &Service,
        scenario: &Scenario,
        step: &Step,
        noted: &mut String,
    ) -> Result<(), Status> {
        let parent = self.parent();
        let clients = &mut callers.clients;
        match step {
            Step::SetFeatures(features) => {
                let account = proto::Account { features: features.clone(), ..proto::Account::default() };
                self.update_account(callers, account, "features").await
            }
            Step::AccountState { active } => {
                use proto::account::State;
                let state = if *active { State::Active } else { State::Suspended };
                let account = proto::Account { state: state.into(), ..proto::Account::default() };
                self.update_account(callers, account, "state").await
            }
            Step::State { subject, state } => self.set_state(callers, subject, state).await,
            Step::Member { team, user, joins: true } => {
                let members = vec![format!("users/{user}")];
                let request = proto::AddTeamMembersRequest { name: self.team(team), members, ..Default::default() };
                clients.teams.add_team_members(request).await.map(|_| ())
            }
            Step::Member { team, user, joins: false } => {
                let members = vec![format!("users/{user}")];
                let request = proto::RemoveTeamMembersRequest { name: self.team(team), members, ..Default::default() };
                clients.teams.remove_team_members(request).await.map(|_| ())
            }
            Step::Teams { user, teams, joins } => {
                let teams = teams.iter().map(|team| format!("teams/{team}")).collect();
                let name = self.user(user);
                if *joins {
                    let request = proto::AddUserTeamsRequest { name, teams, ..Default::default() };
                    clients.users.add_user_teams(request).await.map(|_| ())
                } else {
                    let request = proto::RemoveUserTeamsRequest { name, teams, ..Default::default() };
                    clients.users.remove_user_teams(request).await.map(|_| ())
                }
            }
            Step::TakeOff { holder, role } => {
                let request = ListRoleHoldersRequest { parent, role: self.role(role), ..Default::default() };
                let holders = clients.roles.list_role_holders(request).await?.into_inner().holders;
                let found = holders.into_iter().find(|each| each.name.ends_with(&format!("/{holder}")));
                let name = found.map(|each| each.role_binding).unwrap_or_default();
                assert!(!name.is_empty(), "{}: {holder} holds {role} directly", self.names("take off"));
                let request = DeleteRoleBindingRequest { name, ..Default::default() };
                clients.bindings.delete_role_binding(request).await.map(|_| ())
            }
            Step::Delete { kind, id, force } => self.delete(callers, kind, id, *force).await,
            Step::CreateUser(new) => self.create_user(callers, new).await,
            Step::CreateTeam(new) => self.create_team(callers, new).await,
            Step::CreateServiceAccount(new) => self.create_service_account(callers, new).await,
            Step::RecordLogin { user, time } => {
                let request = RecordUserSignInRequest {
                    name: self.user(user),
                    sign_in_time: Some(time.parse().unwrap()),
                    ..Default::default()
                };
                clients.users.record_user_sign_in(request).await.map(|_| ())
            }
            Step::CatalogAdds { .. } => {
                let catalog = scenario.catalog_with(step, &self.catalog);
                clients.apply_catalog(&catalog).await.map(|_| ()).map_err(|(_, status)| status)
            }
            Step::RemoveRoleFromUser { user, role, leave_teams, went } => {
                self.remove_role_from_user(callers, service, (user, role, *leave_teams), went.as_ref()).await
            }
            Step::SetCustomRole(_)
            | Step::EditRole { .. }
            | Step::DuplicateRole { .. }
            | Step::ImportRoles { .. }
            | Step::AddSections { .. }
            | Step::DeleteRole { .. }
            | Step::NoteVersion { .. } => self.role_step(callers, step, noted).await,
            other => self.access_step(callers, other).await,
        }
    }

    async fn update_account(&self, callers: &mut Callers, account: proto::Account, path: &str) -> Result<(), Status> {
        let account = Some(proto::Account { name: self.parent(), ..account });
        let request = UpdateAccountRequest { account, update_mask: mask(&[path]), ..Default::default() };
        callers.clients.accounts.update_account(request).await.map(|_| ())
    }

    async fn set_state(&self, callers: &mut Callers, subject: &str, state: &str) -> Result<(), Status> {
        let (name, update_mask) = (format!("{}/{subject}", self.parent()), mask(&["state"]));
        if subject.starts_with("serviceAccounts/") {
            let state = service_account_state(state).into();
            let service_account = Some(proto::ServiceAccount { name, state, ..Default::default() });
            let request = UpdateServiceAccountRequest { service_account, update_mask, ..Default::default() };
            return callers.service_accounts.update_service_account(request).await.map(|_| ());
        }
        let user = Some(proto::User { name, state: user_state(state).into(), ..proto::User::default() });
        let request = UpdateUserRequest { user, update_mask, ..Default::default() };
        callers.clients.users.update_user(request).await.map(|_| ())
    }

    async fn delete(&self, callers: &mut Callers, kind: &str, id: &str, force: bool) -> Result<(), Status> {
        match kind {
            "user" => {
                let request = DeleteUserRequest { name: self.user(id), force, ..Default::default() };
                callers.clients.users.delete_user(request).await.map(|_| ())
            }
            "team" => {
                let request = DeleteTeamRequest { name: self.team(id), force, ..Default::default() };
                callers.clients.teams.delete_team(request).await.map(|_| ())
            }
            _ => {
                let name = format!("{}/serviceAccounts/{id}", self.parent());
                let request = DeleteServiceAccountRequest { name, ..Default::default() };
                callers.service_accounts.delete_service_account(request).await.map(|_| ())
            }
        }
    }

    async fn create_user(&self, callers: &mut Callers, new: &Newcomer) -> Result<(), Status> {
        let state = new.state.as_deref().map_or(proto::user::State::Unspecified, user_state);
        let request = CreateUserRequest {
            parent: self.parent(),
            user_id: new.id.clone(),
            user: Some(proto::User { state: state.into(), ..proto::User::default() }),
            roles: self.plain_roles(new),
            teams: new.teams.iter().map(|team| format!("teams/{team}")).collect(),
            access_lists: new.access.iter().map(access_list).collect(),
            ..Default::default()
        };
        callers.clients.users.create_user(request).await?;
        self.bind_the_rest(callers, &format!("users/{}", new.id), new).await
    }

    async fn create_team(&self, callers: &mut Callers, new: &Newcomer) -> Result<(), Status> {
        let request = CreateTeamRequest {
            parent: self.parent(),
            team_id: new.id.clone(),
            team: Some(proto::Team::default()),
            roles: self.plain_roles(new),
            members: new.members.iter().map(|user| format!("users/{user}")).collect(),
            access_lists: new.access.iter().map(access_list).collect(),
            ..Default::default()
        };
        callers.clients.teams.create_team(request).await?;
        self.bind_the_rest(callers, &format!("teams/{}", new.id), new).await
    }

    async fn create_service_account(&self, callers: &mut Callers, new: &Newcomer) -> Result<(), Status> {
        let request = CreateServiceAccountRequest {
            parent: self.parent(),
            service_account_id: new.id.clone(),
            service_account: Some(proto::ServiceAccount {
                state: service_account_state(new.state.as_deref().unwrap_or("active")).into(),
                ..proto::ServiceAccount::default()
            }),
            roles: self.plain_roles(new),
            ..Default::default()
        };
        callers.service_accounts.create_service_account(request).await?;
        self.bind_the_rest(callers, &format!("serviceAccounts/{}", new.id), new).await
    }

    /// The roles that a creation can give: those on the account and for good.
    fn plain_roles(&self, new: &Newcomer) -> Vec<String> {
        new.roles.iter().filter(|given| given.is_plain()).map(|given| self.role(&given.role)).collect()
    }

    /// Gives what a creation cannot.
    async fn bind_the_rest(&self, callers: &mut Callers, holder: &str, new: &Newcomer) -> Result<(), Status> {
        for given in new.roles.iter().filter(|given| !given.is_plain()) {
            self.bind(callers, holder, given).await?;
        }
        Ok(())
    }

    /// Takes a role away from a user. It has to be one write: just before, the user holds everything; with it, nothing
    /// of what goes.
    async fn remove_role_from_user(
        &self,
        callers: &mut Callers,
        service: &Service,
        (user, role, leave_teams): (&str, &str, bool),
        went: Option<&Went>,
    ) -> Result<(), Status> {
        let held = async |at: ReadAt| {
            let (account, user) = (AccountId::new(&self.account).unwrap(), UserId::new(user).unwrap());
            service.list_user_roles(account, user, false, at).await.unwrap().0
        };
        let before = held(ReadAt::Latest).await;
        let request =
            RemoveUserRoleRequest { name: self.user(user), role: self.role(role), leave_teams, ..Default::default() };
        let answer = match callers.clients.users.remove_user_role(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                assert_eq!(held(ReadAt::Latest).await, before, "{}: nothing changes", self.names("refused"));
                return Err(status);
            }
        };
        let written = revision(&answer.consistency_token);
        let after = held(ReadAt::Latest).await;
        assert_eq!(held(ReadAt::Exact(Revision(written - 1))).await, before, "{}: just before", self.names("writing"));
        assert_eq!(held(ReadAt::Exact(Revision(written))).await, after, "{}: with the write", self.names("writing"));
        if let Some(went) = went {
            let mut lost: Vec<String> = answer.lost_roles.iter().map(|role| self.short_role(role)).collect();
            lost.sort();
            assert_eq!(ids(&answer.left_teams), went.left_teams, "{}: the teams", self.names("writing"));
            assert_eq!(lost, went.lost_roles, "{}: the roles", self.names("writing"));
        }
        Ok(())
    }
}

/// The revision that a consistency token stands for, which only a test may read out of it.
fn revision(token: &str) -> u64 {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    u64::from_be_bytes(bytes[10..18].try_into().unwrap())
}

fn user_state(state: &str) -> proto::user::State {
    use proto::user::State;
    match state {
        "active" => State::Active,
        "invited" => State::Invited,
        "suspended" => State::Suspended,
        other => panic!("{other} is no state of a user"),
    }
}

fn service_account_state(state: &str) -> proto::service_account::State {
    use proto::service_account::State;
    match state {
        "active" => State::Active,
        "suspended" => State::Suspended,
        other => panic!("{other} is no state of a service account"),
    }
}
