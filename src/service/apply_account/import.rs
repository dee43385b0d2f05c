//! Users from lines, a step at a time: each created, or passed over, or made what its line says. Nobody is deleted.
//!
//! A step is one write like any other: all of its lines or none. What lines name besides the catalog's own is looked up
//! once for a step. Read [`import_users`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    super::{
        accounts::account_and_catalog,
        error::{ErrorReason, ServiceError},
        export::user_definition,
        facts,
        plan::Plan,
        writer::Write,
    },
    Application, Refused, references,
};
use crate::{
    files::{Located, Problems, RoleName, UserDefinition, write_user},
    model::{AccountId, Key, Number, ResourcePath, RoleId, TeamId},
};

/// What to do about a user that is there already and differs from its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse the step.
    #[default]
    Refuse,
    /// Leave it as it is.
    Skip,
    /// Make it what its line says.
    Update,
}

/// What came of lines, in users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportedUsers {
    /// Those that were created.
    pub created: u64,
    /// Those that were there, just as their lines say.
    pub unchanged: u64,
    /// Those that were there and were left as they are, although their lines differ.
    pub skipped: u64,
    /// Those that were there and were made what their lines say.
    pub updated: u64,
}

impl ImportedUsers {
    /// Adds what came of more lines.
    pub fn add(&mut self, more: Self) {
        let Self { created, unchanged, skipped, updated } = more;
        self.created += created;
        self.unchanged += unchanged;
        self.skipped += skipped;
        self.updated += updated;
    }
}

/// Takes users in: all of them, or none. Refused if the account does not exist, or a line does not fit it: then `problems`
/// is told everything that is wrong with every line. `is_dry`: only look. Cost: linear in the users, and for those that are
/// there already in what they hold.
#[must_use]
pub fn import_users(
    account: AccountId,
    users: Vec<UserDefinition>,
    existing: Existing,
    is_dry: bool,
    problems: Arc<Mutex<Option<Problems>>>,
) -> Write<ImportedUsers> {
    Write::new("ImportUsers", move |plan| {
        plan.is_dry = is_dry;
        match import(plan, &account, &users, existing) {
            Ok(imported) => Ok(imported),
            Err(Refused::Error(error)) => Err(error),
            Err(Refused::Problems(found)) => {
                *problems.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                Err(ServiceError::new(ErrorReason::FileInvalid, "lines have problems; nothing of their step was done"))
            }
        }
    })
}

fn import(
    plan: &mut Plan<'_>,
    account: &AccountId,
    users: &[UserDefinition],
    existing: Existing,
) -> Result<ImportedUsers, Refused> {
    let (found, catalog) = account_and_catalog(plan, account)?;
    let mut application = Application {
        plan,
        account: found.number,
        catalog: &catalog.compiled,
        changes: Vec::new(),
        problems: Problems::default(),
        resources: HashMap::new(),
        policies: HashMap::new(),
        roles: HashMap::new(),
        teams: HashMap::new(),
    };
    for user in users {
        application.look_up(user)?;
    }
    references::resolve_users(&catalog.compiled, users, &mut application.problems);
    let mut imported = ImportedUsers::default();
    if application.problems.is_empty() {
        for user in users {
            application.import_user(user, existing, &mut imported)?;
        }
    }
    application.problems.into_result(imported).map_err(Refused::Problems)
}

/// What was found; none: there is no such thing.
fn found<T>(outcome: Result<T, ServiceError>, reason: ErrorReason) -> Result<Option<T>, ServiceError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.reason == reason => Ok(None),
        Err(error) => Err(error),
    }
}

impl Application<'_, '_> {
    /// Looks up what a line names in the account, and reports what is not there.
    fn look_up(&mut self, user: &UserDefinition) -> Result<(), Refused> {
        let id = &user.id.value;
        for (index, team) in user.teams.iter().enumerate() {
            if !self.knows_team(&team.value)? {
                let given = team.value.as_str();
                let message = format_args!("users/{id}.teams[{index}]: the account has no team {given:?}");
                self.problems.add(team.at, message);
            }
        }
        for (index, grant) in user.roles.iter().enumerate() {
            if let RoleName::Custom(role) = &grant.role.value
                && !self.knows_role(role)?
            {
                let given = role.as_str();
                let message = format_args!("users/{id}.roles[{index}]: the account has no custom role {given:?}");
                self.problems.add(grant.role.at, message);
            }
            if let Some(resource) = &grant.resource
                && !self.knows_resource(&resource.value)?
            {
                self.miss_resource(resource.value.as_str(), resource, format_args!("users/{id}.roles[{index}]"));
            }
        }
        for (index, list) in user.access.iter().enumerate() {
            for (position, value) in list.values.iter().enumerate() {
                // A value of features is the catalog's, and what is no path was reported before.
                let Ok(path) = ResourcePath::new(&value.value) else { continue };
                let is_feature = list.facet.value == crate::files::FacetName::Feature;
                if !is_feature && !self.knows_resource(&path)? {
                    let place = format_args!("users/{id}.access[{index}].values[{position}]");
                    self.miss_resource(path.as_str(), value, place);
                }
            }
        }
        Ok(())
    }

    fn miss_resource<T>(&mut self, given: &str, at: &Located<T>, place: std::fmt::Arguments<'_>) {
        let message = format_args!("{place}: the account has no registered resource {given:?}; register it first");
        self.problems.add(at.at, message);
    }

    fn knows_team(&mut self, id: &TeamId) -> Result<bool, ServiceError> {
        if !self.teams.contains_key(id) {
            let team = facts::find_team(self.plan, self.account, id);
            let Some((number, _)) = found(team, ErrorReason::TeamNotFound)? else { return Ok(false) };
            self.teams.insert(id.clone(), number);
        }
        Ok(true)
    }

    fn knows_role(&mut self, id: &RoleId) -> Result<bool, ServiceError> {
        if !self.roles.contains_key(id) {
            let role = facts::find_custom_role(self.plan, self.account, id);
            let Some((number, _)) = found(role, ErrorReason::RoleNotFound)? else { return Ok(false) };
            self.roles.insert(id.clone(), number);
        }
        Ok(true)
    }

    fn knows_resource(&mut self, path: &ResourcePath) -> Result<bool, ServiceError> {
        if !self.resources.contains_key(path) {
            let resource = facts::find_resource(self.plan, self.account, self.catalog, path);
            let Some((number, _)) = found(resource, ErrorReason::ResourceNotFound)? else { return Ok(false) };
            self.resources.insert(path.clone(), number);
        }
        Ok(true)
    }

    fn import_user(
        &mut self,
        user: &UserDefinition,
        existing: Existing,
        imported: &mut ImportedUsers,
    ) -> Result<(), Refused> {
        let (account, id) = (self.account, &user.id.value);
        let place = format!("users/{id}");
        let number: Option<Number> =
            facts::get_name(self.plan, &Key::UserName { account, id: id.clone() })?.map(|name| name.value);
        let Some(number) = number else {
            self.apply_user(user, &place, None)?;
            imported.created += 1;
            return Ok(());
        };
        let (_, record) = facts::find_user(self.plan, account, id)?;
        let record = record.value;
        let now = user_definition(self.plan, account, self.catalog, number, record.clone())?;
        let differing = differing(&now, user);
        match existing {
            _ if differing.is_empty() => imported.unchanged += 1,
            Existing::Skip => imported.skipped += 1,
            Existing::Update => {
                self.apply_user(user, &place, Some((number, record)))?;
                imported.updated += 1;
            }
            Existing::Refuse => {
                let what = differing.join(", ");
                let message = format_args!("{place}: the user is there already, with another {what}");
                self.problems.add(user.id.at, message);
            }
        }
        Ok(())
    }
}

/// Makes one field of a definition that of another.
type Take = fn(&mut UserDefinition, &UserDefinition);

/// The fields in which two definitions of one user differ.
fn differing(now: &UserDefinition, given: &UserDefinition) -> Vec<&'static str> {
    let line = |user: &UserDefinition| {
        let mut line = Vec::new();
        write_user(user, &mut line);
        line
    };
    if line(now) == line(given) {
        return Vec::new();
    }
    // One field at a time is made the same, and the lines are compared again.
    let fields: [(&'static str, Take); 8] = [
        ("display_name", |one, other| one.display_name.clone_from(&other.display_name)),
        ("username", |one, other| one.username.clone_from(&other.username)),
        ("email", |one, other| one.email.clone_from(&other.email)),
        ("state", |one, other| one.state = other.state),
        ("teams", |one, other| one.teams.clone_from(&other.teams)),
        ("roles", |one, other| one.roles.clone_from(&other.roles)),
        ("access", |one, other| one.access.clone_from(&other.access)),
        ("exceptions", |one, other| one.exceptions.clone_from(&other.exceptions)),
    ];
    let differs = |(_, take): &(&'static str, Take)| {
        let mut same = now.clone();
        take(&mut same, given);
        line(&same) != line(now)
    };
    fields.iter().filter(|field| differs(field)).map(|(name, _)| *name).collect()
}
