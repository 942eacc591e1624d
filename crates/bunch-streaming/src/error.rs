//! What can go wrong with a merge of checkpoints.

use std::fmt;
use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;
use bunch_merging::MergeError;
use bunch_recipe::RecipeProblems;
use bunch_vocabulary::VocabularyError;

use crate::problem::Problem;

/// What can go wrong with a merge of checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum StreamingError {
    /// The recipe cannot be carried out with these models.
    #[error(transparent)]
    Recipe(#[from] RecipeProblems),
    /// A model cannot be read, or the output not written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A method refuses a tensor.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The vocabularies cannot be merged.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The models do not fit together; all that is wrong.
    #[error("{}", Listed(.0))]
    Problems(Vec<Problem>),
    /// A model that is not there.
    #[error("{model}: no such folder{hint}")]
    NoSuchModel {
        /// The model as the recipe names it.
        model: String,
        /// What can be done about it, after a separator.
        hint: String,
    },
    /// Weights that are infinite or not numbers.
    #[error(
        "{model}: tensor {tensor} has {nan} NaN and {infinite} infinite values of {values}, expected finite numbers \
         (allow them with --allow-non-finite)"
    )]
    NonFinite {
        /// The model as the recipe names it.
        model: String,
        /// The tensor.
        tensor: String,
        /// How many values are not numbers.
        nan: u64,
        /// How many are infinite.
        infinite: u64,
        /// The number of values.
        values: usize,
    },
    /// Finite weights whose sum with the adapter, or whose rounded values, are not finite.
    #[error(
        "{model}: tensor {tensor} has values that are too large once its adapter is added and they are rounded to the \
         recipe's dtype, expected finite numbers (allow them with --allow-non-finite)"
    )]
    NonFiniteSum {
        /// The model as the recipe names it.
        model: String,
        /// The tensor.
        tensor: String,
    },
    /// Integer tensors differ between models and cannot be merged.
    #[error(
        "tensor {tensor} of dtype {dtype} differs between {first} and {second}: expected equal values, which are copied"
    )]
    IntegersDiffer {
        /// The tensor.
        tensor: String,
        /// Its dtype.
        dtype: String,
        /// A model.
        first: String,
        /// Another one.
        second: String,
    },
    /// The memory limit is below what one thread needs.
    #[error("a limit of {limit} bytes of memory is too low: one thread needs {needed} for this merge")]
    Memory {
        /// The limit.
        limit: u64,
        /// What is needed.
        needed: u64,
    },
    /// The disk is too small.
    #[error("{}: the merged model takes {needed} bytes, and {available} are free", folder.display())]
    Space {
        /// The folder that the output goes to.
        folder: PathBuf,
        /// Bytes of the output.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// Somebody asked to stop.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// Problems, one to a line, as many as a screen holds.
struct Listed<'a>(&'a [Problem]);

/// How many problems are listed; of the rest only the number is printed.
const LISTED: usize = 20;

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(LISTED).enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}
