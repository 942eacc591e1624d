//! What config.json says about the model that writes text, wherever it stands there.

use serde_json::Value;

/// The parts of a configuration in which models of several parts describe the one that writes text.
const TEXT_PARTS: [&str; 3] = ["text_config", "llm_config", "language_config"];

/// What architectures call their number of layers.
const LAYER_COUNTS: [&str; 4] = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];

/// A setting, of the whole model or else of the part that writes text; null counts as absent.
pub fn text_setting<'a>(config: &'a Value, key: &str) -> Option<&'a Value> {
    let parts = TEXT_PARTS.iter().filter_map(|part| config.get(part));
    std::iter::once(config).chain(parts).find_map(|part| part.get(key).filter(|value| !value.is_null()))
}

/// The part that describes the model that writes text, if it is one of several.
pub(crate) fn text_part_of(config: &Value) -> Option<&Value> {
    TEXT_PARTS.iter().find_map(|part| config.get(part))
}

/// Where a setting stands: the part that describes the model that writes text, or None for the whole configuration.
pub fn text_part(config: &Value, key: &str) -> Option<&'static str> {
    if config.get(key).is_some() {
        return None;
    }
    TEXT_PARTS.into_iter().find(|part| config.get(part).is_some_and(|part| part.get(key).is_some()))
}

/// The key of the number of layers, if there is one.
pub fn layer_count_key(config: &Value) -> Option<&'static str> {
    LAYER_COUNTS.into_iter().find(|key| text_setting(config, key).is_some_and(Value::is_u64))
}

/// The number of layers of the model that writes text.
pub fn layer_count(config: &Value) -> Option<u64> {
    text_setting(config, layer_count_key(config)?)?.as_u64()
}

/// The number of layers beyond the last that the weights may have, for the prediction of further tokens.
pub(crate) fn further_layers(config: &Value) -> u64 {
    text_setting(config, "num_nextn_predict_layers").and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_of_the_whole_model_go_before_those_of_its_parts() {
        let config = json!({
            "vision_config": {"num_hidden_layers": 9},
            "text_config": {"num_hidden_layers": 3, "vocab_size": 5, "num_nextn_predict_layers": 1},
            "vocab_size": 7,
            "hidden_size": null,
        });
        assert_eq!(text_setting(&config, "vocab_size"), Some(&json!(7)));
        assert_eq!(text_setting(&config, "hidden_size"), None);
        assert_eq!((layer_count(&config), further_layers(&config)), (Some(3), 1));
        assert_eq!(text_part(&config, "num_hidden_layers"), Some("text_config"));
        assert_eq!(text_part(&config, "vocab_size"), None);
    }
}
