//! Access policies: the managed ones of catalogs, shown; the custom ones of accounts, created, changed, deleted.
//!
//! A pattern that matches nothing of the catalog is refused: a deny with a typo would do nothing, and nobody would know.
//! Read [`check_statements`] first.

use std::collections::HashSet;

use super::{
    accounts::{account_and_catalog, account_and_catalog_at, existing_catalog},
    core::{CatalogAt, Core, Page, ReadAt, Service},
    error::{ErrorReason, ServiceError, Violation},
    facts::{self, PolicyName},
    manners::Etag,
    plan::Plan,
    resources::paths_of_catalog,
    uses::{Use, refuse_if_used},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    files::Vocabulary,
    model::{
        AccountId, CatalogId, CatalogPolicy, Key, KeyRange, Number, PolicyId, PolicyRecord, Record, Revision, RoleId,
        Stamped, Statement, Timestamp,
    },
    store::{At, View},
};

/// A page ends before a policy with which its texts would have more bytes than this.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// How many names one look takes from the store.
const PIECE: usize = 1_000;
/// How many patterns that match nothing are named.
const MAX_VIOLATIONS: usize = 100;
/// How many users of a policy are named.
const NAMED: usize = 10;

/// Whose policies to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyParent {
    /// Those of a catalog.
    Catalog(CatalogId),
    /// Those that an account can use: of its catalog, and its own.
    Account(AccountId),
}

/// A custom policy to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// Its id.
    pub id: PolicyId,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// What it says.
    pub statements: Vec<Statement>,
}

/// What to change of a custom policy; none: as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyUpdate {
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What it says, all of it.
    pub statements: Option<Vec<Statement>>,
}

/// A policy as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyView {
    /// Which policy.
    pub name: PolicyName,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// What it says.
    pub statements: Vec<Statement>,
    /// When it was created; none for the catalog's.
    pub created: Option<Timestamp>,
    /// When it was last changed; none for the catalog's.
    pub updated: Option<Timestamp>,
    /// Its version.
    pub etag: Etag,
}

impl PolicyView {
    /// How much its texts take, in bytes.
    fn bytes(&self) -> usize {
        let texts = |statement: &Statement| {
            let permissions = statement.permissions.iter().map(|each| each.as_str().len());
            let resources = statement.resources.iter().map(|each| each.as_str().len());
            let condition = statement.condition.as_ref().map_or(0, |condition| condition.as_str().len());
            permissions.chain(resources).sum::<usize>() + condition
        };
        self.display_name.len() + self.description.len() + self.statements.iter().map(texts).sum::<usize>()
    }
}

impl Service {
    /// One policy, managed or custom.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_policy(&self, name: PolicyName, at: ReadAt) -> Result<(PolicyView, Revision), ServiceError> {
        self.read(at, move |core, view| match &name {
            PolicyName::Account(account, id) => {
                let found = facts::find_account(&view, account)?;
                shown(&view, account, found.number, id)
            }
            PolicyName::Catalog(catalog, id) => {
                let catalog = catalog_of(core, &view, catalog)?;
                let policies = managed(&catalog).find(|(policy, _)| policy.id == *id);
                let (policy, number) = policies.ok_or_else(|| facts::policy_missing(id))?;
                Ok(managed_view(&catalog, policy, number))
            }
        })
        .await
    }

    /// Policies, managed before custom, each ordered by id; with a search, in lower case, those that contain it. `after`:
    /// where the page before ended. Cost: linear in the page, in the catalog's policies, and in those that the search
    /// leaves out.
    ///
    /// # Errors
    /// If the account or the catalog does not exist.
    pub async fn list_policies(
        &self,
        parent: PolicyParent,
        search: String,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<Page<PolicyView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |core, view| {
                let after = after.as_deref().and_then(place);
                let (catalog, account) = match &parent {
                    PolicyParent::Catalog(catalog) => (catalog_of(core, &view, catalog)?, None),
                    PolicyParent::Account(account) => {
                        let (found, catalog) = account_and_catalog_at(core, &view, account)?;
                        (catalog, Some((account, found.number)))
                    }
                };
                let mut page = PolicyPage { items: Vec::new(), search, size, bytes: 0 };
                let custom_after = match after {
                    Some((Kind::Custom, id)) => Some(id),
                    after => {
                        let mut all: Vec<_> = managed(&catalog).collect();
                        all.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
                        all.retain(|(policy, _)| after.as_ref().is_none_or(|(_, after)| policy.id > *after));
                        for (policy, number) in all {
                            if page.is_over(managed_view(&catalog, policy, number)) {
                                return Ok(page.cut());
                            }
                        }
                        None
                    }
                };
                if let Some((id, account)) = account {
                    page.add_custom(&view, id, account, custom_after)?;
                }
                Ok(page.cut())
            })
            .await?;
        Ok(Page { items, next, revision })
    }
}

/// Whose the policy is that a page ended with.
enum Kind {
    Managed,
    Custom,
}

/// Where a page ended.
fn place(cursor: &str) -> Option<(Kind, PolicyId)> {
    let (of, id) = cursor.split_once('/')?;
    Some((if of == "account" { Kind::Custom } else { Kind::Managed }, PolicyId::new(id).ok()?))
}

/// A page being filled: its policies and, once it is over, the first one that is not on it.
struct PolicyPage {
    items: Vec<PolicyView>,
    search: String,
    size: usize,
    bytes: usize,
}

impl PolicyPage {
    /// Adds a policy if the search finds it. Whether that was one too many.
    fn is_over(&mut self, policy: PolicyView) -> bool {
        let (PolicyName::Catalog(_, id) | PolicyName::Account(_, id)) = &policy.name;
        if facts::matches(&self.search, &[id.as_str(), &policy.display_name, &policy.description]) {
            self.bytes += policy.bytes();
            self.items.push(policy);
        }
        // One policy is always on the page, however large it is.
        self.items.len() > self.size || (self.items.len() > 1 && self.bytes > MAX_PAGE_BYTES)
    }

    fn add_custom(
        &mut self,
        view: &dyn View,
        account_id: &AccountId,
        account: Number,
        after: Option<PolicyId>,
    ) -> Result<(), ServiceError> {
        let mut after = after.map(|id| Key::PolicyName { account, id });
        loop {
            let piece = view.scan(KeyRange::PolicyNames(account), after.as_ref(), PIECE)?;
            let is_last = piece.len() < PIECE;
            for (key, name) in piece {
                after = Some(key);
                let Record::Name(policy) = name.value else { continue };
                let Some(record) = facts::get_policy(view, &Key::Policy { account, policy })? else { continue };
                if self.is_over(custom_view(account_id, policy, record)) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The page, and where the next one begins.
    fn cut(mut self) -> (Vec<PolicyView>, Option<String>) {
        let is_over = self.items.len() > self.size || (self.items.len() > 1 && self.bytes > MAX_PAGE_BYTES);
        if is_over {
            self.items.pop();
        }
        let last = self.items.last().filter(|_| is_over);
        let next = last.map(|policy| match &policy.name {
            PolicyName::Catalog(_, id) => format!("catalog/{id}"),
            PolicyName::Account(_, id) => format!("account/{id}"),
        });
        (self.items, next)
    }
}

/// Creates a custom policy. Refused if the account does not exist, its catalog offers no custom policies, the id is taken,
/// a pattern matches nothing of the catalog, or the account has as many as it can have.
#[must_use]
pub fn create_policy(account: AccountId, new: NewPolicy) -> Write<PolicyView> {
    Write::new("CreateAccessPolicy", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        offers_custom_policies(&catalog.compiled)?;
        if plan.get(&Key::PolicyName { account: found.number, id: new.id.clone() })?.is_some() {
            return Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("the account has an access policy {:?} already", new.id.as_str()),
            ));
        }
        check_statements(&catalog.compiled, &new.statements, &[]).map_err(|error| error.below("access_policy"))?;
        let record = PolicyRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            description: new.description,
            statements: new.statements,
            created: plan.time,
            updated: plan.time,
        };
        insert_policy(plan, found.number, record)?;
        plan.count_policies(found.number, 1)?;
        shown(plan, &account, found.number, &new.id)
    })
}

/// Changes a custom policy; whoever holds a role with it follows at once. Refused if the account or the policy does not
/// exist, it is another version than expected, or a new pattern matches nothing of the catalog.
#[must_use]
pub fn update_policy(
    account: AccountId,
    id: PolicyId,
    update: PolicyUpdate,
    expected: Option<Etag>,
) -> Write<PolicyView> {
    Write::new("UpdateAccessPolicy", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (policy, before) = facts::find_custom_policy(plan, found.number, &id)?;
        Etag { number: policy, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.description = update.description.unwrap_or(record.description);
        if let Some(statements) = update.statements.filter(|statements| *statements != record.statements) {
            offers_custom_policies(&catalog.compiled)?;
            let checked = check_statements(&catalog.compiled, &statements, &before.value.statements);
            checked.map_err(|error| error.below("access_policy"))?;
            record.statements = statements;
        }
        if record != before.value {
            record.updated = plan.time;
        }
        plan.put(Key::Policy { account: found.number, policy }, Record::Policy(record))?;
        shown(plan, &account, found.number, &id)
    })
}

/// Deletes a custom policy. Gives what lost it. Refused if the account or the policy does not exist, it is another version
/// than expected, or, unless forced, while custom roles contain it. Cost: linear in those roles.
#[must_use]
pub fn delete_policy(account: AccountId, id: PolicyId, force: bool, expected: Option<Etag>) -> Write<Vec<Use>> {
    Write::new("DeleteAccessPolicy", move |plan| {
        let found = facts::find_account(plan, &account)?;
        let (policy, record) = facts::find_custom_policy(plan, found.number, &id)?;
        Etag { number: policy, revision: record.revision }.expect(expected)?;
        let mut uses = Vec::new();
        let roles = roles_with(plan, found.number, policy)?;
        if !roles.is_empty() {
            let names = roles.iter().take(NAMED).map(|id| format!("accounts/{account}/roles/{id}")).collect();
            uses.push(Use { kind: "roles", count: roles.len() as u64, names });
        }
        if !force {
            refuse_if_used(uses.clone())?;
        }
        remove_policy(plan, found.number, policy, id)?;
        Ok(uses)
    })
}

/// Refuses where the catalog offers no custom policies.
pub(super) fn offers_custom_policies(catalog: &CompiledCatalog) -> Result<(), ServiceError> {
    let definition = &catalog.catalog().definition;
    if definition.custom_roles.custom_policies {
        return Ok(());
    }
    Err(ServiceError::new(
        ErrorReason::CustomRolesNotOffered,
        format!("the catalog {} does not offer custom access policies", definition.id),
    )
    .with("part", "custom_policies"))
}

/// Refuses patterns that match nothing of the catalog, each by its place, such as `statements[2].permissions[0]`; those
/// that were there before may stay, as the catalog may have dropped what they matched. Cost: a look-up for each
/// permission pattern, and one pass over the catalog's permissions for each shape of them; for each resource pattern
/// linear in the catalog's types. Stops after a hundred that are wrong.
pub(super) fn check_statements(
    catalog: &CompiledCatalog,
    statements: &[Statement],
    before: &[Statement],
) -> Result<(), ServiceError> {
    let definition = &catalog.catalog().definition;
    let mut vocabulary = Vocabulary::of_catalog(definition, false);
    let permissions: HashSet<_> = before.iter().flat_map(|statement| &statement.permissions).collect();
    let resources: HashSet<_> = before.iter().flat_map(|statement| &statement.resources).collect();
    let mut violations = Vec::new();
    for (place, statement) in statements.iter().enumerate() {
        for (index, pattern) in statement.permissions.iter().enumerate() {
            if !permissions.contains(pattern) && !vocabulary.has_permission(pattern) {
                violations.push(Violation {
                    field: format!("statements[{place}].permissions[{index}]"),
                    description: format!(
                        "{:?} was given; a pattern that matches a permission of the catalog {} is expected",
                        pattern.as_str(),
                        definition.id
                    ),
                });
            }
        }
        for (index, pattern) in statement.resources.iter().enumerate() {
            if !resources.contains(pattern) && !vocabulary.has_path(pattern) {
                violations.push(Violation {
                    field: format!("statements[{place}].resources[{index}]"),
                    description: format!(
                        "{:?} was given; a pattern that can match a path is expected; {}",
                        pattern.as_str(),
                        paths_of_catalog(catalog)
                    ),
                });
            }
        }
        if violations.len() >= MAX_VIOLATIONS {
            break;
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(ServiceError::fields(violations)) }
}

/// Puts a new custom policy into a plan, without counting it.
pub(super) fn insert_policy(
    plan: &mut Plan<'_>,
    account: Number,
    record: PolicyRecord,
) -> Result<Number, ServiceError> {
    let policy = plan.allocate();
    plan.put(Key::PolicyName { account, id: record.id.clone() }, Record::Name(policy))?;
    plan.put(Key::Policy { account, policy }, Record::Policy(record))?;
    Ok(policy)
}

/// Takes a custom policy out of a plan, and out of the custom roles that contain it, and counts it.
pub(super) fn remove_policy(
    plan: &mut Plan<'_>,
    account: Number,
    policy: Number,
    id: PolicyId,
) -> Result<(), ServiceError> {
    for (key, _) in facts::scan_all(plan, KeyRange::PolicyRoles { account, policy })? {
        let Key::PolicyRole { role, .. } = key else { continue };
        if let Some(record) = facts::get_role(plan, &Key::Role { account, role })? {
            let mut record = record.value;
            record.policies.retain(|each| *each != policy);
            record.updated = plan.time;
            plan.put(Key::Role { account, role }, Record::Role(record))?;
        }
        plan.remove(key)?;
    }
    plan.remove(Key::Policy { account, policy })?;
    plan.remove(Key::PolicyName { account, id })?;
    plan.count_policies(account, -1)
}

/// The custom roles that contain a policy, managed or custom.
pub(super) fn roles_with(view: &dyn View, account: Number, policy: Number) -> Result<Vec<RoleId>, ServiceError> {
    let mut roles = Vec::new();
    for (key, _) in facts::scan_all(view, KeyRange::PolicyRoles { account, policy })? {
        let Key::PolicyRole { role, .. } = key else { continue };
        let record = facts::get_role(view, &Key::Role { account, role })?;
        roles.extend(record.map(|record| record.value.id));
    }
    roles.sort();
    Ok(roles)
}

fn catalog_of(core: &Core, view: &At<'_>, id: &CatalogId) -> Result<CatalogAt, ServiceError> {
    let number = facts::find_catalog(view, id)?;
    existing_catalog(core.catalog_at(number, view.revision)?)
}

/// The managed policies of a catalog, each with its number.
fn managed(catalog: &CatalogAt) -> impl Iterator<Item = (&CatalogPolicy, Number)> {
    let catalog = catalog.compiled.catalog();
    catalog.definition.policies.iter().zip(catalog.policy_numbers.iter().copied())
}

fn managed_view(catalog: &CatalogAt, policy: &CatalogPolicy, number: Number) -> PolicyView {
    PolicyView {
        name: PolicyName::Catalog(catalog.compiled.catalog().definition.id.clone(), policy.id.clone()),
        display_name: policy.display_name.clone(),
        description: policy.description.clone(),
        statements: policy.statements.clone(),
        created: None,
        updated: None,
        etag: Etag { number, revision: catalog.revision },
    }
}

fn shown(view: &dyn View, account_id: &AccountId, account: Number, id: &PolicyId) -> Result<PolicyView, ServiceError> {
    let (policy, record) = facts::find_custom_policy(view, account, id)?;
    Ok(custom_view(account_id, policy, record))
}

fn custom_view(account: &AccountId, number: Number, record: Stamped<PolicyRecord>) -> PolicyView {
    let Stamped { revision, value: record } = record;
    PolicyView {
        name: PolicyName::Account(account.clone(), record.id),
        display_name: record.display_name,
        description: record.description,
        statements: record.statements,
        created: Some(record.created),
        updated: Some(record.updated),
        etag: Etag { number, revision },
    }
}
