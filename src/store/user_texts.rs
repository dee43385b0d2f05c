//! The texts that users are found and ordered by: in lower case, cut to a length, taken from id and personal fields.

use std::collections::BTreeSet;

use super::{At, StoreError, View as _};
use crate::model::{Key, KeyRange, Number, ProfileRecord, Record, UserId};

/// The longest text of the index, in bytes.
pub const MAX_TEXT_BYTES: usize = 128;

/// By what users are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserText {
    /// By the display name: one text for each user, empty if there is no name.
    Name,
    /// By id, username, email address, display name and each word of the display name.
    Any,
}

/// A text as the index has it.
fn normalized(text: &str) -> String {
    let mut lower = text.to_lowercase();
    let mut end = lower.len().min(MAX_TEXT_BYTES);
    while !lower.is_char_boundary(end) {
        end -= 1;
    }
    lower.truncate(end);
    lower
}

/// The text that an id gives.
pub(super) fn id_text(id: &UserId) -> String {
    normalized(id.as_str())
}

/// The one text that users are ordered by.
pub(super) fn name_text(profile: &ProfileRecord) -> String {
    normalized(&profile.display_name)
}

/// The texts that personal fields give.
pub(super) fn personal_texts(profile: &ProfileRecord) -> BTreeSet<String> {
    let words = profile.display_name.split_whitespace();
    let whole = [profile.username.as_str(), &profile.email, &profile.display_name];
    words.chain(whole).filter(|text| !text.is_empty()).map(normalized).collect()
}

/// The texts of one user.
fn texts(by: UserText, id: &UserId, profile: &ProfileRecord) -> BTreeSet<String> {
    match by {
        UserText::Name => BTreeSet::from([name_text(profile)]),
        UserText::Any => {
            let mut texts = personal_texts(profile);
            texts.insert(id_text(id));
            texts
        }
    }
}

/// The first text of a user that begins with a prefix, from the records alone; none if there is no such user either.
pub(super) fn first(
    view: &At<'_>,
    account: Number,
    user: Number,
    by: UserText,
    prefix: &str,
) -> Result<Option<String>, StoreError> {
    match view.get(&Key::User { account, user })?.map(|user| user.value) {
        Some(Record::User(record)) => first_of(view, account, user, &record.id, by, prefix),
        _ => Ok(None),
    }
}

fn first_of(
    view: &At<'_>,
    account: Number,
    user: Number,
    id: &UserId,
    by: UserText,
    prefix: &str,
) -> Result<Option<String>, StoreError> {
    let profile = match view.get(&Key::Profile { account, user })?.map(|profile| profile.value) {
        Some(Record::Profile(profile)) => profile,
        _ => ProfileRecord::default(),
    };
    Ok(texts(by, id, &profile).into_iter().find(|text| text.starts_with(prefix)))
}

/// What [`super::Versions::find_users`] gives, from the records alone. Cost: linear in the users of the account.
pub(super) fn scan(
    view: &At<'_>,
    account: Number,
    by: UserText,
    prefix: &str,
    after: Option<(&str, Number)>,
    limit: usize,
) -> Result<Vec<(String, Number)>, StoreError> {
    let mut found = BTreeSet::new();
    let mut last = None;
    loop {
        let piece = view.scan(KeyRange::Users(account), last.as_ref(), 1024)?;
        let Some((key, _)) = piece.last() else { break };
        last = Some(key.clone());
        for (key, record) in piece {
            let (Key::User { user, .. }, Record::User(record)) = (key, record.value) else { continue };
            let first = first_of(view, account, user, &record.id, by, prefix)?;
            found.extend(first.map(|text| (text, user)));
        }
    }
    let comes_after = |(text, user): &(String, Number)| after.is_none_or(|after| (text.as_str(), *user) > after);
    Ok(found.into_iter().filter(comes_after).take(limit).collect())
}
