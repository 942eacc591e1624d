//! The JSON files of a model directory.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use crate::LmError;

/// A text file; none where there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, LmError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LmError::File { path: path.to_owned(), what: error.to_string() }),
    }
}

/// A file's JSON object; none where there is no such file.
pub(crate) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, LmError> {
    let parse = |text: String| serde_json::from_str(&text);
    let parsed = read_text(path)?.map(parse).transpose();
    parsed.map_err(|error| LmError::File { path: path.to_owned(), what: error.to_string() })
}
