//! What a model directory holds, and all that is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::{CONFIG_FILE, read_config};
use crate::gguf::GgufModel;
use crate::safetensors_model::SafetensorsModel;
use crate::shard::ShardHeader;
use crate::source::{Source, WeightFile};
use crate::stored_tensor::StoredTensor;
use crate::weight_files::{WeightFiles, check_is_there};
use crate::{CheckpointError, TensorReader, UnreadableModel};

/// Values that are looked at together.
const PIECE: usize = 1 << 18;

/// What a model directory holds, and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The files of weights that could be read, sorted by name.
    pub shards: Vec<InspectedShard>,
    /// Number of tensors in all of them; one that is in two files counts once.
    pub tensors: usize,
    /// Number of values in all tensors.
    pub parameters: u64,
    /// Everything that is wrong: the directory can be opened exactly if there is nothing.
    pub problems: Vec<CheckpointError>,
}

/// What one file of weights holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedShard {
    /// The file's name.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Number of tensors that its header describes.
    pub tensors: usize,
    /// Number of tensors by dtype, in the file's spelling.
    pub dtypes: BTreeMap<String, usize>,
}

/// Reads the headers of all files of weights in `dir` and collects everything that is wrong, where
/// [`Checkpoint::open`](crate::Checkpoint::open) stops at the first error.
pub fn inspect_directory(dir: &Path) -> Inspection {
    let mut inspection = Inspection::default();
    let weights = WeightFiles::find(dir);
    let config = read_config(&dir.join(CONFIG_FILE));
    match weights {
        Ok(WeightFiles::Gguf { name }) => {
            let config = if dir.join(CONFIG_FILE).is_file() { inspection.keep(config) } else { None };
            inspection.add_gguf(dir, &name, config.as_ref());
        }
        Ok(WeightFiles::Safetensors { names, index }) => {
            inspection.keep(config);
            let (mut model, mut readable) = (SafetensorsModel::default(), Vec::new());
            for name in names {
                let file = match &index {
                    Some(_) => check_is_there(dir, &name).and_then(|()| WeightFile::open(&dir.join(&name))),
                    None => WeightFile::open(&dir.join(&name)),
                };
                if let Some(file) = inspection.keep(file)
                    && inspection.add_shard(&mut model, file, &name)
                {
                    readable.push(name);
                }
            }
            inspection.problems.extend(index.iter().flat_map(|index| model.compare(dir, &readable, index)));
            inspection.count(model.tensors.values());
        }
        Err(error) => {
            // An adapter has no config.json and needs none.
            if !matches!(error, CheckpointError::Unreadable(UnreadableModel::AdapterAsModel { .. })) {
                inspection.keep(config);
            }
            inspection.problems.push(error);
        }
    }
    inspection
}

impl Inspection {
    /// What is there, or else the error among the problems.
    fn keep<T>(&mut self, result: Result<T, CheckpointError>) -> Option<T> {
        result.map_err(|error| self.problems.push(error)).ok()
    }

    /// Adds a safetensors file; returns whether all of its tensors are known.
    fn add_shard(&mut self, model: &mut SafetensorsModel, file: WeightFile, name: &str) -> bool {
        let (header, problems) = ShardHeader::inspect(&file);
        let is_known = !problems.iter().any(|problem| matches!(problem, CheckpointError::HeaderEntry { .. }));
        self.problems.extend(problems);
        let Some(header) = header else { return false };
        let mut dtypes = BTreeMap::new();
        for (_, info) in &header.tensors {
            *dtypes.entry(info.dtype.to_string()).or_default() += 1;
        }
        let (name, bytes, tensors) = (name.to_owned(), file.size(), header.tensors.len());
        self.shards.push(InspectedShard { name, bytes, tensors, dtypes });
        self.problems.extend(model.add(file, header));
        is_known
    }

    fn add_gguf(&mut self, dir: &Path, name: &str, config: Option<&serde_json::Value>) {
        let file = WeightFile::open(&dir.join(name));
        let Some(file) = self.keep(file) else { return };
        let model = GgufModel::read(&file, config);
        let Some(model) = self.keep(model) else { return };
        let mut dtypes = BTreeMap::new();
        for tensor in model.tensors.values() {
            *dtypes.entry(tensor.dtype_name.clone()).or_default() += 1;
        }
        let (name, bytes, tensors) = (name.to_owned(), file.size(), model.tensors.len());
        self.shards.push(InspectedShard { name, bytes, tensors, dtypes });
        self.count(model.tensors.values());
    }

    fn count<'a>(&mut self, tensors: impl Iterator<Item = &'a StoredTensor>) {
        for tensor in tensors {
            // A header that is wrong can claim any number.
            let length = tensor.shape.iter().fold(1_u64, |length, &dimension| length.saturating_mul(dimension as u64));
            self.tensors += 1;
            self.parameters = self.parameters.saturating_add(length);
        }
    }
}

/// How many values of a tensor are NaN and how many are infinite. Reads all of them.
///
/// # Errors
/// The tensor cannot be read.
pub fn count_non_finite(reader: TensorReader<'_>) -> Result<(u64, u64), CheckpointError> {
    let (mut nan, mut infinite) = (0, 0);
    let mut values = vec![0.0; PIECE.min(reader.len())];
    let mut start = 0;
    while start < reader.len() {
        let count = values.len().min(reader.len() - start);
        let values = &mut values[..count];
        reader.read(start, values)?;
        for value in values {
            nan += u64::from(value.is_nan());
            infinite += u64::from(value.is_infinite());
        }
        start += count;
    }
    Ok((nan, infinite))
}
