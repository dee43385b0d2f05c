//! The writes of a case, as requests to the server.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost_types::FieldMask;
use rolecall::{
    model::{AccountId, Revision, UserId},
    proto::{
        self, AddRolePermissionsRequest, CreateRoleBindingRequest, CreateRoleRequest, CreateServiceAccountRequest,
        CreateTeamRequest, CreateUserRequest, DeleteRoleBindingRequest, DeleteRoleRequest, DeleteServiceAccountRequest,
        DeleteTeamRequest, DeleteUserRequest, DuplicateRoleRequest, GetRoleRequest, ImportRolePermissionsRequest,
        ListRoleBindingsRequest, ListRoleHoldersRequest, RecordUserSignInRequest, RemoveUserRoleRequest,
        UpdateAccountRequest, UpdateRoleRequest, UpdateServiceAccountRequest, UpdateUserRequest,
    },
    service::{ReadAt, Service},
};
use tonic::{Code, Status};

use super::{
    Callers, Placed,
    case::Scenario,
    steps::{CustomRole, GivenRole, Newcomer, Step, Went},
};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn ids(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
}

impl Placed<'_> {
    fn given(&self, roles: &[GivenRole]) -> Vec<String> {
        roles.iter().map(|given| self.role(&given.role)).collect()
    }

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
            Step::Bind { holder, given } => {
                let role_binding = Some(proto::RoleBinding {
                    holder: holder.clone(),
                    role: self.role(&given.role),
                    ..proto::RoleBinding::default()
                });
                let request = CreateRoleBindingRequest { parent, role_binding, ..Default::default() };
                clients.bindings.create_role_binding(request).await.map(|_| ())
            }
            Step::Unbind { holder, role, .. } => {
                let request = ListRoleBindingsRequest {
                    parent,
                    holder: holder.clone(),
                    role: self.role(role),
                    ..ListRoleBindingsRequest::default()
                };
                let found = clients.bindings.list_role_bindings(request).await?.into_inner().role_bindings;
                assert_eq!(found.len(), 1, "{}: {holder} holds {role} once", self.names("unbind"));
                let request = DeleteRoleBindingRequest { name: found[0].name.clone(), ..Default::default() };
                clients.bindings.delete_role_binding(request).await.map(|_| ())
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
            Step::Delete { kind, id, .. } => self.delete(callers, kind, id).await,
            Step::CreateUser(new) => self.create_user(callers, new).await,
            Step::CreateTeam(new) => {
                let request = CreateTeamRequest {
                    parent,
                    team_id: new.id.clone(),
                    team: Some(proto::Team::default()),
                    roles: self.given(&new.roles),
                    members: new.members.iter().map(|user| format!("users/{user}")).collect(),
                    ..Default::default()
                };
                clients.teams.create_team(request).await.map(|_| ())
            }
            Step::CreateServiceAccount(new) => {
                let request = CreateServiceAccountRequest {
                    parent,
                    service_account_id: new.id.clone(),
                    service_account: Some(proto::ServiceAccount {
                        state: service_account_state(new.state.as_deref().unwrap_or("active")).into(),
                        ..proto::ServiceAccount::default()
                    }),
                    roles: self.given(&new.roles),
                    ..Default::default()
                };
                callers.service_accounts.create_service_account(request).await.map(|_| ())
            }
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
            Step::SetCustomRole(role) => self.set_custom_role(callers, role).await,
            Step::EditRole { role, permissions, .. } => {
                let permissions = permissions.clone().unwrap_or_default();
                let role = proto::Role { name: self.role(role), permissions, ..Default::default() };
                let update_mask = mask(&["permissions"]);
                let request = UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
                clients.roles.update_role(request).await.map(|_| ())
            }
            Step::DuplicateRole { role, id } => {
                let (name, role_id) = (self.role(role), id.clone());
                let request = DuplicateRoleRequest { name, parent, role_id, ..Default::default() };
                clients.roles.duplicate_role(request).await.map(|_| ())
            }
            Step::ImportRoles { into, roles, added } => self.import_roles(callers, into, roles, added.as_ref()).await,
            Step::AddSections { role, sections, added } => {
                let (name, sections) = (self.role(role), sections.clone());
                let request = AddRolePermissionsRequest { name, sections, ..Default::default() };
                let answer = clients.roles.add_role_permissions(request).await?.into_inner();
                self.added(added.as_ref(), &answer.added_permissions);
                Ok(())
            }
            Step::DeleteRole { id, only_asked, version_is_noted, held_by, .. } => {
                let request = DeleteRoleRequest {
                    name: format!("{parent}/roles/{id}"),
                    etag: if *version_is_noted { noted.clone() } else { String::new() },
                    validate_only: *only_asked,
                    ..Default::default()
                };
                let counts = clients.roles.delete_role(request).await?.into_inner().holder_counts.unwrap();
                if let Some(held_by) = held_by {
                    let found = (counts.user_count, counts.direct_user_count, counts.team_count);
                    assert_eq!(found, *held_by, "{}: who held it", self.names("deleting"));
                }
                Ok(())
            }
            Step::NoteVersion { role } => {
                let request = GetRoleRequest { name: self.role(role), ..Default::default() };
                *noted = clients.roles.get_role(request).await?.into_inner().role.unwrap().etag;
                assert!(!noted.is_empty());
                Ok(())
            }
            other => panic!("{}: {other:?} cannot be sent yet", self.names("writing")),
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

    async fn delete(&self, callers: &mut Callers, kind: &str, id: &str) -> Result<(), Status> {
        match kind {
            "user" => {
                let request = DeleteUserRequest { name: self.user(id), ..Default::default() };
                callers.clients.users.delete_user(request).await.map(|_| ())
            }
            "team" => {
                let request = DeleteTeamRequest { name: self.team(id), ..Default::default() };
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
            roles: self.given(&new.roles),
            teams: new.teams.iter().map(|team| format!("teams/{team}")).collect(),
            ..Default::default()
        };
        callers.clients.users.create_user(request).await.map(|_| ())
    }

    /// Creates a custom role, or changes of the one that is there what is given.
    async fn set_custom_role(&self, callers: &mut Callers, wanted: &CustomRole) -> Result<(), Status> {
        let parent = self.parent();
        let role = proto::Role {
            name: format!("{parent}/roles/{}", wanted.id),
            display_name: wanted.display_name.clone().unwrap_or_else(|| wanted.id.clone()),
            description: wanted.description.clone().unwrap_or_default(),
            permissions: wanted.permissions.clone(),
            left_out_api_scopes: wanted.left_out_api_scopes.clone().unwrap_or_default(),
            ..proto::Role::default()
        };
        let create = CreateRoleRequest {
            parent,
            role_id: wanted.id.clone(),
            role: Some(role.clone()),
            import_roles: self.roles(&wanted.import_roles),
            sections: wanted.sections.clone(),
            holders: wanted.users.iter().map(|user| format!("users/{user}")).collect(),
            ..Default::default()
        };
        match callers.clients.roles.create_role(create).await {
            Err(status) if status.code() == Code::AlreadyExists => {
                let is_more =
                    !wanted.users.is_empty() || !wanted.sections.is_empty() || !wanted.import_roles.is_empty();
                assert!(!is_more, "{}: only a new role is given so much", self.names("writing"));
                let mut paths = vec!["permissions"];
                paths.extend(wanted.display_name.as_ref().map(|_| "display_name"));
                paths.extend(wanted.description.as_ref().map(|_| "description"));
                paths.extend(wanted.left_out_api_scopes.as_ref().map(|_| "left_out_api_scopes"));
                let update_mask = mask(&paths);
                let update = UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
                callers.clients.roles.update_role(update).await.map(|_| ())
            }
            outcome => outcome.map(|_| ()),
        }
    }

    /// Imports into the role that is there, or makes it of what it imports.
    async fn import_roles(
        &self,
        callers: &mut Callers,
        into: &str,
        roles: &[String],
        added: Option<&Vec<String>>,
    ) -> Result<(), Status> {
        let roles = self.roles(roles);
        let request =
            ImportRolePermissionsRequest { name: self.role(into), roles: roles.clone(), ..Default::default() };
        match callers.clients.roles.import_role_permissions(request).await {
            Err(status) if status.code() == Code::NotFound => {
                let id = into.strip_prefix("custom/").unwrap();
                let create = CreateRoleRequest {
                    parent: self.parent(),
                    role_id: id.to_owned(),
                    role: Some(proto::Role { display_name: id.to_owned(), ..proto::Role::default() }),
                    import_roles: roles,
                    ..Default::default()
                };
                let role = callers.clients.roles.create_role(create).await?.into_inner().role.unwrap();
                self.added(added, &role.permissions);
                Ok(())
            }
            outcome => {
                self.added(added, &outcome?.into_inner().added_permissions);
                Ok(())
            }
        }
    }

    fn added(&self, expected: Option<&Vec<String>>, added: &Vec<String>) {
        if let Some(expected) = expected {
            assert_eq!(added, expected, "{}: what was added", self.names("writing"));
        }
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
