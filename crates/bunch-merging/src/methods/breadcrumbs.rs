//! Model Breadcrumbs: drop the largest and the smallest entries of the task vectors, add the rest to the base or merge them
//! by sign election.

use crate::consensus::Consensus;
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{
    Densities, Density, OutlierFraction, PerExpert, Rescale, check_finite, check_weights, resolve_weights,
};
use crate::sparsified::{Sparsified as _, Trimmed, sparsified_methods};
use crate::tensor::TensorAcrossModels;
use crate::trim::Trim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

sparsified_methods! {
    parameters {
        /// Fraction of each task vector's entries that is kept: one number, or one for each expert.
        density: Densities = Densities::default(),
        /// Fraction of each task vector's entries, those of largest magnitude, that is dropped: one number, or one for each
        /// expert.
        gamma: PerExpert<OutlierFraction> = OutlierFraction::HUNDREDTH.into(),
    }
    rescale {
        /// How the kept entries make up for the dropped ones: `none` as in the paper, `l1`, or `density`.
        None
    }
    validate validate;
    sparsify sparsify;
    info described;

    /// Drops the largest and the smallest entries of each task vector, and adds the weighted rest to the base.
    ///
    /// The smallest entries are noise and the largest ones outliers that disturb the other tasks; what is left in between is
    /// the trail of breadcrumbs. Of the n entries of a tensor, density n are kept (rounded down, so possibly none) and the
    /// gamma n largest are dropped, fewer only where that leaves too few. Among equal magnitudes the entry of lower index
    /// counts as the larger one. With density 1 it is task arithmetic.
    ///
    /// # Inputs
    /// A base model and one or more experts.
    ///
    /// # Example
    /// ```toml
    /// base = [1.0, 1.0, 1.0, 1.0]
    /// experts = [[9.0, 0.0, 3.0, 1.5], [1.5, 3.0, 1.0, -7.0]]
    /// merge.breadcrumbs = { weights = [1.0, 0.5], density = 0.5, gamma = 0.25 }
    /// merged = [1.25, 1.0, 3.0, 1.0]
    /// ```
    Breadcrumbs("breadcrumbs", "Model Breadcrumbs") = sum, normalize = false;

    /// Drops the largest and the smallest entries of each task vector, and merges the rest with TIES's sign election.
    ///
    /// The selection of Model Breadcrumbs takes the place of TIES's trimming: of the n entries of a tensor, density n are kept
    /// (rounded down, so possibly none) and the gamma n largest are dropped, fewer only where that leaves too few. Among equal
    /// magnitudes the entry of lower index counts as the larger one. For each parameter the sign of the weighted sum is
    /// elected, an exact zero elects plus, and the entries of that sign are added up; unlike in TIES, they are not averaged
    /// unless `normalize` says so.
    ///
    /// # Inputs
    /// A base model and one or more experts.
    ///
    /// # Example
    /// ```toml
    /// base = [0.0, 0.0, 0.0, 0.0]
    /// experts = [[8.0, -1.0, 2.0, 0.5], [-3.0, -2.0, -6.0, 1.0]]
    /// merge.breadcrumbs_ties = { density = 0.5, gamma = 0.25 }
    /// merged = [-3.0, -3.0, 2.0, 0.0]
    /// ```
    BreadcrumbsTies("breadcrumbs_ties", "Breadcrumbs-TIES") = election, normalize = false;
}

const fn described(info: Info) -> Info {
    info.paper("arXiv:2312.06795", "Davari and Belilovsky, 2024")
        .dialect(Dialect { choices: &[("rescale", "l1", "none")], ..Dialect::TASK_VECTORS })
}

fn validate(
    info: &Info,
    density: &Densities,
    gamma: &PerExpert<OutlierFraction>,
    experts: usize,
) -> Result<(), MergeError> {
    density.validate(info, experts)?;
    gamma.validate(info, experts)
}

fn sparsify(
    _info: &Info,
    tensor: &TensorAcrossModels<'_>,
    _seed: u64,
    density: &Densities,
    gamma: &PerExpert<OutlierFraction>,
    weights: &[f32],
    rescale: Rescale,
) -> Result<Trimmed, MergeError> {
    let trims = Trim::bands(tensor, &bands(tensor, density, gamma))?;
    Trimmed::new(tensor, trims, weights, density, rescale)
}

/// For each expert, how many of its largest entries are dropped and how many of the next ones are kept.
fn bands(
    tensor: &TensorAcrossModels<'_>,
    densities: &Densities,
    outliers: &PerExpert<OutlierFraction>,
) -> Vec<(usize, usize)> {
    let (len, experts) = (tensor.len(), tensor.experts.len());
    let part = |fraction: f64| ((fraction * len as f64) as usize).min(len);
    let numbers = densities.resolve(experts).into_iter().zip(outliers.resolve(experts));
    let band = |(density, outliers): (Density, OutlierFraction)| {
        let kept = part(density.get());
        (part(outliers.get()).min(len - kept), kept)
    };
    numbers.map(band).collect()
}

#[cfg(test)]
mod tests;
