//! What a model directory holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::problem::Problem;

/// What a model directory, or a GGUF file, holds, and what is wrong with it. Printed as aligned text.
#[derive(Debug, Default, Serialize)]
pub struct Description {
    /// The directory or file, as it was given.
    pub path: PathBuf,
    /// What config.json says.
    pub config: Configured,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of values.
    pub parameters: Parameters,
    /// How the weights are quantised, of safetensors files; None if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// The weights by dtype, in the file's spelling.
    pub dtypes: BTreeMap<String, DtypeUse>,
    /// The files of weights, sorted by name.
    pub shards: Vec<ShardSummary>,
    /// Whether the output projection is the embedding; None if there is no embedding, or config.json leaves it open and
    /// there is an output projection.
    pub tied: Option<bool>,
    /// Sizes of the vocabulary by those who have a say in it.
    pub vocabulary: VocabularyRows,
    /// Whether there is a chat template, in tokenizer_config.json or as a file.
    pub has_chat_template: bool,
    /// generation_config.json.
    pub generation_config: Option<serde_json::Value>,
    /// All files of the directory, sorted by name; empty for a GGUF file.
    pub files: Vec<ListedFile>,
    /// What loading takes; None if the weights cannot be opened.
    pub memory: Option<LoadingMemory>,
    /// Whether all values were looked at.
    pub values_checked: bool,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// What config.json says, or what a GGUF file's metadata amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Configured {
    /// `architectures`.
    pub architectures: Vec<String>,
    /// `model_type`.
    pub model_type: Option<String>,
    /// `dtype`, or by its older name `torch_dtype`.
    pub dtype: Option<String>,
    /// `num_hidden_layers`.
    pub num_hidden_layers: Option<u64>,
    /// `hidden_size`.
    pub hidden_size: Option<u64>,
    /// `vocab_size`.
    pub vocab_size: Option<u64>,
    /// `tie_word_embeddings`.
    pub tie_word_embeddings: Option<bool>,
}

/// How many values there are, and where. If the weights cannot be opened, only the total is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// Of all tensors; one in two files counts once, and so does one that is used twice.
    pub total: u64,
    /// Of the embedding.
    pub embedding: u64,
    /// Of the output projection, if it has values of its own.
    pub output: u64,
    /// Of each layer, in order.
    pub layers: Vec<LayerParameters>,
    /// Of everything else.
    pub other: u64,
}

/// How many values a layer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerParameters {
    /// The layer, as in tensor names: `model.layers.7`.
    pub layer: String,
    /// Number of values.
    pub parameters: u64,
}

/// The weights of one dtype.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DtypeUse {
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes that they take as stored; None if the weights cannot be opened.
    pub bytes: Option<u64>,
}

/// A file of weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardSummary {
    /// The file's name.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Number of tensors.
    pub tensors: usize,
}

/// Sizes of the vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VocabularyRows {
    /// Rows of the embedding.
    pub embedding: Option<u64>,
    /// Rows of the output projection, if it is stored.
    pub output: Option<u64>,
    /// `vocab_size` of config.json.
    pub config: Option<u64>,
    /// Tokens of tokenizer.json, added ones included.
    pub tokenizer: Option<u64>,
    /// The highest id among them.
    pub highest_id: Option<u32>,
}

/// A file of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFile {
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal, if it was asked for and the file could be read.
    pub sha256: Option<String>,
}

/// Estimated bytes of memory that the weights take when they are loaded, without caches and activations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadingMemory {
    /// As they are stored.
    pub as_stored: u64,
    /// With 16 bits per value.
    pub in_16_bits: u64,
    /// With 32 bits per value.
    pub in_32_bits: u64,
}
