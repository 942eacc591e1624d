//! Writing that is killed or runs out of space, in a child process with a limit on the size of files.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use bunch_checkpoint::{ModelDirectory, StateDict, Tensor};
use serde_json::json;

/// Where the child process writes; not set in the parent.
const DIR: &str = "BUNCH_CHECKPOINT_TEST_DIR";

/// Writes 4 MB to `dir`, far more than a child may write.
fn write(dir: &Path) {
    let large = Tensor { shape: vec![1_000_000], data: Arc::new(vec![1.0; 1_000_000]) };
    let weights = StateDict::from([("large".to_owned(), large)]);
    match ModelDirectory::new(json!({}), &weights).write(dir) {
        Ok(()) => println!("written"),
        Err(error) => println!("error: {error}"),
    }
}

/// Runs the test `without_a_limit_the_child_writes` as the child process, in a shell after `before`.
fn run_child(before: &str, dir: &Path) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" without_a_limit_the_child_writes --exact --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(DIR, dir)
        .output()
        .unwrap()
}

#[test]
fn without_a_limit_the_child_writes() {
    if let Some(dir) = std::env::var_os(DIR) {
        // This is the child process.
        return write(Path::new(&dir));
    }
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let output = run_child("", &dir);
    assert!(String::from_utf8_lossy(&output.stdout).contains("written"), "{output:?}");
    assert!(dir.join("model.safetensors").is_file());
}

#[test]
fn a_killed_write_leaves_no_directory() {
    use std::os::unix::process::ExitStatusExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    // By default the signal kills the process amid the shard.
    let output = run_child("ulimit -f 100;", &dir);
    assert!(output.status.signal().is_some(), "{output:?}");
    assert!(!dir.exists());
    let left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].to_str().unwrap().ends_with(".partial"), "{left:?}");
}

#[test]
fn a_file_that_cannot_grow_is_named_and_nothing_is_left() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    // With the signal ignored the write fails, as it does on a full disk.
    let output = run_child("trap '' XFSZ; ulimit -f 100;", &dir);
    let expected = format!("error: {}: File too large", dir.join("model.safetensors").display());
    assert!(String::from_utf8_lossy(&output.stdout).contains(&expected), "{output:?}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}
