//! Fused kernels for the flex backend: projections, RMSNorm, causal attention with RoPE, SwiGLU and token log-probabilities.
//!
//! burn's flex backend runs each tensor operation over its own freshly zeroed buffer, which for the narrow models of the
//! miniature world costs more than the matrix products. Each kernel here is one burn backend extension with a hand-written
//! derivative. They are an optimisation only: `crate::attention`, `crate::norm` and `crate::ops` hold the same formulas
//! composed of burn operations, used on every other backend, and tests hold the two against each other.

mod attention;
mod attention_shape;
mod autodiff;
mod cached;
mod flex;
mod linear;
mod log_probs;
mod matrix;
mod rms_norm;
mod simd;
mod swiglu;
#[cfg(test)]
mod tests;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Device, Tensor};
use burn::{backend::Dispatch, tensor::Int};

pub use attention_shape::AttentionShape;
pub use cached::{CachedShape, Segment};

/// Forward and backward of each kernel, on tensors of the backend itself.
#[backend_extension(Flex, Autodiff)]
pub trait LlamaKernels: Backend {
    /// `x weight^T`; the weight is in f32 or bfloat16, the rest in f32.
    fn projection(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `a b`, with `a` or its transpose: the derivatives of [`projection`](Self::projection) are `grad weight` and `grad^T x`.
    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, transpose_a: bool) -> FloatTensor<Self>;
    /// Attention of new rows over cached keys and values; gives the output and the cache with the new keys and values.
    ///
    /// For inference: no gradient flows through it.
    fn cached_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        cache: FloatTensor<Self>,
        shape: CachedShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// `x / sqrt(mean(x^2) + eps) * weight` over the rows of `x`.
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self>;
    /// Derivatives of [`rms_norm`](Self::rms_norm) with respect to `x` and `weight`.
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Causal attention over unrotated `[q | k | v]` rows.
    fn causal_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;
    /// Derivative of [`causal_attention`](Self::causal_attention) with respect to `qkv`.
    fn causal_attention_backward(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;
    /// `silu(gate) * up` over rows of `[gate | up]`.
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Derivative of [`swiglu`](Self::swiglu).
    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;
    /// ln softmax(logits)[target] for each row.
    fn token_log_probs(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;
    /// Derivative of [`token_log_probs`](Self::token_log_probs) with respect to `logits`.
    fn token_log_probs_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Whether `device` has the kernels.
pub(crate) fn available(device: &Device) -> bool {
    *device == Device::flex()
}

/// [`LlamaKernels::projection`]: `x` `[rows, in]`, `weight` `[out, in]`; gives `[rows, out]`.
pub(crate) fn projection(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::projection(x.into_dispatch(), weight.into_dispatch()))
}

/// [`LlamaKernels::cached_attention`]: `qkv` `[rows, qkv_width]`, `cos` and `sin` `[rows, head_dim / 2]`, `cache`
/// `[slots, slot_width]`; gives `[rows, out_width]` and the cache.
pub(crate) fn cached_attention(
    qkv: Tensor<2>,
    cos: Tensor<2>,
    sin: Tensor<2>,
    cache: Tensor<2>,
    shape: CachedShape,
) -> (Tensor<2>, Tensor<2>) {
    let (out, cache) = Dispatch::cached_attention(
        qkv.into_dispatch(),
        cos.into_dispatch(),
        sin.into_dispatch(),
        cache.into_dispatch(),
        shape,
    );
    (Tensor::from_dispatch(out), Tensor::from_dispatch(cache))
}

/// [`LlamaKernels::rms_norm`]: `x` `[rows, width]`, `weight` `[width]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm(x.into_dispatch(), weight.into_dispatch(), eps))
}

/// [`LlamaKernels::causal_attention`]: `qkv` `[tokens, qkv_width]`, `cos` and `sin` `[longest, head_dim / 2]`; gives `[tokens, out_width]`.
pub(crate) fn attention(qkv: Tensor<2>, cos: Tensor<2>, sin: Tensor<2>, shape: AttentionShape) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::causal_attention(
        qkv.into_dispatch(),
        cos.into_dispatch(),
        sin.into_dispatch(),
        shape,
    ))
}

/// [`LlamaKernels::swiglu`]: `gate_up` `[rows, 2 * width]`; gives `[rows, width]`.
pub(crate) fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu(gate_up.into_dispatch()))
}

/// [`LlamaKernels::token_log_probs`]: `logits` `[rows, vocab]`, `targets` `[rows]`; gives `[rows]`.
pub(crate) fn token_log_probs(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::token_log_probs(logits.into_dispatch(), targets.into_dispatch()))
}
