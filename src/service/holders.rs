//! Who holds a role, one by one and in numbers; and what a role contains, section by section.

use std::collections::{BTreeMap, HashSet};

use super::{
    accounts::{account_and_catalog_at, existing_catalog},
    bindings::{BindingView, HolderName, views_of},
    core::{Page, ReadAt, Service},
    error::ServiceError,
    facts::{self, RoleName},
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, ApiScopeId, FeatureId, HolderKind, Key, KeyRange, Number, PermissionId, ProfileRecord, SectionId,
        ServiceAccountId, TeamId, Timestamp, UserId,
    },
    store::View,
};

/// Who holds a role, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleHolderCounts {
    /// Users who hold it in any way, each counted once.
    pub users: u64,
    /// Users who hold it directly.
    pub direct_users: u64,
    /// Users who hold it through teams, each counted once, whether they hold it directly too or not.
    pub inherited_users: u64,
    /// Service accounts.
    pub service_accounts: u64,
    /// Teams.
    pub teams: u64,
}

/// A user or a service account that holds a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleHolderView {
    /// Who it is.
    pub who: RoleHolderName,
    /// The bindings by which it holds the role itself, in the order of their creation.
    pub bindings: Vec<BindingView>,
    /// The teams through which it holds it, ordered by id.
    pub teams: Vec<TeamId>,
}

/// Who a holder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleHolderName {
    /// A user, with its personal fields and its last sign-in.
    User(UserId, ProfileRecord, Option<Timestamp>),
    /// A service account, with its display name.
    ServiceAccount(ServiceAccountId, String),
}

/// One section of the catalog as seen from a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSectionView {
    /// The section.
    pub section: SectionId,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// How many permissions it has that the role could contain.
    pub permission_count: usize,
    /// How many of them the role contains.
    pub contained_count: usize,
    /// Those of the page, ordered by id.
    pub permissions: Vec<RolePermissionView>,
}

/// One permission as seen from a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePermissionView {
    /// The permission.
    pub permission: PermissionId,
    /// For people.
    pub description: String,
    /// Whether the role contains it.
    pub contained: bool,
    /// The API scopes that it provides in this role, ordered by id.
    pub api_scopes: Vec<ApiScopeId>,
    /// The catalog calls it outdated.
    pub deprecated: bool,
    /// The feature that it belongs to.
    pub feature: Option<FeatureId>,
}

impl Service {
    /// Who holds a role in an account: users in the order of their creation, then service accounts. Cost: linear in the
    /// page, once for each team that holds the role.
    ///
    /// # Errors
    /// If the account or the role does not exist.
    pub async fn list_role_holders(
        &self,
        account: AccountId,
        role: RoleName,
        show_internal: bool,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<Page<RoleHolderView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                let number = facts::find_role(&view, &found, &catalog.compiled, &role, show_internal)?;
                let held = HeldRole { account: found.number, catalog: &catalog.compiled, number, name: role };
                holders(&view, &held, size, after.as_deref())
            })
            .await?;
        Ok(Page { items, next, revision })
    }

    /// Who holds a custom role of an account at a revision, in numbers.
    ///
    /// # Errors
    /// If the account or the role does not exist then.
    pub async fn role_holder_counts(&self, role: RoleName, at: ReadAt) -> Result<RoleHolderCounts, ServiceError> {
        let (counts, _) = self
            .read(at, move |_, view| match &role {
                RoleName::Account(account, id) => {
                    let account = facts::find_account(&view, account)?.number;
                    let (role, _) = facts::find_custom_role(&view, account, id)?;
                    holder_counts(&view, account, role)
                }
                RoleName::Catalog(_, id) => Err(facts::role_missing(id)),
            })
            .await?;
        Ok(counts)
    }

    /// The permissions that a role could contain, section by section: a page of at most `size` of them after `after`.
    /// Cost: linear in the catalog.
    ///
    /// # Errors
    /// If the role does not exist.
    pub async fn list_role_permissions(
        &self,
        name: RoleName,
        contained_only: bool,
        show_internal: bool,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<Page<RoleSectionView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |core, view| {
                let (catalog, role) = match &name {
                    RoleName::Account(account, id) => {
                        let (found, catalog) = account_and_catalog_at(core, &view, account)?;
                        let (number, record) = facts::find_custom_role(&view, found.number, id)?;
                        let role = std::sync::Arc::new(catalog.compiled.custom_role(number, &record.value));
                        (catalog, role)
                    }
                    RoleName::Catalog(catalog, id) => {
                        let number = facts::find_catalog(&view, catalog)?;
                        let catalog = existing_catalog(core.catalog_at(number, view.revision)?)?;
                        let role = catalog.compiled.role(id.as_str()).cloned();
                        let role = role.filter(|role| show_internal || !facts::is_internal(&catalog.compiled, role));
                        (catalog, role.ok_or_else(|| facts::role_missing(id))?)
                    }
                };
                Ok(sections(&catalog.compiled, &role, contained_only, size, after.as_deref()))
            })
            .await?;
        Ok(Page { items, next, revision })
    }
}

/// Who holds a role in an account, in numbers. Cost: constant if no team holds it; else linear in the members of those
/// teams.
pub(super) fn holder_counts(view: &dyn View, account: Number, role: Number) -> Result<RoleHolderCounts, ServiceError> {
    let direct = facts::get_role_holders(view, &Key::RoleHolders { account, role })?;
    let direct = direct.map(|counts| counts.value).unwrap_or_default();
    let mut counts = RoleHolderCounts {
        users: direct.users,
        direct_users: direct.users,
        inherited_users: 0,
        service_accounts: direct.service_accounts,
        teams: direct.teams,
    };
    if direct.teams == 0 {
        return Ok(counts);
    }
    let mut inherited = HashSet::new();
    for team in teams_with(view, account, role)? {
        for (key, _) in facts::scan_all(view, KeyRange::Members { account, team })? {
            if let Key::Member { user, .. } = key {
                inherited.insert(user);
            }
        }
    }
    counts.inherited_users = inherited.len() as u64;
    for user in inherited {
        if direct.users == 0 || !holds_directly(view, account, role, user)? {
            counts.users += 1;
        }
    }
    Ok(counts)
}

/// The teams that hold a role, each once, in the order of their numbers.
fn teams_with(view: &dyn View, account: Number, role: Number) -> Result<Vec<Number>, ServiceError> {
    let range = KeyRange::RoleBindingsOf { account, role, kind: HolderKind::Team };
    let found = facts::scan_all(view, range)?;
    let mut teams: Vec<Number> = found.iter().filter_map(|(key, _)| held_by(key)).map(|(team, _)| team).collect();
    teams.dedup();
    Ok(teams)
}

fn held_by(key: &Key) -> Option<(Number, Number)> {
    match key {
        Key::RoleBinding { holder, binding, .. } => Some((holder.number(), *binding)),
        _ => None,
    }
}

/// Whether a user holds a role itself.
fn holds_directly(view: &dyn View, account: Number, role: Number, user: Number) -> Result<bool, ServiceError> {
    let range = KeyRange::RoleBindingsOf { account, role, kind: HolderKind::User };
    let before = Key::RoleBinding { account, role, holder: HolderKind::User.of(user), binding: Number(0) };
    let first = view.scan(range, Some(&before), 1)?;
    Ok(first.first().and_then(|(key, _)| held_by(key)).is_some_and(|(holder, _)| holder == user))
}

/// A role whose holders are listed.
struct HeldRole<'a> {
    account: Number,
    catalog: &'a CompiledCatalog,
    number: Number,
    name: RoleName,
}

/// A page of the holders of a role. The cursor says whether it ended among the users, and with which number.
fn holders(
    view: &dyn View,
    role: &HeldRole<'_>,
    size: usize,
    after: Option<&str>,
) -> Result<(Vec<RoleHolderView>, Option<String>), ServiceError> {
    let HeldRole { account, catalog, number, ref name } = *role;
    let after = after.and_then(|cursor| cursor.split_once('/'));
    let after = after.and_then(|(kind, number)| Some((kind == "users", Number(number.parse().ok()?))));
    let mut items: Vec<(String, RoleHolderView)> = Vec::new();
    if after.is_none_or(|(is_user, _)| is_user) {
        let after = after.map_or(Number(0), |(_, number)| number);
        for (user, (bindings, mut teams)) in users(view, account, number, after, size + 1)? {
            let Some(record) = facts::get_user(view, &Key::User { account, user })? else { continue };
            let profile = super::users::profile(view, account, user)?;
            let last_sign_in = facts::get_time(view, &Key::SignIn { account, user })?.map(|time| time.value);
            teams.sort();
            let holder = HolderName::User(record.value.id.clone());
            let bindings = views_of(view, account, catalog, &bindings, &holder, name)?;
            let who = RoleHolderName::User(record.value.id, profile, last_sign_in);
            items.push((format!("users/{}", user.0), RoleHolderView { who, bindings, teams }));
        }
    }
    if items.len() <= size {
        let after = after.filter(|(is_user, _)| !is_user).map_or(Number(0), |(_, number)| number);
        let limit = size + 1 - items.len();
        let found = direct_holders(view, account, number, HolderKind::ServiceAccount, after, limit)?;
        for (service_account, bindings) in found {
            let found = facts::get_service_account(view, &Key::ServiceAccount { account, service_account })?;
            let Some(record) = found else { continue };
            let holder = HolderName::ServiceAccount(record.value.id.clone());
            let bindings = views_of(view, account, catalog, &bindings, &holder, name)?;
            let who = RoleHolderName::ServiceAccount(record.value.id, record.value.display_name);
            let holder = RoleHolderView { who, bindings, teams: Vec::new() };
            items.push((format!("serviceAccounts/{}", service_account.0), holder));
        }
    }
    let has_more = items.len() > size;
    items.truncate(size);
    let next = if has_more { items.last().map(|(cursor, _)| cursor.clone()) } else { None };
    Ok((items.into_iter().map(|(_, holder)| holder).collect(), next))
}

/// At most so many of the holders of one kind after one, each with all of its bindings of a role, in the order of their
/// numbers. Cost: one scan where each has one binding.
fn direct_holders(
    view: &dyn View,
    account: Number,
    role: Number,
    kind: HolderKind,
    after: Number,
    limit: usize,
) -> Result<BTreeMap<Number, Vec<Number>>, ServiceError> {
    let range = KeyRange::RoleBindingsOf { account, role, kind };
    let mut last = Key::RoleBinding { account, role, holder: kind.of(after), binding: Number(u64::MAX) };
    let mut found: BTreeMap<Number, Vec<Number>> = BTreeMap::new();
    // The holder after the last shows that the last one's bindings are all there.
    while found.len() <= limit {
        let piece = view.scan(range, Some(&last), limit + 1)?;
        let is_end = piece.len() <= limit;
        for (holder, binding) in piece.iter().filter_map(|(key, _)| held_by(key)) {
            found.entry(holder).or_default().push(binding);
        }
        match piece.into_iter().next_back() {
            Some((key, _)) if !is_end => last = key,
            _ => break,
        }
    }
    while found.len() > limit {
        found.pop_last();
    }
    Ok(found)
}

type HeldBy = (Vec<Number>, Vec<TeamId>);

/// At most so many of the users after one who hold a role, with how, in the order of their numbers.
fn users(
    view: &dyn View,
    account: Number,
    role: Number,
    after: Number,
    limit: usize,
) -> Result<Vec<(Number, HeldBy)>, ServiceError> {
    let direct = direct_holders(view, account, role, HolderKind::User, after, limit)?;
    let mut merged: BTreeMap<Number, HeldBy> =
        direct.into_iter().map(|(user, bindings)| (user, (bindings, Vec::new()))).collect();
    for team in teams_with(view, account, role)? {
        let Some(record) = facts::get_team(view, &Key::Team { account, team })? else { continue };
        let last = Key::Member { account, team, user: after };
        for (key, _) in view.scan(KeyRange::Members { account, team }, Some(&last), limit)? {
            if let Key::Member { user, .. } = key {
                merged.entry(user).or_default().1.push(record.value.id.clone());
            }
        }
        // No more than the page needs, however many teams there are.
        while merged.len() > limit {
            merged.pop_last();
        }
    }
    // Each source gave its first ones, so the first of all are whole.
    Ok(merged.into_iter().take(limit).collect())
}

/// A page of the permissions of a catalog as seen from a role. The cursor is the last section and permission.
fn sections(
    catalog: &CompiledCatalog,
    role: &crate::engine::RoleFacts,
    contained_only: bool,
    size: usize,
    after: Option<&str>,
) -> (Vec<RoleSectionView>, Option<String>) {
    let definition = &catalog.catalog().definition;
    let shows_internal = facts::is_internal(catalog, role);
    let after = after.and_then(|cursor| cursor.split_once('/'));
    let after = after.and_then(|(section, permission)| Some((section.parse::<usize>().ok()?, permission)));
    let mut by_section: Vec<Vec<_>> = vec![Vec::new(); definition.sections.len()];
    for index in catalog.permissions() {
        let Some(permission) = catalog.definition(index).filter(|each| shows_internal || !each.internal) else {
            continue;
        };
        if let Some(of_section) = by_section.get_mut(permission.section.position()) {
            of_section.push((index, permission));
        }
    }
    let (mut views, mut taken, mut last) = (Vec::new(), 0, None);
    for (position, (section, of_section)) in definition.sections.iter().zip(&by_section).enumerate() {
        let contained_count = of_section.iter().filter(|(index, _)| role.permissions.contains(*index)).count();
        let mut permissions = Vec::new();
        for (index, permission) in of_section {
            let contained = role.permissions.contains(*index);
            let is_behind = after.is_none_or(|after| (position, permission.id.as_str()) > after);
            if !is_behind || (contained_only && !contained) {
                continue;
            }
            if taken == size {
                let next = last;
                push(&mut views, section, of_section.len(), contained_count, permissions);
                return (views, next);
            }
            taken += 1;
            last = Some(format!("{position}/{}", permission.id));
            let mut scopes = catalog.no_api_scopes();
            catalog.add_api_scopes(*index, &role.left_out, &mut scopes);
            let feature = permission.feature.and_then(|feature| definition.features.get(feature.position()));
            permissions.push(RolePermissionView {
                permission: permission.id.clone(),
                description: permission.description.clone(),
                contained,
                api_scopes: catalog.api_scope_ids(&scopes).cloned().collect(),
                deprecated: permission.deprecated,
                feature: feature.map(|feature| feature.id.clone()),
            });
        }
        push(&mut views, section, of_section.len(), contained_count, permissions);
    }
    (views, None)
}

/// A section is shown on the pages that have some of its permissions.
fn push(
    views: &mut Vec<RoleSectionView>,
    section: &crate::model::Section,
    permission_count: usize,
    contained_count: usize,
    permissions: Vec<RolePermissionView>,
) {
    if !permissions.is_empty() {
        views.push(RoleSectionView {
            section: section.id.clone(),
            display_name: section.display_name.clone(),
            description: section.description.clone(),
            permission_count,
            contained_count,
            permissions,
        });
    }
}
