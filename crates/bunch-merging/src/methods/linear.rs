//! Linear: the weighted mean of the models.

use super::MergeMethod;
use crate::error::MergeError;
use crate::info::{Info, Laws, SameModels};
use crate::parameters::{check_weights, resolve_weights, weight_sum};
use crate::task_vectors::BLOCK;
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
        .laws(Laws { same_models: SameModels::WithinOneUlp, ..Laws::ALL });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn merge(&self, tensor: &TensorAcrossModels<'_>, _seed: u64, out: &mut [f32]) -> Result<(), MergeError> {
        // The default is 1 when the sum is divided out anyway: 1/n is not exact in binary.
        let experts = tensor.experts.len();
        let default = if self.normalize { 1.0 } else { 1.0 / experts as f32 };
        let weights = resolve_weights(&self.weights, default, experts);
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? } else { 1.0 };

        let mut sums = [0.0_f64; BLOCK];
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let sums = &mut sums[..out.len()];
            sums.fill(0.0);
            for (expert, &weight) in tensor.experts.iter().zip(&weights) {
                for (sum, &value) in sums.iter_mut().zip(&expert[block * BLOCK..]) {
                    *sum += f64::from(weight) * f64::from(value);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = (*sum / divisor) as f32;
            }
        }
        Ok(())
    }
}
