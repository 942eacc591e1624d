//! The merged model's config.json: that of one of the models, with what must change.

use bunch_checkpoint::{Dtype, layer_count, layer_count_key, text_part, text_setting};
use serde_json::{Value, json};

/// Lists with one entry for each layer.
const LAYER_LISTS: [&str; 2] = ["layer_types", "no_rope_layers"];

/// Whether the model shares its output projection with its embeddings; transformers' default for the architectures that
/// leave the key out is not the same for all, so that the weights decide there.
pub(crate) fn is_tied(config: &Value) -> Option<bool> {
    text_setting(config, "tie_word_embeddings").and_then(Value::as_bool)
}

/// Sets a key where it stands already: at the top, or in the configuration of the language model; else at the top.
fn set(config: &mut Value, key: &str, value: Value) {
    match text_part(config, key) {
        Some(part) => config[part][key] = value,
        None => config[key] = value,
    }
}

/// What differs between the merged model and the model whose configuration it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// For each layer of the output, the layer of the configuration's own model whose kind it has.
    pub(crate) layers: Vec<usize>,
    /// The dtype of the weights.
    pub(crate) dtype: Option<Dtype>,
    /// The number of rows of the vocabulary tensors.
    pub(crate) vocabulary: Option<usize>,
    /// Whether there is an output projection of its own.
    pub(crate) is_untied: bool,
}

impl Changes {
    /// The configuration with the changes; every other key stays as and where it is.
    pub(crate) fn apply(&self, mut config: Value) -> Value {
        if let Some((key, old)) = layer_count_key(&config).zip(layer_count(&config))
            && self.layers != (0..old as usize).collect::<Vec<_>>()
        {
            self.set_layers(&mut config, key);
        }
        if let Some(dtype) = self.dtype {
            set_dtype(&mut config, dtype);
        }
        if let Some(size) = self.vocabulary {
            let old = text_setting(&config, "vocab_size").and_then(Value::as_u64);
            if old != Some(size as u64) {
                set(&mut config, "vocab_size", json!(size));
            }
        }
        if self.is_untied && is_tied(&config) != Some(false) {
            set(&mut config, "tie_word_embeddings", json!(false));
        }
        config
    }

    fn set_layers(&self, config: &mut Value, count_key: &str) {
        for key in LAYER_LISTS {
            let kinds = text_setting(config, key).and_then(Value::as_array).cloned();
            if let Some(kinds) = kinds {
                let kinds = self.layers.iter().filter_map(|layer| kinds.get(*layer).cloned());
                let kinds: Vec<Value> = kinds.collect();
                set(config, key, Value::Array(kinds));
            }
        }
        set(config, count_key, json!(self.layers.len()));
    }
}

/// Says what the weights are stored as. transformers 5 writes `dtype`, older versions `torch_dtype`, and each reads both.
fn set_dtype(config: &mut Value, dtype: Dtype) {
    let keys: Vec<&str> = ["torch_dtype", "dtype"].into_iter().filter(|key| config.get(key).is_some()).collect();
    for key in &keys {
        config[*key] = json!(dtype.name());
    }
    if keys.is_empty() {
        config["torch_dtype"] = json!(dtype.name());
    }
}

#[cfg(test)]
mod tests {
    use super::Changes;
    use bunch_checkpoint::Dtype;
    use serde_json::json;

    #[test]
    fn what_need_not_change_stays_byte_for_byte() {
        let config =
            json!({ "rope_theta": 1e6, "num_hidden_layers": 3, "torch_dtype": "float16", "vocab_size": 7, "x": [1] });
        let changes = Changes { layers: vec![0, 1, 2], dtype: Some(Dtype::F16), vocabulary: Some(7), is_untied: false };
        assert_eq!(changes.apply(config.clone()).to_string(), config.to_string());
    }

    #[test]
    fn layers_dtype_vocabulary_and_tying_change_where_they_stand() {
        let config = json!({
            "text_config": { "num_hidden_layers": 2, "layer_types": ["a", "b"], "vocab_size": 5, "tie_word_embeddings": true },
            "dtype": "float32",
        });
        let changes = Changes { layers: vec![0, 1, 1], dtype: Some(Dtype::BF16), vocabulary: Some(8), is_untied: true };
        let expected = json!({
            "text_config": { "num_hidden_layers": 3, "layer_types": ["a", "b", "b"], "vocab_size": 8, "tie_word_embeddings": false },
            "dtype": "bfloat16",
        });
        assert_eq!(changes.apply(config), expected);
    }
}
