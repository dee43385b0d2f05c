//! Custom roles: created, copied, changed, deleted. What is copied from another role is a copy for good.

use std::collections::BTreeSet;

use super::{
    MAX_PERMISSIONS_OF_A_ROLE,
    accounts::account_and_catalog,
    bindings::{HolderName, give_to},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, RoleName},
    manners::Etag,
    plan::Plan,
    roles::{RoleView, custom_role_view, offers_custom_roles},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, ApiScopeId, Key, Kind, Number, PermissionId, PermissionIndex, Record, RoleHoldersRecord, RoleId,
        RoleRecord, SectionId,
    },
    store::View as _,
};

/// The longest display name, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A choice of permissions: one by one, whole sections, and what managed roles contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionChoice {
    /// Single permissions.
    pub permissions: Vec<PermissionId>,
    /// Sections, each with all of its permissions.
    pub sections: Vec<SectionId>,
    /// Managed roles, each with all that it contains now.
    pub roles: Vec<RoleName>,
}

/// A custom role to be created.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its id.
    pub id: RoleId,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// What it contains.
    pub contains: PermissionChoice,
    /// The API scopes that it does not provide.
    pub left_out_api_scopes: Vec<ApiScopeId>,
    /// Who is to hold it.
    pub holders: Vec<HolderName>,
}

/// What to change of a custom role; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct RoleUpdate {
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What it contains, all of it.
    pub permissions: Option<Vec<PermissionId>>,
    /// The API scopes that it does not provide, all of them.
    pub left_out_api_scopes: Option<Vec<ApiScopeId>>,
}

/// A role to be copied.
#[derive(Clone, Debug)]
pub struct RoleCopy {
    /// The role, managed or custom.
    pub source: RoleName,
    /// The id of the copy.
    pub id: RoleId,
    /// For people; none: made from that of the role.
    pub display_name: Option<String>,
    /// For people; none: as that of the role.
    pub description: Option<String>,
}

/// What came of adding permissions to a role, or of taking some out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRole {
    /// The role as it is then.
    pub role: RoleView,
    /// The permissions that it gained or lost, ordered by id.
    pub changed: Vec<PermissionId>,
}

/// Creates a custom role. Refused if the account, a permission, a section, a role or a holder does not exist, the id is
/// taken, the catalog offers no custom roles, or the account has as many as it can have.
#[must_use]
pub fn create_role(account: AccountId, new: NewRole) -> Write<RoleView> {
    Write::new("CreateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        check_new(plan, &found, catalog, &new.id)?;
        let chosen = chosen(plan, &found, catalog, &new.contains)?;
        let record = RoleRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            description: new.description,
            permissions: within_limit(chosen.into_iter().collect())?,
            left_out_api_scopes: left_out(catalog, new.left_out_api_scopes, &[])?,
            policies: Vec::new(),
            parents: Vec::new(),
            covers: Vec::new(),
            created: plan.time,
            updated: plan.time,
        };
        let role = create(plan, &found, record)?;
        give_to(plan, found.number, catalog, role, &new.holders)?;
        shown(plan, &account, &found, catalog, &new.id)
    })
}

/// Copies a role into a new custom one. Refused as [`create_role`].
#[must_use]
pub fn duplicate_role(account: AccountId, copy: RoleCopy) -> Write<RoleView> {
    Write::new("DuplicateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        check_new(plan, &found, catalog, &copy.id)?;
        let source = facts::find_role(plan, &found, catalog, &copy.source, false)?;
        let (RoleName::Catalog(_, id) | RoleName::Account(_, id)) = &copy.source;
        let facts = facts::role_of_number(plan, found.number, catalog, source, &mut |_| {})?;
        let (facts, _) = facts.ok_or_else(|| facts::role_missing(id))?;
        let (display_name, description, left_out_api_scopes) = match facts::catalog_role(catalog, &facts) {
            Some(role) => (role.display_name.clone(), role.description.clone(), Vec::new()),
            None => {
                let (_, record) = facts::find_custom_role(plan, found.number, id)?;
                (record.value.display_name, record.value.description, record.value.left_out_api_scopes)
            }
        };
        let numbers: BTreeSet<Number> =
            facts.permissions.iter().filter_map(|index| catalog.number_of_permission(index)).collect();
        let record = RoleRecord {
            id: copy.id.clone(),
            display_name: copy.display_name.unwrap_or_else(|| copy_of(&display_name)),
            description: copy.description.unwrap_or(description),
            permissions: within_limit(numbers.into_iter().collect())?,
            left_out_api_scopes,
            policies: Vec::new(),
            parents: Vec::new(),
            covers: Vec::new(),
            created: plan.time,
            updated: plan.time,
        };
        create(plan, &found, record)?;
        shown(plan, &account, &found, catalog, &copy.id)
    })
}

/// Changes a custom role. Refused if the account, the role, a permission or an API scope does not exist, or the role is
/// another version than expected.
#[must_use]
pub fn update_role(account: AccountId, id: RoleId, update: RoleUpdate, expected: Option<Etag>) -> Write<RoleView> {
    Write::new("UpdateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        let (role, before) = facts::find_custom_role(plan, found.number, &id)?;
        Etag { number: role, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.description = update.description.unwrap_or(record.description);
        if let Some(permissions) = update.permissions {
            offers_custom_roles(catalog)?;
            let choice = PermissionChoice { permissions, ..PermissionChoice::default() };
            record.permissions = within_limit(chosen(plan, &found, catalog, &choice)?.into_iter().collect())?;
        }
        if let Some(scopes) = update.left_out_api_scopes {
            record.left_out_api_scopes = left_out(catalog, scopes, &before.value.left_out_api_scopes)?;
        }
        if record != before.value {
            record.updated = plan.time;
        }
        plan.put(Key::Role { account: found.number, role }, Record::Role(record))?;
        shown(plan, &account, &found, catalog, &id)
    })
}

/// Adds permissions to a custom role; nothing goes. Refused as [`update_role`].
#[must_use]
pub fn add_permissions(
    method: &'static str,
    account: AccountId,
    id: RoleId,
    choice: PermissionChoice,
    expected: Option<Etag>,
) -> Write<ChangedRole> {
    change_permissions(method, account, id, choice, expected, true)
}

/// Takes permissions out of a custom role. Refused as [`update_role`].
#[must_use]
pub fn remove_permissions(
    account: AccountId,
    id: RoleId,
    choice: PermissionChoice,
    expected: Option<Etag>,
) -> Write<ChangedRole> {
    change_permissions("RemoveRolePermissions", account, id, choice, expected, false)
}

fn change_permissions(
    method: &'static str,
    account: AccountId,
    id: RoleId,
    choice: PermissionChoice,
    expected: Option<Etag>,
    add: bool,
) -> Write<ChangedRole> {
    Write::new(method, move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        if add {
            offers_custom_roles(catalog)?;
        }
        let (role, before) = facts::find_custom_role(plan, found.number, &id)?;
        Etag { number: role, revision: before.revision }.expect(expected)?;
        let mut record = before.value;
        let mut permissions: BTreeSet<Number> = record.permissions.iter().copied().collect();
        let mut changed = Vec::new();
        for number in chosen(plan, &found, catalog, &choice)? {
            let is_new = if add { permissions.insert(number) } else { permissions.remove(&number) };
            if is_new && let Some(index) = catalog.permission_of_number(number) {
                changed.extend(catalog.definition(index).map(|permission| permission.id.clone()));
            }
        }
        changed.sort();
        if !changed.is_empty() {
            record.permissions = within_limit(permissions.into_iter().collect())?;
            record.updated = plan.time;
            plan.put(Key::Role { account: found.number, role }, Record::Role(record))?;
        }
        Ok(ChangedRole { role: shown(plan, &account, &found, catalog, &id)?, changed })
    })
}

/// Deletes a custom role. Gives who held it directly, in numbers. Cost: constant, however many hold it; its bindings are
/// void at once and swept later. Refused if the account or the role does not exist, or is another version than expected.
#[must_use]
pub fn delete_role(account: AccountId, id: RoleId, expected: Option<Etag>) -> Write<RoleHoldersRecord> {
    Write::new("DeleteRole", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (role, record) = facts::find_custom_role(plan, account, &id)?;
        Etag { number: role, revision: record.revision }.expect(expected)?;
        let holders = facts::get_role_holders(plan, &Key::RoleHolders { account, role })?;
        remove_role(plan, account, role, id)?;
        plan.count(account, 0, -1)?;
        Ok(holders.map(|holders| holders.value).unwrap_or_default())
    })
}

/// Refuses an id that is taken, and a role that the catalog does not offer.
fn check_new(
    plan: &Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    id: &RoleId,
) -> Result<(), ServiceError> {
    offers_custom_roles(catalog)?;
    if plan.get(&Key::RoleName { account: found.number, id: id.clone() })?.is_none() {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorReason::AlreadyExists,
        format!("the account has a custom role {:?} already", id.as_str()),
    ))
}

fn create(plan: &mut Plan<'_>, found: &FoundAccount, record: RoleRecord) -> Result<Number, ServiceError> {
    let role = insert_role(plan, found.number, record)?;
    plan.count(found.number, 0, 1)?;
    Ok(role)
}

fn shown(
    plan: &Plan<'_>,
    account: &AccountId,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    id: &RoleId,
) -> Result<RoleView, ServiceError> {
    let (role, record) = facts::find_custom_role(plan, found.number, id)?;
    Ok(custom_role_view(account, catalog, role, record))
}

/// Puts a new custom role into a plan, without counting it.
pub(super) fn insert_role(plan: &mut Plan<'_>, account: Number, record: RoleRecord) -> Result<Number, ServiceError> {
    let role = plan.allocate();
    plan.put(Key::RoleName { account, id: record.id.clone() }, Record::Name(role))?;
    plan.put(Key::Role { account, role }, Record::Role(record))?;
    Ok(role)
}

/// Takes a custom role out of a plan, without counting it.
pub(super) fn remove_role(plan: &mut Plan<'_>, account: Number, role: Number, id: RoleId) -> Result<(), ServiceError> {
    plan.remove(Key::RoleHolders { account, role })?;
    plan.remove(Key::Role { account, role })?;
    plan.remove(Key::RoleName { account, id })?;
    plan.retire(role, Kind::Role, Some(account))
}

/// The name of a copy, cut to what a name may have.
fn copy_of(name: &str) -> String {
    let mut copy = format!("Copy of {name}");
    let mut end = copy.len().min(MAX_NAME_BYTES);
    while !copy.is_char_boundary(end) {
        end -= 1;
    }
    copy.truncate(end);
    copy
}

/// The number of a permission that a custom role may list.
pub(super) fn permission_number(catalog: &CompiledCatalog, id: &PermissionId) -> Option<Number> {
    assignable_number(catalog, catalog.permission(id.as_str())?)
}

/// The same by index.
fn assignable_number(catalog: &CompiledCatalog, index: PermissionIndex) -> Option<Number> {
    // Internal ones are out of a custom role's reach, and look as if they were not there.
    if catalog.definition(index)?.internal {
        return None;
    }
    catalog.number_of_permission(index)
}

fn within_limit(numbers: Vec<Number>) -> Result<Vec<Number>, ServiceError> {
    if numbers.len() <= MAX_PERMISSIONS_OF_A_ROLE {
        return Ok(numbers);
    }
    Err(ServiceError::new(
        ErrorReason::LimitReached,
        format!("the role would have {} permissions; the maximum is {MAX_PERMISSIONS_OF_A_ROLE}", numbers.len()),
    )
    .with("maximum", MAX_PERMISSIONS_OF_A_ROLE.to_string()))
}

/// The error for ids that the catalog does not have.
fn unknown(reason: ErrorReason, catalog: &CompiledCatalog, what: &str, ids: &[&str]) -> ServiceError {
    let catalog = &catalog.catalog().definition.id;
    ServiceError::new(reason, format!("the catalog {catalog} has no {what} {}", ids.join(", ")))
        .with("missing", ids.join(","))
}

/// The numbers of all that is chosen. Cost: linear in the choice, and in the catalog's permissions for sections.
fn chosen(
    plan: &Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    choice: &PermissionChoice,
) -> Result<BTreeSet<Number>, ServiceError> {
    let definition = &catalog.catalog().definition;
    let mut numbers = BTreeSet::new();
    let mut missing = Vec::new();
    for id in &choice.permissions {
        match permission_number(catalog, id) {
            Some(number) => _ = numbers.insert(number),
            None => missing.push(id.as_str()),
        }
    }
    if !missing.is_empty() {
        let what = "permission that a custom role can list called";
        return Err(unknown(ErrorReason::PermissionNotFound, catalog, what, &missing));
    }
    let mut sections = BTreeSet::new();
    for id in &choice.sections {
        match definition.sections.iter().position(|section| section.id == *id) {
            Some(position) => _ = sections.insert(position),
            None => missing.push(id.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(unknown(ErrorReason::SectionNotFound, catalog, "section", &missing));
    }
    if !sections.is_empty() {
        let all = catalog.permissions();
        let of_section = |index: &PermissionIndex| {
            catalog.definition(*index).is_some_and(|each| sections.contains(&each.section.position()))
        };
        numbers.extend(all.filter(of_section).filter_map(|index| assignable_number(catalog, index)));
    }
    for name in &choice.roles {
        let number = facts::find_role(plan, found, catalog, name, false)?;
        let role = catalog.role_of_number(number);
        let role = role.ok_or_else(|| {
            ServiceError::field(
                "roles",
                format!("{name} was given; a managed role of the account's catalog is expected"),
            )
        })?;
        numbers.extend(role.permissions.iter().filter_map(|index| assignable_number(catalog, index)));
    }
    Ok(numbers)
}

/// API scopes to be left out, in order, each once. Those left out before that the catalog has no more stay left out:
/// nobody sees them, and should the catalog bring one back, nobody is to gain it unasked.
fn left_out(
    catalog: &CompiledCatalog,
    ids: Vec<ApiScopeId>,
    before: &[ApiScopeId],
) -> Result<Vec<ApiScopeId>, ServiceError> {
    let missing: Vec<&str> = ids.iter().map(ApiScopeId::as_str).filter(|id| catalog.api_scope(id).is_none()).collect();
    if !missing.is_empty() {
        return Err(unknown(ErrorReason::ApiScopeNotFound, catalog, "API scope", &missing));
    }
    Ok(with_void(catalog, ids, before))
}

/// API scopes that are left out, and those of before that the catalog has no more.
pub(super) fn with_void(catalog: &CompiledCatalog, ids: Vec<ApiScopeId>, before: &[ApiScopeId]) -> Vec<ApiScopeId> {
    let void = before.iter().filter(|id| catalog.api_scope(id.as_str()).is_none()).cloned();
    let ids: BTreeSet<ApiScopeId> = ids.into_iter().chain(void).collect();
    ids.into_iter().collect()
}
