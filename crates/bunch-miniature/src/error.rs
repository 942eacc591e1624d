//! What can go wrong in the small world.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_llama::LlamaError;
use bunch_tuning::TuningError;

use crate::world::WorldError;

/// What went wrong while making or loading a model of the zoo.
#[derive(Debug, thiserror::Error)]
pub enum ZooError {
    /// The world refused.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A model directory could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A model directory is not that of a model of this world.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// Training failed.
    #[error("training `{member}`: {source}")]
    Training {
        /// The model that was trained.
        member: String,
        /// What happened.
        source: TuningError,
    },
    /// A folder could not be made or removed.
    #[error("{path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A name that no member has.
    #[error("unknown model `{name}`: the small world has {known}")]
    UnknownMember {
        /// The name asked for.
        name: String,
        /// Names that would work.
        known: String,
    },
    /// The refusal rate never came down to where it should be pinned.
    #[error("training `{member}`: the refusal rate on the dev prompts is still {rate:.1} % after {steps} steps, the recipe wants at most {target:.1} %")]
    Unpinned {
        /// The model that was trained.
        member: String,
        /// Steps of training.
        steps: usize,
        /// Refusal rate in percent.
        rate: f64,
        /// Target in percent.
        target: f64,
    },
}
