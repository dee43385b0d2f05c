//! One file of the journal: a header that says where it stands in the chain, then frames.
//!
//! [`Segment::scan`] is where a torn tail and damage are told apart. A tail is torn only if nothing shows that it had
//! ever been on stable storage: it is in the last file, above every revision known to be acknowledged, and no frame
//! after it was written when it was already durable.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::{
    super::{
        Head, StoreError,
        bytes::{Reader, Writer, checked},
        files::{self, at},
    },
    frame::{FrameHeader, FrameKind, FrameReader, HEADER_BYTES, MAGIC},
};
use crate::model::{Change, Revision};

const SEGMENT_MAGIC: [u8; 8] = *b"\xf1RCSEG1\n";
/// The version of segments and frames.
const FORMAT_VERSION: u32 = 1;
/// The size of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 8 + 4 + 8 + 56 + 32 + 4;
/// Only so many bytes apart are frames remembered: a reader walks from there.
const INDEX_EVERY_BYTES: u64 = 64 << 10;

/// What is known of one file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    /// The head before its first frame.
    pub before: Head,
    /// The chain hash before its first frame.
    pub chain_before: [u8; 32],
    /// The head after its last frame.
    pub head: Head,
    /// The chain hash after its last frame.
    pub chain: [u8; 32],
    /// Where it ends.
    pub end: u64,
    /// Where some of its frames begin, with their first revisions.
    starts: Vec<(Revision, u64)>,
}

/// The name of the file whose first revision follows `before`.
fn file_name(before: Revision) -> String {
    format!("journal-{:020}.log", before.0.saturating_add(1))
}

/// Whether a file is a segment.
pub(super) fn is_segment(name: &str) -> bool {
    name.strip_prefix("journal-")
        .and_then(|rest| rest.strip_suffix(".log"))
        .is_some_and(|number| number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> StoreError {
    StoreError::DamagedJournal { path: path.to_owned(), offset, what: what.into() }
}

impl Segment {
    /// Creates an empty segment and opens it for appending.
    pub(super) fn create(
        directory: &Path,
        store_id: u64,
        before: Head,
        chain: [u8; 32],
    ) -> Result<(Self, File), StoreError> {
        let path = directory.join(file_name(before.revision));
        let header = Writer::default()
            .bytes(&SEGMENT_MAGIC)
            .u32(FORMAT_VERSION)
            .u64(store_id)
            .head(&before)
            .bytes(&chain)
            .crc(0);
        let temporary = files::unfinished(&path);
        let mut file =
            files::private().write(true).create(true).truncate(true).open(&temporary).map_err(at(&temporary))?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(at(&temporary))?;
        files::publish(&path)?;
        let end = header.len() as u64;
        Ok((Self { path, before, chain_before: chain, head: before, chain, end, starts: Vec::new() }, file))
    }

    /// Takes note of frames that were written at the end.
    pub(super) fn extend(&mut self, starts: &[(Revision, u64)], bytes: u64, head: Head, chain: [u8; 32]) {
        for (revision, offset) in starts {
            self.remember(*revision, self.end + offset);
        }
        self.end += bytes;
        self.head = head;
        self.chain = chain;
    }

    fn remember(&mut self, revision: Revision, offset: u64) {
        if self.starts.last().is_none_or(|(_, last)| offset - last >= INDEX_EVERY_BYTES) {
            self.starts.push((revision, offset));
        }
    }

    /// A place from which a walk meets the change after `after`. Cost: logarithmic.
    pub(super) fn start_for(&self, after: Revision) -> u64 {
        let count = self.starts.partition_point(|(first, _)| first.0 <= after.0.saturating_add(1));
        self.starts.get(count.saturating_sub(1)).map_or(SEGMENT_HEADER_BYTES as u64, |(_, offset)| *offset)
    }

    /// Reads and verifies a whole segment. `expected`: what the segment before it ended with. `acknowledged`: what is
    /// known to have been acknowledged. Gives the segment up to its last good frame, and the length of the file.
    /// Cost: linear in the file.
    ///
    /// # Errors
    /// [`StoreError::DamagedJournal`] if it holds anything but what was written, or a torn tail.
    pub(super) fn scan(
        path: &Path,
        store_id: u64,
        expected: Option<(Head, [u8; 32])>,
        is_last: bool,
        acknowledged: Revision,
    ) -> Result<(Self, u64), StoreError> {
        let file = File::open(path).map_err(at(path))?;
        let length = file.metadata().map_err(at(path))?.len();
        // What is larger is read to where it is looked at, past the buffer.
        let mut input = BufReader::with_capacity(64 << 10, file);
        let (before, chain_before) = read_header(path, &mut input, store_id, length)?;
        if path.file_name().is_none_or(|name| name != file_name(before.revision).as_str()) {
            return Err(damaged(
                path,
                0,
                format!("its content was expected under the name {}", file_name(before.revision)),
            ));
        }
        if let Some((head, chain)) = expected
            && (head != before || chain != chain_before)
        {
            return Err(damaged(
                path,
                0,
                format!(
                    "it begins after revision {}; the segment before it ends with revision {}: a segment is missing, \
                     or one was exchanged",
                    before.revision.0, head.revision.0
                ),
            ));
        }
        let mut segment = Self {
            path: path.to_owned(),
            before,
            chain_before,
            head: before,
            chain: chain_before,
            end: SEGMENT_HEADER_BYTES as u64,
            starts: Vec::new(),
        };
        let mut position = segment.end;
        let mut chain = chain_before;
        let mut reader = FrameReader::default();
        let mut frame = Frame::default();
        while position < length {
            if let Err(what) = frame.read(&mut input, store_id, length - position).map_err(at(path))? {
                segment.must_be_torn(position, what, store_id, is_last, acknowledged)?;
                return Ok((segment.cut(), length));
            }
            if let Some(what) = frame.header.fault(None, &frame.hashed, &frame.personal) {
                segment.must_be_torn(position, what, store_id, is_last, acknowledged)?;
                return Ok((segment.cut(), length));
            }
            // From here on the frame is what somebody wrote, so nothing can be excused as torn.
            if let Some(what) = frame.header.fault(Some(&chain), &frame.hashed, &frame.personal) {
                return Err(damaged(path, position, what));
            }
            let next = Revision(segment.head.revision.0.saturating_add(1));
            let header = &frame.header;
            let fits = header.first == next
                && header.head.revision >= next
                && header.durable < next
                && (header.kind == FrameKind::Group || header.head.revision == next)
                && (header.kind != FrameKind::Group || !reader.is_waiting())
                && (header.kind != FrameKind::Commit || reader.is_waiting());
            if !fits {
                return Err(damaged(path, position, format!("a frame of revision {} was expected", next.0)));
            }
            if !reader.is_waiting() {
                segment.remember(header.first, position);
            }
            reader
                .verify(header, &frame.hashed, &frame.personal)
                .map_err(|what| damaged(path, position, format!("{what}, at revision {}", next.0)))?;
            position += header.frame_bytes();
            chain = header.chain;
            if header.kind != FrameKind::Part {
                segment.end = position;
                segment.head = header.head;
                segment.chain = chain;
            }
        }
        if segment.end < length {
            segment.must_be_torn(
                segment.end,
                "the commit of a large change was expected",
                store_id,
                is_last,
                acknowledged,
            )?;
        }
        Ok((segment.cut(), length))
    }

    /// Whether it begins where another ends.
    pub(super) fn follows(&self, other: &Self) -> bool {
        (self.before, self.chain_before) == (other.head, other.chain)
    }

    /// Forgets what lies behind the last good frame.
    fn cut(mut self) -> Self {
        let end = self.end;
        self.starts.retain(|(_, offset)| *offset < end);
        self
    }

    /// An error unless what follows the last good frame can only be a write that was never acknowledged.
    fn must_be_torn(
        &self,
        offset: u64,
        what: &str,
        store_id: u64,
        is_last: bool,
        acknowledged: Revision,
    ) -> Result<(), StoreError> {
        let next = Revision(self.head.revision.0.saturating_add(1));
        if !is_last {
            return Err(damaged(&self.path, offset, format!("{what}, and later segments follow")));
        }
        if acknowledged >= next {
            return Err(damaged(
                &self.path,
                offset,
                format!("{what}, and revision {} is known to have been acknowledged", acknowledged.0),
            ));
        }
        let mut rest = Vec::new();
        let mut file = File::open(&self.path).map_err(at(&self.path))?;
        file.seek(SeekFrom::Start(self.end)).and_then(|_| file.read_to_end(&mut rest)).map_err(at(&self.path))?;
        for (index, window) in rest.windows(HEADER_BYTES).enumerate() {
            if window.starts_with(&MAGIC)
                && let Some(header) = FrameHeader::decode(store_id, window)
                && header.durable >= next
            {
                return Err(damaged(
                    &self.path,
                    offset,
                    format!(
                        "{what}, and the frame at byte {} shows that revision {} had been acknowledged",
                        self.end + index as u64,
                        header.durable.0
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Shows each frame that completes a change after `after`, with its changes, until `visit` says that it is enough.
    /// Cost: linear in what is walked.
    pub(super) fn walk(
        &self,
        store_id: u64,
        after: Revision,
        visit: &mut dyn FnMut(&FrameHeader, Vec<Change>) -> bool,
    ) -> Result<bool, StoreError> {
        let path = &self.path;
        let mut file = File::open(path).map_err(at(path))?;
        let mut position = self.start_for(after);
        file.seek(SeekFrom::Start(position)).map_err(at(path))?;
        let mut input = BufReader::with_capacity(64 << 10, file);
        let mut reader = FrameReader::default();
        let mut frame = Frame::default();
        while position < self.end {
            let mut header = [0; HEADER_BYTES];
            input.read_exact(&mut header).map_err(at(path))?;
            let header = FrameHeader::decode(store_id, &header)
                .ok_or_else(|| damaged(path, position, "the header of a frame was expected"))?;
            let start = position;
            position += header.frame_bytes();
            if header.head.revision <= after {
                let skip = i64::from(header.hashed_bytes) + i64::from(header.personal_bytes);
                input.seek_relative(skip).map_err(at(path))?;
                continue;
            }
            frame.read_sections(&mut input, header).map_err(at(path))?;
            let Frame { hashed, personal, .. } = &frame;
            if let Some(what) = header.fault(None, hashed, personal) {
                return Err(damaged(path, start, what));
            }
            let changes = reader.add(&header, hashed, personal).map_err(|what| damaged(path, start, what))?;
            if header.kind != FrameKind::Part && !visit(&header, changes) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A frame that has been read, and not yet verified.
#[derive(Default)]
pub(super) struct Frame {
    pub header: FrameHeader,
    pub hashed: Vec<u8>,
    pub personal: Vec<u8>,
}

impl Frame {
    /// Reads the next frame in the place of this one, or says why there is none although bytes are left.
    pub(super) fn read(
        &mut self,
        input: &mut BufReader<File>,
        store_id: u64,
        left: u64,
    ) -> io::Result<Result<(), &'static str>> {
        let mut header = [0; HEADER_BYTES];
        if left < header.len() as u64 {
            return Ok(Err("the header of a frame is cut short"));
        }
        input.read_exact(&mut header)?;
        let Some(header) = FrameHeader::decode(store_id, &header) else {
            return Ok(Err("the header of a frame was expected"));
        };
        if left < header.frame_bytes() {
            return Ok(Err("a frame is cut short"));
        }
        self.read_sections(input, header)?;
        Ok(Ok(()))
    }

    /// Reads what comes behind a header.
    fn read_sections(&mut self, input: &mut BufReader<File>, header: FrameHeader) -> io::Result<()> {
        self.header = header;
        self.hashed.resize(header.hashed_bytes as usize, 0);
        input.read_exact(&mut self.hashed)?;
        self.personal.resize(header.personal_bytes as usize, 0);
        input.read_exact(&mut self.personal)
    }
}

fn read_header(
    path: &Path,
    input: &mut BufReader<File>,
    store_id: u64,
    length: u64,
) -> Result<(Head, [u8; 32]), StoreError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    if length < bytes.len() as u64 {
        return Err(damaged(path, 0, format!("{} bytes of header were expected, {length} are there", bytes.len())));
    }
    input.read_exact(&mut bytes).map_err(at(path))?;
    let parse = || {
        let mut reader = Reader(checked(0, &bytes)?);
        (reader.array()? == SEGMENT_MAGIC).then_some(())?;
        Some((reader.u32()?, reader.u64()?, reader.head()?, reader.array()?))
    };
    let Some((version, found_id, before, chain)) = parse() else {
        return Err(damaged(path, 0, "the header of a journal segment was expected"));
    };
    if version != FORMAT_VERSION {
        return Err(StoreError::UnknownFormat {
            path: path.to_owned(),
            found: version.into(),
            expected: FORMAT_VERSION.into(),
        });
    }
    if found_id != store_id {
        return Err(damaged(
            path,
            12,
            format!("a segment of store {store_id:016x} was expected, this is of {found_id:016x}"),
        ));
    }
    Ok((before, chain))
}
