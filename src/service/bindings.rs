//! Role bindings: who holds which role.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    MAX_TEAMS_OR_ROLES_OF_A_USER,
    accounts::{account_and_catalog, account_and_catalog_at},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, RoleName},
    manners::Etag,
    plan::Plan,
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, BindingRecord, Holder, HolderKind, Key, KeyRange, Number, Record, Revision, RoleHoldersRecord,
        ServiceAccountId, Stamped, TeamId, Timestamp, UserId,
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

/// What came of replacing the roles of a holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplacedRoles {
    /// The roles that it was given.
    pub added: BTreeSet<RoleName>,
    /// The roles that were taken away from it.
    pub removed: BTreeSet<RoleName>,
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
    /// Its version; it has only the one.
    pub etag: Etag,
}

impl fmt::Display for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "users/{id}"),
            Self::Team(id) => write!(f, "teams/{id}"),
            Self::ServiceAccount(id) => write!(f, "serviceAccounts/{id}"),
        }
    }
}

impl Service {
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
            let shown = one_view(&view, &account, &found, &catalog.compiled, binding)?;
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
                        let holder = last.map(|last| last.value.holder);
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
                        items.extend(binding_view(&view, &account, number, catalog, binding, &record, show)?);
                    }
                }
                items.truncate(size + 1);
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |binding| binding.number.0.to_string()))
    }
}

/// Gives roles, each to its holder: all of them, or none. Those that are held already are passed over if `skip_held`, and
/// refused otherwise. Refused if account, a holder or a role does not exist, or a holder would hold too many.
#[must_use]
pub fn create_bindings(
    method: &'static str,
    account: AccountId,
    bindings: Vec<NewBinding>,
    skip_held: bool,
) -> Write<Vec<BindingView>> {
    Write::new(method, move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let mut views = Vec::with_capacity(bindings.len());
        for new in bindings {
            let role = facts::find_role(plan, &found, &catalog.compiled, &new.role, new.allow_internal)?;
            let holder = find_holder(plan, found.number, &new.holder)?;
            let number = match give_role(plan, found.number, &catalog.compiled, holder, role)? {
                Given::New(number) => number,
                Given::Held(number) if skip_held => number,
                Given::Held(_) => {
                    return Err(ServiceError::new(
                        ErrorReason::AlreadyExists,
                        format!("{} holds the role {} already", new.holder, new.role),
                    ));
                }
            };
            views.extend(one_view(plan, &account, &found, &catalog.compiled, number)?);
        }
        Ok(views)
    })
}

/// Takes roles away again: all of them, or none. Refused if the account or a binding does not exist, or, of a single
/// one, is another than expected.
#[must_use]
pub fn delete_bindings(
    method: &'static str,
    account: AccountId,
    bindings: Vec<Number>,
    expected: Option<Etag>,
) -> Write<()> {
    Write::new(method, move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        for binding in bindings {
            let view = one_view(plan, &account, &found, &catalog.compiled, binding)?;
            view.ok_or_else(|| binding_missing(binding))?.etag.expect(expected)?;
            remove_binding(plan, found.number, binding)?;
        }
        Ok(())
    })
}

/// Makes a holder hold these roles directly and no others; internal ones are left as they are. Gives the roles that it
/// was given, and those that were taken away. Refused if account, holder or a role does not exist.
#[must_use]
pub fn replace_bindings(account: AccountId, holder: HolderName, roles: Vec<RoleName>) -> Write<ReplacedRoles> {
    Write::new("ReplaceRoleBindings", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        let holder = find_holder(plan, found.number, &holder)?;
        let mut wanted = BTreeMap::new();
        for name in roles {
            wanted.insert(facts::find_role(plan, &found, catalog, &name, false)?, name);
        }
        let mut replaced = ReplacedRoles::default();
        for facts::HeldBinding { binding: binding, role, .. } in
            facts::bindings_of(plan, found.number, holder.number())?
        {
            let Some((facts, _)) = facts::role_of_number(plan, found.number, catalog, role, &mut |_| {})? else {
                continue;
            };
            if wanted.remove(&role).is_none() && !facts::is_internal(catalog, &facts) {
                remove_binding(plan, found.number, binding)?;
                replaced.removed.insert(facts::role_name(&account, catalog, &facts));
            }
        }
        for (role, name) in wanted {
            give_role(plan, found.number, catalog, holder, role)?;
            replaced.added.insert(name);
        }
        Ok(replaced)
    })
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

/// What came of giving a role.
enum Given {
    New(Number),
    Held(Number),
}

/// Gives a role, unless it is held already.
fn give_role(
    plan: &mut Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Holder,
    role: Number,
) -> Result<Given, ServiceError> {
    let held = facts::bindings_of(plan, account, holder.number())?;
    if let Some(same) = held.iter().find(|held| held.role == role) {
        return Ok(Given::Held(same.binding));
    }
    check_role_limit(plan, account, catalog, &held)?;
    insert_binding(plan, account, holder, role).map(Given::New)
}

/// Gives a new holder its roles; one that is named twice is given once. Internal ones are not found.
pub(super) fn give_roles(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    holder: Holder,
    roles: &[RoleName],
) -> Result<(), ServiceError> {
    for name in roles {
        let role = facts::find_role(plan, found, catalog, name, false)?;
        give_role(plan, found.number, catalog, holder, role)?;
    }
    Ok(())
}

/// Gives one role to many holders; who is named twice is given it once.
pub(super) fn give_to(
    plan: &mut Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    role: Number,
    holders: &[HolderName],
) -> Result<(), ServiceError> {
    for name in holders {
        let holder = find_holder(plan, account, name)?;
        give_role(plan, account, catalog, holder, role)?;
    }
    Ok(())
}

/// Counts one holder of a role more, or one less.
fn count_holder(
    plan: &mut Plan<'_>,
    account: Number,
    role: Number,
    holder: Holder,
    change: i64,
) -> Result<(), ServiceError> {
    #[cfg(test)]
    if change < 0 && plan.core.settings.fault == Some(super::core::Fault::HolderCountKept) {
        return Ok(());
    }
    let key = Key::RoleHolders { account, role };
    let mut counts = facts::get_role_holders(plan, &key)?.map(|counts| counts.value).unwrap_or_default();
    let count = match holder.kind() {
        HolderKind::User => &mut counts.users,
        HolderKind::Team => &mut counts.teams,
        HolderKind::ServiceAccount => &mut counts.service_accounts,
    };
    // Of a role that is gone nothing is counted any more, and its bindings go one by one.
    *count = count.saturating_add_signed(change);
    if counts == RoleHoldersRecord::default() { plan.remove(key) } else { plan.put(key, Record::RoleHolders(counts)) }
}

/// Refuses one more role where there are as many as there can be. Cost: linear in what is held.
fn check_role_limit(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    held: &[facts::HeldBinding],
) -> Result<(), ServiceError> {
    if held.len() < MAX_TEAMS_OR_ROLES_OF_A_USER {
        return Ok(());
    }
    // Bindings of roles that are gone do not count.
    let mut live = 0;
    for held in held {
        live += usize::from(facts::role_of_number(view, account, catalog, held.role, &mut |_| {})?.is_some());
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
    let record = BindingRecord { holder, role, resource: None, expires: None, created: plan.time };
    plan.put(Key::Binding { account, binding }, Record::Binding(record))?;
    plan.put(Key::HolderBinding { account, holder: holder.number(), binding }, Record::Name(role))?;
    plan.put(Key::RoleBinding { account, role, holder, binding }, Record::Present)?;
    count_holder(plan, account, role, holder, 1)?;
    Ok(binding)
}

/// Takes a binding out of a plan.
pub(super) fn remove_binding(plan: &mut Plan<'_>, account: Number, binding: Number) -> Result<(), ServiceError> {
    let key = Key::Binding { account, binding };
    if let Some(record) = facts::get_binding(plan, &key)? {
        let (holder, role) = (record.value.holder, record.value.role);
        plan.remove(Key::HolderBinding { account, holder: holder.number(), binding })?;
        plan.remove(Key::RoleBinding { account, role, holder, binding })?;
        plan.remove(key)?;
        count_holder(plan, account, role, holder, -1)?;
    }
    Ok(())
}

/// One binding as it is shown, of an internal role too; none if it is not there, or its holder or its role is gone.
fn one_view(
    view: &dyn View,
    account_id: &AccountId,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    binding: Number,
) -> Result<Option<BindingView>, ServiceError> {
    match facts::get_binding(view, &Key::Binding { account: found.number, binding })? {
        Some(record) => binding_view(view, account_id, found.number, catalog, binding, &record, true),
        None => Ok(None),
    }
}

/// A binding as it is shown; none if its holder or its role is gone, or may not be seen.
fn binding_view(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    number: Number,
    record: &Stamped<BindingRecord>,
    show_internal: bool,
) -> Result<Option<BindingView>, ServiceError> {
    let etag = Etag { number, revision: record.revision };
    let record = &record.value;
    let Some(holder) = facts::holder_name(view, account, record.holder)? else { return Ok(None) };
    let Some((role, _)) = facts::role_of_number(view, account, catalog, record.role, &mut |_| {})? else {
        return Ok(None);
    };
    if facts::is_internal(catalog, &role) && !show_internal {
        return Ok(None);
    }
    let role = facts::role_name(account_id, catalog, &role);
    Ok(Some(BindingView { number, holder, role, created: record.created, etag }))
}
