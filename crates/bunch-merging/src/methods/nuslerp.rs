//! NuSLERP: spherical interpolation between two experts or their task vectors, whole or vector by vector.

use crate::block::{BLOCK, Block};
use crate::dialect::Dialect;
use crate::error::MergeError;
use crate::gram::Gram;
use crate::info::{Info, Law, Laws, SameModels};
use crate::kernel::{Kernel, combine};
use crate::merge_method::MergeMethod;
use crate::parameters::{check_weights, resolve_weights};
use crate::tensor::TensorAcrossModels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Interpolates between two experts along the arc between them, by weight.
///
/// With a base it is the task vectors that are interpolated, and the result is added to the base; without, the experts
/// themselves. The weights, divided by their sum, are the two shares s and 1-s (a half each if they sum to less than
/// 1e-6 in magnitude). With a the angle between the vectors, their coefficients are sin(s a)/sin(a) and sin((1-s)
/// a)/sin(a); where the vectors are parallel or opposite (the sine of the angle at most 1e-6) they are the shares. A
/// norm below 1e-7 counts as 1e-7. The sums are accumulated in 64 bits and rounded once.
///
/// By default each tensor is one long vector. With `flatten = false` each row is a vector by itself, along the last
/// dimension; with `row_wise` too, each column is, along the first. A tensor of one dimension is one vector always.
///
/// # Inputs
/// Exactly two experts, and a base or none.
///
/// # Example
/// ```toml
/// base = [1.0, 1.0]
/// experts = [[3.0, 1.0], [1.0, 3.0]]
/// merge.nuslerp = { weights = [2.0, 1.0] }
/// merged = [2.7320508, 2.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nuslerp {
    /// Weight of each expert, of which only the ratio counts; an empty list stands for equal weights.
    pub weights: Vec<f32>,
    /// Whether a tensor is one long vector, and not one for each row or column.
    pub flatten: bool,
    /// Whether vectors run along the first dimension instead of the last, if `flatten` is false.
    pub row_wise: bool,
}

impl Default for Nuslerp {
    fn default() -> Self {
        Self { weights: Vec::new(), flatten: true, row_wise: false }
    }
}

impl MergeMethod for Nuslerp {
    const INFO: Info = Info::new("nuslerp", "NuSLERP")
        .paper("https://github.com/arcee-ai/mergekit", "Goddard, 2024")
        .with_optional_base()
        .experts(2, Some(2))
        .dialect(Dialect {
            names: &[("nuslerp_flatten", "flatten"), ("nuslerp_row_wise", "row_wise")],
            required: &["weight"],
            ..Dialect::SAME
        })
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            order_invariant: Law::WithinRounding,
            weight_scaling: Law::Except("only the ratio of the two weights counts, with no switch to change that"),
            homogeneity: Law::Holds,
        });

    fn validate(&self, experts: usize) -> Result<(), MergeError> {
        check_weights(&Self::INFO, &self.weights, experts)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let shares = shares(&resolve_weights(&self.weights, 1.0, tensor.experts.len()));
        let vectors = tensor.vectors_from_base();
        let columns = tensor.shape.iter().skip(1).product();
        if self.flatten || tensor.row_len() == tensor.len() || (self.row_wise && columns == 1) {
            let gram = tensor.gram(vectors)?;
            let [first, second] = coefficients(shares, &gram);
            let of_base = 1.0 - (first + second);
            return Ok(Kernel::combination(of_base, vec![first, second]));
        }
        if self.row_wise {
            return Columns::measure(tensor, columns, shares).map(Columns::kernel);
        }
        Ok(Kernel::rows(move |block, scratch, out| {
            let [first, second] = coefficients(shares, &Gram::of_block(block, vectors, scratch));
            combine(block, 1.0 - (first + second), &[first, second], 1.0, out);
        }))
    }
}

/// The weights, divided by their sum.
fn shares(weights: &[f32]) -> [f64; 2] {
    let [first, second] = [0, 1].map(|expert| weights.get(expert).copied().map_or(0.0, f64::from));
    let sum = first + second;
    if sum.abs() < 1e-6 { [0.5, 0.5] } else { [first / sum, second / sum] }
}

/// The coefficients of two vectors.
fn coefficients(shares: [f64; 2], gram: &Gram) -> [f64; 2] {
    coefficients_of(shares, gram.product(0, 0), gram.product(0, 1), gram.product(1, 1))
}

/// The coefficients of two vectors of which these are the inner products: first with first, first with second, second
/// with second.
fn coefficients_of(shares: [f64; 2], aa: f64, ab: f64, bb: f64) -> [f64; 2] {
    let norm = |square: f64| square.sqrt().max(1e-7);
    let cosine = (ab / norm(aa) / norm(bb)).clamp(-1.0, 1.0);
    // Rounding leaves an error of about the root of 1e-16 in the sine, by which opposite vectors would be divided.
    if (1.0 - cosine) * (1.0 + cosine) <= 1e-12 {
        return shares;
    }
    let angle = cosine.acos();
    shares.map(|share| (share * angle).sin() / angle.sin())
}

/// The coefficients of each column: of a matrix, or of a tensor whose dimensions from the second on are taken together.
struct Columns {
    of_base: Vec<f64>,
    of_experts: [Vec<f64>; 2],
}

impl Columns {
    /// Measures the angles of all columns in one pass.
    fn measure(tensor: &TensorAcrossModels<'_>, columns: usize, shares: [f64; 2]) -> Result<Self, MergeError> {
        let [mut aa, mut ab, mut bb] = [0; 3].map(|_| vec![0.0; columns]);
        let (mut first, mut second) = ([0.0; BLOCK], [0.0; BLOCK]);
        tensor.each_block(|block| {
            let (a, b) = (block.task_vector(0, &mut first), block.task_vector(1, &mut second));
            for (at, columns) in runs(block, columns) {
                let (a, b) = (&a[at.clone()], &b[at]);
                add_products([a, b], [&mut aa[columns.clone()], &mut ab[columns.clone()], &mut bb[columns]]);
            }
        })?;
        let mut measured = Self { of_base: Vec::with_capacity(columns), of_experts: [aa, bb] };
        let [aa, bb] = &mut measured.of_experts;
        for ((aa, ab), bb) in aa.iter_mut().zip(ab).zip(bb) {
            [*aa, *bb] = coefficients_of(shares, *aa, ab, *bb);
            measured.of_base.push(1.0 - (*aa + *bb));
        }
        Ok(measured)
    }

    fn kernel<'a>(self) -> Kernel<'a> {
        Kernel::new(move |block, out| {
            let mut sums = [0.0_f64; BLOCK];
            for (at, columns) in runs(block, self.of_base.len()) {
                let sums = &mut sums[at.clone()];
                if block.has_base() {
                    add_scaled(&block.base()[at.clone()], &self.of_base[columns.clone()], sums);
                }
                for (expert, coefficients) in self.of_experts.iter().enumerate() {
                    add_scaled(&block.expert(expert)[at.clone()], &coefficients[columns.clone()], sums);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum as f32;
            }
        })
    }
}

/// The pieces of a block that lie in one row of the matrix: where each is in the block, and which columns it covers.
fn runs(block: &Block<'_>, columns: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
    let (start, len, mut at) = (block.start(), block.len(), 0);
    std::iter::from_fn(move || {
        let column = (start + at) % columns;
        let count = (columns - column).min(len - at);
        let run = (at..at + count, column..column + count);
        at += count;
        (count > 0).then_some(run)
    })
}

/// Adds, entry by entry, a times a, a times b and b times b to their sums.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_products([a, b]: [&[f32]; 2], [aa, ab, bb]: [&mut [f64]; 3]) {
    for ((((&a, &b), aa), ab), bb) in a.iter().zip(b).zip(aa).zip(ab).zip(bb) {
        let (a, b) = (f64::from(a), f64::from(b));
        *aa += a * a;
        *ab += a * b;
        *bb += b * b;
    }
}

/// Adds each value times its coefficient to its sum.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_scaled(values: &[f32], coefficients: &[f64], sums: &mut [f64]) {
    for ((sum, &value), &coefficient) in sums.iter_mut().zip(values).zip(coefficients) {
        *sum += coefficient * f64::from(value);
    }
}

#[cfg(test)]
mod tests;
