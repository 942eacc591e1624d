//! The small scale's whole way from a pretrained model to a results folder, with a tiny random model in its place.

mod checkout;

use std::fs;
use std::path::{Path, PathBuf};

use bunch_experiment::{Experiment, ExperimentError, Finished, Options, Run};
use checkout::{Checkout, EXPERIMENT};

fn run(checkout: &Checkout) -> Result<Finished, ExperimentError> {
    run_into(checkout, checkout.path("results"))
}

fn run_into(checkout: &Checkout, results: PathBuf) -> Result<Finished, ExperimentError> {
    run_at(checkout, "small", results)
}

fn run_at(checkout: &Checkout, scale: &str, results: PathBuf) -> Result<Finished, ExperimentError> {
    let options = Options {
        scale: scale.into(),
        seeds: None,
        device: "flex".into(),
        jobs: None,
        limit: None,
        fresh: false,
        overwrite: false,
        cache: checkout.path("cache"),
        results,
        models: checkout.path("models"),
        data: checkout.path("data"),
        command_line: vec!["bunch".into()],
    };
    Run::new(&checkout.path(""), "demo/table", options)?.execute()
}

#[test]
fn a_pretrained_model_becomes_a_table() {
    let checkout = Checkout::new();
    let error = run(&checkout).unwrap_err().to_string();
    assert!(error.contains("tiny is missing") && error.contains("cp -r somewhere"), "{error}");

    checkout.add_model();
    let finished = run(&checkout).unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    assert_eq!((finished.computed, finished.cached), (5, 0));
    let read = |name: &str| fs::read_to_string(checkout.path("results/demo/table/small").join(name)).expect("a file");
    // Five rows of one block, five columns; the table knows of no other block and has this scale's analysis.
    let cells = read("cells.csv");
    assert_eq!(cells.lines().count(), 1 + 5 * 5);
    let table = read("table.md");
    assert!(table.contains("(small scale, seeds 0)") && table.contains("Of this scale."), "{table}");
    assert!(!table.contains("Of another scale.") && !table.contains("A block that is not run"), "{table}");
    // Data were generated: as many pairs as wanted passed the last stage.
    let stages = read("stages.csv");
    assert_eq!(stages.lines().filter(|line| line.contains(",wanted,") && line.contains(",2,")).count(), 2, "{stages}");
    assert_eq!(read("samples.csv").lines().count(), 1 + 5 * 4);
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).expect("JSON");
    let models: Vec<&str> =
        manifest["models"].as_array().expect("models").iter().filter_map(|model| model["name"].as_str()).collect();
    let trained = ["aligned seed 0", "expert seed 0", "uncensored seed 0", "guard seed 0"];
    assert_eq!(models, [&["tiny (tiny)", "data/small"][..], &trained].concat());

    // The grid had the one point of this scale, and chose it.
    let columns: Vec<&str> = cells.lines().next().expect("a header").split(',').collect();
    let grid: Vec<Vec<&str>> =
        cells.lines().filter(|line| line.starts_with("pool,grid,")).map(|line| line.split(',').collect()).collect();
    for (name, value) in [("detail.weight_1", "0.5"), ("detail.density", "1")] {
        let at = columns.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{name}: {columns:?}"));
        assert_eq!(grid.iter().map(|cell| cell[at]).collect::<Vec<_>>(), [value; 5], "{name}");
    }
    // The search had this scale's four evaluations, not the row's hundred.
    let evaluations = |row: &str| -> usize {
        let entries = fs::read_dir(checkout.path("cache/cells")).expect("cells").flatten();
        let cells = entries.map(|entry| fs::read(entry.path()).expect("a cell"));
        let cells = cells.map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON"));
        let cell = cells.into_iter().find(|cell| cell["row"] == row).expect("a cell of the row");
        cell["trace"].as_array().expect("a trace").len()
    };
    assert_eq!((evaluations("grid"), evaluations("evomm")), (1, 4));

    let again = run(&checkout).expect("a second run");
    assert_eq!((again.computed, again.cached), (0, 5));
    fs::remove_dir_all(checkout.path("cache/cells")).expect("removed");
    let again = run(&checkout).expect("a third run");
    assert_eq!((again.computed, again.cached), (5, 0));
    assert_eq!(read("cells.csv"), cells, "models and data from the cache give the same numbers");

    // A model trained again gives them too: what is used was read from the cache in both cases.
    fs::remove_dir_all(checkout.path("cache")).expect("removed");
    run(&checkout).expect("a run from nothing");
    assert_eq!(read("cells.csv"), cells);
}

#[test]
fn two_runs_share_a_cache() {
    let checkout = Checkout::new();
    checkout.add_model();
    let folders = ["results", "others"].map(|name| checkout.path(name));
    let finished = std::thread::scope(|scope| {
        let started = folders.each_ref().map(|folder| scope.spawn(|| run_into(&checkout, folder.clone())));
        started.map(|run| run.join().expect("no panic").expect("a run"))
    });
    // Each cell was computed by one of them.
    let [first, second] = finished.each_ref().map(|run| (run.computed, run.cached));
    assert_eq!((first.0 + second.0, first.1 + second.1), (5, 5), "{first:?} {second:?}");
    for file in ["cells.csv", "table.md", "differences.csv", "stages.csv", "samples.csv", "figure.svg"] {
        let [one, other] = folders.each_ref().map(|folder| fs::read(folder.join("demo/table/small").join(file)));
        assert!(one.expect("a file") == other.expect("a file"), "{file}");
    }
    // Nothing is left of the locks, and of nothing are there two.
    let entries = |name: &str| fs::read_dir(checkout.path("cache").join(name)).expect("a folder").count();
    assert_eq!((entries("locks"), entries("cells"), entries("models")), (0, 5, 4));
}

/// The pool that the small scale leaves in the cache is a pool like anybody's: an experiment over it, which trains nothing, has the
/// same scores.
#[test]
fn an_experiment_over_a_pool_of_given_models_has_the_scores_of_the_one_that_trained_them() {
    let checkout = Checkout::new();
    checkout.add_model();
    run(&checkout).expect("the small scale");
    let pools: Vec<_> = fs::read_dir(checkout.path("cache/pools")).expect("pools").flatten().collect();
    let [pool] = pools.as_slice() else { panic!("{pools:?}") };
    let pool = format!("cache/pools/{}", pool.file_name().display());
    let given = EXPERIMENT
        .replace("[scale.small]\nworld = \"small\"\nbase = \"tiny\"\n", "[scale.given]\npools = { pool = \"POOL\" }\n")
        .replace("POOL", &pool);
    fs::write(checkout.path("experiments/demo/table.toml"), &given).expect("written");
    let finished = run_at(&checkout, "given", checkout.path("results")).expect("the given models");
    assert_eq!((finished.computed, finished.cached), (5, 0));
    let cells = |scale: &str| -> Vec<String> {
        let path = checkout.path(&format!("results/demo/table/{scale}/cells.csv"));
        let mut reader = csv::Reader::from_path(path).expect("a table");
        let id = reader.headers().expect("a header").iter().position(|name| name == "cell_id").expect("a column");
        let line = |row: csv::StringRecord| {
            row.iter()
                .enumerate()
                .filter(|(at, _)| *at != id)
                .map(|(_, cell)| cell.to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        reader.records().map(|row| line(row.expect("a row"))).collect()
    };
    assert_eq!(cells("given"), cells("small"));
    assert_eq!(fs::read_dir(checkout.path("cache/models")).expect("models").count(), 4, "nothing was trained anew");

    // A model that is gone is named before any work, with what to do.
    fs::remove_dir_all(checkout.path("results/demo/table/given")).expect("removed");
    let mut models = fs::read_dir(checkout.path("cache/models")).expect("models").flatten().map(|entry| entry.path());
    let guard = models.find(|path| path.display().to_string().contains("small-guard")).expect("a guard");
    fs::rename(&guard, checkout.path("elsewhere")).expect("moved");
    let error = run_at(&checkout, "given", checkout.path("results")).unwrap_err().to_string();
    for part in ["the pool is not complete; nothing was done", "helper.guard.model", "correct the path"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!checkout.path("results/demo/table/given").exists());
}

#[test]
fn mistakes_in_a_small_scale_are_reported() {
    for (from, to, message) in [
        ("blocks = [\"pool\"]", "blocks = [\"pond\"]", "scale `small`: unknown block `pond`"),
        ("blocks = [\"pool\"]", "blocks = []", "scale `small`: no blocks"),
        ("base = \"tiny\"", "", "scale `small`: `base` belongs to world \"small\", which needs it"),
        ("world = \"small\"", "world = \"large\"", "table.toml"),
        ("base = \"tiny\"", "base = \"huge\"", "unknown pretrained model `huge`: there are tiny"),
        (
            "chemist = \"expert\"",
            "chemist = \"guru\"",
            "unknown model `guru`: there are aligned, expert, uncensored, guard",
        ),
        ("chemistry = \"colours\"", "chemistry = \"sounds\"", "unknown task `sounds`; the pool has colours"),
        ("harmful_prompts = 4", "harmful_prompts = 5", "expected 5 prompts in harmful.test: it has 4"),
        ("density = [1.0] }\nanalysis", "density = [] }\nanalysis", "the grid is empty"),
        ("density = [1.0] }\nanalysis", "t = [1.0] }\nanalysis", "no row has a grid with `t`"),
    ] {
        let checkout = Checkout::new();
        checkout.add_model();
        assert!(EXPERIMENT.contains(from), "{from}");
        let path = checkout.path("experiments/demo/table.toml");
        fs::write(path, EXPERIMENT.replacen(from, to, 1)).expect("written");
        let error = run(&checkout).unwrap_err().to_string();
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn committed_experiments_have_the_scale_and_keep_their_identity() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["hammoud2024/table-1", "hammoud2024/table-2"] {
        let experiment = Experiment::load(&root, name).expect("an experiment");
        let scales = &serde_json::to_value(&experiment).expect("plain data")["scale"];
        assert_eq!(scales["small"]["base"], "smollm2-135m-instruct-q4_1");
        // What small scales may say is absent from others when they are written, and so from the hash of their results.
        let fields: Vec<&str> = scales["miniature"].as_object().expect("fields").keys().map(String::as_str).collect();
        let expected =
            ["seeds", "pairs", "harmful_prompts", "benign_prompts", "questions", "dev_questions", "models", "tasks"];
        assert_eq!(fields, expected);
        // The results that are committed were made from this very specification.
        let manifest = fs::read(root.join("results").join(name).join("miniature/manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let options = Options {
            scale: "miniature".into(),
            seeds: None,
            device: "flex".into(),
            jobs: None,
            limit: None,
            fresh: false,
            overwrite: false,
            cache: "cache".into(),
            results: "results".into(),
            models: "models".into(),
            data: "data".into(),
            command_line: Vec::new(),
        };
        let run = Run::new(&root, name, options).expect("a run");
        assert_eq!(manifest["experiment_sha256"], run.spec_sha256());
    }
}
