//! Access lists of users and teams.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::{Access, Holder},
    Difference, Place, Set, Worker,
    expected::Wrong,
    holder_text,
    manners::send,
    random_accounts::random_access,
    same, teams, users,
};

impl Worker {
    /// Whose list it is: nearly always somebody's who is there.
    fn access_holder(&mut self, place: &Place, wrong: &mut Wrong) -> (Holder, String) {
        let holder = match self.random.below(30) {
            0 => Holder::ServiceAccount("b0".into()),
            1..18 => Holder::User(self.one_of(place.user_ids(), users())),
            _ => Holder::Team(self.one_of(place.team_ids(), teams())),
        };
        let name = format!("{}/{}", place.name, holder_text(&holder));
        match &holder {
            Holder::ServiceAccount(_) => wrong.push(ErrorReason::FieldInvalid),
            Holder::User(_) if !place.has_holder(&holder) => wrong.push(ErrorReason::UserNotFound),
            Holder::Team(_) if !place.has_holder(&holder) => wrong.push(ErrorReason::TeamNotFound),
            _ => {}
        }
        (holder, name)
    }

    /// A facet, nearly always one that is there.
    fn facet(&mut self, place: &Place, wrong: &mut Wrong) -> String {
        let facet = if self.random.chance(96) { self.random.pick(place.facets()) } else { None };
        let facet = facet.unwrap_or_else(|| "desk".into());
        if !place.facets().contains(&facet) {
            wrong.push(ErrorReason::ResourceTypeNotFound);
        }
        facet
    }

    /// Values of a facet, nearly always ones that are there.
    fn values(&mut self, place: &Place, facet: &str, wrong: &mut Wrong) -> Set {
        let account = place.found.clone().unwrap_or_default();
        let mut values = random_access(&mut self.random, &place.catalog, &account, facet).values;
        if self.random.chance(5) {
            let (bad, why) = match facet {
                "feature" => ("f9".to_owned(), ErrorReason::FeatureNotFound),
                _ => (self.any_path(place), ErrorReason::ResourceNotFound),
            };
            if place.has_path(&bad) && place.catalog.type_of(&bad).as_deref() == Some(facet) {
                return values;
            }
            let is_of_it = facet == "feature" || place.catalog.type_of(&bad).as_deref() == Some(facet);
            wrong.push(if is_of_it { why } else { ErrorReason::FieldInvalid });
            values.insert(bad);
        }
        values
    }

    /// Lists to give to somebody who is made.
    pub(super) fn some_access(&mut self, place: &Place, wrong: &mut Wrong) -> Vec<(String, Access)> {
        let mut lists = Vec::new();
        for facet in place.facets() {
            if self.random.chance(30) {
                let all = self.random.chance(15);
                let values = if all { Set::new() } else { self.values(place, &facet, wrong) };
                lists.push((facet, Access { all, values }));
            }
        }
        lists
    }

    pub(super) async fn set_access(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let (holder, parent) = self.access_holder(place, &mut wrong);
        let facet = self.facet(place, &mut wrong);
        let all = self.random.chance(15);
        let none = all && self.random.chance(90);
        let values = if none { Set::new() } else { self.values(place, &facet, &mut wrong) };
        if all && !values.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let access = Access { all, values };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.set_access(&place.id, holder, &facet, access.clone());
        });
        let sent = proto::AccessList { facet: facet.clone(), all, values: access.values.iter().cloned().collect() };
        let request = proto::SetAccessListRequest { parent, access_list: Some(sent), ..Default::default() };
        if let Some(answer) = send!(self, access.set_access_list, request, wrong).await? {
            self.oracle = after;
            same("the access list", &answer.access_list.unwrap_or_default(), &access_sent(&facet, &access))?;
        }
        Ok(())
    }

    pub(super) async fn change_access(&mut self, place: &Place, add: bool) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let (holder, parent) = self.access_holder(place, &mut wrong);
        let facet = self.facet(place, &mut wrong);
        let values = self.values(place, &facet, &mut wrong);
        if values.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        let lists = place.found.iter().flat_map(|found| &found.access);
        let mut access =
            lists.filter(|(key, _)| **key == (holder.clone(), facet.clone())).map(|(_, it)| it.clone()).next();
        let access = access.get_or_insert_default();
        match (access.all, add) {
            (true, true) => {}
            (true, false) => wrong.push(ErrorReason::FieldInvalid),
            (false, true) => access.values.extend(values.iter().cloned()),
            (false, false) => access.values.retain(|value| !values.contains(value)),
        }
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.set_access(&place.id, holder, &facet, access.clone());
        });
        let expected = access_sent(&facet, access);
        let values = values.into_iter().collect();
        let given = if add {
            let request = proto::AddAccessRequest { parent, facet, values, ..Default::default() };
            send!(self, access.add_access, request, wrong).await?.map(|answer| answer.access_list)
        } else {
            let request = proto::RemoveAccessRequest { parent, facet, values, ..Default::default() };
            send!(self, access.remove_access, request, wrong).await?.map(|answer| answer.access_list)
        };
        if let Some(given) = given {
            self.oracle = after;
            same("the access list", &given.unwrap_or_default(), &expected)?;
        }
        Ok(())
    }

    pub(super) async fn list_access_lists(&mut self, account: &str) -> Result<(), Difference> {
        let place = self.place_of(account.to_owned());
        let (holder, parent) = self.access_holder(&place, &mut Wrong::new());
        if matches!(holder, Holder::ServiceAccount(_)) || !place.has_holder(&holder) {
            return Ok(());
        }
        let request = proto::ListAccessListsRequest { parent: parent.clone(), consistency: None };
        let answer = self.wire.access.list_access_lists(request).await;
        let given = answer.map_err(|status| format!("ListAccessLists: {status}"))?.into_inner().access_lists;
        let own = self.oracle.accounts[account].access.iter().filter(|((other, _), _)| *other == holder);
        let expected: Vec<_> = own.map(|((_, facet), access)| access_sent(facet, access)).collect();
        same(&format!("the access lists of {parent}"), &given, &expected)?;
        self.compared("list of access lists");
        Ok(())
    }
}

/// A list as the API has it.
pub(super) fn access_sent(facet: &str, access: &Access) -> proto::AccessList {
    let values = if access.all { Vec::new() } else { access.values.iter().cloned().collect() };
    proto::AccessList { facet: facet.to_owned(), all: access.all, values }
}

pub(super) fn lists_sent(lists: &[(String, Access)]) -> Vec<proto::AccessList> {
    lists.iter().map(|(facet, access)| access_sent(facet, access)).collect()
}
