//! Users, their teams and their roles.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::{Access, BindingKey, Holder, Oracle, RoleName, State, Texts},
    Difference, Place, Random, Set, Worker,
    access::lists_sent,
    expected::{Wrong, counted, removed},
    manners::send,
    mask, same, teams, users,
};

/// A user that is to be made.
pub(super) struct New {
    pub(super) id: String,
    state: State,
    texts: Texts,
    sent: proto::NewUser,
    roles: Vec<RoleName>,
    bindings: Vec<(BindingKey, Option<u64>)>,
    teams: Set,
    access: Vec<(String, Access)>,
}

pub(super) fn random_state(random: &mut Random) -> (State, proto::user::State) {
    match random.below(10) {
        0 => (State::Invited, proto::user::State::Invited),
        1 => (State::Suspended, proto::user::State::Suspended),
        _ => (State::Active, proto::user::State::Active),
    }
}

pub(super) fn random_texts(random: &mut Random) -> Texts {
    let mut text = |choices: &[&str]| random.pick(choices.iter().map(ToString::to_string)).unwrap_or_default();
    Texts {
        display_name: text(&["", "Ana Bell", "ben carr", "Cleo ana", "Dora"]),
        username: text(&["", "anab", "Carr7"]),
        email: text(&["", "dora@example.org", "ana.bell@example.org"]),
    }
}

impl Worker {
    pub(super) fn new_user(&mut self, place: &Place, id: String, wrong: &mut Wrong) -> New {
        let (state, sent) = random_state(&mut self.random);
        let texts = random_texts(&mut self.random);
        if place.user_ids().contains(&id) {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let chance = if place.catalog.must_hold_role { 95 } else { 40 };
        let (roles, joined) = match self.random.chance(chance) {
            true => (self.some_roles(place, 3, false, wrong), self.some_teams(place, 3, wrong)),
            false => (Vec::new(), Set::new()),
        };
        let access = if self.random.chance(30) { self.some_access(place, wrong) } else { Vec::new() };
        let bindings = self.first_bindings(place, Holder::User(id.clone()), &roles, wrong);
        let unspecified = state == State::Active && self.random.chance(30);
        let user = proto::User {
            state: if unspecified { 0 } else { sent.into() },
            display_name: texts.display_name.clone(),
            username: texts.username.clone(),
            email: texts.email.clone(),
            ..proto::User::default()
        };
        let sent = proto::NewUser {
            user_id: id.clone(),
            user: Some(user),
            roles: self.role_texts(&place.id, roles.clone()),
            teams: joined.iter().map(|id| format!("teams/{id}")).collect(),
            access_lists: lists_sent(&access),
            role_bindings: self.bindings_sent(&place.id, &bindings),
        };
        New { id, state, texts, sent, roles, bindings, teams: joined, access }
    }

    pub(super) async fn create_user(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(users()).unwrap();
        let mut wrong = place.missing();
        let new = self.new_user(place, id, &mut wrong);
        let proto::NewUser { user_id, user, roles, teams, access_lists, role_bindings } = new.sent.clone();
        let id = user_id.clone();
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| make_user(oracle, &place.id, new, now));
        let request = proto::CreateUserRequest {
            parent: place.name.clone(),
            user_id,
            user,
            roles,
            teams,
            access_lists,
            role_bindings,
            ..Default::default()
        };
        if let Some(answer) = send!(self, users.create_user, request, wrong).await? {
            self.oracle = after;
            self.same_user(&place.id, &id, answer.user)?;
        }
        Ok(())
    }

    pub(super) async fn create_users(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let mut batch: Vec<New> = Vec::new();
        for id in self.random.subset(25, users()) {
            // Most batches are to succeed.
            if place.user_ids().contains(&id) && self.random.chance(90) {
                continue;
            }
            let new = self.new_user(place, id, &mut wrong);
            batch.push(new);
        }
        if batch.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let users = batch.iter().map(|new| new.sent.clone()).collect();
        let ids: Vec<String> = batch.iter().map(|new| new.id.clone()).collect();
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            batch.into_iter().for_each(|new| make_user(oracle, &place.id, new, now));
        });
        let request = proto::BatchCreateUsersRequest { parent: place.name.clone(), users, ..Default::default() };
        if let Some(answer) = send!(self, users.batch_create_users, request, wrong).await? {
            self.oracle = after;
            same("the number of users made", &answer.users.len(), &ids.len())?;
            for (id, user) in ids.iter().zip(answer.users) {
                self.same_user(&place.id, id, Some(user))?;
            }
        }
        Ok(())
    }

    pub(super) async fn update_user(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let old = place.found.as_ref().and_then(|found| found.users.get(&id)).cloned();
        let (mut state, mut sent) = random_state(&mut self.random);
        let mut texts = random_texts(&mut self.random);
        let mut wrong = place.missing();
        let old = old.unwrap_or_else(|| {
            wrong.push(ErrorReason::UserNotFound);
            Default::default()
        });
        let update_mask = if self.random.chance(30) {
            if self.random.chance(50) {
                (state, sent) = (old.state, proto::user::State::Unspecified); // without a mask it stays
            }
            None
        } else {
            let paths: Vec<&str> = ["state", "display_name", "username", "email"]
                .into_iter()
                .filter(|path| *path == "state" || self.random.chance(40))
                .collect();
            if !paths.contains(&"display_name") {
                texts.display_name = old.texts.display_name;
            }
            if !paths.contains(&"username") {
                texts.username = old.texts.username;
            }
            if !paths.contains(&"email") {
                texts.email = old.texts.email;
            }
            if self.random.chance(3) {
                sent = proto::user::State::Unspecified;
                wrong.push(ErrorReason::FieldInvalid);
            }
            mask(&paths)
        };
        let name = format!("{}/users/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let user = proto::User {
            name,
            state: sent.into(),
            display_name: texts.display_name.clone(),
            username: texts.username.clone(),
            email: texts.email.clone(),
            etag,
            ..proto::User::default()
        };
        let request = proto::UpdateUserRequest { user: Some(user), update_mask, ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.update_user(&place.id, &id, state);
            oracle.set_user_texts(&place.id, &id, texts);
        });
        if let Some(answer) = send!(self, users.update_user, request, wrong).await? {
            self.oracle = after;
            self.same_user(&place.id, &id, answer.user)?;
        }
        Ok(())
    }

    pub(super) async fn erase_user(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let name = format!("{}/users/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let request = proto::EraseUserPersonalFieldsRequest { name, etag, ..Default::default() };
        if let Some(answer) = send!(self, users.erase_user_personal_fields, request, wrong).await? {
            self.oracle.erase_user(&place.id, &id);
            self.same_user(&place.id, &id, answer.user)?;
        }
        Ok(())
    }

    /// Records a sign-in: mostly one of a few times, so that earlier ones come after later ones.
    pub(super) async fn sign_in(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let mut given = Some(1_700_000_000 + self.random.below(50) as i64);
        match self.random.below(20) {
            0 => given = None, // now
            1 => {
                given = Some(4_000_000_000); // far ahead of any clock
                wrong.push(ErrorReason::FieldInvalid);
            }
            _ => {}
        }
        let request = proto::RecordUserSignInRequest {
            name: format!("{}/users/{id}", place.name),
            sign_in_time: given.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            ..Default::default()
        };
        if let Some(answer) = send!(self, users.record_user_sign_in, request, wrong).await? {
            let recorded = answer.last_sign_in_time.map(|time| time.seconds);
            let seconds = given.or(recorded).unwrap_or_default();
            self.oracle.record_sign_in(&place.id, &id, seconds);
            let expected = self.oracle.accounts[&place.id].users[&id].last_sign_in;
            same("the last sign-in", &recorded, &expected)?;
        }
        Ok(())
    }

    pub(super) async fn delete_user(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let name = format!("{}/users/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let erase_personal_fields = self.random.chance(10);
        let force = self.random.chance(60);
        let uses = self.oracle.uses_of_user(&place.id, &id);
        if !force && !uses.is_empty() {
            wrong.push(ErrorReason::InUse);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_user(&place.id, &id));
        let request =
            proto::DeleteUserRequest { name: name.clone(), erase_personal_fields, etag, force, ..Default::default() };
        if let Some(answer) = send!(self, users.delete_user, request, wrong).await? {
            self.oracle = after;
            self.bury(&name);
            same("what went with the user", &removed(answer.removed), &counted(&uses, "teams"))?;
            self.compared("what a deletion removed");
        }
        Ok(())
    }

    pub(super) async fn add_user_teams(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let joined = self.some_teams(place, 2, &mut wrong);
        if joined.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let (name, teams) = (format!("{}/users/{id}", place.name), team_texts(&joined));
        let request = proto::AddUserTeamsRequest { name, teams, ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            joined.iter().for_each(|team| oracle.add_member(&place.id, team, &id));
        });
        if send!(self, users.add_user_teams, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    pub(super) async fn remove_user_teams(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let left = self.some_teams(place, 2, &mut wrong);
        if left.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let (name, teams) = (format!("{}/users/{id}", place.name), team_texts(&left));
        let request = proto::RemoveUserTeamsRequest { name, teams, ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            left.iter().for_each(|team| oracle.remove_member(&place.id, team, &id));
        });
        if send!(self, users.remove_user_teams, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    pub(super) async fn replace_user_teams(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let wanted = self.some_teams(place, 4, &mut wrong);
        let (name, teams) = (format!("{}/users/{id}", place.name), team_texts(&wanted));
        let request = proto::ReplaceUserTeamsRequest { name, teams, ..Default::default() };
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let after = self.after(&place.id, &mut wrong, |oracle| {
            for (team, members) in place.found.iter().flat_map(|found| &found.teams) {
                match (members.contains(&id), wanted.contains(team)) {
                    (false, true) => {
                        joined.push(format!("{}/teams/{team}", place.name));
                        oracle.add_member(&place.id, team, &id);
                    }
                    (true, false) => {
                        left.push(format!("{}/teams/{team}", place.name));
                        oracle.remove_member(&place.id, team, &id);
                    }
                    _ => {}
                }
            }
        });
        if let Some(answer) = send!(self, users.replace_user_teams, request, wrong).await? {
            self.oracle = after;
            same("what the user joined", &answer.joined_teams, &joined)?;
            same("what the user left", &answer.left_teams, &left)?;
        }
        Ok(())
    }

    /// Takes a role away from a user who holds it, through teams too.
    pub(super) async fn remove_user_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.user_ids(), users());
        let mut wrong = self.without_user(place, &id);
        let before = self.oracle.user_roles(&place.id, &id, false);
        let held = if self.random.chance(80) { self.random.pick(before.keys().cloned()) } else { None };
        let role = held.unwrap_or_else(|| self.random_role());
        let leave_teams = self.random.chance(50);
        let through = before.get(&role).map(|held| held.teams.clone()).unwrap_or_default();
        if !place.shows_role(&role) {
            wrong.push(ErrorReason::RoleNotFound);
        } else if !before.contains_key(&role) {
            wrong.push(ErrorReason::RoleNotHeld);
        } else if !through.is_empty() && !leave_teams {
            wrong.push(ErrorReason::RoleInherited);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| {
            let keys: Vec<BindingKey> = oracle.accounts[&place.id].bindings.keys().cloned().collect();
            for key in keys.iter().filter(|key| key.0 == Holder::User(id.clone()) && key.1 == role) {
                oracle.unbind(&place.id, key);
            }
            through.iter().for_each(|team| oracle.remove_member(&place.id, team, &id));
        });
        let request = proto::RemoveUserRoleRequest {
            name: format!("{}/users/{id}", place.name),
            role: self.role_text(&place.id, &role),
            leave_teams,
            ..Default::default()
        };
        if let Some(answer) = send!(self, users.remove_user_role, request, wrong).await? {
            self.oracle = after;
            let left: Vec<String> = through.iter().map(|team| format!("{}/teams/{team}", place.name)).collect();
            same("what the user left", &answer.left_teams, &left)?;
            let after = self.oracle.user_roles(&place.id, &id, false);
            let lost = before.keys().filter(|role| !after.contains_key(role)).cloned();
            let lost: Set = self.role_texts(&place.id, lost).into_iter().collect();
            same("what the user lost", &answer.lost_roles.into_iter().collect(), &lost)?;
        }
        Ok(())
    }

    fn without_user(&self, place: &Place, id: &str) -> Wrong {
        let is_there = place.found.as_ref().is_some_and(|found| found.users.contains_key(id));
        place.without(is_there, ErrorReason::UserNotFound)
    }

    /// Some teams, nearly always ones that are there.
    fn some_teams(&mut self, place: &Place, most: usize, wrong: &mut Wrong) -> Set {
        let there = place.team_ids();
        let mut chosen = Set::new();
        for _ in 0..self.random.below(most + 1) {
            let known =
                if self.random.chance(97) { self.random.pick(there.clone()) } else { self.random.pick(teams()) };
            chosen.extend(known);
        }
        if chosen.iter().any(|team| !there.contains(team)) {
            wrong.push(ErrorReason::TeamNotFound);
        }
        chosen
    }
}

pub(super) fn make_user(oracle: &mut Oracle, account: &str, new: New, now: u64) {
    let New { id, state, texts, roles, bindings, teams, access, .. } = new;
    oracle.create_user(account, &id, state);
    oracle.set_user_texts(account, &id, texts);
    for team in teams {
        oracle.add_member(account, &team, &id);
    }
    for role in roles {
        oracle.create_binding(account, Holder::User(id.clone()), role);
    }
    for (key, expires) in bindings {
        oracle.bind(account, key, expires, now);
    }
    for (facet, list) in access {
        oracle.set_access(account, Holder::User(id.clone()), &facet, list);
    }
}

fn team_texts(teams: &Set) -> Vec<String> {
    teams.iter().map(|id| format!("teams/{id}")).collect()
}
