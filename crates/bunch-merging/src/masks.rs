//! Random masks over task vectors (DARE).

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::{Densities, Density, Rescale};
use crate::tensor::TensorAcrossModels;
use crate::trim::{l1_ratios, rescaling_by_density};
use bunch_random::Stream;
use rand::Rng;
use std::sync::Arc;

/// The variates of one expert's entries, uniform in [0, 1) in steps of 2^-24.
///
/// The stream belongs to purpose, seed, tensor and expert, and an entry's index is its position there: any chunking gives
/// the same values.
#[derive(Debug, Clone)]
pub(crate) struct Variates(Stream);

impl Variates {
    /// The variates for `purpose`, the name of the method or its family.
    pub(crate) fn new(purpose: &str, seed: u64, tensor: &str, expert: usize) -> Self {
        Self(bunch_random::stream(seed, &[purpose, tensor, &expert.to_string()]))
    }

    /// Writes the variates of the entries from index `start` on.
    pub(crate) fn draw(&self, start: usize, out: &mut [f32]) {
        let mut stream = self.0.clone();
        stream.set_word_pos(start as u128);
        let mut words = [0_u8; 4 * 256];
        for out in out.chunks_mut(256) {
            let words = &mut words[..4 * out.len()];
            stream.fill_bytes(words);
            for (variate, word) in out.iter_mut().zip(words.chunks_exact(4)) {
                let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                *variate = (word >> 8) as f32 / (1 << 24) as f32;
            }
        }
    }
}

/// Which entries of one expert's task vector survive: an entry is kept if its variate is below the density, so the kept
/// sets of two densities are nested.
#[derive(Debug)]
pub(crate) struct DropMask {
    variates: Variates,
    cached: Option<Arc<Vec<f32>>>,
    /// Entries with a variate below it survive.
    threshold: f32,
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
        // Variates are whole multiples of 2^-24: rounding the density up to one changes no comparison and makes the
        // threshold exact in f32.
        let steps = f64::from(1 << 24);
        let threshold = ((density.get() * steps).ceil() / steps) as f32;
        Self { variates, cached, threshold }
    }

    /// Writes the surviving entries times the factor, and 0 for the dropped ones; `start` is the index of the first.
    pub(crate) fn weigh(&self, factor: f32, start: usize, deltas: &[f32], out: &mut [f32]) {
        let mut drawn = [0.0; BLOCK];
        let variates = match &self.cached {
            Some(variates) => &variates[start..start + deltas.len()],
            None => {
                let drawn = &mut drawn[..deltas.len()];
                self.variates.draw(start, drawn);
                &*drawn
            }
        };
        for ((out, delta), variate) in out.iter_mut().zip(deltas).zip(variates) {
            let weighted = factor * delta;
            *out = if *variate < self.threshold { weighted } else { 0.0 };
        }
    }
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
        Rescale::L1 => l1_ratios(tensor, |expert, start, deltas, kept| masks[expert].weigh(1.0, start, deltas, kept))?,
    };
    let rescaled: Vec<f32> = weights.iter().zip(factors).map(|(weight, factor)| weight * factor).collect();
    match rescaled.iter().find(|weight| !weight.is_finite()) {
        Some(&got) => Err(MergeError::NonFiniteParameter { method: info.name, field: "weights", got }),
        None => Ok(rescaled),
    }
}

#[cfg(test)]
mod tests;
