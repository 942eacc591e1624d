//! A model in one GGUF file, llama.cpp's format.

mod config;
mod cursor;
mod error;
mod metadata;
mod names;
mod rope;
mod tensors;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use error::GgufError;

use config::{Architecture, Dimensions, TensorFacts};
use cursor::Cursor;
use metadata::Metadata;
use names::{Role, role};
use tensors::{GgmlType, ListedTensor};

use crate::source::Source;
use crate::stored_tensor::{Format, StoredTensor, TensorInfo};
use crate::{CheckpointError, Dtype};

/// How the file names of such models end.
pub(crate) const GGUF_SUFFIX: &str = ".gguf";

/// A model in one GGUF file of version 2 or 3: what is needed to read it as if transformers had saved it.
#[derive(Debug)]
pub(crate) struct GgufModel {
    /// What config.json would be, or what it is, completed.
    pub(crate) config: Value,
    /// The tensors by Hugging Face's names.
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
}

/// What a file says about itself.
struct Header {
    metadata: Metadata,
    tensors: Vec<ListedTensor>,
    /// Where the tensors' bytes begin.
    data_start: u64,
}

impl GgufModel {
    /// Reads and checks everything but the weights; `config` is the config.json that lies next to the file.
    pub(crate) fn read(source: &impl Source, config: Option<&Value>) -> Result<Self, CheckpointError> {
        let in_file = |error| CheckpointError::Gguf { path: source.path().to_path_buf(), source: error };
        let header = Header::read(source)?;
        Self::interpret(source, header, config).map_err(in_file)
    }

    fn interpret(source: &impl Source, header: Header, own_config: Option<&Value>) -> Result<Self, GgufError> {
        let Header { metadata, tensors: listed, data_start } = header;
        config::check_whole(&metadata)?;
        let architecture = Architecture::of(&metadata)?;
        let dimensions = Dimensions::of(&metadata, architecture)?;
        let mut tensors = BTreeMap::new();
        let (mut rope_scaling, mut bytes_of) = (None, BTreeMap::<Dtype, u64>::new());
        for tensor in listed {
            let Some(role) = role(&tensor.name, dimensions.num_hidden_layers) else {
                return Err(GgufError::TensorName { tensor: tensor.name, architecture: architecture.name });
            };
            let (name, heads) = match role {
                Role::Weight(name) => (name, None),
                Role::Queries(name) => (name, Some(dimensions.num_attention_heads)),
                Role::Keys(name) => (name, Some(dimensions.num_key_value_heads)),
                Role::RopeFactors => {
                    let factors = read_factors(source, data_start, &tensor, dimensions.head_dim)?;
                    let scaling = rope::scaling(&factors, dimensions.rope_theta);
                    rope_scaling = Some(scaling.ok_or(GgufError::RopeFactors)?);
                    continue;
                }
            };
            let heads = heads.filter(|_| architecture.permutes_heads).map(|heads| check_heads(&tensor, heads));
            let (dtype, format) = match tensor.dtype {
                GgmlType::Plain(dtype) => (dtype, Format::Plain),
                GgmlType::Blocks(block) => (Dtype::F32, Format::Blocks(block)),
            };
            *bytes_of.entry(dtype).or_default() += tensor.byte_length as u64;
            let stored = StoredTensor {
                file: 0,
                start: data_start + tensor.offset,
                byte_length: tensor.byte_length,
                shape: tensor.shape.clone(),
                format,
                dtype_name: tensor.dtype.name().to_owned(),
                heads: heads.transpose()?,
                scales: None,
                info: Some(TensorInfo { shape: tensor.shape, dtype, shard: source.path().to_path_buf() }),
            };
            tensors.insert(name, stored);
        }
        let has = |name: &str| tensors.contains_key(name);
        let facts = TensorFacts {
            vocab_size: tensors.get("model.embed_tokens.weight").and_then(|tensor| tensor.shape.first().copied()),
            is_tied: !has("lm_head.weight"),
            has_attention_bias: has("model.layers.0.self_attn.q_proj.bias"),
            has_mlp_bias: has("model.layers.0.mlp.up_proj.bias"),
            rope_scaling,
            torch_dtype: bytes_of
                .iter()
                .max_by_key(|(_, bytes)| **bytes)
                .map_or(Dtype::F32, |(dtype, _)| *dtype)
                .name(),
        };
        let synthesised = config::synthesise(&metadata, architecture, &dimensions, facts)?;
        let config = match own_config {
            Some(own) => config::complete(own, synthesised)?,
            None => Value::Object(synthesised),
        };
        Ok(Self { config, tensors })
    }
}

impl Header {
    fn read(source: &impl Source) -> Result<Self, CheckpointError> {
        let path = source.path().to_path_buf();
        let (header, end) = match Self::parse(source) {
            Ok(parsed) => parsed,
            Err(source) => return Err(CheckpointError::Gguf { path, source }),
        };
        let (got, Extent { data_end: expected, padded_end }) = (source.size(), end);
        if got < expected {
            return Err(CheckpointError::Truncated { path, expected, got });
        }
        if got > padded_end {
            return Err(CheckpointError::TrailingBytes { path, expected: padded_end, got });
        }
        Ok(header)
    }

    fn parse(source: &impl Source) -> Result<(Self, Extent), GgufError> {
        let mut cursor = Cursor::new(source);
        let Counts { tensor_count, pair_count } = Counts::read(&mut cursor)?;
        let metadata = Metadata::read(&mut cursor, pair_count)?;
        let tensors = tensors::read_list(&mut cursor, tensor_count)?;

        const KEY: &str = "general.alignment";
        let alignment = metadata.find_unsigned(KEY)?.unwrap_or(32);
        if !alignment.is_power_of_two() || alignment > 1 << 20 {
            let (key, got) = (KEY.to_owned(), alignment.to_string());
            return Err(GgufError::WrongValue { key, expected: "a power of two up to 2^20", got });
        }
        // Files are far smaller than 2^63 bytes, and so are positions in them.
        let data_start = cursor.position().next_multiple_of(alignment);
        let data_length = tensors::check_layout(&tensors, alignment)?;
        let data_end = data_start.saturating_add(data_length);
        let padded_end = data_end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        Ok((Self { metadata, tensors, data_start }, Extent { data_end, padded_end }))
    }
}

/// What a file begins with, after the magic number and the version.
struct Counts {
    tensor_count: u64,
    pair_count: u64,
}

impl Counts {
    fn read(cursor: &mut Cursor<'_, impl Source>) -> Result<Self, GgufError> {
        let magic = cursor.bytes::<4>("the magic number")?;
        if &magic != b"GGUF" {
            return Err(GgufError::Magic { got: String::from_utf8_lossy(&magic).into_owned() });
        }
        let version = cursor.u32("the version")?;
        if !matches!(version, 2 | 3) {
            return Err(GgufError::Version { got: version });
        }
        let tensor_count = cursor.u64("the number of tensors")?;
        Ok(Self { tensor_count, pair_count: cursor.u64("the number of metadata")? })
    }
}

/// All key-value pairs of a file, arrays with their elements, in the file's order.
pub(crate) fn read_metadata(source: &impl Source) -> Result<Map<String, Value>, CheckpointError> {
    let mut cursor = Cursor::new(source);
    let pairs = Counts::read(&mut cursor).and_then(|counts| metadata::read_all(&mut cursor, counts.pair_count));
    pairs.map_err(|error| CheckpointError::Gguf { path: source.path().to_path_buf(), source: error })
}

/// Where a file should end.
struct Extent {
    /// After the last tensor.
    data_end: u64,
    /// After the padding that llama.cpp writes behind it.
    padded_end: u64,
}

/// The number of heads that the rows of `tensor` belong to, each with an even number of rows.
fn check_heads(tensor: &ListedTensor, heads: u64) -> Result<usize, GgufError> {
    let rows = tensor.shape.first().copied().unwrap_or(1);
    let heads = usize::try_from(heads).unwrap_or(usize::MAX);
    if heads.checked_mul(2).is_none_or(|halves| !rows.is_multiple_of(halves)) {
        return Err(GgufError::Heads { tensor: tensor.name.clone(), rows, heads });
    }
    // A bias has rows of one value, which no block can hold.
    if tensor.shape.len() < 2 && matches!(tensor.dtype, GgmlType::Blocks(_)) {
        return Err(tensor.size_error());
    }
    Ok(heads)
}

/// What each rotary frequency is divided by: half as many f32 as a head has values.
fn read_factors(
    source: &impl Source,
    data_start: u64,
    tensor: &ListedTensor,
    head_dim: u64,
) -> Result<Vec<f32>, GgufError> {
    let is_right = tensor.dtype == GgmlType::Plain(Dtype::F32)
        && matches!(tensor.shape[..], [count] if (count as u64).checked_mul(2) == Some(head_dim));
    if !is_right {
        return Err(GgufError::RopeFactors);
    }
    // The layout has been checked, so that there are as many bytes in the file.
    let mut factors = vec![0.0_f32; tensor.byte_length / size_of::<f32>()];
    source.read_at(data_start + tensor.offset, bytemuck::cast_slice_mut(&mut factors))?;
    Ok(factors)
}

#[cfg(test)]
mod tests;
