//! Linear: the weighted mean of the models.

use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Laws, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{check_weights, resolve_weights, weight_sum};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Averages the weights of the experts.
///
/// Models fine-tuned from the same checkpoint tend to lie in one basin of the loss, so that the mean of their weights
/// is a model too, often a better one than each. The sum is accumulated in 64 bits and rounded once.
///
/// # Inputs
/// One expert or more. A base is ignored: to let the base take part, list it among the experts.
///
/// # Example
/// ```toml
/// experts = [[1.0, 2.0, -4.0], [3.0, 0.0, 4.0]]
/// merge.linear = { weights = [3.0, 1.0] }
/// merged = [1.5, 1.5, -2.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Linear {
    /// Weight of each expert; an empty list stands for 1/n for each of n experts.
    pub weights: Vec<f32>,
    /// Whether the weighted sum is divided by the sum of the weights.
    pub normalize: bool,
}

impl Default for Linear {
    fn default() -> Self {
        Self { weights: Vec::new(), normalize: true }
    }
}

impl MergeMethod for Linear {
    const INFO: Info = Info::new("linear", "Linear")
        .paper("arXiv:2203.05482", "Wortsman et al., 2022")
        .without_base()
        .dialect(Dialect { required: &["weight"], ..Dialect::SAME })
        .laws(Laws { same_models: SameModels::WithinOneUlp, ..Laws::ALL });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        // The default is 1 when the sum is divided out anyway: 1/n is not exact in binary.
        let experts = tensor.experts.len();
        let default = if self.normalize { 1.0 } else { 1.0 / experts as f32 };
        let weights = resolve_weights(&self.weights, default, experts);
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? } else { 1.0 };
        Ok(Kernel::weighted_mean(weights.into_iter().map(f64::from).collect(), divisor))
    }
}
