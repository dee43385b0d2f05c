//! Custom roles: created, copied, changed, deleted. What is copied from another role is a copy for good.

use std::collections::BTreeSet;

use super::{
    MAX_PERMISSIONS_OF_A_ROLE,
    accounts::account_and_catalog,
    bindings::{HolderName, give_to},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, PolicyName, RoleName},
    hierarchy::{self, Child, check_parents, put_role},
    manners::Etag,
    plan::Plan,
    role_parts::{Contents, Part, facet_numbers, offers_part, parent_numbers, policy_numbers},
    role_totals::RoleTotals,
    roles::{RoleView, custom_role_view, offers_custom_roles},
    uses::{Use, refuse_if_used, uses_of_role},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, ApiScopeId, Key, Kind, Number, PermissionId, PermissionIndex, Record, RoleHoldersRecord, RoleId,
        RoleRecord, SectionId, Stamped,
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
    /// The permissions that it lists.
    pub contains: PermissionChoice,
    /// The API scopes that it does not provide.
    pub left_out_api_scopes: Vec<ApiScopeId>,
    /// The policies that it contains.
    pub policies: Vec<PolicyName>,
    /// The roles all of whose contents it has too.
    pub parents: Vec<RoleName>,
    /// The facets that it covers whole, by name.
    pub covered_facets: Vec<String>,
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
    /// The permissions that it lists, all of them.
    pub permissions: Option<Vec<PermissionId>>,
    /// The API scopes that it does not provide, all of them.
    pub left_out_api_scopes: Option<Vec<ApiScopeId>>,
    /// The policies that it contains, all of them.
    pub policies: Option<Vec<PolicyName>>,
    /// The roles all of whose contents it has too, all of them.
    pub parents: Option<Vec<RoleName>>,
    /// The facets that it covers whole, by name, all of them.
    pub covered_facets: Option<Vec<String>>,
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

/// A role that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedRole {
    /// The copy.
    pub role: RoleView,
    /// The parts that were left behind, because the catalog does not offer them to custom roles.
    pub omitted_parts: Vec<&'static str>,
}

/// What went with a role that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedRole {
    /// Who held it directly, in numbers.
    pub holders: RoleHoldersRecord,
    /// What used it, where that was forced.
    pub removed: Vec<Use>,
}

/// What came of adding permissions to a role, or of taking some out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRole {
    /// The role as it is then.
    pub role: RoleView,
    /// The permissions that it gained or lost, ordered by id.
    pub changed: Vec<PermissionId>,
}

/// Creates a custom role. Refused if the account or anything that it names does not exist, the id is taken, the catalog
/// does not offer custom roles with such parts, its parents would be too deep, or the account has as many roles as it can.
#[must_use]
pub fn create_role(account: AccountId, new: NewRole) -> Write<RoleView> {
    Write::new("CreateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        check_new(plan, &found, catalog, &new.id)?;
        if new.contains != PermissionChoice::default() {
            offers_part(catalog, Part::Permissions)?;
        }
        let chosen = chosen(plan, &found, catalog, &new.contains)?;
        let record = RoleRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            description: new.description,
            permissions: within_limit(chosen.into_iter().collect())?,
            left_out_api_scopes: left_out(catalog, new.left_out_api_scopes, &[])?,
            policies: policy_numbers(plan, &found, catalog, &new.policies)?,
            parents: parent_numbers(plan, &found, catalog, &new.parents)?,
            covers: facet_numbers(catalog, &new.covered_facets)?,
            created: plan.time,
            updated: plan.time,
        };
        let role = create(plan, &found, catalog, record)?;
        give_to(plan, found.number, catalog, role, &new.holders)?;
        shown(plan, &account, &found, catalog, &new.id)
    })
}

/// Copies a role into a new custom one, as far as the catalog offers its parts to custom roles. Refused as
/// [`create_role`].
#[must_use]
pub fn duplicate_role(account: AccountId, copy: RoleCopy) -> Write<CopiedRole> {
    Write::new("DuplicateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        check_new(plan, &found, catalog, &copy.id)?;
        let source = facts::find_role(plan, &found, catalog, &copy.source, false)?;
        let (RoleName::Catalog(_, id) | RoleName::Account(_, id)) = &copy.source;
        let facts = facts::role_of_number(plan, found.number, catalog, source, &mut |_| {})?;
        let (facts, _) = facts.ok_or_else(|| facts::role_missing(id))?;
        let (display_name, description, left_out_api_scopes, mut contents) = match facts::catalog_role(catalog, &facts)
        {
            Some(role) => {
                let contents = Contents::of_catalog_role(catalog, role);
                (role.display_name.clone(), role.description.clone(), Vec::new(), contents)
            }
            None => {
                let (_, Stamped { value: record, .. }) = facts::find_custom_role(plan, found.number, id)?;
                let contents = Contents::of_custom_role(plan, &account, found.number, catalog, &record)?;
                (record.display_name, record.description, record.left_out_api_scopes, contents)
            }
        };
        let mut numbers: BTreeSet<Number> =
            facts.permissions.iter().filter_map(|index| catalog.number_of_permission(index)).collect();
        let mut omitted = Vec::new();
        if !numbers.is_empty() && offers_part(catalog, Part::Permissions).is_err() {
            numbers.clear();
            omitted.push(Part::Permissions);
        }
        omitted.extend(contents.keep_offered(catalog));
        let record = RoleRecord {
            id: copy.id.clone(),
            display_name: copy.display_name.unwrap_or_else(|| copy_of(&display_name)),
            description: copy.description.unwrap_or(description),
            permissions: within_limit(numbers.into_iter().collect())?,
            left_out_api_scopes,
            policies: contents.policy_numbers()?,
            parents: contents.parent_numbers()?,
            covers: contents.facet_numbers(catalog),
            created: plan.time,
            updated: plan.time,
        };
        create(plan, &found, catalog, record)?;
        let role = shown(plan, &account, &found, catalog, &copy.id)?;
        Ok(CopiedRole { role, omitted_parts: omitted.into_iter().map(Part::name).collect() })
    })
}

/// Changes a custom role. Refused if the account, the role or anything that is named does not exist, the catalog does not
/// offer custom roles with such parts, parents would make a cycle or be too deep, or the role is another version than
/// expected.
#[must_use]
pub fn update_role(account: AccountId, id: RoleId, update: RoleUpdate, expected: Option<Etag>) -> Write<RoleView> {
    Write::new("UpdateRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        let (role, before) = facts::find_custom_role(plan, found.number, &id)?;
        Etag { number: role, revision: before.revision }.expect(expected)?;
        let before = before.value;
        let mut record = before.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.description = update.description.unwrap_or(record.description);
        if let Some(permissions) = update.permissions {
            if !permissions.is_empty() {
                offers_part(catalog, Part::Permissions)?;
            }
            let choice = PermissionChoice { permissions, ..PermissionChoice::default() };
            record.permissions = within_limit(chosen(plan, &found, catalog, &choice)?.into_iter().collect())?;
        }
        if let Some(scopes) = update.left_out_api_scopes {
            record.left_out_api_scopes = left_out(catalog, scopes, &before.left_out_api_scopes)?;
        }
        if let Some(policies) = update.policies {
            record.policies = policy_numbers(plan, &found, catalog, &policies)?;
        }
        if let Some(parents) = update.parents {
            record.parents = parent_numbers(plan, &found, catalog, &parents)?;
            let child = Child { account_id: &account, account: found.number, catalog, role: Some(role) };
            check_parents(plan, &child, &before.parents, &record.parents)?;
        }
        if let Some(facets) = update.covered_facets {
            if !facets.is_empty() {
                offers_custom_roles(catalog)?;
            }
            record.covers = facet_numbers(catalog, &facets)?;
        }
        if record != before {
            record.updated = plan.time;
        }
        put_role(plan, found.number, role, Some(&before), record)?;
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
            offers_part(catalog, Part::Permissions)?;
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

/// Deletes a custom role. Gives who held it directly, in numbers, and what used it. Cost: linear in the roles that have it
/// as a parent, which lose it, however many hold it; its bindings are void at once and swept later. Refused if the account
/// or the role does not exist, it is another version than expected, or, unless forced, while it is used.
#[must_use]
pub fn delete_role(account: AccountId, id: RoleId, force: bool, expected: Option<Etag>) -> Write<DeletedRole> {
    Write::new("DeleteRole", move |plan| {
        let number = facts::find_account(plan, &account)?.number;
        let (role, record) = facts::find_custom_role(plan, number, &id)?;
        Etag { number: role, revision: record.revision }.expect(expected)?;
        let removed = uses_of_role(plan, &account, number, role)?;
        if !force {
            refuse_if_used(removed.clone())?;
        }
        let holders = facts::get_role_holders(plan, &Key::RoleHolders { account: number, role })?;
        let holders = holders.map(|holders| holders.value).unwrap_or_default();
        remove_role(plan, number, role, id)?;
        plan.count(number, 0, -1)?;
        Ok(DeletedRole { holders, removed })
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

fn create(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    record: RoleRecord,
) -> Result<Number, ServiceError> {
    let child = Child { account_id: &found.record.id, account: found.number, catalog, role: None };
    check_parents(plan, &child, &[], &record.parents)?;
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
    custom_role_view(plan, account, found.number, &RoleTotals::new(plan, Some(found.number), catalog), role, record)
}

/// Puts a new custom role into a plan, without counting it.
pub(super) fn insert_role(plan: &mut Plan<'_>, account: Number, record: RoleRecord) -> Result<Number, ServiceError> {
    let role = plan.allocate();
    plan.put(Key::RoleName { account, id: record.id.clone() }, Record::Name(role))?;
    put_role(plan, account, role, None, record)?;
    Ok(role)
}

/// Takes a custom role out of a plan, without counting it. Custom roles that have it as a parent lose it.
pub(super) fn remove_role(plan: &mut Plan<'_>, account: Number, role: Number, id: RoleId) -> Result<(), ServiceError> {
    hierarchy::leave(plan, account, role)?;
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
