//! What can go wrong in training.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_llama::LlamaError;

/// What went wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// The start model could not be built.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// A training checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A training setting outside its range.
    #[error("training configuration: `{field}` is {got}, expected {expected}")]
    Config {
        /// The setting.
        field: &'static str,
        /// Its value.
        got: String,
        /// Its range.
        expected: &'static str,
    },
    /// An example that cannot be trained on.
    #[error("training example {index}: {what}")]
    Example {
        /// Position in the data.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The loss is not a number any more.
    #[error("training diverged: the loss at step {step} is {loss}")]
    Diverged {
        /// Step, from 0.
        step: usize,
        /// Its loss.
        loss: f64,
    },
    /// A saved training state that cannot be continued.
    #[error("{path}: cannot continue this training state: {what}")]
    Resume {
        /// The state's directory.
        path: PathBuf,
        /// Why not.
        what: String,
    },
    /// The caller's check during training failed.
    #[error("check during training: {0}")]
    Observer(String),
}
