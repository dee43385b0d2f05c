//! Files that come in pieces, and answers that go out in pieces.

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use crate::{
    files::{Problem, Problems},
    proto,
    service::{ErrorReason, ServiceError},
};

/// The largest chunk of a file, in bytes.
const MAX_CHUNK_BYTES: usize = 256 << 10;
/// How long an upload may say nothing.
const IDLE: Duration = Duration::from_secs(30);

/// How many files may be under way.
const MAX_TRANSFERS: usize = 16;
/// What files being received may take together, in KiB: as much as the largest one.
const MAX_ROOM_KIB: usize = 1 << 20;

/// The stream of an answer.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A piece of a file in a request.
pub(super) trait Chunk {
    /// The bytes, and whether they are the last.
    fn into_parts(self) -> (Vec<u8>, bool);
}

impl Chunk for proto::ApplyCatalogRequest {
    fn into_parts(self) -> (Vec<u8>, bool) {
        (self.chunk, self.last)
    }
}

impl Chunk for proto::ApplyAccountRequest {
    fn into_parts(self) -> (Vec<u8>, bool) {
        (self.chunk, self.last)
    }
}

/// The files that may be under way at a time, and the memory that those being received may take together.
#[derive(Clone)]
pub(super) struct Transfers {
    files: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// A whole file that was received. Its room is given back when it is dropped.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { files: Arc::new(Semaphore::new(MAX_TRANSFERS)), room: Arc::new(Semaphore::new(MAX_ROOM_KIB)) }
    }
}

impl Transfers {
    /// Sends answers one by one from a task of its own; a caller that has gone, or that takes nothing for a while, ends
    /// it.
    pub(super) fn answers<T: Send + 'static, F: Future<Output = Result<(), Status>> + Send + 'static>(
        &self,
        send: impl FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    ) -> Result<Answers<T>, Status> {
        let permit = Arc::clone(&self.files).try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_TRANSFERS} files are under way, the maximum; try again in a moment");
            ServiceError::new(ErrorReason::Overloaded, message)
        })?;
        let (sender, receiver) = mpsc::channel(16);
        let failed = sender.clone();
        let work = AssertUnwindSafe(send(sender)).catch_unwind();
        tokio::spawn(async move {
            let _permit = permit;
            let outcome =
                work.await.unwrap_or_else(|_| Err(Status::internal("the server failed to answer; its log says more")));
            if let Err(status) = outcome {
                let _ = failed.send_timeout(Err(status), IDLE).await;
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

/// Reads a whole file of at most `maximum` bytes.
///
/// A client that goes away looks like one that is done, so a file counts only if its last piece says that it is that.
pub(super) async fn receive<C: Chunk>(
    transfers: &Transfers,
    mut chunks: Streaming<C>,
    maximum: usize,
) -> Result<Received, Status> {
    let (mut file, mut room) = (Vec::new(), Vec::new());
    loop {
        let next = tokio::time::timeout(IDLE, chunks.message())
            .await
            .map_err(|_| Status::deadline_exceeded("the upload said nothing for 30 seconds; nothing was changed"))??;
        let Some(chunk) = next else {
            return Err(ServiceError::field(
                "last",
                "the upload ended without a message that has it set; nothing was changed",
            )
            .into());
        };
        let (bytes, last) = chunk.into_parts();
        if bytes.len() > MAX_CHUNK_BYTES {
            let message = format!("a chunk has {} bytes; the maximum is {MAX_CHUNK_BYTES}", bytes.len());
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).into());
        }
        if file.len() + bytes.len() > maximum {
            let message = format!("the file is larger than {maximum} bytes, the maximum");
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).into());
        }
        // Rounded up, so that a file of tiny chunks is counted as more than it is rather than as nothing.
        let kib = u32::try_from(bytes.len().div_ceil(1024)).unwrap_or(u32::MAX);
        room.push(Arc::clone(&transfers.room).try_acquire_many_owned(kib).map_err(|_| {
            let message = format!("files of {MAX_ROOM_KIB} KiB are being received, the maximum; try again in a moment");
            ServiceError::new(ErrorReason::Overloaded, message)
        })?);
        file.extend_from_slice(&bytes);
        if last {
            return Ok(Received { bytes: file, _room: room });
        }
    }
}

/// Sends one answer.
pub(super) async fn send<T>(sender: &mpsc::Sender<Result<T, Status>>, answer: T) -> Result<(), Status> {
    let gone = |_| Status::cancelled("the caller has gone, or takes nothing");
    sender.send_timeout(Ok(answer), IDLE).await.map_err(gone)
}

/// Sends everything that is wrong with a file, and ends with the status that says so.
pub(super) async fn refuse<T>(
    sender: &mpsc::Sender<Result<T, Status>>,
    problems: &Problems,
    event: impl Fn(proto::FileProblem) -> T,
) -> Status {
    let mut count = 0u64;
    for problem in problems {
        count += 1;
        if let Err(gone) = send(sender, event(file_problem(problem))).await {
            return gone;
        }
    }
    let count = count + problems.more();
    let message =
        format!("the file has {count} {}; nothing was changed", if count == 1 { "problem" } else { "problems" });
    let error = ServiceError::new(ErrorReason::FileInvalid, message).with("problems", count.to_string());
    // The first few once more, for who looks at the status alone.
    let violations = problems.iter().take(10).map(|problem| crate::service::Violation {
        field: format!("{}:{}", problem.line, problem.column),
        description: problem.message.clone(),
    });
    ServiceError { violations: violations.collect(), ..error }.into()
}

fn file_problem(problem: &Problem) -> proto::FileProblem {
    proto::FileProblem {
        line: i32::try_from(problem.line).unwrap_or(i32::MAX),
        column: i32::try_from(problem.column).unwrap_or(i32::MAX),
        message: problem.message.clone(),
    }
}
