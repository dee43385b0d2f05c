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
    facts::{self, FoundAccount, HeldBinding, RoleName},
    manners::Etag,
    plan::Plan,
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, BindingRecord, HeldRecord, Holder, HolderKind, Key, KeyRange, Number, Record, ResourcePath,
        Revision, RoleHoldersRecord, ServiceAccountId, Stamped, TeamId, Timestamp, UserId,
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
    /// Where in the request it stands.
    pub place: String,
    /// Who is to hold the role.
    pub holder: HolderName,
    /// The role.
    pub role: RoleName,
    /// The registered resource that it is on; none: the whole account.
    pub resource: Option<ResourcePath>,
    /// From when on it counts no more; none: it does for good.
    pub expires: Option<Timestamp>,
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

/// What came of replacing the roles of a holder on the whole account.
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
    /// The registered resource that it is on; none: the whole account.
    pub resource: Option<ResourcePath>,
    /// From when on it counts no more; none: it does for good.
    pub expires: Option<Timestamp>,
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
    /// One binding. One whose holder, role or resource is gone is gone too.
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
                let holder = filter.holder.as_ref().map(|name| facts::find_holder(&view, number, name)).transpose()?;
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

/// Gives roles, each to its holder: all of them, or none. Those that are held already, on the same resource and for as
/// long, are passed over if `skip_held`, and refused otherwise. Refused if account, a holder, a role or a resource does not
/// exist, an expiry has come, or a holder would hold too many.
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
            let number = create_binding(plan, &found, &catalog.compiled, &new, skip_held)?;
            views.extend(one_view(plan, &account, &found, &catalog.compiled, number)?);
        }
        Ok(views)
    })
}

fn create_binding(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    new: &NewBinding,
    skip_held: bool,
) -> Result<Number, ServiceError> {
    let role = facts::find_role(plan, found, catalog, &new.role, new.allow_internal)?;
    let holder = facts::find_holder(plan, found.number, &new.holder)?;
    let resource = match &new.resource {
        Some(path) => Some(facts::find_resource(plan, found.number, catalog, path)?.0),
        None => None,
    };
    if new.expires.is_some_and(|expires| expires <= plan.time) {
        return Err(ServiceError::field(
            &format!("{}.expire_time", new.place),
            "a time that has passed was given; one that lies ahead is expected",
        ));
    }
    let held = HeldRecord { role, resource, expires: new.expires };
    match give_role(plan, found.number, catalog, holder, held)? {
        Given::New(number) => Ok(number),
        Given::Held(same) if skip_held && same.expires == new.expires => Ok(same.binding),
        Given::Held(_) => {
            let on = new.resource.as_ref().map(|path| format!(" on {path}")).unwrap_or_default();
            let until = if skip_held { ", and until another time" } else { "" };
            Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("{} holds the role {}{on} already{until}", new.holder, new.role),
            ))
        }
    }
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

/// Makes a holder hold these roles directly on the whole account, for good, and no others there; internal ones and those
/// on resources are left as they are. Gives the roles that it was given, and those that were taken away. Refused if account,
/// holder or a role does not exist.
#[must_use]
pub fn replace_bindings(account: AccountId, holder: HolderName, roles: Vec<RoleName>) -> Write<ReplacedRoles> {
    Write::new("ReplaceRoleBindings", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let catalog = &catalog.compiled;
        let holder = facts::find_holder(plan, found.number, &holder)?;
        let mut wanted = BTreeMap::new();
        for name in roles {
            wanted.insert(facts::find_role(plan, &found, catalog, &name, false)?, name);
        }
        let mut replaced = ReplacedRoles::default();
        let held = facts::bindings_of(plan, found.number, holder.number())?;
        for HeldBinding { binding, role, expires, .. } in held.into_iter().filter(|held| held.resource.is_none()) {
            let Some((facts, _)) = facts::role_of_number(plan, found.number, catalog, role, &mut |_| {})? else {
                continue;
            };
            if expires.is_none() && wanted.remove(&role).is_some() {
                continue;
            }
            if !facts::is_internal(catalog, &facts) {
                // One that is wanted for good is given anew.
                remove_binding(plan, found.number, binding)?;
                if !wanted.contains_key(&role) {
                    replaced.removed.insert(facts::role_name(&account, catalog, &facts));
                }
            }
        }
        for (role, name) in wanted {
            give_role(plan, found.number, catalog, holder, for_good(role))?;
            replaced.added.insert(name);
        }
        Ok(replaced)
    })
}

fn binding_missing(binding: Number) -> ServiceError {
    ServiceError::new(ErrorReason::BindingNotFound, format!("the account has no role binding {}", binding.0))
        .with("role_binding", binding.0.to_string())
}

/// What came of giving a role.
enum Given {
    New(Number),
    Held(HeldBinding),
}

/// A role on the whole account, for good.
fn for_good(role: Number) -> HeldRecord {
    HeldRecord { role, resource: None, expires: None }
}

/// Gives a role, unless it is held on the same resource already. A binding that has expired makes room for the new one.
fn give_role(
    plan: &mut Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Holder,
    new: HeldRecord,
) -> Result<Given, ServiceError> {
    let mut held = facts::bindings_of(plan, account, holder.number())?;
    let same = held.iter().position(|held| held.role == new.role && held.resource == new.resource);
    if let Some(same) = same {
        let same = held.remove(same);
        if same.is_live(plan.time) {
            return Ok(Given::Held(same));
        }
        remove_binding(plan, account, same.binding)?;
    }
    check_role_limit(plan, account, catalog, &held)?;
    let is_first = !held.iter().any(|held| held.role == new.role);
    put_binding(plan, account, holder, new, is_first).map(Given::New)
}

/// Gives a new holder its roles; one that is named twice, on the same resource and for as long, is given once. Internal
/// ones are not found.
pub(super) fn give_roles(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    holder: Holder,
    roles: &[RoleName],
    bindings: &[NewBinding],
) -> Result<(), ServiceError> {
    for name in roles {
        let role = facts::find_role(plan, found, catalog, name, false)?;
        give_role(plan, found.number, catalog, holder, for_good(role))?;
    }
    for new in bindings {
        create_binding(plan, found, catalog, new, true)?;
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
        let holder = facts::find_holder(plan, account, name)?;
        give_role(plan, account, catalog, holder, for_good(role))?;
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
    plan: &Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    held: &[HeldBinding],
) -> Result<(), ServiceError> {
    if held.len() < MAX_TEAMS_OR_ROLES_OF_A_USER {
        return Ok(());
    }
    // Those that have expired do not count, nor do those of roles that are gone.
    let mut live = 0;
    for held in held.iter().filter(|held| held.is_live(plan.time)) {
        live += usize::from(facts::role_of_number(plan, account, catalog, held.role, &mut |_| {})?.is_some());
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

/// Puts a new binding into a plan. Cost: linear in what the holder holds.
pub(super) fn insert_binding(
    plan: &mut Plan<'_>,
    account: Number,
    holder: Holder,
    role: Number,
    resource: Option<Number>,
    expires: Option<Timestamp>,
) -> Result<Number, ServiceError> {
    let is_first = !holds(plan, account, holder, role)?;
    put_binding(plan, account, holder, HeldRecord { role, resource, expires }, is_first)
}

/// Puts a new binding into a plan, and counts the holder if it is its first one of the role.
fn put_binding(
    plan: &mut Plan<'_>,
    account: Number,
    holder: Holder,
    new: HeldRecord,
    is_first: bool,
) -> Result<Number, ServiceError> {
    let binding = plan.allocate();
    let HeldRecord { role, resource, expires } = new;
    let record = BindingRecord { holder, role, resource, expires, created: plan.time };
    let held = if new == for_good(role) { Record::Name(role) } else { Record::Held(new) };
    plan.put(Key::Binding { account, binding }, Record::Binding(record))?;
    plan.put(Key::HolderBinding { account, holder: holder.number(), binding }, held)?;
    plan.put(Key::RoleBinding { account, role, holder, binding }, Record::Present)?;
    if let Some(resource) = resource {
        plan.put(Key::ResourceBinding { account, resource, binding }, Record::Present)?;
    }
    if is_first {
        count_holder(plan, account, role, holder, 1)?;
    }
    Ok(binding)
}

/// Takes a binding out of a plan. Cost: linear in what the holder holds.
pub(super) fn remove_binding(plan: &mut Plan<'_>, account: Number, binding: Number) -> Result<(), ServiceError> {
    if let Some(record) = facts::get_binding(plan, &Key::Binding { account, binding })? {
        let BindingRecord { holder, role, resource, .. } = record.value;
        take_binding(plan, account, binding, holder, role, resource)?;
        if !holds(plan, account, holder, role)? {
            count_holder(plan, account, role, holder, -1)?;
        }
    }
    Ok(())
}

/// Takes all bindings of a holder out of a plan. Cost: linear in them.
pub(super) fn remove_bindings_of(plan: &mut Plan<'_>, account: Number, holder: Holder) -> Result<(), ServiceError> {
    let mut roles = BTreeSet::new();
    for HeldBinding { binding, role, resource, .. } in facts::bindings_of(plan, account, holder.number())? {
        take_binding(plan, account, binding, holder, role, resource)?;
        roles.insert(role);
    }
    for role in roles {
        count_holder(plan, account, role, holder, -1)?;
    }
    Ok(())
}

/// Takes a binding out of a plan, without counting its holder.
pub(super) fn take_binding(
    plan: &mut Plan<'_>,
    account: Number,
    binding: Number,
    holder: Holder,
    role: Number,
    resource: Option<Number>,
) -> Result<(), ServiceError> {
    plan.remove(Key::HolderBinding { account, holder: holder.number(), binding })?;
    plan.remove(Key::RoleBinding { account, role, holder, binding })?;
    if let Some(resource) = resource {
        plan.remove(Key::ResourceBinding { account, resource, binding })?;
    }
    plan.remove(Key::Binding { account, binding })
}

/// Whether a holder has a binding of a role, on whatever and for however long.
fn holds(view: &dyn View, account: Number, holder: Holder, role: Number) -> Result<bool, ServiceError> {
    Ok(facts::bindings_of(view, account, holder.number())?.iter().any(|held| held.role == role))
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

/// A binding as it is shown; none if its holder, its role or its resource is gone, or may not be seen.
fn binding_view(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    number: Number,
    record: &Stamped<BindingRecord>,
    show_internal: bool,
) -> Result<Option<BindingView>, ServiceError> {
    let Some(holder) = facts::holder_name(view, account, record.value.holder)? else { return Ok(None) };
    let Some((role, _)) = facts::role_of_number(view, account, catalog, record.value.role, &mut |_| {})? else {
        return Ok(None);
    };
    if facts::is_internal(catalog, &role) && !show_internal {
        return Ok(None);
    }
    let role = facts::role_name(account_id, catalog, &role);
    named_view(view, account, catalog, number, record, holder, role)
}

/// A binding as it is shown, of a holder and a role whose names are known; none if its resource is gone.
fn named_view(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    number: Number,
    record: &Stamped<BindingRecord>,
    holder: HolderName,
    role: RoleName,
) -> Result<Option<BindingView>, ServiceError> {
    let etag = Etag { number, revision: record.revision };
    let BindingRecord { resource, expires, created, .. } = record.value;
    let resource = match resource {
        None => None,
        Some(resource) => {
            let found = facts::get_resource(view, &Key::Resource { account, resource })?.map(|found| found.value);
            // A resource of a type that the catalog has no more is void.
            let found = found.filter(|found| catalog.resource_type_of_number(found.resource_type).is_some());
            let Some(found) = found else { return Ok(None) };
            Some(found.path)
        }
    };
    Ok(Some(BindingView { number, holder, role, resource, expires, created, etag }))
}

/// Bindings of one holder and one role as they are shown, less those whose resource is gone. Cost: linear in them.
pub(super) fn views_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    bindings: &[Number],
    holder: &HolderName,
    role: &RoleName,
) -> Result<Vec<BindingView>, ServiceError> {
    let mut views = Vec::with_capacity(bindings.len());
    for number in bindings {
        if let Some(record) = facts::get_binding(view, &Key::Binding { account, binding: *number })? {
            views.extend(named_view(view, account, catalog, *number, &record, holder.clone(), role.clone())?);
        }
    }
    Ok(views)
}
