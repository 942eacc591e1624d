//! Reading one tensor of a checkpoint, in full or in parts.

use std::cell::RefCell;
use std::path::Path;

use crate::block_type::BlockType;
use crate::float8::{self, ScaleGrid};
use crate::source::{Source, WeightFile};
use crate::stored_tensor::{Format, StoredTensor};
use crate::{CheckpointError, Dtype};

/// Values of 16 bits that are read at a time: 64 KiB, which a processor's cache holds until they are decoded.
const PIECE: usize = 1 << 15;

thread_local! {
    /// What was read and is not decoded yet.
    static SCRATCH: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
}

/// Reads the values of one tensor, from any number of threads.
#[derive(Debug, Clone, Copy)]
pub struct TensorReader<'a> {
    raw: RawReader<'a>,
    dtype: Dtype,
    /// The scales that 8-bit values are multiplied by.
    scales: Option<(&'a ScaleGrid, RawReader<'a>)>,
}

/// Reads the bytes of one tensor of any dtype, from any number of threads.
#[derive(Debug, Clone, Copy)]
pub struct RawReader<'a> {
    source: &'a dyn Source,
    name: &'a str,
    tensor: &'a StoredTensor,
}

impl<'a> TensorReader<'a> {
    /// None if the tensor has no dtype of weights.
    pub(crate) fn new(raw: RawReader<'a>, files: &'a [WeightFile]) -> Option<Self> {
        let info = raw.tensor.info.as_ref()?;
        let reader = |grid: &'a ScaleGrid| RawReader::new(&files[grid.scales.file], raw.name, &grid.scales);
        let scales = raw.tensor.scales.as_deref().map(|grid| (grid, reader(grid)));
        Some(Self { raw, dtype: info.dtype, scales })
    }

    /// The tensor's name.
    pub fn name(&self) -> &'a str {
        self.raw.name
    }

    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &'a [usize] {
        &self.raw.tensor.shape
    }

    /// The dtype that holds the values exactly: the one on disk, or F32 for the quantised types of GGUF.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Number of values, the product of the shape.
    pub fn len(&self) -> usize {
        self.raw.tensor.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The reader of the same tensor's bytes.
    pub fn raw(&self) -> RawReader<'a> {
        self.raw
    }

    /// Reads the values `start..start + out.len()` in row-major order; they are exactly those on
    /// disk, or the products of those on disk and their scales.
    ///
    /// # Errors
    /// The tensor has not so many values; the file cannot be read, or was shortened meanwhile.
    pub fn read(&self, start: usize, out: &mut [f32]) -> Result<(), CheckpointError> {
        self.raw.check_range(start, out.len(), self.len())?;
        match (self.raw.tensor.format, self.dtype) {
            (Format::Float8(format), _) => match self.scales {
                Some((grid, scales)) => float8::read(format, grid, self.raw, scales, start, out),
                // A tensor of this format is made with its scales.
                None => Ok(()),
            },
            (Format::Blocks(block), _) => self.read_blocks(block, start, out),
            (Format::Plain, Dtype::F32) => self.raw.read_bytes(start * 4, bytemuck::cast_slice_mut(out)),
            (Format::Plain, Dtype::F16 | Dtype::BF16) => self.read_words(start, out),
        }
    }

    /// Reads values of 16 bits.
    fn read_words(&self, mut start: usize, out: &mut [f32]) -> Result<(), CheckpointError> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(PIECE, 0);
            for piece in out.chunks_mut(PIECE) {
                let words = &mut scratch[..piece.len()];
                self.raw.read_bytes(start * 2, bytemuck::cast_slice_mut(words))?;
                self.dtype.decode_words(words, piece);
                start += piece.len();
            }
            Ok(())
        })
    }

    /// Reads quantised values: the blocks that they are in.
    fn read_blocks(&self, block: BlockType, start: usize, mut out: &mut [f32]) -> Result<(), CheckpointError> {
        let (values, bytes) = (block.values(), block.bytes());
        // Values at the beginning of the first block that are not asked for.
        let (mut next_block, mut skipped) = (start / values, start % values);
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(PIECE, 0);
            let scratch: &mut [u8] = bytemuck::cast_slice_mut(scratch);
            while !out.is_empty() {
                let count = (skipped + out.len()).div_ceil(values).min(scratch.len() / bytes);
                let blocks = &mut scratch[..count * bytes];
                self.raw.read_bytes(next_block * bytes, blocks)?;
                for bytes in blocks.chunks_exact(bytes) {
                    let taken = (values - skipped).min(out.len());
                    let (head, rest) = std::mem::take(&mut out).split_at_mut(taken);
                    if taken == values {
                        block.dequantize(bytes, head);
                    } else {
                        let mut whole = [0.0; BlockType::MAX_VALUES];
                        block.dequantize(bytes, &mut whole[..values]);
                        head.copy_from_slice(&whole[skipped..][..taken]);
                    }
                    (out, skipped) = (rest, 0);
                }
                next_block += count;
            }
            Ok(())
        })
    }

    /// See [`RawReader::read_bytes`].
    ///
    /// # Errors
    /// Those of [`RawReader::read_bytes`].
    pub fn read_bytes(&self, start_byte: usize, out: &mut [u8]) -> Result<(), CheckpointError> {
        self.raw.read_bytes(start_byte, out)
    }
}

impl<'a> RawReader<'a> {
    pub(crate) fn new(source: &'a dyn Source, name: &'a str, tensor: &'a StoredTensor) -> Self {
        Self { source, name, tensor }
    }

    /// The tensor's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &'a [usize] {
        &self.tensor.shape
    }

    /// The dtype in the file's own spelling: `BF16`, `I64`, or in GGUF `Q4_K`.
    pub fn stored_dtype(&self) -> &'a str {
        &self.tensor.dtype_name
    }

    /// The file that holds the tensor.
    pub fn path(&self) -> &'a Path {
        self.source.path()
    }

    /// Bytes of the tensor as it is stored.
    pub fn byte_length(&self) -> usize {
        self.tensor.byte_length
    }

    /// Reads the bytes `start_byte..start_byte + out.len()` of the tensor as it is stored, little-endian and row-major;
    /// of a GGUF file in Hugging Face's order of rows.
    ///
    /// # Errors
    /// The tensor has not so many bytes; the file cannot be read, or was shortened meanwhile.
    pub fn read_bytes(&self, start_byte: usize, out: &mut [u8]) -> Result<(), CheckpointError> {
        self.check_range(start_byte, out.len(), self.tensor.byte_length)?;
        match self.tensor.heads {
            None => self.read_stored(start_byte, out),
            Some(heads) => self.read_rows(heads, start_byte, out),
        }
    }

    /// Reads rows that belong to `heads` heads and are stored in llama.cpp's order: there the two halves of a head's
    /// rows alternate.
    fn read_rows(&self, heads: usize, mut start_byte: usize, mut out: &mut [u8]) -> Result<(), CheckpointError> {
        let rows = self.tensor.shape.first().copied().unwrap_or(1);
        let half = rows / heads / 2;
        while !out.is_empty() {
            // As there are bytes to read, there are rows, and `half` is not 0.
            let row_bytes = self.tensor.byte_length / rows;
            let (row, skipped) = (start_byte / row_bytes, start_byte % row_bytes);
            let (head, in_head) = (row / (2 * half), row % (2 * half));
            let stored_row = head * 2 * half + in_head % half * 2 + in_head / half;
            let count = (row_bytes - skipped).min(out.len());
            let (part, rest) = std::mem::take(&mut out).split_at_mut(count);
            self.read_stored(stored_row * row_bytes + skipped, part)?;
            start_byte += count;
            out = rest;
        }
        Ok(())
    }

    /// Reads bytes in the order of the file.
    fn read_stored(&self, start_byte: usize, out: &mut [u8]) -> Result<(), CheckpointError> {
        self.source.read_at(self.tensor.start + start_byte as u64, out).map_err(|source| CheckpointError::TensorIo {
            path: self.source.path().to_path_buf(),
            tensor: self.name.to_owned(),
            source,
        })
    }

    /// Checks that `start..start + count` lies in a tensor of `length` values or bytes.
    fn check_range(&self, start: usize, count: usize, length: usize) -> Result<(), CheckpointError> {
        match start.checked_add(count) {
            Some(end) if end <= length => Ok(()),
            _ => Err(CheckpointError::OutOfRange { tensor: self.name.to_owned(), start, count, length }),
        }
    }
}
