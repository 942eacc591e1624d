//! Reads YAML into a tree.

use crate::node::{Entry, MAX_DEPTH, MAX_NODES, Node, Value};
use crate::problem::{Fault, Location, Problem, RecipeProblems};
use crate::scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads one document. Keys that are there twice are added to `problems`, and the first counts.
///
/// # Errors
/// What makes the rest unreadable: syntax, several documents, too many nodes or levels, unknown tags, aliases of what
/// they are part of, keys that are lists or tables.
pub(crate) fn read(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) -> Result<Node, RecipeProblems> {
    let mut tree = Tree { file, problems, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            // The parser may see what a tab breaks one line later.
            let lines = text.lines().skip(error.marker().line().saturating_sub(2)).take(2);
            let has_tab = lines.into_iter().any(|line| line.contains('\t'));
            let hint =
                if has_tab { " (there is a tab in this line or the one before; YAML expects spaces)" } else { "" };
            let fault = Fault::Syntax { notation: "YAML", message: format!("{}{hint}", error.info()) };
            RecipeProblems::from(Problem { location: tree.location(error.marker()), key: String::new(), fault })
        })?;
        let location = tree.location(&span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    let expected = "one document, as one recipe is one merge (a file of several is for mergekit-multi: put each \
                                    document into a file of its own and merge them one after the other)";
                    return Err(refuse(location, expected, "a second one"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&text, style, tag.as_deref(), &location)?;
                tree.add(Node { location, value }, anchor, Some(text))?;
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", &location)?;
                tree.begin(Node { location, value: Value::List(Vec::new()) }, anchor)?;
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", &location)?;
                tree.begin(Node { location, value: Value::Table(Vec::new()) }, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end()?,
            Event::Alias(anchor) => tree.repeat(anchor, location)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let start = Location::Text { file: file.clone(), line: 1, column: 1 };
    Ok(tree.root.unwrap_or(Node { location: start, value: Value::Null }))
}

/// The tree as far as it has been read.
struct Tree<'a> {
    file: &'a Arc<str>,
    problems: &'a mut Vec<Problem>,
    /// The lists and tables that have begun, outermost first.
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or table that has begun.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<(String, Location)>,
    /// The keys of a table so far, and where they are.
    keys: BTreeMap<String, Location>,
}

impl Tree<'_> {
    fn location(&self, mark: &Marker) -> Location {
        Location::Text { file: self.file.clone(), line: mark.line().max(1), column: mark.col() + 1 }
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), RecipeProblems> {
        self.check_depth(1, &node.location)?;
        self.count(1, &node.location)?;
        self.open.push(Open { node, anchor, key: None, keys: BTreeMap::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), RecipeProblems> {
        let Some(Open { mut node, anchor, mut keys, .. }) = self.open.pop() else { return Ok(()) };
        merge_keys(&mut node, &mut keys)?;
        self.place(node, anchor, None)
    }

    fn add(&mut self, node: Node, anchor: usize, text: Option<Cow<'_, str>>) -> Result<(), RecipeProblems> {
        self.count(1, &node.location)?;
        self.place(node, anchor, text)
    }

    fn repeat(&mut self, anchor: usize, location: Location) -> Result<(), RecipeProblems> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(refuse(location, "an alias of something that is complete", "one of what it is part of"));
        };
        let (levels, nodes, node) = (node.depth(), node.count(), node.clone());
        self.check_depth(levels, &location)?;
        self.count(nodes, &location)?;
        let text = match &node.value {
            Value::Text(text) => Some(Cow::Owned(text.clone())),
            _ => None,
        };
        self.place(node, 0, text)
    }

    /// Puts a complete node where it belongs; `text` is how it reads as a key.
    fn place(&mut self, node: Node, anchor: usize, text: Option<Cow<'_, str>>) -> Result<(), RecipeProblems> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::Table(entries), Some((key, location))) => match open.keys.get(&key) {
                None => {
                    open.keys.insert(key.clone(), location.clone());
                    entries.push(Entry { key, location, node });
                }
                Some(first) => {
                    let fault = Fault::Repeated { what: "key", got: key, first: first.clone() };
                    self.problems.push(Problem { location, key: String::new(), fault });
                }
            },
            (Value::Table(_), None) => match text {
                Some(text) => open.key = Some((text.into_owned(), node.location)),
                None => return Err(refuse(node.location.clone(), "a key", &node.describe())),
            },
            (Value::List(nodes), _) => nodes.push(node),
            _ => {}
        }
        Ok(())
    }

    fn check_depth(&self, levels: usize, location: &Location) -> Result<(), RecipeProblems> {
        if self.open.len() + levels > MAX_DEPTH {
            return Err(refuse(location.clone(), &format!("at most {MAX_DEPTH} levels"), "more"));
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, location: &Location) -> Result<(), RecipeProblems> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(refuse(
                location.clone(),
                &format!("at most {MAX_NODES} values, repeated ones included"),
                "more",
            ));
        }
        Ok(())
    }
}

/// Takes over the entries that `<<` refers to, unless they are there already.
fn merge_keys(node: &mut Node, keys: &mut BTreeMap<String, Location>) -> Result<(), RecipeProblems> {
    let Value::Table(entries) = &mut node.value else { return Ok(()) };
    let Some(index) = entries.iter().position(|entry| entry.key == "<<") else { return Ok(()) };
    let merged = entries.remove(index).node;
    let tables = match merged.value {
        Value::List(nodes) => nodes,
        value => vec![Node { location: merged.location, value }],
    };
    for table in tables {
        match table.value {
            Value::Table(more) => {
                for entry in more {
                    if !keys.contains_key(&entry.key) {
                        keys.insert(entry.key.clone(), entry.location.clone());
                        entries.push(entry);
                    }
                }
            }
            value => {
                let node = Node { location: table.location, value };
                return Err(refuse(node.location.clone(), "a table to merge with `<<`", &node.describe()));
            }
        }
    }
    Ok(())
}

fn scalar_value(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    location: &Location,
) -> Result<Value, RecipeProblems> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(scalar::resolve(text)),
        None => Ok(Value::Text(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(Value::Text(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() && ["int", "float", "bool", "null"].contains(&tag.suffix.as_str()) => {
            Ok(scalar::resolve(text))
        }
        Some(tag) => Err(refuse(location.clone(), "no tag", &format!("the tag {tag}"))),
    }
}

fn check_tag(tag: Option<&Tag>, suffix: &str, location: &Location) -> Result<(), RecipeProblems> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() || tag.suffix != suffix => {
            Err(refuse(location.clone(), "no tag", &format!("the tag {tag}")))
        }
        _ => Ok(()),
    }
}

fn refuse(location: Location, expected: &str, got: &str) -> RecipeProblems {
    Problem { location, key: String::new(), fault: Fault::expected(expected, got) }.into()
}
