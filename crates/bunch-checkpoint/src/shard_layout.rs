//! Which tensor goes into which file, and where in it.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};

use crate::shard::{LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY, byte_size};
use crate::weight_files::{WEIGHTS_FILE, WEIGHTS_SUFFIX};
use crate::{CheckpointError, StoredDtype};

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorLayout {
    /// Its name, Hugging Face's.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// How it is to be stored.
    pub dtype: StoredDtype,
}

/// One safetensors file to be written.
#[derive(Debug)]
pub(crate) struct ShardLayout {
    /// The file's name.
    pub(crate) name: String,
    /// Everything before the first tensor's bytes.
    pub(crate) header: Vec<u8>,
    /// Bytes of the whole file.
    pub(crate) size: u64,
    /// The tensors in the file, in the order of their bytes.
    pub(crate) tensors: Vec<PlacedTensor>,
}

/// A tensor's place in its file.
#[derive(Debug)]
pub(crate) struct PlacedTensor {
    /// Position in the list of all tensors.
    pub(crate) index: usize,
    /// Where it begins in the file.
    pub(crate) start: u64,
    /// Its bytes.
    pub(crate) byte_length: u64,
}

/// Lays out `tensors` in files of `dir` (which is what errors name): split in their order, where a shard is full when
/// the next tensor would exceed `max_shard_size`. At least one shard; only a single tensor can be larger than the
/// limit.
pub(crate) fn lay_out(
    tensors: &[TensorLayout],
    max_shard_size: u64,
    dir: &Path,
) -> Result<Vec<ShardLayout>, CheckpointError> {
    let mut names = BTreeSet::new();
    let (mut shards, mut shard, mut shard_size) = (Vec::new(), Vec::new(), 0_u64);
    for (index, tensor) in tensors.iter().enumerate() {
        if tensor.name == METADATA_KEY {
            return Err(CheckpointError::ReservedTensorName { tensor: tensor.name.clone() });
        }
        if !names.insert(tensor.name.as_str()) {
            return Err(CheckpointError::RepeatedTensor { tensor: tensor.name.clone() });
        }
        let Some(size) = byte_size(tensor.dtype.to_safetensors(), &tensor.shape) else {
            let (tensor, shape, dtype) = (tensor.name.clone(), tensor.shape.clone(), tensor.dtype.to_string());
            return Err(CheckpointError::LayoutSize { tensor, shape, dtype });
        };
        if shard_size.saturating_add(size as u64) > max_shard_size && !shard.is_empty() {
            shards.push(std::mem::take(&mut shard));
            shard_size = 0;
        }
        shard_size = shard_size.saturating_add(size as u64);
        shard.push((index, size));
    }
    shards.push(shard);
    let count = shards.len();
    let file_name = |i| match count {
        1 => WEIGHTS_FILE.to_owned(),
        _ => format!("model-{:05}-of-{count:05}{WEIGHTS_SUFFIX}", i + 1),
    };
    shards.into_iter().enumerate().map(|(i, shard)| lay_out_shard(tensors, shard, file_name(i), dir)).collect()
}

/// Lays out one file from its tensors, given by position and size.
fn lay_out_shard(
    tensors: &[TensorLayout],
    mut shard: Vec<(usize, usize)>,
    name: String,
    dir: &Path,
) -> Result<ShardLayout, CheckpointError> {
    let path = dir.join(&name);
    // The order of safetensors' own writer.
    shard.sort_by(|&(a, _), &(b, _)| {
        let (a, b) = (&tensors[a], &tensors[b]);
        b.dtype.to_safetensors().cmp(&a.dtype.to_safetensors()).then_with(|| a.name.cmp(&b.name))
    });
    let (mut entries, mut end) = (Vec::with_capacity(shard.len()), 0_usize);
    for &(index, size) in &shard {
        let (begin, tensor) = (end, &tensors[index]);
        end = begin.checked_add(size).ok_or_else(|| CheckpointError::LayoutSize {
            tensor: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype.to_string(),
        })?;
        let (dtype, shape) = (tensor.dtype.to_safetensors(), tensor.shape.clone());
        entries.push((tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (begin, end) }));
    }
    let offsets: Vec<(usize, usize)> = entries.iter().map(|(_, info)| info.data_offsets).collect();

    // transformers refuses to read a file without this entry.
    #[expect(clippy::disallowed_types, reason = "what safetensors takes; one entry has no order")]
    let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(format), entries)
        .map_err(|source| CheckpointError::Header { path: path.clone(), source })?;
    let mut json = serde_json::to_vec(&metadata).map_err(CheckpointError::json(&path))?;
    json.resize(json.len().next_multiple_of(LENGTH_BYTES), b' ');
    let length = json.len() as u64;
    if length > MAX_HEADER_BYTES {
        return Err(CheckpointError::HeaderTooLarge { path, limit: MAX_HEADER_BYTES, got: length });
    }
    let mut header = length.to_le_bytes().to_vec();
    header.append(&mut json);

    let data_start = header.len() as u64;
    let place = |(&(index, size), (begin, _))| PlacedTensor {
        index,
        start: data_start + begin as u64,
        byte_length: size as u64,
    };
    let tensors = shard.iter().zip(offsets).map(place).collect();
    Ok(ShardLayout { name, size: data_start + end as u64, header, tensors })
}
