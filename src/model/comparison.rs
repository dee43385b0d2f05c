//! What differs between two catalogs: thing by thing, and what each managed role gains and loses.

mod roles;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    CatalogDefinition, CatalogRole, Effect, Facet, Index, PermissionDefinition, ResourceType, ResourceTypeIndex,
    RoleIndex, Statement,
};
pub use roles::{RoleDifference, compare_roles, count_permissions};

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
    let fields = changed(&[
        ("display_name", old.display_name != new.display_name),
        ("description", old.description != new.description),
        ("custom_roles", old.custom_roles != new.custom_roles),
        ("must_hold_role", old.must_hold_role != new.must_hold_role),
    ]);
    if let Some(detail) = together([fields, difference("mutually_exclusive", &pairs(old), &pairs(new))]) {
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
    list.what = "api_scopes";
    list.of(
        &old.api_scopes,
        &new.api_scopes,
        |each| each.id.to_string(),
        |one, other| {
            let includes = ids(&one.includes, &old.api_scopes, |each| &each.id)
                != ids(&other.includes, &new.api_scopes, |each| &each.id);
            changed(&[("description", one.description != other.description), ("includes", includes)])
        },
    );
    list.what = "resource_types";
    list.of(
        &old.resource_types,
        &new.resource_types,
        |each| each.id.to_string(),
        |one, other| {
            changed(&[
                ("plural", one.plural != other.plural),
                ("parent", type_id(old, one.parent) != type_id(new, other.parent)),
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
            ])
        },
    );
    list.what = "permissions";
    list.of(
        &old.permissions,
        &new.permissions,
        |each| each.id.to_string(),
        |one, other| changed_permission((old, one), (new, other)),
    );
    list.what = "policies";
    list.of(
        &old.policies,
        &new.policies,
        |each| each.id.to_string(),
        |one, other| {
            let fields = changed(&[
                ("display_name", one.display_name != other.display_name),
                ("description", one.description != other.description),
            ]);
            together([fields, changed_statements(&one.statements, &other.statements)])
        },
    );
    list.what = "roles";
    list.of(&old.roles, &new.roles, |each| each.id.to_string(), |one, other| changed_role((old, one), (new, other)));
    changes
}

/// A thing, with the catalog that its references are positions in.
type In<'c, T> = (&'c CatalogDefinition, &'c T);

fn changed_permission(
    (old, one): In<'_, PermissionDefinition>,
    (new, other): In<'_, PermissionDefinition>,
) -> Option<String> {
    let section = |catalog: &CatalogDefinition, each: &PermissionDefinition| {
        catalog.sections.get(each.section.position()).map(|section| section.id.clone())
    };
    let feature = |catalog: &CatalogDefinition, each: &PermissionDefinition| {
        each.feature.and_then(|index| catalog.features.get(index.position())).map(|feature| feature.id.clone())
    };
    let scopes = |catalog: &CatalogDefinition, each: &PermissionDefinition| {
        ids(&each.api_scopes, &catalog.api_scopes, |scope| &scope.id)
    };
    changed(&[
        ("description", one.description != other.description),
        ("section", section(old, one) != section(new, other)),
        ("feature", feature(old, one) != feature(new, other)),
        ("api_scopes", scopes(old, one) != scopes(new, other)),
        ("resource_type", type_id(old, one.resource_type) != type_id(new, other.resource_type)),
        ("facets", facets(old, &one.facets) != facets(new, &other.facets)),
        ("condition", one.condition != other.condition),
        ("internal", one.internal != other.internal),
        ("deprecated", one.deprecated != other.deprecated),
    ])
}

fn changed_role((old, one): In<'_, CatalogRole>, (new, other): In<'_, CatalogRole>) -> Option<String> {
    let permissions = |catalog: &CatalogDefinition, role: &CatalogRole| {
        ids(&role.permissions, &catalog.permissions, |permission| &permission.id)
    };
    let policies =
        |catalog: &CatalogDefinition, role: &CatalogRole| ids(&role.policies, &catalog.policies, |policy| &policy.id);
    let parents =
        |catalog: &CatalogDefinition, role: &CatalogRole| ids(&role.parents, &catalog.roles, |parent| &parent.id);
    let fields = changed(&[
        ("display_name", one.display_name != other.display_name),
        ("description", one.description != other.description),
        ("internal", one.internal != other.internal),
        ("always_held", one.always_held != other.always_held),
        ("max_holders", one.max_holders != other.max_holders),
    ]);
    together([
        fields,
        difference("permissions", &permissions(old, one), &permissions(new, other)),
        difference("policies", &policies(old, one), &policies(new, other)),
        difference("parents", &parents(old, one), &parents(new, other)),
        difference("covers", &facets(old, &one.covers), &facets(new, &other.covers)),
    ])
}

/// What statements are new and which are gone, as `statements +(deny inbox.**)`; none: they are the same.
fn changed_statements(old: &[Statement], new: &[Statement]) -> Option<String> {
    if old == new {
        return None;
    }
    let added = new.iter().filter(|each| !old.contains(each)).map(|each| format!(" +({})", short(each)));
    let removed = old.iter().filter(|each| !new.contains(each)).map(|each| format!(" -({})", short(each)));
    Some(added.chain(removed).fold("statements".to_owned(), |text, part| text + &part))
}

/// A statement in short, for people: not all of its patterns if they are many.
fn short(statement: &Statement) -> String {
    const SHOWN: usize = 3;
    let effect = match statement.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let some = |patterns: Vec<&str>| {
        let more = patterns.len().saturating_sub(SHOWN);
        let shown: Vec<&str> = patterns.into_iter().take(SHOWN).collect();
        if more == 0 { shown.join(" ") } else { format!("{} and {more} more", shown.join(" ")) }
    };
    let mut text = format!("{effect} {}", some(statement.permissions.iter().map(|each| each.as_str()).collect()));
    if !statement.resources.is_empty() {
        text += &format!(" on {}", some(statement.resources.iter().map(|each| each.as_str()).collect()));
    }
    if statement.condition.is_some() {
        text += " under a condition";
    }
    text
}

/// The ids of what some positions point at.
fn ids<I: Index, T, Id: ToString>(indexes: &[I], list: &[T], id: impl Fn(&T) -> &Id) -> BTreeSet<String> {
    indexes.iter().filter_map(|index| list.get(index.position())).map(|each| id(each).to_string()).collect()
}

fn type_id(catalog: &CatalogDefinition, index: Option<ResourceTypeIndex>) -> Option<&str> {
    index.and_then(|index| catalog.resource_types.get(index.position())).map(|each: &ResourceType| each.id.as_str())
}

fn facets(catalog: &CatalogDefinition, facets: &[Facet]) -> BTreeSet<String> {
    let id = |facet: &Facet| match facet {
        Facet::Feature => Some("feature"),
        Facet::Type(index) => type_id(catalog, Some(*index)),
    };
    facets.iter().filter_map(id).map(str::to_owned).collect()
}

/// Pairs of roles that exclude each other, each in the order of ids.
fn pairs(catalog: &CatalogDefinition) -> BTreeSet<String> {
    let id = |index: RoleIndex| catalog.roles.get(index.position()).map(|role| &role.id);
    let pair = |(one, other): &(RoleIndex, RoleIndex)| {
        let (one, other) = (id(*one)?, id(*other)?);
        Some(format!("{}/{}", one.min(other), one.max(other)))
    };
    catalog.mutually_exclusive.iter().filter_map(pair).collect()
}

/// Several details as one; none: there are none.
fn together<const N: usize>(details: [Option<String>; N]) -> Option<String> {
    let details: Vec<String> = details.into_iter().flatten().collect();
    if details.is_empty() { None } else { Some(details.join(", ")) }
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
