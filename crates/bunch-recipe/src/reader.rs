//! Reads nodes of a recipe's tree as what they should be, and collects what is wrong.

use crate::model_reference::ModelReference;
use crate::node::{Entry, Node, Value, describe_text};
use crate::problem::{Fault, Location, Problem};
use crate::scalar;
use bunch_merging::{Spelling, nearest_name};

/// A node and the keys that lead to it.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) node: &'a Node,
    pub(crate) key: String,
}

/// A table and the keys that lead to it.
#[derive(Debug, Clone)]
pub(crate) struct Table<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) location: &'a Location,
    pub(crate) key: String,
}

impl<'a> Field<'a> {
    pub(crate) fn location(&self) -> &'a Location {
        &self.node.location
    }

    pub(crate) fn problem(&self, fault: Fault) -> Problem {
        Problem { location: self.location().clone(), key: self.key.clone(), fault }
    }
}

impl<'a> Table<'a> {
    /// The field with this key; none if nothing is there.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.node.value != Value::Null).then(|| Field { node: &entry.node, key: self.join(key) })
    }

    /// All fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a Entry, Field<'a>)> {
        self.entries.iter().map(|entry| (entry, Field { node: &entry.node, key: self.join(&entry.key) }))
    }

    pub(crate) fn problem(&self, key: &str, fault: Fault) -> Problem {
        Problem { location: self.location.clone(), key: self.join(key), fault }
    }

    fn join(&self, key: &str) -> String {
        match (self.key.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}

/// Reads nodes and collects what is wrong with them.
pub(crate) struct Reader {
    pub(crate) spelling: Spelling,
    pub(crate) problems: Vec<Problem>,
    pub(crate) notes: Vec<(Location, String)>,
}

impl Reader {
    pub(crate) fn new(spelling: Spelling) -> Self {
        Self { spelling, problems: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn note(&mut self, location: &Location, text: &str) {
        let note = (location.clone(), text.to_owned());
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(crate) fn expect(&mut self, field: &Field<'_>, expected: &str) {
        self.problems.push(field.problem(Fault::expected(expected, field.node.describe())));
    }

    /// The table with no other keys than these.
    pub(crate) fn table<'a>(&mut self, field: &Field<'a>, expected: &str, known: &[&str]) -> Option<Table<'a>> {
        let table = self.any_table(field, expected)?;
        for entry in table.entries {
            if !known.contains(&entry.key.as_str()) {
                let nearest = nearest_name(&entry.key, known.iter().copied());
                let known = known.iter().map(|&name| name.to_owned()).collect();
                let fault = Fault::Unknown { what: "key".into(), got: entry.key.clone(), nearest, known };
                self.problems.push(Problem { location: entry.location.clone(), key: table.key.clone(), fault });
            }
        }
        Some(table)
    }

    /// The table, whatever its keys.
    pub(crate) fn any_table<'a>(&mut self, field: &Field<'a>, expected: &str) -> Option<Table<'a>> {
        let Value::Table(entries) = &field.node.value else {
            self.expect(field, expected);
            return None;
        };
        Some(Table { entries, location: field.location(), key: field.key.clone() })
    }

    /// The elements of a list that has some.
    pub(crate) fn list<'a>(&mut self, field: &Field<'a>, expected: &str) -> Option<Vec<Field<'a>>> {
        match &field.node.value {
            Value::List(nodes) if !nodes.is_empty() => {
                let element = |(index, node)| Field { node, key: format!("{}[{index}]", field.key) };
                Some(nodes.iter().enumerate().map(element).collect())
            }
            _ => {
                self.expect(field, expected);
                None
            }
        }
    }

    /// The field that must be there.
    pub(crate) fn require<'a>(&mut self, table: &Table<'a>, key: &str, expected: &str) -> Option<Field<'a>> {
        let field = table.get(key);
        if field.is_none() {
            self.problems.push(table.problem(key, Fault::Missing { expected: expected.into() }));
        }
        field
    }

    pub(crate) fn text<'a>(&mut self, field: &Field<'a>, expected: &str) -> Option<&'a str> {
        match &field.node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.expect(field, expected);
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        let value = match (self.value(field.node), self.spelling) {
            (Value::Boolean(value), _) => Some(value),
            // mergekit takes these for booleans, and recipes for it have them.
            (Value::Integer(0), Spelling::Mergekit) => Some(false),
            (Value::Integer(1), Spelling::Mergekit) => Some(true),
            _ => None,
        };
        if value.is_none() {
            self.expect(field, "true or false");
        }
        value
    }

    /// A number that is finite in single precision and within the bounds.
    pub(crate) fn number(&mut self, field: &Field<'_>, bounds: Option<(f64, f64)>) -> Option<f64> {
        let value = match self.value(field.node) {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        };
        let within = |value: &f64| bounds.is_none_or(|(low, high)| (low..=high).contains(value));
        let value = value.filter(|value| (*value as f32).is_finite() && within(value));
        if value.is_none() {
            match bounds {
                None => self.expect(field, "a finite number"),
                Some((low, high)) => self.expect(field, &format!("a number from {low} to {high}")),
            }
        }
        value
    }

    /// A whole number that is not negative and at least `min`.
    pub(crate) fn whole(&mut self, field: &Field<'_>, min: usize) -> Option<usize> {
        let value = match self.value(field.node) {
            Value::Integer(value) => usize::try_from(value).ok(),
            // As in `10.0`; whole numbers up to 2^53 are exact.
            Value::Float(value) if self.spelling == Spelling::Mergekit && value.fract() == 0.0 => {
                (0.0..=9e15).contains(&value).then_some(value as usize)
            }
            _ => None,
        };
        let value = value.filter(|value| *value >= min);
        if value.is_none() {
            self.expect(field, &format!("a whole number of at least {min}"));
        }
        value
    }

    /// The value; in mergekit's recipes text may hold a number or boolean.
    fn value(&self, node: &Node) -> Value {
        match &node.value {
            Value::Text(text) if self.spelling == Spelling::Mergekit => scalar::resolve(text),
            value => value.clone(),
        }
    }

    /// A model: text, or a table with `model` and `lora`, each text or a table with `path` and `revision`.
    pub(crate) fn model(&mut self, field: &Field<'_>) -> Option<ModelReference> {
        const EXPECTED: &str = "a model as `path[@revision][+lora[@revision]]`";
        if let Value::Text(text) = &field.node.value {
            let parsed = ModelReference::parse(text);
            return parsed.map_err(|expected| self.expect_text(field, expected, text)).ok();
        }
        let table = self.table(field, EXPECTED, &["model", "lora"])?;
        let model = self.require(&table, "model", "the model below the adapter")?;
        let (path, revision) = self.model_path(&model)?;
        let lora = match table.get("lora") {
            None => None,
            Some(lora) => Some(self.model_path(&lora)?),
        };
        Some(ModelReference { path, revision, lora })
    }

    fn model_path(&mut self, field: &Field<'_>) -> Option<(String, Option<String>)> {
        if let Value::Text(text) = &field.node.value {
            let parsed = ModelReference::parse_path(text);
            return parsed.map_err(|expected| self.expect_text(field, expected, text)).ok();
        }
        let table = self.table(field, "a model as `path[@revision]`", &["path", "revision"])?;
        let path = self.require(&table, "path", "a folder or repository")?;
        let path = self.text(&path, "a folder or repository")?.to_owned();
        let revision = match table.get("revision") {
            None => None,
            Some(revision) => Some(self.text(&revision, "a revision")?.to_owned()),
        };
        Some((path, revision))
    }

    fn expect_text(&mut self, field: &Field<'_>, expected: &str, got: &str) {
        self.problems.push(field.problem(Fault::expected(expected, describe_text(got))));
    }
}
