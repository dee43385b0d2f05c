//! From nodes to values: fields, lists, texts, ids, flags and names, with a problem for whatever is not as expected.
//!
//! Every function goes on as far as it can, so that one run finds all problems; what it gives back after a problem is
//! only there to find more. [`Path`] says in messages which field it is about, and costs nothing until then. Both file
//! formats are read with these; what is special to one is in its own module.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use super::{
    definition::Located,
    node::{Node, Position, Value, repeated},
    problem::{Given, Problems},
    time,
};
use crate::model::{InvalidId, Timestamp};

/// The longest display name, user name or email, in bytes.
pub const MAX_DISPLAY_NAME_BYTES: usize = 256;

/// The longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 4096;

/// Which field a message is about, as in `users[7].roles[0]`.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'static str),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(super) fn field(&self, name: &'static str) -> Path<'_> {
        Path::Field(self, name)
    }

    pub(super) fn item(&self, index: usize) -> Path<'_> {
        Path::Item(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Path::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Reads the parts of one file.
pub(super) struct Reader<'r> {
    pub(super) problems: &'r mut Problems,
}

impl Reader<'_> {
    /// Adds a problem about a field.
    pub(super) fn add(&mut self, at: Position, path: &Path<'_>, message: impl fmt::Display) {
        match path {
            Path::Root => self.problems.add(at, message),
            _ => self.problems.add(at, format_args!("{path}: {message}")),
        }
    }

    pub(super) fn add_mismatch(&mut self, node: &Node<'_>, path: &Path<'_>, expected: &str) {
        match &node.value {
            value if value.is_null() => {
                self.add(node.at, path, format_args!("nothing, or null, was given; expected {expected}"));
            }
            Value::Scalar { text, .. } => {
                self.add(node.at, path, format_args!("{} was given; expected {expected}", Given(text)));
            }
            Value::Sequence(_) => self.add(node.at, path, format_args!("a list was given; expected {expected}")),
            Value::Mapping(_) => self.add(node.at, path, format_args!("a mapping was given; expected {expected}")),
        }
    }

    /// Checks that the file says that it is of `kind`. False if it says that it is something else: then nothing more
    /// that could be said about it would help.
    pub(super) fn is_kind(&mut self, root: &Node<'_>, kind: &str) -> bool {
        let Value::Mapping(entries) = &root.value else {
            self.add_mismatch(root, &Path::Root, &format!("a mapping with the field \"kind\": {kind}"));
            return false;
        };
        let Some(given) = entries.iter().find(|entry| entry.key == "kind").map(|entry| &entry.value) else {
            return true;
        };
        let is_kind = matches!(&given.value, Value::Scalar { text, .. } if text == kind);
        if !is_kind {
            self.add_mismatch(given, &Path::Root.field("kind"), kind);
        }
        is_kind
    }

    /// Takes a mapping apart into the fields of these names. None if it is no mapping.
    pub(super) fn fields<'a, const N: usize>(
        &mut self,
        node: Node<'a>,
        path: &Path<'_>,
        names: &[&'static str; N],
    ) -> Option<[Option<Node<'a>>; N]> {
        let Value::Mapping(entries) = node.value else {
            self.add_mismatch(&node, path, &format!("a mapping with the fields {}", names.join(", ")));
            return None;
        };
        let mut fields = [const { None }; N];
        for entry in entries {
            match fields.iter_mut().zip(names).find(|(_, name)| **name == entry.key) {
                // A key that is there twice was reported already.
                Some((field, _)) => *field = field.take().or(Some(entry.value)),
                None => {
                    let key = Given(&entry.key);
                    let expected = OneOf(names);
                    self.add(entry.key_at, path, format_args!("unknown field {key}; expected one of {expected}"));
                }
            }
        }
        Some(fields)
    }

    /// Complains when a field is not there. `at` and `path` are those of the mapping.
    pub(super) fn required<'a>(
        &mut self,
        node: Option<Node<'a>>,
        at: Position,
        path: &Path<'_>,
        name: &str,
    ) -> Option<Node<'a>> {
        if node.is_none() {
            self.add(at, path, format_args!("the field {name:?} is missing, and is required"));
        }
        node
    }

    /// The items of a list; none given: none.
    pub(super) fn list<'a>(&mut self, node: Option<Node<'a>>, path: &Path<'_>, max: usize) -> Vec<Node<'a>> {
        let Some(node) = node else { return Vec::new() };
        let Value::Sequence(items) = node.value else {
            self.add_mismatch(&node, path, "a list ([] or no field at all for an empty one)");
            return Vec::new();
        };
        if items.len() > max {
            self.add(node.at, path, format_args!("{} entries were given; expected at most {max}", items.len()));
        }
        items
    }

    /// The items of a list that must have one. `at` and `path` are those of the mapping that it is a field of, and of the
    /// field.
    pub(super) fn some<'a>(
        &mut self,
        node: Option<Node<'a>>,
        at: Position,
        path: &Path<'_>,
        max: usize,
        what: &str,
    ) -> Vec<Node<'a>> {
        match (&node, path) {
            (None, Path::Field(parent, name)) => drop(self.required(None, at, parent, name)),
            (Some(Node { at, value: Value::Sequence(items) }), _) if items.is_empty() => {
                self.add(*at, path, format_args!("an empty list was given; expected at least one {what}"));
            }
            _ => {}
        }
        self.list(node, path, max)
    }

    /// A text, in quotes or not.
    pub(super) fn string<'a>(&mut self, node: Node<'a>, path: &Path<'_>) -> Option<(Cow<'a, str>, Position)> {
        if node.value.is_null() {
            let message = "nothing, or null, was given; expected a text: quote it (\"null\", \"\") if it is meant so";
            self.add(node.at, path, message);
            return None;
        }
        match node.value {
            Value::Scalar { text, .. } => Some((text, node.at)),
            Value::Sequence(_) | Value::Mapping(_) => {
                self.add_mismatch(&node, path, "a text");
                None
            }
        }
    }

    /// A text for people, at most so long; none given: empty.
    pub(super) fn text(&mut self, node: Option<Node<'_>>, path: &Path<'_>, max_bytes: usize) -> String {
        let Some((text, at)) = node.and_then(|node| self.string(node, path)) else { return String::new() };
        if text.len() > max_bytes {
            self.add(at, path, format_args!("{} bytes were given; expected at most {max_bytes}", text.len()));
        }
        self.no_control(&text, at, path);
        text.into_owned()
    }

    /// Complains about the first control character of a text.
    pub(super) fn no_control(&mut self, text: &str, at: Position, path: &Path<'_>) {
        if let Some(control) = text.chars().find(|char| char.is_control() && !matches!(char, '\n' | '\t')) {
            let message = format_args!(
                "the control character U+{:04X} was given; expected none but newline and tab",
                u32::from(control)
            );
            self.add(at, path, message);
        }
    }

    /// The display name of something that must have one.
    pub(super) fn display_name(&mut self, node: Option<Node<'_>>, at: Position, parent: &Path<'_>) -> String {
        self.required_text(node, at, &parent.field("display_name"), MAX_DISPLAY_NAME_BYTES, "name")
    }

    /// A text for people that must be there and not empty. `at` is that of the mapping.
    pub(super) fn required_text(
        &mut self,
        node: Option<Node<'_>>,
        at: Position,
        path: &Path<'_>,
        max_bytes: usize,
        what: &str,
    ) -> String {
        let Some(node) = node else {
            if let Path::Field(parent, name) = path {
                self.required(None, at, parent, name);
            }
            return String::new();
        };
        if matches!(&node.value, Value::Scalar { text, plain: false } if text.is_empty()) {
            self.add(node.at, path, format_args!("\"\" was given; expected a {what} for people to read"));
        }
        self.text(Some(node), path, max_bytes)
    }

    /// `true` or `false`; none given: false.
    pub(super) fn flag(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> bool {
        let Some(node) = node else { return false };
        match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => true,
            Value::Scalar { text, plain: true } if text == "false" => false,
            _ => {
                self.add_mismatch(&node, path, "true or false, without quotes");
                false
            }
        }
    }

    /// A whole number of at least 1; none given: none.
    pub(super) fn number(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> Option<u64> {
        let node = node?;
        let number = match &node.value {
            Value::Scalar { text, plain: true } if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| *number > 0);
        if number.is_none() {
            self.add_mismatch(&node, path, "a whole number of at least 1, without quotes");
        }
        number
    }

    /// An instant; none given: none.
    pub(super) fn time(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> Option<Timestamp> {
        let (text, at) = self.string(node?, path)?;
        let time = time::parse(&text);
        if time.is_none() {
            self.add(at, path, format_args!("{} was given; expected {}", Given(&text), time::EXPECTED));
        }
        time
    }

    /// One of these words; none given, or another: the first.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let default = choices.first().map(|(_, value)| *value);
        let Some((text, at)) = node.and_then(|node| self.string(node, path)) else { return default };
        let choice = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if choice.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.add(at, path, format_args!("{} was given; expected one of {}", Given(&text), OneOf(&words)));
        }
        choice.or(default)
    }

    /// The id of a thing, declared in `names` even if it is malformed, so that references to it cause no problems of
    /// their own.
    pub(super) fn declared<'a, Id: fmt::Debug>(
        &mut self,
        node: Option<Node<'a>>,
        at: Position,
        parent: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
        names: &mut Names<'a>,
    ) -> Option<(Id, Position)> {
        self.declared_as("id", node, at, parent, new, names)
    }

    /// The same for a thing whose name is in another field.
    pub(super) fn declared_as<'a, Id: fmt::Debug>(
        &mut self,
        field: &'static str,
        node: Option<Node<'a>>,
        at: Position,
        parent: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
        names: &mut Names<'a>,
    ) -> Option<(Id, Position)> {
        let node = self.required(node, at, parent, field)?;
        let path = parent.field(field);
        let (text, at) = self.string(node, &path)?;
        let id = new(&text);
        match (&id, names.declare(text, at)) {
            (Err(error), _) => self.add(at, &path, error),
            (Ok(id), Some(first)) => self.add(at, &path, format_args!("{id:?} is given twice; first at {first}")),
            (Ok(_), None) => {}
        }
        Some((id.ok()?, at))
    }

    /// A list of texts, each once.
    pub(super) fn strings<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        max: usize,
    ) -> Vec<(usize, Cow<'a, str>, Position)> {
        let items = self.list(node, path, max);
        self.texts(items, path)
    }

    /// The items of a list as texts, each once.
    pub(super) fn texts<'a>(&mut self, items: Vec<Node<'a>>, path: &Path<'_>) -> Vec<(usize, Cow<'a, str>, Position)> {
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            if let Some((text, at)) = self.string(item, &path.item(index)) {
                strings.push((index, text, at));
            }
        }
        for (at, text, first) in repeated(strings.iter().map(|(_, text, at)| (&**text, *at))) {
            self.add(at, path, format_args!("{} is listed twice; first at {first}", Given(text)));
        }
        strings
    }

    /// A text that is to be an id, a pattern or the like.
    pub(super) fn located<Id>(
        &mut self,
        text: &str,
        at: Position,
        path: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
    ) -> Option<Located<Id>> {
        match new(text) {
            Ok(value) => Some(Located { value, at }),
            Err(error) => {
                self.add(at, path, error);
                None
            }
        }
    }

    /// A list of such texts, each once.
    pub(super) fn ids<Id>(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
    ) -> Vec<Located<Id>> {
        let strings = self.strings(node, path, usize::MAX);
        strings.into_iter().filter_map(|(index, text, at)| self.located(&text, at, &path.item(index), new)).collect()
    }

    /// A list of names that the file itself gives things, as their positions among those things.
    pub(super) fn references(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        max: usize,
        names: &Names<'_>,
    ) -> Vec<Reference> {
        let strings = self.strings(node, path, max);
        strings
            .into_iter()
            .filter_map(|(item, text, at)| {
                let to = self.reference(&text, at, &path.item(item), names)?;
                Some(Reference { item, to, at })
            })
            .collect()
    }

    /// One name that the file itself gives a thing; none given: none.
    pub(super) fn name(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &Names<'_>) -> Option<Reference> {
        let (text, at) = self.string(node?, path)?;
        self.reference(&text, at, path, names).map(|to| Reference { item: 0, to, at })
    }

    /// One name that the file itself gives a thing, as its position among those things.
    pub(super) fn reference(&mut self, text: &str, at: Position, path: &Path<'_>, names: &Names<'_>) -> Option<u32> {
        let found = names.position(text);
        if found.is_none() {
            self.problems.add_unknown(at, path, text, names.expected, names.iter());
        }
        found
    }
}

/// An entry of a list that names a thing of the file.
#[derive(Clone, Copy)]
pub(super) struct Reference {
    /// Its place in the list; 0 if it is the field's only value.
    pub(super) item: usize,
    /// The thing's place among those of its sort.
    pub(super) to: u32,
    pub(super) at: Position,
}

/// The ids that a file gives things of one sort.
pub(super) struct Names<'a> {
    expected: &'static str,
    known: BTreeMap<Cow<'a, str>, (u32, Position)>,
}

impl<'a> Names<'a> {
    /// No names yet. `expected` is what a reference to one of them should be, such as "a feature of this catalog".
    pub(super) fn new(expected: &'static str) -> Self {
        Self { expected, known: BTreeMap::new() }
    }

    /// Takes in the next id; gives back where it was given before, if it was.
    fn declare(&mut self, text: Cow<'a, str>, at: Position) -> Option<Position> {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        match self.known.entry(text) {
            std::collections::btree_map::Entry::Occupied(known) => Some(known.get().1),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert((next, at));
                None
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.known.contains_key(text)
    }

    /// The names, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(|name| &**name)
    }

    /// The names by their positions.
    pub(super) fn in_order(&self) -> Vec<&str> {
        let mut order = vec![""; self.known.len()];
        for (name, (position, _)) in &self.known {
            if let Some(place) = order.get_mut(*position as usize) {
                *place = name;
            }
        }
        order
    }

    /// The position of a name.
    pub(super) fn position(&self, text: &str) -> Option<u32> {
        self.known.get(text).map(|(position, _)| *position)
    }

    pub(super) fn expected(&self) -> &'static str {
        self.expected
    }
}

struct OneOf<'w>(&'w [&'w str]);

impl fmt::Display for OneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}
