//! TIES-Merging: trim each task vector, elect a sign for each parameter, average the values that agree.

use crate::consensus::Consensus;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::model_trim::{kept_by_survey, survey_largest};
use crate::parameters::{Densities, Rescale, TrimScope, check_finite, check_weights, resolve_weights};
use crate::sparsified::{Sparsified, Trimmed};
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use crate::trim::{Trim, kept_counts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resolves conflicts between task vectors before adding them to the base.
///
/// Each task vector keeps its largest entries only (of equal ones those of lower index). For each parameter the sign of
/// the weighted sum of what is left is elected, an exact zero elects plus, and the entries of that sign are averaged by
/// weight. Entries that are zero or of the other sign count neither in the sum nor in the average. As in mergekit, the
/// weights take part in the election.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = [[4.0, 1.0, -2.0, 0.5], [2.0, -3.0, 0.5, 0.0]]
/// merge.ties = { density = 0.75 }
/// merged = [3.0, -3.0, -2.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ties {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Fraction of each task vector's entries that is kept, by magnitude: one number, or one for each expert.
    pub density: Densities,
    /// How the kept entries make up for the trimmed ones: `none` as in the paper, `l1`, or `density`.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether each parameter's sum is divided by the weights of the experts that agree (TIES's disjoint mean), unless
    /// these sum to 0.
    pub normalize: bool,
    /// Whether the largest entries are selected in each tensor, as in mergekit, or over the whole model, as in the
    /// paper's code.
    pub trim_scope: TrimScope,
}

impl Default for Ties {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            density: Densities::default(),
            rescale: Rescale::None,
            scale: 1.0,
            normalize: true,
            trim_scope: TrimScope::default(),
        }
    }
}

impl MergeMethod for Ties {
    const INFO: Info = Info::new("ties", "TIES-Merging")
        .paper("arXiv:2306.01708", "Yadav et al., 2023")
        .dialect(Dialect { choices: &[("rescale", "l1", "none")], ..Dialect::TASK_VECTORS });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)?;
        self.density.validate(&Self::INFO, experts)
    }

    fn needs_survey(&self) -> bool {
        self.trim_scope == TrimScope::Model
    }

    fn survey<S: TensorSource>(&self, experts: usize, source: &mut S) -> Result<Option<Survey>, S::Error> {
        survey_largest(&Self::INFO, &self.density.resolve(experts), source).map(Some)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let kept = match self.trim_scope {
            TrimScope::Tensor => kept_counts(&self.density, tensor),
            TrimScope::Model => kept_by_survey(&Self::INFO, tensor)?.to_vec(),
        };
        let trims = Trim::largest(tensor, &kept)?;
        let trimmed = Trimmed::new(tensor, trims, &weights, &self.density, self.rescale)?;
        let consensus = Consensus::Election { weights, normalize: self.normalize };
        Ok(trimmed.kernel(self.scale, consensus))
    }
}
