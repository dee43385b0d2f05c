//! Catalogs made at random, applied with and without drops, exported, compared and deleted.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::proto::{self, applied_change::Action};
use serde_json::json;
use tonic::Code;

use super::{
    super::oracle::{Catalog, Permission, Role},
    Difference, Set, Version, Worker, api_scopes, features,
    files::Upload,
    manners::{Wrong, send},
    permissions, same, sections,
};

impl Worker {
    /// A new version: mostly of what was there before, with some things changed.
    fn random_catalog(&mut self, before: Option<&Catalog>) -> Catalog {
        let whole = Catalog::default();
        let old = before.filter(|_| self.random.chance(60)).unwrap_or(&whole);
        let is_new = old.permissions.is_empty();
        let random = &mut self.random;
        let kept = match is_new {
            true => random.subset(85, features()),
            false => features().filter(|id| old.features.contains(id) ^ random.chance(4)).collect(),
        };
        let mut scopes: BTreeMap<String, Set> = BTreeMap::new();
        for (number, id) in api_scopes().enumerate() {
            if random.chance(4) {
                continue;
            }
            // Only later ones are included, so there are no cycles.
            let later = random.subset(30, api_scopes().skip(number + 1));
            let includes = old.api_scopes.get(&id).filter(|_| random.chance(95)).cloned().unwrap_or(later);
            scopes.insert(id, includes);
        }
        let known: Set = scopes.keys().cloned().collect();
        scopes.values_mut().for_each(|includes| includes.retain(|scope| known.contains(scope)));
        let mut defined: BTreeMap<String, Permission> = BTreeMap::new();
        for id in permissions() {
            let same = old.permissions.get(&id).filter(|_| random.chance(95)).cloned();
            let mut definition = match same {
                Some(same) => same,
                None if random.chance(8) => continue,
                None => Permission {
                    feature: if random.chance(60) { random.pick(features()) } else { None },
                    internal: random.chance(12),
                    section: random.pick(sections()).unwrap_or_default(),
                    api_scopes: random.subset(25, api_scopes()),
                },
            };
            definition.feature = definition.feature.filter(|feature| kept.contains(feature));
            definition.api_scopes.retain(|scope| scopes.contains_key(scope));
            defined.insert(id, definition);
        }
        let mut managed: BTreeMap<String, Role> = BTreeMap::new();
        for number in 0..5 {
            let id = format!("m{number}");
            let internal = number == 4 || random.chance(2);
            let same = old.roles.get(&id).filter(|_| random.chance(90)).cloned();
            let mut role = match same {
                Some(same) => same,
                None if random.chance(10) => continue,
                None => Role { internal, permissions: random.subset(30, defined.keys().cloned()) },
            };
            role.permissions.retain(|id| defined.get(id).is_some_and(|each| role.internal || !each.internal));
            managed.insert(id, role);
        }
        Catalog { features: kept, permissions: defined, api_scopes: scopes, roles: managed }
    }

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
            wrong.push(Code::FailedPrecondition);
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
        wrong: Wrong,
    ) -> Result<(), Difference> {
        let file = catalog_file(id, &catalog);
        let drops = self.oracle.drops(id, &catalog);
        if self.random.chance(5) {
            let only = Upload { validate_only: true, ..upload.clone() };
            let outcome = only.catalog(self.wire.clone(), &file).await;
            self.ended("ApplyCatalog, validate_only", outcome, &wrong)?;
            self.compared("validate_only");
        }
        let outcome = upload.catalog(self.wire.clone(), &file).await;
        let refused_for_drops = wrong.contains(&Code::FailedPrecondition);
        let (result, applied) = match outcome {
            Ok(applied) => (Ok(()), applied),
            Err((applied, status)) => (Err((applied.clone(), status)), applied),
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
            self.oracle.replace_catalog(id, catalog.clone());
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
            wrong.push(Code::FailedPrecondition);
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
        let kinds = ["features/", "permissions/", "api_scopes/", "roles/"];
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
    features.chain(permissions).chain(api_scopes).chain(catalog.roles.keys().map(|id| format!("roles/{id}"))).collect()
}

fn catalog_file(id: &str, catalog: &Catalog) -> Vec<u8> {
    let named = |id: &String| json!({"id": id, "display_name": id});
    let file = json!({
        "kind": "catalog", "id": id, "display_name": id, "custom_roles": ["permissions"],
        "features": catalog.features.iter().map(named).collect::<Vec<_>>(),
        "sections": sections().map(|id| named(&id)).collect::<Vec<_>>(),
        "api_scopes": catalog.api_scopes.iter()
            .map(|(id, includes)| json!({"id": id, "includes": includes})).collect::<Vec<_>>(),
        "permissions": catalog.permissions.iter().map(|(id, each)| {
            let mut text = json!({
                "id": id, "section": each.section, "api_scopes": each.api_scopes, "internal": each.internal,
            });
            if let Some(feature) = &each.feature {
                text["feature"] = json!(feature);
            }
            text
        }).collect::<Vec<_>>(),
        "roles": catalog.roles.iter().map(|(id, each)| {
            json!({"id": id, "display_name": id, "internal": each.internal, "permissions": each.permissions})
        }).collect::<Vec<_>>(),
    });
    serde_json::to_vec_pretty(&file).unwrap()
}
