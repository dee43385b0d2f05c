//! Teams: created, read, changed, deleted; their members from the team's side.

use super::{
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
    users::{check_team_limit, set_membership},
    writer::Written,
};
use crate::{
    model::{AccountId, Key, KeyRange, Kind, Number, Record, Revision, TeamId, TeamRecord, UserId},
    store::View,
};

/// A team to be created.
#[derive(Clone, Debug)]
pub struct NewTeam {
    /// Its id.
    pub id: TeamId,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
}

/// What to change of a team; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct TeamUpdate {
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
}

/// A team as it is shown.
pub type TeamView = TeamRecord;

impl Service {
    /// Creates a team without members.
    ///
    /// # Errors
    /// If the account does not exist, the id is taken, or the account has as many teams as it can have.
    pub async fn create_team(&self, account: AccountId, new: NewTeam) -> Result<Written<TeamView>, ServiceError> {
        self.write("CreateTeam", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            if plan.get(&Key::TeamName { account, id: new.id.clone() })?.is_some() {
                return Err(ServiceError::new(
                    ErrorReason::AlreadyExists,
                    format!("the account has a team {:?} already", new.id.as_str()),
                ));
            }
            let record = TeamRecord {
                id: new.id,
                display_name: new.display_name,
                description: new.description,
                created: plan.time,
                updated: plan.time,
            };
            insert_team(plan, account, record.clone())?;
            plan.count(account, 1, 0)?;
            Ok(record)
        })
        .await
    }

    /// One team.
    ///
    /// # Errors
    /// If the account or the team does not exist.
    pub async fn get_team(
        &self,
        account: AccountId,
        id: TeamId,
        at: ReadAt,
    ) -> Result<(TeamView, Revision), ServiceError> {
        self.read(at, move |_, view| {
            let account = facts::find_account(&view, &account)?.number;
            Ok(facts::find_team(&view, account, &id)?.1)
        })
        .await
    }

    /// Teams ordered by id. Cost: linear in the page.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_teams(
        &self,
        account: AccountId,
        size: usize,
        after: Option<TeamId>,
        at: ReadAt,
    ) -> Result<Page<TeamView>, ServiceError> {
        let (items, revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                let after = after.map(|id| Key::TeamName { account, id });
                let mut items = Vec::new();
                for (_, name) in view.scan(KeyRange::TeamNames(account), after.as_ref(), size + 1)? {
                    let Record::Name(team) = name.value else { continue };
                    items.extend(facts::get_team(&view, &Key::Team { account, team })?.map(|team| team.value));
                }
                Ok(items)
            })
            .await?;
        Ok(Page::cut(items, size, revision, |team| team.id.to_string()))
    }

    /// Changes a team.
    ///
    /// # Errors
    /// If the account or the team does not exist.
    pub async fn update_team(
        &self,
        account: AccountId,
        id: TeamId,
        update: TeamUpdate,
    ) -> Result<Written<TeamView>, ServiceError> {
        self.write("UpdateTeam", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (team, mut record) = facts::find_team(plan, account, &id)?;
            let before = record.clone();
            record.display_name = update.display_name.unwrap_or(record.display_name);
            record.description = update.description.unwrap_or(record.description);
            if record != before {
                record.updated = plan.time;
            }
            plan.put(Key::Team { account, team }, Record::Team(record.clone()))?;
            Ok(record)
        })
        .await
    }

    /// Deletes a team. Cost: constant, however many members it has; what refers to it is void at once and swept later.
    ///
    /// # Errors
    /// If the account or the team does not exist.
    pub async fn delete_team(&self, account: AccountId, id: TeamId) -> Result<Written<()>, ServiceError> {
        self.write("DeleteTeam", move |plan| {
            let account = facts::find_account(plan, &account)?.number;
            let (team, _) = facts::find_team(plan, account, &id)?;
            remove_team(plan, account, team, id)?;
            plan.count(account, -1, 0)
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
                let mut after = after.map(|user| Key::Member { account, team, user });
                let mut items: Vec<(Number, UserId)> = Vec::new();
                // Members that were deleted leave gaps until they are swept.
                while items.len() <= size {
                    let found = view.scan(KeyRange::Members { account, team }, after.as_ref(), size + 1)?;
                    let Some((last, _)) = found.last() else { break };
                    after = Some(last.clone());
                    for (key, _) in found {
                        let Key::Member { user, .. } = key else { continue };
                        let record = facts::get_user(&view, &Key::User { account, user })?;
                        items.extend(record.map(|record| (user, record.value.id)));
                    }
                }
                items.truncate(size + 1);
                Ok(items)
            })
            .await?;
        let page = Page::cut(items, size, revision, |(user, _)| user.0.to_string());
        let items = page.items.into_iter().map(|(_, id)| id).collect();
        Ok(Page { items, next: page.next, revision: page.revision })
    }

    /// Puts users into a team, or takes them out of it, all in one write.
    ///
    /// # Errors
    /// If the account, the team or a user does not exist, or a user would be in too many teams.
    pub async fn change_team_members(
        &self,
        account: AccountId,
        id: TeamId,
        members: Vec<UserId>,
        join: bool,
    ) -> Result<Written<()>, ServiceError> {
        self.write(if join { "AddTeamMembers" } else { "RemoveTeamMembers" }, move |plan| {
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
        .await
    }
}

/// Puts a new team into a plan, without counting it.
pub(super) fn insert_team(plan: &mut Plan<'_>, account: Number, record: TeamRecord) -> Result<Number, ServiceError> {
    let team = plan.allocate();
    plan.put(Key::TeamName { account, id: record.id.clone() }, Record::Name(team))?;
    plan.put(Key::Team { account, team }, Record::Team(record))?;
    Ok(team)
}

/// Takes a team out of a plan, without counting it.
pub(super) fn remove_team(plan: &mut Plan<'_>, account: Number, team: Number, id: TeamId) -> Result<(), ServiceError> {
    plan.remove(Key::Team { account, team })?;
    plan.remove(Key::TeamName { account, id })?;
    plan.retire(team, Kind::Team, Some(account))
}
