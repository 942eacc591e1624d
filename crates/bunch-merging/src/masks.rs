//! Random masks over task vectors (DARE).

use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::{Densities, Density, Rescale};
use crate::task_vectors::{BLOCK, TaskVector};
use crate::tensor::TensorAcrossModels;
use std::sync::Arc;

/// Draws the variates of an expert's entries `start..start + out.len()`, uniform in [0, 1) in steps of 2^-24.
///
/// The stream belongs to seed, tensor and expert, and an entry's index is its position there: any chunking gives the
/// same values. An entry is kept if its variate is below the density, so the kept sets of two densities are nested.
pub(crate) fn draw_variates(seed: u64, tensor: &str, expert: usize, start: usize, out: &mut [f32]) {
    use rand::Rng;
    let mut stream = bunch_random::stream(seed, &["dare", tensor, &expert.to_string()]);
    stream.set_word_pos(start as u128);
    for variate in out {
        *variate = (stream.next_u32() >> 8) as f32 / (1 << 24) as f32;
    }
}

/// Which entries of one expert's task vector survive, and what they are multiplied by.
#[derive(Debug)]
pub(crate) struct DropMask<'a> {
    seed: u64,
    tensor: &'a str,
    expert: usize,
    cached: Option<Arc<Vec<f32>>>,
    /// Entries with a variate below it survive.
    threshold: f32,
    /// The expert's weight times the rescaling factor.
    factor: f32,
}

impl<'a> DropMask<'a> {
    /// The masks of all experts, in their order.
    pub(crate) fn all(
        info: &Info,
        tensor: &TensorAcrossModels<'a>,
        seed: u64,
        task_vectors: &[TaskVector<'_>],
        weights: &[f32],
        densities: &Densities,
        rescale: Rescale,
    ) -> Result<Vec<Self>, MergeError> {
        let densities = densities.resolve(task_vectors.len());
        let entries = task_vectors.iter().zip(weights).zip(densities);
        entries
            .map(|((task_vector, &weight), density)| {
                Self::new(info, tensor, seed, task_vector, weight, (density, rescale))
            })
            .collect()
    }

    /// The mask of one expert; an error if its weight times the rescaling factor overflows.
    fn new(
        info: &Info,
        tensor: &TensorAcrossModels<'a>,
        seed: u64,
        task_vector: &TaskVector<'_>,
        weight: f32,
        (density, rescale): (Density, Rescale),
    ) -> Result<Self, MergeError> {
        let expert = task_vector.expert;
        let cached = tensor.cache.map(|cache| cache.variates(seed, tensor, expert));
        // Variates are whole multiples of 2^-24: rounding the density up to one changes no comparison and makes the
        // threshold exact in f32.
        let steps = f64::from(1 << 24);
        let threshold = ((density.get() * steps).ceil() / steps) as f32;
        let mut mask = Self { seed, tensor: tensor.name, expert, cached, threshold, factor: 1.0 };
        let rescaling = match rescale {
            Rescale::None => 1.0,
            Rescale::Density if density.get() > 0.0 => (1.0 / density.get()) as f32,
            Rescale::Density => 1.0,
            Rescale::L1 => mask.l1_ratio(tensor, task_vector)?,
        };
        mask.factor = weight * rescaling;
        if !mask.factor.is_finite() {
            return Err(MergeError::NonFiniteParameter { method: info.name, field: "weights", got: mask.factor });
        }
        Ok(mask)
    }

    /// Writes the surviving entries times the factor, and 0 for the dropped ones; `start` is the index of the first.
    pub(crate) fn weigh(&self, start: usize, deltas: &[f32], out: &mut [f32]) {
        let mut drawn = [0.0; BLOCK];
        let variates = match &self.cached {
            Some(variates) => &variates[start..start + deltas.len()],
            None => {
                let drawn = &mut drawn[..deltas.len()];
                draw_variates(self.seed, self.tensor, self.expert, start, drawn);
                &*drawn
            }
        };
        for ((out, delta), variate) in out.iter_mut().zip(deltas).zip(variates) {
            let weighted = self.factor * delta;
            *out = if *variate < self.threshold { weighted } else { 0.0 };
        }
    }

    /// The sum of magnitudes of the task vector over that of its surviving entries; 1 where either is below 1e-7.
    fn l1_ratio(&self, tensor: &TensorAcrossModels<'_>, task_vector: &TaskVector<'_>) -> Result<f32, MergeError> {
        let (mut before, mut after) = (0.0, 0.0);
        let (mut scratch, mut kept) = ([0.0; BLOCK], [0.0; BLOCK]);
        for start in (0..tensor.len()).step_by(BLOCK) {
            let end = tensor.len().min(start + BLOCK);
            let deltas = task_vector.block(tensor, start..end, &mut scratch)?;
            let kept = &mut kept[..deltas.len()];
            self.weigh(start, deltas, kept);
            before += sum_of_magnitudes(deltas);
            after += sum_of_magnitudes(kept);
        }
        Ok(if before < 1e-7 || after < 1e-7 { 1.0 } else { (before / after) as f32 })
    }
}

/// The sum of magnitudes, accumulated in a fixed number of 64-bit lanes: fast, and the same on every machine.
fn sum_of_magnitudes(values: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let lanes = values.chunks_exact(LANES);
    let rest: f64 = lanes.remainder().iter().map(|value| f64::from(value.abs())).sum();
    for values in lanes {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value.abs());
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests;
