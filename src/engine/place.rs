//! Where a question is asked: a path of resources, and values of facets.

use super::CompiledCatalog;
use crate::model::{Facet, PermissionIndex, ResourceTypeIndex, pairs};

/// Where a question is asked. Whoever makes one has checked that the path is one of the catalog's types, and that the
/// values of facets are paths of their types and agree with the path.
#[derive(Clone, Debug, Default)]
pub struct Place<'a> {
    /// The path, empty: none.
    pub path: &'a str,
    /// The type that the path ends at; none: there is no path.
    pub resource_type: Option<ResourceTypeIndex>,
    /// The values of facets that were given, each facet once.
    pub facets: Vec<(ResourceTypeIndex, &'a str)>,
}

/// No place in particular. Questions that name none share it, so that they neither make nor drop one.
pub static NOWHERE: Place<'static> = Place { path: "", resource_type: None, facets: Vec::new() };

/// How a place fits a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit<'a> {
    /// The place names one resource of the permission's type: its path, cut there; of a permission of the account the
    /// empty path.
    Exact(&'a str),
    /// The place stops above the permission's type: the question is about everything of that type below.
    Everything(&'a str),
}

impl<'a> Place<'a> {
    /// The value of a facet: as it was given, or as the path has it.
    #[must_use]
    pub fn value(&self, catalog: &CompiledCatalog, facet: ResourceTypeIndex) -> Option<&'a str> {
        let given = self.facets.iter().find(|(of, _)| *of == facet).map(|(_, value)| *value);
        given.or_else(|| {
            let is_on_path = self.resource_type.is_some_and(|reached| catalog.is_within_type(reached, facet));
            is_on_path.then(|| cut(self.path, catalog.depth(facet)))
        })
    }
}

impl CompiledCatalog {
    /// How a place fits a permission; none: its path is of another line of types. Cost: linear in the path.
    #[must_use]
    pub fn fit<'a>(&self, place: &Place<'a>, permission: PermissionIndex) -> Option<Fit<'a>> {
        let Some(lives_on) = self.definition(permission)?.resource_type else { return Some(Fit::Exact("")) };
        match place.resource_type {
            None => Some(Fit::Everything("")),
            Some(reached) if self.is_within_type(reached, lives_on) => {
                Some(Fit::Exact(cut(place.path, self.depth(lives_on))))
            }
            Some(reached) if self.is_within_type(lives_on, reached) => Some(Fit::Everything(place.path)),
            Some(_) => None,
        }
    }

    /// The facets that a permission is bounded by.
    #[must_use]
    pub fn facets(&self, permission: PermissionIndex) -> &[Facet] {
        self.definition(permission).map_or(&[], |definition| &definition.facets)
    }
}

/// The first pairs of a path.
fn cut(path: &str, depth: usize) -> &str {
    let end = path.match_indices('/').nth((2 * depth).saturating_sub(1)).map_or(path.len(), |(end, _)| end);
    path.get(..end).unwrap_or(path)
}

/// Whether two paths name the same resources as far as their types are the same.
#[must_use]
pub fn agrees(one: &str, other: &str) -> bool {
    for ((type_of_one, one), (type_of_other, other)) in pairs(one).zip(pairs(other)) {
        if type_of_one != type_of_other {
            return true;
        }
        if one != other {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_after_pairs() {
        assert_eq!(cut("a/1/b/2/c/3", 1), "a/1");
        assert_eq!(cut("a/1/b/2/c/3", 2), "a/1/b/2");
        assert_eq!(cut("a/1/b/2/c/3", 3), "a/1/b/2/c/3");
    }

    #[test]
    fn paths_agree_until_their_types_part() {
        for (one, other, expected) in [
            ("w/1", "w/1/l/2", true),
            ("w/1/c/9", "w/1/l/2", true),
            ("w/2/c/9", "w/1/l/2", false),
            ("l/1", "q/2", true),
            ("", "q/2", true),
        ] {
            assert_eq!((agrees(one, other), agrees(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
