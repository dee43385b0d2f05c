//! Accepting connections: as many as the limit allows, for a limited time each.

use std::{
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_stream::{
    Stream, StreamExt as _,
    wrappers::{TcpListenerStream, UnixListenerStream},
};
use tonic::transport::server::Connected;

/// How many connections there may be at a time.
const MAX_CONNECTIONS: usize = 1024;
/// How long a connection may live, so that clients spread anew over servers. Up to a tenth more, by chance.
const MAX_AGE: Duration = Duration::from_secs(20 * 60);

/// The bound on connections, shared by all listeners.
#[derive(Clone)]
pub(super) struct Limit(Arc<Semaphore>);

impl Default for Limit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CONNECTIONS)))
    }
}

impl Limit {
    /// The connections of a TCP listener. One too many is closed at once.
    pub(super) fn tcp(&self, listener: TcpListener) -> impl Stream<Item = io::Result<Limited<TcpStream>>> + use<> {
        let limit = self.clone();
        TcpListenerStream::new(listener).then(breathe).filter_map(move |connection| {
            let connection = connection.inspect(|stream| drop(stream.set_nodelay(true)));
            limit.admit(connection)
        })
    }

    /// The connections of a Unix socket.
    pub(super) fn unix(&self, listener: UnixListener) -> impl Stream<Item = io::Result<Limited<UnixStream>>> + use<> {
        let limit = self.clone();
        UnixListenerStream::new(listener).then(breathe).filter_map(move |connection| limit.admit(connection))
    }

    fn admit<S>(&self, connection: io::Result<S>) -> Option<io::Result<Limited<S>>> {
        let stream = match connection {
            Ok(stream) => stream,
            Err(error) => {
                // One connection that failed is not the end of listening.
                tracing::debug!(%error, "a connection could not be accepted");
                return None;
            }
        };
        match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => Some(Ok(Limited { stream, _permit: permit })),
            Err(_) => {
                tracing::warn!(maximum = MAX_CONNECTIONS, "a connection was refused: there are too many");
                None
            }
        }
    }
}

/// Waits a little after a failure: when the process has no file descriptor left, the next attempt fails as well.
async fn breathe<S>(connection: io::Result<S>) -> io::Result<S> {
    if connection.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection
}

/// How long a connection of this process may live.
pub(super) fn max_age() -> io::Result<Duration> {
    let mut chance = [0; 1];
    getrandom::fill(&mut chance).map_err(io::Error::other)?;
    Ok(MAX_AGE + MAX_AGE.mul_f64(f64::from(u8::from_ne_bytes(chance)) / 2560.0))
}

/// Listens on a Unix socket that only its owner can use. A socket that nobody listens on any more is replaced.
pub(super) async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name that is no socket"));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens on it"));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// A connection that counts for as long as it is open.
pub(super) struct Limited<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
}

impl<S: Connected> Connected for Limited<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
