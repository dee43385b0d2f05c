//! moka as the place where entries are kept: it bounds memory, and nothing else is asked of it.

use std::{
    collections::{HashMap, VecDeque},
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
    /// What entries about one account may take of it, in per cent.
    pub account_share: u64,
    /// What entries about things that do not exist may take of it, in per cent.
    pub negative_share: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, account_share: 25, negative_share: 5 }
    }
}

/// What the entries about one account come to.
#[derive(Default)]
struct Share {
    bytes: u64,
    entries: usize,
    /// Their keys, the oldest first; some of them may be gone from the cache already.
    keys: VecDeque<Arc<[u8]>>,
}

type Shares = Arc<Mutex<HashMap<Number, Share>>>;

/// Entries by key in moka, weighed in bytes.
pub struct MokaMap<V: Send + Sync + 'static> {
    entries: Cache<Box<[u8]>, Arc<Entry<V>>>,
    negative: Cache<Box<[u8]>, Arc<Entry<V>>>,
    shares: Shares,
    account_bytes: u64,
}

impl<V: Weighed + Send + Sync + 'static> MokaMap<V> {
    /// An empty map.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let negative_bytes = limits.bytes / 100 * limits.negative_share;
        let shares = Shares::default();
        let listener_shares = Arc::clone(&shares);
        let entries = Cache::builder()
            .max_capacity(limits.bytes - negative_bytes)
            .weigher(weigh::<V>)
            .eviction_listener(move |key, entry: Arc<Entry<V>>, _| {
                if let Some(account) = entry.value.account() {
                    let mut shares = listener_shares.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(share) = shares.get_mut(&account) {
                        share.bytes = share.bytes.saturating_sub(u64::from(weigh(&key, &entry)));
                        share.entries = share.entries.saturating_sub(1);
                        if share.entries == 0 {
                            shares.remove(&account);
                        }
                    }
                }
            })
            .build();
        let negative = Cache::builder().max_capacity(negative_bytes).weigher(weigh::<V>).build();
        Self { entries, negative, shares, account_bytes: limits.bytes / 100 * limits.account_share }
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

    /// Counts an entry to its account's share. Gives the oldest keys of that account that have to go for it.
    fn take_share(&self, account: Number, key: &[u8], weight: u64) -> Vec<Arc<[u8]>> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(account).or_default();
        share.bytes += weight;
        share.entries += 1;
        if share.keys.len() > 2 * share.entries + 64 {
            // Most of the keys are gone from the cache, or stand here twice.
            share.keys.retain(|key| self.entries.contains_key(&**key));
        }
        share.keys.push_back(key.into());
        let mut leaving = Vec::new();
        let mut over = share.bytes.saturating_sub(self.account_bytes);
        while over > 0 && share.keys.len() > 1 {
            let Some(oldest) = share.keys.pop_front() else { break };
            // What it really weighs is taken off when it is evicted; this is how many have to be asked to go.
            over = over.saturating_sub(weight);
            leaving.push(oldest);
        }
        leaving
    }
}

/// An entry with its key, as moka keeps it: about 100 bytes of its own beside what the entry says.
fn weigh_parts<V: Weighed>(key: &[u8], entry: &Arc<Entry<V>>) -> u32 {
    u32::try_from(key.len() + entry.value.bytes() + entry.dependency_bytes() + 160).unwrap_or(u32::MAX)
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
            for oldest in self.take_share(account, key, u64::from(weigh_parts(key, entry))) {
                if *oldest != *key {
                    self.entries.invalidate(&*oldest);
                }
            }
        }
        self.entries.insert(key.into(), Arc::clone(entry));
    }
}

#[cfg(test)]
mod tests {
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
    fn an_account_keeps_to_its_share_and_its_newest_entries_stay() {
        let cache = cache(400_000);
        for key in 0..1000 {
            put(&cache, key, 7, false);
            cache.map().settle();
        }
        let all = kept(&cache, 0..1000);
        assert!((60..=100).contains(&all), "{all} entries of about 1,170 bytes are in a share of 100,000");
        assert_eq!(kept(&cache, 990..1000), 10, "the newest stay");
        assert_eq!(kept(&cache, 0..500), 0, "the oldest go");
        for key in 2000..2050 {
            put(&cache, key, 8, false);
        }
        assert_eq!(kept(&cache, 2000..2050), 50, "another account has its own share");
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
