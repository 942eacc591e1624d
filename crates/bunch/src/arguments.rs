//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Reproduces what papers report on merging aligned and misaligned language models.
#[derive(Debug, Parser)]
#[command(name = "bunch", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment and show its table beside the paper's
    Reproduce(ReproduceArguments),
    /// List the merge methods, or describe one
    Methods(MethodsArguments),
}

/// Options of `bunch reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArguments {
    /// The experiment, as in `hammoud2024/table-1`; without it all are listed
    pub experiment: Option<String>,
    /// Size of models and data
    #[arg(long, default_value = "miniature")]
    pub scale: String,
    /// Seeds instead of the experiment's own, separated by commas; the results go to a folder of their own
    #[arg(long, value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,
    /// Device the models run on: flex, or ndarray and wgpu where compiled in
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Jobs side by side; one for each core unless given
    #[arg(long)]
    pub jobs: Option<usize>,
    /// At most so many prompts, questions and pairs each: a quick look; the results go to a folder of their own
    #[arg(long)]
    pub limit: Option<usize>,
    /// Make everything anew, models included, instead of reusing the cache
    #[arg(long)]
    pub fresh: bool,
    /// Replace results that another version of the experiment left in the results folder
    #[arg(long)]
    pub overwrite: bool,
    /// Folder of the results
    #[arg(long, default_value = "results")]
    pub results: PathBuf,
    /// Folder of trained models, generated data and finished cells
    #[arg(long, env = "BUNCH_CACHE", default_value = ".cache")]
    pub cache: PathBuf,
}

/// Options of `bunch methods`.
#[derive(Debug, Args)]
pub struct MethodsArguments {
    /// The method to describe
    pub name: Option<String>,
    /// Print the JSON schema of the method's configuration
    #[arg(long, requires = "name")]
    pub json: bool,
}
