//! A model that is loaded when it is first asked something.

use std::cell::OnceCell;
use std::path::PathBuf;

use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

use crate::Loader;

/// A model that is loaded when it is first asked something: what is known already costs no memory.
pub struct LazyModel<'a> {
    name: String,
    path: PathBuf,
    loader: &'a dyn Loader,
    model: OnceCell<Box<dyn LanguageModel>>,
}

impl<'a> LazyModel<'a> {
    /// The model at `path`, which messages call `name`.
    pub(crate) fn new(name: &str, path: PathBuf, loader: &'a dyn Loader) -> Self {
        Self { name: name.to_owned(), path, loader, model: OnceCell::new() }
    }

    fn loaded(&self) -> Result<&dyn LanguageModel, LmError> {
        if self.model.get().is_none() {
            let loaded = self.loader.load(&self.path);
            let _ = self.model.set(loaded.map_err(|error| LmError::Text(format!("{}: {error}", self.name)))?);
        }
        Ok(&**self.model.get().expect("just set"))
    }
}

impl LanguageModel for LazyModel<'_> {
    fn context_window(&self) -> usize {
        match self.model.get() {
            Some(model) => model.context_window(),
            // A model that cannot be read fails when it is asked.
            None => self.loader.context_window(&self.path).unwrap_or(usize::MAX),
        }
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        self.loaded()?.loglikelihood(requests)
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        self.loaded()?.generate(prompts, config)
    }
}
