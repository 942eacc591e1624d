//! Dry runs: of every experiment that has the paper's scale, and of the miniature.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::ModelDirectory;
use bunch_llama::LlamaConfig;

use super::*;
use crate::planning::checkpoints::Presence;
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
        gpu: "A100-80GB".into(),
        command_line: Vec::new(),
    };
    Run::new(&root(), name, options).unwrap()
}

#[test]
fn every_experiment_of_a_paper_knows_its_checkpoints_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for name in list_experiments(&root()).unwrap() {
        if !Experiment::load(&root(), &name).unwrap().scale.contains_key("paper") {
            continue;
        }
        let run = run(&name, "paper", folder.path());
        let paper = run.paper().unwrap_or_else(|error| panic!("{name}: {error}"));
        let needed = &paper.requirements;
        assert_eq!(needed.missing(), needed.models.len() + needed.data.len(), "{name}: nothing is there");
        let text = run.outlook().unwrap().to_string();
        for model in &needed.models {
            assert!(text.contains(&model.get) && model.get.starts_with("cargo bunch fetch "), "{name}: {text}");
        }
        assert!(text.contains("for guard: missing") && text.contains("FLOP"), "{name}: {text}");
        assert!(text.contains("revision unknown (pin before running)"), "{name}: {text}");
        // Without a dry run it stops with that list, and leaves nothing behind.
        let error = run.execute().unwrap_err();
        let ExperimentError::PaperMissing { list } = &error else { panic!("{name}: {error}") };
        assert!(text.contains(list.as_str()), "{name}: {list}");
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
fn what_is_there_is_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let run = run("hammoud2024/table-1", "paper", folder.path());
    let presence = |id: &str| {
        let paper = run.paper().unwrap();
        let needed = paper.requirements.models.iter().chain(&paper.requirements.data);
        needed.filter(|needed| needed.id == id).map(|needed| needed.presence.clone()).next().unwrap()
    };
    let missing = run.paper().unwrap().requirements.missing();
    let json = serde_json::json!({
        "model_type": "llama", "vocab_size": 5, "hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 8, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false,
    });
    let place = folder.path().join("models/meta-llama/Meta-Llama-Guard-2-8B");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    ModelDirectory::new(json.clone(), &LlamaConfig::from_json(&json).unwrap().initial_weights(1))
        .write(&place)
        .unwrap();
    assert_eq!(presence("llama-guard-2"), Presence::Here);
    assert_eq!(presence("mammoth2-7b"), Presence::Missing);
    assert_eq!(run.paper().unwrap().requirements.missing(), missing - 1);
    // A download that is not complete.
    let place = folder.path().join("models/TIGER-Lab/MAmmoTH2-7B");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("config.json"), json.to_string()).unwrap();
    assert!(matches!(presence("mammoth2-7b"), Presence::Unusable(_)));
    // Data: a task's folder, and a file of prompts.
    assert_eq!((presence("medmcqa"), presence("beavertails")), (Presence::Missing, Presence::Missing));
    fs::create_dir_all(folder.path().join("data/medmcqa")).unwrap();
    assert_eq!(presence("medmcqa"), Presence::Missing, "an empty folder");
    fs::write(folder.path().join("data/medmcqa/dev.json"), "").unwrap();
    fs::write(folder.path().join("data/prompts.json"), "[]").unwrap();
    assert_eq!((presence("medmcqa"), presence("beavertails")), (Presence::Here, Presence::Here));
}

#[test]
fn the_miniature_tells_its_cells_models_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let text = run("hammoud2024/table-4", "miniature", folder.path()).outlook().unwrap().to_string();
    for line in [
        "hammoud2024/table-4 at scale miniature-limit-4",
        ", of which 0 are cached",
        "  llama-openbio/base seed 0: to be computed",
        "  uncensored seed 2: ",
        "Data to generate: 3\n",
        "with 2 jobs side by side",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!folder.path().join("cache/cells").exists() && !folder.path().join("results").exists());
}
