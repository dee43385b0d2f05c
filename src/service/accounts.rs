//! Accounts: created, read, changed, deleted.

use super::{
    core::{CatalogAt, Core, Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount},
    plan::Plan,
    writer::Written,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, AccountRecord, AccountState, CatalogId, FeatureId, Key, KeyRange, Kind, Number, Record, Revision,
        Timestamp,
    },
    store::{At, View},
};

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub display_name: String,
    /// The catalog that it lives under.
    pub catalog: CatalogId,
    /// Whether it is in use.
    pub state: AccountState,
    /// The features that it is entitled to.
    pub features: Vec<FeatureId>,
}

/// What to change of an account; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountUpdate {
    /// For people.
    pub display_name: Option<String>,
    /// Has to be the one that it lives under.
    pub catalog: Option<CatalogId>,
    /// Whether it is in use.
    pub state: Option<AccountState>,
    /// The features that it is entitled to, all of them.
    pub features: Option<Vec<FeatureId>>,
}

/// An account as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub display_name: String,
    /// The catalog that it lives under.
    pub catalog: CatalogId,
    /// Whether it is in use.
    pub state: AccountState,
    /// The features that it is entitled to, ordered by id.
    pub features: Vec<FeatureId>,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

impl Service {
    /// Creates an account without users, teams or custom roles.
    ///
    /// # Errors
    /// If the id is taken, or the catalog or a feature does not exist.
    pub async fn create_account(&self, new: NewAccount) -> Result<Written<AccountView>, ServiceError> {
        self.write("CreateAccount", move |plan| {
            if plan.get(&Key::AccountName(new.id.clone()))?.is_some() {
                return Err(ServiceError::new(
                    ErrorReason::AlreadyExists,
                    format!("there is an account {:?} already", new.id.as_str()),
                ));
            }
            let number = facts::find_catalog(plan, &new.catalog)?;
            let catalog = existing_catalog(plan.catalog(number)?)?;
            let record = AccountRecord {
                id: new.id,
                display_name: new.display_name,
                catalog: number,
                state: new.state,
                features: feature_numbers(&catalog.compiled, &new.features)?,
                created: plan.time,
                updated: plan.time,
            };
            let view = account_view(&record, &catalog.compiled);
            insert_account(plan, record)?;
            Ok(view)
        })
        .await
    }

    /// One account.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_account(&self, id: AccountId, at: ReadAt) -> Result<(AccountView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let account = facts::find_account(&view, &id)?;
            let catalog = existing_catalog(core.catalog_at(account.record.catalog, view.revision)?)?;
            Ok(account_view(&account.record, &catalog.compiled))
        })
        .await
    }

    /// Accounts ordered by id. Cost: linear in the page.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn list_accounts(
        &self,
        size: usize,
        after: Option<AccountId>,
        at: ReadAt,
    ) -> Result<Page<AccountView>, ServiceError> {
        let (page, revision) = self
            .read(at, move |core, view| {
                let after = after.map(Key::AccountName);
                let found = view.scan(KeyRange::AccountNames, after.as_ref(), size + 1)?;
                let mut items = Vec::with_capacity(found.len());
                for (_, name) in found {
                    let Record::Name(number) = name.value else { continue };
                    if let Some(record) = facts::get_account(&view, &Key::Account(number))? {
                        let catalog = existing_catalog(core.catalog_at(record.value.catalog, view.revision)?)?;
                        items.push(account_view(&record.value, &catalog.compiled));
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(page, size, revision, |account| account.id.to_string()))
    }

    /// Changes an account.
    ///
    /// # Errors
    /// If it or a feature does not exist, or another catalog is asked for.
    pub async fn update_account(
        &self,
        id: AccountId,
        update: AccountUpdate,
    ) -> Result<Written<AccountView>, ServiceError> {
        self.write("UpdateAccount", move |plan| {
            let FoundAccount { number, mut record } = facts::find_account(plan, &id)?;
            let catalog = existing_catalog(plan.catalog(record.catalog)?)?;
            let fixed = &catalog.compiled.catalog().definition.id;
            if let Some(other) = update.catalog.filter(|asked| asked != fixed) {
                return Err(ServiceError::new(
                    ErrorReason::CatalogFixed,
                    format!("the account lives under the catalog {fixed} and cannot move to {other}"),
                ));
            }
            let before = record.clone();
            record.display_name = update.display_name.unwrap_or(record.display_name);
            record.state = update.state.unwrap_or(record.state);
            if let Some(features) = &update.features {
                record.features = feature_numbers(&catalog.compiled, features)?;
            }
            if record != before {
                record.updated = plan.time;
            }
            let view = account_view(&record, &catalog.compiled);
            plan.put(Key::Account(number), Record::Account(record))?;
            Ok(view)
        })
        .await
    }

    /// Deletes an account with everything in it. Cost: constant; what was in it is swept later.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn delete_account(&self, id: AccountId) -> Result<Written<()>, ServiceError> {
        self.write("DeleteAccount", move |plan| {
            let FoundAccount { number, record } = facts::find_account(plan, &id)?;
            plan.remove(Key::Account(number))?;
            plan.remove(Key::AccountName(id))?;
            plan.remove(Key::CatalogAccount { catalog: record.catalog, account: number })?;
            plan.retire(number, Kind::Account, None)
        })
        .await
    }
}

impl<T> Page<T> {
    /// A page of at most `size` of the items, which are one more if there is another page.
    pub(super) fn cut(mut items: Vec<T>, size: usize, revision: Revision, cursor: impl Fn(&T) -> String) -> Self {
        let has_more = items.len() > size;
        items.truncate(size);
        let next = if has_more { items.last().map(cursor) } else { None };
        Self { items, next, revision }
    }
}

/// Puts a new account into a plan.
pub(super) fn insert_account(plan: &mut Plan<'_>, record: AccountRecord) -> Result<Number, ServiceError> {
    let account = plan.allocate();
    plan.put(Key::AccountName(record.id.clone()), Record::Name(account))?;
    plan.put(Key::CatalogAccount { catalog: record.catalog, account }, Record::Present)?;
    plan.put(Key::Account(account), Record::Account(record))?;
    Ok(account)
}

/// The catalog of an account has to be there: it cannot be deleted while the account lives under it.
pub(super) fn existing_catalog(catalog: Option<CatalogAt>) -> Result<CatalogAt, ServiceError> {
    catalog.ok_or_else(|| {
        crate::store::StoreError::DamagedState("an account lives under a catalog that is not there".to_owned()).into()
    })
}

/// An account with its catalog, for use cases that begin with both.
pub(super) fn account_and_catalog(plan: &Plan<'_>, id: &AccountId) -> Result<(FoundAccount, CatalogAt), ServiceError> {
    let account = facts::find_account(plan, id)?;
    let catalog = existing_catalog(plan.catalog(account.record.catalog)?)?;
    Ok((account, catalog))
}

/// The same, read at one revision.
pub(super) fn account_and_catalog_at(
    core: &Core,
    view: &At<'_>,
    id: &AccountId,
) -> Result<(FoundAccount, CatalogAt), ServiceError> {
    let account = facts::find_account(view, id)?;
    let catalog = existing_catalog(core.catalog_at(account.record.catalog, view.revision)?)?;
    Ok((account, catalog))
}

fn feature_numbers(catalog: &CompiledCatalog, ids: &[FeatureId]) -> Result<Vec<Number>, ServiceError> {
    let mut numbers = Vec::with_capacity(ids.len());
    for id in ids {
        numbers.push(catalog.feature_number(id.as_str()).ok_or_else(|| {
            let catalog = &catalog.catalog().definition.id;
            ServiceError::new(ErrorReason::FeatureNotFound, format!("the catalog {catalog} has no feature {id:?}"))
                .with("feature", id.as_str())
        })?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

pub(super) fn account_view(record: &AccountRecord, catalog: &CompiledCatalog) -> AccountView {
    let definition = &catalog.catalog().definition;
    let mut features: Vec<FeatureId> = record
        .features
        .iter()
        .filter_map(|number| catalog.feature_of_number(*number))
        .filter_map(|feature| definition.features.get(feature.position()))
        .map(|feature| feature.id.clone())
        .collect();
    features.sort();
    AccountView {
        id: record.id.clone(),
        display_name: record.display_name.clone(),
        catalog: definition.id.clone(),
        state: record.state,
        features,
        created: record.created,
        updated: record.updated,
    }
}
