//! A model directory, opened for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::reader::StoredTensor;
use crate::shard::ShardHeader;
use crate::source::{Source, WeightFile};
use crate::weight_files::WeightFiles;
use crate::weight_index::INDEX_FILE;
use crate::{
    CheckpointError, Dtype, RawReader, StateDict, StoredDtype, Tensor, TensorReader, sha256_bytes, sha256_file,
};

/// The model's configuration.
pub(crate) const CONFIG_FILE: &str = "config.json";

/// Files beside config and weights that decide what a model does with a text.
const COMPANION_FILES: [&str; 11] = [
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
];

/// A model directory, opened for reading: config.json and the weights, from which tensors are read when asked for.
///
/// Replacing a file by renaming, as [`ModelDirectory`](crate::ModelDirectory) does, leaves what is open as it was; a
/// file that is changed in place gives other values or an error, see [`Checkpoint::check_unchanged`].
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    config: serde_json::Value,
    is_indexed: bool,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, StoredTensor>,
}

/// What a checkpoint knows about a tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// How it is stored.
    pub dtype: Dtype,
    /// The file that holds it.
    pub shard: PathBuf,
}

impl Checkpoint {
    /// Opens `dir` and checks it: config.json, and as weights model.safetensors, or model.safetensors.index.json with
    /// its shards, or else the only *.safetensors file there is. Reads headers, no tensor.
    ///
    /// # Errors
    /// A missing or broken file, weights that could be meant in two ways, shards and index that contradict each other.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let config = read_config(&dir.join(CONFIG_FILE))?;
        let weights = WeightFiles::find(dir)?;
        for name in &weights.names {
            weights.check_is_there(dir, name)?;
        }
        let WeightFiles { names, index } = weights;
        let mut files: Vec<WeightFile> = Vec::with_capacity(names.len());
        let mut tensors: BTreeMap<String, StoredTensor> = BTreeMap::new();
        for name in &names {
            let path = dir.join(name);
            let file = WeightFile::open(&path)?;
            let header = ShardHeader::read(&file)?;
            for (tensor, info) in header.tensors {
                if let Some(other) = tensors.get(&tensor) {
                    let first = files[other.file].path().to_path_buf();
                    return Err(CheckpointError::DuplicateTensor { tensor, first, second: path });
                }
                if index.as_ref().is_some_and(|index| !index.weight_map.contains_key(&tensor)) {
                    let (index, shard) = (dir.join(INDEX_FILE), name.clone());
                    return Err(CheckpointError::TensorNotInIndex { index, tensor, shard });
                }
                let (begin, end) = info.data_offsets;
                let dtype = StoredDtype::from_safetensors(info.dtype);
                let stored = StoredTensor {
                    file: files.len(),
                    start: header.data_start + begin as u64,
                    byte_length: end - begin,
                    dtype,
                    dtype_name: dtype.to_string(),
                    info: match dtype {
                        StoredDtype::Float(dtype) => {
                            Some(TensorInfo { shape: info.shape.clone(), dtype, shard: path.clone() })
                        }
                        StoredDtype::Other(_) => None,
                    },
                    shape: info.shape,
                };
                tensors.insert(tensor, stored);
            }
            files.push(file);
        }
        for (tensor, shard) in index.iter().flat_map(|index| &index.weight_map) {
            if tensors.get(tensor).is_none_or(|stored| names[stored.file] != *shard) {
                let (index, tensor, shard) = (dir.join(INDEX_FILE), tensor.clone(), shard.clone());
                return Err(CheckpointError::TensorNotInShard { index, tensor, shard });
            }
        }
        Ok(Self { dir: dir.to_path_buf(), config, is_indexed: index.is_some(), files, tensors })
    }

    /// The directory, as it was given to [`Checkpoint::open`].
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// config.json: a JSON object.
    pub fn config(&self) -> &serde_json::Value {
        &self.config
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape, dtype and file of a tensor; None if there is no such tensor or if its dtype is none of [`Dtype`], so that
    /// it cannot be read.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)?.info.as_ref()
    }

    /// A tensor's dtype in the file's own spelling (`BF16`, `I64`); None if there is no such tensor.
    pub fn stored_dtype(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|tensor| tensor.dtype_name.as_str())
    }

    /// The files of weights, sorted by name.
    pub fn weight_files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path())
    }

    /// The reader of a tensor's values.
    ///
    /// # Errors
    /// There is no such tensor, or its dtype is none of [`Dtype`].
    pub fn reader(&self, name: &str) -> Result<TensorReader<'_>, CheckpointError> {
        let raw = self.raw_reader(name)?;
        TensorReader::new(raw).ok_or_else(|| CheckpointError::UnsupportedDtype {
            shard: raw.path().to_path_buf(),
            tensor: name.to_owned(),
            dtype: raw.stored_dtype().to_owned(),
        })
    }

    /// The reader of a tensor's bytes, whatever its dtype.
    ///
    /// # Errors
    /// There is no such tensor.
    pub fn raw_reader(&self, name: &str) -> Result<RawReader<'_>, CheckpointError> {
        match self.tensors.get_key_value(name) {
            Some((name, tensor)) => Ok(RawReader::new(&self.files[tensor.file], name, tensor)),
            None => Err(CheckpointError::TensorNotFound { dir: self.dir.clone(), tensor: name.to_owned() }),
        }
    }

    /// Reads a tensor; its values are exactly those on disk.
    ///
    /// # Errors
    /// There is no such tensor, its dtype is none of [`Dtype`], or the file cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let reader = self.reader(name)?;
        let mut data = vec![0.0; reader.len()];
        reader.read(0, &mut data)?;
        Ok(Tensor { shape: reader.shape().to_vec(), data: Arc::new(data) })
    }

    /// Reads all tensors.
    ///
    /// # Errors
    /// The dtype of one of them is none of [`Dtype`], or a file cannot be read.
    pub fn state_dict(&self) -> Result<StateDict, CheckpointError> {
        self.names().map(|name| Ok((name.to_owned(), self.tensor(name)?))).collect()
    }

    /// Checks that every file of weights is still the one that was opened, by its size, time of change and inode: to be
    /// called when everything has been read.
    ///
    /// # Errors
    /// A file has changed, or is not there anymore.
    pub fn check_unchanged(&self) -> Result<(), CheckpointError> {
        self.files.iter().try_for_each(WeightFile::check_unchanged)
    }

    /// The SHA-256, in hexadecimal, of all that makes up the model: config.json, the weights with their index, the
    /// tokenizer's files, the chat template and generation_config.json. Other files of the directory do not count.
    ///
    /// It is the digest of what `sha256sum` prints for these files in the order of their names. Reads every byte.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn sha256(&self) -> Result<String, CheckpointError> {
        let mut names: BTreeSet<&str> = COMPANION_FILES.into_iter().collect();
        names.retain(|name| self.dir.join(name).is_file());
        names.insert(CONFIG_FILE);
        names.extend(self.is_indexed.then_some(INDEX_FILE));
        names.extend(self.weight_files().filter_map(|path| path.file_name()?.to_str()));
        let mut lines = String::new();
        for name in names {
            lines += &format!("{}  {name}\n", sha256_file(&self.dir.join(name))?);
        }
        Ok(sha256_bytes(lines.as_bytes()))
    }
}

/// Reads a JSON object.
fn read_config(path: &Path) -> Result<serde_json::Value, CheckpointError> {
    let text = fs::read(path).map_err(CheckpointError::io(path))?;
    let config: serde_json::Value = serde_json::from_slice(&text).map_err(CheckpointError::json(path))?;
    check_config(path, &config)?;
    Ok(config)
}

/// Checks that a configuration is a JSON object.
pub(crate) fn check_config(path: &Path, config: &serde_json::Value) -> Result<(), CheckpointError> {
    if config.is_object() {
        return Ok(());
    }
    Err(CheckpointError::Config { path: path.to_path_buf(), got: config.to_string() })
}
