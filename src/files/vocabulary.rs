//! What patterns can match in a catalog. A pattern that matches nothing is a mistake: a deny with a typo in it would
//! silently take nothing away.

use std::collections::{HashMap, HashSet};

use crate::model::{
    CatalogDefinition, MAX_PATH_TYPES, PermissionPattern, ResourcePattern, ResourceType, ResourceTypeIndex,
};

/// The permissions and the paths of a catalog, for looking up patterns.
pub struct Vocabulary<'c> {
    permissions: Vec<&'c str>,
    /// Of each type the segments of its paths, ids left open. None: not known, and so everything could match.
    paths: Option<Vec<Vec<Option<&'c str>>>>,
    /// Every pattern of the shapes below that matches a permission.
    known: HashSet<String>,
    shapes: HashSet<Shape>,
}

/// A pattern without its words: which segments are wildcards, and whether more may follow. Looking up patterns by their
/// shape makes ten thousand of them as cheap as one, whatever they are.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shape {
    wild: Vec<bool>,
    is_open: bool,
}

impl Shape {
    fn of(pattern: &PermissionPattern) -> Self {
        let is_open = pattern.segments().last() == Some("**");
        Self {
            wild: pattern.segments().filter(|segment| *segment != "**").map(|segment| segment == "*").collect(),
            is_open,
        }
    }

    /// The pattern of this shape that matches a permission; none: none does.
    fn pattern(&self, permission: &str) -> Option<String> {
        let mut words = permission.split('.');
        let mut segments = Vec::with_capacity(self.wild.len() + 1);
        for wild in &self.wild {
            let word = words.next()?;
            segments.push(if *wild { "*" } else { word });
        }
        if self.is_open {
            segments.push("**");
        } else if words.next().is_some() {
            return None;
        }
        Some(segments.join("."))
    }
}

impl<'c> Vocabulary<'c> {
    /// What the patterns of a catalog's own policies can match, or, without internal permissions, those of a customer.
    #[must_use]
    pub fn of_catalog(catalog: &'c CatalogDefinition, with_internal: bool) -> Self {
        let permissions = catalog.permissions.iter().filter(|permission| with_internal || !permission.internal);
        let permissions = permissions.map(|permission| permission.id.as_str()).collect();
        Self::new(permissions, Some(&catalog.resource_types))
    }

    pub(super) fn new(permissions: Vec<&'c str>, types: Option<&'c [ResourceType]>) -> Self {
        let paths = types.map(|types| types.iter().map(|each| path(types, each)).collect());
        Self { permissions, paths, known: HashSet::new(), shapes: HashSet::new() }
    }

    /// The ids of the permissions.
    pub fn permissions(&self) -> impl Iterator<Item = &'c str> + use<'c, '_> {
        self.permissions.iter().copied()
    }

    /// Whether a pattern matches a permission. Cost: that of a look-up, but for the first pattern of its shape, which is
    /// linear in the permissions.
    pub fn has_permission(&mut self, pattern: &PermissionPattern) -> bool {
        let shape = Shape::of(pattern);
        if !self.shapes.contains(&shape) {
            self.known.extend(self.permissions.iter().filter_map(|permission| shape.pattern(permission)));
            self.shapes.insert(shape);
        }
        self.known.contains(pattern.as_str())
    }

    /// Whether a pattern could match the path of a resource, or the account itself. Cost: linear in the types.
    #[must_use]
    pub fn has_path(&self, pattern: &ResourcePattern) -> bool {
        let Some(paths) = &self.paths else { return true };
        pattern.is_everything() || paths.iter().any(|path| pattern.could_match(path.iter().copied()))
    }

    /// Whether a pattern could match the path of a resource of this type.
    #[must_use]
    pub fn has_path_of(&self, resource_type: ResourceTypeIndex, pattern: &ResourcePattern) -> bool {
        let Some(paths) = &self.paths else { return true };
        paths.get(resource_type.position()).is_some_and(|path| pattern.could_match(path.iter().copied()))
    }
}

/// Patterns of permissions, for looking up what they match. Ten thousand of them cost as much as one of each shape.
pub struct PermissionPatterns<'p> {
    by_shape: HashMap<Shape, HashSet<&'p str>>,
}

impl<'p> PermissionPatterns<'p> {
    /// These patterns. Cost: linear in them.
    pub fn new(patterns: impl IntoIterator<Item = &'p PermissionPattern>) -> Self {
        let mut by_shape: HashMap<Shape, HashSet<&str>> = HashMap::new();
        for pattern in patterns {
            by_shape.entry(Shape::of(pattern)).or_default().insert(pattern.as_str());
        }
        Self { by_shape }
    }

    /// Whether one of them matches a permission. Cost: a look-up for each shape.
    #[must_use]
    pub fn matches(&self, permission: &str) -> bool {
        let mut shapes = self.by_shape.iter();
        shapes.any(|(shape, patterns)| {
            shape.pattern(permission).is_some_and(|pattern| patterns.contains(pattern.as_str()))
        })
    }
}

/// The segments of a type's paths, ids left open.
fn path<'c>(types: &'c [ResourceType], of: &'c ResourceType) -> Vec<Option<&'c str>> {
    let mut segments = Vec::new();
    let mut next = Some(of);
    while let Some(each) = next.filter(|_| segments.len() < 2 * MAX_PATH_TYPES) {
        segments.extend([None, Some(each.plural.as_str())]);
        next = each.parent.and_then(|parent| types.get(parent.position()));
    }
    segments.reverse();
    segments
}
