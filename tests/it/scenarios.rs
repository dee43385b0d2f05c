//! Scenario files: given facts, when asked, then decision and reason. Every case is asked four ways.
//!
//! - the engine alone, from the facts as values, without a server;
//! - warm: the answers of before the writes are in the cache when the question comes;
//! - cold: the cache is empty;
//! - after a restart of the server on the same data.
//!
//! Each case has an account of its own (and, if it changes the catalog, a catalog of its own), so that all of them can
//! be asked again after one restart.

mod case;
mod engine_alone;
mod matrix;

use std::{fs, path::PathBuf};

use rolecall::proto::{
    self, CheckRequest, Decision, DecisionReason, DeleteRoleBindingRequest, ListPermissionsRequest,
    ListRoleBindingsRequest, ListUserRolesRequest, RemoveUserRoleRequest,
};
use serde_json::Value;
use tonic::Status;

use self::case::{Case, Scenario, Step};
use super::support::{Clients, TestServer};

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Every scenario file with cases, by its path below the folder.
fn scenarios() -> Vec<(String, Scenario)> {
    let mut files = Vec::new();
    for preset in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(preset.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let value: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if value.get("cases").is_some() {
                let name = path.strip_prefix(folder()).unwrap().display().to_string();
                files.push((name, Scenario::read(&path, &value)));
            }
        }
    }
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    files
}

/// A case on the server: where its facts are.
struct Placed<'a> {
    file: &'a str,
    case: &'a Case,
    account: String,
    catalog: String,
}

impl Placed<'_> {
    fn role(&self, name: &str) -> String {
        match name.strip_prefix("custom/") {
            Some(custom) => format!("accounts/{}/roles/{custom}", self.account),
            None => format!("catalogs/{}/roles/{name}", self.catalog),
        }
    }

    fn short_role(&self, name: &str) -> String {
        let id = name.rsplit('/').next().unwrap();
        if name.starts_with("accounts/") { format!("custom/{id}") } else { id.to_owned() }
    }

    fn user(&self, id: &str) -> String {
        format!("accounts/{}/users/{id}", self.account)
    }

    fn team(&self, id: &str) -> String {
        format!("accounts/{}/teams/{id}", self.account)
    }

    fn names(&self, way: &str) -> String {
        format!("{} ({way}): {}", self.file, self.case.name)
    }

    async fn step(&self, clients: &mut Clients, scenario: &Scenario, step: &Step) -> Result<(), Status> {
        let name = format!("accounts/{}", self.account);
        let state = |clients: &mut Clients, user: &str, state: proto::user::State| {
            let user = Some(proto::User { name: self.user(user), state: state.into(), ..proto::User::default() });
            let update_mask = Some(prost_types::FieldMask { paths: vec!["state".into()] });
            let mut users = clients.users.clone();
            async move {
                users
                    .update_user(proto::UpdateUserRequest { user, update_mask, ..Default::default() })
                    .await
                    .map(|_| ())
            }
        };
        let update = |clients: &mut Clients, account: proto::Account, path: &str| {
            let update_mask = Some(prost_types::FieldMask { paths: vec![path.to_owned()] });
            let mut accounts = clients.accounts.clone();
            let account = Some(proto::Account { name: name.clone(), ..account });
            async move {
                accounts
                    .update_account(proto::UpdateAccountRequest { account, update_mask, ..Default::default() })
                    .await
                    .map(|_| ())
            }
        };
        match step {
            Step::SetFeatures(features) => {
                let account = proto::Account { features: features.clone(), ..proto::Account::default() };
                update(clients, account, "features").await
            }
            Step::AccountState { active } => {
                use proto::account::State;
                let state = if *active { State::Active } else { State::Suspended };
                let account = proto::Account { state: state.into(), ..proto::Account::default() };
                update(clients, account, "state").await
            }
            Step::UserState { user, state: wanted } => {
                use proto::user::State;
                let wanted = match wanted.as_str() {
                    "active" => State::Active,
                    "invited" => State::Invited,
                    _ => State::Suspended,
                };
                state(clients, user, wanted).await
            }
            Step::Member { team, user, joins: true } => {
                let request = proto::AddTeamMembersRequest {
                    name: self.team(team),
                    members: vec![format!("users/{user}")],
                    ..Default::default()
                };
                clients.teams.add_team_members(request).await.map(|_| ())
            }
            Step::Member { team, user, joins: false } => {
                let request = proto::RemoveTeamMembersRequest {
                    name: self.team(team),
                    members: vec![format!("users/{user}")],
                    ..Default::default()
                };
                clients.teams.remove_team_members(request).await.map(|_| ())
            }
            Step::Teams { user, teams, joins } => {
                let teams = teams.iter().map(|team| format!("teams/{team}")).collect();
                let name = self.user(user);
                if *joins {
                    clients
                        .users
                        .add_user_teams(proto::AddUserTeamsRequest { name, teams, ..Default::default() })
                        .await
                        .map(|_| ())
                } else {
                    clients
                        .users
                        .remove_user_teams(proto::RemoveUserTeamsRequest { name, teams, ..Default::default() })
                        .await
                        .map(|_| ())
                }
            }
            Step::Bind { holder, role } => {
                let role_binding = Some(proto::RoleBinding {
                    holder: holder.clone(),
                    role: self.role(role),
                    ..proto::RoleBinding::default()
                });
                let request = proto::CreateRoleBindingRequest {
                    parent: name,
                    role_binding,
                    allow_internal_role: false,
                    ..Default::default()
                };
                clients.bindings.create_role_binding(request).await.map(|_| ())
            }
            Step::Unbind { holder, role } => {
                let request = ListRoleBindingsRequest {
                    parent: name,
                    holder: holder.clone(),
                    role: self.role(role),
                    ..ListRoleBindingsRequest::default()
                };
                let found = clients.bindings.list_role_bindings(request).await?.into_inner().role_bindings;
                assert_eq!(found.len(), 1, "{}: {holder} holds {role} once", self.names("unbind"));
                let request = DeleteRoleBindingRequest { name: found[0].name.clone(), ..Default::default() };
                clients.bindings.delete_role_binding(request).await.map(|_| ())
            }
            Step::Delete { kind, id } => match kind.as_str() {
                "user" => clients
                    .users
                    .delete_user(proto::DeleteUserRequest { name: self.user(id), ..Default::default() })
                    .await
                    .map(|_| ()),
                "team" => clients
                    .teams
                    .delete_team(proto::DeleteTeamRequest { name: self.team(id), ..Default::default() })
                    .await
                    .map(|_| ()),
                _ => {
                    let name = format!("{name}/roles/{id}");
                    clients.roles.delete_role(proto::DeleteRoleRequest { name, ..Default::default() }).await.map(|_| ())
                }
            },
            Step::CreateUser(id) => {
                let request = proto::CreateUserRequest {
                    parent: name,
                    user_id: id.clone(),
                    user: Some(proto::User::default()),
                    ..Default::default()
                };
                clients.users.create_user(request).await.map(|_| ())
            }
            Step::CreateTeam(id) => {
                let request = proto::CreateTeamRequest {
                    parent: name,
                    team_id: id.clone(),
                    team: Some(proto::Team::default()),
                    ..Default::default()
                };
                clients.teams.create_team(request).await.map(|_| ())
            }
            Step::SetCustomRole { id, permissions } => {
                let role = proto::Role {
                    name: format!("{name}/roles/{id}"),
                    display_name: id.clone(),
                    permissions: permissions.clone(),
                    ..proto::Role::default()
                };
                let create = proto::CreateRoleRequest {
                    parent: name,
                    role_id: id.clone(),
                    role: Some(role.clone()),
                    ..Default::default()
                };
                match clients.roles.create_role(create).await {
                    Err(status) if status.code() == tonic::Code::AlreadyExists => {
                        let update_mask = Some(prost_types::FieldMask { paths: vec!["permissions".into()] });
                        let update = proto::UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
                        clients.roles.update_role(update).await.map(|_| ())
                    }
                    outcome => outcome.map(|_| ()),
                }
            }
            Step::CatalogAdds { .. } => {
                let catalog = scenario.catalog_with(step, &self.catalog);
                clients.apply_catalog(&catalog).await.map(|_| ()).map_err(|(_, status)| status)
            }
            Step::RemoveRoleFromUser { user, role, leave_teams } => {
                let request = RemoveUserRoleRequest {
                    name: self.user(user),
                    role: self.role(role),
                    leave_teams: *leave_teams,
                    ..Default::default()
                };
                clients.users.remove_user_role(request).await.map(|_| ())
            }
        }
    }

    /// Asks everything that the case asks. Gives how many questions that were.
    async fn ask(&self, clients: &mut Clients, way: &str, hold: bool) -> usize {
        let account = format!("accounts/{}", self.account);
        for check in &self.case.checks {
            let request = CheckRequest {
                account: account.clone(),
                subject: check.subject.clone(),
                permission: check.permission.clone(),
                consistency: None,
                ..Default::default()
            };
            let answer = clients.authorization.check(request).await;
            if !hold {
                continue;
            }
            let answer = answer.unwrap_or_else(|status| panic!("{}: {status}", self.names(way))).into_inner();
            let decision = if check.allow { Decision::Allow } else { Decision::Deny };
            let reason = DecisionReason::from_str_name(&format!("DECISION_REASON_{}", check.reason)).unwrap();
            assert_eq!((answer.decision(), answer.reason()), (decision, reason), "{}: {check:?}", self.names(way));
        }
        if let Some((subject, expected)) = &self.case.roles_of {
            let request = ListUserRolesRequest {
                name: self.user(subject.strip_prefix("users/").unwrap()),
                ..ListUserRolesRequest::default()
            };
            let answer = clients.users.list_user_roles(request).await;
            if hold {
                let roles = answer.unwrap_or_else(|status| panic!("{}: {status}", self.names(way))).into_inner().roles;
                let mut roles: Vec<_> = roles
                    .into_iter()
                    .map(|role| {
                        let teams: Vec<String> =
                            role.teams.iter().map(|team| team.rsplit('/').next().unwrap().to_owned()).collect();
                        (self.short_role(&role.role), role.direct, teams)
                    })
                    .collect();
                roles.sort();
                assert_eq!(&roles, expected, "{}", self.names(way));
            }
        }
        for listed in &self.case.listed {
            let request = ListPermissionsRequest {
                account: account.clone(),
                subject: listed.subject.clone(),
                ..ListPermissionsRequest::default()
            };
            let answer = clients.authorization.list_permissions(request).await;
            if !hold {
                continue;
            }
            let permissions = answer.unwrap_or_else(|status| panic!("{}: {status}", self.names(way))).into_inner();
            let found = permissions.permissions.into_iter().find(|each| each.permission == listed.permission);
            let Some((roles, teams)) = &listed.through else {
                assert!(found.is_none(), "{}: {} is listed", self.names(way), listed.permission);
                continue;
            };
            let found = found.unwrap_or_else(|| panic!("{}: {} is not listed", self.names(way), listed.permission));
            let mut through: Vec<String> = found.grant_paths.iter().map(|path| self.short_role(&path.role)).collect();
            let mut by: Vec<String> = found
                .grant_paths
                .iter()
                .filter(|path| !path.team.is_empty())
                .map(|path| path.team.rsplit('/').next().unwrap().to_owned())
                .collect();
            for list in [&mut through, &mut by] {
                list.sort();
                list.dedup();
            }
            assert_eq!((&through, &by), (roles, teams), "{}", self.names(way));
        }
        self.case.checks.len() + self.case.listed.len() + usize::from(self.case.roles_of.is_some())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_is_answered_alike_by_the_engine_a_cold_and_a_warm_cache_and_after_a_restart() {
    let mut server = TestServer::start().await;
    let files = scenarios();
    let mut placed = Vec::new();
    let mut questions = 0;
    for (file, scenario) in &files {
        server.clients.apply_catalog(&scenario.catalog_as(&scenario.catalog_id)).await.unwrap();
        for case in &scenario.cases {
            let number = placed.len();
            let changes_catalog = case.steps.iter().any(|(step, _)| matches!(step, Step::CatalogAdds { .. }));
            let catalog = if changes_catalog { format!("catalog-{number}") } else { scenario.catalog_id.clone() };
            if changes_catalog {
                server.clients.apply_catalog(&scenario.catalog_as(&catalog)).await.unwrap();
            }
            let here = Placed { file, case, account: format!("account-{number}"), catalog };
            server.clients.apply_account(&scenario.account_as(&here.account, &here.catalog)).await.unwrap();
            // Fills the cache with what was true before the writes.
            here.ask(&mut server.clients, "before", false).await;
            for (step, refused) in &case.steps {
                match (here.step(&mut server.clients, scenario, step).await, refused) {
                    (Ok(()), None) => {}
                    (Err(status), Some(words)) => assert!(status.message().contains(words), "{status}"),
                    (outcome, refused) => panic!("{}: {step:?} {outcome:?} {refused:?}", here.names("writing")),
                }
            }
            questions += here.ask(&mut server.clients, "warm", true).await;
            server.running.service().clear_cache();
            questions += here.ask(&mut server.clients, "cold", true).await;
            questions += engine_alone::ask(scenario, case, file);
            placed.push(here);
        }
    }
    let mut server = server.restart().await;
    for here in &placed {
        questions += here.ask(&mut server.clients, "after a restart", true).await;
    }
    println!("{} cases of {} files, {questions} questions", placed.len(), files.len());
    assert!(placed.len() >= 100);
}
