//! Users as lines: those that are there, as they are exported, and new ones.

use std::sync::Mutex;

use rolecall::proto::{ExportUsersRequest, ImportUsersProgress, ImportUsersRequest, import_users_response::Event};
use tonic::{Code, Status};

use super::{
    Difference, Place, Wire, Worker,
    account_files::user_line,
    expected::Wrong,
    files::Applied,
    manners::patiently,
    same, users,
    users::{New, make_user},
};

impl Worker {
    /// Exports all users, and imports them again with new ones: those that are there stay as they are.
    pub(super) async fn import_users(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let Some((found, mut lines)) = place.found.as_ref().zip(self.exported_users(place).await?) else {
            return Ok(());
        };
        let there = lines.iter().filter(|byte| **byte == b'\n').count();
        same("the number of users exported", &there, &found.users.len())?;
        let mut batch: Vec<New> = Vec::new();
        for id in self.random.subset(25, users()) {
            let mut missing = Wrong::new();
            let new = self.new_user(place, id, &mut missing);
            if missing.is_empty() {
                batch.push(new);
            }
        }
        let ids: Vec<String> = batch.iter().map(|new| new.id.clone()).collect();
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            batch.into_iter().for_each(|new| make_user(oracle, &place.id, new, now));
        });
        for id in &ids {
            lines.extend(user_line(&after.accounts[&place.id], id));
        }
        let outcome = imported(&self.wire, &place.name, &lines).await;
        let done = outcome.as_ref().ok().cloned();
        self.ended("ImportUsers", outcome, &wrong)?;
        let Some(done) = done else { return Ok(()) };
        let counts = (done.unchanged_count, done.created_count, done.skipped_count + done.updated_count, done.done);
        same("the users imported", &counts, &(there as i64, ids.len() as i64, 0, true))?;
        if !ids.is_empty() {
            self.done.writes += 1;
        }
        self.token = done.consistency_token;
        self.oracle = after;
        self.compared("an import of what was exported, and of new users");
        Ok(())
    }

    /// The lines of all users; none: there is no such account.
    async fn exported_users(&mut self, place: &Place) -> Result<Option<Vec<u8>>, Difference> {
        let request = ExportUsersRequest { parent: place.name.clone(), consistency: None };
        let failed = |status: Status| format!("ExportUsers: {status}");
        let mut pieces = match self.wire.users.export_users(request).await {
            Err(status) if place.found.is_none() => {
                return same("ExportUsers of nothing", &status.code(), &Code::NotFound).map(|()| None);
            }
            pieces => pieces.map_err(failed)?.into_inner(),
        };
        let mut lines = Vec::new();
        while let Some(piece) = pieces.message().await.map_err(failed)? {
            lines.extend(piece.chunk);
        }
        Ok(Some(lines))
    }
}

/// Sends lines in two pieces, until nothing that they give is being erased.
async fn imported(wire: &Wire, account: &str, lines: &[u8]) -> Result<ImportUsersProgress, (Applied, Status)> {
    let refused = Mutex::new(Applied::default());
    let outcome = patiently(|| async {
        let (one, two) = lines.split_at(lines.len() / 2);
        let upload = [
            ImportUsersRequest { parent: account.to_owned(), chunk: one.to_vec(), ..Default::default() },
            ImportUsersRequest { chunk: two.to_vec(), last: true, ..Default::default() },
        ];
        let mut wire = wire.clone();
        let mut progress = ImportUsersProgress::default();
        refused.lock().unwrap().problems.clear();
        let mut events = wire.users.import_users(tokio_stream::iter(upload)).await?.into_inner();
        while let Some(answer) = events.message().await? {
            match answer.event.unwrap() {
                Event::Problem(problem) => refused.lock().unwrap().problems.push(problem.message),
                Event::Progress(now) => progress = now,
            }
        }
        Ok(progress)
    });
    let outcome: Result<ImportUsersProgress, Status> = outcome.await;
    outcome.map_err(|status| (refused.into_inner().unwrap(), status))
}
