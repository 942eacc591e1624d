//! Settings of config.json by which weights of equal shape mean something else.

use bunch_checkpoint::text_setting;
use serde_json::{Map, Value, json};

/// A setting that two models have different values of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) key: &'static str,
    pub(crate) expected: String,
    pub(crate) got: String,
    /// Whether no mean of such weights makes sense.
    pub(crate) is_fatal: bool,
}

/// Settings with what their absence means; None where that is not the same for all architectures.
const SETTINGS: [(&str, Option<f64>); 20] = [
    ("rms_norm_eps", None),
    ("layer_norm_eps", None),
    ("layer_norm_epsilon", None),
    ("norm_eps", None),
    ("attn_logit_softcapping", Some(0.0)),
    ("final_logit_softcapping", Some(0.0)),
    ("logits_scaling", Some(1.0)),
    ("logit_scale", None),
    ("residual_multiplier", Some(1.0)),
    ("embedding_multiplier", Some(1.0)),
    ("attention_multiplier", None),
    ("query_pre_attn_scalar", None),
    ("num_experts_per_tok", None),
    ("norm_topk_prob", None),
    ("routed_scaling_factor", None),
    ("do_layer_norm_before", None),
    ("use_parallel_residual", None),
    ("layer_types", None),
    ("partial_rotary_factor", Some(1.0)),
    ("no_rope_layers", None),
];

/// The keys of the activation function.
const ACTIVATIONS: [&str; 3] = ["hidden_act", "hidden_activation", "activation_function"];

/// Where the settings of two models differ.
pub(crate) fn differences(expected: &Value, got: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |key, expected: Option<Value>, got: Option<Value>, is_fatal| {
        let (expected, got) = (expected.map(plain), got.map(plain));
        if expected != got {
            let text = |value: Option<Value>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
            found.push(Difference { key, expected: text(expected), got: text(got), is_fatal });
        }
    };
    for (key, value) in [
        ("num_attention_heads", heads as fn(&Value) -> Option<Value>),
        ("num_key_value_heads", key_value_heads),
        ("head_dim", head_width),
    ] {
        // Where one does not say, its weights' shapes do.
        if let (Some(expected), Some(got)) = (value(expected), value(got)) {
            compare(key, Some(expected), Some(got), true);
        }
    }
    compare("rope_theta", rotary_base(expected), rotary_base(got), false);
    compare("rope_scaling", rotary_scaling(expected), rotary_scaling(got), false);
    let activation = |config: &Value| ACTIVATIONS.iter().find_map(|key| text_setting(config, key)).map(activation);
    if let (Some(expected), Some(got)) = (activation(expected), activation(got)) {
        compare("hidden_act", Some(expected), Some(got), false);
    }
    compare("sliding_window", window(expected), window(got), false);
    for (key, default) in SETTINGS {
        let value = |config: &Value| text_setting(config, key).cloned().or(default.map(|number| json!(number)));
        if let (Some(expected), Some(got)) = (value(expected), value(got)) {
            compare(key, Some(expected), Some(got), false);
        }
    }
    found
}

/// A value in which numbers are equal whether they are written as 1 or 1.0.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), |number| json!(number)),
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(entries) => {
            let mut entries: Vec<(String, Value)> =
                entries.into_iter().map(|(key, value)| (key, plain(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect())
        }
        other => other,
    }
}

fn heads(config: &Value) -> Option<Value> {
    text_setting(config, "num_attention_heads").cloned()
}

fn key_value_heads(config: &Value) -> Option<Value> {
    text_setting(config, "num_key_value_heads").cloned()
}

fn head_width(config: &Value) -> Option<Value> {
    let number = |key: &str| text_setting(config, key)?.as_u64();
    let quotient = || number("hidden_size")?.checked_div(number("num_attention_heads")?);
    number("head_dim").or_else(quotient).map(|width| json!(width))
}

/// How positions are computed, as transformers 5 or an older one writes it.
fn rotary(config: &Value) -> Option<&Map<String, Value>> {
    ["rope_parameters", "rope_scaling"].iter().find_map(|key| text_setting(config, key)?.as_object())
}

fn rotary_base(config: &Value) -> Option<Value> {
    let inner = rotary(config).and_then(|rotary| rotary.get("rope_theta"));
    Some(inner.or_else(|| text_setting(config, "rope_theta")).cloned().unwrap_or(json!(10_000.0)))
}

fn rotary_scaling(config: &Value) -> Option<Value> {
    let mut scaling = rotary(config)?.clone();
    scaling.retain(|key, value| !matches!(key.as_str(), "rope_theta" | "partial_rotary_factor") && !value.is_null());
    if let Some(kind) = scaling.shift_remove("type") {
        scaling.entry("rope_type").or_insert(kind);
    }
    let is_default = scaling.is_empty() || scaling.get("rope_type").is_some_and(|kind| kind == "default");
    (!is_default).then_some(Value::Object(scaling))
}

/// The function's name; two names of one function are one.
fn activation(name: &Value) -> Value {
    match name.as_str() {
        Some("swish") => json!("silu"),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => json!("gelu_pytorch_tanh"),
        _ => name.clone(),
    }
}

/// The window, where it is used.
fn window(config: &Value) -> Option<Value> {
    let is_unused = text_setting(config, "use_sliding_window").is_some_and(|used| used == false);
    text_setting(config, "sliding_window").filter(|_| !is_unused).cloned()
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    #[test]
    fn the_same_written_differently_is_no_difference() {
        let old = json!({"num_attention_heads": 4, "hidden_size": 8, "rope_theta": 1e6, "hidden_act": "silu",
            "rope_scaling": {"type": "linear", "factor": 2}, "sliding_window": 5, "use_sliding_window": false});
        let new = json!({"num_attention_heads": 4, "hidden_size": 8, "hidden_act": "swish", "head_dim": 2,
            "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1_000_000}, "logits_scaling": 1});
        assert_eq!(differences(&old, &new), []);
        assert_eq!(differences(&json!({}), &json!({"rope_parameters": {"rope_type": "default"}, "x": 1})), []);
    }

    #[test]
    fn each_setting_is_compared() {
        let one = json!({"num_attention_heads": 4, "rope_theta": 1e6, "hidden_act": "silu", "rms_norm_eps": 1e-5});
        let other = json!({"num_attention_heads": 2, "rope_scaling": {"type": "yarn"}, "hidden_act": "gelu",
            "rms_norm_eps": 1e-6, "sliding_window": 9, "final_logit_softcapping": 30.0});
        let found = differences(&one, &other);
        let keys: Vec<(&str, bool)> = found.iter().map(|difference| (difference.key, difference.is_fatal)).collect();
        assert_eq!(
            keys,
            [
                ("num_attention_heads", true),
                ("rope_theta", false),
                ("rope_scaling", false),
                ("hidden_act", false),
                ("sliding_window", false),
                ("rms_norm_eps", false),
                ("final_logit_softcapping", false)
            ]
        );
        assert_eq!((found[1].expected.as_str(), found[1].got.as_str()), ("1000000.0", "10000.0"));
    }
}
