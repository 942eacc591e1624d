//! The number formats of ggml that store values in blocks with a common scale.

use half::f16;

/// Values in a block of the K types.
const SUPER_BLOCK: usize = 256;

/// Values in a block of the other types.
const BLOCK: usize = 32;

/// A number format of ggml that stores values in blocks with a common scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockType {
    /// d * (q - 8), q of 4 bits.
    Q4_0,
    /// d * q + m, q of 4 bits.
    Q4_1,
    /// d * (q - 16), q of 5 bits.
    Q5_0,
    /// d * q + m, q of 5 bits.
    Q5_1,
    /// d * q, q of 8 bits.
    Q8_0,
    /// d * s * q - m * t, q of 4 bits; s and t for each 32 values.
    Q4K,
    /// d * s * q - m * t, q of 5 bits; s and t for each 32 values.
    Q5K,
    /// d * s * (q - 32), q of 6 bits; s for each 16 values.
    Q6K,
}

impl BlockType {
    /// ggml's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Values in a block: at most [`BlockType::MAX_VALUES`].
    pub(crate) const fn values(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER_BLOCK,
        }
    }

    /// The most values that a block of any type has.
    pub(crate) const MAX_VALUES: usize = SUPER_BLOCK;

    /// Bytes of a block.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 2 + 2 + BLOCK / 2,
            Self::Q5_0 => 2 + 4 + BLOCK / 2,
            Self::Q5_1 => 2 + 2 + 4 + BLOCK / 2,
            Self::Q8_0 => 2 + BLOCK,
            Self::Q4K => 2 + 2 + 12 + SUPER_BLOCK / 2,
            Self::Q5K => 2 + 2 + 12 + SUPER_BLOCK / 8 + SUPER_BLOCK / 2,
            Self::Q6K => SUPER_BLOCK / 2 + SUPER_BLOCK / 4 + SUPER_BLOCK / 16 + 2,
        }
    }

    /// Writes the values of one block to `out`: the same, bit for bit, as ggml's `dequantize_row_*`.
    ///
    /// `block` has [`BlockType::bytes`] bytes and `out` has [`BlockType::values`] places.
    pub(crate) fn dequantize(self, block: &[u8], out: &mut [f32]) {
        match self {
            Self::Q4_0 => {
                let (d, quants) = (half(block, 0), &block[2..]);
                nibbles(quants, out, |q, _| d * (i32::from(q) - 8) as f32);
            }
            Self::Q4_1 => {
                let (d, m, quants) = (half(block, 0), half(block, 2), &block[4..]);
                nibbles(quants, out, |q, _| d * f32::from(q) + m);
            }
            Self::Q5_0 => {
                let (d, high, quants) = (half(block, 0), &block[2..6], &block[6..]);
                nibbles(quants, out, |q, i| d * (i32::from(q | fifth_bit(high, i)) - 16) as f32);
            }
            Self::Q5_1 => {
                let (d, m, high, quants) = (half(block, 0), half(block, 2), &block[4..8], &block[8..]);
                nibbles(quants, out, |q, i| d * f32::from(q | fifth_bit(high, i)) + m);
            }
            Self::Q8_0 => {
                let d = half(block, 0);
                for (value, &q) in out.iter_mut().zip(&block[2..]) {
                    *value = d * f32::from(q as i8);
                }
            }
            Self::Q4K => dequantize_4_or_5(block, None, &block[16..], out),
            Self::Q5K => dequantize_4_or_5(block, Some(&block[16..48]), &block[48..], out),
            Self::Q6K => dequantize_6(block, out),
        }
    }
}

/// The f16 at byte `at`.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The fifth bit of value `i` in its place.
fn fifth_bit(high: &[u8], i: usize) -> u8 {
    (high[i / 8] >> (i % 8) & 1) << 4
}

/// The first half of the values is in the lower 4 bits of `quants`, the second in the upper ones.
fn nibbles(quants: &[u8], out: &mut [f32], value: impl Fn(u8, usize) -> f32) {
    let (lower, upper) = out.split_at_mut(BLOCK / 2);
    for (i, &pair) in quants.iter().enumerate() {
        lower[i] = value(pair & 0xf, i);
        upper[i] = value(pair >> 4, i + BLOCK / 2);
    }
}

/// Scale and minimum, of 6 bits each, of the `i`th of 8 groups: the first four pairs are in the lower 6 bits of 8
/// bytes, whose upper bits complete the other four.
fn scale_and_minimum(packed: &[u8], i: usize) -> (f32, f32) {
    let (scale, minimum) = if i < 4 {
        (packed[i] & 63, packed[i + 4] & 63)
    } else {
        ((packed[i + 4] & 0xf) | (packed[i - 4] >> 6 << 4), (packed[i + 4] >> 4) | (packed[i] >> 6 << 4))
    };
    (f32::from(scale), f32::from(minimum))
}

/// Q4_K, and Q5_K if `high` holds fifth bits: bit `i` of each byte belongs to the `i`th group of 32 values.
fn dequantize_4_or_5(block: &[u8], high: Option<&[u8]>, quants: &[u8], out: &mut [f32]) {
    let (d, m, packed) = (half(block, 0), half(block, 2), &block[4..16]);
    for (i, group) in out.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(packed, i);
        let (scale, minimum) = (d * scale, m * minimum);
        // Two groups share 32 bytes. Zipped and without a branch per value, so that the loops become vector code.
        let (bytes, shift) = (&quants[i / 2 * 32..][..32], i % 2 * 4);
        match high {
            None => {
                for (value, &byte) in group.iter_mut().zip(bytes) {
                    *value = scale * f32::from(byte >> shift & 0xf) - minimum;
                }
            }
            Some(high) => {
                for ((value, &byte), &bits) in group.iter_mut().zip(bytes).zip(high) {
                    *value = scale * f32::from(byte >> shift & 0xf | (bits >> i & 1) << 4) - minimum;
                }
            }
        }
    }
}

fn dequantize_6(block: &[u8], out: &mut [f32]) {
    let (low, high, scales, d) = (&block[..128], &block[128..192], &block[192..208], half(block, 208));
    for (i, group) in out.chunks_exact_mut(16).enumerate() {
        // Each half of 128 values has 64 bytes of low and 32 bytes of high bits; in it are 4 times 32 values.
        let (side, quarter, at) = (i / 8, i / 2 % 4, i % 2 * 16);
        let low = &low[side * 64 + quarter % 2 * 32 + at..][..16];
        let high = &high[side * 32 + at..][..16];
        let scale = d * f32::from(scales[i] as i8);
        for ((value, &low), &high) in group.iter_mut().zip(low).zip(high) {
            let q = (low >> (quarter / 2 * 4) & 0xf) | (high >> (quarter * 2) & 3) << 4;
            *value = scale * f32::from(q as i8 - 32);
        }
    }
}

#[cfg(test)]
mod tests;
