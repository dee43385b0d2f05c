//! A server in the test's own process, on data that outlive it, with a clock that only the test moves.
//!
//! Without such a clock nothing could be said about the moment at which something expires.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rolecall::{
    api::Api,
    conditions::CelConditions,
    model::Timestamp,
    service::{Clock, Service, Settings},
    store::{self, OpenOptions, Opened},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};

use super::case::Moment;

/// When every case begins.
const BEGIN: &str = "2026-06-01T12:00:00Z";

/// Milliseconds since 1970.
fn milliseconds(text: &str) -> u64 {
    let time: prost_types::Timestamp = text.parse().unwrap();
    u64::try_from(time.seconds).unwrap() * 1000 + u64::try_from(time.nanos / 1_000_000).unwrap()
}

/// The instant at which every case begins.
pub fn begin() -> Timestamp {
    Timestamp(milliseconds(BEGIN))
}

impl Moment {
    /// The instant that it is.
    pub fn instant(&self) -> Timestamp {
        match self {
            Self::At(text) => Timestamp(milliseconds(text)),
            Self::AfterSeconds(seconds) => Timestamp(begin().0 + seconds * 1000),
        }
    }

    /// The same as the API says it.
    pub fn proto(&self) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: i64::try_from(self.instant().0 / 1000).unwrap(), nanos: 0 }
    }
}

#[derive(Debug)]
struct MovedClock(AtomicU64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub struct ClockedServer {
    pub address: SocketAddr,
    pub service: Service,
    clock: Arc<MovedClock>,
    opened: Opened,
    directory: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

fn open(directory: &Path) -> Opened {
    store::open(directory, OpenOptions::default()).unwrap()
}

impl ClockedServer {
    pub async fn start() -> Self {
        let clock = Arc::new(MovedClock(AtomicU64::new(begin().0)));
        Self::start_in(TempDir::new().unwrap(), clock).await
    }

    async fn start_in(directory: TempDir, clock: Arc<MovedClock>) -> Self {
        let opened = open(directory.path());
        let settings = Settings {
            clock: Arc::clone(&clock) as _,
            not_before: opened.time_mark(),
            conditions: Arc::new(CelConditions),
            ..Settings::default()
        };
        let service = Service::start(Arc::clone(&opened.store) as _, Arc::clone(&opened.log) as _, settings).unwrap();
        let api = Api::new(service.clone(), opened.store_id());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Without it every answer waits for the other side's delayed acknowledgement.
        let incoming =
            TcpListenerStream::new(listener).map(|stream| stream.inspect(|it| it.set_nodelay(true).unwrap()));
        let (stop, stopped) = oneshot::channel();
        let serving = tonic::transport::Server::builder()
            .add_routes(api.routes())
            .serve_with_incoming_shutdown(incoming, async move { _ = stopped.await });
        Self { address, service, clock, opened, directory, stop, serving: tokio::spawn(serving) }
    }

    /// Stops in good order, opens the data again and serves it. Every client has to be gone.
    pub async fn restart(self) -> Self {
        let Self { service, clock, opened, directory, stop, serving, .. } = self;
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
        service.stop();
        drop(service);
        opened.close().unwrap();
        drop(opened);
        Self::start_in(directory, clock).await
    }

    /// Moves the clock to a later instant.
    pub fn move_to(&self, instant: Timestamp) {
        assert!(self.clock.0.swap(instant.0, Ordering::SeqCst) <= instant.0, "time does not run backwards");
    }
}
