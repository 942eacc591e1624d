//! Model Stock: the mean of the experts, pulled towards the base by the angle between them.

use crate::error::MergeError;
use crate::gram::{Gram, Vectors};
use crate::info::{Info, Law, Laws};
use crate::kernel::{Kernel, combine};
use crate::merge_method::MergeMethod;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Interpolates between the base and the mean of the experts; the angle between the task vectors says how far.
///
/// Experts fine-tuned with different seeds lie on a sphere around a better model that none of them reaches. With the
/// mean cosine c over all pairs of n task vectors, the point on the way from base to mean that is nearest to it is at t
/// = n c / (1 + (n-1) c): parallel task vectors are averaged, orthogonal ones leave the base as it is. Where 1 + (n-1)
/// c is below 1e-6 in magnitude the result is the base too. A product of two norms below 1e-6 counts as 1e-6. The sums
/// are accumulated in 64 bits and rounded once.
///
/// # Inputs
/// A base model and two experts or more.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0]
/// experts = [[6.0, 1.0], [4.0, 5.0]]
/// merge.model_stock = { filter_wise = false }
/// merged = [4.0, 2.5]
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelStock {
    /// Whether each row of a tensor, along the last dimension, has angles of its own, or the tensor as one long vector.
    pub filter_wise: bool,
}

impl MergeMethod for ModelStock {
    const INFO: Info = Info::new("model_stock", "Model Stock")
        .paper("arXiv:2403.19522", "Jang et al., 2024")
        .experts(2, None)
        .laws(Laws {
            order_invariant: Law::WithinRounding,
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("a product of norms below 1e-6 counts as 1e-6"),
            ..Laws::ALL
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        Ok(())
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        if self.filter_wise && tensor.row_len() != tensor.len() {
            return Ok(Kernel::rows(|block, scratch, out| {
                let gram = Gram::of_block(block, Vectors::TaskVectors, scratch);
                match position(&gram) {
                    0.0 => out.copy_from_slice(block.base()),
                    t => combine(block, 1.0 - t, &vec![t / gram.len() as f64; gram.len()], 1.0, out),
                }
            }));
        }
        let gram = tensor.gram(Vectors::TaskVectors)?;
        Ok(match position(&gram) {
            0.0 => Kernel::copy_of_base(),
            t => Kernel::combination(1.0 - t, vec![t / gram.len() as f64; gram.len()]),
        })
    }
}

/// The position between base (0) and mean of the experts (1), from the inner products of the task vectors.
fn position(gram: &Gram) -> f64 {
    let count = gram.len();
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    let cosine = |(a, b)| (gram.product(a, b) / (gram.norm(a) * gram.norm(b)).max(1e-6)).clamp(-1.0, 1.0);
    let cosine = pairs.clone().map(cosine).sum::<f64>() / pairs.count() as f64;
    let divisor = 1.0 + (count as f64 - 1.0) * cosine;
    if divisor.abs() < 1e-6 { 0.0 } else { count as f64 * cosine / divisor }
}

#[cfg(test)]
mod tests;
