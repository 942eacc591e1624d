//! The tensors that a GGUF file lists.

use std::collections::BTreeSet;

use super::GgufError;
use super::cursor::Cursor;
use crate::Dtype;
use crate::block_type::BlockType;
use crate::source::Source;

/// The format's limit on dimensions.
const MAX_DIMENSIONS: u32 = 4;

/// ggml's names of types by their number; empty where it has none.
const TYPE_NAMES: [&str; 42] = [
    "F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
    "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64",
    "F64", "IQ1_M", "BF16", "", "", "", "TQ1_0", "TQ2_0", "", "", "", "MXFP4", "NVFP4", "Q1_0",
];

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GgmlType {
    Plain(Dtype),
    Blocks(BlockType),
}

impl GgmlType {
    /// The supported types by their numbers.
    const ALL: [(u32, Self); 11] = [
        (0, Self::Plain(Dtype::F32)),
        (1, Self::Plain(Dtype::F16)),
        (2, Self::Blocks(BlockType::Q4_0)),
        (3, Self::Blocks(BlockType::Q4_1)),
        (6, Self::Blocks(BlockType::Q5_0)),
        (7, Self::Blocks(BlockType::Q5_1)),
        (8, Self::Blocks(BlockType::Q8_0)),
        (12, Self::Blocks(BlockType::Q4K)),
        (13, Self::Blocks(BlockType::Q5K)),
        (14, Self::Blocks(BlockType::Q6K)),
        (30, Self::Plain(Dtype::BF16)),
    ];

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.iter().find(|(of_type, _)| *of_type == number).map(|(_, found)| *found)
    }

    /// ggml's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain(Dtype::F32) => "F32",
            Self::Plain(Dtype::F16) => "F16",
            Self::Plain(Dtype::BF16) => "BF16",
            Self::Blocks(block) => block.name(),
        }
    }

    /// Values that are stored together and the bytes that they take.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Plain(dtype) => (1, dtype.size()),
            Self::Blocks(block) => (block.values(), block.bytes()),
        }
    }
}

/// A tensor that a GGUF file lists.
#[derive(Debug)]
pub(super) struct ListedTensor {
    /// llama.cpp's name.
    pub(super) name: String,
    /// Dimensions, outermost first (the file has them the other way round).
    pub(super) shape: Vec<usize>,
    pub(super) dtype: GgmlType,
    /// In bytes from the beginning of the data.
    pub(super) offset: u64,
    pub(super) byte_length: usize,
}

impl ListedTensor {
    /// That shape and type give no size.
    pub(super) fn size_error(&self) -> GgufError {
        GgufError::Size {
            tensor: self.name.clone(),
            shape: self.shape.iter().map(|&dimension| dimension as u64).collect(),
            dtype: self.dtype.name(),
            block: self.dtype.block().0,
        }
    }
}

/// Reads a list of `count` tensors.
pub(super) fn read_list<S: Source>(cursor: &mut Cursor<'_, S>, count: u64) -> Result<Vec<ListedTensor>, GgufError> {
    const WHAT: &str = "a tensor's description";
    let (mut tensors, mut names) = (Vec::new(), BTreeSet::new());
    // The count may be any number: reading ends with the file.
    for _ in 0..count {
        let name = cursor.text("a tensor's name")?;
        if !names.insert(name.clone()) {
            return Err(GgufError::Repeated { name });
        }
        let dimensions = cursor.u32(WHAT)?;
        if dimensions > MAX_DIMENSIONS {
            return Err(GgufError::Dimensions { tensor: name, got: dimensions });
        }
        let mut shape = (0..dimensions).map(|_| cursor.u64(WHAT)).collect::<Result<Vec<u64>, GgufError>>()?;
        shape.reverse();
        let number = cursor.u32(WHAT)?;
        let offset = cursor.u64(WHAT)?;
        let Some(dtype) = GgmlType::of_number(number) else {
            let got = match TYPE_NAMES.get(number as usize) {
                Some(known) if !known.is_empty() => format!("{number} ({known})"),
                _ => number.to_string(),
            };
            let expected = GgmlType::ALL.map(|(_, supported)| supported.name()).join(", ");
            return Err(GgufError::TensorType { tensor: name, got, expected });
        };
        let Some((shape, byte_length)) = sizes(&shape, dtype) else {
            let (block, _) = dtype.block();
            return Err(GgufError::Size { tensor: name, shape, dtype: dtype.name(), block });
        };
        tensors.push(ListedTensor { name, shape, dtype, offset, byte_length });
    }
    Ok(tensors)
}

/// The shape in this machine's numbers and the bytes of a tensor, if rows are a whole number of blocks.
fn sizes(shape: &[u64], dtype: GgmlType) -> Option<(Vec<usize>, usize)> {
    let (block_values, block_bytes) = dtype.block();
    let shape: Vec<usize> = shape.iter().map(|&dimension| usize::try_from(dimension).ok()).collect::<Option<_>>()?;
    // A scalar is a row of one value.
    if !shape.last().unwrap_or(&1).is_multiple_of(block_values) {
        return None;
    }
    let length = shape.iter().try_fold(1_usize, |length, &dimension| length.checked_mul(dimension))?;
    Some((shape, (length / block_values).checked_mul(block_bytes)?))
}

/// Checks that each tensor begins where the one before it ends, aligned; returns where the last one ends, not aligned,
/// in bytes from the beginning of the data.
pub(super) fn check_layout(tensors: &[ListedTensor], alignment: u64) -> Result<u64, GgufError> {
    let mut in_order: Vec<&ListedTensor> = tensors.iter().collect();
    in_order.sort_by_key(|tensor| (tensor.offset, tensor.byte_length));
    let mut end = 0_u64;
    for tensor in in_order {
        let expected = end.checked_next_multiple_of(alignment).ok_or_else(|| tensor.size_error())?;
        if tensor.offset != expected {
            return Err(GgufError::Offset { tensor: tensor.name.clone(), expected, got: tensor.offset });
        }
        end = expected.checked_add(tensor.byte_length as u64).ok_or_else(|| tensor.size_error())?;
    }
    Ok(end)
}
