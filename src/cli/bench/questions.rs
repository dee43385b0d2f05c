//! What is asked: about whom, about what, and what the answers say.
//!
//! [`Questions`] is what a run asks about, shared by all threads; a [`Draw`] is one thread's way through it, by chance
//! that can be repeated.

use std::{fmt::Write as _, ops::AddAssign, sync::Arc};

use rand_distr::{Distribution, Uniform, Zipf};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};
use tonic::{Status, transport::Channel};

use super::super::{
    Exit, Failure,
    client::Client,
    names::{Account, within},
};
use crate::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Decision, DecisionReason, GetCatalogRequest,
    ListPermissionsRequest, ListUsersRequest, authorization_service_client::AuthorizationServiceClient,
};

/// Stands in a subject for its number.
pub const NUMBER: &str = "{}";

/// What a run asks.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Which call.
    pub kind: Kind,
    /// The account, and what all questions say besides subject and permission.
    pub template: CheckRequest,
    /// Who is asked about.
    pub subjects: Subjects,
    /// What is asked about; empty if the call names no permission.
    pub permissions: Vec<String>,
    /// The exponent of Zipf's law, more than 0; none: all subjects equally often.
    pub zipf: Option<f64>,
}

/// Which call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One question.
    Check,
    /// So many at once, 1 to 1,000.
    Batch(usize),
    /// Everything that a subject may do.
    List,
}

/// Who is asked about. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subjects {
    /// These, as `users/ana`.
    Named(Vec<String>),
    /// So many, with the numbers from 0 between two texts.
    Numbered {
        /// Before the number.
        before: String,
        /// Behind it.
        after: String,
        /// How many.
        count: u64,
    },
}

/// What answers say, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Allowed.
    pub allowed: u64,
    /// Denied, and whatever else is no allow.
    pub denied: u64,
    /// Those of the denied, or of the lists, where the account has no such subject.
    pub of_unknown_subjects: u64,
    /// Items of a batch that were errors.
    pub failed_items: u64,
}

impl Answers {
    /// How many questions were answered.
    pub fn checks(&self) -> u64 {
        self.allowed + self.denied
    }

    fn note(&mut self, decision: i32, reason: i32) {
        if decision == Decision::Allow as i32 {
            self.allowed += 1;
        } else {
            self.denied += 1;
            self.of_unknown_subjects += u64::from(reason == DecisionReason::SubjectUnknown as i32);
        }
    }
}

impl AddAssign for Answers {
    fn add_assign(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.of_unknown_subjects += other.of_unknown_subjects;
        self.failed_items += other.failed_items;
    }
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub enum Question {
    /// `Check`.
    Check(CheckRequest),
    /// `BatchCheck`.
    Batch(BatchCheckRequest),
    /// `ListPermissions`.
    List(ListPermissionsRequest),
}

impl Question {
    /// Asks it.
    ///
    /// # Errors
    /// What the server says against it, or that it does not answer.
    pub async fn ask(
        self,
        client: &Client,
        service: &mut AuthorizationServiceClient<Channel>,
    ) -> Result<Answers, Status> {
        let mut answers = Answers::default();
        match self {
            Self::Check(question) => {
                let answer = service.check(client.request(question)).await?.into_inner();
                answers.note(answer.decision, answer.reason);
            }
            Self::Batch(questions) => {
                for result in service.batch_check(client.request(questions)).await?.into_inner().results {
                    match result.error {
                        None => answers.note(result.decision, result.reason),
                        Some(_) => answers.failed_items += 1,
                    }
                }
            }
            Self::List(question) => {
                let answer = service.list_permissions(client.request(question)).await?.into_inner();
                let is_unknown = answer.subject_reason == DecisionReason::SubjectUnknown as i32;
                answers.of_unknown_subjects += u64::from(is_unknown);
            }
        }
        Ok(answers)
    }
}

impl Subjects {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Named(names) => names.len() as u64,
            Self::Numbered { count, .. } => *count,
        }
    }

    /// The name of one, counted from 0; past the end: of nobody.
    fn name(&self, index: u64) -> String {
        match self {
            Self::Named(names) => usize::try_from(index).ok().and_then(|at| names.get(at)).cloned().unwrap_or_default(),
            Self::Numbered { before, after, .. } => {
                // Long enough for any number.
                let mut name = String::with_capacity(before.len() + 20 + after.len());
                name.push_str(before);
                // Writing to a String cannot fail.
                let _ = write!(name, "{index}");
                name.push_str(after);
                name
            }
        }
    }
}

impl Questions {
    /// Asks about the first subject, and about each permission if somebody has typed them. What is wrong with a
    /// question is wrong with all of them.
    ///
    /// # Errors
    /// What the server says against a question.
    pub async fn try_out(&self, client: &Client, each_permission: bool) -> Result<(), Failure> {
        let first = self.subjects.name(0);
        if self.kind == Kind::List {
            let request =
                ListPermissionsRequest { subject: first.clone(), account: self.account(), ..Default::default() };
            client.answer(client.authorization().list_permissions(client.request(request))).await?;
        }
        let count = if each_permission { self.permissions.len() } else { 1 };
        for permission in self.permissions.iter().take(count) {
            let request = self.check(first.clone(), permission.clone());
            client.answer(client.authorization().check(client.request(request))).await?;
        }
        Ok(())
    }

    fn account(&self) -> String {
        self.template.account.clone()
    }

    fn check(&self, subject: String, permission: String) -> CheckRequest {
        CheckRequest { subject, permission, ..self.template.clone() }
    }
}

/// The first users of an account in its own order, as many as there are or as wanted.
///
/// # Errors
/// What the server says, or that there are none.
pub async fn users(client: &Client, account: &Account, wanted: u64) -> Result<Subjects, Failure> {
    let mut names: Vec<String> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListUsersRequest { parent: account.0.clone(), page_token, ..ListUsersRequest::default() };
        let answer = client.answer(client.users().list_users(client.request(request))).await?;
        names.extend(answer.users.iter().map(|user| within(&user.name)));
        page_token = answer.next_page_token;
        if page_token.is_empty() || names.len() as u64 >= wanted {
            break;
        }
    }
    names.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    if names.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("{} has no users", account.0))
            .with_next("name who is asked about: --subject serviceAccounts/ci"));
    }
    Ok(Subjects::Named(names))
}

/// The permissions of an account's catalog.
///
/// # Errors
/// What the server says, or that there are none.
pub async fn permissions(client: &Client, account: &Account) -> Result<Vec<String>, Failure> {
    let name = account.catalog(client).await?;
    let request = GetCatalogRequest { name: name.clone(), consistency: None };
    let answer = client.answer(client.catalogs().get_catalog(client.request(request))).await?;
    let permissions: Vec<String> =
        answer.catalog.unwrap_or_default().permissions.into_iter().map(|each| each.id).collect();
    if permissions.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("{name} has no permissions"))
            .with_next("ask what subjects may do in place of one permission: --list"));
    }
    Ok(permissions)
}

/// One thread's way through the questions.
pub struct Draw {
    questions: Arc<Questions>,
    chance: Pcg64Mcg,
    who: Who,
    what: Uniform<u64>,
}

/// How often each subject is asked about.
enum Who {
    Equally(Uniform<u64>),
    Zipf(Zipf<f64>),
}

impl Draw {
    /// The questions of one thread: others for every thread and seed, and the same ones for the same.
    ///
    /// # Errors
    /// [`Exit::Internal`]; not reached, there is at least one subject.
    pub fn new(questions: Arc<Questions>, seed: u64, thread: u64) -> Result<Self, Failure> {
        fn good<T, E: ToString>(distribution: Result<T, E>) -> Result<T, Failure> {
            let internal = |error: E| format!("cannot choose whom to ask about: {}", error.to_string());
            distribution.map_err(|error| Failure::new(Exit::Internal, internal(error)))
        }
        let subjects = questions.subjects.count();
        let who = match questions.zipf {
            None => Who::Equally(good(Uniform::new(0, subjects))?),
            // Below 2^53 a number is what it is as a float.
            Some(exponent) => Who::Zipf(good(Zipf::new(subjects as f64, exponent))?),
        };
        let what = good(Uniform::new(0, questions.permissions.len().max(1) as u64))?;
        // Seeds of people are small, so that this is no seed of another thread.
        let chance = Pcg64Mcg::seed_from_u64(seed ^ thread.rotate_right(16));
        Ok(Self { questions, chance, who, what })
    }

    /// The next question.
    pub fn question(&mut self) -> Question {
        match self.questions.kind {
            Kind::Check => {
                let (subject, permission) = (self.subject(), self.permission());
                Question::Check(self.questions.check(subject, permission))
            }
            Kind::Batch(count) => Question::Batch(BatchCheckRequest {
                account: self.questions.account(),
                items: (0..count).map(|_| self.item()).collect(),
                consistency: None,
            }),
            Kind::List => Question::List(ListPermissionsRequest {
                account: self.questions.account(),
                subject: self.subject(),
                ..ListPermissionsRequest::default()
            }),
        }
    }

    fn item(&mut self) -> BatchCheckItem {
        let (subject, permission) = (self.subject(), self.permission());
        let CheckRequest { resource, facets, attributes, .. } = &self.questions.template;
        BatchCheckItem {
            subject,
            permission,
            api_scope: String::new(),
            resource: resource.clone(),
            facets: facets.clone(),
            attributes: attributes.clone(),
        }
    }

    fn subject(&mut self) -> String {
        let index = self.index();
        self.questions.subjects.name(index)
    }

    /// The number of the subject that is asked about next, from 0; by Zipf's law low ones come most often.
    fn index(&mut self) -> u64 {
        match &self.who {
            Who::Equally(uniform) => uniform.sample(&mut self.chance),
            // From 1 to the count, whole, and so never too large.
            Who::Zipf(zipf) => (zipf.sample(&mut self.chance) as u64).saturating_sub(1),
        }
    }

    fn permission(&mut self) -> String {
        let index = usize::try_from(self.what.sample(&mut self.chance)).unwrap_or_default();
        self.questions.permissions.get(index).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(kind: Kind, count: u64, zipf: Option<f64>) -> Questions {
        Questions {
            kind,
            template: CheckRequest {
                account: "accounts/demo".to_owned(),
                resource: "lines/l1".to_owned(),
                ..CheckRequest::default()
            },
            subjects: Subjects::Numbered { before: "users/u".to_owned(), after: "@x".to_owned(), count },
            permissions: vec!["a.view".to_owned(), "b.view".to_owned()],
            zipf,
        }
    }

    fn draw(questions: Questions, seed: u64, thread: u64) -> Draw {
        Draw::new(Arc::new(questions), seed, thread).unwrap()
    }

    /// How often each of so many subjects is asked about in 200,000 questions.
    fn counts(count: u64, zipf: Option<f64>) -> Vec<f64> {
        let mut draw = draw(questions(Kind::Check, count, zipf), 1, 0);
        let mut counts = vec![0.0; usize::try_from(count).unwrap()];
        for _ in 0..200_000 {
            counts[usize::try_from(draw.index()).unwrap()] += 1.0;
        }
        counts
    }

    #[test]
    fn by_zipfs_law_the_share_of_a_subject_falls_with_a_power_of_its_place() {
        for exponent in [0.5, 0.99, 1.0, 2.0] {
            let counts = counts(1_000, Some(exponent));
            let total: f64 = (1..=1_000).map(|place| f64::from(place).powf(-exponent)).sum();
            for place in [1, 2, 3, 10, 30] {
                let expected = 200_000.0 * f64::from(place).powf(-exponent) / total;
                let found = counts[usize::try_from(place).unwrap() - 1];
                // Five standard deviations of a count.
                let slack = 5.0 * expected.sqrt();
                assert!((found - expected).abs() < slack, "{exponent}, place {place}: {found}, not {expected}");
            }
            let tail: f64 = counts[500..].iter().sum();
            let expected: f64 = (501..=1_000).map(|place| 200_000.0 * f64::from(place).powf(-exponent) / total).sum();
            assert!((tail - expected).abs() < 5.0 * expected.sqrt(), "{exponent}: {tail}, not {expected}");
        }
    }

    #[test]
    fn otherwise_all_subjects_are_asked_about_equally_often() {
        for found in counts(100, None) {
            assert!((found - 2_000.0).abs() < 5.0 * 2_000.0_f64.sqrt(), "{found}");
        }
        assert_eq!(counts(1, Some(1.0)), [200_000.0]);
    }

    #[test]
    fn a_seed_gives_the_same_questions_again_and_every_thread_others() {
        let names = |seed, thread| -> Vec<String> {
            let mut draw = draw(questions(Kind::Check, 1_000_000, Some(0.99)), seed, thread);
            (0..50).map(|_| format!("{:?}", draw.question())).collect()
        };
        assert_eq!(names(7, 1), names(7, 1));
        for (seed, thread) in [(7, 0), (8, 1), (6, 1), (1, 7)] {
            assert_ne!(names(7, 1), names(seed, thread), "{seed}, {thread}");
        }
    }

    #[test]
    fn questions_say_what_was_asked_for() {
        let Question::Check(check) = draw(questions(Kind::Check, 1, None), 1, 0).question() else { panic!() };
        assert_eq!(
            [check.account, check.subject, check.resource],
            ["accounts/demo", "users/u0@x", "lines/l1"].map(str::to_owned)
        );
        assert!(check.permission.ends_with(".view"));
        let Question::Batch(batch) = draw(questions(Kind::Batch(20), 9, None), 1, 0).question() else { panic!() };
        assert_eq!((batch.account.as_str(), batch.items.len()), ("accounts/demo", 20));
        assert!(batch.items.iter().any(|item| item.permission != batch.items[0].permission));
        assert!(batch.items.iter().any(|item| item.subject != batch.items[0].subject));
        assert!(batch.items.iter().all(|item| item.resource == "lines/l1"));
        let list = Questions { permissions: Vec::new(), ..questions(Kind::List, 1, None) };
        let Question::List(list) = draw(list, 1, 0).question() else { panic!() };
        assert_eq!([list.account, list.subject], ["accounts/demo", "users/u0@x"].map(str::to_owned));
    }

    #[test]
    fn anything_but_an_allow_is_a_denial() {
        let mut answers = Answers::default();
        for (decision, reason) in [(1, 1), (2, 3), (2, 5), (0, 0), (9, 99)] {
            answers.note(decision, reason);
        }
        let expected = Answers { allowed: 1, denied: 4, of_unknown_subjects: 1, failed_items: 0 };
        assert_eq!(answers, expected);
        answers += expected;
        assert_eq!(answers.checks(), 10);
    }
}
