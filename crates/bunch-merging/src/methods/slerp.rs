//! SLERP: spherical linear interpolation between the base and one expert.

use super::MergeMethod;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws, SameModels};
use crate::parameters::Fraction;
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
    /// Position between the models: 0 is the base, 1 the expert.
    pub t: Fraction,
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
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        Ok(())
    }

    fn merge(&self, tensor: &TensorAcrossModels<'_>, _seed: u64, out: &mut [f32]) -> Result<(), MergeError> {
        let base = tensor.base_for(&Self::INFO)?;
        for (index, expert) in tensor.experts.iter().enumerate() {
            let cosine = match tensor.cache {
                Some(cache) => cache.cosine(index, || cosine(base, expert)),
                None => cosine(base, expert),
            };
            let (of_base, of_expert) = coefficients(self.t.get(), cosine);
            for ((out, &base), &expert) in out.iter_mut().zip(base).zip(*expert) {
                *out = (of_base * f64::from(base) + of_expert * f64::from(expert)) as f32;
            }
        }
        Ok(())
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

/// The cosine of the angle between two vectors of equal length.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norm = |vector: &[f32]| Some(dot(vector, vector).sqrt()).filter(|norm| *norm > 1e-8).unwrap_or(1.0);
    dot(a, b) / norm(a) / norm(b)
}

/// The inner product of two vectors of equal length, accumulated in a fixed number of 64-bit lanes: fast, and the same
/// on every machine.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a.zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests;
