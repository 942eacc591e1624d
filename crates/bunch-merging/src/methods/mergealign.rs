//! MergeAlign: the task vectors of a domain expert and of an aligned model, added to their base.

use crate::error::MergeError;
use crate::info::{Info, Law, Laws, Role, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_finite;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds a domain vector and an alignment vector to the base that both models share.
///
/// What made the base an expert of a domain, and what made it safe and helpful, are two task vectors: the domain expert
/// minus the base, and the aligned model minus the base. With alpha and beta between them the merged model keeps the
/// knowledge of the one and the safety of the other, without training. By default both are 1: the sum of the two vectors, as in
/// the paper's Figure 1; the paper's text interpolates, as 0.5 and 0.5 do. The sum is accumulated in 64 bits and rounded once.
/// It is task arithmetic with named weights.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0]
/// experts = { tuned = [3.0, 1.0, 0.0], aligned = [1.0, 5.0, 2.0] }
/// merge.mergealign = { alpha = 0.5, beta = 0.25 }
/// merged = [2.0, 2.0, 0.75]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mergealign {
    /// Coefficient of the domain expert's task vector.
    pub alpha: f64,
    /// Coefficient of the aligned model's task vector.
    pub beta: f64,
}

impl Default for Mergealign {
    fn default() -> Self {
        Self { alpha: 1.0, beta: 1.0 }
    }
}

impl MergeMethod for Mergealign {
    const INFO: Info = Info::new("mergealign", "MergeAlign")
        .paper("arXiv:2411.06824", "Thakkar et al., 2025")
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            weight_scaling: Law::Except("there are no weights"),
            ..Laws::ALL
        })
        .roles(&[
            Role::new("base", "the pretrained model that both others were tuned from"),
            Role::new("tuned", "the domain expert").result_if(("aligned", "base"), &[("alpha", 1.0)]),
            Role::new("aligned", "the aligned model").result_if(("tuned", "base"), &[("beta", 1.0)]),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "alpha", self.alpha as f32)?;
        check_finite(&Self::INFO, "beta", self.beta as f32)
    }

    fn prepare<'a>(&'a self, _tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        Ok(Kernel::combination(1.0 - self.alpha - self.beta, vec![self.alpha, self.beta]))
    }
}
