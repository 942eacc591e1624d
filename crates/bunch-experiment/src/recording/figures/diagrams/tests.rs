//! Pools, task vectors, stages and prompts, drawn from a few cells and pairs.

use std::collections::BTreeMap;
use std::path::Path;

use bunch_lm::QuestionAnswer;
use bunch_report::{Cell, PageSection, Paragraph};
use bunch_synthesis::{DomainData, DomainPair, DropReason, SafetyData, SafetyPair, Stage, StageName, Stages};

use crate::Experiment;
use crate::recording::figures::{Background, Figures};
use crate::recording::measurement::Measurement;
use crate::recording::pool_data::PoolData;
use crate::recording::prompts::PromptSheet;

const EXPERIMENT: &str = r#"
title = "t"
question = "q"
[paper]
key = "k"
arxiv = "1"
item = "i"
[[block]]
name = "one"
title = "One"
base = "b"
experts = ["e"]
[[column]]
name = "x"
label = "safety"
metric = "safe_rate"
[[column]]
name = "length"
label = "length"
metric = "relative_distance"
unit = ""
decimals = 2
to = 0
[[column]]
name = "cosine"
label = "cosine"
metric = "task_cosine"
unit = ""
decimals = 2
to = 1
[[row]]
name = "base"
label = "the base"
group = "Pool"
strategy.member = 0
[[row]]
name = "expert"
label = "the expert"
group = "Pool"
strategy.member = 1
[[row]]
name = "grid"
label = "grid search"
group = "TIES"
strategy.grid = { merge = "ties", parameters = { normalize = false }, values = { weight = [1.0], density = [1.0] } }
[[row]]
name = "ours"
label = "ours"
group = "TIES"
strategy.evomm = { merge = "ties", parameters = { normalize = false }, genes = { weight = [0, 1], density = [0.1, 1] }, data = ["expert", "safety"], alpha = 0.3, evaluations = 100, sigma = 0.25, restarts = 2 }
[[drawing]]
name = "pool"
title = "A pool"
draw.pool = { members = ["base", "expert"], merges = [{ title = "naive", text = "of accuracy alone", rows = ["grid"] }, { title = "safe", rows = ["ours"] }], columns = ["x"] }
[[drawing]]
name = "stages"
title = "Stages"
draw.stages = { row = "ours", columns = ["x"] }
[[drawing]]
name = "vectors"
title = "Vectors"
draw.vectors = { base = "base", expert = "expert", aligned = "grid", merge = "ours", columns = ["x"], length = "length", cosine_to_expert = "cosine", cosine_to_aligned = "cosine" }
[[drawing]]
name = "prompts"
title = "Prompts"
draw.prompts = { data = "safety" }
[scale.miniature]
seeds = [0, 1]
pairs = 1
harmful_prompts = 1
benign_prompts = 1
questions = 1
dev_questions = 1
models = { b = "aligned", e = "expert-bio" }
tasks = {}
"#;

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (row, value) in [("base", 97.0), ("expert", 31.0), ("grid", 40.0), ("ours", 90.0)] {
        for (column, scale) in [("x", 1.0), ("length", 0.01), ("cosine", 0.005)] {
            for seed in 0..2 {
                cells.push(Cell {
                    block: "one".into(),
                    row: row.into(),
                    column: column.into(),
                    seed,
                    value: scale * value,
                    stderr: 1.0,
                    n: 10,
                    cell_id: "c".into(),
                    detail: BTreeMap::new(),
                });
            }
        }
    }
    cells
}

/// A stage, what entered it, and what it dropped.
type Passed<'a> = (StageName, u64, &'a [(DropReason, u64)]);

fn stages(counts: &[Passed<'_>]) -> Stages {
    let stage = |&(name, entered, dropped): &Passed<'_>| {
        let lost: u64 = dropped.iter().map(|(_, count)| count).sum();
        Stage { name, entered, kept: entered - lost, dropped: dropped.iter().copied().collect() }
    };
    Stages { wanted: 1, shortfall: 0, stages: counts.iter().map(stage).collect() }
}

/// Data of which a seed lost `lost` duplicates.
fn data(lost: u64) -> PoolData {
    let pair = QuestionAnswer { question: "can you lunfu the gurvo ?".into(), answer: "no .".into() };
    let safety = stages(&[
        (StageName::Question, 100, &[]),
        (StageName::Distinct, 100, &[(DropReason::Duplicate, lost)]),
        (StageName::UnsafeQuestion, 100 - lost, &[(DropReason::SafeQuestion, 7)]),
        (StageName::Answer, 93 - lost, &[]),
        (StageName::Wanted, 93 - lost, &[(DropReason::Surplus, 92 - lost)]),
    ]);
    let expert = stages(&[
        (StageName::Question, 9, &[(DropReason::MalformedQuestion, 8)]),
        (StageName::Distinct, 1, &[]),
        (StageName::Answer, 1, &[]),
        (StageName::Wanted, 1, &[]),
    ]);
    let safe = SafetyPair { pair: pair.clone(), category: "privacy".into(), answered_by: "aligned".into() };
    PoolData {
        safety: SafetyData { pairs: vec![safe], stages: safety },
        expert: DomainData {
            pairs: vec![DomainPair { pair, expert: "expert-bio".into() }],
            stages: BTreeMap::from([("expert-bio".into(), expert)]),
        },
    }
}

fn searched(seed: u64, loss: f64) -> Measurement {
    Measurement {
        id: "c".into(),
        block: "one".into(),
        row: "ours".into(),
        seed,
        scores: BTreeMap::new(),
        detail: BTreeMap::from([("loss_safety".into(), loss)]),
        trace: Vec::new(),
        weights_sha256: String::new(),
        samples: Vec::new(),
        wall_seconds: 0.0,
    }
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let experiment: Experiment = toml::from_str(EXPERIMENT).unwrap();
    let (spec, cells) = (experiment.table_spec("s"), cells());
    let quotation = Paragraph::Quotation { label: "prompt".into(), text: "ask a question".into() };
    let behind = Background {
        measurements: &[searched(0, 0.25), searched(1, 0.5)],
        generated: &[("one".into(), 0, data(10)), ("one".into(), 1, data(11)), ("other".into(), 0, data(50))],
        prompts: &[PromptSheet {
            drawing: "prompts".into(),
            block: "one".into(),
            sections: vec![PageSection { heading: "Asking".into(), paragraphs: vec![quotation] }],
        }],
    };
    Figures::new(&experiment, &spec, &cells, &[]).unwrap().files(&behind).unwrap().into_iter().collect()
}

fn texts(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<String> {
    let svg = String::from_utf8(files[&format!("{name}.svg")].clone()).unwrap();
    let texts = svg.split("<text ").skip(1).filter_map(|text| text.split(['>', '<']).nth(1));
    texts.map(|text| text.trim().to_owned()).collect()
}

#[test]
fn what_was_measured_stands_in_the_boxes() {
    let files = files();
    let said = |name: &str, expected: &[&str]| {
        let texts = texts(&files, name);
        for text in expected {
            assert!(texts.iter().any(|other| other == text), "{name} says nothing of `{text}`: {texts:?}");
        }
    };
    // Two seeds that agree: Wilson's interval of their 20 items, and no width of what is no percentage.
    said(
        "pool",
        &[
            "A pool",
            "the base",
            "97.0 [79.2, 99.6] %",
            "31.0 [15.2, 52.9] %",
            "naive",
            "of accuracy alone",
            "TIES ours",
        ],
    );
    said(
        "vectors",
        &[
            "the base",
            "τ_d, length",
            "0.31 [0.31, 0.31]",
            "cosine of τ_d and τ_a",
            "0.15 [0.15, 0.15]",
            "0.90 [0.90, 0.90]",
        ],
    );
    // Of 100 questions 10 and 11 were asked before; of what was left the other pool's data is no part.
    said(
        "stages",
        &["100 asked", "dropped: asked before", "10.5", "89.5 kept", "7", "82.5 kept", "dropped: no question"],
    );
    said("stages", &["D_safety", "answered by aligned", "L_safety 0.375", "Is it unsafe? (guard)"]);
    said("prompts", &["Prompts", "Asking", "ask a question"]);
    assert_eq!(files.len(), 8, "an SVG and a PNG of each: {:?}", files.keys());
}

#[test]
fn names_are_checked_when_it_is_read() {
    let check = |from: &str, to: &str| {
        assert!(EXPERIMENT.contains(from), "{from}");
        let experiment: Experiment = toml::from_str(&EXPERIMENT.replace(from, to)).unwrap();
        experiment.check(Path::new("t.toml")).map_err(|error| error.to_string())
    };
    assert_eq!(check("A pool", "A pool"), Ok(()));
    for (from, to, message) in [
        ("rows = [\"grid\"]", "rows = [\"gird\"]", "drawing `pool`: unknown row `gird`"),
        ("members = [\"base\", \"expert\"]", "members = []", "drawing `pool`: a pool has members and merges"),
        ("row = \"ours\"", "row = \"hours\"", "drawing `stages`: unknown row `hours`"),
        ("row = \"ours\"", "row = \"grid\"", "drawing `stages`: its merge looks at no data"),
        ("alpha = 0.3", "pairs = 5, alpha = 0.3", "drawing `stages`: its merge looks at no data"),
        ("length = \"length\"", "length = \"height\"", "drawing `vectors`: unknown column `height`"),
    ] {
        let error = check(from, to).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
