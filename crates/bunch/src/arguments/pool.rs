//! Options of `bunch pool`, and of the commands that take a pool.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What to do with a pool.
#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    /// Check everything that a pool names: models, judges, prompts and tasks
    Check(PoolCheckArguments),
    /// Train the models of a small synthetic world, and write them as a pool
    Miniature(PoolMiniatureArguments),
    /// Print the JSON schema of pool.toml
    Schema,
}

/// Which of a pool's prompts or questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitOption {
    /// Those to report on
    Test,
    /// Those to choose by
    Dev,
}

impl From<SplitOption> for bunch_pool::DataSplit {
    fn from(option: SplitOption) -> Self {
        match option {
            SplitOption::Test => Self::Test,
            SplitOption::Dev => Self::Dev,
        }
    }
}

/// Options of `bunch pool check`.
#[derive(Debug, Args)]
pub struct PoolCheckArguments {
    /// The pool's folder
    pub pool: PathBuf,
    /// Folder of published prompts and data sets
    #[arg(long, env = "BUNCH_DATA")]
    pub data: Option<PathBuf>,
    /// Folder where models are looked for too, as in MODELS/ORG/NAME
    #[arg(long, env = "BUNCH_MODELS")]
    pub models: Option<PathBuf>,
}

/// Options of `bunch pool miniature`.
#[derive(Debug, Args)]
pub struct PoolMiniatureArguments {
    /// The pool's folder, which must not exist yet
    pub folder: PathBuf,
    /// Seed of the world and of all training
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Device the models are trained on: flex, or ndarray and wgpu where compiled in
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Folder of trained models, which experiments use too
    #[arg(long, env = "BUNCH_CACHE", default_value = ".cache")]
    pub cache: PathBuf,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}
