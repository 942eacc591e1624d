//! SLERP: spherical linear interpolation between the base and one expert.

use crate::error::MergeError;
use crate::gram::Vectors;
use crate::info::{Info, Law, Laws, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_finite;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Interpolates between the base and one expert along the arc between them.
///
/// Each tensor is one long vector. The angle between base and expert is measured, and the two tensors, not normalised,
/// are added with coefficients sin((1-t)a)/sin(a) and sin(ta)/sin(a). Where the vectors are nearly parallel or opposite
/// (the cosine beyond 0.9995 in magnitude) the coefficients are 1-t and t. A tensor of norm below 1e-8 counts as
/// orthogonal. The sums are accumulated in 64 bits and rounded once.
///
/// # Inputs
/// A base model and exactly one expert.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0]
/// experts = [[0.0, 2.0]]
/// merge.slerp = { t = 0.25 }
/// merged = [0.0, 0.76536686]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slerp {
    /// Position between the models: 0 is the base, 1 the expert; beyond, the arc goes on.
    pub t: f64,
}

/// Cosines beyond this magnitude count as parallel: the arc is a line there, and its coefficients lose precision.
const PARALLEL: f64 = 0.9995;

impl MergeMethod for Slerp {
    const INFO: Info = Info::new("slerp", "SLERP")
        .paper("doi:10.1145/325334.325242", "Shoemake, 1985")
        .experts(1, Some(1))
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            order_invariant: Law::Except("there is only one expert"),
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Holds,
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "t", self.t as f32)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let gram = tensor.gram(Vectors::Models)?;
        let norm = |model| Some(gram.norm(model)).filter(|norm| *norm > 1e-8).unwrap_or(1.0);
        let cosine = gram.product(0, 1) / norm(0) / norm(1);
        let (of_base, of_expert) = coefficients(self.t, cosine.clamp(-1.0, 1.0));
        Ok(Kernel::combination(of_base, vec![of_expert]))
    }
}

/// The coefficients of base and expert at position `t`.
fn coefficients(t: f64, cosine: f64) -> (f64, f64) {
    if cosine.abs() > PARALLEL {
        return (1.0 - t, t);
    }
    let angle = cosine.acos();
    (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
}

#[cfg(test)]
mod tests;
