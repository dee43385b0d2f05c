//! The users of an account as lines, in the order of their creation, at one revision.
//!
//! What users hold lies in the store in the order of their numbers, as the users themselves do. So a step goes through
//! each kind of record once, side by side, and looks nothing up for a single user. Read [`UsersExport`].

use std::collections::HashMap;

use super::{
    accounts::account_and_catalog_at,
    apply_account::role_name_of,
    core::{Core, ReadAt, Service},
    error::ServiceError,
    exceptions::live_permission,
    export::facet_name,
    facts,
};
use crate::{
    engine::CompiledCatalog,
    files::{
        AccessDefinition, ExceptionDefinition, FacetName, Located, RoleGrant, RoleName, UserDefinition, write_user,
    },
    model::{
        AccountId, Facet, FacetNumber, HeldRecord, Key, KeyRange, Number, ProfileRecord, Record, ResourcePath,
        Revision, TeamId,
    },
    store::{At, View as _},
};

/// How many users one step writes.
const STEP: usize = 1_000;
/// How many records are read at a time.
const PIECE: usize = 1_024;
/// The most names of resources that are remembered.
const MAX_NAMES: usize = 100_000;

/// The users of an account being written. Holds no more than a step's worth of them.
pub struct UsersExport {
    service: Service,
    account: AccountId,
    revision: Revision,
    /// The last user that was written.
    after: Number,
    names: Names,
    is_done: bool,
}

/// What numbers stand for, as far as it was looked up; none: it is gone, or may not be seen.
#[derive(Default)]
struct Names {
    teams: HashMap<Number, Option<TeamId>>,
    roles: HashMap<Number, Option<RoleName>>,
    resources: HashMap<Number, Option<ResourcePath>>,
}

/// Whole lines, and how many they are.
pub type Lines = (Vec<u8>, u64);

impl Service {
    /// Begins to write the users of an account.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn export_users(&self, account: AccountId, at: ReadAt) -> Result<UsersExport, ServiceError> {
        let id = account.clone();
        let (_, revision) = self.read(at, move |_, view| facts::find_account(&view, &id).map(|_| ())).await?;
        let (service, after, names) = (self.clone(), Number(0), Names::default());
        Ok(UsersExport { service, account, revision, after, names, is_done: false })
    }
}

impl UsersExport {
    /// The revision that the lines show.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next lines; none behind the last. Cost: linear in them.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn next(&mut self) -> Result<Option<Lines>, ServiceError> {
        if self.is_done {
            return Ok(None);
        }
        let (account, after, mut names) = (self.account.clone(), self.after, std::mem::take(&mut self.names));
        let read = move |core: &Core, view: At<'_>| {
            let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
            let mut step = Step { view: &view, account: found.number, catalog: &catalog.compiled, names: &mut names };
            let (lines, last) = step.lines(after)?;
            Ok((lines, last, names))
        };
        let ((lines, last, names), _) = self.service.read(ReadAt::Exact(self.revision), read).await?;
        self.names = names;
        match last {
            Some(last) => self.after = last,
            None => self.is_done = true,
        }
        Ok((!lines.0.is_empty()).then_some(lines))
    }
}

struct Step<'a> {
    view: &'a At<'a>,
    account: Number,
    catalog: &'a CompiledCatalog,
    names: &'a mut Names,
}

impl Step<'_> {
    /// The lines of the users after one, and the last of them; none: there are no more behind them.
    fn lines(&mut self, after: Number) -> Result<(Lines, Option<Number>), ServiceError> {
        let account = self.account;
        let users = self.view.scan(KeyRange::Users(account), Some(&Key::User { account, user: after }), STEP)?;
        let is_last = users.len() < STEP;
        let mut found: Vec<(Number, UserDefinition)> = Vec::with_capacity(users.len());
        for (key, record) in users {
            let (Key::User { user, .. }, Record::User(record)) = (key, record.value) else { continue };
            let ProfileRecord { display_name, username, email } = ProfileRecord::default();
            let (id, state) = (record.id.into(), record.state);
            let (teams, roles, access, exceptions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let user_definition =
                UserDefinition { id, display_name, username, email, state, teams, roles, access, exceptions };
            found.push((user, user_definition));
        }
        let Some(last) = found.last().map(|(user, _)| *user) else { return Ok(((Vec::new(), 0), None)) };
        let end = Number(u64::MAX);
        self.each(KeyRange::Profiles(account), Key::Profile { account, user: after }, last, |_, key, record| {
            let (Key::Profile { user, .. }, Record::Profile(profile)) = (key, record) else { return Ok(()) };
            if let Some(found) = of(&mut found, user) {
                (found.display_name, found.username, found.email) =
                    (profile.display_name, profile.username, profile.email);
            }
            Ok(())
        })?;
        let from = Key::Membership { account, user: after, team: end };
        self.each(KeyRange::AccountMemberships(account), from, last, |step, key, _| {
            let Key::Membership { user, team, .. } = key else { return Ok(()) };
            if let Some(found) = of(&mut found, user) {
                found.teams.extend(step.team(team)?.map(Located::from));
            }
            Ok(())
        })?;
        let from = Key::HolderBinding { account, holder: after, binding: end };
        self.each(KeyRange::AccountHolderBindings(account), from, last, |step, key, record| {
            let Key::HolderBinding { holder, .. } = key else { return Ok(()) };
            if let Some(found) = of(&mut found, holder) {
                found.roles.extend(step.grant(&record)?);
            }
            Ok(())
        })?;
        let from = Key::Access { account, holder: after, facet: FacetNumber::Type(end) };
        self.each(KeyRange::AccountAccess(account), from, last, |step, key, record| {
            let (Key::Access { holder, facet, .. }, Record::Access(list)) = (key, record) else { return Ok(()) };
            if let Some(found) = of(&mut found, holder) {
                found.access.extend(step.list(facet, list.all, &list.values)?);
            }
            Ok(())
        })?;
        let from = Key::Exception { account, user: after, permission: end };
        self.each(KeyRange::AccountExceptions(account), from, last, |step, key, record| {
            let Key::Exception { user, permission, .. } = key else { return Ok(()) };
            let Record::Exception(exception) = record else { return Ok(()) };
            if let Some((found, permission)) = of(&mut found, user).zip(live_permission(step.catalog, permission)) {
                let (permission, reason, expires) = (permission.into(), exception.reason, exception.expires);
                found.exceptions.push(ExceptionDefinition { permission, reason, expires });
            }
            Ok(())
        })?;
        let mut lines = Vec::with_capacity(found.len() * 128);
        for (_, user) in &found {
            write_user(user, &mut lines);
        }
        Ok(((lines, found.len() as u64), (!is_last).then_some(last)))
    }

    /// Goes through the records of a range behind a key, up to those of the user `last`.
    fn each(
        &mut self,
        range: KeyRange,
        from: Key,
        last: Number,
        mut take: impl FnMut(&mut Self, Key, Record) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        let mut after = from;
        loop {
            let piece = self.view.scan(range, Some(&after), PIECE)?;
            let is_last = piece.len() < PIECE;
            let Some((key, _)) = piece.last() else { return Ok(()) };
            after = key.clone();
            for (key, record) in piece {
                if holder(&key).is_none_or(|holder| holder > last) {
                    return Ok(());
                }
                take(self, key, record.value)?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn team(&mut self, team: Number) -> Result<Option<TeamId>, ServiceError> {
        if let Some(known) = self.names.teams.get(&team) {
            return Ok(known.clone());
        }
        let record = facts::get_team(self.view, &Key::Team { account: self.account, team })?;
        let id = record.map(|record| record.value.id);
        self.names.teams.insert(team, id.clone());
        Ok(id)
    }

    /// A role as it is held, an expired one too; none: it, or what it is held on, is gone.
    fn grant(&mut self, record: &Record) -> Result<Option<RoleGrant>, ServiceError> {
        let HeldRecord { role, resource, expires } = match record {
            Record::Name(role) => HeldRecord { role: *role, resource: None, expires: None },
            Record::Held(held) => *held,
            _ => return Ok(None),
        };
        let name = match self.names.roles.get(&role) {
            Some(known) => known.clone(),
            None => {
                let name = role_name_of(self.view, self.account, self.catalog, role)?;
                self.names.roles.insert(role, name.clone());
                name
            }
        };
        let Some(name) = name else { return Ok(None) };
        let resource = match resource {
            None => None,
            Some(resource) => match self.resource(resource)? {
                Some(path) => Some(path.into()),
                None => return Ok(None),
            },
        };
        Ok(Some(RoleGrant { role: name.into(), resource, expires }))
    }

    fn resource(&mut self, resource: Number) -> Result<Option<ResourcePath>, ServiceError> {
        if let Some(known) = self.names.resources.get(&resource) {
            return Ok(known.clone());
        }
        let record = facts::get_resource(self.view, &Key::Resource { account: self.account, resource })?;
        let live = record.map(|record| record.value);
        let live = live.filter(|found| self.catalog.resource_type_of_number(found.resource_type).is_some());
        let path = live.map(|found| found.path);
        if self.names.resources.len() >= MAX_NAMES {
            self.names.resources.clear();
        }
        self.names.resources.insert(resource, path.clone());
        Ok(path)
    }

    /// An access list; none: there is nothing in it, or its facet is gone.
    fn list(
        &mut self,
        facet: FacetNumber,
        all: bool,
        values: &[Number],
    ) -> Result<Option<AccessDefinition>, ServiceError> {
        let Some(facet) = self.catalog.facet_of_number(facet) else { return Ok(None) };
        let Some(name) = facet_name(self.catalog, facet) else { return Ok(None) };
        let mut texts: Vec<Located<String>> = Vec::new();
        for value in values.iter().filter(|_| !all) {
            let text = match facet {
                Facet::Feature => {
                    let feature = self.catalog.feature_of_number(*value);
                    let features = &self.catalog.catalog().definition.features;
                    feature.and_then(|feature| features.get(feature.position())).map(|feature| feature.id.to_string())
                }
                Facet::Type(_) => self.resource(*value)?.map(|path| path.to_string()),
            };
            texts.extend(text.map(Located::from));
        }
        let facet: Located<FacetName> = name.into();
        Ok((all || !texts.is_empty()).then_some(AccessDefinition { facet, all, values: texts }))
    }
}

/// Whose record it is.
fn holder(key: &Key) -> Option<Number> {
    match key {
        Key::Profile { user, .. } | Key::Membership { user, .. } | Key::Exception { user, .. } => Some(*user),
        Key::HolderBinding { holder, .. } | Key::Access { holder, .. } => Some(*holder),
        _ => None,
    }
}

/// One of the users, if it is among them; they are ordered.
fn of(found: &mut [(Number, UserDefinition)], user: Number) -> Option<&mut UserDefinition> {
    let place = found.binary_search_by_key(&user, |(user, _)| *user).ok()?;
    found.get_mut(place).map(|(_, user)| user)
}
