//! Which crate may depend on which, and that ARCHITECTURE.md names them all.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A crate, the workspace crates it may depend on outside of tests, and why.
struct Allowed(&'static str, &'static [&'static str], &'static str);

const ALLOWED: &[Allowed] = &[
    // Layer 0: nothing but named randomness.
    Allowed("bunch-random", &[], "the one source of randomness rests on nothing"),
    Allowed("bunch-checkpoint", &[], "files and tensors, whatever is done with them"),
    Allowed("bunch-merging", &["bunch-random"], "DARE drops at random; methods are functions on slices"),
    Allowed("bunch-lm", &["bunch-random"], "sampling is random; a model is an interface, never an architecture"),
    Allowed("bunch-statistics", &[], "numbers and how sure they are, whatever they count"),
    Allowed("bunch-report", &["bunch-statistics"], "renders numbers, however they were computed"),
    Allowed("bunch-journal", &[], "lines of JSON, whatever they say"),
    Allowed("bunch-hub", &["bunch-checkpoint"], "brings files, whatever is in them"),
    // Layer 1.
    Allowed("bunch-recipe", &["bunch-checkpoint", "bunch-merging"], "applies a method to every tensor of a model"),
    Allowed("bunch-vocabulary", &[], "tokens and rows; reads no file and touches no weight"),
    Allowed(
        "bunch-inspection",
        &["bunch-checkpoint", "bunch-report", "bunch-vocabulary"],
        "looks at model directories, changes none, and draws how two differ",
    ),
    Allowed(
        "bunch-streaming",
        &["bunch-checkpoint", "bunch-lm", "bunch-merging", "bunch-recipe", "bunch-vocabulary"],
        "carries out a recipe on checkpoints of any size",
    ),
    Allowed(
        "bunch-benchmark",
        &["bunch-journal", "bunch-lm", "bunch-random"],
        "any language model is scored alike, a scripted one in tests",
    ),
    Allowed(
        "bunch-judging",
        &["bunch-journal", "bunch-lm", "bunch-statistics"],
        "judges are data, and models behind an interface, never an architecture",
    ),
    Allowed("bunch-search", &["bunch-random"], "searches see numbers, never models"),
    Allowed("bunch-synthesis", &["bunch-judging", "bunch-lm", "bunch-random"], "models write data, judges filter it"),
    Allowed(
        "bunch-llama",
        &["bunch-checkpoint", "bunch-lm", "bunch-random"],
        "a language model loaded from a checkpoint",
    ),
    // Layer 2.
    Allowed(
        "bunch-tuning",
        &["bunch-checkpoint", "bunch-llama", "bunch-lm", "bunch-random"],
        "trains that model, whatever the task",
    ),
    Allowed(
        "bunch-miniature",
        &[
            "bunch-checkpoint",
            "bunch-judging",
            "bunch-llama",
            "bunch-lm",
            "bunch-random",
            "bunch-synthesis",
            "bunch-tuning",
        ],
        "makes its own models, tasks and judges; merges none",
    ),
    Allowed(
        "bunch-small",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-judging",
            "bunch-llama",
            "bunch-lm",
            "bunch-random",
            "bunch-tuning",
        ],
        "makes its models from one that the user fetched; merges none",
    ),
    // Layer 3: where everything meets.
    Allowed(
        "bunch-experiment",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-inspection",
            "bunch-judging",
            "bunch-llama",
            "bunch-lm",
            "bunch-merging",
            "bunch-miniature",
            "bunch-random",
            "bunch-recipe",
            "bunch-report",
            "bunch-search",
            "bunch-small",
            "bunch-statistics",
            "bunch-synthesis",
            "bunch-tuning",
        ],
        "turns a declared experiment into cells",
    ),
    // Layer 4: the binary.
    Allowed(
        "bunch",
        &[
            "bunch-benchmark",
            "bunch-checkpoint",
            "bunch-experiment",
            "bunch-hub",
            "bunch-inspection",
            "bunch-journal",
            "bunch-judging",
            "bunch-llama",
            "bunch-lm",
            "bunch-merging",
            "bunch-random",
            "bunch-recipe",
            "bunch-report",
            "bunch-streaming",
            "bunch-tuning",
        ],
        "parses arguments and prints",
    ),
    // Beside them: for developers.
    Allowed("xtask", &["bunch-checkpoint", "bunch-random"], "makes what benchmarks need; nothing depends on it"),
];

/// An external crate and the only crates that may depend on it, in tests too.
const RESERVED: &[(&str, &[&str])] = &[
    // Everything else compiles in seconds and is tested without a tensor library.
    ("burn", &["bunch-experiment", "bunch-llama", "bunch-miniature", "bunch-small", "bunch-tuning"]),
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
fn crates_depend_on_those_below_them_only() {
    let crates = dependencies();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|Allowed(name, ..)| *name).collect();
    let found: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    assert_eq!(found, known, "the table in this test lists every crate and no other");
    for Allowed(name, allowed, reason) in ALLOWED {
        for dependency in crates[*name].iter().filter(|dependency| dependency.in_workspace && !dependency.for_tests) {
            let got = &dependency.name;
            assert!(allowed.contains(&got.as_str()), "{name} ({reason}) may depend on {allowed:?}, not on {got}");
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
