//! Every kernel against the same formula composed of burn's operations: values and gradients.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use super::AttentionShape;
use crate::rope::Rope;
use crate::{LlamaConfig, attention, model, norm};

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

#[test]
fn attention_agrees_on_ragged_batches() {
    for (heads, kv_heads, head_dim) in [(4, 2, 8), (6, 2, 16), (3, 3, 12), (4, 1, 34)] {
        let lengths = Arc::new(vec![3, 1, 17, 16, 33]);
        let shape = AttentionShape { lengths, heads, kv_heads, head_dim };
        let config = LlamaConfig {
            vocab_size: 1,
            hidden_size: heads * head_dim,
            intermediate_size: 1,
            num_hidden_layers: 1,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim,
            max_position_embeddings: 64,
            rms_norm_eps: 1e-5,
            rope_theta: 100.0,
            tie_word_embeddings: true,
        };
        let rope = Rope::at(0..shape.longest(), &config, &device());
        agree(
            &format!("attention of {heads} heads on {kv_heads} of {head_dim}"),
            &[values("qkv", [shape.tokens(), shape.qkv_width()])],
            |inputs| super::attention(inputs[0].clone(), rope.cos.clone(), rope.sin.clone(), shape.clone()),
            |inputs| attention::composed(inputs[0].clone(), &rope, &shape),
        );
    }
}

#[test]
fn swiglu_agrees() {
    let inputs = [values("gate and up", [6, 2 * 37])];
    agree("swiglu", &inputs, |inputs| super::swiglu(inputs[0].clone()), |inputs| model::swiglu(inputs[0].clone()));
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
            |inputs| model::token_log_probs(inputs[0].clone(), targets()),
        );
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let lengths = Arc::new((0..600).map(|i| 1 + i % 23).collect::<Vec<_>>());
    let shape = AttentionShape { lengths, heads: 4, kv_heads: 2, head_dim: 8 };
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
