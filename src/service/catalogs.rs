//! Catalogs: replaced whole from a file, read, deleted.

use std::collections::HashMap;
use std::hash::Hash;

use super::{
    apply_account::{Applied, AppliedAction},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
    writer::Written,
};
use crate::{
    model::{Catalog, CatalogDefinition, CatalogId, Key, KeyRange, Kind, Number, Record, Revision},
    store::View,
};

impl Service {
    /// Creates a catalog or replaces it whole. What keeps its id keeps its number; what is dropped is void at once,
    /// everywhere. Cost: linear in the catalog; accounts follow without being touched.
    ///
    /// # Errors
    /// If the facts cannot be read or written.
    pub async fn apply_catalog(&self, definition: CatalogDefinition) -> Result<Written<Vec<Applied>>, ServiceError> {
        self.write("ApplyCatalog", move |plan| {
            let id = definition.id.clone();
            let name = facts::get_name(plan, &Key::CatalogName(id.clone()))?.map(|name| name.value);
            let old = match name {
                Some(number) => facts::get_catalog(plan, &Key::Catalog(number))?.map(|record| *record.value),
                None => None,
            };
            let changes = compare(old.as_ref().map(|old| &old.definition), &definition);
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
            plan.put(Key::Catalog(number), Record::Catalog(Box::new(catalog)))?;
            Ok(changes)
        })
        .await
    }

    /// One catalog.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_catalog(&self, id: CatalogId, at: ReadAt) -> Result<(CatalogDefinition, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let number = facts::find_catalog(&view, &id)?;
            let catalog = super::accounts::existing_catalog(core.catalog_at(number, view.revision)?)?;
            Ok(catalog.compiled.catalog().definition.clone())
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
    ) -> Result<Page<CatalogDefinition>, ServiceError> {
        let (items, revision) = self
            .read(at, move |core, view| {
                let after = after.map(Key::CatalogName);
                let mut items = Vec::new();
                for (_, name) in view.scan(KeyRange::CatalogNames, after.as_ref(), size + 1)? {
                    let Record::Name(number) = name.value else { continue };
                    if let Some(catalog) = core.catalog_at(number, view.revision)? {
                        items.push(catalog.compiled.catalog().definition.clone());
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |catalog| catalog.id.to_string()))
    }

    /// Deletes a catalog that no account lives under.
    ///
    /// # Errors
    /// If it does not exist, or accounts live under it.
    pub async fn delete_catalog(&self, id: CatalogId) -> Result<Written<()>, ServiceError> {
        self.write("DeleteCatalog", move |plan| {
            let number = facts::find_catalog(plan, &id)?;
            let mut used_by = Vec::new();
            for (key, _) in plan.scan(KeyRange::CatalogAccounts(number), None, 11)? {
                let Key::CatalogAccount { account, .. } = key else { continue };
                used_by.extend(
                    facts::get_account(plan, &Key::Account(account))?.map(|account| account.value.id.to_string()),
                );
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
        .await
    }
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
    let kept = |list: &dyn Fn(&CatalogDefinition) -> Vec<String>, numbers: &dyn Fn(&Catalog) -> Vec<Number>| {
        old_numbers(old_definition.map(list).unwrap_or_default(), &old.map(numbers).unwrap_or_default())
    };
    Catalog {
        number,
        feature_numbers: assign(kept(&features, &|old| old.feature_numbers.clone()), features(&definition)),
        permission_numbers: assign(kept(&permissions, &|old| old.permission_numbers.clone()), permissions(&definition)),
        role_numbers: assign(kept(&roles, &|old| old.role_numbers.clone()), roles(&definition)),
        definition,
    }
}

fn ids<T>(list: &[T], id: impl Fn(&T) -> String) -> Vec<String> {
    list.iter().map(id).collect()
}

/// What a new version changes, thing by thing.
fn compare(old: Option<&CatalogDefinition>, new: &CatalogDefinition) -> Vec<Applied> {
    let mut changes = Vec::new();
    let subject = format!("catalogs/{}", new.id);
    let Some(old) = old else {
        changes.push(Applied { action: AppliedAction::Create, subject, detail: String::new() });
        return changes;
    };
    let mut fields = Vec::new();
    for (name, differs) in [
        ("display_name", old.display_name != new.display_name),
        ("description", old.description != new.description),
        ("custom_roles", old.custom_roles != new.custom_roles),
    ] {
        if differs {
            fields.push(name);
        }
    }
    if !fields.is_empty() {
        changes.push(Applied { action: AppliedAction::Update, subject, detail: fields.join(", ") });
    }
    compare_lists(
        &mut changes,
        "features",
        &old.features,
        &new.features,
        |each| each.id.to_string(),
        |one, other| {
            if one == other { None } else { Some(String::new()) }
        },
    );
    compare_lists(
        &mut changes,
        "sections",
        &old.sections,
        &new.sections,
        |each| each.id.to_string(),
        |one, other| {
            if one == other { None } else { Some(String::new()) }
        },
    );
    let scope = |catalog: &CatalogDefinition, index: crate::model::ApiScopeIndex| {
        catalog.api_scopes.get(index.position()).map(|scope| scope.id.to_string())
    };
    compare_lists(
        &mut changes,
        "api_scopes",
        &old.api_scopes,
        &new.api_scopes,
        |each| each.id.to_string(),
        |one, other| {
            let includes =
                |catalog, list: &[_]| list.iter().filter_map(|index| scope(catalog, *index)).collect::<Vec<_>>();
            let same =
                one.description == other.description && includes(old, &one.includes) == includes(new, &other.includes);
            if same { None } else { Some(String::new()) }
        },
    );
    compare_lists(
        &mut changes,
        "permissions",
        &old.permissions,
        &new.permissions,
        |each| each.id.to_string(),
        |one, other| {
            let shown = |catalog: &CatalogDefinition, each: &crate::model::PermissionDefinition| {
                (
                    each.description.clone(),
                    catalog.sections.get(each.section.position()).map(|section| section.id.clone()),
                    each.feature.and_then(|index| catalog.features.get(index.position())).map(|each| each.id.clone()),
                    each.api_scopes.iter().filter_map(|index| scope(catalog, *index)).collect::<Vec<_>>(),
                    each.internal,
                    each.deprecated,
                )
            };
            if shown(old, one) == shown(new, other) { None } else { Some(String::new()) }
        },
    );
    compare_lists(
        &mut changes,
        "roles",
        &old.roles,
        &new.roles,
        |each| each.id.to_string(),
        |one, other| {
            let listed = |catalog: &CatalogDefinition, role: &crate::model::CatalogRole| {
                let permission = |index: &crate::model::PermissionIndex| catalog.permissions.get(index.position());
                role.permissions.iter().filter_map(permission).map(|each| each.id.to_string()).collect()
            };
            let mut parts = Vec::new();
            for (name, differs) in [
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
                ("internal", one.internal != other.internal),
            ] {
                if differs {
                    parts.push(name.to_owned());
                }
            }
            parts.extend(difference("permissions", &listed(old, one), &listed(new, other)));
            if parts.is_empty() { None } else { Some(parts.join(", ")) }
        },
    );
    changes
}

/// What one list gained and lost, as `name +added -removed`; none: nothing.
pub(super) fn difference(
    name: &str,
    old: &std::collections::BTreeSet<String>,
    new: &std::collections::BTreeSet<String>,
) -> Option<String> {
    if old == new {
        return None;
    }
    let added = new.difference(old).map(|id| format!(" +{id}"));
    let removed = old.difference(new).map(|id| format!(" -{id}"));
    Some(added.chain(removed).fold(name.to_owned(), |text, part| text + &part))
}

fn compare_lists<T, I: Eq + Hash + Ord + std::fmt::Display>(
    changes: &mut Vec<Applied>,
    what: &str,
    old: &[T],
    new: &[T],
    id: impl Fn(&T) -> I,
    differs: impl Fn(&T, &T) -> Option<String>,
) {
    let before: HashMap<I, &T> = old.iter().map(|each| (id(each), each)).collect();
    let after: HashMap<I, &T> = new.iter().map(|each| (id(each), each)).collect();
    for each in new {
        let subject = format!("{what}/{}", id(each));
        match before.get(&id(each)) {
            None => changes.push(Applied { action: AppliedAction::Create, subject, detail: String::new() }),
            Some(old) => {
                if let Some(detail) = differs(old, each) {
                    changes.push(Applied { action: AppliedAction::Update, subject, detail });
                }
            }
        }
    }
    for each in old.iter().filter(|each| !after.contains_key(&id(each))) {
        let subject = format!("{what}/{}", id(each));
        changes.push(Applied { action: AppliedAction::Delete, subject, detail: String::new() });
    }
}
