//! `x weight^T` for weights in f32 or bfloat16: a dot product per output for few rows, panels through gemm for many.

use half::bf16;
use rayon::prelude::*;

use super::matrix::{Matrix, MatrixMut, multiply};
use super::simd::vectorised;

/// Up to this many rows, reading the weights once from memory is all that counts.
const FEW_ROWS: usize = 4;

/// Weights (not bytes) worth a thread of their own.
const PER_TASK: usize = 1 << 17;

/// Weights of one panel that is widened to f32: 512 KiB, which stays in a core's second-level cache.
const PANEL: usize = 1 << 17;

/// A weight as it is stored.
pub(crate) trait Weight: Copy + Send + Sync + 'static {
    /// Exact.
    fn widen(self) -> f32;
    /// `out[row * outputs + o] = x[row] . weights[o]` for `x` of `rows` rows.
    fn dots(x: &[f32], weights: &[Self], input: usize, out: &mut [f32]);
}

impl Weight for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    fn dots(x: &[f32], weights: &[Self], input: usize, out: &mut [f32]) {
        dots_f32(x, weights, input, out);
    }
}

impl Weight for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    fn dots(x: &[f32], weights: &[Self], input: usize, out: &mut [f32]) {
        dots_bf16(x, weights, input, out);
    }
}

/// Independent sums of one dot product: enough for the processor to overlap four additions of 16 lanes.
const LANES: usize = 64;

#[inline(always)]
fn dot<W: Weight>(x: &[f32], weights: &[W]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (w_chunks, w_rest) = weights.as_chunks::<LANES>();
    for (x, w) in x_chunks.iter().zip(w_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * w[lane].widen();
        }
    }
    for (lane, (x, w)) in x_rest.iter().zip(w_rest).enumerate() {
        lanes[lane] += x * w.widen();
    }
    // Halves onto halves: the order is the same whatever the instruction set.
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn all_dots<W: Weight>(x: &[f32], weights: &[W], input: usize, out: &mut [f32]) {
    let outputs = weights.len() / input;
    for (o, w) in weights.chunks_exact(input).enumerate() {
        for (row, x) in x.chunks_exact(input).enumerate() {
            out[row * outputs + o] = dot(x, w);
        }
    }
}

vectorised! {
    fn dots_f32(x: &[f32], weights: &[f32], input: usize, out: &mut [f32]) {
        all_dots(x, weights, input, out)
    }
}

vectorised! {
    fn dots_bf16(x: &[f32], weights: &[bf16], input: usize, out: &mut [f32]) {
        all_dots(x, weights, input, out)
    }
}

vectorised! {
    fn widen(from: &[bf16], to: &mut [f32]) {
        for (from, to) in from.iter().zip(to) {
            *to = from.widen();
        }
    }
}

/// `out = x weight^T`: `x` `[rows, input]`, `weight` `[outputs, input]`, `out` `[rows, outputs]`.
pub(crate) fn linear_f32(x: &[f32], weight: &[f32], input: usize, out: &mut [f32]) {
    let (rows, outputs) = (x.len() / input, weight.len() / input);
    if rows <= FEW_ROWS {
        return few_rows(x, weight, input, out);
    }
    let out = MatrixMut::new(out, rows, outputs);
    multiply(out, Matrix::new(x, rows, input), Matrix::new(weight, outputs, input).transposed(), true);
}

/// [`linear_f32`] for weights in bfloat16.
pub(crate) fn linear_bf16(x: &[f32], weight: &[bf16], input: usize, out: &mut [f32]) {
    let (rows, outputs) = (x.len() / input, weight.len() / input);
    if rows <= FEW_ROWS {
        return few_rows(x, weight, input, out);
    }
    let height = (PANEL / input).clamp(1, outputs.max(1));
    let out = MatrixMut::new(out, rows, outputs);
    let panels = out.column_panels(height).into_par_iter().zip(weight.par_chunks(height * input));
    panels.for_each_init(Vec::new, |wide: &mut Vec<f32>, (out, weight)| {
        wide.resize(weight.len(), 0.0);
        widen(weight, wide);
        let weight = Matrix::new(wide, weight.len() / input, input);
        multiply(out, Matrix::new(x, rows, input), weight.transposed(), false);
    });
}

/// The outputs are spread over the threads in runs; each run is a small matrix that is then laid into place.
fn few_rows<W: Weight>(x: &[f32], weight: &[W], input: usize, out: &mut [f32]) {
    let (rows, outputs) = (x.len() / input, weight.len() / input);
    if rayon::current_num_threads() == 1 || weight.len() < 2 * PER_TASK {
        return W::dots(x, weight, input, out);
    }
    let run = PER_TASK.div_ceil(input);
    if rows == 1 {
        let runs = weight.par_chunks(run * input).zip(out.par_chunks_mut(run));
        return runs.for_each(|(weight, out)| W::dots(x, weight, input, out));
    }
    let parts: Vec<Vec<f32>> = (weight.par_chunks(run * input))
        .map(|weight| {
            let mut part = vec![0.0; rows * (weight.len() / input)];
            W::dots(x, weight, input, &mut part);
            part
        })
        .collect();
    for (index, part) in parts.iter().enumerate() {
        let width = part.len() / rows;
        for (row, part) in part.chunks_exact(width).enumerate() {
            out[row * outputs + index * run..][..width].copy_from_slice(part);
        }
    }
}
