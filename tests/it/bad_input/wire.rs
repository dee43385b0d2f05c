//! Messages made from the descriptors, and calls of any method with them.

use std::sync::LazyLock;

use http::uri::PathAndQuery;
use prost::{
    Message as _,
    bytes::{Buf as _, BufMut as _},
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, Value,
};
use prost_types::value::Kind as StructKind;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// Bytes as they are: what is in them is made and read elsewhere.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// The descriptors that reflection serves.
pub fn descriptors() -> DescriptorPool {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(rolecall::proto::DESCRIPTORS).unwrap());
    POOL.clone()
}

/// Every method of the API.
pub fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let services = pool.services().filter(|service| service.package_name() == "rolecall.v1");
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Calls a method with messages that are encoded already, and gives all that it answers.
pub async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    requests: Vec<Vec<u8>>,
) -> Result<Vec<DynamicMessage>, Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    // On the wire a call with one message and one answer is a stream of one each.
    let request = Request::new(tokio_stream::iter(requests));
    let mut answers = client.streaming(request, PathAndQuery::try_from(path).unwrap(), Bytes).await?.into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await? {
        all.push(DynamicMessage::decode(method.output(), answer.as_slice()).unwrap());
    }
    Ok(all)
}

/// Calls methods by their names, with fields that are written as text.
#[derive(Clone)]
pub struct Caller {
    channel: Channel,
    methods: Vec<MethodDescriptor>,
}

impl Caller {
    /// A caller over a connection of its own; `address` with its scheme.
    pub async fn connect(address: &str) -> Self {
        let channel = Channel::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
        Self { channel, methods: methods(&descriptors()) }
    }

    /// A request of a method: paths of fields, and what is put there.
    pub fn request(&self, method: &str, sets: &[(&str, &str)]) -> (MethodDescriptor, DynamicMessage) {
        let method = self.methods.iter().find(|known| known.name() == method);
        let method = method.unwrap_or_else(|| panic!("there is no such method")).clone();
        let mut request = DynamicMessage::new(method.input());
        for (path, value) in sets {
            let field = field_at(&method.input(), path).unwrap_or_else(|| panic!("{} has no {path}", method.name()));
            set(&mut request, path, Some(parse(&field, value)));
        }
        (method, request)
    }

    /// Sends a request. Of several answers it gives the last.
    pub async fn send(&self, method: &MethodDescriptor, request: &DynamicMessage) -> Result<DynamicMessage, Status> {
        let answers = call(&self.channel, method, vec![request.encode_to_vec()]).await?;
        answers.into_iter().next_back().ok_or_else(|| Status::unknown("no answer"))
    }

    /// Both.
    pub async fn ask(&self, method: &str, sets: &[(&str, &str)]) -> Result<DynamicMessage, Status> {
        let (method, request) = self.request(method, sets);
        self.send(&method, &request).await
    }
}

/// A message is looked into, but for maps and for those of the protobuf library, which are values.
pub fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if message.package_name() == "rolecall.v1" && !field.is_map() => Some(message),
        _ => None,
    }
}

/// The step of a path that leads to a field: `role`, or `users[0]` for the first of many messages.
fn step(text: &str) -> (&str, Option<usize>) {
    match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, index)) => (name, Some(index.parse().unwrap())),
        None => (text, None),
    }
}

/// The descriptor of the field at a path.
pub fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let field = message.get_field_by_name(step(first).0)?;
    match rest {
        None => Some(field),
        Some(rest) => field_at(&inner(&field)?, rest),
    }
}

/// Puts a value at a path, and makes what it leads through; none: takes away what is there.
pub fn set(message: &mut DynamicMessage, path: &str, value: Option<Value>) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (name, index) = step(first);
    let field = message.descriptor().get_field_by_name(name).unwrap_or_else(|| panic!("there is no field {path}"));
    let Some(rest) = rest else {
        match value {
            Some(value) => message.set_field(&field, value),
            None => message.clear_field(&field),
        }
        return;
    };
    match (message.get_field_mut(&field), index) {
        (Value::Message(inside), None) => set(inside, rest, value),
        (Value::List(items), Some(index)) => {
            while items.len() <= index {
                items.push(Value::Message(DynamicMessage::new(inner(&field).unwrap())));
            }
            set(items[index].as_message_mut().unwrap(), rest, value);
        }
        _ => panic!("{path} leads through what is no message"),
    }
}

/// The value at a path of an answer. An index that is not there gives none.
pub fn get(message: &DynamicMessage, path: &str) -> Option<Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (name, index) = step(first);
    let value = message.get_field_by_name(name)?.into_owned();
    let value = match index {
        Some(index) => value.as_list()?.get(index)?.clone(),
        None => value,
    };
    match rest {
        Some(rest) => get(value.as_message()?, rest),
        None => Some(value),
    }
}

/// The text at a path of an answer; empty if there is none.
pub fn text(message: &DynamicMessage, path: &str) -> String {
    get(message, path).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A value written as text, by the kind of its field: lists and masks with ", " between, enums by name, times in seconds,
/// maps and structs as `name=value` with ", " between.
pub fn parse(field: &FieldDescriptor, text: &str) -> Value {
    let pairs = || text.split(", ").filter_map(|pair| pair.split_once('='));
    if field.is_map() {
        let entry = |(name, value): (&str, &str)| (MapKey::String(name.to_owned()), Value::String(value.to_owned()));
        return Value::Map(pairs().map(entry).collect());
    }
    match field.kind() {
        Kind::Message(message) if message.full_name() == "google.protobuf.Struct" => {
            let value = |(name, value): (&str, &str)| (name.to_owned(), StructKind::StringValue(value.to_owned()));
            return attributes(field, pairs().map(value));
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask" => {
            return mask(field, &text.split(", ").collect::<Vec<_>>());
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            return timestamp(field, text.parse().unwrap(), 0);
        }
        _ => {}
    }
    let one = |text: &str| match field.kind() {
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
        Kind::Bool => Value::Bool(text == "true"),
        Kind::Int32 => Value::I32(text.parse().unwrap()),
        Kind::Int64 => Value::I64(text.parse().unwrap()),
        Kind::Enum(values) => Value::EnumNumber(values.get_value_by_name(text).unwrap().number()),
        Kind::Message(message) => Value::Message(DynamicMessage::new(message)),
        other => panic!("{}: no value of {other:?} is written as text", field.full_name()),
    };
    if field.is_list() { Value::List(text.split(", ").map(one).collect()) } else { one(text) }
}

/// A field mask.
pub fn mask(field: &FieldDescriptor, paths: &[&str]) -> Value {
    let Kind::Message(descriptor) = field.kind() else { panic!("{} is no mask", field.full_name()) };
    let mut mask = DynamicMessage::new(descriptor);
    mask.set_field_by_name("paths", Value::List(paths.iter().map(|path| Value::String((*path).to_owned())).collect()));
    Value::Message(mask)
}

/// A point in time.
pub fn timestamp(field: &FieldDescriptor, seconds: i64, nanos: i32) -> Value {
    let Kind::Message(descriptor) = field.kind() else { panic!("{} is no time", field.full_name()) };
    let mut time = DynamicMessage::new(descriptor);
    time.set_field_by_name("seconds", Value::I64(seconds));
    time.set_field_by_name("nanos", Value::I32(nanos));
    Value::Message(time)
}

/// A `google.protobuf.Struct`. What is nested too deep to be read is written all the same.
pub fn attributes(field: &FieldDescriptor, given: impl IntoIterator<Item = (String, StructKind)>) -> Value {
    let Kind::Message(descriptor) = field.kind() else { panic!("{} is no struct", field.full_name()) };
    let mut message = DynamicMessage::new(descriptor);
    fill(&mut message, given.into_iter().collect());
    Value::Message(message)
}

/// Fills in a struct. Decoding one would do, but for those that are nested too deep for that.
fn fill(message: &mut DynamicMessage, given: Vec<(String, StructKind)>) {
    let fields = message.descriptor().get_field_by_name("fields").unwrap();
    let Kind::Message(entry) = fields.kind() else { panic!("a struct is a map") };
    let Kind::Message(value) = entry.map_entry_value_field().kind() else { panic!("of values") };
    let entries = given.into_iter().map(|(name, kind)| {
        let mut one = DynamicMessage::new(value.clone());
        match kind {
            StructKind::StructValue(inner) => {
                let field = value.get_field_by_name("struct_value").unwrap();
                let Kind::Message(of) = field.kind() else { panic!("a struct is a message") };
                let mut inside = DynamicMessage::new(of);
                fill(
                    &mut inside,
                    inner.fields.into_iter().filter_map(|(name, value)| Some((name, value.kind?))).collect(),
                );
                one.set_field(&field, Value::Message(inside));
            }
            kind => {
                let plain = prost_types::Value { kind: Some(kind) };
                one.merge(plain.encode_to_vec().as_slice()).unwrap();
            }
        }
        (MapKey::String(name), Value::Message(one))
    });
    message.set_field(&fields, Value::Map(entries.collect()));
}
