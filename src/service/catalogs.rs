//! Catalogs: replaced whole from a file, read, compared, deleted.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    catalog_drops::{CatalogDrop, MAX_BINDINGS_OF_A_LOAD, drops_in_use, remove_bindings_on},
    core::{CatalogAt, Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts,
    manners::Etag,
    plan::Plan,
    writer::Write,
};
use crate::{
    model::{
        ApiScopeId, Applied, Catalog, CatalogDefinition, CatalogId, Key, KeyRange, Kind, Number, PermissionIndex,
        Record, ResourceType, Revision, RoleDifference, compare_catalogs, compare_roles,
    },
    store::View,
};

/// A catalog as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogView {
    /// What its file said.
    pub definition: CatalogDefinition,
    /// The API scopes that each of its permissions provides, included ones too, ordered by id.
    pub all_api_scopes: Vec<Vec<ApiScopeId>>,
    /// The number of each of its policies, which together with the version makes theirs.
    pub policy_numbers: Vec<Number>,
    /// Its version.
    pub etag: Etag,
}

impl CatalogView {
    fn new(catalog: &CatalogAt) -> Self {
        let compiled = &catalog.compiled;
        let definition = compiled.catalog().definition.clone();
        let scopes = |index| compiled.api_scope_ids(&compiled.api_scopes(index)).cloned().collect();
        Self {
            all_api_scopes: (0..).map(PermissionIndex).take(definition.permissions.len()).map(scopes).collect(),
            definition,
            policy_numbers: compiled.catalog().policy_numbers.clone(),
            etag: Etag { number: compiled.catalog().number, revision: catalog.revision },
        }
    }
}

impl Service {
    /// One catalog.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_catalog(&self, id: CatalogId, at: ReadAt) -> Result<(CatalogView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let number = facts::find_catalog(&view, &id)?;
            let catalog = super::accounts::existing_catalog(core.catalog_at(number, view.revision)?)?;
            Ok(CatalogView::new(&catalog))
        })
        .await
    }

    /// Catalogs ordered by id. Cost: linear in the page and in the catalogs on it.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn list_catalogs(
        &self,
        size: usize,
        after: Option<CatalogId>,
        at: ReadAt,
    ) -> Result<Page<CatalogView>, ServiceError> {
        let (items, revision) = self
            .read(at, move |core, view| {
                let after = after.map(Key::CatalogName);
                let mut items = Vec::new();
                for (_, name) in view.scan(KeyRange::CatalogNames, after.as_ref(), size + 1)? {
                    let Record::Name(number) = name.value else { continue };
                    if let Some(catalog) = core.catalog_at(number, view.revision)? {
                        items.push(CatalogView::new(&catalog));
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |catalog| catalog.definition.id.to_string()))
    }

    /// Compares two catalogs, each as it is at a revision. Gives what changes, what each managed role gains and loses, and
    /// the later of the two revisions. Cost: linear in both.
    ///
    /// # Errors
    /// If one of them does not exist then.
    pub async fn compare_catalogs(
        &self,
        before: (CatalogId, ReadAt),
        after: (CatalogId, ReadAt),
    ) -> Result<(Vec<Applied>, Vec<RoleDifference>, Revision), ServiceError> {
        let (old, earlier) = self.get_catalog(before.0, before.1).await?;
        let (new, later) = self.get_catalog(after.0, after.1).await?;
        let (old, new) = (&old.definition, &new.definition);
        Ok((compare_catalogs(Some(old), new), compare_roles(old, new), earlier.max(later)))
    }
}

/// What came of applying a catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedCatalog {
    /// What it changes.
    pub changes: Vec<Applied>,
    /// What it drops although accounts use it.
    pub drops: Vec<CatalogDrop>,
}

/// Creates a catalog or replaces it whole. What keeps its id keeps its number; what is dropped is void at once,
/// everywhere. Refused if it is another version than expected, or, without `allow_drops`, if it drops what accounts use:
/// then `drops` is told what and by whom. Cost: linear in the catalog, and if it drops something in the accounts under it,
/// and their custom roles, custom policies, resources and exceptions as far as it may be used there; accounts follow
/// without being touched, but for the role bindings on resources of types that are dropped.
#[must_use]
pub fn apply_catalog(
    definition: CatalogDefinition,
    allow_drops: bool,
    expected: Option<Etag>,
    drops: Arc<Mutex<Vec<CatalogDrop>>>,
) -> Write<AppliedCatalog> {
    Write::new("ApplyCatalog", move |plan| {
        let id = definition.id.clone();
        let name = facts::get_name(plan, &Key::CatalogName(id.clone()))?.map(|name| name.value);
        let old = match name {
            Some(number) => facts::get_catalog(plan, &Key::Catalog(number))?,
            None => None,
        };
        // What is not there yet has no version that could be expected.
        let etag = old.as_ref().map(|old| Etag { number: old.value.number, revision: old.revision });
        etag.unwrap_or(Etag { number: Number(0), revision: Revision(0) }).expect(expected)?;
        let old = old.map(|record| *record.value);
        let changes = compare_catalogs(old.as_ref().map(|old| &old.definition), &definition);
        let found = old.as_ref().map(|old| drops_in_use(plan, old, &definition)).transpose()?.unwrap_or_default();
        if !found.is_empty() && !allow_drops {
            let error = refused(&found);
            *drops.lock().unwrap_or_else(PoisonError::into_inner) = found;
            return Err(error);
        }
        let number = match name {
            Some(number) => number,
            None => {
                let number = plan.allocate();
                plan.put(Key::CatalogName(id), Record::Name(number))?;
                number
            }
        };
        let catalog = numbered(plan, number, old.as_ref(), definition);
        for (role, number) in old.iter().flat_map(|old| old.definition.roles.iter().zip(&old.role_numbers)) {
            if !catalog.role_numbers.contains(number) {
                tracing::debug!(role = role.id.as_str(), "the catalog drops a role");
                plan.retire(*number, Kind::Role, None)?;
            }
        }
        let mut dropped_types = HashSet::new();
        for number in old.iter().flat_map(|old| &old.resource_type_numbers) {
            if !catalog.resource_type_numbers.contains(number) {
                plan.retire(*number, Kind::Resource, None)?;
                dropped_types.insert(*number);
            }
        }
        remove_bindings_on(plan, number, &dropped_types, MAX_BINDINGS_OF_A_LOAD)?;
        plan.put(Key::Catalog(number), Record::Catalog(Box::new(catalog)))?;
        Ok(AppliedCatalog { changes, drops: found })
    })
}

fn refused(drops: &[CatalogDrop]) -> ServiceError {
    let shown: Vec<&str> = drops.iter().take(10).map(|each| each.subject.as_str()).collect();
    let more = if drops.len() > shown.len() { " and more" } else { "" };
    ServiceError::new(
        ErrorReason::CatalogDropsInUse,
        format!(
            "the file drops what accounts use: {}{more}; nothing was changed; set allow_drops to drop it all the same",
            shown.join(", ")
        ),
    )
    .with("drops", shown.join(","))
}

/// Deletes a catalog that no account lives under. Refused if it does not exist, accounts live under it, or it is another
/// version than expected.
#[must_use]
pub fn delete_catalog(id: CatalogId, expected: Option<Etag>) -> Write<()> {
    Write::new("DeleteCatalog", move |plan| {
        let number = facts::find_catalog(plan, &id)?;
        if let Some(record) = facts::get_catalog(plan, &Key::Catalog(number))? {
            Etag { number, revision: record.revision }.expect(expected)?;
        }
        let mut used_by = Vec::new();
        for (key, _) in plan.scan(KeyRange::CatalogAccounts(number), None, 11)? {
            let Key::CatalogAccount { account, .. } = key else { continue };
            used_by
                .extend(facts::get_account(plan, &Key::Account(account))?.map(|account| account.value.id.to_string()));
        }
        if !used_by.is_empty() {
            let more = if used_by.len() > 10 { " and more" } else { "" };
            used_by.truncate(10);
            return Err(ServiceError::new(
                ErrorReason::CatalogInUse,
                format!("accounts live under the catalog: {}{more}; delete them first", used_by.join(", ")),
            )
            .with("accounts", used_by.join(",")));
        }
        plan.remove(Key::Catalog(number))?;
        plan.remove(Key::CatalogName(id))
    })
}

/// A definition with numbers: those that its ids had, and new ones for the rest.
fn numbered(plan: &mut Plan<'_>, number: Number, old: Option<&Catalog>, definition: CatalogDefinition) -> Catalog {
    let old_numbers = |ids: Vec<String>, numbers: &[Number]| -> HashMap<String, Number> {
        ids.into_iter().zip(numbers.iter().copied()).collect()
    };
    let old_definition = old.map(|old| &old.definition);
    let mut assign = |kept: HashMap<String, Number>, ids: Vec<String>| -> Vec<Number> {
        ids.into_iter().map(|id| kept.get(&id).copied().unwrap_or_else(|| plan.allocate())).collect()
    };
    let features = |definition: &CatalogDefinition| ids(&definition.features, |feature| feature.id.to_string());
    let permissions = |definition: &CatalogDefinition| ids(&definition.permissions, |each| each.id.to_string());
    let roles = |definition: &CatalogDefinition| ids(&definition.roles, |role| role.id.to_string());
    // A type's whole place in the tree is what its number stands for: elsewhere its paths are others.
    let types = |definition: &CatalogDefinition| ids(&definition.resource_types, |each| place(definition, each));
    let policies = |definition: &CatalogDefinition| ids(&definition.policies, |policy| policy.id.to_string());
    let kept = |list: &dyn Fn(&CatalogDefinition) -> Vec<String>, numbers: &dyn Fn(&Catalog) -> Vec<Number>| {
        old_numbers(old_definition.map(list).unwrap_or_default(), &old.map(numbers).unwrap_or_default())
    };
    Catalog {
        number,
        feature_numbers: assign(kept(&features, &|old| old.feature_numbers.clone()), features(&definition)),
        permission_numbers: assign(kept(&permissions, &|old| old.permission_numbers.clone()), permissions(&definition)),
        role_numbers: assign(kept(&roles, &|old| old.role_numbers.clone()), roles(&definition)),
        resource_type_numbers: assign(kept(&types, &|old| old.resource_type_numbers.clone()), types(&definition)),
        policy_numbers: assign(kept(&policies, &|old| old.policy_numbers.clone()), policies(&definition)),
        definition,
    }
}

/// A resource type with the types above it, each with its plural.
pub(super) fn place(definition: &CatalogDefinition, resource_type: &ResourceType) -> String {
    let mut place = String::new();
    let mut next = Some(resource_type);
    // No cycles, so no more steps than types.
    for _ in 0..=definition.resource_types.len() {
        let Some(each) = next else { break };
        place.push_str(&format!("{}/{}/", each.id, each.plural));
        next = each.parent.and_then(|parent| definition.resource_types.get(parent.position()));
    }
    place
}

fn ids<T>(list: &[T], id: impl Fn(&T) -> String) -> Vec<String> {
    list.iter().map(id).collect()
}
