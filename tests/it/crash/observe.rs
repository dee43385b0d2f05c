//! What a server shows: an account put together from its lists, with every fact looked at from each side that shows it.
//!
//! [`account`] reads the facts, [`check_answers`] compares decisions with those of the naive evaluator, [`exports`] and
//! [`pinned`] give texts to be compared later.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Consistency, Decision, DecisionReason, ExportAccountRequest,
    ExportCatalogRequest, ListAccountsRequest, ListCatalogsRequest, ListPermissionsRequest, ListRoleBindingsRequest,
    ListRolesRequest, ListTeamMembersRequest, ListTeamsRequest, ListUserTeamsRequest, ListUsersRequest, RoleBinding,
    consistency::Requirement, role::Kind, user,
};
use tonic::{Request, Status};

use super::facts::{Account, MANAGED, permissions};
use crate::{
    oracle::{Holder, Reason, RoleName, State},
    support::Clients,
};

/// Everything that the lists say of an account. Users in `sample` are looked at from their own side too.
pub async fn account(clients: &mut Clients, id: &str, sample: &BTreeSet<String>) -> Account {
    let parent = format!("accounts/{id}");
    let mut seen = Account::default();
    for user in users(clients, id).await {
        let state = match user.state() {
            user::State::Active => State::Active,
            user::State::Invited => State::Invited,
            user::State::Suspended => State::Suspended,
            user::State::Unspecified => panic!("{id}: {user:?}"),
        };
        let before = seen.users.insert(last(&user.name), (state, user.display_name));
        assert_eq!(before, None, "{id}: a user is listed twice");
    }
    let teams = ListTeamsRequest { parent: parent.clone(), ..ListTeamsRequest::default() };
    for team in clients.teams.list_teams(teams).await.unwrap().into_inner().teams {
        let members = ListTeamMembersRequest { name: team.name.clone(), ..ListTeamMembersRequest::default() };
        let members = clients.teams.list_team_members(members).await.unwrap().into_inner().members;
        seen.teams.insert(last(&team.name), members.iter().map(|name| last(name)).collect());
    }
    let roles = ListRolesRequest { parent: parent.clone(), ..ListRolesRequest::default() };
    for role in clients.roles.list_roles(roles).await.unwrap().into_inner().roles {
        if role.kind() == Kind::Custom {
            seen.roles.insert(last(&role.name), role.permissions.into_iter().collect());
        }
    }
    seen.bindings = bindings(clients, id, None, None).await;

    for (team, members) in &seen.teams {
        assert!(members.iter().all(|user| seen.users.contains_key(user)), "{id}: {team} has a member that is no user");
    }
    let custom = seen.roles.keys().map(|id| RoleName::Custom(id.clone()));
    for role in custom.chain(MANAGED.map(|id| RoleName::Managed(id.to_owned()))) {
        let expected: BTreeSet<_> = seen.bindings.iter().filter(|(_, of)| *of == role).cloned().collect();
        assert_eq!(bindings(clients, id, None, Some(&role)).await, expected, "{id}: by {role:?}");
    }
    let users = seen.users.keys().filter(|user| sample.contains(*user)).map(|id| Holder::User(id.clone()));
    for holder in users.chain(seen.teams.keys().map(|id| Holder::Team(id.clone()))) {
        let expected: BTreeSet<_> = seen.bindings.iter().filter(|(of, _)| *of == holder).cloned().collect();
        assert_eq!(bindings(clients, id, Some(&holder), None).await, expected, "{id}: by {holder:?}");
    }
    for user in seen.users.keys().filter(|user| sample.contains(*user)) {
        let request = ListUserTeamsRequest { name: format!("{parent}/users/{user}"), consistency: None };
        let teams = clients.users.list_user_teams(request).await.unwrap().into_inner().teams;
        let teams: BTreeSet<_> = teams.iter().map(|name| last(name)).collect();
        assert_eq!(teams, seen.teams_of(user), "{id}: the teams of {user}, from both sides");
    }
    seen
}

async fn users(clients: &mut Clients, id: &str) -> Vec<rolecall::proto::User> {
    let request = ListUsersRequest { parent: format!("accounts/{id}"), ..ListUsersRequest::default() };
    clients.users.list_users(request).await.unwrap().into_inner().users
}

async fn bindings(
    clients: &mut Clients,
    id: &str,
    holder: Option<&Holder>,
    role: Option<&RoleName>,
) -> BTreeSet<(Holder, RoleName)> {
    let request = ListRoleBindingsRequest {
        parent: format!("accounts/{id}"),
        holder: holder.map(holder_name).unwrap_or_default(),
        role: role.map(|role| role_name(id, role)).unwrap_or_default(),
        ..ListRoleBindingsRequest::default()
    };
    let listed = clients.bindings.list_role_bindings(request).await.unwrap().into_inner().role_bindings;
    let count = listed.len();
    let set: BTreeSet<_> = listed.iter().map(binding).collect();
    assert_eq!(set.len(), count, "{id}: a role is held twice");
    set
}

fn binding(binding: &RoleBinding) -> (Holder, RoleName) {
    let (holder, role) = (last(&binding.holder), last(&binding.role));
    let holder = if binding.holder.starts_with("teams/") { Holder::Team(holder) } else { Holder::User(holder) };
    let is_managed = binding.role.starts_with("catalogs/");
    (holder, if is_managed { RoleName::Managed(role) } else { RoleName::Custom(role) })
}

pub fn holder_name(holder: &Holder) -> String {
    match holder {
        Holder::User(id) => format!("users/{id}"),
        Holder::Team(id) => format!("teams/{id}"),
        Holder::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    }
}

pub fn role_name(account: &str, role: &RoleName) -> String {
    match role {
        RoleName::Managed(id) => format!("catalogs/{}/roles/{id}", super::facts::CATALOG),
        RoleName::Custom(id) => format!("accounts/{account}/roles/{id}"),
    }
}

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap().to_owned()
}

/// Check, BatchCheck and ListPermissions say what follows from the facts, for these users and one that is not there.
pub async fn check_answers(
    clients: &mut Clients,
    id: &str,
    facts: &Account,
    version: usize,
    sample: &BTreeSet<String>,
) {
    let oracle = facts.oracle(id, version);
    let account = format!("accounts/{id}");
    let mut questions = Vec::new();
    for user in sample.iter().map(String::as_str).chain(["nobody"]) {
        questions.extend(permissions().into_iter().map(|permission| (user.to_owned(), permission)));
        let subject = format!("users/{user}");
        let request = ListPermissionsRequest { account: account.clone(), subject, ..ListPermissionsRequest::default() };
        let listed = clients.authorization.list_permissions(request).await.unwrap().into_inner().permissions;
        let listed: BTreeMap<_, BTreeSet<_>> = listed
            .into_iter()
            .map(|each| {
                let path = |path: rolecall::proto::GrantPath| (path.role, path.team);
                (each.permission, each.grant_paths.into_iter().map(path).collect())
            })
            .collect();
        let expected: BTreeMap<_, BTreeSet<_>> = oracle
            .list(id, user, 0)
            .into_iter()
            .map(|(permission, listed)| {
                let path = |(role, team): (RoleName, Option<String>)| {
                    let team = team.map(|team| format!("{account}/teams/{team}"));
                    (role_name(id, &role), team.unwrap_or_default())
                };
                (permission, listed.roles().into_iter().map(path).collect())
            })
            .collect();
        assert_eq!(listed, expected, "{id}: what {user} may do");
    }
    for questions in questions.chunks(1000) {
        let item = |(user, permission): &(String, String)| BatchCheckItem {
            subject: format!("users/{user}"),
            permission: permission.clone(),
            ..Default::default()
        };
        let items = questions.iter().map(item).collect();
        let request = BatchCheckRequest { account: account.clone(), items, consistency: None };
        let answers = clients.authorization.batch_check(request).await.unwrap().into_inner().results;
        assert_eq!(answers.len(), questions.len());
        for ((user, permission), answer) in questions.iter().zip(answers) {
            let expected = reason(oracle.check_permission(id, user, permission, 0).unwrap());
            assert_eq!((answer.reason(), answer.error.clone()), (expected, None), "{id}: {user} {permission}");
            assert_eq!(answer.decision() == Decision::Allow, expected == DecisionReason::Allowed);
        }
    }
    // The single question is another way through the server.
    for (user, permission) in questions.iter().step_by(17) {
        let (subject, permission) = (format!("users/{user}"), permission.clone());
        let expected = reason(oracle.check_permission(id, user, &permission, 0).unwrap());
        let request =
            CheckRequest { account: account.clone(), subject, permission, consistency: None, ..Default::default() };
        let answer = clients.authorization.check(request).await.unwrap().into_inner();
        assert_eq!(answer.reason(), expected, "{id}: {user}");
    }
}

fn reason(reason: Reason) -> DecisionReason {
    match reason {
        Reason::Allowed => DecisionReason::Allowed,
        Reason::AccountSuspended => DecisionReason::AccountSuspended,
        Reason::SubjectUnknown => DecisionReason::SubjectUnknown,
        Reason::SubjectNotActive => DecisionReason::SubjectNotActive,
        Reason::NoRoleGrants => DecisionReason::NoRoleGrants,
        Reason::FeatureNotEntitled => DecisionReason::FeatureNotEntitled,
        // Nothing here has resources, facets, conditions, policies or an end.
        other => unreachable!("{other:?}"),
    }
}

/// Which version of the catalog is in force, whole.
pub async fn catalog_version(clients: &mut Clients) -> usize {
    let exported = export_catalog(clients, &format!("catalogs/{}", super::facts::CATALOG)).await.unwrap();
    let line = exported.lines().find_map(|line| line.strip_prefix("display_name: version ")).unwrap();
    let version = line.parse().unwrap();
    let roles = exported.lines().filter(|line| line.trim() == format!("description: version {version}"));
    assert_eq!(roles.count(), MANAGED.len(), "the catalog is a mixture of versions:\n{exported}");
    version
}

/// What a small account looked like at the revision of a token: its users, its bindings and some decisions.
pub async fn pinned(clients: &mut Clients, id: &str, token: &str) -> Result<String, Status> {
    let parent = format!("accounts/{id}");
    let consistency = Some(Consistency { requirement: Some(Requirement::AtExactRevision(token.to_owned())) });
    let request = ListUsersRequest { parent: parent.clone(), consistency: consistency.clone(), ..Default::default() };
    let users = clients.users.list_users(request).await?.into_inner();
    let request =
        ListRoleBindingsRequest { parent: parent.clone(), consistency: consistency.clone(), ..Default::default() };
    let bindings = clients.bindings.list_role_bindings(request).await?.into_inner();
    let item = |number: usize| BatchCheckItem {
        subject: format!("users/u{}", number % 6),
        permission: permissions()[number % permissions().len()].clone(),
        ..Default::default()
    };
    let items = (0..36).map(item).collect();
    let request = BatchCheckRequest { account: parent, items, consistency };
    let answers = clients.authorization.batch_check(request).await?.into_inner();
    for told in [&users.consistency_token, &bindings.consistency_token, &answers.consistency_token] {
        assert_eq!(told, token, "{id}: an answer at an exact revision says which");
    }
    Ok(format!("{users:#?}\n{bindings:#?}\n{answers:#?}"))
}

/// Every catalog and every account as a file, by name.
pub async fn exports(clients: &mut Clients) -> Result<BTreeMap<String, String>, Status> {
    let mut files = BTreeMap::new();
    let catalogs = clients.catalogs.list_catalogs(ListCatalogsRequest::default()).await?.into_inner();
    for catalog in catalogs.catalogs {
        let file = export_catalog(clients, &catalog.name).await?;
        files.insert(catalog.name, file);
    }
    let accounts = clients.accounts.list_accounts(ListAccountsRequest::default()).await?.into_inner();
    for account in accounts.accounts {
        let request = Request::new(ExportAccountRequest { name: account.name.clone(), consistency: None });
        let mut chunks = clients.accounts.export_account(request).await?.into_inner();
        let mut file = Vec::new();
        while let Some(chunk) = chunks.message().await? {
            file.extend(chunk.chunk);
        }
        files.insert(account.name, String::from_utf8(file).unwrap());
    }
    Ok(files)
}

async fn export_catalog(clients: &mut Clients, name: &str) -> Result<String, Status> {
    let request = Request::new(ExportCatalogRequest { name: name.to_owned(), consistency: None });
    let mut chunks = clients.catalogs.export_catalog(request).await?.into_inner();
    let mut file = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        file.extend(chunk.chunk);
    }
    Ok(String::from_utf8(file).unwrap())
}
