//! TOML files of the project.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ExperimentError;

/// What a TOML file holds.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ExperimentError> {
    let text = std::fs::read_to_string(path).map_err(ExperimentError::io(path))?;
    toml::from_str(&text).map_err(|source| ExperimentError::Format { path: path.into(), source: Box::new(source) })
}
