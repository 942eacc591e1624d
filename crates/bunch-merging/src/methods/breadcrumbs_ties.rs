//! Breadcrumbs-TIES: Model Breadcrumbs' selection, TIES's sign election.

use super::MergeMethod;
use super::breadcrumbs::bands;
use crate::consensus::elect_and_merge;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::parameters::{Densities, OutlierFraction, PerExpert, Rescale, check_finite, check_weights, resolve_weights};
use crate::task_vectors::add_task_vectors;
use crate::tensor::TensorAcrossModels;
use crate::trim::{Trim, rescaled_weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops the largest and the smallest entries of each task vector, and merges the rest with TIES's sign election.
///
/// The selection of Model Breadcrumbs takes the place of TIES's trimming: of the n entries of a tensor, density n are kept
/// (rounded down, so possibly none) and the gamma n largest are dropped, fewer only where that leaves too few. Among equal
/// magnitudes the entry of lower index counts as the larger one. For each parameter the sign of the weighted sum is
/// elected, an exact zero elects plus, and the entries of that sign are added up; unlike in TIES, they are not averaged
/// unless `normalize` says so.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = [[8.0, -1.0, 2.0, 0.5], [-3.0, -2.0, -6.0, 1.0]]
/// merge.breadcrumbs_ties = { density = 0.5, gamma = 0.25 }
/// merged = [-3.0, -3.0, 2.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreadcrumbsTies {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Fraction of each task vector's entries that is kept: one number, or one for each expert.
    pub density: Densities,
    /// Fraction of each task vector's entries, those of largest magnitude, that is dropped: one number, or one for each
    /// expert.
    pub gamma: PerExpert<OutlierFraction>,
    /// How the kept entries make up for the dropped ones: `none`, `l1`, or `density`.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether each parameter's sum is divided by the weights of the experts that agree (TIES's disjoint mean), unless
    /// these sum to 0.
    pub normalize: bool,
}

impl Default for BreadcrumbsTies {
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

impl MergeMethod for BreadcrumbsTies {
    const INFO: Info = Info::new("breadcrumbs_ties", "Breadcrumbs-TIES")
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
        let trims = Trim::bands(tensor, &bands(tensor, &self.density, &self.gamma))?;
        let factors = rescaled_weights(tensor, &trims, &weights, &self.density, self.rescale)?;
        Ok(add_task_vectors(
            self.scale,
            move |expert, start, deltas, weighted| trims[expert].weigh(factors[expert], start, deltas, weighted),
            move |weighted, merged| elect_and_merge(weighted, &weights, self.normalize, merged),
        ))
    }
}
