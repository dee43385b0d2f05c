//! Those who hold roles: teams, users and service accounts, made equal to a file.

use std::collections::BTreeMap;

use super::{
    super::{
        facts,
        memberships::set_membership,
        service_accounts::{insert_service_account, remove_service_account},
        teams::{insert_team, remove_team},
        users::{insert_user, profile, put_profile, remove_user},
    },
    Application, Refused, changed_texts, grown,
};
use crate::{
    files::{AccountDefinition, Located, UserDefinition},
    model::{
        AppliedAction, Holder, Key, KeyRange, Number, ProfileRecord, Record, ServiceAccountRecord, TeamId, TeamRecord,
        UserRecord, difference,
    },
};

impl Application<'_, '_> {
    pub(super) fn apply_teams(&mut self, file: &AccountDefinition) -> Result<(), Refused> {
        let account = self.account;
        let mut existing: BTreeMap<TeamId, (Number, TeamRecord)> = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Teams(account))? {
            if let (Key::Team { team, .. }, Record::Team(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (team, record));
            }
        }
        let count_before = existing.len();
        for (index, team) in file.teams.iter().enumerate() {
            let id = &team.id.value;
            let subject = format!("teams/{id}");
            let (number, mut details, is_new) = match existing.remove(id) {
                None => {
                    let time = self.plan.time;
                    let record = TeamRecord {
                        id: id.clone(),
                        display_name: team.display_name.clone(),
                        description: team.description.clone(),
                        created: time,
                        updated: time,
                    };
                    (insert_team(self.plan, account, record)?, Vec::new(), true)
                }
                Some((number, record)) => {
                    let details = changed_texts(&[
                        ("display_name", &record.display_name, &team.display_name),
                        ("description", &record.description, &team.description),
                    ]);
                    if !details.is_empty() {
                        let record = TeamRecord {
                            display_name: team.display_name.clone(),
                            description: team.description.clone(),
                            updated: self.plan.time,
                            ..record
                        };
                        self.plan.put(Key::Team { account, team: number }, Record::Team(record))?;
                    }
                    (number, details, false)
                }
            };
            self.teams.insert(id.clone(), number);
            let (holder, place) = (Holder::Team(number), format!("teams[{index}]"));
            details.extend(self.apply_bindings(holder, is_new, &place, &team.roles)?);
            details.extend(self.apply_access(holder, is_new, &team.access)?);
            if is_new {
                self.note(AppliedAction::Create, subject, &[]);
            } else if !details.is_empty() {
                self.note(AppliedAction::Update, subject, &details);
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("teams/{id}"), &[]);
            remove_team(self.plan, account, number, id)?;
        }
        self.plan.count(account, grown(count_before, file.teams.len()), 0)?;
        Ok(())
    }

    pub(super) fn apply_users(&mut self, file: &AccountDefinition) -> Result<(), Refused> {
        let account = self.account;
        let mut existing = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Users(account))? {
            if let (Key::User { user, .. }, Record::User(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (user, record));
            }
        }
        for (index, user) in file.users.iter().enumerate() {
            let id = &user.id.value;
            match self.apply_user(user, &format!("users[{index}]"), existing.remove(id))? {
                None => self.note(AppliedAction::Create, format!("users/{id}"), &[]),
                Some(details) if !details.is_empty() => {
                    self.note(AppliedAction::Update, format!("users/{id}"), &details);
                }
                Some(_) => {}
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("users/{id}"), &[]);
            remove_user(self.plan, account, number, id)?;
        }
        Ok(())
    }

    /// Creates a user, or makes it equal to its definition. Gives what of it differed; none: it is new. `place`: where the
    /// definition stands.
    pub(super) fn apply_user(
        &mut self,
        user: &UserDefinition,
        place: &str,
        existing: Option<(Number, UserRecord)>,
    ) -> Result<Option<Vec<String>>, Refused> {
        let (account, id) = (self.account, &user.id.value);
        let personal = ProfileRecord {
            display_name: user.display_name.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
        };
        let (number, mut details, is_new) = match existing {
            None => {
                let time = self.plan.time;
                let record = UserRecord { id: id.clone(), state: user.state, created: time, updated: time };
                (insert_user(self.plan, account, record, personal)?, Vec::new(), true)
            }
            Some((number, record)) => {
                let before = profile(self.plan, account, number)?;
                let mut details = changed_texts(&[
                    ("display_name", &before.display_name, &personal.display_name),
                    ("username", &before.username, &personal.username),
                    ("email", &before.email, &personal.email),
                ]);
                if record.state != user.state {
                    details.push("state".to_owned());
                }
                if !details.is_empty() {
                    let record = UserRecord { state: user.state, updated: self.plan.time, ..record };
                    self.plan.put(Key::User { account, user: number }, Record::User(record))?;
                    put_profile(self.plan, account, number, personal)?;
                }
                (number, details, false)
            }
        };
        details.extend(self.apply_memberships(number, is_new, &user.teams)?);
        let holder = Holder::User(number);
        details.extend(self.apply_bindings(holder, is_new, place, &user.roles)?);
        details.extend(self.apply_access(holder, is_new, &user.access)?);
        details.extend(self.apply_exceptions(number, is_new, place, &user.exceptions)?);
        Ok((!is_new).then_some(details))
    }

    pub(super) fn apply_service_accounts(&mut self, file: &AccountDefinition) -> Result<(), Refused> {
        let account = self.account;
        let mut existing = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::ServiceAccounts(account))? {
            if let (Key::ServiceAccount { service_account, .. }, Record::ServiceAccount(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (service_account, record));
            }
        }
        for (index, given) in file.service_accounts.iter().enumerate() {
            let id = &given.id.value;
            let (display_name, description) = (given.display_name.clone(), given.description.clone());
            let time = self.plan.time;
            let (number, mut details, is_new) = match existing.remove(id) {
                None => {
                    let (id, state, created, updated) = (id.clone(), given.state, time, time);
                    let record = ServiceAccountRecord { id, display_name, description, state, created, updated };
                    (insert_service_account(self.plan, account, record)?, Vec::new(), true)
                }
                Some((number, record)) => {
                    let mut details = changed_texts(&[
                        ("display_name", &record.display_name, &display_name),
                        ("description", &record.description, &description),
                    ]);
                    if record.state != given.state {
                        details.push("state".to_owned());
                    }
                    if !details.is_empty() {
                        let (state, updated) = (given.state, time);
                        let record = ServiceAccountRecord { display_name, description, state, updated, ..record };
                        let key = Key::ServiceAccount { account, service_account: number };
                        self.plan.put(key, Record::ServiceAccount(record))?;
                    }
                    (number, details, false)
                }
            };
            let holder = Holder::ServiceAccount(number);
            let place = format!("service_accounts[{index}]");
            details.extend(self.apply_bindings(holder, is_new, &place, &given.roles)?);
            if is_new {
                self.note(AppliedAction::Create, format!("serviceAccounts/{id}"), &[]);
            } else if !details.is_empty() {
                self.note(AppliedAction::Update, format!("serviceAccounts/{id}"), &details);
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("serviceAccounts/{id}"), &[]);
            remove_service_account(self.plan, account, number, id)?;
        }
        Ok(())
    }

    fn apply_memberships(
        &mut self,
        user: Number,
        is_new: bool,
        wanted: &[Located<TeamId>],
    ) -> Result<Option<String>, Refused> {
        let account = self.account;
        if is_new {
            for team in wanted {
                let Some(number) = self.teams.get(&team.value) else { continue };
                set_membership(self.plan, account, user, *number, true)?;
            }
            return Ok(None);
        }
        let wanted: BTreeMap<String, Number> =
            wanted.iter().filter_map(|team| Some((team.value.to_string(), *self.teams.get(&team.value)?))).collect();
        let held = facts::teams_of(self.plan, account, user, &mut |_| {})?.into_iter();
        let held: BTreeMap<String, Number> = held.map(|(number, id)| (id.to_string(), number)).collect();
        for (_, team) in wanted.iter().filter(|(id, _)| !held.contains_key(*id)) {
            set_membership(self.plan, account, user, *team, true)?;
        }
        for (_, team) in held.iter().filter(|(id, _)| !wanted.contains_key(*id)) {
            set_membership(self.plan, account, user, *team, false)?;
        }
        Ok(difference("teams", &held.into_keys().collect(), &wanted.into_keys().collect()))
    }
}
