//! DARE: drop random entries of the task vectors, rescale the rest, add them to the base.

use super::MergeMethod;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::masks::{DropMask, rescaled_weights};
use crate::parameters::{Densities, Rescale, check_finite, check_weights, resolve_weights, weight_sum};
use crate::task_vectors::{add_task_vectors, add_up};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops random entries of each task vector, rescales the rest, and adds the weighted task vectors to the base.
///
/// Most of what fine-tuning changes is redundant: a random small part, scaled up to the same mean, does nearly as well
/// and collides less with other task vectors. An entry's fate depends on seed, tensor name, expert and index alone, and
/// whatever a density keeps every higher density keeps too. With density 1 it is task arithmetic.
///
/// # Inputs
/// A base model and one or more experts; a seed.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 0.0], [1.0, 5.0, 2.0]]
/// merge.dare_linear = { weights = [1.0, 0.5], density = 1.0, scale = 2.0 }
/// merged = [5.0, 5.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DareLinear {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Probability with which an entry is kept (one minus the paper's drop rate): one number, or one for each expert.
    pub density: Densities,
    /// How the kept entries make up for the dropped ones: `density` as in the paper, `l1` as in mergekit, or `none`.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether the weighted sum of task vectors is divided by the sum of the weights.
    pub normalize: bool,
}

impl Default for DareLinear {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            density: Densities::default(),
            rescale: Rescale::default(),
            scale: 1.0,
            normalize: false,
        }
    }
}

impl MergeMethod for DareLinear {
    const INFO: Info = Info::new("dare_linear", "DARE")
        .paper("arXiv:2311.03099", "Yu et al., 2024")
        .laws(Laws { order_invariant: Law::Except("which entries drop depends on the expert's place"), ..Laws::ALL })
        .dialect(Dialect {
            choices: &[("rescale", "l1", "none")],
            defaults: &[("rescale", "\"l1\"")],
            ..Dialect::TASK_VECTORS
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)?;
        self.density.validate(&Self::INFO, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? as f32 } else { 1.0 };
        let masks = DropMask::all(tensor, seed, &self.density);
        let factors = rescaled_weights(&Self::INFO, tensor, &masks, &weights, &self.density, self.rescale)?;
        Ok(add_task_vectors(
            self.scale,
            move |expert, start, deltas, weighted| masks[expert].weigh(factors[expert], start, deltas, weighted),
            move |weighted, merged| add_up(weighted, divisor, merged),
        ))
    }
}
