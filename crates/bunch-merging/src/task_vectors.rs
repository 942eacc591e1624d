//! Merging task vectors block by block and adding the result to the base.

use crate::error::{MergeError, Source};
use crate::info::Info;
use crate::tensor::TensorAcrossModels;
use std::ops::Range;

/// The number of values that are merged at a time: a few such blocks fit the fastest cache.
pub(crate) const BLOCK: usize = 1024;

/// The difference between an expert and the base, taken from the cache or computed where it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskVector<'a> {
    /// The index of the expert.
    pub(crate) expert: usize,
    base: &'a [f32],
    values: &'a [f32],
    cached: Option<&'a [f32]>,
}

impl<'a> TaskVector<'a> {
    /// The task vectors of all experts, for a method that needs a base.
    pub(crate) fn all(info: &Info, tensor: &'a TensorAcrossModels<'a>) -> Result<Vec<Self>, MergeError> {
        let base = tensor.base_for(info)?;
        let new = |(expert, values): (usize, &&'a [f32])| {
            let cached = tensor.cache.map(|cache| cache.task_vector(tensor, base, expert)).transpose()?;
            Ok(Self { expert, base, values, cached })
        };
        tensor.experts.iter().enumerate().map(new).collect()
    }

    /// The entries with indices in `range`, which is at most one block; `scratch` is used if they are not cached.
    pub(crate) fn block<'s>(
        &'s self,
        tensor: &TensorAcrossModels<'_>,
        range: Range<usize>,
        scratch: &'s mut [f32; BLOCK],
    ) -> Result<&'s [f32], MergeError> {
        if let Some(deltas) = self.cached {
            return Ok(&deltas[range]);
        }
        let start = range.start;
        let deltas = &mut scratch[..range.len()];
        for ((delta, value), base) in deltas.iter_mut().zip(&self.values[range.clone()]).zip(&self.base[range]) {
            *delta = value - base;
        }
        tensor.check_finite(Source::TaskVector(self.expert), start, deltas)?;
        Ok(deltas)
    }

    /// The cached entries, all of them, if there is a cache.
    pub(crate) fn cached(&self) -> Option<&'a [f32]> {
        self.cached
    }
}

/// Writes base + scale * merged task vector to `out`.
///
/// `weigh(expert, start, deltas, weighted)` writes what an expert contributes at the entries from index `start` on;
/// `combine(weighted, merged)` merges the contributions of all experts, which lie one after the other in `weighted`,
/// each as long as `merged`.
pub(crate) fn add_task_vectors(
    tensor: &TensorAcrossModels<'_>,
    task_vectors: &[TaskVector<'_>],
    scale: f32,
    out: &mut [f32],
    weigh: impl Fn(usize, usize, &[f32], &mut [f32]),
    combine: impl Fn(&[f32], &mut [f32]),
) -> Result<(), MergeError> {
    let Some(base) = task_vectors.first().map(|task_vector| task_vector.base) else {
        return Ok(());
    };
    let (mut scratch, mut merged) = ([0.0; BLOCK], [0.0; BLOCK]);
    let mut weighted = vec![0.0; task_vectors.len() * BLOCK];
    for (index, (out, base)) in out.chunks_mut(BLOCK).zip(base.chunks(BLOCK)).enumerate() {
        let (start, len) = (index * BLOCK, out.len());
        let weighted = &mut weighted[..task_vectors.len() * len];
        for (task_vector, weighted) in task_vectors.iter().zip(weighted.chunks_exact_mut(len)) {
            let deltas = task_vector.block(tensor, start..start + len, &mut scratch)?;
            weigh(task_vector.expert, start, deltas, weighted);
        }
        let merged = &mut merged[..len];
        combine(weighted, merged);
        for ((out, base), merged) in out.iter_mut().zip(base).zip(merged) {
            let added = base + scale * *merged;
            // Adding zero would turn -0 into +0: where nothing is merged the base stays as it is, bit for bit.
            *out = if *merged == 0.0 { *base } else { added };
        }
    }
    Ok(())
}

/// Writes weight * delta for each entry.
pub(crate) fn multiply(weight: f32, deltas: &[f32], weighted: &mut [f32]) {
    for (weighted, delta) in weighted.iter_mut().zip(deltas) {
        *weighted = weight * delta;
    }
}

/// Merges contributions by adding them up, in the order of the experts, and dividing by `divisor`.
pub(crate) fn add_up(weighted: &[f32], divisor: f32, merged: &mut [f32]) {
    merged.fill(0.0);
    for contribution in weighted.chunks_exact(merged.len()) {
        for (merged, value) in merged.iter_mut().zip(contribution) {
            *merged += value;
        }
    }
    if divisor != 1.0 {
        merged.iter_mut().for_each(|merged| *merged /= divisor);
    }
}
