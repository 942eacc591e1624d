//! What config.json says about the weights.

use bunch_checkpoint::text_setting;
use serde_json::Value;

use super::description::Configured;

/// The names of the setting for the weights' dtype, the newer one first.
const DTYPE_KEYS: [&str; 2] = ["dtype", "torch_dtype"];

impl Configured {
    /// Reads a configuration; what is not there, or not of the expected kind, is None.
    pub(crate) fn new(config: &Value) -> Self {
        let number = |key: &str| text_setting(config, key)?.as_u64();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            architectures: config
                .get("architectures")
                .and_then(Value::as_array)
                .map_or_else(Vec::new, |names| names.iter().filter_map(text).collect()),
            model_type: config.get("model_type").and_then(text),
            dtype: dtype_key(config).and_then(|key| text(text_setting(config, key)?)),
            num_hidden_layers: number("num_hidden_layers"),
            hidden_size: number("hidden_size"),
            vocab_size: number("vocab_size"),
            tie_word_embeddings: text_setting(config, "tie_word_embeddings").and_then(Value::as_bool),
        }
    }
}

/// The name under which the configuration has the weights' dtype.
pub(crate) fn dtype_key(config: &Value) -> Option<&'static str> {
    DTYPE_KEYS.into_iter().find(|key| text_setting(config, key).is_some())
}

#[cfg(test)]
mod tests {
    use super::Configured;
    use serde_json::json;

    #[test]
    fn settings_are_found_where_they_stand() {
        let config = json!({
            "architectures": ["SomeForCausalLM"],
            "model_type": "some",
            "tie_word_embeddings": true,
            "text_config": {"hidden_size": 8, "torch_dtype": "float16", "tie_word_embeddings": false},
            "num_hidden_layers": "two",
        });
        assert_eq!(
            Configured::new(&config),
            Configured {
                architectures: vec!["SomeForCausalLM".into()],
                model_type: Some("some".into()),
                dtype: Some("float16".into()),
                num_hidden_layers: None,
                hidden_size: Some(8),
                vocab_size: None,
                tie_word_embeddings: Some(true),
            }
        );
        assert_eq!(Configured::new(&json!([])), Configured::default());
    }
}
