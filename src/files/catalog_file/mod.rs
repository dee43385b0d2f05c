//! Catalog files: from text to a [`CatalogDefinition`] whose cross references are all checked.
//!
//! A catalog is whole in its file, so everything about it is decided here: ids, references, patterns that match nothing,
//! cycles between API scopes, resource types and roles, internal things in what is not internal, sizes. Things are read
//! in the order in which they refer to each other, whatever their order in the file. Read [`parse_catalog`] first; what
//! a role consists of is read in `roles`, the other lists in files of their own.

mod permissions;
mod policies;
mod roles;
mod types;

use super::{
    cycles::{self, Links},
    definition::FEATURE,
    node::{self, Node, Position},
    problem::Problems,
    read::{MAX_DESCRIPTION_BYTES, Names, Path, Reader},
    vocabulary::Vocabulary,
};
use crate::model::{
    ApiScope, ApiScopeId, ApiScopeIndex, CatalogDefinition, CatalogId, CustomRoleParts, Facet, Feature, FeatureId,
    InvalidId, ResourceTypeIndex, Section, SectionId,
};

const MAX_FEATURES: usize = 1_000;
const MAX_SECTIONS: usize = 1_000;
const MAX_API_SCOPES: usize = 20_000;

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

/// A part of custom roles: its name, and the field of it.
type Part = (&'static str, fn(&mut CustomRoleParts) -> &mut bool);

/// The parts that custom roles may have.
pub(super) const CUSTOM_ROLE_PARTS: [Part; 4] = [
    ("permissions", |parts| &mut parts.permissions),
    ("parents", |parts| &mut parts.parents),
    ("managed_policies", |parts| &mut parts.managed_policies),
    ("custom_policies", |parts| &mut parts.custom_policies),
];

impl Reader<'_> {
    fn catalog(&mut self, root: Node<'_>) -> Option<CatalogDefinition> {
        if !self.is_kind(&root, "catalog") {
            return None;
        }
        let (at, path) = (root.at, Path::Root);
        let [
            kind,
            id,
            display_name,
            description,
            parts,
            must_hold_role,
            mutually_exclusive,
            features,
            sections,
            api_scopes,
            resource_types,
            permissions,
            policies,
            roles,
        ] = self.fields(
            root,
            &path,
            &[
                "kind",
                "id",
                "display_name",
                "description",
                "custom_roles",
                "must_hold_role",
                "mutually_exclusive",
                "features",
                "sections",
                "api_scopes",
                "resource_types",
                "permissions",
                "policies",
                "roles",
            ],
        )?;
        self.required(kind, at, &path, "kind");
        let id = self.declared(id, at, &path, CatalogId::new, &mut Names::new("a catalog"));
        let display_name = self.display_name(display_name, at, &path);
        let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
        let custom_roles = self.parts(parts, &path.field("custom_roles"));
        let must_hold_role = self.flag(must_hold_role, &path.field("must_hold_role"));

        let mut names = CatalogNames::new();
        let features = self.list(features, &path.field("features"), MAX_FEATURES);
        let features = self.headings(features, &path.field("features"), FeatureId::new, &mut names.features);
        let sections = self.list(sections, &path.field("sections"), MAX_SECTIONS);
        let sections = self.headings(sections, &path.field("sections"), SectionId::new, &mut names.sections);
        let api_scopes = self.api_scopes(api_scopes, &path.field("api_scopes"), &mut names.api_scopes);
        let types = self.resource_types(resource_types, &path.field("resource_types"), &mut names.resource_types);
        let permissions = self.permissions(permissions, &path.field("permissions"), &mut names);
        let vocabulary = &mut Vocabulary::new(names.permissions.in_order(), types.tree());
        let policies = self.policies(policies, &path.field("policies"), &mut names.policies, vocabulary);
        let (roles, reading) = self.roles(roles, &path.field("roles"), &mut names, &permissions);
        let mutually_exclusive =
            self.mutually_exclusive(mutually_exclusive, &path.field("mutually_exclusive"), &names.roles, &reading);

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
            resource_types: types.into_list(),
            permissions: permissions.into_iter().flatten().collect(),
            policies,
            roles,
            custom_roles,
            must_hold_role,
            mutually_exclusive,
        })
    }

    fn parts(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> CustomRoleParts {
        let mut parts = CustomRoleParts::default();
        for (index, text, at) in self.strings(node, path, usize::MAX) {
            match CUSTOM_ROLE_PARTS.iter().find(|(name, _)| *name == text) {
                Some((_, field)) => *field(&mut parts) = true,
                None => {
                    let known = CUSTOM_ROLE_PARTS.iter().map(|(name, _)| *name);
                    let names: Vec<&str> = known.clone().collect();
                    let expected = format!("a part of custom roles (known are {})", names.join(", "));
                    self.problems.add_unknown(at, path.item(index), &text, &expected, known);
                }
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
        let mut drafts = Vec::new();
        for (index, item) in self.list(node, path, MAX_API_SCOPES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, description, includes]) = self.fields(item, &path, &["id", "description", "includes"]) else {
                continue;
            };
            let known = names.len();
            let id = self.declared(id, at, &path, ApiScopeId::new, names);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let scope = id.map(|(id, _)| ApiScope { id, description, includes: Vec::new() });
            drafts.push((index, names.len() > known, scope, includes));
        }
        // A scope may include one that follows later in the file.
        let (mut scopes, mut links) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for (item, is_new, scope, node) in drafts {
            let references = self.references(node, &path.item(item).field("includes"), MAX_API_SCOPES, names);
            let includes = references.iter().map(|scope| ApiScopeIndex(scope.to)).collect();
            scopes.extend(scope.map(|scope| ApiScope { includes, ..scope }));
            if is_new {
                links.push(Links { item, references });
            }
        }
        let ids = names.in_order();
        cycles::walk(&links, |from, reference, cycle| {
            let path = path.item(from.item);
            let message = format_args!("API scopes include each other in a cycle: {}", cycle.shown(&ids));
            self.add(reference.at, &path.field("includes").item(reference.item), message);
        });
        scopes
    }

    /// A list of facets, each with its place in the list, in the order that a catalog keeps them in.
    fn facets(&mut self, node: Option<Node<'_>>, path: &Path<'_>, types: &Names<'_>) -> Vec<(Facet, usize, Position)> {
        let mut facets = Vec::new();
        for (item, text, at) in self.strings(node, path, usize::MAX) {
            if text == FEATURE {
                facets.push((Facet::Feature, item, at));
            } else if let Some(index) = types.position(&text) {
                facets.push((Facet::Type(ResourceTypeIndex(index)), item, at));
            } else {
                let known = types.iter().chain([FEATURE]);
                let expected = "a resource type of this catalog, or feature";
                self.problems.add_unknown(at, path.item(item), &text, expected, known);
            }
        }
        facets.sort_unstable();
        facets
    }
}

/// What can be referred to within a catalog file.
struct CatalogNames<'a> {
    features: Names<'a>,
    sections: Names<'a>,
    api_scopes: Names<'a>,
    resource_types: Names<'a>,
    permissions: Names<'a>,
    policies: Names<'a>,
    roles: Names<'a>,
}

impl CatalogNames<'_> {
    fn new() -> Self {
        Self {
            features: Names::new("a feature of this catalog"),
            sections: Names::new("a section of this catalog"),
            api_scopes: Names::new("an API scope of this catalog"),
            resource_types: Names::new("a resource type of this catalog"),
            permissions: Names::new("a permission of this catalog"),
            policies: Names::new("a policy of this catalog"),
            roles: Names::new("a role of this catalog"),
        }
    }
}
