//! Selecting the largest entries of a tensor that need not fit into memory.

use crate::block::{BLOCK, Block};
use crate::error::MergeError;
use crate::tensor::TensorAcrossModels;

/// Which entries are kept: those of a magnitude above `magnitude`, and those equal to it up to the index `last`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cutoff {
    /// The smallest magnitude of which an entry is kept.
    pub(crate) magnitude: f32,
    /// The index of the last entry of that magnitude that is kept.
    pub(crate) last: usize,
}

impl Cutoff {
    /// Whether the entry with this index and magnitude is kept.
    pub(crate) fn keeps(&self, index: usize, magnitude: f32) -> bool {
        (magnitude > self.magnitude) | ((magnitude == self.magnitude) & (index <= self.last))
    }
}

/// Which part of the bits of a magnitude a pass counts: 16 high bits first, then the 15 below.
pub(crate) const LOW_BITS: u32 = 15;

/// How often each value of the high or the low bits of a magnitude occurs.
///
/// Each value has two counters, used alternately: values often repeat, zeros above all, and adding to a counter has to wait
/// for the addition to it just before.
#[derive(Debug, Clone)]
pub(crate) struct Histogram(Vec<[usize; 2]>);

impl Histogram {
    /// For the high 16 bits.
    pub(crate) fn high() -> Self {
        Self(vec![[0; 2]; 1 << (31 - LOW_BITS)])
    }

    /// For the low 15 bits.
    pub(crate) fn low() -> Self {
        Self(vec![[0; 2]; 1 << LOW_BITS])
    }

    /// Counts the high bits of magnitudes.
    pub(crate) fn count_high(&mut self, magnitudes: &[f32]) {
        let mut count =
            |magnitude: f32, counter: usize| self.0[(magnitude.abs().to_bits() >> LOW_BITS) as usize][counter] += 1;
        let (pairs, rest) = magnitudes.as_chunks();
        for &[first, second] in pairs {
            count(first, 0);
            count(second, 1);
        }
        rest.iter().for_each(|&last| count(last, 0));
    }

    /// Counts the low bits of magnitudes with these high bits.
    pub(crate) fn count_low(&mut self, high: u32, magnitudes: &[f32]) {
        // Most stretches hold none: looking for one first runs in parallel lanes.
        for magnitudes in magnitudes.chunks(32) {
            let is_match = |magnitude: &f32| magnitude.abs().to_bits() >> LOW_BITS == high;
            if magnitudes.iter().fold(false, |found, magnitude| found | is_match(magnitude)) {
                for (index, magnitude) in magnitudes.iter().enumerate().filter(|(_, magnitude)| is_match(magnitude)) {
                    self.0[(magnitude.to_bits() & ((1 << LOW_BITS) - 1)) as usize][index % 2] += 1;
                }
            }
        }
    }

    /// The bucket in which the `wanted`-th largest value lies, how many values lie in the buckets above it, and how many
    /// in it.
    pub(crate) fn find(&self, wanted: usize) -> (u32, usize, usize) {
        let mut above = 0;
        for (index, counts) in self.0.iter().enumerate().rev() {
            let count = counts.iter().sum::<usize>();
            if above + count >= wanted {
                return (index as u32, above, count);
            }
            above += count;
        }
        (0, above, 0)
    }
}

/// For each stream of magnitudes over the entries of a tensor, the cutoff that keeps the `wanted[stream]` largest; among
/// equal ones those of lower index. Each wanted number is at least 1 and at most the number of entries.
///
/// `magnitudes(block, stream, out)` writes the magnitudes (not negative, or their negatives) of a block. Two or three
/// passes over the data: the high bits of each cutoff, its low bits, and, where only some of several equal entries are
/// kept, the index of the last one.
pub(crate) fn find_cutoffs(
    tensor: &TensorAcrossModels<'_>,
    wanted: &[usize],
    magnitudes: impl Fn(&Block<'_>, usize, &mut [f32]),
) -> Result<Vec<Cutoff>, MergeError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut scratch = [0.0; BLOCK];
    let mut each = |visit: &mut dyn FnMut(usize, usize, &[f32])| {
        tensor.each_block(|block| {
            let scratch = &mut scratch[..block.len()];
            for stream in 0..wanted.len() {
                magnitudes(block, stream, scratch);
                visit(stream, block.start(), scratch);
            }
        })
    };

    let mut counts = vec![Histogram::high(); wanted.len()];
    each(&mut |stream, _, magnitudes| counts[stream].count_high(magnitudes))?;
    let high: Vec<_> = counts.iter().zip(wanted).map(|(counts, &wanted)| counts.find(wanted)).collect();

    let mut counts = vec![Histogram::low(); wanted.len()];
    each(&mut |stream, _, magnitudes| counts[stream].count_low(high[stream].0, magnitudes))?;
    let mut equal_left = Vec::with_capacity(wanted.len());
    let mut cutoffs = Vec::with_capacity(wanted.len());
    for ((counts, &wanted), (high, above, _)) in counts.iter().zip(wanted).zip(high) {
        let (low, larger, equal) = counts.find(wanted.saturating_sub(above));
        let kept = wanted.saturating_sub(above + larger);
        equal_left.push(if kept < equal { kept } else { 0 });
        cutoffs.push(Cutoff { magnitude: f32::from_bits(high << LOW_BITS | low), last: usize::MAX });
    }

    if equal_left.iter().any(|&left| left > 0) {
        each(&mut |stream, start, magnitudes| {
            let (cutoff, left) = (&mut cutoffs[stream], &mut equal_left[stream]);
            if *left == 0 {
                return;
            }
            let is_equal = |magnitude: &f32| magnitude.abs() == cutoff.magnitude;
            let found = magnitudes.iter().map(|magnitude| usize::from(is_equal(magnitude))).sum::<usize>();
            if found < *left {
                *left -= found;
                return;
            }
            let mut equal = magnitudes.iter().enumerate().filter(|(_, magnitude)| is_equal(magnitude));
            let last = equal.nth(*left - 1).map_or(magnitudes.len(), |(index, _)| index);
            cutoff.last = start + last;
            *left = 0;
        })?;
    }
    Ok(cutoffs)
}

#[cfg(test)]
mod tests;
