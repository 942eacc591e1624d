//! Prompt sets: published lists of requests, read from the publishers' files.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::builtin::{self, PROMPT_SETS};
use crate::{JudgingError, SafetyPrompt, record};

/// What such a set is called in messages.
const KIND: &str = "prompt set";

/// A published set of prompts: where to get it, under which terms, and how its files are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSet {
    /// Its file's name without the ending.
    #[serde(skip)]
    pub name: String,
    /// What it is called.
    pub title: String,
    /// Who publishes it.
    pub homepage: String,
    /// Its licence, in words.
    pub licence: String,
    /// How to get it.
    pub get: String,
    /// What one should know of it.
    pub note: Option<String>,
    layouts: Vec<Layout>,
}

/// A published file, under any of its names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    files: Vec<String>,
    rows: usize,
    fields: Fields,
    is_unsafe: Option<UnsafeRule>,
}

/// The columns that hold what is wanted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    prompt: String,
    id: Option<String>,
    context: Option<String>,
    category: Option<String>,
    subset: Option<String>,
}

/// Which column says whether a prompt is unsafe, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum UnsafeRule {
    Equals { field: String, equals: String, otherwise_equals: String },
    StartsWith { field: String, starts_with: String },
}

/// A prompt set as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptFile {
    /// The file.
    pub path: PathBuf,
    /// Its prompts, in its order.
    pub prompts: Vec<SafetyPrompt>,
}

impl PromptSet {
    /// The names of the sets, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        builtin::names(PROMPT_SETS)
    }

    /// The set `name`.
    ///
    /// # Errors
    /// No set of that name; the message names those there are.
    pub fn builtin(name: &str) -> Result<Self, JudgingError> {
        let text = builtin::text(KIND, PROMPT_SETS, name)?;
        let mut set: Self = toml::from_str(text).map_err(|error| JudgingError::definition(name, error))?;
        set.name = name.to_owned();
        Ok(set)
    }

    /// Reads the set from the folder `data`, where its file lies in a folder of the set's name or directly.
    ///
    /// # Errors
    /// No such file: what to get, its licence and where to put it. A file that cannot be read, lacks a column, has an
    /// unusable cell, or has not the published number of rows.
    pub fn read(&self, data: Option<&Path>) -> Result<PromptFile, JudgingError> {
        let folder = data.unwrap_or(Path::new("DATA")).join(&self.name);
        let mut looked_for = Vec::new();
        for layout in &self.layouts {
            for file in &layout.files {
                for path in [folder.join(file), data.unwrap_or(Path::new("DATA")).join(file)] {
                    if data.is_some() && path.is_file() {
                        let prompts = layout.read(&path)?;
                        return Ok(PromptFile { path, prompts });
                    }
                    looked_for.push(path);
                }
            }
        }
        Err(JudgingError::MissingPrompts {
            name: self.name.clone(),
            looked_for,
            get: self.get.clone(),
            licence: self.licence.clone(),
            homepage: self.homepage.clone(),
            folder,
        })
    }
}

impl Layout {
    fn read(&self, path: &Path) -> Result<Vec<SafetyPrompt>, JudgingError> {
        let is_csv = path.extension().is_some_and(|ending| ending == "csv");
        let table = if is_csv { Table::csv(path)? } else { Table::json(path)? };
        let prompts: Vec<SafetyPrompt> =
            (0..table.rows.len()).map(|row| self.prompt(&table, row)).collect::<Result<_, _>>()?;
        if prompts.len() != self.rows {
            return Err(JudgingError::Rows { path: path.to_owned(), expected: self.rows, got: prompts.len() });
        }
        Ok(prompts)
    }

    fn prompt(&self, table: &Table, row: usize) -> Result<SafetyPrompt, JudgingError> {
        let Fields { prompt, id, context, category, subset } = &self.fields;
        let optional = |column: &Option<String>| {
            let cell = column.as_ref().map(|column| table.cell(row, column)).transpose()?;
            Ok::<_, JudgingError>(cell.filter(|text| !text.is_empty()).map(str::to_owned))
        };
        let text = table.cell(row, prompt)?;
        if text.trim().is_empty() {
            return Err(table.fault(row, prompt, "a prompt".into(), text));
        }
        let is_unsafe = match &self.is_unsafe {
            None => None,
            Some(UnsafeRule::StartsWith { field, starts_with }) => {
                Some(table.cell(row, field)?.starts_with(starts_with))
            }
            Some(UnsafeRule::Equals { field, equals, otherwise_equals }) => match table.cell(row, field)? {
                cell if cell == equals => Some(true),
                cell if cell == otherwise_equals => Some(false),
                cell => return Err(table.fault(row, field, format!("{equals:?} or {otherwise_equals:?}"), cell)),
            },
        };
        Ok(SafetyPrompt {
            line: row + 1,
            prompt: text.to_owned(),
            id: optional(id)?,
            context: optional(context)?,
            category: optional(category)?,
            subset: optional(subset)?,
            is_unsafe,
        })
    }
}

/// A file's cells as texts.
struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn csv(path: &Path) -> Result<Self, JudgingError> {
        let fault = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line) as usize;
            JudgingError::Record { path: path.to_owned(), line, reason: error.to_string() }
        };
        let bytes = std::fs::read(path).map_err(JudgingError::io(path))?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        // Spreadsheets begin a file with a byte order mark.
        let columns =
            reader.headers().map_err(fault)?.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned());
        let columns = columns.collect();
        let row = |record: Result<csv::StringRecord, csv::Error>| {
            record.map(|record| record.iter().map(str::to_owned).collect()).map_err(fault)
        };
        let rows = reader.records().map(row).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    /// Cells that are missing, null or no text are read as empty, which a prompt must not be.
    fn json(path: &Path) -> Result<Self, JudgingError> {
        let entries = record::read_entries(path)?;
        let columns: Vec<String> =
            entries.first().map(|entry| entry.fields.keys().cloned().collect()).unwrap_or_default();
        let cell = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let rows = entries.iter().map(|entry| columns.iter().map(|name| cell(entry.fields.get(name))).collect());
        Ok(Self { path: path.to_owned(), rows: rows.collect(), columns })
    }

    fn cell(&self, row: usize, column: &str) -> Result<&str, JudgingError> {
        match self.columns.iter().position(|name| name == column) {
            Some(at) => Ok(&self.rows[row][at]),
            None => Err(JudgingError::Column {
                path: self.path.clone(),
                column: column.to_owned(),
                found: self.columns.clone(),
            }),
        }
    }

    fn fault(&self, row: usize, column: &str, expected: String, got: &str) -> JudgingError {
        let (path, column, got) = (self.path.clone(), column.to_owned(), format!("{got:?}"));
        JudgingError::Cell { path, row: row + 1, column, expected, got }
    }
}

#[cfg(test)]
mod tests;
