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
const MACHINE_FOLDERS: &[&str] = &["Users", "home", "mnt", "root", "tmp", "var", "work"];

/// Folders that documents may name although a fresh checkout lacks them, and what makes them.
const MADE_FOLDERS: &[(&str, &str)] = &[
    (".cache", "`bunch reproduce` keeps models, data and cells in it"),
    ("measured", "the example of `bunch measure` writes its reports to it"),
    ("safety", "the examples of `bunch safety` write their answers to it"),
    ("target", "cargo builds into it"),
];

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

/// The lines of a Markdown document outside of code blocks.
fn prose(markdown: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    markdown.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The paths that a line names: back-ticked text with a slash and without spaces, placeholders or globs.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    let is_path = |text: &&str| {
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        is_plain && text.contains('/') && !text.starts_with(['-', '/'])
    };
    // Between back-ticks are the pieces of odd number.
    line.split('`').skip(1).step_by(2).filter(is_path)
}

/// The files of the repository that a line links to.
fn linked_paths(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

/// Whether a path exists in the folder of the document that names it, or in one above up to the root, or is the name of
/// an experiment.
fn exists_from(document: &Path, path: &str) -> bool {
    if root().join("experiments").join(format!("{path}.toml")).is_file() {
        return true;
    }
    let mut folders = document.ancestors().skip(1).take_while(|folder| folder.starts_with(root()));
    folders.any(|folder| folder.join(path).exists())
}

#[test]
fn every_path_in_a_document_exists() {
    let is_made = |path: &str| MADE_FOLDERS.iter().any(|(folder, _)| Path::new(path).starts_with(folder));
    let mut missing = Vec::new();
    for document in tracked_files().into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = std::fs::read_to_string(&document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
        let folder = document.parent().expect("a file lies in a folder");
        for line in prose(&text) {
            let named = named_paths(line).filter(|path| !is_made(path) && !exists_from(&document, path));
            let linked = linked_paths(line).filter(|path| !folder.join(path).exists());
            missing.extend(named.chain(linked).map(|path| format!("{}: {path}", document.display())));
        }
    }
    assert!(missing.is_empty(), "documents name paths that do not exist:\n{}", missing.join("\n"));
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
    assert_eq!(prose("a\n```sh\n`b/c`\n```\nd").collect::<Vec<_>>(), ["a", "d"]);
    assert_eq!(named_paths("`a/b.rs`, `a b/c`, `<a>/b`, `a/*.rs`, `word`, c/d").collect::<Vec<_>>(), ["a/b.rs"]);
    assert_eq!(linked_paths("[d](d.md#e), [f](https://g.h/i), [j](#k)").collect::<Vec<_>>(), ["d.md"]);
    assert!(exists_from(&root().join("docs/methods/README.md"), "crates/bunch/tests/tidy.rs"));
    assert!(!exists_from(&root().join("docs/methods/README.md"), "tests/tidy.rs"));
}
