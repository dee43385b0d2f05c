//! The journal on files: append-only segments, each frame with checksums and a hash that covers all frames before it.
//!
//! Read [`FileJournal`] first. `segment` tells a torn tail from damage; `frame` is the layout of what is written. After
//! a failed write or sync nothing is written again: what the disk holds is unknown until the next start reads it.

mod disk;
mod erase;
pub(super) mod frame;
mod segment;
mod verify;

use std::{
    fs::File,
    io::Write as _,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub use disk::DiskGuard;
use disk::FreeSpace;
pub(super) use disk::keep_ballast;
use frame::FrameWriter;
use segment::Segment;

use super::{
    ChangeLog, Digest, Head, StoreError,
    erase::Erasures,
    files::{self, at},
};
use crate::model::{Change, Revision, Timestamp};

/// How the journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct JournalOptions {
    /// A segment that has grown so large is followed by a new one.
    pub segment_bytes: u64,
    /// How much of the disk must stay free.
    pub disk: DiskGuard,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, disk: DiskGuard::default() }
    }
}

/// Where a revision stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalMark {
    /// The digest of the state at the revision.
    pub digest: Digest,
    /// The chain hash of the frame that holds the revision.
    pub chain: [u8; 32],
}

/// The change log on files.
pub struct FileJournal {
    directory: PathBuf,
    store_id: u64,
    options: JournalOptions,
    free: FreeSpace,
    writer: Mutex<Writer>,
    shared: Mutex<Shared>,
    grown: Condvar,
    /// What is never written again.
    pub(super) erasures: Erasures,
}

struct Writer {
    file: File,
    stopped: bool,
}

/// What readers see: only what is on stable storage.
struct Shared {
    /// Never empty; the last one is written to.
    segments: Vec<Segment>,
    head: Head,
}

/// The segments of a journal that were read and found whole, from the oldest on.
#[derive(Default)]
pub(super) struct Verified(Vec<Segment>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these mutexes guard is replaced in single steps, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileJournal {
    /// Creates the journal of a new store in an empty directory.
    pub(super) fn create(directory: &Path, store_id: u64) -> Result<(), StoreError> {
        Segment::create(directory, store_id, Head::default(), [0; 32]).map(|_| ())
    }

    /// Whether a directory has a journal in which anything was ever written.
    pub(super) fn is_begun(directory: &Path) -> Result<bool, StoreError> {
        let segments: Vec<_> = segment_paths(directory)?;
        for path in &segments {
            if path.metadata().map_err(at(path))?.len() > segment::SEGMENT_HEADER_BYTES as u64 {
                return Ok(true);
            }
        }
        Ok(segments.len() > 1)
    }

    /// Verifies segments from the oldest on, as far as they are whole whatever else is known: what [`Self::open`] finds
    /// verified it does not read again. For a thread of its own while the state is opened. What it meets besides, `open`
    /// meets again, and tells. Cost: linear in the journal, spread over the processors.
    pub(super) fn verify_ahead(directory: &Path, store_id: u64) -> Verified {
        let Ok(paths) = segment_paths(directory) else { return Verified::default() };
        let next = AtomicUsize::new(0);
        // Each by itself; whether they fit together is looked at below. Whether a tail may be cut off depends on what is
        // known to have been acknowledged.
        let verify = || {
            let mut found = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(index) else { return found };
                let is_last = index + 1 == paths.len();
                if let Ok((segment, length)) = Segment::scan(path, store_id, None, is_last, Revision(0))
                    && segment.end == length
                {
                    found.push((index, segment));
                }
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(paths.len());
        let mut found: Vec<(usize, Segment)> = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(verify)).collect();
            let own = verify();
            own.into_iter().chain(others.into_iter().flat_map(|thread| thread.join().unwrap_or_default())).collect()
        });
        found.sort_unstable_by_key(|(index, _)| *index);
        let mut segments: Vec<Segment> = Vec::new();
        for (index, segment) in found {
            if index != segments.len() || segments.last().is_some_and(|before| !segment.follows(before)) {
                break;
            }
            segments.push(segment);
        }
        Verified(segments)
    }

    /// Opens a journal, verifies every frame but those of `verified`, cuts off a torn tail, and makes sure that what is
    /// left is on stable storage. `acknowledged` is what is known to have been acknowledged. Gives the number of bytes
    /// that were cut off. Cost: linear in the journal.
    ///
    /// # Errors
    /// [`StoreError::DamagedJournal`] if anything but an unacknowledged tail is not as it was written.
    pub(super) fn open(
        directory: &Path,
        store_id: u64,
        acknowledged: Revision,
        options: JournalOptions,
        verified: Verified,
    ) -> Result<(Self, u64), StoreError> {
        files::remove_unfinished(directory)?;
        let paths = segment_paths(directory)?;
        let Verified(mut segments) = verified;
        let mut cut = 0;
        for (index, path) in paths.iter().enumerate().skip(segments.len()) {
            let expected = segments.last().map(|segment| (segment.head, segment.chain));
            let is_last = index + 1 == paths.len();
            let (segment, length) = Segment::scan(path, store_id, expected, is_last, acknowledged)?;
            cut = length - segment.end;
            segments.push(segment);
        }
        let Some(last) = segments.last() else {
            return Err(StoreError::DamagedJournal {
                path: directory.to_owned(),
                offset: 0,
                what: "no segment is there, and a store always has one".to_owned(),
            });
        };
        if last.head.revision < acknowledged {
            return Err(StoreError::DamagedJournal {
                path: last.path.clone(),
                offset: last.end,
                what: format!(
                    "the journal ends with revision {}, and revision {} is known to have been acknowledged",
                    last.head.revision.0, acknowledged.0
                ),
            });
        }
        let file = files::private().append(true).open(&last.path).map_err(at(&last.path))?;
        if cut > 0 {
            file.set_len(last.end).map_err(at(&last.path))?;
        }
        // What was read may be in the page cache only. The files before it were synced before it was begun.
        file.sync_all().map_err(at(&last.path))?;
        files::sync_directory(directory)?;
        let head = last.head;
        let journal = Self {
            directory: directory.to_owned(),
            store_id,
            options,
            free: FreeSpace::new(directory, options.disk),
            writer: Mutex::new(Writer { file, stopped: false }),
            shared: Mutex::new(Shared { segments, head }),
            grown: Condvar::new(),
            erasures: Erasures::default(),
        };
        Ok((journal, cut))
    }

    /// The revision before the oldest change that can be read.
    #[must_use]
    pub fn oldest(&self) -> Revision {
        lock(&self.shared).segments.first().map_or(Revision(0), |segment| segment.before.revision)
    }

    /// Lets nothing more be written.
    pub fn stop(&self) {
        lock(&self.writer).stopped = true;
    }

    /// Where a revision stands, if it is still kept. Cost: reading one frame.
    ///
    /// # Errors
    /// [`StoreError`] if the journal cannot be read.
    pub fn mark(&self, revision: Revision) -> Result<Option<JournalMark>, StoreError> {
        let (first, head) = {
            let shared = lock(&self.shared);
            (shared.segments.first().cloned(), shared.head)
        };
        if let Some(first) = first
            && first.before.revision == revision
        {
            return Ok(Some(JournalMark { digest: first.before.digest, chain: first.chain_before }));
        }
        if revision > head.revision || revision < self.oldest() {
            return Ok(None);
        }
        let mut mark = None;
        self.walk(Revision(revision.0.saturating_sub(1)), &mut |header, changes| {
            let later = changes.iter().rev().filter(|change| change.revision > revision);
            let digest = later.fold(header.head.digest, |digest, change| digest.before(change));
            mark = Some(JournalMark { digest, chain: header.chain });
            false
        })?;
        Ok(mark)
    }

    /// About how many bytes the changes after a revision take. Cost: linear in the number of segments.
    #[must_use]
    pub fn bytes_after(&self, revision: Revision) -> u64 {
        let shared = lock(&self.shared);
        let later = shared.segments.iter().filter(|segment| segment.head.revision > revision);
        later.map(|segment| segment.end - segment.start_for(revision)).sum()
    }

    /// Deletes the segments at the beginning that hold nothing after `kept` and nothing since `since`; never the last
    /// one. Gives their number. Cost: linear in it.
    ///
    /// # Errors
    /// [`StoreError`] if a file cannot be deleted.
    pub(super) fn prune(&self, kept: Revision, since: Timestamp) -> Result<usize, StoreError> {
        let removed: Vec<_> = {
            let mut shared = lock(&self.shared);
            let count = prunable(&shared.segments, kept, since);
            shared.segments.drain(..count).collect()
        };
        // From the oldest on, each for good before the next: whenever this is interrupted, there is no gap.
        for segment in &removed {
            files::remove(&segment.path)?;
            files::sync_directory(&self.directory)?;
        }
        Ok(removed.len())
    }

    /// What [`Self::oldest`] would be after [`Self::prune`].
    pub(super) fn oldest_after_prune(&self, kept: Revision, since: Timestamp) -> Revision {
        let shared = lock(&self.shared);
        let count = prunable(&shared.segments, kept, since);
        shared.segments.get(count).map_or(Revision(0), |segment| segment.before.revision)
    }

    fn walk(
        &self,
        after: Revision,
        visit: &mut dyn FnMut(&frame::FrameHeader, Vec<Change>) -> bool,
    ) -> Result<(), StoreError> {
        let mut after = after;
        loop {
            // One segment at a time is copied out, so that appends go on meanwhile.
            let segment = {
                let shared = lock(&self.shared);
                let oldest = shared.segments.first().map_or(Revision(0), |segment| segment.before.revision);
                if after < oldest {
                    return Err(StoreError::RevisionGone { asked: after, oldest });
                }
                shared.segments.iter().find(|segment| segment.head.revision > after).cloned()
            };
            let Some(segment) = segment else { return Ok(()) };
            match segment.walk(self.store_id, after, visit) {
                Ok(true) => after = segment.head.revision,
                Ok(false) => return Ok(()),
                // It was pruned in the meantime: the next turn says so.
                Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    if after >= self.oldest() {
                        return Err(StoreError::Io { path: segment.path, source });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes and syncs. Any error leaves the outcome unknown.
    fn write(&self, writer: &mut Writer, frames: &FrameWriter, head: Head) -> Result<(), StoreError> {
        let is_full = lock(&self.shared).segments.last().is_some_and(|last| last.end >= self.options.segment_bytes);
        if is_full {
            self.roll(writer)?;
        }
        writer.file.write_all(&frames.bytes).map_err(at(&self.directory))?;
        writer.file.sync_data().map_err(at(&self.directory))?;
        let mut shared = lock(&self.shared);
        if let Some(last) = shared.segments.last_mut() {
            last.extend(&frames.starts, frames.bytes.len() as u64, head, frames.chain);
        }
        shared.head = head;
        drop(shared);
        self.grown.notify_all();
        Ok(())
    }
}

fn prunable(segments: &[Segment], kept: Revision, since: Timestamp) -> usize {
    let but_last = segments.len().saturating_sub(1);
    segments.iter().take(but_last).take_while(|s| s.head.revision <= kept && s.head.time < since).count()
}

fn segment_paths(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let names = files::names(directory)?;
    Ok(names.iter().filter(|name| segment::is_segment(name)).map(|name| directory.join(name)).collect())
}

impl ChangeLog for FileJournal {
    fn append(&self, expected: Revision, changes: &[Change], digest: Digest) -> Result<(), StoreError> {
        let mut writer = lock(&self.writer);
        if writer.stopped {
            return Err(StoreError::Stopped);
        }
        let (before, chain) = {
            let shared = lock(&self.shared);
            (shared.head, shared.segments.last().map_or([0; 32], |last| last.chain))
        };
        let heads = check_append(before, expected, changes, digest)?;
        let changes = &*self.erasures.clean(changes);
        let Some(head) = heads.last().copied() else { return Ok(()) };
        let mut frames = FrameWriter::new(self.store_id, before, chain);
        frames.add(changes, &heads)?;
        self.free.reserve(frames.bytes.len() as u64)?;
        // Set first, so that it stays set if this panics half-way.
        writer.stopped = true;
        let written = self.write(&mut writer, &frames, head);
        writer.stopped = written.is_err();
        written
    }

    fn head(&self) -> Head {
        lock(&self.shared).head
    }

    fn read(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.walk(after, &mut |_, changes| {
            found.extend(changes.into_iter().filter(|change| change.revision > after));
            found.len() < limit
        })?;
        found.truncate(limit);
        Ok(found)
    }

    fn follow(&self, after: Revision, limit: usize, patience: Duration) -> Result<Vec<Change>, StoreError> {
        let shared = lock(&self.shared);
        drop(
            self.grown
                .wait_timeout_while(shared, patience, |shared| shared.head.revision <= after)
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.read(after, limit)
    }
}

/// The head after each change of an append, if it may be made.
pub(super) fn check_append(
    before: Head,
    expected: Revision,
    changes: &[Change],
    digest: Digest,
) -> Result<Vec<Head>, StoreError> {
    if before.revision != expected {
        return Err(StoreError::HeadMoved { head: before.revision, expected });
    }
    let mut head = before;
    let mut heads = Vec::with_capacity(changes.len());
    for change in changes {
        if change.revision.0 != head.revision.0 + 1 {
            return Err(StoreError::DamagedState(format!(
                "a change of revision {} was to be appended; revision {} was expected",
                change.revision.0,
                head.revision.0 + 1
            )));
        }
        head = head.after(change);
        heads.push(head);
    }
    // A wrong digest in the journal would make every later start fail: better to refuse it here.
    if !changes.is_empty() && head.digest != digest {
        return Err(StoreError::DamagedState(
            "the digest to be appended is not that of the changes; one that follows the last was expected".to_owned(),
        ));
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

    use super::{
        super::{
            bytes::crc,
            conformance::{Random, Writer as Changes, journal},
        },
        frame::{FrameHeader, HEADER_BYTES},
        segment::SEGMENT_HEADER_BYTES,
        *,
    };

    #[test]
    fn after_a_failed_write_nothing_is_written_again_and_reading_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        FileJournal::create(directory.path(), 7).unwrap();
        let (log, _) = journal(directory.path(), Revision(0)).unwrap();
        let mut changes = Changes::new(Random(5));
        let first = changes.group(2, 3, 5);
        log.append(Revision(0), &first, changes.digest).unwrap();
        let head = log.head();
        let path = segment_paths(directory.path()).unwrap().remove(0);
        let good = std::mem::replace(&mut lock(&log.writer).file, File::open(&path).unwrap());
        let next = changes.group(1, 3, 5);
        assert!(matches!(log.append(Revision(2), &next, changes.digest), Err(StoreError::Io { .. })));
        lock(&log.writer).file = good;
        assert!(matches!(log.append(Revision(2), &next, changes.digest), Err(StoreError::Stopped)));
        assert_eq!(log.head(), head);
        assert_eq!(log.read(Revision(0), 10).unwrap(), first);
    }

    /// Alters bytes of the first frame and makes every checksum fit again, as only somebody does who knows how.
    fn forge(path: &Path, alter: impl Fn(&FrameHeader, &mut [u8])) {
        let mut bytes = std::fs::read(path).unwrap();
        let (_, frame) = bytes.split_at_mut(SEGMENT_HEADER_BYTES);
        let header = FrameHeader::decode(7, &frame[..HEADER_BYTES]).unwrap();
        let hashed = HEADER_BYTES + header.hashed_bytes as usize;
        let personal = hashed + header.personal_bytes as usize;
        alter(&header, &mut frame[HEADER_BYTES..personal]);
        let hashed_crc = crc32fast::hash(&frame[HEADER_BYTES..hashed]).to_be_bytes();
        let personal_crc = crc32fast::hash(&frame[hashed..personal]).to_be_bytes();
        frame[88..92].copy_from_slice(&hashed_crc);
        frame[96..100].copy_from_slice(&personal_crc);
        let sum = crc(7, &frame[..HEADER_BYTES - 4]).to_be_bytes();
        frame[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&sum);
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_forged_change_breaks_the_chain_also_at_the_very_end() {
        let directory = tempfile::tempdir().unwrap();
        FileJournal::create(directory.path(), 7).unwrap();
        let (log, _) = journal(directory.path(), Revision(0)).unwrap();
        let mut changes = Changes::new(Random(5));
        let mut has_personal = false;
        while !has_personal {
            changes = Changes::new(Random(changes.random.0));
            has_personal =
                changes.change(20, 5).records.iter().any(|record| super::super::key_codec::is_personal(&record.key));
        }
        log.append(Revision(0), &changes.changes, changes.digest).unwrap();
        drop(log);
        let path = segment_paths(directory.path()).unwrap().remove(0);
        let good = std::fs::read(&path).unwrap();
        let refused = |what: &str| match journal(directory.path(), Revision(0)).map(|_| ()) {
            Err(StoreError::DamagedJournal { what: found, .. }) => assert!(found.contains(what), "{found}"),
            other => panic!("{other:?}"),
        };
        forge(&path, |_, _| ());
        assert!(journal(directory.path(), Revision(1)).is_ok(), "forging nothing changes nothing");
        forge(&path, |header, content| content[header.hashed_bytes as usize - 1] ^= 1);
        refused("the hash chain is broken");
        std::fs::write(&path, &good).unwrap();
        forge(&path, |header, content| content[header.hashed_bytes as usize + 10] ^= 1);
        refused("a personal value is not the one that was hashed");
    }
}
