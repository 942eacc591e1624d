//! What can be wrong with a Llama checkpoint.

use std::path::PathBuf;

use bunch_checkpoint::{CheckpointError, WeightsError};
use bunch_lm::LmError;

/// What went wrong while building a Llama model.
#[derive(Debug, thiserror::Error)]
pub enum LlamaError {
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor could not be read or made by whoever has the weights.
    #[error(transparent)]
    Weights(WeightsError),
    /// A sequence that the model cannot read.
    #[error(transparent)]
    Request(#[from] LmError),
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
    /// What is wrong with a tensor, and which file (or, where it is missing, which model) has the fault.
    #[error("{}: {what}", path.display())]
    At {
        /// A file of weights or a model directory.
        path: PathBuf,
        /// What is wrong.
        what: Box<LlamaError>,
    },
    /// The checkpoint holds a tensor that the model has no place for.
    #[error("tensor `{0}` does not belong to this architecture")]
    UnexpectedTensor(String),
    /// A LoRA adapter that is none, or is none of this model.
    #[error("adapter: {0}")]
    Adapter(String),
    /// Modules that cannot be left out of training.
    #[error("freeze `{name}`: {what}")]
    Freeze {
        /// The name that was given.
        name: String,
        /// Why not.
        what: String,
    },
    /// The device `wgpu` on a machine that has nothing to run it on.
    #[error(
        "device `wgpu`: no graphics adapter was found; a driver for Vulkan, Metal or DirectX 12 gives one, on Debian the \
         package mesa-vulkan-drivers one in software"
    )]
    NoAdapter,
    /// A device that is unknown or not compiled in.
    #[error("unknown device `{name}`: this build has {available}")]
    Device {
        /// The name asked for.
        name: String,
        /// Names that would work.
        available: String,
    },
}
