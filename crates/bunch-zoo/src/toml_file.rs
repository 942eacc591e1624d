//! Data files in TOML, read strictly.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ZooError;

/// Reads a file.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ZooError> {
    parse_toml(path, &read_text(path)?)
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String, ZooError> {
    fs::read_to_string(path).map_err(ZooError::io(path))
}

/// Reads the text of the file at `path`.
pub(crate) fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ZooError> {
    toml::from_str(text).map_err(|source| ZooError::Format { path: path.into(), source: Box::new(source) })
}
