//! Making an account equal to a file, in one atomic write.
//!
//! What the file has and the account has not is created, what differs is changed, what the file does not have is
//! deleted; what is the same is not touched, and keeps its number and its bindings' ids.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

mod given;
mod holders;
mod import;
mod parts;
mod references;
mod roles;

pub use self::import::{Existing, ImportedUsers, import_users};
use self::references::Names;
pub(super) use self::{
    given::{grants_of, role_name_of},
    roles::{policy_name, role_name},
};
use super::{
    accounts::{existing_catalog, insert_account},
    error::{ErrorReason, ServiceError},
    facts,
    manners::Etag,
    plan::Plan,
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    files::{AccountDefinition, Problems, RoleName},
    model::{
        AccountRecord, Applied, AppliedAction, Key, KeyRange, Number, PolicyId, PolicyRecord, Record, ResourcePath,
        Revision, RoleId, TeamId, difference,
    },
};

/// Why a file was not applied.
pub(super) enum Refused {
    Problems(Problems),
    Error(ServiceError),
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        Self::Error(error)
    }
}

impl From<crate::store::StoreError> for Refused {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Error(error.into())
    }
}

/// Makes an account equal to a definition. Refused if the account is another version than expected, or the file does not
/// fit the catalog: then `problems` is told everything that is wrong. Cost: linear in the account and in the definition.
#[must_use]
pub fn apply_account(
    definition: AccountDefinition,
    expected: Option<Etag>,
    problems: Arc<Mutex<Option<Problems>>>,
) -> Write<Vec<Applied>> {
    Write::new("ApplyAccount", move |plan| match apply(plan, &definition, expected) {
        Ok(changes) => Ok(changes),
        Err(Refused::Error(error)) => Err(error),
        Err(Refused::Problems(found)) => {
            *problems.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            Err(ServiceError::new(ErrorReason::FileInvalid, "the file has problems; nothing was changed"))
        }
    })
}

/// A file's account while it is applied.
struct Application<'p, 'c> {
    plan: &'p mut Plan<'c>,
    account: Number,
    catalog: &'p CompiledCatalog,
    changes: Vec<Applied>,
    /// What only shows while it is applied.
    problems: Problems,
    resources: HashMap<ResourcePath, Number>,
    policies: HashMap<PolicyId, Number>,
    roles: HashMap<RoleId, Number>,
    teams: HashMap<TeamId, Number>,
}

fn apply(plan: &mut Plan<'_>, file: &AccountDefinition, expected: Option<Etag>) -> Result<Vec<Applied>, Refused> {
    let existing = match facts::find_account(plan, &file.id.value) {
        Ok(found) => Some(found),
        Err(error) if error.reason == ErrorReason::AccountNotFound => None,
        Err(error) => return Err(error.into()),
    };
    // What is not there yet has no version that could be expected.
    let none = Etag { number: Number(0), revision: Revision(0) };
    existing.as_ref().map_or(none, facts::FoundAccount::etag).expect(expected)?;
    let mut problems = Problems::default();
    let catalog_number = facts::get_name(plan, &Key::CatalogName(file.catalog.value.clone()))?.map(|name| name.value);
    let Some(catalog_number) = catalog_number else {
        problems.add(
            file.catalog.at,
            format_args!(
                "catalog: there is no catalog {:?} on this server; apply it first",
                file.catalog.value.as_str()
            ),
        );
        return Err(Refused::Problems(problems));
    };
    if let Some(found) = existing.as_ref().filter(|found| found.record.catalog != catalog_number) {
        let fixed = existing_catalog(plan.catalog(found.record.catalog)?)?;
        problems.add(
            file.catalog.at,
            format_args!(
                "catalog: the account lives under {:?} and cannot move to {:?}",
                fixed.compiled.catalog().definition.id.as_str(),
                file.catalog.value.as_str()
            ),
        );
        return Err(Refused::Problems(problems));
    }
    let catalog = existing_catalog(plan.catalog(catalog_number)?)?.compiled;
    let policies = existing.as_ref().map(|found| policies_of(plan, found.number)).transpose()?.unwrap_or_default();
    let parents = existing.as_ref().map(|found| parents_of(plan, found.number, &catalog)).transpose()?;
    let names = references::resolve(&catalog, file, &policies, &parents.unwrap_or_default(), &mut problems);
    if !problems.is_empty() {
        return problems.into_result(Vec::new()).map_err(Refused::Problems);
    }
    let mut changes = Vec::new();
    let account = apply_account_itself(plan, file, existing, catalog_number, &names, &catalog, &mut changes)?;
    let mut application = Application {
        plan,
        account,
        catalog: &catalog,
        changes,
        problems,
        resources: HashMap::new(),
        policies: HashMap::new(),
        roles: HashMap::new(),
        teams: HashMap::new(),
    };
    let left_resources = application.apply_resources(file)?;
    let left_policies = application.apply_policies(file, policies)?;
    application.apply_roles(file)?;
    application.apply_teams(file)?;
    application.apply_users(file)?;
    application.apply_service_accounts(file)?;
    // At last, when nothing of the file refers to them any more.
    application.remove_policies(file, left_policies)?;
    application.remove_resources(file, left_resources)?;
    let Application { changes, problems, .. } = application;
    problems.into_result(changes).map_err(Refused::Problems)
}

/// The custom policies of an account, each with its number.
type Policies = BTreeMap<PolicyId, (Number, PolicyRecord)>;

/// The parents of each custom role of an account, as files name them.
type Parents = BTreeMap<RoleId, BTreeSet<String>>;

fn policies_of(plan: &Plan<'_>, account: Number) -> Result<Policies, Refused> {
    let mut policies = BTreeMap::new();
    for (key, value) in facts::scan_all(plan, KeyRange::Policies(account))? {
        if let (Key::Policy { policy, .. }, Record::Policy(record)) = (key, value.value) {
            policies.insert(record.id.clone(), (policy, record));
        }
    }
    Ok(policies)
}

fn parents_of(plan: &Plan<'_>, account: Number, catalog: &CompiledCatalog) -> Result<Parents, Refused> {
    let mut parents = Parents::new();
    for (_, value) in facts::scan_all(plan, KeyRange::Roles(account))? {
        if let Record::Role(record) = value.value {
            let of = parents.entry(record.id).or_default();
            for number in record.parents {
                of.extend(role_name(plan, account, catalog, number)?.map(|name| name.to_string()));
            }
        }
    }
    Ok(parents)
}

fn apply_account_itself(
    plan: &mut Plan<'_>,
    file: &AccountDefinition,
    existing: Option<facts::FoundAccount>,
    catalog_number: Number,
    names: &Names,
    catalog: &CompiledCatalog,
    changes: &mut Vec<Applied>,
) -> Result<Number, Refused> {
    let subject = format!("accounts/{}", file.id.value);
    let Some(found) = existing else {
        changes.push(Applied { action: AppliedAction::Create, subject, detail: String::new() });
        let record = AccountRecord {
            id: file.id.value.clone(),
            display_name: file.display_name.clone(),
            catalog: catalog_number,
            state: file.state,
            features: names.features.clone(),
            created: plan.time,
            updated: plan.time,
        };
        return Ok(insert_account(plan, record)?);
    };
    let feature_ids = |numbers: &[Number]| -> BTreeSet<String> {
        let definition = &catalog.catalog().definition;
        let feature = |number: &Number| definition.features.get(catalog.feature_of_number(*number)?.position());
        numbers.iter().filter_map(feature).map(|feature| feature.id.to_string()).collect()
    };
    let mut details = Vec::new();
    if found.record.display_name != file.display_name {
        details.push("display_name".to_owned());
    }
    if found.record.state != file.state {
        details.push("state".to_owned());
    }
    details.extend(difference("features", &feature_ids(&found.record.features), &feature_ids(&names.features)));
    if !details.is_empty() {
        changes.push(Applied { action: AppliedAction::Update, subject, detail: details.join(", ") });
        let record = AccountRecord {
            display_name: file.display_name.clone(),
            state: file.state,
            features: names.features.clone(),
            updated: plan.time,
            ..found.record
        };
        plan.put(Key::Account(found.number), Record::Account(record))?;
    }
    Ok(found.number)
}

impl Application<'_, '_> {
    fn note(&mut self, action: AppliedAction, subject: String, details: &[String]) {
        self.changes.push(Applied { action, subject, detail: details.join(", ") });
    }

    /// The number of a role that the file names.
    fn role_number(&self, name: &RoleName) -> Option<Number> {
        match name {
            RoleName::Managed(id) => self.catalog.role(id.as_str()).map(|role| role.number),
            RoleName::Custom(id) => self.roles.get(id).copied(),
        }
    }
}

/// The names of the texts that differ.
fn changed_texts(texts: &[(&str, &String, &String)]) -> Vec<String> {
    texts.iter().filter(|(_, before, after)| before != after).map(|(name, ..)| (*name).to_owned()).collect()
}

/// By how much a list grows.
fn grown(before: usize, after: usize) -> i64 {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    count(after) - count(before)
}
