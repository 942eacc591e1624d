//! Every kernel against the same formula composed of burn's operations: values and gradients.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::RngExt;

use super::{AttentionShape, CachedShape, Segment};
use crate::rope::Rope;
use crate::{LlamaConfig, attention, norm, ops};

fn device() -> Device {
    Device::flex().autodiff()
}

/// Values between -2 and 2, keyed by name.
fn values<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    let mut stream = bunch_random::stream(0, &["kernel test", name]);
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| stream.random_range(-2.0..2.0)).collect();
    Tensor::from_data(TensorData::new(data, shape), &device())
}

fn close<const D: usize>(what: &str, got: Tensor<D>, expected: Tensor<D>) {
    let list = |tensor: Tensor<D>| tensor.into_data().try_to_vec::<f32>().expect("f32");
    let (got, expected) = (list(got), list(expected));
    assert_eq!(got.len(), expected.len(), "{what}");
    let worst = got.iter().zip(&expected).map(|(g, e)| (g - e).abs() / (1.0 + e.abs())).fold(0.0, f32::max);
    assert!(worst < 2e-5, "{what}: off by {worst:e}");
}

/// Runs both on the same inputs and compares their values and, under a random weighting, the gradients of every input.
fn agree<const D: usize>(
    name: &str,
    inputs: &[Tensor<2>],
    fused: impl Fn(&[Tensor<2>]) -> Tensor<D>,
    composed: impl Fn(&[Tensor<2>]) -> Tensor<D>,
) {
    let run = |f: &dyn Fn(&[Tensor<2>]) -> Tensor<D>| {
        let inputs: Vec<Tensor<2>> = inputs.iter().map(|input| input.clone().detach().require_grad()).collect();
        let output = f(&inputs);
        let weighting = values(&format!("{name} weighting"), output.dims());
        let grads = (output.clone() * weighting).sum().backward();
        let grads: Vec<Tensor<2>> = inputs.iter().map(|input| input.grad(&grads).expect("a gradient")).collect();
        (output, grads)
    };
    let ((output, grads), (expected, expected_grads)) = (run(&fused), run(&composed));
    close(name, output, expected);
    for (index, (grad, expected)) in grads.into_iter().zip(expected_grads).enumerate() {
        close(&format!("{name}, gradient {index}"), grad, expected);
    }
}

#[test]
fn rms_norm_agrees() {
    for width in [1, 7, 16, 33] {
        let inputs = [values("x", [5, width]), values("weight", [1, width])];
        let weight = |inputs: &[Tensor<2>]| inputs[1].clone().reshape([width]);
        agree(
            &format!("rms_norm of {width}"),
            &inputs,
            |inputs| super::rms_norm(inputs[0].clone(), weight(inputs), 1e-5),
            |inputs| norm::composed(inputs[0].clone(), weight(inputs), 1e-5),
        );
    }
}

/// Positions' angles of a model with heads of this width.
fn rope(positions: &[usize], head_dim: usize) -> Rope {
    let json = serde_json::json!({"model_type": "llama", "vocab_size": 1, "hidden_size": 1, "intermediate_size": 1,
        "num_hidden_layers": 1, "num_attention_heads": 1, "head_dim": head_dim, "rope_theta": 100.0});
    let config = LlamaConfig::from_json(&json).expect("a configuration");
    Rope::at(positions.iter().copied(), &config, &device())
}

const SHAPES: [(usize, usize, usize); 4] = [(4, 2, 8), (6, 2, 16), (3, 3, 12), (4, 1, 34)];

#[test]
fn attention_agrees_on_ragged_batches() {
    for (heads, kv_heads, head_dim) in SHAPES {
        for window in [None, Some(1), Some(5)] {
            let lengths = Arc::new(vec![3, 1, 17, 16, 33]);
            let shape = AttentionShape { lengths, heads, kv_heads, head_dim, window };
            let rope = rope(&(0..shape.longest()).collect::<Vec<_>>(), head_dim);
            agree(
                &format!("attention of {heads} heads on {kv_heads} of {head_dim}, window {window:?}"),
                &[values("qkv", [shape.tokens(), shape.qkv_width()])],
                |inputs| super::attention(inputs[0].clone(), rope.cos.clone(), rope.sin.clone(), shape.clone()),
                |inputs| attention::composed(inputs[0].clone(), &rope, &shape),
            );
        }
    }
}

#[test]
fn cached_attention_agrees_on_trees_and_single_tokens() {
    // 130 tokens, two branches of the first, one branch of a branch, and a token of a sequence in slots 3..9.
    let segment = |rows, seen: &[(usize, usize)], own| {
        let seen = seen.iter().map(|&(start, end)| start..end).collect();
        Segment { rows, seen, own }
    };
    let segments = vec![
        segment(130, &[], 20),
        segment(2, &[(20, 150)], 150),
        segment(70, &[(20, 150)], 160),
        segment(1, &[(20, 150), (160, 230)], 152),
        segment(1, &[(3, 9)], 9),
    ];
    for (heads, kv_heads, head_dim) in SHAPES {
        for window in [None, Some(1), Some(90)] {
            let shape = CachedShape { segments: Arc::new(segments.clone()), heads, kv_heads, head_dim, window };
            let positions: Vec<usize> = segments.iter().flat_map(|s| s.start()..s.start() + s.rows).collect();
            let rope = rope(&positions, head_dim);
            let cache = values("cache", [240, shape.slot_width()]);
            let qkv = values("qkv", [shape.rows(), shape.qkv_width()]);
            let (expected, after) = attention::cached_composed(qkv.clone(), &rope, cache.clone(), &shape);
            let (got, cache) = super::cached_attention(qkv, rope.cos.clone(), rope.sin.clone(), cache, shape);
            let what = format!("cached attention of {heads} heads on {kv_heads} of {head_dim}, window {window:?}");
            close(&what, got, expected);
            close(&format!("{what}: the cache"), cache, after);
        }
    }
}

#[test]
fn projection_agrees_for_few_and_many_rows() {
    for rows in [1, 3, 4, 5, 40] {
        for (input, output) in [(7, 3), (64, 130), (200, 1500)] {
            let inputs = [values("x", [rows, input]), values("weight", [output, input])];
            agree(
                &format!("projection of {rows} rows from {input} to {output}"),
                &inputs,
                |inputs| super::projection(inputs[0].clone(), inputs[1].clone()) / (input as f64).sqrt(),
                |inputs| inputs[0].clone().matmul(inputs[1].clone().transpose()) / (input as f64).sqrt(),
            );
            // A weight in bfloat16 counts as the f32 values it stands for.
            let plain = |tensor: Tensor<2>| Tensor::<2>::from_data(tensor.into_data(), &Device::flex());
            let (x, narrow) = (plain(inputs[0].clone()), plain(inputs[1].clone()).cast(DType::BF16));
            let expected = x.clone().matmul(narrow.clone().cast(DType::F32).transpose());
            let got = super::projection(x, narrow);
            close("projection by bfloat16", got / (input as f64).sqrt(), expected / (input as f64).sqrt());
        }
    }
}

#[test]
fn swiglu_agrees() {
    let inputs = [values("gate and up", [6, 2 * 37])];
    agree(
        "swiglu",
        &inputs,
        |inputs| super::swiglu(inputs[0].clone()),
        |inputs| ops::composed_swiglu(inputs[0].clone()),
    );
}

#[test]
fn token_log_probs_agree() {
    for vocab in [2, 16, 61] {
        let ids: Vec<i32> = (0..9).map(|i| (i * 7) % vocab as i32).collect();
        let targets = || Tensor::<1, Int>::from_data(TensorData::new(ids.clone(), [9]), &device());
        agree(
            &format!("log-probabilities over {vocab}"),
            &[values("logits", [9, vocab]) * 5.0],
            |inputs| super::token_log_probs(inputs[0].clone(), targets()),
            |inputs| ops::composed_token_log_probs(inputs[0].clone(), targets()),
        );
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let lengths = Arc::new((0..600).map(|i| 1 + i % 23).collect::<Vec<_>>());
    let shape = AttentionShape { lengths, heads: 4, kv_heads: 2, head_dim: 8, window: None };
    let positions = values::<2>("angles", [shape.longest(), 4]);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let qkv = values("qkv", [shape.tokens(), shape.qkv_width()]).require_grad();
            let out = super::attention(qkv.clone(), positions.clone().cos(), positions.clone().sin(), shape.clone());
            let grads = out.clone().powi_scalar(2).sum().backward();
            let list = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().expect("f32");
            (list(out), list(qkv.grad(&grads).expect("a gradient")))
        })
    };
    assert_eq!(run(1), run(3));
}
