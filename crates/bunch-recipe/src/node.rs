//! A recipe's text as a tree, whatever its notation.

use crate::problem::Location;

/// A part of the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) location: Location,
    pub(crate) value: Value,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// Something that no recipe has, as a date; in words.
    Other(String),
    List(Vec<Node>),
    /// In the order of the text, each key once.
    Table(Vec<Entry>),
}

/// A key with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) location: Location,
    pub(crate) node: Node,
}

/// How deep lists and tables may nest; recipes need less than ten levels.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many nodes there may be, those that aliases repeat included.
pub(crate) const MAX_NODES: usize = 100_000;

/// How many bytes of text there may be.
pub(crate) const MAX_BYTES: usize = 1 << 20;

impl Node {
    /// How many nodes this is.
    pub(crate) fn count(&self) -> usize {
        1 + self.children().map(Self::count).sum::<usize>()
    }

    /// How many levels this is.
    pub(crate) fn depth(&self) -> usize {
        1 + self.children().map(Self::depth).max().unwrap_or(0)
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match &self.value {
            Value::List(nodes) => Box::new(nodes.iter()),
            Value::Table(entries) => Box::new(entries.iter().map(|entry| &entry.node)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The node in words, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => format!("the number {value}"),
            Value::Float(value) => format!("the number {value:?}"),
            Value::Text(text) => describe_text(text),
            Value::Other(words) => words.clone(),
            Value::List(nodes) if nodes.is_empty() => "an empty list".into(),
            Value::List(nodes) => format!("a list of {}", nodes.len()),
            Value::Table(_) => "a table".into(),
        }
    }
}

/// A text in words, for messages: quoted, and cut if it is long.
pub(crate) fn describe_text(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("the text {text:?}"),
        Some((end, _)) => format!("the text {:?}...", text.get(..end).unwrap_or_default()),
    }
}
