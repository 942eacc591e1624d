//! Arcee Fusion: take from the expert what matters most, leave the rest as it is in the base.

use crate::block::Block;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::selection::find_cutoffs;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes the most important changes from the expert and leaves everything else as it is in the base.
///
/// The importance of an entry is the magnitude of its change times the divergence of its row (the last dimension; a vector
/// is one row): how far the softmax of the expert's row is from that of the base's, as Kullback-Leibler divergence. An
/// entry is taken if its importance is at least the median plus 1.5 times the interquartile range, over all entries of the
/// tensor. Divergences are computed in 64 bits, from terms that are not negative, and the quartiles are those of all
/// entries; mergekit computes in 32 bits, which leaves little of the divergence of two nearly equal rows, and estimates the
/// quartiles of more than a million entries from an unseeded sample.
///
/// # Inputs
/// A base model and exactly one expert.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0, 0.0, 0.0]
/// experts = [[0.25, 0.5, 0.75, 1.0, 4.0]]
/// merge.arcee_fusion = {}
/// merged = [0.0, 0.0, 0.0, 0.0, 4.0]
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArceeFusion {}

impl MergeMethod for ArceeFusion {
    const INFO: Info = Info::new("arcee_fusion", "Arcee Fusion")
        .paper(
            "https://www.arcee.ai/blog/meet-mergekit-v0-1-arcee-fusion-expanded-model-support-multi-gpu-acceleration",
            "Arcee AI, 2025",
        )
        .experts(1, Some(1))
        .laws(Laws {
            order_invariant: Law::Except("there is only one expert"),
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("importance is a divergence of softmaxes"),
            ..Laws::ALL
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        Ok(())
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let importance = Importance::of(tensor)?;
        let threshold = importance.threshold(tensor)?;
        Ok(Kernel::with_scratch(move |block, importances, out| {
            importances.resize(block.len(), 0.0);
            importance.write(block, importances);
            take(block.base(), block.expert(0), importances, threshold, out);
        }))
    }
}

/// How important each entry is.
#[derive(Debug)]
struct Importance {
    row_len: usize,
    /// Of each row.
    divergences: Vec<f64>,
}

impl Importance {
    /// One pass.
    fn of(tensor: &TensorAcrossModels<'_>) -> Result<Self, MergeError> {
        let row_len = tensor.row_len().max(1);
        let mut divergences = Vec::with_capacity(tensor.len() / row_len);
        let mut exponentials = [Vec::new(), Vec::new()];
        tensor.each_row(|row| divergences.push(divergence(row.expert(0), row.base(), &mut exponentials)))?;
        Ok(Self { row_len, divergences })
    }

    /// Writes the importance of each entry of a block.
    fn write(&self, block: &Block<'_>, importances: &mut [f32]) {
        let (base, expert) = (block.base(), block.expert(0));
        let mut done = 0;
        while done < block.len() {
            let (row, column) = ((block.start() + done) / self.row_len, (block.start() + done) % self.row_len);
            let end = block.len().min(done + self.row_len - column);
            weigh(&base[done..end], &expert[done..end], self.divergences[row], &mut importances[done..end]);
            done = end;
        }
    }

    /// The median plus 1.5 interquartile ranges of all importances: up to three passes.
    fn threshold(&self, tensor: &TensorAcrossModels<'_>) -> Result<f64, MergeError> {
        if tensor.is_empty() {
            return Ok(0.0);
        }
        // The quartiles are at a quarter, a half and three quarters of the way from the first to the last entry in
        // ascending order, rounded down.
        let last = tensor.len() - 1;
        let from_above = [last / 4, last / 2, last - last.div_ceil(4)].map(|index| tensor.len() - index);
        let cutoffs = find_cutoffs(tensor, &from_above, |block, _, importances| self.write(block, importances))?;
        let quartile = |index: usize| cutoffs.get(index).map_or(f64::NAN, |cutoff| cutoff.magnitude.into());
        Ok(quartile(1) + 1.5 * (quartile(2) - quartile(0)))
    }
}

/// Writes the magnitude of each change times a divergence.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn weigh(base: &[f32], expert: &[f32], divergence: f64, importances: &mut [f32]) {
    for ((importance, base), expert) in importances.iter_mut().zip(base).zip(expert) {
        *importance = ((f64::from(*expert) - f64::from(*base)).abs() * divergence) as f32;
    }
}

/// Writes the expert where its importance reaches the threshold, and the base elsewhere. The difference is added to the
/// base as in mergekit, so that the result is rounded as there; nothing is added where there is none.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn take(base: &[f32], expert: &[f32], importances: &[f32], threshold: f64, out: &mut [f32]) {
    for (((out, base), expert), importance) in out.iter_mut().zip(base).zip(expert).zip(importances) {
        let taken = base + (expert - base);
        *out = if (f64::from(*importance) >= threshold) & (expert != base) { taken } else { *base };
    }
}

/// The Kullback-Leibler divergence of the softmax of a row from that of its base, 1e-8 added to each probability as in
/// mergekit.
///
/// The sum of p ln(p/q) - p + q, which is the same because the probabilities of both rows have one sum, has no terms that
/// cancel: with ln(1 + r) for r = (p - q)/q it is accurate even for rows that hardly differ. `exponentials` keeps its
/// memory from row to row.
fn divergence(row: &[f32], base: &[f32], exponentials: &mut [Vec<f64>; 2]) -> f64 {
    let [of_row, of_base] = exponentials;
    let (row_sum, base_sum) = (exponentiate(row, of_row), exponentiate(base, of_base));
    let terms = of_row.iter().zip(of_base).map(|(row, base)| {
        let (p, q) = (*row / row_sum, *base / base_sum);
        let (difference, p, q) = (p - q, p + 1e-8, q + 1e-8);
        p * (difference / q).ln_1p() - difference
    });
    terms.sum::<f64>().max(0.0)
}

/// Writes the exponentials of values minus the largest value, and returns their sum.
fn exponentiate(values: &[f32], exponentials: &mut Vec<f64>) -> f64 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    exponentials.clear();
    exponentials.extend(values.iter().map(|value| (f64::from(*value) - f64::from(largest)).exp()));
    exponentials.iter().sum()
}

#[cfg(test)]
mod tests;
