//! Selecting the largest entries of task vectors over all tensors of a model together.

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::info::{ExpertCount, Info};
use crate::parameters::Density;
use crate::selection::{Histogram, LOW_BITS};
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use crate::trim::kept_count;
use std::collections::BTreeMap;

/// How many entries of each expert's task vector a tensor keeps.
type Kept = Vec<usize>;

/// What the survey that comes with a tensor says about it, or an error if there is none.
pub(crate) fn kept_by_survey<'a>(info: &Info, tensor: &TensorAcrossModels<'a>) -> Result<&'a [usize], MergeError> {
    let experts = tensor.experts.len();
    let kept = tensor.survey.and_then(|survey| survey.of::<Kept>(tensor.name)).filter(|kept| kept.len() == experts);
    let missing = || MergeError::MissingSurvey { method: info.name, tensor: tensor.name.into(), experts };
    kept.map(Vec::as_slice).ok_or_else(missing)
}

/// Selects the largest entries over all tensors together, `densities[expert]` of each task vector; among equal
/// magnitudes those of the earlier tensor, then of the lower index.
///
/// Three visits: the first finds the high 16 bits of each cutoff from a histogram, the second the low 15 among the
/// entries that share them, the third counts what each tensor keeps. What is held does not grow with the model.
pub(crate) fn survey_largest<S: TensorSource>(
    info: &Info,
    densities: &[Density],
    source: &mut S,
) -> Result<Survey, S::Error> {
    let experts = densities.len();
    let (mut counts, mut total) = (vec![Histogram::high(); experts], 0);
    source.visit(&mut |tensor| {
        total += tensor.len();
        each_task_vector(info, tensor, experts, |expert, deltas| counts[expert].count_high(deltas))
    })?;
    let wanted: Vec<usize> = densities.iter().map(|density| kept_count(*density, total)).collect();
    let high: Vec<_> = counts.iter().zip(&wanted).map(|(counts, &wanted)| counts.find(wanted)).collect();

    let mut counts = vec![Histogram::low(); experts];
    source.visit(&mut |tensor| {
        each_task_vector(info, tensor, experts, |expert, deltas| counts[expert].count_low(high[expert].0, deltas))
    })?;
    // The bits of each cutoff, and how many entries of that magnitude are kept.
    let (mut cutoffs, mut equal_left) = (Vec::with_capacity(experts), Vec::with_capacity(experts));
    for ((counts, wanted), (high, above, _)) in counts.iter().zip(wanted).zip(high) {
        let (low, larger, _) = counts.find(wanted - above);
        cutoffs.push(high << LOW_BITS | low);
        equal_left.push(wanted - above - larger);
    }

    let mut kept = BTreeMap::new();
    source.visit(&mut |tensor| {
        let mut found = vec![(0, 0); experts];
        each_task_vector(info, tensor, experts, |expert, deltas| {
            let (larger, equal) = count_against(cutoffs[expert], deltas);
            found[expert].0 += larger;
            found[expert].1 += equal;
        })?;
        let counts = found.into_iter().zip(&mut equal_left).map(|((larger, equal), left)| {
            let equal = equal.min(*left);
            *left -= equal;
            larger + equal
        });
        kept.insert(tensor.name.to_owned(), counts.collect::<Kept>());
        Ok(())
    })?;
    Ok(Survey::new(kept))
}

/// How many magnitudes are larger than the one with the bits `cutoff`, and how many are equal to it.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn count_against(cutoff: u32, values: &[f32]) -> (usize, usize) {
    let (mut larger, mut equal) = (0_u32, 0_u32);
    for value in values {
        let bits = value.abs().to_bits();
        larger += u32::from(bits > cutoff);
        equal += u32::from(bits == cutoff);
    }
    (larger as usize, equal as usize)
}

/// Calls `each(expert, deltas)` with every task vector, block by block.
fn each_task_vector(
    info: &Info,
    tensor: &TensorAcrossModels<'_>,
    experts: usize,
    mut each: impl FnMut(usize, &[f32]),
) -> Result<(), MergeError> {
    let (expected, got) = (ExpertCount { min: experts, max: Some(experts) }, tensor.experts.len());
    if got != experts {
        return Err(MergeError::ExpertCount { method: info.name, expected, got });
    }
    tensor.check()?;
    let mut deltas = [0.0; BLOCK];
    tensor.each_block(|block| (0..experts).for_each(|expert| each(expert, block.task_vector(expert, &mut deltas))))
}

#[cfg(test)]
mod tests;
