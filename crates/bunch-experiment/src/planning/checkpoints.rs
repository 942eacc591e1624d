//! The papers' checkpoints: what they are, and which of them are here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_checkpoint::Checkpoint;
use bunch_recipe::open_toml;
use bunch_transformer::LlamaConfig;
use serde::Deserialize;

use crate::ExperimentError;

/// Bytes that a checkpoint stores for each parameter: all of the papers' are in bfloat16 or float16.
const STORED_BYTES: u64 = 2;

/// `data/checkpoints.toml`.
pub(crate) struct Checkpoints {
    path: PathBuf,
    configs: BTreeMap<String, LlamaConfig>,
    entries: Vec<CheckpointEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    architecture: BTreeMap<String, Architecture>,
    checkpoint: Vec<CheckpointEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    /// How it is known, for a reader.
    #[serde(rename = "how")]
    _how: String,
    /// What decides the forward pass, as in `config.json`.
    config: serde_json::Value,
}

/// A checkpoint of a paper.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointEntry {
    /// The name that experiments use.
    pub(crate) id: String,
    /// Its place on the Hugging Face hub.
    pub(crate) hub: String,
    /// The commit there, if one is known.
    pub(crate) revision: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) architecture: String,
    /// Whether its licence must be accepted on the hub first.
    #[serde(default)]
    pub(crate) gated: bool,
    /// How each value is known.
    pub(crate) how: BTreeMap<String, String>,
}

/// Whether something is where it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Missing,
    /// It is there and cannot be used.
    Unusable(String),
}

impl Checkpoints {
    /// Reads the file below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self, ExperimentError> {
        let path = root.join("data/checkpoints.toml");
        let File { architecture, checkpoint } = open_toml(&path)?;
        let mut configs = BTreeMap::new();
        for (name, Architecture { config, .. }) in architecture {
            configs.insert(name, LlamaConfig::from_json(&config)?);
        }
        Ok(Self { path, configs, entries: checkpoint })
    }

    /// The checkpoint of that id.
    pub(crate) fn entry(&self, id: &str) -> Result<&CheckpointEntry, ExperimentError> {
        self.entries.iter().find(|entry| entry.id == id).ok_or_else(|| self.lacks("checkpoint", id))
    }

    /// The architecture of that name.
    pub(crate) fn config(&self, architecture: &str) -> Result<&LlamaConfig, ExperimentError> {
        self.configs.get(architecture).ok_or_else(|| self.lacks("architecture", architecture))
    }

    /// The architecture of the checkpoint of that id.
    pub(crate) fn config_of(&self, id: &str) -> Result<&LlamaConfig, ExperimentError> {
        self.config(&self.entry(id)?.architecture)
    }

    /// Bytes of the checkpoint's weights.
    pub(crate) fn bytes(&self, entry: &CheckpointEntry) -> Result<u64, ExperimentError> {
        Ok(self.config(&entry.architecture)?.parameters() as u64 * STORED_BYTES)
    }

    fn lacks(&self, what: &str, name: &str) -> ExperimentError {
        ExperimentError::Inconsistent { path: self.path.clone(), what: format!("there is no {what} `{name}`") }
    }
}

impl CheckpointEntry {
    /// Where it lies in the folder of pretrained models.
    pub(crate) fn place(&self, models: &Path) -> PathBuf {
        models.join(&self.hub)
    }

    /// Whether all its files are there; their headers are read, no weight is.
    pub(crate) fn presence(&self, models: &Path) -> Presence {
        let place = self.place(models);
        if !place.exists() {
            return Presence::Missing;
        }
        let read = Checkpoint::open(&place)
            .map_err(|error| error.to_string())
            .and_then(|checkpoint| LlamaConfig::from_json(checkpoint.config()).map_err(|error| error.to_string()));
        read.map_or_else(Presence::Unusable, |_| Presence::Here)
    }

    /// The command that fetches it.
    pub(crate) fn get(&self, models: &Path) -> String {
        let revision = self.revision.as_ref().map(|revision| format!(" --revision {revision}")).unwrap_or_default();
        format!("cargo bunch fetch {}{revision} --out {}", self.hub, self.place(models).display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn architectures_have_the_published_numbers_of_parameters() {
        let checkpoints = Checkpoints::load(&root()).unwrap();
        let parameters = |name: &str| checkpoints.config(name).unwrap().parameters();
        assert_eq!(parameters("llama-3-8b"), 8_030_261_248);
        assert_eq!(parameters("mistral-7b"), 7_241_732_096);
        assert_eq!(parameters("qwen2.5-7b"), 7_615_616_512);
        assert_eq!(parameters("smollm2-135m"), 134_515_008);
        let guard = checkpoints.entry("llama-guard-2").unwrap();
        assert_eq!(checkpoints.bytes(guard).unwrap(), 16_060_522_496);
    }

    #[test]
    fn every_value_says_how_it_is_known() {
        let checkpoints = Checkpoints::load(&root()).unwrap();
        let mut ids: Vec<&str> = checkpoints.entries.iter().map(|entry| entry.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), checkpoints.entries.len(), "an id twice");
        for entry in &checkpoints.entries {
            let known = |name: &str| entry.how.contains_key(name);
            assert!(known("hub"), "{}", entry.id);
            assert_eq!(known("licence"), entry.licence.is_some(), "{}", entry.id);
            assert_eq!(known("revision"), entry.revision.is_some(), "{}", entry.id);
            assert!(checkpoints.config(&entry.architecture).is_ok(), "{}", entry.id);
        }
        let error = checkpoints.entry("gpt-2").unwrap_err().to_string();
        assert!(error.ends_with("data/checkpoints.toml: there is no checkpoint `gpt-2`"), "{error}");
    }
}
