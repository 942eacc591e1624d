//! The JSON files of a model directory.

use std::collections::BTreeMap;
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

/// A model directory, wherever its files are.
#[derive(Clone, Copy)]
pub(crate) enum ModelFolder<'a> {
    /// On disk.
    OnDisk(&'a Path),
    /// In memory, by name; messages call the directory by this path.
    InMemory(&'a Path, &'a BTreeMap<String, Vec<u8>>),
}

impl ModelFolder<'_> {
    /// Where it is, or would be.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::OnDisk(folder) | Self::InMemory(folder, _) => folder,
        }
    }

    /// A text file; none where there is no such file.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, LmError> {
        match self {
            Self::OnDisk(folder) => read_text(&folder.join(name)),
            Self::InMemory(_, files) => {
                let text = files.get(name).map(|bytes| String::from_utf8(bytes.clone())).transpose();
                text.map_err(|error| self.error(name, &error))
            }
        }
    }

    /// A file's JSON object; none where there is no such file.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, LmError> {
        let parsed = self.text(name)?.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|error| self.error(name, &error))
    }

    fn error(&self, name: &str, error: &dyn std::error::Error) -> LmError {
        LmError::File { path: self.folder().join(name), what: error.to_string() }
    }
}
