//! The header of a safetensors file.

use std::collections::BTreeMap;
use std::fmt;

use safetensors::tensor::TensorInfo;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::CheckpointError;
use crate::source::Source;

/// Bytes of the length that a safetensors file begins with.
pub(crate) const LENGTH_BYTES: usize = 8;

/// The format's limit on the length of the header, in bytes.
pub(crate) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The header's entry that is not a tensor.
pub(crate) const METADATA_KEY: &str = "__metadata__";

/// The header of a safetensors file.
#[derive(Debug)]
pub(crate) struct ShardHeader {
    /// Where the tensors' bytes begin.
    pub(crate) data_start: u64,
    /// The tensors in the order of their bytes.
    pub(crate) tensors: Vec<(String, TensorInfo)>,
}

/// The entries of a header, in the order of their names.
struct Entries(BTreeMap<String, Entry>);

/// An entry that describes a tensor. The dtype is looked at later, so that one that is not known does not hide what
/// else is wrong.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries, A::Error> {
                let (mut entries, mut has_metadata) = (BTreeMap::new(), false);
                while let Some(name) = access.next_key::<String>()? {
                    // Other readers would take the first or the last.
                    if entries.contains_key(&name) || (name == METADATA_KEY && has_metadata) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    let in_entry = |error| A::Error::custom(format_args!("entry `{name}`: {error}"));
                    if name == METADATA_KEY {
                        access.next_value::<Option<BTreeMap<String, String>>>().map_err(in_entry)?;
                        has_metadata = true;
                    } else {
                        let entry = access.next_value::<Entry>().map_err(in_entry)?;
                        entries.insert(name, entry);
                    }
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

impl ShardHeader {
    /// Reads and checks the header: the tensors cover the file from the header's end to the file's end, without holes
    /// and overlaps, each with the number of bytes that its shape and dtype demand.
    pub(crate) fn read(source: &impl Source) -> Result<Self, CheckpointError> {
        let (header, problems) = Self::inspect(source);
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            // Without a problem there is a header.
            None => Ok(header.unwrap_or(Self { data_start: 0, tensors: Vec::new() })),
        }
    }

    /// Reads the header, as far as there is one, and collects all that is wrong with it.
    pub(crate) fn inspect(source: &impl Source) -> (Option<Self>, Vec<CheckpointError>) {
        let (bytes, data_start) = match header_bytes(source) {
            Ok(found) => found,
            Err(error) => return (None, vec![error]),
        };
        let (tensors, mut problems) = match parse(source, &bytes) {
            Ok(parsed) => parsed,
            Err(error) => return (None, vec![error]),
        };
        // Without the entries that are wrong there would be holes everywhere.
        if problems.is_empty() {
            problems = layout_problems(source, data_start, &tensors);
        }
        (Some(Self { data_start, tensors }), problems)
    }
}

/// The header's JSON and where it ends. No more memory is asked for than the file has bytes.
fn header_bytes(source: &impl Source) -> Result<(Vec<u8>, u64), CheckpointError> {
    let (path, got) = (source.path(), source.size());
    let truncated = |expected| CheckpointError::Truncated { path: path.to_path_buf(), expected, got };
    if got < LENGTH_BYTES as u64 {
        return Err(truncated(LENGTH_BYTES as u64));
    }
    let mut length = [0; LENGTH_BYTES];
    source.read_at(0, &mut length).map_err(CheckpointError::io(path))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(CheckpointError::HeaderTooLarge { path: path.to_path_buf(), limit: MAX_HEADER_BYTES, got: length });
    }
    let data_start = LENGTH_BYTES as u64 + length;
    if data_start > got {
        return Err(truncated(data_start));
    }
    let mut header = vec![0; length as usize];
    source.read_at(LENGTH_BYTES as u64, &mut header).map_err(CheckpointError::io(path))?;
    Ok((header, data_start))
}

/// The tensors of a header in the order of their bytes, and what is wrong with single entries.
#[expect(clippy::type_complexity, reason = "used once")]
fn parse(
    source: &impl Source,
    header: &[u8],
) -> Result<(Vec<(String, TensorInfo)>, Vec<CheckpointError>), CheckpointError> {
    let path = source.path();
    let Entries(entries) = serde_json::from_slice(header).map_err(CheckpointError::json(path))?;
    let (mut tensors, mut problems) = (Vec::with_capacity(entries.len()), Vec::new());
    for (tensor, Entry { dtype, shape, data_offsets }) in entries {
        match serde_json::from_value(dtype.into()) {
            Ok(dtype) => tensors.push((tensor, TensorInfo { dtype, shape, data_offsets })),
            Err(source) => {
                problems.push(CheckpointError::HeaderEntry { path: path.to_path_buf(), tensor, source });
            }
        }
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    Ok((tensors, problems))
}

/// Finds tensors that do not begin where the one before them ends or are not as long as shape and dtype demand, and
/// compares the file's size with the last one's end.
fn layout_problems(source: &impl Source, data_start: u64, tensors: &[(String, TensorInfo)]) -> Vec<CheckpointError> {
    let mut problems = Vec::new();
    let mut data_end = 0;
    for (tensor, TensorInfo { dtype, shape, data_offsets: (begin, end) }) in tensors {
        let (path, expected, got) = (source.path().to_path_buf(), data_end, *begin);
        if got < expected {
            problems.push(CheckpointError::Overlap { path, tensor: tensor.clone(), expected, got });
        } else if got > expected {
            problems.push(CheckpointError::Hole { path, tensor: tensor.clone(), expected, got });
        }
        let (path, tensor, shape, got) = (source.path().to_path_buf(), tensor.clone(), shape.clone(), *end);
        let size = byte_size(*dtype, &shape).and_then(|size| begin.checked_add(size));
        let dtype = dtype.to_string();
        match size {
            None => problems.push(CheckpointError::NoSize { path, tensor, shape, dtype }),
            Some(expected) if expected != got => {
                problems.push(CheckpointError::TensorSize { path, tensor, shape, dtype, expected, got });
            }
            Some(_) => {}
        }
        data_end = data_end.max(*end);
    }
    let (path, got) = (source.path().to_path_buf(), source.size());
    let expected = data_start.saturating_add(data_end as u64);
    if got < expected {
        problems.push(CheckpointError::Truncated { path, expected, got });
    } else if got > expected {
        problems.push(CheckpointError::TrailingBytes { path, expected, got });
    }
    problems
}

/// Bytes of a tensor; None if that is no number of this machine, or no whole number.
pub(crate) fn byte_size(dtype: safetensors::Dtype, shape: &[usize]) -> Option<usize> {
    let length = shape.iter().try_fold(1_usize, |length, &dimension| length.checked_mul(dimension))?;
    // Some dtypes have fewer than 8 bits.
    let bits = length.checked_mul(dtype.bitsize())?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

#[cfg(test)]
mod tests;
