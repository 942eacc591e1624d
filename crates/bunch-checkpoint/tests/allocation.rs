//! Lengths that a file claims do not make the reader ask for memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bunch_checkpoint::{Checkpoint, inspect_directory};

/// The largest single request so far, in bytes.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Opens what must be broken and checks that no request was larger than `limit` bytes.
fn check(path: &Path, limit: usize) {
    LARGEST.store(0, Ordering::Relaxed);
    let error = Checkpoint::open(path).err();
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(error.is_some());
    assert!(largest <= limit, "{largest} bytes for {}", error.unwrap());
    if path.is_dir() {
        inspect_directory(path);
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest <= limit, "{largest} bytes for an inspection");
    }
}

/// What the program needs anyway: paths, messages, the standard library's buffers.
const ELSE: usize = 4096;

// One test, because requests of another thread would count too.
#[test]
fn no_request_is_larger_than_the_file_allows() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    let weights = dir.path().join("model.safetensors");
    for length in [99_000_000_u64, 1 << 31, 1 << 60, u64::MAX] {
        fs::write(&weights, [&length.to_le_bytes()[..], b"{}"].concat()).unwrap();
        check(dir.path(), ELSE);
    }
    let entry =
        |shape: &str, end: &str| format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
    for (shape, end) in [
        ("[1152921504606846976]", "4611686018427387904"),
        ("[1152921504606846976,1152921504606846976]", "8"),
        ("[0]", "18446744073709551615"),
        ("[18446744073709551615]", "18446744073709551615"),
    ] {
        let header = entry(shape, end);
        fs::write(&weights, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()).unwrap();
        check(dir.path(), ELSE);
    }
    // Depth, and many small values: lists double when they grow, and a number takes 8 bytes instead of 2.
    for header in [
        "[".repeat(100_000),
        "{\"a\":".repeat(20_000),
        format!(r#"{{"__metadata__":{}"#, "[".repeat(100_000)),
        entry(&format!("[{}1]", "1,".repeat(50_000)), "1"),
        format!("{{{}", r#""a":{},"#.repeat(20_000)),
    ] {
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        fs::write(&weights, &file).unwrap();
        check(dir.path(), 8 * file.len() + ELSE);
    }
    fs::remove_file(&weights).unwrap();

    let index = dir.path().join("model.safetensors.index.json");
    for text in [
        "[".repeat(100_000),
        format!(r#"{{"metadata":{}"#, "[".repeat(100_000)),
        format!(r#"{{"metadata":[{}1],"weight_map":{{"a":"b"}}}}"#, "1,".repeat(50_000)),
        format!(r#"{{"weight_map":{{"{}":"b"}}}}"#, "a".repeat(100_000)),
    ] {
        fs::write(&index, &text).unwrap();
        check(dir.path(), 2 * text.len() + ELSE);
    }
    fs::remove_file(&index).unwrap();

    let gguf = dir.path().join("model.gguf");
    let golden = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/qwen2.gguf")).unwrap();
    // The counts of tensors and of metadata, and the length of the first key.
    for at in [8, 16, 24] {
        for length in [1_u64 << 20, 1 << 40, 1 << 60, u64::MAX] {
            let mut bytes = golden.clone();
            bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
            fs::write(&gguf, &bytes).unwrap();
            check(&gguf, 2 * bytes.len() + ELSE);
        }
    }
    for length in 0..200 {
        fs::write(&gguf, &golden[..length]).unwrap();
        check(&gguf, 2 * length + ELSE);
    }
}
