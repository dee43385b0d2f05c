//! Users: created, read, changed, deleted; their teams and roles from their own side.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    MAX_TEAMS_OR_ROLES_OF_A_USER,
    accounts::{account_and_catalog, account_and_catalog_at},
    bindings,
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
    plan::Plan,
    writer::Written,
};
use crate::{
    engine::CompiledCatalog,
    model::{
        AccountId, Key, KeyRange, Kind, Number, ProfileRecord, Record, Revision, TeamId, Timestamp, UserId, UserRecord,
        UserState,
    },
    store::View,
};

/// A user to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Where it stands.
    pub state: UserState,
    /// Its personal fields.
    pub profile: ProfileRecord,
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
    /// Creates a user who holds nothing yet.
    ///
    /// # Errors
    /// If the account does not exist or the id is taken.
    pub async fn create_user(&self, account: AccountId, new: NewUser) -> Result<Written<UserView>, ServiceError> {
        self.write("CreateUser", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            if plan.get(&Key::UserName { account, id: new.id.clone() })?.is_some() {
                return Err(ServiceError::new(
                    ErrorReason::AlreadyExists,
                    format!("the account has a user {:?} already", new.id.as_str()),
                ));
            }
            let record = UserRecord { id: new.id, state: new.state, created: plan.time, updated: plan.time };
            insert_user(plan, account, record.clone(), new.profile.clone())?;
            Ok(user_view(record, new.profile))
        })
        .await
    }

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
            Ok(user_view(record, profile(&view, account, user)?))
        })
        .await
    }

    /// Users ordered by id. Cost: linear in the page.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_users(
        &self,
        account: AccountId,
        size: usize,
        after: Option<UserId>,
        at: ReadAt,
    ) -> Result<Page<UserView>, ServiceError> {
        let (items, revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                let after = after.map(|id| Key::UserName { account, id });
                let mut items = Vec::new();
                for (_, name) in view.scan(KeyRange::UserNames(account), after.as_ref(), size + 1)? {
                    let Record::Name(user) = name.value else { continue };
                    if let Some(record) = facts::get_user(&view, &Key::User { account, user })? {
                        items.push(user_view(record.value, profile(&view, account, user)?));
                    }
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |user| user.id.to_string()))
    }

    /// Changes a user.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn update_user(
        &self,
        account: AccountId,
        id: UserId,
        update: UserUpdate,
    ) -> Result<Written<UserView>, ServiceError> {
        self.write("UpdateUser", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (user, mut record) = facts::find_user(plan, account, &id)?;
            let mut personal = profile(plan, account, user)?;
            let before = (record.clone(), personal.clone());
            record.state = update.state.unwrap_or(record.state);
            personal.display_name = update.display_name.unwrap_or(personal.display_name);
            personal.username = update.username.unwrap_or(personal.username);
            personal.email = update.email.unwrap_or(personal.email);
            if (&record, &personal) != (&before.0, &before.1) {
                record.updated = plan.time;
            }
            plan.put(Key::User { account, user }, Record::User(record.clone()))?;
            put_profile(plan, account, user, personal.clone())?;
            Ok(user_view(record, personal))
        })
        .await
    }

    /// Deletes a user. Cost: constant; memberships and bindings are void at once and swept later.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn delete_user(&self, account: AccountId, id: UserId) -> Result<Written<()>, ServiceError> {
        self.write("DeleteUser", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (user, _) = facts::find_user(plan, account, &id)?;
            remove_user(plan, account, user, id)
        })
        .await
    }

    /// The teams that a user belongs to, ordered by id.
    ///
    /// # Errors
    /// If the account or the user does not exist.
    pub async fn list_user_teams(
        &self,
        account: AccountId,
        id: UserId,
        at: ReadAt,
    ) -> Result<(Vec<TeamId>, Revision), ServiceError> {
        self.read(at, move |_, view| {
            let account = facts::find_account(&view, &account)?.number;
            let (user, _) = facts::find_user(&view, account, &id)?;
            let teams = facts::teams_of(&view, account, user, &mut |_| {})?;
            let mut teams: Vec<TeamId> = teams.into_iter().map(|(_, id)| id).collect();
            teams.sort();
            Ok(teams)
        })
        .await
    }

    /// Puts a user into teams, or takes it out of them, all in one write.
    ///
    /// # Errors
    /// If the account, the user or a team does not exist, or the user would be in too many teams.
    pub async fn change_user_teams(
        &self,
        account: AccountId,
        id: UserId,
        teams: Vec<TeamId>,
        join: bool,
    ) -> Result<Written<()>, ServiceError> {
        self.write(if join { "AddUserTeams" } else { "RemoveUserTeams" }, move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (user, _) = facts::find_user(plan, account, &id)?;
            for team in teams {
                let (team, _) = facts::find_team(plan, account, &team)?;
                set_membership(plan, account, user, team, join)?;
            }
            if join { check_team_limit(plan, account, user, &id) } else { Ok(()) }
        })
        .await
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
            let roles = held_role_views(&view, &account, found.number, &catalog.compiled, user)?;
            let shown = |role: &HeldRoleView| show_internal || !is_internal_name(&catalog.compiled, &role.role);
            Ok(roles.into_iter().filter(shown).collect())
        })
        .await
    }

    /// Takes a role away from a user; from an inherited one only by leaving the teams that it comes from.
    ///
    /// # Errors
    /// If account, user or role do not exist, the user does not hold the role, or it is inherited and `leave_teams` is
    /// not set: then the teams are named and nothing changes.
    pub async fn remove_user_role(
        &self,
        account: AccountId,
        id: UserId,
        role: RoleName,
        leave_teams: bool,
    ) -> Result<Written<RemovedRole>, ServiceError> {
        self.write("RemoveUserRole", move |plan| {
            let (found, catalog) = account_and_catalog(plan, &account)?;
            let (user, _) = facts::find_user(plan, found.number, &id)?;
            let number = facts::find_role(plan, &found, &catalog.compiled, &role, false)?;
            let roles_before = held_role_views(plan, &account, found.number, &catalog.compiled, user)?;
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
                bindings::remove_binding(plan, found.number, held.binding)?;
            }
            for team in teams.values() {
                set_membership(plan, found.number, user, *team, false)?;
            }
            let kept: BTreeSet<RoleName> = held_role_views(plan, &account, found.number, &catalog.compiled, user)?
                .into_iter()
                .map(|role| role.role)
                .collect();
            let lost = roles_before.into_iter().map(|role| role.role).filter(|role| !kept.contains(role)).collect();
            Ok(RemovedRole { left_teams: teams.into_keys().collect(), lost_roles: lost })
        })
        .await
    }
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
    if profile == ProfileRecord::default() { plan.remove(key) } else { plan.put(key, Record::Profile(profile)) }
}

/// Takes a user out of a plan.
pub(super) fn remove_user(plan: &mut Plan<'_>, account: Number, user: Number, id: UserId) -> Result<(), ServiceError> {
    plan.remove(Key::User { account, user })?;
    plan.remove(Key::UserName { account, id })?;
    plan.remove(Key::Profile { account, user })?;
    plan.retire(user, Kind::User, Some(account))
}

/// Makes a user a member of a team, or not one.
pub(super) fn set_membership(
    plan: &mut Plan<'_>,
    account: Number,
    user: Number,
    team: Number,
    is_member: bool,
) -> Result<(), ServiceError> {
    for key in [Key::Membership { account, user, team }, Key::Member { account, team, user }] {
        if is_member {
            plan.put(key, Record::Present)?;
        } else {
            plan.remove(key)?;
        }
    }
    Ok(())
}

/// Refuses a user that would be in too many teams. Cost: linear in the user's teams.
pub(super) fn check_team_limit(
    plan: &Plan<'_>,
    account: Number,
    user: Number,
    id: &UserId,
) -> Result<(), ServiceError> {
    // Memberships of deleted teams are void and do not count.
    let teams = facts::teams_of(plan, account, user, &mut |_| {})?.len();
    if teams > MAX_TEAMS_OR_ROLES_OF_A_USER {
        return Err(ServiceError::new(
            ErrorReason::LimitReached,
            format!(
                "the user {:?} would be in {teams} teams; the maximum is {MAX_TEAMS_OR_ROLES_OF_A_USER}",
                id.as_str()
            ),
        )
        .with("maximum", MAX_TEAMS_OR_ROLES_OF_A_USER.to_string()));
    }
    Ok(())
}

pub(super) fn profile(view: &dyn View, account: Number, user: Number) -> Result<ProfileRecord, ServiceError> {
    Ok(facts::get_profile(view, &Key::Profile { account, user })?.map(|profile| profile.value).unwrap_or_default())
}

/// The roles that a user holds, the catalog's before the account's, each ordered by id.
fn held_role_views(
    view: &dyn View,
    account_id: &AccountId,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
) -> Result<Vec<HeldRoleView>, ServiceError> {
    let mut roles: BTreeMap<RoleName, HeldRoleView> = BTreeMap::new();
    for held in facts::held_roles(view, account, user, &mut |_| {})? {
        let Some((role, _)) = facts::role_of_number(view, account, catalog, held.role, &mut |_| {})? else { continue };
        let display_name = match facts::catalog_role(catalog, &role) {
            Some(role) => role.display_name.clone(),
            None => facts::get_role(view, &Key::Role { account, role: held.role })?
                .map(|record| record.value.display_name)
                .unwrap_or_default(),
        };
        let name = facts::role_name(account_id, catalog, &role);
        let entry = roles.entry(name.clone()).or_insert(HeldRoleView {
            role: name,
            display_name,
            direct: false,
            teams: Vec::new(),
        });
        match held.team {
            None => entry.direct = true,
            Some((_, team)) => entry.teams.push(team),
        }
    }
    for role in roles.values_mut() {
        role.teams.sort();
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

fn user_view(record: UserRecord, profile: ProfileRecord) -> UserView {
    UserView { id: record.id, state: record.state, profile, created: record.created, updated: record.updated }
}
