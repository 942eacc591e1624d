//! Broken directories are errors that name what is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, CheckpointError, ModelDirectory, StateDict, Tensor, UnreadableModel};
use serde_json::json;

const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

fn weights() -> StateDict {
    let tensor = |value: f32| Tensor { shape: vec![2], data: Arc::new(vec![value; 2]) };
    StateDict::from([("a".to_owned(), tensor(1.0)), ("b".to_owned(), tensor(2.0))])
}

/// A model with tensor `a` in the first and `b` in the second shard.
struct Sharded {
    _parent: tempfile::TempDir,
    dir: PathBuf,
}

impl Sharded {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        ModelDirectory { max_shard_size: 8, ..ModelDirectory::new(json!({}), &weights()) }.write(&dir).unwrap();
        assert_eq!(Checkpoint::open(&dir).unwrap().state_dict().unwrap(), weights());
        Self { _parent: parent, dir }
    }

    fn set_index(&self, weight_map: serde_json::Value) {
        let index = json!({ "metadata": {}, "weight_map": weight_map });
        fs::write(self.dir.join(INDEX), index.to_string()).unwrap();
    }

    fn error(&self) -> CheckpointError {
        Checkpoint::open(&self.dir).expect_err("the directory is broken")
    }
}

#[test]
fn a_missing_or_broken_config_is_named() {
    let model = Sharded::new();
    for (text, expected) in [("{", "EOF"), ("[1]", "expected a JSON object, got [1]"), ("{\"a\": NaN}", "line 1")] {
        fs::write(model.dir.join("config.json"), text).unwrap();
        let message = model.error().to_string();
        assert!(message.contains(expected) && message.contains("config.json"), "{message}");
    }
    fs::remove_file(model.dir.join("config.json")).unwrap();
    let message = model.error().to_string();
    assert!(message.contains("config.json: No such file"), "{message}");
}

#[test]
fn a_missing_shard_is_named() {
    let model = Sharded::new();
    fs::remove_file(model.dir.join(SECOND)).unwrap();
    assert!(matches!(model.error(), CheckpointError::MissingShard { shard, .. } if shard == SECOND));
}

#[test]
fn a_tensor_that_its_shard_does_not_hold_is_named() {
    let model = Sharded::new();
    model.set_index(json!({ "a": FIRST, "b": SECOND, "c": SECOND }));
    let error = model.error();
    assert!(
        matches!(&error, CheckpointError::TensorNotInShard { tensor, shard, .. } if tensor == "c" && shard == SECOND),
        "{error}"
    );
    // Both are there, but not where the index says.
    model.set_index(json!({ "a": SECOND, "b": FIRST }));
    let error = model.error();
    assert!(
        matches!(&error, CheckpointError::TensorNotInShard { tensor, shard, .. } if tensor == "a" && shard == SECOND),
        "{error}"
    );
}

#[test]
fn a_tensor_that_the_index_does_not_know_is_named() {
    let model = Sharded::new();
    let first = Sharded::new();
    // The second shard now holds the tensors `a` and `b`; the index knows `b` alone.
    let both = first.dir.with_file_name("both");
    ModelDirectory::new(json!({}), &weights()).write(&both).unwrap();
    fs::copy(both.join("model.safetensors"), model.dir.join(SECOND)).unwrap();
    model.set_index(json!({ "b": SECOND }));
    let error = model.error();
    assert!(
        matches!(&error, CheckpointError::TensorNotInIndex { tensor, shard, .. } if tensor == "a" && shard == SECOND),
        "{error}"
    );
}

#[test]
fn a_tensor_in_two_shards_is_named_with_both() {
    let model = Sharded::new();
    fs::copy(model.dir.join(FIRST), model.dir.join(SECOND)).unwrap();
    let error = model.error();
    assert!(
        matches!(&error, CheckpointError::DuplicateTensor { tensor, first, second }
            if tensor == "a" && first.ends_with(FIRST) && second.ends_with(SECOND)),
        "{error}"
    );
}

#[test]
fn a_truncated_shard_is_named() {
    let model = Sharded::new();
    let path = model.dir.join(SECOND);
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = model.error();
        assert!(
            matches!(&error, CheckpointError::Truncated { path: named, got, expected }
                if *named == path && *got == length as u64 && *expected <= bytes.len() as u64 && expected > got),
            "{error}"
        );
    }
    fs::write(&path, [bytes.as_slice(), b"x"].concat()).unwrap();
    assert!(matches!(model.error(), CheckpointError::TrailingBytes { path: named, .. } if named == path));
}

#[test]
fn an_index_that_is_broken_or_leads_elsewhere_is_an_error() {
    let model = Sharded::new();
    for name in ["../model/model-00001-of-00002.safetensors", "..", "", "/etc/passwd", "a\\b"] {
        model.set_index(json!({ "a": name, "b": SECOND }));
        assert!(
            matches!(model.error(), CheckpointError::Unreadable(UnreadableModel::ShardElsewhere { shard, .. }) if shard == name)
        );
    }
    for text in [
        "{}".to_owned(),
        "[]".to_owned(),
        r#"{"weight_map": {"a": 1}}"#.to_owned(),
        format!(r#"{{"weight_map": {{"a": "{FIRST}", "b": "{SECOND}", "a": "{FIRST}"}}}}"#),
    ] {
        fs::write(model.dir.join(INDEX), &text).unwrap();
        let error = model.error();
        assert!(matches!(&error, CheckpointError::Json { path, .. } if path.ends_with(INDEX)), "{text} {error}");
    }
}

#[test]
fn weights_that_are_not_there_or_not_unique_are_an_error() {
    let model = Sharded::new();
    fs::copy(model.dir.join(FIRST), model.dir.join("model.safetensors")).unwrap();
    assert!(
        matches!(model.error(), CheckpointError::AmbiguousWeights { files, .. } if files == ["model.safetensors", INDEX])
    );
    fs::remove_file(model.dir.join("model.safetensors")).unwrap();
    fs::remove_file(model.dir.join(INDEX)).unwrap();
    assert!(matches!(
        model.error(),
        CheckpointError::Unreadable(UnreadableModel::MissingIndex { files, .. }) if files == [FIRST, SECOND]
    ));
    fs::remove_file(model.dir.join(FIRST)).unwrap();
    fs::remove_file(model.dir.join(SECOND)).unwrap();
    assert!(matches!(model.error(), CheckpointError::NoWeights { dir } if dir == model.dir));
}

/// Writes what must fail, and checks that this left nothing behind.
fn write_error(model: &ModelDirectory<'_>) -> CheckpointError {
    let parent = tempfile::tempdir().unwrap();
    let error = model.write(&parent.path().join("model")).expect_err("the model cannot be written");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    error
}

fn model_with_file<'a>(weights: &'a StateDict, name: &str) -> ModelDirectory<'a> {
    ModelDirectory {
        files: BTreeMap::from([(name.to_owned(), b"content".to_vec())]),
        ..ModelDirectory::new(json!({}), weights)
    }
}

#[test]
fn file_names_must_be_plain_and_free() {
    let weights = weights();
    for name in ["../outside", "a/b", "/etc/passwd", "..", ".", "", "a\\b", "a\0b"] {
        let error = write_error(&model_with_file(&weights, name));
        assert!(matches!(&error, CheckpointError::FileName { name: named } if named == name), "{error}");
    }
    for name in ["config.json", "model.safetensors", "model-00001-of-00002.safetensors", INDEX] {
        let error = write_error(&model_with_file(&weights, name));
        assert!(matches!(&error, CheckpointError::ReservedFileName { name: named } if named == name), "{error}");
    }
}

#[test]
fn models_that_cannot_be_read_back_are_not_written() {
    let error = write_error(&ModelDirectory::new(json!([]), &weights()));
    assert!(matches!(error, CheckpointError::Config { .. }), "{error}");

    let short = StateDict::from([("a".to_owned(), Tensor { shape: vec![3], data: Arc::new(vec![0.0; 2]) })]);
    let error = write_error(&ModelDirectory::new(json!({}), &short));
    assert_eq!(error.to_string(), "tensor `a` of shape [3]: 2 values do not fill the shape");
    let huge = StateDict::from([("a".to_owned(), Tensor { shape: vec![usize::MAX, 2], data: Arc::new(Vec::new()) })]);
    let error = write_error(&ModelDirectory::new(json!({}), &huge));
    assert!(matches!(error, CheckpointError::TensorLength { .. }), "{error}");

    let named = StateDict::from([("__metadata__".to_owned(), Tensor { shape: vec![], data: Arc::new(vec![0.0]) })]);
    let error = write_error(&ModelDirectory::new(json!({}), &named));
    assert!(matches!(error, CheckpointError::ReservedTensorName { .. }), "{error}");
}

#[test]
fn a_failure_after_the_weights_names_the_file_and_leaves_nothing() {
    // Longer than any file system allows, and written last.
    let name = "x".repeat(300);
    let error = write_error(&model_with_file(&weights(), &name));
    assert!(matches!(&error, CheckpointError::Io { path, .. } if path.ends_with(&name)), "{error}");
}

#[test]
fn an_existing_directory_is_an_error_unless_it_is_a_model_to_be_replaced() {
    let model = Sharded::new();
    let weights = weights();
    let mut new = ModelDirectory::new(json!({ "new": true }), &weights);
    assert!(matches!(new.write(&model.dir), Err(CheckpointError::AlreadyExists { dir }) if dir == model.dir));
    assert!(model.dir.join(INDEX).is_file());
    // Renaming would succeed here, but it is somebody's directory.
    let empty = model.dir.with_file_name("empty");
    fs::create_dir(&empty).unwrap();
    assert!(matches!(new.write(&empty), Err(CheckpointError::AlreadyExists { dir }) if dir == empty));
    fs::remove_dir(&empty).unwrap();

    new.replace = true;
    let open_before = Checkpoint::open(&model.dir).unwrap();
    new.write(&model.dir).unwrap();
    let checkpoint = Checkpoint::open(&model.dir).unwrap();
    assert_eq!(checkpoint.config()["new"], true);
    assert!(!model.dir.join(INDEX).exists());
    assert_eq!(names(model.dir.parent().unwrap()), ["model"]);
    // What was open stays readable.
    assert_eq!(open_before.state_dict().unwrap(), weights);

    let other = model.dir.with_file_name("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.tex"), "years of work").unwrap();
    assert!(matches!(new.write(&other), Err(CheckpointError::NotAModelDirectory { dir }) if dir == other));
    assert!(other.join("thesis.tex").is_file());
}

#[test]
fn a_failed_replacement_leaves_the_old_model() {
    let model = Sharded::new();
    let weights = weights();
    let new = ModelDirectory { replace: true, ..model_with_file(&weights, &"x".repeat(300)) };
    new.write(&model.dir).unwrap_err();
    assert!(model.dir.join(INDEX).is_file());
    assert_eq!(Checkpoint::open(&model.dir).unwrap().state_dict().unwrap(), weights);
    assert_eq!(names(model.dir.parent().unwrap()), ["model"]);
}

#[test]
fn a_missing_parent_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("missing");
    let error = ModelDirectory::new(json!({}), &weights()).write(&missing.join("model")).unwrap_err();
    assert!(matches!(&error, CheckpointError::Io { path, .. } if *path == missing), "{error}");
    assert!(!missing.exists());
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
