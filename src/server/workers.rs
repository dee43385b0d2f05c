//! The threads that serve calls: each has a runtime of its own and keeps the connections that it was given.
//!
//! What a connection needs then never moves between cores, and no thread wakes another for a call. Connections are handed
//! to whoever has the fewest, which spreads a handful of them as well as thousands; that is why the kernel is not left to
//! do it (`SO_REUSEPORT`).

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc, watch};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::server::Router;
use tower::layer::util::{Identity, Stack};

use super::connections::{Accepted, Connection};
use crate::api::GuardLayer;

/// How many connections may wait for one thread to take them.
const WAITING: usize = 64;

/// The services with all that stands before them.
pub type Services = Router<Stack<GuardLayer, Identity>>;

/// How serving ends: in good order first, at once if that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It goes on.
    No,
    /// Calls under way may end.
    Orderly,
    /// Nothing is waited for.
    Now,
}

/// The threads. They end when they are told to, and when this is dropped.
pub struct Workers {
    workers: Vec<Worker>,
    ending: watch::Sender<Ending>,
}

struct Worker {
    connections: mpsc::Sender<Connection>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Workers {
    /// Starts so many threads, at least one, that all serve the same.
    ///
    /// # Errors
    /// What the operating system says if it has no thread or no file descriptor left.
    pub fn start(count: usize, services: &Services) -> io::Result<Self> {
        let (ending, _) = watch::channel(Ending::No);
        let start = |number| Worker::start(number, services.clone(), ending.subscribe());
        let workers = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { workers, ending })
    }

    /// Gives a connection to the thread that has the fewest. Waits while that one has many to take.
    pub async fn give(&self, connection: Accepted) {
        let fewest = self.workers.iter().min_by_key(|worker| worker.open.load(Ordering::Relaxed));
        let Some(worker) = fewest else { return };
        match connection.counted(&worker.open) {
            // A thread that takes nothing more has ended: so does the connection.
            Ok(connection) => drop(worker.connections.send(connection).await),
            Err(error) => tracing::debug!(%error, "a connection could not be handed on"),
        }
    }

    /// Whether one of the threads has ended.
    #[must_use]
    pub(super) fn has_ended(&self) -> bool {
        self.workers.iter().any(|worker| worker.thread.is_finished())
    }

    /// Tells all threads to end.
    pub(super) fn end(&self, how: Ending) {
        self.ending.send_replace(how);
    }

    /// What tells the threads to end while [`Self::join`] waits for them.
    pub(super) fn cutter(&self) -> watch::Sender<Ending> {
        self.ending.clone()
    }

    /// Waits until all threads have ended. Blocks.
    ///
    /// # Errors
    /// The first failure of one of them.
    pub(super) fn join(self) -> Result<(), super::ServeError> {
        for worker in self.workers {
            drop(worker.connections);
            worker.thread.join().map_err(|_| io::Error::other("a thread that served ended abnormally"))??;
        }
        Ok(())
    }
}

impl Worker {
    fn start(number: usize, services: Services, ending: watch::Receiver<Ending>) -> io::Result<Self> {
        let (connections, given) = mpsc::channel(WAITING);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reached = |mut ending: watch::Receiver<Ending>, least: &'static [Ending]| async move {
            // An error means that whoever could tell is gone, which is a reason to end too.
            let _ = ending.wait_for(|ending| least.contains(ending)).await;
        };
        let orderly = reached(ending.clone(), &[Ending::Orderly, Ending::Now]);
        let now = reached(ending, &[Ending::Now]);
        let thread = thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            let outcome = runtime.block_on(async {
                let given =
                    ReceiverStream::new(given).filter_map(|connection: Connection| match connection.register() {
                        Ok(connection) => Some(Ok::<_, io::Error>(connection)),
                        Err(error) => {
                            tracing::debug!(%error, "a connection could not be taken");
                            None
                        }
                    });
                tokio::select! {
                    outcome = services.serve_with_incoming_shutdown(given, orderly) => outcome,
                    () = now => Ok(()),
                }
            });
            // What reads the disk at this moment is not waited for: its caller is gone.
            runtime.shutdown_background();
            outcome
        })?;
        Ok(Self { connections, open: Arc::default(), thread })
    }
}
