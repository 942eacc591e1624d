//! What can go wrong with a pool.

use std::path::PathBuf;

use bunch_benchmark::BenchmarkError;
use bunch_judging::JudgingError;
use bunch_merging::nearest_name;
use bunch_recipe::RecipeProblems;

/// Why a pool, or something that it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The file cannot be read.
    #[error("{}: {source}; a pool is a folder with a pool.toml", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not of the format.
    #[error(transparent)]
    Text(#[from] RecipeProblems),
    /// The file is of another version of the format, or a value is out of its range.
    #[error("{}: {key}: expected {expected}, got {got}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What may stand there.
        expected: String,
        /// What does.
        got: String,
    },
    /// The pool has nothing of this name.
    #[error(
        "{}: unknown {kind} `{got}`{}; the pool has {}", path.display(), hint(got, known),
        if known.is_empty() { "none".into() } else { known.join(", ") }
    )]
    Unknown {
        /// The pool's file.
        path: PathBuf,
        /// What was asked for: a model, a task, ...
        kind: &'static str,
        /// The name given.
        got: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A task or set of prompts without one of its splits.
    #[error("{}: {kind} `{name}`: expected a key `{split}`, got none", path.display())]
    NoSplit {
        /// The pool's file.
        path: PathBuf,
        /// A task, or a set of prompts.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The split that was asked for.
        split: &'static str,
    },
    /// A member, a helper or the pool without what it is asked for.
    #[error("{}: {place}: expected a key `{key}`, got none", path.display())]
    Lacking {
        /// The pool's file.
        path: PathBuf,
        /// Which member or helper, or the pool itself.
        place: String,
        /// The key that is missing.
        key: &'static str,
    },
    /// A model that is not there.
    #[error("{place}: expected {expected}, got {got}; {remedy}")]
    NoModel {
        /// Where the pool names it.
        place: String,
        /// What would do.
        expected: String,
        /// What is there.
        got: String,
        /// What to do.
        remedy: String,
    },
    /// A judge or prompts that cannot be used.
    #[error(transparent)]
    Safety(#[from] JudgingError),
    /// A task that cannot be used.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
}

fn hint(got: &str, known: &[String]) -> String {
    let nearest = nearest_name(got, known.iter().map(String::as_str));
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
