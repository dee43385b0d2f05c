//! What is shown of accounts, users, teams, service accounts and role bindings.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto;

use super::{
    super::oracle::Subject, Difference, Random, Worker, bindings::terms, expected::Wrong, role_views::shown_terms, same,
};

/// Reads all pages of a list.
macro_rules! pages {
    ($worker:ident, $client:ident . $method:ident, $request:expr, $items:ident) => {{
        let mut request = $request;
        let mut listed = Vec::new();
        loop {
            let answer = $worker.wire.$client.$method(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            if request.page_size > 0 && answer.$items.len() > request.page_size as usize {
                return Err(format!("{request:?} gave {}", answer.$items.len()));
            }
            listed.extend(answer.$items);
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break listed;
            }
        }
    }};
}
pub(super) use pages;

pub(super) fn page_size(random: &mut Random) -> i32 {
    [1, 2, 3, 0, 0][random.below(5)]
}

/// What a search finds: the beginning of an id, a username, an email address, a display name, or a word of one.
fn is_found(id: &str, texts: &super::super::oracle::Texts, search: &str) -> bool {
    let whole = [id, &texts.username, &texts.email, &texts.display_name].map(str::to_lowercase);
    let mut all = whole.iter().map(String::as_str).chain(whole[3].split(' '));
    all.any(|text| text.starts_with(search))
}

impl Worker {
    /// Compares one of all things that are shown.
    pub(super) async fn view(&mut self) -> Result<(), Difference> {
        let place = self.place();
        let account = place.id.clone();
        if place.found.is_none() {
            return Ok(());
        }
        match self.random.below(36) {
            0..5 => self.list_roles(&account).await,
            5..9 => self.list_role_holders(&account).await,
            9..12 => self.list_role_permissions(&account).await,
            12..15 => self.list_user_roles(&account).await,
            15..17 => self.list_teams(&account).await,
            17 => self.list_team_members(&account).await,
            18 => self.list_user_teams(&account).await,
            19..21 => self.list_users(&account).await,
            21 => self.list_service_accounts(&account).await,
            22 => self.list_bindings(&account).await,
            23 => self.list_accounts().await,
            24 => self.list_catalogs().await,
            25..27 => self.list_policies(&account).await,
            27..29 => self.list_registered(&account).await,
            29..31 => self.list_access_lists(&account).await,
            31..33 => self.list_exceptions(&account).await,
            _ => self.get(&account).await,
        }
    }

    /// Gets one thing by its name.
    async fn get(&mut self, account: &str) -> Result<(), Difference> {
        let found = &self.oracle.accounts[account];
        let mut names = vec![format!("accounts/{account}"), format!("catalogs/{}", found.catalog)];
        names.extend(found.users.keys().map(|id| format!("accounts/{account}/users/{id}")));
        names.extend(found.service_accounts.keys().map(|id| format!("accounts/{account}/serviceAccounts/{id}")));
        names.extend(found.teams.keys().map(|id| format!("accounts/{account}/teams/{id}")));
        names.extend(found.roles.keys().map(|id| format!("accounts/{account}/roles/{id}")));
        names.extend(found.resources.keys().map(|path| format!("accounts/{account}/resources/{path}")));
        names.extend(found.policies.keys().map(|id| format!("accounts/{account}/accessPolicies/{id}")));
        let name = self.random.pick(names).unwrap();
        self.etag(&name, &mut Wrong::new()).await.map(|_| ())
    }

    async fn list_user_roles(&mut self, account: &str) -> Result<(), Difference> {
        let Some(user) = self.random.pick(self.oracle.accounts[account].users.keys().cloned()) else { return Ok(()) };
        let show_internal = self.random.chance(50);
        let name = format!("accounts/{account}/users/{user}");
        let request = proto::ListUserRolesRequest { name: name.clone(), show_internal, consistency: None };
        let answer = self.wire.users.list_user_roles(request).await;
        let answer = answer.map_err(|status| format!("the roles of {name}: {status}"))?.into_inner();
        let given = answer.roles.into_iter();
        let given: Vec<_> =
            given.map(|role| (role.role, role.direct, role.teams, shown_terms(role.role_bindings))).collect();
        let mut expected = Vec::new();
        for (role, held) in self.oracle.user_roles(account, &user, show_internal) {
            let teams = held.teams.iter().map(|team| format!("accounts/{account}/teams/{team}")).collect();
            let bindings = self.bindings_of(account, &Subject::User(user.clone()), &role, true);
            expected.push((self.role_text(account, &role), held.direct, teams, bindings));
        }
        same(&format!("the roles of {name}"), &given, &expected)?;
        self.compared("list of user roles");
        Ok(())
    }

    async fn list_teams(&mut self, account: &str) -> Result<(), Difference> {
        let search = if self.random.chance(20) { format!("T{}", self.random.below(4)) } else { String::new() };
        let request = proto::ListTeamsRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            search: search.clone(),
            ..Default::default()
        };
        let listed = pages!(self, teams.list_teams, request, teams);
        let teams = self.oracle.accounts[account].teams.iter();
        let teams = teams.filter(|(id, _)| search.is_empty() || **id == search.to_lowercase());
        let expected: Vec<_> =
            teams.map(|(id, members)| (format!("accounts/{account}/teams/{id}"), members.len() as i64)).collect();
        let given: Vec<_> = listed.into_iter().map(|team| (team.name, team.member_count)).collect();
        same("the teams", &given, &expected)?;
        self.compared("list of teams");
        Ok(())
    }

    async fn list_team_members(&mut self, account: &str) -> Result<(), Difference> {
        let Some(team) = self.random.pick(self.oracle.accounts[account].teams.keys().cloned()) else { return Ok(()) };
        let name = format!("accounts/{account}/teams/{team}");
        let page_size = page_size(&mut self.random);
        let request = proto::ListTeamMembersRequest { name: name.clone(), page_size, ..Default::default() };
        let given = pages!(self, teams.list_team_members, request, members);
        let members = self.oracle.members(account, &team).into_iter();
        let expected: Vec<_> = members.map(|id| format!("accounts/{account}/users/{id}")).collect();
        same(&format!("the members of {name}"), &given, &expected)?;
        self.compared("list of team members");
        Ok(())
    }

    async fn list_user_teams(&mut self, account: &str) -> Result<(), Difference> {
        let found = &self.oracle.accounts[account];
        let Some(user) = self.random.pick(found.users.keys().cloned()) else { return Ok(()) };
        let teams = found.teams.iter().filter(|(_, members)| members.contains(&user));
        let expected: Vec<_> = teams.map(|(id, _)| format!("accounts/{account}/teams/{id}")).collect();
        let name = format!("accounts/{account}/users/{user}");
        let answer = self.wire.users.list_user_teams(proto::ListUserTeamsRequest { name, consistency: None }).await;
        let given = answer.map_err(|status| format!("ListUserTeams: {status}"))?.into_inner().teams;
        same(&format!("the teams of {user}"), &given, &expected)?;
        self.compared("list of user teams");
        Ok(())
    }

    async fn list_users(&mut self, account: &str) -> Result<(), Difference> {
        let mut request = proto::ListUsersRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            ..Default::default()
        };
        let mut users = self.oracle.accounts[account].users.clone();
        let mut ordered = true;
        match self.random.below(8) {
            0 => {
                let search = self.random.pick(["AN", "ana", "b", "carr", "u1", "dora@", "ana bell", "nobody"]).unwrap();
                request.search = search.to_owned();
                users.retain(|id, user| is_found(id, &user.texts, &search.to_lowercase()));
                ordered = false;
            }
            1 => {
                request.order_by = "display_name".into();
                ordered = false;
            }
            2 => {
                request.state = proto::user::State::Suspended.into();
                users.retain(|_, user| user.state == super::super::oracle::State::Suspended);
            }
            _ => {}
        }
        let listed = pages!(self, users.list_users, request.clone(), users);
        let mut given: Vec<String> = listed.iter().map(|user| user.name.clone()).collect();
        if request.order_by == "display_name" && !listed.is_sorted_by_key(|user| user.display_name.to_lowercase()) {
            return Err(format!("{request:?} is not ordered: {listed:?}"));
        }
        if !ordered {
            given.sort();
        }
        let expected: Vec<_> = users.keys().map(|id| format!("accounts/{account}/users/{id}")).collect();
        same(&format!("{request:?}"), &given, &expected)?;
        for user in listed {
            let id = user.name.rsplit('/').next().unwrap_or_default().to_owned();
            self.same_user(account, &id, Some(user))?;
        }
        self.compared("list of users");
        Ok(())
    }

    async fn list_service_accounts(&mut self, account: &str) -> Result<(), Difference> {
        let search = if self.random.chance(30) { "B" } else { "" };
        let request = proto::ListServiceAccountsRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            search: search.into(),
            ..Default::default()
        };
        let listed = pages!(self, service_accounts.list_service_accounts, request, service_accounts);
        let ids = self.oracle.accounts[account].service_accounts.keys();
        let ids = ids.filter(|id| search.is_empty() || id.starts_with('b'));
        let expected: Vec<_> = ids.map(|id| format!("accounts/{account}/serviceAccounts/{id}")).collect();
        let given: Vec<_> = listed.iter().map(|each| each.name.clone()).collect();
        same("the service accounts", &given, &expected)?;
        for each in listed {
            let id = each.name.rsplit('/').next().unwrap_or_default().to_owned();
            self.same_service_account(account, &id, Some(each))?;
        }
        self.compared("list of service accounts");
        Ok(())
    }

    /// All role bindings, the oldest first.
    async fn list_bindings(&mut self, account: &str) -> Result<(), Difference> {
        let show_internal = self.random.chance(50);
        let request = proto::ListRoleBindingsRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            show_internal,
            ..Default::default()
        };
        let listed = pages!(self, bindings.list_role_bindings, request, role_bindings);
        let given: Vec<_> = listed.into_iter().map(|binding| format!("{:?}", terms(binding))).collect();
        let shown = self.oracle.roles(account, show_internal);
        let made = self.bindings_shown(account).into_iter().filter(|(_, ((_, role, _), _))| shown.contains(role));
        let made: BTreeMap<String, u64> = made.map(|(text, (_, age))| (text, age)).collect();
        // What one write made comes in any order.
        let ages: Vec<_> = given.iter().map(|binding| made.get(binding)).collect();
        if !ages.is_sorted() {
            return Err(format!("the role bindings are not in the order of their creation: {given:?}"));
        }
        let count = given.len();
        let given: BTreeSet<_> = given.into_iter().collect();
        same("the role bindings", &(given, count), &(made.keys().cloned().collect(), made.len()))?;
        self.compared("list of bindings");
        Ok(())
    }

    /// The accounts of this worker among all there are.
    async fn list_accounts(&mut self) -> Result<(), Difference> {
        let page_size = page_size(&mut self.random);
        let request = proto::ListAccountsRequest { page_size, ..Default::default() };
        let listed = pages!(self, accounts.list_accounts, request, accounts);
        let mine = format!("accounts/{}-", self.name);
        let given = listed.into_iter().filter(|account| account.name.starts_with(&mine));
        let given: Vec<_> = given.map(|account| (account.name, account.features)).collect();
        let accounts = self.oracle.accounts.iter();
        let expected: Vec<_> = accounts
            .map(|(id, account)| (format!("accounts/{id}"), account.features.iter().cloned().collect::<Vec<_>>()))
            .collect();
        same("the accounts", &given, &expected)?;
        self.compared("list of accounts");
        Ok(())
    }

    /// The catalogs of this worker among all there are.
    async fn list_catalogs(&mut self) -> Result<(), Difference> {
        let page_size = page_size(&mut self.random);
        let request = proto::ListCatalogsRequest { page_size, ..Default::default() };
        let listed = pages!(self, catalogs.list_catalogs, request, catalogs);
        let mine = format!("catalogs/{}-", self.name);
        let given: Vec<_> = listed.into_iter().map(|each| each.name).filter(|name| name.starts_with(&mine)).collect();
        let expected: Vec<_> = self.oracle.catalogs.keys().map(|id| format!("catalogs/{id}")).collect();
        same("the catalogs", &given, &expected)?;
        self.compared("list of catalogs");
        Ok(())
    }
}
