//! One safetensors file, mapped into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::TensorInfo;

use crate::CheckpointError;
use crate::weight_index::unique_keys;

/// Bytes of the length that a safetensors file begins with.
pub(crate) const LENGTH_BYTES: usize = 8;

/// The format's limit on the length of the header, in bytes.
pub(crate) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The header's entry that is not a tensor.
pub(crate) const METADATA_KEY: &str = "__metadata__";

/// One safetensors file, mapped into memory. Its header has been checked: the tensors cover the file from the header's
/// end to the file's end, without holes and overlaps, each with the number of bytes that its shape and dtype demand.
#[derive(Debug)]
pub(crate) struct Shard {
    path: PathBuf,
    map: Mmap,
    /// Where the tensors' bytes begin.
    data_start: usize,
}

impl Shard {
    /// Maps the file and reads its header; the tensors come in the order of their bytes.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<(String, TensorInfo)>), CheckpointError> {
        let file = File::open(path).map_err(CheckpointError::io(path))?;
        // SAFETY: the map must not change while it is borrowed. Nothing in this workspace writes into an existing
        // file: files and directories are replaced by renaming, which leaves an open map as it is.
        let map = unsafe { Mmap::map(&file) }.map_err(CheckpointError::io(path))?;
        let (data_start, tensors) = read_header(path, &map)?;
        Ok((Self { path: path.to_path_buf(), map, data_start }, tensors))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes at `range`, as given by the header's `data_offsets`.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.map[self.data_start..][range.clone()]
    }
}

/// Where the data of the safetensors file `bytes` begins and its tensors in the order of their bytes.
fn read_header(path: &Path, bytes: &[u8]) -> Result<(usize, Vec<(String, TensorInfo)>), CheckpointError> {
    let got = bytes.len() as u64;
    let truncated = |expected| CheckpointError::Truncated { path: path.to_path_buf(), expected, got };

    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(truncated(LENGTH_BYTES as u64));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(CheckpointError::HeaderTooLarge { path: path.to_path_buf(), limit: MAX_HEADER_BYTES, got: length });
    }
    let data_start = LENGTH_BYTES + length as usize;
    let Some(header) = rest.get(..length as usize) else {
        return Err(truncated(data_start as u64));
    };

    let tensors = parse_header(path, header)?;
    let data_end = check_layout(path, &tensors)?;
    let Some(expected) = data_start.checked_add(data_end).map(|end| end as u64) else {
        return Err(truncated(u64::MAX));
    };
    if got < expected {
        return Err(truncated(expected));
    }
    if got > expected {
        return Err(CheckpointError::TrailingBytes { path: path.to_path_buf(), expected, got });
    }
    Ok((data_start, tensors))
}

/// The tensors of a JSON header in the order of their bytes.
fn parse_header(path: &Path, header: &[u8]) -> Result<Vec<(String, TensorInfo)>, CheckpointError> {
    let mut deserializer = serde_json::Deserializer::from_slice(header);
    let entries: BTreeMap<String, serde_json::Value> =
        unique_keys(&mut deserializer).map_err(CheckpointError::json(path))?;
    deserializer.end().map_err(CheckpointError::json(path))?;

    let mut tensors = Vec::with_capacity(entries.len());
    for (tensor, entry) in entries {
        let wrong_entry = |source| CheckpointError::HeaderEntry { path: path.into(), tensor: tensor.clone(), source };
        if tensor == METADATA_KEY {
            serde_json::from_value::<Option<BTreeMap<String, String>>>(entry).map_err(wrong_entry)?;
        } else {
            let info = serde_json::from_value::<TensorInfo>(entry).map_err(wrong_entry)?;
            tensors.push((tensor, info));
        }
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    Ok(tensors)
}

/// Checks that each tensor begins where the one before it ends and is as long as its shape and dtype demand; returns
/// where the last one ends.
fn check_layout(path: &Path, tensors: &[(String, TensorInfo)]) -> Result<usize, CheckpointError> {
    let mut expected = 0;
    for (tensor, TensorInfo { dtype, shape, data_offsets: (begin, end) }) in tensors {
        let (path, tensor, got) = (path.to_path_buf(), tensor.clone(), *begin);
        if got < expected {
            return Err(CheckpointError::Overlap { path, tensor, expected, got });
        }
        if got > expected {
            return Err(CheckpointError::Hole { path, tensor, expected, got });
        }
        let (shape, got) = (shape.clone(), *end);
        let length = shape.iter().try_fold(1_usize, |length, &dimension| length.checked_mul(dimension));
        // Some dtypes have fewer than 8 bits.
        let bits = length.and_then(|length| length.checked_mul(dtype.bitsize())).filter(|bits| bits % 8 == 0);
        let dtype = dtype.to_string();
        expected = match bits.and_then(|bits| begin.checked_add(bits / 8)) {
            Some(end) => end,
            None => return Err(CheckpointError::NoSize { path, tensor, shape, dtype }),
        };
        if got != expected {
            return Err(CheckpointError::TensorSize { path, tensor, shape, dtype, expected, got });
        }
    }
    Ok(expected)
}

#[cfg(test)]
mod tests;
