//! What merges one block after another, once the method has seen the whole tensor.

use crate::block::{BLOCK, Block};
use crate::error::{MergeError, Source};
use crate::info::Info;
use crate::matrix::band;
use crate::tensor::{Cut, TensorAcrossModels};
use std::fmt;
use std::ops::Range;

/// Merges one block into a slice of the same length, with a scratch that keeps its memory from block to block.
type Run<'a> = Box<dyn Fn(&Block<'_>, &mut Vec<f32>, &mut [f32]) + Send + Sync + 'a>;

/// What a method returns for a tensor: a function that merges one block of it, with everything that it takes the whole
/// tensor to know (norms, cut-offs, sums) already computed.
///
/// Blocks may be merged in any order and on any thread: what comes out depends on the block alone.
pub struct Kernel<'a> {
    cut: Cut,
    run: Run<'a>,
}

impl<'a> Kernel<'a> {
    /// A kernel for methods that merge each entry by itself: `run(block, out)` with `out.len() == block.len()`, at most
    /// [`BLOCK`](crate::BLOCK).
    pub fn new(run: impl Fn(&Block<'_>, &mut [f32]) + Send + Sync + 'a) -> Self {
        Self { cut: Cut::Anywhere, run: Box::new(move |block, _, out| run(block, out)) }
    }

    /// As [`Kernel::new`], with a scratch of any length and content whose memory is reused.
    pub(crate) fn with_scratch(run: impl Fn(&Block<'_>, &mut Vec<f32>, &mut [f32]) + Send + Sync + 'a) -> Self {
        Self { cut: Cut::Anywhere, run: Box::new(run) }
    }

    /// A kernel for methods that merge each row by itself: the block is one row.
    pub fn rows(run: impl Fn(&Block<'_>, &mut Vec<f32>, &mut [f32]) + Send + Sync + 'a) -> Self {
        Self { cut: Cut::Rows, run: Box::new(run) }
    }

    /// A kernel for methods that multiply matrices: the block is a band of rows of so many columns each.
    pub fn bands(columns: usize, run: impl Fn(&Block<'_>, &mut [f32]) + Send + Sync + 'a) -> Self {
        Self { cut: Cut::Bands(band(columns)), run: Box::new(move |block, _, out| run(block, out)) }
    }

    /// A kernel that copies an expert.
    pub(crate) fn copy_of(expert: usize) -> Self {
        Self::new(move |block, out| out.copy_from_slice(block.expert(expert)))
    }

    /// A kernel that copies the base.
    pub(crate) fn copy_of_base() -> Self {
        Self::new(|block, out| out.copy_from_slice(block.base()))
    }

    /// A kernel that writes the sum of base and experts, each times its coefficient, accumulated in 64 bits in the order
    /// base, experts and rounded once. A base that is not there has no coefficient.
    pub(crate) fn combination(of_base: f64, of_experts: Vec<f64>) -> Self {
        Self::new(move |block, out| combine(block, of_base, &of_experts, 1.0, out))
    }

    /// A kernel that writes the sum of the experts, each times its weight, over `divisor`. The division comes last: values
    /// that cancel then do so whatever the order of the experts.
    pub fn weighted_mean(weights: Vec<f64>, divisor: f64) -> Self {
        Self::new(move |block, out| combine(block, 0.0, &weights, divisor.recip(), out))
    }

    /// The smallest number of entries that cannot be cut: ranges given to [`Prepared::merge`] begin and end at its
    /// multiples.
    fn unit(&self, tensor: &TensorAcrossModels<'_>) -> usize {
        match self.cut {
            Cut::Anywhere => 1,
            Cut::Rows | Cut::Bands(_) => tensor.row_len().max(1),
        }
    }
}

/// Writes `of_base * base + sum of of_experts[i] * expert i` of a block, times `factor`, to `out`.
pub(crate) fn combine(block: &Block<'_>, of_base: f64, of_experts: &[f64], factor: f64, out: &mut [f32]) {
    let mut sums = [0.0_f64; BLOCK];
    for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let sums = &mut sums[..out.len()];
        let base = block.base().get(start..start + out.len()).map(|base| (of_base, base));
        let expert = |(expert, &coefficient)| (coefficient, &block.expert(expert)[start..start + out.len()]);
        let mut terms = base.into_iter().chain(of_experts.iter().enumerate().map(expert));
        match (terms.next(), terms.next(), terms.next()) {
            // By far the most common case, in one pass.
            (Some(first), Some(second), None) => round_sum(factor, first, second, out),
            (None, ..) => out.fill((factor * 0.0) as f32),
            (Some((coefficient, values)), second, third) => {
                write_product(coefficient, values, sums);
                let others = second.into_iter().chain(third).chain(terms);
                others.for_each(|(coefficient, values)| add_product(coefficient, values, sums));
                round(factor, sums, out);
            }
        }
    }
}

/// Writes the sum of two values times their coefficients, times the factor, rounded.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn round_sum(factor: f64, (a, first): (f64, &[f32]), (b, second): (f64, &[f32]), out: &mut [f32]) {
    for ((out, &first), &second) in out.iter_mut().zip(first).zip(second) {
        *out = (factor * (a * f64::from(first) + b * f64::from(second))) as f32;
    }
}

/// Writes coefficient * value to each sum.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn write_product(coefficient: f64, values: &[f32], sums: &mut [f64]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum = coefficient * f64::from(value);
    }
}

/// Adds coefficient * value to each sum.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_product(coefficient: f64, values: &[f32], sums: &mut [f64]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += coefficient * f64::from(value);
    }
}

/// Writes each sum times the factor, rounded.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn round(factor: f64, sums: &[f64], out: &mut [f32]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = (factor * sum) as f32;
    }
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("cut", &self.cut).finish_non_exhaustive()
    }
}

/// A tensor that is ready to be merged range by range, from several threads if need be.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(crate) tensor: TensorAcrossModels<'a>,
    pub(crate) kernel: Kernel<'a>,
    pub(crate) info: Info,
}

impl Prepared<'_> {
    /// Says that all of the tensor was merged without an error: later merges need not look for values that are not finite.
    pub fn mark_checked(&self) {
        if let (Some(cache), false) = (self.tensor.cache, self.tensor.allows_non_finite) {
            cache.mark_checked();
        }
    }

    /// Ranges given to [`Prepared::merge`] begin and end at multiples of this number, or at the tensor's end.
    pub fn unit(&self) -> usize {
        self.kernel.unit(&self.tensor)
    }

    /// Merges the entries of `range` into `out`, which is as long.
    ///
    /// # Errors
    /// A range outside of the tensor or not at multiples of the unit; values that cannot be read; values that are not
    /// finite, in the input or in the result.
    pub fn merge(&self, range: Range<usize>, out: &mut [f32]) -> Result<(), MergeError> {
        let (tensor, unit) = (&self.tensor, self.unit());
        let is_cut = |at: usize| at.is_multiple_of(unit) || at == tensor.len();
        if range.end > tensor.len() || range.len() != out.len() || !is_cut(range.start) || !is_cut(range.end) {
            return Err(MergeError::Range { tensor: tensor.name.into(), range, unit, out: out.len() });
        }
        let (first, mut scratch) = (range.start, Vec::new());
        let merged = tensor.visit(range, self.kernel.cut, |block| {
            tensor.check_block(block)?;
            let start = block.start() - first;
            let out = &mut out[start..start + block.len()];
            (self.kernel.run)(block, &mut scratch, out);
            if tensor.allows_non_finite {
                return Ok(());
            }
            let merged = tensor.check_finite(Source::Merged, block.start(), out);
            // A bad value elsewhere in the tensor, known to the kernel as a norm or a sum, says more.
            merged.map_err(|error| tensor.check_all().err().unwrap_or(error))
        });
        merged.map_err(|error| error.by_role(&self.info))
    }
}
