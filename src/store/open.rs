//! Opening a data directory: whatever it was left like, the result is a journal and a state that agree, or an error
//! that names the file.
//!
//! The journal is opened with what is known to have been acknowledged (from the state, the newest snapshot, and the
//! last clean stop). Then the state is caught up, and after an unclean stop it is checked row by row against the
//! journal's digest, because sled opens and reads some damaged files as if nothing had happened. A state that is not
//! what the journal says is moved aside and rebuilt. Killed at any moment, this can be begun again.

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    ChangeLog as _, Head, Store as _, StoreError, Versions as _,
    bytes::{Reader, Writer, checked},
    files::{self, at},
    journal::{FileJournal, JournalOptions, keep_ballast},
    sled_store::{Meta, SledStore},
    snapshot::{self, SnapshotFile},
    time_mark,
};
use crate::model::{Revision, Timestamp};

/// The version of the data directory as a whole.
const FORMAT_VERSION: u64 = 1;
const CLEAN_MAGIC: [u8; 8] = *b"\xf1RCCLN1\n";
const REPLAY_BATCH: usize = 256;
/// How long another holder of the lock may take to let go of it: a process that this one begins holds all that was open
/// here until it has become another program.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long an earlier store of the same process may take to let go of sled's file.
const SLED_PATIENCE: Duration = Duration::from_secs(30);

/// How much further apart snapshots are while much is written.
const BUSY_DISTANCE: u64 = 4;

/// How a data directory is kept.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// The journal and the disk.
    pub journal: JournalOptions,
    /// What sled is told to cache, in bytes. It takes several times as much memory.
    pub cache_bytes: u64,
    /// A snapshot is due when the journal has grown by so many bytes since the last one, and by as many as that has; see
    /// [`Opened::should_snapshot`].
    pub snapshot_every_bytes: u64,
    /// Changes younger than this are never deleted.
    pub journal_kept: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            journal: JournalOptions::default(),
            // Four times that made no load faster that can be measured, and a server of a million users 190 MB larger: what
            // sled does not have the operating system has.
            cache_bytes: 16 << 20,
            snapshot_every_bytes: 64 << 20,
            journal_kept: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The directory was empty.
    pub created: bool,
    /// The last server had stopped in order, so that the state was not read through.
    pub clean: bool,
    /// The bytes of a write that was never acknowledged, cut off the end of the journal.
    pub cut_bytes: u64,
    /// How many changes of the journal were not in the state yet.
    pub replayed: u64,
    /// Why the state was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// The snapshot that it was rebuilt from; none: from the journal alone.
    pub loaded_snapshot: Option<Revision>,
    /// Where the damaged state is now.
    pub moved_aside: Option<PathBuf>,
    /// Why snapshots were passed over.
    pub rejected_snapshots: Vec<String>,
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Segments of the journal that were deleted.
    pub segments: usize,
    /// Before-images that were deleted.
    pub before_images: usize,
}

/// An open data directory. The lock on it is held until this is dropped.
pub struct Opened {
    /// The changes.
    pub log: Arc<FileJournal>,
    /// What they add up to.
    pub store: Arc<SledStore>,
    /// What opening found and did.
    pub report: OpenReport,
    pub(super) paths: Paths,
    pub(super) store_id: u64,
    pub(super) time_mark: Timestamp,
    options: OpenOptions,
    /// One snapshot, pruning or erasing at a time.
    pub(super) maintenance: Mutex<()>,
    lock: File,
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Closing the file is not enough where a child process is being started: it holds the descriptor until it has
        // become another program. If unlocking fails, closing does what it can.
        let _ = self.lock.unlock();
    }
}

pub(super) struct Paths {
    pub(super) directory: PathBuf,
    journal: PathBuf,
    state: PathBuf,
    pub(super) snapshots: PathBuf,
    format: PathBuf,
    clean: PathBuf,
    last_clean: PathBuf,
}

impl Paths {
    fn new(directory: &Path) -> Self {
        let path = |name: &str| directory.join(name);
        Self {
            directory: directory.to_owned(),
            journal: path("journal"),
            state: path("state"),
            snapshots: path("snapshots"),
            format: path("FORMAT"),
            clean: path("CLEAN"),
            last_clean: path("CLEAN.last"),
        }
    }

    /// Deletes the states that were put aside.
    pub(super) fn remove_damaged_states(&self) -> Result<(), StoreError> {
        for name in files::names(&self.directory)? {
            if name.starts_with("state.damaged-") {
                files::remove(&self.directory.join(name))?;
            }
        }
        Ok(())
    }
}

/// Opens a data directory, creating it if it is not there. Cost: linear in the journal, and after an unclean stop in
/// the state.
///
/// # Errors
/// [`StoreError::Locked`] if another server has it, [`StoreError::UnknownFormat`] if another version wrote it,
/// [`StoreError::DamagedJournal`] if the journal cannot be trusted, others if the operating system refuses.
pub fn open(directory: &Path, options: OpenOptions) -> Result<Opened, StoreError> {
    let paths = Paths::new(directory);
    files::create_directory(directory)?;
    let lock = lock(directory)?;
    files::remove_unfinished(directory)?;
    keep_ballast(directory, options.journal.disk)?;
    let mut report = OpenReport::default();
    let store_id = identify(&paths, &mut report)?;
    files::create_directory(&paths.snapshots)?;
    files::remove_unfinished(&paths.snapshots)?;

    let snapshots = snapshot::list(&paths.snapshots, store_id)?;
    let clean = take_clean_marker(&paths, store_id)?;
    let mut acknowledged = read_marker(&paths.last_clean, store_id)?.map_or(Revision(0), |head| head.revision);
    acknowledged = snapshots.iter().map(|file| file.revision).fold(acknowledged, Revision::max);

    // The state first: it knows best how far the journal must reach. What of the journal is whole is found out meanwhile.
    let (state, verified) = std::thread::scope(|scope| {
        let verifying = scope.spawn(|| FileJournal::verify_ahead(&paths.journal, store_id));
        let state = open_state(&paths, store_id, &options);
        // What was not verified ahead is verified below.
        (state, verifying.join().unwrap_or_default())
    });
    let state = match state {
        Err(error) if !is_repairable(&error) => return Err(error),
        other => other,
    };
    if let Ok(Some(store)) = &state {
        acknowledged = acknowledged.max(store.head().revision);
    }
    let (log, cut_bytes) = FileJournal::open(&paths.journal, store_id, acknowledged, options.journal, verified)?;
    report.cut_bytes = cut_bytes;

    let ready = match state {
        Ok(Some(store)) => {
            check_no_gap(&paths, &store, &log)?;
            let is_clean = clean.is_some_and(|head| head == store.head() && head == log.head())
                && store.meta().applying == Revision(0);
            let caught_up = caught(|| catch_up(&store, &log, !is_clean, &mut report));
            report.clean = is_clean && caught_up.is_ok();
            caught_up.map(|()| Some(store))
        }
        other => other,
    };
    let store = match ready {
        Ok(Some(store)) => store,
        Ok(None) => {
            if log.head().revision > Revision(0) {
                report.rebuilt = Some("there was no finished state".to_owned());
            }
            rebuild(&paths, store_id, &options, &log, &snapshots, &mut report)?
        }
        Err(error) if is_repairable(&error) => {
            report.moved_aside = move_aside(&paths)?;
            report.rebuilt = Some(error.to_string());
            rebuild(&paths, store_id, &options, &log, &snapshots, &mut report)?
        }
        Err(error) => return Err(error),
    };
    store.sync()?;
    Ok(Opened {
        log: Arc::new(log),
        store: Arc::new(store),
        report,
        time_mark: time_mark::read(directory)?,
        paths,
        store_id,
        options,
        maintenance: Mutex::new(()),
        lock,
    })
}

impl Opened {
    /// A number that tells this store from every other: chosen by chance when it was created.
    #[must_use]
    pub fn store_id(&self) -> u64 {
        self.store_id
    }

    /// About how many bytes the journal has. Cost: linear in the number of its segments.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.log.bytes_after(Revision(0))
    }

    /// Whether the journal has grown so much since the last snapshot that another one is due: by as much as the options
    /// say, and by as much as the snapshot has. `is_busy`: much is being written just now, and so it waits for as long as
    /// that goes on, but not until the journal has grown by more than four times that.
    #[must_use]
    pub fn should_snapshot(&self, is_busy: bool) -> bool {
        let newest = snapshot::list(&self.paths.snapshots, self.store_id).unwrap_or_default().into_iter().next();
        // Each is the whole state. As far apart as the last one is large, all of them together cost no more than what was
        // written since the beginning, a few times over; and reading the journal behind it no more than reading it.
        let size = newest.as_ref().and_then(|file| file.path.metadata().ok()).map_or(0, |metadata| metadata.len());
        let revision = newest.map(|file| file.revision).unwrap_or_default();
        let distance = self.options.snapshot_every_bytes.max(size);
        // An import would pay for several that are of no use once it has ended.
        self.log.bytes_after(revision) > if is_busy { distance.saturating_mul(BUSY_DISTANCE) } else { distance }
    }

    /// Writes a snapshot of the head while writes go on, and deletes all but the last two. Gives its revision. To be
    /// called from a thread of its own. Cost: linear in the store.
    ///
    /// # Errors
    /// [`StoreError::DamagedState`] if the state is not what the journal says; others if the disk refuses.
    pub fn snapshot(&self) -> Result<Revision, StoreError> {
        let _one = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = snapshot::list(&self.paths.snapshots, self.store_id)?.first().map(|file| file.revision);
        if newest == Some(self.store.head().revision) {
            return Ok(self.store.head().revision);
        }
        let revision = snapshot::write(&self.store, &self.log, &self.paths.snapshots, self.store_id)?;
        for old in snapshot::list(&self.paths.snapshots, self.store_id)?.iter().skip(2) {
            files::remove(&old.path)?;
        }
        files::sync_directory(&self.paths.snapshots)?;
        Ok(revision)
    }

    /// Deletes what is older than both snapshots and older than changes are kept. To be called from a thread of its
    /// own. Cost: linear in the history.
    ///
    /// # Errors
    /// [`StoreError`] if the disk refuses.
    pub fn prune(&self, now: Timestamp) -> Result<PruneReport, StoreError> {
        let _one = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots = snapshot::list(&self.paths.snapshots, self.store_id)?;
        let Some(older) = snapshots.get(1) else { return Ok(PruneReport::default()) };
        let kept = u64::try_from(self.options.journal_kept.as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp(now.0.saturating_sub(kept));
        let oldest = self.log.oldest_after_prune(older.revision, since);
        if oldest <= self.store.oldest() && oldest <= self.log.oldest() {
            return Ok(PruneReport::default());
        }
        let before_images = self.store.prune(oldest)?;
        // The state must know for good that the segments are gone before they go: otherwise they would be missed.
        self.store.sync()?;
        let segments = self.log.prune(older.revision, since)?;
        Ok(PruneReport { segments, before_images })
    }

    /// Stops all writing, brings the state to stable storage, and leaves word that it need not be checked at the next
    /// start.
    ///
    /// # Errors
    /// [`StoreError`] if the disk refuses; the next start then checks the state.
    pub fn close(&self) -> Result<(), StoreError> {
        let _one = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.stop();
        self.store.stop();
        self.store.sync()?;
        let head = self.log.head();
        if self.store.head() == head && !self.store.is_suspect() {
            let marker = Writer::default().bytes(&CLEAN_MAGIC).head(&head).crc(self.store_id);
            files::write_whole(&self.paths.clean, &marker)?;
        }
        Ok(())
    }
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("LOCK");
    let mut file =
        files::private().read(true).write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                let holder = holder.trim();
                let known = !holder.is_empty() && holder.bytes().all(|byte| byte.is_ascii_digit());
                return Err(StoreError::Locked {
                    directory: directory.to_owned(),
                    holder: if known { holder } else { "unknown" }.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(at(&path))?;
    Ok(file)
}

/// The number of the store; makes an empty directory a store. The `FORMAT` file comes last, so that with it there is
/// always a journal.
fn identify(paths: &Paths, report: &mut OpenReport) -> Result<u64, StoreError> {
    let damaged =
        |what: &str| StoreError::DamagedJournal { path: paths.format.clone(), offset: 0, what: what.to_owned() };
    if let Some(bytes) = files::read_if_there(&paths.format)? {
        let text = String::from_utf8_lossy(&bytes);
        let mut words = text.split_ascii_whitespace();
        let (Some("rolecall"), Some("format"), Some(version), Some("store"), Some(id)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return Err(damaged("the line \"rolecall format <version> store <id>\" was expected"));
        };
        let version = version.parse().map_err(|_| damaged("a version number was expected"))?;
        if version != FORMAT_VERSION {
            return Err(StoreError::UnknownFormat {
                path: paths.format.clone(),
                found: version,
                expected: FORMAT_VERSION,
            });
        }
        return u64::from_str_radix(id, 16).map_err(|_| damaged("the id of the store was expected"));
    }
    let used = [&paths.state, &paths.clean, &paths.last_clean, &paths.snapshots].iter().any(|path| path.exists())
        || paths.journal.is_dir() && FileJournal::is_begun(&paths.journal)?;
    if used {
        return Err(damaged("the file is missing, and the directory holds data"));
    }
    let store_id = u64::from_be_bytes(files::random()?);
    files::remove(&paths.journal)?;
    files::create_directory(&paths.journal)?;
    FileJournal::create(&paths.journal, store_id)?;
    files::write_whole(&paths.format, format!("rolecall format {FORMAT_VERSION} store {store_id:016x}\n").as_bytes())?;
    report.created = true;
    Ok(store_id)
}

fn read_marker(path: &Path, store_id: u64) -> Result<Option<Head>, StoreError> {
    let Some(bytes) = files::read_if_there(path)? else { return Ok(None) };
    Ok(checked(store_id, &bytes).and_then(|content| {
        let mut reader = Reader(content);
        (reader.array()? == CLEAN_MAGIC).then(|| reader.head())?
    }))
}

/// Where the last server stopped in order. The marker is put away first: it is true only until something is written.
/// What it says about the journal stays true.
fn take_clean_marker(paths: &Paths, store_id: u64) -> Result<Option<Head>, StoreError> {
    let head = read_marker(&paths.clean, store_id)?;
    if head.is_some() {
        std::fs::rename(&paths.clean, &paths.last_clean).map_err(at(&paths.clean))?;
    } else {
        files::remove(&paths.clean)?;
    }
    files::sync_directory(&paths.directory)?;
    Ok(head)
}

/// Whether throwing the state away and building it again can help.
fn is_repairable(error: &StoreError) -> bool {
    match error {
        StoreError::DamagedState(_) | StoreError::Engine(_) | StoreError::RevisionGone { .. } => true,
        // A full disk or missing rights would only be met again, with the state gone.
        StoreError::Io { source, .. } => source.raw_os_error().is_none() && !is_sled_lock(source),
        _ => false,
    }
}

fn is_sled_lock(error: &std::io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

/// sled panics on some damaged files.
fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(StoreError::Engine(format!("it panicked: {what}")))
    })
}

/// The state, if it is there and was once finished.
fn open_state(paths: &Paths, store_id: u64, options: &OpenOptions) -> Result<Option<SledStore>, StoreError> {
    if !paths.state.exists() {
        return Ok(None);
    }
    let (store, is_whole) = open_sled(&paths.state, store_id, options)?;
    Ok(is_whole.then_some(store))
}

fn open_sled(state: &Path, store_id: u64, options: &OpenOptions) -> Result<(SledStore, bool), StoreError> {
    files::create_directory(state)?;
    guard_sled(state)?;
    let begun = Instant::now();
    loop {
        match caught(|| SledStore::open(state, store_id, options.cache_bytes)) {
            // An earlier store of this process lets go of the file some time after it was dropped. Other processes
            // are kept out by our own lock.
            Err(StoreError::Io { source, .. }) if is_sled_lock(&source) && begun.elapsed() < SLED_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Deletes what makes sled 0.34 fail for good after it was killed while opening: a half-written snapshot of its own,
/// and a torn `conf` file, both of which it writes afresh.
fn guard_sled(state: &Path) -> Result<(), StoreError> {
    for name in files::names(state)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            files::remove(&state.join(name))?;
        }
    }
    let conf = state.join("conf");
    let whole = files::read_if_there(&conf)?.is_none_or(|bytes| {
        bytes
            .split_last_chunk::<4>()
            .is_some_and(|(content, sum)| crc32fast::hash(content) == u32::from_le_bytes(*sum) && !content.is_empty())
    });
    if !whole {
        files::remove(&conf)?;
    }
    Ok(())
}

/// An error if segments are missing at the beginning of the journal: whoever deletes them tells the state first.
fn check_no_gap(paths: &Paths, store: &SledStore, log: &FileJournal) -> Result<(), StoreError> {
    if log.oldest() > store.oldest() && store.meta().applying == Revision(0) {
        return Err(StoreError::DamagedJournal {
            path: paths.journal.clone(),
            offset: 0,
            what: format!(
                "it begins after revision {}, and was expected to begin after revision {} or earlier: a segment is missing",
                log.oldest().0,
                store.oldest().0
            ),
        });
    }
    Ok(())
}

/// Applies what the state does not have yet, and checks that it is then what the journal says.
fn catch_up(store: &SledStore, log: &FileJournal, verify: bool, report: &mut OpenReport) -> Result<(), StoreError> {
    loop {
        let changes = log.read(store.head().revision, REPLAY_BATCH)?;
        if changes.is_empty() {
            break;
        }
        store.apply(&changes)?;
        report.replayed += changes.len() as u64;
    }
    if store.head() != log.head() {
        return Err(StoreError::DamagedState("its head is not that of the journal".to_owned()));
    }
    if verify { verify_state(store, log.head()) } else { Ok(()) }
}

/// Reads the whole state, half of it on a thread of its own. Cost: linear in the state.
fn verify_state(store: &SledStore, head: Head) -> Result<(), StoreError> {
    let wrong = |what: &str| Err(StoreError::DamagedState(what.to_owned()));
    let (records, rest) = std::thread::scope(|scope| {
        let rest = scope.spawn(|| caught(|| Ok((store.recompute_history_digest()?, store.users.recompute_digest()?))));
        let records = store.recompute_digest();
        (records, rest.join())
    });
    if records? != head.digest {
        return wrong("its records are not those that the journal adds up to");
    }
    let (history, users) =
        rest.unwrap_or_else(|_| Err(StoreError::Engine("reading it ended abnormally".to_owned())))?;
    if history != store.meta().history_digest {
        return wrong("its before-images are not those that were written");
    }
    if users != store.meta().users_digest {
        return wrong("its index of users is not the one that was written");
    }
    Ok(())
}

/// Keeps a damaged state for whoever wants to look at it; only the last one.
fn move_aside(paths: &Paths) -> Result<Option<PathBuf>, StoreError> {
    paths.remove_damaged_states()?;
    if !paths.state.exists() {
        return Ok(None);
    }
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let aside = paths.directory.join(format!("state.damaged-{millis}"));
    std::fs::rename(&paths.state, &aside).map_err(at(&paths.state))?;
    files::sync_directory(&paths.directory)?;
    Ok(Some(aside))
}

fn rebuild(
    paths: &Paths,
    store_id: u64,
    options: &OpenOptions,
    log: &FileJournal,
    snapshots: &[SnapshotFile],
    report: &mut OpenReport,
) -> Result<SledStore, StoreError> {
    for file in snapshots {
        let loaded = caught(|| {
            files::remove(&paths.state)?;
            let (store, _) = open_sled(&paths.state, store_id, options)?;
            snapshot::load(file, &store, log, store_id)?;
            catch_up(&store, log, true, report)?;
            Ok(store)
        });
        match loaded {
            Ok(store) => {
                report.loaded_snapshot = Some(file.revision);
                return Ok(store);
            }
            Err(error) if is_repairable(&error) => report.rejected_snapshots.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    if log.oldest() > Revision(0) {
        return Err(StoreError::DamagedJournal {
            path: paths.journal.clone(),
            offset: 0,
            what: format!(
                "it begins after revision {}, the state has to be rebuilt, and no snapshot reaches that far",
                log.oldest().0
            ),
        });
    }
    caught(|| {
        files::remove(&paths.state)?;
        let (store, _) = open_sled(&paths.state, store_id, options)?;
        store.finish_load(Meta { store_id, ..Meta::default() })?;
        catch_up(&store, log, true, report)?;
        Ok(store)
    })
}
