//! Task arithmetic: the base plus a weighted sum of task vectors.

use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{check_finite, check_weights, resolve_weights, weight_sum};
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds the weighted task vectors of the experts to the base.
///
/// A task vector is what fine-tuning changed: the expert's weights minus the base's. Adding several combines the
/// tasks, a negative weight unlearns one.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 0.0], [1.0, 5.0, 2.0]]
/// merge.task_arithmetic = { weights = [1.0, 0.5], scale = 2.0 }
/// merged = [5.0, 5.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskArithmetic {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether the weighted sum of task vectors is divided by the sum of the weights.
    pub normalize: bool,
}

impl Default for TaskArithmetic {
    fn default() -> Self {
        Self { weights: Vec::new(), scale: 1.0, normalize: false }
    }
}

impl MergeMethod for TaskArithmetic {
    const INFO: Info =
        Info::new("task_arithmetic", "Task arithmetic").paper("arXiv:2212.04089", "Ilharco et al., 2023").dialect(
            Dialect { ignored: &["int8_mask", "rescale"], ignored_per_expert: &["density"], ..Dialect::TASK_VECTORS },
        );

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? as f32 } else { 1.0 };
        Ok(Kernel::new(move |block, out| {
            out.fill(0.0);
            for (expert, &weight) in weights.iter().enumerate() {
                add_task_vector(weight, block.base(), block.expert(expert), out);
            }
            if divisor != 1.0 {
                out.iter_mut().for_each(|merged| *merged /= divisor);
            }
            add_to_base(block.base(), self.scale, out);
        }))
    }
}

/// Adds the weighted differences of an expert from the base.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_task_vector(weight: f32, base: &[f32], expert: &[f32], merged: &mut [f32]) {
    for ((merged, base), expert) in merged.iter_mut().zip(base).zip(expert) {
        *merged += weight * (expert - base);
    }
}
