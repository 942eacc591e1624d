//! Adapters and merged vocabularies against peft and mergekit.
//!
//! `adapters_and_tokenizers/` holds two tiny random Llamas with byte-level BPE tokenizers (transformers 5.23, tokenizers
//! 0.23), an adapter for `base` and what peft 0.21's `merge_and_unload` makes of it (`lora_expected.safetensors`), and
//! recipes with the vocabulary and the vocabulary tensors of mergekit 0.1.5's output (`*.json`).

use bunch_checkpoint::Checkpoint;
use bunch_progress::Quiet;
use bunch_recipe::Recipe;
use bunch_streaming::{InputModel, MergeOptions, MergePlan};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Absolute and relative, as for the cases of mergekit in 32 bits.
const TOLERANCE: f32 = 1e-6;

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapters_and_tokenizers");
    std::env::set_current_dir(&folder).expect("the folder of the models");
    folder
}

/// Merges into a new folder; it is deleted with the first of the pair.
fn merge(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let recipe = Recipe::parse(Path::new(name), text).expect("a recipe");
    let models = InputModel::open_all(&recipe).expect("models");
    let options = MergeOptions::default();
    let plan = MergePlan::new(&recipe, &models, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    let parent = tempfile::tempdir().expect("a folder");
    let out = parent.path().join("merged");
    plan.run(&out, &Quiet, &AtomicBool::new(false)).unwrap_or_else(|error| panic!("{name}: {error}"));
    (parent, out)
}

fn assert_close(place: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{place}");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let is_close = (got - want).abs() <= TOLERANCE + TOLERANCE * want.abs();
        assert!(is_close, "{place}, value {index}: expected {want}, got {got}");
    }
}

#[test]
fn an_adapter_is_merged_as_peft_merges_it() {
    let folder = folder();
    let (_parent, out) = merge("lora.yml", "merge_method: passthrough\nmodels: [{model: base+lora}]\n");
    let (merged, base) =
        (Checkpoint::open(&out).expect("merged"), Checkpoint::open(&folder.join("base")).expect("base"));
    let expected = Checkpoint::open_weights(&folder.join("lora_expected.safetensors")).expect("a golden");
    let mut adapted = 0;
    for name in merged.names() {
        let got = merged.tensor(name).expect("values");
        match expected.tensor(name) {
            Ok(want) => {
                adapted += 1;
                assert_close(name, &got.data, &want.data);
                assert_ne!(want.data, base.tensor(name).expect("values").data, "{name}: the adapter changes it");
            }
            Err(_) => assert_eq!(got, base.tensor(name).expect("values"), "{name}"),
        }
    }
    assert_eq!(adapted, expected.names().count());
}

#[test]
fn vocabularies_are_merged_as_in_mergekit() {
    let folder = folder();
    for name in ["base", "model", "union"] {
        let file = format!("{name}.yml");
        let text = std::fs::read_to_string(folder.join(&file)).expect("a recipe");
        let (_parent, out) = merge(&file, &text);
        let golden = std::fs::read(folder.join(format!("{name}.json"))).expect("a golden");
        let golden: Value = serde_json::from_slice(&golden).expect("JSON");
        let merged = Checkpoint::open(&out).expect("the merged model");
        assert_eq!(merged.config()["vocab_size"], golden["vocab_size"], "{name}");

        let want: BTreeMap<String, usize> = serde_json::from_value(golden["vocab"].clone()).expect("ids by token");
        let got = vocabulary(&out);
        // The ids of tokens that a union adds hang on a hash map in mergekit: rows are compared by token.
        assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>(), "{name}");
        for (tensor, rows) in golden["tensors"].as_object().expect("tensors") {
            let rows: Vec<Vec<f32>> = serde_json::from_value(rows.clone()).expect("rows");
            let values = merged.tensor(tensor).expect("values");
            assert_eq!(values.shape, [rows.len(), rows[0].len()], "{name}: {tensor}");
            let row = |index: usize| &values.data[index * rows[0].len()..][..rows[0].len()];
            for (token, id) in &want {
                assert_close(&format!("{name}: {tensor}: {token:?}"), row(got[token]), &rows[*id]);
            }
            for (padding, want) in rows.iter().enumerate().skip(want.len()) {
                assert_close(&format!("{name}: {tensor}: padding row {padding}"), row(padding), want);
            }
        }
    }
}

/// The tokens of the tokenizer in a folder with their ids.
fn vocabulary(dir: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read(dir.join("tokenizer.json")).expect("a tokenizer");
    let tokenizer: Value = serde_json::from_slice(&text).expect("JSON");
    let regular = tokenizer["model"]["vocab"].as_object().expect("a vocabulary").iter();
    let regular = regular.map(|(token, id)| (token.clone(), id.clone()));
    let added = tokenizer["added_tokens"].as_array().expect("a list").iter();
    let added = added.map(|token| (token["content"].as_str().expect("a token").to_owned(), token["id"].clone()));
    regular.chain(added).map(|(token, id)| (token, id.as_u64().expect("an id") as usize)).collect()
}
