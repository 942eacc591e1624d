//! Selecting the largest entries of a task vector (TIES, step 1).

use crate::error::MergeError;
use crate::parameters::Density;
use crate::task_vectors::{TaskVector, multiply};
use crate::tensor::TensorAcrossModels;

/// How many of `len` entries a density keeps: the product rounded down, but at least one if the density is not 0.
pub(crate) fn kept_count(density: Density, len: usize) -> usize {
    if density.get() == 0.0 { 0 } else { ((density.get() * len as f64) as usize).max(1).min(len) }
}

/// Which entries of a task vector are kept: those of largest magnitude, among equal ones those of lower index.
#[derive(Debug)]
pub(crate) enum Trim<'a> {
    /// None.
    Nothing,
    /// All.
    Everything,
    /// Those with a rank below `kept`.
    Ranks { ranks: &'a [u32], kept: u32 },
    /// Those above `magnitude`, and those equal to it up to the index `last`.
    Cutoff { magnitude: f32, last: usize },
}

impl<'a> Trim<'a> {
    /// Keeps the `kept` largest entries: by the cached ranks if there is a cache, else by selection, which is linear in
    /// the number of entries.
    pub(crate) fn new(
        tensor: &TensorAcrossModels<'a>,
        task_vector: &TaskVector<'_>,
        kept: usize,
    ) -> Result<Self, MergeError> {
        let (len, expert) = (tensor.len(), task_vector.expert);
        if kept == 0 {
            return Ok(Self::Nothing);
        }
        if kept >= len {
            return Ok(Self::Everything);
        }
        if let (Some(cache), Some(deltas), Ok(_), Ok(kept)) =
            (tensor.cache, task_vector.cached(), u32::try_from(len), u32::try_from(kept))
        {
            return Ok(Self::Ranks { ranks: cache.ranks(expert, deltas), kept });
        }
        let deltas = tensor.compute_task_vector(tensor.base.unwrap_or_default(), expert)?;
        Ok(Self::cutoff(&deltas, kept))
    }

    /// The cutoff that keeps the `kept` largest of `deltas`, with 0 < kept < deltas.len().
    fn cutoff(deltas: &[f32], kept: usize) -> Self {
        // The bits of non-negative floats are ordered as the floats are.
        let mut bits: Vec<u32> = deltas.iter().map(|delta| delta.abs().to_bits()).collect();
        let (above, &mut cutoff, _) = bits.select_nth_unstable_by(kept - 1, |a, b| b.cmp(a));
        let larger = above.iter().filter(|&&bits| bits > cutoff).count();
        let magnitude = f32::from_bits(cutoff);
        let equal = deltas.iter().enumerate().filter(|(_, delta)| delta.abs() == magnitude);
        let last = equal.map(|(index, _)| index).nth(kept - larger - 1).unwrap_or(deltas.len());
        Self::Cutoff { magnitude, last }
    }

    /// Writes weight * delta for the kept entries and 0 for the others; `start` is the index of the first.
    pub(crate) fn weigh(&self, weight: f32, start: usize, deltas: &[f32], weighted: &mut [f32]) {
        match *self {
            Self::Nothing => weighted.fill(0.0),
            Self::Everything => multiply(weight, deltas, weighted),
            Self::Ranks { ranks, kept } => {
                for ((weighted, delta), rank) in weighted.iter_mut().zip(deltas).zip(&ranks[start..]) {
                    let product = weight * delta;
                    *weighted = if *rank < kept { product } else { 0.0 };
                }
            }
            Self::Cutoff { magnitude, last } => {
                for (index, (weighted, delta)) in weighted.iter_mut().zip(deltas).enumerate() {
                    let product = weight * delta;
                    let kept = (delta.abs() > magnitude) | ((delta.abs() == magnitude) & (start + index <= last));
                    *weighted = if kept { product } else { 0.0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
