//! Fixed layouts, written and read number by number, big-endian.

use super::{Digest, Head};
use crate::model::{Revision, Timestamp};

/// Builds a fixed layout.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// One that is not moved until it has more than so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// 56 bytes.
    pub(super) fn head(self, head: &Head) -> Self {
        self.u64(head.revision.0).bytes(&head.digest.to_bytes()).u64(head.next_number).u64(head.time.0)
    }

    /// Ends with the CRC of what is there, begun with `seed`.
    pub(super) fn crc(self, seed: u64) -> Vec<u8> {
        let crc = crc(seed, &self.0);
        self.u32(crc).0
    }
}

/// The CRC of some bytes of a store: of another store it differs, so that bytes copied into a value never pass for a
/// header of this one.
pub(super) fn crc(seed: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The bytes before a CRC that fits them.
pub(super) fn checked(seed: u64, bytes: &[u8]) -> Option<&[u8]> {
    let (content, sum) = bytes.split_last_chunk::<4>()?;
    (crc(seed, content) == u32::from_be_bytes(*sum)).then_some(content)
}

/// Reads a fixed layout; `None` where the bytes end too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn head(&mut self) -> Option<Head> {
        Some(Head {
            revision: Revision(self.u64()?),
            digest: Digest::from_bytes(&self.array()?),
            next_number: self.u64()?,
            time: Timestamp(self.u64()?),
        })
    }
}
