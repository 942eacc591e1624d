//! The tensors of the file and where each lives in the module: projections that read the same input are one matrix there.

use std::ops::Range;

use burn::module::Param;
use burn::tensor::Tensor;

use crate::model::{DecoderLayer, Linear};
use crate::{Llama, LlamaConfig};

/// A parameter of the module.
#[derive(Clone, Copy)]
pub(crate) enum Slot<'a> {
    /// `[out, in]`.
    Matrix(&'a Param<Tensor<2>>),
    /// `[width]`.
    Vector(&'a Param<Tensor<1>>),
}

/// A tensor of the file: rows of a parameter.
pub(crate) struct Part<'a> {
    /// Hugging Face's name.
    pub(crate) name: String,
    pub(crate) slot: Slot<'a>,
    /// Rows (or values) of the parameter that are this tensor's.
    pub(crate) rows: Range<usize>,
}

/// The projections of a layer that read the same input: path below the layer, then name and width of each.
pub(crate) struct Joint {
    pub(crate) path: &'static str,
    pub(crate) outputs: Vec<(&'static str, usize)>,
    pub(crate) input: usize,
    pub(crate) bias: bool,
}

/// q, k and v; o; gate and up; down.
pub(crate) fn joints(config: &LlamaConfig) -> [Joint; 4] {
    let LlamaConfig { hidden_size: hidden, intermediate_size: inner, head_dim, .. } = *config;
    let (queries, keys) = (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
    let joint = |path, outputs, input, bias| Joint { path, outputs, input, bias };
    [
        joint("self_attn", vec![("q_proj", queries), ("k_proj", keys), ("v_proj", keys)], hidden, config.qkv_bias),
        joint("self_attn", vec![("o_proj", hidden)], queries, config.o_bias),
        joint("mlp", vec![("gate_proj", inner), ("up_proj", inner)], hidden, config.mlp_bias),
        joint("mlp", vec![("down_proj", hidden)], inner, config.mlp_bias),
    ]
}

/// Names and shapes of all tensors that a checkpoint of this configuration holds.
pub(crate) fn tensor_shapes(config: &LlamaConfig) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let mut shapes = vec![("model.embed_tokens.weight".to_string(), vec![config.vocab_size, hidden])];
    for index in 0..config.num_hidden_layers {
        for Joint { path, outputs, input, bias } in joints(config) {
            for (name, output) in outputs {
                shapes.push((format!("model.layers.{index}.{path}.{name}.weight"), vec![output, input]));
                if bias {
                    shapes.push((format!("model.layers.{index}.{path}.{name}.bias"), vec![output]));
                }
            }
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            shapes.push((format!("model.layers.{index}.{norm}.weight"), vec![hidden]));
        }
    }
    shapes.push(("model.norm.weight".into(), vec![hidden]));
    if !config.tie_word_embeddings {
        shapes.push(("lm_head.weight".into(), vec![config.vocab_size, hidden]));
    }
    shapes
}

impl Llama {
    /// Every tensor of the file.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let config = &self.config;
        let matrix = |name: &str, param, rows| Part { name: name.into(), slot: Slot::Matrix(param), rows: 0..rows };
        let norm = |name: String, param| Part { name, slot: Slot::Vector(param), rows: 0..config.hidden_size };
        let mut parts = vec![matrix("model.embed_tokens.weight", &self.model.embed_tokens.weight, config.vocab_size)];
        for (index, layer) in self.model.layers.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            for (joint, linear) in joints(config).iter().zip(layer.linears()) {
                let mut start = 0;
                for (name, output) in &joint.outputs {
                    let rows = start..start + output;
                    start = rows.end;
                    let path = format!("{prefix}.{}.{name}", joint.path);
                    let slot = Slot::Matrix(&linear.weight);
                    parts.push(Part { name: format!("{path}.weight"), slot, rows: rows.clone() });
                    if let Some(bias) = &linear.bias {
                        parts.push(Part { name: format!("{path}.bias"), slot: Slot::Vector(bias), rows });
                    }
                }
            }
            parts.push(norm(format!("{prefix}.input_layernorm.weight"), &layer.input_layernorm.weight));
            let after = &layer.post_attention_layernorm.weight;
            parts.push(norm(format!("{prefix}.post_attention_layernorm.weight"), after));
        }
        parts.push(norm("model.norm.weight".into(), &self.model.norm.weight));
        if let Some(head) = &self.lm_head {
            parts.push(matrix("lm_head.weight", &head.weight, config.vocab_size));
        }
        parts
    }
}

impl DecoderLayer {
    /// The layer's matrices in the order of [`joints`].
    pub(crate) fn linears(&self) -> [&Linear; 4] {
        [&self.self_attn.qkv_proj, &self.self_attn.o_proj, &self.mlp.gate_up_proj, &self.mlp.down_proj]
    }

    /// [`linears`](Self::linears), to be changed.
    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 4] {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        [&mut attention.qkv_proj, &mut attention.o_proj, &mut mlp.gate_up_proj, &mut mlp.down_proj]
    }
}
