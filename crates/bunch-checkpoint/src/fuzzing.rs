//! Entry points for fuzzing: any bytes give a model or an error, and never a panic.

use std::path::Path;

use crate::gguf::{GgufModel, read_metadata};
use crate::reader::{RawReader, TensorReader};
use crate::safetensors_model::describe;
use crate::shard::ShardHeader;
use crate::source::{MemorySource, Source};
use crate::stored_tensor::StoredTensor;
use crate::weight_index::WeightIndex;

/// Values that are read at the beginning and at the end of each tensor.
const COUNT: usize = 300;

/// Reads `bytes` as a safetensors file and parts of its tensors; whether it is one.
pub fn header(bytes: &[u8]) -> bool {
    let source = MemorySource { path: Path::new("fuzz.safetensors"), bytes };
    let Ok(header) = ShardHeader::read(&source) else { return false };
    for (name, info) in header.tensors {
        let path = source.path().to_path_buf();
        read_parts(&source, &name, &describe(info, header.data_start, 0, path));
    }
    true
}

/// Reads `bytes` as an index; whether it is one.
pub fn index(bytes: &[u8]) -> bool {
    WeightIndex::parse(Path::new("fuzz.json"), bytes).and_then(|index| index.shards(Path::new("fuzz.json"))).is_ok()
}

/// Reads `bytes` as a GGUF file and parts of its tensors; whether it is one.
pub fn gguf(bytes: &[u8]) -> bool {
    let source = MemorySource { path: Path::new("fuzz.gguf"), bytes };
    let metadata = read_metadata(&source);
    let Ok(model) = GgufModel::read(&source, None) else { return false };
    metadata.expect("a model's metadata can be read in full");
    model.tensors.iter().for_each(|(name, tensor)| read_parts(&source, name, tensor));
    true
}

/// Reads the beginning and the end of a tensor, which must be possible: all of it lies in the file.
fn read_parts(source: &dyn Source, name: &str, tensor: &StoredTensor) {
    let raw = RawReader::new(source, name, tensor);
    let mut bytes = vec![0; raw.byte_length().min(COUNT)];
    for start in [0, raw.byte_length() - bytes.len()] {
        raw.read_bytes(start, &mut bytes).expect("the tensor's bytes are in the file");
    }
    let Some(reader) = TensorReader::new(raw, &[]) else { return };
    let mut values = vec![0.0; reader.len().min(COUNT)];
    for start in [0, reader.len() - values.len()] {
        reader.read(start, &mut values).expect("the tensor's values are in the file");
    }
}
