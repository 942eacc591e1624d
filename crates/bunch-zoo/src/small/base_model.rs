//! The pretrained model that everything starts from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, StateDict, atomic_write};
use bunch_lm::{Tokenizer, text_files};
use bunch_transformer::LlamaConfig;
use serde_json::Value;

use super::PretrainedEntry;
use crate::ZooError;

/// A pretrained model: what it is, and where its weights can be read.
#[derive(Debug)]
pub struct BaseModel {
    /// Its id in the registry.
    pub id: String,
    /// Name of its file or folder.
    pub file_name: String,
    /// SHA-256 of the file, or of all that makes up the folder.
    pub sha256: String,
    path: PathBuf,
    json: Value,
    config: LlamaConfig,
    text_files: BTreeMap<String, Vec<u8>>,
    tokenizer: Tokenizer,
}

impl BaseModel {
    /// Finds the model of a registry entry in the folder of pretrained models. The tokenizer of a GGUF file becomes files
    /// in the folder `cache`.
    ///
    /// # Errors
    /// A model that is missing, another one, or of an architecture that cannot be run here.
    pub fn find(entry: &PretrainedEntry, models: &Path, cache: &Path) -> Result<Self, ZooError> {
        let path = entry.find(models)?;
        let checkpoint = Checkpoint::open(&path)?;
        let sha256 = match &entry.sha256 {
            Some(sha256) => sha256.clone(),
            None => checkpoint.sha256()?,
        };
        let text_files = text_files(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref())?;
        let folder = cache.join("tokenizers").join(&sha256[..16]);
        fs::create_dir_all(&folder).map_err(ZooError::io(&folder))?;
        for (name, bytes) in &text_files {
            atomic_write(&folder.join(name), bytes)?;
        }
        Ok(Self {
            id: entry.id.clone(),
            file_name: entry.path.clone(),
            sha256,
            json: checkpoint.config().clone(),
            config: LlamaConfig::from_json(checkpoint.config())?,
            tokenizer: Tokenizer::from_directory(&folder)?,
            text_files,
            path,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Its `config.json`.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// How it reads and writes text.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The files that say so, for models made from it.
    pub fn text_files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.text_files
    }

    /// Reads its weights, in f32.
    ///
    /// # Errors
    /// Failing I/O.
    pub fn weights(&self) -> Result<StateDict, ZooError> {
        let mut weights = Checkpoint::open(&self.path)?.state_dict()?;
        if self.config.tie_word_embeddings {
            // A tied model may carry its output projection too; what is made from it does not.
            weights.remove("lm_head.weight");
        }
        Ok(weights)
    }
}
