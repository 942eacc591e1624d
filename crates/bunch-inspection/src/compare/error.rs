//! Why checkpoints cannot be compared.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;

/// Why checkpoints cannot be compared, or a comparison not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Not one tensor is in both checkpoints with the same shape, a dtype of weights and finite values.
    #[error(
        "no tensor of {} ({tensors_a} tensors) can be compared with one of {} ({tensors_b} tensors){}",
        a.display(),
        b.display(),
        first.as_ref().map(|first| format!(": {first}")).unwrap_or_default()
    )]
    NothingInCommon {
        /// The first checkpoint.
        a: PathBuf,
        /// Its number of tensors.
        tensors_a: usize,
        /// The second checkpoint.
        b: PathBuf,
        /// Its number of tensors.
        tensors_b: usize,
        /// What is wrong with the first of them.
        first: Option<String>,
    },
    /// A heat map of a model whose names have no layers.
    #[error("no tensor that was compared is in a numbered layer")]
    NoLayers,
    /// A quantity that takes a base, without one.
    #[error("`{quantity}` is about task vectors: there must be a base")]
    NoBase {
        /// The quantity's name.
        quantity: &'static str,
    },
    /// An unknown quantity.
    #[error("unknown quantity `{got}`, expected one of: {expected}")]
    UnknownQuantity {
        /// The name given.
        got: String,
        /// The names there are.
        expected: String,
    },
    /// The CSV cannot be written.
    #[error("CSV: {0}")]
    Csv(#[from] csv::Error),
}
