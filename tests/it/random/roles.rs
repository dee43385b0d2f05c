//! Custom roles: made, copied, changed and deleted.

use rolecall::proto;
use tonic::Code;

use super::{
    super::oracle::{Catalog, Holder, RoleName},
    Difference, Place, Set, Worker, api_scopes, holder_text,
    manners::{Wrong, send},
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
            wrong.push(Code::NotFound);
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
        for number in 0..5 {
            let role = RoleName::Managed(format!("m{number}"));
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
        let request = proto::CreateRoleRequest {
            parent: place.name.clone(),
            role_id: id.clone(),
            role: Some(proto::Role {
                display_name: "A role".into(),
                permissions: sent,
                left_out_api_scopes: list(&left_out),
                ..proto::Role::default()
            }),
            import_roles: imports,
            sections: list(&sections),
            holders: holders.iter().map(holder_text).collect(),
            ..Default::default()
        };
        if let Some(answer) = send!(self, roles.create_role, request, wrong).await? {
            self.made_role(place, &id, listed, left_out, holders, answer.role)?;
        }
        Ok(())
    }

    fn made_role(
        &mut self,
        place: &Place,
        id: &str,
        permissions: Set,
        left_out: Set,
        holders: Vec<Holder>,
        answer: Option<proto::Role>,
    ) -> Result<(), Difference> {
        let role = RoleName::Custom(id.to_owned());
        self.oracle.create_role(&place.id, id, permissions);
        self.oracle.leave_out(&place.id, id, left_out);
        for holder in holders {
            self.oracle.create_binding(&place.id, holder, role.clone());
        }
        self.same_role(&place.id, &role, answer.unwrap_or_default(), true, false)
    }

    pub(super) async fn update_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let listed = self.some_permissions(place, 30, &mut wrong);
        let left_out = self.some_left_out(place, &mut wrong);
        let (update_mask, permissions_too, left_out_too) = match self.random.below(10) {
            0..4 => (mask(&["permissions"]), true, false),
            4..6 => (mask(&["left_out_api_scopes"]), false, true),
            6 => (mask(&["permissions", "left_out_api_scopes"]), true, true),
            7 => (mask(&["display_name"]), false, false),
            _ => (None, true, true),
        };
        // What the mask does not name is not read, or looked at all the same: a write that is wrong there proves nothing.
        let reads_all = permissions_too && left_out_too;
        if !reads_all && !wrong.is_empty() && place.found.is_some() {
            return Ok(());
        }
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let role = proto::Role {
            name,
            display_name: "A role".into(),
            permissions: list(&listed),
            left_out_api_scopes: list(&left_out),
            etag,
            ..proto::Role::default()
        };
        let request = proto::UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
        if let Some(answer) = send!(self, roles.update_role, request, wrong).await? {
            if permissions_too {
                self.oracle.update_role(&place.id, &id, listed);
            }
            if left_out_too {
                self.oracle.leave_out(&place.id, &id, left_out);
            }
            self.same_role(&place.id, &RoleName::Custom(id), answer.role.unwrap_or_default(), true, false)?;
        }
        Ok(())
    }

    pub(super) async fn delete_role(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let name = format!("{}/roles/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let request = proto::DeleteRoleRequest { name: name.clone(), etag, ..Default::default() };
        if let Some(answer) = send!(self, roles.delete_role, request, wrong).await? {
            self.same_counts(&place.id, &RoleName::Custom(id.clone()), answer.holder_counts)?;
            self.oracle.delete_role(&place.id, &id);
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
        let shown = self.oracle.role(&place.id, &source).unwrap_or_default();
        let request = proto::DuplicateRoleRequest {
            name: self.role_text(&place.id, &source),
            parent: place.name.clone(),
            role_id: id.clone(),
            display_name: "A copy".into(),
            ..Default::default()
        };
        if let Some(answer) = send!(self, roles.duplicate_role, request, wrong).await? {
            self.made_role(place, &id, shown.permissions, shown.left_out, Vec::new(), answer.role)?;
        }
        Ok(())
    }

    pub(super) async fn import_permissions(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.role_ids(), roles());
        let mut wrong = without_role(place, &id);
        let (roles, given) = self.some_imports(place, 3, &mut wrong);
        if roles.is_empty() {
            wrong.push(Code::InvalidArgument);
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
            wrong.push(Code::InvalidArgument);
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

fn without_role(place: &Place, id: &str) -> Wrong {
    let there = place.found.as_ref().is_some_and(|found| found.roles.contains_key(id));
    if there { Vec::new() } else { vec![Code::NotFound] }
}
