//! The model's shape, as in Hugging Face's config.json.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::LlamaError;

/// The architectures that differ from Llama in a bias, a window or a default only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `LlamaForCausalLM`.
    Llama,
    /// `MistralForCausalLM`: a sliding window.
    Mistral,
    /// `Qwen2ForCausalLM`: biases on queries, keys and values.
    Qwen2,
}

/// How the rotary frequencies are stretched beyond the context of pretraining.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rope_type", rename_all = "lowercase")]
pub enum RopeScaling {
    /// All frequencies divided by `factor`.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high ones kept, those between interpolated.
    Llama3 {
        /// Divisor of the low frequencies, at least 1.
        factor: f64,
        /// Wavelengths above `original_max_position_embeddings / low_freq_factor` are low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_position_embeddings / high_freq_factor` are high frequencies.
        high_freq_factor: f64,
        /// Context of pretraining, in tokens.
        original_max_position_embeddings: f64,
    },
}

/// The attributes of a `config.json` that decide the forward pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// `model_type`.
    pub family: Family,
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
    /// Stretching of the rotary frequencies.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the output projection is the embedding matrix.
    pub tie_word_embeddings: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether the attention's output projection has a bias.
    pub o_bias: bool,
    /// Whether the projections of SwiGLU have a bias.
    pub mlp_bias: bool,
    /// Per layer, how many tokens back (itself included) a query sees; `None` is all. Empty if no layer is limited.
    pub sliding_windows: Vec<Option<usize>>,
}

/// Attributes of neighbouring architectures or of quantised files: each must be absent or equal to this value.
const FIXED: [(&str, &[&str]); 14] = [
    ("hidden_act", &["\"silu\"", "\"swish\""]),
    ("pretraining_tp", &["1"]),
    ("partial_rotary_factor", &["1.0", "1"]),
    ("quantization_config", &[]),
    ("is_encoder_decoder", &["false"]),
    ("add_cross_attention", &["false"]),
    ("rope_interleaved", &["false"]),
    ("qk_layernorm", &["false"]),
    ("use_qk_norm", &["false"]),
    ("final_logit_softcapping", &[]),
    ("attn_logit_softcapping", &[]),
    ("logits_scaling", &["1.0", "1"]),
    ("residual_multiplier", &["1.0", "1"]),
    ("embedding_multiplier", &["1.0", "1"]),
];

/// Reads one attribute after the other, with an error that names it.
struct Attributes<'a>(&'a Value);

impl Attributes<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn optional(&self, key: &str, default: Option<usize>) -> Result<usize, LlamaError> {
        let got = self.get(key);
        let number = got.map_or(default, |value| value.as_u64().map(|n| n as usize).filter(|&n| n > 0));
        number.ok_or_else(|| match got {
            Some(value) => LlamaError::Config(format!("`{key}` is {value}, expected a positive integer")),
            None => LlamaError::Config(format!("`{key}` is missing")),
        })
    }

    fn number(&self, key: &str) -> Result<usize, LlamaError> {
        self.optional(key, None)
    }

    fn positive(&self, key: &str) -> Result<Option<f64>, LlamaError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|x| x.is_finite() && *x > 0.0) {
                Some(x) => Ok(Some(x)),
                None => Err(LlamaError::Config(format!("`{key}` is {value}, expected a positive number"))),
            },
        }
    }

    fn flag(&self, key: &str) -> Result<bool, LlamaError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(LlamaError::Config(format!("`{key}` is {other}, expected true or false"))),
        }
    }
}

impl LlamaConfig {
    /// Reads the attributes out of a `config.json` of transformers 4 or 5; absent ones have transformers' defaults.
    ///
    /// # Errors
    /// Another architecture, a missing or impossible attribute, or an attribute that is not supported and differs from its default.
    pub fn from_json(json: &Value) -> Result<Self, LlamaError> {
        let invalid = |what: String| Err(LlamaError::Config(what));
        let family = match json.get("model_type").and_then(Value::as_str) {
            Some("llama") => Family::Llama,
            Some("mistral") => Family::Mistral,
            Some("qwen2") => Family::Qwen2,
            other => {
                let got = other.map_or("missing".into(), |other| format!("\"{other}\""));
                return invalid(format!("`model_type` is {got}, expected \"llama\", \"mistral\" or \"qwen2\""));
            }
        };
        let attributes = Attributes(json);
        for (key, allowed) in FIXED {
            if let Some(value) = attributes.get(key)
                && !allowed.contains(&value.to_string().as_str())
            {
                let only = if allowed.is_empty() { "null".into() } else { allowed.join(" or ") };
                return invalid(format!("`{key}` is {value}, only {only} is supported"));
            }
        }
        let (hidden_size, num_attention_heads) =
            (attributes.number("hidden_size")?, attributes.number("num_attention_heads")?);
        // Only where the attribute is not even null do the families differ.
        let key_value_heads = match (family, json.get("num_key_value_heads")) {
            (Family::Llama, _) | (_, Some(Value::Null)) => num_attention_heads,
            (Family::Mistral, _) => 8,
            (Family::Qwen2, _) => 32,
        };
        let positions = match family {
            Family::Llama => 2048,
            Family::Mistral => 4096 * 32,
            Family::Qwen2 => 32768,
        };
        let (rope_theta, rope_scaling) = rope(json)?;
        let attention_bias = family == Family::Llama && attributes.flag("attention_bias")?;
        let num_hidden_layers = attributes.number("num_hidden_layers")?;
        let config = Self {
            family,
            vocab_size: attributes.number("vocab_size")?,
            hidden_size,
            intermediate_size: attributes.number("intermediate_size")?,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: attributes.optional("num_key_value_heads", Some(key_value_heads))?,
            head_dim: attributes.optional("head_dim", Some(hidden_size / num_attention_heads))?,
            max_position_embeddings: attributes.optional("max_position_embeddings", Some(positions))?,
            rms_norm_eps: attributes.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            tie_word_embeddings: attributes.flag("tie_word_embeddings")?,
            qkv_bias: attention_bias || family == Family::Qwen2,
            o_bias: attention_bias,
            mlp_bias: family == Family::Llama && attributes.flag("mlp_bias")?,
            sliding_windows: windows(family, &attributes, num_hidden_layers)?,
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

    /// How many tokens back, itself included, a query of `layer` sees.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.sliding_windows.get(layer).copied().flatten()
    }

    /// A complete `config.json` that transformers loads as `LlamaForCausalLM`; for models of that family made here.
    pub fn to_json(&self, bos_token_id: u32, eos_token_id: u32, pad_token_id: u32) -> Value {
        json!({
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
            "rope_scaling": self.rope_scaling,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.qkv_bias,
            "attention_dropout": 0.0,
            "mlp_bias": self.mlp_bias,
            "initializer_range": 0.02,
            "use_cache": true,
            "bos_token_id": bos_token_id,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "torch_dtype": "float32",
        })
    }
}

/// What may stand in `rope_parameters` or `rope_scaling`.
const ROPE_KEYS: [&str; 8] = [
    "rope_theta",
    "rope_type",
    "type",
    "partial_rotary_factor",
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
];

/// Base and scaling of the rotary embedding: `rope_theta` and `rope_scaling` of transformers 4, `rope_parameters` of 5.
fn rope(json: &Value) -> Result<(f64, Option<RopeScaling>), LlamaError> {
    let parameters = ["rope_parameters", "rope_scaling"].iter().find_map(|key| json.get(key).filter(|v| !v.is_null()));
    let inner = Attributes(parameters.unwrap_or(&Value::Null));
    for (key, value) in parameters.and_then(Value::as_object).into_iter().flatten() {
        if !ROPE_KEYS.contains(&key.as_str()) && !value.is_null() {
            return Err(LlamaError::Config(format!(
                "`{key}` of the rope parameters is {value}, which is not supported"
            )));
        }
    }
    let theta = inner.positive("rope_theta")?.or(Attributes(json).positive("rope_theta")?).unwrap_or(10_000.0);
    let kind = ["rope_type", "type"].iter().find_map(|key| inner.get(key)).and_then(Value::as_str);
    let number = |key: &str| {
        inner.positive(key)?.ok_or_else(|| LlamaError::Config(format!("`{key}` of the rope scaling is missing")))
    };
    if let Some(fraction) = inner.get("partial_rotary_factor").and_then(Value::as_f64).filter(|f| *f != 1.0) {
        return Err(LlamaError::Config(format!("`partial_rotary_factor` is {fraction}, only 1.0 is supported")));
    }
    let scaling = match kind {
        None if inner.get("factor").is_some() => {
            return Err(LlamaError::Config("`factor` of the rope parameters has no `rope_type`".into()));
        }
        None | Some("default") => None,
        Some("linear") => Some(RopeScaling::Linear { factor: number("factor")? }),
        Some("llama3") => Some(RopeScaling::Llama3 {
            factor: number("factor")?,
            low_freq_factor: number("low_freq_factor")?,
            high_freq_factor: number("high_freq_factor")?,
            original_max_position_embeddings: number("original_max_position_embeddings")?,
        }),
        Some(other) => {
            let what = format!("`rope_type` is \"{other}\", only \"default\", \"linear\" and \"llama3\" are supported");
            return Err(LlamaError::Config(what));
        }
    };
    Ok((theta, scaling))
}

/// The window of each layer; empty if none is limited.
fn windows(family: Family, attributes: &Attributes, layers: usize) -> Result<Vec<Option<usize>>, LlamaError> {
    let window = match (family, attributes.0.get("sliding_window")) {
        // Mistral's default, where the attribute is not even null.
        (Family::Mistral, None) => Some(4096),
        (Family::Qwen2, _) if !attributes.flag("use_sliding_window")? => None,
        (Family::Qwen2, None) => Some(4096),
        (_, None | Some(Value::Null)) => None,
        (Family::Llama, Some(value)) => {
            return Err(LlamaError::Config(format!("`sliding_window` is {value}, a Llama has none")));
        }
        (_, Some(_)) => Some(attributes.number("sliding_window")?),
    };
    let full_layers = match family {
        Family::Qwen2 if window.is_some() => attributes.get("max_window_layers").and_then(Value::as_u64).unwrap_or(28),
        _ => 0,
    };
    let mut windows: Vec<Option<usize>> =
        (0..layers).map(|layer| window.filter(|_| layer as u64 >= full_layers)).collect();
    // Mistral has no `layer_types`; Qwen2's override `max_window_layers`.
    if let Some(types) = attributes.get("layer_types").filter(|_| family == Family::Qwen2).and_then(Value::as_array) {
        if types.len() != layers {
            let what = format!("`layer_types` has {} entries, expected {layers}", types.len());
            return Err(LlamaError::Config(what));
        }
        for (slot, kind) in windows.iter_mut().zip(types) {
            *slot = match (kind.as_str(), window) {
                (Some("full_attention"), _) => None,
                (Some("sliding_attention"), Some(window)) => Some(window),
                _ => return Err(LlamaError::Config(format!("`layer_types` has {kind}, which is not supported here"))),
            };
        }
    }
    Ok(if windows.iter().all(Option::is_none) { Vec::new() } else { windows })
}

#[cfg(test)]
mod tests;
