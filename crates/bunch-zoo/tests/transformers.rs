//! transformers reads a model directory of the miniature as we do: ids, chat prompts and logits.

use std::path::Path;

use bunch_miniature::world::{chat_prompt, vocabulary};
use bunch_transformer::{LlamaModel, TokenBatch, device};
use bunch_zoo::miniature::config;
use serde_json::Value;

/// The f32 rounding of two implementations; logits are of order 1.
const LOGITS: f32 = 1e-5;

#[test]
fn ids_prompts_and_logits_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("golden.json")).expect("golden.json")).expect("JSON");
    let bytes = std::fs::read(folder.join("logits.f32")).expect("logits.f32");
    let mut logits = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")));
    let device = device("flex").expect("the default device");
    let model = LlamaModel::new(config(), &config().initial_weights(0), &device).expect("a Llama");
    for (index, case) in golden["cases"].as_array().expect("cases").iter().enumerate() {
        let text = case["text"].as_str().expect("a text");
        let ids: Vec<u32> =
            case["ids"].as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect();
        assert_eq!(chat_prompt(text).expect("known words"), ids);
        assert_eq!(vocabulary().encode(case["prompt"].as_str().expect("a prompt")).expect("known words"), ids);
        let positions: Vec<usize> = (0..ids.len()).collect();
        let got = model.llama().logits(&TokenBatch::new(&[&ids], &[&positions]));
        let got = got.into_data().try_to_vec::<f32>().expect("f32");
        assert_eq!(got.len(), ids.len() * vocabulary().size());
        let worst = got.iter().map(|g| (g - logits.next().expect("a logit")).abs()).fold(0.0, f32::max);
        assert!(worst <= LOGITS, "case {index}: off by {worst:e}");
    }
    assert_eq!(logits.next(), None);
}
