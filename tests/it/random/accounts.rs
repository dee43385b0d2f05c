//! Accounts, and what they are entitled to.

use rolecall::{proto, service::ErrorReason};

use super::{Difference, Place, Worker, expected::Wrong, manners::send, mask};

impl Worker {
    pub(super) async fn create_account(&mut self, place: &Place) -> Result<(), Difference> {
        let catalog = self.catalog_id(self.random.0 as usize % 2);
        let known = self.oracle.catalogs.get(&catalog).map(|found| found.features.clone());
        let chosen = self.random.subset(70, known.unwrap_or_default());
        let wrong = if place.found.is_some() { ErrorReason::AlreadyExists.into() } else { Wrong::new() };
        let request = proto::CreateAccountRequest {
            account_id: place.id.clone(),
            account: Some(proto::Account {
                catalog: format!("catalogs/{catalog}"),
                features: chosen.iter().cloned().collect(),
                ..proto::Account::default()
            }),
            ..Default::default()
        };
        if let Some(answer) = send!(self, accounts.create_account, request, wrong).await? {
            self.oracle.create_account(&place.id, &catalog, chosen);
            self.same_account(&place.id, answer.account)?;
        }
        Ok(())
    }

    pub(super) async fn update_account(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let mut chosen = self.random.subset(70, place.catalog.features.clone());
        let mut active = self.random.chance(88);
        let mut state = if active { proto::account::State::Active } else { proto::account::State::Suspended };
        let (mut update_mask, mut features_too) = (mask(&["state", "features"]), true);
        match self.random.below(20) {
            0 => {
                state = proto::account::State::Unspecified;
                wrong.push(ErrorReason::FieldInvalid);
            }
            1..4 => {
                update_mask = mask(&["state"]);
                features_too = false;
            }
            4 if place.found.is_some() => {
                chosen.insert("f9".into());
                wrong.push(ErrorReason::FeatureNotFound);
            }
            5 => {
                update_mask = None; // the state that is left out stays
                state = proto::account::State::Unspecified;
                active = place.found.as_ref().is_some_and(|found| found.active);
            }
            _ => {}
        }
        let etag = self.etag(&place.name, &mut wrong).await?;
        let account = proto::Account {
            name: place.name.clone(),
            state: state.into(),
            features: chosen.iter().cloned().collect(),
            etag,
            ..proto::Account::default()
        };
        let request = proto::UpdateAccountRequest { account: Some(account), update_mask, ..Default::default() };
        if let Some(answer) = send!(self, accounts.update_account, request, wrong).await? {
            self.oracle.update_account(&place.id, Some(active), features_too.then_some(chosen));
            self.same_account(&place.id, answer.account)?;
        }
        Ok(())
    }

    pub(super) async fn delete_account(&mut self, place: &Place) -> Result<(), Difference> {
        if self.random.chance(60) {
            return Ok(());
        }
        let mut wrong = place.missing();
        let etag = self.etag(&place.name, &mut wrong).await?;
        let request = proto::DeleteAccountRequest { name: place.name.clone(), etag, ..Default::default() };
        if send!(self, accounts.delete_account, request, wrong).await?.is_some() {
            self.oracle.delete_account(&place.id);
            self.bury(&place.name);
        }
        Ok(())
    }
}
