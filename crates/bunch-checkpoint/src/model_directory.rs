//! A model directory to be written.

use std::collections::BTreeMap;
use std::path::Path;

use crate::shard_layout::TensorLayout;
use crate::staging::Contention;
use crate::writer::{CheckpointWriter, WriterOptions};
use crate::{CheckpointError, Dtype, StateDict};

/// Values converted at a time, which bounds the memory that writing needs.
const CHUNK: usize = 1 << 18;

/// A model directory to be written. Equal models give equal bytes.
#[derive(Debug, Clone)]
pub struct ModelDirectory<'a> {
    /// config.json: a JSON object. It is written with `torch_dtype` (and `dtype`, where it has that key) set to
    /// `dtype`.
    pub config: serde_json::Value,
    /// The weights.
    pub weights: &'a StateDict,
    /// How the weights are stored: rounded to the nearest value, see [`Dtype::encode`].
    pub dtype: Dtype,
    /// Further files by name, copied as they are: tokenizer.json, tokenizer_config.json and so on.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Weights of more bytes than this are split into shards of at most this size; a tensor is never split.
    pub max_shard_size: u64,
    /// Whether a model directory that is already there is replaced; else it is an error.
    pub replace: bool,
}

impl<'a> ModelDirectory<'a> {
    /// A directory with f32 weights in shards of at most 5 GB, no further files, that replaces nothing.
    pub fn new(config: serde_json::Value, weights: &'a StateDict) -> Self {
        Self {
            config,
            weights,
            dtype: Dtype::F32,
            files: BTreeMap::new(),
            max_shard_size: WriterOptions::default().max_shard_size,
            replace: false,
        }
    }

    /// Writes the model to `dir`, whose parent must exist, with a [`CheckpointWriter`]: `dir` is there in full or not
    /// at all. While another process writes the same directory, this one waits.
    ///
    /// # Errors
    /// `dir` exists and is not to be replaced, or is something else than a model directory; a tensor's values do not
    /// fill its shape; a file's name is not plain or is that of config or weights; the operating system refuses.
    /// Nothing is left then.
    pub fn write(&self, dir: &Path) -> Result<(), CheckpointError> {
        CheckpointWriter::check_files(dir, &self.config, &self.files)?;
        let mut tensors = Vec::with_capacity(self.weights.len());
        for (name, tensor) in self.weights {
            let length = tensor.shape.iter().try_fold(1_usize, |length, &dimension| length.checked_mul(dimension));
            if length != Some(tensor.data.len()) {
                let (tensor, shape, got) = (name.clone(), tensor.shape.clone(), tensor.data.len());
                return Err(CheckpointError::TensorLength { tensor, shape, got });
            }
            let (name, shape) = (name.clone(), tensor.shape.clone());
            tensors.push(TensorLayout { name, shape, dtype: self.dtype.into() });
        }
        let options = WriterOptions { max_shard_size: self.max_shard_size, replace: self.replace };
        let writer = CheckpointWriter::create_or(dir, tensors, options, Contention::Wait)?;
        let mut bytes = Vec::with_capacity(CHUNK * self.dtype.size());
        for (i, tensor) in self.weights.values().enumerate() {
            let mut start = 0;
            for values in tensor.data.chunks(CHUNK) {
                bytes.clear();
                // Not `write_values`: here values that are too large become infinite.
                self.dtype.encode(values, &mut bytes);
                writer.write_bytes(i, start, &bytes)?;
                start += bytes.len();
            }
        }
        writer.finish(&self.config_with_dtype(), &self.files)
    }

    /// The configuration with the dtype that the weights have: a config.json that says otherwise would make readers
    /// convert them.
    fn config_with_dtype(&self) -> serde_json::Value {
        let mut config = self.config.clone();
        // transformers 5 writes `dtype`, and still reads the older name.
        let keys = ["torch_dtype", "dtype"].map(|key| config.get(key).map(|_| key));
        for key in keys.into_iter().flatten() {
            config[key] = self.dtype.name().into();
        }
        if keys == [None, None] {
            config["torch_dtype"] = self.dtype.name().into();
        }
        config
    }
}
