//! Teams and their members.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::Holder,
    Difference, Place, Set, Worker,
    access::lists_sent,
    expected::{Wrong, counted, removed},
    manners::send,
    same, teams, users,
};

impl Worker {
    pub(super) async fn create_team(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(teams()).unwrap();
        let mut wrong = place.missing();
        if place.team_ids().contains(&id) {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let (roles, members) = match self.random.chance(40) {
            true => (self.some_roles(place, 3, false, &mut wrong), self.some_members(place, 3, &mut wrong)),
            false => (Vec::new(), Set::new()),
        };
        let bindings = self.first_bindings(place, Holder::Team(id.clone()), &roles, &mut wrong);
        let lists = if self.random.chance(30) { self.some_access(place, &mut wrong) } else { Vec::new() };
        let request = proto::CreateTeamRequest {
            parent: place.name.clone(),
            team_id: id.clone(),
            team: Some(proto::Team { display_name: "A team".into(), ..proto::Team::default() }),
            roles: self.role_texts(&place.id, roles.clone()),
            members: member_texts(&members),
            access_lists: lists_sent(&lists),
            role_bindings: self.bindings_sent(&place.id, &bindings),
            ..Default::default()
        };
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.create_team(&place.id, &id);
            members.iter().for_each(|user| oracle.add_member(&place.id, &id, user));
            for role in roles {
                oracle.create_binding(&place.id, Holder::Team(id.clone()), role);
            }
            bindings.into_iter().for_each(|(key, expires)| oracle.bind(&place.id, key, expires, now));
            for (facet, access) in lists {
                oracle.set_access(&place.id, Holder::Team(id.clone()), &facet, access);
            }
        });
        if let Some(answer) = send!(self, teams.create_team, request, wrong).await? {
            self.oracle = after;
            self.same_team(&place.id, &id, answer.team)?;
        }
        Ok(())
    }

    pub(super) async fn update_team(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.team_ids(), teams());
        let mut wrong = without_team(place, &id);
        let name = format!("{}/teams/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let display_name = format!("Team {}", ["one", "two"][self.random.below(2)]);
        let team = Some(proto::Team { name, display_name, etag, ..proto::Team::default() });
        let request = proto::UpdateTeamRequest { team, update_mask: None, ..Default::default() };
        if let Some(answer) = send!(self, teams.update_team, request, wrong).await? {
            self.same_team(&place.id, &id, answer.team)?;
        }
        Ok(())
    }

    pub(super) async fn delete_team(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.team_ids(), teams());
        let mut wrong = without_team(place, &id);
        let name = format!("{}/teams/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let force = self.random.chance(50);
        let uses = self.oracle.uses_of_team(&place.id, &id);
        if !force && !uses.is_empty() {
            wrong.push(ErrorReason::InUse);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_team(&place.id, &id));
        let request = proto::DeleteTeamRequest { name: name.clone(), etag, force, ..Default::default() };
        if let Some(answer) = send!(self, teams.delete_team, request, wrong).await? {
            let expected = self.oracle.member_count(&place.id, &id).unwrap_or_default();
            same("the number of members of the deleted team", &answer.member_count, &(expected as i64))?;
            same("what went with the team", &removed(answer.removed), &counted(&uses, "members"))?;
            self.compared("what a deletion removed");
            self.oracle = after;
            self.bury(&name);
        }
        Ok(())
    }

    pub(super) async fn add_members(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.team_ids(), teams());
        let mut wrong = without_team(place, &id);
        let members = self.some_members(place, 2, &mut wrong);
        if members.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let name = format!("{}/teams/{id}", place.name);
        let request = proto::AddTeamMembersRequest { name, members: member_texts(&members), ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            members.iter().for_each(|user| oracle.add_member(&place.id, &id, user));
        });
        if send!(self, teams.add_team_members, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    pub(super) async fn remove_members(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.team_ids(), teams());
        let mut wrong = without_team(place, &id);
        let members = self.some_members(place, 2, &mut wrong);
        if members.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let name = format!("{}/teams/{id}", place.name);
        let request = proto::RemoveTeamMembersRequest { name, members: member_texts(&members), ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            members.iter().for_each(|user| oracle.remove_member(&place.id, &id, user));
        });
        if send!(self, teams.remove_team_members, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    /// Sends all members in pieces; one upload in ten is cut off, and changes nothing.
    pub(super) async fn replace_members(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.team_ids(), teams());
        let mut wrong = without_team(place, &id);
        let wanted = self.some_members(place, 6, &mut wrong);
        let cut_off = self.random.chance(10);
        if cut_off {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let name = format!("{}/teams/{id}", place.name);
        let mut texts = member_texts(&wanted);
        let rest = texts.split_off(self.random.below(texts.len() + 1));
        let pieces = (texts, rest, self.random.chance(50));
        // The manners are in the last message, so that one stands for the whole upload.
        let request = proto::ReplaceTeamMembersRequest { name, last: !cut_off, ..Default::default() };
        let before = place.found.as_ref().and_then(|found| found.teams.get(&id)).cloned().unwrap_or_default();
        let (joined, left): (Set, Set) = (&wanted - &before, &before - &wanted);
        let after = self.after(&place.id, &mut wrong, |oracle| {
            joined.iter().for_each(|user| oracle.add_member(&place.id, &id, user));
            left.iter().for_each(|user| oracle.remove_member(&place.id, &id, user));
        });
        let client = self.wire.teams.clone();
        let sent = self.send("replace_team_members", request, wrong, move |last| {
            let (mut client, (texts, rest, with_last)) = (client.clone(), pieces.clone());
            let name = last.name.clone();
            let piece =
                |members| proto::ReplaceTeamMembersRequest { name: name.clone(), members, ..Default::default() };
            let mut upload = vec![piece(texts)];
            if with_last {
                upload.push(proto::ReplaceTeamMembersRequest { members: rest, ..last });
            } else {
                upload.extend([piece(rest), proto::ReplaceTeamMembersRequest { name: String::new(), ..last }]);
            }
            async move { client.replace_team_members(tokio_stream::iter(upload)).await }
        });
        if let Some(answer) = sent.await? {
            self.oracle = after;
            let expected = (joined.len() as i64, left.len() as i64);
            same("how many joined and left", &(answer.added_count, answer.removed_count), &expected)?;
        }
        Ok(())
    }

    /// Some users, nearly always ones that are there.
    fn some_members(&mut self, place: &Place, most: usize, wrong: &mut Wrong) -> Set {
        let there = place.user_ids();
        let mut chosen = Set::new();
        for _ in 0..self.random.below(most + 1) {
            let known =
                if self.random.chance(97) { self.random.pick(there.clone()) } else { self.random.pick(users()) };
            chosen.extend(known);
        }
        if chosen.iter().any(|user| !there.contains(user)) {
            wrong.push(ErrorReason::UserNotFound);
        }
        chosen
    }
}

fn without_team(place: &Place, id: &str) -> Wrong {
    let is_there = place.found.as_ref().is_some_and(|found| found.teams.contains_key(id));
    place.without(is_there, ErrorReason::TeamNotFound)
}

fn member_texts(members: &Set) -> Vec<String> {
    members.iter().map(|id| format!("users/{id}")).collect()
}
