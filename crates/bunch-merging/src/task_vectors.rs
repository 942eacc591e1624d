//! Merging task vectors and adding the result to the base.

use crate::block::BLOCK;
use crate::kernel::Kernel;

/// A kernel that writes base + scale * merged task vector.
///
/// `weigh(expert, start, deltas, weighted)` writes what an expert contributes at the entries from index `start` on;
/// `combine(weighted, merged)` merges the contributions of all experts, which lie one after the other in `weighted`,
/// each as long as `merged`.
pub(crate) fn add_task_vectors<'a>(
    scale: f32,
    weigh: impl Fn(usize, usize, &[f32], &mut [f32]) + Send + Sync + 'a,
    combine: impl Fn(&[f32], &mut [f32]) + Send + Sync + 'a,
) -> Kernel<'a> {
    Kernel::with_scratch(move |block, weighted, out| {
        let mut deltas = [0.0; BLOCK];
        weighted.resize(block.experts() * block.len(), 0.0);
        for (expert, weighted) in weighted.chunks_exact_mut(block.len()).enumerate() {
            weigh(expert, block.start(), block.task_vector(expert, &mut deltas), weighted);
        }
        combine(weighted, out);
        add_to_base(block.base(), scale, out);
    })
}

/// Turns a merged task vector into base + scale * task vector.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn add_to_base(base: &[f32], scale: f32, merged: &mut [f32]) {
    for (merged, base) in merged.iter_mut().zip(base) {
        let added = base + scale * *merged;
        // Adding zero would turn -0 into +0: where nothing is merged the base stays as it is, bit for bit.
        *merged = if *merged == 0.0 { *base } else { added };
    }
}

/// Writes weight * delta for each entry.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn multiply(weight: f32, deltas: &[f32], weighted: &mut [f32]) {
    for (weighted, delta) in weighted.iter_mut().zip(deltas) {
        *weighted = weight * delta;
    }
}

/// Merges contributions by adding them up, in the order of the experts, and dividing by `divisor`.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
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

/// The sums of magnitudes of two slices of equal length, each accumulated in a fixed number of 64-bit lanes: fast, and the
/// same on every machine. Two at a time because adding waits for the sum before.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn sums_of_magnitudes(first: &[f32], second: &[f32]) -> (f64, f64) {
    const LANES: usize = 8;
    let (mut first_sums, mut second_sums) = ([0.0; LANES], [0.0; LANES]);
    let (first, second) = (first.chunks_exact(LANES), second.chunks_exact(LANES));
    let rest = |values: &[f32]| values.iter().map(|value| f64::from(value.abs())).sum::<f64>();
    let rests = (rest(first.remainder()), rest(second.remainder()));
    for (first, second) in first.zip(second) {
        for lane in 0..LANES {
            first_sums[lane] += f64::from(first[lane].abs());
            second_sums[lane] += f64::from(second[lane].abs());
        }
    }
    (first_sums.iter().sum::<f64>() + rests.0, second_sums.iter().sum::<f64>() + rests.1)
}
