//! What experts changed, entry by entry: adding what one changed, averaging what several changed (RAM).

use crate::block::{BLOCK, Block};
use crate::kernel::Kernel;
use crate::task_vectors::add_to_base;

/// A kernel that adds to the base each entry's average over the experts that changed it by more than `epsilon`, where only
/// one did times that expert's factor.
pub(crate) fn add_changes<'a>(epsilon: f32, factors: Vec<f32>) -> Kernel<'a> {
    Kernel::new(move |block, merged| {
        let (mut deltas, mut unique, mut counts) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        let (unique, counts) = (&mut unique[..block.len()], &mut counts[..block.len()]);
        merged.fill(0.0);
        for (expert, &factor) in factors.iter().enumerate() {
            let deltas = block.task_vector(expert, &mut deltas);
            count_changes(deltas, epsilon, counts);
            add_changed(deltas, epsilon, 1.0, merged);
            add_changed(deltas, epsilon, factor, unique);
        }
        average(counts, unique, merged);
        add_to_base(block.base(), 1.0, merged);
    })
}

/// Writes how many experts changed each entry of a block by more than `epsilon`.
pub(crate) fn write_counts(block: &Block<'_>, epsilon: f32, counts: &mut [f32]) {
    let mut deltas = [0.0; BLOCK];
    counts.fill(0.0);
    for expert in 0..block.experts() {
        count_changes(block.task_vector(expert, &mut deltas), epsilon, counts);
    }
}

/// Adds 1 to each entry that is a change.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn count_changes(deltas: &[f32], epsilon: f32, counts: &mut [f32]) {
    for (count, delta) in counts.iter_mut().zip(deltas) {
        *count += if delta.abs() > epsilon { 1.0 } else { 0.0 };
    }
}

/// Adds factor * delta to each entry that is a change.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_changed(deltas: &[f32], epsilon: f32, factor: f32, sums: &mut [f32]) {
    for (sum, delta) in sums.iter_mut().zip(deltas) {
        let product = factor * delta;
        *sum += if delta.abs() > epsilon { product } else { 0.0 };
    }
}

/// Turns each sum into the average over as many changes as counted; where there was one, into what is in `unique`.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn average(counts: &[f32], unique: &[f32], sums: &mut [f32]) {
    for ((sum, unique), count) in sums.iter_mut().zip(unique).zip(counts) {
        let average = *sum / count.max(1.0);
        *sum = if *count == 1.0 { *unique } else { average };
    }
}
