//! Karcher mean: the point on the sphere that is nearest to all experts' directions.

use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::gram::{Gram, Vectors};
use crate::info::{Info, Law, Laws, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_not_negative;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Averages the directions of the experts on a sphere: the mean is where the arcs to all of them balance.
///
/// Each tensor is one long vector. The search starts at the mean of the unit vectors, made a unit vector (at the first
/// expert if they cancel out), and moves along the sum of the arcs to all experts until it is shorter than `tolerance`.
/// The result has this direction and the mean of the experts' lengths. An arc to an opposite vector has no direction
/// and is left out. One expert is the result. A tensor with a norm of at most `tolerance` has no direction; if none has
/// one the result is zero. The sums are accumulated in 64 bits and rounded once: the search takes the inner products of
/// the experts, and no pass over the data.
///
/// # Inputs
/// One expert or more. A base is ignored: to let the base take part, list it among the experts.
///
/// # Example
/// ```toml
/// experts = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]
/// merge.karcher = { max_iterations = 10, tolerance = 1e-5 }
/// merged = [1.1547005, 1.1547005, 1.1547005]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Karcher {
    /// Number of steps of the search, at most.
    pub max_iterations: u32,
    /// Arc in radians that counts as nothing, and norm of a tensor that counts as zero.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for Karcher {
    fn default() -> Self {
        Self { max_iterations: 10, tolerance: 1e-5 }
    }
}

/// Sines of angles and lengths of sums below it are rounding errors of inner products.
const ROUNDING: f64 = 1e-7;

impl MergeMethod for Karcher {
    const INFO: Info = Info::new("karcher", "Karcher mean")
        .paper("arXiv:2603.04972", "Wang et al., 2026")
        .without_base()
        .dialect(Dialect { names: &[("max_iter", "max_iterations"), ("tol", "tolerance")], ..Dialect::SAME })
        .laws(Laws {
            same_models: SameModels::Except("a tensor with a norm of at most `tolerance` counts as zero"),
            order_invariant: Law::Except("the search starts at the first expert where directions cancel out"),
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("`tolerance` is absolute"),
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "tolerance", self.tolerance as f32)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        if tensor.experts.len() == 1 {
            return Ok(Kernel::copy_of(0));
        }
        let gram = tensor.gram(Vectors::Experts)?;
        let mean_norm = (0..gram.len()).map(|vector| gram.norm(vector)).sum::<f64>() / gram.len() as f64;
        let direction = self.direction(&gram);
        Ok(Kernel::combination(0.0, direction.into_iter().map(|coefficient| mean_norm * coefficient).collect()))
    }
}

impl Karcher {
    /// The coefficients of the mean direction, which is a unit vector; all zero if no vector has a direction.
    fn direction(&self, gram: &Gram) -> Vec<f64> {
        let mut mean = vec![0.0; gram.len()];
        let vectors: Vec<usize> = (0..gram.len()).filter(|&vector| gram.norm(vector) > self.tolerance).collect();
        let Some(&first) = vectors.first() else { return mean };
        let share = 1.0 / vectors.len() as f64;
        for &vector in &vectors {
            mean[vector] = share / gram.norm(vector);
        }
        let length = gram.norm_of_sum(&mean);
        if length <= self.tolerance.max(ROUNDING) {
            mean.fill(0.0);
            mean[first] = 1.0 / gram.norm(first);
        } else {
            mean.iter_mut().for_each(|coefficient| *coefficient /= length);
        }
        for _ in 0..self.max_iterations {
            let step = self.step(gram, &vectors, &mean);
            let arc = gram.norm_of_sum(&step);
            if arc < self.tolerance || arc == 0.0 {
                break;
            }
            for (mean, step) in mean.iter_mut().zip(step) {
                *mean = arc.cos() * *mean + arc.sin() / arc * step;
            }
            // Against the growth of rounding errors.
            let length = gram.norm_of_sum(&mean);
            if length > self.tolerance {
                mean.iter_mut().for_each(|coefficient| *coefficient /= length);
            }
        }
        mean
    }

    /// The coefficients of the mean of the arcs from `mean` to each of the vectors, as a vector of the tangent plane.
    fn step(&self, gram: &Gram, vectors: &[usize], mean: &[f64]) -> Vec<f64> {
        let mut step = vec![0.0; mean.len()];
        let share = 1.0 / vectors.len() as f64;
        for &vector in vectors {
            let norm = gram.norm(vector);
            let cosine = (gram.product_with_sum(vector, mean) / norm).clamp(-1.0, 1.0);
            let (angle, sine) = (cosine.acos(), cosine.acos().sin());
            if angle < self.tolerance || sine <= ROUNDING {
                continue;
            }
            let factor = share * angle / sine;
            step[vector] += factor / norm;
            step.iter_mut().zip(mean).for_each(|(step, mean)| *step -= factor * cosine * mean);
        }
        step
    }
}

#[cfg(test)]
mod tests;
