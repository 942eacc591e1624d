//! What a configuration says about the tensors: their names and shapes, and which projections are one matrix in the module.

use crate::LlamaConfig;

/// The projections of a layer that read the same input: path below the layer, then name and width of each.
pub(crate) struct FusedProjection {
    pub(crate) path: &'static str,
    pub(crate) outputs: Vec<(&'static str, usize)>,
    pub(crate) input: usize,
    pub(crate) bias: bool,
}

/// q, k and v; o; gate and up; down.
pub(crate) fn fused_projections(config: &LlamaConfig) -> [FusedProjection; 4] {
    let LlamaConfig { hidden_size: hidden, intermediate_size: inner, head_dim, .. } = *config;
    let (queries, keys) = (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
    let projection = |path, outputs, input, bias| FusedProjection { path, outputs, input, bias };
    [
        projection("self_attn", vec![("q_proj", queries), ("k_proj", keys), ("v_proj", keys)], hidden, config.qkv_bias),
        projection("self_attn", vec![("o_proj", hidden)], queries, config.o_bias),
        projection("mlp", vec![("gate_proj", inner), ("up_proj", inner)], hidden, config.mlp_bias),
        projection("mlp", vec![("down_proj", hidden)], inner, config.mlp_bias),
    ]
}

/// Names and shapes of all tensors that a checkpoint of this configuration holds.
pub(crate) fn tensor_shapes(config: &LlamaConfig) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let mut shapes = vec![("model.embed_tokens.weight".to_string(), vec![config.vocab_size, hidden])];
    for index in 0..config.num_hidden_layers {
        for FusedProjection { path, outputs, input, bias } in fused_projections(config) {
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

impl LlamaConfig {
    /// Number of parameters, the tied output projection counted once.
    pub fn parameters(&self) -> usize {
        tensor_shapes(self).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}
