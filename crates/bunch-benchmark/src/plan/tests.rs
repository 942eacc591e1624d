//! Every prompt of the tasks in data/tasks, against lm-evaluation-harness's own tasks on the same files.
//!
//! `tests/golden/lm_eval_tasks.py` made the hashes with lm-eval. The files are not part of the project, save for a few rows
//! in HellaSwag's layout.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::Catalog;

#[derive(Deserialize)]
struct Golden {
    task: String,
    n_shot: usize,
    docs: usize,
    requests: usize,
    sha256: String,
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden() -> Vec<Golden> {
    serde_json::from_str(include_str!("../../tests/golden/lm_eval_tasks.json")).expect("goldens")
}

/// Python's `json.dumps` of a list of texts, with `ensure_ascii=False`.
fn dumped(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).expect("text")).collect();
    format!("[{}]", texts.join(", "))
}

fn compare(golden: &Golden, data_dir: PathBuf) {
    let model = crate_folder().join("../bunch-lm/tests/oracle/models/llama-gqa-untied");
    let tokenizer = Tokenizer::from_directory(&model).expect("a tokenizer");
    let options = Options { data_dir: Some(data_dir), n_shot: Some(golden.n_shot), ..Options::default() };
    let selection = Catalog::builtin().expect("tasks").select(&[&golden.task]).expect("a task");
    let task = &selection.tasks[0];
    let templates = Templates::new();
    let data = load(&selection, &options, &templates).expect("data").remove(0);
    let id = format!("{} with {} examples", golden.task, golden.n_shot);
    assert_eq!(data.docs.len(), golden.docs, "{id}");
    let shots = Shots::new(task, &data.shots, golden.n_shot, options.fewshot_seed);
    let mut prompter = Prompter::new(task, &templates, &tokenizer, &options, shots, &data.docs[0]).expect("a prompter");
    let encoder = Encoder { task, tokenizer: &tokenizer, options: &options, window: 1 << 20 };
    let (mut hash, mut requests, mut first) = (Sha256::new(), 0, String::new());
    for doc in &data.docs {
        let prompt = prompter.prompt(doc).expect("a prompt");
        let target = crate::python::to_text(&prompt.target);
        for (context, continuation) in encoder.arguments(&prompt).expect("requests") {
            let texts = [&*context, continuation.as_str(), &target];
            let texts: Vec<&str> = match task.output_type {
                OutputType::GenerateUntil => vec![texts[0], texts[2]],
                _ => texts.to_vec(),
            };
            first = if requests == 0 { dumped(&texts) } else { first };
            hash.update(dumped(&texts));
            requests += 1;
        }
    }
    assert_eq!(requests, golden.requests, "{id}");
    assert_eq!(hexadecimal(&hash.finalize()), golden.sha256, "{id}; the first request is {first}");
}

#[test]
fn hellaswag_prompts_are_lm_evals() {
    let golden: Vec<Golden> = golden().into_iter().filter(|golden| golden.task == "hellaswag").collect();
    assert_eq!(golden.len(), 2);
    golden.iter().for_each(|golden| compare(golden, crate_folder().join("tests")));
}

/// The folder with the publishers' files, which are not part of this repository: where `BUNCH_DATA` says.
fn publishers_data() -> Option<PathBuf> {
    let folder = std::env::var_os("BUNCH_DATA");
    if folder.is_none() {
        println!("skipped: BUNCH_DATA names no folder with the publishers' data");
    }
    folder.map(PathBuf::from)
}

#[test]
fn prompts_of_real_data_are_lm_evals() {
    let Some(data) = publishers_data() else { return };
    let golden: Vec<Golden> = golden().into_iter().filter(|golden| golden.task != "hellaswag").collect();
    assert_eq!(golden.len(), 7 + 2 * 23);
    golden.iter().for_each(|golden| compare(golden, data.clone()));
}

#[test]
fn groups_have_the_papers_sizes() {
    let Some(data) = publishers_data() else { return };
    let options = Options { data_dir: Some(data), ..Options::default() };
    let count = |name: &str| {
        let selection = Catalog::builtin().expect("tasks").select(&[name]).expect("a group");
        let data = load(&selection, &options, &Templates::new()).expect("data");
        (data.len(), data.iter().map(|data| data.docs.len()).sum::<usize>())
    };
    assert_eq!(count("hammoud_stem"), (19, 3153));
    assert_eq!(count("hammoud_bio"), (9, 1089 + 1273 + 500 + 4183));
}

#[test]
fn every_definition_has_its_data_set() {
    let catalog = Catalog::builtin().expect("tasks");
    let definitions = datasets().expect("data sets");
    for name in catalog.task_names() {
        let task = catalog.task(&name).expect("a task");
        if let Some(dataset) = &task.dataset {
            assert!(definitions.contains_key(dataset), "{name}: {dataset}");
        }
        let json: Value = serde_json::to_value(task).expect("json");
        assert_eq!(serde_json::from_value::<Task>(json).expect("reads back").task, name);
    }
    assert_eq!(catalog.task_names().iter().filter(|name| name.starts_with("mmlu_")).count(), 57);
}
