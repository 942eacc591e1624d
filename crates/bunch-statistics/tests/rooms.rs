//! Rules of the crate's two rooms: `counting` uses nothing of `comparing`, and what the crate exports is what a room exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file below `src`, before its tests.
fn product(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// The files of a room: its own and those in its folder.
fn files(room: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let inside = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let inside = inside.map(|name| format!("{room}/{name}"));
    [format!("{room}.rs")].into_iter().chain(inside).collect()
}

/// The names in `pub use prefix::{..}` or `pub use prefix::file::Name`, in the order of the alphabet.
fn exported(text: &str, prefix: &str) -> BTreeSet<String> {
    let lines = text.split(';').filter_map(|part| part.trim().strip_prefix("pub use "));
    let paths = lines.filter(|line| line.starts_with(prefix));
    paths
        .flat_map(|path| {
            let names = match path.split_once('{') {
                Some((_, list)) => list.trim_end_matches('}'),
                None => path.rsplit("::").next().unwrap_or_default(),
            };
            names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn counting_uses_itself_alone() {
    let files = files("counting");
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let text = product(&file);
        assert!(!text.contains("super::"), "{file}: paths begin at the crate");
        for (at, _) in text.match_indices("crate::") {
            let path = &text[at + "crate::".len()..];
            assert!(path.starts_with("counting::"), "{file} uses crate::{}", path.lines().next().unwrap_or_default());
        }
    }
}

#[test]
fn the_crate_exports_a_room_by_its_names() {
    let root = product("lib.rs");
    for room in ["counting", "comparing"] {
        let here = exported(&product(&format!("{room}.rs")), "");
        assert!(!here.is_empty());
        assert_eq!(exported(&root, &format!("{room}::")), here);
    }
    assert!(!root.contains(" as "), "a name means the same in the crate as in its room");
}
