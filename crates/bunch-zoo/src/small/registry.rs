//! The pretrained models that can be started from: what they are and where to get them.

use std::path::{Path, PathBuf};

use bunch_checkpoint::sha256_file;
use bunch_recipe::open_toml;
use serde::Deserialize;

use crate::ZooError;

/// `data/models.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Its entries.
    #[serde(rename = "model")]
    pub models: Vec<PretrainedEntry>,
}

/// A pretrained model that users fetch themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainedEntry {
    /// The name that experiments use.
    pub id: String,
    /// Name of its GGUF file or Hugging Face folder below the folder of pretrained models.
    pub path: String,
    /// SHA-256 of the file; a folder has none, what it holds is hashed when it is used.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Its size, for a reader.
    pub size: String,
    /// Its licence.
    pub licence: String,
    /// Where it comes from, for a reader.
    pub source: String,
    /// Shell commands that fetch it; `{models}` stands for the folder of pretrained models.
    pub get: String,
}

impl Registry {
    /// Reads `data/models.toml` below `root`.
    ///
    /// # Errors
    /// A file that is missing or not as it should be.
    pub fn load(root: &Path) -> Result<Self, ZooError> {
        Ok(open_toml(&root.join("data/models.toml"))?)
    }

    /// The entry of that id.
    ///
    /// # Errors
    /// An id the registry does not have.
    pub fn entry(&self, id: &str) -> Result<&PretrainedEntry, ZooError> {
        let found = self.models.iter().find(|entry| entry.id == id);
        found
            .ok_or_else(|| ZooError::unknown("pretrained model", id, self.models.iter().map(|entry| entry.id.as_str())))
    }
}

impl PretrainedEntry {
    /// Where the model lies in `folder`, and that it is the one meant.
    ///
    /// # Errors
    /// [`ZooError::MissingModel`], which says how to get it, or [`ZooError::OtherModel`].
    pub fn find(&self, folder: &Path) -> Result<PathBuf, ZooError> {
        let path = folder.join(&self.path);
        if !path.exists() {
            return Err(ZooError::MissingModel {
                path,
                id: self.id.clone(),
                size: self.size.clone(),
                licence: self.licence.clone(),
                get: self.get.trim().replace("{models}", &folder.display().to_string()),
                folder: folder.into(),
            });
        }
        if let Some(expected) = &self.sha256 {
            let got = sha256_file(&path)?;
            if got != *expected {
                let (id, expected) = (self.id.clone(), expected.clone());
                return Err(ZooError::OtherModel { path, id, expected, got });
            }
        }
        Ok(path)
    }
}
