//! A hash of the source code of some crates, for build scripts: what is cached under it is never older than that code.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Sets the compile-time variable `name` to the hash of Cargo.lock, of the sources of `crates` without tests, and of single
/// `more` files, whose paths begin at the crates folder.
pub fn emit(name: &str, crates: &[&str], more: &[String]) {
    // Of the crate that is being built now: another checkout may have left this program in the target folder.
    let manifest = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate lies");
    let folder = Path::new(&manifest).parent().expect("the crates folder").to_path_buf();
    let mut files = vec![folder.parent().expect("the workspace").join("Cargo.lock")];
    for name in crates {
        let source = folder.join(name).join("src");
        println!("cargo::rerun-if-changed={}", source.display());
        collect(&source, &mut files);
    }
    for path in more {
        let file = folder.join(path);
        assert!(file.is_file(), "{} is listed and is not there", file.display());
        println!("cargo::rerun-if-changed={}", file.display());
        files.push(file);
    }
    println!("cargo::rerun-if-changed={}", files[0].display());
    files[1..].sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env={name}={digest}");
}

/// All Rust files below `folder` but tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
            files.push(path);
        }
    }
}
