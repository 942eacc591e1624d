//! The model's shape, as in Hugging Face's config.json.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LlamaError;

/// The attributes of a Llama `config.json` that decide the forward pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the SwiGLU layer.
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads per layer.
    pub num_attention_heads: usize,
    /// Key and value heads per layer; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Epsilon of RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary position embedding.
    pub rope_theta: f64,
    /// Whether the output projection is the embedding matrix.
    pub tie_word_embeddings: bool,
}

/// Attributes that change the forward pass and are supported at one value only.
const FIXED: [(&str, &[&str]); 7] = [
    ("hidden_act", &["\"silu\""]),
    ("attention_bias", &["false"]),
    ("mlp_bias", &["false"]),
    ("rope_scaling", &["null"]),
    ("pretraining_tp", &["1"]),
    ("partial_rotary_factor", &["1.0", "1", "null"]),
    ("sliding_window", &["null"]),
];

impl LlamaConfig {
    /// Reads the attributes out of a `config.json` of transformers 4 or 5.
    ///
    /// # Errors
    /// Another architecture, a missing or impossible attribute, or an attribute that is not supported and differs from its default.
    pub fn from_json(json: &Value) -> Result<Self, LlamaError> {
        let invalid = |what: String| Err(LlamaError::Config(what));
        match json.get("model_type").and_then(Value::as_str) {
            Some("llama") => {}
            other => return invalid(format!("`model_type` is {other:?}, expected \"llama\"")),
        }
        for (key, allowed) in FIXED {
            if let Some(value) = json.get(key)
                && !allowed.contains(&value.to_string().as_str())
            {
                return invalid(format!("`{key}` is {value}, only {} is supported", allowed.join(" or ")));
            }
        }
        let rope = json.get("rope_parameters").or(json.get("rope_scaling"));
        if let Some(kind) = rope.and_then(|rope| rope.get("rope_type")).and_then(Value::as_str)
            && kind != "default"
        {
            return invalid(format!("`rope_type` is \"{kind}\", only \"default\" is supported"));
        }
        let number = |key: &str| {
            json.get(key).and_then(Value::as_u64).map(|n| n as usize).filter(|&n| n > 0).ok_or_else(|| {
                LlamaError::Config(format!("`{key}` is {:?}, expected a positive integer", json.get(key)))
            })
        };
        let optional = |key: &str, default: usize| match json.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(_) => number(key),
        };
        let (hidden_size, num_attention_heads) = (number("hidden_size")?, number("num_attention_heads")?);
        let config = Self {
            vocab_size: number("vocab_size")?,
            hidden_size,
            intermediate_size: number("intermediate_size")?,
            num_hidden_layers: number("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: optional("num_key_value_heads", num_attention_heads)?,
            head_dim: optional("head_dim", hidden_size / num_attention_heads)?,
            max_position_embeddings: optional("max_position_embeddings", 2048)?,
            rms_norm_eps: json.get("rms_norm_eps").and_then(Value::as_f64).unwrap_or(1e-6),
            rope_theta: (json.get("rope_theta"))
                .or_else(|| rope.and_then(|rope| rope.get("rope_theta")))
                .and_then(Value::as_f64)
                .unwrap_or(10_000.0),
            tie_word_embeddings: json.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
        };
        if !config.num_attention_heads.is_multiple_of(config.num_key_value_heads) {
            return invalid(format!(
                "`num_key_value_heads` {} does not divide `num_attention_heads` {}",
                config.num_key_value_heads, config.num_attention_heads
            ));
        }
        if !config.head_dim.is_multiple_of(2) {
            return invalid(format!("`head_dim` is {}, expected an even number", config.head_dim));
        }
        Ok(config)
    }

    /// A complete `config.json` that transformers loads as `LlamaForCausalLM`.
    pub fn to_json(&self, bos_token_id: u32, eos_token_id: u32, pad_token_id: u32) -> Value {
        serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": null,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": false,
            "attention_dropout": 0.0,
            "mlp_bias": false,
            "initializer_range": 0.02,
            "use_cache": true,
            "bos_token_id": bos_token_id,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "torch_dtype": "float32",
        })
    }
}
