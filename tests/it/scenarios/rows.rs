//! What the lists of management show: roles, who holds them, what they consist of, and the catalog.

use rolecall::proto::{
    self, GetCatalogRequest, GetRoleRequest, ListRoleHoldersRequest, ListRolePermissionsRequest, ListRolesRequest,
    ListUserRolesRequest, RoleView,
};

use super::{
    Callers, Placed,
    asks::{Asking, id},
    case::{HeldRole, Scenario},
    lists::{Holder, List, Row},
};

fn kind(name: &str) -> proto::role::Kind {
    use proto::role::Kind;
    match name {
        "managed" => Kind::Managed,
        "custom" => Kind::Custom,
        other => panic!("{other} is no kind of role"),
    }
}

impl Placed<'_> {
    pub async fn roles_of(
        &self,
        callers: &mut Callers,
        subject: &str,
        expected: &[HeldRole],
        way: &str,
        hold: bool,
    ) -> Asking {
        let name = self.user(subject.strip_prefix("users/").unwrap());
        let request = ListUserRolesRequest { name, ..ListUserRolesRequest::default() };
        let roles = callers.clients.users.list_user_roles(request).await?.into_inner().roles;
        if hold {
            let held = |role: proto::UserRole| {
                (self.short_role(&role.role), role.direct, role.teams.iter().map(|team| id(team)).collect())
            };
            let mut roles: Vec<HeldRole> = roles.into_iter().map(held).collect();
            roles.sort();
            assert_eq!(roles, expected, "{}", self.names(way));
        }
        Ok(())
    }

    /// The row in the list of roles, and the role by itself, which has to say the same.
    pub async fn row(&self, callers: &mut Callers, row: &Row, way: &str, hold: bool) -> Asking {
        let roles = &mut callers.clients.roles;
        let request = ListRolesRequest {
            parent: self.parent(),
            kind: kind(&row.kind).into(),
            view: RoleView::Basic.into(),
            ..ListRolesRequest::default()
        };
        let rows = roles.list_roles(request).await?.into_inner().roles;
        let request =
            GetRoleRequest { name: self.role(&row.role), account: self.parent(), ..GetRoleRequest::default() };
        let role = roles.get_role(request).await?.into_inner().role.unwrap();
        if !hold {
            return Ok(());
        }
        let name = self.names(way);
        let listed = rows.into_iter().find(|each| each.name == role.name);
        let listed = listed.unwrap_or_else(|| panic!("{name}: {} is not in the list", row.role));
        for shown in [&listed, &role] {
            assert_eq!(shown.kind(), kind(&row.kind), "{name}");
            assert_eq!(&shown.display_name, row.display_name.as_ref().unwrap_or(&shown.display_name), "{name}");
            assert_eq!(&shown.description, row.description.as_ref().unwrap_or(&shown.description), "{name}");
            let counts = shown.holder_counts.unwrap();
            let users = (counts.user_count, counts.direct_user_count);
            assert_eq!(users, (row.users, row.direct_users), "{name}: users of {}", row.role);
            assert_eq!(shown.permission_count, row.permissions, "{name}: permissions of {}", row.role);
            assert_eq!(shown.api_scope_count, row.api_scopes, "{name}: API scopes of {}", row.role);
        }
        assert_eq!(i32::try_from(role.permissions.len()).unwrap(), row.listed_permissions, "{name}");
        assert_eq!(i32::try_from(role.api_scopes.len()).unwrap(), row.listed_api_scopes, "{name}");
        Ok(())
    }

    pub async fn search(
        &self,
        callers: &mut Callers,
        text: &str,
        of_kind: &str,
        expected: &[String],
        way: &str,
        hold: bool,
    ) -> Asking {
        let request = ListRolesRequest {
            parent: self.parent(),
            kind: kind(of_kind).into(),
            search: text.to_owned(),
            ..ListRolesRequest::default()
        };
        let roles = callers.clients.roles.list_roles(request).await?.into_inner().roles;
        if hold {
            let found: Vec<String> = roles.iter().map(|role| self.short_role(&role.name)).collect();
            assert_eq!(found, expected, "{}: {text:?}", self.names(way));
        }
        Ok(())
    }

    /// All sections of the catalog, and those of which the role has anything, have to agree with each other.
    pub async fn sections(
        &self,
        callers: &mut Callers,
        scenario: &Scenario,
        role: &str,
        expected: &[(String, i32, i32)],
        way: &str,
        hold: bool,
    ) -> Asking {
        let name = self.names(way);
        for contained_only in [false, true] {
            let request = ListRolePermissionsRequest { name: self.role(role), contained_only, ..Default::default() };
            let sections = callers.clients.roles.list_role_permissions(request).await?.into_inner().sections;
            if !hold {
                continue;
            }
            for section in &sections {
                let contained = section.permissions.iter().filter(|each| each.contained).count();
                assert_eq!(i32::try_from(contained).unwrap(), section.contained_count, "{name}: {}", section.section);
                let shown = if contained_only { section.contained_count } else { section.permission_count };
                assert_eq!(i32::try_from(section.permissions.len()).unwrap(), shown, "{name}: {}", section.section);
                let definitions = scenario.catalog["sections"].as_array().unwrap();
                let definition = definitions.iter().find(|each| each["id"] == section.section.as_str()).unwrap();
                assert_eq!(section.display_name, definition["display_name"], "{name}");
                assert_eq!(section.description, definition["description"], "{name}");
            }
            if !contained_only {
                assert_eq!(sections.len(), scenario.catalog["sections"].as_array().unwrap().len(), "{name}");
            }
            let counts = sections.into_iter().map(|each| (each.section, each.contained_count, each.permission_count));
            let of_something: Vec<_> = counts.filter(|(_, contained, _)| *contained > 0).collect();
            assert_eq!(of_something, expected, "{name}: sections of {role}");
        }
        Ok(())
    }

    pub async fn holders(
        &self,
        callers: &mut Callers,
        role: &str,
        expected: &[Holder],
        way: &str,
        hold: bool,
    ) -> Asking {
        let request = ListRoleHoldersRequest { parent: self.parent(), role: self.role(role), ..Default::default() };
        let mut holders = callers.clients.roles.list_role_holders(request).await?.into_inner().holders;
        if !hold {
            return Ok(());
        }
        let name = self.names(way);
        holders.sort_by(|one, other| one.name.cmp(&other.name));
        let prefix = format!("{}/", self.parent());
        let names: Vec<&str> = holders.iter().map(|each| each.name.strip_prefix(&prefix).unwrap()).collect();
        let expected_names: Vec<&str> = expected.iter().map(|each| each.name.as_str()).collect();
        assert_eq!(names, expected_names, "{name}: holders of {role}");
        for (found, expected) in holders.iter().zip(expected) {
            let how = (!found.role_binding.is_empty(), found.teams.iter().map(|team| id(team)).collect());
            assert_eq!(how, (expected.direct, expected.teams.clone()), "{name}: {}", expected.name);
            for (found, expected) in [
                (&found.display_name, &expected.display_name),
                (&found.username, &expected.username),
                (&found.email, &expected.email),
            ] {
                assert_eq!(found, expected.as_ref().unwrap_or(found), "{name}");
            }
            if let Some(time) = &expected.last_login {
                let time = (time != "never").then(|| time.parse::<prost_types::Timestamp>().unwrap());
                assert_eq!(found.last_sign_in_time, time, "{name}: last login of {}", expected.name);
            }
        }
        Ok(())
    }

    pub async fn catalog_row(&self, callers: &mut Callers, list: &List, way: &str, hold: bool) -> Asking {
        let request = GetCatalogRequest { name: format!("catalogs/{}", self.catalog), ..Default::default() };
        let catalog = callers.clients.catalogs.get_catalog(request).await?.into_inner().catalog.unwrap();
        if !hold {
            return Ok(());
        }
        let name = self.names(way);
        match list {
            List::Permission { permission, section, api_scopes, all_api_scopes } => {
                let found = catalog.permissions.into_iter().find(|each| each.id == *permission).unwrap();
                assert_eq!((&found.section, &found.api_scopes), (section, api_scopes), "{name}");
                assert_eq!(&found.all_api_scopes, all_api_scopes, "{name}");
            }
            List::ApiScope { api_scope, description, includes } => {
                let found = catalog.api_scopes.into_iter().find(|each| each.id == *api_scope).unwrap();
                assert_eq!((&found.description, &found.includes), (description, includes), "{name}");
            }
            other => panic!("{name}: {other:?} is not of a catalog"),
        }
        Ok(())
    }
}
