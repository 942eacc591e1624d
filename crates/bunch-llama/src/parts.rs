//! The tensors of the file and where each lives in the module: projections that read the same input are one matrix there.

use std::ops::Range;

use burn::module::Param;
use burn::tensor::Tensor;

use crate::Llama;
use crate::model::{DecoderLayer, Linear};
use crate::tensor_shapes::fused_projections;

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

impl Llama {
    /// Every tensor of the file.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let config = &self.config;
        let matrix = |name: &str, param, rows| Part { name: name.into(), slot: Slot::Matrix(param), rows: 0..rows };
        let norm = |name: String, param| Part { name, slot: Slot::Vector(param), rows: 0..config.hidden_size };
        let mut parts = vec![matrix("model.embed_tokens.weight", &self.model.embed_tokens.weight, config.vocab_size)];
        for (index, layer) in self.model.layers.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            for (projection, linear) in fused_projections(config).iter().zip(layer.linears()) {
                let mut start = 0;
                for (name, output) in &projection.outputs {
                    let rows = start..start + output;
                    start = rows.end;
                    let path = format!("{prefix}.{}.{name}", projection.path);
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
    /// The layer's matrices in the order of [`fused_projections`].
    pub(crate) fn linears(&self) -> [&Linear; 4] {
        [&self.self_attn.qkv_proj, &self.self_attn.o_proj, &self.mlp.gate_up_proj, &self.mlp.down_proj]
    }

    /// [`linears`](Self::linears), to be changed.
    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 4] {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        [&mut attention.qkv_proj, &mut attention.o_proj, &mut mlp.gate_up_proj, &mut mlp.down_proj]
    }
}
