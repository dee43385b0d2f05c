//! Catalogs made at random, applied with and without drops, exported, compared and deleted.

use std::collections::BTreeSet;

use rolecall::{
    proto::{self, applied_change::Action},
    service::ErrorReason,
};
use tonic::Code;

use super::{
    super::oracle::Catalog,
    Difference, Set, Version, Worker,
    catalog_files::catalog_file,
    expected::{Wrong, reason_of},
    files::Upload,
    manners::send,
    same,
};

impl Worker {
    pub(super) async fn first_catalog(&mut self, number: usize) -> Result<(), Difference> {
        let id = self.catalog_id(number);
        let catalog = self.random_catalog(None);
        self.upload_catalog(&id, catalog, Upload::default(), Wrong::new()).await
    }

    /// Applies a new version. Without leave to drop what is used it is refused, with all that it would drop.
    pub(super) async fn apply_catalog(&mut self) -> Result<(), Difference> {
        let id = self.catalog_id(self.random.0 as usize % 2);
        let before = self.oracle.catalogs.get(&id).cloned();
        if before.is_some() && self.random.chance(8) {
            return self.export_catalog(&id).await;
        }
        let catalog = self.random_catalog(before.as_ref());
        let mut wrong = Wrong::new();
        let allow_drops = self.random.chance(60);
        if !allow_drops && !self.oracle.drops(&id, &catalog).is_empty() {
            wrong.push(ErrorReason::CatalogDropsInUse);
        }
        let mut etag = String::new();
        if before.is_some() && wrong.is_empty() {
            etag = self.etag(&format!("catalogs/{id}"), &mut wrong).await?;
        }
        self.upload_catalog(&id, catalog, Upload { allow_drops, etag, ..Upload::default() }, wrong).await
    }

    async fn upload_catalog(
        &mut self,
        id: &str,
        catalog: Catalog,
        upload: Upload,
        mut wrong: Wrong,
    ) -> Result<(), Difference> {
        let mut after = self.oracle.clone();
        after.replace_catalog(id, catalog.clone());
        for (account, each) in &self.oracle.accounts {
            if each.catalog == id {
                self.constrain(account, &after, &mut wrong);
            }
        }
        let file = catalog_file(id, &catalog);
        let drops = self.oracle.drops(id, &catalog);
        if self.random.chance(5) {
            let only = Upload { validate_only: true, ..upload.clone() };
            let outcome = only.catalog(self.wire.clone(), &file).await;
            self.ended("ApplyCatalog, validate_only", outcome, &wrong)?;
            self.compared("validate_only");
        }
        let outcome = upload.catalog(self.wire.clone(), &file).await;
        let (result, applied, refused_for_drops) = match outcome {
            Ok(applied) => (Ok(()), applied, false),
            Err((applied, status)) => {
                let for_drops = reason_of(&status).as_deref() == Some(ErrorReason::CatalogDropsInUse.name());
                (Err((applied.clone(), status)), applied, for_drops)
            }
        };
        self.ended("ApplyCatalog", result, &wrong)?;
        if wrong.is_empty() || refused_for_drops {
            same("what the catalog drops", &applied.drops, &drops)?;
            if !drops.is_empty() {
                self.compared("catalog drops");
            }
        }
        if wrong.is_empty() {
            self.done.writes += 1;
            self.token.clone_from(&applied.token);
            self.oracle = after;
            let version = Version { id: id.to_owned(), token: applied.token, catalog };
            if self.versions.len() < 40 {
                self.versions.push(version);
            } else {
                let index = self.random.below(self.versions.len());
                self.versions[index] = version;
            }
        }
        Ok(())
    }

    /// What is exported is in force already.
    async fn export_catalog(&mut self, id: &str) -> Result<(), Difference> {
        let request = proto::ExportCatalogRequest { name: format!("catalogs/{id}"), consistency: None };
        let failed = |status: tonic::Status| format!("ExportCatalog: {status}");
        let mut pieces = self.wire.catalogs.export_catalog(request).await.map_err(failed)?.into_inner();
        let mut file = Vec::new();
        while let Some(piece) = pieces.message().await.map_err(failed)? {
            file.extend(piece.chunk);
        }
        let applied = Upload::default().catalog(self.wire.clone(), &file).await;
        let applied = applied.map_err(|(_, status)| format!("ApplyCatalog of what was exported: {status}"))?;
        same("what the exported catalog changes", &applied.changes, &0)?;
        self.compared("an export that changes nothing");
        Ok(())
    }

    pub(super) async fn delete_catalog(&mut self) -> Result<(), Difference> {
        let number = self.random.below(2);
        let id = self.catalog_id(number);
        let name = format!("catalogs/{id}");
        let mut wrong = Wrong::new();
        if self.oracle.accounts.values().any(|account| account.catalog == id) {
            wrong.push(ErrorReason::CatalogInUse);
        }
        let etag = self.etag(&name, &mut wrong).await?;
        let request = proto::DeleteCatalogRequest { name: name.clone(), etag, ..Default::default() };
        if send!(self, catalogs.delete_catalog, request.clone(), wrong).await?.is_some() {
            self.oracle.catalogs.remove(&id);
            self.bury(&name);
            let again = self.wire.catalogs.delete_catalog(request).await.map_err(|status| status.code());
            same("deleting it again", &again.map(|_| ()), &Err(Code::NotFound))?;
            // Everything else needs it: another of the same id takes its place.
            self.first_catalog(number).await?;
        }
        Ok(())
    }

    /// Compares two versions, or a version with what is there now.
    pub(super) async fn compare_catalogs(&mut self) -> Result<(), Difference> {
        let before = self.random.pick(self.versions.clone()).unwrap();
        let mut after = self.random.pick(self.versions.clone()).unwrap();
        if self.random.chance(40) {
            let same_id: Vec<Version> = self.versions.iter().filter(|each| each.id == before.id).cloned().collect();
            after = self.random.pick(same_id).unwrap();
        }
        if self.random.chance(30)
            && let Some(catalog) = self.oracle.catalogs.get(&after.id)
        {
            after = Version { token: String::new(), catalog: catalog.clone(), ..after };
        }
        let after_name = if after.id == before.id && self.random.chance(50) {
            String::new()
        } else {
            format!("catalogs/{}", after.id)
        };
        let request = proto::CompareCatalogsRequest {
            before: format!("catalogs/{}", before.id),
            before_token: before.token.clone(),
            after: after_name,
            after_token: after.token.clone(),
        };
        let answer = self.wire.catalogs.compare_catalogs(request.clone()).await;
        let answer = answer.map_err(|status| format!("{request:?}: {status}"))?.into_inner();
        let mut given = Vec::new();
        for role in answer.roles {
            given.push((role.role.clone(), role.action(), role.gained_permissions, role.lost_permissions));
        }
        let mut expected = Vec::new();
        for (role, difference) in before.catalog.compare(&after.catalog) {
            let action = match (difference.before, difference.after) {
                (false, _) => Action::Create,
                (_, false) => Action::Delete,
                _ => Action::Update,
            };
            let (gained, lost) = (difference.gained.into_iter().collect(), difference.lost.into_iter().collect());
            expected.push((role, action, gained, lost));
        }
        same(&format!("{request:?}"), &given, &expected)?;
        let kinds = ["features/", "permissions/", "api_scopes/", "roles/", "policies/"];
        let changes = answer.changes.iter().filter(|change| change.action() != Action::Update);
        let changes = changes.filter(|change| kinds.iter().any(|kind| change.subject.starts_with(kind)));
        let given: BTreeSet<_> = changes.map(|change| (change.action() as i32, change.subject.clone())).collect();
        let (old, new) = (subjects(&before.catalog), subjects(&after.catalog));
        let made = new.difference(&old).map(|subject| (Action::Create as i32, subject.clone()));
        let gone = old.difference(&new).map(|subject| (Action::Delete as i32, subject.clone()));
        same(&format!("{request:?}, thing by thing"), &given, &made.chain(gone).collect())?;
        self.compared("catalogs compared");
        Ok(())
    }
}

/// Everything that a catalog has, by name.
fn subjects(catalog: &Catalog) -> Set {
    let features = catalog.features.iter().map(|id| format!("features/{id}"));
    let permissions = catalog.permissions.keys().map(|id| format!("permissions/{id}"));
    let api_scopes = catalog.api_scopes.keys().map(|id| format!("api_scopes/{id}"));
    let roles = catalog.roles.keys().map(|id| format!("roles/{id}"));
    let policies = catalog.policies.keys().map(|id| format!("policies/{id}"));
    features.chain(permissions).chain(api_scopes).chain(roles).chain(policies).collect()
}
