//! Addresses of cells: what they follow from, and what they do not.

use std::path::Path;

use bunch_evolution::AnyStrategy;

use super::*;
use crate::declared::column::Part;
use crate::seed_pool::Places;

const EXPERIMENT: &str = r#"
title = "t"
question = "q"
paper = { key = "k", arxiv = "1", item = "i" }
[[block]]
name = "one"
title = "One"
base = "b"
experts = ["e"]
tasks = { acc = "facts" }
[[row]]
name = "ties"
label = "TIES"
strategy.fixed.merge.ties = { weights = [0.5], density = 0.2 }
[[column]]
name = "safe"
label = "alignment"
metric = "safe_rate"
[[column]]
name = "acc"
label = "accuracy"
metric = "acc"
[scale.miniature]
seeds = [0]
pairs = 2
harmful_prompts = 2
benign_prompts = 2
questions = 6
dev_questions = 6
models = { b = "aligned", e = "expert-bio" }
tasks = { facts = "bio", others = "math" }
"#;

fn strategy(settings: Value) -> AnyStrategy {
    serde_json::from_value(settings).unwrap()
}

/// Something done to a subject.
type Change<'a> = &'a dyn Fn(&mut Subject);

/// An experiment, and the seed of its only cell.
#[derive(Clone)]
struct Subject {
    experiment: Experiment,
    seed: u64,
}

impl Subject {
    fn new() -> Self {
        let experiment: Experiment = toml::from_str(EXPERIMENT).unwrap();
        experiment.check(Path::new("x.toml")).unwrap();
        Self { experiment, seed: 0 }
    }

    fn scale(&mut self) -> &mut Scale {
        self.experiment.scale.get_mut("miniature").unwrap()
    }

    fn seed_pool(&self) -> SeedPool {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path();
        let places = Places { root: folder, cache: folder, models: folder, data: folder };
        let (scale, derived) = (&self.experiment.scale["miniature"], &self.experiment.derived);
        let blocks: Vec<&Block> = self.experiment.blocks.iter().collect();
        SeedPool::open(self.seed, scale, (None, &blocks), derived, &places, "flex").unwrap()
    }

    fn key(&self) -> Value {
        let place = self.experiment.places().next().unwrap();
        cell_key(&self.experiment, &self.experiment.scale["miniature"], &self.seed_pool(), place).unwrap()
    }

    fn id(&self) -> String {
        cells(&self.experiment, &self.experiment.scale["miniature"], &[self.seed_pool()]).unwrap().remove(0).id
    }
}

/// The key without hashes, as text. A field that is new and has its default must not be in it: every address would change.
#[test]
fn the_key_of_a_cell_is_what_it_was() {
    let mut subject = Subject::new();
    subject.experiment.rows[0].strategy = strategy(json!({ "member": 1 }));
    let mut key = subject.key();
    for hashed in ["pool", "guard", "truth", "code"] {
        assert!(key[hashed].to_string().contains(|c: char| c.is_ascii_hexdigit()), "{hashed}");
        key.as_object_mut().unwrap().remove(hashed);
    }
    let expected = json!({
        "judges": [],
        "data": null,
        "row": ["one", "ties"],
        "strategy": {"member": 1},
        "columns": [
            ["safe", "safe_rate", ["guard", "harmful", null], [], null, null],
            ["acc", "acc", ["guard", "harmful", null], [], null, null],
        ],
        "part": null,
        "tasks": {"acc": "bio"},
        "selection": ["bio"],
        "prompts": [2, 0, 2],
        "questions": [6, 6],
        "seed": 0,
    });
    assert_eq!(key, expected);
}

#[test]
fn every_part_of_the_key_changes_the_address() {
    let change = |change: Change<'_>| {
        let mut subject = Subject::new();
        change(&mut subject);
        subject.id()
    };
    let changes: Vec<(&str, Change<'_>)> = vec![
        ("nothing", &|_| ()),
        ("the base", &|s| s.scale().models.insert("b".into(), "base".into()).map_or((), drop)),
        ("an expert", &|s| s.scale().models.insert("e".into(), "expert-math".into()).map_or((), drop)),
        ("the order of members", &|s| {
            let block = &mut s.experiment.blocks[0];
            let mut experts: Vec<String> = block.experts.clone().into();
            std::mem::swap(&mut block.base, &mut experts[0]);
            block.experts = experts.into();
        }),
        ("the block's name", &|s| s.experiment.blocks[0].name = "two".into()),
        ("the row's name", &|s| s.experiment.rows[0].name = "other".into()),
        ("the method", &|s| {
            s.experiment.rows[0].strategy = strategy(json!({ "fixed": { "merge": { "linear": {} } } }))
        }),
        ("a column's name", &|s| s.experiment.columns[0].name = "alignment".into()),
        ("a column's metric", &|s| s.experiment.columns[0].metric = Metric::TrueSafeRate),
        ("a column's prompts", &|s| s.experiment.columns[0].prompts = "red_team".into()),
        ("the judge", &|s| s.experiment.columns[0].judge = "judge".into()),
        ("a category", &|s| s.experiment.columns[0].category = Some("privacy violation".into())),
        ("the part of the model", &|s| s.experiment.blocks[0].part = Some(Part { layer: Some(1), module: None })),
        ("a task", &|s| s.scale().tasks.insert("facts".into(), "math".into()).map_or((), drop)),
        ("what selects", &|s| s.experiment.blocks[0].select_on = vec!["others".into()]),
        ("harmful prompts", &|s| s.scale().harmful_prompts = 1),
        ("red-team prompts", &|s| s.scale().red_team_prompts = 1),
        ("benign prompts", &|s| s.scale().benign_prompts = 1),
        ("questions", &|s| s.scale().questions = 12),
        ("dev questions", &|s| s.scale().dev_questions = 12),
        ("the seed", &|s| s.seed = 1),
    ];
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, by) in changes {
        if let Some(other) = seen.insert(change(by), name) {
            panic!("{name} and {other} have one address");
        }
    }
}

#[test]
fn what_decides_no_number_changes_no_address() {
    let usual = Subject::new().id();
    let mut subject = Subject::new();
    let experiment = &mut subject.experiment;
    experiment.title = "another".into();
    experiment.question = "another".into();
    experiment.analysis = "It holds.".into();
    experiment.blocks[0].title = "Another".into();
    experiment.blocks[0].at.insert("alpha".into(), 0.5);
    experiment.rows[0].label = "another".into();
    experiment.rows[0].group = "another".into();
    experiment.columns[0].label = "another".into();
    experiment.columns[0].decimals = 3;
    // What a search looks at is no part of a row that looks at nothing.
    subject.scale().pairs = 100;
    // The tasks that select are those of the accuracy columns anyway.
    subject.experiment.blocks[0].select_on = vec!["facts".into()];
    assert_eq!(subject.id(), usual);
}

#[test]
fn a_row_that_looks_at_data_has_its_address_in_the_key() {
    let mut subject = Subject::new();
    let evomm = json!({ "evomm": {
        "merge": "dare_ties", "genes": { "weight": [0.0, 1.0] }, "data": ["expert", "safety"], "alpha": 0.5,
        "evaluations": 4, "sigma": 0.25, "restarts": 0
    }});
    subject.experiment.rows[0].strategy = strategy(evomm.clone());
    assert_eq!(subject.key()["strategy"], evomm, "what has its default is not in the key");
    let data = |subject: &Subject| subject.key()["data"].clone();
    let usual = data(&subject);
    assert_eq!(usual.as_str().map(str::len), Some(32));
    let mut more = subject.clone();
    more.scale().pairs = 3;
    let mut other = subject.clone();
    other.scale().models.insert("e".into(), "expert-math".into());
    // Test prompts and questions are excluded from the data.
    let mut longer = subject.clone();
    longer.scale().harmful_prompts = 3;
    let mut renamed = subject.clone();
    renamed.experiment.blocks[0].name = "two".into();
    for changed in [&more, &other, &longer] {
        assert_ne!(data(changed), usual);
    }
    assert_eq!(data(&renamed), usual, "blocks with the same models share their data");
}

#[test]
fn a_cell_names_the_code_of_the_methods_that_it_uses() {
    let code = |settings: Value| {
        let row = Row { strategy: strategy(settings), ..Subject::new().experiment.rows[0].clone() };
        merge_code(&row)
    };
    let ties = || json!({ "fixed": { "merge": { "ties": {} } } });
    let linear = || json!({ "fixed": { "merge": { "linear": {} }, "base": "expert" } });
    assert_eq!(code(ties()), code(json!({ "grid": { "merge": "ties", "values": { "density": [0.5] } } })));
    assert_eq!(code(linear()), code(json!({ "lm_cocktail": { "data": ["expert"], "temperature": 1.0 } })));
    assert_ne!(code(ties()), code(linear()));
    assert_eq!(code(json!({ "best": [ties(), linear()] })), code(ties()) + &code(linear()));
    assert_eq!(code(json!({ "member": 0 })), "");
}
