//! A model directory to be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use tempfile::TempDir;

use crate::atomic::{StagedFile, folder_of, sync_folder};
use crate::checkpoint::{CONFIG_FILE, WEIGHTS_FILE, WEIGHTS_SUFFIX, check_config, check_file_name};
use crate::shard::{LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY};
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::{CheckpointError, Dtype, StateDict, Tensor};

/// transformers' limit on the size of a shard, in bytes.
const DEFAULT_MAX_SHARD_SIZE: u64 = 5_000_000_000;

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

/// The tensors of one file.
type ShardTensors<'a> = Vec<(&'a str, &'a Tensor)>;

impl<'a> ModelDirectory<'a> {
    /// A directory with f32 weights in shards of at most 5 GB, no further files, that replaces nothing.
    pub fn new(config: serde_json::Value, weights: &'a StateDict) -> Self {
        Self {
            config,
            weights,
            dtype: Dtype::F32,
            files: BTreeMap::new(),
            max_shard_size: DEFAULT_MAX_SHARD_SIZE,
            replace: false,
        }
    }

    /// Writes the model to `dir`, whose parent must exist.
    ///
    /// Everything is written into a temporary directory beside `dir` and brought to the disk, and then that directory
    /// is renamed: `dir` is there in full or not at all. Where an old `dir` is replaced, a crash between two renames
    /// can leave the old content in the temporary directory (its name ends in `.partial`) and no `dir`.
    ///
    /// # Errors
    /// `dir` exists and is not to be replaced, or is something else than a model directory; a tensor's values do not
    /// fill its shape; a file's name is not plain or is that of config or weights; the operating system refuses. The
    /// temporary directory is then removed.
    pub fn write(&self, dir: &Path) -> Result<(), CheckpointError> {
        self.check(dir)?;
        if fs::symlink_metadata(dir).is_ok() {
            if !self.replace {
                return Err(CheckpointError::AlreadyExists { dir: dir.to_path_buf() });
            }
            if !dir.join(CONFIG_FILE).is_file() {
                return Err(CheckpointError::NotAModelDirectory { dir: dir.to_path_buf() });
            }
        }
        let folder = folder_of(dir);
        let staging = tempfile::Builder::new()
            .prefix(".")
            .suffix(".partial")
            .tempdir_in(folder)
            .map_err(CheckpointError::io(folder))?;
        let new = staging.path().join("new");
        fs::create_dir(&new).map_err(CheckpointError::io(dir))?;
        self.write_files(&new, dir)?;
        sync_folder(&new)?;
        self.install(staging, dir)?;
        sync_folder(folder)
    }

    /// Checks everything that can be wrong before anything is written.
    fn check(&self, dir: &Path) -> Result<(), CheckpointError> {
        check_config(&dir.join(CONFIG_FILE), &self.config)?;
        for name in self.files.keys() {
            check_file_name(name)?;
            if name == CONFIG_FILE || name == INDEX_FILE || name.ends_with(WEIGHTS_SUFFIX) {
                return Err(CheckpointError::ReservedFileName { name: name.clone() });
            }
        }
        for (name, tensor) in self.weights {
            if name == METADATA_KEY {
                return Err(CheckpointError::ReservedTensorName { tensor: name.clone() });
            }
            let length = tensor.shape.iter().try_fold(1_usize, |length, &dimension| length.checked_mul(dimension));
            if length != Some(tensor.data.len()) {
                let (tensor, shape, got) = (name.clone(), tensor.shape.clone(), tensor.data.len());
                return Err(CheckpointError::TensorLength { tensor, shape, got });
            }
        }
        Ok(())
    }

    /// Writes all files into `staging`; errors name them as files of `dir`.
    fn write_files(&self, staging: &Path, dir: &Path) -> Result<(), CheckpointError> {
        let shards = self.shards();
        let mut weight_map = BTreeMap::new();
        for (i, shard) in shards.iter().enumerate() {
            let name = match shards.len() {
                1 => WEIGHTS_FILE.to_owned(),
                count => format!("model-{:05}-of-{count:05}{WEIGHTS_SUFFIX}", i + 1),
            };
            self.write_shard(shard, StagedFile::create(staging, dir, &name)?, &dir.join(&name))?;
            weight_map.extend(shard.iter().map(|(tensor, _)| (tensor.to_string(), name.clone())));
        }
        if shards.len() > 1 {
            let total_size: u64 = self.weights.values().map(|tensor| self.size(tensor)).sum();
            let index = WeightIndex { metadata: serde_json::json!({ "total_size": total_size }), weight_map };
            write_file(staging, dir, INDEX_FILE, &pretty(&index, &dir.join(INDEX_FILE))?)?;
        }
        write_file(staging, dir, CONFIG_FILE, &pretty(&self.config_with_dtype(), &dir.join(CONFIG_FILE))?)?;
        for (name, bytes) in &self.files {
            write_file(staging, dir, name, bytes)?;
        }
        Ok(())
    }

    /// Splits the weights in the order of their names: a shard is full when the next tensor would exceed the limit.
    /// At least one shard; only a single tensor can be larger than the limit.
    fn shards(&self) -> Vec<ShardTensors<'a>> {
        let mut shards = Vec::new();
        let mut shard = Vec::new();
        let mut shard_size = 0;
        for (name, tensor) in self.weights {
            let size = self.size(tensor);
            if shard_size + size > self.max_shard_size && !shard.is_empty() {
                shards.push(std::mem::take(&mut shard));
                shard_size = 0;
            }
            shard_size += size;
            shard.push((name.as_str(), tensor));
        }
        shards.push(shard);
        shards
    }

    /// Bytes of a tensor on disk.
    fn size(&self, tensor: &Tensor) -> u64 {
        (tensor.data.len() * self.dtype.size()) as u64
    }

    /// Writes a safetensors file; `path` is what errors name.
    fn write_shard(
        &self,
        tensors: &ShardTensors<'a>,
        mut file: StagedFile,
        path: &Path,
    ) -> Result<(), CheckpointError> {
        let mut end = 0;
        let entries = tensors.iter().map(|(name, tensor)| {
            let begin = end;
            end += tensor.data.len() * self.dtype.size();
            let (dtype, shape) = (self.dtype.to_safetensors(), tensor.shape.clone());
            (name.to_string(), TensorInfo { dtype, shape, data_offsets: (begin, end) })
        });
        // transformers refuses to read a file without this entry.
        #[expect(clippy::disallowed_types, reason = "what safetensors takes; one entry has no order")]
        let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let metadata = Metadata::new(Some(format), entries.collect())
            .map_err(|source| CheckpointError::Header { path: path.to_path_buf(), source })?;
        let mut header = serde_json::to_vec(&metadata).map_err(CheckpointError::json(path))?;
        header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
        let length = header.len() as u64;
        if length > MAX_HEADER_BYTES {
            let (path, limit) = (path.to_path_buf(), MAX_HEADER_BYTES);
            return Err(CheckpointError::HeaderTooLarge { path, limit, got: length });
        }

        file.write(&length.to_le_bytes())?;
        file.write(&header)?;
        let mut bytes = Vec::with_capacity(CHUNK * self.dtype.size());
        for (_, tensor) in tensors {
            for values in tensor.data.chunks(CHUNK) {
                bytes.clear();
                self.dtype.encode(values, &mut bytes);
                file.write(&bytes)?;
            }
        }
        file.finish()
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

    /// Renames the staged directory to `dir`.
    fn install(&self, staging: TempDir, dir: &Path) -> Result<(), CheckpointError> {
        let (new, old) = (staging.path().join("new"), staging.path().join("old"));
        let is_replaced = self.replace && fs::symlink_metadata(dir).is_ok();
        if is_replaced {
            fs::rename(dir, &old).map_err(CheckpointError::io(dir))?;
        }
        let Err(source) = fs::rename(&new, dir) else { return Ok(()) };
        if is_replaced && fs::rename(&old, dir).is_err() {
            // Dropping the staging directory would delete the only copy of the old model.
            let kept = staging.keep().join("old");
            return Err(CheckpointError::Stranded { dir: dir.to_path_buf(), kept, source });
        }
        Err(match source.kind() {
            // Somebody else was faster.
            std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty => {
                CheckpointError::AlreadyExists { dir: dir.to_path_buf() }
            }
            _ => CheckpointError::io(dir)(source),
        })
    }
}

/// JSON as transformers lays it out.
fn pretty(value: &impl serde::Serialize, path: &Path) -> Result<Vec<u8>, CheckpointError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(CheckpointError::json(path))?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a file of `dir` into `staging`.
fn write_file(staging: &Path, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut file = StagedFile::create(staging, dir, name)?;
    file.write(bytes)?;
    file.finish()
}
