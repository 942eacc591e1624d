//! What people give in place of a model that can be read.

use std::path::PathBuf;

/// Why what was given is no model, or none that can be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableModel {
    /// A file where a model is wanted.
    #[error(
        "{}: is a file; a model is given by its folder ({}) or by a *.gguf file",
        path.display(),
        crate::atomic::folder_of(path).display()
    )]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// An adapter where a model is wanted.
    #[error(
        "{}: is a PEFT adapter (LoRA) and not a model: it belongs on a base, as in BASE+{} in a recipe",
        dir.display(),
        dir.display()
    )]
    AdapterAsModel {
        /// The adapter's folder.
        dir: PathBuf,
    },
    /// Weights that are packed in few bits.
    #[error(
        "{}: the weights are quantised ({method}) and cannot be read by value; take the model that they were made from, \
         or save it in 16 bits with transformers: model.dequantize().save_pretrained(NEW)",
        path.display()
    )]
    Quantised {
        /// The model.
        path: PathBuf,
        /// How, as config.json says.
        method: String,
    },
    /// Scales of 8-bit weights that do not fit these.
    #[error(
        "{}: tensor `{tensor}` of shape {shape:?} is quantised with the scales `{scale}` of shape {got:?}: expected one \
         for all, for each row, or for each block of `weight_block_size`",
        dir.display()
    )]
    Scales {
        /// The model directory.
        dir: PathBuf,
        /// The weights.
        tensor: String,
        /// Their shape.
        shape: Vec<usize>,
        /// The scales.
        scale: String,
        /// The scales' shape.
        got: Vec<usize>,
    },
    /// Shards without the index that says which holds which tensor.
    #[error(
        "{}: model.safetensors.index.json is missing, which says what is in {}; download it, or save the model again",
        dir.display(),
        files.join(", ")
    )]
    MissingIndex {
        /// The model directory.
        dir: PathBuf,
        /// The shards.
        files: Vec<String>,
    },
    /// Parts of a GGUF file.
    #[error(
        "{}: {} are the parts of a split GGUF file; join them with llama.cpp's `llama-gguf-split --merge {} WHOLE.gguf`",
        dir.display(),
        files.join(", "),
        files[0]
    )]
    SplitGguf {
        /// The model directory.
        dir: PathBuf,
        /// The parts; one at least.
        files: Vec<String>,
    },
    /// An index that names a file elsewhere.
    #[error(
        "{}: names the shard `{shard}`: expected a file next to the index; move the shards there and change their names \
         in model.safetensors.index.json",
        index.display()
    )]
    ShardElsewhere {
        /// The index.
        index: PathBuf,
        /// The shard.
        shard: String,
    },
    /// A directory whose weights are pickles, which are programs: reading them would run them.
    #[error(
        "{}: the weights are PyTorch pickles ({}), which are not read because reading runs what is in them; convert \
         them with transformers: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW, safe_serialization=True)",
        dir.display(),
        files.join(", ")
    )]
    PickledWeights {
        /// The model directory.
        dir: PathBuf,
        /// The pickles' file names.
        files: Vec<String>,
    },
}
