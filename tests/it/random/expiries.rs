//! The clock is moved on: by a little, or to the last millisecond before something expires and to that instant, with
//! questions at both and nothing written in between.

use super::{
    super::oracle::{Account, Holder, Question, RoleName, Subject, What},
    Difference, Worker,
};

/// How many questions are asked of those whose answer changes, and of all others.
const ASKED: (usize, usize) = (10, 4);

impl Worker {
    pub(super) async fn move_clock(&mut self) -> Result<(), Difference> {
        let clock = self.clock.clone();
        let _still = clock.still().await;
        self.now = clock.millis();
        let expiry = if self.random.chance(60) { self.next_expiry() } else { None };
        let Some((account, expires)) = expiry else {
            clock.go_to(self.now + 1 + self.random.below(200) as u64);
            self.now = clock.millis();
            return Ok(());
        };
        clock.go_to(expires - 1);
        self.now = clock.millis();
        let (questions, subject) = self.questions_at(&account, expires);
        self.batch(&account, &questions).await.map_err(|text| format!("before it expires: {text}"))?;
        let place = self.place_of(account.clone());
        let with_list = self.random.chance(20);
        if with_list {
            self.list_permissions(&place, &subject).await.map_err(|text| format!("before it expires: {text}"))?;
        }
        clock.go_to(expires);
        self.now = clock.millis();
        self.batch(&account, &questions).await.map_err(|text| format!("as it expires: {text}"))?;
        if with_list {
            self.list_permissions(&place, &subject).await.map_err(|text| format!("as it expires: {text}"))?;
        }
        self.done.expiries += 1;
        Ok(())
    }

    /// The next instant, in one of the accounts, at which something expires, unless that is far off.
    fn next_expiry(&mut self) -> Option<(String, u64)> {
        let account = self.random.pick(self.oracle.accounts.keys().cloned())?;
        let next = expiries(&self.oracle.accounts[&account]).map(|(expires, _)| expires);
        let next = next.filter(|expires| *expires > self.now && *expires < self.now + 60_000).min()?;
        Some((account, next))
    }

    /// Questions about those for whom something expires: first of all those whose answer changes by it.
    fn questions_at(&mut self, account: &str, expires: u64) -> (Vec<Question>, Subject) {
        let place = self.place_of(account.to_owned());
        let found = place.found.as_ref().unwrap();
        let mut subjects = Vec::new();
        for (_, holder) in expiries(found).filter(|(at, _)| *at == expires) {
            match holder {
                Holder::User(id) => subjects.push(Subject::User(id)),
                Holder::ServiceAccount(id) => subjects.push(Subject::ServiceAccount(id)),
                Holder::Team(id) => subjects.extend(found.teams[&id].iter().take(2).map(Subject::from)),
            }
        }
        subjects.truncate(3);
        let (mut changing, mut others) = (Vec::new(), Vec::new());
        for subject in &subjects {
            for permission in place.catalog.permissions.keys() {
                for bare in [true, false] {
                    let mut question = Question::new(subject, What::Permission(permission.clone()));
                    if !bare {
                        self.complete(&place, &mut question);
                    }
                    let before = self.oracle.check(account, &question, expires - 1);
                    let changes = before != self.oracle.check(account, &question, expires);
                    if changes { &mut changing } else { &mut others }.push(question);
                }
            }
        }
        changing.truncate(ASKED.0);
        others.truncate(ASKED.1);
        changing.extend(others);
        let subject = subjects.first().cloned().unwrap_or_else(|| Subject::User("nobody".into()));
        (changing, subject)
    }
}

/// When something expires, and for whom.
fn expiries(account: &Account) -> impl Iterator<Item = (u64, Holder)> + '_ {
    let bindings = account.bindings.iter().map(|((holder, _, _), binding): (&(Holder, RoleName, _), _)| {
        binding.expires.map(|expires| (expires, holder.clone()))
    });
    let exceptions = account
        .exceptions
        .iter()
        .map(|((user, _), exception)| exception.expires.map(|expires| (expires, Holder::User(user.clone()))));
    bindings.chain(exceptions).flatten()
}
