//! One frame of the journal: a header of fixed size, the hashed payload, the personal section.
//!
//! The chain hash covers the previous chain hash, the header's fields and the hashed payload. The personal section, its
//! length and its CRC lie outside it, so that it can be erased without breaking the chain. `durable` is what makes a
//! torn tail and damage two different things: a frame that was written when a revision was already on stable storage
//! proves that the revision had been acknowledged.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::super::{
    Head, StoreError,
    bytes::{self, Reader, Writer},
    files, proto, record_codec,
};
use super::verify;
use crate::model::{Change, Revision};

/// The first bytes of every frame.
pub(in crate::store) const MAGIC: [u8; 8] = *b"\xf1RCFRM1\n";
/// The size of a frame's header.
pub(in crate::store) const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 8 + 56 + 4 + 4 + 4 + 32 + 4;
/// The most bytes of one part of a large change, in each section.
pub(in crate::store) const PART_BYTES: usize = 1 << 20;
/// A change with more records is journaled in parts.
pub(in crate::store) const LARGE_RECORDS: usize = 100;
/// A group with more bytes goes on in another frame.
const GROUP_BYTES: usize = 16 << 20;

/// What a frame holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) enum FrameKind {
    /// Whole changes.
    #[default]
    Group = 1,
    /// A piece of a large change.
    Part = 2,
    /// What makes the parts before it valid.
    Commit = 3,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct FrameHeader {
    pub kind: FrameKind,
    pub hashed_bytes: u32,
    /// The first revision in it.
    pub first: Revision,
    /// What was on stable storage when it was written.
    pub durable: Revision,
    /// The head after it; of a part: the revision of its change, and all else as before the change.
    pub head: Head,
    pub hashed_crc: u32,
    pub personal_bytes: u32,
    pub personal_crc: u32,
    pub chain: [u8; 32],
}

impl FrameHeader {
    /// The fields that the chain covers.
    fn chained(&self) -> Writer {
        Writer::default()
            .bytes(&MAGIC)
            .u32(self.kind as u32)
            .u32(self.hashed_bytes)
            .u64(self.first.0)
            .u64(self.durable.0)
            .head(&self.head)
            .u32(self.hashed_crc)
    }

    pub(in crate::store) fn encode(&self, store_id: u64) -> Vec<u8> {
        self.chained().u32(self.personal_bytes).u32(self.personal_crc).bytes(&self.chain).crc(store_id)
    }

    /// The header that some bytes are, if they are one of this store.
    pub(in crate::store) fn decode(store_id: u64, header: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes::checked(store_id, header)?);
        if reader.array()? != MAGIC {
            return None;
        }
        Some(Self {
            kind: match reader.u32()? {
                1 => FrameKind::Group,
                2 => FrameKind::Part,
                3 => FrameKind::Commit,
                _ => return None,
            },
            hashed_bytes: reader.u32()?,
            first: Revision(reader.u64()?),
            durable: Revision(reader.u64()?),
            head: reader.head()?,
            hashed_crc: reader.u32()?,
            personal_bytes: reader.u32()?,
            personal_crc: reader.u32()?,
            chain: reader.array()?,
        })
    }

    /// The size of the whole frame.
    pub(in crate::store) fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.hashed_bytes) + u64::from(self.personal_bytes)
    }

    /// The chain hash that it should have.
    fn expected_chain(&self, previous: &[u8; 32], hashed: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(previous).chain_update(self.chained().0).chain_update(hashed).finalize().into()
    }

    /// What is wrong with a frame's content, if anything is. `previous`: the chain hash before it; none: not checked.
    pub(in crate::store) fn fault(
        &self,
        previous: Option<&[u8; 32]>,
        hashed: &[u8],
        personal: &[u8],
    ) -> Option<&'static str> {
        if crc32fast::hash(hashed) != self.hashed_crc {
            Some("the checksum of the payload does not fit; the payload that was written was expected")
        } else if crc32fast::hash(personal) != self.personal_crc {
            Some("the checksum of the personal section does not fit; the section that was written was expected")
        } else if previous.is_some_and(|previous| self.expected_chain(previous, hashed) != self.chain) {
            Some("the hash chain is broken; a frame that follows the one before it was expected")
        } else {
            None
        }
    }
}

/// Puts frames together for one write.
pub(in crate::store) struct FrameWriter {
    store_id: u64,
    durable: Revision,
    /// The head after the last frame.
    head: Head,
    /// The chain hash after the last frame.
    pub chain: [u8; 32],
    /// The frames.
    pub bytes: Vec<u8>,
    /// Where each frame that a reader can begin at starts in `bytes`, with its first revision.
    pub starts: Vec<(Revision, u64)>,
}

impl FrameWriter {
    pub(in crate::store) fn new(store_id: u64, head: Head, chain: [u8; 32]) -> Self {
        Self { store_id, durable: head.revision, head, chain, bytes: Vec::new(), starts: Vec::new() }
    }

    /// Adds changes, each with the head after it. Cost: linear in them.
    ///
    /// # Errors
    /// [`StoreError`] if there is no randomness, or a change is too large for any frame.
    pub(in crate::store) fn add(&mut self, changes: &[Change], heads: &[Head]) -> Result<(), StoreError> {
        let mut group = proto::Group::default();
        let mut personal = Vec::new();
        let mut group_bytes = 0;
        let mut first = self.head.revision;
        let mut head = self.head;
        for (change, after) in changes.iter().zip(heads) {
            let mut own = Vec::new();
            let encoded = record_codec::change_to_proto(change, &mut own, &mut files::random)?;
            let encoded_bytes = encoded.encoded_len();
            let large = change.records.len() > LARGE_RECORDS || encoded_bytes > PART_BYTES;
            if !group.changes.is_empty() && (large || group_bytes + encoded_bytes > GROUP_BYTES) {
                self.group(first, head, &std::mem::take(&mut group), std::mem::take(&mut personal))?;
                group_bytes = 0;
            }
            head = *after;
            if large {
                self.large(head, &encoded, own)?;
            } else {
                if group.changes.is_empty() {
                    first = change.revision;
                }
                group_bytes += encoded_bytes;
                group.changes.push(encoded);
                personal.append(&mut own);
            }
        }
        if group.changes.is_empty() { Ok(()) } else { self.group(first, head, &group, personal) }
    }

    fn group(
        &mut self,
        first: Revision,
        head: Head,
        group: &proto::Group,
        personal: Vec<proto::PersonalValue>,
    ) -> Result<(), StoreError> {
        self.starts.push((first, self.bytes.len() as u64));
        self.frame(FrameKind::Group, first, head, &group.encode_to_vec(), &encode_personal(personal))?;
        self.head = head;
        Ok(())
    }

    fn large(
        &mut self,
        head: Head,
        change: &proto::Change,
        personal: Vec<proto::PersonalValue>,
    ) -> Result<(), StoreError> {
        let (hashed, personal) = (change.encode_to_vec(), encode_personal(personal));
        let (mut hashed_parts, mut personal_parts) = (hashed.chunks(PART_BYTES), personal.chunks(PART_BYTES));
        let unfinished = Head { revision: head.revision, ..self.head };
        self.starts.push((head.revision, self.bytes.len() as u64));
        let mut part_count = 0;
        loop {
            let (hashed, personal) = (hashed_parts.next(), personal_parts.next());
            if hashed.is_none() && personal.is_none() {
                break;
            }
            let (hashed, personal) = (hashed.unwrap_or_default(), personal.unwrap_or_default());
            self.frame(FrameKind::Part, head.revision, unfinished, hashed, personal)?;
            part_count += 1;
        }
        let commit = proto::Commit { part_count, parts_hash: Sha256::digest(&hashed).to_vec() };
        self.frame(FrameKind::Commit, head.revision, head, &commit.encode_to_vec(), &[])?;
        self.head = head;
        Ok(())
    }

    fn frame(
        &mut self,
        kind: FrameKind,
        first: Revision,
        head: Head,
        hashed: &[u8],
        personal: &[u8],
    ) -> Result<(), StoreError> {
        let length = |bytes: &[u8]| {
            u32::try_from(bytes.len()).map_err(|_| {
                StoreError::Engine(format!("a frame of {} bytes was to be written; 4 GiB fit", bytes.len()))
            })
        };
        let mut header = FrameHeader {
            kind,
            hashed_bytes: length(hashed)?,
            first,
            durable: self.durable,
            head,
            hashed_crc: crc32fast::hash(hashed),
            personal_bytes: length(personal)?,
            personal_crc: crc32fast::hash(personal),
            chain: [0; 32],
        };
        header.chain = header.expected_chain(&self.chain, hashed);
        self.chain = header.chain;
        self.bytes.extend(header.encode(self.store_id));
        self.bytes.extend_from_slice(hashed);
        self.bytes.extend_from_slice(personal);
        Ok(())
    }
}

fn encode_personal(values: Vec<proto::PersonalValue>) -> Vec<u8> {
    // Empty, it takes no bytes at all.
    proto::PersonalSection { values }.encode_to_vec()
}

/// Puts changes together again, frame by frame.
#[derive(Default)]
pub(in crate::store) struct FrameReader {
    part_count: u32,
    hashed: Vec<u8>,
    personal: Vec<u8>,
}

impl FrameReader {
    /// Whether parts are waiting for their commit.
    pub(in crate::store) fn is_waiting(&self) -> bool {
        self.part_count > 0
    }

    /// The changes that a frame completes.
    ///
    /// # Errors
    /// What was expected, if the frame cannot be read.
    pub(in crate::store) fn add(
        &mut self,
        header: &FrameHeader,
        hashed: &[u8],
        personal: &[u8],
    ) -> Result<Vec<Change>, String> {
        match self.complete(header, hashed, personal)? {
            None => Ok(Vec::new()),
            Some(Whole::Group) => {
                decode(proto::Group::decode(hashed).map_err(|error| error.to_string())?.changes, personal)
            }
            Some(Whole::Large { hashed, personal, parts_hash }) => {
                if *parts_hash != *Sha256::digest(hashed) {
                    return Err("the parts of a large change were expected to be those that its commit names".into());
                }
                decode(vec![proto::Change::decode(hashed).map_err(|error| error.to_string())?], personal)
            }
        }
    }

    /// Verifies the changes that a frame completes, without making them. The chain has to have vouched for the frames.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn verify(&mut self, header: &FrameHeader, hashed: &[u8], personal: &[u8]) -> Result<(), String> {
        match self.complete(header, hashed, personal)? {
            None => Ok(()),
            Some(Whole::Group) => verify::group(header, hashed, personal),
            Some(Whole::Large { hashed, personal, .. }) => verify::large(header, hashed, personal),
        }
    }

    /// What a frame makes whole, if it does.
    fn complete(&mut self, header: &FrameHeader, hashed: &[u8], personal: &[u8]) -> Result<Option<Whole<'_>>, String> {
        match header.kind {
            FrameKind::Group => Ok(Some(Whole::Group)),
            FrameKind::Part => {
                if self.part_count == 0 {
                    // What is left of the large change before.
                    self.hashed.clear();
                    self.personal.clear();
                }
                self.part_count += 1;
                self.hashed.extend_from_slice(hashed);
                self.personal.extend_from_slice(personal);
                Ok(None)
            }
            FrameKind::Commit => {
                let commit = proto::Commit::decode(hashed).map_err(|error| error.to_string())?;
                let part_count = std::mem::take(&mut self.part_count);
                if part_count == 0 || commit.part_count != part_count {
                    return Err("as many parts of a large change as its commit names were expected".into());
                }
                let parts_hash = commit.parts_hash;
                Ok(Some(Whole::Large { hashed: &self.hashed, personal: &self.personal, parts_hash }))
            }
        }
    }
}

/// What a frame makes whole.
enum Whole<'a> {
    /// The changes that it holds itself.
    Group,
    /// The change whose parts came before it.
    Large {
        /// The change.
        hashed: &'a [u8],
        /// Its personal section.
        personal: &'a [u8],
        /// What the change hashes to.
        parts_hash: Vec<u8>,
    },
}

fn decode(changes: Vec<proto::Change>, personal: &[u8]) -> Result<Vec<Change>, String> {
    let mut personal = proto::PersonalSection::decode(personal).map_err(|error| error.to_string())?.values.into_iter();
    let changes = changes
        .into_iter()
        .map(|change| record_codec::change_from_proto(change, &mut personal).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    if personal.next().is_some() {
        return Err("as many personal values as the payload refers to were expected".to_owned());
    }
    Ok(changes)
}
