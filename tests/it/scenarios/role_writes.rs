//! The writes of custom roles, as requests to the server.

use rolecall::proto::{
    self, AddRolePermissionsRequest, CreateRoleRequest, DeleteRoleRequest, DuplicateRoleRequest, GetRoleRequest,
    ImportRolePermissionsRequest, UpdateRoleRequest,
};
use tonic::{Code, Status};

use super::{
    Callers, Placed,
    steps::{CustomRole, Parts, Step},
    writes::mask,
};

impl Parts {
    /// The fields of a role that are given.
    fn paths(&self) -> Vec<&'static str> {
        let policies = self.policies.as_ref().map(|_| "access_policies");
        let parents = self.parents.as_ref().map(|_| "parents");
        let covers = self.covers.as_ref().map(|_| "covered_facets");
        [policies, parents, covers].into_iter().flatten().collect()
    }
}

impl Placed<'_> {
    /// Writes one step that is about a role. `noted` is the version that an earlier step has noted.
    pub async fn role_step(&self, callers: &mut Callers, step: &Step, noted: &mut String) -> Result<(), Status> {
        let parent = self.parent();
        let clients = &mut callers.clients;
        match step {
            Step::SetCustomRole(role) => self.set_custom_role(callers, role).await,
            Step::EditRole { role, permissions, parts } => {
                let Parts { policies, parents, covers } = parts;
                let mut paths = parts.paths();
                paths.extend(permissions.as_ref().map(|_| "permissions"));
                let role = proto::Role {
                    name: self.role(role),
                    permissions: permissions.clone().unwrap_or_default(),
                    access_policies: self.policies(policies.as_deref().unwrap_or_default()),
                    parents: self.roles(parents.as_deref().unwrap_or_default()),
                    covered_facets: covers.clone().unwrap_or_default(),
                    ..Default::default()
                };
                let request = UpdateRoleRequest { role: Some(role), update_mask: mask(&paths), ..Default::default() };
                clients.roles.update_role(request).await.map(|_| ())
            }
            Step::DuplicateRole { role, id } => {
                let (name, role_id) = (self.role(role), id.clone());
                let request = DuplicateRoleRequest { name, parent, role_id, ..Default::default() };
                clients.roles.duplicate_role(request).await.map(|_| ())
            }
            Step::ImportRoles { into, roles, added } => self.import_roles(callers, into, roles, added.as_ref()).await,
            Step::AddSections { role, sections, added } => {
                let (name, sections) = (self.role(role), sections.clone());
                let request = AddRolePermissionsRequest { name, sections, ..Default::default() };
                let answer = clients.roles.add_role_permissions(request).await?.into_inner();
                self.added(added.as_ref(), &answer.added_permissions);
                Ok(())
            }
            Step::DeleteRole { id, only_asked, version_is_noted, force, held_by } => {
                let request = DeleteRoleRequest {
                    name: format!("{parent}/roles/{id}"),
                    etag: if *version_is_noted { noted.clone() } else { String::new() },
                    validate_only: *only_asked,
                    force: *force,
                    ..Default::default()
                };
                let counts = clients.roles.delete_role(request).await?.into_inner().holder_counts.unwrap();
                if let Some(held_by) = held_by {
                    let found = (counts.user_count, counts.direct_user_count, counts.team_count);
                    assert_eq!(found, *held_by, "{}: who held it", self.names("deleting"));
                }
                Ok(())
            }
            Step::NoteVersion { role } => {
                let request = GetRoleRequest { name: self.role(role), ..Default::default() };
                *noted = clients.roles.get_role(request).await?.into_inner().role.unwrap().etag;
                assert!(!noted.is_empty());
                Ok(())
            }
            other => unreachable!("{other:?} is not about a role"),
        }
    }

    /// Creates a custom role, or changes of the one that is there what is given.
    async fn set_custom_role(&self, callers: &mut Callers, wanted: &CustomRole) -> Result<(), Status> {
        let parent = self.parent();
        let Parts { policies, parents, covers } = &wanted.parts;
        let role = proto::Role {
            name: format!("{parent}/roles/{}", wanted.id),
            display_name: wanted.display_name.clone().unwrap_or_else(|| wanted.id.clone()),
            description: wanted.description.clone().unwrap_or_default(),
            permissions: wanted.permissions.clone(),
            left_out_api_scopes: wanted.left_out_api_scopes.clone().unwrap_or_default(),
            access_policies: self.policies(policies.as_deref().unwrap_or_default()),
            parents: self.roles(parents.as_deref().unwrap_or_default()),
            covered_facets: covers.clone().unwrap_or_default(),
            ..proto::Role::default()
        };
        let create = CreateRoleRequest {
            parent,
            role_id: wanted.id.clone(),
            role: Some(role.clone()),
            import_roles: self.roles(&wanted.import_roles),
            sections: wanted.sections.clone(),
            holders: wanted.users.iter().map(|user| format!("users/{user}")).collect(),
            ..Default::default()
        };
        match callers.clients.roles.create_role(create).await {
            Err(status) if status.code() == Code::AlreadyExists => {
                let is_more =
                    !wanted.users.is_empty() || !wanted.sections.is_empty() || !wanted.import_roles.is_empty();
                assert!(!is_more, "{}: only a new role is given so much", self.names("writing"));
                let mut paths = vec!["permissions"];
                paths.extend(wanted.display_name.as_ref().map(|_| "display_name"));
                paths.extend(wanted.description.as_ref().map(|_| "description"));
                paths.extend(wanted.left_out_api_scopes.as_ref().map(|_| "left_out_api_scopes"));
                paths.extend(wanted.parts.paths());
                let update_mask = mask(&paths);
                let update = UpdateRoleRequest { role: Some(role), update_mask, ..Default::default() };
                callers.clients.roles.update_role(update).await.map(|_| ())
            }
            outcome => outcome.map(|_| ()),
        }
    }

    /// Imports into the role that is there, or makes it of what it imports.
    async fn import_roles(
        &self,
        callers: &mut Callers,
        into: &str,
        roles: &[String],
        added: Option<&Vec<String>>,
    ) -> Result<(), Status> {
        let roles = self.roles(roles);
        let request =
            ImportRolePermissionsRequest { name: self.role(into), roles: roles.clone(), ..Default::default() };
        match callers.clients.roles.import_role_permissions(request).await {
            Err(status) if status.code() == Code::NotFound => {
                let id = into.strip_prefix("custom/").unwrap();
                let create = CreateRoleRequest {
                    parent: self.parent(),
                    role_id: id.to_owned(),
                    role: Some(proto::Role { display_name: id.to_owned(), ..proto::Role::default() }),
                    import_roles: roles,
                    ..Default::default()
                };
                let role = callers.clients.roles.create_role(create).await?.into_inner().role.unwrap();
                self.added(added, &role.permissions);
                Ok(())
            }
            outcome => {
                self.added(added, &outcome?.into_inner().added_permissions);
                Ok(())
            }
        }
    }

    fn added(&self, expected: Option<&Vec<String>>, added: &Vec<String>) {
        if let Some(expected) = expected {
            assert_eq!(added, expected, "{}: what was added", self.names("writing"));
        }
    }
}
