//! Sends a file to a server piece by piece.
//!
//! What a file does not have is deleted, so half a file must never be taken for a whole one. The stream here ends only
//! when the end of the file was read, and the caller then says so to the server; if anything goes wrong before that, it
//! never ends. Start with [`Upload::open`].

use std::{
    fs::File,
    future::pending,
    io::{self, Read},
    path::Path,
    thread,
};

use futures_util::stream::{self, Stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::{mpsc, oneshot};

use super::{Exit, Failure};
use crate::files::{FileKind, kind_of};

const CHUNK_BYTES: usize = 256 << 10;
const HEAD_BYTES: u64 = 64 << 10;
/// Below this, sending is over before a bar could be read.
const BAR_FROM_BYTES: u64 = 1 << 20;

/// A file that is about to be sent.
pub struct Upload {
    /// How people call it.
    pub label: String,
    /// What it describes.
    pub kind: FileKind,
    /// How far sending has come. To be cleared before anything else is printed.
    pub bar: ProgressBar,
    content: Box<dyn Read + Send>,
}

/// What the reading thread hands over. An empty piece is the end of the file.
type Piece = io::Result<Vec<u8>>;

impl Upload {
    /// Opens a file, or standard input for `-`, and finds out what it describes.
    ///
    /// # Errors
    /// [`Exit::Input`] if it cannot be read, [`Exit::Data`] if it says nowhere what it is.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Self::new("(standard input)".to_owned(), Box::new(io::stdin()), 0);
        }
        let label = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&label, &error))?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        Self::new(label, Box::new(file), bytes)
    }

    /// A file that is already open. `bytes` is how large it is, as far as that is known.
    ///
    /// # Errors
    /// As [`Upload::open`].
    pub fn new(label: String, mut content: Box<dyn Read + Send>, bytes: u64) -> Result<Self, Failure> {
        let mut head = Vec::new();
        content.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| unreadable(&label, &error))?;
        let kind = kind_of(&head).ok_or_else(|| {
            let expected = "expected `kind: catalog` or `kind: account` at the top level, near the beginning";
            Failure::new(Exit::Data, format!("{label}: cannot tell what this file is; {expected}"))
        })?;
        Ok(Self { label, kind, content: Box::new(io::Cursor::new(head).chain(content)), bar: bar(bytes) })
    }

    /// Starts reading. The stream gives pieces of up to 256 KiB; the receiver hears if the file cannot be read to its
    /// end, and is dropped without a word if it can.
    pub fn start(self) -> (impl Stream<Item = Vec<u8>> + Send + 'static, oneshot::Receiver<Failure>) {
        let (pieces, received) = mpsc::channel(4);
        let (failed, failure) = oneshot::channel();
        let Self { label, mut content, bar, .. } = self;
        // A thread of its own: a pipe on standard input may keep it waiting while the connection has to stay alive.
        thread::spawn(move || {
            loop {
                let piece = read_piece(&mut content);
                let is_last = !piece.as_ref().is_ok_and(|piece| !piece.is_empty());
                if pieces.blocking_send(piece).is_err() || is_last {
                    break;
                }
            }
        });
        let stream = stream::unfold((received, bar, failed, label), |(mut received, bar, failed, label)| async move {
            let gone = || Err(io::Error::other("reading stopped early"));
            match received.recv().await.unwrap_or_else(gone) {
                Ok(piece) if piece.is_empty() => {
                    bar.finish_and_clear();
                    None
                }
                Ok(piece) => {
                    bar.inc(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    Some((piece, (received, bar, failed, label)))
                }
                Err(error) => {
                    // Nobody listens any more if the call is already over.
                    let _ = failed.send(unreadable(&label, &error));
                    pending().await
                }
            }
        });
        (stream, failure)
    }
}

fn read_piece(content: &mut dyn Read) -> Piece {
    let mut piece = Vec::with_capacity(CHUNK_BYTES);
    content.take(CHUNK_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

fn unreadable(label: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Input, format!("cannot read {label}: {error}"))
}

/// On a terminal and for a large file only. Drawn when a piece is sent, never by a thread in the background.
fn bar(bytes: u64) -> ProgressBar {
    if bytes < BAR_FROM_BYTES {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_file_arrives_whole_in_pieces_that_are_not_too_large() {
        let mut file = b"kind: account\n".to_vec();
        file.resize(CHUNK_BYTES * 2 + 5, b'#');
        let upload = Upload::new("f".to_owned(), Box::new(io::Cursor::new(file.clone())), 0).unwrap();
        assert_eq!(upload.kind, FileKind::Account);
        let (stream, failure) = upload.start();
        let pieces: Vec<_> = run(stream.collect());
        assert!(pieces.iter().all(|piece| (1..=CHUNK_BYTES).contains(&piece.len())));
        assert_eq!(pieces.concat(), file);
        assert!(run(failure).is_err(), "nothing went wrong");
    }

    #[test]
    fn a_file_that_cannot_be_read_to_its_end_never_looks_like_a_whole_one() {
        let mut head = b"kind: catalog\n".to_vec();
        head.resize(usize::try_from(HEAD_BYTES).unwrap(), b'#');
        let content = io::Cursor::new(head).chain(Failing);
        let (stream, mut failure) = Upload::new("f".to_owned(), Box::new(content), 0).unwrap().start();
        run(async {
            tokio::select! {
                _ = stream.collect::<Vec<_>>() => panic!("the stream ended"),
                failure = &mut failure => assert_eq!(failure.unwrap().exit, Exit::Input),
            }
        });
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_refused() {
        let refused = Upload::new("f".to_owned(), Box::new(io::Cursor::new(b"id: x\n".to_vec())), 0).err().unwrap();
        assert_eq!(refused.exit, Exit::Data);
    }
}
