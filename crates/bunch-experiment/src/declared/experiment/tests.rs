//! Experiments as files: those that there are, and those that are refused.

use std::path::Path;

use super::*;
use crate::recording::published;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file with every name declared; `extra` goes before its scale.
fn message(extra: &str) -> String {
    let text = format!(
        r#"
title = "t"
question = "q"
paper = {{ key = "k", arxiv = "1", item = "i" }}
block = [{{ name = "one", title = "One", base = "b", experts = ["e"] }}]
row = [{{ name = "low", label = "low", at = {{ alpha = 0.5 }}, strategy.member = 0 }}]
{extra}
[scale.miniature]
seeds = [0]
pairs = 1
harmful_prompts = 1
benign_prompts = 1
questions = 1
dev_questions = 1
models = {{ b = "base", e = "aligned" }}
tasks = {{}}
"#
    );
    let experiment: Experiment = toml::from_str(&text).expect("well-formed");
    experiment.check(Path::new("x.toml")).map_or_else(|error| error.to_string(), |()| "fine".into())
}

const COLUMN: &str = r#"column = [{ name = "x", label = "x", metric = "safe_rate" }]"#;

#[test]
fn every_experiment_is_well_formed_and_finds_its_published_values() {
    let names = list_experiments(&root()).unwrap();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let experiment = Experiment::load(&root(), &name).unwrap();
        let published = published::load(&root(), &experiment).unwrap();
        let is_published = experiment.blocks.iter().any(|block| experiment.published_place(block).is_some());
        assert_eq!(!published.is_empty(), is_published, "{name}");
        // A file without lines names the columns that the paper has and that nobody here knows.
        let has_lines = experiment.rows.iter().any(|row| row.published.is_some());
        assert_eq!(published.iter().any(|value| value.value.is_some()), has_lines, "{name}");
    }
}

#[test]
fn a_derived_model_is_made_of_what_comes_before_it() {
    let model = |name: &str, of: &str| {
        format!("[[model]]\nname = '{name}'\nof = {of}\nmerge.task_arithmetic = {{ weights = [0.5] }}\n")
    };
    let of = |models: &str| message(&format!("{COLUMN}\n{models}"));
    assert_eq!(of(&(model("a", "['aligned', 'base']") + &model("b", "['a', 'base']"))), "fine");
    assert!(of(&model("a", "['aligned', 'a']")).ends_with("model `a` is made of `a`, which is not made before it"));
    let later = model("a", "['b', 'base']") + &model("b", "['aligned', 'base']");
    assert!(of(&later).ends_with("model `a` is made of `b`, which is not made before it"));
    assert!(of(&model("a", "['aligned', 'base', 'base']")).contains("model `a`: "), "one weight for two experts");
    assert!(of(&model("a", "[]")).ends_with("model `a` is made of nothing"));
}

#[test]
fn columns_have_what_their_metric_needs_and_nothing_else() {
    let of = |column: &str| message(&format!("column = [{{ name = 'x', label = 'x', {column} }}]"));
    assert_eq!(of("metric = 'cka', to = 1"), "fine");
    for (column, what) in [
        ("metric = 'cka'", "`to` belongs to metrics of likeness, which need it"),
        ("metric = 'safe_rate', to = 1", "`to` belongs to metrics of likeness, which need it"),
        ("metric = 'cka', to = 2", "block `one` has no member 2"),
        ("metric = 'detail'", "`key` belongs to metric \"detail\", which needs it"),
        ("metric = 'mean', of = ['x']", "`x` is no column of scores"),
        ("metric = 'acc', judge = 'second'", "`judge` and `category` belong to metrics of safety"),
        (
            "metric = 'refusal_rate', prompts = 'red_team'",
            "`prompts` belongs to metrics of safety and to \"babble_rate\"",
        ),
    ] {
        assert!(of(column).ends_with(what), "{column}: {}", of(column));
    }
}

#[test]
fn drawings_name_what_there_is() {
    let of = |drawings: &str| message(&format!("{COLUMN}\n{drawings}"));
    let curve = |name: &str, x: &str, column: &str| {
        format!(
            "[[drawing]]\nname = '{name}'\ntitle = 't'\ndraw.curve = {{ x = '{x}', label = 'l', columns = ['{column}'] }}\n"
        )
    };
    assert_eq!(of(&curve("a", "alpha", "x")), "fine");
    assert!(of(&curve("a", "alpha", "y")).ends_with("drawing `a`: unknown column `y`"));
    assert!(of(&curve("a", "beta", "x")).ends_with("drawing `a`: unknown coordinate of rows `beta`"));
    assert!(of(&(curve("a", "alpha", "x") + &curve("a", "alpha", "x"))).ends_with("two drawings are called `a`"));
}

#[test]
fn a_scale_has_no_hyphen_in_its_name() {
    assert_eq!(message(COLUMN), "fine");
    let experiment: Experiment = toml::from_str(
        "title = 't'\nquestion = 'q'\npaper = { key = 'k', arxiv = '1', item = 'i' }\nblock = []\nrow = []\ncolumn = []\n\
         [scale.very-small]\nseeds = [0]\npairs = 1\nharmful_prompts = 1\nbenign_prompts = 1\nquestions = 1\n\
         dev_questions = 1\nmodels = {}\ntasks = {}",
    )
    .unwrap();
    let error = experiment.check(Path::new("x.toml")).unwrap_err().to_string();
    assert!(error.contains("scale `very-small`: a hyphen"), "{error}");
}
