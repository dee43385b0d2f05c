//! Exceptions: single permissions given straight to single users, on the whole account, each with a reason.
//!
//! An exception is one record of its user and one beside its permission. One whose permission the catalog has no more, or
//! keeps for internal roles now, is void and not shown.

use std::cmp::Reverse;

use super::{
    MAX_EXCEPTIONS,
    accounts::{account_and_catalog, account_and_catalog_at},
    core::{ReadAt, Service},
    custom_roles::permission_number,
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{AccountId, ExceptionRecord, Key, KeyRange, Number, PermissionId, Record, Revision, Timestamp, UserId},
    store::View,
};

/// An exception to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewException {
    /// The permission.
    pub permission: PermissionId,
    /// Why it is given.
    pub reason: String,
    /// From when on it counts no more; none: it does for good.
    pub expires: Option<Timestamp>,
}

/// An exception as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionView {
    /// The permission.
    pub permission: PermissionId,
    /// What was given with it.
    pub record: ExceptionRecord,
}

impl Service {
    /// The exceptions of a user, expired ones too, ordered by permission.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn list_exceptions(
        &self,
        account: AccountId,
        user: UserId,
        at: ReadAt,
    ) -> Result<(Vec<ExceptionView>, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            let (user, _) = facts::find_user(&view, found.number, &user)?;
            exceptions_of(&view, found.number, &catalog.compiled, user)
        })
        .await
    }
}

/// Gives a user one extra permission; one that has expired is replaced. Refused if account, user or permission does not
/// exist, the user has an exception for it, the expiry does not lie ahead, or the user has as many as it can have.
#[must_use]
pub fn create_exception(account: AccountId, user: UserId, new: NewException) -> Write<ExceptionView> {
    Write::new("CreateException", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (number, _) = facts::find_user(plan, found.number, &user)?;
        let given = give_exception(plan, found.number, &catalog.compiled, number, new);
        given.map_err(|error| error.below("exception"))
    })
}

/// Takes an exception away. Refused if account, user, permission or exception does not exist.
#[must_use]
pub fn delete_exception(account: AccountId, user: UserId, permission: PermissionId) -> Write<()> {
    Write::new("DeleteException", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let account = found.number;
        let (user, _) = facts::find_user(plan, account, &user)?;
        let number = find_permission(&catalog.compiled, &permission)?;
        if plan.get(&Key::Exception { account, user, permission: number })?.is_none() {
            return Err(ServiceError::new(
                ErrorReason::ExceptionNotFound,
                format!("the user has no exception for {permission}"),
            )
            .with("permission", permission.as_str()));
        }
        remove_exception(plan, account, user, number)
    })
}

/// Gives a user one extra permission. Refused as [`create_exception`]; wrong fields are named `expire_time` and so on.
/// Cost: linear in the user's exceptions.
pub(super) fn give_exception(
    plan: &mut Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
    new: NewException,
) -> Result<ExceptionView, ServiceError> {
    let permission = find_permission(catalog, &new.permission)?;
    if new.expires.is_some_and(|expires| expires <= plan.time) {
        return Err(ServiceError::field(
            "expire_time",
            "a time that has passed was given; one that lies ahead is expected",
        ));
    }
    let held = all_of(plan, account, user)?;
    if held.iter().any(|(number, record)| *number == permission && is_live(record, plan.time)) {
        return Err(ServiceError::new(
            ErrorReason::AlreadyExists,
            format!("the user has an exception for {} already; delete it first", new.permission),
        ));
    }
    make_room(plan, account, catalog, user, permission, held)?;
    let record = ExceptionRecord { reason: new.reason, expires: new.expires, created: plan.time };
    plan.put(Key::Exception { account, user, permission }, Record::Exception(record.clone()))?;
    plan.put(Key::PermissionException { account, permission, user }, Record::Present)?;
    Ok(ExceptionView { permission: new.permission, record })
}

/// The exceptions of a user that are not void, ordered by permission.
pub(super) fn exceptions_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
) -> Result<Vec<ExceptionView>, ServiceError> {
    let mut views: Vec<ExceptionView> = all_of(view, account, user)?
        .into_iter()
        .filter_map(|(number, record)| Some(ExceptionView { permission: live_permission(catalog, number)?, record }))
        .collect();
    views.sort_by(|one, other| one.permission.cmp(&other.permission));
    Ok(views)
}

/// Takes all exceptions of a user out of a plan.
pub(super) fn remove_exceptions(plan: &mut Plan<'_>, account: Number, user: Number) -> Result<(), ServiceError> {
    for (permission, _) in all_of(plan, account, user)? {
        remove_exception(plan, account, user, permission)?;
    }
    Ok(())
}

/// Takes one exception out of a plan.
pub(super) fn remove_exception(
    plan: &mut Plan<'_>,
    account: Number,
    user: Number,
    permission: Number,
) -> Result<(), ServiceError> {
    plan.remove(Key::Exception { account, user, permission })?;
    plan.remove(Key::PermissionException { account, permission, user })
}

/// Whether an exception counts at an instant.
pub(super) fn is_live(record: &ExceptionRecord, now: Timestamp) -> bool {
    record.expires.is_none_or(|expires| now < expires)
}

fn find_permission(catalog: &CompiledCatalog, id: &PermissionId) -> Result<Number, ServiceError> {
    permission_number(catalog, id).ok_or_else(|| {
        let catalog = &catalog.catalog().definition.id;
        ServiceError::new(
            ErrorReason::PermissionNotFound,
            format!("the catalog {catalog} has no permission that a user can be given called {id}"),
        )
        .with("permission", id.as_str())
    })
}

/// The permission of a number, if an exception can still be for it.
pub(super) fn live_permission(catalog: &CompiledCatalog, number: Number) -> Option<PermissionId> {
    let definition = catalog.definition(catalog.permission_of_number(number)?)?;
    (!definition.internal).then(|| definition.id.clone())
}

fn all_of(view: &dyn View, account: Number, user: Number) -> Result<Vec<(Number, ExceptionRecord)>, ServiceError> {
    let all = facts::scan_all(view, KeyRange::Exceptions { account, user })?;
    let all = all.into_iter().filter_map(|(key, record)| match (key, record.value) {
        (Key::Exception { permission, .. }, Record::Exception(record)) => Some((permission, record)),
        _ => None,
    });
    Ok(all.collect())
}

/// Refuses one more exception where as many count as can. Otherwise there is room: what is void goes, and where that is
/// not enough those that expired first.
fn make_room(
    plan: &mut Plan<'_>,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
    permission: Number,
    held: Vec<(Number, ExceptionRecord)>,
) -> Result<(), ServiceError> {
    let others = held.into_iter().filter(|(number, _)| *number != permission);
    let (kept, void): (Vec<_>, Vec<_>) =
        others.partition(|(number, _)| catalog.permission_of_number(*number).is_some());
    let (live, mut expired): (Vec<_>, Vec<_>) = kept
        .into_iter()
        // Of what became internal nothing is lost: the catalog can take that back.
        .filter(|(number, _)| live_permission(catalog, *number).is_some())
        .partition(|(_, record)| is_live(record, plan.time));
    if live.len() >= MAX_EXCEPTIONS {
        return Err(ServiceError::new(
            ErrorReason::LimitReached,
            format!("the user has {} exceptions; the maximum is {MAX_EXCEPTIONS}", live.len()),
        )
        .with("maximum", MAX_EXCEPTIONS.to_string()));
    }
    expired.sort_by_key(|(number, record)| (Reverse(record.expires), *number));
    let surplus = expired.into_iter().skip(MAX_EXCEPTIONS - 1 - live.len());
    for (number, _) in void.into_iter().chain(surplus) {
        remove_exception(plan, account, user, number)?;
    }
    Ok(())
}
