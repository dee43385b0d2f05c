//! moka as the place where entries are kept: it bounds memory, and nothing else is asked of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use moka::sync::Cache;

use super::load::{Entry, EntryMap};
use crate::model::Number;

/// What an entry weighs and where it belongs.
pub trait Weighed {
    /// Memory that is freed when the entry goes, in bytes.
    fn bytes(&self) -> usize;

    /// Whether it is about something that does not exist: such entries have a small room of their own, so that
    /// made-up ids cannot push out real ones.
    fn is_negative(&self) -> bool;

    /// The account whose share it counts to; none: only negative entries.
    fn account(&self) -> Option<Number>;
}

/// How much the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// All of it, in bytes.
    pub bytes: u64,
    /// What entries about one account may take of it where others need the rest, in per cent.
    pub account_share: u64,
    /// What entries about things that do not exist may take of it, in per cent.
    pub negative_share: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, account_share: 25, negative_share: 5 }
    }
}

/// An entry as its account's share knows it.
struct Counted {
    /// How many entries were put in before it.
    age: u64,
    weight: u64,
    /// Where it is: what is told of an entry that another has replaced since says nothing about that one.
    at: usize,
}

/// What the entries about one account come to.
#[derive(Default)]
struct Share {
    bytes: u64,
    entries: HashMap<Arc<[u8]>, Counted>,
    /// Their keys, by age.
    by_age: BTreeMap<u64, Arc<[u8]>>,
}

/// What the entries come to.
#[derive(Default)]
struct Shares {
    bytes: u64,
    of: HashMap<Number, Share>,
    /// The accounts, by what they have.
    by_bytes: BTreeSet<(u64, Number)>,
    /// How many entries were ever put in.
    count: u64,
}

/// Entries by key in moka, weighed in bytes.
pub struct MokaMap<V: Send + Sync + 'static> {
    entries: Cache<Box<[u8]>, Arc<Entry<V>>>,
    negative: Cache<Box<[u8]>, Arc<Entry<V>>>,
    shares: Arc<Mutex<Shares>>,
    /// An account that has more than this makes room for others.
    account_bytes: u64,
    /// Room has to be made where all entries have more than this: before moka makes it, which knows no accounts.
    full_bytes: u64,
}

impl<V: Weighed + Send + Sync + 'static> MokaMap<V> {
    /// An empty map.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let negative_bytes = limits.bytes / 100 * limits.negative_share;
        let entries_bytes = limits.bytes - negative_bytes;
        let shares = Arc::<Mutex<Shares>>::default();
        let listener_shares = Arc::clone(&shares);
        let entries = Cache::builder()
            .max_capacity(entries_bytes)
            .weigher(weigh::<V>)
            .eviction_listener(move |key, entry: Arc<Entry<V>>, _| {
                if let Some(account) = entry.value.account() {
                    let mut shares = listener_shares.lock().unwrap_or_else(PoisonError::into_inner);
                    shares.forget(account, &key, Some(address(&entry)));
                }
            })
            .build();
        let negative = Cache::builder().max_capacity(negative_bytes).weigher(weigh::<V>).build();
        let account_bytes = limits.bytes / 100 * limits.account_share;
        Self { entries, negative, shares, account_bytes, full_bytes: entries_bytes - entries_bytes / 16 }
    }

    /// Carries out what moka has put off, so that counts are right. For tests.
    pub fn settle(&self) {
        self.entries.run_pending_tasks();
        self.negative.run_pending_tasks();
    }

    /// Forgets everything, without waiting for the room to be free. Correctness never needs it.
    pub fn forget(&self) {
        self.entries.invalidate_all();
        self.negative.invalidate_all();
    }

    /// Forgets everything. Correctness never needs it; tests and benchmarks do.
    pub fn clear(&self) {
        self.forget();
        self.settle();
    }

    /// Counts an entry to its account's share. Gives the oldest keys that have to go for it: of that account if it has more
    /// than its share, else of the one that has the most. None as long as there is room. Cost: logarithmic in entries and
    /// accounts for each of them.
    fn take_share(&self, account: Number, key: &[u8], weight: u64, at: usize) -> Vec<Arc<[u8]>> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.take(account, key, weight, at);
        let mut leaving = Vec::new();
        while shares.bytes > self.full_bytes {
            let own = shares.of.get(&account).map_or(0, |share| share.bytes);
            let most = shares.by_bytes.last().copied();
            let payer = if own > self.account_bytes { Some((own, account)) } else { most };
            let Some((_, payer)) = payer.filter(|(bytes, _)| *bytes > self.account_bytes) else { break };
            // The entry itself is the newest, and what there is no room for beside it moka turns away.
            let oldest = shares.of.get(&payer).and_then(|share| share.by_age.first_key_value());
            let Some(oldest) = oldest.map(|(_, oldest)| Arc::clone(oldest)).filter(|oldest| **oldest != *key) else {
                break;
            };
            shares.forget(payer, &oldest, None);
            leaving.push(oldest);
        }
        leaving
    }
}

impl Shares {
    /// Counts an entry, in the place of an older one of its key.
    fn take(&mut self, account: Number, key: &[u8], weight: u64, at: usize) {
        self.forget(account, key, None);
        self.count += 1;
        let (key, age) = (Arc::<[u8]>::from(key), self.count);
        let share = self.of.entry(account).or_default();
        self.by_bytes.remove(&(share.bytes, account));
        share.by_age.insert(age, Arc::clone(&key));
        share.entries.insert(key, Counted { age, weight, at });
        share.bytes += weight;
        self.bytes += weight;
        self.by_bytes.insert((share.bytes, account));
    }

    /// An entry of an account is gone or has to go; if it is said where it was, only if it is the one that is counted.
    fn forget(&mut self, account: Number, key: &[u8], at: Option<usize>) {
        let Some(share) = self.of.get_mut(&account) else { return };
        if share.entries.get(key).is_none_or(|counted| at.is_some_and(|at| at != counted.at)) {
            return;
        }
        let Some(counted) = share.entries.remove(key) else { return };
        self.by_bytes.remove(&(share.bytes, account));
        share.by_age.remove(&counted.age);
        share.bytes = share.bytes.saturating_sub(counted.weight);
        self.bytes = self.bytes.saturating_sub(counted.weight);
        if share.entries.is_empty() {
            self.of.remove(&account);
        } else {
            self.by_bytes.insert((share.bytes, account));
        }
    }
}

/// Where an entry is, by which it is told from all others as long as somebody has it.
fn address<V>(entry: &Arc<Entry<V>>) -> usize {
    Arc::as_ptr(entry).addr()
}

/// An entry with its key, as moka keeps it: about 100 bytes of its own beside what the entry says, and as many where it is
/// counted to its account's share, with the key once more.
fn weigh_parts<V: Weighed>(key: &[u8], entry: &Arc<Entry<V>>) -> u32 {
    u32::try_from(2 * key.len() + entry.value.bytes() + entry.dependency_bytes() + 256).unwrap_or(u32::MAX)
}

#[expect(clippy::borrowed_box, reason = "moka hands out the key as it keeps it")]
fn weigh<V: Weighed>(key: &Box<[u8]>, entry: &Arc<Entry<V>>) -> u32 {
    weigh_parts(key, entry)
}

impl<V: Weighed + Send + Sync + 'static> EntryMap<V> for MokaMap<V> {
    fn get(&self, key: &[u8]) -> Option<Arc<Entry<V>>> {
        self.entries.get(key).or_else(|| self.negative.get(key))
    }

    fn insert(&self, key: &[u8], entry: &Arc<Entry<V>>) {
        if entry.value.is_negative() {
            // The other room is looked into first: what it has under this key is older.
            self.entries.invalidate(key);
            self.negative.insert(key.into(), Arc::clone(entry));
            return;
        }
        // Not under the lock on the shares: moka may call the listener, which takes it, from any of these.
        if let Some(account) = entry.value.account() {
            for oldest in self.take_share(account, key, u64::from(weigh_parts(key, entry)), address(entry)) {
                self.entries.invalidate(&*oldest);
            }
        }
        self.entries.insert(key.into(), Arc::clone(entry));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        cache::{Dependencies, LoadCache, Stamps},
        model::{Revision, Timestamp},
    };

    struct Something {
        account: u64,
        is_negative: bool,
    }

    impl Weighed for Something {
        fn bytes(&self) -> usize {
            1000
        }

        fn is_negative(&self) -> bool {
            self.is_negative
        }

        fn account(&self) -> Option<Number> {
            Some(Number(self.account))
        }
    }

    type Kept = LoadCache<Something, (), MokaMap<Something>>;

    fn cache(bytes: u64) -> Kept {
        let limits = CacheLimits { bytes, ..CacheLimits::default() };
        LoadCache::new(Arc::new(Stamps::new(Revision(0), 1)), MokaMap::new(limits))
    }

    fn put(cache: &Kept, key: u32, account: u64, is_negative: bool) {
        let mut read = |_: &Stamps, _: &mut Dependencies| Ok((Something { account, is_negative }, None));
        cache.get_or_load(&key.to_be_bytes(), Timestamp(0), |_| true, &mut read).unwrap();
    }

    fn kept(cache: &Kept, keys: std::ops::Range<u32>) -> usize {
        cache.map().settle();
        keys.filter(|key| cache.hit(&key.to_be_bytes(), Timestamp(0)).is_some()).count()
    }

    #[test]
    fn an_account_takes_all_the_room_that_nobody_needs_and_its_newest_entries_stay() {
        let cache = cache(400_000);
        for key in 0..1000 {
            put(&cache, key, 7, false);
            cache.map().settle();
        }
        let all = kept(&cache, 0..1000);
        assert!((230..=290).contains(&all), "{all} entries of about 1,270 bytes are in a room of 380,000");
        assert_eq!(kept(&cache, 990..1000), 10, "the newest stay");
        assert_eq!(kept(&cache, 0..500), 0, "the oldest go");
    }

    #[test]
    fn an_account_that_has_more_than_its_share_makes_room_for_one_that_has_not() {
        let cache = cache(400_000);
        for key in 0..1000 {
            put(&cache, key, 7, false);
        }
        cache.map().settle();
        // They were asked for often, and those of the others never.
        for _ in 0..20 {
            kept(&cache, 0..1000);
        }
        for (key, account) in (2000..2210).zip([8, 9, 10].into_iter().cycle()) {
            put(&cache, key, account, false);
            cache.map().settle();
        }
        assert_eq!(kept(&cache, 2000..2210), 210, "each of the three needs less than its share");
        let rest = kept(&cache, 0..1000);
        assert!((40..=85).contains(&rest), "{rest} entries are left, about its share of 100,000 bytes or less");
        // And the one that had all keeps to its share from then on.
        for key in 5000..6000 {
            put(&cache, key, 7, false);
            cache.map().settle();
        }
        assert_eq!(kept(&cache, 2000..2210), 210);
        assert_eq!(kept(&cache, 5990..6000), 10, "its newest stay");
    }

    #[test]
    fn an_account_whose_entries_are_only_read_makes_room_all_the_same() {
        let cache = cache(400_000);
        for (keys, account) in [(0..140, 7), (1000..1130, 8), (2000..2070, 9)] {
            for key in keys {
                put(&cache, key, account, false);
                cache.map().settle();
            }
        }
        for _ in 0..20 {
            kept(&cache, 0..140);
        }
        for key in 3000..3070 {
            put(&cache, key, 10, false);
            cache.map().settle();
        }
        let found = [0..140, 1000..1130, 2000..2070, 3000..3070].map(|keys| kept(&cache, keys));
        assert!(found[0] <= 85 && found[1] <= 85, "{found:?}: the first two had more than their shares");
        assert_eq!(found[2..], [70, 70], "the others have less");
    }

    #[test]
    fn an_entry_that_is_put_in_over_and_over_is_counted_once_and_pushes_out_nothing() {
        let cache = cache(400_000);
        for key in 0..50 {
            put(&cache, key, 7, false);
        }
        for _ in 0..5000 {
            let again = Entry::new(Something { account: 7, is_negative: false }, Revision(0));
            cache.map().insert(&1u32.to_be_bytes(), &Arc::new(again));
        }
        assert_eq!(kept(&cache, 0..50), 50);
        let shares = cache.map().shares.lock().unwrap();
        let share = shares.of.get(&Number(7)).unwrap();
        assert_eq!((shares.of.len(), share.entries.len(), share.by_age.len()), (1, 50, 50));
        assert_eq!((shares.bytes, shares.by_bytes.len()), (share.bytes, 1));
    }

    #[test]
    fn what_is_counted_is_what_is_kept_after_many_threads_put_in_and_forgot() {
        let cache = cache(400_000);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let map = cache.map();
                scope.spawn(move || {
                    for round in 0..3000_u64 {
                        let (key, account) = (((round * 7 + thread) % 500) as u32, round % 5);
                        let entry = Entry::new(Something { account, is_negative: false }, Revision(0));
                        map.insert(&[&account.to_be_bytes()[..], &key.to_be_bytes()].concat(), &Arc::new(entry));
                        if round % 1000 == 999 {
                            map.forget();
                        }
                    }
                });
            }
        });
        cache.map().settle();
        let shares = cache.map().shares.lock().unwrap();
        let counted: u64 = shares.of.values().map(|share| share.bytes).sum();
        assert_eq!((shares.bytes, shares.by_bytes.len()), (counted, shares.of.len()));
        let entries: usize = shares.of.values().map(|share| share.entries.len()).sum();
        // Two that put in the same at the same moment may leave one that is kept and not counted.
        let kept = cache.map().entries.entry_count();
        assert!(entries as u64 <= kept && kept <= entries as u64 + 50, "{entries} are counted and {kept} kept");
        drop(shares);
        cache.map().clear();
        assert_eq!(cache.map().shares.lock().unwrap().of.len(), 0, "nothing is counted once all is forgotten");
    }

    #[test]
    fn made_up_ids_take_their_small_room_and_push_out_nothing_else() {
        let cache = cache(1_000_000);
        for key in 0..100 {
            put(&cache, key, 1, false);
        }
        for key in 1000..5000 {
            put(&cache, key, 2, true);
            cache.map().settle();
        }
        assert_eq!(kept(&cache, 0..100), 100);
        assert!(kept(&cache, 1000..5000) <= 50);
    }

    #[test]
    fn what_has_ceased_to_exist_is_kept_as_that() {
        let cache = cache(1_000_000);
        put(&cache, 1, 1, false);
        let kept = cache.hit(&1u32.to_be_bytes(), Timestamp(0)).unwrap();
        let gone = Entry::new(Something { account: 1, is_negative: true }, kept.revision);
        cache.map().insert(&1u32.to_be_bytes(), &Arc::new(gone));
        cache.map().settle();
        assert!(cache.hit(&1u32.to_be_bytes(), Timestamp(0)).unwrap().value.is_negative);
    }
}
