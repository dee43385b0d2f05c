//! What is shown of roles: the roles of an account, what they contain, and who holds them.

use std::collections::BTreeMap;

use rolecall::proto;
use tonic::Status;

use super::{
    super::oracle::{Holder, RoleName, Subject},
    Difference, Set, Worker,
    bindings::terms,
    same, subject_text,
};

/// How many permissions a role could contain, how many it does, and which: with what they provide.
type Section = (usize, usize, Vec<(String, bool, Set)>);

/// What bindings say, ordered.
pub(super) fn shown_terms(bindings: Vec<proto::RoleBinding>) -> Vec<String> {
    let mut shown: Vec<String> = bindings.into_iter().map(|binding| format!("{:?}", terms(binding))).collect();
    shown.sort();
    shown
}

impl Worker {
    /// What the bindings say by which a subject holds a role itself, and, if asked for, by its teams; ordered.
    pub(super) fn bindings_of(&self, account: &str, subject: &Subject, role: &RoleName, of_teams: bool) -> Vec<String> {
        let teams = &self.oracle.accounts[account].teams;
        let is_of = |holder: &Holder| match (holder, subject) {
            (Holder::User(id), Subject::User(user)) => id == user,
            (Holder::ServiceAccount(id), Subject::ServiceAccount(account)) => id == account,
            (Holder::Team(team), Subject::User(user)) => of_teams && teams[team].contains(user),
            _ => false,
        };
        let all = self.bindings_shown(account).into_iter();
        all.filter(|(_, ((holder, held, _), _))| held == role && is_of(holder)).map(|(text, _)| text).collect()
    }

    /// Holds a role against the oracle. `whole`: with its lists; `counted`: with how many hold it.
    pub(super) fn same_role(
        &self,
        account: &str,
        role: &RoleName,
        given: proto::Role,
        whole: bool,
        counted: bool,
    ) -> Result<(), Difference> {
        let name = self.role_text(account, role);
        let Some(shown) = self.oracle.role(account, role) else { return Err(format!("{name} is shown: {given:?}")) };
        same("the name of the role", &given.name, &name)?;
        let kind = match role {
            RoleName::Custom(_) => proto::role::Kind::Custom,
            RoleName::Managed(id) => {
                let catalog = &self.oracle.catalogs[&self.oracle.accounts[account].catalog];
                if catalog.roles[id].internal { proto::role::Kind::Internal } else { proto::role::Kind::Managed }
            }
        };
        same(&format!("the kind of {name}"), &given.kind(), &kind)?;
        let counts = (given.permission_count as usize, given.api_scope_count as usize);
        same(&format!("how much {name} contains"), &counts, &(shown.permission_count, shown.api_scope_count))?;
        if counted {
            self.same_counts(account, role, given.holder_counts)?;
        } else if given.holder_counts.is_some() {
            return Err(format!("the holders of {name} are counted where they should not be"));
        }
        let parts = (given.access_policies, given.parents, given.covered_facets);
        let is_internal = self.is_internal(account, role);
        let parents = shown.parents.into_iter().filter(|parent| is_internal || !self.is_internal(account, parent));
        let policies = self.policy_texts(account, &shown.policies);
        let covers: Vec<String> = shown.covers.into_iter().collect();
        let expected = (policies, self.role_texts(account, parents), covers);
        same(&format!("the parts of {name}"), &parts, &expected)?;
        let lists = (given.permissions, given.api_scopes);
        if !whole {
            return same(&format!("the lists of {name}"), &lists, &(Vec::new(), Vec::new()));
        }
        let expected = (shown.permissions.into_iter().collect(), shown.api_scopes.into_iter().collect());
        same(&format!("the lists of {name}"), &lists, &expected)?;
        // What the catalog has no more stays left out, and is not spoken of.
        let catalog = &self.oracle.catalogs[&self.oracle.accounts[account].catalog];
        let left_out = shown.left_out.into_iter().filter(|scope| catalog.api_scopes.contains_key(scope));
        same(&format!("what {name} leaves out"), &given.left_out_api_scopes, &left_out.collect())
    }

    pub(super) fn same_counts(
        &self,
        account: &str,
        role: &RoleName,
        given: Option<proto::RoleHolderCounts>,
    ) -> Result<(), Difference> {
        let counts = self.oracle.counts(account, role);
        let expected = proto::RoleHolderCounts {
            user_count: counts.users as i64,
            direct_user_count: counts.direct_users as i64,
            inherited_user_count: counts.inherited_users as i64,
            service_account_count: counts.service_accounts as i64,
            team_count: counts.teams as i64,
        };
        same(&format!("the numbers of holders of {role:?}"), &given.unwrap_or_default(), &expected)
    }

    /// A role of the account, mostly; internal ones too.
    fn shown_role(&mut self, account: &str) -> Option<RoleName> {
        let there = self.oracle.roles(account, true);
        self.random.pick(there)
    }

    pub(super) async fn list_roles(&mut self, account: &str) -> Result<(), Difference> {
        let show_internal = self.random.chance(50);
        let whole = self.random.chance(50);
        let mut request = proto::ListRolesRequest {
            parent: format!("accounts/{account}"),
            page_size: if self.random.chance(50) { 2 } else { 0 },
            show_internal,
            view: if whole { proto::RoleView::Full } else { proto::RoleView::Basic }.into(),
            ..Default::default()
        };
        let mut expected = self.oracle.roles(account, show_internal);
        match self.random.below(10) {
            0 => {
                request.kind = proto::role::Kind::Custom.into();
                expected.retain(|role| matches!(role, RoleName::Custom(_)));
            }
            1 => {
                request.kind = proto::role::Kind::Managed.into();
                expected.retain(|role| matches!(role, RoleName::Managed(_)) && !self.is_internal(account, role));
            }
            2 => {
                let number = self.random.below(5);
                request.search = format!("{}{number}", ["M", "r"][self.random.below(2)]);
                expected.retain(|role| match role {
                    RoleName::Managed(id) | RoleName::Custom(id) => *id == request.search.to_lowercase(),
                });
            }
            3 => request.order_by = "user_count desc".into(),
            4 => request.order_by = "permission_count".into(),
            _ => {}
        }
        let mut listed = Vec::new();
        loop {
            let answer = self.wire.roles.list_roles(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            listed.extend(answer.roles);
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        match request.order_by.as_str() {
            "" => {}
            "permission_count" => {
                expected.sort_by_key(|role| self.oracle.role(account, role).map(|it| it.permission_count))
            }
            _ => expected.sort_by_key(|role| std::cmp::Reverse(self.oracle.counts(account, role).users)),
        }
        let names: Vec<String> = listed.iter().map(|role| role.name.clone()).collect();
        same(&format!("{request:?}"), &names, &self.role_texts(account, expected.clone()))?;
        for (role, given) in expected.iter().zip(listed) {
            self.same_role(account, role, given, whole, true)?;
        }
        self.compared("list of roles");
        Ok(())
    }

    fn is_internal(&self, account: &str, role: &RoleName) -> bool {
        let RoleName::Managed(id) = role else { return false };
        let catalog = &self.oracle.catalogs[&self.oracle.accounts[account].catalog];
        catalog.roles.get(id).is_some_and(|role| role.internal)
    }

    pub(super) async fn list_role_holders(&mut self, account: &str) -> Result<(), Difference> {
        let Some(role) = self.shown_role(account) else { return Ok(()) };
        let mut request = proto::ListRoleHoldersRequest {
            parent: format!("accounts/{account}"),
            role: self.role_text(account, &role),
            page_size: [1, 2, 3, 0][self.random.below(4)],
            show_internal: true,
            ..Default::default()
        };
        let mut listed = Vec::new();
        loop {
            let answer = self.wire.roles.list_role_holders(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            if request.page_size > 0 && answer.holders.len() > request.page_size as usize {
                return Err(format!("{request:?} gave {} holders", answer.holders.len()));
            }
            listed.extend(answer.holders);
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let mut given = Vec::new();
        for holder in listed {
            let texts = [holder.display_name, holder.username, holder.email];
            // A service account's display name is not kept by the oracle.
            let texts = if holder.name.contains("/users/") { texts } else { Default::default() };
            let sign_in = holder.last_sign_in_time.map(|time| time.seconds);
            let bindings = shown_terms(holder.role_bindings);
            given.push((holder.name, !holder.role_binding.is_empty(), holder.teams, texts, sign_in, bindings));
        }
        let mut expected = Vec::new();
        for (subject, held) in self.oracle.holders(account, &role) {
            let user = match &subject {
                Subject::User(id) => self.oracle.accounts[account].users[id].clone(),
                Subject::ServiceAccount(_) => Default::default(),
            };
            let texts = [user.texts.display_name, user.texts.username, user.texts.email];
            let teams = held.teams.iter().map(|team| format!("accounts/{account}/teams/{team}")).collect();
            let name = format!("accounts/{account}/{}", subject_text(&subject));
            let bindings = self.bindings_of(account, &subject, &role, false);
            expected.push((name, held.direct, teams, texts, user.last_sign_in, bindings));
        }
        same(&format!("{request:?}"), &given, &expected)?;
        self.compared("list of role holders");
        Ok(())
    }

    pub(super) async fn list_role_permissions(&mut self, account: &str) -> Result<(), Difference> {
        let Some(role) = self.shown_role(account) else { return Ok(()) };
        let contained_only = self.random.chance(30);
        let mut request = proto::ListRolePermissionsRequest {
            name: self.role_text(account, &role),
            page_size: [1, 3, 0][self.random.below(3)],
            contained_only,
            show_internal: true,
            ..Default::default()
        };
        let mut given: BTreeMap<String, Section> = BTreeMap::new();
        loop {
            let answer: Result<_, Status> = self.wire.roles.list_role_permissions(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            for section in answer.sections {
                let counts = (section.permission_count as usize, section.contained_count as usize);
                let entry = given.entry(section.section).or_insert((counts.0, counts.1, Vec::new()));
                same("the numbers of the section on another page", &counts, &(entry.0, entry.1))?;
                for each in section.permissions {
                    entry.2.push((each.permission, each.contained, each.api_scopes.into_iter().collect()));
                }
            }
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        // A section with nothing in it says nothing, whether it is shown or not.
        given.retain(|_, (could, _, permissions)| *could > 0 && !(contained_only && permissions.is_empty()));
        let mut expected = BTreeMap::new();
        for (section, permissions) in self.oracle.sections(account, &role) {
            let contained = permissions.values().filter(|(contained, _)| *contained).count();
            let count = permissions.len();
            let shown = permissions.into_iter().filter(|(_, (contained, _))| *contained || !contained_only);
            let shown: Vec<_> = shown.map(|(id, (contained, scopes))| (id, contained, scopes)).collect();
            if !shown.is_empty() {
                expected.insert(section, (count, contained, shown));
            }
        }
        same(&format!("{request:?}"), &given, &expected)?;
        self.compared("list of role permissions");
        Ok(())
    }
}
