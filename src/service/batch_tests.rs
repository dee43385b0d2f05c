//! Batches while writes come between their questions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{core::Settings, *};
use crate::{
    files,
    model::{Change, Revision},
    presets,
    store::{ChangeLog, Digest, MemoryLog, MemoryStore, StoreError},
};

const PERMISSION: &str = "reports.detailed.view";

/// A log that can be held up.
#[derive(Default)]
struct HeldLog {
    log: MemoryLog,
    gate: Mutex<()>,
    is_entered: AtomicBool,
}

impl ChangeLog for HeldLog {
    fn append(&self, expected: Revision, changes: &[Change], digest: Digest) -> Result<(), StoreError> {
        self.is_entered.store(true, SeqCst);
        let _gate = self.gate.lock().unwrap();
        self.log.append(expected, changes, digest)
    }

    fn head(&self) -> crate::store::Head {
        self.log.head()
    }

    fn read(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.log.read(after, limit)
    }

    fn follow(&self, after: Revision, limit: usize, patience: Duration) -> Result<Vec<Change>, StoreError> {
        self.log.follow(after, limit, patience)
    }
}

/// Makes the account what it is at first, with a role for both users, or takes the role from both.
async fn apply(service: &Service, have_role: bool) -> Revision {
    let roles = if have_role { "analyze-manager" } else { "" };
    let text = format!(
        "kind: account\nid: a\ncatalog: infobip-classic\nfeatures: [reports]\n\
         users:\n  - {{id: ann, roles: [{roles}]}}\n  - {{id: bob, roles: [{roles}]}}\n"
    );
    let account = files::parse_account(text.as_bytes()).unwrap();
    service.write(apply_account(account, None, Arc::default())).await.unwrap();
    service.head().revision
}

async fn started(log: Arc<dyn ChangeLog>) -> Service {
    let service = Service::start(Arc::new(MemoryStore::new()), log, Settings::default()).unwrap();
    let catalog = files::parse_catalog(presets::INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    service.write(apply_catalog(catalog, false, None, Arc::default())).await.unwrap();
    apply(&service, true).await;
    service
}

/// Questions about users, and something that happens before one of them.
struct Asked<'a, F> {
    users: &'a [&'static str],
    next: usize,
    begun: u32,
    answers: Vec<Result<Reason, ErrorReason>>,
    /// Is told how often the batch was begun, and the position of the question.
    before: F,
}

impl<'a, F: FnMut(u32, usize)> Asked<'a, F> {
    fn new(users: &'a [&'static str], before: F) -> Self {
        Self { users, next: 0, begun: 0, answers: Vec::new(), before }
    }
}

impl<F: FnMut(u32, usize)> Batch<'static> for Asked<'_, F> {
    fn count(&self) -> usize {
        self.users.len()
    }

    fn restart(&mut self) {
        self.next = 0;
        self.begun += 1;
        self.answers.clear();
    }

    fn next(&mut self) -> Option<(SubjectName<'static>, AskedName<'static>)> {
        let user = self.users.get(self.next)?;
        (self.before)(self.begun, self.next);
        self.next += 1;
        Some((SubjectName::new("a", SubjectKind::User, user), AskedName::Permission(PERMISSION)))
    }

    fn question(&self) -> Asking<'_> {
        Asking {
            subject: SubjectName::new("a", SubjectKind::User, self.users[self.next - 1]),
            asked: AskedName::Permission(PERMISSION),
            place: PlaceName::default(),
            attributes: &NO_ATTRIBUTES,
        }
    }

    fn answer(&mut self, answer: Result<Reason, ServiceError>) {
        self.answers.push(answer.map_err(|error| error.reason));
    }
}

/// Waits for something where nothing can wait.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

const ALLOWED: Result<Reason, ErrorReason> = Ok(Reason::Allowed);
const NO_ROLE: Result<Reason, ErrorReason> = Ok(Reason::NoRoleGrants);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_between_two_questions_about_one_subject_lets_the_batch_begin_again() {
    let service = started(Arc::new(MemoryLog::new())).await;
    let mut written = Revision(0);
    let users = ["ann", "ann", "bob", "ann"];
    let mut batch = Asked::new(&users, |begun, position| {
        if (begun, position) == (1, 1) {
            written = wait(apply(&service, false));
        }
    });
    let revision = service.batch_check("a", &mut batch, ReadAt::Latest).await.unwrap();
    assert_eq!((batch.begun, &batch.answers), (2, &vec![NO_ROLE; 4]));
    assert_eq!(revision, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_writes_keep_disturbing_is_answered_from_history_at_one_revision() {
    let service = started(Arc::new(MemoryLog::new())).await;
    let mut has_role = true;
    let users = ["ann", "ann", "bob", "ann", "bob"];
    let mut batch = Asked::new(&users, |_, position| {
        if position == 2 {
            has_role = !has_role;
            wait(apply(&service, has_role));
        }
    });
    let revision = service.batch_check("a", &mut batch, ReadAt::Latest).await.unwrap();
    // Before the fourth time, which is that from history, three writes have taken the role away; the fourth came later.
    assert_eq!((batch.begun, &batch.answers), (4, &vec![NO_ROLE; 5]));
    assert!(revision < service.head().revision);
    // At the revision that was said it is so.
    for user in users {
        let mut one = Asked::new(&[], |_, _| ());
        let alone = [user];
        one.users = &alone;
        let again = service.batch_check("a", &mut one, ReadAt::Exact(revision)).await.unwrap();
        assert_eq!((again, one.begun, &one.answers), (revision, 1, &vec![NO_ROLE]), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_at_a_revision_is_not_disturbed() {
    let service = started(Arc::new(MemoryLog::new())).await;
    let at = service.head().revision;
    let users = ["ann", "bob", "", "ann"];
    let mut batch = Asked::new(&users, |_, position| {
        if position == 1 {
            wait(apply(&service, false));
        }
    });
    let revision = service.batch_check("a", &mut batch, ReadAt::Exact(at)).await.unwrap();
    let expected = vec![ALLOWED, ALLOWED, Err(ErrorReason::FieldInvalid), ALLOWED];
    assert_eq!((revision, batch.begun, &batch.answers), (at, 1, &expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_write_is_under_way_a_batch_is_answered_as_things_were_before_it() {
    let log = Arc::new(HeldLog::default());
    let service = started(Arc::<HeldLog>::clone(&log)).await;
    let before = service.head().revision;
    // Bob is kept, Ann is not.
    service.batch_check("a", &mut Asked::new(&["bob"], |_, _| ()), ReadAt::Latest).await.unwrap();
    let (writing, users) = {
        let _gate = log.gate.lock().unwrap();
        log.is_entered.store(false, SeqCst);
        let writing = tokio::spawn({
            let service = service.clone();
            async move { apply(&service, false).await }
        });
        while !log.is_entered.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let users = ["bob", "not an id", "ann", "bob"];
        let mut batch = Asked::new(&users, |_, _| ());
        let revision = wait(service.batch_check("a", &mut batch, ReadAt::Latest)).unwrap();
        // Once from what is kept, up to Ann, and once from history.
        let expected = vec![ALLOWED, Err(ErrorReason::FieldInvalid), ALLOWED, ALLOWED];
        assert_eq!((revision, batch.begun, &batch.answers), (before, 2, &expected));
        (writing, users)
    };
    let written = writing.await.unwrap();
    let mut batch = Asked::new(&users, |_, _| ());
    let revision = service.batch_check("a", &mut batch, ReadAt::Latest).await.unwrap();
    let expected = vec![NO_ROLE, Err(ErrorReason::FieldInvalid), NO_ROLE, NO_ROLE];
    assert_eq!((revision, batch.begun, &batch.answers), (written, 1, &expected));
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_before_anything_is_asked() {
    let service = started(Arc::new(MemoryLog::new())).await;
    for (account, count, expected) in
        [("a", 0, "items"), ("a", MAX_BATCH + 1, "items"), ("no id", MAX_BATCH + 1, "items"), ("no id", 1, "account")]
    {
        let users = vec!["ann"; count];
        let mut batch = Asked::new(&users, |_, _| panic!("{account}, {count}: it was asked"));
        let error = service.batch_check(account, &mut batch, ReadAt::Latest).await.unwrap_err();
        assert_eq!(error.violations[0].field, expected, "{account}, {count}");
    }
}

#[test]
fn a_permission_and_an_api_scope_of_one_name_are_two_things_to_ask_for() {
    let elsewhere = "reports".to_owned();
    let [permission, scope] = [AskedName::Permission("reports"), AskedName::ApiScope("reports")];
    assert!(permission.is(AskedName::Permission(&elsewhere)) && scope.is(scope));
    assert!(!permission.is(scope) && !scope.is(permission) && !permission.is(AskedName::Permission("report")));
}
