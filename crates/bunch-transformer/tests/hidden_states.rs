//! Hidden states against transformers, and against the model's own logits.

use std::path::Path;

use bunch_checkpoint::Checkpoint;
use bunch_lm::TokenId;
use bunch_transformer::{LlamaError, LlamaModel, device, device_names};

/// transformers' own f32 states, of up to 64, are within 7.0e-5 of float64 here.
const STATES: f32 = 3e-4;

fn folder(model: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(model)
}

fn load(name: &str, device_name: &str) -> LlamaModel {
    let checkpoint = Checkpoint::open(&folder(name).join("model")).expect("a model directory");
    LlamaModel::load(&checkpoint, &device(device_name).expect("a device")).expect("a Llama")
}

fn sequences(name: &str) -> Vec<Vec<TokenId>> {
    let text = std::fs::read_to_string(folder(name).join("cases.json")).expect("cases");
    let cases: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    serde_json::from_value(cases["sequences"].clone()).expect("token ids")
}

#[test]
fn every_layer_agrees() {
    for device in device_names() {
        for name in ["gqa-tied", "qwen2-window-f16"] {
            let sequences = sequences(name);
            let sequences: Vec<&[TokenId]> = sequences.iter().map(Vec::as_slice).collect();
            let states = load(name, device).hidden_states(&sequences).expect("valid sequences");
            let bytes = std::fs::read(folder(name).join("hidden_states.safetensors")).expect("golden states");
            let expected = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
            assert_eq!(states.len(), expected.len(), "{name}");
            for (index, got) in states.iter().enumerate() {
                let expected = expected.tensor(&format!("state{index}")).expect("the state");
                let expected = expected.data().chunks_exact(4);
                assert_eq!(got.len(), expected.len(), "{name}, state {index}");
                let values = expected.map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")));
                let worst = got.iter().zip(values).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
                assert!(worst <= STATES, "{name} on {device}, state {index}: off by {worst:e}");
            }
        }
    }
}

/// More tokens than go through the model at a time.
#[test]
fn many_sequences_are_each_as_they_are_alone() {
    let model = load("gqa-tied", "flex");
    let sequence = |i: u32| -> Vec<TokenId> { (0..1 + i % 64).map(|t| (i * 7 + t * t) % 67).collect() };
    let sequences: Vec<Vec<TokenId>> = (0..200).map(sequence).collect();
    let sequences: Vec<&[TokenId]> = sequences.iter().map(Vec::as_slice).collect();
    let together = model.hidden_states(&sequences).expect("valid sequences");
    let tokens: usize = sequences.iter().map(|ids| ids.len()).sum();
    assert!(tokens > 4096 && together.iter().all(|state| state.len() == tokens * 32), "{tokens}");
    let mut start = 0;
    for ids in sequences {
        let alone = model.hidden_states(&[ids]).expect("a valid sequence");
        for (alone, together) in alone.iter().zip(&together) {
            let together = &together[start..start + alone.len()];
            assert!(alone.iter().zip(together).all(|(a, b)| (a - b).abs() <= STATES));
        }
        start += ids.len() * 32;
    }
}

#[test]
fn sequences_that_cannot_be_read_are_errors() {
    let model = load("gqa-tied", "flex");
    let refused = |sequences: &[&[TokenId]]| match model.hidden_states(sequences) {
        Err(LlamaError::Request(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[&[1], &[]]), "request 1: no tokens");
    assert_eq!(refused(&[&[67]]), "request 0: token id 67 is outside the vocabulary of 67");
    assert_eq!(refused(&[&[1; 65]]), "request 0: 65 tokens do not fit into the context window of 64");
    assert_eq!(model.hidden_states(&[]).expect("nothing to read"), vec![Vec::<f32>::new(); 3]);
}
