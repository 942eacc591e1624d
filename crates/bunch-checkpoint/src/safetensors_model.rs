//! A model in safetensors files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::shard::ShardHeader;
use crate::source::{Source, WeightFile};
use crate::stored_tensor::{Format, StoredTensor, TensorInfo};
use crate::weight_files::check_is_there;
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::{CheckpointError, StoredDtype};

/// A model in safetensors files: the open files and what their headers say.
#[derive(Debug, Default)]
pub(crate) struct SafetensorsModel {
    pub(crate) files: Vec<WeightFile>,
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
}

impl SafetensorsModel {
    /// Opens the files `names` of `dir` and checks that they agree with the index, if there is one.
    pub(crate) fn open(dir: &Path, names: &[String], index: Option<&WeightIndex>) -> Result<Self, CheckpointError> {
        if index.is_some() {
            names.iter().try_for_each(|name| check_is_there(dir, name))?;
        }
        let mut model = Self::default();
        for name in names {
            let file = WeightFile::open(&dir.join(name))?;
            let header = ShardHeader::read(&file)?;
            let problems = model.add(file, header);
            problems.into_iter().next().map_or(Ok(()), Err)?;
        }
        let problems = index.map(|index| model.compare(dir, names, index)).unwrap_or_default();
        problems.into_iter().next().map_or(Ok(model), Err)
    }

    /// Adds a file. Returns an error for each of its tensors that another file has too, and leaves these out.
    pub(crate) fn add(&mut self, file: WeightFile, header: ShardHeader) -> Vec<CheckpointError> {
        let mut problems = Vec::new();
        for (tensor, info) in header.tensors {
            if let Some(other) = self.tensors.get(&tensor) {
                let (first, second) = (self.files[other.file].path().to_path_buf(), file.path().to_path_buf());
                problems.push(CheckpointError::DuplicateTensor { tensor, first, second });
                continue;
            }
            let stored = describe(info, header.data_start, self.files.len(), file.path().to_path_buf());
            self.tensors.insert(tensor, stored);
        }
        self.files.push(file);
        problems
    }

    /// An error for each tensor that is not where the index says.
    pub(crate) fn compare(&self, dir: &Path, names: &[String], index: &WeightIndex) -> Vec<CheckpointError> {
        let mut problems = Vec::new();
        let shard_of =
            |stored: &StoredTensor| self.files[stored.file].path().file_name().and_then(|name| name.to_str());
        for (tensor, stored) in &self.tensors {
            if !index.weight_map.contains_key(tensor) {
                let (tensor, shard) = (tensor.clone(), shard_of(stored).unwrap_or_default().to_owned());
                problems.push(CheckpointError::TensorNotInIndex { index: dir.join(INDEX_FILE), tensor, shard });
            }
        }
        for (tensor, shard) in &index.weight_map {
            let is_there = self.tensors.get(tensor).is_some_and(|stored| shard_of(stored) == Some(shard));
            // Of a shard that could not be read, that is the problem, and not each of its tensors.
            if !is_there && names.contains(shard) {
                let (tensor, shard) = (tensor.clone(), shard.clone());
                problems.push(CheckpointError::TensorNotInShard { index: dir.join(INDEX_FILE), tensor, shard });
            }
        }
        problems
    }
}

/// The tensor that the header of the file at `path`, whose data begins at `data_start`, describes by `info`.
pub(crate) fn describe(
    info: safetensors::tensor::TensorInfo,
    data_start: u64,
    file: usize,
    path: PathBuf,
) -> StoredTensor {
    let (begin, end) = info.data_offsets;
    let dtype = StoredDtype::from_safetensors(info.dtype);
    StoredTensor {
        file,
        start: data_start.saturating_add(begin as u64),
        byte_length: end.saturating_sub(begin),
        format: Format::Plain,
        dtype_name: dtype.to_string(),
        heads: None,
        scales: None,
        info: match dtype {
            StoredDtype::Float(dtype) => Some(TensorInfo { shape: info.shape.clone(), dtype, shard: path }),
            StoredDtype::Other(_) => None,
        },
        shape: info.shape,
    }
}
