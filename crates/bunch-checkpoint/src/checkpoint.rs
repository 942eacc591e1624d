//! A model directory, opened for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::shard::Shard;
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::{CheckpointError, Dtype, StateDict, Tensor, sha256_bytes, sha256_file};

/// The model's configuration.
pub(crate) const CONFIG_FILE: &str = "config.json";

/// The weights of a model that is not sharded.
pub(crate) const WEIGHTS_FILE: &str = "model.safetensors";

/// How the file names of weights end.
pub(crate) const WEIGHTS_SUFFIX: &str = ".safetensors";

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
/// The files are mapped into memory and must not be changed in place while the checkpoint is open; replacing them by
/// renaming, as [`ModelDirectory`](crate::ModelDirectory) does, is fine.
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    config: serde_json::Value,
    is_indexed: bool,
    shards: Vec<Shard>,
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

/// Where a tensor's bytes are.
#[derive(Debug)]
struct StoredTensor {
    /// Position in `Checkpoint::shards`.
    shard: usize,
    /// In bytes after the shard's header.
    range: Range<usize>,
    dtype: safetensors::Dtype,
    /// None if the dtype is not one of `Dtype`.
    info: Option<TensorInfo>,
}

/// The files that hold a model's weights.
struct WeightFiles {
    /// File names, sorted.
    names: Vec<String>,
    index: Option<WeightIndex>,
}

impl Checkpoint {
    /// Opens `dir` and checks it: config.json, and as weights model.safetensors, or model.safetensors.index.json with
    /// its shards, or else the only *.safetensors file there is. Reads headers, no tensor.
    ///
    /// # Errors
    /// A missing or broken file, weights that could be meant in two ways, shards and index that contradict each other.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let config = read_config(&dir.join(CONFIG_FILE))?;
        let WeightFiles { names, index } = WeightFiles::find(dir)?;
        let mut shards: Vec<Shard> = Vec::with_capacity(names.len());
        let mut tensors: BTreeMap<String, StoredTensor> = BTreeMap::new();
        for name in &names {
            let path = dir.join(name);
            let (shard, headers) = Shard::open(&path)?;
            for (tensor, header) in headers {
                if let Some(other) = tensors.get(&tensor) {
                    let first = shards[other.shard].path().to_path_buf();
                    return Err(CheckpointError::DuplicateTensor { tensor, first, second: path });
                }
                if index.as_ref().is_some_and(|index| !index.weight_map.contains_key(&tensor)) {
                    let (index, shard) = (dir.join(INDEX_FILE), name.clone());
                    return Err(CheckpointError::TensorNotInIndex { index, tensor, shard });
                }
                let info = Dtype::from_safetensors(header.dtype).map(|dtype| TensorInfo {
                    shape: header.shape,
                    dtype,
                    shard: path.clone(),
                });
                let (begin, end) = header.data_offsets;
                tensors
                    .insert(tensor, StoredTensor { shard: shards.len(), range: begin..end, dtype: header.dtype, info });
            }
            shards.push(shard);
        }
        for (tensor, shard) in index.iter().flat_map(|index| &index.weight_map) {
            if tensors.get(tensor).is_none_or(|stored| names[stored.shard] != *shard) {
                let (index, tensor, shard) = (dir.join(INDEX_FILE), tensor.clone(), shard.clone());
                return Err(CheckpointError::TensorNotInShard { index, tensor, shard });
            }
        }
        Ok(Self { dir: dir.to_path_buf(), config, is_indexed: index.is_some(), shards, tensors })
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

    /// The bytes of a tensor as they are on disk, little-endian and row-major; not necessarily aligned.
    ///
    /// # Errors
    /// There is no such tensor, or its dtype is none of [`Dtype`].
    pub fn bytes(&self, name: &str) -> Result<&[u8], CheckpointError> {
        self.find(name).map(|(bytes, _)| bytes)
    }

    /// Reads a tensor; its values are exactly those on disk.
    ///
    /// # Errors
    /// There is no such tensor, or its dtype is none of [`Dtype`].
    pub fn tensor(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let (bytes, info) = self.find(name)?;
        Ok(Tensor { shape: info.shape.clone(), data: Arc::new(info.dtype.decode(bytes)) })
    }

    /// Reads all tensors.
    ///
    /// # Errors
    /// The dtype of one of them is none of [`Dtype`].
    pub fn state_dict(&self) -> Result<StateDict, CheckpointError> {
        self.names().map(|name| Ok((name.to_owned(), self.tensor(name)?))).collect()
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
        names.extend(self.shards.iter().filter_map(|shard| shard.path().file_name()?.to_str()));
        let mut lines = String::new();
        for name in names {
            lines += &format!("{}  {name}\n", sha256_file(&self.dir.join(name))?);
        }
        Ok(sha256_bytes(lines.as_bytes()))
    }

    /// Bytes and description of a tensor.
    fn find(&self, name: &str) -> Result<(&[u8], &TensorInfo), CheckpointError> {
        let Some(stored) = self.tensors.get(name) else {
            return Err(CheckpointError::TensorNotFound { dir: self.dir.clone(), tensor: name.to_owned() });
        };
        let shard = &self.shards[stored.shard];
        match &stored.info {
            Some(info) => Ok((shard.bytes(&stored.range), info)),
            None => Err(CheckpointError::UnsupportedDtype {
                shard: shard.path().to_path_buf(),
                tensor: name.to_owned(),
                dtype: stored.dtype.to_string(),
            }),
        }
    }
}

impl WeightFiles {
    /// Finds the weights of the model in `dir`.
    fn find(dir: &Path) -> Result<Self, CheckpointError> {
        let index_path = dir.join(INDEX_FILE);
        let has_weights_file = dir.join(WEIGHTS_FILE).is_file();
        if index_path.is_file() {
            if has_weights_file {
                let files = vec![WEIGHTS_FILE.to_owned(), INDEX_FILE.to_owned()];
                return Err(CheckpointError::AmbiguousWeights { dir: dir.to_path_buf(), files });
            }
            return Self::of_index(dir, &index_path);
        }
        if has_weights_file {
            return Ok(Self { names: vec![WEIGHTS_FILE.to_owned()], index: None });
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(CheckpointError::io(dir))? {
            let entry = entry.map_err(CheckpointError::io(dir))?;
            let name = entry.file_name();
            if let Some(name) = name.to_str().filter(|name| name.ends_with(WEIGHTS_SUFFIX) && entry.path().is_file()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        match names.len() {
            0 => Err(CheckpointError::NoWeights { dir: dir.to_path_buf() }),
            1 => Ok(Self { names, index: None }),
            _ => Err(CheckpointError::AmbiguousWeights { dir: dir.to_path_buf(), files: names }),
        }
    }

    /// The shards that an index names.
    fn of_index(dir: &Path, index_path: &Path) -> Result<Self, CheckpointError> {
        let text = fs::read(index_path).map_err(CheckpointError::io(index_path))?;
        let index: WeightIndex = serde_json::from_slice(&text).map_err(CheckpointError::json(index_path))?;
        let names: BTreeSet<String> = index.weight_map.values().cloned().collect();
        for name in &names {
            check_file_name(name)?;
            if !dir.join(name).is_file() {
                return Err(CheckpointError::MissingShard { index: index_path.to_path_buf(), shard: name.clone() });
            }
        }
        Ok(Self { names: names.into_iter().collect(), index: Some(index) })
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

/// Checks that `name` names a file in the directory at hand and nowhere else.
pub(crate) fn check_file_name(name: &str) -> Result<(), CheckpointError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
        return Err(CheckpointError::FileName { name: name.to_owned() });
    }
    Ok(())
}
