//! Which crate depends on which, that ARCHITECTURE.md names them all, and that one name means one type.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate, the workspace crates that it depends on outside of tests, and why.
struct Edges(&'static str, &'static [&'static str], &'static str);

const EDGES: &[Edges] = &[
    // Layer 0: nothing but named randomness.
    Edges("bunch-random", &[], "the one source of randomness rests on nothing"),
    Edges("bunch-progress", &[], "whatever is done says how far it is"),
    Edges("bunch-checkpoint", &[], "files and tensors, whatever is done with them"),
    Edges("bunch-merging", &["bunch-random"], "DARE drops at random; methods are functions on slices"),
    Edges("bunch-lm", &["bunch-checkpoint"], "sampling is random; a model is an interface, never an architecture"),
    Edges("bunch-statistics", &[], "numbers and how sure they are, whatever they count"),
    Edges("bunch-report", &["bunch-statistics"], "renders numbers, however they were computed"),
    Edges("bunch-journal", &["bunch-progress"], "lines of JSON, whatever they say"),
    Edges("bunch-hub", &["bunch-checkpoint", "bunch-progress"], "brings files, whatever is in them"),
    Edges("bunch-testkit", &["bunch-lm"], "a scripted model, for tests only: no crate depends on it otherwise"),
    // Layer 1.
    Edges("bunch-recipe", &["bunch-merging"], "says what is merged and how; opens no model"),
    Edges("bunch-vocabulary", &[], "tokens and rows; reads no file and touches no weight"),
    Edges(
        "bunch-inspection",
        &["bunch-checkpoint", "bunch-progress", "bunch-report", "bunch-vocabulary"],
        "looks at model directories, changes none, and draws how two differ",
    ),
    Edges(
        "bunch-streaming",
        &[
            "bunch-checkpoint",
            "bunch-hub",
            "bunch-lm",
            "bunch-merging",
            "bunch-progress",
            "bunch-recipe",
            "bunch-vocabulary",
        ],
        "carries out a recipe on checkpoints of any size",
    ),
    Edges(
        "bunch-benchmark",
        &["bunch-journal", "bunch-lm", "bunch-progress", "bunch-random"],
        "any language model is scored alike, a scripted one in tests",
    ),
    Edges(
        "bunch-judging",
        &["bunch-journal", "bunch-lm", "bunch-statistics"],
        "judges are data, and models behind an interface, never an architecture",
    ),
    Edges("bunch-synthesis", &["bunch-judging", "bunch-lm", "bunch-random"], "models write data, judges filter it"),
    Edges(
        "bunch-pool",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-hub",
            "bunch-inspection",
            "bunch-lm",
            "bunch-merging",
            "bunch-recipe",
            "bunch-judging",
            "bunch-synthesis",
            "bunch-vocabulary",
        ],
        "names models, judges and data; runs and merges none",
    ),
    Edges("bunch-search", &["bunch-random"], "searches see numbers, never models"),
    Edges(
        "bunch-evolution",
        &["bunch-checkpoint", "bunch-lm", "bunch-merging", "bunch-random", "bunch-search"],
        "finds merges in memory; the caller scores and trains",
    ),
    Edges(
        "bunch-transformer",
        &["bunch-checkpoint", "bunch-lm", "bunch-random"],
        "a language model loaded from a checkpoint",
    ),
    // Layer 2.
    Edges(
        "bunch-tuning",
        &["bunch-checkpoint", "bunch-lm", "bunch-random", "bunch-transformer"],
        "trains that model, whatever the task",
    ),
    Edges("bunch-miniature", &["bunch-lm", "bunch-random"], "a language with its truth, whatever is trained on it"),
    Edges(
        "bunch-zoo",
        &[
            "bunch-checkpoint",
            "bunch-judging",
            "bunch-lm",
            "bunch-miniature",
            "bunch-pool",
            "bunch-random",
            "bunch-recipe",
            "bunch-transformer",
            "bunch-tuning",
        ],
        "makes models, from nothing or from one that the user fetched; merges none",
    ),
    // Layer 3: where everything meets.
    Edges(
        "bunch-experiment",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-judging",
            "bunch-evolution",
            "bunch-inspection",
            "bunch-lm",
            "bunch-merging",
            "bunch-pool",
            "bunch-recipe",
            "bunch-report",
            "bunch-search",
            "bunch-statistics",
            "bunch-synthesis",
            "bunch-transformer",
            "bunch-tuning",
            "bunch-zoo",
        ],
        "turns a declared experiment into cells",
    ),
    // Layer 4: the binary.
    Edges(
        "bunch",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-experiment",
            "bunch-hub",
            "bunch-inspection",
            "bunch-journal",
            "bunch-lm",
            "bunch-merging",
            "bunch-pool",
            "bunch-progress",
            "bunch-random",
            "bunch-recipe",
            "bunch-judging",
            "bunch-streaming",
            "bunch-transformer",
            "bunch-tuning",
            "bunch-zoo",
        ],
        "parses arguments and prints",
    ),
    // Outside of the layers: for developers.
    Edges("xtask", &["bunch-checkpoint", "bunch-random"], "makes what benchmarks need; nothing depends on it"),
];

/// An external crate and the only crates that may depend on it, in tests too.
const RESERVED: &[(&str, &[&str])] = &[
    // Everything else compiles in seconds and is tested without a tensor library.
    ("burn", &["bunch-transformer", "bunch-tuning", "bunch-zoo"]),
    // Libraries have typed errors and know nothing of a command line.
    ("anyhow", &["bunch", "xtask"]),
    ("clap", &["bunch", "xtask"]),
];

#[derive(Debug)]
struct Dependency {
    name: String,
    in_workspace: bool,
    for_tests: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/ of the workspace")
}

/// The workspace's crates with what their manifests name.
fn dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root());
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let dependency = |value: &Value| Dependency {
        name: text(&value["name"]),
        in_workspace: value.get("path").is_some_and(Value::is_string),
        for_tests: value["kind"] == "dev",
    };
    let package = |package: &Value| {
        let dependencies = list(&package["dependencies"]).iter().map(dependency).collect();
        (text(&package["name"]), dependencies)
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

#[test]
fn crates_depend_on_what_the_table_says_and_on_crates_above_them_only() {
    let crates = dependencies();
    let known: BTreeSet<&str> = EDGES.iter().map(|Edges(name, ..)| *name).collect();
    let found: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    assert_eq!(found, known, "the table in this test lists every crate and no other");
    for Edges(name, declared, reason) in EDGES {
        let own = crates[*name].iter().filter(|dependency| dependency.in_workspace && !dependency.for_tests);
        let found: BTreeSet<&str> = own.map(|dependency| dependency.name.as_str()).collect();
        let declared: BTreeSet<&str> = declared.iter().copied().collect();
        assert_eq!(found, declared, "what {name} ({reason}) depends on, against the table in this test");
        for dependency in found {
            let place = |wanted: &str| EDGES.iter().position(|Edges(name, ..)| *name == wanted);
            assert!(place(dependency) < place(name), "{name} depends on {dependency}, which the table lists below it");
        }
    }
}

#[test]
fn burn_and_the_command_line_stay_where_they_belong() {
    for (name, dependencies) in dependencies() {
        for (reserved, users) in RESERVED {
            // burn-flex is burn too.
            let is_reserved = |got: &str| got == *reserved || got.starts_with(&format!("{reserved}-"));
            if let Some(dependency) = dependencies.iter().find(|dependency| is_reserved(&dependency.name)) {
                let got = &dependency.name;
                assert!(users.contains(&name.as_str()), "{name} depends on {got}, which is for {users:?} only");
            }
        }
    }
}

#[test]
fn architecture_names_every_crate_and_no_other() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let is_crate = |name: &&str| *name == "xtask" || name.starts_with("bunch");
    let mut named: Vec<String> = rows.map(|(name, _)| name).filter(is_crate).map(str::to_owned).collect();
    named.sort();
    let found: Vec<String> = dependencies().into_keys().collect();
    assert_eq!(named, found, "the table of crates in ARCHITECTURE.md, against the workspace");
}

/// Names that several public types share, and why.
const SHARED_NAMES: &[(&str, &str)] = &[
    ("ChatTemplate", "what renders a conversation; what a merged tokenizer takes over"),
    ("Comparison", "of two checkpoints; of two numbers in a claim"),
    ("Evaluation", "of a model on tasks; of a point of a search"),
    ("Options", "of an evaluation; of a run of experiments"),
    ("Problem", "what one crate finds wrong with a directory, a recipe or a plan, all that it finds at once"),
    ("Selection", "of tasks; of results to verify; of files to fetch"),
    ("Source", "of generated data; of values that are not finite"),
    ("TokenRule", "as a recipe says it; as vocabularies are merged by it"),
    ("Tokenizer", "what encodes text; what a vocabulary is read from"),
    ("TokenizerSource", "as a recipe says it; as vocabularies are merged by it"),
    ("Verdict", "of a judge; on a claim"),
];

/// The names of the public types that a source defines outside of its tests.
fn public_types(text: &str) -> impl Iterator<Item = &str> {
    let tests = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().filter_map(|line| {
        let item = line.strip_prefix("pub ")?;
        let (kind, rest) = item.split_once(' ')?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        ["struct", "enum", "trait", "type"].contains(&kind).then_some(&rest[..end])
    })
}

/// The Rust sources below a folder, those of tests left out.
fn sources_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

#[test]
fn one_name_means_one_public_type() {
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("the crates") {
        let mut sources = Vec::new();
        sources_below(&entry.expect("a crate").path().join("src"), &mut sources);
        for path in sources {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for name in public_types(&text) {
                places.entry(name.to_owned()).or_default().insert(path.clone());
            }
        }
    }
    let defined = |name: &str| places.get(name).map_or(0, BTreeSet::len);
    for (name, reason) in SHARED_NAMES {
        assert!(defined(name) > 1, "{name} ({reason}) is the name of one public type at most: take it off the list");
    }
    let explained: BTreeSet<&str> = SHARED_NAMES.iter().map(|(name, _)| *name).collect();
    for (name, places) in &places {
        assert!(places.len() == 1 || explained.contains(name.as_str()), "{name} is defined in {places:?}");
    }
}
