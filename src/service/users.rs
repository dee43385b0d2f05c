//! Users: invited, read, found, changed, deleted; their roles from their own side.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access_lists::remove_access_lists,
    accounts::{account_and_catalog, account_and_catalog_at},
    bindings::{BindingView, HolderName, NewBinding, give_roles, remove_binding, remove_bindings_of, views_of},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    exceptions::remove_exceptions,
    facts::{self, FoundAccount, RoleName},
    manners::Etag,
    memberships::{check_team_limit, set_membership},
    new_access::{NewAccess, give_access},
    plan::Plan,
    uses::{Use, refuse_if_used, uses_of_user},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, Holder, Key, KeyRange, Number, ProfileRecord, Record, Revision, Stamped, TeamId, Timestamp, UserId,
        UserRecord, UserState,
    },
    store::{At, UserText, View},
};

/// How far ahead of the server's clock a sign-in may be, in milliseconds.
const SIGN_IN_AHEAD_MS: u64 = 60_000;

/// A user to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Where it stands.
    pub state: UserState,
    /// Its personal fields.
    pub profile: ProfileRecord,
    /// The roles that it is to hold on the whole account, for good.
    pub roles: Vec<RoleName>,
    /// Those that it is to hold besides, each with its place and its time.
    pub bindings: Vec<NewBinding>,
    /// The teams that it is to belong to.
    pub teams: Vec<TeamId>,
    /// What it is to have access to.
    pub access: Vec<NewAccess>,
}

/// What to change of a user; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct UserUpdate {
    /// Where it stands.
    pub state: Option<UserState>,
    /// The person's name.
    pub display_name: Option<String>,
    /// The name that the person signs in with.
    pub username: Option<String>,
    /// The person's email address.
    pub email: Option<String>,
}

/// A user as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Its id.
    pub id: UserId,
    /// Where it stands.
    pub state: UserState,
    /// Its personal fields.
    pub profile: ProfileRecord,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
    /// When it last signed in, as far as that was recorded.
    pub last_sign_in: Option<Timestamp>,
    /// Its version.
    pub etag: Etag,
}

/// Which users to list, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only those with a text that begins with this, in lower case; empty: all.
    pub search: String,
    /// Order them by display name; else by id. Those that a search finds are ordered by what was found.
    pub by_name: bool,
    /// Only those in this state.
    pub state: Option<UserState>,
}

/// A role that a user holds, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRoleView {
    /// The role.
    pub role: RoleName,
    /// For people.
    pub display_name: String,
    /// Held directly.
    pub direct: bool,
    /// The teams through which it is held, ordered by id.
    pub teams: Vec<TeamId>,
    /// The bindings by which it is held: the user's own, then those of the teams.
    pub bindings: Vec<BindingView>,
}

/// What went with a role that was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRole {
    /// The teams that the user left.
    pub left_teams: Vec<TeamId>,
    /// Every role that the user held and holds no more.
    pub lost_roles: Vec<RoleName>,
}

impl Service {
    /// One user.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn get_user(
        &self,
        account: AccountId,
        id: UserId,
        at: ReadAt,
    ) -> Result<(UserView, Revision), ServiceError> {
        self.read(at, move |_, view| {
            let account = facts::find_account(&view, &account)?.number;
            let (user, record) = facts::find_user(&view, account, &id)?;
            user_view(&view, account, user, record)
        })
        .await
    }

    /// Users as the filter says. Cost: linear in the page, and in the users that the state leaves out.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_users(
        &self,
        account: AccountId,
        filter: UserFilter,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<Page<UserView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                if filter.by_name || !filter.search.is_empty() {
                    return users_by_text(&view, account, &filter, size, after.as_deref());
                }
                let after = after.and_then(|id| UserId::new(&id).ok()).map(|id| Key::UserName { account, id });
                let look = |_: &Key, name: &Record| match name {
                    Record::Name(user) => shown(&view, account, *user, &filter),
                    _ => Ok(None),
                };
                let (items, next) = facts::find_in(&view, KeyRange::UserNames(account), after, size, look)?;
                let next = next.and_then(|key| match key {
                    Key::UserName { id, .. } => Some(id.to_string()),
                    _ => None,
                });
                Ok((items, next))
            })
            .await?;
        Ok(Page { items, next, revision })
    }

    /// The roles that a user holds, and through what.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn list_user_roles(
        &self,
        account: AccountId,
        id: UserId,
        show_internal: bool,
        at: ReadAt,
    ) -> Result<(Vec<HeldRoleView>, Revision), ServiceError> {
        self.read(at, move |core, view| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            let (user, _) = facts::find_user(&view, found.number, &id)?;
            let who = HolderName::User(id.clone());
            let roles = held_role_views(&view, &account, found.number, &catalog.compiled, user, &who)?;
            let shown = |role: &HeldRoleView| show_internal || !is_internal_name(&catalog.compiled, &role.role);
            Ok(roles.into_iter().filter(shown).collect())
        })
        .await
    }
}

/// A page of users in the order of a text; the cursor is the last text and number, with a line break between.
fn users_by_text(
    view: &At<'_>,
    account: Number,
    filter: &UserFilter,
    size: usize,
    after: Option<&str>,
) -> Result<(Vec<UserView>, Option<String>), ServiceError> {
    let by = if filter.search.is_empty() { UserText::Name } else { UserText::Any };
    let mut after: Option<(String, Number)> = after.and_then(|cursor| {
        let (number, text) = cursor.split_once('\n')?;
        Some((text.to_owned(), Number(number.parse().ok()?)))
    });
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        let last = after.as_ref().map(|(text, user)| (text.as_str(), *user));
        let piece = view.store.find_users(account, by, &filter.search, last, size + 1, view.revision)?;
        let is_last = piece.len() <= size;
        for (text, user) in piece {
            if items.len() == size || looked_at == facts::LOOKED_AT {
                return Ok((items, after.map(|(text, user)| format!("{}\n{text}", user.0))));
            }
            looked_at += 1;
            items.extend(shown(view, account, user, filter)?);
            after = Some((text, user));
        }
        if is_last {
            return Ok((items, None));
        }
    }
}

/// A user, if it is there and the filter lets it through.
fn shown(view: &At<'_>, account: Number, user: Number, filter: &UserFilter) -> Result<Option<UserView>, ServiceError> {
    let record = facts::get_user(view, &Key::User { account, user })?;
    let record = record.filter(|record| filter.state.is_none_or(|state| state == record.value.state));
    record.map(|record| user_view(view, account, user, record)).transpose()
}

/// Creates users, each with roles, teams and access lists: all of them, or none. Refused if the account, a role, a team or
/// a resource does not exist, an id is taken, or a user would hold too much.
#[must_use]
pub fn create_users(method: &'static str, account: AccountId, users: Vec<NewUser>) -> Write<Vec<UserView>> {
    Write::new(method, move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let mut views = Vec::with_capacity(users.len());
        for new in users {
            views.push(create_user(plan, &found, &catalog.compiled, new)?);
        }
        Ok(views)
    })
}

fn create_user(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    new: NewUser,
) -> Result<UserView, ServiceError> {
    let account = found.number;
    if plan.get(&Key::UserName { account, id: new.id.clone() })?.is_some() {
        return Err(ServiceError::new(
            ErrorReason::AlreadyExists,
            format!("the account has a user {:?} already", new.id.as_str()),
        ));
    }
    let record = UserRecord { id: new.id.clone(), state: new.state, created: plan.time, updated: plan.time };
    let user = insert_user(plan, account, record, new.profile)?;
    for team in &new.teams {
        let (team, _) = facts::find_team(plan, account, team)?;
        set_membership(plan, account, user, team, true)?;
    }
    check_team_limit(plan, account, user, &new.id)?;
    give_roles(plan, found, catalog, Holder::User(user), &new.roles, &new.bindings)?;
    give_access(plan, found, catalog, Holder::User(user), &new.access)?;
    let (_, record) = facts::find_user(plan, account, &new.id)?;
    user_view(plan, account, user, record)
}

/// Changes a user. Refused if the account or the user does not exist, or is another version than expected.
#[must_use]
pub fn update_user(account: AccountId, id: UserId, update: UserUpdate, expected: Option<Etag>) -> Write<UserView> {
    Write::new("UpdateUser", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (user, before) = facts::find_user(plan, account, &id)?;
        Etag { number: user, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        let before_profile = profile(plan, account, user)?;
        let mut personal = before_profile.clone();
        record.state = update.state.unwrap_or(record.state);
        personal.display_name = update.display_name.unwrap_or(personal.display_name);
        personal.username = update.username.unwrap_or(personal.username);
        personal.email = update.email.unwrap_or(personal.email);
        if (&record, &personal) != (&before.value, &before_profile) {
            record.updated = plan.time;
            // Its version is that of this record, whatever has changed.
            plan.rewrite(Key::User { account, user }, Record::User(record))?;
            put_profile(plan, account, user, personal)?;
        }
        let (user, record) = facts::find_user(plan, account, &id)?;
        user_view(plan, account, user, record)
    })
}

/// Erases the personal fields of a user. Refused as [`update_user`].
#[must_use]
pub fn erase_user(account: AccountId, id: UserId, expected: Option<Etag>) -> Write<UserView> {
    Write::new("EraseUserPersonalFields", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (user, before) = facts::find_user(plan, account, &id)?;
        Etag { number: user, revision: before.revision }.expect(expected)?;
        plan.rewrite(Key::User { account, user }, Record::User(UserRecord { updated: plan.time, ..before.value }))?;
        plan.remove(Key::Profile { account, user })?;
        plan.put(Key::Erasure { account, user }, Record::Present)?;
        let (user, record) = facts::find_user(plan, account, &id)?;
        user_view(plan, account, user, record)
    })
}

/// Records when a user signed in; none: now. Gives the last sign-in that is recorded then. Refused if the account or
/// the user does not exist, or the time has not come yet.
#[must_use]
pub fn record_sign_in(account: AccountId, id: UserId, time: Option<Timestamp>) -> Write<Timestamp> {
    Write::new("RecordUserSignIn", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (user, _) = facts::find_user(plan, account, &id)?;
        let time = time.unwrap_or(plan.time);
        if time.0 > plan.time.0.saturating_add(SIGN_IN_AHEAD_MS) {
            return Err(ServiceError::field(
                "sign_in_time",
                "a time more than a minute ahead of the server's clock was given; one that has come is expected",
            ));
        }
        let key = Key::SignIn { account, user };
        let last = facts::get_time(plan, &key)?.map(|last| last.value);
        let last = last.map_or(time, |last| last.max(time));
        plan.put(key, Record::Time(last))?;
        Ok(last)
    })
}

/// Deletes a user, and erases its personal fields if asked. Gives what went with it. Refused as [`update_user`], and, unless
/// forced, while it holds a role, belongs to a team or has an exception. Cost: linear in what it holds.
#[must_use]
pub fn delete_user(
    account: AccountId,
    id: UserId,
    erase: bool,
    force: bool,
    expected: Option<Etag>,
) -> Write<Vec<Use>> {
    Write::new("DeleteUser", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let number = found.number;
        let (user, record) = facts::find_user(plan, number, &id)?;
        Etag { number: user, revision: record.revision }.expect(expected)?;
        let removed = uses_of_user(plan, &account, &found, &catalog.compiled, user)?;
        if !force {
            refuse_if_used(removed.clone())?;
        }
        if erase {
            plan.put(Key::Erasure { account: number, user }, Record::Present)?;
        }
        remove_user(plan, number, user, id)?;
        Ok(removed)
    })
}

/// Takes a role away from a user, whatever it holds it on; from an inherited one only by leaving the teams that it comes from. Refused if account,
/// user or role do not exist, the user does not hold the role, or it is inherited and `leave_teams` is not set: then the
/// teams are named.
#[must_use]
pub fn remove_user_role(account: AccountId, id: UserId, role: RoleName, leave_teams: bool) -> Write<RemovedRole> {
    Write::new("RemoveUserRole", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let (user, _) = facts::find_user(plan, found.number, &id)?;
        let number = facts::find_role(plan, &found, &catalog.compiled, &role, false)?;
        let roles_before = held_role_names(plan, &account, found.number, &catalog.compiled, user)?;
        let held = facts::held_roles(plan, found.number, user, &mut |_| {})?;
        let of_role: Vec<_> = held.into_iter().filter(|held| held.role == number).collect();
        if of_role.is_empty() {
            return Err(ServiceError::new(
                ErrorReason::RoleNotHeld,
                format!("the user {:?} does not hold that role", id.as_str()),
            ));
        }
        let teams: BTreeMap<TeamId, Number> =
            of_role.iter().filter_map(|held| held.team.clone()).map(|(number, id)| (id, number)).collect();
        if !teams.is_empty() && !leave_teams {
            let names: Vec<&str> = teams.keys().map(TeamId::as_str).collect();
            return Err(ServiceError::new(
                ErrorReason::RoleInherited,
                format!(
                    "the user holds the role through {}: to lose it, the user has to leave {}, and loses every \
                     other role of {}; set leave_teams to confirm",
                    if names.len() == 1 { "the team" } else { "the teams" }.to_owned() + " " + &names.join(", "),
                    if names.len() == 1 { "it" } else { "them" },
                    if names.len() == 1 { "it" } else { "them" },
                ),
            )
            .with("teams", names.join(",")));
        }
        for held in of_role.iter().filter(|held| held.team.is_none()) {
            remove_binding(plan, found.number, held.binding)?;
        }
        for team in teams.values() {
            set_membership(plan, found.number, user, *team, false)?;
        }
        let kept = held_role_names(plan, &account, found.number, &catalog.compiled, user)?;
        // Whoever may not see an internal role is not told that it is gone.
        let shown = |role: &RoleName| !kept.contains(role) && !is_internal_name(&catalog.compiled, role);
        let lost = roles_before.into_iter().filter(shown).collect();
        Ok(RemovedRole { left_teams: teams.into_keys().collect(), lost_roles: lost })
    })
}

/// Puts a new user into a plan.
pub(super) fn insert_user(
    plan: &mut Plan<'_>,
    account: Number,
    record: UserRecord,
    profile: ProfileRecord,
) -> Result<Number, ServiceError> {
    let user = plan.allocate();
    plan.put(Key::UserName { account, id: record.id.clone() }, Record::Name(user))?;
    plan.put(Key::User { account, user }, Record::User(record))?;
    put_profile(plan, account, user, profile)?;
    Ok(user)
}

/// Sets the personal fields of a user; no record at all if all are empty.
pub(super) fn put_profile(
    plan: &mut Plan<'_>,
    account: Number,
    user: Number,
    profile: ProfileRecord,
) -> Result<(), ServiceError> {
    let key = Key::Profile { account, user };
    let before = facts::get_profile(plan, &key)?.map(|profile| profile.value).unwrap_or_default();
    if profile != before && plan.get(&Key::Erasure { account, user })?.is_some() {
        // What is written now could be erased together with what was there before.
        return Err(ServiceError::new(
            ErrorReason::ErasurePending,
            "the user's personal fields are being erased; give it new ones in a moment",
        ));
    }
    if profile == ProfileRecord::default() { plan.remove(key) } else { plan.put(key, Record::Profile(profile)) }
}

/// Takes a user out of a plan, with all that it holds. Cost: linear in that.
pub(super) fn remove_user(plan: &mut Plan<'_>, account: Number, user: Number, id: UserId) -> Result<(), ServiceError> {
    for (key, _) in facts::scan_all(plan, KeyRange::Memberships { account, user })? {
        if let Key::Membership { team, .. } = key {
            set_membership(plan, account, user, team, false)?;
        }
    }
    remove_bindings_of(plan, account, Holder::User(user))?;
    remove_exceptions(plan, account, user)?;
    remove_access_lists(plan, account, Holder::User(user))?;
    plan.remove(Key::SignIn { account, user })?;
    plan.remove(Key::User { account, user })?;
    plan.remove(Key::UserName { account, id })?;
    plan.remove(Key::Profile { account, user })
}

pub(super) fn profile(view: &dyn View, account: Number, user: Number) -> Result<ProfileRecord, ServiceError> {
    Ok(facts::get_profile(view, &Key::Profile { account, user })?.map(|profile| profile.value).unwrap_or_default())
}

/// The names of the roles that a user holds, the catalog's before the account's, each ordered by id.
fn held_role_names(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
) -> Result<BTreeSet<RoleName>, ServiceError> {
    let mut names = BTreeSet::new();
    for held in facts::held_roles(view, account, user, &mut |_| {})? {
        let role = facts::role_of_number(view, account, catalog, held.role, &mut |_| {})?;
        names.extend(role.map(|(role, _)| facts::role_name(account_id, catalog, &role)));
    }
    Ok(names)
}

/// The roles that a user holds, the catalog's before the account's, each ordered by id.
fn held_role_views(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
    who: &HolderName,
) -> Result<Vec<HeldRoleView>, ServiceError> {
    let mut roles: BTreeMap<RoleName, HeldRoleView> = BTreeMap::new();
    let mut all = facts::held_roles(view, account, user, &mut |_| {})?;
    // Its own ones first, then those of its teams by id.
    let team_id = |held: &crate::engine::HeldRole| held.team.as_ref().map(|(_, team)| team.clone());
    all.sort_by_key(|held| (team_id(held), held.binding));
    for held in all {
        let Some((role, _)) = facts::role_of_number(view, account, catalog, held.role, &mut |_| {})? else { continue };
        let name = facts::role_name(account_id, catalog, &role);
        let team = held.team.map(|(_, team)| team);
        let holder = team.clone().map_or_else(|| who.clone(), HolderName::Team);
        let bindings = views_of(view, account, catalog, &[held.binding], &holder, &name)?;
        if bindings.is_empty() {
            continue;
        }
        let display_name = match facts::catalog_role(catalog, &role) {
            Some(role) => role.display_name.clone(),
            None => facts::get_role(view, &Key::Role { account, role: held.role })?
                .map(|record| record.value.display_name)
                .unwrap_or_default(),
        };
        let (direct, teams) = (false, Vec::new());
        let none = HeldRoleView { role: name.clone(), display_name, direct, teams, bindings: Vec::new() };
        let entry = roles.entry(name).or_insert(none);
        entry.bindings.extend(bindings);
        match team {
            None => entry.direct = true,
            Some(team) => entry.teams.push(team),
        }
    }
    for role in roles.values_mut() {
        role.teams.dedup();
    }
    Ok(roles.into_values().collect())
}

fn is_internal_name(catalog: &CompiledCatalog, name: &RoleName) -> bool {
    match name {
        RoleName::Catalog(_, id) => catalog.role(id.as_str()).is_some_and(|role| facts::is_internal(catalog, role)),
        RoleName::Account(..) => false,
    }
}

/// A user as it is shown.
pub(super) fn user_view(
    view: &dyn View,
    account: Number,
    user: Number,
    record: Stamped<UserRecord>,
) -> Result<UserView, ServiceError> {
    let Stamped { revision, value: record } = record;
    Ok(UserView {
        id: record.id,
        state: record.state,
        profile: profile(view, account, user)?,
        created: record.created,
        updated: record.updated,
        last_sign_in: facts::get_time(view, &Key::SignIn { account, user })?.map(|time| time.value),
        etag: Etag { number: user, revision },
    })
}
