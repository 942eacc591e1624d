//! Reading a file of JSON lines.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::JournalError;

/// A line of a file of JSON lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number, from 1 on; blank lines count but are not returned.
    pub number: usize,
    /// Its fields, in the order of the file.
    pub fields: Map<String, Value>,
}

impl Line {
    /// The text of the field `name`.
    ///
    /// # Errors
    /// There is none, or it holds something else; the message names the line and the fields there are.
    pub fn text(&self, path: &Path, name: &str) -> Result<&str, JournalError> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.fault(path, format!("`{name}`: expected a text, got {other}"))),
            None => {
                let names: Vec<&str> = self.fields.keys().map(String::as_str).collect();
                Err(self.fault(path, format!("expected a field `{name}`, got {}", names.join(", "))))
            }
        }
    }

    /// An error about this line of the file `path`.
    pub fn fault(&self, path: &Path, reason: String) -> JournalError {
        JournalError::Line { path: path.to_owned(), line: self.number, reason }
    }
}

/// Reads a file that holds a JSON object on each line; blank lines are skipped.
///
/// # Errors
/// A file that cannot be read, or a line that is no JSON object, by number.
pub fn read_lines(path: &Path) -> Result<Vec<Line>, JournalError> {
    let text = fs::read_to_string(path).map_err(JournalError::io(path))?;
    let mut lines = Vec::new();
    for (index, text) in text.split('\n').enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let number = index + 1;
        let fault = |reason: String| JournalError::Line { path: path.to_owned(), line: number, reason };
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => lines.push(Line { number, fields }),
            Ok(_) => return Err(fault("expected a JSON object".into())),
            Err(error) => return Err(fault(format!("expected a JSON object: {error}"))),
        }
    }
    Ok(lines)
}
