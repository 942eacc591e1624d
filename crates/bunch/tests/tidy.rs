//! Rules of the house that no compiler checks: how files begin, how long they are, what they are called, what they hold.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a file before its trailing module of tests.
const MAX_LINES: usize = 400;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

/// What is unfinished or switched off; in pieces, so that this file passes its own test.
const UNFINISHED: &[&str] = &[concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];

/// First folders of absolute paths that exist on somebody's machine only.
const MACHINE_FOLDERS: &[&str] = &["Users", "home", "root", "work"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/ of the workspace")
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The Rust files of all crates with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = files_below(&root().join("crates"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(!paths.is_empty(), "there is no source");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// What git tracks or would track; without git, as in an unpacked archive, the files of the crates.
fn tracked_files() -> Vec<PathBuf> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    match command.output() {
        Ok(output) if output.status.success() => {
            let names = String::from_utf8(output.stdout).expect("names in UTF-8");
            let names = names.split('\0').filter(|name| !name.is_empty());
            // A deleted file is listed until the deletion is committed.
            names.map(|name| root().join(name)).filter(|path| path.is_file()).collect()
        }
        _ => files_below(&root().join("crates")),
    }
}

/// Number of lines before a module of tests that ends the file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).rposition(|pair| {
        let is_inline = pair[1].starts_with("mod ") && pair[1].ends_with('{');
        pair[0] == "#[cfg(test)]" && is_inline
    });
    tests.unwrap_or(lines.len())
}

/// An absolute path below one of [`MACHINE_FOLDERS`], as in a path but not in a web address.
fn machine_path(text: &str) -> Option<&str> {
    MACHINE_FOLDERS.iter().find_map(|folder| {
        let needle = format!("/{folder}/");
        let mut hits = text.match_indices(&needle);
        let is_start = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "._-})>".contains(c));
        hits.find(|(at, _)| is_start(*at)).map(|(at, _)| text[at..].lines().next().unwrap_or_default())
    })
}

#[test]
fn every_source_says_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not begin with a `//!` line", path.display());
    }
}

#[test]
fn no_source_is_too_long() {
    for (path, text) in sources() {
        let lines = lines_without_tests(&text);
        assert!(lines <= MAX_LINES, "{} has {lines} lines without its tests; {MAX_LINES} are allowed", path.display());
    }
}

#[test]
fn every_source_is_named_after_what_it_holds() {
    for (path, _) in sources() {
        let inside = path.strip_prefix(root()).expect("below the root").with_extension("");
        let empty = inside.iter().find(|part| EMPTY_NAMES.iter().any(|name| *part == *name));
        assert!(empty.is_none(), "{}: `{}` says nothing", path.display(), empty.unwrap_or_default().display());
    }
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    for (path, text) in sources() {
        for needle in UNFINISHED {
            assert!(!text.contains(needle), "{} contains `{needle}`", path.display());
        }
    }
}

#[test]
fn no_file_knows_the_machine_it_was_made_on() {
    for path in tracked_files() {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // What is not text is a figure, a font or weights.
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        if let Some(found) = machine_path(text) {
            panic!("{} contains the path `{found}`", path.display());
        }
    }
}

#[test]
fn the_rules_can_be_broken() {
    assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(lines_without_tests("a\n#[cfg(test)]\nmod tests;\nb\n"), 4);
    for folder in MACHINE_FOLDERS {
        let path = format!("/{folder}/me");
        assert_eq!(machine_path(&format!("in \"{path}\nnext")), Some(path.as_str()));
        assert_eq!(machine_path(&format!("https://example.org{path}")), None);
    }
}
