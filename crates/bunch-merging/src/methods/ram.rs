//! RAM: add what one expert changed, average what several changed.

use super::MergeMethod;
use crate::block::{BLOCK, Block};
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::parameters::check_not_negative;
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds to the base what only one expert changed, and the average of what several changed.
///
/// Reinforcement learning changes few parameters, and other ones for each task: an average over all experts dilutes what is
/// unique to one. Here each entry is averaged over the experts that changed it, by more than epsilon.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 2.0, 1.0], [1.0, 0.0, 4.0, 1.0]]
/// merge.ram = {}
/// merged = [3.0, 0.0, 3.0, 1.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ram {
    /// The largest magnitude of a difference to the base that does not count as a change; 0 or more.
    #[schemars(range(min = 0.0))]
    pub epsilon: f32,
}

impl Default for Ram {
    fn default() -> Self {
        Self { epsilon: 1e-5 }
    }
}

impl MergeMethod for Ram {
    const INFO: Info = Info::new("ram", "RAM")
        .paper("arXiv:2601.13572", "Yuan et al., 2026")
        .laws(Laws { weight_scaling: Law::Except("there are no weights"), ..Laws::ALL });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "epsilon", self.epsilon)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        Ok(add_changes(self.epsilon, vec![1.0; tensor.experts.len()]))
    }
}

/// A kernel that adds to the base each entry's average over the experts that changed it by more than `epsilon`, where only
/// one did times that expert's factor.
pub(super) fn add_changes<'a>(epsilon: f32, factors: Vec<f32>) -> Kernel<'a> {
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
pub(super) fn write_counts(block: &Block<'_>, epsilon: f32, counts: &mut [f32]) {
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
