//! Directories that are written tensor by tensor.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Barrier;

use bunch_checkpoint::{
    Checkpoint, CheckpointError, CheckpointWriter, Dtype, StoredDtype, TensorLayout, WriterOptions,
};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use serde_json::json;

fn layout(name: &str, shape: &[usize], dtype: &str) -> TensorLayout {
    let dtype = StoredDtype::from_name(dtype).unwrap();
    TensorLayout { name: name.to_owned(), shape: shape.to_vec(), dtype }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder, and the directory in it that is to be written.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    (parent, dir)
}

#[test]
fn mixed_dtypes_come_in_the_order_of_safetensors_own_writer() {
    let (parent, dir) = folder();
    let layouts = [("b", "F16"), ("a", "BF16"), ("d", "I64"), ("c", "F32"), ("e", "F16"), ("f", "U8"), ("g", "F32")];
    let tensors: Vec<TensorLayout> = layouts.iter().map(|(name, dtype)| layout(name, &[2, 4], dtype)).collect();
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .enumerate()
        .map(|(i, tensor)| (0..tensor.dtype.bits()).map(|byte| (i * 64 + byte) as u8).collect())
        .collect();
    let writer = CheckpointWriter::create(&dir, tensors.clone(), WriterOptions::default()).unwrap();
    assert_eq!(writer.layout(), tensors);
    for i in [3, 1, 6, 0, 2, 5, 4] {
        writer.write_bytes(i, 0, &data[i]).unwrap();
    }
    let config = json!({ "zebra": 1, "torch_dtype": "as it is", "ant": [1] });
    writer.finish(&config, &BTreeMap::from([("tokenizer.json".to_owned(), b"{}".to_vec())])).unwrap();

    let views = layouts.iter().zip(&data).map(|((name, dtype), data)| {
        let dtype: safetensors::Dtype = serde_json::from_value((*dtype).into()).unwrap();
        (*name, TensorView::new(dtype, vec![2, 4], data).unwrap())
    });
    #[expect(clippy::disallowed_types, reason = "what safetensors takes; one entry has no order")]
    let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let reference = safetensors::serialize(views, Some(format)).unwrap();
    assert_eq!(fs::read(dir.join("model.safetensors")).unwrap(), reference);
    let text = fs::read_to_string(dir.join("config.json")).unwrap();
    assert_eq!(text, "{\n  \"zebra\": 1,\n  \"torch_dtype\": \"as it is\",\n  \"ant\": [\n    1\n  ]\n}\n");
    assert_eq!(names(&dir), ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(names(parent.path()), ["model"]);
}

#[test]
fn shards_are_filled_in_the_given_order() {
    let (_parent, dir) = folder();
    // 8 + 8 bytes fill a shard; the large one is alone; the empty one fits anywhere.
    let tensors = vec![
        layout("z", &[4], "BF16"),
        layout("m", &[2], "F32"),
        layout("a", &[9], "BF16"),
        layout("empty", &[0, 3], "F32"),
    ];
    let options = WriterOptions { max_shard_size: 16, replace: false };
    let writer = CheckpointWriter::create(&dir, tensors, options).unwrap();
    writer.write_values(2, 0, &[1.0; 9]).unwrap();
    writer.write_values(0, 2, &[3.0, 4.0]).unwrap();
    writer.write_values(0, 0, &[1.0, 2.0]).unwrap();
    writer.write_values(1, 0, &[5.0, 6.0]).unwrap();
    writer.finish(&json!({}), &BTreeMap::new()).unwrap();
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("model.safetensors.index.json")).unwrap()).unwrap();
    let shard = |i: usize| format!("model-0000{i}-of-00003.safetensors");
    assert_eq!(
        index,
        json!({
            "metadata": { "total_size": 34 },
            "weight_map": { "a": shard(2), "empty": shard(3), "m": shard(1), "z": shard(1) },
        })
    );
    let checkpoint = Checkpoint::open(&dir).unwrap();
    assert_eq!(*checkpoint.tensor("z").unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(*checkpoint.tensor("m").unwrap().data, [5.0, 6.0]);
}

#[test]
fn many_threads_write_parts_of_all_tensors() {
    let (_parent, dir) = folder();
    const LENGTH: usize = 200_000;
    const PART: usize = 3_333;
    let dtypes = ["F32", "BF16", "F16", "BF16"];
    let value = |tensor: usize, i: usize| (tensor * 64 + i % 61) as f32;
    let tensors: Vec<TensorLayout> =
        dtypes.iter().enumerate().map(|(i, dtype)| layout(&format!("t{i}"), &[LENGTH], dtype)).collect();
    let options = WriterOptions { max_shard_size: 900_000, replace: false };
    let writer = CheckpointWriter::create(&dir, tensors, options).unwrap();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (writer, barrier) = (&writer, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let parts = (0..dtypes.len()).flat_map(|tensor| (0..LENGTH).step_by(PART).map(move |at| (tensor, at)));
                for (tensor, start) in parts.skip(thread).step_by(8) {
                    let values: Vec<f32> = (start..LENGTH.min(start + PART)).map(|i| value(tensor, i)).collect();
                    writer.write_values(tensor, start, &values).unwrap();
                }
            });
        }
    });
    writer.finish(&json!({}), &BTreeMap::new()).unwrap();
    let checkpoint = Checkpoint::open(&dir).unwrap();
    for tensor in 0..dtypes.len() {
        let read = checkpoint.tensor(&format!("t{tensor}")).unwrap();
        assert!(read.data.iter().enumerate().all(|(i, &got)| got == value(tensor, i)), "t{tensor}");
    }
}

#[test]
fn what_is_not_complete_cannot_be_finished() {
    let (parent, dir) = folder();
    let create = || {
        let tensors = vec![layout("a", &[4], "BF16"), layout("b", &[2], "F32")];
        CheckpointWriter::create(&dir, tensors, WriterOptions::default()).unwrap()
    };
    let writer = create();
    writer.write_values(1, 0, &[1.0, 2.0]).unwrap();
    writer.write_values(0, 0, &[1.0, 2.0, 3.0]).unwrap();
    let error = writer.finish(&json!({}), &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "tensor `a`: only 6 bytes were written of 8");
    assert!(names(parent.path()).is_empty());

    let writer = create();
    writer.write_values(1, 0, &[1.0, 2.0]).unwrap();
    let error = writer.write_values(1, 1, &[2.0]).unwrap_err();
    assert!(matches!(error, CheckpointError::WrittenTwice { expected: 8, got: 12, .. }), "{error}");
    for (tensor, start, count) in [(1, 0, 3), (1, 2, 1), (1, usize::MAX, 1), (0, usize::MAX / 2 + 1, 1)] {
        let error = writer.write_values(tensor, start, &vec![0.0; count]).unwrap_err();
        assert!(matches!(error, CheckpointError::OutOfRange { .. }), "{error}");
    }
    assert!(matches!(writer.write_values(2, 0, &[]), Err(CheckpointError::NoSuchLayout { index: 2, length: 2 })));
    assert_eq!(names(parent.path()), [".model.partial"]);
    drop(writer);
    assert!(names(parent.path()).is_empty());
}

#[test]
fn layouts_that_cannot_be_written_are_errors_that_leave_nothing() {
    let (parent, dir) = folder();
    let error = |tensors| CheckpointWriter::create(&dir, tensors, WriterOptions::default()).unwrap_err();
    let repeated = error(vec![layout("a", &[1], "F32"), layout("a", &[2], "F32")]);
    assert!(matches!(repeated, CheckpointError::RepeatedTensor { tensor } if tensor == "a"));
    let reserved = error(vec![layout("__metadata__", &[1], "F32")]);
    assert!(matches!(reserved, CheckpointError::ReservedTensorName { .. }));
    for (shape, dtype) in [(&[usize::MAX, 2][..], "U8"), (&[3], "F4")] {
        assert!(matches!(error(vec![layout("a", shape, dtype)]), CheckpointError::LayoutSize { .. }));
    }
    let huge = usize::MAX / 8 - 1;
    let too_much = error((0..9).map(|i| layout(&i.to_string(), &[huge], "U8")).collect());
    assert!(matches!(too_much, CheckpointError::LayoutSize { .. } | CheckpointError::Io { .. }), "{too_much}");
    assert!(names(parent.path()).is_empty());
}

#[test]
fn finite_values_that_overflow_are_errors_and_others_stay() {
    let (_parent, dir) = folder();
    let tensors = vec![layout("half", &[8], "F16"), layout("brain", &[8], "BF16"), layout("ids", &[1], "I64")];
    let writer = CheckpointWriter::create(&dir, tensors, WriterOptions::default()).unwrap();
    for (tensor, value) in [(0, 65520.0), (0, -1e30), (1, f32::MAX), (1, -f32::MAX)] {
        let error = writer.write_values(tensor, 0, &[0.0, value, 1e38]).unwrap_err();
        assert!(matches!(&error, CheckpointError::Overflow { value: named, .. } if *named == value), "{error}");
    }
    let error = writer.write_values(0, 0, &[65520.0]).unwrap_err();
    assert_eq!(error.to_string(), "tensor `half`: 6.552e4 is too large for float16");
    let error = writer.write_values(2, 0, &[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "tensor `ids`: values cannot be written as I64");

    let largest = [65519.996, f32::from_bits(0x7f7f_7fff)];
    for (tensor, largest) in largest.into_iter().enumerate() {
        let values = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, largest, -largest, 0.0, -0.0, 1.0];
        writer.write_values(tensor, 0, &values).unwrap();
    }
    writer.write_bytes(2, 0, &[0; 8]).unwrap();
    writer.finish(&json!({}), &BTreeMap::new()).unwrap();
    let checkpoint = Checkpoint::open(&dir).unwrap();
    for (name, largest) in [("half", 65504.0), ("brain", f32::from_bits(0x7f7f_0000))] {
        let values = checkpoint.tensor(name).unwrap().data;
        assert_eq!(values[..2], [f32::INFINITY, f32::NEG_INFINITY]);
        assert!(values[2].is_nan());
        assert_eq!(values[3..], [largest, -largest, 0.0, 0.0, 1.0]);
        assert!(values[6].is_sign_negative());
    }
}

#[test]
fn two_writers_of_the_same_directory_exclude_each_other() {
    let (parent, dir) = folder();
    let create = || CheckpointWriter::create(&dir, vec![layout("a", &[1], "F32")], WriterOptions::default());
    let first = create().unwrap();
    let error = create().unwrap_err();
    assert!(matches!(&error, CheckpointError::Busy { dir: busy, .. } if *busy == dir), "{error}");
    assert!(error.to_string().contains("is being written by another process"), "{error}");
    // The second one has not touched what the first has.
    first.write_values(0, 0, &[7.0]).unwrap();
    first.finish(&json!({}), &BTreeMap::new()).unwrap();
    assert_eq!(*Checkpoint::open(&dir).unwrap().tensor("a").unwrap().data, [7.0]);
    assert!(matches!(create(), Err(CheckpointError::AlreadyExists { .. })));
    assert_eq!(names(parent.path()), ["model"]);
}

#[test]
fn an_old_model_stays_until_the_new_one_is_complete() {
    let (parent, dir) = folder();
    let create = || {
        let options = WriterOptions { replace: true, ..Default::default() };
        CheckpointWriter::create(&dir, vec![layout("a", &[1], "F32")], options).unwrap()
    };
    let old = create();
    old.write_values(0, 0, &[1.0]).unwrap();
    old.finish(&json!({ "old": true }), &BTreeMap::new()).unwrap();

    let value = || Checkpoint::open(&dir).unwrap().tensor("a").unwrap().data[0];
    let new = create();
    new.write_values(0, 0, &[2.0]).unwrap();
    assert_eq!(value(), 1.0);
    drop(new);
    assert_eq!(value(), 1.0);
    assert_eq!(names(parent.path()), ["model"]);
    let new = create();
    new.write_values(0, 0, &[2.0]).unwrap();
    new.finish(&json!({}), &BTreeMap::new()).unwrap();
    assert_eq!(value(), 2.0);
    assert_eq!(names(parent.path()), ["model"]);

    // A directory that came into being meanwhile is not replaced unasked.
    let other = parent.path().join("other");
    let writer = CheckpointWriter::create(&other, vec![], WriterOptions::default()).unwrap();
    fs::create_dir(&other).unwrap();
    let error = writer.finish(&json!({}), &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, CheckpointError::AlreadyExists { dir } if *dir == other), "{error}");
    assert!(names(&other).is_empty());
    assert_eq!(names(parent.path()), ["model", "other"]);
}

#[test]
fn what_a_crash_has_left_is_cleared_or_moved_back() {
    let (parent, dir) = folder();
    let staging = parent.path().join(".model.partial");
    let create = |replace| {
        let options = WriterOptions { replace, ..Default::default() };
        CheckpointWriter::create(&dir, vec![layout("a", &[1], "F32")], options)
    };
    // Killed amid the weights.
    fs::create_dir_all(staging.join("new")).unwrap();
    fs::write(staging.join("lock"), "").unwrap();
    fs::write(staging.join("new").join("model.safetensors"), "half of it").unwrap();
    let writer = create(false).unwrap();
    writer.write_values(0, 0, &[1.0]).unwrap();
    writer.finish(&json!({ "old": true }), &BTreeMap::new()).unwrap();
    assert_eq!(names(parent.path()), ["model"]);

    // Killed after the new directory came to its place.
    fs::create_dir_all(staging.join("old").join("deep")).unwrap();
    drop(create(true).unwrap());
    assert_eq!(Checkpoint::open(&dir).unwrap().config()["old"], true);
    assert_eq!(names(parent.path()), ["model"]);

    // Killed between the two renames: the old model is the only one.
    fs::create_dir_all(staging.join("new")).unwrap();
    fs::rename(&dir, staging.join("old")).unwrap();
    assert!(matches!(create(false), Err(CheckpointError::AlreadyExists { .. })));
    assert_eq!(Checkpoint::open(&dir).unwrap().config()["old"], true);
    assert_eq!(names(parent.path()), ["model"]);
}

#[test]
fn a_folder_that_is_not_a_writer_s_is_not_removed() {
    let (parent, dir) = folder();
    let staging = parent.path().join(".model.partial");
    fs::write(&staging, "a file").unwrap();
    let create = || CheckpointWriter::create(&dir, vec![], WriterOptions::default());
    let error = create().unwrap_err();
    assert!(error.to_string().contains(".model.partial"), "{error}");
    assert_eq!(fs::read(&staging).unwrap(), b"a file");

    fs::remove_file(&staging).unwrap();
    fs::create_dir(&staging).unwrap();
    fs::write(staging.join("thesis.tex"), "years of work").unwrap();
    create().unwrap().finish(&json!({}), &BTreeMap::new()).unwrap();
    assert!(Checkpoint::open(&dir).is_ok());
    assert_eq!(names(&staging), ["thesis.tex"]);
}

#[test]
fn a_directory_without_a_name_of_its_own_is_an_error() {
    for dir in ["..", "/"] {
        let error = CheckpointWriter::create(Path::new(dir), vec![], WriterOptions::default()).unwrap_err();
        assert!(matches!(&error, CheckpointError::AlreadyExists { .. }), "{error}");
    }
}

#[test]
fn what_finish_would_refuse_can_be_asked_before() {
    let files = |name: &str| BTreeMap::from([(name.to_owned(), Vec::new())]);
    let check = |config, name| CheckpointWriter::check_files(Path::new("model"), &config, &files(name));
    assert!(check(json!({}), "tokenizer.json").is_ok());
    assert!(matches!(check(json!([]), "x"), Err(CheckpointError::Config { .. })));
    assert!(matches!(check(json!({}), "a/b"), Err(CheckpointError::FileName { .. })));
    assert!(matches!(check(json!({}), "x.safetensors"), Err(CheckpointError::ReservedFileName { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pieces_in_any_order_give_the_values_rounded_once(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        length in 1_usize..150_000,
        is_reversed in any::<bool>(),
        dtype in prop::sample::select(vec![Dtype::F32, Dtype::F16, Dtype::BF16]),
    ) {
        let values: Vec<f32> = (0..length).map(|i| (i as f32).sin() * 100.0).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).chain([0, length]).collect();
        cuts.sort();
        let mut pieces: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        if is_reversed {
            pieces.reverse();
        }
        let (_parent, dir) = folder();
        let tensors = vec![TensorLayout { name: "w".to_owned(), shape: vec![length], dtype: dtype.into() }];
        let writer = CheckpointWriter::create(&dir, tensors, WriterOptions::default()).unwrap();
        for (start, end) in pieces {
            writer.write_values(0, start, &values[start..end]).unwrap();
        }
        writer.finish(&json!({}), &BTreeMap::new()).unwrap();
        let mut expected = Vec::new();
        dtype.encode(&values, &mut expected);
        let file = fs::read(dir.join("model.safetensors")).unwrap();
        prop_assert_eq!(&file[file.len() - expected.len()..], expected);
    }
}
