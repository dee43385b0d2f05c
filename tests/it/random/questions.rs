//! What is asked after each write, and held against the oracle.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Consistency, Decision, DecisionReason, ListPermissionsRequest,
    consistency::Requirement,
};
use tonic::Code;

use super::{
    super::oracle::{Reason, Unknown},
    Difference, Past, Plan, Set, Worker, permissions, users,
};

impl Worker {
    /// Asks about users, known and not, and holds every answer against the oracle's.
    pub(super) async fn ask(&mut self, plan: Plan) -> Result<(), Difference> {
        let account = self.account_id();
        let mut items = Vec::new();
        for _ in 0..plan.checks_per_write {
            let user = if self.random.chance(3) { "nobody".to_owned() } else { self.random.pick(users()).unwrap() };
            let permission =
                if self.random.chance(2) { "no.such".to_owned() } else { self.random.pick(permissions()).unwrap() };
            items.push((user, permission));
        }
        self.batch(&account, &items).await?;
        let (user, permission) = items[0].clone();
        self.check(&account, &user, &permission).await?;
        if self.random.chance(plan.lists_percent) {
            self.list(&account, &user).await?;
        }
        if self.random.chance(2) && !self.token.is_empty() {
            let answer = self.oracle.check(&account, &user, &permission);
            self.past.push(Past { token: self.token.clone(), account, user, permission, answer });
        }
        if self.random.chance(5) && !self.past.is_empty() {
            let index = self.random.below(self.past.len());
            self.check_past(index).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, account: &str, items: &[(String, String)]) -> Result<(), Difference> {
        let request = BatchCheckRequest {
            account: format!("accounts/{account}"),
            items: items
                .iter()
                .map(|(user, permission)| BatchCheckItem {
                    subject: format!("users/{user}"),
                    permission: permission.clone(),
                    ..Default::default()
                })
                .collect(),
            consistency: None,
        };
        self.done.checks += items.len();
        let answers = match self.clients.authorization.batch_check(request).await {
            Ok(answers) => answers.into_inner(),
            Err(status) if status.code() == Code::NotFound && !self.oracle.accounts.contains_key(account) => {
                return Ok(());
            }
            Err(status) => return Err(format!("BatchCheck in {account}: {status}")),
        };
        for ((user, permission), result) in items.iter().zip(answers.results) {
            let answer = match &result.error {
                Some(error) => Err(Code::from(error.code)),
                None => Ok((result.decision(), result.reason())),
            };
            self.compare(account, user, permission, answer, self.oracle.check(account, user, permission))?;
        }
        Ok(())
    }

    async fn check(&mut self, account: &str, user: &str, permission: &str) -> Result<(), Difference> {
        self.done.checks += 1;
        let answer = self.ask_one(account, user, permission, None).await;
        self.compare(account, user, permission, answer, self.oracle.check(account, user, permission))
    }

    async fn check_past(&mut self, index: usize) -> Result<(), Difference> {
        self.done.past_checks += 1;
        let Past { token, account, user, permission, answer: expected } = &self.past[index];
        let (token, account, user) = (token.clone(), account.clone(), user.clone());
        let (permission, expected) = (permission.clone(), *expected);
        let at = Consistency { requirement: Some(Requirement::AtExactRevision(token)) };
        let answer = self.ask_one(&account, &user, &permission, Some(at)).await;
        self.compare(&account, &user, &permission, answer, expected).map_err(|text| format!("of the past: {text}"))
    }

    async fn ask_one(
        &mut self,
        account: &str,
        user: &str,
        permission: &str,
        consistency: Option<Consistency>,
    ) -> Result<(Decision, DecisionReason), Code> {
        let request = CheckRequest {
            account: format!("accounts/{account}"),
            subject: format!("users/{user}"),
            permission: permission.to_owned(),
            consistency,
            ..Default::default()
        };
        let answer = self.clients.authorization.check(request).await.map_err(|status| status.code())?.into_inner();
        Ok((answer.decision(), answer.reason()))
    }

    fn compare(
        &self,
        account: &str,
        user: &str,
        permission: &str,
        answer: Result<(Decision, DecisionReason), Code>,
        expected: Result<Reason, Unknown>,
    ) -> Result<(), Difference> {
        let expected = match expected {
            Err(Unknown::Account | Unknown::Permission | Unknown::ApiScope) => Err(Code::NotFound),
            Ok(Reason::Allowed) => Ok((Decision::Allow, DecisionReason::Allowed)),
            Ok(Reason::AccountSuspended) => Ok((Decision::Deny, DecisionReason::AccountSuspended)),
            Ok(Reason::SubjectUnknown) => Ok((Decision::Deny, DecisionReason::SubjectUnknown)),
            Ok(Reason::SubjectNotActive) => Ok((Decision::Deny, DecisionReason::SubjectNotActive)),
            Ok(Reason::NoRoleGrants) => Ok((Decision::Deny, DecisionReason::NoRoleGrants)),
            Ok(Reason::FeatureNotEntitled) => Ok((Decision::Deny, DecisionReason::FeatureNotEntitled)),
            Ok(Reason::ApiScopeLeftOut) => Ok((Decision::Deny, DecisionReason::ApiScopeLeftOut)),
        };
        if answer == expected {
            return Ok(());
        }
        Err(format!("Check({account}, {user}, {permission}) is {answer:?}; the oracle says {expected:?}"))
    }

    /// Compares all that a user may do with the oracle's list, and with Check for every permission there is.
    async fn list(&mut self, account: &str, user: &str) -> Result<(), Difference> {
        if !self.oracle.accounts.contains_key(account) {
            return Ok(());
        }
        self.done.lists += 1;
        let mut listed = BTreeMap::new();
        let mut page_token = String::new();
        let page_size = if self.random.chance(30) { 3 } else { 0 };
        loop {
            let request = ListPermissionsRequest {
                account: format!("accounts/{account}"),
                subject: format!("users/{user}"),
                page_size,
                page_token,
                consistency: None,
            };
            let answer = self.clients.authorization.list_permissions(request).await;
            let answer = answer.map_err(|status| format!("ListPermissions({account}, {user}): {status}"))?.into_inner();
            for each in answer.permissions {
                let grants: BTreeSet<(String, String)> =
                    each.grant_paths.into_iter().map(|path| (path.role, path.team)).collect();
                let scopes: Set = each.api_scopes.into_iter().collect();
                listed.insert(each.permission, (each.section, scopes, grants));
            }
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let team_name = |team: &String| format!("accounts/{account}/teams/{team}");
        let expected: BTreeMap<_, _> = self
            .oracle
            .list(account, user)
            .into_iter()
            .map(|(permission, each)| {
                let grants = each.grants.iter().map(|(role, team)| {
                    (self.role_name(account, role), team.as_ref().map(team_name).unwrap_or_default())
                });
                (permission, (each.section, each.api_scopes, grants.collect::<BTreeSet<_>>()))
            })
            .collect();
        if listed != expected {
            return Err(format!("ListPermissions({account}, {user}) is {listed:?}; the oracle says {expected:?}"));
        }
        let items: Vec<_> = permissions().map(|permission| (user.to_owned(), permission)).collect();
        self.batch(account, &items).await
    }
}
