//! Files behind the table, of a few measurements.

use std::collections::BTreeMap;

use super::{differences, unparsed};
use crate::Experiment;
use crate::recording::measurement::{Measurement, Score};

const EXPERIMENT: &str = r#"
title = "t"
question = "q"
paper = { key = "k", arxiv = "1", item = "i" }
block = [{ name = "one", title = "One", base = "b", experts = ["e"] }]
column = [{ name = "x", label = "x", metric = "safe_rate" }, { name = "loss", label = "loss", metric = "detail", key = "loss" }]
[[row]]
name = "low"
label = "low"
strategy.member = 0
[[row]]
name = "high"
label = "high"
baseline = "low"
strategy.member = 1
[scale.miniature]
seeds = [0, 1]
pairs = 1
harmful_prompts = 5
benign_prompts = 1
questions = 1
dev_questions = 1
models = { b = "base", e = "aligned" }
tasks = {}
"#;

fn measurement(row: &str, seed: u64, items: &[u8]) -> Measurement {
    let items: Vec<bool> = items.iter().map(|&item| item == b'1').collect();
    Measurement {
        id: format!("{row} {seed}"),
        block: "one".into(),
        row: row.into(),
        seed,
        scores: BTreeMap::from([("x".into(), Score::of(&items)), ("loss".into(), Score::number(0.5))]),
        detail: BTreeMap::new(),
        trace: Vec::new(),
        weights_sha256: String::new(),
        samples: Vec::new(),
        wall_seconds: 1.0,
    }
}

#[test]
fn differences_are_paired_within_a_seed_and_corrected_within_a_column() {
    let experiment: Experiment = toml::from_str(EXPERIMENT).unwrap();
    let measurements = [
        measurement("low", 0, b"00000"),
        measurement("high", 0, b"11111"),
        measurement("low", 1, b"01010"),
        measurement("high", 1, b"11011"),
    ];
    let text = differences(&experiment, &measurements).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "block,row,baseline,column,seed,difference,stderr,low,high,cohens_h,n,only_baseline,only_row,mcnemar_p,holm_p"
    );
    assert_eq!(lines.len(), 3, "a loss has no items: {text}");
    // All five: h = pi, p = 2 / 2^5, and twice that after Holm's correction for two seeds.
    assert!(lines[1].starts_with("one,high,low,x,0,100,0,"), "{text}");
    assert!(lines[1].ends_with(",100,3.141593,5,0,5,6.250e-2,1.250e-1"), "{text}");
    // Two of five alone, none of the other: p = 2 / 2^2.
    assert!(lines[2].starts_with("one,high,low,x,1,40,21.908902,"), "{text}");
    assert!(lines[2].ends_with(",5,0,2,5.000e-1,5.000e-1"), "{text}");
}

#[test]
fn unparsed_verdicts_are_named_with_their_place() {
    let mut measurements = [measurement("low", 0, b"0000"), measurement("high", 1, b"1111")];
    assert_eq!(unparsed(&measurements), None);
    measurements[0].scores.get_mut("x").unwrap().unparsed = 2;
    let note = "Unparsed verdicts: a judge said neither safe nor unsafe, which is counted as not safe, in one/low seed 0 x: 2 of 4.";
    assert_eq!(unparsed(&measurements).unwrap(), note);
}
