//! What is asked after each write, and held against the oracle.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Consistency, Decision, DecisionReason, ListApiScopesRequest,
    ListPermissionsRequest, consistency::Requirement,
};
use tonic::Code;

use super::{
    super::oracle::{Reason, Subject, Unknown},
    Difference, Past, Plan, Question, Set, What, Worker, api_scopes, permissions, same, service_accounts, subject_text,
    users,
};

impl Question {
    /// The permission and the API scope of a request: one of the two is empty.
    fn texts(&self) -> (String, String) {
        match &self.what {
            What::Permission(id) => (id.clone(), String::new()),
            What::ApiScope(id) => (String::new(), id.clone()),
        }
    }
}

impl Worker {
    /// Asks about subjects, known and not, and holds every answer against the oracle's.
    pub(super) async fn ask(&mut self, plan: Plan) -> Result<(), Difference> {
        let account = self.place().id;
        let mut questions = Vec::new();
        for _ in 0..plan.checks_per_write {
            let subject = self.random_subject();
            let what = self.random_question();
            questions.push(Question { account: account.clone(), subject, what });
        }
        self.batch(&account, &questions).await?;
        let first = questions.swap_remove(0);
        self.check(first.clone()).await?;
        if self.random.chance(plan.lists_percent) {
            self.list(&account, &first.subject).await?;
        }
        if self.random.chance(plan.views_percent) {
            self.view().await?;
        }
        if self.random.chance(2) && !self.token.is_empty() {
            let answer = self.expected(&first);
            self.past.push(Past { token: self.token.clone(), question: first, answer });
        }
        if self.random.chance(5) && !self.past.is_empty() {
            let index = self.random.below(self.past.len());
            self.check_past(index).await?;
        }
        Ok(())
    }

    fn random_subject(&mut self) -> Subject {
        if self.random.chance(20) {
            return Subject::ServiceAccount(self.random.pick(service_accounts()).unwrap());
        }
        Subject::User(if self.random.chance(3) { "nobody".into() } else { self.random.pick(users()).unwrap() })
    }

    fn random_question(&mut self) -> What {
        let is_typo = self.random.chance(2);
        if self.random.chance(30) {
            let known = self.random.pick(api_scopes()).unwrap();
            return What::ApiScope(if is_typo { "typo".into() } else { known });
        }
        What::Permission(if is_typo { "no.such".into() } else { self.random.pick(permissions()).unwrap() })
    }

    fn expected(&self, question: &Question) -> Result<Reason, Unknown> {
        match &question.what {
            What::Permission(id) => self.oracle.check(&question.account, &question.subject, id),
            What::ApiScope(id) => self.oracle.check_api_scope(&question.account, &question.subject, id),
        }
    }

    async fn batch(&mut self, account: &str, questions: &[Question]) -> Result<(), Difference> {
        let item = |question: &Question| {
            let (permission, api_scope) = question.texts();
            BatchCheckItem { subject: subject_text(&question.subject), permission, api_scope }
        };
        let request = BatchCheckRequest {
            account: format!("accounts/{account}"),
            items: questions.iter().map(item).collect(),
            consistency: None,
        };
        self.done.checks += questions.len();
        let answers = match self.wire.authorization.batch_check(request).await {
            Ok(answers) => answers.into_inner(),
            Err(status) if status.code() == Code::NotFound && !self.oracle.accounts.contains_key(account) => {
                return Ok(());
            }
            Err(status) => return Err(format!("BatchCheck in {account}: {status}")),
        };
        same("the number of answers", &answers.results.len(), &questions.len())?;
        for (question, result) in questions.iter().zip(answers.results) {
            let answer = match &result.error {
                Some(error) => Err(Code::from(error.code)),
                None => Ok((result.decision(), result.reason())),
            };
            self.compare(question, answer, self.expected(question))?;
        }
        Ok(())
    }

    async fn check(&mut self, question: Question) -> Result<(), Difference> {
        self.done.checks += 1;
        let answer = self.ask_one(&question, None).await;
        self.compare(&question, answer, self.expected(&question))
    }

    async fn check_past(&mut self, index: usize) -> Result<(), Difference> {
        self.done.past_checks += 1;
        let Past { token, question, answer: expected } = &self.past[index];
        let (token, question, expected) = (token.clone(), question.clone(), *expected);
        let at = Consistency { requirement: Some(Requirement::AtExactRevision(token)) };
        let answer = self.ask_one(&question, Some(at)).await;
        self.compare(&question, answer, expected).map_err(|text| format!("of the past: {text}"))
    }

    async fn ask_one(
        &mut self,
        question: &Question,
        consistency: Option<Consistency>,
    ) -> Result<(Decision, DecisionReason), Code> {
        let (permission, api_scope) = question.texts();
        let account = format!("accounts/{}", question.account);
        let subject = subject_text(&question.subject);
        let request = CheckRequest { account, subject, permission, consistency, api_scope };
        let answer = self.wire.authorization.check(request).await.map_err(|status| status.code())?.into_inner();
        Ok((answer.decision(), answer.reason()))
    }

    fn compare(
        &mut self,
        question: &Question,
        answer: Result<(Decision, DecisionReason), Code>,
        expected: Result<Reason, Unknown>,
    ) -> Result<(), Difference> {
        let expected = expected.map_err(|_| Code::NotFound).map(|reason| match reason {
            Reason::Allowed => (Decision::Allow, DecisionReason::Allowed),
            Reason::AccountSuspended => (Decision::Deny, DecisionReason::AccountSuspended),
            Reason::SubjectUnknown => (Decision::Deny, DecisionReason::SubjectUnknown),
            Reason::SubjectNotActive => (Decision::Deny, DecisionReason::SubjectNotActive),
            Reason::NoRoleGrants => (Decision::Deny, DecisionReason::NoRoleGrants),
            Reason::FeatureNotEntitled => (Decision::Deny, DecisionReason::FeatureNotEntitled),
            Reason::ApiScopeLeftOut => (Decision::Deny, DecisionReason::ApiScopeLeftOut),
        });
        if matches!(question.what, What::ApiScope(_)) {
            self.compared("a check by API scope");
        }
        if matches!(question.subject, Subject::ServiceAccount(_)) {
            self.compared("a check of a service account");
        }
        same(&format!("{question:?}"), &answer, &expected)
    }

    /// Compares all that a subject may do with the oracle's list, and with Check for every permission there is.
    async fn list(&mut self, account: &str, subject: &Subject) -> Result<(), Difference> {
        if !self.oracle.accounts.contains_key(account) {
            return Ok(());
        }
        self.done.lists += 1;
        let mut request = ListPermissionsRequest {
            account: format!("accounts/{account}"),
            subject: subject_text(subject),
            page_size: if self.random.chance(30) { 3 } else { 0 },
            ..Default::default()
        };
        let mut listed = BTreeMap::new();
        loop {
            let answer = self.wire.authorization.list_permissions(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            for each in answer.permissions {
                let grants: BTreeSet<(String, String)> =
                    each.grant_paths.into_iter().map(|path| (path.role, path.team)).collect();
                let scopes: Set = each.api_scopes.into_iter().collect();
                listed.insert(each.permission, (each.section, scopes, grants));
            }
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let team_name = |team: &String| format!("accounts/{account}/teams/{team}");
        let expected: BTreeMap<_, _> = self
            .oracle
            .list(account, subject)
            .into_iter()
            .map(|(permission, each)| {
                let grants = each.grants.iter().map(|(role, team)| {
                    (self.role_text(account, role), team.as_ref().map(team_name).unwrap_or_default())
                });
                (permission, (each.section, each.api_scopes, grants.collect::<BTreeSet<_>>()))
            })
            .collect();
        same(&format!("{request:?}"), &listed, &expected)?;
        let mut asked: Vec<What> = permissions().map(What::Permission).collect();
        self.list_api_scopes(account, subject).await?;
        asked.extend(api_scopes().map(What::ApiScope));
        let question = |what| Question { account: account.to_owned(), subject: subject.clone(), what };
        let questions: Vec<_> = asked.into_iter().map(question).collect();
        self.batch(account, &questions).await
    }

    async fn list_api_scopes(&mut self, account: &str, subject: &Subject) -> Result<(), Difference> {
        let mut request = ListApiScopesRequest {
            account: format!("accounts/{account}"),
            subject: subject_text(subject),
            page_size: if self.random.chance(30) { 2 } else { 0 },
            ..Default::default()
        };
        let mut listed = Vec::new();
        loop {
            let answer = self.wire.authorization.list_api_scopes(request.clone()).await;
            let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
            listed.extend(answer.api_scopes.into_iter().map(|each| (each.api_scope, each.permissions)));
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let expected = self.oracle.list_api_scopes(account, subject).into_iter();
        let expected: Vec<_> = expected.map(|(scope, ids)| (scope, ids.into_iter().collect::<Vec<_>>())).collect();
        same(&format!("{request:?}"), &listed, &expected)?;
        self.compared("list of API scopes");
        Ok(())
    }
}
