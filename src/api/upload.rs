//! Files that come in pieces, and answers that go out in pieces.

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{Api, parse::Fields};
use crate::{
    files::{Problem, Problems},
    proto,
    service::{ErrorReason, Etag, Manners, ServiceError},
};

/// The largest chunk of a file, in bytes.
pub(super) const MAX_CHUNK_BYTES: usize = 256 << 10;
/// How long an upload may say nothing.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// How many files may be under way.
const MAX_TRANSFERS: usize = 16;
/// What files being received may take together, in KiB: as much as the largest one.
const MAX_ROOM_KIB: usize = 1 << 20;

/// The stream of an answer.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A piece of a file in a request.
pub(super) trait Chunk {
    /// The bytes; and how the file wants to be treated, if they are the last.
    fn into_parts(self) -> (Vec<u8>, Option<Options>);
}

/// How a file wants to be treated: what its last piece says.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) validate_only: bool,
    pub(super) request_id: String,
    pub(super) etag: String,
    pub(super) allow_drops: bool,
}

impl Chunk for proto::ApplyCatalogRequest {
    fn into_parts(self) -> (Vec<u8>, Option<Options>) {
        let Self { chunk, last, validate_only, request_id, etag, allow_drops } = self;
        (chunk, last.then_some(Options { validate_only, request_id, etag, allow_drops }))
    }
}

impl Chunk for proto::ApplyAccountRequest {
    fn into_parts(self) -> (Vec<u8>, Option<Options>) {
        let Self { chunk, last, validate_only, request_id, etag } = self;
        (chunk, last.then_some(Options { validate_only, request_id, etag, allow_drops: false }))
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
    pub(super) options: Options,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { files: Arc::new(Semaphore::new(MAX_TRANSFERS)), room: Arc::new(Semaphore::new(MAX_ROOM_KIB)) }
    }
}

impl Transfers {
    /// Takes one of the places for files that are under way; it is given back when what is given here is dropped.
    pub(super) fn begin(&self) -> Result<OwnedSemaphorePermit, ServiceError> {
        Arc::clone(&self.files).try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_TRANSFERS} files are under way, the maximum; try again in a moment");
            ServiceError::new(ErrorReason::Overloaded, message)
        })
    }

    /// Takes room for some bytes that have been received; it is given back when what is given here is dropped.
    pub(super) fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ServiceError> {
        // Rounded up, so that a file of tiny chunks is counted as more than it is rather than as nothing.
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| {
            let message = format!("files of {MAX_ROOM_KIB} KiB are being received, the maximum; try again in a moment");
            ServiceError::new(ErrorReason::Overloaded, message)
        })
    }

    /// Sends answers one by one from a task of its own; a caller that has gone, or that takes nothing for a while, ends
    /// it.
    pub(super) fn answers<T: Send + 'static, F: Future<Output = Result<(), Status>> + Send + 'static>(
        &self,
        send: impl FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    ) -> Result<Answers<T>, Status> {
        let permit = self.begin()?;
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

/// The next message of an upload; none at its end.
pub(super) async fn next<M>(messages: &mut Streaming<M>) -> Result<Option<M>, Status> {
    tokio::time::timeout(IDLE, messages.message())
        .await
        .map_err(|_| Status::deadline_exceeded("the upload said nothing for 30 seconds; nothing was changed"))?
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
        let Some(chunk) = next(&mut chunks).await? else {
            return Err(ServiceError::field(
                "last",
                "the upload ended without a message that has it set; nothing was changed",
            )
            .into());
        };
        let (bytes, options) = chunk.into_parts();
        if bytes.len() > MAX_CHUNK_BYTES {
            let message = format!("a chunk has {} bytes; the maximum is {MAX_CHUNK_BYTES}", bytes.len());
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).into());
        }
        if file.len() + bytes.len() > maximum {
            let message = format!("the file is larger than {maximum} bytes, the maximum");
            return Err(ServiceError::new(ErrorReason::FileTooLarge, message).into());
        }
        room.push(transfers.room_for(bytes.len())?);
        file.extend_from_slice(&bytes);
        if let Some(options) = options {
            return Ok(Received { bytes: file, options, _room: room });
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
    invalid(problems, message).into()
}

/// The error of a file that has problems.
pub(super) fn invalid(problems: &Problems, message: String) -> ServiceError {
    let count = problems.iter().len() as u64 + problems.more();
    let error = ServiceError::new(ErrorReason::FileInvalid, message).with("problems", count.to_string());
    // The first few once more, for who looks at the status alone.
    let violations = problems.iter().take(10).map(|problem| crate::service::Violation {
        field: format!("{}:{}", problem.line, problem.column),
        description: problem.message.clone(),
    });
    error.with_violations(violations.collect())
}

pub(super) fn file_problem(problem: &Problem) -> proto::FileProblem {
    proto::FileProblem {
        line: i32::try_from(problem.line).unwrap_or(i32::MAX),
        column: i32::try_from(problem.column).unwrap_or(i32::MAX),
        message: problem.message.clone(),
    }
}

/// How a received file wants to be treated, and which version it expects.
pub(super) fn manners(api: &Api, file: &Received) -> Result<(Manners, Option<Etag>), ServiceError> {
    let options = &file.options;
    let mut fields = Fields::default();
    let fingerprint = || {
        let hash = Sha256::new().chain_update(&file.bytes).chain_update([u8::from(options.allow_drops)]);
        hash.chain_update(&options.etag).finalize().into()
    };
    let manners = fields.manners_of(options.validate_only, &options.request_id, fingerprint);
    let etag = fields.etag(&api.tokens, "etag", &options.etag);
    fields.done(Some((manners, etag)))
}
