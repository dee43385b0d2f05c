//! moka as the place where entries are kept: it bounds memory, and nothing else is asked of it.

use std::{
    collections::HashMap,
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

type Shares = Arc<Mutex<HashMap<Number, u64>>>;

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
                    let share = shares.entry(account).or_default();
                    *share = share.saturating_sub(u64::from(weigh(&key, &entry)));
                    if *share == 0 {
                        shares.remove(&account);
                    }
                }
            })
            .build();
        let negative = Cache::builder().max_capacity(negative_bytes).weigher(weigh::<V>).build();
        Self { entries, negative, shares, account_bytes: limits.bytes / 100 * limits.account_share }
    }

    /// How many entries there are, about.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.entry_count() + self.negative.entry_count()
    }

    /// Whether there are none, about.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Carries out what moka has put off, so that counts are right. For tests.
    pub fn settle(&self) {
        self.entries.run_pending_tasks();
        self.negative.run_pending_tasks();
    }

    /// Forgets everything. Correctness never needs it; tests and benchmarks do.
    pub fn clear(&self) {
        self.entries.invalidate_all();
        self.negative.invalidate_all();
        self.settle();
    }

    /// Whether the account of an entry has room for it. Counts the entry if so.
    fn take_share(&self, key: &[u8], entry: &Arc<Entry<V>>) -> bool {
        let Some(account) = entry.value.account() else { return true };
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(account).or_default();
        let weight = u64::from(weigh_parts(key, entry));
        if *share + weight > self.account_bytes {
            return false;
        }
        *share += weight;
        true
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
            self.negative.insert(key.into(), Arc::clone(entry));
            return;
        }
        if self.take_share(key, entry) {
            self.entries.insert(key.into(), Arc::clone(entry));
        } else {
            // What may be kept under the key is older, and would only hold its account's share.
            self.entries.invalidate(key);
        }
    }
}
