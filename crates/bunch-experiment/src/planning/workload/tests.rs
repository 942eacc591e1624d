//! Amounts of the papers' tables against sums by hand.

use std::path::{Path, PathBuf};

use super::*;
use crate::Options;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(name: &str, limit: Option<usize>) -> Run {
    let options = Options {
        scale: "paper".into(),
        seeds: None,
        device: "flex".into(),
        jobs: None,
        limit,
        fresh: false,
        overwrite: false,
        cache: "cache".into(),
        results: "results".into(),
        models: "models".into(),
        data: "data".into(),
        gpu: "A100-80GB".into(),
        command_line: Vec::new(),
    };
    Run::new(&root(), name, options).unwrap()
}

fn load_of(run: &Run) -> Workload {
    let (checkpoints, data) = (Checkpoints::load(&root()).unwrap(), PaperData::load(&root()).unwrap());
    run.workload(&checkpoints, &data).unwrap()
}

fn load(name: &str, limit: Option<usize>) -> Workload {
    load_of(&run(name, limit))
}

#[test]
fn table_1_has_the_merges_of_its_searches() {
    // Two pools of 13 rows: grids of 9, 9 and 10, six searches of 100, each with the one that wins, and two LM-Cocktails.
    let table = load("hammoud2024/table-1", None);
    assert_eq!((table.cells, table.merges), (26, 2 * (10 + 10 + 11 + 6 * 101 + 2)));
    // Two models of each merge; 639 merges of Mistral's size and 639 of Llama's.
    assert_eq!(table.merged_bytes, 639.0 * 2.0 * 4.0 * (7_241_732_096.0 + 8_030_261_248.0));
    assert!(table.left_out.is_empty());
    // In each pool: 1,000 unsafe questions of 512 and 1,000 of 1,024, 3,000 answers of 512, 3,000 verdicts of 100.
    assert_eq!(table.generating.written_tokens, 2.0 * 1000.0 * (512.0 + 1024.0 + 3.0 * 512.0 + 3.0 * 100.0));
    // In each row: 1,733 answers and verdicts, 250 answers to benign prompts.
    assert_eq!(table.evaluating.written_tokens, 26.0 * (1733.0 * (512.0 + 100.0) + 250.0 * 512.0));
    // Pairs are read; no search writes. Three searches of 1,000 pairs and three of 2,000, two LM-Cocktails of two models; grids
    // read questions on top.
    assert_eq!(table.searching.written_tokens, 0.0);
    let pairs = 2.0 * (3.0 * 100.0 * 3000.0 + 2.0 * 3000.0) * 586.0;
    assert!(table.searching.read_tokens > pairs && table.searching.read_tokens < 1.1 * pairs);
}

#[test]
fn members_that_are_merges_in_the_miniature_are_checkpoints_here() {
    // Seven members and ten merges; none of the two models that the miniature merges first.
    let table = load("hammoud2024/table-5", None);
    assert_eq!((table.cells, table.merges), (17, 10));
    assert_eq!(table.merged_bytes, 10.0 * 7.0 * 4.0 * 7_241_732_096.0);
}

#[test]
fn a_limit_makes_less_of_it_and_unknown_sizes_are_named() {
    let (all, limited) = (load("hammoud2024/table-4", None), load("hammoud2024/table-4", Some(10)));
    assert_eq!(all.merges, limited.merges);
    assert!(limited.total().flops() < 0.02 * all.total().flops());
    let figure = load("thakkar2025/figure-2", None);
    assert!(figure.left_out.contains("adaptllm_mqp") && figure.left_out.len() == 10, "{:?}", figure.left_out);
    assert!(figure.evaluating.written_tokens > 0.0 && figure.generating == Work::default());
}

#[test]
fn preference_tuning_and_a_choice_of_the_best_are_counted() {
    let mut run = run("hammoud2024/table-4", Some(10));
    let best = "best = [{ member = 1 }, { fixed.task_arithmetic = { weights = [0.5] } }, { preference = { member = 1, \
                loss.dpo.beta = 0.1, pairs = 100, epochs = 2, batch_size = 4, warmup = 0.0, learning_rate = 1e-6 } }]";
    run.experiment.rows.truncate(1);
    run.experiment.rows[0].weighting = toml::from_str(best).unwrap();
    let load = load_of(&run);
    assert_eq!((load.cells, load.merges), (1, 1));
    // Two answers of 586 tokens with their prompts, 100 pairs, two epochs; forward, back as two, and by the reference.
    assert_eq!(load.training.read_tokens, 2.0 * 100.0 * 2.0 * 4.0 * 586.0);
    // Each of three candidates answers 10 harmful prompts, and the guard judges them.
    assert_eq!(load.searching.written_tokens, 3.0 * 10.0 * (512.0 + 100.0));
    assert_eq!(load.generating, Work::default());
    let (checkpoints, data) = (Checkpoints::load(&root()).unwrap(), PaperData::load(&root()).unwrap());
    let needed = run.requirements(&checkpoints, &data).unwrap();
    assert!(needed.data.iter().any(|set| set.id == "hh_rlhf"));
    assert!(!needed.models.iter().any(|model| model.id == "dolphin-2.9-llama3-8b"), "nothing is generated");
}
