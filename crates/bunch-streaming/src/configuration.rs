//! The merged model's config.json: that of one of the models, with what must change.

use bunch_checkpoint::Dtype;
use serde_json::{Value, json};

/// What architectures call their number of layers.
const LAYER_COUNTS: [&str; 4] = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];

/// Lists with one entry for each layer.
const LAYER_LISTS: [&str; 2] = ["layer_types", "no_rope_layers"];

/// Where the number of layers stands in a configuration: at the top, or in that of the language model of several.
pub(crate) fn layer_count_key(config: &Value) -> Option<Vec<&'static str>> {
    let at_top = LAYER_COUNTS.iter().find(|key| config[**key].is_u64()).map(|key| vec![*key]);
    let in_text =
        || LAYER_COUNTS.iter().find(|key| config["text_config"][**key].is_u64()).map(|key| vec!["text_config", *key]);
    at_top.or_else(in_text)
}

/// The value at a path of keys.
pub(crate) fn find<'a>(config: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(config, |value, key| value.get(key))
}

/// A key at the top of a configuration, or in that of its language model.
pub(crate) fn text_value<'a>(config: &'a Value, key: &str) -> Option<&'a Value> {
    config.get(key).or_else(|| config.get("text_config")?.get(key))
}

/// Whether the model shares its output projection with its embeddings; transformers' default for the architectures that
/// leave the key out is not the same for all, so that the weights decide there.
pub(crate) fn is_tied(config: &Value) -> Option<bool> {
    text_value(config, "tie_word_embeddings").and_then(Value::as_bool)
}

/// Sets a key where it stands already: at the top, or in the configuration of the language model; else at the top.
fn set(config: &mut Value, key: &str, value: Value) {
    let in_text = config.get(key).is_none() && config.get("text_config").is_some_and(|text| text.get(key).is_some());
    if in_text {
        config["text_config"][key] = value;
    } else {
        config[key] = value;
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
        if let Some(path) = layer_count_key(&config) {
            let old = find(&config, &path).and_then(Value::as_u64).unwrap_or(0) as usize;
            if self.layers != (0..old).collect::<Vec<_>>() {
                self.set_layers(&mut config, &path);
            }
        }
        if let Some(dtype) = self.dtype {
            set_dtype(&mut config, dtype);
        }
        if let Some(size) = self.vocabulary {
            let old = text_value(&config, "vocab_size").and_then(Value::as_u64);
            if old != Some(size as u64) {
                set(&mut config, "vocab_size", json!(size));
            }
        }
        if self.is_untied && is_tied(&config) != Some(false) {
            set(&mut config, "tie_word_embeddings", json!(false));
        }
        config
    }

    fn set_layers(&self, config: &mut Value, path: &[&str]) {
        let count = self.layers.len();
        for key in LAYER_LISTS {
            let kinds = text_value(config, key).and_then(Value::as_array).cloned();
            if let Some(kinds) = kinds {
                let kinds = self.layers.iter().filter_map(|layer| kinds.get(*layer).cloned());
                let kinds: Vec<Value> = kinds.collect();
                set(config, key, Value::Array(kinds));
            }
        }
        match path {
            [key] => config[*key] = json!(count),
            [outer, key] => config[*outer][*key] = json!(count),
            _ => {}
        }
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
