//! RAM: add what one expert changed, average what several changed.

use crate::changes::add_changes;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_not_negative;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds to the base what only one expert changed, and the average of what several changed.
///
/// Reinforcement learning changes few parameters, and other ones for each task: an average over all experts dilutes what is
/// unique to one. Here each entry is averaged over the experts that changed it, by more than epsilon.
///
/// # Inputs
/// A base model and one or more experts.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0, 1.0]
/// experts = [[3.0, 1.0, 2.0, 1.0], [1.0, 0.0, 4.0, 1.0]]
/// merge.ram = {}
/// merged = [3.0, 0.0, 3.0, 1.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ram {
    /// The largest magnitude of a difference to the base that does not count as a change; 0 or more.
    #[schemars(range(min = 0.0))]
    pub epsilon: f32,
}

impl Default for Ram {
    fn default() -> Self {
        Self { epsilon: 1e-5 }
    }
}

impl MergeMethod for Ram {
    const INFO: Info = Info::new("ram", "RAM").paper("arXiv:2601.13572", "Yuan et al., 2026").laws(Laws {
        weight_scaling: Law::Except("there are no weights"),
        homogeneity: Law::Except("`epsilon` is absolute"),
        ..Laws::ALL
    });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "epsilon", self.epsilon)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        Ok(add_changes(self.epsilon, vec![1.0; tensor.experts.len()]))
    }
}
