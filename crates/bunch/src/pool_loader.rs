//! Loads the models of a pool on a device.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bunch_alignment::{Loader, LoaderError};
use bunch_checkpoint::{Checkpoint, Weights};
use bunch_lm::LanguageModel;
use bunch_transformer::{LlamaConfig, LlamaModel, MemoryNeed};

use crate::arguments::ModelOptions;
use crate::loaded_model::{fingerprint, use_threads};
use crate::memory::check_memory;

/// Loads models on the device of the options.
pub struct PoolLoader<'a> {
    options: &'a ModelOptions,
    /// Configurations by path, each read once.
    configs: RefCell<BTreeMap<PathBuf, LlamaConfig>>,
}

impl<'a> PoolLoader<'a> {
    /// A loader with these options.
    pub fn new(options: &'a ModelOptions) -> Self {
        use_threads(options);
        Self { options, configs: RefCell::default() }
    }

    fn config(&self, path: &Path) -> Result<LlamaConfig, LoaderError> {
        if let Some(config) = self.configs.borrow().get(path) {
            return Ok(config.clone());
        }
        let config = LlamaConfig::from_json(Checkpoint::open(path)?.config())?;
        self.configs.borrow_mut().insert(path.to_owned(), config.clone());
        Ok(config)
    }
}

impl Loader for PoolLoader<'_> {
    fn load(&self, path: &Path) -> Result<Box<dyn LanguageModel>, LoaderError> {
        let device = bunch_transformer::device(&self.options.device)?;
        let checkpoint = Checkpoint::open(path)?;
        check_memory(path, self.options, MemoryNeed::of(&checkpoint, &device)?.scoring())?;
        let model = LlamaModel::load(&checkpoint, &device)?;
        checkpoint.check_unchanged()?;
        Ok(Box::new(model))
    }

    fn with_weights(&self, like: &Path, weights: &dyn Weights) -> Result<Box<dyn LanguageModel>, LoaderError> {
        let device = bunch_transformer::device(&self.options.device)?;
        Ok(Box::new(LlamaModel::new(self.config(like)?, weights, &device)?))
    }

    fn context_window(&self, path: &Path) -> Result<usize, LoaderError> {
        Ok(self.config(path)?.max_position_embeddings)
    }

    fn memory_need(&self, path: &Path) -> Result<u64, LoaderError> {
        let device = bunch_transformer::device(&self.options.device)?;
        Ok(MemoryNeed::of(&Checkpoint::open(path)?, &device)?.scoring())
    }

    fn available_memory(&self) -> Option<u64> {
        bunch_transformer::available_memory()
    }

    fn check_memory(&self, what: &Path, bytes: u64) -> Result<(), LoaderError> {
        Ok(check_memory(what, self.options, bytes)?)
    }

    fn fingerprint(&self, path: &Path) -> Result<String, LoaderError> {
        Ok(format!("{} {}", fingerprint(&Checkpoint::open(path)?)?, self.options.device))
    }
}
