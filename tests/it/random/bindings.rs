//! Who is given which role, one by one and many at a time.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::{proto, service::ErrorReason};
use tonic::Code;

use super::{
    super::oracle::{Binding, BindingKey, Holder, RoleName},
    Difference, Place, Worker,
    expected::Wrong,
    holder_text, managed_roles,
    manners::send,
    roles, same, service_accounts, teams, time, users,
};

impl Worker {
    pub(super) fn random_role(&mut self) -> RoleName {
        if self.random.chance(50) {
            RoleName::Managed(self.random.pick(managed_roles()).unwrap())
        } else {
            RoleName::Custom(self.random.pick(roles()).unwrap())
        }
    }

    /// Different roles, nearly always ones that are there and not internal, unless that is allowed.
    pub(super) fn some_roles(
        &mut self,
        place: &Place,
        most: usize,
        allow_internal: bool,
        wrong: &mut Wrong,
    ) -> Vec<RoleName> {
        let may = |role: &RoleName| if allow_internal { place.has_role(role) } else { place.shows_role(role) };
        let there: Vec<RoleName> = self.oracle.roles(&place.id, true).into_iter().filter(may).collect();
        let mut chosen = BTreeSet::new();
        // Where everybody has to hold a role, most are given one.
        let least = usize::from(most > 0 && place.catalog.must_hold_role && self.random.chance(85));
        for _ in 0..least + self.random.below(most + 1 - least) {
            let known = if self.random.chance(97) { self.random.pick(there.clone()) } else { Some(self.random_role()) };
            chosen.extend(known);
        }
        if !chosen.iter().all(may) {
            wrong.push(ErrorReason::RoleNotFound);
        }
        chosen.into_iter().collect()
    }

    /// Somebody to hold a role, mostly somebody who is there.
    pub(super) fn random_holder(&mut self, place: &Place) -> Holder {
        match self.random.below(10) {
            0..5 => Holder::User(self.one_of(place.user_ids(), users())),
            5..8 => Holder::Team(self.one_of(place.team_ids(), teams())),
            _ => Holder::ServiceAccount(self.one_of(place.service_account_ids(), service_accounts())),
        }
    }

    /// A binding that is there and has not expired.
    fn held(&self, place: &Place, key: &BindingKey) -> Option<Binding> {
        let binding = place.found.as_ref().and_then(|found| found.bindings.get(key)).copied();
        binding.filter(|binding| binding.expires.is_none_or(|expires| self.now < expires))
    }

    /// What a role is held on, and until when: nearly always something that is there, and a time ahead.
    fn random_terms(&mut self, place: &Place) -> (Option<String>, Option<u64>) {
        let known = if self.random.chance(45) { self.random.pick(place.paths()) } else { None };
        let resource = if self.random.chance(2) { Some("sites/x9".into()) } else { known };
        let past = Some(self.now - self.random.below(2) as u64);
        let expires = if self.random.chance(2) { past } else { self.random_expiry(35) };
        (resource, expires)
    }

    pub(super) async fn create_binding(&mut self, place: &Place) -> Result<(), Difference> {
        let role = self.random_role();
        let holder = self.random_holder(place);
        let allow_internal_role = self.random.chance(50);
        let mut wrong = place.missing();
        let (resource, expires) = self.random_terms(place);
        let key = (holder, role, resource);
        self.check_new_binding(place, &key, expires, allow_internal_role, &mut wrong);
        if self.held(place, &key).is_some() {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.bind(&place.id, key.clone(), expires, now));
        let request = proto::CreateRoleBindingRequest {
            parent: place.name.clone(),
            role_binding: Some(self.binding(&place.id, &key, expires)),
            allow_internal_role,
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.create_role_binding, request, wrong).await? {
            self.oracle = after;
            self.same_binding(&place.id, &key, answer.role_binding)?;
        }
        Ok(())
    }

    fn check_new_binding(
        &self,
        place: &Place,
        key: &BindingKey,
        expires: Option<u64>,
        allow_internal: bool,
        wrong: &mut Wrong,
    ) {
        let (holder, role, resource) = key;
        if resource.as_ref().is_some_and(|path| !place.has_path(path)) {
            wrong.push(ErrorReason::ResourceNotFound);
        }
        if expires.is_some_and(|expires| expires <= self.now) {
            wrong.push(ErrorReason::FieldInvalid);
        }
        if !(if allow_internal { place.has_role(role) } else { place.shows_role(role) }) {
            wrong.push(ErrorReason::RoleNotFound);
        }
        if !place.has_holder(holder) {
            wrong.push(Code::NotFound);
        }
    }

    /// What somebody new is given besides roles on the whole account for good.
    pub(super) fn first_bindings(
        &mut self,
        place: &Place,
        holder: Holder,
        roles: &[RoleName],
        wrong: &mut Wrong,
    ) -> Vec<(BindingKey, Option<u64>)> {
        let mut given: Vec<(BindingKey, Option<u64>)> = Vec::new();
        if self.random.chance(70) {
            return given;
        }
        for role in self.some_roles(place, 2, false, wrong) {
            let (resource, expires) = self.random_terms(place);
            if resource.as_ref().is_some_and(|path| !place.has_path(path)) {
                wrong.push(ErrorReason::ResourceNotFound);
            }
            if expires.is_some_and(|expires| expires <= self.now) {
                wrong.push(ErrorReason::FieldInvalid);
            }
            if resource.is_none() && expires.is_some() && roles.contains(&role) {
                wrong.push(ErrorReason::AlreadyExists);
            }
            given.push(((holder.clone(), role, resource), expires));
        }
        // What is given twice alike is given once.
        given.extend(given.first().filter(|_| self.random.chance(10)).cloned());
        given
    }

    pub(super) fn bindings_sent(
        &self,
        account: &str,
        bindings: &[(BindingKey, Option<u64>)],
    ) -> Vec<proto::RoleBinding> {
        bindings.iter().map(|(key, expires)| self.binding(account, key, *expires)).collect()
    }

    /// A binding as the API has it.
    pub(super) fn binding(&self, account: &str, key: &BindingKey, expires: Option<u64>) -> proto::RoleBinding {
        let (holder, role, resource) = key;
        proto::RoleBinding {
            holder: holder_text(holder),
            role: self.role_text(account, role),
            resource: resource.clone().unwrap_or_default(),
            expire_time: expires.map(time),
            ..proto::RoleBinding::default()
        }
    }

    /// Holds a binding against what is in force.
    fn same_binding(
        &self,
        account: &str,
        key: &BindingKey,
        given: Option<proto::RoleBinding>,
    ) -> Result<(), Difference> {
        let expires = self.oracle.accounts[account].bindings.get(key).and_then(|binding| binding.expires);
        same("the role binding", &terms(given.unwrap_or_default()), &self.binding(account, key, expires))
    }

    /// Every binding of an account as the API has it, by what it says, with its key and the write that made it.
    pub(super) fn bindings_shown(&self, account: &str) -> BTreeMap<String, (BindingKey, u64)> {
        let bindings = self.oracle.accounts[account].bindings.iter();
        let shown = bindings.map(|(key, binding)| {
            (format!("{:?}", self.binding(account, key, binding.expires)), (key.clone(), binding.made))
        });
        shown.collect()
    }

    /// Deletes a binding that is found by listing, and holds the list against the oracle.
    pub(super) async fn delete_binding(&mut self, place: &Place) -> Result<(), Difference> {
        let Some(found) = &place.found else { return Ok(()) };
        let Some(key) = self.random.pick(found.bindings.keys().cloned()) else { return Ok(()) };
        let (holder, role, _) = &key;
        let request = proto::ListRoleBindingsRequest {
            parent: place.name.clone(),
            holder: if self.random.chance(50) { holder_text(holder) } else { String::new() },
            role: self.role_text(&place.id, role),
            show_internal: true,
            ..Default::default()
        };
        let by_holder = !request.holder.is_empty();
        let listed = self.wire.bindings.list_role_bindings(request).await.map_err(|status| status.to_string())?;
        let listed = listed.into_inner().role_bindings;
        let mut given: Vec<String> = listed.iter().map(|each| format!("{:?}", terms(each.clone()))).collect();
        given.sort();
        let held = self.bindings_shown(&place.id).into_iter();
        let held = held.filter(|(_, ((other, of, _), _))| of == role && (!by_holder || other == holder));
        let expected: Vec<String> = held.map(|(text, _)| text).collect();
        same(&format!("the bindings of {role:?}"), &given, &expected)?;
        let wanted = self.binding(&place.id, &key, found.bindings[&key].expires);
        let binding = listed.into_iter().find(|binding| terms(binding.clone()) == wanted).unwrap();
        let request = proto::GetRoleBindingRequest { name: binding.name.clone(), consistency: None };
        let got = self.wire.bindings.get_role_binding(request.clone()).await;
        let got = got.map_err(|status| format!("GetRoleBinding: {status}"))?.into_inner().role_binding;
        same("the role binding", &got, &Some(binding.clone()))?;
        let mut wrong = Wrong::new();
        let etag = match self.random.below(10) {
            0 => binding.etag,
            1 => {
                // A damaged etag is no etag of it.
                wrong.push(ErrorReason::EtagMismatch);
                wrong.push(Code::InvalidArgument);
                binding.etag + "x"
            }
            _ => String::new(),
        };
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.unbind(&place.id, &key));
        let delete = proto::DeleteRoleBindingRequest { name: binding.name, etag, ..Default::default() };
        if send!(self, bindings.delete_role_binding, delete, wrong).await?.is_some() {
            self.oracle = after;
            let again = self.wire.bindings.get_role_binding(request).await.map_err(|status| status.code());
            same("the deleted role binding", &again.map(|_| ()), &Err(Code::NotFound))?;
        }
        Ok(())
    }

    pub(super) async fn create_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let (skip_held, allow_internal_role) = (self.random.chance(60), self.random.chance(50));
        let mut wanted: BTreeMap<BindingKey, Option<u64>> = BTreeMap::new();
        for _ in 0..1 + self.random.below(3) {
            let holder = self.random_holder(place);
            if !place.has_holder(&holder) && self.random.chance(80) {
                continue;
            }
            for role in self.some_roles(place, 2, allow_internal_role, &mut wrong) {
                let (resource, expires) = self.random_terms(place);
                wanted.insert((holder.clone(), role, resource), expires);
            }
        }
        if wanted.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        for (key, expires) in &mut wanted {
            let held = self.held(place, key);
            if let Some(held) = held.filter(|_| skip_held && self.random.chance(80)) {
                *expires = held.expires;
            }
            self.check_new_binding(place, key, *expires, allow_internal_role, &mut wrong);
            if held.is_some_and(|held| !skip_held || *expires != held.expires) {
                wrong.push(ErrorReason::AlreadyExists);
            }
        }
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            wanted.iter().for_each(|(key, expires)| oracle.bind(&place.id, key.clone(), *expires, now));
        });
        let sent = wanted.iter().map(|(key, expires)| self.binding(&place.id, key, *expires)).collect();
        let request = proto::BatchCreateRoleBindingsRequest {
            parent: place.name.clone(),
            role_bindings: sent,
            skip_held,
            allow_internal_role,
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.batch_create_role_bindings, request, wrong).await? {
            self.oracle = after;
            same("the number of role bindings made", &answer.role_bindings.len(), &wanted.len())?;
            for (key, given) in wanted.keys().zip(answer.role_bindings) {
                self.same_binding(&place.id, key, Some(given))?;
            }
        }
        Ok(())
    }

    pub(super) async fn delete_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        if place.found.is_none() {
            return Ok(());
        }
        let parent = place.name.clone();
        let request =
            proto::ListRoleBindingsRequest { parent: parent.clone(), show_internal: true, ..Default::default() };
        let listed = self.wire.bindings.list_role_bindings(request).await.map_err(|status| status.to_string())?;
        let mut listed = listed.into_inner().role_bindings;
        listed.retain(|_| self.random.chance(15));
        let mut wrong = Wrong::new();
        let mut names: Vec<String> = listed.iter().map(|binding| binding.name.clone()).collect();
        if names.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        } else if self.random.chance(10) {
            names.push(format!("{parent}/roleBindings/{}", u32::MAX));
            wrong.push(ErrorReason::BindingNotFound);
        }
        let shown = self.bindings_shown(&place.id);
        let mut keys = Vec::new();
        for binding in listed {
            let Some((key, _)) = shown.get(&format!("{:?}", terms(binding.clone()))) else {
                return Err(format!("{binding:?} was listed; the oracle says {shown:?}"));
            };
            keys.push(key.clone());
        }
        let after = self.after(&place.id, &mut wrong, |oracle| {
            keys.iter().for_each(|key| oracle.unbind(&place.id, key));
        });
        let request = proto::BatchDeleteRoleBindingsRequest { parent, names, ..Default::default() };
        if send!(self, bindings.batch_delete_role_bindings, request, wrong).await?.is_some() {
            self.oracle = after;
        }
        Ok(())
    }

    /// Internal roles stay as they are, and so does what is held on resources.
    pub(super) async fn replace_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        let holder = self.random_holder(place);
        let mut wrong = place.missing();
        if !place.has_holder(&holder) {
            wrong.push(Code::NotFound);
        }
        let wanted = self.some_roles(place, 4, false, &mut wrong);
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for role in self.oracle.roles(&place.id, false) {
            let key = (holder.clone(), role.clone(), None);
            let held = place.found.as_ref().and_then(|found| found.bindings.get(&key));
            match (held.map(|held| held.expires), wanted.contains(&role)) {
                (Some(None), true) | (None, false) => {}
                // One that is to last is given anew.
                (_, true) => added.push(role),
                (Some(_), false) => removed.push(role),
            }
        }
        let now = self.now;
        let after = self.after(&place.id, &mut wrong, |oracle| {
            for role in added.iter().chain(&removed) {
                oracle.unbind(&place.id, &(holder.clone(), role.clone(), None));
            }
            for role in &added {
                oracle.bind(&place.id, (holder.clone(), role.clone(), None), None, now);
            }
        });
        let request = proto::ReplaceRoleBindingsRequest {
            parent: place.name.clone(),
            holder: holder_text(&holder),
            roles: self.role_texts(&place.id, wanted.clone()),
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.replace_role_bindings, request, wrong).await? {
            self.oracle = after;
            same("the roles that were given", &answer.added_roles, &self.role_texts(&place.id, added))?;
            same("the roles that were taken away", &answer.removed_roles, &self.role_texts(&place.id, removed))?;
        }
        Ok(())
    }
}

/// What a binding says, without what the server chooses.
pub(super) fn terms(binding: proto::RoleBinding) -> proto::RoleBinding {
    proto::RoleBinding { name: String::new(), create_time: None, etag: String::new(), ..binding }
}
