//! Files sent to the server. A file makes an account equal to it in one write.

use std::{collections::BTreeMap, sync::Mutex};

use rolecall::proto::{
    self, ApplyAccountRequest, ApplyCatalogRequest, apply_account_response::Event as AccountEvent,
    apply_catalog_response::Event as CatalogEvent,
};
use tonic::{Code, Status};

use super::{
    super::oracle::{Account, RoleName},
    Difference, Place, Set, Wire, Worker,
    account_files::account_file,
    expected::{Wrong, reason_of},
    manners::patiently,
    same,
};

/// What is said with a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Upload {
    pub validate_only: bool,
    pub request_id: String,
    pub etag: String,
    pub allow_drops: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    pub token: String,
    pub changes: usize,
    pub problems: Vec<String>,
    /// Of each thing that is dropped although it is used: how many accounts use it, and how many uses there are.
    pub drops: BTreeMap<String, (usize, usize)>,
}

type Outcome = Result<Applied, (Applied, Status)>;

impl Upload {
    pub(super) async fn catalog(&self, mut wire: Wire, file: &[u8]) -> Outcome {
        let Self { validate_only, request_id, etag, allow_drops } = self.clone();
        let last = true;
        let request = ApplyCatalogRequest { chunk: file.to_vec(), last, validate_only, request_id, etag, allow_drops };
        let mut applied = Applied::default();
        let outcome = async {
            let mut events = wire.catalogs.apply_catalog(tokio_stream::once(request)).await?.into_inner();
            while let Some(answer) = events.message().await? {
                match answer.event.unwrap() {
                    CatalogEvent::Problem(problem) => applied.problems.push(problem.message),
                    CatalogEvent::Change(_) => applied.changes += 1,
                    CatalogEvent::Drop(drop) => {
                        let uses = (drop.account_count as usize, drop.use_count as usize);
                        applied.drops.insert(drop.subject, uses);
                    }
                    CatalogEvent::Result(result) => applied.token = result.consistency_token,
                }
            }
            Ok(())
        };
        match outcome.await {
            Ok(()) => Ok(applied),
            Err(status) => Err((applied, status)),
        }
    }

    /// Sends an account file until nothing that it gives is being erased.
    pub(super) async fn account(&self, wire: Wire, file: &[u8]) -> Outcome {
        let refused = Mutex::new(Applied::default());
        let outcome = patiently(|| async {
            let outcome = self.account_once(wire.clone(), file).await;
            outcome.map_err(|(applied, status)| {
                *refused.lock().unwrap() = applied;
                status
            })
        });
        let outcome = outcome.await;
        outcome.map_err(|status| (refused.into_inner().unwrap(), status))
    }

    /// The file is cut into two pieces.
    async fn account_once(&self, mut wire: Wire, file: &[u8]) -> Outcome {
        let Self { validate_only, request_id, etag, .. } = self.clone();
        let (one, two) = file.split_at(file.len() / 2);
        let upload = [
            ApplyAccountRequest { chunk: one.to_vec(), ..Default::default() },
            ApplyAccountRequest { chunk: two.to_vec(), last: true, validate_only, request_id, etag },
        ];
        let mut applied = Applied::default();
        let outcome = async {
            let mut events = wire.accounts.apply_account(tokio_stream::iter(upload)).await?.into_inner();
            while let Some(answer) = events.message().await? {
                match answer.event.unwrap() {
                    AccountEvent::Problem(problem) => applied.problems.push(problem.message),
                    AccountEvent::Change(_) => applied.changes += 1,
                    AccountEvent::Result(result) => applied.token = result.consistency_token,
                }
            }
            Ok(())
        };
        match outcome.await {
            Ok(()) => Ok(applied),
            Err(status) => Err((applied, status)),
        }
    }
}

impl Worker {
    /// Holds how a file ended against what is wrong with it.
    pub(super) fn ended<T>(
        &mut self,
        what: &str,
        outcome: Result<T, (Applied, Status)>,
        wrong: &Wrong,
    ) -> Result<(), Difference> {
        match outcome {
            Ok(_) if wrong.is_empty() => Ok(()),
            Err((_, status)) if wrong.admits(&status) => {
                self.done.refused += 1;
                self.refused(&status);
                Ok(())
            }
            Ok(_) => Err(format!("{what} succeeded; the oracle says one of {wrong:?}")),
            Err((applied, status)) => {
                let (reason, problems) = (reason_of(&status), applied.problems);
                Err(format!("{what} failed with {reason:?} {status} {problems:?}; the oracle says one of {wrong:?}"))
            }
        }
    }

    /// Applies a file that keeps, drops and adds at random.
    pub(super) async fn apply_account(&mut self, place: &Place) -> Result<(), Difference> {
        let found = match &place.found {
            Some(found) => found.clone(),
            None => {
                let number = self.random.below(2);
                Account { catalog: self.catalog_id(number), ..Account::default() }
            }
        };
        let whole = self.random_account(&place.id, &found);
        let file = account_file(&place.id, &whole);
        let mut wrong = Wrong::new();
        let mut upload = Upload::default();
        if place.found.is_some() {
            upload.etag = self.etag(&place.name, &mut wrong).await?;
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.apply_account(&place.id, whole));
        if self.random.chance(10) {
            let only = Upload { validate_only: true, ..upload.clone() };
            let outcome = only.account(self.wire.clone(), &file).await;
            self.ended("ApplyAccount, validate_only", outcome, &wrong)?;
            self.compared("validate_only");
            if self.random.chance(50) {
                return Ok(());
            }
        }
        if self.random.chance(10) {
            self.requests += 1;
            upload.request_id = format!("{}-{}", self.name, self.requests);
        }
        let outcome = upload.account(self.wire.clone(), &file).await;
        let token = outcome.as_ref().map(|applied| applied.token.clone()).unwrap_or_default();
        self.ended("ApplyAccount", outcome, &wrong)?;
        if !wrong.is_empty() {
            return Ok(());
        }
        if !upload.request_id.is_empty() {
            let again = upload.account(self.wire.clone(), &file).await;
            let again = again.map_err(|(_, status)| format!("ApplyAccount, sent again: {status}"))?;
            same("ApplyAccount, sent again", &(again.token, again.changes), &(token.clone(), 0))?;
            let other = upload.account(self.wire.clone(), &[file.as_slice(), b"\n"].concat()).await;
            self.ended("ApplyAccount, another file with the same request id", other, &Code::InvalidArgument.into())?;
            self.compared("request id, sent again");
        }
        self.done.writes += 1;
        self.token = token;
        self.oracle = after;
        Ok(())
    }

    /// What is exported is in force already, but for what is internal by now: it is in no file, and a role that has it as
    /// a permission or a parent loses it for good, and so does a user who has it by an exception.
    pub(super) async fn export_account(&mut self, place: &Place) -> Result<(), Difference> {
        let request = proto::ExportAccountRequest { name: place.name.clone(), consistency: None };
        let failed = |status: Status| format!("ExportAccount: {status}");
        let mut pieces = match self.wire.accounts.export_account(request).await {
            Err(status) if place.found.is_none() => {
                return same("ExportAccount of nothing", &status.code(), &Code::NotFound);
            }
            pieces => pieces.map_err(failed)?.into_inner(),
        };
        let mut file = Vec::new();
        while let Some(piece) = pieces.message().await.map_err(failed)? {
            file.extend(piece.chunk);
        }
        let applied = Upload::default().account(self.wire.clone(), &file).await;
        let applied = applied.map_err(|(applied, status)| format!("what was exported: {status} {applied:?}"))?;
        let mut found = place.found.clone().unwrap_or_default();
        let open = place.open_permissions();
        let is_hidden = |parent: &RoleName| place.is_internal(parent);
        found.roles.retain(|_, role| !role.permissions.is_subset(&open) || role.parents.iter().any(is_hidden));
        found.exceptions.retain(|(_, permission), _| !open.contains(permission));
        let users: Set = found.exceptions.keys().map(|(user, _)| user.clone()).collect();
        same("what the exported account changes", &applied.changes, &(found.roles.len() + users.len()))?;
        self.token = applied.token;
        for (id, role) in found.roles {
            self.oracle.update_role(&place.id, &id, &role.permissions & &open);
            let parents = role.parents.into_iter().filter(|parent| !is_hidden(parent));
            self.oracle.set_role_parents(&place.id, &id, parents.collect());
        }
        for (user, permission) in found.exceptions.keys() {
            self.oracle.delete_exception(&place.id, user, permission);
        }
        self.compared("an export that changes nothing");
        Ok(())
    }
}
