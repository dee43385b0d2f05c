//! Files sent to the server, and account files made at random. A file makes an account equal to it in one write.

use std::{collections::BTreeMap, sync::Mutex};

use rolecall::proto::{
    self, ApplyAccountRequest, ApplyCatalogRequest, apply_account_response::Event as AccountEvent,
    apply_catalog_response::Event as CatalogEvent,
};
use serde_json::json;
use tonic::{Code, Status};

use super::{
    super::oracle::{Account, CustomRole, Holder, RoleName, ServiceAccount, State, User},
    Difference, Place, Set, Wire, Worker,
    manners::{Wrong, patiently},
    roles, same, service_accounts, teams, users,
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
            Err((_, status)) if wrong.contains(&status.code()) => {
                self.done.refused += 1;
                Ok(())
            }
            Ok(_) => Err(format!("{what} succeeded; one of {wrong:?} was expected")),
            Err((applied, status)) => {
                Err(format!("{what} failed with {status} {:?}; one of {wrong:?} was expected", applied.problems))
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
        let whole = self.random_account(&found);
        let file = self.account_file(&place.id, &whole);
        let mut wrong = Wrong::new();
        let mut upload = Upload::default();
        if place.found.is_some() {
            upload.etag = self.etag(&place.name, &mut wrong).await?;
        }
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
            self.ended("ApplyAccount, another file with the same request id", other, &vec![Code::InvalidArgument])?;
            self.compared("request id, sent again");
        }
        self.done.writes += 1;
        self.token = token;
        self.oracle.apply_account(&place.id, whole);
        Ok(())
    }

    fn random_account(&mut self, found: &Account) -> Account {
        let catalog = self.oracle.catalogs[&found.catalog].clone();
        let random = &mut self.random;
        let mut whole = Account { catalog: found.catalog.clone(), active: random.chance(95), ..Account::default() };
        whole.features = random.subset(80, catalog.features.clone());
        let open = catalog.permissions.iter().filter(|(_, each)| !each.internal).map(|(id, _)| id.clone());
        let open: Set = open.collect();
        for id in random.subset(70, roles()) {
            let old = found.roles.get(&id).filter(|_| random.chance(60)).cloned();
            let mut role = old.unwrap_or_else(|| CustomRole {
                permissions: random.subset(30, open.clone()),
                left_out: random.subset(15, catalog.api_scopes.keys().cloned()),
            });
            role.permissions.retain(|permission| open.contains(permission));
            role.left_out.retain(|scope| catalog.api_scopes.contains_key(scope));
            whole.roles.insert(id, role);
        }
        whole.teams = random.subset(70, teams()).into_iter().map(|team| (team, Set::new())).collect();
        for id in random.subset(80, users()) {
            let (state, _) = users::random_state(random);
            let old = found.users.get(&id).filter(|_| random.chance(50)).map(|user| user.texts.clone());
            let texts = old.unwrap_or_else(|| users::random_texts(random));
            for members in whole.teams.values_mut() {
                if random.chance(35) {
                    members.insert(id.clone());
                }
            }
            whole.users.insert(id, User { state, texts, ..User::default() });
        }
        for id in random.subset(40, service_accounts()) {
            let state = if random.chance(85) { State::Active } else { State::Suspended };
            whole.service_accounts.insert(id, ServiceAccount { state, ..ServiceAccount::default() });
        }
        let mut holders: Vec<Holder> = whole.users.keys().cloned().map(Holder::User).collect();
        holders.extend(whole.teams.keys().cloned().map(Holder::Team));
        holders.extend(whole.service_accounts.keys().cloned().map(Holder::ServiceAccount));
        let mut names: Vec<RoleName> = catalog.roles.keys().cloned().map(RoleName::Managed).collect();
        names.extend(whole.roles.keys().cloned().map(RoleName::Custom));
        for holder in holders {
            for role in &names {
                let binding = (holder.clone(), role.clone());
                if random.chance(if found.bindings.contains_key(&binding) { 80 } else { 10 }) {
                    whole.bindings.insert(binding, 0);
                }
            }
        }
        whole
    }

    fn account_file(&self, id: &str, whole: &Account) -> Vec<u8> {
        let held = |holder: Holder| -> Vec<String> {
            let held = whole.bindings.keys().filter(|(other, _)| *other == holder);
            held.map(|(_, role)| match role {
                RoleName::Managed(id) => id.clone(),
                RoleName::Custom(id) => format!("custom/{id}"),
            })
            .collect()
        };
        let state = |state: State| match state {
            State::Invited => "invited",
            State::Active => "active",
            State::Suspended => "suspended",
        };
        let mut file_users = Vec::new();
        for (id, user) in &whole.users {
            let joined = whole.teams.iter().filter(|(_, members)| members.contains(id));
            let joined: Vec<&String> = joined.map(|(team, _)| team).collect();
            file_users.push(json!({
                "id": id, "state": state(user.state), "display_name": user.texts.display_name,
                "username": user.texts.username, "email": user.texts.email,
                "teams": joined, "roles": held(Holder::User(id.clone())),
            }));
        }
        let mut file_roles = Vec::new();
        for (id, role) in &whole.roles {
            let mut text = json!({"id": id, "display_name": "A role", "permissions": role.permissions});
            if !role.left_out.is_empty() {
                text["left_out_api_scopes"] = json!(role.left_out);
            }
            file_roles.push(text);
        }
        let mut file = json!({
            "kind": "account", "id": id, "catalog": whole.catalog, "features": whole.features,
            "state": if whole.active { "active" } else { "suspended" }, "roles": file_roles,
            "teams": whole.teams.keys()
                .map(|id| json!({"id": id, "roles": held(Holder::Team(id.clone()))})).collect::<Vec<_>>(),
            "users": file_users,
        });
        if !whole.service_accounts.is_empty() {
            file["service_accounts"] = whole
                .service_accounts
                .iter()
                .map(|(id, each)| {
                    json!({"id": id, "state": state(each.state), "roles": held(Holder::ServiceAccount(id.clone()))})
                })
                .collect();
        }
        serde_json::to_vec(&file).unwrap()
    }

    /// What is exported is in force already, but for permissions that are internal by now: they are in no file, and a role
    /// that lists one loses it for good.
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
        let mut roles = place.found.as_ref().map(|found| found.roles.clone()).unwrap_or_default();
        let open = place.open_permissions();
        roles.retain(|_, role| !role.permissions.is_subset(&open));
        same("what the exported account changes", &applied.changes, &roles.len())?;
        self.token = applied.token;
        for (id, role) in roles {
            self.oracle.update_role(&place.id, &id, &role.permissions & &open);
        }
        self.compared("an export that changes nothing");
        Ok(())
    }
}
