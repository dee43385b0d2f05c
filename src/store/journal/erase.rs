//! Erasing personal values from segments that are closed, while the journal grows and is read.
//!
//! A segment is written anew beside its name with a mark, just as long, in the place of each value: every frame stays
//! where it was, and header, payload and chain hash stay as they were. Readers have the old file open, or the new one.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufReader, BufWriter, Read as _, Write as _},
};

use prost::Message as _;

use super::{
    FileJournal, Writer,
    frame::{FrameKind, FrameReader},
    lock,
    segment::{Frame, SEGMENT_HEADER_BYTES, Segment, damaged},
};
use crate::{
    model::Revision,
    store::{
        StoreError,
        files::{self, at},
        proto, record_codec,
    },
};

impl FileJournal {
    /// Lets no value of these keys be written again that is of the head or before it, and closes the segment that is
    /// written to, so that all that may hold one is closed. Gives the head's revision.
    ///
    /// # Errors
    /// [`StoreError`] if a segment cannot be begun; if that was begun, nothing more is written until a restart.
    pub(in crate::store) fn begin_erasing(&self, keys: &BTreeSet<Vec<u8>>) -> Result<Revision, StoreError> {
        let mut writer = lock(&self.writer);
        if writer.stopped {
            return Err(StoreError::Stopped);
        }
        let until = lock(&self.shared).head.revision;
        self.erasures.begin(keys, until, until);
        self.free.reserve(SEGMENT_HEADER_BYTES as u64)?;
        // As with an append: begun and not finished, the files are not what memory has.
        writer.stopped = true;
        let rolled = self.roll(&mut writer);
        writer.stopped = rolled.is_err();
        rolled.map(|()| until)
    }

    /// Begins the next segment, unless the last one is empty.
    pub(super) fn roll(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let last = lock(&self.shared).segments.last().map(|last| (last.before.revision, last.head, last.chain));
        if let Some((before, head, chain)) = last
            && head.revision > before
        {
            let (segment, file) = Segment::create(&self.directory, self.store_id, head, chain)?;
            writer.file = file;
            lock(&self.shared).segments.push(segment);
        }
        Ok(())
    }

    /// Erases the values of these keys from all segments that end at or before `until`, which are closed. `step` is
    /// asked before each file that is replaced. Can be begun again. Cost: reading those segments, and writing those
    /// that hold such values.
    ///
    /// # Errors
    /// [`StoreError::DamagedJournal`] if a segment is not what was written; others if the disk refuses, or `step` does.
    pub(in crate::store) fn erase(
        &self,
        keys: &BTreeSet<Vec<u8>>,
        until: Revision,
        step: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let segments: Vec<_> = {
            let shared = lock(&self.shared);
            let closed = shared.segments.len().saturating_sub(1);
            shared.segments.iter().take(closed).filter(|segment| segment.head.revision <= until).cloned().collect()
        };
        for segment in segments {
            let mut holds = false;
            segment.units(self.store_id, &mut |frames| {
                holds = holds || erase_from(frames, keys)?;
                Ok(!holds)
            })?;
            if holds {
                step()?;
                self.free.reserve(segment.end)?;
                self.rewrite(&segment, keys)?;
            }
        }
        Ok(())
    }

    fn rewrite(&self, segment: &Segment, keys: &BTreeSet<Vec<u8>>) -> Result<(), StoreError> {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        File::open(&segment.path).and_then(|mut file| file.read_exact(&mut header)).map_err(at(&segment.path))?;
        let temporary = files::unfinished(&segment.path);
        let file = files::private().write(true).create(true).truncate(true).open(&temporary).map_err(at(&temporary))?;
        let mut output = BufWriter::with_capacity(1 << 20, file);
        output.write_all(&header).map_err(at(&temporary))?;
        let mut length = header.len() as u64;
        segment.units(self.store_id, &mut |frames| {
            erase_from(frames, keys)?;
            for Frame { header, hashed, personal } in frames {
                length += header.frame_bytes();
                let header = header.encode(self.store_id);
                for bytes in [&header, &*hashed, &*personal] {
                    output.write_all(bytes).map_err(|error| error.to_string())?;
                }
            }
            Ok(true)
        })?;
        if length != segment.end {
            let what = "a copy without personal values was expected to be as long as the segment";
            return Err(damaged(&segment.path, length, what));
        }
        output.flush().and_then(|()| output.get_ref().sync_all()).map_err(at(&temporary))?;
        files::publish(&segment.path)
    }
}

impl Segment {
    /// Shows the frames of each group and of each large change, verified, until `visit` says that it is enough.
    fn units(
        &self,
        store_id: u64,
        visit: &mut dyn FnMut(&mut [Frame]) -> Result<bool, String>,
    ) -> Result<(), StoreError> {
        let path = &self.path;
        let mut file = File::open(path).map_err(at(path))?;
        file.read_exact(&mut [0; SEGMENT_HEADER_BYTES]).map_err(at(path))?;
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut position = SEGMENT_HEADER_BYTES as u64;
        let mut chain = self.chain_before;
        let mut reader = FrameReader::default();
        let mut frames = Vec::new();
        while position < self.end {
            let mut frame = Frame::default();
            let read = frame.read(&mut input, store_id, self.end - position).map_err(at(path))?;
            read.map_err(|what| damaged(path, position, what))?;
            // What is damaged must not get checksums that fit.
            if let Some(what) = frame.header.fault(Some(&chain), &frame.hashed, &frame.personal) {
                return Err(damaged(path, position, what));
            }
            let verified = reader.verify(&frame.header, &frame.hashed, &frame.personal);
            verified.map_err(|what| damaged(path, position, what))?;
            chain = frame.header.chain;
            let start = position;
            position += frame.header.frame_bytes();
            let is_whole = frame.header.kind != FrameKind::Part;
            frames.push(frame);
            if is_whole {
                if !visit(&mut frames).map_err(|what| damaged(path, start, what))? {
                    return Ok(());
                }
                frames.clear();
            }
        }
        Ok(())
    }
}

/// Puts marks in the place of the values of some keys, and says whether there were any.
pub(super) fn erase_from(frames: &mut [Frame], keys: &BTreeSet<Vec<u8>>) -> Result<bool, String> {
    use proto::record_value::Content;
    let joined: Vec<u8> = frames.iter().flat_map(|frame| frame.personal.iter().copied()).collect();
    if joined.is_empty() {
        return Ok(false);
    }
    let changes = match frames {
        [group] if group.header.kind == FrameKind::Group => {
            proto::Group::decode(&*group.hashed).map_err(|error| error.to_string())?.changes
        }
        _ => {
            let parts = frames.iter().filter(|frame| frame.header.kind == FrameKind::Part);
            let hashed: Vec<u8> = parts.flat_map(|frame| frame.hashed.iter().copied()).collect();
            vec![proto::Change::decode(&*hashed).map_err(|error| error.to_string())?]
        }
    };
    let mut section = proto::PersonalSection::decode(&*joined).map_err(|error| error.to_string())?;
    let mut values = section.values.iter_mut();
    let mut found = false;
    for record in changes.into_iter().flat_map(|change| change.records) {
        for value in [record.before, record.after].into_iter().flatten() {
            if let Some(Content::PersonalHash(_)) = value.content {
                let value = values.next().ok_or("a personal value is missing")?;
                if keys.contains(&record.key) && !value.erased {
                    *value = record_codec::erased_value(value);
                    found = true;
                }
            }
        }
    }
    if !found {
        return Ok(false);
    }
    let erased = section.encode_to_vec();
    if erased.len() != joined.len() {
        return Err("a personal section was expected to be as rolecall writes it".to_owned());
    }
    let mut rest = erased.as_slice();
    for frame in frames {
        let (own, others) = rest.split_at_checked(frame.personal.len()).ok_or("a personal section is cut short")?;
        rest = others;
        frame.personal = own.to_vec();
        frame.header.personal_crc = crc32fast::hash(own);
    }
    Ok(true)
}
