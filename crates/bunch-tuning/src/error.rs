//! What can go wrong in training.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_lm::LmError;
use bunch_transformer::LlamaError;

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
    /// Somebody asked the run to end.
    #[error("stopped after step {step}; {}", if *.saved { "the same command continues from there" } else { "nothing was saved" })]
    Interrupted {
        /// Steps that were done.
        step: usize,
        /// Whether the state was saved.
        saved: bool,
    },
    /// A line of training data that cannot be used.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// The data file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it, naming the field.
        what: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The tokenizer cannot be used for training.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// The caller's check during training failed.
    #[error("check during training: {0}")]
    Observer(String),
}
