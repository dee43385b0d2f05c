//! Who is in an account: its teams, users and service accounts, with the roles that they hold, what they have access to,
//! and their exceptions.

use super::{
    super::{
        definition::{
            AccessDefinition, ExceptionDefinition, FacetName, Located, RoleGrant, ServiceAccountDefinition,
            TeamDefinition, UserDefinition,
        },
        node::{Node, Position, Value, repeated},
        problem::Given,
        read::{MAX_DESCRIPTION_BYTES, MAX_DISPLAY_NAME_BYTES, Names, Path, Reader},
    },
    AccountNames,
};
use crate::model::{FeatureId, PermissionId, ServiceAccountId, ServiceAccountState, TeamId, UserId, UserState};

/// How many roles, how many teams and how many exceptions a user may have in a file.
pub const MAX_HOLDER_REFERENCES: usize = 256;

/// The longest reason of an exception, in bytes.
pub const MAX_REASON_BYTES: usize = 1024;

const MAX_TEAMS: usize = 10_000;

impl Reader<'_> {
    pub(super) fn teams<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut AccountNames<'a>,
    ) -> Vec<TeamDefinition> {
        let mut teams = Vec::new();
        for (index, item) in self.list(node, path, MAX_TEAMS).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, roles, access]) =
                self.fields(item, &path, &["id", "display_name", "description", "roles", "access"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, TeamId::new, &mut names.teams);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let roles = self.grants(roles, &path.field("roles"), names);
            let access = self.access(access, &path.field("access"), &names.resources);
            teams.extend(id.map(|(value, at)| TeamDefinition {
                id: Located { value, at },
                display_name,
                description,
                roles,
                access,
            }));
        }
        teams
    }

    pub(super) fn users<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &AccountNames<'a>,
    ) -> Vec<UserDefinition> {
        const STATES: [(&str, UserState); 3] =
            [("active", UserState::Active), ("invited", UserState::Invited), ("suspended", UserState::Suspended)];
        let mut users = Vec::new();
        let mut user_names = Names::new("a user of this file");
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, username, email, state, teams, roles, access, exceptions]) = self.fields(
                item,
                &path,
                &["id", "display_name", "username", "email", "state", "teams", "roles", "access", "exceptions"],
            ) else {
                continue;
            };
            let id = self.declared(id, at, &path, UserId::new, &mut user_names);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let username = self.text(username, &path.field("username"), MAX_DISPLAY_NAME_BYTES);
            let email = self.email(email, &path.field("email"));
            let state = self.choice(state, &path.field("state"), &STATES);
            let teams = self.team_ids(teams, &path.field("teams"), names);
            let roles = self.grants(roles, &path.field("roles"), names);
            let access = self.access(access, &path.field("access"), &names.resources);
            let exceptions = self.exceptions(exceptions, &path.field("exceptions"));
            users.extend(id.zip(state).map(|((value, at), state)| UserDefinition {
                id: Located { value, at },
                display_name,
                username,
                email,
                state,
                teams,
                roles,
                access,
                exceptions,
            }));
        }
        users
    }

    pub(super) fn service_accounts(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &AccountNames<'_>,
    ) -> Vec<ServiceAccountDefinition> {
        const STATES: [(&str, ServiceAccountState); 2] =
            [("active", ServiceAccountState::Active), ("suspended", ServiceAccountState::Suspended)];
        let mut service_accounts = Vec::new();
        let mut own_names = Names::new("a service account of this file");
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, state, roles]) =
                self.fields(item, &path, &["id", "display_name", "description", "state", "roles"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, ServiceAccountId::new, &mut own_names);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let state = self.choice(state, &path.field("state"), &STATES);
            let roles = self.grants(roles, &path.field("roles"), names);
            service_accounts.extend(id.zip(state).map(|((value, at), state)| ServiceAccountDefinition {
                id: Located { value, at },
                display_name,
                description,
                state,
                roles,
            }));
        }
        service_accounts
    }

    fn email(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> String {
        let at = node.as_ref().map_or(Position::START, |node| node.at);
        let email = self.text(node, path, MAX_DISPLAY_NAME_BYTES);
        if !email.is_empty() && email.matches('@').count() != 1 {
            self.add(at, path, format_args!("{} was given; expected an email address, with one @", Given(&email)));
        }
        email
    }

    fn team_ids(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &AccountNames<'_>) -> Vec<Located<TeamId>> {
        let mut teams = Vec::new();
        for (index, text, at) in self.strings(node, path, MAX_HOLDER_REFERENCES) {
            if self.reference(&text, at, &path.item(index), &names.teams).is_some() {
                // A team of this file with a malformed id was reported where it is defined.
                teams.extend(TeamId::new(&text).ok().map(|value| Located { value, at }));
            }
        }
        teams
    }

    /// Roles, each by its name alone or as a mapping.
    fn grants(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &AccountNames<'_>) -> Vec<RoleGrant> {
        let mut grants = Vec::new();
        for (index, item) in self.list(node, path, MAX_HOLDER_REFERENCES).into_iter().enumerate() {
            let path = path.item(index);
            let grant = match item.value {
                Value::Sequence(_) => {
                    self.add_mismatch(&item, &path, "a role, or a mapping with the fields role, resource, expires");
                    None
                }
                Value::Scalar { .. } => {
                    let role = self.string(item, &path);
                    let role = role.and_then(|(text, at)| self.role_name(&text, at, &path, names));
                    role.map(|role| RoleGrant { role, resource: None, expires: None })
                }
                Value::Mapping(_) => self.grant(item, &path, names),
            };
            grants.extend(grant);
        }
        for (at, (role, resource), first) in repeated(grants.iter().map(|grant| (grant.key(), grant.role.at))) {
            let role = role.to_string();
            match resource {
                None => self.add(at, path, format_args!("{role:?} is listed twice; first at {first}")),
                Some(resource) => {
                    let message = format_args!("{role:?} on {resource:?} is listed twice; first at {first}");
                    self.add(at, path, message);
                }
            }
        }
        grants
    }

    fn grant(&mut self, item: Node<'_>, path: &Path<'_>, names: &AccountNames<'_>) -> Option<RoleGrant> {
        let at = item.at;
        let [role, resource, expires] = self.fields(item, path, &["role", "resource", "expires"])?;
        let role = self
            .required(role, at, path, "role")
            .and_then(|node| self.string(node, &path.field("role")))
            .and_then(|(text, at)| self.role_name(&text, at, &path.field("role"), names));
        let is_on_resource = resource.is_some();
        let resource = resource.and_then(|node| self.string(node, &path.field("resource"))).and_then(|(text, at)| {
            self.reference(&text, at, &path.field("resource"), &names.resources)?;
            // A resource of this file with a malformed path was reported where it is defined.
            Some(Located { value: crate::model::ResourcePath::new(&text).ok()?, at })
        });
        let expires = self.time(expires, &path.field("expires"));
        // Without the resource that was given it would be another grant, and perhaps a repeated one.
        if is_on_resource && resource.is_none() {
            return None;
        }
        role.map(|role| RoleGrant { role, resource, expires })
    }

    fn access(&mut self, node: Option<Node<'_>>, path: &Path<'_>, resources: &Names<'_>) -> Vec<AccessDefinition> {
        let mut access = Vec::new();
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([facet, all, values]) = self.fields(item, &path, &["facet", "all", "values"]) else { continue };
            let facet = self
                .required(facet, at, &path, "facet")
                .and_then(|node| self.string(node, &path.field("facet")))
                .and_then(|(text, at)| self.located(&text, at, &path.field("facet"), FacetName::parse));
            let values_at = values.as_ref().map(|values| values.at);
            let problems_before = self.problems.count();
            let all = self.flag(all, &path.field("all"));
            let is_flag = self.problems.count() == problems_before;
            let values = self.access_values(values, &path.field("values"), facet.as_ref(), resources);
            match values_at {
                Some(at) if all => {
                    self.add(at, &path.field("values"), "values were given beside all: true; expected one of the two");
                }
                None if !all && is_flag => {
                    self.add(at, &path, "neither all: true nor values were given; expected one of the two");
                }
                _ => {}
            }
            access.extend(facet.map(|facet| AccessDefinition { facet, all, values }));
        }
        for (at, facet, first) in repeated(access.iter().map(|each| (&each.facet.value, each.facet.at))) {
            self.add(at, path, format_args!("{} is listed twice; first at {first}", Given(facet.as_str())));
        }
        access
    }

    /// Features or resources. If it is not known of which facet they are, all that can be told is that they are texts.
    fn access_values(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        facet: Option<&Located<FacetName>>,
        resources: &Names<'_>,
    ) -> Vec<Located<String>> {
        let mut values = Vec::new();
        for (index, text, at) in self.strings(node, path, usize::MAX) {
            let path = path.item(index);
            let is_good = match facet.map(|facet| &facet.value) {
                Some(FacetName::Feature) => self.located(&text, at, &path, FeatureId::new).is_some(),
                Some(FacetName::Type(_)) => self.reference(&text, at, &path, resources).is_some(),
                None => false,
            };
            if is_good {
                values.push(Located { value: text.into_owned(), at });
            }
        }
        values
    }

    fn exceptions(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> Vec<ExceptionDefinition> {
        let mut exceptions = Vec::new();
        for (index, item) in self.list(node, path, MAX_HOLDER_REFERENCES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([permission, reason, expires]) = self.fields(item, &path, &["permission", "reason", "expires"])
            else {
                continue;
            };
            let permission = self
                .required(permission, at, &path, "permission")
                .and_then(|node| self.string(node, &path.field("permission")))
                .and_then(|(text, at)| self.located(&text, at, &path.field("permission"), PermissionId::new));
            let reason = self.required_text(reason, at, &path.field("reason"), MAX_REASON_BYTES, "reason");
            let expires = self.time(expires, &path.field("expires"));
            exceptions.extend(permission.map(|permission| ExceptionDefinition { permission, reason, expires }));
        }
        for (at, permission, first) in
            repeated(exceptions.iter().map(|each| (&each.permission.value, each.permission.at)))
        {
            self.add(at, path, format_args!("{permission:?} is listed twice; first at {first}"));
        }
        exceptions
    }
}
