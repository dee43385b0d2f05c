//! The index that users are found by: a tree of sled beside the records, derived from them and never journaled.
//!
//! An entry says that a user had a text from one revision on up to another, so that a page can be read as it stood at
//! any revision that is kept, whatever is written meanwhile. What a write has to take out follows from the index's own
//! row of the user, never from a before-image: those of personal values can have been erased. Read [`UserTexts`] first.
//! `find` reads the index, `derive` builds it from records, `write` writes its rows, `keys` has the layout.

mod derive;
mod find;
pub(super) mod keys;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use sled::{IVec, Tree};

use self::keys::{chunk_key, ended_key, entry_key, entry_value, rows_of, user_key};
pub(super) use self::write::{IndexThread, IndexWork};
use super::{
    Digest, StoreError, UserText,
    bytes::{Reader, Writer},
    digest::index_row,
    leaves::filling,
    sled_store::{SledStore, engine},
    user_texts::{id_text, name_text, personal_texts},
};
use crate::model::{Change, Key, Number, Record, RecordChange, Revision};

/// The layout of the index. A state with another one is built again.
const FORMAT: &[u8] = &[2];
/// A row of a user that is longer is cut in pieces.
const CHUNK_BYTES: usize = 3072;
/// The revision at which an entry ended that has not ended.
const STILL: Revision = Revision(u64::MAX);

fn damaged(what: &str) -> StoreError {
    StoreError::DamagedState(format!("the index of users is not one that rolecall writes: {what}"))
}

/// The index on a tree of sled.
#[derive(Debug)]
pub(super) struct UserIndex(pub(super) Tree);

/// The numbers of an account and of a user of it.
pub(super) type Who = (Number, Number);

/// What the index holds of one user now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserTexts {
    /// The text of the id; none: there is no such user, and so there are no entries.
    id: Option<String>,
    /// The text of the display name.
    name: String,
    /// The other texts of the personal fields.
    personal: BTreeSet<String>,
    /// The revision from which on each entry has been there, in the order of [`Self::entries`].
    since: Vec<Revision>,
}

/// One text of one user. `shared`: how many bytes it has in common with the user's text before it, plus one; 0: it is
/// the first. It is the first of the user's texts with a prefix exactly if `shared` is no more than the prefix is long:
/// so entries are kept apart by it, and no page has to pass over those that are not the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    by: UserText,
    text: &'a str,
    shared: u8,
}

impl UserTexts {
    /// The entries that the texts make.
    fn entries(&self) -> Vec<Entry<'_>> {
        let Some(id) = &self.id else { return Vec::new() };
        let mut texts: Vec<&str> = self.personal.iter().map(String::as_str).collect();
        if let Err(place) = texts.binary_search(&id.as_str()) {
            texts.insert(place, id);
        }
        let mut entries = Vec::with_capacity(1 + texts.len());
        entries.push(Entry { by: UserText::Name, text: &self.name, shared: 0 });
        let mut before: Option<&str> = None;
        for text in texts {
            let shared = before.map_or(0, |before| {
                let common = before.bytes().zip(text.bytes()).take_while(|(one, other)| one == other).count();
                // Texts are at most 128 bytes long.
                u8::try_from(common + 1).unwrap_or(u8::MAX)
            });
            entries.push(Entry { by: UserText::Any, text, shared });
            before = Some(text);
        }
        entries
    }

    fn is_empty(&self) -> bool {
        self.id.is_none() && self.name.is_empty() && self.personal.is_empty()
    }

    fn encode(&self) -> Vec<u8> {
        let text =
            |row: Writer, text: &str| row.u32(u32::try_from(text.len()).unwrap_or(u32::MAX)).bytes(text.as_bytes());
        let mut row = Writer::default().bytes(&[u8::from(self.id.is_some())]);
        row = text(row, self.id.as_deref().unwrap_or_default());
        row = text(row, &self.name);
        row = row.u32(u32::try_from(self.personal.len()).unwrap_or(u32::MAX));
        for personal in &self.personal {
            row = text(row, personal);
        }
        self.since.iter().fold(row, |row, since| row.u64(since.0)).0
    }

    fn decode(row: &[u8]) -> Option<Self> {
        fn text(reader: &mut Reader<'_>) -> Option<String> {
            let length = usize::try_from(reader.u32()?).ok()?;
            String::from_utf8(reader.slice(length)?.to_vec()).ok()
        }
        let mut reader = Reader(row);
        let is_there = reader.u8()?;
        let id = text(&mut reader)?;
        let name = text(&mut reader)?;
        let count = reader.u32()?;
        let personal = (0..count).map(|_| text(&mut reader)).collect::<Option<_>>()?;
        let mut texts = Self { id: (is_there == 1).then_some(id), name, personal, since: Vec::new() };
        let count = texts.entries().len();
        for _ in 0..count {
            texts.since.push(Revision(reader.u64()?));
        }
        reader.0.is_empty().then_some(texts)
    }
}

/// A record that users are found by, as it is from now on.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    User(Option<&'a Record>),
    Profile(Option<&'a Record>),
}

/// The user that a key's record belongs to, and the record, if users are found by it.
fn source<'a>(key: &Key, record: Option<&'a Record>) -> Option<(Who, Source<'a>)> {
    match key {
        Key::User { account, user } => Some(((*account, *user), Source::User(record))),
        Key::Profile { account, user } => Some(((*account, *user), Source::Profile(record))),
        _ => None,
    }
}

/// The user whose texts a record can change.
pub(super) fn who(record: &RecordChange) -> Option<Who> {
    source(&record.key, None).map(|(who, _)| who)
}

/// What is to be written to the index together: for each key what stands there and what shall.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Each user's row: as it is stored, and as it will be.
    users: BTreeMap<Who, (UserTexts, UserTexts)>,
    rows: BTreeMap<Vec<u8>, Written>,
}

/// Rows to be written, each key once; none: it goes.
pub(super) type IndexRows = Vec<(Vec<u8>, Option<IVec>)>;

#[derive(Debug)]
struct Written {
    before: Option<IVec>,
    after: Option<IVec>,
}

impl Pending {
    fn put(&mut self, key: Vec<u8>, before: Option<IVec>, after: Option<IVec>) {
        match self.rows.entry(key) {
            std::collections::btree_map::Entry::Occupied(mut row) => row.get_mut().after = after,
            std::collections::btree_map::Entry::Vacant(row) => {
                row.insert(Written { before, after });
            }
        }
    }

    /// Takes in what records of a user say at a revision.
    fn set(&mut self, who: Who, sources: &[Source<'_>], revision: Revision) {
        let (_, texts) = self.users.entry(who).or_default();
        let old = std::mem::take(texts);
        let mut new =
            UserTexts { id: old.id.clone(), name: old.name.clone(), personal: old.personal.clone(), since: Vec::new() };
        for source in sources {
            match source {
                Source::User(Some(Record::User(user))) => new.id = Some(id_text(&user.id)),
                Source::User(_) => new.id = None,
                Source::Profile(Some(Record::Profile(profile))) => {
                    new.name = name_text(profile);
                    new.personal = personal_texts(profile);
                }
                Source::Profile(_) => {
                    new.name = String::new();
                    new.personal = BTreeSet::new();
                }
            }
        }
        let was: BTreeMap<Entry<'_>, Revision> = old.entries().into_iter().zip(old.since.iter().copied()).collect();
        let entries = new.entries();
        for (entry, since) in &was {
            if !entries.contains(entry) {
                self.end(who, entry, *since, revision);
            }
        }
        let mut since = Vec::with_capacity(entries.len());
        for entry in &entries {
            since.push(was.get(entry).copied().unwrap_or_else(|| {
                self.put(entry_key(who, entry, revision), None, Some(entry_value(STILL)));
                revision
            }));
        }
        new.since = since;
        if let Some((_, texts)) = self.users.get_mut(&who) {
            *texts = new;
        }
    }

    fn end(&mut self, who: Who, entry: &Entry<'_>, since: Revision, revision: Revision) {
        let key = entry_key(who, entry, since);
        let before = Some(entry_value(STILL));
        if since == revision {
            // There at no revision at all.
            self.put(key, before, None);
        } else {
            self.put(key, before, Some(entry_value(revision)));
            self.put(ended_key(who, entry, since, revision), None, Some(IVec::default()));
        }
    }

    /// The writes, and the digest of the index after them: entries first, and only then what says that a user has them; both
    /// so that they fill the leaves of sled, with the pieces of a user's row together.
    pub(super) fn rows(self, mut digest: Digest) -> (IndexRows, Digest) {
        let mut rows = Vec::with_capacity(self.rows.len() + self.users.len());
        let mut write = |key: Vec<u8>, before: Option<&[u8]>, after: Option<IVec>| {
            if before == after.as_deref() {
                return;
            }
            if let Some(before) = before {
                digest = digest.minus(index_row(&key, before));
            }
            if let Some(after) = &after {
                digest = digest.plus(index_row(&key, after));
            }
            rows.push((key, after));
        };
        for (key, row) in filling(self.rows.into_iter().collect()) {
            write(key, row.before.as_deref(), row.after);
        }
        for (who, (before, after)) in filling(self.users.into_iter().collect()) {
            if before == after {
                continue;
            }
            let row = |texts: &UserTexts| if texts.is_empty() { Vec::new() } else { texts.encode() };
            let (before, after) = (row(&before), row(&after));
            let (mut old, mut new) = (before.chunks(CHUNK_BYTES), after.chunks(CHUNK_BYTES));
            for position in 0.. {
                let (old, new) = (old.next(), new.next());
                if old.is_none() && new.is_none() {
                    break;
                }
                write(chunk_key(who, position), old, new.map(IVec::from));
            }
        }
        (rows, digest)
    }
}

impl UserIndex {
    /// Marks the tree as an index of this format.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        self.0.insert(keys::FORMAT_KEY, FORMAT).map(|_| ()).map_err(engine)
    }

    /// Whether the tree is an index of this format.
    pub(super) fn is_begun(&self) -> Result<bool, StoreError> {
        Ok(self.0.get(keys::FORMAT_KEY).map_err(engine)?.is_some_and(|format| &*format == FORMAT))
    }

    /// What the index holds of a user.
    fn user(&self, who: Who) -> Result<UserTexts, StoreError> {
        let mut row = Vec::new();
        for item in self.0.scan_prefix(user_key(who)) {
            row.extend_from_slice(&item.map_err(engine)?.1);
        }
        if row.is_empty() {
            return Ok(UserTexts::default());
        }
        UserTexts::decode(&row).ok_or_else(|| damaged("the row of a user cannot be read"))
    }

    /// Takes some records of a change into what is to be written. Doing so again after a part of them was written
    /// changes nothing. Cost: a look-up for each user, and what its texts take.
    ///
    /// A large change is written a part at a time, all users before all profiles. A user who has both in it is taken in with
    /// the profile: otherwise every user would be written twice, first as one without a name.
    ///
    /// `is_first`: nothing of the change can have been written. Then there is nothing to look up of users that it creates.
    pub(super) fn add(
        &self,
        pending: &mut Pending,
        records: &[RecordChange],
        change: &Change,
        is_first: bool,
    ) -> Result<(), StoreError> {
        let in_change = |key: &Key| {
            let place = change.records.binary_search_by(|record| record.key.cmp(key)).ok()?;
            change.records.get(place)
        };
        for record in records {
            let Some((who, found)) = source(&record.key, record.after.as_ref()) else { continue };
            let (account, user) = who;
            // Found in one order or not at all: what is left for the profile is found again from it.
            let is_found = || in_change(&record.key).is_some();
            let profile = || in_change(&Key::Profile { account, user });
            if matches!(found, Source::User(_)) && is_found() && profile().is_some() {
                continue;
            }
            let of_user = match found {
                Source::User(_) => Some(record),
                Source::Profile(_) => in_change(&Key::User { account, user }),
            };
            let is_new = |of: &RecordChange| of.before.is_none();
            if is_first && matches!(found, Source::Profile(_)) && is_new(record) && of_user.is_some_and(is_new) {
                // The index has nothing of somebody who has neither of the two.
                pending.users.entry(who).or_default();
            } else {
                self.touch(pending, who)?;
            }
            match of_user {
                Some(of_user) if matches!(found, Source::Profile(_)) => {
                    pending.set(who, &[Source::User(of_user.after.as_ref()), found], change.revision);
                }
                _ => pending.set(who, &[found], change.revision),
            }
        }
        Ok(())
    }

    fn touch(&self, pending: &mut Pending, who: Who) -> Result<(), StoreError> {
        if let std::collections::btree_map::Entry::Vacant(user) = pending.users.entry(who) {
            let texts = self.user(who)?;
            user.insert((texts.clone(), texts));
        }
        Ok(())
    }

    /// Takes entries that ended at or before `oldest` out, looking at no more than `limit` from `from` on, which is
    /// moved on; `None` behind the last. Cost: linear in `limit`.
    pub(super) fn prune(
        &self,
        pending: &mut Pending,
        from: &mut Option<Vec<u8>>,
        oldest: Revision,
        limit: usize,
    ) -> Result<(), StoreError> {
        let Some(start) = from.take() else { return Ok(()) };
        for item in self.0.range(start..).take(limit) {
            let (ended, _) = item.map_err(engine)?;
            *from = Some([&ended, &[0][..]].concat());
            if keys::split_ended(&ended)?.1 <= oldest {
                self.take_out(pending, &ended)?;
            }
        }
        Ok(())
    }

    /// Where [`Self::prune`] begins.
    pub(super) fn first_ended() -> Vec<u8> {
        vec![keys::ENDED]
    }

    fn take_out(&self, pending: &mut Pending, ended: &[u8]) -> Result<(), StoreError> {
        let (key, _) = keys::split_ended(ended)?;
        let value = self.0.get(&key).map_err(engine)?.ok_or_else(|| damaged("an entry that ended is missing"))?;
        pending.put(key, Some(value), None);
        pending.put(ended.to_vec(), Some(IVec::default()), None);
        Ok(())
    }

    /// Takes out what there is of a user and adds what the records say now: to be called once they are erased.
    pub(super) fn erase(&self, pending: &mut Pending, store: &SledStore, who: Who) -> Result<(), StoreError> {
        for item in self.0.scan_prefix(keys::ended_of(who)) {
            self.take_out(pending, &item.map_err(engine)?.0)?;
        }
        self.touch(pending, who)?;
        if let Some((_, texts)) = pending.users.get_mut(&who) {
            let texts = std::mem::take(texts);
            for (entry, since) in texts.entries().into_iter().zip(&texts.since) {
                pending.put(entry_key(who, &entry, *since), Some(entry_value(STILL)), None);
            }
        }
        self.derive_user(pending, store, who)
    }

    /// Sums the index up afresh. Cost: linear in it.
    pub(super) fn recompute_digest(&self) -> Result<Digest, StoreError> {
        let mut sum = Digest::default();
        for item in self.0.range(rows_of()..) {
            let (key, value) = item.map_err(engine)?;
            sum = sum.plus(index_row(&key, &value));
        }
        Ok(sum)
    }
}
