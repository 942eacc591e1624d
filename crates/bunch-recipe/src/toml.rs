//! Reads TOML into a tree, and writes one.

use crate::node::{Entry, MAX_NODES, Node, Value};
use crate::problem::{Fault, Location, Problem, RecipeProblems};
use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use std::borrow::Cow;
use std::sync::Arc;

/// How many syntax errors are reported: one often causes many.
const MAX_ERRORS: usize = 20;

/// Reads a document.
///
/// # Errors
/// The first [`MAX_ERRORS`] syntax errors; too many values. The parser itself limits how deep they nest.
pub(crate) fn read(text: &str, file: &Arc<str>) -> Result<Node, RecipeProblems> {
    let lines = Lines::new(text, file);
    let locate = |byte| lines.location(byte);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &::toml::de::Error| Problem {
            location: locate(error.span().map_or(0, |span| span.start)),
            key: String::new(),
            fault: Fault::Syntax { notation: "TOML", message: error.message().to_owned() },
        };
        return Err(RecipeProblems(errors.iter().take(MAX_ERRORS).map(problem).collect()));
    }
    let start = locate(0);
    let mut reader = Reader { locate: &locate, nodes: 0 };
    reader.table(document.get_ref()).map(|value| Node { location: start, value })
}

/// Reads a single value that is all in one place.
///
/// # Errors
/// What the parser says.
pub(crate) fn read_value(text: &str, location: &Location) -> Result<Node, String> {
    let value = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    let locate = |_| location.clone();
    Reader { locate: &locate, nodes: 0 }.node(&value).map_err(|problems| problems.to_string())
}

struct Reader<'a> {
    locate: &'a dyn Fn(usize) -> Location,
    nodes: usize,
}

impl Reader<'_> {
    fn node(&mut self, node: &Spanned<DeValue<'_>>) -> Result<Node, RecipeProblems> {
        let location = (self.locate)(node.span().start);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let fault = Fault::expected(format!("at most {MAX_NODES} values"), "more");
            return Err(Problem { location, key: String::new(), fault }.into());
        }
        let value = match node.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Other(format!("the number {number}, which is too large")),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => Value::Other(format!("the number {number}")),
            },
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(date) => Value::Other(format!("the date {date}")),
            DeValue::Array(nodes) => Value::List(nodes.iter().map(|node| self.node(node)).collect::<Result<_, _>>()?),
            DeValue::Table(table) => self.table(table)?,
        };
        Ok(Node { location, value })
    }

    fn table(&mut self, table: &DeTable<'_>) -> Result<Value, RecipeProblems> {
        let mut entries: Vec<_> = table.iter().collect();
        // The parser sorts by name; what is added to a vocabulary is added in the order of the text.
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, node): (&Spanned<Cow<'_, str>>, &_)| -> Result<Entry, RecipeProblems> {
            let location = (self.locate)(key.span().start);
            Ok(Entry { key: key.get_ref().to_string(), location, node: self.node(node)? })
        };
        Ok(Value::Table(entries.into_iter().map(entry).collect::<Result<_, _>>()?))
    }
}

/// Where the lines of a text begin.
pub(crate) struct Lines<'a> {
    text: &'a str,
    file: &'a Arc<str>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str, file: &'a Arc<str>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect();
        Self { text, file, starts }
    }

    /// The place of a byte of the text.
    pub(crate) fn location(&self, byte: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..byte).map_or(0, |text| text.chars().count()) + 1;
        Location::Text { file: self.file.clone(), line, column }
    }
}

/// The node as a TOML value; none where it holds nothing.
pub(crate) fn write(node: &Node) -> Option<::toml::Value> {
    match &node.value {
        Value::Null => None,
        Value::Boolean(value) => Some((*value).into()),
        Value::Integer(value) => Some((*value).into()),
        Value::Float(value) => Some((*value).into()),
        Value::Text(text) | Value::Other(text) => Some(text.as_str().into()),
        Value::List(nodes) => Some(::toml::Value::Array(nodes.iter().filter_map(write).collect())),
        Value::Table(entries) => {
            let entry = |entry: &Entry| Some((entry.key.clone(), write(&entry.node)?));
            Some(::toml::Value::Table(entries.iter().filter_map(entry).collect()))
        }
    }
}
