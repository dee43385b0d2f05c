//! Resources as they are named: paths of types and ids below an account.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::ids::{InvalidId, is_plain};

/// The longest path, in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// The deepest path, in types.
pub const MAX_PATH_TYPES: usize = 8;

/// Names a resource below an account: pairs of a type's plural and an id, such as `workspaces/w1/channels/c7`.
///
/// Ordered segment by segment, so that all that lies below a resource follows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResourcePath(Arc<str>);

impl ResourcePath {
    /// Accepts a well-formed path as it is. Whether its types are those of a catalog is for whoever has the catalog.
    ///
    /// # Errors
    /// [`InvalidId`] if the text is no path.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// As [`Self::new`], for a text that is only looked at. Allocates nothing if the text is well formed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn check(text: &str) -> Result<(), InvalidId> {
        let segments = text.split('/').count();
        let is_path = text.len() <= MAX_PATH_BYTES
            && segments.is_multiple_of(2)
            && segments <= 2 * MAX_PATH_TYPES
            && text.split('/').all(is_plain);
        if is_path {
            return Ok(());
        }
        Err(InvalidId::new(
            text,
            "a resource path: 1 to 8 pairs of a type's plural and an id, joined by slashes, such as workspaces/w1",
        ))
    }

    /// A path that no other comes before.
    pub(super) fn smallest() -> Self {
        Self("+/+".into())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its pairs of a type's plural and an id, from the top down.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.0)
    }

    /// The resource right above; none: it lies right below the account.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (above, _) = self.0.rsplit_once('/')?;
        let (parent, _) = above.rsplit_once('/')?;
        Some(Self(parent.into()))
    }

    /// Whether it is this resource or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        is_within(&self.0, &other.0)
    }
}

/// The pairs of a type's plural and an id of a path, from the top down; none of the empty path.
pub fn pairs(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut segments = path.split('/');
    std::iter::from_fn(move || Some((segments.next()?, segments.next()?)))
}

/// Whether a path is another one or lies below it. Everything lies below the empty path.
#[must_use]
pub fn is_within(path: &str, other: &str) -> bool {
    other.is_empty() || path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Ord for ResourcePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.split('/').cmp(other.0.split('/'))
    }
}

impl PartialOrd for ResourcePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_pairs_of_a_plural_and_an_id() {
        for good in ["lines/l1", "workspaces/w1/channels/c7", &["a/b"; 8].join("/")] {
            assert!(ResourcePath::new(good).is_ok(), "{good:?} was refused");
        }
        for bad in
            ["", "lines", "/", "lines/", "/lines/l1", "lines/l1/", "lines/l1/x", "a/../b/c", &["a/b"; 9].join("/")]
        {
            assert!(ResourcePath::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn what_lies_below_a_resource_follows_it() {
        let path = |text: &str| ResourcePath::new(text).unwrap();
        let mut paths = [path("a/w-1/c/x"), path("a/w"), path("a/w/c/x"), path("a/w-1"), path("a/w+"), path("a/w/c/a")];
        paths.sort();
        let sorted: Vec<&str> = paths.iter().map(ResourcePath::as_str).collect();
        assert_eq!(sorted, ["a/w", "a/w/c/a", "a/w/c/x", "a/w+", "a/w-1", "a/w-1/c/x"]);
        assert!(path("a/w/c/x").is_within(&path("a/w")) && !path("a/w-1").is_within(&path("a/w")));
        assert_eq!(path("a/w/c/x").parent(), Some(path("a/w")));
        assert_eq!(path("a/w").parent(), None);
    }
}
