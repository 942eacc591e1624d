//! What can be wrong with a Llama checkpoint.

use bunch_checkpoint::CheckpointError;

/// What went wrong while building a Llama model.
#[derive(Debug, thiserror::Error)]
pub enum LlamaError {
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// config.json is not that of a supported Llama.
    #[error("config.json: {0}")]
    Config(String),
    /// A tensor that the configuration demands is absent.
    #[error("tensor `{name}` is missing (expected shape {expected:?})")]
    MissingTensor {
        /// Hugging Face tensor name.
        name: String,
        /// Shape that the configuration demands.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the configuration demands.
    #[error("tensor `{name}` has shape {got:?}, expected {expected:?}")]
    Shape {
        /// Hugging Face tensor name.
        name: String,
        /// Shape that the configuration demands.
        expected: Vec<usize>,
        /// Shape in the checkpoint.
        got: Vec<usize>,
    },
    /// The checkpoint holds a tensor that the model has no place for.
    #[error("tensor `{0}` does not belong to this architecture")]
    UnexpectedTensor(String),
    /// A device that is unknown or not compiled in.
    #[error("unknown device `{name}`: this build has {available}")]
    Device {
        /// The name asked for.
        name: String,
        /// Names that would work.
        available: String,
    },
}
