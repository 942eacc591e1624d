//! What can go wrong in the small world.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_transformer::LlamaError;
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
    #[error("training `{member}`")]
    Training {
        /// The model that was trained.
        member: String,
        /// What happened.
        source: TuningError,
    },
    /// A folder could not be made or removed.
    #[error("{path}")]
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
}
