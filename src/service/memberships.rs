//! Who belongs to which team: changed from either side, singly, in batches, or replaced whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    MAX_TEAMS_OR_ROLES_OF_A_USER,
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
    writer::Write,
};
use crate::{
    model::{AccountId, Key, KeyRange, Number, Record, Revision, TeamId, UserId},
    store::View,
};

/// What came of replacing the teams of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplacedTeams {
    /// The teams that the user joined, ordered by id.
    pub joined: Vec<TeamId>,
    /// The teams that the user left, ordered by id.
    pub left: Vec<TeamId>,
}

/// What came of replacing the members of a team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplacedMembers {
    /// How many users joined.
    pub added: u64,
    /// How many users left.
    pub removed: u64,
}

impl Service {
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

    /// The members of a team in the order of their creation. Cost: linear in the page.
    ///
    /// # Errors
    /// If the account or the team does not exist.
    pub async fn list_team_members(
        &self,
        account: AccountId,
        id: TeamId,
        size: usize,
        after: Option<Number>,
        at: ReadAt,
    ) -> Result<Page<UserId>, ServiceError> {
        let (items, revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                let (team, _) = facts::find_team(&view, account, &id)?;
                let after = after.map(|user| Key::Member { account, team, user });
                let mut items: Vec<(Number, UserId)> = Vec::new();
                for (key, _) in view.scan(KeyRange::Members { account, team }, after.as_ref(), size + 1)? {
                    let Key::Member { user, .. } = key else { continue };
                    let record = facts::get_user(&view, &Key::User { account, user })?;
                    items.extend(record.map(|record| (user, record.value.id)));
                }
                Ok(items)
            })
            .await?;
        let page = Page::cut(items, size, revision, |(user, _)| user.0.to_string());
        let items = page.items.into_iter().map(|(_, id)| id).collect();
        Ok(Page { items, next: page.next, revision: page.revision })
    }
}

/// Puts a user into teams, or takes it out of them, all in one write. Refused if account, user or a team does not
/// exist, or the user would be in too many teams.
#[must_use]
pub fn change_user_teams(account: AccountId, id: UserId, teams: Vec<TeamId>, join: bool) -> Write<()> {
    Write::new(if join { "AddUserTeams" } else { "RemoveUserTeams" }, move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (user, _) = facts::find_user(plan, account, &id)?;
        for team in teams {
            let (team, _) = facts::find_team(plan, account, &team)?;
            set_membership(plan, account, user, team, join)?;
        }
        if join { check_team_limit(plan, account, user, &id) } else { Ok(()) }
    })
}

/// Makes a user belong to these teams and no others. Refused as [`change_user_teams`].
#[must_use]
pub fn replace_user_teams(account: AccountId, id: UserId, teams: Vec<TeamId>) -> Write<ReplacedTeams> {
    Write::new("ReplaceUserTeams", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (user, _) = facts::find_user(plan, account, &id)?;
        let mut wanted = BTreeMap::new();
        for team in teams {
            let (number, _) = facts::find_team(plan, account, &team)?;
            wanted.insert(team, number);
        }
        let held = facts::teams_of(plan, account, user, &mut |_| {})?;
        let held: BTreeMap<TeamId, Number> = held.into_iter().map(|(number, id)| (id, number)).collect();
        let mut replaced = ReplacedTeams::default();
        for (team, number) in wanted.iter().filter(|(team, _)| !held.contains_key(*team)) {
            set_membership(plan, account, user, *number, true)?;
            replaced.joined.push(team.clone());
        }
        for (team, number) in held.iter().filter(|(team, _)| !wanted.contains_key(*team)) {
            set_membership(plan, account, user, *number, false)?;
            replaced.left.push(team.clone());
        }
        check_team_limit(plan, account, user, &id)?;
        Ok(replaced)
    })
}

/// Puts users into a team, or takes them out of it, all in one write. Refused if account, team or a user does not
/// exist, or a user would be in too many teams.
#[must_use]
pub fn change_team_members(account: AccountId, id: TeamId, members: Vec<UserId>, join: bool) -> Write<()> {
    Write::new(if join { "AddTeamMembers" } else { "RemoveTeamMembers" }, move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (team, _) = facts::find_team(plan, account, &id)?;
        for id in members {
            let (user, _) = facts::find_user(plan, account, &id)?;
            set_membership(plan, account, user, team, join)?;
            if join {
                check_team_limit(plan, account, user, &id)?;
            }
        }
        Ok(())
    })
}

/// Makes these users the members of a team and no others. Refused as [`change_team_members`].
/// Cost: linear in the members before and after; those who stay are not touched.
#[must_use]
pub fn replace_team_members(account: AccountId, id: TeamId, members: Vec<UserId>) -> Write<ReplacedMembers> {
    Write::new("ReplaceTeamMembers", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (team, _) = facts::find_team(plan, account, &id)?;
        let mut wanted: BTreeMap<Number, UserId> = BTreeMap::new();
        let mut missing = Vec::new();
        for id in members {
            match facts::find_user(plan, account, &id) {
                Ok((user, _)) => _ = wanted.insert(user, id),
                Err(error) if error.reason == ErrorReason::UserNotFound => missing.push(id),
                Err(error) => return Err(error),
            }
        }
        if !missing.is_empty() {
            let shown: Vec<&str> = missing.iter().take(10).map(UserId::as_str).collect();
            let more = if missing.len() > shown.len() { " and more" } else { "" };
            return Err(ServiceError::new(
                ErrorReason::UserNotFound,
                format!("the account has no {} of the users: {}{more}", missing.len(), shown.join(", ")),
            )
            .with("users", shown.join(",")));
        }
        let held =
            facts::scan_all(plan, KeyRange::Members { account, team })?.into_iter().filter_map(|(key, _)| match key {
                Key::Member { user, .. } => Some(user),
                _ => None,
            });
        let held: BTreeSet<Number> = held.collect();
        let mut replaced = ReplacedMembers::default();
        for (user, id) in wanted.iter().filter(|(user, _)| !held.contains(user)) {
            set_membership(plan, account, *user, team, true)?;
            check_team_limit(plan, account, *user, id)?;
            replaced.added += 1;
        }
        for user in held.iter().filter(|user| !wanted.contains_key(user)) {
            set_membership(plan, account, *user, team, false)?;
            replaced.removed += 1;
        }
        Ok(replaced)
    })
}

/// Makes a user a member of a team, or not one, and counts it.
pub(super) fn set_membership(
    plan: &mut Plan<'_>,
    account: Number,
    user: Number,
    team: Number,
    is_member: bool,
) -> Result<(), ServiceError> {
    let (membership, member) = (Key::Membership { account, user, team }, Key::Member { account, team, user });
    if plan.get(&membership)?.is_some() == is_member {
        return Ok(());
    }
    let size = Key::TeamSize { account, team };
    let count = facts::get_count(plan, &size)?.map_or(0, |count| count.value);
    if is_member {
        plan.put(membership, Record::Present)?;
        plan.put(member, Record::Present)?;
        plan.put(size, Record::Count(count + 1))
    } else {
        plan.remove(membership)?;
        plan.remove(member)?;
        // A team that is gone has no count any more.
        if count > 1 { plan.put(size, Record::Count(count - 1)) } else { plan.remove(size) }
    }
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
