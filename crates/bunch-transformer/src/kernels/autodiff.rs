//! How gradients flow through the kernels: each remembers its inputs and recomputes the rest.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, unary},
};
use burn::backend::{
    Autodiff, Backend,
    tensor::{FloatTensor, IntTensor},
};

use super::{AttentionShape, CachedShape, LlamaKernels};

#[derive(Debug)]
struct Linear;

impl<B: Backend + LlamaKernels> Backward<B, 2> for Linear {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (x, weight) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::product(grad.clone(), weight, false));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::product(grad, x, true));
        }
    }
}

#[derive(Debug)]
struct RmsNorm;

impl<B: Backend + LlamaKernels> Backward<B, 2> for RmsNorm {
    type State = (FloatTensor<B>, FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (x, weight, eps) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let (grad_x, grad_weight) = B::rms_norm_backward(x, weight, grad, eps);
        let [x, weight] = ops.parents;
        if let Some(node) = x {
            grads.register::<B>(node.id, grad_x);
        }
        if let Some(node) = weight {
            grads.register::<B>(node.id, grad_weight);
        }
    }
}

#[derive(Debug)]
struct Attention;

impl<B: Backend + LlamaKernels> Backward<B, 1> for Attention {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, AttentionShape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (qkv, cos, sin, shape) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::causal_attention_backward(qkv, cos, sin, grad, shape));
    }
}

#[derive(Debug)]
struct Swiglu;

impl<B: Backend + LlamaKernels> Backward<B, 1> for Swiglu {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gate_up = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::swiglu_backward(gate_up, grad));
    }
}

#[derive(Debug)]
struct TokenLogProbs;

impl<B: Backend + LlamaKernels> Backward<B, 1> for TokenLogProbs {
    type State = (FloatTensor<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (logits, targets) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| B::token_log_probs_backward(logits, targets, grad));
    }
}

/// Records `$op` with its state if anything upstream wants gradients, else passes the output on.
macro_rules! record {
    ($op:expr, $checkpoint:ty, $nodes:expr, $state:expr, $output:expr) => {
        match $op.prepare::<$checkpoint>($nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $output),
            OpsKind::UnTracked(prep) => prep.finish($output),
        }
    };
}

impl<B: Backend + LlamaKernels, C: CheckpointStrategy> LlamaKernels for Autodiff<B, C> {
    fn projection(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let output = B::projection(x.clone(), weight.clone());
        record!(Linear, C, nodes, (x, weight), output)
    }

    fn cached_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        cache: FloatTensor<Self>,
        shape: CachedShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (qkv, cache) = (qkv.into_primitive(), cache.into_primitive());
        let (out, cache) = B::cached_attention(qkv, cos.into_primitive(), sin.into_primitive(), cache, shape);
        (constant::<B, C>(out), constant::<B, C>(cache))
    }

    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, transpose_a: bool) -> FloatTensor<Self> {
        constant::<B, C>(B::product(a.into_primitive(), b.into_primitive(), transpose_a))
    }

    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let output = B::rms_norm(x.clone(), weight.clone(), eps);
        record!(RmsNorm, C, nodes, (x, weight, eps), output)
    }

    fn causal_attention(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let nodes = [qkv.node()];
        let (qkv, cos, sin) = (qkv.into_primitive(), cos.into_primitive(), sin.into_primitive());
        let output = B::causal_attention(qkv.clone(), cos.clone(), sin.clone(), shape.clone());
        record!(Attention, C, nodes, (qkv, cos, sin, shape), output)
    }

    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [gate_up.node()];
        let gate_up = gate_up.into_primitive();
        let output = B::swiglu(gate_up.clone());
        record!(Swiglu, C, nodes, gate_up, output)
    }

    fn token_log_probs(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let logits = logits.into_primitive();
        let output = B::token_log_probs(logits.clone(), targets.clone());
        record!(TokenLogProbs, C, nodes, (logits, targets), output)
    }

    // Second derivatives are not needed: the backward kernels are constants of the graph.

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (x, weight) = B::rms_norm_backward(x.into_primitive(), weight.into_primitive(), grad.into_primitive(), eps);
        (constant::<B, C>(x), constant::<B, C>(weight))
    }

    fn causal_attention_backward(
        qkv: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let grad = grad.into_primitive();
        constant::<B, C>(B::causal_attention_backward(
            qkv.into_primitive(),
            cos.into_primitive(),
            sin.into_primitive(),
            grad,
            shape,
        ))
    }

    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        constant::<B, C>(B::swiglu_backward(gate_up.into_primitive(), grad.into_primitive()))
    }

    fn token_log_probs_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        constant::<B, C>(B::token_log_probs_backward(logits.into_primitive(), targets, grad.into_primitive()))
    }
}

/// A tensor without history.
fn constant<B: Backend, C: CheckpointStrategy>(tensor: FloatTensor<B>) -> FloatTensor<Autodiff<B, C>> {
    FloatTensor::<Autodiff<B, C>>::new(tensor)
}
