//! Teams: created, read, found, changed, deleted.

use super::{
    access_lists::remove_access_lists,
    accounts::account_and_catalog,
    bindings::{NewBinding, give_roles, remove_bindings_of},
    core::{Page, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, RoleName},
    manners::Etag,
    memberships::{check_team_limit, set_membership},
    new_access::{NewAccess, give_access},
    plan::Plan,
    uses::{Use, refuse_if_used, uses_of_team},
    writer::Write,
};
use crate::{
    model::{AccountId, Holder, Key, KeyRange, Kind, Number, Record, Revision, Stamped, TeamId, TeamRecord, UserId},
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
    /// The roles that it is to hold on the whole account, for good.
    pub roles: Vec<RoleName>,
    /// Those that it is to hold besides, each with its place and its time.
    pub bindings: Vec<NewBinding>,
    /// The users who are to belong to it.
    pub members: Vec<UserId>,
    /// What it is to have access to.
    pub access: Vec<NewAccess>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamView {
    /// Its own fields.
    pub record: TeamRecord,
    /// How many users belong to it.
    pub member_count: u64,
    /// Its version.
    pub etag: Etag,
}

/// What went with a team that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTeam {
    /// How many users belonged to it.
    pub members: u64,
    /// What used it, where that was forced.
    pub removed: Vec<Use>,
}

impl Service {
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
            let (team, record) = facts::find_team(&view, account, &id)?;
            team_view(&view, account, team, record)
        })
        .await
    }

    /// Teams ordered by id; with a search, in lower case, those that contain it. Cost: linear in the page, and in the
    /// teams that the search leaves out.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn list_teams(
        &self,
        account: AccountId,
        search: String,
        size: usize,
        after: Option<TeamId>,
        at: ReadAt,
    ) -> Result<Page<TeamView>, ServiceError> {
        let ((items, next), revision) = self
            .read(at, move |_, view| {
                let account = facts::find_account(&view, &account)?.number;
                let after = after.map(|id| Key::TeamName { account, id });
                facts::find_in(&view, KeyRange::TeamNames(account), after, size, |_, name| {
                    let Record::Name(team) = *name else { return Ok(None) };
                    let record = facts::get_team(&view, &Key::Team { account, team })?;
                    let found = record.filter(|record| {
                        let record = &record.value;
                        facts::matches(&search, &[record.id.as_str(), &record.display_name, &record.description])
                    });
                    found.map(|record| team_view(&view, account, team, record)).transpose()
                })
            })
            .await?;
        let next = next.and_then(|key| match key {
            Key::TeamName { id, .. } => Some(id.to_string()),
            _ => None,
        });
        Ok(Page { items, next, revision })
    }
}

/// Creates a team, with roles, members and access lists. Refused if the account, a role, a user or a resource does not
/// exist, the id is taken, or there would be too much of something.
#[must_use]
pub fn create_team(account: AccountId, new: NewTeam) -> Write<TeamView> {
    Write::new("CreateTeam", move |plan| {
        let (found, catalog) = account_and_catalog(plan, &account)?;
        let account = found.number;
        if plan.get(&Key::TeamName { account, id: new.id.clone() })?.is_some() {
            return Err(ServiceError::new(
                ErrorReason::AlreadyExists,
                format!("the account has a team {:?} already", new.id.as_str()),
            ));
        }
        let record = TeamRecord {
            id: new.id.clone(),
            display_name: new.display_name,
            description: new.description,
            created: plan.time,
            updated: plan.time,
        };
        let team = insert_team(plan, account, record)?;
        plan.count(account, 1, 0)?;
        for id in &new.members {
            let (user, _) = facts::find_user(plan, account, id)?;
            set_membership(plan, account, user, team, true)?;
            check_team_limit(plan, account, user, id)?;
        }
        give_roles(plan, &found, &catalog.compiled, Holder::Team(team), &new.roles, &new.bindings)?;
        give_access(plan, &found, &catalog.compiled, Holder::Team(team), &new.access)?;
        let (_, record) = facts::find_team(plan, account, &new.id)?;
        team_view(plan, account, team, record)
    })
}

/// Changes a team. Refused if the account or the team does not exist, or is another version than expected.
#[must_use]
pub fn update_team(account: AccountId, id: TeamId, update: TeamUpdate, expected: Option<Etag>) -> Write<TeamView> {
    Write::new("UpdateTeam", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (team, before) = facts::find_team(plan, account, &id)?;
        Etag { number: team, revision: before.revision }.expect(expected)?;
        let mut record = before.value.clone();
        record.display_name = update.display_name.unwrap_or(record.display_name);
        record.description = update.description.unwrap_or(record.description);
        if record != before.value {
            record.updated = plan.time;
        }
        plan.put(Key::Team { account, team }, Record::Team(record))?;
        let (_, record) = facts::find_team(plan, account, &id)?;
        team_view(plan, account, team, record)
    })
}

/// Deletes a team. Gives who belonged to it. Refused as [`update_team`], and, unless forced, while somebody belongs to it.
/// Cost: linear in the roles and access lists that it holds, however many members it has: their memberships are void at
/// once and swept later.
#[must_use]
pub fn delete_team(account: AccountId, id: TeamId, force: bool, expected: Option<Etag>) -> Write<DeletedTeam> {
    Write::new("DeleteTeam", move |plan| {
        let account = facts::find_account(plan, &account)?.number;
        let (team, record) = facts::find_team(plan, account, &id)?;
        Etag { number: team, revision: record.revision }.expect(expected)?;
        let removed = uses_of_team(plan, account, team)?;
        if !force {
            refuse_if_used(removed.clone())?;
        }
        let members = facts::get_count(plan, &Key::TeamSize { account, team })?.map_or(0, |count| count.value);
        remove_team(plan, account, team, id)?;
        plan.count(account, -1, 0)?;
        Ok(DeletedTeam { members, removed })
    })
}

/// A team as it is shown.
fn team_view(
    view: &dyn View,
    account: Number,
    team: Number,
    record: Stamped<TeamRecord>,
) -> Result<TeamView, ServiceError> {
    let size = facts::get_count(view, &Key::TeamSize { account, team })?;
    Ok(TeamView {
        member_count: size.map_or(0, |size| size.value),
        etag: Etag { number: team, revision: record.revision },
        record: record.value,
    })
}

/// Puts a new team into a plan, without counting it.
pub(super) fn insert_team(plan: &mut Plan<'_>, account: Number, record: TeamRecord) -> Result<Number, ServiceError> {
    let team = plan.allocate();
    plan.put(Key::TeamName { account, id: record.id.clone() }, Record::Name(team))?;
    plan.put(Key::Team { account, team }, Record::Team(record))?;
    Ok(team)
}

/// Takes a team out of a plan with the roles and access lists that it holds, without counting it.
pub(super) fn remove_team(plan: &mut Plan<'_>, account: Number, team: Number, id: TeamId) -> Result<(), ServiceError> {
    remove_bindings_of(plan, account, Holder::Team(team))?;
    remove_access_lists(plan, account, Holder::Team(team))?;
    plan.remove(Key::TeamSize { account, team })?;
    plan.remove(Key::Team { account, team })?;
    plan.remove(Key::TeamName { account, id })?;
    plan.retire(team, Kind::Team, Some(account))
}
