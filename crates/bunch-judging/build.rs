//! Embeds the judges, refusal lists and prompt sets of `data/`, so that each of them is one file there and nothing else.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Constants and the folders whose files they hold.
const FOLDERS: [(&str, &str); 4] = [
    ("JUDGES", "data/judges"),
    ("TEMPLATES", "data/judges/templates"),
    ("REFUSAL_LISTS", "data/judges/refusals"),
    ("PROMPT_SETS", "data/prompts"),
];

fn main() {
    let crate_folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder"));
    let root = crate_folder.join("../..");
    let mut code = String::new();
    for (constant, folder) in FOLDERS {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
        writeln!(code, "pub(crate) const {constant}: &[(&str, &str)] = &[").expect("written to memory");
        for path in files(&root.join(folder)) {
            let name = path.file_name().expect("a file").to_str().expect("a plain name");
            // The constant's key: a template is named with its ending, which says nothing of a table.
            let key = name.strip_suffix(".toml").unwrap_or(name);
            writeln!(code, "    ({key:?}, include_str!({:?})),", path.display()).expect("written to memory");
        }
        writeln!(code, "];").expect("written to memory");
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the output folder"));
    fs::write(out.join("builtin.rs"), code).expect("the output folder can be written");
}

/// The files in `folder`, by name, but for its README.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.is_file() && path.extension().is_none_or(|ending| ending != "md"));
    files.sort();
    files.iter().map(|path| path.canonicalize().expect("an existing file")).collect()
}
