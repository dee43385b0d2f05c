//! Roles as they are shown: the managed ones of the catalog and the custom ones of the account, found and ordered.

use std::cmp::Reverse;

use super::{
    accounts::{account_and_catalog_at, existing_catalog},
    core::{CatalogAt, Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount, PolicyName, RoleName},
    holders::{RoleHolderCounts, holder_counts},
    manners::Etag,
    role_parts::Contents,
    role_totals::{RoleTotal, RoleTotals},
};
use crate::{
    engine::{CompiledCatalog, RoleFacts, RoleOrigin},
    model::{
        AccountId, ApiScopeId, CatalogId, Key, KeyRange, Number, PermissionId, Record, Revision, RoleId, RoleRecord,
        Stamped, Timestamp,
    },
    store::{At, View},
};

/// A page ends before a role with which it would name more permissions, API scopes and other things than this.
const MAX_NAMES: usize = 20_000;

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
    /// The permissions that it lists, ordered by id.
    pub permissions: Vec<PermissionId>,
    /// The policies that it contains, managed ones before custom ones, each ordered by id.
    pub policies: Vec<PolicyName>,
    /// The roles all of whose contents it has too, managed ones before custom ones, each ordered by id.
    pub parents: Vec<RoleName>,
    /// The facets that it covers whole, by name, ordered.
    pub covered_facets: Vec<String>,
    /// Its last holder cannot lose it.
    pub always_held: bool,
    /// How many may hold it; none: any number.
    pub max_holders: Option<u64>,
    /// The roles that nobody may have together with it, ordered by id.
    pub mutually_exclusive: Vec<RoleName>,
    /// The API scopes that it does not provide, whatever its permissions do, ordered by id.
    pub left_out_api_scopes: Vec<ApiScopeId>,
    /// The API scopes that the permissions which it lists provide, included ones too, ordered by id.
    pub api_scopes: Vec<ApiScopeId>,
    /// How much it contains with its policies and its parents.
    pub total: RoleTotal,
    /// Who holds it, in numbers, where that was asked for.
    pub holder_counts: Option<RoleHolderCounts>,
    /// When it was created; none for the catalog's roles.
    pub created: Option<Timestamp>,
    /// When it was last changed; none for the catalog's roles.
    pub updated: Option<Timestamp>,
    /// Its version.
    pub etag: Etag,
}

/// By what roles are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleOrder {
    /// Managed ones before custom ones, each by id.
    #[default]
    Id,
    /// By display name.
    DisplayName,
    /// By the number of users who hold them in any way.
    UserCount,
    /// By the number of permissions that they contain.
    PermissionCount,
}

/// Which roles to list, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleFilter {
    /// Internal ones too.
    pub show_internal: bool,
    /// Only those of this kind.
    pub kind: Option<RoleKind>,
    /// Only those with a text that contains this, in lower case; empty: all.
    pub search: String,
    /// By what they are ordered.
    pub order: RoleOrder,
    /// The largest first.
    pub descending: bool,
    /// Without the lists of permissions and API scopes a page holds more.
    pub is_basic: bool,
}

impl Service {
    /// One role, managed or custom; its holders in `account` (of a custom role: its own) are counted. An internal one is
    /// there only with `show_internal`. Cost: linear in the members of the teams that hold it, and in the roles that it reaches.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get_role(
        &self,
        name: RoleName,
        account: Option<AccountId>,
        show_internal: bool,
        at: ReadAt,
    ) -> Result<(RoleView, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let of_catalog = match &name {
                RoleName::Account(account, id) => {
                    let (found, catalog) = account_and_catalog_at(core, &view, account)?;
                    let (number, record) = facts::find_custom_role(&view, found.number, id)?;
                    let totals = RoleTotals::new(&view, Some(found.number), &catalog.compiled);
                    let mut shown = custom_role_view(&view, account, found.number, &totals, number, record)?;
                    shown.holder_counts = Some(holder_counts(&view, found.number, number)?);
                    return Ok(shown);
                }
                RoleName::Catalog(catalog, id) => {
                    let number = facts::find_catalog(&view, catalog)?;
                    let catalog = existing_catalog(core.catalog_at(number, view.revision)?)?;
                    let role = catalog.compiled.role(id.as_str());
                    let role = role.filter(|role| show_internal || !facts::is_internal(&catalog.compiled, role));
                    let role = role.ok_or_else(|| facts::role_missing(id))?;
                    let totals = RoleTotals::new(&view, None, &catalog.compiled);
                    (catalog_role_view(&catalog, &totals, role)?, role.number, number)
                }
            };
            let (mut shown, role, catalog) = of_catalog;
            if let Some(account) = account {
                let found = facts::find_account(&view, &account)?;
                if found.record.catalog != catalog {
                    let (RoleName::Catalog(_, id) | RoleName::Account(_, id)) = &name;
                    return Err(facts::role_missing(id));
                }
                shown.holder_counts = Some(holder_counts(&view, found.number, role)?);
            }
            Ok(shown)
        })
        .await
    }

    /// The roles that an account can use, as the filter says. `after`: the role with which the page before ended. Cost:
    /// linear in the page, the members of the teams that hold its roles, and the roles that these reach; in another order
    /// than by id, or with a filter, in all roles of the account.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_roles(
        &self,
        account: AccountId,
        filter: RoleFilter,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<Page<RoleView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                let totals = RoleTotals::new(&view, Some(found.number), &catalog.compiled);
                let list = List { view: &view, account: &account, found: &found, catalog: &catalog, totals };
                list.page(&filter, size, after.as_deref())
            })
            .await?;
        Ok(Page { items, next, revision })
    }
}

/// What a list of roles is taken from.
struct List<'a> {
    view: &'a At<'a>,
    account: &'a AccountId,
    found: &'a FoundAccount,
    catalog: &'a CatalogAt,
    totals: RoleTotals<'a>,
}

impl List<'_> {
    fn page(
        &self,
        filter: &RoleFilter,
        size: usize,
        after: Option<&str>,
    ) -> Result<(Vec<RoleView>, Option<String>), ServiceError> {
        let after = after.and_then(|cursor| self.role_of(cursor));
        let is_plain = filter.order == RoleOrder::Id && !filter.descending && filter.search.is_empty();
        let mut roles = if is_plain {
            self.plain(filter, size + 1, after.as_ref())?
        } else {
            let mut roles = self.all(filter)?;
            let place = after.and_then(|after| roles.iter().position(|role| role.name == after));
            roles.drain(..place.map_or(0, |place| place + 1));
            roles
        };
        let mut names = 0;
        let fits = |role: &RoleView| {
            names += role.policies.len() + role.parents.len() + role.covered_facets.len();
            names += if filter.is_basic { 0 } else { role.permissions.len() + role.api_scopes.len() };
            names <= MAX_NAMES
        };
        // One role is always on the page, however large it is.
        let count = roles.iter().take(size).map(fits).take_while(|fits| *fits).count().max(1);
        let next = if roles.len() > count { roles.get(count - 1).map(|role| cursor(&role.name)) } else { None };
        roles.truncate(count);
        for role in &mut roles {
            if role.holder_counts.is_none() {
                role.holder_counts = Some(holder_counts(self.view, self.found.number, role.etag.number)?);
            }
        }
        Ok((roles, next))
    }

    /// At most so many of the roles after one, managed before custom, each by id.
    fn plain(
        &self,
        filter: &RoleFilter,
        limit: usize,
        after: Option<&RoleName>,
    ) -> Result<Vec<RoleView>, ServiceError> {
        let mut roles = Vec::new();
        if !matches!(after, Some(RoleName::Account(..))) && filter.kind != Some(RoleKind::Custom) {
            roles = self.of_catalog(filter)?;
            roles.retain(|role| after.is_none_or(|after| role.name > *after));
        }
        if roles.len() < limit && matches!(filter.kind, None | Some(RoleKind::Custom)) {
            let after = match after {
                Some(RoleName::Account(_, id)) => Some(Key::RoleName { account: self.found.number, id: id.clone() }),
                _ => None,
            };
            let range = KeyRange::RoleNames(self.found.number);
            let found = self.view.scan(range, after.as_ref(), limit - roles.len())?;
            for (_, name) in found {
                if let Record::Name(role) = name.value {
                    roles.extend(self.custom(role)?);
                }
            }
        }
        Ok(roles)
    }

    /// All roles that the filter lets through, in its order.
    fn all(&self, filter: &RoleFilter) -> Result<Vec<RoleView>, ServiceError> {
        let mut roles = match filter.kind {
            Some(RoleKind::Custom) => Vec::new(),
            _ => self.of_catalog(filter)?,
        };
        if matches!(filter.kind, None | Some(RoleKind::Custom)) {
            for (_, name) in facts::scan_all(self.view, KeyRange::RoleNames(self.found.number))? {
                if let Record::Name(role) = name.value {
                    roles.extend(self.custom(role)?);
                }
            }
        }
        roles.retain(|role| {
            let (RoleName::Catalog(_, id) | RoleName::Account(_, id)) = &role.name;
            facts::matches(&filter.search, &[id.as_str(), &role.display_name, &role.description])
        });
        match filter.order {
            RoleOrder::Id => {}
            RoleOrder::DisplayName => roles.sort_by_cached_key(|role| role.display_name.to_lowercase()),
            RoleOrder::PermissionCount => roles.sort_by_key(|role| role.total.permissions),
            RoleOrder::UserCount => {
                for role in &mut roles {
                    role.holder_counts = Some(holder_counts(self.view, self.found.number, role.etag.number)?);
                }
                roles.sort_by_key(|role| role.holder_counts.map(|counts| counts.users));
            }
        }
        if filter.descending {
            // Those that are equal stay in the order of their names.
            match filter.order {
                RoleOrder::Id => roles.reverse(),
                RoleOrder::DisplayName => {
                    roles.sort_by_cached_key(|role| Reverse(role.display_name.to_lowercase()));
                }
                RoleOrder::PermissionCount => roles.sort_by_key(|role| Reverse(role.total.permissions)),
                RoleOrder::UserCount => {
                    roles.sort_by_key(|role| Reverse(role.holder_counts.map(|counts| counts.users)));
                }
            }
        }
        Ok(roles)
    }

    /// The roles of the catalog that the filter's kind lets through, by id.
    fn of_catalog(&self, filter: &RoleFilter) -> Result<Vec<RoleView>, ServiceError> {
        let catalog = &self.catalog.compiled;
        let roles = catalog.catalog().definition.roles.iter().filter_map(|role| catalog.role(role.id.as_str()));
        let shown = roles.map(|role| catalog_role_view(self.catalog, &self.totals, role));
        let mut roles = shown.collect::<Result<Vec<RoleView>, _>>()?;
        roles.retain(|role| match (filter.kind, role.kind) {
            (Some(kind), of) if kind != of => false,
            (_, RoleKind::Internal) => filter.show_internal,
            _ => true,
        });
        roles.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(roles)
    }

    fn custom(&self, role: Number) -> Result<Option<RoleView>, ServiceError> {
        let record = facts::get_role(self.view, &Key::Role { account: self.found.number, role })?;
        let shown = |record| custom_role_view(self.view, self.account, self.found.number, &self.totals, role, record);
        record.map(shown).transpose()
    }

    fn role_of(&self, cursor: &str) -> Option<RoleName> {
        let (of, id) = cursor.split_once('/')?;
        let id = RoleId::new(id).ok()?;
        let catalog: &CatalogId = &self.catalog.compiled.catalog().definition.id;
        Some(match of {
            "account" => RoleName::Account(self.account.clone(), id),
            _ => RoleName::Catalog(catalog.clone(), id),
        })
    }
}

fn cursor(name: &RoleName) -> String {
    match name {
        RoleName::Catalog(_, id) => format!("catalog/{id}"),
        RoleName::Account(_, id) => format!("account/{id}"),
    }
}

/// Refuses where the catalog offers no custom roles at all.
pub(super) fn offers_custom_roles(catalog: &CompiledCatalog) -> Result<(), ServiceError> {
    let definition = &catalog.catalog().definition;
    if definition.custom_roles.any() {
        return Ok(());
    }
    let message = format!("the catalog {} does not offer custom roles", definition.id);
    Err(ServiceError::new(ErrorReason::CustomRolesNotOffered, message))
}

/// The ids of what a role made ready contains, ordered by id.
pub(super) fn permission_ids(catalog: &CompiledCatalog, role: &RoleFacts) -> Vec<PermissionId> {
    let definitions = role.permissions.iter().filter_map(|index| catalog.definition(index));
    let mut ids: Vec<PermissionId> = definitions.map(|permission| permission.id.clone()).collect();
    ids.sort();
    ids
}

fn catalog_role_view(catalog: &CatalogAt, totals: &RoleTotals<'_>, role: &RoleFacts) -> Result<RoleView, ServiceError> {
    let compiled = &catalog.compiled;
    let definition = facts::catalog_role(compiled, role);
    let contents = definition.map(|role| Contents::of_catalog_role(compiled, role)).unwrap_or_default();
    let is_internal = definition.is_some_and(|role| role.internal);
    let scopes = compiled.role_api_scopes(role);
    Ok(RoleView {
        name: RoleName::Catalog(compiled.catalog().definition.id.clone(), role.id.clone()),
        kind: if is_internal { RoleKind::Internal } else { RoleKind::Managed },
        display_name: definition.map(|role| role.display_name.clone()).unwrap_or_default(),
        description: definition.map(|role| role.description.clone()).unwrap_or_default(),
        permissions: permission_ids(compiled, role),
        covered_facets: contents.facet_names(compiled),
        policies: contents.policies.into_iter().map(|(name, _)| name).collect(),
        parents: contents.parents.into_iter().map(|(name, _)| name).collect(),
        always_held: definition.is_some_and(|role| role.always_held),
        max_holders: definition.and_then(|role| role.max_holders),
        mutually_exclusive: exclusive(compiled, role),
        left_out_api_scopes: Vec::new(),
        api_scopes: compiled.api_scope_ids(&scopes).cloned().collect(),
        total: totals.of(role.number)?,
        holder_counts: None,
        created: None,
        updated: None,
        etag: Etag { number: role.number, revision: catalog.revision },
    })
}

/// The roles that nobody may have together with one of the catalog, ordered by id. Whoever sees no internal role is told
/// of none.
fn exclusive(catalog: &CompiledCatalog, role: &RoleFacts) -> Vec<RoleName> {
    let definition = &catalog.catalog().definition;
    let RoleOrigin::Catalog { position } = role.origin else { return Vec::new() };
    let others = definition.mutually_exclusive.iter().filter_map(|(one, other)| match position {
        _ if one.position() == position => definition.roles.get(other.position()),
        _ if other.position() == position => definition.roles.get(one.position()),
        _ => None,
    });
    let shows_internal = facts::is_internal(catalog, role);
    let others = others.filter(|other| shows_internal || !other.internal);
    let mut names: Vec<RoleName> =
        others.map(|other| RoleName::Catalog(definition.id.clone(), other.id.clone())).collect();
    names.sort();
    names
}

/// The ids of what a custom role lists and its catalog still has, ordered by id.
pub(super) fn listed_permissions(catalog: &CompiledCatalog, record: &RoleRecord) -> Vec<PermissionId> {
    permission_ids(catalog, &catalog.custom_role(Number(0), record))
}

/// The API scopes that a custom role leaves out and its catalog still has, ordered by id.
pub(super) fn listed_left_out(catalog: &CompiledCatalog, record: &RoleRecord) -> Vec<ApiScopeId> {
    record.left_out_api_scopes.iter().filter(|id| catalog.api_scope(id.as_str()).is_some()).cloned().collect()
}

/// A custom role as it is shown, without its holders.
pub(super) fn custom_role_view(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    totals: &RoleTotals<'_>,
    number: Number,
    record: Stamped<RoleRecord>,
) -> Result<RoleView, ServiceError> {
    let catalog = totals.catalog();
    let Stamped { revision, value: record } = record;
    let contents = Contents::of_custom_role(view, account_id, account, catalog, &record)?;
    let role = catalog.custom_role(number, &record);
    let scopes = catalog.role_api_scopes(&role);
    let left_out_api_scopes = listed_left_out(catalog, &record);
    Ok(RoleView {
        name: RoleName::Account(account_id.clone(), record.id),
        kind: RoleKind::Custom,
        display_name: record.display_name,
        description: record.description,
        permissions: permission_ids(catalog, &role),
        covered_facets: contents.facet_names(catalog),
        policies: contents.policies.into_iter().map(|(name, _)| name).collect(),
        parents: contents.parents.into_iter().map(|(name, _)| name).collect(),
        always_held: false,
        max_holders: None,
        mutually_exclusive: Vec::new(),
        left_out_api_scopes,
        api_scopes: catalog.api_scope_ids(&scopes).cloned().collect(),
        total: totals.of(number)?,
        holder_counts: None,
        created: Some(record.created),
        updated: Some(record.updated),
        etag: Etag { number, revision },
    })
}
