//! DELLA: drop random entries of the task vectors, mostly small ones, merge the rest by sign election or add them to the
//! base.

use crate::consensus::Consensus;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws};
use crate::kernel::Kernel;
use crate::masks::MagPrune;
use crate::merge_method::MergeMethod;
use crate::parameters::{Densities, PerExpert, Rescale, Spread, check_finite, check_weights, resolve_weights};
use crate::sparsified::{Sparsified as _, sparsified_methods};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

sparsified_methods! {
    parameters {
        /// Mean probability with which an entry is kept (one minus the paper's drop rate): one number, or one for each expert.
        density: Densities = Densities::default(),
        /// By how much the probabilities of the smallest and the largest entry of a row differ from the density: one number,
        /// or one for each expert. Where the density is neither 0 nor 1, density - epsilon must be above 0 and
        /// density + epsilon below 1.
        epsilon: PerExpert<Spread> = Spread::DEFAULT.into(),
    }
    rescale {
        /// How the kept entries make up for the dropped ones: `density` divides each by its own probability, as in the paper,
        /// `l1` multiplies all by the same number, as in mergekit, and `none` leaves them.
        Density
    }
    validate MagPrune::validate;
    sparsify MagPrune::new;
    info described;

    /// Drops random entries of each task vector, the small ones most likely, rescales the rest, and merges them with TIES's sign
    /// election.
    ///
    /// Within each row of a tensor (the last dimension; a vector is one row) the entries are ranked by magnitude, equal ones by
    /// index. The probability of keeping an entry grows evenly with its rank, from density - epsilon for the smallest to
    /// density + epsilon for the largest entry; the only entry of a row is kept with probability density. An entry's fate
    /// depends on seed, tensor name, expert, index and rank alone.
    /// For each parameter the sign of the weighted sum is elected, an exact zero elects plus, and the entries of that sign are
    /// averaged by weight.
    ///
    /// # Inputs
    /// A base model and one or more experts; a seed.
    ///
    /// # Example
    /// ```toml
    /// base = [0.0, 0.0, 0.0]
    /// experts = [[4.0, 1.0, -2.0], [2.0, -3.0, 0.5]]
    /// merge.della = { weights = [0.5, 0.5], density = 1.0 }
    /// merged = [3.0, -3.0, -2.0]
    /// ```
    Della("della", "DELLA") = election, normalize = true;

    /// Drops random entries of each task vector, the small ones most likely, rescales the rest, and adds the weighted task
    /// vectors to the base.
    ///
    /// Within each row of a tensor (the last dimension; a vector is one row) the entries are ranked by magnitude, equal ones by
    /// index. The probability of keeping an entry grows evenly with its rank, from density - epsilon for the smallest to
    /// density + epsilon for the largest entry; the only entry of a row is kept with probability density. An entry's fate
    /// depends on seed, tensor name, expert, index and rank alone.
    /// With density 1 it is task arithmetic.
    ///
    /// # Inputs
    /// A base model and one or more experts; a seed.
    ///
    /// # Example
    /// ```toml
    /// base = [1.0, 1.0, 1.0]
    /// experts = [[3.0, 1.0, 0.0], [1.0, 5.0, 2.0]]
    /// merge.della_linear = { weights = [1.0, 0.5], density = 1.0, scale = 2.0 }
    /// merged = [5.0, 5.0, 0.0]
    /// ```
    DellaLinear("della_linear", "DELLA without election") = sum, normalize = false;
}

const fn described(info: Info) -> Info {
    info.paper("arXiv:2406.11617", "Deep et al., 2024")
        .laws(Laws { order_invariant: Law::Except("which entries drop depends on the expert's place"), ..Laws::ALL })
        .dialect(Dialect {
            choices: &[("rescale", "l1", "none")],
            defaults: &[("rescale", "\"l1\"")],
            ..Dialect::TASK_VECTORS
        })
}
