//! Rules of this crate's layout: rooms use what lies below them, and what a cell's address covers is closed.

#[path = "../build/cell_files.rs"]
mod cell_files;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the bottom up. What lies next to them uses `declared` only.
const ROOMS: [&str; 5] = ["declared", "planning", "recording", "running", "verifying"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The text of a file below `src` before its tests.
fn product(file: &str) -> String {
    let text = fs::read_to_string(source().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// All files of product code below `src`, as paths from there.
fn files() -> Vec<String> {
    let mut folders = vec![source()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                files.push(path.strip_prefix(source()).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

/// The files that a text takes something from, by its paths that begin at the crate.
fn uses(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let path: String = text[at + "crate::".len()..].chars().take_while(|&c| is_name(c)).collect();
        assert!(!path.is_empty(), "paths are written one by one, not as `crate::{{..}}`");
        let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        let file = (1..=parts.len()).rev().map(|count| format!("{}.rs", parts[..count].join("/")));
        let file = file.into_iter().find(|file| source().join(file).is_file());
        // The error is the only item that the crate gives its own files another name for.
        found.insert(file.unwrap_or_else(|| if path == "ExperimentError" { "error.rs".into() } else { path }));
    }
    found
}

fn room(file: &str) -> Option<usize> {
    let folder = file.split('/').next().unwrap_or_default();
    ROOMS.iter().position(|room| *room == folder.trim_end_matches(".rs"))
}

#[test]
fn rooms_use_what_lies_below_them() {
    let all = files();
    assert!(ROOMS.iter().all(|room| all.iter().any(|file| file.starts_with(&format!("{room}/")))), "{all:?}");
    for file in all.iter().filter(|file| *file != "lib.rs") {
        for used in uses(&product(file)) {
            let is_below = match (room(file), room(&used)) {
                (Some(here), Some(there)) => there <= here,
                (None, Some(there)) => there == 0,
                (_, None) => true,
            };
            assert!(is_below, "{file} uses {used}, which lies above it");
        }
    }
}

#[test]
fn what_an_address_covers_is_closed_under_use() {
    let beside: Vec<&str> = cell_files::DECIDE_NOTHING.iter().map(|(file, _)| *file).collect();
    let mut seen = BTreeSet::new();
    for file in cell_files::FILES {
        let text = product(file);
        assert!(!text.contains("super::"), "{file}: paths begin at the crate");
        for used in uses(&text) {
            let is_known = cell_files::FILES.contains(&used.as_str()) || beside.contains(&used.as_str());
            assert!(is_known, "{file} decides numbers and uses {used}, which build/cell_files.rs does not list");
            seen.insert(used);
        }
    }
    for file in beside {
        assert!(seen.contains(file), "{file} is named as used, and no listed file uses it");
    }
    let list = cell_files::FILES;
    assert!(list.is_sorted(), "sorted, so that nothing stands there twice");
    assert!(list.contains(&"running/evaluation.rs") && !list.contains(&"running/execution.rs"));
}

/// The names that the text takes from bunch-statistics.
fn statistics_names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("bunch_statistics::") {
        let rest = &text[at + "bunch_statistics::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
        };
        found.extend(list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
    }
    found
}

/// The crates that the build script hashes as a whole.
fn hashed_crates() -> Vec<String> {
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs")).unwrap();
    let list = script.split("const CRATES").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
    list.split('"').filter(|part| part.starts_with("bunch-")).map(str::to_owned).collect()
}

/// All Rust files below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn of_statistics_a_cell_uses_what_its_address_covers() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
    let statistics = crates.join("bunch-statistics/src");
    // The whole room is listed; a test of that crate shows that it uses nothing else there.
    let room: BTreeSet<String> = rust_files(&statistics.join("counting"))
        .iter()
        .map(|path| path.strip_prefix(&statistics).unwrap().to_string_lossy().replace('\\', "/"))
        .chain(["counting.rs".to_owned()])
        .collect();
    assert_eq!(cell_files::STATISTICS.iter().map(|file| (*file).to_owned()).collect::<BTreeSet<_>>(), room);
    assert!(cell_files::STATISTICS.is_sorted());
    // What the room exports, by name: the crate exports it under the same.
    let text = fs::read_to_string(statistics.join("counting.rs")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';'));
    let exported: BTreeSet<String> =
        lines.map(|line| line.rsplit("::").next().unwrap_or_default().to_owned()).collect();
    let mut used = BTreeSet::new();
    for name in hashed_crates() {
        for path in rust_files(&crates.join(&name).join("src")) {
            used.extend(statistics_names(&fs::read_to_string(path).unwrap()));
        }
    }
    let listed = cell_files::FILES.iter().chain(cell_files::DECIDE_NOTHING.iter().map(|(file, _)| file));
    used.extend(listed.flat_map(|file| statistics_names(&product(file))));
    assert!(used.contains("Proportion") && used.contains("Share"), "{used:?}");
    assert!(used.is_subset(&exported), "{used:?} of cells, {exported:?} of the room that their addresses cover");
}

#[test]
fn uses_are_found_by_their_paths() {
    let names = statistics_names("use bunch_statistics::{Share, holm};\nlet x = bunch_statistics::Proportion::of(&y);");
    assert_eq!(names, BTreeSet::from(["Proportion", "Share", "holm"].map(String::from)));
    let text =
        "use crate::ExperimentError;\nuse crate::declared::column::{Column, Metric};\nlet x = crate::costs::SMALL;";
    let expected = ["costs.rs", "declared/column.rs", "error.rs"].map(String::from);
    assert_eq!(uses(text), BTreeSet::from(expected));
}
