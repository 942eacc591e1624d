//! Random masks over task vectors (DARE).

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::{Densities, Density, Rescale};
use crate::tensor::TensorAcrossModels;
use crate::trim::{l1_ratios, rescaling_by_density};
use std::sync::Arc;

mod chacha;
mod magprune;
use chacha::{BATCH, WORDS, key_words, write_steps};
pub(crate) use magprune::MagPrune;

/// The number of steps in which a variate goes from 0 to 1: as many as an f32 tells apart.
const STEPS: u32 = 1 << 24;

/// Entries of all experts, at most, for which a tensor's masks are remembered from the first pass: 64 MiB of bits.
const REMEMBERED: usize = 64 << 23;

/// The variates of one expert's entries, uniform in [0, 1) in steps of 2^-24.
///
/// The stream belongs to purpose, seed, tensor and expert, and an entry's index is its position there: any chunking gives
/// the same values.
#[derive(Debug, Clone)]
pub(crate) struct Variates {
    /// Of the stream.
    key: [u32; 8],
}

impl Variates {
    /// The variates for `purpose`, the name of the method or its family.
    pub(crate) fn new(purpose: &str, seed: u64, tensor: &str, expert: usize) -> Self {
        let stream = bunch_random::stream(seed, &[purpose, tensor, &expert.to_string()]);
        Self { key: key_words(stream.get_seed()) }
    }

    /// Writes the variates of the entries from index `start` on.
    pub(crate) fn draw(&self, start: usize, out: &mut [f32]) {
        let mut steps = [0; 256];
        for (start, out) in (start..).step_by(256).zip(out.chunks_mut(256)) {
            let steps = &mut steps[..out.len()];
            self.draw_steps(start, steps);
            for (variate, step) in out.iter_mut().zip(steps) {
                *variate = *step as f32 / STEPS as f32;
            }
        }
    }

    /// As [`draw`](Self::draw), in whole steps.
    pub(crate) fn draw_steps(&self, start: usize, out: &mut [u32]) {
        let mut steps = [0; BATCH];
        let (mut block, mut skipped) = ((start / WORDS) as u64, start % WORDS);
        let mut rest = out;
        while !rest.is_empty() {
            write_steps(&self.key, block, &mut steps);
            let count = (BATCH - skipped).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&steps[skipped..skipped + count]);
            (block, skipped, rest) = (block + (BATCH / WORDS) as u64, 0, later);
        }
    }
}

/// Which entries of one expert's task vector survive: an entry is kept if its variate is below the density, so the kept
/// sets of two densities are nested.
#[derive(Debug)]
pub(crate) struct DropMask {
    variates: Variates,
    cached: Option<Arc<Vec<u32>>>,
    /// Entries with fewer steps survive.
    threshold: u32,
    /// One bit for each entry that survives, once they are known.
    kept: Vec<u64>,
}

impl DropMask {
    /// The masks of all experts, in their order.
    pub(crate) fn all(tensor: &TensorAcrossModels<'_>, seed: u64, densities: &Densities) -> Vec<Self> {
        let densities = densities.resolve(tensor.experts.len());
        let new = |(expert, density)| Self::new(tensor, seed, expert, density);
        densities.into_iter().enumerate().map(new).collect()
    }

    fn new(tensor: &TensorAcrossModels<'_>, seed: u64, expert: usize, density: Density) -> Self {
        let variates = Variates::new("dare", seed, tensor.name, expert);
        let cached = tensor.cache.map(|cache| cache.variates(seed, tensor, expert, &variates));
        // Rounding up: variates are whole steps, so that no comparison changes.
        let threshold = (density.get() * f64::from(STEPS)).ceil() as u32;
        Self { variates, cached, threshold, kept: Vec::new() }
    }

    /// Writes the surviving entries times the factor, and 0 for the dropped ones; `start` is the index of the first.
    pub(crate) fn weigh(&self, factor: f32, start: usize, deltas: &[f32], out: &mut [f32]) {
        if start.is_multiple_of(64) && !self.kept.is_empty() {
            return weigh_bits(&self.kept[start / 64..], factor, deltas, out);
        }
        let mut drawn = [0; BLOCK];
        weigh_steps(self.steps(start, &mut drawn[..deltas.len()]), self.threshold, factor, deltas, out);
    }

    /// The variates of the entries from index `start` on: cached, or drawn into `drawn`, which is as long.
    fn steps<'a>(&'a self, start: usize, drawn: &'a mut [u32]) -> &'a [u32] {
        match &self.cached {
            Some(steps) => &steps[start..start + drawn.len()],
            None => {
                self.variates.draw_steps(start, drawn);
                drawn
            }
        }
    }

    /// Remembers which entries of a block survive; blocks come in order, and all but the last are multiples of 64 long.
    fn remember(&mut self, start: usize, len: usize) {
        let mut drawn = [0; BLOCK];
        let threshold = self.threshold;
        let mut bits = [0; BLOCK / 64];
        let bits = &mut bits[..len.div_ceil(64)];
        survivors(self.steps(start, &mut drawn[..len]), threshold, bits);
        self.kept.extend_from_slice(bits);
    }
}

/// Writes factor * delta where there are fewer steps than the threshold, and 0 elsewhere.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn weigh_steps(steps: &[u32], threshold: u32, factor: f32, deltas: &[f32], out: &mut [f32]) {
    for ((out, delta), step) in out.iter_mut().zip(deltas).zip(steps) {
        let weighted = factor * delta;
        *out = if *step < threshold { weighted } else { 0.0 };
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
                *out = if (half >> index) & 1 == 1 { weighted } else { 0.0 };
            }
        }
    }
}

/// Writes a bit for each entry: set where there are fewer steps than the threshold.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn survivors(steps: &[u32], threshold: u32, bits: &mut [u64]) {
    for (bits, steps) in bits.iter_mut().zip(steps.chunks(64)) {
        *bits = steps.iter().enumerate().fold(0, |bits, (index, step)| bits | u64::from(*step < threshold) << index);
    }
}

/// For each expert, its weight times what makes up for the entries that its mask drops; an error if that overflows.
pub(crate) fn rescaled_weights(
    info: &Info,
    tensor: &TensorAcrossModels<'_>,
    masks: &mut [DropMask],
    weights: &[f32],
    densities: &Densities,
    rescale: Rescale,
) -> Result<Vec<f32>, MergeError> {
    let factors = match rescale {
        Rescale::None => vec![1.0; masks.len()],
        Rescale::Density => densities.resolve(masks.len()).into_iter().map(rescaling_by_density).collect(),
        Rescale::L1 => {
            let remembers = tensor.cache.is_none() && tensor.len().saturating_mul(masks.len()) <= REMEMBERED;
            l1_ratios(tensor, |expert, start, deltas, kept| {
                if remembers {
                    masks[expert].remember(start, deltas.len());
                }
                masks[expert].weigh(1.0, start, deltas, kept);
            })?
        }
    };
    let rescaled: Vec<f32> = weights.iter().zip(factors).map(|(weight, factor)| weight * factor).collect();
    match rescaled.iter().find(|weight| !weight.is_finite()) {
        Some(&got) => Err(MergeError::NonFiniteParameter { method: info.name, field: "weights", got }),
        None => Ok(rescaled),
    }
}

#[cfg(test)]
mod tests;
