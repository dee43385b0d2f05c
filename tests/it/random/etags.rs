//! Etags: the right one is accepted, the one of an earlier version is not.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::{PolicyName, RoleName, State, Subject},
    Difference, Worker,
    expected::Wrong,
    same,
};

impl Worker {
    /// An etag to send with a write of a thing: mostly none, sometimes the right one or a stale one. The thing is read
    /// for it, and held against the oracle. A write that is wrong in another way has none.
    pub(super) async fn etag(&mut self, name: &str, wrong: &mut Wrong) -> Result<String, Difference> {
        if !wrong.is_empty() || self.random.chance(75) {
            return Ok(String::new());
        }
        let now = self.read(name).await?;
        if now.is_empty() || self.dead_etags.contains(&(name.to_owned(), now.clone())) {
            return Err(format!("{name} has the etag {now:?}, which a deleted thing of that name had"));
        }
        let before = self.etags.insert(name.to_owned(), now.clone());
        let mut dead = self.dead_etags.iter().filter(|(other, _)| other == name).map(|(_, etag)| etag.clone());
        let stale = before.filter(|before| *before != now).or_else(|| dead.next_back());
        match stale {
            Some(stale) if self.random.chance(60) => {
                wrong.push(ErrorReason::EtagMismatch);
                self.compared("etag, stale");
                Ok(stale)
            }
            _ => {
                self.compared("etag, right");
                Ok(now)
            }
        }
    }

    /// Notes that a thing is deleted, with all that is below it.
    pub(super) fn bury(&mut self, name: &str) {
        let below = format!("{name}/");
        let gone: Vec<String> =
            self.etags.keys().filter(|other| *other == name || other.starts_with(&below)).cloned().collect();
        for name in gone {
            if let Some(etag) = self.etags.remove(&name) {
                self.dead_etags.insert((name, etag));
            }
        }
    }

    /// Reads a thing by its name. Gives its etag.
    async fn read(&mut self, name: &str) -> Result<String, Difference> {
        let parts: Vec<&str> = name.split('/').collect();
        let failed = |status: tonic::Status| format!("reading {name}: {status}");
        let name = name.to_owned();
        match parts.as_slice() {
            ["accounts", account] => {
                let request = proto::GetAccountRequest { name, consistency: None };
                let read = self.wire.accounts.get_account(request).await.map_err(failed)?.into_inner().account;
                self.same_account(account, read)
            }
            ["accounts", account, "users", id] => {
                let request = proto::GetUserRequest { name, consistency: None };
                let read = self.wire.users.get_user(request).await.map_err(failed)?.into_inner().user;
                let etag = read.as_ref().map(|read| read.etag.clone()).unwrap_or_default();
                self.same_user(account, id, read).map(|()| etag)
            }
            ["accounts", account, "serviceAccounts", id] => {
                let request = proto::GetServiceAccountRequest { name, consistency: None };
                let read = self.wire.service_accounts.get_service_account(request).await.map_err(failed)?;
                let read = read.into_inner().service_account;
                let etag = read.as_ref().map(|read| read.etag.clone()).unwrap_or_default();
                self.same_service_account(account, id, read).map(|()| etag)
            }
            ["accounts", account, "teams", id] => {
                let request = proto::GetTeamRequest { name, consistency: None };
                let read = self.wire.teams.get_team(request).await.map_err(failed)?.into_inner().team;
                let etag = read.as_ref().map(|read| read.etag.clone()).unwrap_or_default();
                self.same_team(account, id, read).map(|()| etag)
            }
            ["accounts", account, "roles", id] => {
                let request = proto::GetRoleRequest { name, ..Default::default() };
                let read = self.wire.roles.get_role(request).await.map_err(failed)?.into_inner().role;
                let read = read.unwrap_or_default();
                let etag = read.etag.clone();
                self.same_role(account, &RoleName::Custom((*id).to_owned()), read, true, true).map(|()| etag)
            }
            ["accounts", account, "accessPolicies", id] => {
                let request = proto::GetAccessPolicyRequest { name, consistency: None };
                let read = self.wire.policies.get_access_policy(request).await.map_err(failed)?.into_inner();
                self.same_policy(account, &PolicyName::Custom((*id).to_owned()), read.access_policy)
            }
            ["accounts", account, "resources", path @ ..] => {
                let request = proto::GetResourceRequest { name, consistency: None };
                let read = self.wire.resources.get_resource(request).await.map_err(failed)?.into_inner();
                self.same_resource(account, &path.join("/"), read.resource)
            }
            ["catalogs", id] => {
                let request = proto::GetCatalogRequest { name, consistency: None };
                let read = self.wire.catalogs.get_catalog(request).await.map_err(failed)?.into_inner().catalog;
                self.same_catalog(id, &read.unwrap_or_default())
            }
            other => unreachable!("{other:?} is no name of a thing with an etag"),
        }
    }

    pub(super) fn same_account(&mut self, id: &str, given: Option<proto::Account>) -> Result<String, Difference> {
        let given = given.unwrap_or_default();
        let found = &self.oracle.accounts[id];
        let state = if found.active { proto::account::State::Active } else { proto::account::State::Suspended };
        let expected =
            (format!("accounts/{id}"), format!("catalogs/{}", found.catalog), state, found.features.iter().cloned());
        let expected = (expected.0, expected.1, expected.2, expected.3.collect::<Vec<_>>());
        let shown = (given.name.clone(), given.catalog.clone(), given.state(), given.features.clone());
        same("the account", &shown, &expected)?;
        self.compared("an account");
        Ok(given.etag)
    }

    pub(super) fn same_user(&self, account: &str, id: &str, given: Option<proto::User>) -> Result<(), Difference> {
        let given = given.unwrap_or_default();
        let user = &self.oracle.accounts[account].users[id];
        let state = match user.state {
            State::Invited => proto::user::State::Invited,
            State::Active => proto::user::State::Active,
            State::Suspended => proto::user::State::Suspended,
        };
        let texts = [&user.texts.display_name, &user.texts.username, &user.texts.email];
        let expected = (format!("accounts/{account}/users/{id}"), state, texts, user.last_sign_in);
        let texts = [&given.display_name, &given.username, &given.email];
        let sign_in = given.last_sign_in_time.as_ref().map(|time| time.seconds);
        same("the user", &(given.name.clone(), given.state(), texts, sign_in), &expected)
    }

    pub(super) fn same_service_account(
        &self,
        account: &str,
        id: &str,
        given: Option<proto::ServiceAccount>,
    ) -> Result<(), Difference> {
        let given = given.unwrap_or_default();
        let state = match self.oracle.accounts[account].state_of(&Subject::ServiceAccount(id.to_owned())) {
            Some(State::Active) => proto::service_account::State::Active,
            _ => proto::service_account::State::Suspended,
        };
        let expected = (format!("accounts/{account}/serviceAccounts/{id}"), state);
        same("the service account", &(given.name.clone(), given.state()), &expected)
    }

    pub(super) fn same_team(&self, account: &str, id: &str, given: Option<proto::Team>) -> Result<(), Difference> {
        let given = given.unwrap_or_default();
        let count = self.oracle.member_count(account, id).unwrap_or_default();
        let expected = (format!("accounts/{account}/teams/{id}"), count as i64);
        same("the team", &(given.name, given.member_count), &expected)
    }

    pub(super) fn same_catalog(&self, id: &str, given: &proto::Catalog) -> Result<String, Difference> {
        let catalog = &self.oracle.catalogs[id];
        let mut listed = Vec::new();
        for each in &given.permissions {
            listed.push((each.id.clone(), each.internal, each.all_api_scopes.clone()));
        }
        listed.sort();
        let provided = |scopes| catalog.with_included(scopes).into_iter().collect::<Vec<_>>();
        let expected: Vec<_> = catalog
            .permissions
            .iter()
            .map(|(id, each)| (id.clone(), each.internal, provided(&each.api_scopes)))
            .collect();
        same("the catalog", &(given.name.clone(), listed), &(format!("catalogs/{id}"), expected))?;
        Ok(given.etag.clone())
    }
}
