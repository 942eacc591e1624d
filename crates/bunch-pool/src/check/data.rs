//! Whether prompts and tasks are there, and whether test and dev are apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bunch_benchmark::{Options, questions};
use bunch_judging::SafetyPrompt;

use crate::pool_file::{DataSplit, TestAndDev};
use crate::report::DataSummary;
use crate::{Pool, PoolError, PoolProblem};

/// The texts of everything that could be read: by key and split.
type Texts = BTreeMap<(String, &'static str), Vec<String>>;

/// Checks all prompts and tasks and counts those that could be read.
pub(super) fn check(pool: &Pool, data: Option<&Path>, problems: &mut Vec<PoolProblem>) -> Vec<DataSummary> {
    let file = pool.file();
    let prompts = read("prompts", &file.prompts, pool, problems, |name, split| {
        let prompts = pool.prompts(name, split, data).map_err(|error| error.to_string())?.prompts;
        Ok(prompts.iter().map(SafetyPrompt::request).collect())
    });
    let options = Options { data_dir: data.map(Path::to_path_buf), ..Options::default() };
    let tasks = read("tasks", &file.tasks, pool, problems, |name, split| {
        let selection = pool.selection(name, split).map_err(|error| error.to_string())?;
        Ok(questions(&selection, &options).map_err(|error| error.to_string())?.concat())
    });
    check_files(pool, problems);
    for texts in [&prompts, &tasks] {
        overlaps(texts, pool, problems);
    }
    let summary = |key: String, texts: &Texts| {
        let count = |split: DataSplit| texts.get(&(key.clone(), split.name())).map(Vec::len);
        DataSummary { test: count(DataSplit::Test), dev: count(DataSplit::Dev), key }
    };
    let prompts = file.prompts.keys().map(|name| summary(format!("prompts.{name}"), &prompts));
    prompts.chain(file.tasks.keys().map(|name| summary(format!("tasks.{name}"), &tasks))).collect()
}

fn read(
    kind: &str,
    sources: &BTreeMap<String, TestAndDev>,
    pool: &Pool,
    problems: &mut Vec<PoolProblem>,
    texts: impl Fn(&str, DataSplit) -> Result<Vec<String>, String>,
) -> Texts {
    let mut all = Texts::new();
    for (name, source) in sources {
        for split in DataSplit::ALL.into_iter().filter(|&split| source.of(split).is_some()) {
            match texts(name, split) {
                Ok(texts) if texts.is_empty() => {
                    let key = format!("{kind}.{name}.{}", split.name());
                    let remedy = "fill the file, or leave the key out";
                    problems.push(PoolProblem::new(key, pool.path(), ("at least one line", "none"), remedy));
                }
                Ok(texts) => drop(all.insert((format!("{kind}.{name}"), split.name()), texts)),
                Err(error) => {
                    let key = format!("{kind}.{name}.{}", split.name());
                    let expected = format!("readable {kind}");
                    problems.push(PoolProblem::new(
                        key,
                        pool.path(),
                        (expected, error),
                        "correct the name or the file",
                    ));
                }
            }
        }
    }
    all
}

/// Files that say how models ask, what people asked, how answers decline and which are preferred.
fn check_files(pool: &Pool, problems: &mut Vec<PoolProblem>) {
    let file = pool.file();
    let members = file.members.iter().map(|(name, member)| ("member", name, &member.ask, &member.questions));
    let helpers = file.helpers.iter().map(|(name, helper)| ("helper", name, &helper.ask, &helper.questions));
    let mut found: Vec<(String, Result<(), PoolError>)> = Vec::new();
    for (kind, name, ask, questions) in members.chain(helpers) {
        found.extend(ask.as_ref().map(|_| (format!("{kind}.{name}.ask"), pool.ask(name).map(drop))));
        found.extend(questions.as_ref().map(|_| (format!("{kind}.{name}.questions"), pool.questions(name).map(drop))));
    }
    found.push(("generation.questions".into(), pool.question_form().map(drop)));
    found.extend(file.refusals.as_ref().map(|_| ("refusals".into(), pool.refusals().map(drop))));
    found.extend(pool.preferences().into_iter().map(|path| {
        let here = std::fs::File::open(&path).map(drop).map_err(|source| PoolError::Read { path, source });
        ("preferences".into(), here)
    }));
    for (key, error) in found.into_iter().filter_map(|(key, found)| Some((key, found.err()?))) {
        problems.push(PoolProblem::new(key, pool.path(), ("a readable file", error), "correct the name or the file"));
    }
}

/// Texts of a test that are in some dev set too: what is chosen by them would be reported on them.
fn overlaps(texts: &Texts, pool: &Pool, problems: &mut Vec<PoolProblem>) {
    let of = |split: DataSplit| texts.iter().filter(move |((_, name), _)| *name == split.name());
    for ((test, _), test_texts) in of(DataSplit::Test) {
        let test_texts: BTreeSet<&str> = test_texts.iter().map(|text| text.trim()).collect();
        for ((dev, _), dev_texts) in of(DataSplit::Dev) {
            let dev_texts: BTreeSet<&str> = dev_texts.iter().map(|text| text.trim()).collect();
            let mut both = test_texts.intersection(&dev_texts);
            let Some(example) = both.next() else { continue };
            let got =
                format!("{} of {} in {dev}.dev too, as {:?}", 1 + both.count(), test_texts.len(), shortened(example));
            let faults = ("no text of a test in a dev set", got);
            problems.push(PoolProblem::new(
                format!("{test}.test"),
                pool.path(),
                faults,
                "take them out of the dev set",
            ));
        }
    }
}

/// The first characters of a text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
