//! Lists the task files of `data/tasks`, so that a new task is one file.

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let folder = Path::new(&root).join("../../data/tasks");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder's entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let entries: Vec<_> = files
        .iter()
        .map(|path| {
            let path = path.canonicalize().expect("a file that exists");
            let name = path.file_name().expect("a file's name").to_string_lossy().into_owned();
            format!("({name:?}, include_str!({:?}))", path.display().to_string())
        })
        .collect();
    let list = format!("&[{}]", entries.join(", "));
    let out = Path::new(&std::env::var("OUT_DIR").expect("cargo names the output's folder")).join("task_files.rs");
    std::fs::write(&out, list).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}
