//! Where each name's answer is, in few bytes: names in a ring of words, found through a table of buckets.
//!
//! A name that is put in is written at the ring's head; when the ring is full, the oldest names make room. A bucket is
//! eight words that each say where a name stands in the ring. What is found is never trusted: its stamps decide whether it
//! holds. So a name may be forgotten at any time, and only one thing must never happen: that the words of one name are
//! read with those of another. A reader therefore looks at its bucket again after the last word, and a writer takes
//! a name out of its bucket before it writes over the first word of it.
//!
//! After the lossy index and the circular log of H. Lim, D. Han, D. G. Andersen, M. Kaminsky: "MICA: A Holistic Approach
//! to Fast In-Memory Key-Value Storage", NSDI 2014.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
};

use foldhash::quality::SeedableRandomState;

use super::sync::{AtomicU64, Mutex, Ordering, lock, zeroes};
use crate::model::{MAX_ID_BYTES, Revision};

/// An account: 48 bits of a hash of its name. Two accounts can have the same, so whoever finds something compares the
/// account's name too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u64);

/// Whose name it is, and so what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// A user of an account.
    Users(Owner),
    /// A service account of an account.
    ServiceAccounts(Owner),
}

/// What a name stands for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// What it stands for: less than [`Mapped::LIMIT`].
    pub target: u64,
    /// The revision at which it was found out: less than [`Mapped::LIMIT`].
    pub revision: Revision,
    /// The slots of what it alone depends on.
    pub slots: [u16; 2],
}

impl Mapped {
    /// Targets and revisions are less than this, or are not kept.
    pub const LIMIT: u64 = 1 << 48;
}

/// Words of a bucket. One line of the processor's cache.
const WAYS: usize = 8;
/// Words before those of the name.
const HEADER: usize = 3;
const LONGEST: usize = HEADER + MAX_ID_BYTES.div_ceil(8);
/// How many buckets are in use at first, by how much they grow, and up to where they grow so: then all are, because from
/// there on every name that is known would be noted anew too many times, or at a time when there are too many.
#[cfg(not(feature = "shuttle"))]
const FIRST_BUCKETS: u64 = 512;
#[cfg(feature = "shuttle")]
const FIRST_BUCKETS: u64 = 1;
const GROWTH: u64 = 8;
const LAST_BUCKETS: u64 = 4096;
/// How many names one that comes may let stay in the room that it needs.
const STAYING: usize = 1024;
/// What the names of one account may take of the ring, in per cent.
const ACCOUNT_SHARE: usize = 25;

/// A word of a bucket, from the top: where in the ring (32 bits), in which round of it (16), part of the name's hash (15),
/// whether it was asked for since the ring's hand last passed (1). Nothing stands in round 0: an empty word is 0.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pointer(u64);

impl Pointer {
    const ASKED: u64 = 1;

    fn new(offset: usize, round: u16, tag: u64) -> Self {
        Self((offset as u64) << 32 | u64::from(round) << 16 | tag << 1)
    }

    fn offset(self) -> usize {
        (self.0 >> 32) as usize
    }

    fn tag(self) -> u64 {
        self.0 >> 1 & 0x7fff
    }

    fn was_asked(self) -> bool {
        self.0 & Self::ASKED != 0
    }

    fn is(self, other: Self) -> bool {
        (self.0 ^ other.0) & !Self::ASKED == 0
    }
}

/// The table. Size: as it was told, in few bytes for each name: 24, and those of the name rounded up to 8, and about 12.
pub struct CompactTable {
    /// Buckets, one after another.
    pointers: Box<[AtomicU64]>,
    /// How many of the first words are left out, so that each bucket is one line of the processor's cache.
    skipped: usize,
    buckets: usize,
    /// How many of the buckets, from the first on, are in use: a small table stands in few pages of memory.
    used: AtomicU64,
    ring: Box<[AtomicU64]>,
    writer: Mutex<Writer>,
    hasher: SeedableRandomState,
}

/// Where the ring is written. What stands in `[hand, end)` is older than all else; `[head, hand)` is free.
struct Writer {
    head: usize,
    hand: usize,
    end: usize,
    round: u16,
    is_full: bool,
    /// How many words of the ring each account has, what is forgotten there counted too.
    words: HashMap<u64, usize>,
    names: usize,
}

/// A name with its hash.
#[derive(Clone, Copy)]
struct Name<'a> {
    header: u64,
    id: &'a [u8],
    hash: u64,
}

impl Owner {
    /// Any 48 bits. For tests, which choose them.
    #[cfg(test)]
    pub(super) fn of(number: u64) -> Self {
        Self(number & (Mapped::LIMIT - 1))
    }
}

impl Space {
    /// The first word of a name: the account, what kind of name it is, and how long.
    fn header(self, id: &[u8]) -> Option<u64> {
        let (kind, owner) = match self {
            Self::Users(owner) => (1, owner),
            Self::ServiceAccounts(owner) => (2, owner),
        };
        (id.len() <= MAX_ID_BYTES).then_some(owner.0 << 16 | kind << 8 | id.len() as u64)
    }
}

/// How many words a name of this header takes in the ring.
fn length(header: u64) -> usize {
    HEADER + ((header & 0xff) as usize).div_ceil(8)
}

/// The words of an id.
fn words(id: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (whole, rest) = id.as_chunks::<8>();
    whole.iter().map(|bytes| u64::from_le_bytes(*bytes)).chain((!rest.is_empty()).then(|| last_word(rest)))
}

/// The word of the last few bytes of an id.
fn last_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two overlap in bytes that are the same in both.
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (bytes.len() - 4))
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl CompactTable {
    /// An empty table that takes this many bytes at most; memory is taken as it fills. `seed`: a number that outsiders
    /// cannot guess, so that nobody can choose names that push each other out.
    #[must_use]
    pub fn new(bytes: usize, seed: u64) -> Self {
        // For names of up to 16 bytes, and buckets filled to two thirds: 5 words in the ring, 3/2 in buckets.
        let buckets = (bytes / 8 * 3 / 13 / WAYS).max(1);
        let ring = (bytes / 8).saturating_sub(buckets * WAYS).clamp(2 * LONGEST, u32::MAX as usize);
        Self::of_size(buckets, ring, seed)
    }

    /// A table of so many buckets, and a ring of so many words: of at least two names.
    pub(super) fn of_size(buckets: usize, ring: usize, seed: u64) -> Self {
        let pointers = zeroes(buckets * WAYS + WAYS);
        let skipped = (pointers.as_ptr().addr() / 8).wrapping_neg() % WAYS;
        let writer =
            Writer { head: 0, hand: ring, end: ring, round: 1, is_full: false, words: HashMap::new(), names: 0 };
        Self {
            pointers,
            skipped,
            buckets,
            used: AtomicU64::new(FIRST_BUCKETS.min(buckets as u64)),
            ring: zeroes(ring),
            writer: Mutex::new(writer),
            hasher: SeedableRandomState::with_seed(seed, foldhash::SharedSeed::global_fixed()),
        }
    }

    /// The account of this name.
    #[must_use]
    pub fn owner(&self, account: &str) -> Owner {
        Owner(self.hash(account.len() as u64, words(account.as_bytes())) >> 16)
    }

    #[inline]
    fn name<'a>(&self, space: Space, id: &'a [u8]) -> Option<Name<'a>> {
        let header = space.header(id)?;
        Some(Name { header, id, hash: self.hash(header, words(id)) })
    }

    #[inline]
    fn hash(&self, header: u64, words: impl Iterator<Item = u64>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(header);
        words.for_each(|word| hasher.write_u64(word));
        hasher.finish()
    }

    /// The two buckets in which a name can be.
    fn buckets_of(&self, hash: u64) -> impl Iterator<Item = &[AtomicU64; WAYS]> {
        let used = self.used.load(Ordering::Acquire);
        // The upper bits choose the first, all of them mixed the second; the tag is made of the lowest.
        [true, false].into_iter().filter_map(move |is_first| {
            let mixed = (hash ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
            let chosen = u128::from(if is_first { hash } else { mixed });
            let bucket = ((chosen * u128::from(used)) >> 64) as usize;
            let first = self.skipped + bucket * WAYS;
            self.pointers.get(first..)?.first_chunk()
        })
    }

    /// What a name stands for, if it is known. Cost: two lines of memory if it is; no lock, no wait.
    pub fn get(&self, space: Space, id: &[u8]) -> Option<Mapped> {
        let name = self.name(space, id)?;
        let tag = tag(name.hash);
        for bucket in self.buckets_of(name.hash) {
            for word in bucket {
                let pointer = Pointer(word.load(Ordering::Acquire));
                if pointer.0 != 0
                    && pointer.tag() == tag
                    && let Some(found) = self.found(pointer, word, name)
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// What a word of a bucket, which said so, leads to, if that is this name.
    #[inline]
    fn found(&self, pointer: Pointer, word: &AtomicU64, name: Name<'_>) -> Option<Mapped> {
        let found = self.read(pointer, name)?;
        // Each of its words was read before this: if it still stands where it stood, they were all its own.
        let now = Pointer(word.load(Ordering::Acquire));
        if !now.is(pointer) {
            return None;
        }
        if !now.was_asked() {
            // Another thread may have changed it meanwhile; then this is not worth another attempt.
            let asked = now.0 | Pointer::ASKED;
            let _ = word.compare_exchange(now.0, asked, Ordering::Relaxed, Ordering::Relaxed);
        }
        Some(found)
    }

    /// The words that a pointer leads to, if they are those of a name. They may be written over meanwhile.
    #[inline]
    fn read(&self, pointer: Pointer, name: Name<'_>) -> Option<Mapped> {
        let offset = pointer.offset();
        let record = self.ring.get(offset..offset + length(name.header))?;
        let mut record = record.iter().map(|word| word.load(Ordering::Acquire));
        if record.next()? != name.header {
            return None;
        }
        let (one, other) = (record.next()?, record.next()?);
        let slots = [one as u16, other as u16];
        let mapped = Mapped { target: one >> 16, revision: Revision(other >> 16), slots };
        record.eq(words(name.id)).then_some(mapped)
    }

    /// Notes what a name stands for. Another name may be forgotten for it. Cost: a lock that is held for a few lines of
    /// memory, more if there is little room.
    pub fn insert(&self, space: Space, id: &[u8], mapped: Mapped) {
        let Some(name) = self.name(space, id) else { return };
        if mapped.target >= Mapped::LIMIT || mapped.revision.0 >= Mapped::LIMIT {
            return;
        }
        let mut record = [0; LONGEST];
        let whole = [
            name.header,
            mapped.target << 16 | u64::from(mapped.slots[0]),
            mapped.revision.0 << 16 | u64::from(mapped.slots[1]),
        ];
        for (to, word) in record.iter_mut().zip(whole.into_iter().chain(words(name.id))) {
            *to = word;
        }
        let Some(record) = record.get(..length(name.header)) else { return };
        let mut writer = lock(&self.writer);
        self.grow(&mut writer);
        self.make_room(&mut writer, record.len(), account_of(name.header));
        self.append(&mut writer, record, name.hash, false);
    }

    /// How many names are known, and how much of the memory that the table may take they take, in bytes. For tests and
    /// figures.
    pub fn filled(&self) -> (usize, usize) {
        let writer = lock(&self.writer);
        let words = if writer.is_full { self.ring.len() } else { writer.head };
        (writer.names, (words + self.used.load(Ordering::Relaxed) as usize * WAYS) * 8)
    }

    /// Forgets everything. Correctness never needs it.
    pub fn clear(&self) {
        let mut writer = lock(&self.writer);
        self.pointers.iter().for_each(|word| word.store(0, Ordering::SeqCst));
        writer.names = 0;
    }

    /// Takes old names out of the ring until there is room for some words at its head.
    fn make_room(&self, writer: &mut Writer, needed: usize, account: u64) {
        let mut staying = STAYING;
        if writer.head + needed > self.ring.len() {
            // The few names before the end of the ring go, whoever's they are.
            while writer.hand < writer.end {
                self.reclaim(writer, account, &mut 0);
            }
            (writer.end, writer.head, writer.hand) = (writer.head, 0, 0);
            writer.round = writer.round.checked_add(1).unwrap_or(1);
            writer.is_full = true;
        }
        while writer.hand < writer.end && writer.head + needed > writer.hand {
            self.reclaim(writer, account, &mut staying);
        }
        if writer.hand >= writer.end {
            // All of the round before is gone.
            (writer.hand, writer.end) = (self.ring.len(), self.ring.len());
        }
    }

    /// Passes the oldest name in the ring. It goes, or is written at the head again: names that were asked for stay once
    /// more, unless their account has more than its share; and one whose own account has more pushes out no other's.
    fn reclaim(&self, writer: &mut Writer, account: u64, staying: &mut usize) {
        let mut record = [0; LONGEST];
        let at = writer.hand;
        let load = |position: usize| self.ring.get(position).map_or(0, |word| word.load(Ordering::Relaxed));
        let header = load(at);
        let length = length(header);
        for (position, word) in (at..).zip(record.iter_mut().take(length)) {
            *word = load(position);
        }
        writer.hand += length;
        let owner = account_of(header);
        writer.take(owner, length);
        let Some(record) = record.get(..length) else { return };
        // The words after the header and the two that say what it stands for are those of the id, in whole words.
        let hash = self.hash(header, record.iter().skip(HEADER).copied());
        let Some((word, pointer)) = self.pointer_to(hash, at) else { return };
        word.store(0, Ordering::SeqCst);
        writer.names -= 1;
        let share = self.ring.len() / 100 * ACCOUNT_SHARE;
        let is_over = |account| writer.words.get(&account).is_some_and(|words| *words > share);
        let stays = if is_over(account) { owner != account } else { pointer.was_asked() && !is_over(owner) };
        if stays && *staying > 0 {
            *staying -= 1;
            self.append(writer, record, hash, true);
        }
    }

    /// The word of a bucket that leads to a place in the ring.
    fn pointer_to(&self, hash: u64, offset: usize) -> Option<(&AtomicU64, Pointer)> {
        let words = self.buckets_of(hash).flatten();
        let mut pointers = words.map(|word| (word, Pointer(word.load(Ordering::SeqCst))));
        pointers.find(|(_, pointer)| pointer.0 != 0 && pointer.offset() == offset && pointer.tag() == tag(hash))
    }

    /// Writes a name at the head, where there is room for it, and has its bucket lead to it.
    fn append(&self, writer: &mut Writer, record: &[u64], hash: u64, is_again: bool) {
        let (offset, round) = (writer.head, writer.round);
        writer.head += record.len();
        let header = record.first().copied().unwrap_or_default();
        *writer.words.entry(account_of(header)).or_default() += record.len();
        for (position, value) in (offset..).zip(record) {
            if let Some(word) = self.ring.get(position) {
                // Who sees this sees that what stood here before is gone from its bucket.
                word.store(*value, Ordering::Release);
            }
        }
        self.note(writer, Pointer::new(offset, round, tag(hash)), record, hash, is_again);
    }

    /// Has the bucket of a name lead to it.
    fn note(&self, writer: &mut Writer, pointer: Pointer, record: &[u64], hash: u64, is_again: bool) {
        if let Some(place) = self.place_for(record, hash, is_again)
            && place.swap(pointer.0, Ordering::SeqCst) == 0
        {
            writer.names += 1;
        }
    }

    /// Takes more buckets into use if those that are fill up, and notes every name of the ring anew. Meanwhile names are
    /// missed, and none is mistaken: whatever a word leads to is compared.
    fn grow(&self, writer: &mut Writer) {
        let used = self.used.load(Ordering::Relaxed);
        if used >= self.buckets as u64 || writer.names as u64 * 8 < used * WAYS as u64 * 5 {
            return;
        }
        let more = if used < LAST_BUCKETS { used * GROWTH } else { self.buckets as u64 };
        self.pointers.iter().take(self.skipped + used as usize * WAYS).for_each(|word| word.store(0, Ordering::SeqCst));
        self.used.store(more.min(self.buckets as u64), Ordering::SeqCst);
        writer.names = 0;
        // The oldest first: of a name that was written twice the younger one counts.
        let before = if writer.round == 1 { u16::MAX } else { writer.round - 1 };
        for (mut at, end, round) in [(writer.hand, writer.end, before), (0, writer.head, writer.round)] {
            while at < end {
                let load = |position: usize| self.ring.get(position).map_or(0, |word| word.load(Ordering::Relaxed));
                let length = length(load(at));
                let mut record = [0; LONGEST];
                for (position, word) in (at..).zip(record.iter_mut().take(length)) {
                    *word = load(position);
                }
                let header = record.first().copied().unwrap_or_default();
                let Some(record) = record.get(..length) else { return };
                let hash = self.hash(header, record.iter().skip(HEADER).copied());
                self.note(writer, Pointer::new(at, round, tag(hash)), record, hash, false);
                at += length;
            }
        }
    }

    /// The word of a bucket where a name is to be noted: its own if it is there already. `is_again`: it is not.
    fn place_for(&self, record: &[u64], hash: u64, is_again: bool) -> Option<&AtomicU64> {
        let at = |word: &AtomicU64| Pointer(word.load(Ordering::SeqCst));
        let mut buckets = self.buckets_of(hash);
        let (one, other) = (buckets.next()?, buckets.next()?);
        let places = || one.iter().chain(other);
        let is_same = |word: &&AtomicU64| {
            let at = at(word);
            at.0 != 0 && at.tag() == tag(hash) && self.is_record(at.offset(), record)
        };
        if !is_again && let Some(same) = places().find(is_same) {
            return Some(same);
        }
        // Looked into first, so preferred; but if it is nearly full the emptier one, or many would find both full.
        let used = |bucket: &[AtomicU64]| bucket.iter().filter(|word| at(word).0 != 0).count();
        let is_first = used(one) < WAYS - 2 || used(one) <= used(other);
        let free = if is_first { one } else { other }.iter().find(|word| at(word).0 == 0);
        // Both are full: of names that are asked for, then the hash says which.
        let unasked = || places().find(|word| !at(word).was_asked());
        free.or_else(unasked).or_else(|| places().nth((hash >> 20) as usize % (2 * WAYS)))
    }

    /// Whether the same name stands at a place of the ring, whatever it stands for.
    fn is_record(&self, offset: usize, record: &[u64]) -> bool {
        let Some(there) = self.ring.get(offset..offset + record.len()) else { return false };
        let mut both = there.iter().map(|word| word.load(Ordering::SeqCst)).zip(record);
        both.next().is_some_and(|(there, header)| there == *header)
            && both.skip(HEADER - 1).all(|(there, word)| there == *word)
    }
}

impl Writer {
    /// Words of an account are gone from the ring.
    fn take(&mut self, account: u64, count: usize) {
        if let Some(words) = self.words.get_mut(&account) {
            *words = words.saturating_sub(count);
            if *words == 0 {
                self.words.remove(&account);
            }
        }
    }
}

fn tag(hash: u64) -> u64 {
    hash & 0x7fff
}

/// The account that a name belongs to.
fn account_of(header: u64) -> u64 {
    header >> 16
}
