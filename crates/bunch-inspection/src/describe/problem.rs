//! What can be wrong with a model directory.

use bunch_checkpoint::{CheckpointError, ConfigMismatch};
use bunch_vocabulary::VocabularyError;
use serde::{Serialize, Serializer};

/// Something that is wrong with a model directory. Serialised as its message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file that is missing or broken, or contradicts another.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Tokenizer files that cannot be understood.
    #[error("tokenizer: {0}")]
    Tokenizer(#[from] VocabularyError),
    /// A file that cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// The file's name.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A setting that readers need and config.json does not have.
    #[error("config.json: `{key}` is missing")]
    MissingKey {
        /// The setting.
        key: &'static str,
    },
    /// Something that config.json says of the weights and that is otherwise.
    #[error(transparent)]
    Config(#[from] ConfigMismatch),
    /// Layers whose numbers have a gap.
    #[error("layer {index} is missing among the {count} layers `{list}.*`")]
    MissingLayer {
        /// The name before the index.
        list: String,
        /// The first index that is missing.
        index: usize,
        /// How many layers there are.
        count: usize,
    },
    /// A layer that lacks a tensor that others of this architecture have.
    #[error("tensor `{tensor}` is missing, which {others} other layers have")]
    MissingInLayer {
        /// The tensor.
        tensor: String,
        /// How many layers have it.
        others: usize,
    },
    /// A tensor whose shape is not that of the same tensor in the first layer.
    #[error("tensor `{tensor}` has shape {got:?}, expected {expected:?} as in `{first}`")]
    UnequalLayers {
        /// The tensor.
        tensor: String,
        /// The same in the first layer that has it.
        first: String,
        /// The shape there.
        expected: Vec<usize>,
        /// The shape here.
        got: Vec<usize>,
    },
    /// An output projection of its own in a model that shares it with the embeddings: readers ignore it.
    #[error(
        "config.json says `tie_word_embeddings` true, so that readers take `{embedding}` as output projection, but \
         `{output}` has other values"
    )]
    IgnoredOutput {
        /// The output projection.
        output: String,
        /// The embedding.
        embedding: String,
    },
    /// A tokenizer with ids that the embedding has no row for.
    #[error("tensor `{tensor}` has {rows} rows, but the tokenizer's highest id is {highest} (token {token:?})")]
    TokenWithoutRow {
        /// The embedding.
        tensor: String,
        /// Its rows.
        rows: u64,
        /// The highest id.
        highest: u32,
        /// The token of this id.
        token: String,
    },
    /// Weights in another dtype than config.json says; readers that follow it convert them.
    #[error("config.json says `{key}` {expected}, but most of the weights are stored as {got}")]
    ConfigDtype {
        /// `torch_dtype` or `dtype`.
        key: &'static str,
        /// The setting.
        expected: String,
        /// The dtype of most bytes, in the file's spelling.
        got: String,
    },
    /// Values that are no numbers or infinite.
    #[error("tensor `{tensor}`: {nan} of its values are NaN and {infinite} infinite")]
    NonFinite {
        /// The tensor.
        tensor: String,
        /// Values that are NaN.
        nan: u64,
        /// Values that are infinite.
        infinite: u64,
    },
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
