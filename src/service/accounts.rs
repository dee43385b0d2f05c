//! Accounts: created, read, changed, deleted.

use super::{
    core::{CatalogAt, Core, Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount},
    manners::Etag,
    plan::Plan,
    writer::Write,
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
    /// Its version.
    pub etag: Etag,
}

impl Service {
    /// One account.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_account(&self, id: AccountId, at: ReadAt) -> Result<(AccountView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let account = facts::find_account(&view, &id)?;
            let catalog = existing_catalog(core.catalog_at(account.record.catalog, view.revision)?)?;
            Ok(account_view(&account, &catalog.compiled))
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
                        let found = FoundAccount { number, record: record.value, revision: record.revision };
                        items.push(account_view(&found, &catalog.compiled));
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(page, size, revision, |account| account.id.to_string()))
    }
}

/// Creates an account without users, teams or custom roles. Refused if the id is taken, or the catalog or a feature does
/// not exist.
#[must_use]
pub fn create_account(new: NewAccount) -> Write<AccountView> {
    Write::new("CreateAccount", move |plan| {
        if plan.get(&Key::AccountName(new.id.clone()))?.is_some() {
            return Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("there is an account {:?} already", new.id.as_str()),
            ));
        }
        let number = facts::find_catalog(plan, &new.catalog)?;
        let catalog = existing_catalog(plan.catalog(number)?)?;
        let record = AccountRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            catalog: number,
            state: new.state,
            features: feature_numbers(&catalog.compiled, &new.features)?,
            created: plan.time,
            updated: plan.time,
        };
        insert_account(plan, record)?;
        Ok(account_view(&facts::find_account(plan, &new.id)?, &catalog.compiled))
    })
}

/// Changes an account. Refused if it or a feature does not exist, another catalog is asked for, or it is another version
/// than expected.
#[must_use]
pub fn update_account(id: AccountId, update: AccountUpdate, expected: Option<Etag>) -> Write<AccountView> {
    Write::new("UpdateAccount", move |plan| {
        let before = facts::find_account(plan, &id)?;
        before.etag().expect(expected)?;
        let catalog = existing_catalog(plan.catalog(before.record.catalog)?)?;
        let fixed = &catalog.compiled.catalog().definition.id;
        if let Some(other) = update.catalog.filter(|asked| asked != fixed) {
            return Err(ServiceError::new(
                ErrorReason::CatalogFixed,
                format!("the account lives under the catalog {fixed} and cannot move to {other}"),
            ));
        }
        let mut record = before.record.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.state = update.state.unwrap_or(record.state);
        if let Some(features) = &update.features {
            record.features = feature_numbers(&catalog.compiled, features)?;
        }
        if record != before.record {
            record.updated = plan.time;
        }
        plan.put(Key::Account(before.number), Record::Account(record))?;
        Ok(account_view(&facts::find_account(plan, &id)?, &catalog.compiled))
    })
}

/// Deletes an account with everything in it. Refused if it does not exist, or is another version than expected. Cost:
/// constant; what was in it is swept later.
#[must_use]
pub fn delete_account(id: AccountId, expected: Option<Etag>) -> Write<()> {
    Write::new("DeleteAccount", move |plan| {
        let found = facts::find_account(plan, &id)?;
        found.etag().expect(expected)?;
        plan.remove(Key::Account(found.number))?;
        plan.remove(Key::AccountName(id))?;
        plan.remove(Key::CatalogAccount { catalog: found.record.catalog, account: found.number })?;
        plan.retire(found.number, Kind::Account, None)
    })
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

/// An account as it is shown.
pub(super) fn account_view(found: &FoundAccount, catalog: &CompiledCatalog) -> AccountView {
    let record = &found.record;
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
        etag: found.etag(),
    }
}
