//! Modes that the oracle has no record of, against lm-evaluation-harness with a formula as its model: chat templates with
//! few-shot examples, a template that refuses a system message, mutual information, examples drawn at random, groups.
//!
//! `golden/lm_eval_modes.py` made the record with lm-eval itself.

mod formula;

use std::path::{Path, PathBuf};

use bunch_benchmark::{Catalog, Evaluation, Options, evaluate};
use bunch_lm::{AddBos, TokenId, Tokenizer};
use bunch_progress::Quiet;
use formula::{Call, Formula};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn options(run: &Value, oracle: &Path) -> Options {
    let arguments = &run["arguments"];
    let number = |name: &str| arguments[name].as_u64().map(|number| number as usize);
    Options {
        data_dir: Some(oracle.to_path_buf()),
        n_shot: number("num_fewshot"),
        limit: number("limit"),
        add_bos: if run["add_bos_token"] == false { AddBos::Never } else { AddBos::Auto },
        apply_chat_template: arguments["apply_chat_template"] == true,
        fewshot_as_multiturn: arguments["fewshot_as_multiturn"].as_bool(),
        system_instruction: arguments["system_instruction"].as_str().map(str::to_string),
        fewshot_seed: number("fewshot_random_seed").unwrap_or(1234) as u64,
        // One document a call.
        window_tokens: 1,
        log_samples: true,
        ..Options::default()
    }
}

fn digest(call: &Call, arguments: &serde_json::Map<String, Value>) -> String {
    let ids = |ids: &[TokenId]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut texts: Vec<&Value> = Vec::new();
    let mut parts = Vec::new();
    for (at, (context, continuation)) in call.iter().enumerate() {
        // The record holds equal choices once.
        let text = arguments.get(&format!("gen_args_{at}"));
        if let Some(text) = text.filter(|_| arguments.len() == call.len()) {
            if texts.contains(&text) {
                continue;
            }
            texts.push(text);
        }
        parts.push(format!("{}|{}", ids(context), ids(continuation)));
    }
    let hash = Sha256::digest(parts.join(";"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| same(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| same(found, expected))
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().expect("a number"), expected.as_f64().expect("a number"));
            (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
        }
        _ => found == expected,
    }
}

fn run(run: &Value) -> (Evaluation, Vec<Call>, Vec<String>) {
    let oracle = crate_folder().join("../bunch-lm/tests/oracle");
    let folder = oracle.join("models").join(run["model"].as_str().expect("a model"));
    let tokenizer = Tokenizer::from_directory(&folder).expect("a tokenizer");
    let mut catalog = Catalog::default();
    for entry in std::fs::read_dir(crate_folder().join("tests/oracle")).expect("tests/oracle") {
        catalog.add(&entry.expect("an entry").path()).expect("a task");
    }
    let names: Vec<&str> = run["tasks"].as_array().expect("tasks").iter().filter_map(Value::as_str).collect();
    let selection = catalog.select(&names).expect("known tasks");
    let model = Formula::new(tokenizer.clone());
    let found = evaluate(&selection, &model, &tokenizer, &options(run, &oracle), &Quiet);
    let found = found.unwrap_or_else(|error| panic!("{}: {error}", run["name"]));
    let order = selection.tasks.iter().map(|task| task.task.clone()).collect();
    (found, model.calls(), order)
}

/// Compares cell by cell; lm-eval's writer drops zeros at the end of a whole column.
fn same_table(found: &str, expected: &str) {
    assert_eq!(found.lines().count(), expected.lines().count(), "\n{found}\n{expected}");
    for (found_line, expected_line) in found.lines().zip(expected.lines()) {
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
        for (own, cell) in cells(found_line).iter().zip(cells(expected_line)) {
            let is_rule = cell.starts_with("--");
            let equal = match (own.parse::<f64>(), cell.parse::<f64>()) {
                (Ok(own), Ok(cell)) => own == cell,
                _ => *own == cell || is_rule,
            };
            assert!(equal, "{own:?} {cell:?}\n{found}\n{expected}");
        }
    }
}

#[test]
fn every_mode_is_lm_evals() {
    let golden: Vec<Value> =
        serde_json::from_str(include_str!("golden/lm_eval_modes.json")).expect("lm_eval_modes.json");
    assert_eq!(golden.len(), 11);
    for expected in &golden {
        let name = &expected["name"];
        let (found, calls, order) = run(expected);
        for (part, scores) in expected["scores"].as_object().expect("scores") {
            for (task, scores) in scores.as_object().expect("an object") {
                let own = &found.results[part][task];
                assert!(same(own, scores), "{name}: {part} of {task}:\n{own}\nlm-eval has\n{scores}");
            }
        }
        same_table(&found.table(), expected["tables"].as_str().expect("tables"));
        if name == "chat-2shot-multiturn" {
            assert_eq!(found.table(), expected["tables"]);
        }
        let mut calls = calls.iter();
        for task in &order {
            let rows = expected["rows"][task].as_array().expect("rows");
            let samples = &found.samples[task];
            assert_eq!(samples.len(), rows.len(), "{name}: {task}");
            let docs = samples.iter().map(|sample| &sample["doc_id"]).max_by_key(|id| id.as_u64()).expect("docs");
            for doc in 0..=docs.as_u64().expect("a number") {
                let call = calls.next().expect("a call for each document");
                for row in rows.iter().filter(|row| row[0] == doc) {
                    let id = format!("{name}: {task}, doc {doc}, filter {}", row[1]);
                    let sample = samples.iter().find(|sample| sample["doc_id"] == doc && sample["filter"] == row[1]);
                    let sample = sample.unwrap_or_else(|| panic!("{id}: missing"));
                    let hash = sample["prompt_hash"].as_str().expect("a hash");
                    assert_eq!(
                        &hash[..16],
                        row[2],
                        "{id}: the prompt is {}",
                        sample["arguments"]["gen_args_0"]["arg_0"]
                    );
                    let arguments = sample["arguments"].as_object().expect("arguments");
                    assert_eq!(digest(call, arguments), row[3], "{id}: the tokens are {call:?}");
                    assert!(same(sample, &row[4]), "{id}: {sample}, lm-eval has {}", row[4]);
                }
            }
        }
        assert!(calls.next().is_none(), "{name}: more calls than documents");
        let refused = name == "mistral-chat-2shot-multiturn";
        // Other notes tell of prompts that lost their beginning.
        let notes_refusal = found.notes.iter().any(|note| note.contains("refuses a system message"));
        assert_eq!(notes_refusal, refused, "{name}: {:?}", found.notes);
    }
}
