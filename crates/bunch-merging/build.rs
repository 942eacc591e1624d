//! Hashes the source code of each merge method, so that what is cached of a merge is never older than the code that would
//! compute it, and a new method makes nothing stale that others computed.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What computes nothing: the list of methods, their documentation.
const ELSEWHERE: [&str; 3] = ["src/methods.rs", "src/docs.rs", "src/lib.rs"];

fn main() {
    println!("cargo::rerun-if-changed=src");
    let manifest = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate lies");
    let folder = Path::new(&manifest);
    let files = |of: &str| {
        let mut files = Vec::new();
        collect(&folder.join(of), &mut files);
        files.sort();
        files
    };
    let elsewhere = |file: &PathBuf| ELSEWHERE.iter().any(|path| file.starts_with(folder.join(path)));
    let methods = files("src/methods");
    let shared: Vec<PathBuf> = files("src").into_iter().filter(|file| !elsewhere(file)).collect();
    let shared: Vec<&PathBuf> = shared.iter().filter(|file| !methods.contains(file)).collect();
    let of_method = |method: &PathBuf| {
        let inside = method.with_extension("");
        let own = methods.iter().filter(move |file| *file == method || file.starts_with(&inside));
        digest(shared.iter().copied().chain(own))
    };
    for method in methods.iter().filter(|file| file.parent() == Some(&folder.join("src/methods"))) {
        check_independence(method);
        let name = method.file_stem().expect("a file").to_string_lossy();
        println!("cargo::rustc-env=BUNCH_METHOD_CODE_{name}={}", of_method(method));
    }
}

/// A method that used another one's file would change with it, and its hash would not.
fn check_independence(method: &Path) {
    let source = fs::read_to_string(method).unwrap_or_default();
    let borrows = |line: &&str| line.starts_with("use super::") || line.contains("crate::methods::");
    if let Some(line) = source.lines().find(borrows) {
        panic!("{}: `{line}`: move what methods share out of the folder of methods", method.display());
    }
}

fn digest<'a>(files: impl Iterator<Item = &'a PathBuf>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        let source = fs::read_to_string(file).unwrap_or_default();
        // Comments compute nothing.
        let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        hash.update((code.len() as u64).to_le_bytes());
        hash.update(code);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
