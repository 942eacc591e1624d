//! DELLA without the sign election: drop random entries, mostly small ones, add the task vectors to the base.

use super::MergeMethod;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::masks::MagPrune;
use crate::parameters::{
    Densities, PerExpert, Rescale, Spread, check_finite, check_weights, resolve_weights, weight_sum,
};
use crate::task_vectors::add_up;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops random entries of each task vector, the small ones most likely, rescales the rest, and adds the weighted task
/// vectors to the base.
///
/// Within each row of a tensor (the last dimension; a vector is one row) the entries are ranked by magnitude, equal ones by
/// index. The probability of keeping an entry grows evenly with its rank, from density - epsilon for the smallest to
/// density + epsilon for the largest entry; the only entry of a row is kept with probability density. An entry's fate
/// depends on seed, tensor name, expert, index and rank alone.
/// With density 1 it is task arithmetic.
///
/// # Inputs
/// A base model and one or more experts; a seed.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 0.0], [1.0, 5.0, 2.0]]
/// merge.della_linear = { weights = [1.0, 0.5], density = 1.0, scale = 2.0 }
/// merged = [5.0, 5.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DellaLinear {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Mean probability with which an entry is kept (one minus the paper's drop rate): one number, or one for each expert.
    pub density: Densities,
    /// By how much the probabilities of the smallest and the largest entry of a row differ from the density: one number,
    /// or one for each expert. Where the density is neither 0 nor 1, density - epsilon must be above 0 and
    /// density + epsilon below 1.
    pub epsilon: PerExpert<Spread>,
    /// How the kept entries make up for the dropped ones: `density` divides each by its own probability, as in the paper,
    /// `l1` multiplies all by the same number, as in mergekit, and `none` leaves them.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether the weighted sum of task vectors is divided by the sum of the weights.
    pub normalize: bool,
}

impl Default for DellaLinear {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            density: Densities::default(),
            epsilon: Spread::DEFAULT.into(),
            rescale: Rescale::default(),
            scale: 1.0,
            normalize: false,
        }
    }
}

impl MergeMethod for DellaLinear {
    const INFO: Info = Info::new("della_linear", "DELLA without election")
        .paper("arXiv:2406.11617", "Deep et al., 2024")
        .laws(Laws { order_invariant: Law::Except("which entries drop depends on the expert's place"), ..Laws::ALL })
        .dialect(Dialect {
            choices: &[("rescale", "l1", "none")],
            defaults: &[("rescale", "\"l1\"")],
            ..Dialect::TASK_VECTORS
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)?;
        MagPrune::validate(&Self::INFO, &self.density, &self.epsilon, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? as f32 } else { 1.0 };
        let numbers = (&self.density, &self.epsilon);
        let pruned = MagPrune::new(&Self::INFO, tensor, seed, numbers, &weights, self.rescale)?;
        Ok(pruned.kernel(self.scale, move |weighted, merged| add_up(weighted, divisor, merged)))
    }
}
