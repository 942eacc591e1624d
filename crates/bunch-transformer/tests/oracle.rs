//! Every model of the oracle (transformers and lm-evaluation-harness) on every device of this build.

use std::path::{Path, PathBuf};

use bunch_checkpoint::Checkpoint;
use bunch_lm::{GenerateConfig, LanguageModel, LoglikelihoodRequest, Sampling, TokenId};
use bunch_transformer::{LlamaConfig, LlamaModel, TokenBatch, device, device_names};
use serde_json::Value;

/// The oracle's own float64 check is within 5e-5.
const LOGITS: f32 = 2e-4;
const SUM: f64 = 1e-3;
/// lm-evaluation-harness drops tokens on the left beyond this many (`max_position_embeddings` of all models).
const WINDOW: usize = 160;

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle")
}

fn load(name: &str, device_name: &str) -> LlamaModel {
    let checkpoint = Checkpoint::open(&oracle().join("models").join(name)).expect("a model directory");
    LlamaModel::load(&checkpoint, &device(device_name).expect("a listed device")).expect("a supported model")
}

fn expected(file: &str) -> Option<Value> {
    let text = std::fs::read_to_string(oracle().join("expected").join(file)).ok()?;
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as TokenId).collect()
}

/// `(name of the model, file)` of all expectations whose name ends like this.
fn files(ending: &str) -> Vec<(String, String)> {
    let names = std::fs::read_dir(oracle().join("expected")).expect("the oracle");
    let mut names: Vec<String> =
        names.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    let pairs = names.into_iter().filter(|name| name.ends_with(ending));
    let pairs: Vec<_> = pairs.map(|name| (name.split('.').next().expect("a name").to_string(), name)).collect();
    assert!(!pairs.is_empty(), "no {ending}");
    pairs
}

fn each_device(run: impl Fn(&str)) {
    for name in device_names() {
        match device(name) {
            Ok(_) => run(name),
            Err(reason) => eprintln!("skipped on {name}: {reason}"),
        }
    }
}

#[test]
fn logits_of_every_architecture() {
    each_device(|device_name| {
        for (name, file) in files(".logits.safetensors") {
            let model = load(&name, device_name);
            let bytes = std::fs::read(oracle().join("expected").join(file)).expect("logits");
            let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
            let words =
                |name: &str| -> Vec<[u8; 4]> { tensors.tensor(name).expect("a tensor").data().as_chunks().0.to_vec() };
            for length in ["short", "long"] {
                let ids: Vec<TokenId> =
                    words(&format!("{length}.input_ids")).into_iter().map(TokenId::from_le_bytes).collect();
                let logits: Vec<f32> = words(&format!("{length}.logits")).into_iter().map(f32::from_le_bytes).collect();
                let all: Vec<usize> = (0..ids.len()).collect();
                let got = model.llama().logits(&TokenBatch::new(&[&ids], &[&all]));
                let got = got.into_data().try_to_vec::<f32>().expect("f32");
                assert_eq!(got.len(), logits.len());
                let worst = got.iter().zip(&logits).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
                assert!(worst <= LOGITS, "{name} on {device_name}, {length}: off by {worst:e}");
            }
        }
    });
}

#[test]
fn loglikelihoods_of_every_request() {
    each_device(|device_name| {
        let kinds = [".0shot.json", ".0shot-nobos.json", ".2shot.json", ".0shot-chat.json"];
        for (name, file) in kinds.iter().flat_map(|kind| files(kind)) {
            let model = load(&name, device_name);
            let cases = expected(&file).expect("a file");
            let (mut requests, mut scores) = (Vec::new(), Vec::new());
            for samples in cases["samples"].as_object().expect("tasks").values() {
                for request in samples.as_array().expect("samples").iter().flat_map(|s| s["requests"].as_array()) {
                    for request in request.iter().filter(|request| request.get("continuation_ids").is_some()) {
                        let (context, continuation) = (ids(&request["context_ids"]), ids(&request["continuation_ids"]));
                        // The input, which lacks the last token, is at most the window long.
                        let cut = (context.len() + continuation.len()).saturating_sub(WINDOW + 1);
                        requests.push(LoglikelihoodRequest { context: context[cut..].to_vec(), continuation });
                        scores.push((
                            request["loglikelihood"].as_f64().expect("a sum"),
                            request["is_greedy"].as_bool().expect("a flag"),
                        ));
                    }
                }
            }
            assert!(requests.len() > 150, "{file}: {} requests", requests.len());
            for (index, (got, (sum, greedy))) in
                model.loglikelihood(&requests).expect("valid requests").iter().zip(scores).enumerate()
            {
                let what = format!("{file} on {device_name}, request {index}");
                assert!((got.sum - sum).abs() <= SUM, "{what}: {} against {sum}", got.sum);
                assert_eq!(got.is_greedy, greedy, "{what}");
            }
        }
    });
}

#[test]
fn greedy_generations_have_identical_ids() {
    each_device(|device_name| {
        for (name, file) in files(".generations.json") {
            let model = load(&name, device_name);
            let cases = expected(&file).expect("a file");
            let eos = cases["eos_token_id"].as_u64().expect("an id") as TokenId;
            let generations = cases["generations"].as_array().expect("generations");
            let prompts: Vec<_> = generations.iter().map(|case| ids(&case["input_ids"])).collect();
            let greedy = |stop| GenerateConfig { max_new_tokens: 32, stop, sampling: Sampling::Greedy };
            let answers = model.continuations(&prompts, &greedy(vec![eos])).expect("valid prompts");
            for (index, (case, answer)) in generations.iter().zip(answers).enumerate() {
                let got: Vec<TokenId> = answer.tokens.iter().copied().chain(answer.stop).collect();
                assert_eq!(got, ids(&case["new_ids"]), "{file} on {device_name}, prompt {index}");
                assert_eq!(answer.stop.is_some(), case["stopped_on_eos"].as_bool().expect("a flag"));
            }
            let multi = expected("multi-eos.json").expect("a file");
            for case in multi.as_array().expect("cases").iter().filter(|case| case["model"] == name.as_str()) {
                let index = case["generation_index"].as_u64().expect("an index") as usize;
                let stop = ids(&case["eos_token_id"]);
                let answers = model.continuations(&prompts, &greedy(stop)).expect("valid prompts");
                let got: Vec<TokenId> = answers[index].tokens.iter().copied().chain(answers[index].stop).collect();
                assert_eq!(got, ids(&case["new_ids"]), "{file} on {device_name}, several stop tokens, prompt {index}");
            }
        }
    });
}

#[test]
fn transformers_4_and_5_write_the_same_configuration() {
    let mut compared = 0;
    for entry in std::fs::read_dir(oracle().join("models")).expect("models") {
        let folder = entry.expect("an entry").path();
        let read = |name: &str| {
            let json = std::fs::read_to_string(folder.join(name)).ok()?;
            Some(LlamaConfig::from_json(&serde_json::from_str(&json).expect("JSON")).expect("supported"))
        };
        if let Some(five) = read("config.v5.json") {
            assert_eq!(read("config.json"), Some(five), "{}", folder.display());
            compared += 1;
        }
    }
    assert!(compared >= 4, "{compared} models");
}
