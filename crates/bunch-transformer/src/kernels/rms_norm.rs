//! RMSNorm and its derivative over rows.

use super::simd::{sum2, vectorised};

vectorised! {
    /// `out[row] = x[row] * rstd(row) * weight`, with `rstd = 1 / sqrt(mean(x^2) + eps)`.
    pub(crate) fn forward(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        let width = weight.len();
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let rstd = 1.0 / (sum2(x, x, |a, b| a * b) / width as f32 + eps).sqrt();
            for i in 0..width {
                out[i] = x[i] * rstd * weight[i];
            }
        }
    }
}

vectorised! {
    /// `dx = rstd * (g w) - x * rstd^3 * mean(g w x)` and `dw = sum over rows of g * x * rstd`; `grad_weight` starts at zero.
    pub(crate) fn backward(x: &[f32], weight: &[f32], grad: &[f32], eps: f32, grad_x: &mut [f32], grad_weight: &mut [f32]) {
        let width = weight.len();
        for ((x, grad), grad_x) in x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(grad_x.chunks_exact_mut(width)) {
            let rstd = 1.0 / (sum2(x, x, |a, b| a * b) / width as f32 + eps).sqrt();
            for i in 0..width {
                grad_x[i] = grad[i] * weight[i];
            }
            let mean = sum2(grad_x, x, |a, b| a * b) / width as f32 * rstd * rstd * rstd;
            for i in 0..width {
                grad_x[i] = grad_x[i] * rstd - x[i] * mean;
                grad_weight[i] += grad[i] * x[i] * rstd;
            }
        }
    }
}
