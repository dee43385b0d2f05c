//! Roles: the managed ones of the catalog shown, the custom ones of the account created, changed, deleted.

use super::{
    MAX_PERMISSIONS_OF_A_ROLE,
    accounts::{account_and_catalog, account_and_catalog_at, existing_catalog},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
    plan::Plan,
    writer::Written,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, Catalog, CatalogRole, Key, KeyRange, Kind, Number, PermissionId, Record, Revision, RoleId,
        RoleRecord, Timestamp,
    },
    store::View,
};

/// Who keeps a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// The platform, for accounts to assign.
    Managed,
    /// The platform, for itself.
    Internal,
    /// The account.
    Custom,
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
    pub permissions: Vec<PermissionId>,
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
}

/// A role as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleView {
    /// Which role.
    pub name: RoleName,
    /// Who keeps it.
    pub kind: RoleKind,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// What it contains, ordered by id.
    pub permissions: Vec<PermissionId>,
    /// When it was created; none for the catalog's roles.
    pub created: Option<Timestamp>,
    /// When it was last changed; none for the catalog's roles.
    pub updated: Option<Timestamp>,
}

impl Service {
    /// Creates a custom role.
    ///
    /// # Errors
    /// If the account or a permission does not exist, the id is taken, the catalog offers no custom roles, or the
    /// account has as many as it can have.
    pub async fn create_role(&self, account: AccountId, new: NewRole) -> Result<Written<RoleView>, ServiceError> {
        self.write("CreateRole", move |plan| {
            let (found, catalog) = account_and_catalog(plan, &account)?;
            offers_custom_roles(&catalog.compiled)?;
            let number = found.number;
            if plan.get(&Key::RoleName { account: number, id: new.id.clone() })?.is_some() {
                return Err(ServiceError::new(
                    ErrorReason::AlreadyExists,
                    format!("the account has a custom role {:?} already", new.id.as_str()),
                ));
            }
            let record = RoleRecord {
                id: new.id,
                display_name: new.display_name,
                description: new.description,
                permissions: permission_numbers(&catalog.compiled, &new.permissions)?,
                left_out_api_scopes: Vec::new(),
                created: plan.time,
                updated: plan.time,
            };
            let view = custom_role_view(&account, &catalog.compiled, &record);
            insert_role(plan, number, record)?;
            plan.count(number, 0, 1)?;
            Ok(view)
        })
        .await
    }

    /// One role, managed or custom. An internal one is there only with `show_internal`.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_role(
        &self,
        name: RoleName,
        show_internal: bool,
        at: ReadAt,
    ) -> Result<(RoleView, Revision), ServiceError> {
        self.read(at, move |core, view| match &name {
            RoleName::Account(account, id) => {
                let (found, catalog) = account_and_catalog_at(core, &view, account)?;
                let (_, record) = facts::find_custom_role(&view, found.number, id)?;
                Ok(custom_role_view(account, &catalog.compiled, &record))
            }
            RoleName::Catalog(catalog, id) => {
                let number = facts::find_catalog(&view, catalog)?;
                let catalog = existing_catalog(core.catalog_at(number, view.revision)?)?;
                let roles = &catalog.compiled.catalog().definition.roles;
                let role = roles.iter().find(|role| role.id == *id && (show_internal || !role.internal));
                Ok(catalog_role_view(catalog.compiled.catalog(), role.ok_or_else(|| facts::role_missing(id))?))
            }
        })
        .await
    }

    /// The roles that an account can use: the catalog's, then its own, each ordered by id. A page begins after `after`.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_roles(
        &self,
        account: AccountId,
        show_internal: bool,
        size: usize,
        after: Option<RoleName>,
        at: ReadAt,
    ) -> Result<Page<RoleView>, ServiceError> {
        let (items, revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                let catalog = &catalog.compiled;
                let mut items: Vec<RoleView> = Vec::new();
                if !matches!(after, Some(RoleName::Account(..))) {
                    let roles = catalog.catalog().definition.roles.iter();
                    let shown = roles.filter(|role| show_internal || !role.internal);
                    items.extend(shown.map(|role| catalog_role_view(catalog.catalog(), role)));
                    items.sort_by(|one, other| one.name.cmp(&other.name));
                    items.retain(|role| after.as_ref().is_none_or(|after| role.name > *after));
                }
                if items.len() <= size {
                    let after = match after {
                        Some(RoleName::Account(_, id)) => Some(Key::RoleName { account: found.number, id }),
                        _ => None,
                    };
                    let room = size + 1 - items.len();
                    for (_, name) in view.scan(KeyRange::RoleNames(found.number), after.as_ref(), room)? {
                        let Record::Name(role) = name.value else { continue };
                        let record = facts::get_role(&view, &Key::Role { account: found.number, role })?;
                        items.extend(record.map(|record| custom_role_view(&account, catalog, &record.value)));
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |role| match &role.name {
            RoleName::Catalog(_, id) => format!("catalog/{id}"),
            RoleName::Account(_, id) => format!("account/{id}"),
        }))
    }

    /// Changes a custom role.
    ///
    /// # Errors
    /// If the account, the role or a permission does not exist.
    pub async fn update_role(
        &self,
        account: AccountId,
        id: RoleId,
        update: RoleUpdate,
    ) -> Result<Written<RoleView>, ServiceError> {
        self.write("UpdateRole", move |plan| {
            let (found, catalog) = account_and_catalog(plan, &account)?;
            let (role, mut record) = facts::find_custom_role(plan, found.number, &id)?;
            let before = record.clone();
            record.display_name = update.display_name.unwrap_or(record.display_name);
            record.description = update.description.unwrap_or(record.description);
            if let Some(permissions) = &update.permissions {
                offers_custom_roles(&catalog.compiled)?;
                record.permissions = permission_numbers(&catalog.compiled, permissions)?;
            }
            if record != before {
                record.updated = plan.time;
            }
            let view = custom_role_view(&account, &catalog.compiled, &record);
            plan.put(Key::Role { account: found.number, role }, Record::Role(record))?;
            Ok(view)
        })
        .await
    }

    /// Deletes a custom role. Cost: constant, however many hold it; its bindings are void at once and swept later.
    ///
    /// # Errors
    /// If the account or the role does not exist.
    pub async fn delete_role(&self, account: AccountId, id: RoleId) -> Result<Written<()>, ServiceError> {
        self.write("DeleteRole", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (role, _) = facts::find_custom_role(plan, account, &id)?;
            remove_role(plan, account, role, id)?;
            plan.count(account, 0, -1)
        })
        .await
    }
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
    plan.remove(Key::Role { account, role })?;
    plan.remove(Key::RoleName { account, id })?;
    plan.retire(role, Kind::Role, Some(account))
}

/// Refuses where the catalog offers no custom roles that list permissions.
pub(super) fn offers_custom_roles(catalog: &CompiledCatalog) -> Result<(), ServiceError> {
    let definition = &catalog.catalog().definition;
    if definition.custom_roles.permissions {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorReason::CustomRolesNotOffered,
        format!("the catalog {} does not offer custom roles that list permissions", definition.id),
    ))
}

/// The number of a permission that a custom role may list.
pub(super) fn permission_number(catalog: &CompiledCatalog, id: &PermissionId) -> Option<Number> {
    let index = catalog.permission(id.as_str())?;
    // Internal ones are out of a custom role's reach, and look as if they were not there.
    if catalog.definition(index)?.internal {
        return None;
    }
    catalog.number_of_permission(index)
}

fn permission_numbers(catalog: &CompiledCatalog, ids: &[PermissionId]) -> Result<Vec<Number>, ServiceError> {
    if ids.len() > MAX_PERMISSIONS_OF_A_ROLE {
        return Err(ServiceError::new(
            ErrorReason::LimitReached,
            format!("{} permissions were given; a custom role has at most {MAX_PERMISSIONS_OF_A_ROLE}", ids.len()),
        )
        .with("maximum", MAX_PERMISSIONS_OF_A_ROLE.to_string()));
    }
    let unknown: Vec<&str> =
        ids.iter().filter(|id| permission_number(catalog, id).is_none()).map(PermissionId::as_str).collect();
    if !unknown.is_empty() {
        let catalog = &catalog.catalog().definition.id;
        return Err(ServiceError::new(
            ErrorReason::PermissionNotFound,
            format!("the catalog {catalog} has no permission {} that a custom role can list", unknown.join(", ")),
        )
        .with("permissions", unknown.join(",")));
    }
    let mut numbers: Vec<Number> = ids.iter().filter_map(|id| permission_number(catalog, id)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn catalog_role_view(catalog: &Catalog, role: &CatalogRole) -> RoleView {
    let definitions = &catalog.definition.permissions;
    let mut permissions: Vec<PermissionId> = role
        .permissions
        .iter()
        .filter_map(|index| definitions.get(index.position()))
        .map(|permission| permission.id.clone())
        .collect();
    permissions.sort();
    RoleView {
        name: RoleName::Catalog(catalog.definition.id.clone(), role.id.clone()),
        kind: if role.internal { RoleKind::Internal } else { RoleKind::Managed },
        display_name: role.display_name.clone(),
        description: role.description.clone(),
        permissions,
        created: None,
        updated: None,
    }
}

/// The ids of what a custom role lists and its catalog still has, ordered by id.
pub(super) fn listed_permissions(catalog: &CompiledCatalog, record: &RoleRecord) -> Vec<PermissionId> {
    let mut permissions: Vec<PermissionId> = record
        .permissions
        .iter()
        .filter_map(|number| catalog.permission_of_number(*number))
        .filter_map(|index| catalog.definition(index))
        .filter(|permission| !permission.internal)
        .map(|permission| permission.id.clone())
        .collect();
    permissions.sort();
    permissions
}

fn custom_role_view(account: &AccountId, catalog: &CompiledCatalog, record: &RoleRecord) -> RoleView {
    RoleView {
        name: RoleName::Account(account.clone(), record.id.clone()),
        kind: RoleKind::Custom,
        display_name: record.display_name.clone(),
        description: record.description.clone(),
        permissions: listed_permissions(catalog, record),
        created: Some(record.created),
        updated: Some(record.updated),
    }
}
