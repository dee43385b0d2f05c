//! Role bindings: who holds which role.

use super::{
    MAX_TEAMS_OR_ROLES_OF_A_USER,
    accounts::{account_and_catalog, account_and_catalog_at},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
    plan::Plan,
    writer::Written,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, BindingRecord, Holder, Key, KeyRange, Number, Record, Revision, ServiceAccountId, TeamId, Timestamp,
        UserId,
    },
    store::View,
};

/// Who holds a role, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderName {
    /// A user.
    User(UserId),
    /// A team.
    Team(TeamId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
}

/// A binding to be created.
#[derive(Clone, Debug)]
pub struct NewBinding {
    /// Who is to hold the role.
    pub holder: HolderName,
    /// The role.
    pub role: RoleName,
    /// It may be an internal one.
    pub allow_internal: bool,
}

/// Which bindings to list.
#[derive(Clone, Debug, Default)]
pub struct BindingFilter {
    /// Only those of this holder.
    pub holder: Option<HolderName>,
    /// Only those of this role.
    pub role: Option<RoleName>,
    /// Those of internal roles too.
    pub show_internal: bool,
}

/// A binding as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingView {
    /// Its number, which is its id.
    pub number: Number,
    /// Who holds the role.
    pub holder: HolderName,
    /// The role.
    pub role: RoleName,
    /// When it was created.
    pub created: Timestamp,
}

impl Service {
    /// Gives a role to a user or a team.
    ///
    /// # Errors
    /// If account, holder or role do not exist, the role is held already, or the holder holds as many as it can.
    pub async fn create_binding(
        &self,
        account: AccountId,
        new: NewBinding,
    ) -> Result<Written<BindingView>, ServiceError> {
        self.write("CreateRoleBinding", move |plan| {
            let (found, catalog) = account_and_catalog(plan, &account)?;
            let role = facts::find_role(plan, &found, &catalog.compiled, &new.role, new.allow_internal)?;
            let holder = find_holder(plan, found.number, &new.holder)?;
            let held = facts::bindings_of(plan, found.number, holder.number())?;
            if held.iter().any(|(_, of)| *of == role) {
                return Err(ServiceError::new(ErrorReason::AlreadyExists, "the holder holds that role already"));
            }
            check_role_limit(plan, found.number, &catalog.compiled, &held)?;
            let number = insert_binding(plan, found.number, holder, role)?;
            Ok(BindingView { number, holder: new.holder, role: new.role, created: plan.time })
        })
        .await
    }

    /// One binding. One whose holder or role is gone is gone too.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_binding(
        &self,
        account: AccountId,
        binding: Number,
        at: ReadAt,
    ) -> Result<(BindingView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            let record = facts::get_binding(&view, &Key::Binding { account: found.number, binding })?;
            let shown = match record {
                Some(record) => {
                    binding_view(&view, &account, found.number, &catalog.compiled, binding, &record.value, true)?
                }
                None => None,
            };
            shown.ok_or_else(|| binding_missing(binding))
        })
        .await
    }

    /// Bindings in the order of their creation. Cost: linear in the page, and in what a second filter passes over.
    ///
    /// # Errors
    /// If the account, the holder or the role does not exist.
    pub async fn list_bindings(
        &self,
        account: AccountId,
        filter: BindingFilter,
        size: usize,
        after: Option<Number>,
        at: ReadAt,
    ) -> Result<Page<BindingView>, ServiceError> {
        let (items, revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                let catalog = &catalog.compiled;
                let number = found.number;
                let holder = filter.holder.as_ref().map(|name| find_holder(&view, number, name)).transpose()?;
                let role = filter
                    .role
                    .as_ref()
                    .map(|name| facts::find_role(&view, &found, catalog, name, filter.show_internal))
                    .transpose()?;
                let range = match (holder, role) {
                    (Some(holder), _) => KeyRange::HolderBindings { account: number, holder: holder.number() },
                    (None, Some(role)) => KeyRange::RoleBindings { account: number, role },
                    (None, None) => KeyRange::Bindings(number),
                };
                let mut after = match (after, holder, role) {
                    (None, ..) => None,
                    (Some(binding), Some(holder), _) => {
                        Some(Key::HolderBinding { account: number, holder: holder.number(), binding })
                    }
                    (Some(binding), None, Some(role)) => {
                        // The page before ended with it, at the same revision.
                        let last = facts::get_binding(&view, &Key::Binding { account: number, binding })?;
                        let holder = last.map(|last| last.value.holder.number());
                        holder.map(|holder| Key::RoleBinding { account: number, role, holder, binding })
                    }
                    (Some(binding), None, None) => Some(Key::Binding { account: number, binding }),
                };
                let mut items = Vec::new();
                while items.len() <= size {
                    let piece = view.scan(range, after.as_ref(), size + 1)?;
                    let Some((last, _)) = piece.last() else { break };
                    after = Some(last.clone());
                    for (key, _) in piece {
                        let (Key::Binding { binding, .. }
                        | Key::HolderBinding { binding, .. }
                        | Key::RoleBinding { binding, .. }) = key
                        else {
                            continue;
                        };
                        let Some(record) = facts::get_binding(&view, &Key::Binding { account: number, binding })?
                        else {
                            continue;
                        };
                        if role.is_some_and(|role| role != record.value.role) {
                            continue;
                        }
                        let show = filter.show_internal;
                        items.extend(binding_view(&view, &account, number, catalog, binding, &record.value, show)?);
                    }
                }
                items.truncate(size + 1);
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |binding| binding.number.0.to_string()))
    }

    /// Takes a role away again.
    ///
    /// # Errors
    /// If the account or the binding does not exist.
    pub async fn delete_binding(&self, account: AccountId, binding: Number) -> Result<Written<()>, ServiceError> {
        self.write("DeleteRoleBinding", move |plan| {
            let (found, catalog) = account_and_catalog(plan, &account)?;
            let record = facts::get_binding(plan, &Key::Binding { account: found.number, binding })?;
            let shown = match record {
                Some(record) => {
                    binding_view(plan, &account, found.number, &catalog.compiled, binding, &record.value, true)?
                }
                None => None,
            };
            shown.ok_or_else(|| binding_missing(binding))?;
            remove_binding(plan, found.number, binding)
        })
        .await
    }
}

fn binding_missing(binding: Number) -> ServiceError {
    ServiceError::new(ErrorReason::BindingNotFound, format!("the account has no role binding {}", binding.0))
        .with("role_binding", binding.0.to_string())
}

fn find_holder(view: &dyn View, account: Number, name: &HolderName) -> Result<Holder, ServiceError> {
    Ok(match name {
        HolderName::User(id) => Holder::User(facts::find_user(view, account, id)?.0),
        HolderName::Team(id) => Holder::Team(facts::find_team(view, account, id)?.0),
        HolderName::ServiceAccount(id) => Holder::ServiceAccount(facts::find_service_account(view, account, id)?.0),
    })
}

/// Refuses one more role where there are as many as there can be. Cost: linear in what is held.
fn check_role_limit(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    held: &[(Number, Number)],
) -> Result<(), ServiceError> {
    if held.len() < MAX_TEAMS_OR_ROLES_OF_A_USER {
        return Ok(());
    }
    // Bindings of roles that are gone do not count.
    let mut live = 0;
    for (_, role) in held {
        live += usize::from(facts::role_of_number(view, account, catalog, *role, &mut |_| {})?.is_some());
    }
    if live < MAX_TEAMS_OR_ROLES_OF_A_USER {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorReason::LimitReached,
        format!("the holder has {live} roles; the maximum is {MAX_TEAMS_OR_ROLES_OF_A_USER}"),
    )
    .with("maximum", MAX_TEAMS_OR_ROLES_OF_A_USER.to_string()))
}

/// Puts a new binding into a plan.
pub(super) fn insert_binding(
    plan: &mut Plan<'_>,
    account: Number,
    holder: Holder,
    role: Number,
) -> Result<Number, ServiceError> {
    let binding = plan.allocate();
    let record = BindingRecord { holder, role, created: plan.time };
    plan.put(Key::Binding { account, binding }, Record::Binding(record))?;
    plan.put(Key::HolderBinding { account, holder: holder.number(), binding }, Record::Name(role))?;
    plan.put(Key::RoleBinding { account, role, holder: holder.number(), binding }, Record::Present)?;
    Ok(binding)
}

/// Takes a binding out of a plan.
pub(super) fn remove_binding(plan: &mut Plan<'_>, account: Number, binding: Number) -> Result<(), ServiceError> {
    let key = Key::Binding { account, binding };
    if let Some(record) = facts::get_binding(plan, &key)? {
        let (holder, role) = (record.value.holder.number(), record.value.role);
        plan.remove(Key::HolderBinding { account, holder, binding })?;
        plan.remove(Key::RoleBinding { account, role, holder, binding })?;
        plan.remove(key)?;
    }
    Ok(())
}

/// A binding as it is shown; none if its holder or its role is gone, or may not be seen.
fn binding_view(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    number: Number,
    record: &BindingRecord,
    show_internal: bool,
) -> Result<Option<BindingView>, ServiceError> {
    let Some(holder) = facts::holder_name(view, account, record.holder)? else { return Ok(None) };
    let Some((role, _)) = facts::role_of_number(view, account, catalog, record.role, &mut |_| {})? else {
        return Ok(None);
    };
    if facts::is_internal(catalog, &role) && !show_internal {
        return Ok(None);
    }
    let role = facts::role_name(account_id, catalog, &role);
    Ok(Some(BindingView { number, holder, role, created: record.created }))
}
