//! DARE-TIES: drop random entries of the task vectors, rescale the rest, merge them by sign election.

use super::MergeMethod;
use crate::consensus::{MASK_WORDS, elect_and_merge_masked};
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::masks::{DropMask, rescaled_weights};
use crate::parameters::{Densities, Rescale, check_finite, check_weights, resolve_weights};
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops random entries of each task vector, rescales the rest, and merges them with TIES's sign election.
///
/// The random drop of DARE takes the place of TIES's trimming. For each parameter the sign of the weighted sum is
/// elected, an exact zero elects plus, and the entries of that sign are added up; unlike in TIES, they are not averaged
/// unless `normalize` says so.
///
/// # Inputs
/// A base model and one or more experts; a seed.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0]
/// experts = [[4.0, 1.0, -2.0], [2.0, -3.0, 0.5]]
/// merge.dare_ties = { weights = [0.5, 0.5], density = 1.0 }
/// merged = [3.0, -1.5, -1.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DareTies {
    /// Weight of each expert's task vector; an empty list stands for 1 for each.
    pub weights: Vec<f32>,
    /// Probability with which an entry is kept (one minus the paper's drop rate): one number, or one for each expert.
    pub density: Densities,
    /// How the kept entries make up for the dropped ones: `density` as in the paper, `l1` as in mergekit, or `none`.
    pub rescale: Rescale,
    /// Coefficient of the merged task vector (the papers' lambda).
    pub scale: f32,
    /// Whether each parameter's sum is divided by the weights of the experts that agree (TIES's disjoint mean), unless
    /// these sum to 0.
    pub normalize: bool,
}

impl Default for DareTies {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            density: Densities::default(),
            rescale: Rescale::default(),
            scale: 1.0,
            normalize: false,
        }
    }
}

impl MergeMethod for DareTies {
    const INFO: Info = Info::new("dare_ties", "DARE-TIES")
        .paper("arXiv:2311.03099", "Yu et al., 2024")
        .laws(Laws { order_invariant: Law::Except("which entries drop depends on the expert's place"), ..Laws::ALL })
        .dialect(Dialect {
            choices: &[("rescale", "l1", "none")],
            defaults: &[("rescale", "\"l1\"")],
            ..Dialect::TASK_VECTORS
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)?;
        check_weights(&Self::INFO, &self.weights, experts)?;
        self.density.validate(&Self::INFO, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
        let masks = DropMask::all(tensor, seed, &self.density);
        let factors = rescaled_weights(&Self::INFO, tensor, &masks, &weights, &self.density, self.rescale)?;
        Ok(Kernel::with_scratch(move |block, bits, out| {
            bits.resize(masks.len() * MASK_WORDS, 0.0);
            let (bits, _) = bytemuck::cast_slice_mut(bits).as_chunks_mut();
            masks.iter().zip(&mut *bits).for_each(|(mask, bits)| mask.write_survivors(block, bits));
            elect_and_merge_masked(block, bits, &factors, &weights, self.normalize, out);
            add_to_base(block.base(), self.scale, out);
        }))
    }
}
