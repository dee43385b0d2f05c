//! The one thread that writes. What queued while the last group went to stable storage is the next group.
//!
//! A group's members are planned in order, each over what those before it change. The group is one append to the
//! journal and one publication; then every member is told. The state takes it in afterwards, while the next group is
//! planned. After a failure whose outcome is unknown nothing more is written until a restart, and questions are answered
//! from what is published.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    constraints,
    core::{Core, Service},
    error::{ErrorReason, ServiceError},
    manners::forget_answers,
    plan::{Pending, Plan},
    sweep::Sweeper,
};
use crate::{
    model::{Actor, Change, Dependency, Key, RecordChange, Revision, Sums, Timestamp},
    store::{ChangeLog, StoreError, Versions as _},
};

/// The most writes of a group.
const MAX_GROUP: usize = 128;
/// A change of more records than this ends its group.
const LARGE_CHANGE: usize = 1000;
/// How long old answers may stay after they count no more, in milliseconds. Each step forgets a bounded number.
const FORGET_EVERY_MS: u64 = 10_000;

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// What it made.
    pub value: T,
    /// The revision at which it holds.
    pub revision: Revision,
}

/// One write as it is described, before it is done.
pub struct Write<T> {
    pub(super) method: &'static str,
    pub(super) plan: PlanOf<T>,
    /// Who makes the change, if it is not who asked for it.
    actor: Actor,
}

pub(super) type PlanOf<T> = Box<dyn FnOnce(&mut Plan<'_>) -> Result<T, ServiceError> + Send>;

impl<T: 'static> Write<T> {
    pub(super) fn new(
        method: &'static str,
        plan: impl FnOnce(&mut Plan<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Self {
        Self { method, plan: Box::new(plan), actor: Actor::LocalOperator }
    }

    /// The same write as one of the server's own.
    pub(super) fn by_server(self) -> Self {
        Self { actor: Actor::Server, ..self }
    }

    /// The same write with another answer, made from its own and the revision at which it holds.
    pub fn answering<R: 'static>(self, answer: impl FnOnce(T, Revision) -> R + Send + 'static) -> Write<R> {
        let Self { method, plan, actor } = self;
        let whole = Write::new(method, move |context| {
            let value = plan(context)?;
            Ok(answer(value, context.revision()))
        });
        Write { actor, ..whole }
    }
}

/// One write that waits for its turn.
pub(super) struct Job {
    method: &'static str,
    actor: Actor,
    plan: Box<dyn FnOnce(&mut Plan<'_>) -> Planned + Send>,
}

/// A write after its plan: whether it is accepted, and how to tell its caller what came of it.
struct Planned {
    /// It is to be done, and not only looked at.
    accepted: bool,
    tell: Box<dyn FnOnce(Result<Revision, ServiceError>) + Send>,
}

/// The writer's thread.
pub(super) struct WriterHandle {
    core: Arc<Core>,
    stopped: Arc<AtomicBool>,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl WriterHandle {
    pub(super) fn takes_writes(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && !self.core.store.has_failed()
    }

    pub(super) fn stop(&self) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = stop {
            drop(stop);
            // The thread aborts the process if it panics, so there is nothing to hear from it.
            let _ = thread.join();
        }
    }
}

impl Service {
    /// Does a write: hands it to the writer and waits until it is acknowledged or refused.
    ///
    /// # Errors
    /// Those of the write, and whatever keeps it from being brought to stable storage.
    pub async fn write<T: Send + 'static>(&self, write: Write<T>) -> Result<Written<T>, ServiceError> {
        let Write { method, plan, actor } = write;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            method,
            actor,
            plan: Box::new(move |context| {
                let outcome = plan(context).and_then(|value| constraints::check(context).map(|()| value));
                Planned {
                    accepted: outcome.is_ok() && !context.is_dry,
                    tell: Box::new(move |written| {
                        let told = written.and_then(|revision| outcome.map(|value| Written { value, revision }));
                        // A caller that has gone away does not want to know.
                        let _ = answer.send(told);
                    }),
                }
            }),
        };
        let stopping = || ServiceError::new(ErrorReason::ShuttingDown, "the server is stopping; nothing was written");
        self.writes.send(job).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }
}

/// Starts the writer's thread. It ends when its handle says so, after what is queued.
pub(super) fn start(
    core: Arc<Core>,
    log: Arc<dyn ChangeLog>,
    jobs: mpsc::Receiver<Job>,
) -> std::io::Result<WriterHandle> {
    let stopped = Arc::new(AtomicBool::new(false));
    let writer_stopped = Arc::clone(&stopped);
    let (stop, stopping) = oneshot::channel();
    let its_core = Arc::clone(&core);
    let thread = std::thread::Builder::new().name("rolecall-writer".to_owned()).spawn(move || {
        // A panic here would leave a group half told. Starting again from the journal is proven safe; going on is not.
        let abort = AbortOnPanic;
        let forgot = core.now();
        let writer = Writer { core, log, stopped: writer_stopped, sweeper: Sweeper::new(), forgot };
        writer.run(jobs, stopping);
        std::mem::forget(abort);
    })?;
    Ok(WriterHandle { core: its_core, stopped, stop: Mutex::new(Some((stop, thread))) })
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

struct Writer {
    core: Arc<Core>,
    log: Arc<dyn ChangeLog>,
    stopped: Arc<AtomicBool>,
    sweeper: Sweeper,
    /// When old answers were last looked for.
    forgot: Timestamp,
}

impl Writer {
    fn run(mut self, jobs: mpsc::Receiver<Job>, stopping: oneshot::Receiver<()>) {
        self.write(jobs, stopping);
        // Whoever waits for the end of this thread can close the state then.
        self.core.store.stop();
    }

    fn write(&mut self, mut jobs: mpsc::Receiver<Job>, stopping: oneshot::Receiver<()>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            self.stopped.store(true, Ordering::Relaxed);
            return;
        };
        let (mut stopping, mut closing) = (stopping, false);
        loop {
            let mut group = Vec::new();
            if self.sweeper.has_work() && !self.stopped.load(Ordering::Relaxed) {
                match jobs.try_recv() {
                    Ok(job) => group.push(job),
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                    Err(mpsc::error::TryRecvError::Empty) => {
                        self.sweep();
                        // Sweeping can wait; stopping cannot.
                        if !closing && !matches!(stopping.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                            closing = true;
                            jobs.close();
                        }
                        continue;
                    }
                }
            } else {
                let first = runtime.block_on(async {
                    tokio::select! {
                        biased;
                        job = jobs.recv() => job,
                        _ = &mut stopping, if !closing => None,
                    }
                });
                let Some(job) = first else { return };
                group.push(job);
            }
            while group.len() < MAX_GROUP
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
            self.write_group(group);
            let now = self.core.now();
            if now.0.saturating_sub(self.forgot.0) > FORGET_EVERY_MS && !self.stopped.load(Ordering::Relaxed) {
                self.forgot = now;
                self.tidy("ForgetAnswers", |_, plan| forget_answers(plan));
            }
        }
    }

    fn write_group(&mut self, group: Vec<Job>) {
        let mut members = group.into_iter().peekable();
        while members.peek().is_some() {
            let head = self.core.store.head();
            let mut pending = Pending::default();
            let mut changes: Vec<Change> = Vec::new();
            let mut told = Vec::new();
            let (mut revision, mut next_number) = (head.revision, head.next_number);
            for job in members.by_ref() {
                if self.stopped.load(Ordering::Relaxed) {
                    let refusal = ServiceError::from(StoreError::Stopped);
                    let mut plan = Plan::new(&self.core, &pending, self.core.now(), revision, next_number);
                    told.push(((job.plan)(&mut plan).tell, Err(refusal)));
                    continue;
                }
                let time = self.core.now();
                let mut plan = Plan::new(&self.core, &pending, time, revision, next_number);
                let planned = (job.plan)(&mut plan);
                if !planned.accepted {
                    told.push((planned.tell, Ok(revision)));
                    continue;
                }
                let (records, free) = plan.finish();
                if !records.is_empty() {
                    revision = Revision(revision.0 + 1);
                    next_number = free;
                    if records.len() <= LARGE_CHANGE {
                        // After a larger one the group ends, and nobody plans over it.
                        pending.take_in(revision, &records);
                    }
                    changes.push(change(revision, time, job.actor, job.method, next_number, records));
                }
                told.push((planned.tell, Ok(revision)));
                if changes.last().is_some_and(|change| change.records.len() > LARGE_CHANGE) {
                    break;
                }
            }
            let outcome = self.commit(changes);
            for (tell, answer) in told {
                tell(match &outcome {
                    Ok(()) => answer,
                    Err(error) => Err(error.clone()),
                });
            }
        }
    }

    /// Brings changes to stable storage, and into force.
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), ServiceError> {
        let Some(last) = changes.last().map(|change| change.revision) else { return Ok(()) };
        let head = self.core.store.head();
        // Before anything is announced: while the state is busy, no load is disturbed.
        self.core.store.make_room().map_err(|error| self.stop_writing(&error))?;
        let (touched, is_coarse) = touched(&changes, self.core.settings.stamps_of_a_write);
        if is_coarse {
            self.core.stamps.note_coarse(last);
        }
        #[cfg(test)]
        let touched = self.with_fault(touched, &changes);
        let slots = self.core.stamps.slots(&touched);
        let is_catalog = |record: &RecordChange| matches!(record.key, Key::Catalog(_));
        let has_catalog = changes.iter().flat_map(|change| &change.records).any(is_catalog);
        self.sweeper.note(&changes);
        let group = Arc::new(self.core.store.group(changes));
        let append = || self.log.append(head.revision, group.changes(), group.after().digest);
        match self.core.stamps.commit(last, &slots, append, || self.core.store.put(Arc::clone(&group))) {
            Ok(()) => {
                if has_catalog {
                    // Kept answers hold on to the version of the catalog that they were worked out from.
                    self.core.subjects.map().forget();
                    self.core.catalogs.map().forget();
                }
                Ok(())
            }
            Err(error @ (StoreError::DiskNearlyFull { .. } | StoreError::HeadMoved { .. })) => Err(error.into()),
            Err(error) => Err(self.stop_writing(&error)),
        }
    }

    /// Takes no more writes until a restart.
    fn stop_writing(&self, error: &StoreError) -> ServiceError {
        tracing::error!(%error, "a write failed and its outcome is unknown; writing stops until a restart");
        self.stopped.store(true, Ordering::Relaxed);
        StoreError::Stopped.into()
    }

    /// What is stamped as a planted bug would have it.
    #[cfg(test)]
    fn with_fault(&self, mut touched: BTreeSet<Dependency>, changes: &[Change]) -> BTreeSet<Dependency> {
        if self.core.settings.fault == Some(super::core::Fault::StampSkipped) {
            for record in changes.iter().flat_map(|change| &change.records) {
                if let Key::Membership { user, .. } = record.key {
                    touched.remove(&Dependency::Thing(user));
                }
            }
        }
        touched
    }

    fn sweep(&mut self) {
        self.tidy("Sweep", Sweeper::step);
    }

    /// A change of the server's own.
    fn tidy(&mut self, method: &str, step: impl FnOnce(&mut Sweeper, &mut Plan<'_>) -> Result<(), ServiceError>) {
        let head = self.core.store.head();
        let pending = Pending::default();
        let time = self.core.now();
        let mut plan = Plan::new(&self.core, &pending, time, head.revision, head.next_number);
        let swept = step(&mut self.sweeper, &mut plan);
        let (records, next_number) = plan.finish();
        let outcome = swept.and_then(|()| {
            if records.is_empty() {
                return Ok(());
            }
            let revision = Revision(head.revision.0 + 1);
            self.commit(vec![change(revision, time, Actor::Server, method, next_number, records)])
        });
        if let Err(error) = outcome {
            tracing::warn!(%error, "left-over records could not be swept; they are void, and swept after a restart");
            self.sweeper.give_up();
        }
    }
}

fn change(
    revision: Revision,
    time: Timestamp,
    actor: Actor,
    method: &str,
    next_number: u64,
    records: Vec<RecordChange>,
) -> Change {
    Change { revision, time, actor, method: method.to_owned(), next_number, records, sums: Sums::default() }
}

/// What a group touches, or, if that is more than so many things, the accounts that it touches; and whether it is these.
fn touched(changes: &[Change], most: usize) -> (BTreeSet<Dependency>, bool) {
    let keys = || changes.iter().flat_map(|change| &change.records).map(|record| &record.key);
    let all: BTreeSet<Dependency> = keys().filter_map(Key::dependency).collect();
    if all.len() <= most {
        return (all, false);
    }
    // Whoever has seen the account depends on it; whoever has not depends on its name.
    let accounts = keys()
        .filter_map(|key| match key.account() {
            Some(account) => Some(Dependency::Thing(account)),
            None => key.dependency(),
        })
        .collect();
    (accounts, true)
}
