//! Ids that hosts and catalogs give to things: opaque, case-sensitive, compared byte by byte, never trimmed.

use std::{fmt, sync::Arc};

use thiserror::Error;

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is no id: what was given, and what would have been accepted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{given:?} is not {expected}")]
pub struct InvalidId {
    /// The text as given, cut at [`MAX_ID_BYTES`] bytes.
    pub given: String,
    /// What was expected, as the end of a sentence ("a role id: ...").
    pub expected: &'static str,
}

impl InvalidId {
    pub(super) fn new(given: &str, expected: &'static str) -> Self {
        let mut end = given.len().min(MAX_ID_BYTES);
        while !given.is_char_boundary(end) {
            end -= 1;
        }
        Self { given: given.get(..end).unwrap_or_default().to_owned(), expected }
    }
}

/// Which bytes are letters, digits or one of these. A table, because ids are checked for every question.
const fn letters_digits_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
        }
        byte += 1;
    }
    let mut position = 0;
    while position < others.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            table[others[position] as usize] = true;
        }
        position += 1;
    }
    table
}

static PLAIN: [bool; 256] = letters_digits_and(b"._@:+=~-");
static SEGMENT: [bool; 256] = letters_digits_and(b"_-");

fn is_in(table: &[bool; 256], byte: u8) -> bool {
    table.get(usize::from(byte)).is_some_and(|is_in| *is_in)
}

pub(super) fn is_plain(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| is_in(&PLAIN, byte))
}

fn is_request_key(text: &str) -> bool {
    let mut parts = text.splitn(3, '/');
    [parts.next(), parts.next(), parts.next()].into_iter().all(|part| part.is_some_and(is_plain))
}

fn is_dotted(text: &str) -> bool {
    let (mut dots, mut last) = (0, b'.');
    for byte in text.bytes() {
        match byte {
            b'.' if last == b'.' => return false,
            b'.' => dots += 1,
            byte if is_in(&SEGMENT, byte) => {}
            _ => return false,
        }
        last = byte;
    }
    text.len() <= MAX_ID_BYTES && (1..=4).contains(&dots) && last != b'.'
}

/// A segment of a permission id.
pub(super) fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| is_in(&SEGMENT, byte))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts a well-formed id as it is.
            ///
            /// # Errors
            /// [`InvalidId`] if the text is empty, too long, or has a character that an id cannot have.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if $check(text) { Ok(Self(text.into())) } else { Err(InvalidId::new(text, $expected)) }
            }

            /// An id that no other comes before.
            #[allow(dead_code)]
            pub(super) fn smallest() -> Self {
                Self("+".into())
            }

            /// As [`Self::new`], for a text that is only looked at. Allocates nothing if the text is well formed.
            ///
            /// # Errors
            /// As [`Self::new`].
            pub fn check(text: &str) -> Result<(), InvalidId> {
                if $check(text) { Ok(()) } else { Err(InvalidId::new(text, $expected)) }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
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

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Names a catalog.
    CatalogId, is_plain, "a catalog id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names an account (a tenant).
    AccountId, is_plain, "an account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a user within an account.
    UserId, is_plain, "a user id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a service account within an account. Users and service accounts are named apart: both can have the same id.
    ServiceAccountId, is_plain,
    "a service account id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a team within an account.
    TeamId, is_plain, "a team id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a role within a catalog (managed, internal) or within an account (custom).
    RoleId, is_plain, "a role id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a feature within a catalog.
    FeatureId, is_plain, "a feature id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a section (a heading that permissions are shown under) within a catalog.
    SectionId, is_plain, "a section id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names an API scope within a catalog.
    ApiScopeId, is_plain, "an API scope id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names an access policy within a catalog (managed) or within an account (custom).
    PolicyId, is_plain, "an access policy id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names a resource type within a catalog; also its plural, which is what paths are made of.
    ResourceTypeId, is_plain, "a resource type: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .."
);
id!(
    /// Names one request of a caller, so that sending it again does not do it again.
    RequestId, is_plain, "a request id: 1 to 128 of A-Z a-z 0-9 . _ @ : + = ~ -, and neither . nor .. (a UUID is best)"
);
id!(
    /// A request id with its caller and its method before it, joined by slashes.
    RequestKey, is_request_key, "a caller, a method and a request id, joined by slashes"
);
id!(
    /// Names a permission within a catalog: two to five segments, usually `area.object.action`.
    PermissionId, is_dotted, "a permission id: 2 to 5 segments of A-Z a-z 0-9 _ - joined by dots, 128 bytes at most"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_accepted_byte_for_byte_or_not_at_all() {
        for good in ["a", "A.b_c@d:e+f=g~h-i", "...", &"x".repeat(128)] {
            assert_eq!(UserId::new(good).map(|id| id.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", "a b", " a", "a/b", "a\0", "é", "a\n", &"x".repeat(129)] {
            assert!(UserId::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn permission_ids_have_two_to_five_segments() {
        for good in ["a.b", "people.profiles.edit", "a.b.c.d.e", "A_1.b-2"] {
            assert!(PermissionId::new(good).is_ok(), "{good:?} was refused");
        }
        for bad in ["a", "a.", ".a", "a..b", "a.b.c.d.e.f", "a.*", "a.b c", "a.b:c"] {
            assert!(PermissionId::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_error_shows_what_was_given_without_splitting_a_character() {
        let error = UserId::new(&"é".repeat(200)).unwrap_err();
        assert_eq!(error.given, "é".repeat(64));
    }
}
