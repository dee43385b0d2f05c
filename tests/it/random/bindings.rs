//! Who is given which role, one by one and many at a time.

use std::collections::BTreeSet;

use rolecall::proto;
use tonic::Code;

use super::{
    super::oracle::{Holder, RoleName},
    Difference, Place, Worker, holder_text,
    manners::{Wrong, send},
    roles, same, service_accounts, teams, users,
};

impl Worker {
    pub(super) fn random_role(&mut self) -> RoleName {
        let number = self.random.below(5);
        if self.random.chance(50) {
            RoleName::Managed(format!("m{number}"))
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
        for _ in 0..self.random.below(most + 1) {
            let known = if self.random.chance(97) { self.random.pick(there.clone()) } else { Some(self.random_role()) };
            chosen.extend(known);
        }
        if !chosen.iter().all(may) {
            wrong.push(Code::NotFound);
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

    fn holds(&self, place: &Place, holder: &Holder, role: &RoleName) -> bool {
        place.found.as_ref().is_some_and(|found| found.bindings.contains_key(&(holder.clone(), role.clone())))
    }

    pub(super) async fn create_binding(&mut self, place: &Place) -> Result<(), Difference> {
        let role = self.random_role();
        let holder = self.random_holder(place);
        let allow_internal_role = self.random.chance(50);
        let mut wrong = place.missing();
        let visible = if allow_internal_role { place.has_role(&role) } else { place.shows_role(&role) };
        if !visible || !place.has_holder(&holder) {
            wrong.push(Code::NotFound);
        } else if self.holds(place, &holder, &role) {
            wrong.push(Code::AlreadyExists);
        }
        let request = proto::CreateRoleBindingRequest {
            parent: place.name.clone(),
            role_binding: Some(self.binding(place, &holder, &role)),
            allow_internal_role,
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.create_role_binding, request, wrong).await? {
            self.same_binding(place, &holder, &role, answer.role_binding)?;
            self.oracle.create_binding(&place.id, holder, role);
        }
        Ok(())
    }

    fn binding(&self, place: &Place, holder: &Holder, role: &RoleName) -> proto::RoleBinding {
        let role = self.role_text(&place.id, role);
        proto::RoleBinding { holder: holder_text(holder), role, ..proto::RoleBinding::default() }
    }

    fn same_binding(
        &self,
        place: &Place,
        holder: &Holder,
        role: &RoleName,
        given: Option<proto::RoleBinding>,
    ) -> Result<(), Difference> {
        let given = given.unwrap_or_default();
        let expected = (holder_text(holder), self.role_text(&place.id, role));
        same("the role binding", &(given.holder, given.role), &expected)
    }

    /// Deletes a binding that is found by listing, and holds the list against the oracle.
    pub(super) async fn delete_binding(&mut self, place: &Place) -> Result<(), Difference> {
        let Some(found) = &place.found else { return Ok(()) };
        let Some((holder, role)) = self.random.pick(found.bindings.keys().cloned()) else { return Ok(()) };
        let request = proto::ListRoleBindingsRequest {
            parent: place.name.clone(),
            holder: if self.random.chance(50) { holder_text(&holder) } else { String::new() },
            role: self.role_text(&place.id, &role),
            show_internal: true,
            ..Default::default()
        };
        let by_holder = !request.holder.is_empty();
        let listed = self.wire.bindings.list_role_bindings(request).await.map_err(|status| status.to_string())?;
        let listed = listed.into_inner().role_bindings;
        let mut holders: Vec<String> = listed.iter().map(|binding| binding.holder.clone()).collect();
        holders.sort();
        let held = found.bindings.keys().filter(|(other, of)| *of == role && (!by_holder || *other == holder));
        let mut expected: Vec<String> = held.map(|(holder, _)| holder_text(holder)).collect();
        expected.sort();
        same(&format!("the holders of {role:?}"), &holders, &expected)?;
        let binding = listed.into_iter().find(|binding| binding.holder == holder_text(&holder)).unwrap();
        let request = proto::GetRoleBindingRequest { name: binding.name.clone(), consistency: None };
        let got = self.wire.bindings.get_role_binding(request.clone()).await;
        let got = got.map_err(|status| format!("GetRoleBinding: {status}"))?.into_inner().role_binding;
        same("the role binding", &got, &Some(binding.clone()))?;
        let mut wrong = Wrong::new();
        let etag = match self.random.below(10) {
            0 => binding.etag,
            1 => {
                // A damaged etag is no etag of it.
                wrong.extend([Code::Aborted, Code::InvalidArgument]);
                binding.etag + "x"
            }
            _ => String::new(),
        };
        let delete = proto::DeleteRoleBindingRequest { name: binding.name, etag, ..Default::default() };
        if send!(self, bindings.delete_role_binding, delete, wrong).await?.is_some() {
            self.oracle.delete_binding(&place.id, holder, role);
            let again = self.wire.bindings.get_role_binding(request).await.map_err(|status| status.code());
            same("the deleted role binding", &again.map(|_| ()), &Err(Code::NotFound))?;
        }
        Ok(())
    }

    pub(super) async fn create_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        let mut wrong = place.missing();
        let (skip_held, allow_internal_role) = (self.random.chance(60), self.random.chance(50));
        let mut wanted = BTreeSet::new();
        for _ in 0..1 + self.random.below(3) {
            let holder = self.random_holder(place);
            if !place.has_holder(&holder) && self.random.chance(80) {
                continue;
            }
            for role in self.some_roles(place, 2, allow_internal_role, &mut wrong) {
                wanted.insert((holder.clone(), role));
            }
        }
        if wanted.is_empty() {
            wrong.push(Code::InvalidArgument);
        }
        if wanted.iter().any(|(holder, _)| !place.has_holder(holder)) {
            wrong.push(Code::NotFound);
        }
        if !skip_held && wanted.iter().any(|(holder, role)| self.holds(place, holder, role)) {
            wrong.push(Code::AlreadyExists);
        }
        let request = proto::BatchCreateRoleBindingsRequest {
            parent: place.name.clone(),
            role_bindings: wanted.iter().map(|(holder, role)| self.binding(place, holder, role)).collect(),
            skip_held,
            allow_internal_role,
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.batch_create_role_bindings, request, wrong).await? {
            same("the number of role bindings made", &answer.role_bindings.len(), &wanted.len())?;
            for ((holder, role), given) in wanted.into_iter().zip(answer.role_bindings) {
                self.same_binding(place, &holder, &role, Some(given))?;
                self.oracle.create_binding(&place.id, holder, role);
            }
        }
        Ok(())
    }

    pub(super) async fn delete_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        let Some(found) = &place.found else { return Ok(()) };
        let parent = place.name.clone();
        let request =
            proto::ListRoleBindingsRequest { parent: parent.clone(), show_internal: true, ..Default::default() };
        let listed = self.wire.bindings.list_role_bindings(request).await.map_err(|status| status.to_string())?;
        let mut listed = listed.into_inner().role_bindings;
        listed.retain(|_| self.random.chance(15));
        let mut wrong = Wrong::new();
        let mut names: Vec<String> = listed.iter().map(|binding| binding.name.clone()).collect();
        if names.is_empty() {
            wrong.push(Code::InvalidArgument);
        } else if self.random.chance(10) {
            names.push(format!("{parent}/roleBindings/{}", u32::MAX));
            wrong.push(Code::NotFound);
        }
        let request = proto::BatchDeleteRoleBindingsRequest { parent, names, ..Default::default() };
        if send!(self, bindings.batch_delete_role_bindings, request, wrong).await?.is_some() {
            for binding in listed {
                let mut keys = found.bindings.keys();
                let key = keys.find(|(holder, role)| {
                    (holder_text(holder), self.role_text(&place.id, role))
                        == (binding.holder.clone(), binding.role.clone())
                });
                let Some((holder, role)) = key else { return Err(format!("{binding:?} was listed")) };
                self.oracle.delete_binding(&place.id, holder.clone(), role.clone());
            }
        }
        Ok(())
    }

    /// Internal roles stay as they are.
    pub(super) async fn replace_bindings(&mut self, place: &Place) -> Result<(), Difference> {
        let holder = self.random_holder(place);
        let mut wrong = place.missing();
        if !place.has_holder(&holder) {
            wrong.push(Code::NotFound);
        }
        let wanted = self.some_roles(place, 4, false, &mut wrong);
        let request = proto::ReplaceRoleBindingsRequest {
            parent: place.name.clone(),
            holder: holder_text(&holder),
            roles: self.role_texts(&place.id, wanted.clone()),
            ..Default::default()
        };
        if let Some(answer) = send!(self, bindings.replace_role_bindings, request, wrong).await? {
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            for role in self.oracle.roles(&place.id, false) {
                match (self.holds(place, &holder, &role), wanted.contains(&role)) {
                    (false, true) => {
                        added.push(role.clone());
                        self.oracle.create_binding(&place.id, holder.clone(), role);
                    }
                    (true, false) => {
                        removed.push(role.clone());
                        self.oracle.delete_binding(&place.id, holder.clone(), role);
                    }
                    _ => {}
                }
            }
            same("the roles that were given", &answer.added_roles, &self.role_texts(&place.id, added))?;
            same("the roles that were taken away", &answer.removed_roles, &self.role_texts(&place.id, removed))?;
        }
        Ok(())
    }
}
