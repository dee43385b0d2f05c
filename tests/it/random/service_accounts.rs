//! Service accounts.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::{Holder, State},
    Difference, Place, Random, Worker,
    expected::Wrong,
    manners::send,
    mask, service_accounts,
};

fn random_state(random: &mut Random) -> (State, proto::service_account::State) {
    match random.below(10) {
        0..2 => (State::Suspended, proto::service_account::State::Suspended),
        _ => (State::Active, proto::service_account::State::Active),
    }
}

impl Worker {
    pub(super) async fn create_service_account(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(service_accounts()).unwrap();
        let mut wrong = place.missing();
        if place.service_account_ids().contains(&id) {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let (state, sent) = random_state(&mut self.random);
        let unspecified = state == State::Active && self.random.chance(30);
        let roles = self.some_roles(place, 3, false, &mut wrong);
        let bindings = self.first_bindings(place, Holder::ServiceAccount(id.clone()), &roles, &mut wrong);
        let request = proto::CreateServiceAccountRequest {
            parent: place.name.clone(),
            service_account_id: id.clone(),
            service_account: Some(proto::ServiceAccount {
                display_name: "A program".into(),
                state: if unspecified { 0 } else { sent.into() },
                ..proto::ServiceAccount::default()
            }),
            roles: self.role_texts(&place.id, roles.clone()),
            role_bindings: self.bindings_sent(&place.id, &bindings),
            ..Default::default()
        };
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.create_service_account(&place.id, &id, state);
            for role in roles {
                oracle.create_binding(&place.id, Holder::ServiceAccount(id.clone()), role);
            }
            bindings.into_iter().for_each(|(key, expires)| oracle.bind(&place.id, key, expires, now));
        });
        if let Some(answer) = send!(self, service_accounts.create_service_account, request, wrong).await? {
            self.oracle = after;
            self.same_service_account(&place.id, &id, answer.service_account)?;
        }
        Ok(())
    }

    pub(super) async fn update_service_account(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.service_account_ids(), service_accounts());
        let old = place.found.as_ref().and_then(|found| found.service_accounts.get(&id)).cloned();
        let mut wrong = without(place, &id);
        let (mut state, mut sent) = random_state(&mut self.random);
        let masked = self.random.chance(70);
        if !masked && self.random.chance(50) {
            state = old.map(|old| old.state).unwrap_or_default();
            sent = proto::service_account::State::Unspecified; // without a mask it stays
        }
        let name = format!("{}/serviceAccounts/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let service_account = proto::ServiceAccount {
            name,
            display_name: "Another program".into(),
            state: sent.into(),
            etag,
            ..proto::ServiceAccount::default()
        };
        let request = proto::UpdateServiceAccountRequest {
            service_account: Some(service_account),
            update_mask: if masked { mask(&["state"]) } else { None },
            ..Default::default()
        };
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.update_service_account(&place.id, &id, state));
        if let Some(answer) = send!(self, service_accounts.update_service_account, request, wrong).await? {
            self.oracle = after;
            self.same_service_account(&place.id, &id, answer.service_account)?;
        }
        Ok(())
    }

    pub(super) async fn delete_service_account(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.service_account_ids(), service_accounts());
        let mut wrong = without(place, &id);
        let name = format!("{}/serviceAccounts/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let request = proto::DeleteServiceAccountRequest { name: name.clone(), etag, ..Default::default() };
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_service_account(&place.id, &id));
        if send!(self, service_accounts.delete_service_account, request, wrong).await?.is_some() {
            self.oracle = after;
            self.bury(&name);
        }
        Ok(())
    }
}

fn without(place: &Place, id: &str) -> Wrong {
    let is_there = place.found.as_ref().is_some_and(|found| found.service_accounts.contains_key(id));
    place.without(is_there, ErrorReason::ServiceAccountNotFound)
}
