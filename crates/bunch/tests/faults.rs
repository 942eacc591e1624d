//! What people bring: inputs made after public trouble reports, each with the right result or what has to be said about it.
//!
//! A case is a folder of `faults/cases` with its inputs and `case.json`: the command, and what must hold after it. It runs
//! in a copy of its folder, which is also the home folder.

#[path = "faults/expectation.rs"]
mod expectation;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use expectation::{Outcome, faults};
use serde_json::Value;

/// Cases that are not run, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[];

#[test]
fn every_case_holds() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/cases");
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for entry in fs::read_dir(&cases).expect("the cases are there") {
        let case = entry.expect("a case").path();
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        if LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
            continue;
        }
        count += 1;
        let (found, text) = run(&case);
        if !found.is_empty() {
            failed.insert(name, [found, vec![text]].concat());
        }
    }
    assert!(count > 90, "there are {count} cases");
    let report: String = failed.iter().map(|(name, faults)| format!("{name}: {}\n", faults.join("; "))).collect();
    assert!(failed.is_empty(), "{} of {count} cases fail:\n{report}", failed.len());
}

/// Runs a case; what does not hold, and what the program printed.
fn run(case: &Path) -> (Vec<String>, String) {
    let top = tempfile::tempdir().expect("a folder");
    let (inputs, out) = (top.path().join("in"), top.path().join("out"));
    copy(case, &inputs);
    fs::remove_file(inputs.join("case.json")).expect("copied");
    let text = fs::read_to_string(case.join("case.json")).expect("a case");
    let case: Value = serde_json::from_str(&text).expect("JSON");
    let arguments = case["command"]
        .as_array()
        .expect("a command")
        .iter()
        .skip(1)
        .map(|argument| argument.as_str().expect("a text").replace("{out}", &out.display().to_string()));
    let output = Command::new(env!("CARGO_BIN_EXE_bunch"))
        .args(arguments)
        .current_dir(&inputs)
        .env("HOME", &inputs)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HUB_CACHE", top.path().join("hub"))
        .env("NO_COLOR", "1")
        .env_remove("BUNCH_DATA")
        .env_remove("HF_HOME")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let text = text.replace(&out.display().to_string(), "OUT");
    let mut found = faults(
        &case["expect"],
        &Outcome { succeeded: output.status.success(), text: &text, inputs: &inputs, out: &out },
    );
    if output.status.code().is_none_or(|code| code == 101) {
        found.insert(0, format!("panics or is killed ({})", output.status));
    }
    (found, text)
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
