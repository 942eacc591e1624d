//! Options of `bunch measure`.

use std::path::PathBuf;

use bunch_alignment::PoolChoice;
use clap::Args;

use super::ModelOptions;

/// Options of `bunch measure`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch measure pool/ merged/ --out measured/                            next to every member of the pool
  bunch measure pool/ merged/ --members bio --out measured/              next to the base and one member
  bunch measure pool/ merged/ --limit 100 --keep-card --out quick/       a quick look")]
pub struct MeasureArguments {
    /// The pool: its folder, or its pool.toml
    pub pool: PathBuf,
    /// Folder of the merge
    pub merged: PathBuf,
    /// Output folder, for results.json, README.md (the model card), page.html and answers; the same command continues what is
    /// there
    #[arg(long)]
    pub out: PathBuf,
    /// Members to compare with besides the base, separated by commas; all by default
    #[arg(long, value_delimiter = ',')]
    pub members: Vec<String>,
    /// Helper that judges; `guard`, or the only one that judges, by default
    #[arg(long)]
    pub guard: Option<String>,
    /// Helper that judges a second time, or `none`; by default another one of the pool that judges
    #[arg(long)]
    pub second_judge: Option<String>,
    /// Tasks of the pool, separated by commas; by default all but those called TASK/PART
    #[arg(long, value_delimiter = ',')]
    pub tasks: Vec<String>,
    /// Ask only this many prompts of each set and questions of each task
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Leave the merge's own model card as it is; otherwise what was measured is written to it if `bunch merge` made it
    #[arg(long)]
    pub keep_card: bool,
    /// Folder of published prompts and data sets
    #[arg(long, env = "BUNCH_DATA")]
    pub data_sets: Option<PathBuf>,
    /// Replace what other models answered in the output folder
    #[arg(long)]
    pub overwrite: bool,
    /// How the models run
    #[command(flatten)]
    pub run: ModelOptions,
}

impl MeasureArguments {
    /// What of the pool is used.
    pub fn choice(&self) -> PoolChoice {
        PoolChoice {
            experts: self.members.clone(),
            guard: self.guard.clone(),
            data: self.data_sets.clone(),
            ..PoolChoice::default()
        }
    }
}
