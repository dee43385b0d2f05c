//! The running server: opens the data, starts the service, listens, and stops in good order.
//!
//! Nothing is served before the store is whole, and health says NOT_SERVING before anything is closed. Start with
//! [`run`]; the limits that stand here are those of a connection, those of a call are in `api`.

mod connections;
mod demo;
mod erase;
mod workers;

use std::{net::SocketAddr, num::NonZero, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tonic::{server::NamedService, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

use self::workers::Ending;
pub use self::{
    connections::{Accepted, Listener},
    workers::{Services, Workers},
};
use crate::{
    api::{Api, GuardLayer},
    cache::CacheLimits,
    config::{DataPlace, ServeSettings},
    model::Timestamp,
    proto,
    service::{Service, ServiceError, Settings},
    store::{self, OpenOptions, Opened, StoreError},
    telemetry,
};

/// How often the state of writing is looked at, and whether a snapshot is due.
const WATCH: Duration = Duration::from_secs(1);
/// How long the data may take to be closed: a snapshot of many millions that is under way is finished first.
const CLOSING: Duration = Duration::from_secs(300);

/// How many questions that are not kept are worked out at a time for each core, and at least.
const LOADS_OF_A_CORE: usize = 8;
const MIN_LOADS: usize = 16;

/// Why a server did not start, or did not stop in good order.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The data cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The demo cannot be loaded.
    #[error("cannot load the demo: {0}")]
    Demo(ServiceError),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The process cannot do what every process can.
    #[error("cannot start: {0}")]
    Process(#[from] std::io::Error),
    /// The state did not come to rest.
    #[error("the state did not come to rest within {} s and is left as it is; all that was acknowledged is in the journal, \
             from which the next start brings it up", CLOSING.as_secs())]
    Closing,
    /// The transport failed.
    #[error("the server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// A server that runs.
pub struct Running {
    /// The TCP address, if it listens on one.
    pub address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    accepting: Vec<tokio::task::JoinHandle<()>>,
    workers: Arc<Workers>,
    health: HealthReporter,
    service: Service,
    opened: Arc<Opened>,
    drain: Duration,
    grace: Duration,
    socket: Option<PathBuf>,
    demo: Option<tempfile::TempDir>,
}

/// Runs a server until SIGTERM or SIGINT. `ready` is told once calls are answered.
///
/// # Errors
/// [`ServeError`].
pub async fn run(settings: ServeSettings, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
    telemetry::start(&settings.log, settings.log_format);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = start(settings).await?;
    ready(&running);
    let by = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = running.ended() => "a failure",
    };
    tracing::info!(by, "stopping");
    running.stop().await
}

/// Starts a server; it runs until [`Running::stop`].
///
/// # Errors
/// [`ServeError`]; nothing is left running then.
pub async fn start(settings: ServeSettings) -> Result<Running, ServeError> {
    let demo = match settings.data {
        DataPlace::Demo => Some(tempfile::Builder::new().prefix("rolecall-demo-").tempdir()?),
        DataPlace::Directory(_) => None,
    };
    let directory = match (&settings.data, &demo) {
        (DataPlace::Directory(directory), _) => directory.clone(),
        (DataPlace::Demo, demo) => demo.as_ref().map(|demo| demo.path().to_owned()).unwrap_or_default(),
    };
    let shown = directory.display().to_string();
    let opened = tokio::task::spawn_blocking(move || store::open(&directory, OpenOptions::default()))
        .await
        .map_err(std::io::Error::other)??;
    let report = &opened.report;
    tracing::info!(
        directory = shown,
        revision = store::Versions::head(&*opened.store).revision.0,
        clean = report.clean,
        replayed = report.replayed,
        "opened the data"
    );
    if let Some(why) = &report.rebuilt {
        tracing::warn!(why, "the state was rebuilt from the journal");
    }
    if report.cut_bytes > 0 {
        tracing::warn!(bytes = report.cut_bytes, "cut off a write that was never acknowledged");
    }

    let opened = Arc::new(opened);
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let service_settings = Settings {
        // Each has a thread, and what its allocator keeps for it: more of them than the disk can serve only take memory.
        loads: (cores * LOADS_OF_A_CORE).clamp(MIN_LOADS, Settings::default().loads),
        cache: CacheLimits { bytes: settings.cache_bytes, ..CacheLimits::default() },
        seed: u64::from_ne_bytes(seed),
        not_before: opened.time_mark(),
        #[cfg(feature = "cel")]
        conditions: Arc::new(crate::conditions::CelConditions),
        ..Settings::default()
    };
    let service = Service::start(Arc::clone(&opened.store) as _, Arc::clone(&opened.log) as _, service_settings)?;
    if let Err(error) = opened.mark_time(ahead(service.now())) {
        tracing::error!(%error, "could not mark the time; trying again");
    }
    if demo.is_some() {
        demo::load(&service).await.map_err(ServeError::Demo)?;
    }

    let tcp = match settings.listen {
        None => None,
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|source| ServeError::Listen { address: address.to_string(), source })?,
        ),
    };
    let address = tcp.as_ref().map(TcpListener::local_addr).transpose()?;
    let unix = match &settings.listen_unix {
        None => None,
        Some(path) => Some(
            connections::bind_unix(path)
                .await
                .map_err(|source| ServeError::Listen { address: path.display().to_string(), source })?,
        ),
    };
    let (stop, stopping) = watch::channel(false);
    let (health, services) = services(&service, &opened).await?;
    let workers = Arc::new(Workers::start(settings.threads.unwrap_or(cores), &services)?);
    let listeners = tcp.map(Listener::Tcp).into_iter().chain(unix.map(Listener::Unix)).collect();
    let accepting = accept(listeners, &workers, &stopping);
    let running = Running {
        address,
        stop,
        accepting,
        workers,
        health,
        service,
        opened,
        drain: settings.drain,
        grace: settings.shutdown_grace,
        socket: settings.listen_unix.clone(),
        demo,
    };
    running.watch(&stopping);
    if let (Some(path), Some(address)) = (&settings.ready_file, address) {
        // Written beside and renamed: whoever waits for the file finds it whole.
        let partial = path.with_extension("partial");
        std::fs::write(&partial, format!("{address}\n"))
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|source| ServeError::Write { path: path.clone(), source })?;
    }
    tracing::info!(address = address.map(|address| address.to_string()), socket = ?settings.listen_unix, "ready");
    Ok(running)
}

/// How far ahead of the clock time is marked, and after how much of that it is marked again.
const MARK_AHEAD: Duration = Duration::from_secs(10);

fn ahead(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_add(u64::try_from(MARK_AHEAD.as_millis()).unwrap_or(u64::MAX)))
}

/// The transport with its limits, and what stands before every service.
///
/// # Errors
/// If the operating system gives no random number.
pub fn transport() -> std::io::Result<Server<Stack<GuardLayer, Identity>>> {
    Ok(Server::builder()
        .max_concurrent_streams(256)
        .http2_max_header_list_size(8 << 10)
        .max_frame_size(16 << 10)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(100))
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .max_connection_age(connections::max_age()?)
        .max_connection_age_grace(Duration::from_secs(30))
        .layer(GuardLayer::default()))
}

/// Every service, with health among them.
async fn services(service: &Service, opened: &Opened) -> Result<(HealthReporter, Services), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in SERVICES {
        health.set_service_status(*name, ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let api = Api::new(service.clone(), opened.store_id());
    let router = transport()?
        .add_routes(api.routes())
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(std::io::Error::other)?)
        .add_service(reflection().build_v1alpha().map_err(std::io::Error::other)?);
    Ok((health, router))
}

/// Takes the connections of all listeners and hands them to the threads that serve them, until it is stopped.
fn accept(
    listeners: Vec<Listener>,
    workers: &Arc<Workers>,
    stopping: &watch::Receiver<bool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let limit = connections::Limit::default();
    let accepting = listeners.into_iter().map(|listener| {
        let (limit, workers, mut stopping) = (limit.clone(), Arc::clone(workers), stopping.clone());
        tokio::spawn(async move {
            // An error means that the server itself is gone, which is a reason to stop too.
            let stopped = async { drop(stopping.wait_for(|stop| *stop).await) };
            let accepting = async {
                loop {
                    workers.give(limit.accept(&listener).await).await;
                }
            };
            tokio::select! {
                () = stopped => (),
                () = accepting => (),
            }
        })
    });
    accepting.collect()
}

/// Every service that health is told of, the whole process ("") first.
const SERVICES: &[&str] = &[
    "",
    proto::authorization_service_server::AuthorizationServiceServer::<Api>::NAME,
    proto::catalog_service_server::CatalogServiceServer::<Api>::NAME,
    proto::account_service_server::AccountServiceServer::<Api>::NAME,
    proto::user_service_server::UserServiceServer::<Api>::NAME,
    proto::team_service_server::TeamServiceServer::<Api>::NAME,
    proto::role_service_server::RoleServiceServer::<Api>::NAME,
    proto::service_account_service_server::ServiceAccountServiceServer::<Api>::NAME,
    proto::role_binding_service_server::RoleBindingServiceServer::<Api>::NAME,
    proto::access_policy_service_server::AccessPolicyServiceServer::<Api>::NAME,
    proto::resource_service_server::ResourceServiceServer::<Api>::NAME,
    proto::access_list_service_server::AccessListServiceServer::<Api>::NAME,
    proto::exception_service_server::ExceptionServiceServer::<Api>::NAME,
];
/// How many of them, from the first, do not need writes.
const WITHOUT_WRITES: usize = 2;

impl Running {
    /// The use cases, for tests and benchmarks in the same process.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Three commands to try, if this is a demo. `program` is how this program was started.
    #[must_use]
    pub fn to_try(&self, program: &str) -> Option<[String; 3]> {
        self.demo.as_ref().map(|_| demo::commands(program, self.address, self.socket.as_deref()))
    }

    /// Waits until serving ends by itself, which it does only by a failure.
    async fn ended(&self) {
        let mut stopping = self.stop.subscribe();
        loop {
            if self.workers.has_ended() {
                return;
            }
            let _ = tokio::time::timeout(WATCH, stopping.changed()).await;
        }
    }

    /// Looks after the store while the server runs. Each on its own: none waits for another that takes long.
    fn watch(&self, stopping: &watch::Receiver<bool>) {
        tokio::spawn(watch_writes(self.service.clone(), self.health.clone(), stopping.clone()));
        tokio::spawn(mark_times(self.service.clone(), Arc::clone(&self.opened), stopping.clone()));
        tokio::spawn(maintain(self.service.clone(), Arc::clone(&self.opened), stopping.clone()));
    }

    /// Stops in good order: says NOT_SERVING, waits for the drain time, lets calls end, and closes the data.
    ///
    /// # Errors
    /// [`ServeError`] if serving had failed, or the data could not be closed; it is safe all the same.
    pub async fn stop(self) -> Result<(), ServeError> {
        for name in SERVICES {
            self.health.set_service_status(*name, ServingStatus::NotServing).await;
        }
        tokio::time::sleep(self.drain).await;
        let _ = self.stop.send(true);
        for accepting in self.accepting {
            // Nobody listens any more, and nobody else has the threads.
            let _ = accepting.await;
        }
        let outcome = end(self.workers, self.grace).await;
        if let Some(socket) = &self.socket {
            // Left behind it does no harm: the next server replaces it.
            let _ = std::fs::remove_file(socket);
        }
        let (service, opened) = (self.service, self.opened);
        let close = move || {
            service.stop();
            // Nothing is decided any more: the next start need not begin ahead of the clock.
            if let Err(error) = opened.mark_time(service.now()) {
                tracing::error!(%error, "could not mark the time; the next start begins ahead of the clock");
            }
            opened.close()
        };
        in_time(CLOSING, close).await.ok_or(ServeError::Closing)??;
        tracing::info!("stopped");
        outcome
    }
}

/// What comes of something that blocks, if that takes no longer than this; otherwise it is left alone.
async fn in_time<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::time::timeout(patience, tokio::task::spawn_blocking(work)).await;
    match done.ok()?.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(outcome) => Some(outcome),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime ended before it was begun.
        Err(Err(_)) => None,
    }
}

/// Waits for a while. Whether the server still runs then.
async fn still_runs(stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(WATCH, stopping.wait_for(|stop| *stop)).await.is_err()
}

/// Says so when writing has stopped.
async fn watch_writes(service: Service, health: HealthReporter, mut stopping: watch::Receiver<bool>) {
    while still_runs(&mut stopping).await {
        if !service.takes_writes() {
            for name in SERVICES.iter().skip(WITHOUT_WRITES) {
                health.set_service_status(*name, ServingStatus::NotServing).await;
            }
            return;
        }
    }
}

/// Marks on the disk how far the time has come, ahead of it.
async fn mark_times(service: Service, opened: Arc<Opened>, mut stopping: watch::Receiver<bool>) {
    let mut marked = tokio::time::Instant::now();
    while still_runs(&mut stopping).await {
        if marked.elapsed() >= MARK_AHEAD / 2 {
            marked = tokio::time::Instant::now();
            let (opened, time) = (Arc::clone(&opened), ahead(service.now()));
            match tokio::task::spawn_blocking(move || opened.mark_time(time)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "could not mark the time; trying again"),
                Err(error) => tracing::error!(%error, "marking the time ended abnormally"),
            }
        }
    }
}

/// Who writes more than this from one look to the next loads users or files: a thousand single writes a second stay below
/// half of it.
const BUSY_BYTES: u64 = 1 << 20;

/// Erases what is to be erased, and takes snapshots, as long as writes are taken.
async fn maintain(service: Service, opened: Arc<Opened>, mut stopping: watch::Receiver<bool>) {
    let mut seen = opened.journal_bytes();
    while still_runs(&mut stopping).await && service.takes_writes() {
        if let Err(error) = erase::run(&service, &opened).await {
            tracing::error!(%error, "could not erase personal fields; trying again");
        }
        let bytes = opened.journal_bytes();
        let is_busy = bytes.saturating_sub(std::mem::replace(&mut seen, bytes)) > BUSY_BYTES;
        if opened.should_snapshot(is_busy) {
            let (opened, now) = (Arc::clone(&opened), service.now());
            let outcome = tokio::task::spawn_blocking(move || {
                let revision = opened.snapshot()?;
                opened.prune(now).map(|pruned| (revision, pruned))
            });
            match outcome.await {
                Ok(Ok((revision, pruned))) => {
                    tracing::info!(revision = revision.0, deleted_segments = pruned.segments, "took a snapshot")
                }
                Ok(Err(error)) => tracing::error!(%error, "could not take a snapshot"),
                Err(error) => tracing::error!(%error, "taking a snapshot ended abnormally"),
            }
        }
    }
}

/// Lets the calls under way end, for so long.
async fn end(workers: Arc<Workers>, grace: Duration) -> Result<(), ServeError> {
    let Some(workers) = Arc::into_inner(workers) else { return Ok(()) };
    workers.end(Ending::Orderly);
    let cut_off = workers.cutter();
    let mut joined = tokio::task::spawn_blocking(move || workers.join());
    let ended = match tokio::time::timeout(grace, &mut joined).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!("calls were still under way at the end of the grace time; they are cut off");
            cut_off.send_replace(Ending::Now);
            joined.await
        }
    };
    ended.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_comes_to_rest_keeps_nobody_from_stopping() {
        let (let_go, waits) = std::sync::mpsc::channel::<()>();
        assert!(in_time(Duration::from_millis(10), move || waits.recv()).await.is_none());
        drop(let_go);
        assert_eq!(in_time(Duration::from_secs(600), || 7).await, Some(7));
    }
}
