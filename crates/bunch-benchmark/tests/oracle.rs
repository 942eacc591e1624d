//! The oracle: what lm-evaluation-harness asked of small models, what they answered, and how it scored that.
//!
//! A scripted model knows the recorded log-likelihoods by their tokens, so that any other request is a failure. What it
//! answers is scored and compared with what was recorded.

mod scripted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_benchmark::{Catalog, Evaluation, Options, evaluate};
use bunch_lm::{AddBos, Tokenizer};
use bunch_progress::Quiet;
use scripted::Scripted;
use serde_json::Value;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The oracle in this repository, and the whole one where `BUNCH_ORACLE` names its folder.
fn oracles() -> Vec<PathBuf> {
    let mut folders = vec![crate_folder().join("../bunch-lm/tests/oracle")];
    folders.extend(std::env::var_os("BUNCH_ORACLE").map(PathBuf::from));
    folders
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded runs: model folder, name of the run, record.
fn runs() -> Vec<(PathBuf, String, PathBuf)> {
    let mut runs: BTreeMap<String, (PathBuf, PathBuf)> = BTreeMap::new();
    for oracle in oracles() {
        let entries = std::fs::read_dir(oracle.join("expected")).expect("expected/");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let parts: Vec<&str> = name.split('.').collect();
            let [model, mode, "json"] = parts[..] else { continue };
            if mode.contains("shot") || mode == "mutual" {
                runs.insert(format!("{model}.{mode}"), (oracle.join("models").join(model), path));
            }
        }
    }
    runs.into_iter().map(|(name, (model, path))| (model, name, path)).collect()
}

fn evaluated(model_folder: &Path, name: &str, record: &Value) -> Evaluation {
    let tokenizer = Tokenizer::from_directory(model_folder).expect("a tokenizer");
    let flag = |key: &str| record[key].as_bool().expect(key);
    let options = Options {
        data_dir: Some(model_folder.join("../..")),
        n_shot: record["num_fewshot"].as_u64().map(|shots| shots as usize),
        add_bos: if name.contains("nobos") { AddBos::Never } else { AddBos::Auto },
        apply_chat_template: flag("apply_chat_template"),
        fewshot_as_multiturn: Some(flag("fewshot_as_multiturn")),
        window_tokens: 500,
        log_samples: true,
        ..Options::default()
    };
    let mut catalog = Catalog::default();
    for entry in std::fs::read_dir(crate_folder().join("tests/oracle")).expect("tests/oracle") {
        catalog.add(&entry.expect("an entry").path()).expect("a task");
    }
    let tasks = record["samples"].as_object().expect("samples").keys().map(String::as_str);
    let groups = record["groups"].as_object().into_iter().flat_map(|groups| groups.keys()).map(String::as_str);
    let names: Vec<&str> = tasks.chain(groups).collect();
    let selection = catalog.select(&names).expect("known tasks");
    let model = Scripted::of(record, &tokenizer);
    evaluate(&selection, &model, &tokenizer, &options, &Quiet).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn close(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().expect("a number"), right.as_f64().expect("a number"));
            (left - right).abs() <= 1e-12 * right.abs().max(1.0)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| close(left, right))
        }
        _ => left == right,
    }
}

fn compare_scores(name: &str, found: &Value, expected: &Value) -> usize {
    let mut compared = 0;
    for (task, expected) in expected.as_object().expect("tasks") {
        for (field, expected) in expected.as_object().expect("scores") {
            let found = &found[task][field];
            assert!(close(found, expected), "{name}: {task}, {field}: {found}, lm-eval has {expected}");
            compared += 1;
        }
    }
    compared
}

fn compare_samples(name: &str, found: &Evaluation, expected: &Value) -> usize {
    let mut compared = 0;
    for (task, expected) in expected.as_object().expect("samples") {
        let found = &found.samples[task];
        let expected = expected.as_array().expect("rows");
        assert_eq!(found.len(), expected.len(), "{name}: {task}");
        for expected in expected {
            let id = format!("{name}: {task}, doc {}, filter {}", expected["doc_id"], expected["filter"]);
            let same = |row: &&Value| row["doc_id"] == expected["doc_id"] && row["filter"] == expected["filter"];
            let found = found.iter().find(same).unwrap_or_else(|| panic!("{id}: missing"));
            for (field, value) in expected.as_object().expect("a row") {
                if field != "requests" {
                    assert!(close(&found[field], value), "{id}: {field}: {}, lm-eval has {value}", found[field]);
                    compared += 1;
                }
            }
            let requests = expected["requests"].as_array().expect("requests");
            assert_eq!(found["arguments"].as_object().expect("arguments").len(), requests.len(), "{id}");
            for (at, request) in requests.iter().enumerate() {
                let arguments = &found["arguments"][format!("gen_args_{at}")];
                let texts = ["context", "continuation", "text"].map(|key| request.get(key)).into_iter().flatten();
                for (index, text) in texts.enumerate() {
                    assert_eq!(&arguments[format!("arg_{index}")], text, "{id}, request {at}");
                }
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn every_recorded_run_is_reproduced() {
    let runs = runs();
    assert!(runs.len() >= 6, "{runs:?}");
    for (model, name, path) in runs {
        let record = read(&path);
        let found = evaluated(&model, &name, &record);
        let results = Value::Object(found.results.clone());
        let mut compared = compare_scores(&name, &results["results"], &record["results"]);
        if let Some(groups) = record.get("groups").filter(|groups| groups.is_object()) {
            compared += compare_scores(&name, &results["groups"], groups);
        }
        compared += compare_scores(&name, &results["n-samples"], &record["n-samples"]);
        compared += compare_samples(&name, &found, &record["samples"]);
        assert!(compared > 500, "{name}: only {compared} values");
        println!("{name}: {compared} values");
    }
}
