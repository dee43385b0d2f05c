//! Those who write to the account while it is read: things come, go and change their names and holders.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rolecall::proto;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::ACCOUNT;
use crate::{bad_input::wire::Caller, support::Clients};

/// Tasks that write until they are stopped.
pub struct Writers {
    pub count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    failures: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    pub async fn start(address: &str) -> Self {
        let (count, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let failures = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = vec![Self::start_places(address, &count, &stop, &failures).await];
        for writer in 0..4 {
            let mut clients = Clients::connect(address).await;
            let (count, stop, failures) = (Arc::clone(&count), Arc::clone(&stop), Arc::clone(&failures));
            tasks.push(tokio::spawn(async move {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Steps of a prime go through all of them in no order that a list has.
                    let number = (round * 4 + writer) * 4_409 % 9_800;
                    if let Err(status) = write(&mut clients, writer, round, number).await {
                        failures.lock().unwrap().push(format!("writer {writer}, round {round}: {status}"));
                        return;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    round += 1;
                }
            }));
        }
        Self { count, stop, failures, tasks }
    }

    /// The one who writes resources and policies.
    async fn start_places(
        address: &str,
        count: &Arc<AtomicUsize>,
        stop: &Arc<AtomicBool>,
        failures: &Arc<Mutex<Vec<String>>>,
    ) -> JoinHandle<()> {
        let caller = Caller::connect(address).await;
        let (count, stop, failures) = (Arc::clone(count), Arc::clone(stop), Arc::clone(failures));
        tokio::spawn(async move {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                if let Err(status) = places(&caller, round).await {
                    failures.lock().unwrap().push(format!("places, round {round}: {status}"));
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
        })
    }

    /// Stops them, and gives what went wrong with them.
    pub async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.failures.lock().unwrap())
    }
}

/// What is deleted may be gone already, and what is created may be there: the writers cross each other's ways.
fn done<T>(outcome: Result<T, Status>) -> Result<(), Status> {
    match outcome {
        Err(status) if !matches!(status.code(), Code::NotFound | Code::AlreadyExists) => Err(status),
        _ => Ok(()),
    }
}

/// One round of one writer. Each writer keeps to one kind of thing.
async fn write(clients: &mut Clients, writer: usize, round: usize, number: usize) -> Result<(), Status> {
    let parent = ACCOUNT.to_owned();
    let display_name = format!("Person role team 9{round}");
    let new = format!("w{writer}{:06}", round / 4);
    match (writer, round % 4) {
        (0, step) => users(clients, step, number, &new, display_name).await,
        (1, step) => roles(clients, step, number, display_name).await,
        (2, step) => teams(clients, step, number, display_name).await,
        (_, 0) => {
            let role_binding = Some(proto::RoleBinding {
                holder: format!("users/u{number:05}"),
                role: "accounts/big/roles/r00000".to_owned(),
                ..Default::default()
            });
            let request = proto::CreateRoleBindingRequest { parent, role_binding, ..Default::default() };
            done(clients.bindings.create_role_binding(request).await)
        }
        (_, 1) => {
            let name = format!("accounts/big/users/u{number:05}");
            let request = proto::RemoveUserRoleRequest {
                name,
                role: "accounts/big/roles/r00000".to_owned(),
                leave_teams: true,
                ..Default::default()
            };
            match clients.users.remove_user_role(request).await {
                Err(status) if status.code() == Code::FailedPrecondition => Ok(()),
                outcome => done(outcome),
            }
        }
        (_, 2) => {
            let name = super::EVERYONE.to_owned();
            let members = (0..20).map(|next| format!("users/u{:05}", (number + next * 31) % 9_800)).collect();
            let request = proto::AddTeamMembersRequest { name, members, ..Default::default() };
            done(clients.teams.add_team_members(request).await)
        }
        (..) => {
            let name = super::EVERYONE.to_owned();
            let members = (0..20).map(|next| format!("users/u{:05}", (number + next * 37) % 9_800)).collect();
            let request = proto::RemoveTeamMembersRequest { name, members, ..Default::default() };
            done(clients.teams.remove_team_members(request).await)
        }
    }
}

async fn users(
    clients: &mut Clients,
    step: usize,
    number: usize,
    new: &str,
    display_name: String,
) -> Result<(), Status> {
    let parent = ACCOUNT.to_owned();
    let user = |name: String| Some(proto::User { name, display_name: display_name.clone(), ..Default::default() });
    match step {
        0 => {
            let request = proto::CreateUserRequest {
                parent,
                user_id: new.to_owned(),
                user: user(String::new()),
                ..Default::default()
            };
            done(clients.users.create_user(request).await)
        }
        1 => {
            let request = proto::UpdateUserRequest {
                user: user(format!("accounts/big/users/u{number:05}")),
                ..Default::default()
            };
            done(clients.users.update_user(request).await)
        }
        2 => {
            let name = super::EVERYONE.to_owned();
            let members = vec![format!("users/{new}")];
            let request = proto::AddTeamMembersRequest { name, members, ..Default::default() };
            done(clients.teams.add_team_members(request).await)
        }
        _ => {
            let name = format!("accounts/big/users/u{number:05}");
            done(clients.users.delete_user(proto::DeleteUserRequest { name, force: true, ..Default::default() }).await)
        }
    }
}

/// A role that is deleted is created again two rounds later, with none of its holders.
async fn roles(clients: &mut Clients, step: usize, number: usize, display_name: String) -> Result<(), Status> {
    // Not the one whose holders are listed.
    let id = format!("r{:05}", number.max(2));
    let name = format!("accounts/big/roles/{id}");
    let permissions = vec![format!("a.p{:05}", number % 3_000)];
    let role = |name: String| Some(proto::Role { name, display_name, permissions, ..Default::default() });
    match step {
        0 => {
            done(clients.roles.delete_role(proto::DeleteRoleRequest { name, force: true, ..Default::default() }).await)
        }
        1 => {
            let name = "accounts/big/roles/r00001".to_owned();
            let request = proto::UpdateRoleRequest { role: role(name), ..Default::default() };
            done(clients.roles.update_role(request).await)
        }
        2 => {
            let request = proto::UpdateRoleRequest { role: role(name), ..Default::default() };
            done(clients.roles.update_role(request).await)
        }
        _ => {
            let request = proto::CreateRoleRequest {
                parent: ACCOUNT.to_owned(),
                role_id: format!("r{:05}x", number % 40),
                role: role(String::new()),
                ..Default::default()
            };
            done(clients.roles.create_role(request).await)
        }
    }
}

async fn teams(clients: &mut Clients, step: usize, number: usize, display_name: String) -> Result<(), Status> {
    // Not the one whose members are listed.
    let name = format!("accounts/big/teams/t{:05}", number.max(1));
    let team = |name: String| Some(proto::Team { name, display_name, ..Default::default() });
    match step {
        0 => {
            done(clients.teams.delete_team(proto::DeleteTeamRequest { name, force: true, ..Default::default() }).await)
        }
        1 | 2 => {
            let request = proto::UpdateTeamRequest { team: team(name), ..Default::default() };
            done(clients.teams.update_team(request).await)
        }
        _ => {
            let request = proto::CreateTeamRequest {
                parent: ACCOUNT.to_owned(),
                team_id: format!("t{:05}x", number % 40),
                team: team(String::new()),
                ..Default::default()
            };
            done(clients.teams.create_team(request).await)
        }
    }
}

/// Boxes go with what lies in them and what is held on them, and come again empty; policies come, change and go.
async fn places(caller: &Caller, round: usize) -> Result<(), Status> {
    let number = round * 4_409;
    // Not the one whose cells are listed.
    let path = format!("boxes/b{:05}", (number % 1_000).max(3));
    let cell = format!("{path}/cells/w{:03}", round % 10);
    let resource = format!("{ACCOUNT}/resources/{path}");
    let new = format!("p{:05}x", number % 40);
    let policy = format!("{ACCOUNT}/accessPolicies/p{:05}", number % 900);
    let display_name = format!("Policy 1{round}");
    let call: (&str, &[(&str, &str)]) = match round % 8 {
        0 => ("DeleteResource", &[("name", &resource), ("force", "true")]),
        1 => ("CreateResource", &[("parent", ACCOUNT), ("resource.path", &path)]),
        2 | 3 => ("CreateResource", &[("parent", ACCOUNT), ("resource.path", &cell)]),
        4 => (
            "CreateAccessPolicy",
            &[
                ("parent", ACCOUNT),
                ("access_policy_id", &new),
                ("access_policy.display_name", &display_name),
                ("access_policy.statements[0].effect", "EFFECT_DENY"),
                ("access_policy.statements[0].permissions", "a.p00002"),
            ],
        ),
        5 => (
            "UpdateAccessPolicy",
            &[
                ("access_policy.name", &policy),
                ("access_policy.display_name", &display_name),
                ("update_mask", "display_name"),
            ],
        ),
        6 => ("DeleteAccessPolicy", &[("name", &policy), ("force", "true")]),
        _ => (
            "CreateRoleBinding",
            &[
                ("parent", ACCOUNT),
                ("role_binding.holder", "users/reader"),
                ("role_binding.role", "catalogs/c/roles/keeper"),
                ("role_binding.resource", &path),
            ],
        ),
    };
    match caller.ask(call.0, call.1).await {
        // The reader holds as many roles as it can.
        Err(status) if status.code() == Code::ResourceExhausted => Ok(()),
        outcome => done(outcome),
    }
}
