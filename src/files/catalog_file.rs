//! Catalog files: from text to a [`CatalogDefinition`] whose cross references are all checked.
//!
//! A catalog is whole in its file, so everything about it is decided here: ids, references, inclusion cycles between
//! API scopes, internal permissions in roles that are not internal, sizes. Things are read in the order in which they
//! refer to each other, whatever their order in the file. Read [`parse_catalog`] first.

use super::{
    node::{self, Node},
    problem::Problems,
    read::{MAX_DESCRIPTION_BYTES, Names, Path, Reader, Reference},
};
use crate::model::{
    ApiScope, ApiScopeId, ApiScopeIndex, CatalogDefinition, CatalogId, CatalogRole, CustomRoleParts, Feature,
    FeatureId, FeatureIndex, InvalidId, PermissionDefinition, PermissionId, PermissionIndex, RoleId, Section,
    SectionId, SectionIndex,
};

const MAX_FEATURES: usize = 1_000;
const MAX_SECTIONS: usize = 1_000;
const MAX_API_SCOPES: usize = 20_000;
const MAX_PERMISSIONS: usize = 20_000;
const MAX_ROLES: usize = 10_000;

/// How many API scopes of a cycle a message names.
const SHOWN_CYCLE: usize = 8;

/// Reads a catalog file.
///
/// # Errors
/// Everything that is wrong with it; the first thing only if it is not well-formed.
pub fn parse_catalog(bytes: &[u8]) -> Result<CatalogDefinition, Problems> {
    let mut problems = Problems::default();
    let root = node::read(bytes, &mut problems);
    let catalog = root.and_then(|root| Reader { problems: &mut problems }.catalog(root));
    match catalog {
        Some(catalog) => problems.into_result(catalog),
        None => Err(problems.sorted()),
    }
}

impl Reader<'_> {
    fn catalog(&mut self, root: Node<'_>) -> Option<CatalogDefinition> {
        if !self.is_kind(&root, "catalog") {
            return None;
        }
        let (at, path) = (root.at, Path::Root);
        let [kind, id, display_name, description, parts, features, sections, api_scopes, permissions, roles] = self
            .fields(
                root,
                &path,
                &[
                    "kind",
                    "id",
                    "display_name",
                    "description",
                    "custom_roles",
                    "features",
                    "sections",
                    "api_scopes",
                    "permissions",
                    "roles",
                ],
            )?;
        self.required(kind, at, &path, "kind");
        let id = self.declared(id, at, &path, CatalogId::new, &mut Names::new("a catalog"));
        let display_name = self.display_name(display_name, at, &path);
        let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
        let custom_roles = self.parts(parts, &path.field("custom_roles"));

        let mut names = CatalogNames::new();
        let features = self.list(features, &path.field("features"), MAX_FEATURES);
        let features = self.headings(features, &path.field("features"), FeatureId::new, &mut names.features);
        let sections = self.list(sections, &path.field("sections"), MAX_SECTIONS);
        let sections = self.headings(sections, &path.field("sections"), SectionId::new, &mut names.sections);
        let api_scopes = self.api_scopes(api_scopes, &path.field("api_scopes"), &mut names.api_scopes);
        let permissions = self.permissions(permissions, &path.field("permissions"), &mut names);
        let roles = self.roles(roles, &path.field("roles"), &names.permissions, &permissions);

        Some(CatalogDefinition {
            id: id?.0,
            display_name,
            description,
            features: features
                .into_iter()
                .map(|(id, display_name, description)| Feature { id, display_name, description })
                .collect(),
            sections: sections
                .into_iter()
                .map(|(id, display_name, description)| Section { id, display_name, description })
                .collect(),
            api_scopes,
            permissions: permissions.into_iter().flatten().collect(),
            roles,
            custom_roles,
            resource_types: Vec::new(),
            policies: Vec::new(),
            must_hold_role: false,
            mutually_exclusive: Vec::new(),
        })
    }

    fn parts(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> CustomRoleParts {
        let mut parts = CustomRoleParts::default();
        for (index, text, at) in self.strings(node, path, usize::MAX) {
            if text == "permissions" {
                parts.permissions = true;
            } else {
                let known = std::iter::once("permissions");
                let expected = "a part of custom roles (known is only \"permissions\")";
                self.problems.add_unknown(at, path.item(index), &text, expected, known);
            }
        }
        parts
    }

    /// Features or sections, which look the same.
    fn headings<'a, Id: std::fmt::Debug>(
        &mut self,
        items: Vec<Node<'a>>,
        path: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
        names: &mut Names<'a>,
    ) -> Vec<(Id, String, String)> {
        let mut headings = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description]) =
                self.fields(item, &path, &["id", "display_name", "description"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, new, names);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            headings.extend(id.map(|(id, _)| (id, display_name, description)));
        }
        headings
    }

    fn api_scopes<'a>(&mut self, node: Option<Node<'a>>, path: &Path<'_>, names: &mut Names<'a>) -> Vec<ApiScope> {
        let mut scopes = Vec::new();
        let mut inclusions = Vec::new();
        for (index, item) in self.list(node, path, MAX_API_SCOPES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, description, includes]) = self.fields(item, &path, &["id", "description", "includes"]) else {
                continue;
            };
            let id = self.declared(id, at, &path, ApiScopeId::new, names);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            scopes.extend(id.map(|(id, _)| ApiScope { id, description, includes: Vec::new() }));
            inclusions.push((index, includes));
        }
        // A scope may include one that follows later in the file.
        let inclusions: Vec<_> = inclusions
            .into_iter()
            .map(|(index, node)| self.references(node, &path.item(index).field("includes"), MAX_API_SCOPES, names))
            .collect();
        // With a scope missing from the list the indexes would not fit; the file is refused anyway.
        if scopes.len() == inclusions.len() && scopes.len() == names.len() {
            self.cycles(path, &scopes, &inclusions);
        }
        for (scope, includes) in scopes.iter_mut().zip(inclusions) {
            scope.includes = includes.into_iter().map(|scope| ApiScopeIndex(scope.to)).collect();
        }
        scopes
    }

    /// Complains about every inclusion that closes a cycle: a depth-first walk with its own stack.
    fn cycles(&mut self, path: &Path<'_>, scopes: &[ApiScope], inclusions: &[Vec<Reference>]) {
        #[derive(Clone, Copy, PartialEq)]
        enum Visit {
            Not,
            /// On the way, at this depth.
            Open(usize),
            Done,
        }
        let mut visits = vec![Visit::Not; scopes.len()];
        let id = |index: usize| scopes.get(index).map_or("", |scope| scope.id.as_str());
        for start in 0..scopes.len() {
            // Scopes on the way, each with how many of its inclusions were followed.
            let mut way: Vec<(usize, usize)> = Vec::new();
            let mut enter = (visits.get(start) == Some(&Visit::Not)).then_some(start);
            loop {
                if let Some(index) = enter.take() {
                    if let Some(visit) = visits.get_mut(index) {
                        *visit = Visit::Open(way.len());
                    }
                    way.push((index, 0));
                }
                let Some((index, followed)) = way.last_mut() else { break };
                let index = *index;
                let Some(inclusion) = inclusions.get(index).and_then(|includes| includes.get(*followed)) else {
                    if let Some(visit) = visits.get_mut(index) {
                        *visit = Visit::Done;
                    }
                    way.pop();
                    continue;
                };
                *followed += 1;
                let to = inclusion.to as usize;
                match visits.get(to) {
                    Some(Visit::Not) => enter = Some(to),
                    Some(Visit::Open(depth)) => {
                        let cycle = way.get(*depth..).unwrap_or_default();
                        let mut shown: Vec<_> = cycle.iter().take(SHOWN_CYCLE).map(|(index, _)| id(*index)).collect();
                        let hidden = format!("... {} more ...", cycle.len().saturating_sub(SHOWN_CYCLE));
                        if cycle.len() > SHOWN_CYCLE {
                            shown.push(&hidden);
                        }
                        shown.push(id(to));
                        let cycle = shown.join(" -> ");
                        let path = path.item(index);
                        let message = format_args!("API scopes include each other in a cycle: {cycle}");
                        self.add(inclusion.at, &path.field("includes").item(inclusion.item), message);
                    }
                    Some(Visit::Done) | None => {}
                }
            }
        }
    }

    /// Gives an entry for every item of the list, so that indexes fit.
    fn permissions<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut CatalogNames<'a>,
    ) -> Vec<Option<PermissionDefinition>> {
        let mut permissions = Vec::new();
        for (index, item) in self.list(node, path, MAX_PERMISSIONS).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, description, section, feature, api_scopes, internal, deprecated]) = self.fields(
                item,
                &path,
                &["id", "description", "section", "feature", "api_scopes", "internal", "deprecated"],
            ) else {
                continue;
            };
            let known = names.permissions.len();
            let id = self.declared(id, at, &path, PermissionId::new, &mut names.permissions);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let section = self.required(section, at, &path, "section");
            let section = self.name(section, &path.field("section"), &names.sections).map(SectionIndex);
            let feature = self.name(feature, &path.field("feature"), &names.features).map(FeatureIndex);
            let api_scopes = self.references(api_scopes, &path.field("api_scopes"), MAX_API_SCOPES, &names.api_scopes);
            let api_scopes = api_scopes.into_iter().map(|scope| ApiScopeIndex(scope.to)).collect();
            let internal = self.flag(internal, &path.field("internal"));
            let deprecated = self.flag(deprecated, &path.field("deprecated"));
            // One entry for each name: what has none, or that of another, cannot be referred to.
            if names.permissions.len() > known {
                permissions.push(id.zip(section).map(|((id, _), section)| PermissionDefinition {
                    id,
                    description,
                    section,
                    feature,
                    api_scopes,
                    resource_type: None,
                    facets: Vec::new(),
                    condition: None,
                    internal,
                    deprecated,
                }));
            }
        }
        permissions
    }

    fn name(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &Names<'_>) -> Option<u32> {
        let (text, at) = self.string(node?, path)?;
        self.reference(&text, at, path, names)
    }

    fn roles(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &Names<'_>,
        permissions: &[Option<PermissionDefinition>],
    ) -> Vec<CatalogRole> {
        let mut roles = Vec::new();
        let mut role_names = Names::new("a role of this catalog");
        for (index, item) in self.list(node, path, MAX_ROLES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, internal, listed]) =
                self.fields(item, &path, &["id", "display_name", "description", "internal", "permissions"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, RoleId::new, &mut role_names);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let internal = self.flag(internal, &path.field("internal"));
            let listed = self.references(listed, &path.field("permissions"), MAX_PERMISSIONS, names);
            let mut indexes = Vec::with_capacity(listed.len());
            for Reference { item, to, at } in listed {
                let permission = permissions.get(to as usize).and_then(Option::as_ref);
                if let Some(permission) = permission.filter(|permission| permission.internal && !internal) {
                    let message = format_args!(
                        "{:?} is an internal permission; expected in roles with internal: true alone",
                        permission.id
                    );
                    self.add(at, &path.field("permissions").item(item), message);
                }
                indexes.push(PermissionIndex(to));
            }
            indexes.sort_unstable();
            roles.extend(id.map(|(id, _)| CatalogRole {
                id,
                display_name,
                description,
                internal,
                permissions: indexes,
                policies: Vec::new(),
                parents: Vec::new(),
                covers: Vec::new(),
                always_held: false,
                max_holders: None,
            }));
        }
        roles
    }
}

/// What can be referred to within a catalog file.
struct CatalogNames<'a> {
    features: Names<'a>,
    sections: Names<'a>,
    api_scopes: Names<'a>,
    permissions: Names<'a>,
}

impl CatalogNames<'_> {
    fn new() -> Self {
        Self {
            features: Names::new("a feature of this catalog"),
            sections: Names::new("a section of this catalog"),
            api_scopes: Names::new("an API scope of this catalog"),
            permissions: Names::new("a permission of this catalog"),
        }
    }
}
