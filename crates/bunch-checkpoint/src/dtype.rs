//! The number formats of weights on disk and their conversion from and to f32.

use std::borrow::Cow;
use std::fmt;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use serde::{Deserialize, Serialize};

/// How the weights of a model are stored on disk; in memory they are always f32.
///
/// Serialised as transformers' `torch_dtype`: `float32`, `float16`, `bfloat16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dtype {
    /// IEEE 754 binary32.
    #[serde(rename = "float32")]
    F32,
    /// IEEE 754 binary16: 5 exponent and 10 mantissa bits.
    #[serde(rename = "float16")]
    F16,
    /// The upper half of a binary32: 8 exponent and 7 mantissa bits.
    #[serde(rename = "bfloat16")]
    BF16,
}

impl Dtype {
    /// Bytes per value.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The name that transformers uses in `torch_dtype`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
        }
    }

    /// The values that `bytes` hold in little-endian order, exactly; a NaN stays a NaN.
    ///
    /// `bytes` may have any alignment. A last value that is not complete is left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let bytes = &bytes[..bytes.len() - bytes.len() % self.size()];
        let mut values = vec![0.0_f32; bytes.len() / self.size()];
        match self {
            Self::F32 => bytemuck::cast_slice_mut(&mut values).copy_from_slice(bytes),
            Self::F16 | Self::BF16 => self.decode_words(&half_words(bytes), &mut values),
        }
        values
    }

    /// Writes the values that `bytes` hold in little-endian order to `out`, exactly; a NaN stays a NaN. Both are of the
    /// same number of values; `bytes` may have any alignment.
    ///
    /// # Panics
    /// There are not as many bytes as `out` has values.
    pub fn decode_into(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), out.len() * self.size(), "bytes of {} values", out.len());
        match self {
            Self::F32 => bytemuck::cast_slice_mut(out).copy_from_slice(bytes),
            Self::F16 | Self::BF16 => self.decode_words(&half_words(bytes), out),
        }
    }

    /// Writes the values of the 16-bit `words` to `out`, which has the same length: those of an F16, or else of a BF16.
    pub(crate) fn decode_words(self, words: &[u16], out: &mut [f32]) {
        if self == Self::F16 {
            words.reinterpret_cast::<f16>().convert_to_f32_slice(out);
        } else {
            decode_bf16(words, out);
        }
    }

    /// Appends `values` to `bytes` in little-endian order.
    ///
    /// Rounds to the nearest value of the format, to the one with an even last bit if two are equally near. Values too
    /// large for the format become infinite, a NaN stays a NaN.
    pub fn encode(self, values: &[f32], bytes: &mut Vec<u8>) {
        if self == Self::F32 {
            return bytes.extend_from_slice(bytemuck::cast_slice(values));
        }
        let mut words = vec![0; values.len()];
        self.encode_words(values, &mut words);
        bytes.extend_from_slice(bytemuck::cast_slice(&words));
    }

    /// Writes `values` to `bytes`, which are as many as they take, as [`Dtype::encode`] appends them. Returns as an error the
    /// first value that is finite and would become infinite.
    pub(crate) fn encode_into(self, values: &[f32], bytes: &mut [u8]) -> Result<(), f32> {
        if self == Self::F32 {
            bytes.copy_from_slice(bytemuck::cast_slice(values));
            return Ok(());
        }
        if let Some(value) = self.find_overflow(values) {
            return Err(value);
        }
        match bytemuck::try_cast_slice_mut(bytes) {
            Ok(words) => self.encode_words(values, words),
            Err(_) => {
                let mut words = vec![0; values.len()];
                self.encode_words(values, &mut words);
                bytes.copy_from_slice(bytemuck::cast_slice(&words));
            }
        }
        Ok(())
    }

    /// Writes `values` to the 16-bit `words`, which have the same length: as F16, or else as BF16.
    pub fn encode_words(self, values: &[f32], words: &mut [u16]) {
        if self == Self::F16 {
            words.reinterpret_cast_mut::<f16>().convert_from_f32_slice(values);
        } else {
            encode_bf16(values, words);
        }
    }

    /// The first of `values` that is finite and would become infinite in this format.
    pub(crate) fn find_overflow(self, values: &[f32]) -> Option<f32> {
        // Halfway between the largest finite value and the power of two above it: from here on rounding goes up.
        let first_too_large: u32 = match self {
            Self::F32 => return None,
            Self::F16 => 65520_f32.to_bits(),
            Self::BF16 => 0x7f7f_8000,
        };
        // Infinite values and NaNs are as large, but these were so before: the common case is that there is neither.
        if largest_magnitude(values) < first_too_large {
            return None;
        }
        values.iter().copied().find(|value| value.is_finite() && value.abs().to_bits() >= first_too_large)
    }
}

/// The bits of the largest magnitude.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn largest_magnitude(values: &[f32]) -> u32 {
    values.iter().map(|value| value.to_bits() & 0x7fff_ffff).fold(0, u32::max)
}

/// Writes the values of bfloat16 words.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn decode_bf16(words: &[u16], out: &mut [f32]) {
    for (value, &bits) in out.iter_mut().zip(words) {
        *value = f32::from_bits(u32::from(bits) << 16);
    }
}

/// Writes values as bfloat16 words.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn encode_bf16(values: &[f32], words: &mut [u16]) {
    for (bits, &value) in words.iter_mut().zip(values) {
        *bits = bf16_bits(value);
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `bytes`, of even length, as 16-bit words: a view, or a copy where they are not aligned (the format demands no
/// alignment).
fn half_words(bytes: &[u8]) -> Cow<'_, [u16]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(words) => Cow::Borrowed(words),
        Err(_) => {
            let mut words = vec![0_u16; bytes.len() / 2];
            bytemuck::cast_slice_mut(&mut words).copy_from_slice(bytes);
            Cow::Owned(words)
        }
    }
}

/// Rounds to bfloat16. Adding just under half of the kept last place, plus the last kept bit, carries exactly when
/// round-to-nearest-even does, into the exponent too. Without a branch, so that loops over it become vector code.
#[inline(always)]
fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    // A NaN whose payload lies in the lower half alone would be cut to an infinity: set the quiet bit.
    let quiet_nan = (bits >> 16) | 0x40;
    (if value.is_nan() { quiet_nan } else { rounded }) as u16
}

#[cfg(test)]
mod tests;
