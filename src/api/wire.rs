//! A BatchCheck's messages, read and written where they lie.
//!
//! A batch has up to a thousand questions of a few short texts each, and making a string of every text takes longer than
//! answering it. So its request is read as slices of the bytes that came, to the same result as the generated message; a
//! test holds both against each other. Everything that is not a text or a list of texts is left to the generated types.

use std::sync::Arc;

use prost::{
    Message as _,
    bytes::{Buf as _, BufMut as _, Bytes},
};
use tonic::{
    Response, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

pub(super) use crate::protobuf::Malformed;
use crate::{
    proto::{BatchCheckResult, Consistency, Decision, DecisionReason},
    protobuf::FieldsOf,
};

/// What came of a call, as bytes: the codec of methods that read and write their messages themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plain;

/// An answer as the bytes of its message: those that many answers share, and its own.
#[derive(Debug)]
pub struct Written {
    pub(super) shared: Option<Arc<[u8]>>,
    pub(super) own: Vec<u8>,
}

impl Written {
    /// An answer that nobody shares.
    pub(super) fn of(own: Vec<u8>) -> Self {
        Self { shared: None, own }
    }

    /// Writes the message behind what there is. Cost: linear in it.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.shared());
        bytes.extend_from_slice(&self.own);
    }

    fn shared(&self) -> &[u8] {
        self.shared.as_deref().unwrap_or_default()
    }

    /// The same as a message.
    pub(super) fn decoded<M: prost::Message + Default>(&self) -> Result<Response<M>, Status> {
        let message = M::decode(self.shared().chain(&*self.own));
        message.map(Response::new).map_err(|error| Status::internal(error.to_string()))
    }
}

/// A request of BatchCheck, of whose items is known where they are and not yet what they say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch<'a> {
    pub(super) account: &'a str,
    /// How many items there are.
    pub(super) count: usize,
    pub(super) consistency: Option<Consistency>,
    fields: FieldsOf<'a>,
}

/// The items of a request, read one after another.
#[derive(Debug)]
pub(super) struct Items<'a> {
    left: FieldsOf<'a>,
    item: BatchItem<'a>,
}

/// One question of a batch.
#[derive(Debug, Default, PartialEq)]
pub(super) struct BatchItem<'a> {
    pub(super) subject: &'a str,
    pub(super) permission: &'a str,
    pub(super) api_scope: &'a str,
    pub(super) resource: &'a str,
    /// Ordered by name, each name once.
    pub(super) facets: Vec<(&'a str, &'a str)>,
    pub(super) attributes: Option<prost_types::Struct>,
}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::internal("the request is no well-formed message of its kind")
    }
}

impl<'a> Batch<'a> {
    /// Reads a request but for its items.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = FieldsOf(bytes);
        let mut batch = Self { fields, ..Self::default() };
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => batch.account = value.text()?,
                2 => {
                    value.bytes()?;
                    batch.count += 1;
                }
                3 => batch.consistency.get_or_insert_default().merge(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(batch)
    }

    /// The items, from the first one on.
    pub(super) fn items(&self) -> Items<'a> {
        Items { left: self.fields, item: BatchItem::default() }
    }

    /// Refuses what is malformed in the first `most` items.
    pub(super) fn check_items(&self, most: usize) -> Result<(), Malformed> {
        let mut items = self.items();
        (0..most).try_for_each(|_| items.next().map(drop))
    }
}

impl<'a> Items<'a> {
    /// Reads the next item over the one before; none: there are no more.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<&BatchItem<'a>>, Malformed> {
        while let Some((number, value)) = self.left.next()? {
            if number == 2 {
                self.item.read(value.bytes()?)?;
                return Ok(Some(&self.item));
            }
        }
        Ok(None)
    }

    /// The item that was read last.
    pub(super) fn last(&self) -> &BatchItem<'a> {
        &self.item
    }
}

impl<'a> BatchItem<'a> {
    /// Reads an item over this one, to which it is likely to be similar.
    #[inline]
    fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let (subject, permission) = (self.subject, self.permission);
        (self.subject, self.permission, self.api_scope, self.resource) = ("", "", "", "");
        self.facets.clear();
        self.attributes = None;
        let mut fields = FieldsOf(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.subject = value.text_like(subject)?,
                2 => self.permission = value.text_like(permission)?,
                3 => self.api_scope = value.text()?,
                4 => self.resource = value.text()?,
                5 => self.facets.push(entry(value.bytes()?)?),
                6 => self.attributes.get_or_insert_default().merge(value.bytes()?)?,
                _ => {}
            }
        }
        if self.facets.len() > 1 {
            // Of a name that stands there twice the last one counts: the sort keeps their order.
            self.facets.reverse();
            self.facets.sort_by_key(|(name, _)| *name);
            self.facets.dedup_by_key(|(name, _)| *name);
        }
        Ok(())
    }
}

/// An entry of a map of texts.
fn entry(bytes: &[u8]) -> Result<(&str, &str), Malformed> {
    let ((mut name, mut text), mut fields) = (("", ""), FieldsOf(bytes));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.text()?,
            2 => text = value.text()?,
            _ => {}
        }
    }
    Ok((name, text))
}

/// Adds a result without an error to the bytes of a BatchCheck's answer.
#[inline]
pub(super) fn add_decision(answer: &mut Vec<u8>, decision: Decision, reason: DecisionReason) {
    match (u8::try_from(i32::from(decision)), u8::try_from(i32::from(reason))) {
        // Field 1 of the answer, four bytes: field 1 and field 2 of the result, a byte each.
        (Ok(decision @ 1..0x80), Ok(reason @ 1..0x80)) => {
            answer.extend_from_slice(&[1 << 3 | 2, 4, 1 << 3, decision, 2 << 3, reason]);
        }
        _ => {
            let result = BatchCheckResult { decision: decision.into(), reason: reason.into(), error: None };
            add_result(answer, &result);
        }
    }
}

/// Adds a result to the bytes of a BatchCheck's answer.
pub(super) fn add_result(answer: &mut Vec<u8>, result: &BatchCheckResult) {
    answer.put_u8(1 << 3 | 2);
    // A vector grows as needed, so there is always room.
    let _ = result.encode_length_delimited(answer);
}

/// Adds a text, such as a consistency token, to the bytes of an answer. `field`: 1 to 15.
pub(super) fn add_text(answer: &mut Vec<u8>, field: u8, text: &str) {
    answer.put_u8(field << 3 | 2);
    // A vector grows as needed.
    let _ = prost::encode_length_delimiter(text.len(), answer);
    answer.put_slice(text.as_bytes());
}

impl Codec for Plain {
    type Encode = Written;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = Written;
    type Error = Status;

    fn encode(&mut self, item: Written, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(item.shared().len() + item.own.len());
        to.put_slice(item.shared());
        to.put_slice(&item.own);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
