//! Model Breadcrumbs: drop the largest and the smallest entries of the task vectors, add the rest to the base.

use super::MergeMethod;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::parameters::{
    Densities, Density, OutlierFraction, PerExpert, Rescale, check_finite, check_weights, resolve_weights, weight_sum,
};
use crate::task_vectors::{add_task_vectors, add_up};
use crate::tensor::TensorAcrossModels;
use crate::trim::{Trim, rescaled_weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops the largest and the smallest entries of each task vector, and adds the weighted rest to the base.
///
/// The smallest entries are noise and the largest ones outliers that disturb the other tasks; what is left in between is
/// the trail of breadcrumbs. Of the n entries of a tensor, density n are kept (rounded down, so possibly none) and the
/// gamma n largest are dropped, fewer only where that leaves too few. Among equal magnitudes the entry of lower index
/// counts as the larger one. With density 1 it is task arithmetic.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0, 1.0]
/// experts = [[9.0, 0.0, 3.0, 1.5], [1.5, 3.0, 1.0, -7.0]]
/// merge.breadcrumbs = { weights = [1.0, 0.5], density = 0.5, gamma = 0.25 }
/// merged = [1.25, 1.0, 3.0, 1.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breadcrumbs {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Fraction of each task vector's entries that is kept: one number, or one for each expert.
    pub density: Densities,
    /// Fraction of each task vector's entries, those of largest magnitude, that is dropped: one number, or one for each
    /// expert.
    pub gamma: PerExpert<OutlierFraction>,
    /// How the kept entries make up for the dropped ones: `none` as in the paper, `l1`, or `density`.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether the weighted sum of task vectors is divided by the sum of the weights.
    pub normalize: bool,
}

impl Default for Breadcrumbs {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            density: Densities::default(),
            gamma: OutlierFraction::HUNDREDTH.into(),
            rescale: Rescale::None,
            scale: 1.0,
            normalize: false,
        }
    }
}

impl MergeMethod for Breadcrumbs {
    const INFO: Info = Info::new("breadcrumbs", "Model Breadcrumbs")
        .paper("arXiv:2312.06795", "Davari and Belilovsky, 2024")
        .dialect(Dialect { choices: &[("rescale", "l1", "none")], ..Dialect::TASK_VECTORS });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)?;
        self.density.validate(&Self::INFO, experts)?;
        self.gamma.validate(&Self::INFO, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? as f32 } else { 1.0 };
        let trims = Trim::bands(tensor, &bands(tensor, &self.density, &self.gamma))?;
        let factors = rescaled_weights(tensor, &trims, &weights, &self.density, self.rescale)?;
        Ok(add_task_vectors(
            self.scale,
            move |expert, start, deltas, weighted| trims[expert].weigh(factors[expert], start, deltas, weighted),
            move |weighted, merged| add_up(weighted, divisor, merged),
        ))
    }
}

/// For each expert, how many of its largest entries are dropped and how many of the next ones are kept.
pub(super) fn bands(
    tensor: &TensorAcrossModels<'_>,
    densities: &Densities,
    outliers: &PerExpert<OutlierFraction>,
) -> Vec<(usize, usize)> {
    let (len, experts) = (tensor.len(), tensor.experts.len());
    let part = |fraction: f64| ((fraction * len as f64) as usize).min(len);
    let numbers = densities.resolve(experts).into_iter().zip(outliers.resolve(experts));
    let band = |(density, outliers): (Density, OutlierFraction)| {
        let kept = part(density.get());
        (part(outliers.get()).min(len - kept), kept)
    };
    numbers.map(band).collect()
}

#[cfg(test)]
mod tests;
