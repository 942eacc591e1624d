//! Selecting the largest entries of task vectors (TIES, step 1).

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::parameters::{Densities, Density, Rescale};
use crate::selection::{Cutoff, find_cutoffs};
use crate::task_vectors::{multiply, sums_of_magnitudes};
use crate::tensor::TensorAcrossModels;
use std::sync::Arc;

/// How many of `len` entries a density keeps: the product rounded down, but at least one if the density is not 0.
pub(crate) fn kept_count(density: Density, len: usize) -> usize {
    if density.get() == 0.0 { 0 } else { ((density.get() * len as f64) as usize).max(1).min(len) }
}

/// [`kept_count`] for each expert.
pub(crate) fn kept_counts(densities: &Densities, tensor: &TensorAcrossModels<'_>) -> Vec<usize> {
    let densities = densities.resolve(tensor.experts.len());
    densities.into_iter().map(|density| kept_count(density, tensor.len())).collect()
}

/// Which entries of a task vector are kept: those of largest magnitude, among equal ones those of lower index.
#[derive(Debug)]
pub(crate) enum Trim {
    /// None.
    Nothing,
    /// All.
    Everything,
    /// Those with a rank in the range.
    Ranks { ranks: Arc<Vec<u32>>, first: u32, end: u32 },
    /// Those that `keeps` keeps and `drops` does not.
    Cutoffs { keeps: Cutoff, drops: Option<Cutoff> },
}

impl Trim {
    /// For each expert, keeps the `kept` largest entries: by the cached ranks if there is a cache, else by selection.
    pub(crate) fn largest(tensor: &TensorAcrossModels<'_>, kept: &[usize]) -> Result<Vec<Self>, MergeError> {
        Self::bands(tensor, &kept.iter().map(|&kept| (0, kept)).collect::<Vec<_>>())
    }

    /// For each expert, drops the `dropped` largest entries and keeps the `kept` next ones.
    pub(crate) fn bands(tensor: &TensorAcrossModels<'_>, bands: &[(usize, usize)]) -> Result<Vec<Self>, MergeError> {
        let len = tensor.len();
        let keeps_ranks = tensor.cache.is_some_and(|cache| !cache.is_small());
        let mut trims = Vec::with_capacity(bands.len());
        // (expert, count): which cutoffs have to be found.
        let mut wanted = Vec::new();
        for (expert, &(dropped, kept)) in bands.iter().enumerate() {
            let end = dropped.saturating_add(kept).min(len);
            trims.push(if kept == 0 || dropped >= len {
                Self::Nothing
            } else if dropped == 0 && end == len {
                Self::Everything
            } else if let (true, Ok(end)) = (keeps_ranks, u32::try_from(end)) {
                Self::Ranks { ranks: ranks(tensor, expert)?, first: dropped as u32, end }
            } else {
                wanted.extend([end, dropped].into_iter().filter(|&count| count > 0).map(|count| (expert, count)));
                let placeholder = Cutoff { magnitude: 0.0, last: usize::MAX };
                Self::Cutoffs { keeps: placeholder, drops: None }
            });
        }
        let counts: Vec<usize> = wanted.iter().map(|&(_, count)| count).collect();
        let found = find_cutoffs(tensor, &counts, |block, stream, deltas| {
            block.task_vector(wanted[stream].0, deltas);
        })?;
        for (&(expert, count), cutoff) in wanted.iter().zip(found) {
            if let Some(Self::Cutoffs { keeps, drops }) = trims.get_mut(expert) {
                if count == bands[expert].0 {
                    *drops = Some(cutoff);
                } else {
                    *keeps = cutoff;
                }
            }
        }
        Ok(trims)
    }

    /// Writes weight * delta for the kept entries and 0 for the others; `start` is the index of the first.
    pub(crate) fn weigh(&self, weight: f32, start: usize, deltas: &[f32], weighted: &mut [f32]) {
        match self {
            Self::Nothing => weighted.fill(0.0),
            Self::Everything => multiply(weight, deltas, weighted),
            Self::Ranks { ranks, first, end } => {
                weigh_ranks(&ranks[start..], (*first, *end), weight, deltas, weighted);
            }
            Self::Cutoffs { keeps, drops } => {
                weigh_kept(keeps, weight, start, deltas, weighted);
                if let Some(drops) = drops {
                    erase_kept(drops, start, deltas, weighted);
                }
            }
        }
    }
}

/// For each entry of an expert's task vector, how many entries come before it by magnitude, largest first and equal
/// magnitudes by index. There must be at most 2^32 entries.
fn ranks(tensor: &TensorAcrossModels<'_>, expert: usize) -> Result<Arc<Vec<u32>>, MergeError> {
    tensor.remember_large("ranks", expert, || {
        let mut deltas = vec![0.0; tensor.len()];
        tensor.each_block(|block| {
            block.task_vector(expert, &mut deltas[block.start()..]);
        })?;
        // Sorting (inverted magnitude, index) pairs packed into one integer is several times faster than sorting indices
        // by a key looked up in memory. The bits of non-negative floats are ordered as the floats are.
        let mut order: Vec<u64> = deltas
            .iter()
            .enumerate()
            .map(|(index, delta)| u64::from(!delta.abs().to_bits()) << 32 | index as u64)
            .collect();
        order.sort_unstable();
        let mut ranks = vec![0; deltas.len()];
        for (rank, packed) in order.into_iter().enumerate() {
            ranks[packed as u32 as usize] = rank as u32;
        }
        Ok(ranks)
    })
}

/// Writes weight * delta for the entries with a rank from `first` to before `end`, and 0 for the others.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn weigh_ranks(ranks: &[u32], (first, end): (u32, u32), weight: f32, deltas: &[f32], weighted: &mut [f32]) {
    for ((weighted, delta), rank) in weighted.iter_mut().zip(deltas).zip(ranks) {
        let product = weight * delta;
        *weighted = if (*rank >= first) & (*rank < end) { product } else { 0.0 };
    }
}

/// Writes weight * delta for what `cutoff` keeps, and 0 for the others. Only the block in which the last equal entry lies
/// has to look at indices; the loops of all others run in parallel lanes.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn weigh_kept(cutoff: &Cutoff, weight: f32, start: usize, deltas: &[f32], weighted: &mut [f32]) {
    let magnitude = cutoff.magnitude;
    if start > cutoff.last {
        for (weighted, delta) in weighted.iter_mut().zip(deltas) {
            let product = weight * delta;
            *weighted = if delta.abs() > magnitude { product } else { 0.0 };
        }
    } else if cutoff.last - start >= deltas.len() {
        for (weighted, delta) in weighted.iter_mut().zip(deltas) {
            let product = weight * delta;
            *weighted = if delta.abs() >= magnitude { product } else { 0.0 };
        }
    } else {
        for (index, (weighted, delta)) in (start..).zip(weighted.iter_mut().zip(deltas)) {
            *weighted = if cutoff.keeps(index, delta.abs()) { weight * delta } else { 0.0 };
        }
    }
}

/// Writes 0 for what `cutoff` keeps; as [`weigh_kept`].
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn erase_kept(cutoff: &Cutoff, start: usize, deltas: &[f32], weighted: &mut [f32]) {
    let magnitude = cutoff.magnitude;
    if start > cutoff.last {
        for (weighted, delta) in weighted.iter_mut().zip(deltas) {
            *weighted = if delta.abs() > magnitude { 0.0 } else { *weighted };
        }
    } else if cutoff.last - start >= deltas.len() {
        for (weighted, delta) in weighted.iter_mut().zip(deltas) {
            *weighted = if delta.abs() >= magnitude { 0.0 } else { *weighted };
        }
    } else {
        for (index, (weighted, delta)) in (start..).zip(weighted.iter_mut().zip(deltas)) {
            *weighted = if cutoff.keeps(index, delta.abs()) { 0.0 } else { *weighted };
        }
    }
}

/// For each expert, its weight times what makes up for the entries that its trim drops.
pub(crate) fn rescaled_weights(
    tensor: &TensorAcrossModels<'_>,
    trims: &[Trim],
    weights: &[f32],
    densities: &Densities,
    rescale: Rescale,
) -> Result<Vec<f32>, MergeError> {
    let factors = match rescale {
        Rescale::None => return Ok(weights.to_vec()),
        Rescale::Density => densities.resolve(weights.len()).into_iter().map(rescaling_by_density).collect(),
        Rescale::L1 => l1_ratios(tensor, |expert, start, deltas, kept| trims[expert].weigh(1.0, start, deltas, kept))?,
    };
    Ok(weights.iter().zip(factors).map(|(weight, factor)| weight * factor).collect())
}

/// 1/density; 1 for a density of 0, where nothing is kept that could be rescaled.
pub(crate) fn rescaling_by_density(density: Density) -> f32 {
    if density.get() > 0.0 { (1.0 / density.get()) as f32 } else { 1.0 }
}

/// For each expert, the sum of magnitudes of its task vector over that of the entries that `keep` keeps (it writes 0 for
/// the others); 1 where either is below 1e-7, as in mergekit. One pass.
pub(crate) fn l1_ratios(
    tensor: &TensorAcrossModels<'_>,
    mut keep: impl FnMut(usize, usize, &[f32], &mut [f32]),
) -> Result<Vec<f32>, MergeError> {
    let mut sums = vec![(0.0, 0.0); tensor.experts.len()];
    let (mut deltas, mut kept) = ([0.0; BLOCK], [0.0; BLOCK]);
    tensor.each_block(|block| {
        for (expert, (before, after)) in sums.iter_mut().enumerate() {
            let deltas = block.task_vector(expert, &mut deltas);
            let kept = &mut kept[..block.len()];
            keep(expert, block.start(), deltas, kept);
            let sums = sums_of_magnitudes(deltas, kept);
            *before += sums.0;
            *after += sums.1;
        }
    })?;
    Ok(sums.into_iter().map(|(before, after)| l1_ratio(before, after)).collect())
}

/// One sum of magnitudes over another; 1 where either is below 1e-7, as in mergekit.
pub(crate) fn l1_ratio(before: f64, after: f64) -> f32 {
    if before < 1e-7 || after < 1e-7 { 1.0 } else { (before / after) as f32 }
}

#[cfg(test)]
mod tests;
