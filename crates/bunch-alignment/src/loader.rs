//! How models become ready to answer: given by the caller, since this crate knows no architecture.

use std::error::Error;
use std::path::Path;

use bunch_checkpoint::Weights;
use bunch_lm::LanguageModel;

/// Why a model could not be loaded, as the caller says it.
pub type LoaderError = Box<dyn Error + Send + Sync>;

/// Loads models.
pub trait Loader {
    /// The model in the folder or GGUF file `path`.
    fn load(&self, path: &Path) -> Result<Box<dyn LanguageModel>, LoaderError>;

    /// A model of the architecture of the model at `like`, with other weights.
    fn with_weights(&self, like: &Path, weights: &dyn Weights) -> Result<Box<dyn LanguageModel>, LoaderError>;

    /// The most tokens that the model at `path` takes at once. Reads no weights.
    fn context_window(&self, path: &Path) -> Result<usize, LoaderError>;

    /// Bytes that the model at `path` takes while it reads a batch, weights included. Reads no weights.
    fn memory_need(&self, path: &Path) -> Result<u64, LoaderError>;

    /// Bytes of memory that there are; None where that is not known.
    fn available_memory(&self) -> Option<u64>;

    /// Fails if work that needs so many bytes of memory cannot be done; `what` it is about.
    ///
    /// # Errors
    /// Less memory than that, as far as it is known.
    fn check_memory(&self, what: &Path, bytes: u64) -> Result<(), LoaderError>;

    /// What identifies the model at `path` among all others, and what its answers depend on besides.
    fn fingerprint(&self, path: &Path) -> Result<String, LoaderError>;
}
