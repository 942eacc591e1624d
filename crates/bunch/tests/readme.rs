//! The README shows the committed results, and nothing but them.
//!
//! After new results: `UPDATE_DOCS=1 cargo test --release -p bunch --test readme`.

use std::fs;
use std::path::{Path, PathBuf};

/// Items that are shown in full.
const ITEMS: [&str; 2] = ["hammoud2024/table-1", "hammoud2024/table-2"];

/// Folders of experiments, and whose they are.
const GROUPS: [(&str, &str); 3] = [
    ("hammoud2024", "Hammoud et al. 2024"),
    ("thakkar2025", "Thakkar et al. 2025"),
    ("extensions", "Beyond the papers"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What an item's table and claims say, in Markdown.
fn text_of(item: &str) -> String {
    let path = root().join("results").join(item).join("miniature/table.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every experiment with its title and how many of its claims hold, hold partly and do not hold.
fn index() -> String {
    let mut block = String::new();
    for (folder, whose) in GROUPS {
        block += &format!("| {whose} | | holds | partly | does not hold |\n| --- | --- | ---: | ---: | ---: |\n");
        let entries = fs::read_dir(root().join("experiments").join(folder)).expect("experiments");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
        names.sort();
        for name in names {
            let item = format!("{folder}/{name}");
            let text = text_of(&item);
            let head = text.lines().next().and_then(|line| line.strip_prefix("## ")).expect("a title");
            let title = head.rsplit_once(" (").expect("the scale").0;
            let count = |verdict: &str| {
                let heads = text.lines().filter(|line| line.starts_with("### ") && line.ends_with(verdict)).count();
                if heads == 0 { String::new() } else { heads.to_string() }
            };
            block += &format!(
                "| [{}](results/{item}/miniature/table.md) | {title} | {} | {} | {} |\n",
                name.replace('-', " "),
                count(": holds"),
                count(": partly"),
                count(": does not hold")
            );
        }
        block.push('\n');
    }
    block.trim_end().to_owned() + "\n"
}

/// The command, the tables and one line for each claim, out of an item's `table.md`.
fn block(item: &str) -> String {
    let text = text_of(item);
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
    let blocks = ITEMS.map(|item| (item, block(item)));
    for (item, block) in [("items", index())].into_iter().chain(blocks) {
        let (begin, end) = (format!("<!-- BEGIN: {item} -->\n"), format!("<!-- END: {item} -->"));
        let from = readme.find(&begin).unwrap_or_else(|| panic!("README.md lacks {begin}")) + begin.len();
        let to = readme.find(&end).unwrap_or_else(|| panic!("README.md lacks {end}"));
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
