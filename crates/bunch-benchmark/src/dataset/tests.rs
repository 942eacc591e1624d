//! Layouts, and what is said about files that fit none.

use std::fs;

use serde_json::{Value, json};

use super::*;

fn parquet_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet")
}

fn read(dataset: &str, name: &str, split: &str, data_dir: Option<&Path>) -> Result<Split, BenchmarkError> {
    let definitions = datasets().expect("definitions");
    definitions[dataset].read(Wanted { task: "t", dataset, name, split, data_dir }, &Templates::new())
}

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

#[test]
fn parquet_shards_are_read_in_order() {
    let split = read("arc", "ARC-Easy", "test", Some(&parquet_folder())).expect("rows");
    assert_eq!(split.files.len(), 2);
    let ids: Vec<&Value> = split.docs.iter().map(|doc| &doc["id"]).collect();
    assert_eq!(ids, ["own-1", "own-2", "own-3"]);
    assert_eq!(split.docs[0]["choices"], json!({"text": ["ice", "fire", "snow"], "label": ["A", "B", "C"]}));
    assert_eq!(split.docs[1]["question"], "What is wet? é");
    let mmlu = read("mmlu", "anatomy", "test", Some(&parquet_folder())).expect("rows");
    assert_eq!(mmlu.docs[0]["choices"], json!(["foot", "hand", "chest", "head"]));
    assert_eq!(mmlu.docs[0]["answer"], 2);
    let medmcqa = read("medmcqa", "", "validation", Some(&parquet_folder())).expect("rows");
    assert_eq!((&medmcqa.docs[0]["cop"], &medmcqa.docs[0]["exp"]), (&json!(3), &Value::Null));
}

#[test]
fn publishers_layouts_become_the_same_documents() {
    let folder = written(&[
        (
            "arc/ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl",
            r#"{"id":"x","question":{"stem":"Q?","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}]},"answerKey":"B"}"#,
        ),
        ("arc/arc_easy.jsonl", r#"{"query":"Question: Q?","choices":["a","b"],"gold":1}"#),
        ("winogrande.jsonl", r#"{"context_options":["It is A","It is B"],"continuation":"now.","gold":1}"#),
        ("medmcqa/dev.json", r#"{"id":"i","question":"Q","opa":"1","opb":"2","opc":"3","opd":"4","cop":4}"#),
        ("mmlu/test/anatomy_test.csv", "\"Q, with \"\"quotes\"\"\",a,b,c,d,C\n"),
        (
            "pubmedqa/ori_pqal.json",
            r#"{"1":{"QUESTION":"Q1","CONTEXTS":["c"],"final_decision":"yes"},
            "2":{"QUESTION":"Q2","CONTEXTS":["c","d"],"final_decision":"no"},
            "3":{"QUESTION":"Q3","CONTEXTS":[],"final_decision":"maybe"}}"#,
        ),
        ("pubmedqa/test_ground_truth.json", r#"{"3":"maybe","1":"yes"}"#),
    ]);
    let docs =
        |dataset: &str, name: &str, split: &str| read(dataset, name, split, Some(folder.path())).expect(dataset).docs;
    let choices = json!({"text": ["a", "b"], "label": ["A", "B"]});
    for (name, doc) in
        [("ARC-Challenge", &docs("arc", "ARC-Challenge", "test")[0]), ("easy", &docs("arc", "ARC-Easy", "test")[0])]
    {
        assert_eq!(
            (&doc["question"], &doc["choices"], &doc["answerKey"]),
            (&json!("Q?"), &choices, &json!("B")),
            "{name}"
        );
    }
    let gap = json!({"sentence": "_ now.", "option1": "It is A", "option2": "It is B", "answer": "2"});
    assert_eq!(Value::Object(docs("winogrande", "winogrande_xl", "validation")[0].clone()), gap);
    assert_eq!(docs("medmcqa", "", "validation")[0]["cop"], 3);
    let mmlu = &docs("mmlu", "anatomy", "test")[0];
    assert_eq!((&mmlu["question"], &mmlu["answer"]), (&json!("Q, with \"quotes\""), &json!(2)));
    let questions: Vec<Value> = docs("pubmedqa", "", "test").iter().map(|doc| doc["QUESTION"].clone()).collect();
    assert_eq!(questions, ["Q3", "Q1"]);
}

#[test]
fn missing_data_are_described() {
    let folder = written(&[]);
    let error = read("gsm8k", "main", "train", Some(folder.path())).unwrap_err().to_string();
    for part in [
        "task t",
        "train split of gsm8k",
        "gsm8k/train.jsonl",
        "main/train-*.parquet",
        "MIT",
        "huggingface.co",
        "or missing",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = read("medqa", "", "test", None).unwrap_err().to_string();
    assert!(error.contains("no folder with data was given (--data)"), "{error}");
    assert!(error.contains("medqa/us_4options_test.jsonl"), "{error}");
}

#[test]
fn wrong_files_are_named() {
    let folder = written(&[
        ("gsm8k/test.jsonl", "{\"question\": \"Q\", \"answer\": \"A\"}\n{\"question\": \"Q\"}\n"),
        ("gsm8k/train.jsonl", "{\"question\": \"Q\", \"solution\": \"A\"}\n"),
        ("medmcqa/dev.jsonl", r#"{"id":"i","question":"Q","opa":"1","opb":"2","opc":"3","opd":"4","cop":0}"#),
        ("mmlu/test/anatomy_test.csv", "Q,a,b,c,d,C\nQ,a,b,c\n"),
        ("medqa/test.json", "{\"sent1\": "),
        ("hellaswag/hellaswag_val.jsonl", ""),
        ("pubmedqa/ori_pqal.json", r#"{"1":{"QUESTION":"Q1","CONTEXTS":["c"],"final_decision":"yes"}}"#),
        ("pubmedqa/test_ground_truth.json", r#"{"9":"maybe"}"#),
        ("arc/ARC-Easy/test-0.parquet", "not parquet"),
    ]);
    for (dataset, name, split, parts) in [
        ("gsm8k", "", "test", vec!["gsm8k/test.jsonl: row 2: no column \"answer\"; found question"]),
        ("gsm8k", "", "train", vec!["gsm8k/train.jsonl: row 1: no column \"answer\"; found question, solution"]),
        ("medmcqa", "", "validation", vec!["medmcqa/dev.jsonl: row 1", "cop >= 1"]),
        ("mmlu", "anatomy", "test", vec!["anatomy_test.csv", "6 fields", "4 fields"]),
        ("medqa", "", "test", vec!["medqa/test.json", "line 1"]),
        ("hellaswag", "", "validation", vec!["hellaswag_val.jsonl: there are no rows"]),
        ("pubmedqa", "", "test", vec!["ori_pqal.json: no row with pubid \"9\"", "test_ground_truth.json"]),
        ("arc", "ARC-Easy", "test", vec!["test-0.parquet"]),
    ] {
        let error = read(dataset, name, split, Some(folder.path())).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{dataset}: {part}: {error}");
        }
    }
}

#[test]
fn every_data_set_says_where_it_is_from() {
    for (id, definition) in datasets().expect("definitions") {
        for text in [&definition.title, &definition.homepage, &definition.licence, &definition.download] {
            assert!(!text.is_empty(), "{id}");
        }
        assert!(definition.homepage.starts_with("https://") && definition.download.contains("https://"), "{id}");
        assert!(!definition.layouts.is_empty() && !definition.folders.is_empty(), "{id}");
    }
}
