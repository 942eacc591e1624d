//! Writing that is killed or runs out of space, in a child process.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use bunch_checkpoint::{
    Checkpoint, CheckpointError, CheckpointWriter, Dtype, ModelDirectory, StateDict, Tensor, TensorLayout,
    WriterOptions,
};
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

/// Set for a child process that writes half of a model and then waits to be killed.
const HALF: &str = "BUNCH_CHECKPOINT_TEST_HALF";

fn create(dir: &Path) -> Result<CheckpointWriter, CheckpointError> {
    let layout = |name: &str| TensorLayout { name: name.to_owned(), shape: vec![100_000], dtype: Dtype::BF16.into() };
    let options = WriterOptions { replace: true, ..Default::default() };
    CheckpointWriter::create(dir, vec![layout("a"), layout("b")], options)
}

#[test]
fn a_writer_that_is_killed_can_be_followed_by_another() {
    if let Some(dir) = std::env::var_os(HALF) {
        // This is the child process.
        let writer = create(Path::new(&dir)).unwrap();
        writer.write_values(0, 0, &[1.0; 100_000]).unwrap();
        println!("half of it is written");
        loop {
            std::thread::park();
        }
    }
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let weights = StateDict::from([("old".to_owned(), Tensor { shape: vec![1], data: Arc::new(vec![7.0]) })]);
    ModelDirectory::new(json!({}), &weights).write(&dir).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["a_writer_that_is_killed_can_be_followed_by_another", "--exact", "--nocapture"])
        .env(HALF, &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let mut stdout = child.stdout.take().unwrap();
    while !seen.contains("half of it is written") {
        let mut bytes = [0; 256];
        let length = stdout.read(&mut bytes).unwrap();
        assert!(length > 0, "the child ended: {seen}");
        seen += &String::from_utf8_lossy(&bytes[..length]);
    }
    assert!(matches!(create(&dir), Err(CheckpointError::Busy { .. })));
    // SIGKILL: nothing in the child runs anymore.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(Checkpoint::open(&dir).unwrap().state_dict().unwrap(), weights);
    assert!(parent.path().join(".model.partial").is_dir());

    let writer = create(&dir).unwrap();
    for tensor in 0..2 {
        writer.write_values(tensor, 0, &[2.0; 100_000]).unwrap();
    }
    writer.finish(&json!({}), &Default::default()).unwrap();
    let data = Checkpoint::open(&dir).unwrap().tensor("a").unwrap().data;
    assert!(data.iter().all(|&value| value == 2.0), "nothing of the first writer is left");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_in_which_nothing_can_be_made_is_named() {
    // Not even by root.
    let error = create(Path::new("/proc/model")).unwrap_err();
    assert!(matches!(&error, CheckpointError::Io { path, .. } if path == Path::new("/proc")), "{error}");
}
