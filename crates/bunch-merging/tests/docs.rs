//! The generated documentation: `docs/methods/*.md` and the table of methods in `docs/methods/README.md`.
//!
//! With `UPDATE_DOCS=1` in the environment these tests write it instead of comparing.

use bunch_merging::{CATALOGUE, docs_page, methods_table};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- BEGIN: methods -->\n";
const END: &str = "<!-- END: methods -->\n";

fn in_workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Compares a file with what it should be, or makes it so.
fn check(path: &Path, got: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    } else {
        assert!(
            got == expected,
            "{} is out of date; run: UPDATE_DOCS=1 cargo test -p bunch-merging --test docs",
            path.display()
        );
    }
}

#[test]
fn every_method_has_its_page() {
    let folder = in_workspace("docs/methods");
    for info in CATALOGUE {
        let path = folder.join(format!("{}.md", info.name));
        let page = docs_page(info.name).expect("a registered method");
        check(&path, &fs::read_to_string(&path).unwrap_or_default(), &page);
    }
}

#[test]
fn every_page_has_its_method() {
    let mut names: BTreeSet<String> = CATALOGUE.iter().map(|info| format!("{}.md", info.name)).collect();
    names.insert("README.md".to_owned());
    for entry in fs::read_dir(in_workspace("docs/methods")).expect("the folder of pages") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        assert!(names.contains(&name), "docs/methods/{name} belongs to no method: delete it");
    }
}

#[test]
fn the_index_lists_the_methods() {
    let path = in_workspace("docs/methods/README.md");
    let readme = fs::read_to_string(&path).expect("the index of methods");
    let (before, rest) = readme.split_once(BEGIN).expect("the line that begins the table of methods");
    let (_, after) = rest.split_once(END).expect("the line that ends the table of methods");
    check(&path, &readme, &format!("{before}{BEGIN}{}{END}{after}", methods_table()));
}
