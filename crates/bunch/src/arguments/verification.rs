//! Options of `bunch verify`.

use std::path::PathBuf;

use clap::Args;

/// Options of `bunch verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// What to verify: a paper, an experiment, or one of its scales, as in `hammoud2024`, `hammoud2024/table-1` and
    /// `hammoud2024/table-1/small`; all results unless given
    #[arg(value_name = "ITEM")]
    pub items: Vec<String>,
    /// Check files and claims alone, and run no experiment
    #[arg(long, conflicts_with_all = ["fresh", "jobs"])]
    pub claims_only: bool,
    /// Folder of the results
    #[arg(long, default_value = "results")]
    pub results: PathBuf,
    /// Jobs side by side; one for each core unless given
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Compute everything anew, models included, instead of taking what this very code has left in the cache
    #[arg(long)]
    pub fresh: bool,
    /// Folder of trained models, generated data and finished cells
    #[arg(long, env = "BUNCH_CACHE", default_value = ".cache")]
    pub cache: PathBuf,
    /// Folder of pretrained models, for the scales that start from one
    #[arg(long, env = "BUNCH_MODELS", default_value = "models")]
    pub models: PathBuf,
}
