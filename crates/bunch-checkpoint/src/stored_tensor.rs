//! What is known about a tensor in a file without reading it.

use std::path::PathBuf;

use crate::Dtype;
use crate::block_type::BlockType;
use crate::float8::{Float8, ScaleGrid};

/// What a checkpoint knows about a tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// How it is stored; F32 for quantised values, which it holds exactly (those of GGUF) or after one
    /// rounding (8 bits times a scale).
    pub dtype: Dtype,
    /// The file that holds it.
    pub shard: PathBuf,
}

/// Where a tensor's bytes are and what they mean.
#[derive(Debug)]
pub(crate) struct StoredTensor {
    /// Position in the checkpoint's list of files.
    pub(crate) file: usize,
    /// Where the tensor begins in its file.
    pub(crate) start: u64,
    /// Bytes that it takes there.
    pub(crate) byte_length: usize,
    /// Dimensions, outermost first.
    pub(crate) shape: Vec<usize>,
    /// How its values are stored.
    pub(crate) format: Format,
    /// The dtype's name in the file's format.
    pub(crate) dtype_name: String,
    /// If its rows are stored in llama.cpp's order, the number of heads that they belong to.
    pub(crate) heads: Option<usize>,
    /// If its values are multiplied by stored scales, these.
    pub(crate) scales: Option<Box<ScaleGrid>>,
    /// None if its values are no f32, f16 or bf16, and not read as such.
    pub(crate) info: Option<TensorInfo>,
}

/// How a tensor's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One after the other, in the dtype of its [`TensorInfo`], if it has one.
    Plain,
    /// Quantised in blocks.
    Blocks(BlockType),
    /// Of 8 bits, with scales.
    Float8(Float8),
}
