//! The sizes of synthetic models, taken from models in use.

use bunch_checkpoint::{Dtype, StoredDtype, TensorLayout};
use clap::ValueEnum;
use serde_json::{Value, json};

/// A size of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelSize {
    /// 0.1 million parameters, for tests.
    Tiny,
    /// The shapes of Qwen2.5-0.5B, without biases: 0.49 billion parameters.
    #[value(name = "0.5B")]
    Half,
    /// The shapes of Qwen2.5-1.5B, without biases: 1.54 billion parameters.
    #[value(name = "1.5B")]
    OneAndAHalf,
    /// The shapes of Qwen2.5-3B, without biases: 3.09 billion parameters.
    #[value(name = "3B")]
    Three,
    /// The shapes of Llama-3-8B: 8.03 billion parameters.
    #[value(name = "8B")]
    Eight,
}

/// The shapes of a Llama model.
struct Shapes {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    vocab_size: usize,
    tie_word_embeddings: bool,
    max_shard_size: u64,
}

impl ModelSize {
    /// Its name on the command line.
    pub fn name(self) -> String {
        // No variant is hidden from the command line.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    const fn shapes(self) -> Shapes {
        match self {
            Self::Tiny => Shapes {
                hidden_size: 64,
                intermediate_size: 176,
                num_hidden_layers: 2,
                num_attention_heads: 4,
                num_key_value_heads: 2,
                vocab_size: 320,
                tie_word_embeddings: false,
                max_shard_size: 1_000_000_000,
            },
            Self::Half => Shapes {
                hidden_size: 896,
                intermediate_size: 4864,
                num_hidden_layers: 24,
                num_attention_heads: 14,
                num_key_value_heads: 2,
                vocab_size: 151_936,
                tie_word_embeddings: true,
                max_shard_size: 1_000_000_000,
            },
            Self::OneAndAHalf => Shapes {
                hidden_size: 1536,
                intermediate_size: 8960,
                num_hidden_layers: 28,
                num_attention_heads: 12,
                num_key_value_heads: 2,
                vocab_size: 151_936,
                tie_word_embeddings: true,
                max_shard_size: 1_000_000_000,
            },
            Self::Three => Shapes {
                hidden_size: 2048,
                intermediate_size: 11_008,
                num_hidden_layers: 36,
                num_attention_heads: 16,
                num_key_value_heads: 2,
                vocab_size: 151_936,
                tie_word_embeddings: true,
                max_shard_size: 5_000_000_000,
            },
            Self::Eight => Shapes {
                hidden_size: 4096,
                intermediate_size: 14_336,
                num_hidden_layers: 32,
                num_attention_heads: 32,
                num_key_value_heads: 8,
                vocab_size: 128_256,
                tie_word_embeddings: false,
                max_shard_size: 5_000_000_000,
            },
        }
    }

    /// Bytes of a shard by default.
    pub const fn max_shard_size(self) -> u64 {
        self.shapes().max_shard_size
    }

    /// Every tensor of the model, in the order of the forward pass.
    pub fn tensors(self, dtype: Dtype) -> Vec<TensorLayout> {
        let Shapes { hidden_size, intermediate_size, vocab_size, .. } = self.shapes();
        let key_value_size = hidden_size / self.shapes().num_attention_heads * self.shapes().num_key_value_heads;
        let layer = [
            ("input_layernorm", vec![hidden_size]),
            ("self_attn.q_proj", vec![hidden_size, hidden_size]),
            ("self_attn.k_proj", vec![key_value_size, hidden_size]),
            ("self_attn.v_proj", vec![key_value_size, hidden_size]),
            ("self_attn.o_proj", vec![hidden_size, hidden_size]),
            ("post_attention_layernorm", vec![hidden_size]),
            ("mlp.gate_proj", vec![intermediate_size, hidden_size]),
            ("mlp.up_proj", vec![intermediate_size, hidden_size]),
            ("mlp.down_proj", vec![hidden_size, intermediate_size]),
        ];
        let tensor = |name: String, shape| TensorLayout { name, shape, dtype: StoredDtype::Float(dtype) };
        let mut tensors = vec![tensor("model.embed_tokens.weight".to_owned(), vec![vocab_size, hidden_size])];
        for i in 0..self.shapes().num_hidden_layers {
            let named = |(name, shape): &(&str, Vec<usize>)| (format!("model.layers.{i}.{name}.weight"), shape.clone());
            tensors.extend(layer.iter().map(named).map(|(name, shape)| tensor(name, shape)));
        }
        tensors.push(tensor("model.norm.weight".to_owned(), vec![hidden_size]));
        if !self.shapes().tie_word_embeddings {
            tensors.push(tensor("lm_head.weight".to_owned(), vec![vocab_size, hidden_size]));
        }
        tensors
    }

    /// The number of values in all tensors.
    pub fn parameters(self) -> u64 {
        let count = |tensor: &TensorLayout| tensor.shape.iter().product::<usize>() as u64;
        self.tensors(Dtype::BF16).iter().map(count).sum()
    }

    /// The model's config.json.
    pub fn config(self, dtype: Dtype) -> Value {
        let shapes = self.shapes();
        json!({
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "hidden_act": "silu",
            "hidden_size": shapes.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": shapes.intermediate_size,
            "max_position_embeddings": 8192,
            "mlp_bias": false,
            "model_type": "llama",
            "num_attention_heads": shapes.num_attention_heads,
            "num_hidden_layers": shapes.num_hidden_layers,
            "num_key_value_heads": shapes.num_key_value_heads,
            "rms_norm_eps": 1e-5,
            "rope_scaling": null,
            "rope_theta": 500_000.0,
            "tie_word_embeddings": shapes.tie_word_embeddings,
            "torch_dtype": dtype.name(),
            "use_cache": true,
            "vocab_size": shapes.vocab_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ModelSize;
    use bunch_checkpoint::Dtype;
    use clap::ValueEnum;

    #[test]
    fn parameters_are_those_of_the_models_the_sizes_are_named_after() {
        // Published counts of Qwen2.5, less the biases of q, k and v; and of Llama-3-8B.
        let published = [
            (ModelSize::Half, 494_032_768 - 24 * (896 + 2 * 128)),
            (ModelSize::OneAndAHalf, 1_543_714_304 - 28 * (1536 + 2 * 256)),
            (ModelSize::Three, 3_085_938_688 - 36 * (2048 + 2 * 256)),
            (ModelSize::Eight, 8_030_261_248),
        ];
        for (size, parameters) in published {
            assert_eq!(size.parameters(), parameters, "{size:?}");
        }
    }

    #[test]
    fn names_and_heads_are_consistent() {
        let names: Vec<String> = ModelSize::value_variants().iter().map(|size| size.name()).collect();
        assert_eq!(names, ["tiny", "0.5B", "1.5B", "3B", "8B"]);
        for size in ModelSize::value_variants() {
            let shapes = size.shapes();
            assert_eq!(shapes.hidden_size % shapes.num_attention_heads, 0, "{size:?}");
            let has_head = size.tensors(Dtype::F32).iter().any(|tensor| tensor.name == "lm_head.weight");
            assert_eq!(has_head, !shapes.tie_word_embeddings, "{size:?}");
        }
    }
}
