//! Log-probabilities of given tokens and their derivative.

use super::simd::{LANES, exp, vectorised};

/// Largest value and the sum of `exp(value - largest)`.
#[inline(always)]
fn max_and_sum(row: &[f32]) -> (f32, f32) {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    let max = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += exp(chunk[lane] - max);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        sums[lane] += exp(value - max);
    }
    (max, sums.iter().sum())
}

vectorised! {
    /// `out[row] = logits[row][target] - logsumexp(logits[row])`.
    pub(crate) fn forward(logits: &[f32], targets: &[usize], vocab: usize, out: &mut [f32]) {
        for ((row, &target), out) in logits.chunks_exact(vocab).zip(targets).zip(out) {
            let (max, sum) = max_and_sum(row);
            *out = row[target] - max - sum.ln();
        }
    }
}

vectorised! {
    /// `dlogits = g * (onehot(target) - softmax(logits))`.
    pub(crate) fn backward(logits: &[f32], targets: &[usize], grad: &[f32], vocab: usize, grad_logits: &mut [f32]) {
        let rows = logits.chunks_exact(vocab).zip(targets).zip(grad);
        for (((row, &target), &grad), out) in rows.zip(grad_logits.chunks_exact_mut(vocab)) {
            let (max, sum) = max_and_sum(row);
            let factor = -grad / sum;
            for i in 0..vocab {
                out[i] = factor * exp(row[i] - max);
            }
            out[target] += grad;
        }
    }
}
