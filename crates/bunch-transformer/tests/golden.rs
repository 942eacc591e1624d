//! The forward pass, scoring and generation against transformers, on every device of this build.

use std::path::Path;

use bunch_checkpoint::Checkpoint;
use bunch_lm::{GenerateConfig, LanguageModel, LoglikelihoodRequest, Sampling, TokenId};
use bunch_transformer::{LlamaConfig, LlamaModel, TokenBatch, device, device_names};
use serde_json::Value;

const MODELS: [&str; 5] = ["gqa-tied", "mha-head-dim", "gqa-bf16-sharded", "qwen2-bias", "qwen2-window-f16"];

/// transformers' own f32 logits are within 2.6e-5 of float64 here; the least of the deliberate mistakes moves them by 8.3e-4.
const LOGITS: f32 = 1e-4;

struct Golden {
    name: String,
    model: LlamaModel,
    cases: Value,
    folder: std::path::PathBuf,
}

fn goldens() -> Vec<Golden> {
    let mut all = Vec::new();
    for device_name in device_names() {
        let device = match device(device_name) {
            Ok(device) => device,
            Err(reason) => {
                eprintln!("skipped on {device_name}: {reason}");
                continue;
            }
        };
        for name in MODELS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
            let checkpoint = Checkpoint::open(&folder.join("model")).expect("a model directory");
            let model = LlamaModel::load(&checkpoint, &device).expect("a Llama");
            let cases = std::fs::read_to_string(folder.join("cases.json")).expect("cases");
            let cases = serde_json::from_str(&cases).expect("JSON");
            all.push(Golden { name: format!("{name} on {device_name}"), model, cases, folder });
        }
    }
    all
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as TokenId).collect()
}

/// The f32 tensor `name` of logits.safetensors.
fn stored(golden: &Golden, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(golden.folder.join("logits.safetensors")).expect("logits");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let data = tensors.tensor(name).expect("the tensor").data().to_vec();
    data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes"))).collect()
}

fn close(context: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{context}");
    let worst = got.iter().zip(expected).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
    assert!(worst <= LOGITS, "{context}: off by {worst:e}");
}

#[test]
fn logits_agree_at_every_position_alone_and_in_a_batch() {
    for golden in goldens() {
        let sequences: Vec<Vec<TokenId>> =
            golden.cases["sequences"].as_array().expect("sequences").iter().map(ids).collect();
        let all: Vec<Vec<usize>> = sequences.iter().map(|ids| (0..ids.len()).collect()).collect();
        let mut together = Vec::new();
        for (index, (sequence, wanted)) in sequences.iter().zip(&all).enumerate() {
            let expected = stored(&golden, &format!("seq{index}.logits"));
            let logits = golden.model.llama().logits(&TokenBatch::new(&[sequence], &[wanted]));
            let logits = logits.into_data().try_to_vec::<f32>().expect("f32");
            close(&format!("{}, sequence {index}", golden.name), &logits, &expected);
            together.extend(expected);
        }
        let sequences: Vec<&[TokenId]> = sequences.iter().map(Vec::as_slice).collect();
        let wanted: Vec<&[usize]> = all.iter().map(Vec::as_slice).collect();
        let logits = golden.model.llama().logits(&TokenBatch::new(&sequences, &wanted));
        close(&format!("{}, one batch", golden.name), &logits.into_data().try_to_vec::<f32>().expect("f32"), &together);
    }
}

#[test]
fn loglikelihoods_agree() {
    for golden in goldens() {
        let cases = golden.cases["loglikelihoods"].as_array().expect("cases");
        let requests: Vec<_> = cases
            .iter()
            .map(|case| LoglikelihoodRequest {
                context: ids(&case["context"]),
                continuation: ids(&case["continuation"]),
            })
            .collect();
        let scores = golden.model.loglikelihood(&requests).expect("valid requests");
        for (case, score) in cases.iter().zip(&scores) {
            let sum = case["sum"].as_f64().expect("a sum");
            assert!((score.sum - sum).abs() <= 2e-4, "{}: {} against {sum}", golden.name, score.sum);
            assert_eq!(score.is_greedy, case["is_greedy"].as_bool().expect("a flag"), "{}", golden.name);
        }
    }
}

#[test]
fn cached_generation_agrees_in_one_ragged_batch() {
    for golden in goldens() {
        let cases = golden.cases["generations"].as_array().expect("cases");
        let prompts: Vec<_> = cases.iter().map(|case| ids(&case["prompt"])).collect();
        let config = |stop| GenerateConfig { max_new_tokens: 12, stop, sampling: Sampling::Greedy };
        let answers = golden.model.generate(&prompts, &config(vec![])).expect("valid prompts");
        for (case, answer) in cases.iter().zip(&answers) {
            assert_eq!(*answer, ids(&case["tokens"]), "{}", golden.name);
        }
        for (index, case) in cases.iter().enumerate() {
            let stop = ids(&case["stop"]);
            let answers = golden.model.generate(&prompts, &config(stop)).expect("valid prompts");
            assert_eq!(answers[index], ids(&case["tokens_until_stop"]), "{}", golden.name);
        }
    }
}

#[test]
fn sampling_depends_on_the_seed_and_not_on_the_batch() {
    for golden in goldens() {
        let prompts: Vec<Vec<TokenId>> =
            (0..40).map(|i| vec![1, 5 + i % 7, 9][..1 + i as usize % 3].to_vec()).collect();
        let sample = |prompts: &[Vec<TokenId>], seed| {
            let sampling = Sampling::Temperature { temperature: 1.0, top_p: 0.9, seed };
            golden
                .model
                .generate(prompts, &GenerateConfig { max_new_tokens: 8, stop: vec![2], sampling })
                .expect("valid")
        };
        let all = sample(&prompts, 3);
        assert_eq!(all, sample(&prompts, 3));
        assert_ne!(all, sample(&prompts, 4));
        assert_eq!(
            all[..5],
            sample(&prompts[..5], 3),
            "{}: a prompt's answer does not depend on its neighbours",
            golden.name
        );
    }
}

#[test]
fn transformers_4_and_5_write_the_same_configuration() {
    for name in MODELS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let read = |path: &str| {
            let json = std::fs::read_to_string(folder.join(path)).expect("a config");
            LlamaConfig::from_json(&serde_json::from_str(&json).expect("JSON")).expect("a Llama")
        };
        assert_eq!(read("model/config.json"), read("config_v4.json"), "{name}");
    }
}

#[test]
fn requests_that_cannot_be_answered_are_errors() {
    let golden = goldens().remove(0);
    let ask = |context: Vec<TokenId>, continuation: Vec<TokenId>| {
        golden.model.loglikelihood(&[LoglikelihoodRequest { context, continuation }]).unwrap_err().to_string()
    };
    assert_eq!(ask(vec![], vec![1]), "request 0: no tokens");
    assert_eq!(ask(vec![1], vec![]), "request 0: the continuation has no tokens");
    assert_eq!(ask(vec![1, 67], vec![1]), "request 0: token id 67 is outside the vocabulary of 67");
    assert_eq!(ask(vec![1; 64], vec![1; 2]), "request 0: 65 tokens do not fit into the context window of 64");
}
