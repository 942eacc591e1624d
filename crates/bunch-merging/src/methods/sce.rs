//! SCE: select the entries on which the experts differ most, weigh experts by energy, erase what goes against the sign.

use crate::block::{BLOCK, Block};
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::gram::dot;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::Density;
use crate::selection::{Cutoff, find_cutoffs};
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Selects the entries on which the experts differ most, calculates a weight for each expert, and erases minority signs.
///
/// Selected are the entries of each tensor whose variance over the experts' task vectors is largest, a fraction of those
/// that vary at all; among equal variances the entry of lower index goes first. An expert's weight is the mean square of
/// its selected entries, divided by that of all experts (all weights are equal where that sum is below 1e-6). For each
/// entry the sign of the unweighted sum of task vectors is elected, an exact zero elects plus, and the entries of that sign
/// are averaged by weight (a sum of weights below 1e-6 counts as 1e-6).
///
/// # Inputs
/// A base model and one or more experts. One expert does not vary: of it nothing is selected unless the density is 1.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = [[3.0, 1.0, 1.0, 0.0], [-1.0, 1.0, 3.0, 0.0]]
/// merge.sce = {}
/// merged = [3.0, 1.0, 2.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sce {
    /// Fraction of the entries that vary over the experts that is selected, by variance; 1 selects all entries.
    pub density: Density,
}

impl Default for Sce {
    fn default() -> Self {
        Self { density: Density::ONE }
    }
}

impl MergeMethod for Sce {
    const INFO: Info = Info::new("sce", "SCE")
        .paper("arXiv:2408.07990", "Wan et al., 2024")
        .laws(Laws {
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("a mean square below 1e-6 counts as nothing"),
            ..Laws::ALL
        })
        .dialect(Dialect { names: &[("select_topk", "density")], ignored: &["int8_mask"], ..Dialect::SAME });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        Ok(())
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let Some(selection) = Selection::of(tensor, self.density)? else {
            return Ok(Kernel::copy_of_base());
        };
        let (coefficients, floor) = energies(tensor, &selection)?;
        Ok(Kernel::with_scratch(move |block, deltas, out| {
            deltas.resize(block.experts() * block.len(), 0.0);
            selection.task_vectors(block, deltas);
            elect_and_average(deltas, &coefficients, floor, out);
            add_to_base(block.base(), 1.0, out);
        }))
    }
}

/// Which entries take part.
enum Selection {
    Everything,
    LargestVariances(Cutoff),
}

impl Selection {
    /// The `density` part of the entries that vary; `None` if that is no entry. Up to four passes.
    fn of(tensor: &TensorAcrossModels<'_>, density: Density) -> Result<Option<Self>, MergeError> {
        if density == Density::ONE {
            return Ok(Some(Self::Everything));
        }
        let (mut varying, mut variances) = (0, [0.0; BLOCK]);
        tensor.each_block(|block| {
            let variances = &mut variances[..block.len()];
            write_variances(block, variances);
            varying += variances.iter().map(|variance| usize::from(*variance != 0.0)).sum::<usize>();
        })?;
        let selected = (varying as f64 * density.get()) as usize;
        if selected == 0 {
            return Ok(None);
        }
        let cutoffs = find_cutoffs(tensor, &[selected], |block, _, variances| write_variances(block, variances))?;
        Ok(cutoffs.first().copied().map(Self::LargestVariances))
    }

    /// Writes the task vectors of a block one after the other, with 0 for what is not selected.
    fn task_vectors(&self, block: &Block<'_>, deltas: &mut [f32]) {
        for (expert, deltas) in deltas.chunks_exact_mut(block.len()).enumerate() {
            block.task_vector(expert, deltas);
        }
        if let Self::LargestVariances(cutoff) = self {
            let mut variances = [0.0; BLOCK];
            let variances = &mut variances[..block.len()];
            write_variances(block, variances);
            for deltas in deltas.chunks_exact_mut(block.len()) {
                for (index, (delta, variance)) in (block.start()..).zip(deltas.iter_mut().zip(&*variances)) {
                    *delta = if cutoff.keeps(index, *variance) { *delta } else { 0.0 };
                }
            }
        }
    }
}

/// Writes the variance of each entry over the task vectors of all experts (not corrected for their number), computed in 64
/// bits.
fn write_variances(block: &Block<'_>, variances: &mut [f32]) {
    let (mut deltas, mut means, mut squares) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let (means, squares) = (&mut means[..block.len()], &mut squares[..block.len()]);
    let experts = block.experts() as f64;
    for expert in 0..block.experts() {
        add_to_sums(block.task_vector(expert, &mut deltas), means);
    }
    divide(means, experts);
    for expert in 0..block.experts() {
        add_squares(block.task_vector(expert, &mut deltas), means, squares);
    }
    divide(squares, experts);
    round(squares, variances);
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn divide(values: &mut [f64], divisor: f64) {
    values.iter_mut().for_each(|value| *value /= divisor);
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn round(values: &[f64], rounded: &mut [f32]) {
    for (rounded, value) in rounded.iter_mut().zip(values) {
        *rounded = *value as f32;
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_to_sums(values: &[f32], sums: &mut [f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += f64::from(*value);
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_squares(values: &[f32], means: &[f64], squares: &mut [f64]) {
    for ((square, value), mean) in squares.iter_mut().zip(values).zip(means) {
        let difference = f64::from(*value) - mean;
        *square += difference * difference;
    }
}

/// The weight of each expert, and the sum of weights that counts where less agrees. The weights are not divided by their
/// sum, which would only round them: the average divides by it anyway. One pass.
fn energies(tensor: &TensorAcrossModels<'_>, selection: &Selection) -> Result<(Vec<f64>, f64), MergeError> {
    let mut energies = vec![0.0; tensor.experts.len()];
    let mut deltas = vec![0.0; energies.len() * BLOCK];
    tensor.each_block(|block| {
        let deltas = &mut deltas[..block.experts() * block.len()];
        selection.task_vectors(block, deltas);
        for (energy, deltas) in energies.iter_mut().zip(deltas.chunks_exact(block.len())) {
            *energy += dot(deltas, deltas);
        }
    })?;
    let mut total: f64 = energies.iter().sum();
    if !total.is_finite() && !tensor.allows_non_finite {
        let reason = "the task vectors are too large to be squared".into();
        return Err(MergeError::Degenerate { method: Sce::INFO.name, tensor: tensor.name.into(), reason });
    }
    if total / (tensor.len() as f64) < 1e-6 {
        energies.fill(1.0);
        total = energies.len() as f64;
    }
    Ok((energies, 1e-6 * total))
}

/// Elects the sign of the sum of task vectors entry by entry and averages those of that sign by `weights`, in 64 bits; a
/// sum of weights below `floor` counts as `floor`. `deltas` holds one task vector for each weight, each as long as
/// `merged`, at most one block.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elect_and_average(deltas: &[f32], weights: &[f64], floor: f64, merged: &mut [f32]) {
    let len = merged.len();
    let (mut votes, mut sums, mut divisors) = ([0.0_f32; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let (votes, sums, divisors) = (&mut votes[..len], &mut sums[..len], &mut divisors[..len]);
    for deltas in deltas.chunks_exact(len) {
        for (vote, delta) in votes.iter_mut().zip(deltas) {
            *vote += delta;
        }
    }
    for (deltas, &weight) in deltas.chunks_exact(len).zip(weights) {
        for (((sum, divisor), vote), &delta) in sums.iter_mut().zip(&mut *divisors).zip(&*votes).zip(deltas) {
            let agrees = (delta > 0.0) & (*vote >= 0.0) | (delta < 0.0) & (*vote < 0.0);
            *sum += if agrees { weight * f64::from(delta) } else { 0.0 };
            *divisor += if agrees { weight } else { 0.0 };
        }
    }
    for ((merged, sum), &mut divisor) in merged.iter_mut().zip(sums).zip(divisors) {
        *merged = (*sum / divisor.max(floor)) as f32;
    }
}

#[cfg(test)]
mod tests;
