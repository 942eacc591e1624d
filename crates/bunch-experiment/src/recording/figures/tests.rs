//! Every kind of figure, drawn from a few cells.

use std::collections::BTreeMap;

use bunch_report::Cell;
use bunch_search::Evaluation;

use super::{Background, Drawn};
use crate::Experiment;
use crate::recording::measurement::Measurement;

const EXPERIMENT: &str = r#"
title = "t"
question = "q"
figure = { x = "x", y = "y" }
[paper]
key = "k"
arxiv = "1"
item = "i"
[[block]]
name = "one"
title = "One"
base = "b"
experts = ["e"]
at = { depth = 1 }
[[block]]
name = "two"
title = "Two"
base = "b"
experts = ["e"]
rows = ["low"]
at = { depth = 2 }
[[column]]
name = "x"
label = "safety"
metric = "safe_rate"
[[column]]
name = "y"
label = "knowledge"
metric = "refusal_rate"
[[row]]
name = "low"
label = "low"
at = { alpha = 0.0, beta = 1.0 }
weighting.member = 0
[[row]]
name = "high"
label = "high"
at = { alpha = 1.0, beta = 1.0 }
weighting.member = 1
[[drawing]]
name = "curve"
title = "t"
draw.curve = { x = "alpha", label = "alpha", columns = ["x"] }
[[drawing]]
name = "blocks"
title = "t"
draw.block_curve = { x = "depth", label = "depth", columns = ["x"] }
[[drawing]]
name = "map"
title = "t"
draw.map = { rows = ["low"] }
[[drawing]]
name = "dots"
title = "t"
draw.dots = { columns = ["x"] }
[[drawing]]
name = "plane"
title = "t"
draw.plane = { x = "alpha", y = "beta", column = "y" }
[[drawing]]
name = "convergence"
title = "t"
draw.convergence = {}
[[drawing]]
name = "front"
title = "t"
draw.front = { x = "x", y = "y", reference = [0.0, 10.0], fronts = { all = ["low", "high"] } }
[scale.miniature]
seeds = [0, 1]
pairs = 1
harmful_prompts = 1
benign_prompts = 1
questions = 1
dev_questions = 1
models = { b = "base", e = "aligned" }
tasks = {}
"#;

fn cell(block: &str, row: &str, column: &str, seed: u64, value: f64) -> Cell {
    let [block, row, column] = [block, row, column].map(str::to_owned);
    Cell { block, row, column, seed, value, stderr: 1.0, n: 10, cell_id: "c".into(), detail: BTreeMap::new() }
}

fn cells() -> Vec<Cell> {
    let places = [("one", "low", 20.0), ("one", "high", 60.0), ("two", "low", 40.0)];
    let of = |(block, row, value): (&str, &str, f64)| {
        let of_seed = move |seed: u64| {
            let value = value + seed as f64;
            [cell(block, row, "x", seed, value), cell(block, row, "y", seed, 100.0 - value)]
        };
        [0, 1].map(of_seed).concat()
    };
    places.map(of).concat()
}

fn search(row: &str, losses: &[f64]) -> Measurement {
    let step = |(step, &loss): (usize, &f64)| Evaluation { step, point: vec![], loss, generation: 0, restart: 0 };
    Measurement {
        id: "c".into(),
        block: "one".into(),
        row: row.into(),
        seed: 0,
        scores: BTreeMap::new(),
        detail: BTreeMap::new(),
        trace: losses.iter().enumerate().map(step).collect(),
        weights_sha256: String::new(),
        samples: Vec::new(),
        wall_seconds: 0.0,
    }
}

fn files(measurements: &[Measurement]) -> BTreeMap<String, Vec<u8>> {
    let experiment: Experiment = toml::from_str(EXPERIMENT).unwrap();
    let (spec, cells) = (experiment.table_spec("s"), cells());
    let behind = Background { measurements, generated: &[], prompts: &[] };
    Drawn::new(&experiment, &spec, &cells, &[]).unwrap().files(&behind).unwrap().into_iter().collect()
}

#[test]
fn every_kind_is_drawn_twice() {
    let files = files(&[search("high", &[3.0, 1.0, 2.0])]);
    let svgs =
        ["figure", "curve", "blocks", "map-low", "dots-one", "dots-two", "plane-one", "plane-two", "convergence"];
    for name in svgs {
        assert!(files[&format!("{name}.svg")].starts_with(b"<svg "), "{name}");
        assert!(files[&format!("{name}.png")].starts_with(b"\x89PNG"), "{name}");
    }
    assert_eq!(files.len(), 2 * svgs.len() + 1, "{:?}", files.keys());
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    // Places are named by their coordinates; the row that the second block does not have is not drawn.
    assert!(["alpha = 0", "alpha = 1", "beta = 1"].iter().all(|place| text("plane-one.svg").contains(place)));
    assert!(text("dots-one.svg").contains("high") && !text("dots-two.svg").contains("high"));
}

#[test]
fn hypervolumes_are_within_seeds() {
    let files = files(&[]);
    // Above (0, 10), seed 0 has (20, 80) and (60, 40): 60 x 30 and 20 x 40; seed 1 has (21, 79) and (61, 39).
    let expected = "block,set,seed,hypervolume\none,all,0,2600\none,all,1,2609\ntwo,all,0,2000\ntwo,all,1,2009\n";
    assert_eq!(String::from_utf8(files["front.csv"].clone()).unwrap(), expected);
    assert!(!files.contains_key("convergence.svg"), "nothing was searched");
}
