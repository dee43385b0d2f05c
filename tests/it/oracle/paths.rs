//! Paths of resources, and the patterns of permissions and of paths. A path alternates the plural word of a type and an
//! id, from the top down; the empty path is the account.

use std::collections::BTreeMap;

use super::{Catalog, Unknown};

/// The segments of a text. The empty text has none.
pub fn segments(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split(separator).collect() }
}

/// Whether a path is another one or lies above it.
pub fn is_at_or_above(above: &str, path: &str) -> bool {
    segments(path, '/').starts_with(&segments(above, '/'))
}

/// The first steps of a path; each step is a word and an id.
pub fn cut(path: &str, steps: usize) -> String {
    segments(path, '/').into_iter().take(2 * steps).collect::<Vec<_>>().join("/")
}

/// Whether two paths agree: down from the top, as long as the words are the same, the ids are the same.
pub fn agree(one: &str, other: &str) -> bool {
    let (one, other) = (segments(one, '/'), segments(other, '/'));
    for (one, other) in one.chunks(2).zip(other.chunks(2)) {
        if one.first() != other.first() {
            return true;
        }
        if one != other {
            return false;
        }
    }
    true
}

/// Whether a pattern matches a permission.
pub fn permission_matches(pattern: &str, permission: &str) -> bool {
    matches(&segments(pattern, '.'), &segments(permission, '.'))
}

/// Whether a pattern matches a path, the whole of it.
pub fn path_matches(pattern: &str, path: &str) -> bool {
    matches(&segments(pattern, '/'), &segments(path, '/'))
}

/// `*` is exactly one segment, `**` (last only) is zero or more.
fn matches(pattern: &[&str], given: &[&str]) -> bool {
    match (pattern, given) {
        (["**"], _) => true,
        ([], []) => true,
        ([first, pattern @ ..], [segment, given @ ..]) => {
            (*first == "*" || first == segment) && matches(pattern, given)
        }
        _ => false,
    }
}

/// Whether a pattern matches a path in which some segments are free to be anything.
pub fn could_match(pattern: &str, path: &[Option<String>]) -> bool {
    let pattern = segments(pattern, '/');
    let (fixed, is_open) = match pattern.split_last() {
        Some((&"**", fixed)) => (fixed, true),
        _ => (&pattern[..], false),
    };
    let length_fits = if is_open { fixed.len() <= path.len() } else { fixed.len() == path.len() };
    let one_fits = |(pattern, segment): (&&str, &Option<String>)| {
        *pattern == "*" || segment.as_ref().is_none_or(|segment| segment == pattern)
    };
    length_fits && fixed.iter().zip(path).all(one_fits)
}

impl Catalog {
    /// The types from the top down to this one. Of no type (the account): none.
    pub fn chain(&self, resource_type: Option<&str>) -> Vec<String> {
        let Some(id) = resource_type else { return Vec::new() };
        let parent = self.resource_types.get(id).and_then(|found| found.parent.as_deref());
        let mut chain = self.chain(parent);
        chain.push(id.to_owned());
        chain
    }

    /// The types of a path from the top down, if it is well-formed. The empty path has none.
    pub fn types(&self, path: &str) -> Option<Vec<String>> {
        let mut types: Vec<String> = Vec::new();
        for step in segments(path, '/').chunks(2) {
            let &[word, id] = step else { return None };
            let above = types.last();
            let found =
                self.resource_types.iter().find(|(_, each)| each.plural == word && each.parent.as_ref() == above);
            let (found, _) = found?;
            if id.is_empty() {
                return None;
            }
            types.push(found.clone());
        }
        Some(types)
    }

    /// The type of the resource that a path names.
    pub fn type_of(&self, path: &str) -> Option<String> {
        self.types(path)?.pop()
    }

    /// The types of a question's path. A path that is given names a resource, so it is not empty.
    pub(super) fn path_types(&self, path: Option<&str>) -> Result<Vec<String>, Unknown> {
        match path {
            None => Ok(Vec::new()),
            Some("") => Err(Unknown::Resource),
            Some(path) => self.types(path).ok_or(Unknown::Resource),
        }
    }

    /// The value of each facet in a question: read from the whole path, or given.
    pub fn facet_values(
        &self,
        path: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Unknown> {
        let mut values = BTreeMap::new();
        for (facet, value) in given {
            // This refuses `feature` too, which is no type.
            if !self.resource_types.contains_key(facet) || self.type_of(value).as_ref() != Some(facet) {
                return Err(Unknown::Facets);
            }
            if !agree(path, value) {
                return Err(Unknown::Facets);
            }
            values.insert(facet.clone(), value.clone());
        }
        for (depth, facet) in self.types(path).unwrap_or_default().into_iter().enumerate() {
            values.insert(facet, cut(path, depth + 1));
        }
        Ok(values)
    }

    /// A path of this type that extends a path and lies at or below a binding's resource: `None` stands for an id that is
    /// free. There is none if the two lead elsewhere, or apart.
    pub(super) fn longer_path(&self, resource_type: &str, path: &str, bound: &str) -> Option<Vec<Option<String>>> {
        let mut longer = Vec::new();
        for word in self.chain(Some(resource_type)).iter().map(|id| self.resource_types[id].plural.clone()) {
            longer.extend([Some(word), None]);
        }
        for known in [path, bound] {
            for (index, segment) in segments(known, '/').into_iter().enumerate() {
                let place = longer.get_mut(index)?;
                if place.as_ref().is_some_and(|there| there != segment) {
                    return None;
                }
                *place = Some(segment.to_owned());
            }
        }
        Some(longer)
    }
}
