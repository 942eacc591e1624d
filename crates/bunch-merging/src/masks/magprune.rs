//! Random masks that spare the large entries of each row (DELLA's MAGPRUNE).

use super::variates::Variates;
use super::weigh_bits;
use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::{Densities, Density, PerExpert, Rescale, Spread};
use crate::task_vectors::sums_of_magnitudes;
use crate::tensor::TensorAcrossModels;
use crate::trim::l1_ratio;

/// The longest row that can be ranked: an index has 33 bits next to the 31 bits of a magnitude.
const LONGEST_ROW: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 33;

/// Entries of all experts, at most, for which a tensor's masks are remembered from the first pass: 64 MiB of bits.
const REMEMBERED: usize = 64 << 23;

/// What is kept of the task vectors of all experts, and how it is weighed.
#[derive(Debug)]
pub(crate) struct MagPrune {
    masks: Vec<RankedMask>,
    /// What each expert's kept entries are multiplied by.
    factors: Vec<f32>,
    /// Whether each kept entry is also divided by the probability with which it was kept.
    divides: bool,
}

impl MagPrune {
    /// Demands an entry for each expert and, unless a density is 0 or 1, probabilities between 0 and 1.
    pub(crate) fn validate(
        info: &Info,
        densities: &Densities,
        spreads: &PerExpert<Spread>,
        experts: usize,
    ) -> Result<(), MergeError> {
        densities.validate(info, experts)?;
        spreads.validate(info, experts)?;
        let probabilities = densities.resolve(experts).into_iter().zip(spreads.resolve(experts));
        for (density, spread) in probabilities {
            let (density, spread) = (density.get(), spread.get());
            if 0.0 < density && density < 1.0 && !(density - spread > 0.0 && density + spread < 1.0) {
                return Err(MergeError::Parameter {
                    method: info.name,
                    field: "epsilon",
                    expected: "density - epsilon above 0 and density + epsilon below 1",
                    got: format!("{spread} for a density of {density}"),
                });
            }
        }
        Ok(())
    }

    /// The masks of a tensor, drawn from `seed`. Rescaling by L1 takes one pass.
    pub(crate) fn new(
        info: &Info,
        tensor: &TensorAcrossModels<'_>,
        seed: u64,
        densities: &Densities,
        spreads: &PerExpert<Spread>,
        weights: &[f32],
        rescale: Rescale,
    ) -> Result<Self, MergeError> {
        let experts = tensor.experts.len();
        if tensor.row_len() > LONGEST_ROW {
            let reason = format!("a row has {} values, expected at most {LONGEST_ROW}", tensor.row_len());
            return Err(MergeError::Degenerate { method: info.name, tensor: tensor.name.into(), reason });
        }
        let probabilities = densities.resolve(experts).into_iter().zip(spreads.resolve(experts));
        let masks = probabilities.enumerate().map(|(expert, (density, spread))| {
            let variates = Variates::new("della", seed, tensor.name, expert);
            RankedMask::new(variates, density, spread)
        });
        let mut masks: Vec<RankedMask> = masks.collect();
        let factors = match rescale {
            Rescale::None | Rescale::Density => weights.to_vec(),
            Rescale::L1 => {
                weights.iter().zip(l1_ratios(tensor, &mut masks)?).map(|(weight, ratio)| weight * ratio).collect()
            }
        };
        Ok(Self { masks, factors, divides: rescale == Rescale::Density })
    }

    /// Writes the surviving entries of an expert's row, weighed, and 0 for the dropped ones; `start` is the index of the
    /// row's first entry.
    pub(crate) fn weigh(&self, expert: usize, start: usize, deltas: &[f32], out: &mut [f32]) {
        self.masks[expert].weigh(self.factors[expert], self.divides, start, deltas, out);
    }
}

/// For each expert, the sum of magnitudes of its task vector over that of what its mask keeps, which the masks remember
/// unless that takes too much memory: ranking is by far the slowest part.
fn l1_ratios(tensor: &TensorAcrossModels<'_>, masks: &mut [RankedMask]) -> Result<Vec<f32>, MergeError> {
    let row_len = tensor.row_len().max(1);
    let bits = (tensor.len() / row_len).saturating_mul(row_len.next_multiple_of(64)).saturating_mul(masks.len());
    let mut sums = vec![(0.0, 0.0, Vec::new()); masks.len()];
    let (mut deltas, mut kept) = (vec![0.0; row_len], vec![0.0; row_len]);
    tensor.each_row(|row| {
        for (expert, (mask, (before, after, survivors))) in masks.iter().zip(&mut sums).enumerate() {
            let deltas = row.task_vector(expert, &mut deltas);
            mask.weigh(1.0, false, row.start(), deltas, &mut kept);
            let sums = sums_of_magnitudes(deltas, &kept);
            *before += sums.0;
            *after += sums.1;
            if bits <= REMEMBERED {
                survivors.extend(kept.chunks(64).map(survivor_bits));
            }
        }
    })?;
    let ratios = masks.iter_mut().zip(sums).map(|(mask, (before, after, survivors))| {
        mask.kept = survivors;
        l1_ratio(before, after)
    });
    Ok(ratios.collect())
}

/// One bit for each of up to 64 entries, set where it is not 0.
fn survivor_bits(kept: &[f32]) -> u64 {
    kept.iter().enumerate().fold(0, |bits, (index, value)| bits | u64::from(*value != 0.0) << index)
}

/// Which entries of one expert's task vector survive: an entry is kept if its variate is below a probability that grows
/// with the entry's rank by magnitude within its row.
#[derive(Debug)]
struct RankedMask {
    variates: Variates,
    /// Of the smallest entry of a row.
    lowest: f64,
    /// Of the largest entry of a row.
    highest: f64,
    /// Of the only entry of a row.
    density: f64,
    /// One bit for each entry that survives, once they are known; each row begins with a new word.
    kept: Vec<u64>,
}

impl RankedMask {
    fn new(variates: Variates, density: Density, spread: Spread) -> Self {
        let density = density.get();
        // Where everything or nothing is kept there are no probabilities to spread.
        let spread = if 0.0 < density && density < 1.0 { spread.get() } else { 0.0 };
        Self { variates, lowest: density - spread, highest: density + spread, density, kept: Vec::new() }
    }

    /// Writes the surviving entries of a row times the factor, divided by their probabilities if `divides` says so, and 0
    /// for the dropped ones; `start` is the index of the row's first entry. Masks that remember do not divide.
    fn weigh(&self, factor: f32, divides: bool, start: usize, deltas: &[f32], out: &mut [f32]) {
        if !self.kept.is_empty() {
            let row = start / deltas.len();
            return weigh_bits(&self.kept[row * deltas.len().div_ceil(64)..], factor, deltas, out);
        }
        self.variates.draw(start, out);
        let weigh = |variate: &mut f32, delta: f32, probability: f64| {
            let weighted =
                if divides { (f64::from(factor) * f64::from(delta) / probability) as f32 } else { factor * delta };
            *variate = if f64::from(*variate) < probability { weighted } else { 0.0 };
        };
        if self.lowest == self.highest || deltas.len() < 2 {
            return out.iter_mut().zip(deltas).for_each(|(variate, &delta)| weigh(variate, delta, self.density));
        }
        // Magnitude and index packed into one integer: the bits of non-negative floats are ordered as the floats are.
        let pack = |(index, delta): (usize, &f32)| u64::from(delta.abs().to_bits()) << INDEX_BITS | index as u64;
        let mut order: Vec<u64> = deltas.iter().enumerate().map(pack).collect();
        order.sort_unstable();
        let step = (self.highest - self.lowest) / (deltas.len() - 1) as f64;
        for (rank, packed) in order.into_iter().enumerate() {
            let index = packed as usize & (LONGEST_ROW - 1);
            weigh(&mut out[index], deltas[index], self.lowest + rank as f64 * step);
        }
    }
}

#[cfg(test)]
mod tests;
