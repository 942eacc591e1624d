//! DARE: drop random entries of the task vectors, rescale the rest, add them to the base or merge them by sign election.

use crate::consensus::Consensus;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::masks::{DropMask, rescaled_weights};
use crate::merge_method::MergeMethod;
use crate::parameters::{Densities, Rescale, check_finite, check_weights, resolve_weights};
use crate::sparsified::{Masked, Sparsified as _, sparsified_methods};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

sparsified_methods! {
    parameters {
        /// Probability with which an entry is kept (one minus the paper's drop rate): one number, or one for each expert.
        density: Densities = Densities::default(),
    }
    rescale {
        /// How the kept entries make up for the dropped ones: `density` as in the paper, `l1` as in mergekit, or `none`.
        Density
    }
    validate validate;
    sparsify sparsify;
    info described;

    /// Drops random entries of each task vector, rescales the rest, and adds the weighted task vectors to the base.
    ///
    /// Most of what fine-tuning changes is redundant: a random small part, scaled up to the same mean, does nearly as well
    /// and collides less with other task vectors. An entry's fate depends on seed, tensor name, expert and index alone, and
    /// whatever a density keeps every higher density keeps too. With density 1 it is task arithmetic.
    ///
    /// # Inputs
    /// A base model and one or more experts; a seed.
    ///
    /// # Example
    /// ```toml
    /// base = [1.0, 1.0, 1.0]
    /// experts = [[3.0, 1.0, 0.0], [1.0, 5.0, 2.0]]
    /// merge.dare_linear = { weights = [1.0, 0.5], density = 1.0, scale = 2.0 }
    /// merged = [5.0, 5.0, 0.0]
    /// ```
    DareLinear("dare_linear", "DARE") = sum, normalize = false;

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
    DareTies("dare_ties", "DARE-TIES") = election, normalize = false;
}

const fn described(info: Info) -> Info {
    info.paper("arXiv:2311.03099", "Yu et al., 2024")
        .laws(Laws { order_invariant: Law::Except("which entries drop depends on the expert's place"), ..Laws::ALL })
        .dialect(Dialect {
            choices: &[("rescale", "l1", "none")],
            defaults: &[("rescale", "\"l1\"")],
            ..Dialect::TASK_VECTORS
        })
}

fn validate(info: &Info, density: &Densities, experts: usize) -> Result<(), MergeError> {
    density.validate(info, experts)
}

fn sparsify(
    info: &Info,
    tensor: &TensorAcrossModels<'_>,
    seed: u64,
    density: &Densities,
    weights: &[f32],
    rescale: Rescale,
) -> Result<Masked, MergeError> {
    let masks = DropMask::all(tensor, seed, density);
    let factors = rescaled_weights(info, tensor, &masks, weights, density, rescale)?;
    Ok(Masked { masks, factors })
}
