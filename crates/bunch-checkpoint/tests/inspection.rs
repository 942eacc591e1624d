//! An inspection finds everything that is wrong, and nothing where nothing is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bunch_checkpoint::{
    Checkpoint, CheckpointError, Dtype, Inspection, ModelDirectory, StateDict, Tensor, inspect_directory,
};
use proptest::prelude::*;
use serde_json::json;

const FIRST: &str = "model-00001-of-00003.safetensors";
const SECOND: &str = "model-00002-of-00003.safetensors";
const THIRD: &str = "model-00003-of-00003.safetensors";

/// A model of three shards with one tensor of four values each.
fn model() -> (tempfile::TempDir, PathBuf) {
    static FILES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        let tensor = |value: f32| Tensor { shape: vec![2, 2], data: Arc::new(vec![value; 4]) };
        let weights: StateDict = ["a", "b", "c"].map(|name| (name.to_owned(), tensor(1.0))).into();
        let model =
            ModelDirectory { max_shard_size: 8, dtype: Dtype::BF16, ..ModelDirectory::new(json!({}), &weights) };
        model.write(&dir).unwrap();
        let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
    });
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in &*FILES {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let path = dir.path().to_path_buf();
    (dir, path)
}

fn messages(inspection: &Inspection) -> Vec<String> {
    inspection.problems.iter().map(ToString::to_string).collect()
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn a_model_in_order_has_no_problems() {
    let (_parent, dir) = model();
    let inspection = inspect_directory(&dir);
    assert_eq!(messages(&inspection), [""; 0]);
    assert_eq!((inspection.tensors, inspection.parameters), (3, 12));
    let names: Vec<&str> = inspection.shards.iter().map(|shard| shard.name.as_str()).collect();
    assert_eq!(names, [FIRST, SECOND, THIRD]);
    for shard in &inspection.shards {
        assert_eq!(shard.bytes, fs::metadata(dir.join(&shard.name)).unwrap().len());
        assert_eq!((shard.tensors, &shard.dtypes), (1, &BTreeMap::from([("BF16".to_owned(), 1)])));
    }
}

#[test]
fn all_problems_of_all_files_are_found() {
    let (_parent, dir) = model();
    fs::write(dir.join("config.json"), "[]").unwrap();
    fs::remove_file(dir.join(FIRST)).unwrap();
    let bytes = fs::read(dir.join(SECOND)).unwrap();
    fs::write(dir.join(SECOND), &bytes[..bytes.len() - 3]).unwrap();
    // A hole before `c`, a stranger, an overlap, a wrong size and bytes behind them all.
    let header = r#"{"c":{"dtype":"BF16","shape":[4],"data_offsets":[4,12]},
        "x":{"dtype":"F32","shape":[1],"data_offsets":[10,14]},
        "y":{"dtype":"I64","shape":[1],"data_offsets":[14,15]}}"#;
    fs::write(dir.join(THIRD), safetensors(header, 20)).unwrap();

    let inspection = inspect_directory(&dir);
    let found = messages(&inspection);
    let expected = [
        "config.json: expected a JSON object",
        "shard model-00001-of-00003.safetensors is missing",
        "model-00002-of-00003.safetensors: truncated",
        "a hole before tensor `c`: expected it to begin at 0, got 4",
        "tensor `x` overlaps the one before it: expected to begin at 12, got 10",
        "tensor `y` of shape [1] and dtype I64 is expected to end at 22, got 15",
        "bytes behind the last tensor",
        "tensor `x` of model-00003-of-00003.safetensors is not in the index",
        "tensor `y` of model-00003-of-00003.safetensors is not in the index",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}\n{expected}");
    }
    assert_eq!(inspection.shards.len(), 2);
    assert_eq!(inspection.tensors, 4);
}

#[test]
fn unknown_dtypes_are_all_named_without_a_flood_of_others() {
    let (_parent, dir) = model();
    let header = r#"{"b":{"dtype":"F31","shape":[4],"data_offsets":[0,8]},
        "d":{"dtype":"F33","shape":[4],"data_offsets":[8,16]}}"#;
    fs::write(dir.join(SECOND), safetensors(header, 16)).unwrap();
    let inspection = inspect_directory(&dir);
    let found = messages(&inspection);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("entry `b`: unknown variant `F31`"), "{found:#?}");
    assert!(found[1].contains("entry `d`: unknown variant `F33`"), "{found:#?}");
}

#[test]
fn a_tensor_in_two_files_is_named_and_counts_once() {
    let (_parent, dir) = model();
    fs::copy(dir.join(FIRST), dir.join(SECOND)).unwrap();
    let inspection = inspect_directory(&dir);
    assert!(
        matches!(&inspection.problems[..], [
            CheckpointError::DuplicateTensor { tensor: first, .. },
            CheckpointError::TensorNotInShard { tensor: second, .. },
        ] if first == "a" && second == "b"),
        "{:#?}",
        inspection.problems
    );
    assert_eq!(inspection.tensors, 2);
}

#[test]
fn without_weights_that_is_the_problem() {
    let dir = tempfile::tempdir().unwrap();
    let inspection = inspect_directory(dir.path());
    assert!(matches!(&inspection.problems[..], [CheckpointError::Io { .. }, CheckpointError::NoWeights { .. }]));
    let inspection = inspect_directory(&dir.path().join("nowhere"));
    assert!(inspection.shards.is_empty() && !inspection.problems.is_empty());
}

/// Files of a model, changed at random.
fn change(dir: &Path, file: usize, at: prop::sample::Index, value: u8, cut: Option<prop::sample::Index>) {
    let names = [FIRST, SECOND, THIRD, "model.safetensors.index.json", "config.json"];
    let path = dir.join(names[file]);
    let mut bytes = fs::read(&path).unwrap();
    if bytes.is_empty() {
        return;
    }
    let at = at.index(bytes.len());
    bytes[at] = value;
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    fs::write(&path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_directory_can_be_opened_exactly_if_nothing_is_wrong(
        changes in prop::collection::vec(
            (0_usize..5, any::<prop::sample::Index>(), any::<u8>(), prop::option::weighted(0.1, any::<prop::sample::Index>())),
            1..4,
        ),
    ) {
        let (_parent, dir) = model();
        for (file, at, value, cut) in changes {
            change(&dir, file, at, value, cut);
        }
        let inspection = inspect_directory(&dir);
        let opened = Checkpoint::open(&dir);
        prop_assert_eq!(opened.is_ok(), inspection.problems.is_empty(), "{:?} {:?}", opened, inspection.problems);
        if let Ok(checkpoint) = opened {
            for name in checkpoint.names() {
                let raw = checkpoint.raw_reader(name).unwrap();
                raw.read_bytes(0, &mut vec![0; raw.byte_length()]).unwrap();
            }
        }
    }
}
