//! What can go wrong in an experiment.

use std::path::PathBuf;

/// What went wrong while reading, running or recording an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// No experiment of that name.
    #[error("unknown experiment `{name}`: there are {known}")]
    UnknownExperiment {
        /// The name asked for.
        name: String,
        /// Names that would work.
        known: String,
    },
    /// The experiment's file, or another that it needs, cannot be read or is not what the format demands.
    #[error(transparent)]
    Format(#[from] bunch_recipe::RecipeProblems),
    /// The experiment's file contradicts itself.
    #[error("{path}: {what}")]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// No scale of that name in the experiment.
    #[error("unknown scale `{name}`: this experiment has {known}")]
    UnknownScale {
        /// The name asked for.
        name: String,
        /// Names that would work.
        known: String,
    },
    /// A row or block that the experiment does not have.
    #[error("unknown row `{name}`: this experiment has {known}")]
    UnknownRow {
        /// The name asked for.
        name: String,
        /// Names that would work.
        known: String,
    },
    /// A pool that lacks something.
    #[error("{path}: the pool is not complete; nothing was done\n{problems}")]
    UnsoundPool {
        /// Its file.
        path: PathBuf,
        /// Everything that is wrong, a line each, with what to do about it.
        problems: String,
    },
    /// An option outside its range.
    #[error("--{option}: got {got}, expected {expected}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        got: String,
        /// Its range.
        expected: &'static str,
    },
    /// The results folder belongs to something else.
    #[error(
        "{path} holds results of another specification (sha256 {got}, this one has {expected}); --overwrite replaces them"
    )]
    OtherResults {
        /// The manifest found.
        path: PathBuf,
        /// Its specification's hash.
        got: String,
        /// The hash of the specification to be run.
        expected: String,
    },
    /// The name of a results folder.
    #[error(transparent)]
    Variant(#[from] crate::declared::variant::VariantError),
    /// A cache that a later version filled.
    #[error(
        "{path}: a cache of layout {got}, this version knows {expected}; use another folder (--cache) or that version"
    )]
    LaterCache {
        /// The folder.
        path: PathBuf,
        /// Its layout.
        got: u32,
        /// The layout of this version.
        expected: u32,
    },
    /// Reading or writing failed.
    #[error("{path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A cached file does not read back.
    #[error("{path}: damaged cache entry ({what}); remove it to have it computed again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The data generation fell short.
    #[error("{what}: only {got} of {wanted} pairs after asking {asked} questions ({lost})")]
    Shortfall {
        /// Which data.
        what: String,
        /// Pairs kept.
        got: usize,
        /// Pairs wanted.
        wanted: usize,
        /// Questions asked.
        asked: u64,
        /// Why questions were dropped, and how many.
        lost: String,
    },
    /// A model of a zoo, or what it is taught.
    #[error(transparent)]
    Zoo(#[from] bunch_zoo::ZooError),
    /// A pool, or what it names.
    #[error(transparent)]
    Pool(#[from] bunch_pool::PoolError),
    /// Models or devices.
    #[error(transparent)]
    Llama(#[from] bunch_transformer::LlamaError),
    /// Training failed.
    #[error(transparent)]
    Tuning(#[from] bunch_tuning::TuningError),
    /// Files of models or cells.
    #[error(transparent)]
    Checkpoint(#[from] bunch_checkpoint::CheckpointError),
    /// Finding and merging models.
    #[error(transparent)]
    Evolution(#[from] bunch_evolution::EvolutionError),
    /// Asking a model.
    #[error(transparent)]
    Lm(#[from] bunch_lm::LmError),
    /// Multiple choice.
    #[error(transparent)]
    Benchmark(#[from] bunch_benchmark::BenchmarkError),
    /// Judging.
    #[error(transparent)]
    Judging(#[from] bunch_judging::JudgingError),
    /// A statistic.
    #[error(transparent)]
    Statistics(#[from] bunch_statistics::StatisticsError),
    /// Data generation.
    #[error(transparent)]
    Synthesis(#[from] bunch_synthesis::SynthesisError),
    /// Tables, figures, manifests.
    #[error(transparent)]
    Report(#[from] bunch_report::ReportError),
    /// One of several jobs failed.
    #[error("{job}")]
    Job {
        /// The job.
        job: String,
        /// What happened to it.
        source: Box<ExperimentError>,
    },
    /// A job panicked.
    #[error("{job}: the program failed: {message}")]
    Panicked {
        /// The job.
        job: String,
        /// The panic's message.
        message: String,
    },
}

impl ExperimentError {
    /// Whether all that is wrong is a pretrained model that the user did not fetch.
    pub fn is_missing_model(&self) -> bool {
        matches!(self, Self::Zoo(bunch_zoo::ZooError::MissingModel { .. }))
    }

    /// A failure of the file system at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
