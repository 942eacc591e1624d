//! Weights in 8-bit floating point with stored scales, as they are published for fast inference.

use half::f16;

use crate::reader::RawReader;
use crate::stored_tensor::StoredTensor;
use crate::{CheckpointError, Dtype};

/// A floating-point format of 8 bits (Micikevicius et al. 2022).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Float8 {
    /// 4 exponent and 3 mantissa bits, no infinities.
    E4M3,
    /// The upper half of a binary16.
    E5M2,
}

impl Float8 {
    /// The format that a safetensors header spells `name`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "F8_E4M3" => Some(Self::E4M3),
            "F8_E5M2" => Some(Self::E5M2),
            _ => None,
        }
    }

    /// The value of a byte, exactly.
    pub(crate) fn value(self, byte: u8) -> f32 {
        match self {
            Self::E5M2 => f16::from_bits(u16::from(byte) << 8).to_f32(),
            Self::E4M3 => {
                let (exponent, mantissa) = (u32::from(byte >> 3 & 15), u32::from(byte & 7));
                let size = match (exponent, mantissa) {
                    (15, 7) => f32::NAN,
                    // Subnormal: eighths of 2^-6.
                    (0, _) => mantissa as f32 / 512.0,
                    _ => f32::from_bits((exponent + 120) << 23 | mantissa << 20),
                };
                if byte >> 7 == 1 { -size } else { size }
            }
        }
    }
}

/// The scales of a matrix: each entry is multiplied by the one of its block.
#[derive(Debug)]
pub(crate) struct ScaleGrid {
    /// The scales, one for each block.
    pub(crate) scales: StoredTensor,
    /// Their dtype.
    pub(crate) dtype: Dtype,
    /// Rows and columns of a block.
    pub(crate) block: [usize; 2],
    /// Blocks beside each other.
    pub(crate) columns: usize,
}

impl ScaleGrid {
    /// The grid of `scales` over a matrix, with blocks of size `block` if the configuration says one: one scale for all,
    /// for each row, for each column, or for each block. None if the shapes do not fit.
    pub(crate) fn new(scales: StoredTensor, matrix: &[usize], block: Option<[usize; 2]>) -> Option<Self> {
        let &[rows, columns] = matrix else { return None };
        let dtype = scales.info.as_ref()?.dtype;
        let grid = match scales.shape[..] {
            [] | [1] => [1, 1],
            [count] if count == rows => [rows, 1],
            [down, across] => [down, across],
            _ => return None,
        };
        let size = |at: usize, length: usize| match (grid[at], block.map(|block| block[at])) {
            (1, _) => Some(length.max(1)),
            (count, _) if count == length => Some(1),
            (count, Some(size)) if size > 0 => (length.div_ceil(size) == count).then_some(size),
            (count, _) => (count > 0 && length.is_multiple_of(count)).then(|| length / count),
        };
        let block = [size(0, rows)?, size(1, columns)?];
        Some(Self { scales, dtype, block, columns: grid[1] })
    }
}

/// Reads values of a matrix with its scales.
pub(crate) fn read(
    format: Float8,
    grid: &ScaleGrid,
    values: RawReader<'_>,
    scales: RawReader<'_>,
    start: usize,
    out: &mut [f32],
) -> Result<(), CheckpointError> {
    let columns = values.shape().get(1).copied().unwrap_or(1);
    let [block_rows, block_columns] = grid.block;
    let (mut bytes, mut scale_bytes) = (vec![0; out.len()], vec![0; grid.columns * grid.dtype.size()]);
    values.read_bytes(start, &mut bytes)?;
    let mut row_of_scales = vec![0.0; grid.columns];
    let mut known = None;
    let mut done = 0;
    while done < out.len() {
        let (row, column) = ((start + done) / columns, (start + done) % columns);
        if known != Some(row / block_rows) {
            scales.read_bytes(row / block_rows * scale_bytes.len(), &mut scale_bytes)?;
            grid.dtype.decode_into(&scale_bytes, &mut row_of_scales);
            known = Some(row / block_rows);
        }
        // Up to the end of the block or of the row.
        let in_block = block_columns - column % block_columns;
        let count = in_block.min(columns - column).min(out.len() - done);
        let scale = row_of_scales[column / block_columns];
        for (value, &byte) in out[done..done + count].iter_mut().zip(&bytes[done..]) {
            *value = format.value(byte) * scale;
        }
        done += count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Float8;

    #[test]
    fn bytes_have_the_values_of_the_formats() {
        for (byte, value) in
            [(0x00, 0.0), (0x01, 1.0 / 512.0), (0x38, 1.0), (0x7e, 448.0), (0xb8, -1.0), (0x08, 1.0 / 64.0)]
        {
            assert_eq!(Float8::E4M3.value(byte), value, "{byte:#x}");
        }
        assert!(Float8::E4M3.value(0x7f).is_nan() && Float8::E4M3.value(0xff).is_nan());
        for (byte, value) in [(0x3c, 1.0), (0x7b, 57344.0), (0x7c, f32::INFINITY), (0xc0, -2.0)] {
            assert_eq!(Float8::E5M2.value(byte), value, "{byte:#x}");
        }
    }
}
