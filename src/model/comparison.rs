//! What differs between two catalogs: thing by thing, and what each managed role gains and loses.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{ApiScopeIndex, CatalogDefinition, CatalogRole, PermissionDefinition, PermissionIndex};

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppliedAction {
    /// It is new.
    Create,
    /// Some of it changes.
    Update,
    /// It goes.
    Delete,
}

/// How one thing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What happens to it.
    pub action: AppliedAction,
    /// What it is, such as `users/ana`.
    pub subject: String,
    /// What changes about it.
    pub detail: String,
}

/// What a managed role gains and loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDifference {
    /// The role's id.
    pub role: String,
    /// For people.
    pub display_name: String,
    /// Whether it is new, stays or goes.
    pub action: AppliedAction,
    /// The ids of the permissions that it has after and not before.
    pub gained: BTreeSet<String>,
    /// The ids of the permissions that it has before and not after.
    pub lost: BTreeSet<String>,
}

/// What each managed role gains and loses, ordered by id; those that neither gain nor lose are left out, and so are
/// internal ones. A role that is internal in one of the two is new in the other, or goes. Cost: linear in both.
#[must_use]
pub fn compare_roles(old: &CatalogDefinition, new: &CatalogDefinition) -> Vec<RoleDifference> {
    let managed = |catalog: &CatalogDefinition| -> BTreeMap<String, (String, BTreeSet<String>)> {
        let roles = catalog.roles.iter().filter(|role| !role.internal);
        roles.map(|role| (role.id.to_string(), (role.display_name.clone(), given(catalog, role)))).collect()
    };
    let (before, after) = (managed(old), managed(new));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut differences = Vec::new();
    for id in ids {
        let none = BTreeSet::new();
        let (action, display_name) = match (before.get(id), after.get(id)) {
            (Some(_), Some((name, _))) => (AppliedAction::Update, name),
            (None, Some((name, _))) => (AppliedAction::Create, name),
            (Some((name, _)), None) => (AppliedAction::Delete, name),
            (None, None) => continue,
        };
        let (had, has) = (before.get(id).map_or(&none, |(_, had)| had), after.get(id).map_or(&none, |(_, has)| has));
        if had != has || action != AppliedAction::Update {
            differences.push(RoleDifference {
                role: id.clone(),
                display_name: display_name.clone(),
                action,
                gained: has.difference(had).cloned().collect(),
                lost: had.difference(has).cloned().collect(),
            });
        }
    }
    differences
}

/// The ids of the permissions that a role lists.
fn listed(catalog: &CatalogDefinition, role: &CatalogRole) -> BTreeSet<String> {
    let permission = |index: &PermissionIndex| catalog.permissions.get(index.position());
    role.permissions.iter().filter_map(permission).map(|each| each.id.to_string()).collect()
}

/// The ids of the permissions that a managed role gives: internal ones it cannot give.
fn given(catalog: &CatalogDefinition, role: &CatalogRole) -> BTreeSet<String> {
    let permission = |index: &PermissionIndex| catalog.permissions.get(index.position());
    let permissions = role.permissions.iter().filter_map(permission);
    permissions.filter(|each| !each.internal).map(|each| each.id.to_string()).collect()
}

/// What a new version of a catalog changes, thing by thing; all of it is new if there is none before.
/// Cost: linear in both.
#[must_use]
pub fn compare_catalogs(old: Option<&CatalogDefinition>, new: &CatalogDefinition) -> Vec<Applied> {
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
#[must_use]
pub fn difference(name: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Option<String> {
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
