//! Options of `bunch verify`.

use std::path::PathBuf;

use clap::Args;

/// Options of `bunch verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Results to verify: a paper (`hammoud2024`), an experiment (`hammoud2024/table-1`) or one of its scales
    /// (`hammoud2024/table-1/small`); everything by default
    #[arg(value_name = "ITEM")]
    pub items: Vec<String>,
    /// Check only files and claims; run no experiment
    #[arg(long, conflicts_with_all = ["fresh", "jobs"])]
    pub claims_only: bool,
    /// Folder of the results
    #[arg(long, default_value = "results")]
    pub results: PathBuf,
    /// Parallel jobs; one per core by default
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Compute everything from scratch, models included, instead of reusing cells this exact code has cached
    #[arg(long)]
    pub fresh: bool,
    /// Folder of trained models, generated data and finished cells
    #[arg(long, env = "BUNCH_CACHE", default_value = ".cache")]
    pub cache: PathBuf,
    /// Folder of pretrained models, for the scales that start from one
    #[arg(long, env = "BUNCH_MODELS", default_value = "models")]
    pub models: PathBuf,
}
