//! Accepting connections: as many as the limit allows, for a limited time each.

use std::{
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
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

/// A listener of either kind.
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a path.
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Without it answers are slower, and right.
                let _ = stream.set_nodelay(true);
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

impl Limit {
    /// The next connection of a listener. One too many is closed at once.
    pub(super) async fn accept(&self, listener: &Listener) -> Accepted {
        loop {
            match listener.accept().await {
                Ok(socket) => match Arc::clone(&self.0).try_acquire_owned() {
                    Ok(permit) => return Accepted { socket, permit: Some(permit) },
                    Err(_) => tracing::warn!(maximum = MAX_CONNECTIONS, "a connection was refused: there are too many"),
                },
                Err(error) => {
                    // One connection that failed is not the end of listening. When the process has no file descriptor
                    // left, the next attempt fails as well.
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
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

/// A connection of either kind.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection that was accepted, and that nobody serves yet.
pub struct Accepted {
    socket: Socket,
    /// Its part of the limit, if there is one.
    permit: Option<OwnedSemaphorePermit>,
}

impl Accepted {
    /// The next connection of a listener, which counts to no limit. For servers that are no rolecall, in benchmarks.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn unlimited(listener: &Listener) -> io::Result<Self> {
        Ok(Self { socket: listener.accept().await?, permit: None })
    }

    /// The connection, taken from the runtime that accepted it, counted where it is to be served.
    pub(super) fn counted(self, open: &Arc<AtomicUsize>) -> io::Result<Connection> {
        let socket = match self.socket {
            Socket::Tcp(stream) => Moving::Tcp(stream.into_std()?),
            Socket::Unix(stream) => Moving::Unix(stream.into_std()?),
        };
        open.fetch_add(1, Ordering::Relaxed);
        Ok(Connection { socket, counts: Counts { open: Arc::clone(open), _permit: self.permit } })
    }
}

/// A connection on its way from one runtime to another.
enum Moving {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A connection that a thread is to serve.
pub(super) struct Connection {
    socket: Moving,
    counts: Counts,
}

impl Connection {
    /// The connection, with the runtime of whoever calls.
    pub(super) fn register(self) -> io::Result<Served> {
        let socket = match self.socket {
            Moving::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            Moving::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
        };
        Ok(Served { socket, _counts: self.counts })
    }
}

/// That a connection is open.
struct Counts {
    open: Arc<AtomicUsize>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Counts {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that counts for as long as it is open.
pub(super) struct Served {
    socket: Socket,
    _counts: Counts,
}

impl Connected for Served {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Served {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Served {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp(stream) => stream.is_write_vectored(),
            Socket::Unix(stream) => stream.is_write_vectored(),
        }
    }
}
