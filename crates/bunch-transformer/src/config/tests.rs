//! Attributes of the three families, their defaults, and what is refused.

use serde_json::{Value, json};

use super::{Family, LlamaConfig, RopeScaling};

fn config(model_type: &str, more: Value) -> Result<LlamaConfig, String> {
    let mut json = json!({"model_type": model_type, "vocab_size": 8, "hidden_size": 64, "intermediate_size": 8,
        "num_hidden_layers": 3, "num_attention_heads": 16});
    for (key, value) in more.as_object().expect("an object") {
        json[key] = value.clone();
    }
    LlamaConfig::from_json(&json).map_err(|error| error.to_string())
}

#[test]
fn absent_attributes_have_the_familys_defaults() {
    let llama = config("llama", json!({})).expect("a Llama");
    assert_eq!((llama.num_key_value_heads, llama.head_dim, llama.max_position_embeddings), (16, 4, 2048));
    assert_eq!((llama.rms_norm_eps, llama.rope_theta, llama.rope_scaling), (1e-6, 1e4, None));
    assert_eq!((llama.qkv_bias, llama.o_bias, llama.mlp_bias, llama.window(0)), (false, false, false, None));
    let mistral = config("mistral", json!({})).expect("a Mistral");
    assert_eq!((mistral.family, mistral.num_key_value_heads, mistral.window(2)), (Family::Mistral, 8, Some(4096)));
    let bare = config("mistral", json!({"sliding_window": null, "num_key_value_heads": null})).expect("a Mistral");
    assert_eq!((bare.num_key_value_heads, bare.window(2)), (16, None));
    let qwen = config("qwen2", json!({"num_key_value_heads": 2, "sliding_window": 7})).expect("a Qwen2");
    assert_eq!((qwen.qkv_bias, qwen.o_bias, qwen.window(2)), (true, false, None));
    let biased = config("llama", json!({"attention_bias": true, "mlp_bias": true})).expect("a Llama");
    assert_eq!((biased.qkv_bias, biased.o_bias, biased.mlp_bias), (true, true, true));
}

#[test]
fn qwens_window_covers_the_upper_layers() {
    let more =
        json!({"num_key_value_heads": 2, "sliding_window": 7, "use_sliding_window": true, "max_window_layers": 1});
    let qwen = config("qwen2", more).expect("a Qwen2");
    assert_eq!([qwen.window(0), qwen.window(1), qwen.window(2)], [None, Some(7), Some(7)]);
    let more = json!({"num_key_value_heads": 2, "sliding_window": 7, "use_sliding_window": true,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"]});
    let qwen = config("qwen2", more).expect("a Qwen2");
    assert_eq!([qwen.window(0), qwen.window(1), qwen.window(2)], [Some(7), None, None]);
}

#[test]
fn rope_is_read_in_both_styles() {
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64});
    let four = config("llama", json!({"rope_theta": 5e5, "rope_scaling": scaling})).expect("a Llama");
    let mut parameters = scaling.clone();
    parameters["rope_theta"] = json!(5e5);
    let five = config("llama", json!({"rope_parameters": parameters})).expect("a Llama");
    assert_eq!(four, five);
    assert!(matches!(four.rope_scaling, Some(RopeScaling::Llama3 { factor: 8.0, .. })));
    let old = config("llama", json!({"rope_scaling": {"type": "linear", "factor": 2.0}})).expect("a Llama");
    assert_eq!(old.rope_scaling, Some(RopeScaling::Linear { factor: 2.0 }));
}

#[test]
fn what_is_not_supported_is_named() {
    for (model_type, more, message) in [
        ("gpt2", json!({}), "`model_type` is \"gpt2\", expected \"llama\", \"mistral\" or \"qwen2\""),
        ("llama", json!({"hidden_act": "gelu"}), "`hidden_act` is \"gelu\", only \"silu\" or \"swish\" is supported"),
        ("llama", json!({"quantization_config": {"bits": 4}}), "`quantization_config` is {\"bits\":4}, only null"),
        ("llama", json!({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}), "`rope_type` is \"yarn\""),
        ("llama", json!({"rope_scaling": {"rope_type": "linear"}}), "`factor` of the rope scaling is missing"),
        ("llama", json!({"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}), "`full_attention` of the rope"),
        ("llama", json!({"rope_scaling": {"factor": 2.0}}), "`factor` of the rope parameters has no `rope_type`"),
        ("llama", json!({"sliding_window": 4}), "a Llama has none"),
        (
            "llama",
            json!({"num_key_value_heads": 3}),
            "`num_key_value_heads` 3 does not divide `num_attention_heads` 16",
        ),
        ("llama", json!({"head_dim": 5}), "`head_dim` is 5, expected an even number"),
        ("llama", json!({"vocab_size": -1}), "`vocab_size` is -1, expected a positive integer"),
        ("llama", json!({"vocab_size": null}), "`vocab_size` is missing"),
        ("llama", json!({"tie_word_embeddings": "yes"}), "`tie_word_embeddings` is \"yes\", expected true or false"),
    ] {
        let error = config(model_type, more).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
