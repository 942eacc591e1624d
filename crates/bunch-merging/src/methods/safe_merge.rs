//! SafeMERGE on full weights: a safety-tuned model is mixed in where tuning disagrees with alignment.

use crate::error::MergeError;
use crate::info::{Info, Law, Laws, Role, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{Fraction, check_finite};
use crate::projection::{Projection, TUNED};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Interpolates between the tuned model and a safety-tuned one, in the matrices in which tuning disagrees with alignment.
///
/// For each matrix V is the aligned model minus the pretrained one, D the tuned model minus the aligned one, and C = V Vᵀ / |V|,
/// as in Safe LoRA. Where the cosine of C D and D is below the threshold, the result is alpha times the tuned model plus
/// 1 - alpha times the safety-tuned one; elsewhere, and in vectors, the tuned model stays as it is. Where alignment or tuning
/// changed nothing, the cosine counts as 0.
///
/// The paper merges LoRA adapters; this is the interpolation that it states, on full weights. The released code adds the
/// adapters' factors with square roots of the weights, whose product has cross terms. The aligned model itself can take the
/// place of the safety-tuned one.
///
/// # Example
/// ```toml
/// shape = [2, 2]
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = { tuned = [1.5, 0.0, 0.0, 3.0], aligned = [0.5, 0.0, 0.0, 0.0], safety = [0.5, 2.0, 0.0, 1.0] }
/// merge.safe_merge = { threshold = 0.35, alpha = 0.75 }
/// merged = [1.25, 0.5, 0.0, 2.5]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SafeMerge {
    /// Cosine below which a matrix is merged; Qwen models take 0.6 to 0.8.
    pub threshold: f64,
    /// Share of the tuned model in a matrix that is merged.
    pub alpha: Fraction,
}

impl Default for SafeMerge {
    fn default() -> Self {
        Self { threshold: 0.35, alpha: Fraction::FOUR_FIFTHS }
    }
}

impl MergeMethod for SafeMerge {
    const INFO: Info = Info::new("safe_merge", "SafeMERGE on full weights")
        .paper("arXiv:2503.17239", "Djuhera et al., 2025")
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            weight_scaling: Law::Except("there are no weights"),
            ..Laws::ALL
        })
        .roles(&[
            Role::new("base", "the pretrained model that the aligned one was made from"),
            Role::new("tuned", "the model tuned from the aligned one").result_if(("safety", "tuned"), &[]),
            Role::new("aligned", "the aligned model"),
            Role::new("safety", "the aligned model tuned on safe answers to harmful requests, or the aligned model"),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "threshold", self.threshold as f32)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let is_merged = tensor.matrix().is_some() && Projection::cosine_of(tensor)?.unwrap_or(0.0) < self.threshold;
        let alpha = self.alpha.get();
        Ok(if is_merged { Kernel::combination(0.0, vec![alpha, 0.0, 1.0 - alpha]) } else { Kernel::copy_of(TUNED) })
    }

    fn memory(shape: &[usize]) -> usize {
        Projection::memory(shape)
    }
}

#[cfg(test)]
mod tests;
