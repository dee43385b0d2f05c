//! A document as a tree of scalars, sequences and mappings, each with its place in the file.
//!
//! The YAML parser is granit-parser, which gives events and keeps no tree; JSON is YAML to it. What the formats have no
//! use for is refused here: several documents, anchors, aliases, tags, merge keys, keys that are not scalars, deep
//! nesting. Nothing here recurses with the input, and the tree borrows its texts from it where it can, so memory stays
//! linear in the input. Read [`read`] first.

use std::borrow::Cow;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::problem::Problems;

/// How deep sequences and mappings may lie in each other. The formats need 6.
const MAX_DEPTH: usize = 16;

/// How much of a file [`kind_of`] looks at, in bytes.
const KIND_BYTES: usize = 64 * 1024;

/// A place in a file. Lines and columns count from 1; a column is a character, not a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(marker: &Marker) -> Self {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Self { line: number(marker.line()), column: number(marker.col().saturating_add(1)) }
    }

    /// The place just behind `text`, when `text` begins the file.
    fn after(text: &str) -> Self {
        let last_line = text.rsplit('\n').next().unwrap_or_default();
        Self::of(&Marker::new(0, text.split('\n').count(), last_line.chars().count()))
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One node of a document.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) at: Position,
    pub(super) value: Value<'a>,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A text. Plain: without quotes, so that `true` and `null` may mean what they say.
    Scalar { text: Cow<'a, str>, plain: bool },
    /// A list.
    Sequence(Vec<Node<'a>>),
    /// Keys with values, in the file's order. A key that was given twice is still there twice, and was reported.
    Mapping(Vec<Entry<'a>>),
}

/// One key of a mapping with its value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) key_at: Position,
    pub(super) value: Node<'a>,
}

impl Value<'_> {
    /// Whether this is the plain word for nothing, or nothing at all (which the parser gives as `~`).
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Which of `values` were given before, in the file's order: where, and where first.
pub(super) fn repeated<T: Ord + Copy>(values: impl Iterator<Item = (T, Position)>) -> Vec<(Position, T, Position)> {
    let mut order: Vec<_> = values.collect();
    order.sort_unstable();
    let mut repeated = Vec::new();
    let mut first: Option<(T, Position)> = None;
    for (value, at) in order {
        match first {
            Some((known, first_at)) if known == value => repeated.push((at, value, first_at)),
            _ => first = Some((value, at)),
        }
    }
    repeated.sort_unstable();
    repeated
}

/// Reads the one document of a file. What stops the reading is the last problem then, and there is no node; a key that
/// is given twice stops nothing.
pub(super) fn read<'a>(bytes: &'a [u8], problems: &mut Problems) -> Option<Node<'a>> {
    match text_of(bytes).and_then(|text| Builder::default().build(text, problems)) {
        Ok(node) => Some(node),
        Err(Refusal { at, message }) => {
            problems.add(at, message);
            None
        }
    }
}

/// What ends the reading of a file.
struct Refusal {
    at: Position,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(at: Position, message: impl Into<Cow<'static, str>>) -> Self {
        Self { at, message: message.into() }
    }

    fn too_deep(at: Position) -> Self {
        Self::new(at, format!("lists and mappings are nested more than {MAX_DEPTH} deep"))
    }
}

fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn text_of(bytes: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let at = Position::after(&String::from_utf8_lossy(valid));
        Refusal::new(at, "this is not UTF-8; expected a text file in UTF-8")
    })?;
    match text.find('\0') {
        // The parser takes NUL for the end of the input, and would ignore whatever follows.
        Some(offset) => {
            let at = Position::after(text.get(..offset).unwrap_or_default());
            Err(Refusal::new(at, "a NUL byte was given; expected a text file in UTF-8"))
        }
        None => Ok(without_byte_order_mark(text)),
    }
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let options = granit_parser::options! {
        emit_comments: false,
        // So that an alias is refused as such, whether or not its anchor exists.
        emit_unresolved_aliases: true,
        flow_nesting_limit: 2 * MAX_DEPTH,
        block_nesting_limit: 2 * MAX_DEPTH,
    };
    Parser::new_from_str_with_options(text, options)
}

/// A sequence or mapping whose end is yet to come.
enum Open<'a> {
    Sequence { at: Position, items: Vec<Node<'a>> },
    Mapping { at: Position, entries: Vec<Entry<'a>>, key: Option<(Cow<'a, str>, Position)> },
}

#[derive(Default)]
struct Builder<'a> {
    open: Vec<Open<'a>>,
    root: Option<Node<'a>>,
    documents: usize,
}

impl<'a> Builder<'a> {
    fn build(mut self, text: &'a str, problems: &mut Problems) -> Result<Node<'a>, Refusal> {
        for next in parser(text) {
            let (event, span) = next.map_err(|error| {
                let at = Position::of(error.marker());
                match error.kind() {
                    granit_parser::ErrorKind::RecursionLimitExceeded => Refusal::too_deep(at),
                    _ => Refusal::new(at, format!("this is not well-formed YAML or JSON: {}", error.info())),
                }
            })?;
            self.take(event, &span, problems)?;
        }
        self.root.ok_or_else(|| {
            Refusal::new(Position::START, "the file is empty; expected a mapping with the field \"kind\"")
        })
    }

    fn take(&mut self, event: Event<'a>, span: &Span, problems: &mut Problems) -> Result<(), Refusal> {
        let at = Position::of(&span.start);
        if event.tag().is_some() {
            return Err(Refusal::new(at, "a tag (!...) was given; tags are not supported, write the plain value"));
        }
        if event.anchor_id().is_some_and(|id| id != 0) {
            return Err(Refusal::new(at, "an anchor (&...) was given; anchors are not supported, write the value out"));
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refusal::new(at, "a second document begins here; expected one document in the file"));
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return Err(Refusal::new(
                    at,
                    "an alias (*...) was given; aliases are not supported, write the value out (or quote the text)",
                ));
            }
            Event::Scalar(text, style, ..) => self.scalar(at, text, style == ScalarStyle::Plain)?,
            Event::SequenceStart(..) => self.start(at, Open::Sequence { at, items: Vec::new() })?,
            Event::MappingStart(..) => self.start(at, Open::Mapping { at, entries: Vec::new(), key: None })?,
            Event::SequenceEnd | Event::MappingEnd => self.end(problems),
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, at: Position, text: Cow<'a, str>, plain: bool) -> Result<(), Refusal> {
        if let Some(Open::Mapping { key: key @ None, .. }) = self.open.last_mut() {
            if plain && text == "<<" {
                return Err(Refusal::new(at, "a merge key (<<) was given; merge keys are not supported"));
            }
            *key = Some((text, at));
        } else {
            self.put(Node { at, value: Value::Scalar { text, plain } });
        }
        Ok(())
    }

    fn start(&mut self, at: Position, open: Open<'a>) -> Result<(), Refusal> {
        if let Some(Open::Mapping { key: None, .. }) = self.open.last() {
            return Err(Refusal::new(at, "a list or mapping was given as a key; expected the name of a field"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Refusal::too_deep(at));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, problems: &mut Problems) {
        match self.open.pop() {
            Some(Open::Sequence { at, mut items }) => {
                items.shrink_to_fit();
                self.put(Node { at, value: Value::Sequence(items) });
            }
            Some(Open::Mapping { at, mut entries, .. }) => {
                for (at, key, first) in repeated(entries.iter().map(|entry| (&*entry.key, entry.key_at))) {
                    let key = super::problem::Given(key);
                    problems.add(at, format_args!("the key {key} is given twice in this mapping; first at {first}"));
                }
                entries.shrink_to_fit();
                self.put(Node { at, value: Value::Mapping(entries) });
            }
            None => {}
        }
    }

    fn put(&mut self, node: Node<'a>) {
        match self.open.last_mut() {
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => {
                if let Some((key, key_at)) = key.take() {
                    entries.push(Entry { key, key_at, value: node });
                }
            }
            None => self.root = Some(node),
        }
    }
}

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// For [`super::parse_catalog`].
    Catalog,
    /// For [`super::parse_account`].
    Account,
}

/// What a file says that it is, from its first 64 KiB; none if that cannot be told. The rest of the file may be anything.
#[must_use]
pub fn kind_of(bytes: &[u8]) -> Option<FileKind> {
    let bytes = bytes.get(..KIND_BYTES).unwrap_or(bytes);
    // The cut may go through a character.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
    };
    let mut depth = 0_usize;
    let mut key: Option<bool> = None;
    for next in parser(without_byte_order_mark(text)) {
        match next.ok()?.0 {
            Event::Scalar(text, ..) if depth == 1 => match key.take() {
                None => key = Some(text == "kind"),
                Some(true) if text == "catalog" => return Some(FileKind::Catalog),
                Some(true) if text == "account" => return Some(FileKind::Account),
                Some(true) => return None,
                Some(false) => {}
            },
            Event::MappingStart(..) if depth == 0 => depth = 1,
            Event::SequenceStart(..) | Event::MappingStart(..) if depth > 0 && (depth > 1 || key == Some(false)) => {
                key = None;
                depth += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => depth = depth.checked_sub(1).filter(|depth| *depth > 0)?,
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::Scalar(..) if depth > 1 => {}
            _ => return None,
        }
    }
    None
}
