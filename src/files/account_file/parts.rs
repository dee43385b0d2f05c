//! What is in an account: its resources, custom policies and custom roles.

use super::{
    super::{
        cycles::{self, Links},
        definition::{
            CUSTOM, FacetName, Located, PolicyDefinition, PolicyName, ResourceDefinition, RoleDefinition, RoleName,
        },
        node::Node,
        problem::Given,
        read::{MAX_DESCRIPTION_BYTES, MAX_DISPLAY_NAME_BYTES, Names, Path, Reader, Reference},
        statements::MAX_POLICIES,
    },
    AccountNames,
};
use crate::model::{ApiScopeId, PermissionId, PolicyId, ResourcePath, RoleId};

const MAX_ROLES: usize = 10_000;

/// How many parents a role may have, in a catalog or in an account.
pub(in crate::files) const MAX_PARENTS: usize = 100;

impl Reader<'_> {
    pub(super) fn resources<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut Names<'a>,
    ) -> Vec<ResourceDefinition> {
        let mut resources = Vec::new();
        let mut items = Vec::new();
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([own, display_name]) = self.fields(item, &path, &["path", "display_name"]) else { continue };
            let own = self.declared_as("path", own, at, &path, ResourcePath::new, names);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            if let Some((value, at)) = own {
                resources.push(ResourceDefinition { path: Located { value, at }, display_name });
                items.push(index);
            }
        }
        // A resource may stand before the one that it lies in.
        for (resource, item) in resources.iter().zip(items) {
            let Some(parent) = resource.path.value.parent() else { continue };
            if !names.contains(parent.as_str()) {
                let (own, parent) = (Given(resource.path.value.as_str()), Given(parent.as_str()));
                let message = format_args!("{own} lies in {parent}, which is not {}", names.expected());
                self.add(resource.path.at, &path.item(item).field("path"), message);
            }
        }
        resources
    }

    pub(super) fn custom_policies<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut Names<'a>,
    ) -> Vec<PolicyDefinition> {
        let mut policies = Vec::new();
        for (index, item) in self.list(node, path, MAX_POLICIES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, statements]) =
                self.fields(item, &path, &["id", "display_name", "description", "statements"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, PolicyId::new, names);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let statements = self.statements(statements, at, &path, None);
            policies.extend(id.map(|(value, at)| PolicyDefinition {
                id: Located { value, at },
                display_name,
                description,
                statements,
            }));
        }
        policies
    }

    pub(super) fn custom_roles<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut AccountNames<'a>,
    ) -> Vec<RoleDefinition> {
        let mut roles = Vec::new();
        let mut drafts = Vec::new();
        for (index, item) in self.list(node, path, MAX_ROLES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, permissions, policies, parents, covers, left_out]) = self.fields(
                item,
                &path,
                &[
                    "id",
                    "display_name",
                    "description",
                    "permissions",
                    "policies",
                    "parents",
                    "covers",
                    "left_out_api_scopes",
                ],
            ) else {
                continue;
            };
            let known = names.roles.len();
            let id = self.declared(id, at, &path, RoleId::new, &mut names.roles);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let permissions = self.ids(permissions, &path.field("permissions"), PermissionId::new);
            let policies = self.policy_names(policies, &path.field("policies"), &names.policies);
            let covers = self.ids(covers, &path.field("covers"), FacetName::parse);
            let left_out_api_scopes = self.ids(left_out, &path.field("left_out_api_scopes"), ApiScopeId::new);
            let role = id.map(|(value, at)| RoleDefinition {
                id: Located { value, at },
                display_name,
                description,
                permissions,
                policies,
                parents: Vec::new(),
                covers,
                left_out_api_scopes,
            });
            drafts.push((index, names.roles.len() > known, role, parents));
        }
        // A role may have a parent that follows later in the file.
        let mut links = Vec::new();
        for (item, is_new, role, node) in drafts {
            let (parents, references) = self.parent_names(node, &path.item(item).field("parents"), names);
            if is_new {
                links.push(Links { item, references });
            }
            roles.extend(role.map(|role| RoleDefinition { parents, ..role }));
        }
        let ids: Vec<String> = names.roles.in_order().iter().map(|id| format!("{CUSTOM}{id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        cycles::walk(&links, |from, reference, cycle| {
            let path = path.item(from.item);
            let message = format_args!("roles are parents of each other in a cycle: {}", cycle.shown(&ids));
            self.add(reference.at, &path.field("parents").item(reference.item), message);
        });
        roles
    }

    fn policy_names(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &Names<'_>) -> Vec<Located<PolicyName>> {
        let strings = self.strings(node, path, MAX_POLICIES).into_iter();
        strings
            .filter_map(|(index, text, at)| {
                self.custom_or_managed(&text, at, &path.item(index), PolicyName::parse, names)
            })
            .collect()
    }

    /// The parents of a custom role, and which of them are custom roles of this file.
    fn parent_names(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &AccountNames<'_>,
    ) -> (Vec<Located<RoleName>>, Vec<Reference>) {
        let (mut parents, mut references) = (Vec::new(), Vec::new());
        for (item, text, at) in self.strings(node, path, MAX_PARENTS) {
            let custom = text.strip_prefix(CUSTOM).and_then(|id| names.roles.position(id));
            references.extend(custom.map(|to| Reference { item, to, at }));
            parents.extend(self.role_name(&text, at, &path.item(item), names));
        }
        (parents, references)
    }
}
