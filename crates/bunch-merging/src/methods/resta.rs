//! RESTA: adds what separates an aligned model from one tuned on harmful data.

use crate::block::{BLOCK, subtract};
use crate::error::MergeError;
use crate::info::{Info, Law, Laws, Role, SameModels};
use crate::kernel::Kernel;
use crate::masks::DropMask;
use crate::merge_method::MergeMethod;
use crate::parameters::{Density, check_finite};
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use crate::trim::rescaling_by_density;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds a safety vector to a tuned model.
///
/// The safety vector is the aligned model minus the unaligned one, which is the aligned model tuned on harmful data: not
/// the pretrained model. The tuned model gets gamma times that vector, in all tensors. With a density below 1, entries of
/// what tuning changed are dropped at random first and the rest is rescaled by 1/density, as DARE does, with DARE's own
/// random numbers.
///
/// # Example
/// ```toml
/// experts = { tuned = [1.0, 2.0, -1.0], aligned = [1.0, 1.0, 0.0], unaligned = [0.0, 1.0, 4.0] }
/// merge.resta = { gamma = 0.5 }
/// merged = [1.5, 2.0, -3.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resta {
    /// Coefficient of the safety vector.
    pub gamma: f32,
    /// Probability with which an entry of what tuning changed is kept; 1 for all.
    pub density: Density,
}

impl Default for Resta {
    fn default() -> Self {
        Self { gamma: 0.5, density: Density::ONE }
    }
}

impl MergeMethod for Resta {
    const INFO: Info = Info::new("resta", "RESTA")
        .paper("arXiv:2402.11746", "Bhardwaj et al., 2024")
        .laws(Laws {
            same_models: SameModels::BitForBit,
            weight_scaling: Law::Except("there are no weights"),
            ..Laws::ALL
        })
        .without_base()
        .roles(&[
            Role::new("tuned", "the model tuned from the aligned one")
                .result_if(("unaligned", "aligned"), &[("density", 1.0)]),
            Role::new("aligned", "the aligned model"),
            Role::new("unaligned", "the aligned model tuned on harmful data"),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "gamma", self.gamma)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
        let factor = rescaling_by_density(self.density);
        check_finite(&Self::INFO, "density", factor)?;
        let mask = (self.density < Density::ONE).then(|| DropMask::new(tensor.name, seed, 0, self.density));
        Ok(Kernel::new(move |block, out| {
            let (tuned, aligned, unaligned) = (block.expert(0), block.expert(1), block.expert(2));
            let mut differences = [0.0; BLOCK];
            let differences = &mut differences[..block.len()];
            match &mask {
                None => out.copy_from_slice(tuned),
                Some(mask) => {
                    subtract(tuned, aligned, differences);
                    mask.weigh(factor, block.start(), differences, out);
                    add_to_base(aligned, 1.0, out);
                }
            }
            subtract(aligned, unaligned, differences);
            add(self.gamma, differences, out);
        }))
    }
}

/// Adds gamma * difference to each entry, and leaves it as it is, bit for bit, where that is nothing.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add(gamma: f32, differences: &[f32], out: &mut [f32]) {
    for (out, difference) in out.iter_mut().zip(differences) {
        let product = gamma * difference;
        let sum = *out + product;
        *out = if product == 0.0 { *out } else { sum };
    }
}

#[cfg(test)]
mod tests;
