//! What is asked after each write, and held against the oracle.

use rolecall::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Consistency, ListApiScopesRequest, consistency::Requirement,
};
use tonic::Code;

use super::{
    super::oracle::{Oracle, Question, Subject, What},
    Difference, Place, Plan, Worker,
    answers::{Given, given, given_item},
    api_scopes, permissions, same, service_accounts,
    statements::{attributes_sent, random_attributes},
    subject_text, users,
};

/// A question that was answered, to be asked again about that time.
pub(super) struct Past {
    token: String,
    account: String,
    question: Question,
    /// The facts as they were.
    oracle: Oracle,
}

/// How many questions about the past are kept: each has all facts with it.
const MAX_PAST: usize = 60;

impl Worker {
    /// Asks about subjects, known and not, and holds every answer against the oracle's.
    pub(super) async fn ask(&mut self, plan: Plan) -> Result<(), Difference> {
        let place = self.place();
        let mut questions = Vec::new();
        for _ in 0..plan.checks_per_write {
            questions.push(self.random_question(&place));
        }
        self.batch(&place.id, &questions).await?;
        let first = questions.swap_remove(0);
        self.check(&place.id, &first).await?;
        if place.found.is_some() {
            if self.random.chance(plan.lists_percent) {
                self.list_permissions(&place, &first.subject).await?;
            }
            if self.random.chance(plan.lists_percent) {
                self.list_subjects(&place, &first).await?;
            }
            if self.random.chance(plan.lists_percent) {
                self.list_resources(&place, &first).await?;
            }
        }
        if self.random.chance(plan.views_percent) {
            self.view().await?;
        }
        if self.random.chance(2) && !self.token.is_empty() {
            let (token, oracle) = (self.token.clone(), self.oracle.clone());
            let past = Past { token, account: place.id, question: first, oracle };
            if self.past.len() < MAX_PAST {
                self.past.push(past);
            } else {
                let index = self.random.below(MAX_PAST);
                self.past[index] = past;
            }
        }
        if self.random.chance(5) && !self.past.is_empty() {
            let index = self.random.below(self.past.len());
            self.check_past(index).await?;
        }
        Ok(())
    }

    fn random_subject(&mut self, place: &Place) -> Subject {
        match self.random.below(100) {
            0..3 => Subject::User("nobody".into()),
            3..18 => Subject::ServiceAccount(self.one_of(place.service_account_ids(), service_accounts())),
            _ => Subject::User(self.one_of(place.user_ids(), users())),
        }
    }

    pub(super) fn random_question(&mut self, place: &Place) -> Question {
        let subject = self.random_subject(place);
        let is_typo = self.random.chance(1);
        let what = if self.random.chance(22) {
            let known = self.random.pick(api_scopes()).unwrap();
            What::ApiScope(if is_typo { "typo".into() } else { known })
        } else {
            What::Permission(if is_typo { "no.such".into() } else { self.random.pick(permissions()).unwrap() })
        };
        let mut question = Question::new(subject, what);
        self.complete(place, &mut question);
        question
    }

    /// Gives a question a path, facets and attributes.
    pub(super) fn complete(&mut self, place: &Place, question: &mut Question) {
        let definition = match &question.what {
            What::Permission(id) => place.catalog.permissions.get(id).cloned().unwrap_or_default(),
            What::ApiScope(_) => {
                let resource_type = self.random.pick(place.types()).filter(|_| self.random.chance(50));
                super::super::oracle::Permission { resource_type, ..Default::default() }
            }
        };
        question.resource = self.asked_path(place, definition.resource_type.as_ref());
        for facet in definition.facets.iter().filter(|facet| *facet != "feature") {
            if self.random.chance(60) {
                let value = self.facet_value(place, question, facet);
                question.facets.insert(facet.clone(), value);
            }
        }
        match self.random.below(60) {
            0 => _ = question.facets.insert("feature".into(), "f0".into()),
            1 => _ = question.facets.insert("nothing".into(), "sites/x0".into()),
            2..5 => {
                if let Some(facet) = self.random.pick(place.types()) {
                    question.facets.insert(facet, self.any_path(place));
                }
            }
            _ => {}
        }
        question.attributes = random_attributes(&mut self.random);
    }

    /// A value of a facet: mostly one that agrees with the path.
    fn facet_value(&mut self, place: &Place, question: &Question, facet: &str) -> String {
        let path = question.resource.clone().unwrap_or_default();
        let mut value = self.path_of(place, facet);
        for _ in 0..4 {
            if super::super::oracle::paths::agree(&path, &value) {
                break;
            }
            value = place.catalog.path(&mut self.random, facet);
        }
        value
    }

    pub(super) async fn batch(&mut self, account: &str, questions: &[Question]) -> Result<(), Difference> {
        if questions.is_empty() {
            return Ok(());
        }
        for (question, answer) in questions.iter().zip(self.answers(account, questions).await?) {
            self.compare(account, question, answer)?;
        }
        Ok(())
    }

    /// What the server says to many questions; nothing if there is no such account, which is right.
    pub(super) async fn answers(&mut self, account: &str, questions: &[Question]) -> Result<Vec<Given>, Difference> {
        let item = |question: &Question| {
            let (permission, api_scope) = texts(question);
            BatchCheckItem {
                subject: subject_text(&question.subject),
                permission,
                api_scope,
                resource: question.resource.clone().unwrap_or_default(),
                facets: question.facets.clone().into_iter().collect(),
                attributes: attributes_sent(&question.attributes),
            }
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
                return Ok(Vec::new());
            }
            Err(status) => return Err(format!("BatchCheck in {account}: {status}")),
        };
        same("the number of answers", &answers.results.len(), &questions.len())?;
        Ok(answers.results.into_iter().map(given_item).collect())
    }

    async fn check(&mut self, account: &str, question: &Question) -> Result<(), Difference> {
        self.done.checks += 1;
        let answer = self.ask_one(account, question, None).await;
        self.compare(account, question, answer)
    }

    async fn check_past(&mut self, index: usize) -> Result<(), Difference> {
        self.done.past_checks += 1;
        let Past { token, account, question, oracle } = &self.past[index];
        let (token, account, question) = (token.clone(), account.clone(), question.clone());
        // The facts of then, at the time of now.
        let expected = oracle.check(&account, &question, self.now);
        let at = Consistency { requirement: Some(Requirement::AtExactRevision(token)) };
        let answer = self.ask_one(&account, &question, Some(at)).await;
        super::answers::same_answer(&question, &answer, expected).map_err(|text| format!("of the past: {text}"))
    }

    async fn ask_one(&mut self, account: &str, question: &Question, consistency: Option<Consistency>) -> Given {
        let (permission, api_scope) = texts(question);
        let request = CheckRequest {
            account: format!("accounts/{account}"),
            subject: subject_text(&question.subject),
            permission,
            consistency,
            api_scope,
            resource: question.resource.clone().unwrap_or_default(),
            facets: question.facets.clone().into_iter().collect(),
            attributes: attributes_sent(&question.attributes),
        };
        given(self.wire.authorization.check(request).await)
    }

    pub(super) async fn list_api_scopes(&mut self, account: &str, subject: &Subject) -> Result<(), Difference> {
        let request = ListApiScopesRequest {
            account: format!("accounts/{account}"),
            subject: subject_text(subject),
            page_size: if self.random.chance(30) { 2 } else { 0 },
            ..Default::default()
        };
        let what = format!("{request:?}");
        let listed = super::views::pages!(self, authorization.list_api_scopes, request, api_scopes);
        let listed: Vec<_> = listed.into_iter().map(|each| (each.api_scope, each.permissions)).collect();
        let expected = self.oracle.list_api_scopes(account, subject, self.now).into_iter();
        let expected: Vec<_> = expected.map(|(scope, ids)| (scope, ids.into_iter().collect::<Vec<_>>())).collect();
        same(&what, &listed, &expected)?;
        self.compared("list of API scopes");
        Ok(())
    }
}

/// The permission and the API scope of a request: one of the two is empty.
pub(super) fn texts(question: &Question) -> (String, String) {
    match &question.what {
        What::Permission(id) => (id.clone(), String::new()),
        What::ApiScope(id) => (String::new(), id.clone()),
    }
}
