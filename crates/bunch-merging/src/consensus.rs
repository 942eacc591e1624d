//! How what is left of several task vectors becomes one: their sum, or sign election and disjoint merge (TIES, steps 2
//! and 3).

use crate::block::{BLOCK, Block, pad};
use crate::error::MergeError;
use crate::info::Info;
use crate::parameters::weight_sum;
use crate::task_vectors::add_up;
use std::array;

/// Entries that are merged at a time: their sums stay in registers.
const LANES: usize = 32;
/// Words of the mask of a block, with a bit for each entry.
pub(crate) const MASK_WORDS: usize = BLOCK / 32;

/// How the weighted contributions of all experts are merged.
#[derive(Debug)]
pub(crate) enum Consensus {
    /// They are added up and divided by this number.
    Sum { divisor: f32 },
    /// TIES: those of the elected sign are added up, and divided by their weights if `normalize` says so.
    Election { weights: Vec<f32>, normalize: bool },
}

impl Consensus {
    /// Their sum, with `normalize` divided by the sum of the weights; an error if that is (almost) nothing.
    pub(crate) fn sum(info: &Info, weights: &[f32], normalize: bool) -> Result<Self, MergeError> {
        Ok(Self::Sum { divisor: if normalize { weight_sum(info, weights)? as f32 } else { 1.0 } })
    }

    /// Those that agree with the elected sign.
    pub(crate) fn election(_info: &Info, weights: &[f32], normalize: bool) -> Result<Self, MergeError> {
        Ok(Self::Election { weights: weights.to_vec(), normalize })
    }

    /// Merges contributions, which lie one after the other in `weighted`, each as long as `merged`.
    pub(crate) fn merge(&self, weighted: &[f32], merged: &mut [f32]) {
        match self {
            Self::Sum { divisor } => add_up(weighted, *divisor, merged),
            Self::Election { weights, normalize } => elect_and_merge(weighted, weights, *normalize, merged),
        }
    }
}

/// Merges contributions entry by entry: the sign of their sum is elected (an exact zero elects plus), contributions of
/// the other sign and zeros are left out, and the rest is added up. With `normalize`, each entry is then divided by the
/// sum of the weights of the experts that were not left out there (by 1 where that sum is 0).
///
/// `weighted` holds one contribution for each entry of `weights`, each as long as `merged`.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elect_and_merge(weighted: &[f32], weights: &[f32], normalize: bool, merged: &mut [f32]) {
    let len = merged.len();
    let (chunks, rest) = merged.as_chunks_mut();
    let whole = chunks.len() * LANES;
    for (chunk, merged) in chunks.iter_mut().enumerate() {
        let at = chunk * LANES;
        *merged =
            elect(|expert| array::from_fn(|lane| weighted[expert * len + at..][..LANES][lane]), weights, normalize);
    }
    if !rest.is_empty() {
        let of_expert = |expert: usize| pad(&weighted[expert * len + whole..][..rest.len()]);
        let merged = elect(of_expert, weights, normalize);
        rest.copy_from_slice(&merged[..rest.len()]);
    }
}

/// As [`elect_and_merge`], of task vectors that lose entries: an expert contributes its factor times what it adds to the
/// base where the entry's bit is set, and 0 elsewhere. `bits` holds [`MASK_WORDS`] words for each expert.
///
/// In one pass: writing the contributions and reading them again takes longer than computing them twice.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn elect_and_merge_masked<'a>(
    block: &Block<'a>,
    bits: &[[u32; MASK_WORDS]],
    factors: &[f32],
    weights: &[f32],
    normalize: bool,
    merged: &mut [f32],
) {
    let (chunks, rest) = merged.as_chunks_mut();
    let whole = chunks.len();
    let (base, rest_of_base) = block.base().as_chunks();
    for (chunk, (merged, base)) in chunks.iter_mut().zip(base).enumerate() {
        let of_expert =
            |expert| mask(&block.expert(expert).as_chunks().0[chunk], base, factors[expert], bits[expert][chunk]);
        *merged = elect(of_expert, weights, normalize);
    }
    if !rest.is_empty() {
        let base = pad(rest_of_base);
        let rest_of = |expert| pad(block.expert(expert).as_chunks::<LANES>().1);
        let of_expert = |expert| mask(&rest_of(expert), &base, factors[expert], bits[expert][whole]);
        let merged = elect(of_expert, weights, normalize);
        rest.copy_from_slice(&merged[..rest.len()]);
    }
}

/// The factor times value - base where the entry's bit is set, and 0 elsewhere.
#[inline(always)]
fn mask(values: &[f32; LANES], base: &[f32; LANES], factor: f32, bits: u32) -> [f32; LANES] {
    let mut masked = [0.0; LANES];
    for lane in 0..LANES {
        let weighted = factor * (values[lane] - base[lane]);
        masked[lane] = if bits & (1 << lane) != 0 { weighted } else { 0.0 };
    }
    masked
}

/// What the entries of a chunk are merged to; `contribution` gives what an expert contributes to them.
#[inline(always)]
fn elect(contribution: impl Fn(usize) -> [f32; LANES], weights: &[f32], normalize: bool) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for expert in 0..weights.len() {
        let values = contribution(expert);
        for lane in 0..LANES {
            sums[lane] += values[lane];
        }
    }
    let (mut merged, mut divisors) = ([0.0; LANES], [0.0; LANES]);
    for (expert, &weight) in weights.iter().enumerate() {
        let values = contribution(expert);
        for lane in 0..LANES {
            let value = values[lane];
            let agrees = (value > 0.0) & (sums[lane] >= 0.0) | (value < 0.0) & (sums[lane] < 0.0);
            merged[lane] += if agrees { value } else { 0.0 };
            divisors[lane] += if agrees { weight } else { 0.0 };
        }
    }
    if normalize {
        for lane in 0..LANES {
            merged[lane] /= if divisors[lane] == 0.0 { 1.0 } else { divisors[lane] };
        }
    }
    merged
}
