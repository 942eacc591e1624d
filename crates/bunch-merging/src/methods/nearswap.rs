//! NearSwap: the expert's values where they are near the base's, the base's where they are far.

use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_not_negative;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes the expert's values where they are near the base's, and moves towards them where they are not.
///
/// Where base and expert differ by no more than `t` the result is the expert's value, else the base's value moved by
/// `t` towards the expert's: the weight of the expert is t / |difference|, at most 1. Differences below 1e-6 count as
/// 1e-6. The strong features of the base survive, and its near ties are broken as in the expert. Each entry is computed
/// in 64 bits and rounded once.
///
/// # Inputs
/// A base model and exactly one expert.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0, 1.0]
/// experts = [[1.25, 3.0, -3.0]]
/// merge.nearswap = { t = 0.5 }
/// merged = [1.25, 1.5, 0.5]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nearswap {
    /// How far an entry may move at most: 0 or more.
    #[schemars(range(min = 0.0))]
    pub t: f64,
}

impl MergeMethod for Nearswap {
    const INFO: Info = Info::new("nearswap", "NearSwap")
        .paper("https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001", "alchemonaut, 2024")
        .experts(1, Some(1))
        .laws(Laws {
            order_invariant: Law::Except("there is only one expert"),
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("`t` is absolute"),
            ..Laws::ALL
        });

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "t", self.t as f32)
    }

    fn prepare<'a>(&'a self, _tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        Ok(Kernel::new(move |block, out| swap(self.t, block.base(), block.expert(0), out)))
    }
}

/// Writes each base value moved towards the expert's.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn swap(t: f64, base: &[f32], expert: &[f32], out: &mut [f32]) {
    for ((out, &base), &expert) in out.iter_mut().zip(base).zip(expert) {
        let (base, expert) = (f64::from(base), f64::from(expert));
        let weight = (t / (expert - base).abs().max(1e-6)).clamp(0.0, 1.0);
        *out = (weight * expert + (1.0 - weight) * base) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::swap;

    #[test]
    fn steps_are_no_longer_than_t_and_end_at_the_expert() {
        let (base, expert) = ([1.0, 1.0, -0.5, 1e30], [1.0 + 1e-6, 9.0, -0.75, 1.0]);
        let mut out = [f32::NAN; 4];
        swap(0.25, &base, &expert, &mut out);
        assert_eq!(out, [1.0 + 1e-6, 1.25, -0.75, 1e30]);
        swap(1e31, &base, &expert, &mut out);
        assert_eq!(out, expert, "exact, however far apart");
        // Differences below 1e-6 count as 1e-6.
        swap(5e-7, &[0.0], &[5e-7], &mut out[..1]);
        assert_eq!(out[0], 2.5e-7);
    }
}
