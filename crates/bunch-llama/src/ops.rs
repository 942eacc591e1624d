//! Operations of the forward pass that hold no parameters: in the fused kernels where the device has them, else composed of
//! burn's own.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use bunch_lm::TokenId;

use crate::kernels;

/// `x weight^T`: `x` `[rows, in]`, `weight` `[out, in]`.
pub(crate) fn project(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if kernels::available(&x.device()) { kernels::projection(x, weight) } else { x.matmul(weight.transpose()) }
}

/// `silu(gate) * up` over rows of `[gate | up]`.
pub(crate) fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    if kernels::available(&gate_up.device()) { kernels::swiglu(gate_up) } else { composed_swiglu(gate_up) }
}

/// SwiGLU's elementwise part in burn's own operations.
pub(crate) fn composed_swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    let width = gate_up.dims()[1] / 2;
    activation::silu(gate_up.clone().narrow(1, 0, width)) * gate_up.narrow(1, width, width)
}

/// ln softmax(logits)[target] in burn's own operations.
pub(crate) fn composed_token_log_probs(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let rows = logits.dims()[0];
    activation::log_softmax(logits, 1).gather(1, targets.reshape([rows, 1])).reshape([rows])
}

/// ln softmax(logits)[target] per row: `logits` `[rows, vocab]`, `targets` `[rows]`.
pub(crate) fn log_probs(logits: Tensor<2>, targets: &[TokenId]) -> Tensor<1> {
    let targets = ints(&targets.iter().map(|&id| id as i32).collect::<Vec<_>>(), &logits.device());
    if kernels::available(&logits.device()) {
        kernels::token_log_probs(logits, targets)
    } else {
        composed_token_log_probs(logits, targets)
    }
}

/// A tensor of integers.
pub(crate) fn ints(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
