//! Journals that are begun, killed, continued, refused and replaced.

use std::fs;
use std::path::Path;

use bunch_journal::{Journal, JournalError, manifest_path, read_lines};
use serde_json::{Map, Value, json};

fn identity(model: &str) -> Map<String, Value> {
    json!({"command": "generate", "model": model}).as_object().expect("an object").clone()
}

fn open(path: &Path, model: &str) -> Result<Journal, JournalError> {
    Journal::open(path, &identity(model), false)
}

#[test]
fn a_run_goes_on_behind_the_last_whole_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.jsonl");
    let mut journal = open(&path, "a").expect("new");
    assert!(journal.done().is_empty());
    journal.append([&json!({"n": 1}), &json!({"n": 2, "text": "ü\n"})]).expect("written");
    drop(journal);
    let mut text = fs::read(&path).expect("lines");
    text.extend(b"{\"n\": 3, \"te");
    fs::write(&path, text).expect("a killed run");

    let mut journal = open(&path, "a").expect("continued");
    assert_eq!(journal.done(), [json!({"n": 1}), json!({"n": 2, "text": "ü\n"})]);
    journal.append([&json!({"n": 3})]).expect("written");
    journal.finish().expect("on disk");
    let numbers: Vec<_> = read_lines(&path).expect("lines").iter().map(|line| line.fields["n"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn another_run_is_refused_until_told_to_replace() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.jsonl");
    open(&path, "a").expect("new").append([&json!({"n": 1})]).expect("written");
    let error = open(&path, "b").unwrap_err().to_string();
    assert!(error.contains("model is \"a\" there and \"b\" here") && error.contains("--overwrite"), "{error}");
    assert_eq!(open(&path, "a").expect("untouched").done().len(), 1);
    let journal = Journal::open(&path, &identity("b"), true).expect("replaced");
    assert!(journal.done().is_empty());

    fs::write(&path, "{}\n").expect("a file");
    fs::remove_file(manifest_path(&path)).expect("removed");
    assert!(matches!(open(&path, "b"), Err(JournalError::Unknown { .. })));
}

#[test]
fn lines_that_are_no_json_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("in.jsonl");
    fs::write(&path, "{\"prompt\": \"a\"}\n\n[1]\n").expect("a file");
    assert!(read_lines(&path).unwrap_err().to_string().contains("line 3: expected a JSON object"));
    fs::write(&path, "{\"prompt\": \"a\"}\r\n\n{\"promt\": 1}\n").expect("a file");
    let lines = read_lines(&path).expect("objects");
    assert_eq!(lines[0].text(&path, "prompt").expect("a text"), "a");
    let error = lines[1].text(&path, "prompt").unwrap_err().to_string();
    assert!(error.contains("line 3: expected a field `prompt`, got promt"), "{error}");
    assert!(read_lines(&folder.path().join("none.jsonl")).unwrap_err().to_string().contains("none.jsonl"));

    open(&path.with_file_name("o"), "a").expect("new");
    fs::write(path.with_file_name("o"), "{\n{}\n").expect("a broken file");
    assert!(open(&path.with_file_name("o"), "a").unwrap_err().to_string().contains("line 1: expected JSON"));
}
