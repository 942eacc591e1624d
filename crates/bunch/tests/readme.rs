//! README.md and results/README.md show the committed results, and nothing but them.
//!
//! After new results: `UPDATE_DOCS=1 cargo test --release -p bunch --test readme`.

use std::fs;
use std::path::{Path, PathBuf};

/// The item that README.md shows the claims of.
const SHOWN: &str = "hammoud2024/table-1";

/// Folders of experiments, and the heading of each.
const GROUPS: [(&str, &str); 3] = [
    ("hammoud2024", "Hammoud et al. 2024"),
    ("thakkar2025", "Thakkar et al. 2025"),
    ("extensions", "Beyond the papers"),
];

const VERDICTS: [&str; 4] = ["holds", "partly", "does not hold", "undecided"];

/// README.md is read on the first screen of a repository: so many lines, and so many characters in a row of a table.
const MAX_README: (usize, usize) = (200, 120);

/// Chance at or below which a claim counts as significant.
const SIGNIFICANT: f64 = 0.05;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A claim as an item's `table.md` states it.
struct Claim {
    verdict: String,
    text: String,
    /// Comparisons that are decided for and against the claim, and undecided ones: `5/0/2`.
    decided: String,
    /// Comparisons that are significant over seeds after Holm's correction: `5 of 14`.
    significant: Option<String>,
    /// p of the claim as a whole, as printed: `0.064`, `< 0.001`.
    p: Option<String>,
}

impl Claim {
    /// Reads the section of a claim; `None` for a section about a pool.
    fn parse(section: &str) -> Option<Self> {
        let mut lines = section.lines().filter(|line| !line.is_empty());
        let verdict = lines.next()?.rsplit_once(": ")?.1;
        if !VERDICTS.contains(&verdict) {
            return None;
        }
        let text = lines.next()?.rsplit_once(" (").expect("the source of the claim").0;
        let counts = lines.next()?.split_once("; comparisons: ").expect("the counts of comparisons").1;
        let counts = counts.split(';').next().expect("a count").split(", ");
        let sure = lines.next()?.strip_prefix("How sure: ").expect("how sure the claim is").trim_end_matches('.');
        Some(Self {
            verdict: verdict.to_owned(),
            text: text.to_owned(),
            decided: counts.filter_map(|count| count.split(' ').next()).collect::<Vec<_>>().join("/"),
            significant: sure.split_once(" comparisons significant").map(|(count, _)| count.to_owned()),
            p: sure.split_once("all together p ").map(|(_, p)| p.trim_start_matches("= ").to_owned()),
        })
    }

    fn is_significant(&self) -> bool {
        let p = self.p.as_ref().and_then(|p| p.trim_start_matches("< ").parse::<f64>().ok());
        p.is_some_and(|p| p < SIGNIFICANT)
    }
}

/// An experiment's committed results at the miniature scale.
struct Item {
    /// As in `hammoud2024/table-1`.
    path: String,
    title: String,
    claims: Vec<Claim>,
}

impl Item {
    fn read(path: &str) -> Self {
        let file = root().join("results").join(path).join("miniature/table.md");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let head = text.lines().next().and_then(|line| line.strip_prefix("## ")).expect("a title");
        Self {
            path: path.to_owned(),
            title: head.rsplit_once(" (").expect("the scale").0.to_owned(),
            claims: text.split("\n### ").filter_map(Claim::parse).collect(),
        }
    }

    /// All items of a folder of experiments, by name.
    fn all_of(folder: &str) -> Vec<Self> {
        let entries = fs::read_dir(root().join("experiments").join(folder)).expect("experiments");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
        names.sort();
        names.iter().map(|name| Self::read(&format!("{folder}/{name}"))).collect()
    }

    /// A link from results/README.md to the item's table.
    fn link(&self) -> String {
        let name = self.path.split_once('/').expect("folder and name").1;
        format!("[{}]({}/miniature/table.md)", name.replace('-', " "), self.path)
    }

    /// How many claims have a verdict, and in brackets how many of these are significant over seeds.
    fn count(&self, verdict: &str) -> String {
        let found: Vec<&Claim> = self.claims.iter().filter(|claim| claim.verdict == verdict).collect();
        match found.iter().filter(|claim| claim.is_significant()).count() {
            _ if found.is_empty() => String::new(),
            0 => found.len().to_string(),
            significant => format!("{} ({significant})", found.len()),
        }
    }
}

/// Every item with the number of its claims by verdict.
fn items() -> String {
    let mut block = String::new();
    for (folder, heading) in GROUPS {
        block += &format!(
            "| {heading} | | holds | partly | does not hold | undecided |\n| --- | --- | ---: | ---: | ---: | ---: |\n"
        );
        for item in Item::all_of(folder) {
            let [holds, partly, fails, open] = VERDICTS.map(|verdict| item.count(verdict));
            block += &format!("| {} | {} | {holds} | {partly} | {fails} | {open} |\n", item.link(), item.title);
        }
        block.push('\n');
    }
    block.trim_end().to_owned() + "\n"
}

/// Every claim of every item, with the numbers that say how sure its verdict is.
fn claims() -> String {
    let mut block = String::new();
    for (folder, heading) in GROUPS {
        block += &format!("### {heading}\n\n");
        block += "| item | claim | verdict | for/against/undecided | significant | p |\n| --- | --- | --- | ---: | ---: | ---: |\n";
        for item in Item::all_of(folder) {
            for (i, claim) in item.claims.iter().enumerate() {
                let link = if i == 0 { item.link() } else { String::new() };
                let [significant, p] = [&claim.significant, &claim.p].map(|text| text.as_deref().unwrap_or("—"));
                let Claim { verdict, text, decided, .. } = claim;
                block += &format!("| {link} | {text} | {verdict} | {decided} | {significant} | {p} |\n");
            }
        }
        block.push('\n');
    }
    block.trim_end().to_owned() + "\n"
}

/// The claims of one item, in rows narrow enough for README.md.
fn shown_claims() -> String {
    let mut block = "| claim of the paper | here | for/against/undecided | p |\n| --- | --- | --- | --- |\n".to_owned();
    for claim in Item::read(SHOWN).claims {
        let p = claim.p.as_deref().unwrap_or("—");
        block += &format!("| {} | {} | {} | {p} |\n", claim.text.trim_end_matches('.'), claim.verdict, claim.decided);
    }
    block
}

/// Compares the blocks of a page with what they should be, or rewrites them if `UPDATE_DOCS` is set.
fn check(page: &str, blocks: &[(&str, String)]) {
    let path = root().join(page);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    for (name, block) in blocks {
        let (begin, end) = (format!("<!-- BEGIN: {name} -->\n"), format!("<!-- END: {name} -->"));
        let from = text.find(&begin).unwrap_or_else(|| panic!("{page} lacks {begin}")) + begin.len();
        let to = text.find(&end).unwrap_or_else(|| panic!("{page} lacks {end}"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            text.replace_range(from..to, block);
        } else {
            assert!(text[from..to] == *block, "{page} is stale on {name}: UPDATE_DOCS=1 rewrites it");
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).expect("written");
    }
}

#[test]
fn the_readme_shows_the_claims_of_table_1() {
    check("README.md", &[("claims", shown_claims())]);
}

#[test]
fn the_page_of_results_shows_all_items_and_claims() {
    check("results/README.md", &[("items", items()), ("claims", claims())]);
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let (max_lines, max_width) = MAX_README;
    assert!(text.lines().count() <= max_lines, "README.md has {} lines", text.lines().count());
    for row in text.lines().filter(|line| line.starts_with('|')) {
        assert!(row.chars().count() <= max_width, "README.md has a row of {} characters: {row}", row.chars().count());
    }
}
