//! Where each name's answer is, in few bytes: names in a ring of words, found through a table of buckets.
//!
//! A name that is put in is written at the ring's head; when the ring is full, the oldest names make room. A bucket is
//! eight words that each say where a name stands in the ring. What is found is never trusted: its stamps decide whether it
//! holds. So a name may be forgotten at any time, and only one thing must never happen: that the words of one name are
//! read with those of another. A reader therefore looks at its bucket again after the last word, and a writer takes
//! a name out of its bucket before it writes over the first word of it.
//!
//! After the lossy index and the circular log of H. Lim, D. Han, D. G. Andersen, M. Kaminsky: "MICA: A Holistic Approach
//! to Fast In-Memory Key-Value Storage", NSDI 2014. Buckets come into use one by one, after W. Litwin: "Linear Hashing: A New
//! Tool for File and Table Addressing", VLDB 1980: so the names that there are stand close together, and no insert takes long.

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
/// How many buckets are in use at first.
#[cfg(not(feature = "shuttle"))]
const FIRST_BUCKETS: u64 = 512;
#[cfg(feature = "shuttle")]
const FIRST_BUCKETS: u64 = 1;
/// How many names there are for each bucket before one more bucket comes into use. Those that were not split yet have up to
/// twice as many as those that were.
const FILLED: u64 = 5;
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

/// The table. Size: as it was told, in few bytes for each name: 24, and those of the name rounded up to 8, and about 13.
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
        // For names of up to 16 bytes, and buckets filled to five eighths: 5 words in the ring, 8/5 in buckets.
        let buckets = (bytes / 8 * 8 / 33 / WAYS).max(1);
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
    #[inline]
    fn buckets_of(&self, hash: u64) -> impl Iterator<Item = &[AtomicU64; WAYS]> {
        let used = self.used.load(Ordering::Acquire);
        both(hash).filter_map(move |chooses| self.bucket(bucket_in(chooses, used)))
    }

    #[inline]
    fn bucket(&self, number: u64) -> Option<&[AtomicU64; WAYS]> {
        self.pointers.get(self.skipped + number as usize * WAYS..)?.first_chunk()
    }

    /// What a name stands for, if it is known. Cost: two lines of memory if it is; no lock, no wait.
    // Inlined, for who gets it from the stack waits until what was written there word by word can be read as one.
    #[inline(always)]
    pub fn get(&self, space: Space, id: &[u8]) -> Option<Mapped> {
        let name = self.name(space, id)?;
        let tag = tag(name.hash);
        for bucket in self.buckets_of(name.hash) {
            // All words are looked at before one is chosen: a branch at each could not be foreseen.
            let mut alike = 0u32;
            for (way, word) in bucket.iter().enumerate() {
                alike |= u32::from(Pointer(word.load(Ordering::Acquire)).tag() == tag) << way;
            }
            while let Some(word) = bucket.get(alike.trailing_zeros() as usize) {
                alike &= alike - 1;
                let pointer = Pointer(word.load(Ordering::Acquire));
                if pointer.0 != 0
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
        self.grow(&writer);
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

    /// Panics unless each word of a bucket leads to the beginning of a name that can be in that bucket: who reads a name looks
    /// at the word again, and that says that the name was whole only if it is taken out before it is written over.
    #[cfg(all(test, feature = "server"))]
    pub(super) fn check_words(&self) {
        let writer = lock(&self.writer);
        let load = |word: &AtomicU64| word.load(Ordering::SeqCst);
        let mut names = std::collections::BTreeSet::new();
        for (mut at, end) in [(writer.hand, writer.end), (0, writer.head)] {
            while at < end {
                names.insert(at);
                at += self.ring.get(at).map_or(1, |word| length(load(word)));
            }
        }
        let used = self.used.load(Ordering::SeqCst);
        let mut words = 0;
        for number in 0..self.buckets as u64 {
            for pointer in self.bucket(number).into_iter().flatten().map(|word| Pointer(load(word))) {
                if pointer.0 == 0 {
                    continue;
                }
                words += 1;
                let hash = self.hash_at(pointer.offset()).unwrap_or_default();
                assert!(
                    names.contains(&pointer.offset()),
                    "bucket {number} of {used} leads into the middle of nowhere"
                );
                assert!(pointer.tag() == tag(hash), "bucket {number} of {used} leads to another name");
                assert!(
                    both(hash).any(|chooses| bucket_in(chooses, used) == number),
                    "not of bucket {number} of {used}"
                );
            }
        }
        assert_eq!(words, writer.names, "names are counted wrong");
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
        loop {
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
            // If all of the last names of a round stay, there is room only in the next: no name is cut off by the ring's end.
            if writer.head + needed <= writer.hand {
                return;
            }
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

    /// Takes more buckets into use if those that are fill up. Meanwhile a name can be missed, and none is mistaken: whatever a
    /// word leads to is compared. Cost: that of a few names for each bucket.
    fn grow(&self, writer: &Writer) {
        loop {
            let used = self.used.load(Ordering::Relaxed);
            if used >= self.buckets as u64 || (writer.names as u64) < used * FILLED {
                return;
            }
            self.split(used);
        }
    }

    /// Takes the next bucket into use. The names that belong there now stand in one other.
    fn split(&self, used: u64) {
        let after = used + 1;
        let (Some(from), Some(to)) = (self.bucket(bucket_in(used, used)), self.bucket(used)) else { return };
        let goes = |word: &&AtomicU64| {
            let pointer = Pointer(word.load(Ordering::SeqCst));
            let stays = |hash| both(hash).any(|chooses| bucket_in(chooses, after) == bucket_in(used, used));
            pointer.0 != 0 && self.hash_at(pointer.offset()).is_none_or(|hash| !stays(hash))
        };
        let going: Vec<&AtomicU64> = from.iter().filter(goes).collect();
        for (word, place) in going.iter().zip(to) {
            place.store(word.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        // Between the two it stands in both, and who knows of the one or the other finds it.
        self.used.store(after, Ordering::SeqCst);
        going.iter().for_each(|word| word.store(0, Ordering::SeqCst));
    }

    /// The hash of the name at a place of the ring.
    fn hash_at(&self, at: usize) -> Option<u64> {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let header = self.ring.get(at).map(load)?;
        let record = self.ring.get(at + HEADER..at + length(header))?;
        Some(self.hash(header, record.iter().map(load)))
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
        // Both are full: one of those names goes to its other bucket; or is forgotten, the hash says which if all are asked for.
        let unasked = || places().find(|word| !at(word).was_asked());
        free.or_else(|| places().find(|word| self.moves(word)))
            .or_else(unasked)
            .or_else(|| places().nth((hash >> 20) as usize % (2 * WAYS)))
    }

    /// Has the other bucket of a name lead to it, if there is room. The word that led to it is free then.
    fn moves(&self, word: &AtomicU64) -> bool {
        let pointer = word.load(Ordering::SeqCst);
        let Some(hash) = self.hash_at(Pointer(pointer).offset()) else { return false };
        let free = |word: &&AtomicU64| word.load(Ordering::SeqCst) == 0;
        let Some(free) = self.buckets_of(hash).flatten().find(free) else { return false };
        free.store(pointer, Ordering::SeqCst);
        word.store(0, Ordering::SeqCst);
        true
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

/// What of a hash chooses the one bucket and the other; the tag is made of none of the bits that choose the first.
#[inline]
fn both(hash: u64) -> impl Iterator<Item = u64> {
    let mixed = move || (hash ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    [true, false].into_iter().map(move |is_first| if is_first { hash } else { mixed() } >> 32)
}

/// Which of so many buckets is chosen: by as many bits as tell them apart, or by one less where the bucket that these say is
/// not in use yet.
#[inline]
fn bucket_in(chooses: u64, used: u64) -> u64 {
    let all = used.next_power_of_two();
    let bucket = chooses & (all - 1);
    if bucket < used { bucket } else { bucket & (all / 2 - 1) }
}

fn tag(hash: u64) -> u64 {
    hash & 0x7fff
}

/// The account that a name belongs to.
fn account_of(header: u64) -> u64 {
    header >> 16
}
