//! RAM+: RAM that makes up for what averaging takes from each expert.

use crate::block::BLOCK;
use crate::changes::{add_changes, write_counts};
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{check_finite, check_not_negative};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds to the base what only one expert changed, enlarged, and the average of what several changed.
///
/// As in RAM, each entry is averaged over the experts that changed it by more than epsilon. What is unique to an expert is
/// also multiplied by 1 + r rho, to make up for what the average takes from its other changes: rho is the number of
/// entries that it shares with another expert over the number of those that it alone changed, at most alpha. Both are
/// counted in each tensor by itself (hence TL, tensor-local).
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 2.0, 1.0], [1.0, 0.0, 4.0, 1.0]]
/// merge.ramplus_tl = { r = 0.5, alpha = 0.25 }
/// merged = [3.25, -0.125, 3.0, 1.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RamplusTl {
    /// The largest magnitude of a difference to the base that does not count as a change; 0 or more. As in mergekit it is
    /// also the least number by which the number of shared entries is divided.
    #[schemars(range(min = 0.0))]
    pub epsilon: f32,
    /// How strongly the unique changes of an expert are enlarged.
    pub r: f32,
    /// The largest ratio of shared to unique changes that counts; 0 or more.
    #[schemars(range(min = 0.0))]
    pub alpha: f32,
}

impl Default for RamplusTl {
    fn default() -> Self {
        Self { epsilon: 1e-5, r: 0.1, alpha: 0.2 }
    }
}

impl MergeMethod for RamplusTl {
    const INFO: Info = Info::new("ramplus_tl", "RAM+").paper("arXiv:2601.13572", "Yuan et al., 2026").laws(Laws {
        weight_scaling: Law::Except("there are no weights"),
        homogeneity: Law::Except("`epsilon` is absolute"),
        ..Laws::ALL
    });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "epsilon", self.epsilon)?;
        check_finite(&Self::INFO, "r", self.r)?;
        check_not_negative(&Self::INFO, "alpha", self.alpha)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let factors = overlaps(tensor, self.epsilon)?.into_iter().map(|overlap| self.factor(overlap)).collect();
        Ok(add_changes(self.epsilon, factors))
    }
}

/// How many of an expert's changes others made too, and how many only it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Overlap {
    shared: u64,
    unique: u64,
}

impl RamplusTl {
    /// What the changes that only one expert made are multiplied by.
    fn factor(&self, Overlap { shared, unique }: Overlap) -> f32 {
        let ratio = shared as f64 / (unique as f64).max(self.epsilon.into());
        // 0/0 without any change: not a number, of which `max` makes 0.
        (1.0 + f64::from(self.r) * ratio.max(0.0).min(self.alpha.into())) as f32
    }
}

/// The overlap of each expert with all others: one pass.
fn overlaps(tensor: &TensorAcrossModels<'_>, epsilon: f32) -> Result<Vec<Overlap>, MergeError> {
    let mut overlaps = vec![Overlap::default(); tensor.experts.len()];
    let (mut deltas, mut counts) = ([0.0; BLOCK], [0.0; BLOCK]);
    tensor.each_block(|block| {
        let counts = &mut counts[..block.len()];
        write_counts(block, epsilon, counts);
        for (expert, overlap) in overlaps.iter_mut().enumerate() {
            let (changed, unique) = count(block.task_vector(expert, &mut deltas), epsilon, counts);
            overlap.shared += u64::from(changed - unique);
            overlap.unique += u64::from(unique);
        }
    })?;
    Ok(overlaps)
}

/// How many of a block's deltas are changes, and how many of these are the only one.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn count(deltas: &[f32], epsilon: f32, counts: &[f32]) -> (u32, u32) {
    let (mut changed, mut unique) = (0, 0);
    for (delta, count) in deltas.iter().zip(counts) {
        let is_change = delta.abs() > epsilon;
        changed += u32::from(is_change);
        unique += u32::from(is_change & (*count == 1.0));
    }
    (changed, unique)
}

#[cfg(test)]
mod tests;
