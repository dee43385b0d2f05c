//! What every use case shares: the store, the caches, the clock, and the way to the writer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::sync::{Semaphore, mpsc};

use super::{
    answerable::{Answerable, Decidable},
    error::{ErrorReason, ServiceError},
    facts,
    holdings::{RoleSignature, Signature},
    pages::KeptPage,
    writer,
};
use crate::{
    cache::{CacheLimits, Interner, LoadCache, MokaMap, Stamps, SubjectMap, TableMap},
    engine::{CompiledCatalog, Conditions, EffectiveSet, NoConditions, RoleFacts},
    model::{Dependency, Key, Number, Revision, Timestamp},
    store::{At, ChangeLog, Store, Versions as _, View, WriteBehind},
};

/// Says what time it is.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time, which may be less than it was before.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What a service is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the cache may hold.
    pub cache: CacheLimits,
    /// How many questions may be worked out at a time; more wait.
    pub loads: usize,
    /// Keys the slots of the stamps. Any number that outsiders cannot guess.
    pub seed: u64,
    /// A group of writes that touches more things than this stamps the accounts that it touches instead.
    pub stamps_of_a_write: usize,
    /// Says what time it is. What the service takes for the time never runs backwards all the same.
    pub clock: Arc<dyn Clock>,
    /// No decision is made for an earlier time than this.
    pub not_before: Timestamp,
    /// The language of conditions.
    pub conditions: Arc<dyn Conditions>,
    /// A bug to have, so that the tests of the tests can look for it.
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
}

/// Bugs that are planted to see whether the tests find them.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A change of a user's memberships is published without a stamp.
    StampSkipped,
    /// What is held through teams is left out.
    TeamRoleForgotten,
    /// Every account counts as entitled to every feature.
    FeatureGateDropped,
    /// The API scopes that a role leaves out are provided all the same.
    LeftOutIgnored,
    /// A service account is taken for the user of the same id.
    ServiceAccountAsUser,
    /// What a role's holders are counted to be never becomes less.
    HolderCountKept,
    /// A deny statement counts only in the role that is held, not in its parents.
    InheritedDenyIgnored,
    /// A role that is held on a resource is held on the whole account too.
    ResourceIgnored,
    /// A user has the access lists of all users of the account.
    AccessOfEverybody,
    /// A kept answer is given however long ago something of it expired.
    ExpiryIgnoredOnRead,
    /// In a pattern of permissions one star matches two segments too.
    StarMatchesTwo,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache: CacheLimits::default(),
            loads: 64,
            seed: 0,
            stamps_of_a_write: 4096,
            clock: Arc::new(SystemClock),
            not_before: Timestamp(0),
            conditions: Arc::new(NoConditions),
            #[cfg(test)]
            fault: None,
        }
    }
}

/// Which revision a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAt {
    /// The newest published one.
    Latest,
    /// One that has been, from history.
    Exact(Revision),
}

/// How far the published state has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last published revision.
    pub revision: Revision,
    /// The oldest revision that can be read.
    pub oldest: Revision,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The elements, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision that was read.
    pub revision: Revision,
}

type SubjectCache = LoadCache<Answerable, ServiceError, MokaMap<Answerable>>;
type CatalogCache = LoadCache<Option<CatalogAt>, ServiceError, TableMap<Option<CatalogAt>>>;

/// A compiled catalog and the revision that its record was written at.
#[derive(Clone, Debug)]
pub(super) struct CatalogAt {
    pub(super) compiled: Arc<CompiledCatalog>,
    pub(super) revision: Revision,
}

/// What questions need.
pub(super) struct Core {
    /// What is stored, and in front of it what is in force already.
    pub(super) store: WriteBehind,
    pub(super) stamps: Arc<Stamps>,
    /// All about the subjects that lists were made of, and those that do not exist.
    pub(super) subjects: SubjectCache,
    /// Lists of permissions, written down.
    pub(super) pages: MokaMap<KeptPage>,
    /// What decides about each subject that was asked about.
    pub(super) decisions: SubjectMap<Decidable>,
    pub(super) catalogs: CatalogCache,
    pub(super) sets: Interner<Signature, EffectiveSet>,
    /// Compiled custom roles, by the version of the catalog too.
    pub(super) roles: Interner<((Number, Revision), RoleSignature), RoleFacts>,
    /// The latest time that was told.
    latest: AtomicU64,
    pub(super) settings: Settings,
    pub(super) loads: Arc<Semaphore>,
}

impl Core {
    /// The server's clock: milliseconds since 1970, and never less than it has said before.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.settings.clock.now().0;
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    /// The instant for which what is kept is looked at.
    pub(super) fn asked_at(&self, now: Timestamp) -> Timestamp {
        #[cfg(test)]
        let now = self.with_faulty_clock(now);
        now
    }

    /// A catalog made ready, as it is now. None: there is no such catalog.
    pub(super) fn catalog(&self, number: Number) -> Result<Option<CatalogAt>, ServiceError> {
        let mut read = |stamps: &Stamps, dependencies: &mut crate::cache::Dependencies| {
            stamps.depend(dependencies, &Dependency::Thing(number));
            let record = facts::get_catalog(&self.store, &Key::Catalog(number))?;
            Ok((record.map(|record| self.compile(record)), None))
        };
        let entry = self.catalogs.get_or_load(&number.0.to_be_bytes(), Timestamp(0), |_| true, &mut read)?;
        Ok(entry.value.clone())
    }

    /// A catalog made ready as it is in a view. Cost: as large as the catalog; for reads of the past and plans.
    pub(super) fn catalog_in(&self, view: &dyn View, number: Number) -> Result<Option<CatalogAt>, ServiceError> {
        Ok(facts::get_catalog(view, &Key::Catalog(number))?.map(|record| self.compile(record)))
    }

    /// A catalog made ready as it was at a revision. Cost: that of [`Self::catalog`] unless it has changed since.
    pub(super) fn catalog_at(&self, number: Number, revision: Revision) -> Result<Option<CatalogAt>, ServiceError> {
        match self.catalog(number) {
            Ok(Some(current)) if current.revision <= revision => Ok(Some(current)),
            Err(error) if error.reason != ErrorReason::Disturbed => Err(error),
            // Replaced since, or being replaced at this moment.
            _ => self.catalog_in(&self.at(revision), number),
        }
    }

    /// Facts as they stand at one revision.
    pub(super) fn at(&self, revision: Revision) -> At<'_> {
        At { store: &self.store, revision }
    }

    fn compile(&self, record: crate::model::Stamped<Box<crate::model::Catalog>>) -> CatalogAt {
        let catalog = *record.value;
        #[cfg(test)]
        let catalog = self.with_faulty_catalog(catalog);
        let compiled = CompiledCatalog::new(catalog, Arc::clone(&self.settings.conditions));
        CatalogAt { compiled: Arc::new(compiled), revision: record.revision }
    }
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    pub(super) core: Arc<Core>,
    pub(super) writes: mpsc::Sender<writer::Job>,
    writer: Arc<writer::WriterHandle>,
}

impl Service {
    /// A service over a store and the log that it follows, both at the same revision. Starts the writer's thread.
    ///
    /// # Errors
    /// What the operating system says if it has no thread left.
    pub fn start(store: Arc<dyn Store>, log: Arc<dyn ChangeLog>, settings: Settings) -> std::io::Result<Self> {
        let head = store.head();
        let stamps = Arc::new(Stamps::new(head.revision, settings.seed));
        let limits = settings.cache;
        // Names of subjects take the most; the sets that they share, what lists are made of, and written lists the rest.
        let names = usize::try_from(limits.bytes / 2).unwrap_or(usize::MAX);
        let lists = CacheLimits { bytes: limits.bytes / 8, ..limits };
        let core = Arc::new(Core {
            store: WriteBehind::start(store)?,
            stamps: Arc::clone(&stamps),
            subjects: LoadCache::new(Arc::clone(&stamps), MokaMap::new(lists)),
            pages: MokaMap::new(lists),
            decisions: SubjectMap::new(Arc::clone(&stamps), names, limits.bytes / 4, settings.seed),
            catalogs: LoadCache::new(stamps, TableMap::default()),
            sets: Interner::default(),
            roles: Interner::default(),
            latest: AtomicU64::new(head.time.max(settings.not_before).0),
            loads: Arc::new(Semaphore::new(settings.loads)),
            settings,
        });
        let (writes, jobs) = mpsc::channel(1024);
        let writer = writer::start(Arc::clone(&core), log, jobs)?;
        Ok(Self { core, writes, writer: Arc::new(writer) })
    }

    /// How far the published state has come.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { revision: self.core.stamps.stable(), oldest: self.core.store.oldest() }
    }

    /// The server's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// Whether writes are still taken.
    #[must_use]
    pub fn takes_writes(&self) -> bool {
        self.writer.takes_writes()
    }

    /// Forgets every kept answer. For tests and benchmarks of cold answers: correctness never needs it.
    pub fn clear_cache(&self) {
        self.core.subjects.map().clear();
        self.core.pages.clear();
        self.core.decisions.clear();
    }

    /// How many subjects are kept, how many bytes their names take, and how many compiled values they share. For figures.
    #[must_use]
    pub fn kept_subjects(&self) -> (usize, usize, u64) {
        self.core.decisions.filled()
    }

    /// Lets writes that are queued finish, and takes no more. Returns when the writer has ended.
    pub fn stop(&self) {
        self.writer.stop();
    }

    /// Runs something that reads the disk away from the threads that serve calls, at one revision.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        at: ReadAt,
        read: impl FnOnce(&Core, At<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<(T, Revision), ServiceError> {
        let core = Arc::clone(&self.core);
        self.blocking(move || {
            let revision = match at {
                ReadAt::Latest => core.stamps.stable(),
                ReadAt::Exact(revision) => revision,
            };
            Ok((read(&core, core.at(revision))?, revision))
        })
        .await
    }

    /// Runs something that blocks away from the threads that serve calls. As many at a time as the settings say.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let stopped = |_| ServiceError::new(ErrorReason::ShuttingDown, "the server is stopping");
        let permit = Arc::clone(&self.core.loads).acquire_owned().await.map_err(stopped)?;
        // The permit goes with the work: a caller that gives up does not make room for another while it goes on.
        let work = move || {
            let _permit = permit;
            work()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "a read ended abnormally");
                Err(ServiceError::new(ErrorReason::Internal, "the server failed to answer; its log says more"))
            }
        }
    }
}
