//! A first pass over the whole model, for what one tensor cannot tell.

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::info::{ExpertCount, Info};
use crate::parameters::Density;
use crate::selection::Histogram;
use crate::tensor::TensorAcrossModels;
use crate::trim::kept_count;
use std::collections::BTreeMap;

/// All tensors of a merge, as often as asked.
pub trait TensorSource {
    /// What can go wrong, reading the tensors included.
    type Error: From<MergeError>;

    /// Calls `visit` for every tensor, in the order of the names, the same each time; stops at the first error.
    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), Self::Error>;
}

/// The result of a first pass over the whole model: how many entries of each expert's task vector each tensor keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    kept: BTreeMap<String, Vec<usize>>,
}

/// What one tensor contributes to the search for one expert's cutoff.
struct Candidates {
    /// How many entries are certainly kept.
    above: usize,
    /// The low bits of the magnitudes that share the cutoff's high bits.
    undecided: Vec<u16>,
}

impl Survey {
    /// How many entries of each expert's task vector this tensor keeps; `None` for a tensor that was not visited.
    pub fn kept(&self, tensor: &str) -> Option<&[usize]> {
        self.kept.get(tensor).map(Vec::as_slice)
    }

    /// What the survey that comes with a tensor says about it, or an error if there is none.
    pub(crate) fn demand<'a>(info: &Info, tensor: &TensorAcrossModels<'a>) -> Result<&'a [usize], MergeError> {
        let experts = tensor.experts.len();
        let kept = tensor.survey.and_then(|survey| survey.kept(tensor.name)).filter(|kept| kept.len() == experts);
        kept.ok_or_else(|| MergeError::MissingSurvey { method: info.name, tensor: tensor.name.into(), experts })
    }

    /// Selects the largest entries over all tensors together, `densities[expert]` of each task vector; among equal
    /// magnitudes those of the earlier tensor, then of the lower index.
    ///
    /// Two visits: the first finds the high 16 bits of each cutoff from a histogram, the second the low 15 among the
    /// few entries that share them. No task vector is ever held as a whole.
    pub(crate) fn largest<S: TensorSource>(
        info: &Info,
        densities: &[Density],
        source: &mut S,
    ) -> Result<Self, S::Error> {
        let mut histograms = vec![Histogram::high(); densities.len()];
        let mut total = 0;
        source.visit(&mut |tensor| {
            total += tensor.len();
            each_task_vector(info, tensor, densities.len(), |expert, deltas| histograms[expert].count_high(deltas))
        })?;

        let wanted: Vec<usize> = densities.iter().map(|density| kept_count(*density, total)).collect();
        let cutoffs: Vec<(u32, usize, usize)> =
            histograms.iter().zip(&wanted).map(|(counts, &wanted)| counts.find(wanted)).collect();

        let mut tensors: Vec<(String, Vec<Candidates>)> = Vec::new();
        source.visit(&mut |tensor| {
            let mut candidates: Vec<Candidates> =
                densities.iter().map(|_| Candidates { above: 0, undecided: Vec::new() }).collect();
            each_task_vector(info, tensor, densities.len(), |expert, deltas| {
                for bits in deltas.iter().map(|delta| delta.abs().to_bits()) {
                    let high = bits >> 15;
                    if high > cutoffs[expert].0 {
                        candidates[expert].above += 1;
                    } else if high == cutoffs[expert].0 {
                        candidates[expert].undecided.push((bits & 0x7fff) as u16);
                    }
                }
            })?;
            tensors.push((tensor.name.to_owned(), candidates));
            Ok(())
        })?;

        let mut kept: BTreeMap<String, Vec<usize>> =
            tensors.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
        for (expert, (&wanted, &(_, above, _))) in wanted.iter().zip(&cutoffs).enumerate() {
            let mut counts = Histogram::low();
            let undecided = tensors.iter().flat_map(|(_, candidates)| &candidates[expert].undecided);
            undecided.for_each(|&low| counts.count(usize::from(low)));
            let (low, larger, _) = counts.find(wanted - above);
            let mut equal_left = wanted - above - larger;
            for (name, candidates) in &tensors {
                let candidates = &candidates[expert];
                let larger = candidates.undecided.iter().filter(|&&value| u32::from(value) > low).count();
                let equal = candidates.undecided.iter().filter(|&&value| u32::from(value) == low).count();
                let equal = equal.min(equal_left);
                equal_left -= equal;
                kept.entry(name.clone()).or_default().push(candidates.above + larger + equal);
            }
        }
        Ok(Self { kept })
    }
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
