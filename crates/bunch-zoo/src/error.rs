//! What can go wrong in a zoo and in its curricula.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_judging::JudgingError;
use bunch_lm::LmError;
use bunch_miniature::world::{Split, WorldError};
use bunch_pool::PoolError;
use bunch_recipe::RecipeProblems;
use bunch_transformer::LlamaError;
use bunch_tuning::TuningError;

/// What went wrong while reading a curriculum's data, or making or loading a model of it.
#[derive(Debug, thiserror::Error)]
pub enum ZooError {
    /// A data file cannot be read, or is not what its format demands.
    #[error(transparent)]
    Format(#[from] RecipeProblems),
    /// A pool of given models that cannot be opened.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A data file contradicts itself or another.
    #[error("{path}: {what}")]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// A name that the data do not have.
    #[error("unknown {kind} `{name}`: there are {known}")]
    Unknown {
        /// What was asked for: a model, a domain, a pretrained model.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Names that would work.
        known: String,
    },
    /// The pretrained model is not where it should be.
    #[error(
        "{path} is missing. The small scale starts from a pretrained model that you fetch once: `{id}` ({size}, {licence}). \
         Get it like this:\n\n{get}\n\nThen run the command again; --models DIR or BUNCH_MODELS names another folder than {folder}."
    )]
    MissingModel {
        /// Where it was looked for.
        path: PathBuf,
        /// Its id in the registry.
        id: String,
        /// Its size, for a reader.
        size: String,
        /// Its licence.
        licence: String,
        /// Commands that fetch it, with the folder filled in.
        get: String,
        /// The folder of pretrained models.
        folder: PathBuf,
    },
    /// The file of a pretrained model is another one than the registry names.
    #[error("{path}: its SHA-256 is {got}, that of `{id}` is {expected}: an incomplete download or another model")]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The id in the registry.
        id: String,
        /// SHA-256 that the registry names.
        expected: String,
        /// SHA-256 of the file.
        got: String,
    },
    /// More of something than there is.
    #[error("the {split} split has {available} {set}, {asked} were asked for")]
    TooMany {
        /// What was asked for.
        set: String,
        /// Of which split.
        split: Split,
        /// How many.
        asked: usize,
        /// How many there are.
        available: usize,
    },
    /// A file or folder could not be read, made or removed.
    #[error("{path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The miniature's language refused.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A model directory could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A model is no model that can be run here.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// A tokenizer or chat template failed.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// The list of refusals cannot be used.
    #[error(transparent)]
    Judging(#[from] JudgingError),
    /// Training failed.
    #[error("training `{member}`")]
    Training {
        /// The model that was trained.
        member: String,
        /// What happened.
        source: TuningError,
    },
}

impl ZooError {
    /// A failure of the file system at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Names that would have worked.
    pub(crate) fn unknown<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::Unknown { kind, name: name.into(), known: known.collect::<Vec<_>>().join(", ") }
    }
}
