//! Changes that are in force before the state has them.
//!
//! A change counts once the journal has it. The state takes it in afterwards, on a thread of its own, while the next
//! changes are planned and journaled; until then reads find it here, laid over the state. So a change is in force as soon
//! as it is durable, whatever the state is busy with, and a crash loses nothing that the journal does not bring back.
//!
//! A read looks here first and into the state afterwards, and a change leaves here only when the state has it whole. So
//! whatever was in force when a read began is found in one of the two. Read [`WriteBehind`], then `Ahead`.

use std::{
    collections::BTreeSet,
    iter::Peekable,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

use super::{At, Head, Store, StoreError, UserText, Versions, View, user_texts};
use crate::model::{Change, Key, KeyRange, Number, Record, Revision, Stamped};

/// How many groups may be ahead of the state: one that it takes in, and one that waits.
const MOST_AHEAD: usize = 2;
/// The state takes a second for a group of ordinary changes and a minute for the largest that are sent. One that has
/// taken this long will not come back: sled 0.34 can wait for itself for ever while it shrinks its file (spacejam/sled, pull
/// request 1269).
const PATIENCE: Duration = Duration::from_secs(600);

/// Changes that go through the journal together, with what is needed to read them. Size: theirs, and 8 bytes for each
/// record.
pub struct Group {
    changes: Vec<Change>,
    /// Each record by its change and its place in it, in the order of keys, and of revisions for a key.
    order: Vec<(u32, u32)>,
    after: Head,
}

/// What the state does not have yet.
struct Ahead {
    /// The oldest first; their revisions follow one another.
    groups: Vec<Arc<Group>>,
    /// Where the last of them leads.
    head: Head,
}

/// A state, and in front of it the changes that it has yet to take in. Nobody else may apply changes to it.
pub struct WriteBehind {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<dyn Store>,
    /// What readers see. Changed under the lock of `steps` alone.
    ahead: ArcSwap<Ahead>,
    steps: Mutex<Steps>,
    moved: Condvar,
    patience: Duration,
}

#[derive(Default)]
struct Steps {
    /// No more groups come.
    is_ended: bool,
    /// The state could not take in a group. What is ahead stays so until a restart.
    has_failed: bool,
    /// Nor does it say that it cannot.
    is_stuck: bool,
    /// Since when the state has been taking in a group.
    since: Option<Instant>,
}

impl Steps {
    fn stop(&mut self) {
        if !self.has_failed {
            tracing::error!("the state does not take in what is durable; writing stops until a restart");
        }
        (self.has_failed, self.is_stuck) = (true, true);
    }
}

impl Group {
    fn new(head: Head, changes: Vec<Change>) -> Self {
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(changes.iter().map(|change| change.records.len()).sum());
        for (number, change) in changes.iter().enumerate() {
            order.extend((0..change.records.len()).map(|record| (place(number), place(record))));
        }
        let after = changes.iter().fold(head, Head::after);
        let mut group = Self { changes, order: Vec::new(), after };
        // A stable sort: of one key the older change stays in front.
        order.sort_by(|one, other| group.key(*one).cmp(&group.key(*other)));
        group.order = order;
        group
    }

    /// The changes, in their order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How far the state has come after the last of them.
    #[must_use]
    pub fn after(&self) -> Head {
        self.after
    }

    fn record(&self, (change, record): (u32, u32)) -> Option<(&Key, Revision, Option<&Record>)> {
        let change = self.changes.get(change as usize)?;
        let record = change.records.get(record as usize)?;
        Some((&record.key, change.revision, record.after.as_ref()))
    }

    fn key(&self, place: (u32, u32)) -> Option<&Key> {
        self.record(place).map(|(key, ..)| key)
    }

    /// What a revision has of a key, if the group changed it by then.
    fn get(&self, key: &Key, at: Revision) -> Option<Option<Stamped<Record>>> {
        let is_before =
            |place: &(u32, u32)| self.record(*place).is_some_and(|(there, revision, _)| (there, revision) <= (key, at));
        let last = self.order.partition_point(is_before).checked_sub(1)?;
        let (there, revision, after) = self.record(*self.order.get(last)?)?;
        (there == key).then(|| after.map(|value| Stamped { revision, value: value.clone() }))
    }

    /// The records of a range from a key on, in their order, each key as often as it was changed.
    fn run<'a>(
        &'a self,
        range: KeyRange,
        from: &Key,
    ) -> impl Iterator<Item = (&'a Key, Revision, Option<&'a Record>)> + use<'a> {
        let first = self.order.partition_point(|place| self.key(*place).is_some_and(|key| key < from));
        let places = self.order.get(first..).unwrap_or_default();
        places.iter().filter_map(|place| self.record(*place)).take_while(move |(key, ..)| range.contains(key))
    }
}

impl Ahead {
    /// What a revision has of a key, if that is ahead of the state.
    fn get(&self, key: &Key, at: Revision) -> Option<Option<Stamped<Record>>> {
        self.groups.iter().rev().find_map(|group| group.get(key, at))
    }

    /// What a revision has of the keys of a range that are ahead of the state, beginning behind a key.
    fn over<'a>(&'a self, range: KeyRange, after: Option<&'a Key>, at: Revision) -> Over<'a> {
        let first = range.first_key();
        let from = after.unwrap_or(&first);
        let run = |group: &'a Arc<Group>| {
            let run = group.run(range, from).filter(move |(key, ..)| Some(*key) != after);
            (Box::new(run) as Run<'a>).peekable()
        };
        Over { runs: self.groups.iter().map(run).collect(), at }
    }

    /// Users of an account who are changed ahead of the state, by a revision.
    fn users(&self, account: Number, at: Revision) -> BTreeSet<Number> {
        let mut users = BTreeSet::new();
        for range in [KeyRange::Users(account), KeyRange::Profiles(account)] {
            for (key, revision, _) in self.groups.iter().flat_map(|group| group.run(range, &range.first_key())) {
                if let Key::User { user, .. } | Key::Profile { user, .. } = key
                    && revision <= at
                {
                    users.insert(*user);
                }
            }
        }
        users
    }
}

type Run<'a> = Box<dyn Iterator<Item = (&'a Key, Revision, Option<&'a Record>)> + 'a>;

/// The keys of a range with what a revision has of them, from several groups.
struct Over<'a> {
    runs: Vec<Peekable<Run<'a>>>,
    at: Revision,
}

impl<'a> Iterator for Over<'a> {
    type Item = (&'a Key, Option<Stamped<Record>>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.runs.iter_mut().filter_map(|run| run.peek().map(|(key, ..)| *key)).min()?;
            let mut newest = None;
            // From the oldest group to the newest: what is found last is what counts.
            for run in &mut self.runs {
                while let Some((_, revision, after)) = run.next_if(|(there, ..)| *there == key) {
                    if revision <= self.at {
                        newest = Some(after.map(|value| Stamped { revision, value: value.clone() }));
                    }
                }
            }
            if let Some(newest) = newest {
                return Some((key, newest));
            }
        }
    }
}

impl Shared {
    fn steps(&self) -> MutexGuard<'_, Steps> {
        // Changed in single steps.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, group: Arc<Group>) {
        let _steps = self.steps();
        let ahead = self.ahead.load();
        let head = group.after;
        let groups = ahead.groups.iter().cloned().chain([group]).collect();
        self.ahead.store(Arc::new(Ahead { groups, head }));
        self.moved.notify_all();
    }

    /// Has the state take in the oldest group. Gives whether it did.
    fn apply(&self, group: &Group) -> bool {
        // sled can panic on what it cannot do.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.store.apply(&group.changes)))
            .unwrap_or_else(|_| Err(StoreError::Engine("applying changes ended abnormally".to_owned())));
        let mut steps = self.steps();
        match &outcome {
            Ok(()) => {
                steps.since = None;
                let ahead = self.ahead.load();
                let groups = ahead.groups.iter().skip(1).cloned().collect();
                self.ahead.store(Arc::new(Ahead { groups, head: ahead.head }));
            }
            Err(error) => {
                tracing::error!(%error, "the state cannot take in what is durable; writing stops until a restart");
                (steps.since, steps.has_failed) = (None, true);
            }
        }
        self.moved.notify_all();
        outcome.is_ok()
    }

    /// Has the state take in group after group, until no more come or one fails.
    fn run(&self) {
        loop {
            let next = {
                let none = |steps: &mut Steps| !steps.is_ended && self.ahead.load().groups.is_empty();
                let mut steps = self.moved.wait_while(self.steps(), none).unwrap_or_else(PoisonError::into_inner);
                let next = self.ahead.load().groups.first().cloned();
                steps.since = next.is_some().then(Instant::now);
                next
            };
            // None: there is nothing left, and nothing comes.
            let Some(group) = next else { return };
            if !self.apply(&group) {
                return;
            }
        }
    }
}

impl WriteBehind {
    /// A state with nothing in front of it, and a thread that will take in what comes.
    ///
    /// # Errors
    /// What the operating system says if it has no thread left.
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<Self> {
        Self::with_patience(store, PATIENCE)
    }

    /// The same with a state that may take so long for a group.
    pub(super) fn with_patience(store: Arc<dyn Store>, patience: Duration) -> std::io::Result<Self> {
        let behind = Self::without_thread(store, patience);
        let shared = Arc::clone(&behind.shared);
        let thread = std::thread::Builder::new().name("rolecall-state".to_owned()).spawn(move || shared.run())?;
        *behind.thread() = Some(thread);
        Ok(behind)
    }

    fn without_thread(store: Arc<dyn Store>, patience: Duration) -> Self {
        let ahead = ArcSwap::from_pointee(Ahead { groups: Vec::new(), head: store.head() });
        let shared = Shared { store, ahead, steps: Mutex::default(), moved: Condvar::new(), patience };
        Self { shared: Arc::new(shared), thread: Mutex::new(None) }
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes that follow the head, made ready to be put here. Cost: linear in them.
    #[must_use]
    pub fn group(&self, changes: Vec<Change>) -> Group {
        Group::new(self.head(), changes)
    }

    /// Waits until there is room for one more group: as long as the state takes for one, at most.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if the state takes in nothing more, or has not for ten minutes.
    pub fn make_room(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let is_full = |steps: &mut Steps| !steps.has_failed && shared.ahead.load().groups.len() >= MOST_AHEAD;
        let waited = shared.moved.wait_timeout_while(shared.steps(), shared.patience, is_full);
        let (mut steps, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            steps.stop();
        }
        if steps.has_failed { Err(StoreError::Stopped) } else { Ok(()) }
    }

    /// Puts changes in force that are durable. From here on reads find them. Cost: constant.
    pub fn put(&self, group: Arc<Group>) {
        self.shared.put(group);
    }

    /// Whether the state could not take in what it was to, or has not for ten minutes, whoever waits for it.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let mut steps = self.shared.steps();
        if steps.since.is_some_and(|since| since.elapsed() >= self.shared.patience) {
            steps.stop();
        }
        steps.has_failed
    }

    /// Waits until the state has taken in everything, unless it is stuck, and ends the thread. Nothing may be put here any more.
    pub fn stop(&self) {
        let is_stuck = {
            let mut steps = self.shared.steps();
            steps.is_ended = true;
            steps.is_stuck
        };
        self.shared.moved.notify_all();
        if let Some(thread) = self.thread().take().filter(|_| !is_stuck) {
            // What can panic in it is caught there.
            let _ = thread.join();
        }
    }

    /// What is stored, with what is ahead of it, in the order of keys. `stored` reads so many records behind a key.
    fn merged(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
        stored: impl Fn(Option<&Key>, usize) -> Result<Vec<(Key, Stamped<Record>)>, StoreError>,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        // Before the state is read: what leaves meanwhile is there.
        let ahead = self.shared.ahead.load();
        let mut over = ahead.over(range, after, at).peekable();
        if over.peek().is_none() {
            return stored(after, limit);
        }
        let mut found: Vec<(Key, Stamped<Record>)> = Vec::new();
        let mut from = after.cloned();
        while found.len() < limit {
            let wanted = limit - found.len();
            let piece = stored(from.as_ref(), wanted)?;
            let is_last = piece.len() < wanted;
            from = piece.last().map(|(key, _)| key.clone());
            for (key, record) in piece {
                while let Some((before, newer)) = over.next_if(|(before, _)| **before < key) {
                    found.extend(newer.map(|record| (before.clone(), record)));
                }
                match over.next_if(|(same, _)| **same == key) {
                    Some((_, newer)) => found.extend(newer.map(|record| (key, record))),
                    None => found.push((key, record)),
                }
            }
            if is_last {
                let left = limit.saturating_sub(found.len());
                found.extend(over.filter_map(|(key, newer)| Some((key.clone(), newer?))).take(left));
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// Later than every revision.
const NOW: Revision = Revision(u64::MAX);

impl View for WriteBehind {
    fn get(&self, key: &Key) -> Result<Option<Stamped<Record>>, StoreError> {
        let ahead = self.shared.ahead.load().get(key, NOW);
        ahead.map_or_else(|| self.shared.store.get(key), Ok)
    }

    fn scan(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.merged(range, after, limit, NOW, |after, limit| self.shared.store.scan(range, after, limit))
    }
}

impl Versions for WriteBehind {
    fn as_versions(&self) -> &dyn Versions {
        self
    }

    fn head(&self) -> Head {
        self.shared.ahead.load().head
    }

    fn get_at(&self, key: &Key, at: Revision) -> Result<Option<Stamped<Record>>, StoreError> {
        let ahead = self.shared.ahead.load().get(key, at);
        ahead.map_or_else(|| self.shared.store.get_at(key, at), Ok)
    }

    fn scan_at(
        &self,
        range: KeyRange,
        after: Option<&Key>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
        self.merged(range, after, limit, at, |after, limit| self.shared.store.scan_at(range, after, limit, at))
    }

    fn oldest(&self) -> Revision {
        self.shared.store.oldest()
    }

    /// As the state's. Cost: linear in the users of the account that are ahead of it too.
    fn find_users(
        &self,
        account: Number,
        by: UserText,
        prefix: &str,
        after: Option<(&str, Number)>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<(String, Number)>, StoreError> {
        let users = self.shared.ahead.load().users(account, at);
        if users.is_empty() {
            return self.shared.store.find_users(account, by, prefix, after, limit, at);
        }
        let view = At { store: self, revision: at };
        let mut found = BTreeSet::new();
        for user in &users {
            let first = user_texts::first(&view, account, *user, by, prefix)?.map(|text| (text, *user));
            found.extend(first.filter(|(text, user)| after.is_none_or(|after| (text.as_str(), *user) > after)));
        }
        // Of the others the state knows everything.
        let mut last = after.map(|(text, user)| (text.to_owned(), user));
        let mut stored = 0;
        while stored < limit {
            let after = last.as_ref().map(|(text, user)| (text.as_str(), *user));
            let piece = self.shared.store.find_users(account, by, prefix, after, limit, at)?;
            let is_last = piece.len() < limit;
            last = piece.last().cloned();
            for each in piece.into_iter().filter(|(_, user)| !users.contains(user)) {
                stored += 1;
                found.insert(each);
            }
            if is_last {
                break;
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }
}
