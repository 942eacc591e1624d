//! Multi-SLERP: a weighted mean of directions on the sphere, for any number of experts.

use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::gram::Gram;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{check_not_negative, check_weights, resolve_weights, weight_sum};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Averages the directions of any number of experts on a sphere, and their lengths separately.
///
/// With a base it is the task vectors that are averaged, and the result is added to the base; without, the experts
/// themselves. Each tensor is one long vector. The result has the direction of the weighted sum of the unit vectors,
/// and the weighted sum of their lengths: it keeps its length, where a linear mean shrinks. (The method is defined by
/// an average in the plane that touches the sphere at this very direction. There the weighted parts add up to nothing,
/// so that the average is the direction itself.)
///
/// If the unit vectors cancel out, two experts are averaged linearly, and more are an error. One expert is the result,
/// whatever its weight. If all task vectors are zero the result is the base. The sums are accumulated in 64 bits and
/// rounded once.
///
/// # Inputs
/// One expert or more, and a base or none.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0]
/// experts = [[3.0, 1.0], [1.0, 5.0]]
/// merge.multislerp = { weights = [0.5, 0.5] }
/// merged = [3.1213202, 3.1213202]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Multislerp {
    /// Weight of each expert; an empty list stands for 1/n for each of n experts.
    pub weights: Vec<f32>,
    /// Whether the weights are divided by their sum.
    pub normalize: bool,
    /// A small number, added to lengths before they divide; unit vectors whose weighted sum is shorter cancel out, and
    /// the result is shortened by its cosine.
    #[schemars(range(min = 0.0))]
    pub eps: f64,
}

impl Default for Multislerp {
    fn default() -> Self {
        Self { weights: Vec::new(), normalize: true, eps: 1e-8 }
    }
}

/// Weighted sums of unit vectors that are shorter, per weight, are rounding errors of inner products.
const ROUNDING: f64 = 1e-7;

impl MergeMethod for Multislerp {
    const INFO: Info = Info::new("multislerp", "Multi-SLERP")
        .paper("https://goddard.blog/posts/multislerp-wow-what-a-cool-idea", "Goddard, 2025")
        .with_optional_base()
        .dialect(Dialect { names: &[("normalize_weights", "normalize")], required: &["weight"], ..Dialect::SAME })
        .laws(Laws {
            order_invariant: Law::WithinRounding,
            weight_scaling: Law::Except("a single expert is the result whatever its weight"),
            homogeneity: Law::Except("`eps` is absolute"),
            ..Laws::ALL
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "eps", self.eps as f32)?;
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let experts = tensor.experts.len();
        if experts == 1 {
            return Ok(Kernel::copy_of(0));
        }
        // The default is 1 when the sum is divided out anyway: 1/n is not exact in binary.
        let default = if self.normalize { 1.0 } else { 1.0 / experts as f32 };
        let weights = resolve_weights(&self.weights, default, experts);
        let divisor = if self.normalize { weight_sum(&Self::INFO, &weights)? } else { 1.0 };
        let weights: Vec<f64> = weights.into_iter().map(|weight| f64::from(weight) / divisor).collect();

        let gram = tensor.gram(tensor.vectors_from_base())?;
        if (0..experts).all(|expert| gram.norm(expert) == 0.0) {
            return Ok(if tensor.base.is_some() { Kernel::copy_of_base() } else { Kernel::copy_of(0) });
        }
        let of_experts = coefficients(&weights, &gram, self.eps).ok_or_else(|| MergeError::Degenerate {
            method: Self::INFO.name,
            tensor: tensor.name.into(),
            reason: "the weighted directions of the experts cancel out; other weights would help".into(),
        })?;
        Ok(Kernel::combination(1.0 - of_experts.iter().sum::<f64>(), of_experts))
    }
}

/// The coefficients of the vectors; `None` if there are more than two and their directions cancel out.
fn coefficients(weights: &[f64], gram: &Gram, eps: f64) -> Option<Vec<f64>> {
    let norms: Vec<f64> = (0..gram.len()).map(|vector| gram.norm(vector)).collect();
    let units: Vec<f64> = weights.iter().zip(&norms).map(|(weight, norm)| weight / (norm + eps)).collect();
    let length = gram.norm_of_sum(&units);
    let total: f64 = weights.iter().map(|weight| weight.abs()).sum();
    if length <= eps.max(ROUNDING * total) {
        return (gram.len() == 2).then(|| weights.to_vec());
    }
    let norm: f64 = weights.iter().zip(&norms).map(|(weight, norm)| weight * norm).sum();
    // By definition the arc that leads away from the mean direction, of no length itself, is `eps` long.
    let factor = eps.cos() * norm / length;
    Some(units.into_iter().map(|unit| factor * unit).collect())
}

#[cfg(test)]
mod tests;
