//! Catalogs: replaced whole from a file, read, deleted.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    apply_account::{Applied, AppliedAction},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
    writer::Written,
};
use crate::{
    model::{
        ApiScopeIndex, Catalog, CatalogDefinition, CatalogId, CatalogRole, Key, KeyRange, Kind, Number,
        PermissionDefinition, PermissionIndex, Record, Revision,
    },
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
    if let Some(detail) = changed(&[
        ("display_name", old.display_name != new.display_name),
        ("description", old.description != new.description),
        ("custom_roles", old.custom_roles != new.custom_roles),
    ]) {
        changes.push(Applied { action: AppliedAction::Update, subject, detail });
    }
    let mut list = Comparison { changes: &mut changes, what: "features" };
    list.of(
        &old.features,
        &new.features,
        |each| each.id.to_string(),
        |one, other| {
            changed(&[
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
            ])
        },
    );
    list.what = "sections";
    list.of(
        &old.sections,
        &new.sections,
        |each| each.id.to_string(),
        |one, other| {
            changed(&[
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
            ])
        },
    );
    // References are positions in lists that differ from one version to the next, so they are compared by id.
    let scopes = |catalog: &CatalogDefinition, list: &[ApiScopeIndex]| -> BTreeSet<String> {
        let scope = |index: &ApiScopeIndex| catalog.api_scopes.get(index.position());
        list.iter().filter_map(scope).map(|scope| scope.id.to_string()).collect()
    };
    list.what = "api_scopes";
    list.of(
        &old.api_scopes,
        &new.api_scopes,
        |each| each.id.to_string(),
        |one, other| {
            changed(&[
                ("description", one.description != other.description),
                ("includes", scopes(old, &one.includes) != scopes(new, &other.includes)),
            ])
        },
    );
    let section = |catalog: &CatalogDefinition, each: &PermissionDefinition| {
        catalog.sections.get(each.section.position()).map(|section| section.id.clone())
    };
    let feature = |catalog: &CatalogDefinition, each: &PermissionDefinition| {
        each.feature.and_then(|index| catalog.features.get(index.position())).map(|feature| feature.id.clone())
    };
    list.what = "permissions";
    list.of(
        &old.permissions,
        &new.permissions,
        |each| each.id.to_string(),
        |one, other| {
            changed(&[
                ("description", one.description != other.description),
                ("section", section(old, one) != section(new, other)),
                ("feature", feature(old, one) != feature(new, other)),
                ("api_scopes", scopes(old, &one.api_scopes) != scopes(new, &other.api_scopes)),
                ("internal", one.internal != other.internal),
                ("deprecated", one.deprecated != other.deprecated),
            ])
        },
    );
    let listed = |catalog: &CatalogDefinition, role: &CatalogRole| -> BTreeSet<String> {
        let permission = |index: &PermissionIndex| catalog.permissions.get(index.position());
        role.permissions.iter().filter_map(permission).map(|each| each.id.to_string()).collect()
    };
    list.what = "roles";
    list.of(
        &old.roles,
        &new.roles,
        |each| each.id.to_string(),
        |one, other| {
            let fields = changed(&[
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
                ("internal", one.internal != other.internal),
            ]);
            let permissions = difference("permissions", &listed(old, one), &listed(new, other));
            let parts: Vec<String> = fields.into_iter().chain(permissions).collect();
            if parts.is_empty() { None } else { Some(parts.join(", ")) }
        },
    );
    changes
}

/// The names of the fields that differ; none: nothing does.
fn changed(fields: &[(&str, bool)]) -> Option<String> {
    let names: Vec<&str> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if names.is_empty() { None } else { Some(names.join(", ")) }
}

/// What one list gained and lost, as `name +added -removed`; none: nothing.
pub(super) fn difference(name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Option<String> {
    if old == new {
        return None;
    }
    let added = new.difference(old).map(|id| format!(" +{id}"));
    let removed = old.difference(new).map(|id| format!(" -{id}"));
    Some(added.chain(removed).fold(name.to_owned(), |text, part| text + &part))
}

/// Compares the lists of two versions of a catalog.
struct Comparison<'a> {
    changes: &'a mut Vec<Applied>,
    what: &'static str,
}

impl Comparison<'_> {
    fn of<T>(&mut self, old: &[T], new: &[T], id: impl Fn(&T) -> String, differs: impl Fn(&T, &T) -> Option<String>) {
        let before: HashMap<String, &T> = old.iter().map(|each| (id(each), each)).collect();
        let after: HashSet<String> = new.iter().map(&id).collect();
        for each in new {
            match before.get(&id(each)) {
                None => self.note(AppliedAction::Create, &id(each), String::new()),
                Some(old) => {
                    if let Some(detail) = differs(old, each) {
                        self.note(AppliedAction::Update, &id(each), detail);
                    }
                }
            }
        }
        for each in old.iter().filter(|each| !after.contains(&id(each))) {
            self.note(AppliedAction::Delete, &id(each), String::new());
        }
    }

    fn note(&mut self, action: AppliedAction, id: &str, detail: String) {
        self.changes.push(Applied { action, subject: format!("{}/{id}", self.what), detail });
    }
}
