//! Passthrough: one expert, possibly times a number.

use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_weights;
use crate::task_vectors::multiply;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Copies the expert, times a number if one is given.
///
/// It is what stacks layers of several models into one: each layer comes from one of them. A factor of 0 for a
/// projection that ends a layer's branch turns that branch off.
///
/// # Inputs
/// Exactly one expert. A base is ignored.
///
/// # Example
/// ```toml
/// experts = [[1.0, -2.0, 0.5]]
/// merge.passthrough = { weights = [0.5] }
/// merged = [0.5, -1.0, 0.25]
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Passthrough {
    /// Factor of the expert; an empty list stands for 1.
    pub weights: Vec<f32>,
}

impl MergeMethod for Passthrough {
    const INFO: Info = Info::new("passthrough", "Passthrough")
        .without_base()
        .experts(1, Some(1))
        .dialect(Dialect { names: &[("scale", "weights")], ..Dialect::SAME })
        .laws(Laws {
            same_models: SameModels::Except("the weight is a factor of the model"),
            order_invariant: Law::Except("there is only one expert"),
            weight_scaling: Law::Holds,
            homogeneity: Law::Holds,
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn prepare<'a>(&'a self, _tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        Ok(match self.weights.first() {
            Some(&weight) => Kernel::new(move |block, out| multiply(weight, block.expert(0), out)),
            None => Kernel::copy_of(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Passthrough;
    use crate::{Spelling, method_from_parameters};
    use serde_json::json;

    #[test]
    fn mergekit_calls_the_factor_scale() {
        let parameters = json!({ "scale": [0.5] });
        let method =
            method_from_parameters("passthrough", Spelling::Mergekit, parameters.as_object().expect("an object"));
        assert_eq!(method, Ok(Passthrough { weights: vec![0.5] }.into()));
        assert_eq!(
            method_from_parameters("passthrough", Spelling::Mergekit, &serde_json::Map::new()),
            Ok(Passthrough::default().into())
        );
    }
}
