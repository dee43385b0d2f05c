//! Access policies: statements that allow or deny, by patterns.
//!
//! In a pattern `*` is exactly one segment, and `**`, which stands only last, is zero or more. Everything else is itself.

use std::{fmt, sync::Arc};

use super::{
    ids::{InvalidId, MAX_ID_BYTES, is_plain, is_segment},
    resource::{MAX_PATH_BYTES, MAX_PATH_TYPES},
};

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It grants.
    Allow,
    /// It takes away, whatever else grants.
    Deny,
}

/// One sentence of an access policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it grants or takes away.
    pub effect: Effect,
    /// The permissions that it is about; at least one pattern.
    pub permissions: Vec<PermissionPattern>,
    /// The resources that it is about; none: every resource.
    pub resources: Vec<ResourcePattern>,
    /// What else has to hold; none: nothing.
    pub condition: Option<Condition>,
}

/// A condition, as its author wrote it. What it means is for the language of conditions.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Condition(Arc<str>);

impl Condition {
    /// The longest condition, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// A condition of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The condition as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

fn is_pattern(text: &str, separator: char, is_segment: fn(&str) -> bool) -> bool {
    let mut segments = text.split(separator).peekable();
    while let Some(segment) = segments.next() {
        let is_rest = segment == "**" && segments.peek().is_none();
        if !is_rest && segment != "*" && !is_segment(segment) {
            return false;
        }
    }
    true
}

/// Whether a pattern matches a text, both cut at the separator. The empty text has no segments.
fn matches(pattern: &str, text: &str, separator: char) -> bool {
    let mut segments = text.split(separator).filter(|_| !text.is_empty());
    for wanted in pattern.split(separator) {
        if wanted == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident, $separator:literal, $is_valid:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts a well-formed pattern as it is.
            ///
            /// # Errors
            /// [`InvalidId`] if the text is no pattern.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) { Ok(Self(text.into())) } else { Err(InvalidId::new(text, $expected)) }
            }

            /// The pattern as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether it matches the whole of a text.
            #[must_use]
            pub fn matches(&self, text: &str) -> bool {
                matches(&self.0, text, $separator)
            }

            /// Its segments.
            pub fn segments(&self) -> impl Iterator<Item = &str> {
                self.0.split($separator)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

pattern!(
    /// Which permissions a statement is about, such as `inbox.*.view` or `inbox.**`.
    PermissionPattern, '.',
    |text| text.len() <= MAX_ID_BYTES && text.split('.').count() <= 5 && is_pattern(text, '.', is_segment),
    "a permission pattern: 1 to 5 segments joined by dots, each of A-Z a-z 0-9 _ - or * (any one), the last may be ** (all the rest)"
);
pattern!(
    /// Which resources a statement is about, such as `workspaces/*/channels/c7` or `workspaces/w1/**`. It starts at the
    /// account.
    ResourcePattern, '/',
    |text| text.len() <= MAX_PATH_BYTES && text.split('/').count() <= 2 * MAX_PATH_TYPES + 1 && is_pattern(text, '/', is_plain),
    "a resource pattern: segments joined by slashes, each a type's plural, an id or * (any one), the last may be ** (all the rest)"
);

impl ResourcePattern {
    /// Whether it ends in `**`.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.ends_with("**")
    }

    /// Whether it is `**`: every resource, and the account itself.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        &*self.0 == "**"
    }

    /// Whether it could match a path of which only some segments are known; the others may become anything.
    pub fn could_match<'a>(&self, path: impl IntoIterator<Item = Option<&'a str>>) -> bool {
        let mut segments = path.into_iter();
        for wanted in self.0.split('/') {
            if wanted == "**" {
                return true;
            }
            match segments.next() {
                Some(None) => {}
                Some(Some(segment)) if wanted == "*" || wanted == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_is_exactly_one_segment_and_two_are_the_rest() {
        for (pattern, matched, not) in [
            ("inbox.*.view", &["inbox.channels.view"][..], &["inbox.view", "inbox.a.b.view", "inbox.a.edit"][..]),
            ("inbox.*", &["inbox.view"], &["inbox.a.view", "inbo.view"]),
            ("inbox.**", &["inbox.view", "inbox.a.b.c.view"], &["inboxes.view"]),
            ("**", &["a.b", "a.b.c.d.e"], &[]),
            ("a.b", &["a.b"], &["a.b.c", "A.b"]),
            ("*.*", &["a.b"], &["a.b.c"]),
        ] {
            let pattern = PermissionPattern::new(pattern).unwrap();
            assert!(matched.iter().all(|id| pattern.matches(id)), "{pattern}");
            assert!(!not.iter().any(|id| pattern.matches(id)), "{pattern}");
        }
        for (pattern, matched, not) in [
            ("workspaces/w1/**", &["workspaces/w1", "workspaces/w1/channels/c"][..], &["", "workspaces/w2"][..]),
            ("**", &["", "lines/l1"], &[]),
            ("lines/*", &["lines/l1"], &["", "lines/l1/conversations/c"]),
            ("lines/**", &["lines/l1"], &[""]),
        ] {
            let pattern = ResourcePattern::new(pattern).unwrap();
            assert!(matched.iter().all(|path| pattern.matches(path)), "{pattern}");
            assert!(!not.iter().any(|path| pattern.matches(path)), "{pattern}");
        }
    }

    #[test]
    fn two_stars_stand_only_last() {
        for bad in ["", "a.**.b", "a..b", "a.***", "a.b*", "a.b.c.d.e.f", "a b"] {
            assert!(PermissionPattern::new(bad).is_err(), "{bad:?} was accepted");
        }
        for bad in ["", "/", "a/", "**/a", "a//b", "a/.."] {
            assert!(ResourcePattern::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn what_is_not_known_yet_could_become_anything() {
        let pattern = ResourcePattern::new("lines/*/conversations/c1").unwrap();
        assert!(pattern.could_match([Some("lines"), Some("l1"), Some("conversations"), None]));
        assert!(!pattern.could_match([Some("lines"), Some("l1"), Some("conversations"), Some("c2")]));
        assert!(!pattern.could_match([Some("lines"), None]));
    }
}
