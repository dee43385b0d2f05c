//! Exceptions of users.

use rolecall::{proto, service::ErrorReason};
use tonic::Code;

use super::{super::oracle::Exception, Difference, Place, Worker, manners::send, permissions, same, time, users};

impl Worker {
    pub(super) async fn create_exception(&mut self, place: &Place) -> Result<(), Difference> {
        let user = self.one_of(place.user_ids(), users());
        let mut wrong = place.without(place.user_ids().contains(&user), ErrorReason::UserNotFound);
        let permission = self.one_of(place.open_permissions(), permissions());
        if !place.open_permissions().contains(&permission) {
            wrong.push(ErrorReason::PermissionNotFound);
        }
        let key = (user.clone(), permission.clone());
        let old = place.found.as_ref().and_then(|found| found.exceptions.get(&key));
        if old.is_some_and(|old| old.expires.is_none_or(|expires| self.now < expires)) {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let mut exception = Exception { reason: "asked by support".into(), expires: self.random_expiry(60) };
        match self.random.below(30) {
            0 => {
                exception.expires = Some(self.now - self.random.below(2) as u64);
                wrong.push(ErrorReason::FieldInvalid);
            }
            1 => {
                exception.reason = " ".into();
                wrong.push(ErrorReason::FieldInvalid);
            }
            _ => {}
        }
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.create_exception(&place.id, &user, &permission, exception.clone(), now);
        });
        let request = proto::CreateExceptionRequest {
            parent: format!("{}/users/{user}", place.name),
            exception: Some(proto::Exception {
                permission: permission.clone(),
                reason: exception.reason.clone(),
                expire_time: exception.expires.map(time),
                ..Default::default()
            }),
            ..Default::default()
        };
        if let Some(answer) = send!(self, exceptions.create_exception, request, wrong).await? {
            self.oracle = after;
            let expected = shown(&place.name, &user, &permission, &exception);
            same("the exception", &timeless(answer.exception.unwrap_or_default()), &expected)?;
        }
        Ok(())
    }

    pub(super) async fn delete_exception(&mut self, place: &Place) -> Result<(), Difference> {
        let known = place.found.iter().flat_map(|found| found.exceptions.keys().cloned()).collect::<Vec<_>>();
        let known = if self.random.chance(90) { self.random.pick(known) } else { None };
        let (user, permission) =
            known.unwrap_or_else(|| (self.random.pick(users()).unwrap(), self.random.pick(permissions()).unwrap()));
        let key = (user.clone(), permission.clone());
        let is_there = place.found.as_ref().is_some_and(|found| found.exceptions.contains_key(&key));
        let mut wrong = place.missing();
        // One for what has become internal is void.
        if !is_there || !place.open_permissions().contains(&permission) {
            wrong.push(Code::NotFound);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| {
            oracle.delete_exception(&place.id, &user, &permission);
        });
        let name = format!("{}/users/{user}/exceptions/{permission}", place.name);
        let request = proto::DeleteExceptionRequest { name, ..Default::default() };
        if send!(self, exceptions.delete_exception, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    pub(super) async fn list_exceptions(&mut self, account: &str) -> Result<(), Difference> {
        let place = self.place_of(account.to_owned());
        let Some(user) = self.random.pick(place.user_ids()) else { return Ok(()) };
        let parent = format!("accounts/{account}/users/{user}");
        let answer = self.wire.exceptions.list_exceptions(proto::ListExceptionsRequest { parent, consistency: None });
        let given = answer.await.map_err(|status| format!("ListExceptions: {status}"))?.into_inner().exceptions;
        let given: Vec<_> = given.into_iter().map(timeless).collect();
        let open = place.open_permissions();
        let own = self.oracle.accounts[account].exceptions.iter();
        let own = own.filter(|((other, permission), _)| *other == user && open.contains(permission));
        let expected: Vec<_> =
            own.map(|((_, permission), exception)| shown(&place.name, &user, permission, exception)).collect();
        same(&format!("the exceptions of {user}"), &given, &expected)?;
        self.compared("list of exceptions");
        Ok(())
    }
}

fn timeless(exception: proto::Exception) -> proto::Exception {
    proto::Exception { create_time: None, ..exception }
}

fn shown(account: &str, user: &str, permission: &str, exception: &Exception) -> proto::Exception {
    proto::Exception {
        name: format!("{account}/users/{user}/exceptions/{permission}"),
        permission: permission.to_owned(),
        reason: exception.reason.clone(),
        expire_time: exception.expires.map(time),
        create_time: None,
    }
}
