//! The kernels on flex tensors: contiguous views in, fresh tensors out, sequences spread over rayon's threads.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{
    Flex, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Bytes, DType, Shape};
use half::bf16;
use rayon::prelude::*;

use super::matrix::{Matrix, MatrixMut, multiply};
use super::{AttentionShape, CachedShape, LlamaKernels, attention, cached, linear, log_probs, rms_norm, swiglu};

/// Elements above which a kernel is worth spreading over threads.
const PARALLEL: usize = 1 << 16;

/// The values of a tensor, copied only if it is a strided view.
fn values(tensor: &FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor.clone() } else { tensor.to_contiguous() }
}

fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().expect("f32 values, made contiguous")
}

fn float(data: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(data), Layout::contiguous(shape.into()), DType::F32)
}

fn targets(tensor: &FlexTensor) -> Vec<usize> {
    let tensor = tensor.to_contiguous();
    match tensor.dtype() {
        DType::I32 => tensor.as_slice::<i32>().expect("contiguous").iter().map(|&id| id as usize).collect(),
        DType::I64 => tensor.as_slice::<i64>().expect("contiguous").iter().map(|&id| id as usize).collect(),
        other => unreachable!("token ids are I32 or I64, not {other:?}"),
    }
}

/// Runs `f(first row, rows)` over groups of `width`-wide rows of `out`, on one thread or several: rows do not interact.
fn over_rows(out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let threads = rayon::current_num_threads();
    if threads == 1 || out.len() < PARALLEL {
        return f(0, out);
    }
    let rows = (out.len() / width).div_ceil(2 * threads);
    out.par_chunks_mut(rows * width).enumerate().for_each(|(i, chunk)| f(i * rows, chunk));
}

/// Runs `f(first sequence, rows)` over groups of whole sequences of `out`, on one thread or several.
fn over_sequences(out: &mut [f32], width: usize, lengths: &[usize], f: impl Fn(usize, &mut [f32]) + Sync) {
    let threads = rayon::current_num_threads();
    if threads == 1 || out.len() < PARALLEL {
        return f(0, out);
    }
    let tokens = (out.len() / width).div_ceil(2 * threads);
    let (mut parts, mut rest, mut next) = (Vec::new(), out, 0);
    while next < lengths.len() {
        let (first, mut count) = (next, 0);
        while next < lengths.len() && (count == 0 || count + lengths[next] <= tokens) {
            count += lengths[next];
            next += 1;
        }
        let (part, after) = rest.split_at_mut(count * width);
        parts.push((first, part));
        rest = after;
    }
    parts.into_par_iter().for_each(|(first, part)| f(first, part));
}

impl LlamaKernels for Flex {
    fn projection(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, weight) = (values(&x), weight.to_contiguous());
        let ([rows, input], [outputs, _]) = (x.shape().dims(), weight.shape().dims());
        let mut out = vec![0.0; rows * outputs];
        match weight.dtype() {
            DType::BF16 => linear::linear_bf16(slice(&x), weight.storage::<bf16>(), input, &mut out),
            _ => linear::linear_f32(slice(&x), slice(&weight), input, &mut out),
        }
        float(out, [rows, outputs])
    }

    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, transpose_a: bool) -> FloatTensor<Self> {
        let (a, b) = (values(&a), values(&b));
        let ([rows, columns], [inner, width]) = (a.shape().dims(), b.shape().dims());
        let a = Matrix::new(slice(&a), rows, columns);
        let (a, rows) = if transpose_a { (a.transposed(), columns) } else { (a, rows) };
        let mut out = vec![0.0; rows * width];
        multiply(MatrixMut::new(&mut out, rows, width), a, Matrix::new(slice(&b), inner, width), true);
        float(out, [rows, width])
    }

    fn cached_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        mut cache: FloatTensor<Self>,
        shape: CachedShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (qkv, cos, sin) = (values(&qkv), values(&cos), values(&sin));
        let mut out = vec![0.0; shape.rows() * shape.out_width()];
        cached::forward(slice(&qkv), slice(&cos), slice(&sin), cache.storage_mut::<f32>(), &shape, &mut out);
        (float(out, [shape.rows(), shape.out_width()]), cache)
    }

    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let (x, weight) = (values(&x), values(&weight));
        let (input, width) = (slice(&x), slice(&weight).len());
        let mut out = vec![0.0; input.len()];
        over_rows(&mut out, width, |row, out| {
            rms_norm::forward(&input[row * width..][..out.len()], slice(&weight), eps as f32, out)
        });
        float(out, x.shape())
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (x, weight, grad) = (values(&x), values(&weight), values(&grad));
        let mut grad_x = vec![0.0; slice(&x).len()];
        let mut grad_weight = vec![0.0; slice(&weight).len()];
        // One thread: the sum over rows has one order.
        rms_norm::backward(slice(&x), slice(&weight), slice(&grad), eps as f32, &mut grad_x, &mut grad_weight);
        (float(grad_x, x.shape()), float(grad_weight, weight.shape()))
    }

    fn causal_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let (qkv, cos, sin) = (values(&qkv), values(&cos), values(&sin));
        let mut out = vec![0.0; shape.tokens() * shape.out_width()];
        over_sequences(&mut out, shape.out_width(), &shape.lengths, |first, out| {
            attention::forward(slice(&qkv), slice(&cos), slice(&sin), &shape, first, out)
        });
        float(out, [shape.tokens(), shape.out_width()])
    }

    fn causal_attention_backward(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let (qkv, cos, sin, grad) = (values(&qkv), values(&cos), values(&sin), values(&grad));
        let mut grad_qkv = vec![0.0; slice(&qkv).len()];
        over_sequences(&mut grad_qkv, shape.qkv_width(), &shape.lengths, |first, out| {
            attention::backward(slice(&qkv), slice(&cos), slice(&sin), slice(&grad), &shape, first, out)
        });
        float(grad_qkv, qkv.shape())
    }

    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let gate_up = values(&gate_up);
        let [rows, double] = gate_up.shape().dims();
        let (input, width) = (slice(&gate_up), double / 2);
        let mut out = vec![0.0; rows * width];
        over_rows(&mut out, width, |row, out| swiglu::forward(&input[row * double..][..2 * out.len()], width, out));
        float(out, [rows, width])
    }

    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let (gate_up, grad) = (values(&gate_up), values(&grad));
        let [rows, double] = gate_up.shape().dims();
        let (input, g) = (slice(&gate_up), slice(&grad));
        let mut out = vec![0.0; rows * double];
        over_rows(&mut out, double, |row, out| {
            swiglu::backward(
                &input[row * double..][..out.len()],
                &g[row * double / 2..][..out.len() / 2],
                double / 2,
                out,
            )
        });
        float(out, [rows, double])
    }

    fn token_log_probs(logits: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, targets) = (values(&logits), targets(&ids));
        let [rows, vocab] = logits.shape().dims();
        let mut out = vec![0.0; rows];
        log_probs::forward(slice(&logits), &targets, vocab, &mut out);
        float(out, [rows])
    }

    fn token_log_probs_backward(
        logits: FloatTensor<Self>,
        ids: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, targets, grad) = (values(&logits), targets(&ids), values(&grad));
        let [_, vocab] = logits.shape().dims();
        let mut out = vec![0.0; slice(&logits).len()];
        log_probs::backward(slice(&logits), &targets, slice(&grad), vocab, &mut out);
        float(out, logits.shape())
    }
}
