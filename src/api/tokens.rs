//! Consistency tokens and page tokens: opaque to callers, checked byte by byte when they come back.

use std::cell::RefCell;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{
    model::{Number, Revision, Timestamp},
    service::{ErrorReason, Etag, ServiceError},
};

const VERSION: u8 = 1;
/// How long a page token is good for.
const PAGE_LIFE: std::time::Duration = std::time::Duration::from_secs(3600);

/// Writes and reads the tokens of one store.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    store_id: u64,
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageToken {
    /// The revision of the first page.
    pub(super) revision: Revision,
    /// When the first page was asked for.
    pub(super) issued: Timestamp,
    /// After which element.
    pub(super) cursor: String,
}

impl Tokens {
    /// The tokens of a store with this id.
    #[must_use]
    pub fn new(store_id: u64) -> Self {
        Self { store_id }
    }

    /// The token of a revision. Cost: that of a copy, if this thread wrote the same one last.
    #[must_use]
    pub fn write(&self, revision: Revision) -> String {
        thread_local!(static WRITTEN: RefCell<(u64, Revision, String)> =
            const { RefCell::new((0, Revision(0), String::new())) });
        WRITTEN.with_borrow_mut(|(store_id, at, token)| {
            // Every answer has one, and most answers come between two writes.
            if (*store_id, *at) != (self.store_id, revision) || token.is_empty() {
                let numbers = [self.store_id.to_be_bytes(), revision.0.to_be_bytes()];
                (*store_id, *at, *token) = (self.store_id, revision, seal(&[&[VERSION, b'c'], numbers.as_flattened()]));
            }
            token.clone()
        })
    }

    /// The revision of a token.
    ///
    /// # Errors
    /// If it is no token, or one of another store.
    pub fn read(&self, token: &str) -> Result<Revision, ServiceError> {
        let invalid = || {
            ServiceError::new(
                ErrorReason::TokenInvalid,
                "the consistency token was not given out by rolecall; use one exactly as it came in an answer",
            )
        };
        let body = open(token, b'c').ok_or_else(invalid)?;
        let (store, rest) = number(&body).ok_or_else(invalid)?;
        let (revision, rest) = number(rest).ok_or_else(invalid)?;
        if !rest.is_empty() {
            return Err(invalid());
        }
        if store != self.store_id {
            return Err(ServiceError::new(
                ErrorReason::TokenForeign,
                "the consistency token was given out by another store",
            ));
        }
        Ok(Revision(revision))
    }

    /// The etag of a version.
    pub(super) fn write_etag(&self, etag: Etag) -> String {
        let (number, revision) = (etag.number.0.to_be_bytes(), etag.revision.0.to_be_bytes());
        seal(&[&[VERSION, b'e'], &self.store_id.to_be_bytes()[..], &number, &revision])
    }

    /// The version that an etag names; none: it is no etag. One of another store names what is not here.
    pub(super) fn read_etag(&self, etag: &str) -> Option<Etag> {
        let body = open(etag, b'e')?;
        let (store, rest) = number(&body)?;
        let (thing, rest) = number(rest)?;
        let (revision, rest) = number(rest)?;
        let here = if store == self.store_id { thing } else { 0 };
        rest.is_empty().then_some(Etag { number: Number(here), revision: Revision(revision) })
    }

    /// A page token, bound to what was asked (`arguments`: everything of the request but the page fields).
    pub(super) fn write_page(&self, page: &PageToken, arguments: &[&str]) -> String {
        seal(&[
            &[VERSION, b'p'],
            &self.store_id.to_be_bytes()[..],
            &bound(arguments),
            &page.revision.0.to_be_bytes(),
            &page.issued.0.to_be_bytes(),
            page.cursor.as_bytes(),
        ])
    }

    /// Reads a page token that has to be bound to the same arguments.
    ///
    /// # Errors
    /// If it is none of this list, or too old.
    pub(super) fn read_page(&self, token: &str, arguments: &[&str], now: Timestamp) -> Result<PageToken, ServiceError> {
        let invalid = || {
            ServiceError::new(
                ErrorReason::PageTokenInvalid,
                "the page token was not given out for this list with these arguments; use the next_page_token of the \
                 page before and leave the rest as it was",
            )
        };
        let body = open(token, b'p').ok_or_else(invalid)?;
        let (store, rest) = number(&body).ok_or_else(invalid)?;
        let (binding, rest) = rest.split_at_checked(8).ok_or_else(invalid)?;
        let (revision, rest) = number(rest).ok_or_else(invalid)?;
        let (issued, cursor) = number(rest).ok_or_else(invalid)?;
        let cursor = String::from_utf8(cursor.to_vec()).map_err(|_| invalid())?;
        if store != self.store_id || binding != bound(arguments) {
            return Err(invalid());
        }
        if now.0.saturating_sub(issued) > u64::try_from(PAGE_LIFE.as_millis()).unwrap_or(u64::MAX) {
            return Err(ServiceError::new(
                ErrorReason::PageTokenExpired,
                "the page token is older than an hour; begin again with the first page",
            ));
        }
        Ok(PageToken { revision: Revision(revision), issued: Timestamp(issued), cursor })
    }
}

fn bound(arguments: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for argument in arguments {
        hash.update((argument.len() as u64).to_be_bytes());
        hash.update(argument.as_bytes());
    }
    let mut first = [0; 8];
    for (place, byte) in first.iter_mut().zip(hash.finalize()) {
        *place = byte;
    }
    first
}

/// The checksum finds typing errors; a token gives no right, so nobody gains by forging one.
fn seal(parts: &[&[u8]]) -> String {
    let mut bytes = parts.concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn open(token: &str, kind: u8) -> Option<Vec<u8>> {
    if token.len() > 1024 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if crc32fast::hash(body).to_be_bytes() != checksum {
        return None;
    }
    let rest = body.strip_prefix(&[VERSION, kind])?;
    Some(rest.to_vec())
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went_and_knows_its_store() {
        let tokens = Tokens::new(7);
        let token = tokens.write(Revision(42));
        assert_eq!(tokens.read(&token), Ok(Revision(42)));
        assert_eq!(Tokens::new(8).read(&token).unwrap_err().reason, ErrorReason::TokenForeign);
    }

    #[test]
    fn no_token_with_a_changed_character_is_accepted() {
        let tokens = Tokens::new(7);
        let token = tokens.write(Revision(42));
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(tokens.read(&changed).is_err(), "{changed} was accepted");
        }
        for bad in ["", "A", "é", &"A".repeat(5000)] {
            assert_eq!(tokens.read(bad).unwrap_err().reason, ErrorReason::TokenInvalid);
        }
    }

    #[test]
    fn an_etag_names_one_version_of_one_thing_of_one_store() {
        let etag = Etag { number: Number(3), revision: Revision(42) };
        let written = Tokens::new(7).write_etag(etag);
        assert_eq!(Tokens::new(7).read_etag(&written), Some(etag));
        assert_eq!(Tokens::new(8).read_etag(&written).map(|etag| etag.number), Some(Number(0)));
        for bad in ["", "A", "*", &written[1..], &Tokens::new(7).write(Revision(42))] {
            assert_eq!(Tokens::new(7).read_etag(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_page_token_is_bound_to_its_arguments_and_ends_after_an_hour() {
        let tokens = Tokens::new(7);
        let page = PageToken { revision: Revision(3), issued: Timestamp(1000), cursor: "ana".to_owned() };
        let token = tokens.write_page(&page, &["ListUsers", "accounts/demo"]);
        let hour = 3_600_000;
        assert_eq!(tokens.read_page(&token, &["ListUsers", "accounts/demo"], Timestamp(1000 + hour)), Ok(page));
        let late = tokens.read_page(&token, &["ListUsers", "accounts/demo"], Timestamp(1001 + hour));
        assert_eq!(late.unwrap_err().reason, ErrorReason::PageTokenExpired);
        for other in [["ListUsers", "accounts/other"], ["ListTeams", "accounts/demo"], ["ListUsersa", "ccounts/demo"]] {
            let outcome = tokens.read_page(&token, &other, Timestamp(1000));
            assert_eq!(outcome.unwrap_err().reason, ErrorReason::PageTokenInvalid);
        }
    }
}
