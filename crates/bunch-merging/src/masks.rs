//! Random masks over task vectors (DARE).

use crate::block::{BLOCK, Block, pad};
use crate::consensus::MASK_WORDS;
use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::{Densities, Density, Rescale};
use crate::tensor::TensorAcrossModels;
use crate::trim::{l1_ratio, rescaling_by_density};
use std::array;

mod bit_planes;
mod chacha;
mod magprune;
mod variates;
use bit_planes::{BitPlanes, SPAN_WORDS};
pub(crate) use magprune::MagPrune;

/// Which entries of one expert's task vector survive: an entry is kept if its variate is below the density, so the kept
/// sets of two densities are nested.
#[derive(Debug)]
pub(crate) struct DropMask {
    planes: BitPlanes,
    /// Entries with variates below so many steps of 2^-32 survive.
    threshold: u64,
}

impl DropMask {
    /// The masks of all experts, in their order.
    pub(crate) fn all(tensor: &TensorAcrossModels<'_>, seed: u64, densities: &Densities) -> Vec<Self> {
        let densities = densities.resolve(tensor.experts.len());
        let new = |(expert, density)| Self::new(tensor.name, seed, expert, density);
        densities.into_iter().enumerate().map(new).collect()
    }

    /// The mask of one expert.
    pub(crate) fn new(tensor: &str, seed: u64, expert: usize, density: Density) -> Self {
        // Rounding up: variates are whole steps, so that no comparison changes.
        let threshold = (density.get() * (1_u64 << 32) as f64).ceil() as u64;
        Self { planes: BitPlanes::new(seed, tensor, expert), threshold }
    }

    /// Writes the bits of a block's entries, set where the entry survives, 32 in each word.
    pub(crate) fn write_survivors(&self, block: &Block<'_>, words: &mut [u32; MASK_WORDS]) {
        let bits = self.survivors(block.start(), block.len());
        for (words, bits) in words.as_chunks_mut().0.iter_mut().zip(bits) {
            *words = [bits as u32, (bits >> 32) as u32];
        }
    }

    /// Writes the surviving entries times the factor, and 0 for the dropped ones; `start` is the index of the first.
    pub(crate) fn weigh(&self, factor: f32, start: usize, deltas: &[f32], out: &mut [f32]) {
        weigh_bits(&self.survivors(start, deltas.len()), factor, deltas, out);
    }

    /// One bit for each of the `len` entries from index `start` on, at most a block: set where the entry survives.
    fn survivors(&self, start: usize, len: usize) -> [u64; SPAN_WORDS] {
        let (span, offset) = (start / BLOCK, start % BLOCK);
        let first = self.planes.below(span, self.threshold);
        if offset == 0 {
            return first;
        }
        let mut both = [0; 2 * SPAN_WORDS];
        both[..SPAN_WORDS].copy_from_slice(&first);
        if offset + len > BLOCK {
            both[SPAN_WORDS..].copy_from_slice(&self.planes.below(span + 1, self.threshold));
        }
        let (skipped, shift) = (offset / 64, offset % 64);
        // In two steps, as a shift by 64 would overflow.
        array::from_fn(|word| both[skipped + word] >> shift | both[skipped + word + 1] << 1 << (63 - shift))
    }
}

/// Writes factor * delta where the entry's bit is set, and 0 elsewhere.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn weigh_bits(bits: &[u64], factor: f32, deltas: &[f32], out: &mut [f32]) {
    for ((out, deltas), bits) in out.chunks_mut(64).zip(deltas.chunks(64)).zip(bits) {
        // 32 at a time: the lanes of f32 and of the shifted bits are then equally wide.
        for ((out, deltas), half) in out.chunks_mut(32).zip(deltas.chunks(32)).zip([*bits as u32, (bits >> 32) as u32])
        {
            for (index, (out, delta)) in out.iter_mut().zip(deltas).enumerate() {
                let weighted = factor * delta;
                *out = if half & (1 << index) != 0 { weighted } else { 0.0 };
            }
        }
    }
}

/// The sums of magnitudes of value - base, of all entries and of those whose bit is set, at most a block, accumulated in a
/// fixed number of 64-bit lanes: enough that no addition waits for the one before, and the same on every machine.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn sums_of_magnitudes(bits: &[u64], values: &[f32], base: &[f32]) -> (f64, f64) {
    const LANES: usize = 32;
    let (mut all, mut kept) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let mut add = |values: &[f32; LANES], base: &[f32; LANES], half: u32| {
        for lane in 0..LANES {
            let magnitude = f64::from((values[lane] - base[lane]).abs());
            all[lane] += magnitude;
            kept[lane] += if half & (1 << lane) != 0 { magnitude } else { 0.0 };
        }
    };
    let half = |index: usize| (bits[index / 2] >> (LANES * (index % 2))) as u32;
    let ((chunks, rest), (base, rest_of_base)) = (values.as_chunks(), base.as_chunks());
    for (index, (values, base)) in chunks.iter().zip(base).enumerate() {
        add(values, base, half(index));
    }
    if !rest.is_empty() {
        // The last chunk is filled up with zeros, which change no sum. Apart from the others, whose sums stay in registers.
        add(&pad(rest), &pad(rest_of_base), half(chunks.len()));
    }
    (all.iter().sum(), kept.iter().sum())
}

/// For each expert, its weight times what makes up for the entries that its mask drops; an error if that overflows.
pub(crate) fn rescaled_weights(
    info: &Info,
    tensor: &TensorAcrossModels<'_>,
    masks: &[DropMask],
    weights: &[f32],
    densities: &Densities,
    rescale: Rescale,
) -> Result<Vec<f32>, MergeError> {
    let factors = match rescale {
        Rescale::None => vec![1.0; masks.len()],
        Rescale::Density => densities.resolve(masks.len()).into_iter().map(rescaling_by_density).collect(),
        Rescale::L1 => l1_ratios(tensor, masks)?,
    };
    let rescaled: Vec<f32> = weights.iter().zip(factors).map(|(weight, factor)| weight * factor).collect();
    match rescaled.iter().find(|weight| !weight.is_finite()) {
        Some(&got) => Err(MergeError::NonFiniteParameter { method: info.name, field: "weights", got }),
        None => Ok(rescaled),
    }
}

/// For each expert, the sum of magnitudes of its task vector over that of the entries that its mask keeps. One pass.
fn l1_ratios(tensor: &TensorAcrossModels<'_>, masks: &[DropMask]) -> Result<Vec<f32>, MergeError> {
    let mut sums = vec![(0.0, 0.0); masks.len()];
    tensor.each_block(|block| {
        for (expert, (mask, (before, after))) in masks.iter().zip(&mut sums).enumerate() {
            let bits = mask.survivors(block.start(), block.len());
            let (all, kept) = sums_of_magnitudes(&bits, block.expert(expert), block.base());
            *before += all;
            *after += kept;
        }
    })?;
    Ok(sums.into_iter().map(|(before, after)| l1_ratio(before, after)).collect())
}

#[cfg(test)]
mod tests;
