//! The Llama module and its forward pass.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};

use bunch_lm::TokenId;

use crate::LlamaConfig;
use crate::adapter::Adapter;
use crate::attention::attention;
use crate::kernels::AttentionShape;
use crate::norm::RmsNorm;
use crate::ops::{ints, log_probs, project, swiglu};
use crate::rope::Rope;

/// A projection; `weight` is `[out, in]` as in the file, and may be stored in bfloat16.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    pub(crate) adapters: Vec<Adapter>,
}

/// A lookup table; `weight` is `[vocab_size, hidden_size]`.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    pub(crate) weight: Param<Tensor<2>>,
}

/// The projections of one attention block; queries, keys and values are one matrix, in this order.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    pub(crate) qkv_proj: Linear,
    pub(crate) o_proj: Linear,
}

/// The projections of one SwiGLU block; gate and up are one matrix, in this order.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub(crate) gate_up_proj: Linear,
    pub(crate) down_proj: Linear,
}

/// One layer: attention and SwiGLU, each behind a norm and added to the residual stream.
#[derive(Module, Debug)]
pub(crate) struct DecoderLayer {
    pub(crate) self_attn: SelfAttention,
    pub(crate) mlp: Mlp,
    pub(crate) input_layernorm: RmsNorm,
    pub(crate) post_attention_layernorm: RmsNorm,
}

/// Embedding, layers and final norm.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    pub(crate) embed_tokens: Embedding,
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) norm: RmsNorm,
}

/// A Llama, Mistral or Qwen2 with its output projection.
#[derive(Module, Debug)]
pub struct Llama {
    pub(crate) model: Decoder,
    pub(crate) lm_head: Option<Linear>,
    #[module(skip)]
    pub(crate) config: LlamaConfig,
}

impl Linear {
    /// `x weight^T + bias`, plus what the adapters add: `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut out = project(x.clone(), self.weight.val());
        if let Some(bias) = &self.bias {
            out = out + bias.val().unsqueeze();
        }
        match self.adapters.is_empty() {
            true => out,
            false => out + Adapter::outputs(&self.adapters, x, self.weight.dims()[0]),
        }
    }
}

/// Rows of a long batch that SwiGLU's wide intermediate values are in memory for at a time.
pub(crate) const MLP_ROWS: usize = 1024;

impl Mlp {
    /// `down(silu(gate(x)) * up(x))`, `[rows, hidden_size]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = x.dims()[0];
        // With gradients all of them have to stay anyway.
        if rows <= MLP_ROWS || x.device().is_autodiff() {
            return self.forward_at_once(x);
        }
        let starts = (0..rows).step_by(MLP_ROWS);
        let parts = starts.map(|start| x.clone().narrow(0, start, MLP_ROWS.min(rows - start)));
        Tensor::cat(parts.map(|part| self.forward_at_once(part)).collect(), 0)
    }

    fn forward_at_once(&self, x: Tensor<2>) -> Tensor<2> {
        self.down_proj.forward(swiglu(self.gate_up_proj.forward(x)))
    }
}

/// Sequences one after the other, and the positions whose predictions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    ids: Vec<i32>,
    lengths: Arc<Vec<usize>>,
    positions: Vec<i32>,
}

impl TokenBatch {
    /// `wanted[i]` lists positions of `sequences[i]`; predictions come in this order, sequence by sequence.
    ///
    /// # Panics
    /// If the two differ in length, a sequence is empty or a position lies outside its sequence: callers validate first.
    pub fn new(sequences: &[&[TokenId]], wanted: &[&[usize]]) -> Self {
        assert_eq!(sequences.len(), wanted.len());
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for (sequence, wanted) in sequences.iter().zip(wanted) {
            assert!(!sequence.is_empty() && wanted.iter().all(|&position| position < sequence.len()));
            positions.extend(wanted.iter().map(|position| (ids.len() + position) as i32));
            ids.extend(sequence.iter().map(|&id| id as i32));
        }
        Self { ids, lengths: Arc::new(sequences.iter().map(|ids| ids.len()).collect()), positions }
    }
}

impl Llama {
    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Logits at the batch's wanted positions: `[positions, vocab_size]`. Gradients flow where the device records them.
    pub fn logits(&self, batch: &TokenBatch) -> Tensor<2> {
        self.output(self.read(batch, &mut |_| ()))
    }

    /// The residual stream after the last layer at the batch's wanted positions, `[positions, hidden_size]`; `watch` sees
    /// it after the embedding and after each layer.
    pub(crate) fn read(&self, batch: &TokenBatch, watch: &mut dyn FnMut(&Tensor<2>)) -> Tensor<2> {
        let device = self.device();
        let shape = |layer| self.attention_shape(batch.lengths.clone(), layer);
        let rope = Rope::at(0..shape(0).longest(), &self.config, &device);
        let mut attend = |layer, qkv| attention(qkv, &rope, &shape(layer));
        self.run_watched(&batch.ids, &batch.positions, &mut attend, watch)
    }

    /// ln p(target) at each wanted position, `[positions]`; `targets` has one token per position.
    pub fn token_log_probs(&self, batch: &TokenBatch, targets: &[TokenId]) -> Tensor<1> {
        log_probs(self.logits(batch), targets)
    }

    /// The residual stream after the last layer at the rows `wanted`: `[wanted, hidden_size]`.
    ///
    /// `attend(layer, qkv)` is the attention over unrotated projections of all rows, `[rows, heads * head_dim]`.
    pub(crate) fn run(
        &self,
        ids: &[i32],
        wanted: &[i32],
        attend: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        self.run_watched(ids, wanted, attend, &mut |_| ())
    }

    /// [`run`](Self::run), where `watch` sees the residual stream after the embedding and after each layer.
    pub(crate) fn run_watched(
        &self,
        ids: &[i32],
        wanted: &[i32],
        attend: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
        watch: &mut dyn FnMut(&Tensor<2>),
    ) -> Tensor<2> {
        let wanted = ints(wanted, &self.device());
        let mut x = self.embed(ids); // [rows, hidden_size]
        watch(&x);
        for (index, layer) in self.model.layers.iter().enumerate() {
            let qkv = layer.self_attn.qkv_proj.forward(layer.input_layernorm.forward(x.clone()));
            let mut attended = attend(index, qkv);
            if index + 1 == self.model.layers.len() {
                // Nothing after the last attention mixes positions: go on with the wanted ones alone.
                attended = attended.select(0, wanted.clone());
                x = x.select(0, wanted.clone());
            }
            let x_after = x + layer.self_attn.o_proj.forward(attended);
            let mlp = layer.mlp.forward(layer.post_attention_layernorm.forward(x_after.clone()));
            x = x_after + mlp;
            watch(&x);
        }
        x
    }

    pub(crate) fn attention_shape(&self, lengths: Arc<Vec<usize>>, layer: usize) -> AttentionShape {
        let LlamaConfig { num_attention_heads: heads, num_key_value_heads: kv_heads, head_dim, .. } = self.config;
        AttentionShape { lengths, heads, kv_heads, head_dim, window: self.config.window(layer) }
    }

    pub(crate) fn device(&self) -> Device {
        self.model.embed_tokens.weight.val().device()
    }

    fn embed(&self, ids: &[i32]) -> Tensor<2> {
        let table = self.model.embed_tokens.weight.val();
        let ids = ints(ids, &table.device());
        let rows = table.select(0, ids);
        if rows.dtype() == DType::F32 { rows } else { rows.cast(DType::F32) }
    }

    /// Final norm and output projection of rows `[rows, hidden_size]`.
    pub(crate) fn output(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.model.norm.forward(x);
        match &self.lm_head {
            Some(head) => head.forward(x),
            None => project(x, self.model.embed_tokens.weight.val()),
        }
    }
}
