//! config.json from the metadata of a GGUF file.

use serde_json::{Map, Value, json};

use super::GgufError;
use super::metadata::Metadata;

/// An architecture that llama.cpp and transformers both know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    /// llama.cpp's name, which begins the keys of its metadata, and transformers' `model_type`.
    pub(super) name: &'static str,
    /// transformers' class.
    class: &'static str,
    /// Whether llama.cpp stores the rows of queries and keys in another order.
    pub(super) permutes_heads: bool,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "llama", class: "LlamaForCausalLM", permutes_heads: true },
    Architecture { name: "qwen2", class: "Qwen2ForCausalLM", permutes_heads: false },
];

/// The numbers that the tensors depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dimensions {
    hidden_size: u64,
    intermediate_size: u64,
    pub(super) num_hidden_layers: u64,
    pub(super) num_attention_heads: u64,
    pub(super) num_key_value_heads: u64,
    pub(super) head_dim: u64,
    pub(super) rope_theta: f64,
}

/// What a configuration takes from the tensors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorFacts {
    /// Rows of the embedding matrix.
    pub(super) vocab_size: Option<usize>,
    /// Whether there is no output matrix.
    pub(super) is_tied: bool,
    /// Whether queries have biases.
    pub(super) has_attention_bias: bool,
    /// Whether the feed-forward layers have biases.
    pub(super) has_mlp_bias: bool,
    /// None if there are no factors of rotary frequencies.
    pub(super) rope_scaling: Option<Value>,
    /// transformers' name of the dtype of most bytes.
    pub(super) torch_dtype: &'static str,
}

impl Architecture {
    pub(super) fn of(metadata: &Metadata) -> Result<Self, GgufError> {
        const KEY: &str = "general.architecture";
        let name = metadata.find_text(KEY)?.ok_or_else(|| GgufError::MissingKey { key: KEY.to_owned() })?;
        ARCHITECTURES.into_iter().find(|architecture| architecture.name == name).ok_or_else(|| {
            let (key, got) = (KEY.to_owned(), name.to_owned());
            GgufError::Unsupported { key, got, hint: "expected llama or qwen2" }
        })
    }

    fn key(self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}

impl Dimensions {
    pub(super) fn of(metadata: &Metadata, architecture: Architecture) -> Result<Self, GgufError> {
        check_supported(metadata, architecture)?;
        let positive = |key: &str| {
            let key = architecture.key(key);
            match metadata.find_unsigned(&key)? {
                Some(0) => Err(GgufError::WrongValue { key, expected: "a number > 0", got: "0".to_owned() }),
                found => Ok(found),
            }
        };
        let required = |key| positive(key)?.ok_or_else(|| GgufError::MissingKey { key: architecture.key(key) });
        let (hidden_size, heads) = (required("embedding_length")?, required("attention.head_count")?);
        let head_dim = positive("attention.key_length")?.unwrap_or(hidden_size / heads);
        for key in ["attention.value_length", "rope.dimension_count"] {
            // transformers has one number for the three.
            if let Some(got) = positive(key)?.filter(|&got| got != head_dim) {
                let (key, got) = (architecture.key(key), got.to_string());
                return Err(GgufError::Unsupported { key, got, hint: "expected the length of a key" });
            }
        }
        Ok(Self {
            hidden_size,
            intermediate_size: required("feed_forward_length")?,
            num_hidden_layers: required("block_count")?,
            num_attention_heads: heads,
            num_key_value_heads: positive("attention.head_count_kv")?.unwrap_or(heads),
            head_dim,
            rope_theta: metadata.find_float(&architecture.key("rope.freq_base"))?.unwrap_or(10_000.0),
        })
    }
}

/// Checks that the file is not one part of several, of which all but the first lack most metadata.
pub(super) fn check_whole(metadata: &Metadata) -> Result<(), GgufError> {
    match metadata.find_unsigned("split.count")? {
        Some(parts) if parts > 1 => {
            let hint = "join the parts with llama.cpp's `llama-gguf-split --merge`";
            Err(GgufError::Unsupported { key: "split.count".to_owned(), got: parts.to_string(), hint })
        }
        _ => Ok(()),
    }
}

/// Checks that the model has nothing that the configuration could not say.
fn check_supported(metadata: &Metadata, architecture: Architecture) -> Result<(), GgufError> {
    let unsupported = |key: String, got: String, hint| Err(GgufError::Unsupported { key, got, hint });
    let key = architecture.key("expert_count");
    if let Some(experts) = metadata.find_unsigned(&key)?.filter(|&experts| experts > 0) {
        return unsupported(key, experts.to_string(), "mixtures of experts cannot be read");
    }
    let key = architecture.key("rope.scaling.type");
    if let Some(kind) = metadata.find_text(&key)?.filter(|kind| !matches!(*kind, "none" | "linear")) {
        return unsupported(key, kind.to_owned(), "expected none or linear");
    }
    Ok(())
}

/// The config.json that transformers would have for the model.
pub(super) fn synthesise(
    metadata: &Metadata,
    architecture: Architecture,
    dimensions: &Dimensions,
    tensors: TensorFacts,
) -> Result<Map<String, Value>, GgufError> {
    let key = |key| architecture.key(key);
    let missing = |key| GgufError::MissingKey { key };
    let vocab_size = match tensors.vocab_size {
        Some(rows) => rows as u64,
        None => {
            const KEY: &str = "tokenizer.ggml.tokens";
            metadata.find_array_length(KEY)?.ok_or_else(|| missing(KEY.to_owned()))?
        }
    };
    let (epsilon, context) = (key("attention.layer_norm_rms_epsilon"), key("context_length"));
    let rms_norm_eps = metadata.find_float(&epsilon)?.ok_or_else(|| missing(epsilon))?;
    let max_position_embeddings = metadata.find_unsigned(&context)?.ok_or_else(|| missing(context))?;
    let rope_scaling = match (tensors.rope_scaling, metadata.find_text(&key("rope.scaling.type"))?) {
        (Some(from_factors), _) => from_factors,
        (None, Some("linear")) => {
            let factor = key("rope.scaling.factor");
            let factor = metadata.find_float(&factor)?.ok_or_else(|| missing(factor))?;
            json!({ "factor": factor, "rope_type": "linear" })
        }
        (None, _) => Value::Null,
    };

    let mut config = Map::new();
    let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
    set("architectures", json!([architecture.class]));
    if tensors.has_attention_bias && architecture.name == "llama" {
        // Qwen2 always has them, and no such key.
        set("attention_bias", true.into());
    }
    for (key, theirs) in [("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding")] {
        if let Some(id) = metadata.find_unsigned(&format!("tokenizer.ggml.{theirs}_token_id"))? {
            set(key, id.into());
        }
    }
    let Dimensions { hidden_size, num_attention_heads, head_dim, .. } = *dimensions;
    if head_dim.checked_mul(num_attention_heads) != Some(hidden_size) {
        set("head_dim", head_dim.into());
    }
    set("hidden_act", "silu".into());
    set("hidden_size", hidden_size.into());
    set("intermediate_size", dimensions.intermediate_size.into());
    set("max_position_embeddings", max_position_embeddings.into());
    if tensors.has_mlp_bias {
        set("mlp_bias", true.into());
    }
    set("model_type", architecture.name.into());
    set("num_attention_heads", num_attention_heads.into());
    set("num_hidden_layers", dimensions.num_hidden_layers.into());
    set("num_key_value_heads", dimensions.num_key_value_heads.into());
    set("rms_norm_eps", rms_norm_eps.into());
    set("rope_scaling", rope_scaling);
    set("rope_theta", dimensions.rope_theta.into());
    set("tie_word_embeddings", tensors.is_tied.into());
    set("torch_dtype", tensors.torch_dtype.into());
    set("vocab_size", vocab_size.into());
    Ok(config)
}

/// Adds to config.json, `own`, what it lacks of the synthesised one: some files come with one that says little more
/// than the model's type. What it says stays, but must not contradict the sizes of tensors.
pub(super) fn complete(own: &Value, synthesised: Map<String, Value>) -> Result<Value, GgufError> {
    const SIZES: [&str; 6] = [
        "model_type",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    ];
    let mut config = own.clone();
    for key in SIZES {
        if let (Some(said), Some(got)) = (own.get(key), synthesised.get(key))
            && said != got
        {
            return Err(GgufError::Contradiction { key, config: said.to_string(), got: got.to_string() });
        }
    }
    // transformers 5 has both of these in one, and `dtype` for `torch_dtype`.
    let has_rope_parameters = own.get("rope_parameters").is_some();
    let is_said = |key: &str| match key {
        "rope_theta" | "rope_scaling" => has_rope_parameters,
        "torch_dtype" => own.get("dtype").is_some(),
        _ => false,
    };
    for (key, value) in synthesised {
        if own.get(&key).is_none() && !is_said(&key) {
            config[key] = value;
        }
    }
    Ok(config)
}
