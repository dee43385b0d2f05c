//! Custom roles: made, copied, changed and deleted.

use std::collections::BTreeSet;

use rolecall::{proto, service::ErrorReason};
use tonic::Code;

use super::{
    super::oracle::{Catalog, CustomRole, Oracle, RoleName, Use},
    Difference, Place, Set, Worker, api_scopes,
    expected::{Wrong, counted, removed},
    holder_text, managed_roles,
    manners::send,
    mask, permissions, roles, same, sections,
};

/// The permissions of some sections, as a customer sees them.
fn of_sections(catalog: &Catalog, sections: &Set) -> Set {
    let open = catalog.permissions.iter().filter(|(_, each)| !each.internal && sections.contains(&each.section));
    open.map(|(id, _)| id.clone()).collect()
}

fn list(ids: &Set) -> Vec<String> {
    ids.iter().cloned().collect()
}

impl Worker {
    /// Some permissions, nearly always ones that a customer can name.
    fn some_permissions(&mut self, place: &Place, percent: usize, wrong: &mut Wrong) -> Set {
        let open = place.open_permissions();
        let mut chosen = self.random.subset(percent, open.clone());
        if self.random.chance(8) {
            chosen.extend(self.random.pick(permissions()));
        }
        if !chosen.is_subset(&open) {
            wrong.push(ErrorReason::PermissionNotFound);
        }
        chosen
    }

    /// Some sections, now and then one that no catalog has.
    fn some_sections(&mut self, percent: usize, wrong: &mut Wrong) -> Set {
        let mut chosen = self.random.subset(percent, sections());
        if self.random.chance(3) {
            chosen.insert("nowhere".into());
            wrong.push(Code::NotFound);
        }
        chosen
    }

    fn some_left_out(&mut self, place: &Place, wrong: &mut Wrong) -> Set {
        let percent = if self.random.chance(50) { 20 } else { 0 };
        let mut chosen = self.random.subset(percent, place.catalog.api_scopes.keys().cloned());
        if self.random.chance(3) {
            chosen.extend(self.random.pick(api_scopes()));
        }
        if chosen.iter().any(|scope| !place.catalog.api_scopes.contains_key(scope)) {
            wrong.push(Code::NotFound);
        }
        chosen
    }

    /// Managed roles to import, nearly always ones that a customer sees; with what they give.
    fn some_imports(&mut self, place: &Place, most: usize, wrong: &mut Wrong) -> (Vec<String>, Set) {
        let (mut names, mut given) = (Vec::new(), Set::new());
        for id in managed_roles() {
            let role = RoleName::Managed(id);
            let good = place.shows_role(&role);
            if names.len() < most && self.random.chance(if good { 40 } else { 2 }) {
                names.push(self.role_text(&place.id, &role));
                given.extend(self.oracle.role(&place.id, &role).map(|shown| shown.permissions).unwrap_or_default());
                if !good {
                    wrong.push(Code::NotFound);
                }
            }
        }
        (names, given)
    }

    pub(super) async fn create_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(roles()).unwrap();
        let mut wrong = place.missing();
        if place.role_ids().contains(&id) {
            wrong.push(Code::AlreadyExists);
        }
        let mut listed = self.some_permissions(place, 25, &mut wrong);
        let left_out = self.some_left_out(place, &mut wrong);
        let (mut imports, mut sections, mut holders) = (Vec::new(), Set::new(), Vec::new());
        let whole = self.random.chance(40);
        let sent = list(&listed);
        if whole {
            let given;
            (imports, given) = self.some_imports(place, 2, &mut wrong);
            sections = self.some_sections(20, &mut wrong);
            listed.extend(given);
            listed.extend(of_sections(&place.catalog, &sections));
            for _ in 0..self.random.below(3) {
                let holder = self.random_holder(place);
                if !holders.contains(&holder) {
                    holders.push(holder);
                }
            }
        }
        if holders.iter().any(|holder| !place.has_holder(holder)) {
            wrong.push(Code::NotFound);
        }
        let policies = self.some_policies(place, &mut wrong);
        let parents = self.some_parents(place, &id, &mut wrong);
        let covers = self.some_covers(place, &mut wrong);
        let lists_some = !sent.is_empty() || !imports.is_empty() || !sections.is_empty();
        if (lists_some && !place.catalog.custom_roles.permissions) || !place.offers_roles() {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        self.check_parents(place, &id, &parents, &mut wrong);
        let request = proto::CreateRoleRequest {
            parent: place.name.clone(),
            role_id: id.clone(),
            role: Some(proto::Role {
                display_name: "A role".into(),
                permissions: sent,
                left_out_api_scopes: list(&left_out),
                access_policies: self.policy_texts(&place.id, &policies),
                parents: self.role_texts(&place.id, parents.clone()),
                covered_facets: list(&covers),
                ..proto::Role::default()
            }),
            import_roles: imports,
            sections: list(&sections),
            holders: holders.iter().map(holder_text).collect(),
            ..Default::default()
        };
        let role = CustomRole { permissions: listed, left_out, policies, parents, covers };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            make_role(oracle, &place.id, &id, role);
            for holder in holders {
                oracle.create_binding(&place.id, holder, RoleName::Custom(id.clone()));
            }
        });
        if let Some(answer) = send!(self, roles.create_role, request, wrong).await? {
            self.oracle = after;
            self.same_role(&place.id, &RoleName::Custom(id), answer.role.unwrap_or_default(), true, false)?;
        }
        Ok(())
    }

    pub(super) async fn update_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let old = place.found.as_ref().and_then(|found| found.roles.get(&id)).cloned().unwrap_or_default();
        let all = ["permissions", "left_out_api_scopes", "access_policies", "parents", "covered_facets"];
        let masked = match self.random.below(10) {
            0 => vec!["display_name"],
            1..8 => vec![all[self.random.below(all.len())]],
            _ => all.to_vec(),
        };
        // What the mask does not name is left empty.
        let is_given = |part: &str| masked.contains(&part);
        let mut role = CustomRole::default();
        if is_given("permissions") {
            role.permissions = self.some_permissions(place, 30, &mut wrong);
            if !role.permissions.is_empty() && !place.catalog.custom_roles.permissions {
                wrong.push(ErrorReason::CustomRolesNotOffered);
            }
        }
        if is_given("left_out_api_scopes") {
            role.left_out = self.some_left_out(place, &mut wrong);
        }
        if is_given("access_policies") {
            role.policies = self.some_policies(place, &mut wrong);
        }
        if is_given("covered_facets") {
            role.covers = self.some_covers(place, &mut wrong);
        }
        if is_given("parents") {
            role.parents = self.some_parents(place, &id, &mut wrong);
            self.check_parents(place, &id, &role.parents, &mut wrong);
        }
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let sent = proto::Role {
            name,
            display_name: "A role".into(),
            permissions: list(&role.permissions),
            left_out_api_scopes: list(&role.left_out),
            access_policies: self.policy_texts(&place.id, &role.policies),
            parents: self.role_texts(&place.id, role.parents.clone()),
            covered_facets: list(&role.covers),
            etag,
            ..proto::Role::default()
        };
        let is_whole = masked.len() == all.len() && self.random.chance(50);
        let update_mask = if is_whole { None } else { mask(&masked) };
        let after = self.after(&place.id, &mut wrong, |oracle| {
            let left_out = if is_given("left_out_api_scopes") { role.left_out } else { old.left_out };
            let new = CustomRole {
                permissions: if is_given("permissions") { role.permissions } else { old.permissions },
                policies: if is_given("access_policies") { role.policies } else { old.policies },
                parents: if is_given("parents") { role.parents } else { old.parents },
                covers: if is_given("covered_facets") { role.covers } else { old.covers },
                left_out,
            };
            change_role(oracle, &place.id, &id, new);
        });
        let request = proto::UpdateRoleRequest { role: Some(sent), update_mask, ..Default::default() };
        if let Some(answer) = send!(self, roles.update_role, request, wrong).await? {
            self.oracle = after;
            self.same_role(&place.id, &RoleName::Custom(id), answer.role.unwrap_or_default(), true, false)?;
        }
        Ok(())
    }

    pub(super) async fn delete_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let force = self.random.chance(50);
        // Of the bindings, each holder counts once.
        let uses = self.oracle.uses_of_role(&place.id, &id);
        let holder = |used: &Use| match used {
            Use::Binding((holder, role, _)) => Use::Binding((holder.clone(), role.clone(), None)),
            other => other.clone(),
        };
        let uses: BTreeSet<Use> = uses.iter().map(holder).collect();
        if !force && !uses.is_empty() {
            wrong.push(ErrorReason::InUse);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_role(&place.id, &id));
        let request = proto::DeleteRoleRequest { name: name.clone(), etag, force, ..Default::default() };
        if let Some(answer) = send!(self, roles.delete_role, request, wrong).await? {
            self.same_counts(&place.id, &RoleName::Custom(id.clone()), answer.holder_counts)?;
            same("what went with the role", &removed(answer.removed), &counted(&uses, "members"))?;
            self.compared("what a deletion removed");
            self.oracle = after;
            self.bury(&name);
        }
        Ok(())
    }

    /// A copy has what the other role gives, leaves out what it leaves out, and is held by nobody.
    pub(super) async fn duplicate_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(roles()).unwrap();
        let mut wrong = place.missing();
        if place.role_ids().contains(&id) {
            wrong.push(Code::AlreadyExists);
        }
        let there = self.random.pick(self.oracle.roles(&place.id, false)).filter(|_| self.random.chance(90));
        let source = there.unwrap_or_else(|| self.random_role());
        if !place.shows_role(&source) {
            wrong.push(Code::NotFound);
        }
        let (copy, omitted) = self.copy_of(place, &source);
        if !place.offers_roles() {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        self.check_parents(place, &id, &copy.parents, &mut wrong);
        let after = self.after(&place.id, &mut wrong, |oracle| make_role(oracle, &place.id, &id, copy));
        let request = proto::DuplicateRoleRequest {
            name: self.role_text(&place.id, &source),
            parent: place.name.clone(),
            role_id: id.clone(),
            display_name: "A copy".into(),
            ..Default::default()
        };
        if let Some(answer) = send!(self, roles.duplicate_role, request, wrong).await? {
            self.oracle = after;
            same("the parts that the copy does not have", &answer.omitted_parts, &texts(&omitted))?;
            self.same_role(&place.id, &RoleName::Custom(id), answer.role.unwrap_or_default(), true, false)?;
        }
        Ok(())
    }

    pub(super) async fn import_permissions(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let (roles, given) = self.some_imports(place, 3, &mut wrong);
        if roles.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        if !place.catalog.custom_roles.permissions {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let request = proto::ImportRolePermissionsRequest { name, roles, etag, ..Default::default() };
        if let Some(answer) = send!(self, roles.import_role_permissions, request, wrong).await? {
            self.added(place, &id, given, answer.role, answer.added_permissions)?;
        }
        Ok(())
    }

    pub(super) async fn add_permissions(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let listed = self.some_permissions(place, 10, &mut wrong);
        let sections = self.some_sections(20, &mut wrong);
        if listed.is_empty() && sections.is_empty() {
            wrong.push(ErrorReason::FieldInvalid);
        }
        if !place.catalog.custom_roles.permissions {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let (permissions, of) = (list(&listed), list(&sections));
        let request = proto::AddRolePermissionsRequest { name, permissions, sections: of, etag, ..Default::default() };
        if let Some(answer) = send!(self, roles.add_role_permissions, request, wrong).await? {
            let given = &listed | &of_sections(&place.catalog, &sections);
            self.added(place, &id, given, answer.role, answer.added_permissions)?;
        }
        Ok(())
    }

    fn added(
        &mut self,
        place: &Place,
        id: &str,
        given: Set,
        answer: Option<proto::Role>,
        added: Vec<String>,
    ) -> Result<(), Difference> {
        let role = RoleName::Custom(id.to_owned());
        let before = self.oracle.role(&place.id, &role).unwrap_or_default().permissions;
        let listed = &place.found.as_ref().unwrap().roles[id].permissions | &given;
        self.oracle.update_role(&place.id, id, listed);
        same("what was added", &added, &list(&(&given - &before)))?;
        self.same_role(&place.id, &role, answer.unwrap_or_default(), true, false)
    }

    pub(super) async fn remove_permissions(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let listed = self.some_permissions(place, 15, &mut wrong);
        let sections = self.some_sections(15, &mut wrong);
        if listed.is_empty() && sections.is_empty() {
            wrong.push(Code::InvalidArgument);
        }
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let (permissions, of) = (list(&listed), list(&sections));
        let request =
            proto::RemoveRolePermissionsRequest { name, permissions, sections: of, etag, ..Default::default() };
        if let Some(answer) = send!(self, roles.remove_role_permissions, request, wrong).await? {
            let role = RoleName::Custom(id.clone());
            let before = self.oracle.role(&place.id, &role).unwrap_or_default().permissions;
            let gone = &listed | &of_sections(&place.catalog, &sections);
            let left = &place.found.as_ref().unwrap().roles[&id].permissions - &gone;
            self.oracle.update_role(&place.id, &id, left);
            same("what was removed", &answer.removed_permissions, &list(&(&before & &gone)))?;
            self.same_role(&place.id, &role, answer.role.unwrap_or_default(), true, false)?;
        }
        Ok(())
    }
}

/// A new custom role.
fn make_role(oracle: &mut Oracle, account: &str, id: &str, role: CustomRole) {
    oracle.create_role(account, id, Set::new());
    change_role(oracle, account, id, role);
}

fn change_role(oracle: &mut Oracle, account: &str, id: &str, role: CustomRole) {
    oracle.update_role(account, id, role.permissions);
    oracle.leave_out(account, id, role.left_out);
    oracle.set_role_policies(account, id, role.policies);
    oracle.set_role_parents(account, id, role.parents);
    oracle.set_role_covers(account, id, role.covers);
}

fn texts(parts: &[&str]) -> Vec<String> {
    parts.iter().map(ToString::to_string).collect()
}

fn without_role(place: &Place, id: &str) -> Wrong {
    let is_there = place.found.as_ref().is_some_and(|found| found.roles.contains_key(id));
    place.without(is_there, ErrorReason::RoleNotFound)
}
