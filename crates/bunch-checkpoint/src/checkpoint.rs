//! A model directory, opened for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic::folder_of;
use crate::companion_files::companion_files;
use crate::gguf::{GgufModel, read_metadata};
use crate::quantisation::{self, Quantisation};
use crate::safetensors_model::SafetensorsModel;
use crate::source::{Source, WeightFile};
use crate::stored_tensor::{StoredTensor, TensorInfo};
use crate::weight_files::WeightFiles;
use crate::weight_index::INDEX_FILE;
use crate::{
    CheckpointError, DigestCache, RawReader, StateDict, Tensor, TensorReader, UnreadableModel, sha256_bytes,
    sha256_file,
};

/// The model's configuration.
pub(crate) const CONFIG_FILE: &str = "config.json";

/// A model directory, opened for reading: config.json and the weights, from which tensors are read when asked for.
///
/// Replacing a file by renaming, as [`ModelDirectory`](crate::ModelDirectory) does, leaves what is open as it was; a
/// file that is changed in place gives other values or an error, see [`Checkpoint::check_unchanged`].
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    config: serde_json::Value,
    /// Names of the files that belong to the model besides weights and companions.
    described_in: Vec<&'static str>,
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, StoredTensor>,
    quantisation: Option<Quantisation>,
}

impl Checkpoint {
    /// Opens the model at `path` and checks it; reads headers, no tensor.
    ///
    /// In a directory that is config.json and as weights model.safetensors, or model.safetensors.index.json with its
    /// shards, or else the only *.safetensors file there is, or without any the only *.gguf file. `path` can also be a
    /// *.gguf file itself. GGUF files of llama and qwen2 architecture are read as if transformers had saved them:
    /// tensors have Hugging Face's names and shapes, quantised values are computed when they are read, and the
    /// configuration comes from the file's metadata. A config.json next to the file has precedence, and where it says
    /// less it is completed. Weights in 8-bit floating point with stored scales are read by value, and config.json then
    /// says nothing of quantisation.
    ///
    /// # Errors
    /// A missing or broken file, weights that could be meant in two ways, shards and index that contradict each other,
    /// weights that are quantised in any other way.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let checkpoint = Self::open_stored(path)?;
        match &checkpoint.quantisation {
            Some(Quantisation { method, is_packed: true }) => {
                Err(UnreadableModel::Quantised { path: path.to_path_buf(), method: method.clone() }.into())
            }
            _ => Ok(checkpoint),
        }
    }

    /// As [`Checkpoint::open`], but opens packed weights too, for those who look at names, shapes and bytes only.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], but for weights that are quantised.
    pub fn open_stored(path: &Path) -> Result<Self, CheckpointError> {
        if path.extension().is_some_and(|extension| extension == "gguf") && path.is_file() {
            return Self::open_gguf(folder_of(path), path);
        }
        if path.is_file() {
            return Err(UnreadableModel::NotAFolder { path: path.to_path_buf() }.into());
        }
        let (names, index) = match WeightFiles::find(path)? {
            WeightFiles::Safetensors { names, index } => (names, index),
            WeightFiles::Gguf { name } => return Self::open_gguf(path, &path.join(name)),
        };
        let mut config = read_config(&path.join(CONFIG_FILE))?;
        let SafetensorsModel { files, mut tensors } = SafetensorsModel::open(path, &names, index.as_ref())?;
        let quantisation = quantisation::resolve(path, &mut config, &mut tensors)?;
        let described_in = if index.is_some() { vec![CONFIG_FILE, INDEX_FILE] } else { vec![CONFIG_FILE] };
        Ok(Self { dir: path.to_path_buf(), config, described_in, files, tensors, quantisation })
    }

    /// Opens one safetensors file that has no configuration, as adapters are stored; [`Checkpoint::config`] is empty.
    ///
    /// # Errors
    /// A missing or broken file.
    pub fn open_weights(path: &Path) -> Result<Self, CheckpointError> {
        let dir = folder_of(path).to_path_buf();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| CheckpointError::FileName { name: path.display().to_string() })?;
        let SafetensorsModel { files, tensors } = SafetensorsModel::open(&dir, &[name.to_owned()], None)?;
        let config = serde_json::json!({});
        Ok(Self { dir, config, described_in: Vec::new(), files, tensors, quantisation: None })
    }

    /// Opens the GGUF file at `path`, which lies in `dir`.
    fn open_gguf(dir: &Path, path: &Path) -> Result<Self, CheckpointError> {
        let config_path = dir.join(CONFIG_FILE);
        let own_config = config_path.is_file().then(|| read_config(&config_path)).transpose()?;
        let file = WeightFile::open(path)?;
        let GgufModel { config, tensors } = GgufModel::read(&file, own_config.as_ref())?;
        let described_in = own_config.iter().map(|_| CONFIG_FILE).collect();
        let (dir, files) = (dir.to_path_buf(), vec![file]);
        Ok(Self { dir, config, described_in, files, tensors, quantisation: None })
    }

    /// The directory, as it was given to [`Checkpoint::open`], or the one in which a GGUF file lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// config.json, or of a GGUF file what it would be: a JSON object.
    pub fn config(&self) -> &serde_json::Value {
        &self.config
    }

    /// How the weights are quantised, of safetensors files; None if they are not.
    pub fn quantisation(&self) -> Option<&Quantisation> {
        self.quantisation.as_ref()
    }

    /// All that a GGUF file says about the model and its tokenizer: its key-value pairs in the file's order, arrays with
    /// their elements, and null for a number that is not finite. None where the weights are in safetensors files.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn gguf_metadata(&self) -> Result<Option<serde_json::Map<String, serde_json::Value>>, CheckpointError> {
        match self.files.as_slice() {
            [file] if file.path().extension().is_some_and(|extension| extension == "gguf") => {
                read_metadata(file).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape, dtype and file of a tensor; None if there is no such tensor or if its dtype is none of [`Dtype`](crate::Dtype), so that
    /// it cannot be read.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)?.info.as_ref()
    }

    /// A tensor's dtype in the file's own spelling (`BF16`, `I64`, or in GGUF `Q4_K`); None if there is no such tensor.
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
    /// There is no such tensor, or its dtype is none of [`Dtype`](crate::Dtype).
    pub fn reader(&self, name: &str) -> Result<TensorReader<'_>, CheckpointError> {
        let raw = self.raw_reader(name)?;
        TensorReader::new(raw, &self.files).ok_or_else(|| CheckpointError::UnsupportedDtype {
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
    /// There is no such tensor, its dtype is none of [`Dtype`](crate::Dtype), or the file cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let reader = self.reader(name)?;
        let mut data = vec![0.0; reader.len()];
        reader.read(0, &mut data)?;
        Ok(Tensor { shape: reader.shape().to_vec(), data: Arc::new(data) })
    }

    /// Reads all tensors.
    ///
    /// # Errors
    /// The dtype of one of them is none of [`Dtype`](crate::Dtype), or a file cannot be read.
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
        self.sha256_by(sha256_file)
    }

    /// The same as [`Checkpoint::sha256`], with digests of files from `cache` where it has them.
    ///
    /// # Errors
    /// A file cannot be read, or changes meanwhile.
    pub fn sha256_with(&self, cache: &DigestCache) -> Result<String, CheckpointError> {
        self.sha256_by(|path| cache.compute(path))
    }

    fn sha256_by(
        &self,
        sha256_of: impl Fn(&Path) -> Result<String, CheckpointError>,
    ) -> Result<String, CheckpointError> {
        let mut names: BTreeSet<&str> = companion_files().collect();
        names.retain(|name| self.dir.join(name).is_file());
        names.extend(&self.described_in);
        names.extend(self.weight_files().filter_map(|path| path.file_name()?.to_str()));
        let mut lines = String::new();
        for name in names {
            lines += &format!("{}  {name}\n", sha256_of(&self.dir.join(name))?);
        }
        Ok(sha256_bytes(lines.as_bytes()))
    }
}

/// Reads a JSON object.
pub(crate) fn read_config(path: &Path) -> Result<serde_json::Value, CheckpointError> {
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
