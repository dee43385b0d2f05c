//! Service accounts: created, read, found, changed, deleted. They hold roles, and belong to no team.

use super::{
    accounts::account_and_catalog,
    bindings::{NewBinding, give_roles, remove_bindings_of},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
    manners::Etag,
    plan::Plan,
    writer::Write,
};
use crate::{
    model::{
        AccountId, Holder, Key, KeyRange, Number, Record, Revision, ServiceAccountId, ServiceAccountRecord,
        ServiceAccountState, Stamped,
    },
    store::View as _,
};

/// A service account to be created.
#[derive(Clone, Debug)]
pub struct NewServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// Where it stands.
    pub state: ServiceAccountState,
    /// The roles that it is to hold on the whole account, for good.
    pub roles: Vec<RoleName>,
    /// Those that it is to hold besides, each with its place and its time.
    pub bindings: Vec<NewBinding>,
}

/// What to change of a service account; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountUpdate {
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Where it stands.
    pub state: Option<ServiceAccountState>,
}

/// A service account as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountView {
    /// Its own fields.
    pub record: ServiceAccountRecord,
    /// Its version.
    pub etag: Etag,
}

impl Service {
    /// One service account.
    ///
    /// # Errors
    /// If the account or the service account does not exist.
    pub async fn get_service_account(
        &self,
        account: AccountId,
        id: ServiceAccountId,
        at: ReadAt,
    ) -> Result<(ServiceAccountView, Revision), ServiceError> {
        self.read(at, move |_, view| {
            let account = facts::find_account(&view, &account)?.number;
            Ok(shown(facts::find_service_account(&view, account, &id)?))
        })
        .await
    }

    /// Service accounts ordered by id; with a search, in lower case, those that contain it. Cost: linear in the page,
    /// and in those that the search leaves out.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_service_accounts(
        &self,
        account: AccountId,
        search: String,
        size: usize,
        after: Option<ServiceAccountId>,
        at: ReadAt,
    ) -> Result<Page<ServiceAccountView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                let after = after.map(|id| Key::ServiceAccountName { account, id });
                facts::find_in(&view, KeyRange::ServiceAccountNames(account), after, size, |_, name| {
                    let Record::Name(number) = *name else { return Ok(None) };
                    let key = Key::ServiceAccount { account, service_account: number };
                    let found = facts::get_service_account(&view, &key)?.filter(|record| {
                        let record = &record.value;
                        facts::matches(&search, &[record.id.as_str(), &record.display_name, &record.description])
                    });
                    Ok(found.map(|record| shown((number, record))))
                })
            })
            .await?;
        let next = next.and_then(|key| match key {
            Key::ServiceAccountName { id, .. } => Some(id.to_string()),
            _ => None,
        });
        Ok(Page { items, next, revision })
    }
}

/// Creates a service account, with roles. Refused if the account or a role does not exist, or the id is taken.
#[must_use]
pub fn create_service_account(account: AccountId, new: NewServiceAccount) -> Write<ServiceAccountView> {
    Write::new("CreateServiceAccount", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let account = found.number;
        if plan.get(&Key::ServiceAccountName { account, id: new.id.clone() })?.is_some() {
            return Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("the account has a service account {:?} already", new.id.as_str()),
            ));
        }
        let record = ServiceAccountRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            description: new.description,
            state: new.state,
            created: plan.time,
            updated: plan.time,
        };
        let number = insert_service_account(plan, account, record)?;
        give_roles(plan, &found, &catalog.compiled, Holder::ServiceAccount(number), &new.roles, &new.bindings)?;
        Ok(shown(facts::find_service_account(plan, account, &new.id)?))
    })
}

/// Changes a service account. Refused if the account or the service account does not exist, or is another version than
/// expected.
#[must_use]
pub fn update_service_account(
    account: AccountId,
    id: ServiceAccountId,
    update: ServiceAccountUpdate,
    expected: Option<Etag>,
) -> Write<ServiceAccountView> {
    Write::new("UpdateServiceAccount", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (number, before) = facts::find_service_account(plan, account, &id)?;
        Etag { number, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.description = update.description.unwrap_or(record.description);
        record.state = update.state.unwrap_or(record.state);
        if record != before.value {
            record.updated = plan.time;
        }
        plan.put(Key::ServiceAccount { account, service_account: number }, Record::ServiceAccount(record))?;
        Ok(shown(facts::find_service_account(plan, account, &id)?))
    })
}

/// Deletes a service account. Refused as [`update_service_account`]. Cost: linear in the roles that it holds.
#[must_use]
pub fn delete_service_account(account: AccountId, id: ServiceAccountId, expected: Option<Etag>) -> Write<()> {
    Write::new("DeleteServiceAccount", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (number, record) = facts::find_service_account(plan, account, &id)?;
        Etag { number, revision: record.revision }.expect(expected)?;
        remove_service_account(plan, account, number, id)
    })
}

fn shown((number, record): (Number, Stamped<ServiceAccountRecord>)) -> ServiceAccountView {
    ServiceAccountView { etag: Etag { number, revision: record.revision }, record: record.value }
}

/// Puts a new service account into a plan.
pub(super) fn insert_service_account(
    plan: &mut Plan<'_>,
    account: Number,
    record: ServiceAccountRecord,
) -> Result<Number, ServiceError> {
    let service_account = plan.allocate();
    plan.put(Key::ServiceAccountName { account, id: record.id.clone() }, Record::Name(service_account))?;
    plan.put(Key::ServiceAccount { account, service_account }, Record::ServiceAccount(record))?;
    Ok(service_account)
}

/// Takes a service account out of a plan, with the roles that it holds.
pub(super) fn remove_service_account(
    plan: &mut Plan<'_>,
    account: Number,
    service_account: Number,
    id: ServiceAccountId,
) -> Result<(), ServiceError> {
    remove_bindings_of(plan, account, Holder::ServiceAccount(service_account))?;
    plan.remove(Key::ServiceAccount { account, service_account })?;
    plan.remove(Key::ServiceAccountName { account, id })
}
