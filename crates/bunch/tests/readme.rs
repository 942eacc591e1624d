//! The README shows the committed results, and nothing but them.
//!
//! After new results: `UPDATE_DOCS=1 cargo test --release -p bunch --test readme`.

use std::fs;
use std::path::{Path, PathBuf};

const ITEMS: [&str; 2] = ["hammoud2024/table-1", "hammoud2024/table-2"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The command, the tables and one line for each claim, out of an item's `table.md`.
fn block(item: &str) -> String {
    let path = root().join("results").join(item).join("miniature/table.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let tables = text.split("\n### ").take_while(|part| !is_claim(part)).collect::<Vec<_>>().join("\n### ");
    let end = tables.find("\nn: test items").expect("the note on n");
    let end = end + 1 + tables[end + 1..].find('\n').expect("its end");
    let mut block =
        format!("`cargo bunch reproduce {item}` gave:\n\n#{}\n", tables[..end].replace("\n### ", "\n#### "));
    block += "\n| claim of the paper | here |\n| --- | --- |\n";
    for part in text.split("\n### ").filter(|part| is_claim(part)) {
        let mut lines = part.lines().filter(|line| !line.is_empty());
        let verdict = lines.next().and_then(|line| line.split_once(": ")).expect("a verdict").1;
        let (claim, tested) = (lines.next().expect("the claim"), lines.next().expect("the test"));
        let counts = tested.split_once("; ").expect("the counts").1;
        block += &format!(
            "| {} | **{verdict}**: {} |\n",
            claim.rsplit_once(" (").expect("the source").0,
            counts.trim_end_matches('.')
        );
    }
    block
}

/// Whether a section is on a claim and not on a pool.
fn is_claim(section: &str) -> bool {
    let head = section.lines().next().unwrap_or_default();
    [": holds", ": partly", ": does not hold", ": not tested"].iter().any(|verdict| head.ends_with(verdict))
}

#[test]
fn the_tables_are_those_of_the_results_folder() {
    let path = root().join("README.md");
    let mut readme = fs::read_to_string(&path).expect("README.md");
    for item in ITEMS {
        let (begin, end) = (format!("<!-- BEGIN: {item} -->\n"), format!("<!-- END: {item} -->"));
        let from = readme.find(&begin).unwrap_or_else(|| panic!("README.md lacks {begin}")) + begin.len();
        let to = readme.find(&end).unwrap_or_else(|| panic!("README.md lacks {end}"));
        let block = block(item);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            readme.replace_range(from..to, &block);
        } else {
            assert!(readme[from..to] == block, "README.md is stale on {item}: UPDATE_DOCS=1 rewrites it");
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, readme).expect("written");
    }
}
