//! What can go wrong on the way from a pool to a measured merge.

use std::io;
use std::path::{Path, PathBuf};

use bunch_benchmark::BenchmarkError;
use bunch_checkpoint::CheckpointError;
use bunch_evolution::EvolutionError;
use bunch_journal::JournalError;
use bunch_judging::JudgingError;
use bunch_lm::LmError;
use bunch_pool::PoolError;
use bunch_recipe::RecipeProblems;
use bunch_report::ReportError;
use bunch_statistics::StatisticsError;
use bunch_synthesis::SynthesisError;

use crate::LoaderError;

/// Why a pool cannot be merged, or what it needs cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AlignmentError {
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// A model that cannot be loaded.
    #[error("{model}: {source}")]
    Load {
        /// The member or helper, or the file.
        model: String,
        /// What the loader says.
        source: LoaderError,
    },
    /// A setting that cannot be met.
    #[error("{option}: expected {expected}, got {got}")]
    Setting {
        /// The option.
        option: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A pool that lacks what is needed.
    #[error("{}: expected {expected}, got {got}; {remedy}", path.display())]
    Unfit {
        /// The pool's file, or another file in question.
        path: PathBuf,
        /// What is needed.
        expected: String,
        /// What there is.
        got: String,
        /// What to do.
        remedy: String,
    },
    /// Fewer pairs than wanted.
    #[error("{what}: expected {wanted} pairs, got {got} of {asked} questions; lost: {lost}; {remedy}")]
    Shortfall {
        /// D_safety or D_expert, and who was asked.
        what: String,
        /// Pairs wanted.
        wanted: u64,
        /// Pairs there are.
        got: u64,
        /// Questions asked.
        asked: u64,
        /// How many questions were lost, by reason.
        lost: String,
        /// What to do.
        remedy: String,
    },
    /// Another number of answers, verdicts or models than there should be.
    #[error("{whose}: {what}: expected {expected}, got {got}")]
    Count {
        /// The model, or what else they belong to.
        whose: String,
        /// What was counted.
        what: String,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Outcomes cannot be compared.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// The pool cannot be used.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A model or its tokenizer fails.
    #[error(transparent)]
    Model(#[from] LmError),
    /// A judge or prompts cannot be used.
    #[error(transparent)]
    Judging(#[from] JudgingError),
    /// A task cannot be used.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
    /// A checkpoint cannot be read, or a file not be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of JSON lines cannot be continued.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A recipe cannot be read.
    #[error(transparent)]
    Recipe(#[from] RecipeProblems),
    /// A figure cannot be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Data cannot be generated.
    #[error(transparent)]
    Synthesis(#[from] SynthesisError),
    /// A merge cannot be found.
    #[error(transparent)]
    Evolution(#[from] EvolutionError),
}

impl AlignmentError {
    /// Turns the operating system's refusal at `path` into an error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Says which model could not be loaded; for `map_err`.
    pub(crate) fn load(model: &str) -> impl FnOnce(LoaderError) -> Self + '_ {
        move |source| Self::Load { model: model.to_owned(), source }
    }
}
