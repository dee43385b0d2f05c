//! The index built from the records and the before-images, for a state that was loaded from a snapshot.
//!
//! Each version of a user's records stood from the revision that wrote it up to the one that replaced it. Taken in in
//! the order of the revisions, as the writes once were, they give an index that is exact at every revision that the
//! before-images reach.

use std::collections::BTreeMap;

use super::{IndexWork, Pending, Source, UserIndex, Who};
use crate::{
    model::{Key, Number, Record, Revision},
    store::{
        Digest, StoreError,
        history::split,
        key_codec::{decode_key, encode_key},
        record_codec::decode_record,
        sled_store::{SledStore, engine},
    },
};

/// So many users are written together.
const BATCH_USERS: usize = 500;

/// What records of a user became: at a revision, those of the user first.
type Events = BTreeMap<(Revision, bool), Option<Record>>;

fn keys(who: Who) -> [(bool, Vec<u8>); 2] {
    let (account, user) = who;
    [(false, encode_key(&Key::User { account, user })), (true, encode_key(&Key::Profile { account, user }))]
}

/// The user that a key is of, if users are found by its record.
fn who(key: &[u8]) -> Result<Option<Who>, StoreError> {
    Ok(super::source(&decode_key(key)?, None).map(|(who, _)| who))
}

fn events(store: &SledStore, who: Who) -> Result<Events, StoreError> {
    let mut events = Events::new();
    let mut version = |is_profile, key: &[u8], value: &[u8], until: Option<Revision>| {
        let row = store.row(key, value)?;
        events.insert((row.revision, is_profile), Some(decode_record(&row.record)?));
        if let Some(until) = until {
            // Unless another version begins there.
            events.entry((until, is_profile)).or_insert(None);
        }
        Ok::<_, StoreError>(())
    };
    for (is_profile, key) in keys(who) {
        for item in store.history.scan_prefix([&key, &[0][..]].concat()) {
            let (stored, value) = item.map_err(engine)?;
            version(is_profile, &key, &value, Some(split(&stored)?.1))?;
        }
        if let Some(value) = store.state.get(&key).map_err(engine)? {
            version(is_profile, &key, &value, None)?;
        }
    }
    Ok(events)
}

impl UserIndex {
    /// Adds all that the records say of one user, of whom nothing is pending but what takes it out.
    pub(super) fn derive_user(&self, pending: &mut Pending, store: &SledStore, who: Who) -> Result<(), StoreError> {
        self.touch(pending, who)?;
        let events: Vec<_> = events(store, who)?.into_iter().collect();
        // What one change wrote is taken in at once, as it was then.
        for of_change in events.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let sources = of_change.iter().map(|((_, is_profile), record)| match is_profile {
                true => Source::Profile(record.as_ref()),
                false => Source::User(record.as_ref()),
            });
            let revision = of_change.first().map(|((revision, _), _)| *revision).unwrap_or_default();
            pending.set(who, &sources.collect::<Vec<_>>(), revision);
        }
        Ok(())
    }

    /// Fills the index, which is empty, and gives its digest. Cost: linear in the users and their before-images.
    pub(in crate::store) fn derive(&self, store: &SledStore) -> Result<Digest, StoreError> {
        let mut digest = Digest::default();
        let mut pending = Pending::default();
        let mut streams = Vec::new();
        for (_, key) in keys((Number(0), Number(0))) {
            let tag = key.get(..1).unwrap_or_default();
            let whose = |key: Result<&[u8], StoreError>| key.and_then(who).transpose();
            let current = store.state.scan_prefix(tag).keys();
            let current: Box<dyn Iterator<Item = Result<Who, StoreError>>> = Box::new(
                current
                    .filter_map(move |key| key.map_err(engine).map_or_else(|e| whose(Err(e)), |key| whose(Ok(&key)))),
            );
            let past = store.history.scan_prefix(tag).keys();
            let past: Box<dyn Iterator<Item = Result<Who, StoreError>>> = Box::new(past.filter_map(move |key| {
                let key = key.map_err(engine);
                key.map_or_else(|error| whose(Err(error)), |key| whose(split(&key).map(|(key, _)| key)))
            }));
            streams.extend([current.peekable(), past.peekable()]);
        }
        loop {
            // All four are in the order of accounts and users: the least is the next.
            let mut least = None;
            for stream in &mut streams {
                match stream.peek() {
                    Some(Ok(who)) => least = Some(least.map_or(*who, |least: Who| least.min(*who))),
                    Some(Err(_)) => return Err(stream.next().and_then(Result::err).unwrap_or(StoreError::Stopped)),
                    None => {}
                }
            }
            if least.is_none() || pending.users.len() >= BATCH_USERS {
                let rows;
                (rows, digest) = std::mem::take(&mut pending).rows(digest);
                self.write(store.meta_tree(), &IndexWork { mark: None, rows })?;
            }
            let Some(least) = least else { return Ok(digest) };
            for stream in &mut streams {
                while stream.next_if(|who| matches!(who, Ok(who) if *who == least)).is_some() {}
            }
            self.derive_user(&mut pending, store, least)?;
        }
    }
}
