//! Dry runs: of every experiment that has the paper's scale, and of the miniature.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::{Experiment, Options, list_experiments};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(name: &str, scale: &str, folder: &Path) -> Run {
    let options = Options {
        scale: scale.into(),
        seeds: None,
        device: "flex".into(),
        jobs: Some(2),
        limit: (scale == "miniature").then_some(4),
        fresh: false,
        overwrite: false,
        cache: folder.join("cache"),
        results: folder.join("results"),
        models: folder.join("models"),
        data: folder.join("data"),
        command_line: Vec::new(),
    };
    Run::new(&root(), name, options).unwrap()
}

#[test]
fn every_experiment_of_a_paper_says_what_its_pools_lack() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for name in list_experiments(&root()).unwrap() {
        if !Experiment::load(&root(), &name).unwrap().scale.contains_key("paper") {
            continue;
        }
        let run = run(&name, "paper", folder.path());
        let text = run.dry_run().unwrap_or_else(|error| panic!("{name}: {error}")).to_string();
        let models = folder.path().join("models");
        for part in ["fetch it: bunch fetch ".to_owned(), format!("--out {}", models.display())] {
            assert!(text.contains(&part), "{name}, {part}: {text}");
        }
        assert!(text.contains("prompts.harmful.test") && text.contains("What models will be asked"), "{name}: {text}");
        assert!(!text.contains("the experiment needs a member or helper"), "{name}: {text}");
        // Without a dry run it stops with that list, and leaves nothing behind.
        let error = run.execute().unwrap_err();
        let ExperimentError::UnsoundPool { problems, .. } = &error else { panic!("{name}: {error}") };
        assert!(problems.lines().all(|line| text.contains(line)), "{name}: {problems}");
        seen.push(name);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let items = [
        "figure-1", "figure-2", "figure-3", "figure-4", "figure-5", "table-1", "table-2", "table-3a", "table-3b",
        "table-4", "table-5",
    ];
    let expected = items
        .iter()
        .map(|item| format!("hammoud2024/{item}"))
        .chain(["thakkar2025/figure-1".into(), "thakkar2025/figure-2".into()]);
    expected.for_each(|name| assert!(seen.contains(&name), "{name} has no scale `paper`"));
}

#[test]
fn what_models_will_be_asked_is_counted_from_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let counts = run("hammoud2024/table-1", "paper", folder.path()).counts();
    // Two pools; rows: two members, three grids (9, 9, 10 candidates), six searches of 100 and the winner again, two LM-Cocktails.
    assert_eq!((counts.cells, counts.merges), (26, 1278));
    assert_eq!(counts.pairs, 2 * 2 * 1000);
    assert_eq!(counts.answers, 26 * (1733 + 250));
    // Each grid answers the dev questions with each candidate; every row is measured.
    assert_eq!(counts.documents, 26 * 4183 + 2 * (9 + 9 + 10) * 4183);
}

#[test]
fn the_miniature_lists_its_cells_models_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let text = run("hammoud2024/table-4", "miniature", folder.path()).dry_run().unwrap().to_string();
    for line in [
        "hammoud2024/table-4 at scale miniature-limit-4",
        ", of which 0 are cached",
        "  llama-openbio/base seed 0: to be computed",
        "  uncensored seed 2: ",
        "Data to generate: 5\n",
        "with 2 jobs side by side",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!folder.path().join("cache/cells").exists() && !folder.path().join("results").exists());
}
