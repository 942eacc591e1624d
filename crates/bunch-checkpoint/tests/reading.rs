//! Tensors are read in full or in parts, by any number of threads, and a file that changes is noticed.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use bunch_checkpoint::{
    Checkpoint, CheckpointError, Dtype, ModelDirectory, StateDict, Tensor, TensorReader, UnreadableModel,
    count_non_finite,
};
use proptest::prelude::*;
use serde_json::json;

/// A model of one tensor, longer than what is read at a time.
fn write(dir: &Path, dtype: Dtype, length: usize) -> Arc<Vec<f32>> {
    let values: Vec<f32> = (0..length).map(|i| (i % 2048) as f32 * 0.25 - 100.0).collect();
    let data = Arc::new(values);
    let weights = StateDict::from([("w".to_owned(), Tensor { shape: vec![length], data: Arc::clone(&data) })]);
    ModelDirectory { dtype, ..ModelDirectory::new(json!({}), &weights) }.write(dir).unwrap();
    data
}

/// Writes a safetensors file of one tensor and a config.json.
fn write_raw(dir: &Path, dtype: &str, shape: &[usize], bytes: &[u8]) {
    let header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, bytes.len());
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), bytes].concat();
    fs::write(dir.join("model.safetensors"), file).unwrap();
    fs::write(dir.join("config.json"), "{}").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_range_has_its_values(
        dtype in prop::sample::select(vec![Dtype::F32, Dtype::F16, Dtype::BF16]),
        length in 0_usize..100_000,
        start in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        write(&dir, dtype, length);
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let whole = checkpoint.tensor("w").unwrap();
        let reader = checkpoint.reader("w").unwrap();
        prop_assert_eq!((reader.len(), reader.shape(), reader.dtype()), (length, &[length][..], dtype));
        let (start, end) = (start.index(length + 1), end.index(length + 1));
        let mut part = vec![f32::NAN; end.saturating_sub(start)];
        reader.read(start, &mut part).unwrap();
        prop_assert_eq!(&part, &whole.data[start..][..part.len()]);
        let mut bytes = vec![0; part.len() * dtype.size()];
        reader.read_bytes(start * dtype.size(), &mut bytes).unwrap();
        prop_assert_eq!(dtype.decode(&bytes), part);
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    write(&dir, Dtype::BF16, 10);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let reader = checkpoint.reader("w").unwrap();
    for (start, count) in [(0, 11), (10, 1), (11, 0), (usize::MAX, 1), (usize::MAX, 0)] {
        let error = reader.read(start, &mut vec![0.0; count]).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::OutOfRange { tensor, length: 10, .. } if tensor == "w"),
            "{start} {count} {error}"
        );
    }
    for (start, count) in [(0, 21), (20, 1), (usize::MAX, 1)] {
        assert!(matches!(
            reader.read_bytes(start, &mut vec![0; count]),
            Err(CheckpointError::OutOfRange { length: 20, .. })
        ));
    }
    assert!(matches!(checkpoint.reader("v"), Err(CheckpointError::TensorNotFound { tensor, .. }) if tensor == "v"));
    assert_eq!(checkpoint.stored_dtype("v"), None);
}

#[test]
fn tensors_of_other_dtypes_can_be_copied() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..48).collect();
    for (dtype, shape) in [("I64", vec![2, 3]), ("F8_E4M3", vec![48]), ("F4", vec![96]), ("BOOL", vec![4, 12])] {
        write_raw(dir.path(), dtype, &shape, &bytes);
        let checkpoint = Checkpoint::open(dir.path()).unwrap();
        assert_eq!(checkpoint.stored_dtype("w"), Some(dtype));
        assert!(checkpoint.info("w").is_none());
        let error = checkpoint.reader("w").unwrap_err();
        assert!(matches!(&error, CheckpointError::UnsupportedDtype { dtype: named, .. } if named == dtype), "{error}");
        let raw = checkpoint.raw_reader("w").unwrap();
        assert_eq!((raw.shape(), raw.stored_dtype(), raw.byte_length()), (&shape[..], dtype, 48));
        let mut part = [0; 20];
        raw.read_bytes(9, &mut part).unwrap();
        assert_eq!(part, bytes[9..29]);
    }
}

#[test]
fn many_threads_read_the_same_tensor() {
    fn assert_shareable<T: Copy + Send + Sync>(_: T) {}
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    write(&dir, Dtype::F16, 200_000);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let whole = checkpoint.tensor("w").unwrap();
    let reader: TensorReader<'_> = checkpoint.reader("w").unwrap();
    assert_shareable(reader);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let whole = &whole;
            scope.spawn(move || {
                for i in 0..20 {
                    let start = (thread * 7919 + i * 104_729) % 150_000;
                    let mut part = vec![0.0; 40_000];
                    reader.read(start, &mut part).unwrap();
                    assert_eq!(part, whole.data[start..][..40_000]);
                }
            });
        }
    });
}

#[test]
fn a_file_that_is_shortened_while_it_is_read_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    write(&dir, Dtype::F32, 10_000);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    checkpoint.check_unchanged().unwrap();
    let path = dir.join("model.safetensors");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(20_000).unwrap();
    let message = checkpoint.tensor("w").unwrap_err().to_string();
    let expected = format!("{}: tensor `w`: the file was shortened while it was read", path.display());
    assert!(message.starts_with(&expected), "{message}");
    // The beginning can still be read, which is why it has to be asked.
    let mut values = [0.0; 100];
    checkpoint.reader("w").unwrap().read(0, &mut values).unwrap();
    assert!(matches!(checkpoint.check_unchanged(), Err(CheckpointError::Changed { path: named, .. }) if named == path));
}

#[test]
fn a_file_that_was_changed_replaced_or_removed_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let path = dir.join("model.safetensors");
    write(&dir, Dtype::F32, 10);

    let checkpoint = Checkpoint::open(&dir).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(modified + std::time::Duration::from_micros(1)).unwrap();
    let error = checkpoint.check_unchanged().unwrap_err();
    assert!(matches!(&error, CheckpointError::Changed { expected, got, .. } if expected != got), "{error}");

    if cfg!(unix) {
        // Another file of the same size and time.
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let copy = dir.join("copy");
        fs::copy(&path, &copy).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
        fs::rename(&copy, &path).unwrap();
        assert!(matches!(checkpoint.check_unchanged(), Err(CheckpointError::Changed { .. })));
    }

    let checkpoint = Checkpoint::open(&dir).unwrap();
    fs::remove_file(&path).unwrap();
    let error = checkpoint.check_unchanged().unwrap_err();
    assert!(matches!(&error, CheckpointError::Io { path: named, .. } if *named == path), "{error}");
}

#[test]
fn values_that_are_not_finite_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    // More values than are looked at together.
    let mut words = vec![0x3f80_u16; 600_000];
    for i in [0, 262_143, 262_144, 599_999] {
        words[i] = 0x7fc0;
    }
    words[77] = 0x7f80;
    words[300_000] = 0xff80;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    write_raw(dir.path(), "BF16", &[600, 1000], &bytes);
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(count_non_finite(checkpoint.reader("w").unwrap()).unwrap(), (4, 2));
    write_raw(dir.path(), "BF16", &[0, 1000], &[]);
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(count_non_finite(checkpoint.reader("w").unwrap()).unwrap(), (0, 0));
}

#[test]
fn pickles_are_not_read_and_the_error_says_how_to_convert_them() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    fs::write(dir.path().join("pytorch_model-00001-of-00002.bin"), "x").unwrap();
    fs::write(dir.path().join("pytorch_model-00002-of-00002.bin"), "x").unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::Unreadable(UnreadableModel::PickledWeights { files, .. }) if files.len() == 2),
        "{error}"
    );
    assert!(error.to_string().contains("save_pretrained(NEW, safe_serialization=True)"), "{error}");
}
