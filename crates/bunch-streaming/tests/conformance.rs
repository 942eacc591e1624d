//! Merges made with mergekit 0.1.5 on small random checkpoints, made again here: names, shapes, dtypes and values.
//!
//! `conformance/README.md` says what they are and how they are compared.

use bunch_checkpoint::Checkpoint;
use bunch_progress::Quiet;
use bunch_recipe::Recipe;
use bunch_streaming::{InputModel, MergeOptions, MergePlan, StreamingError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The folder of the cases; paths in recipes are relative to it, so that it is made the current one.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    std::env::set_current_dir(&folder).expect("the folder of the cases");
    folder
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn merge(config: &Path, out: &Path, options: &MergeOptions) -> Result<(), StreamingError> {
    let text = std::fs::read_to_string(config).expect("a recipe");
    let recipe = Recipe::parse(config, &text)?;
    let models = InputModel::open_all(&recipe)?;
    let plan = MergePlan::new(&recipe, &models, options)?;
    plan.run(out, &Quiet, &AtomicBool::new(false)).map(|_| ())
}

/// One unit in the last place of a bfloat16 of this magnitude.
fn bf16_ulp(value: f32) -> f32 {
    // 8 bits of precision: the unit is 2^-7 of the power of two below the value.
    f32::from_bits(value.abs().to_bits() & 0x7f80_0000).max(f32::MIN_POSITIVE) / 128.0
}

/// The largest difference that is allowed at each entry.
fn tolerance(rule: &Value, want: f32, inputs: impl Iterator<Item = f32>) -> f32 {
    let number = |key: &str| rule[key].as_f64().map(|number| number as f32);
    if let Some(units) = number("input_ulp") {
        return units * bf16_ulp(inputs.map(f32::abs).fold(want.abs(), f32::max));
    }
    if let Some(units) = number("bf16_ulp") {
        return (units * bf16_ulp(want)).max(number("atol").expect("a floor"));
    }
    number("atol").expect("a tolerance") + number("rtol").expect("a tolerance") * want.abs()
}

/// What is wrong with the output of a case, if anything.
fn compare(folder: &Path, case: &Value, tolerances: &Value, out: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let got = Checkpoint::open(out).expect("the merged model");
    let want = Checkpoint::open_weights(&folder.join(case["expected"].as_str().expect("a file"))).expect("a golden");
    let (got_names, want_names): (BTreeSet<&str>, BTreeSet<&str>) = (got.names().collect(), want.names().collect());
    if got_names != want_names {
        wrong.push(format!("names differ: {:?}", got_names.symmetric_difference(&want_names).collect::<Vec<_>>()));
    }
    let inputs: Vec<Checkpoint> = case["inputs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|input| Checkpoint::open(&folder.join(input.as_str().expect("a path"))).expect("an input"))
        .collect();
    let undetermined: BTreeMap<String, BTreeSet<usize>> = match case["undetermined"].as_str() {
        Some(file) => serde_json::from_value(read_json(&folder.join(file))).expect("indices by tensor"),
        None => BTreeMap::new(),
    };
    let rule = &tolerances[case["tolerance"].as_str().expect("a tolerance")];
    for name in want_names.intersection(&got_names) {
        let info = |checkpoint: &Checkpoint| checkpoint.info(name).map(|info| (info.shape.clone(), info.dtype));
        if info(&got) != info(&want) {
            wrong.push(format!("{name}: expected {:?}, got {:?}", info(&want), info(&got)));
            continue;
        }
        let (got, want) = (got.tensor(name).expect("values"), want.tensor(name).expect("values"));
        let values: Vec<_> = inputs.iter().filter_map(|input| input.tensor(name).ok()).collect();
        let left_out = undetermined.get(*name);
        let mut differing = Vec::new();
        for (index, (&got, &want)) in got.data.iter().zip(&*want.data).enumerate() {
            let inputs = values.iter().filter_map(|tensor| tensor.data.get(index).copied());
            let is_close = (got - want).abs() <= tolerance(rule, want, inputs);
            if !is_close && left_out.is_none_or(|indices| !indices.contains(&index)) {
                differing.push((index, want, got));
            }
        }
        if let Some((index, want, got)) = differing.first() {
            wrong.push(format!(
                "{name}: {} values differ, first at {index}: expected {want}, got {got}",
                differing.len()
            ));
        }
    }
    let config = got.config();
    for (key, expected) in [("num_hidden_layers", &case["num_hidden_layers"]), ("vocab_size", &case["vocab_rows"])] {
        if config[key] != *expected {
            wrong.push(format!("config.json: {key}: expected {expected}, got {}", config[key]));
        }
    }
    wrong
}

/// What is wrong with the files of a case that is sharded.
fn compare_layout(layout: &Value, out: &Path) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(out)
        .expect("the merged model")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    files.sort();
    let index = read_json(&out.join("model.safetensors.index.json"));
    let mut wrong = Vec::new();
    for (what, got, want) in [
        ("files", &Value::from(files), &layout["files"]),
        ("weight_map", &index["weight_map"], &layout["weight_map"]),
        ("total_size", &index["metadata"]["total_size"], &layout["total_size"]),
    ] {
        if got != want {
            wrong.push(format!("{what}: expected {want}, got {got}"));
        }
    }
    wrong
}

#[test]
fn every_case_comes_out_as_in_mergekit() {
    let folder = folder();
    let manifest = read_json(&folder.join("manifest.json"));
    let cases = manifest["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 97);
    let mut failed = Vec::new();
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let out = tempfile::tempdir().expect("a folder");
        let out = out.path().join("merged");
        let options = MergeOptions {
            max_shard_size: case["options"]["out_shard_size"].as_u64().unwrap_or(u64::MAX),
            truncate_embeddings: case["options"]["unsafe_truncate_embeddings"].as_bool().unwrap_or(false),
            ..MergeOptions::default()
        };
        let merged = merge(Path::new(case["config"].as_str().expect("a recipe")), &out, &options);
        let wrong = match (merged, case["expect"] == "error") {
            (Err(_), true) => {
                assert!(!out.exists(), "{name}: an error leaves no output");
                Vec::new()
            }
            (Ok(()), true) => vec!["expected an error, got a merge".to_owned()],
            (Err(error), false) => vec![format!("error: {error}")],
            (Ok(()), false) => {
                let mut wrong = compare(&folder, case, &manifest["tolerances"], &out);
                if case.get("layout").is_some() {
                    wrong.extend(compare_layout(&case["layout"], &out));
                }
                wrong
            }
        };
        failed.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(failed.is_empty(), "{} problems:\n{}", failed.len(), failed.join("\n"));
}

/// All output bytes are the same with any number of threads and any shard size, and the same each time.
#[test]
fn threads_change_no_byte() {
    let _ = folder();
    let config = Path::new("cases/ties_bf16_native_d0.5.yaml");
    let digest = |threads| {
        let out = tempfile::tempdir().expect("a folder");
        let out = out.path().join("merged");
        merge(config, &out, &MergeOptions { threads: Some(threads), ..MergeOptions::default() }).expect("a merge");
        Checkpoint::open(&out).expect("the merged model").sha256().expect("a digest")
    };
    let alone = digest(1);
    assert_eq!(digest(4), alone);
}
