//! The pretrained model's own answers to the training requests: what its fine-tunes keep saying where nothing is to change.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bunch_checkpoint::atomic_write;
use bunch_lm::{ChatFormat, LanguageModel, Sampling, complete};
use serde::{Deserialize, Serialize};

use crate::ZooError;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnAnswer {
    /// Its text.
    pub text: String,
    /// Whether the model ended it; otherwise it was cut off.
    pub finished: bool,
}

/// Greedy answers by request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnAnswers(pub BTreeMap<String, OwnAnswer>);

impl OwnAnswers {
    /// Asks `model` every request.
    ///
    /// # Errors
    /// A model that fails.
    pub fn ask(
        model: &dyn LanguageModel,
        format: &dyn ChatFormat,
        requests: &[String],
        max_new_tokens: usize,
    ) -> Result<Self, ZooError> {
        let answers = complete(model, format, requests, max_new_tokens, Sampling::Greedy)?.into_iter();
        let answers = answers.map(|answer| OwnAnswer { text: answer.text, finished: answer.finished });
        Ok(Self(requests.iter().cloned().zip(answers).collect()))
    }

    /// Reads what [`OwnAnswers::save`] wrote, if it did.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn load(path: &Path) -> Result<Option<Self>, ZooError> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(path).map_err(ZooError::io(path))?;
        let answers = serde_json::from_slice(&bytes);
        let damaged = |error: serde_json::Error| ZooError::Inconsistent {
            path: path.into(),
            what: format!("damaged cache entry ({error}); remove it to have it computed again"),
        };
        answers.map(Some).map_err(damaged)
    }

    /// Keeps the answers in a file.
    ///
    /// # Errors
    /// Failing I/O.
    pub fn save(&self, path: &Path) -> Result<(), ZooError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(ZooError::io(folder))?;
        Ok(atomic_write(path, &serde_json::to_vec(self).expect("plain data"))?)
    }
}
