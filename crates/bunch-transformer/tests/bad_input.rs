//! What cannot be loaded or answered is an error that says where the fault is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_lm::{GenerateConfig, LanguageModel, LmError, LoglikelihoodRequest, Sampling, TokenId};
use bunch_transformer::{LlamaConfig, LlamaModel, MemoryNeed, device};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).join("model")
}

/// The error of loading a golden model whose config.json is changed.
fn refusal(name: &str, change: Value) -> (PathBuf, String) {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(golden(name)).expect("a model") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    let text = std::fs::read_to_string(folder.path().join("config.json")).expect("a configuration");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    for (key, value) in change.as_object().expect("an object") {
        config[key] = value.clone();
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
    let checkpoint = Checkpoint::open(folder.path()).expect("headers are sound");
    let error = LlamaModel::load(&checkpoint, &device("flex").expect("compiled in")).unwrap_err();
    (folder.path().to_path_buf(), error.to_string())
}

#[test]
fn weights_that_do_not_fit_are_named_with_their_file() {
    let (folder, error) = refusal("qwen2-bias", json!({"num_hidden_layers": 3, "layer_types": null}));
    let missing = "tensor `model.layers.2.self_attn.q_proj.weight` is missing (expected shape [32, 32])";
    assert_eq!(error, format!("{}: {missing}", folder.display()));
    let (folder, error) = refusal("gqa-bf16-sharded", json!({"intermediate_size": 50}));
    let shape = "tensor `model.layers.0.mlp.gate_proj.weight` has shape [48, 32], expected [50, 32]";
    let shard = error.strip_suffix(&format!(": {shape}")).expect("shape error");
    assert!(shard.starts_with(&*folder.to_string_lossy()) && shard.ends_with("-of-00003.safetensors"), "{error}");
    let (folder, error) = refusal("gqa-tied", json!({"num_hidden_layers": 1}));
    let stray = "tensor `model.layers.1.input_layernorm.weight` does not belong to this architecture";
    assert_eq!(error, format!("{}: {stray}", folder.join("model.safetensors").display()));
}

/// A small untied model; `change` may spoil its weights.
fn model(change: impl FnOnce(&mut StateDict)) -> LlamaModel {
    let json = json!({"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16});
    let config = LlamaConfig::from_json(&json).expect("a configuration");
    let mut weights = config.initial_weights(1);
    change(&mut weights);
    LlamaModel::new(config, &weights, &device("flex").expect("compiled in")).expect("weights that fit")
}

fn generate(model: &LlamaModel, prompts: &[Vec<TokenId>], sampling: Sampling) -> Result<(), String> {
    let config = GenerateConfig { max_new_tokens: 4, stop: vec![], sampling };
    model.generate(prompts, &config).map(drop).map_err(|error| error.to_string())
}

#[test]
fn logits_that_are_no_numbers_name_the_request() {
    // Token 7's embedding is not a number: only who reads it has no logits.
    let model = model(|weights| {
        let embedding = weights.get_mut("model.embed_tokens.weight").expect("an embedding");
        Arc::make_mut(&mut embedding.data)[7 * 8 + 3] = f32::NAN;
    });
    let what = "the model's logits are not numbers (NaN)";
    let request = |context: &[TokenId]| LoglikelihoodRequest { context: context.to_vec(), continuation: vec![2, 3] };
    assert!(model.loglikelihood(&[request(&[1, 2]), request(&[1, 3])]).is_ok());
    let error = model.loglikelihood(&[request(&[1, 2]), request(&[1, 7]), request(&[1, 3])]).unwrap_err();
    assert_eq!(error.to_string(), format!("request 1: {what}"));
    let error = generate(&model, &[vec![1], vec![2, 3], vec![4, 7, 1]], Sampling::Greedy);
    assert_eq!(error, Err(format!("request 2: {what}")));
    let sampling = Sampling::Temperature { temperature: 1.0, top_p: 0.9, seed: 1 };
    assert_eq!(generate(&model, &[vec![7], vec![2, 3]], sampling), Err(format!("request 0: {what}")));
}

#[test]
fn prompts_that_do_not_fit_are_refused_with_both_lengths() {
    let model = model(|_| ());
    let config = |max_new_tokens| GenerateConfig { max_new_tokens, stop: vec![], sampling: Sampling::Greedy };
    assert!(model.generate(&[vec![1; 12]], &config(4)).is_ok(), "16 tokens fit");
    let error = model.generate(&[vec![1], vec![1; 13]], &config(4)).unwrap_err();
    assert!(matches!(error, LmError::TooLong { index: 1, tokens: 17, window: 16 }), "{error}");
    let request =
        |context, continuation| LoglikelihoodRequest { context: vec![1; context], continuation: vec![2; continuation] };
    assert!(model.loglikelihood(&[request(10, 7)]).is_ok(), "the last token is not read");
    let error = model.loglikelihood(&[request(10, 8)]).unwrap_err();
    assert!(matches!(error, LmError::TooLong { index: 0, tokens: 17, window: 16 }), "{error}");
}

#[test]
fn sampling_outside_its_range_is_refused() {
    let model = model(|_| ());
    let ask = |temperature, top_p| {
        generate(&model, &[vec![1]], Sampling::Temperature { temperature, top_p, seed: 1 }).unwrap_err()
    };
    assert!(ask(0.0, 1.0).ends_with("the temperature is 0, expected a number above 0"));
    assert!(ask(f32::NAN, 1.0).ends_with("the temperature is NaN, expected a number above 0"));
    assert!(ask(1.0, 0.0).ends_with("top_p is 0, expected a number above 0 and at most 1"));
    assert!(ask(1.0, 1.5).ends_with("top_p is 1.5, expected a number above 0 and at most 1"));
}

#[test]
fn what_a_model_takes_is_known_from_its_headers() {
    let device = device("flex").expect("compiled in");
    let need = |name: &str| {
        let checkpoint = Checkpoint::open(&golden(name)).expect("a model");
        let config = LlamaConfig::from_json(checkpoint.config()).expect("a configuration");
        (MemoryNeed::of(&checkpoint, &device).expect("a model"), config)
    };
    let (tied, config) = need("gqa-tied");
    assert_eq!(tied.weights, config.parameters() as u64 * 4);
    assert_eq!(tied.cache_per_token, 2 * 2 * 2 * 8 * 4, "2 layers, keys and values of 2 heads of 8, in f32");
    assert_eq!(tied.scoring(), tied.weights + tied.pass);
    assert_eq!(tied.generating(3, 10), tied.scoring() + 30 * tied.cache_per_token);
    // All matrices stay in bfloat16; five norms of 32 are f32.
    let (narrow, config) = need("gqa-bf16-sharded");
    assert_eq!(narrow.weights, (config.parameters() - 5 * 32) as u64 * 2 + 5 * 32 * 4);
    let (half, config) = need("qwen2-window-f16");
    assert_eq!(half.weights, config.parameters() as u64 * 4, "f16 is widened");
}
