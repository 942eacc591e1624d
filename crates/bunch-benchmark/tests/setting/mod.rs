//! What evaluations with a formula as the model have in common.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_benchmark::{BenchmarkError, Catalog, Evaluation, Options, Selection, evaluate};
use bunch_lm::{LanguageModel, Tokenizer};
use bunch_progress::Quiet;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the oracle: models and data.
pub fn oracle() -> PathBuf {
    crate_folder().join("../bunch-lm/tests/oracle")
}

/// The tokenizer of its models.
pub fn tokenizer() -> Tokenizer {
    Tokenizer::from_directory(&oracle().join("models/llama-gqa-untied")).expect("a tokenizer")
}

/// Tasks and groups by name, the tests' own among them.
pub fn select(names: &[&str]) -> Selection {
    let mut catalog = Catalog::builtin().expect("tasks");
    for entry in fs::read_dir(crate_folder().join("tests/oracle")).expect("tests/oracle") {
        catalog.add(&entry.expect("an entry").path()).expect("a task");
    }
    catalog.select(names).expect("known tasks")
}

/// Options that read the oracle's data, a few sequences at a time.
pub fn options() -> Options {
    Options { data_dir: Some(oracle()), window_tokens: 300, log_samples: true, ..Options::default() }
}

/// Evaluates with these options.
pub fn run(model: &dyn LanguageModel, names: &[&str], options: &Options) -> Result<Evaluation, BenchmarkError> {
    evaluate(&select(names), model, &tokenizer(), options, &Quiet)
}

/// A task file in a folder of its own.
pub fn task_file(folder: &Path, keys: &str, data: &str) -> PathBuf {
    fs::write(folder.join("data.jsonl"), data).expect("written");
    let path = folder.join("task.toml");
    let fixed = "task = 't'\ndata_files = { test = 'data.jsonl' }\ntest_split = 'test'\n";
    fs::write(&path, format!("{fixed}{keys}")).expect("written");
    path
}
