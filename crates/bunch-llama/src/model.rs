//! The Llama module: parameters under Hugging Face's names and the forward pass over whole sequences.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use bunch_lm::TokenId;

use crate::LlamaConfig;
use crate::attention::attention;
use crate::kernels::{self, AttentionShape};
use crate::norm::RmsNorm;
use crate::rope::Rope;

/// A projection without bias; `weight` is `[in, out]`, the transpose of the file's.
#[derive(Module, Debug)]
pub struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
}

/// A lookup table; `weight` is `[vocab_size, hidden_size]`.
#[derive(Module, Debug)]
pub struct Embedding {
    pub(crate) weight: Param<Tensor<2>>,
}

/// The projections of one attention block.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub(crate) q_proj: Linear,
    pub(crate) k_proj: Linear,
    pub(crate) v_proj: Linear,
    pub(crate) o_proj: Linear,
}

/// The projections of one SwiGLU block.
#[derive(Module, Debug)]
pub struct Mlp {
    pub(crate) gate_proj: Linear,
    pub(crate) up_proj: Linear,
    pub(crate) down_proj: Linear,
}

/// One layer: attention and SwiGLU, each behind a norm and added to the residual stream.
#[derive(Module, Debug)]
pub struct DecoderLayer {
    pub(crate) self_attn: SelfAttention,
    pub(crate) mlp: Mlp,
    pub(crate) input_layernorm: RmsNorm,
    pub(crate) post_attention_layernorm: RmsNorm,
}

/// Embedding, layers and final norm.
#[derive(Module, Debug)]
pub struct Decoder {
    pub(crate) embed_tokens: Embedding,
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) norm: RmsNorm,
}

/// A Llama with its output projection; parameter paths are those of `LlamaForCausalLM`.
#[derive(Module, Debug)]
pub struct Llama {
    pub(crate) model: Decoder,
    pub(crate) lm_head: Option<Linear>,
    #[module(skip)]
    pub(crate) config: LlamaConfig,
}

/// `x` times several weights side by side: one matrix product over the joint matrix where there are rows enough to pay for joining.
pub(crate) fn project(x: Tensor<2>, layers: &[&Linear]) -> Tensor<2> {
    let [rows, width] = x.dims();
    if rows >= width {
        x.matmul(Tensor::cat(layers.iter().map(|layer| layer.weight.val()).collect(), 1))
    } else {
        Tensor::cat(layers.iter().map(|layer| x.clone().matmul(layer.weight.val())).collect(), 1)
    }
}

impl Mlp {
    /// `down(silu(gate(x)) * up(x))`, `[rows, hidden_size]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate_up = project(x, &[&self.gate_proj, &self.up_proj]);
        let hidden = if kernels::available(&gate_up.device()) { kernels::swiglu(gate_up) } else { swiglu(gate_up) };
        hidden.matmul(self.down_proj.weight.val())
    }
}

/// SwiGLU's elementwise part in burn's own operations.
pub(crate) fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    let width = gate_up.dims()[1] / 2;
    activation::silu(gate_up.clone().narrow(1, 0, width)) * gate_up.narrow(1, width, width)
}

/// ln softmax(logits)[target] in burn's own operations.
pub(crate) fn token_log_probs(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let rows = logits.dims()[0];
    activation::log_softmax(logits, 1).gather(1, targets.reshape([rows, 1])).reshape([rows])
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

    /// Logits at the batch's wanted positions: `[positions, vocab_size]`.
    pub fn logits(&self, batch: &TokenBatch) -> Tensor<2> {
        let device = self.model.embed_tokens.weight.val().device();
        let wanted = ints(&batch.positions, &device);
        let shape = self.attention_shape(batch.lengths.clone());
        let rope = Rope::at(0..shape.longest(), &self.config, &device);
        let mut x = self.embed(&batch.ids); // [tokens, hidden_size]
        for (index, layer) in self.model.layers.iter().enumerate() {
            let qkv = layer.qkv(x.clone());
            let mut attended = attention(qkv, &rope, &shape);
            if index + 1 == self.model.layers.len() {
                // Nothing after the last attention mixes positions: go on with the wanted ones alone.
                attended = attended.select(0, wanted.clone());
                x = x.select(0, wanted.clone());
            }
            x = layer.after_attention(x, attended);
        }
        self.output(x)
    }

    /// ln p(target) at each wanted position, `[positions]`; `targets` has one token per position.
    pub fn token_log_probs(&self, batch: &TokenBatch, targets: &[TokenId]) -> Tensor<1> {
        log_probs(self.logits(batch), targets)
    }

    pub(crate) fn attention_shape(&self, lengths: Arc<Vec<usize>>) -> AttentionShape {
        let LlamaConfig { num_attention_heads: heads, num_key_value_heads: kv_heads, head_dim, .. } = self.config;
        AttentionShape { lengths, heads, kv_heads, head_dim }
    }

    pub(crate) fn embed(&self, ids: &[i32]) -> Tensor<2> {
        let table = self.model.embed_tokens.weight.val();
        let ids = ints(ids, &table.device());
        table.select(0, ids)
    }

    /// Final norm and output projection of rows `[rows, hidden_size]`.
    pub(crate) fn output(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.model.norm.forward(x);
        match &self.lm_head {
            Some(head) => x.matmul(head.weight.val()),
            None => x.matmul(self.model.embed_tokens.weight.val().transpose()),
        }
    }
}

impl DecoderLayer {
    /// Joint unrotated projections `[rows, (heads + 2 kv_heads) * head_dim]`.
    pub(crate) fn qkv(&self, x: Tensor<2>) -> Tensor<2> {
        let attention = &self.self_attn;
        project(self.input_layernorm.forward(x), &[&attention.q_proj, &attention.k_proj, &attention.v_proj])
    }

    /// Adds the attention's output and the SwiGLU block to the residual stream.
    pub(crate) fn after_attention(&self, x: Tensor<2>, attended: Tensor<2>) -> Tensor<2> {
        let x = x + attended.matmul(self.self_attn.o_proj.weight.val());
        let mlp = self.mlp.forward(self.post_attention_layernorm.forward(x.clone()));
        x + mlp
    }
}

/// ln softmax(logits)[target] per row: `logits` `[rows, vocab]`, `targets` `[rows]`.
pub(crate) fn log_probs(logits: Tensor<2>, targets: &[TokenId]) -> Tensor<1> {
    let targets = ints(&targets.iter().map(|&id| id as i32).collect::<Vec<_>>(), &logits.device());
    if kernels::available(&logits.device()) {
        kernels::token_log_probs(logits, targets)
    } else {
        token_log_probs(logits, targets)
    }
}

pub(crate) fn ints(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
