//! One layout of a data set's files: file names, columns, and how a row becomes a document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::reader::{self, Format};
use super::split::{Split, fill};
use crate::BenchmarkError;
use crate::doc::Doc;
use crate::template::Templates;

/// How one publisher or copy lays a data set out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layout {
    /// What this layout is, for readers of the definition.
    #[serde(rename = "name")]
    _name: String,
    format: Format,
    /// Per split the accepted files, relative to a folder of the data set; `{name}` is the configuration,
    /// `{snake_name}` the same in lower case with `_` for `-`, and a `*` in the file name any text.
    files: BTreeMap<String, Vec<String>>,
    /// Columns every row must have. A CSV file without a header has exactly these, in this order.
    #[serde(default)]
    columns: Vec<String>,
    /// Whether a CSV file begins with its columns' names.
    #[serde(default = "yes")]
    header: bool,
    /// The column that holds the key where a JSON file is an object of rows.
    key: Option<String>,
    /// Per split a JSON file beside the data whose keys are the rows to take, in its order.
    #[serde(default)]
    only: BTreeMap<String, String>,
    /// Expressions that must be true of every row.
    #[serde(default)]
    require: Vec<String>,
    /// The document's fields as expressions over the row; none: the row is the document.
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

impl Layout {
    pub(super) fn patterns(&self, split: &str) -> &[String] {
        self.files.get(split).map_or(&[], Vec::as_slice)
    }

    pub(super) fn read(
        &self,
        paths: &[PathBuf],
        root: &Path,
        split: &str,
        templates: &Templates,
    ) -> Result<Split, BenchmarkError> {
        let mut docs = Vec::new();
        let mut files = Vec::new();
        for path in paths {
            // A file without a header may have another reason not to be read as if it had one.
            if self.format == Format::Csv && self.header {
                self.check_columns(path, 1, reader::csv_header(path)?)?;
            }
            let mut rows = match (self.format, &self.key) {
                (Format::Csv, _) if !self.header => reader::headless_csv(path, &self.columns)?,
                (Format::Json, Some(key)) => reader::keyed_json(path, key)?,
                _ => reader::rows(path, self.format)?,
            };
            files.push(reader::record(path)?);
            if let (Some(list), Some(key)) = (self.only.get(split), &self.key) {
                let list = root.join(list);
                rows = select(rows, key, &reader::keys(&list)?, path, &list)?;
                files.push(reader::record(&list)?);
            }
            for (at, row) in rows.iter().enumerate() {
                docs.push(self.doc(row, path, at + 1, templates)?);
            }
        }
        fill(&mut docs);
        Ok(Split { docs, files })
    }

    fn check_columns(&self, path: &Path, row: usize, found: Vec<String>) -> Result<(), BenchmarkError> {
        match self.columns.iter().find(|column| !found.contains(column)) {
            None => Ok(()),
            Some(expected) => {
                Err(BenchmarkError::Column { path: path.to_path_buf(), row, expected: expected.clone(), found })
            }
        }
    }

    fn doc(&self, row: &Doc, path: &Path, number: usize, templates: &Templates) -> Result<Doc, BenchmarkError> {
        self.check_columns(path, number, row.keys().cloned().collect())?;
        let wrong = |reason: String| BenchmarkError::Row { path: path.to_path_buf(), row: number, reason };
        for condition in &self.require {
            if templates.evaluate(condition, row).map_err(wrong)? != Value::Bool(true) {
                return Err(wrong(format!("{condition} does not hold")));
            }
        }
        if self.fields.is_empty() {
            return Ok(row.clone());
        }
        let mut doc = Doc::new();
        for (field, expression) in &self.fields {
            let value = templates.evaluate(expression, row).map_err(|reason| wrong(format!("{field}: {reason}")))?;
            doc.insert(field.clone(), value);
        }
        Ok(doc)
    }
}

/// The rows whose key is in the list, in the list's order.
fn select(rows: Vec<Doc>, key: &str, keys: &[String], path: &Path, list: &Path) -> Result<Vec<Doc>, BenchmarkError> {
    let text = |value: &Value| crate::python::to_text(value);
    let by_key: BTreeMap<String, &Doc> =
        rows.iter().filter_map(|row| row.get(key).map(|value| (text(value), row))).collect();
    let take = |wanted: &String| {
        by_key.get(wanted).map(|row| (*row).clone()).ok_or_else(|| {
            BenchmarkError::format(path, format!("no row with {key} {wanted:?}, which {} lists", list.display()))
        })
    };
    keys.iter().map(take).collect()
}
