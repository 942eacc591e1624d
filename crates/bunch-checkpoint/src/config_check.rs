//! Whether config.json tells the shapes that the weights have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::{further_layers, text_part_of};
use crate::{Checkpoint, TensorName, embedding_for_output, layer_count, text_layer_lists, text_setting};

/// Something that config.json says and the weights contradict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigMismatch {
    /// A tensor whose shape is not what config.json says.
    #[error("tensor `{tensor}`: config.json says {says}, but dimension {dimension} of the tensor is {got}")]
    Dimension {
        /// The tensor.
        tensor: String,
        /// The settings with their values.
        says: String,
        /// Which of the tensor's dimensions, from 0.
        dimension: usize,
        /// How large it is.
        got: u64,
    },
    /// Another number of layers than config.json says.
    #[error("config.json says `num_hidden_layers` {expected}, but there are {got} layers `{list}.*`")]
    LayerCount {
        /// The name before the index.
        list: String,
        /// Layers by config.json.
        expected: u64,
        /// Layers in the weights.
        got: u64,
    },
    /// No output projection, in a model that does not share it with the embeddings.
    #[error(
        "config.json says `tie_word_embeddings` false{}, but there is no output projection (`lm_head.weight`)",
        if *is_default { " (by default)" } else { "" }
    )]
    MissingOutput {
        /// Whether that is what transformers takes it to say, as it leaves the key out.
        is_default: bool,
    },
}

/// Architectures, by `model_type`, whose attention and MLP have the shapes that the settings below tell.
const DENSE: [&str; 15] = [
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "gemma3_text",
    "granite",
    "olmo",
    "olmo2",
    "smollm3",
    "starcoder2",
];

/// Those of them whose heads are as wide as `hidden_size` over their number where `head_dim` is not set.
const PLAIN_HEADS: [&str; 10] =
    ["llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "granite", "olmo", "olmo2", "smollm3", "starcoder2"];

/// Architectures that do not share embeddings with the output projection where config.json does not say.
const UNTIED: [&str; 9] =
    ["llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "phi3", "deepseek_v3"];

/// A size that one setting tells, or several multiplied.
struct Size {
    value: u64,
    says: String,
}

/// Reads sizes from a configuration.
struct Sizes<'a>(&'a Value);

impl Sizes<'_> {
    fn setting(&self, key: &str) -> Option<Size> {
        // A model of several parts may have sizes of its own at the top.
        let value =
            text_part_of(self.0).and_then(|part| part.get(key)).or_else(|| text_setting(self.0, key))?.as_u64()?;
        Some(Size { value, says: format!("`{key}` {value}") })
    }

    /// Heads by their width.
    fn heads(&self, key: &str, has_plain_heads: bool) -> Option<Size> {
        let heads = self.setting(key)?;
        let width = self.setting("head_dim").or_else(|| {
            let (hidden, all) = (self.setting("hidden_size")?, self.setting("num_attention_heads")?);
            let value = hidden.value.checked_div(all.value).filter(|_| has_plain_heads)?;
            let says =
                if key == "num_attention_heads" { hidden.says } else { format!("{} for {}", hidden.says, all.says) };
            Some(Size { value, says })
        })?;
        Some(Size { value: heads.value * width.value, says: format!("{} and {}", heads.says, width.says) })
    }
}

/// Everything that config.json tells of the weights' shapes and number and that is otherwise. Each setting is named with
/// the tensors of the vocabulary that contradict it, or else with the first one of the layers. Looks at headers only, and at
/// what it knows of the architecture.
pub fn config_mismatches(checkpoint: &Checkpoint) -> Vec<ConfigMismatch> {
    let mut found = Vec::new();
    check_layers(checkpoint, &mut found);
    check_shapes(checkpoint, &mut found);
    check_output(checkpoint, &mut found);
    found
}

/// The architecture of the model that writes text.
fn model_type(config: &Value) -> &str {
    let of_text = text_part_of(config).and_then(|part| part["model_type"].as_str());
    of_text.or(config["model_type"].as_str()).unwrap_or_default()
}

fn check_layers(checkpoint: &Checkpoint, found: &mut Vec<ConfigMismatch>) {
    let Some(expected) = layer_count(checkpoint.config()) else { return };
    let further = further_layers(checkpoint.config());
    let mut indices: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let lists = text_layer_lists(checkpoint.names());
    for layer in checkpoint.names().filter_map(|name| TensorName::of(name).layer) {
        if lists.contains(&layer.list) {
            indices.entry(layer.list).or_default().insert(layer.index);
        }
    }
    let counts = || indices.iter().map(|(list, indices)| (list, indices.len() as u64));
    // Of an encoder and a decoder, the setting may be either's.
    let agrees = counts().any(|(_, got)| got == expected || got == expected + further);
    if let (false, Some((list, got))) = (agrees, counts().max_by_key(|(_, got)| *got)) {
        found.push(ConfigMismatch::LayerCount { list: list.clone(), expected, got });
    }
}

fn check_shapes(checkpoint: &Checkpoint, found: &mut Vec<ConfigMismatch>) {
    let config = checkpoint.config();
    let (sizes, model_type) = (Sizes(config), model_type(config));
    let is_dense = DENSE.contains(&model_type);
    let has_plain_heads = PLAIN_HEADS.contains(&model_type);
    // Embeddings may be narrower than the layers, or put together of several.
    let has_plain_embedding = ["word_embed_proj_dim", "embedding_size", "num_codebooks"]
        .iter()
        .all(|key| text_setting(config, key).is_none());
    let hidden = || sizes.setting("hidden_size").filter(|_| has_plain_embedding);
    let lists = text_layer_lists(checkpoint.names());
    let mut known: Vec<String> = Vec::new();
    let mut check = |tensor: &str, dimension: usize, size: Option<Size>| {
        let Ok(reader) = checkpoint.raw_reader(tensor) else { return };
        let (Some(size), Some(&got)) = (size, reader.shape().get(dimension)) else { return };
        let is_new = TensorName::of(tensor).layer.is_none() || !known.contains(&size.says);
        if got as u64 != size.value && is_new {
            known.push(size.says.clone());
            let (tensor, got) = (tensor.to_owned(), got as u64);
            found.push(ConfigMismatch::Dimension { tensor, says: size.says, dimension, got });
        }
    };
    let mut names: Vec<(TensorName, &str)> = checkpoint.names().map(|name| (TensorName::of(name), name)).collect();
    names.sort_by_key(|(parsed, _)| (!parsed.is_embedding(), !parsed.is_output()));
    for (parsed, name) in names {
        // Other modules may have an output too.
        let is_head = name == "output.weight" || name.ends_with("lm_head.weight") || name.ends_with("embed_out.weight");
        let has_rows = name.ends_with(".weight") && (parsed.is_embedding() || parsed.is_output() && is_head);
        if has_rows && lists.iter().all(|list| !is_beside(name, list)) {
            check(name, 0, sizes.setting("vocab_size"));
            check(name, 1, hidden());
        }
        let is_text = parsed.layer.as_ref().is_some_and(|layer| lists.contains(&layer.list));
        if !is_dense || !is_text {
            continue;
        }
        let heads = |key: &str| sizes.heads(key, has_plain_heads);
        let (first, second) = match parsed.suffix.as_str() {
            ".self_attn.q_proj.weight" => (heads("num_attention_heads"), hidden()),
            ".self_attn.k_proj.weight" | ".self_attn.v_proj.weight" => (heads("num_key_value_heads"), hidden()),
            ".self_attn.o_proj.weight" => (hidden(), heads("num_attention_heads")),
            ".mlp.gate_proj.weight" | ".mlp.up_proj.weight" => (sizes.setting("intermediate_size"), hidden()),
            ".mlp.down_proj.weight" => (hidden(), sizes.setting("intermediate_size")),
            ".input_layernorm.weight" | ".post_attention_layernorm.weight" => (hidden(), None),
            _ => continue,
        };
        check(name, 0, first);
        check(name, 1, second);
    }
}

/// Whether a tensor outside of the layers belongs to another module than the language model's layers do.
fn is_beside(tensor: &str, list: &str) -> bool {
    let is_other = |name: &str| ["vision", "visual", "audio"].iter().any(|module| name.contains(module));
    is_other(tensor) && !is_other(list)
}

fn check_output(checkpoint: &Checkpoint, found: &mut Vec<ConfigMismatch>) {
    let config = checkpoint.config();
    let tied = text_setting(config, "tie_word_embeddings").and_then(Value::as_bool);
    let is_default = tied.is_none() && config["model_type"].as_str().is_some_and(|name| UNTIED.contains(&name));
    // A model without a head, for embeddings or classes, needs no output projection.
    let writes = config["architectures"][0].as_str().is_none_or(|name| {
        ["ForCausalLM", "LMHeadModel", "ForConditionalGeneration"].iter().any(|end| name.ends_with(end))
    });
    let has_output = checkpoint.names().any(|name| TensorName::of(name).is_output());
    let has_embedding = embedding_for_output(checkpoint.names()).is_some();
    if writes && has_embedding && !has_output && (tied == Some(false) || is_default) {
        found.push(ConfigMismatch::MissingOutput { is_default });
    }
}
