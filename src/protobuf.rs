//! Protobuf messages read where they lie: the fields of some bytes, one after another, and nothing copied.
//!
//! For the few places where making a value of every field takes longer than what is done with it. It follows the rules
//! of the encoding (<https://protobuf.dev/programming-guides/encoding/>) to the same result as the generated types;
//! tests of both places hold it against them.

use prost::DecodeError;

/// How deep groups, which no message here has, may stand in each other.
const MAX_DEPTH: usize = 100;

/// The fields of a message, in the order in which they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FieldsOf<'a>(pub(crate) &'a [u8]);

/// The value of a field.
pub(crate) enum Value<'a> {
    /// A text, a list of bytes or a message.
    Bytes(&'a [u8]),
    /// A number of any length, or a truth value.
    Number(u64),
    /// A number of fixed length, or a group of the old kind: no message here has them.
    Other,
}

/// The bytes are no message of their kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

impl<'a> FieldsOf<'a> {
    /// The next field with its number; none at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.key()?;
        Ok(Some((number, if kind == 2 { Value::Bytes(self.bytes()?) } else { self.other(number, kind, MAX_DEPTH)? })))
    }

    /// Bytes with their length before them.
    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// The value of another kind than bytes.
    #[cold]
    fn other(&mut self, number: u64, kind: u64, depth: usize) -> Result<Value<'a>, Malformed> {
        Ok(match kind {
            2 => self.bytes().map(|_| Value::Other)?,
            0 => self.varint().map(Value::Number)?,
            1 => self.take(8).map(|_| Value::Other)?,
            5 => self.take(4).map(|_| Value::Other)?,
            3 => {
                let depth = depth.checked_sub(1).ok_or(Malformed)?;
                loop {
                    let (inner, kind) = self.key()?;
                    match kind {
                        4 if inner == number => break Value::Other,
                        kind => _ = self.other(inner, kind, depth)?,
                    }
                }
            }
            _ => return Err(Malformed),
        })
    }

    #[inline]
    fn key(&mut self) -> Result<(u64, u64), Malformed> {
        let key = self.varint()?;
        let (number, kind) = (key >> 3, key & 7);
        if key > u64::from(u32::MAX) || number == 0 { Err(Malformed) } else { Ok((number, kind)) }
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number in groups of seven bits, the lowest first; the last byte has no top bit.
    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.0.split_first() {
            // Nearly all that stands here is small.
            Some((byte @ ..0x80, rest)) => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            // Of the tenth byte one bit is left.
            if shift == 63 && *byte > 1 {
                return Err(Malformed);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    #[inline]
    pub(crate) fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// The same, where it is likely that it is a text that was read before: then it need not be looked at again.
    #[inline]
    pub(crate) fn text_like(self, before: &'a str) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        if bytes == before.as_bytes() { Ok(before) } else { Value::Bytes(bytes).text() }
    }
}
