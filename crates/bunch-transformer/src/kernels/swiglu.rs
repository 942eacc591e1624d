//! SwiGLU's elementwise part and its derivative.

use super::simd::{exp, vectorised};

vectorised! {
    /// `out = silu(gate) * up` for rows `[gate | up]` of `2 * width`.
    pub(crate) fn forward(gate_up: &[f32], width: usize, out: &mut [f32]) {
        for (row, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for i in 0..width {
                out[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
            }
        }
    }
}

vectorised! {
    /// With `s = sigmoid(gate)`: `dgate = g * up * s * (1 + gate * (1 - s))`, `dup = g * gate * s`.
    pub(crate) fn backward(gate_up: &[f32], grad: &[f32], width: usize, grad_gate_up: &mut [f32]) {
        let rows = gate_up.chunks_exact(2 * width).zip(grad.chunks_exact(width));
        for ((row, grad), out) in rows.zip(grad_gate_up.chunks_exact_mut(2 * width)) {
            let (gate, up) = row.split_at(width);
            let (grad_gate, grad_up) = out.split_at_mut(width);
            for i in 0..width {
                let s = 1.0 / (1.0 + exp(-gate[i]));
                grad_gate[i] = grad[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
                grad_up[i] = grad[i] * gate[i] * s;
            }
        }
    }
}
