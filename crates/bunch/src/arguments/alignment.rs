//! Options of the commands that lead from a pool to a safe merge.

use std::path::PathBuf;

use bunch_alignment::{AnyStrategy, ByOptions, GeneRange, GoalConstraint, LossData, PoolChoice};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};

use super::ModelOptions;

/// What of a pool is used.
#[derive(Debug, Args)]
pub struct PoolOptions {
    /// The pool: its folder, or its pool.toml
    pub pool: PathBuf,
    /// Members to merge with the base, separated by commas; all by default
    #[arg(long, value_delimiter = ',')]
    pub members: Vec<String>,
    /// Helper that judges; `guard`, or the only one that judges, by default
    #[arg(long)]
    pub guard: Option<String>,
    /// Helper that writes unsafe questions; `uncensored`, or the only one with `ask`, by default
    #[arg(long)]
    pub uncensored: Option<String>,
    /// Folder of published prompts and data sets
    #[arg(long, env = "BUNCH_DATA")]
    pub data_sets: Option<PathBuf>,
}

impl PoolOptions {
    /// The same for the pool's crate.
    pub fn choice(&self) -> PoolChoice {
        PoolChoice {
            experts: self.members.clone(),
            guard: self.guard.clone(),
            uncensored: self.uncensored.clone(),
            data: self.data_sets.clone(),
        }
    }
}

/// Options of `bunch synthesize`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch synthesize pool/ --pairs 1000 --out data/                  D_safety and D_expert of all members
  bunch synthesize pool/ --members bio --pairs 200 --out data/     of the base and one expert
  bunch synthesize pool/ --questions mine.jsonl --out data/        with unsafe questions of your own")]
pub struct SynthesizeArguments {
    /// What of a pool is used
    #[command(flatten)]
    pub pool: PoolOptions,
    /// Pairs of D_safety, and of D_expert
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// Seed of all random choices
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Unsafe questions instead of the uncensored helper's: JSON lines with `prompt`
    #[arg(long)]
    pub questions: Option<PathBuf>,
    /// Take the questions that the pool collected (`questions` in pool.toml) instead of generated ones
    #[arg(long)]
    pub collected: bool,
    /// Sets of prompts and tasks whose test prompts must not occur in the data, separated by commas; all by default
    #[arg(long, value_delimiter = ',')]
    pub exclude: Option<Vec<String>>,
    /// Folder of the data; the same command continues what is there
    #[arg(long)]
    pub out: PathBuf,
    /// Replace what other models answered in the folder
    #[arg(long)]
    pub overwrite: bool,
    /// How the models run
    #[command(flatten)]
    pub run: ModelOptions,
}

/// The strategies that options can choose.
fn strategies() -> PossibleValuesParser {
    let of_options = |(name, options): &(&str, Option<ByOptions>)| {
        // clap wants names that live as long as the program.
        Some(PossibleValue::new(&*name.replace('_', "-").leak()).help((*options)?.summary))
    };
    PossibleValuesParser::new(AnyStrategy::BY_OPTIONS.iter().filter_map(of_options))
}

/// A loss that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LossOption {
    /// L_expert: of the experts' own answers
    Expert,
    /// L_safety: of safe answers to unsafe questions
    Safety,
}

impl From<LossOption> for LossData {
    fn from(option: LossOption) -> Self {
        match option {
            LossOption::Expert => Self::Expert,
            LossOption::Safety => Self::Safety,
        }
    }
}

/// What is searched, and how.
#[derive(Debug, Args)]
pub struct SearchOptions {
    /// Merge method; `bunch methods` lists them
    #[arg(long, default_value = "ties")]
    pub method: String,
    /// How merges are searched
    #[arg(long, value_parser = strategies(), default_value = "evomm")]
    pub strategy: String,
    /// Parameters to search with their ranges, as in weight=0..1,density=0.1..1, or with a grid's values, as in
    /// weight=0.25:0.5:1; by default weights, densities and interpolation factors
    #[arg(long, value_delimiter = ',', value_name = "NAME=LOW..HIGH")]
    pub genes: Vec<GeneRange>,
    /// Parameter that is the same for every merge, as in normalize=false; repeat for each parameter
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Losses that count, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "expert,safety")]
    pub losses: Vec<LossOption>,
    /// Weight of the expert loss next to the safety loss
    #[arg(long, default_value_t = 0.3)]
    pub alpha: f64,
    /// What the merge must keep on dev data, as in 'alignment>=97' or 'over-refusal<=2'; repeat for each. Known are loss,
    /// loss_safety, loss_expert, alignment, over_refusal, accuracy and the pool's tasks
    #[arg(long, value_name = "QUANTITY>=BOUND")]
    pub keep: Vec<GoalConstraint>,
    /// What is maximised among the merges that keep that, as a task of the pool or accuracy
    #[arg(long, value_name = "QUANTITY", conflicts_with = "minimize")]
    pub maximize: Option<String>,
    /// What is minimised among them; by default the loss
    #[arg(long, value_name = "QUANTITY")]
    pub minimize: Option<String>,
    /// Merges to evaluate; the same command with more goes on from those that are there
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub evaluations: u32,
    /// Values of each range of a grid
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    pub steps: u32,
    /// Which of five points along a front, from 1, the safest, to 5
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub point: u32,
    /// Temperature of LM-Cocktail's softmax
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f64,
    /// Name that keys the search's random stream; that of a row of an experiment, as in BLOCK/ROW, gives its numbers
    #[arg(long, default_value = "evolve")]
    pub name: String,
}

/// Options of `bunch evolve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch evolve pool/ --data data/ --method ties --out search/             weights and densities by CMA-ES
  bunch evolve pool/ --data data/ --method slerp --genes t=0..1 --evaluations 40 --out search/
  bunch evolve pool/ --method ties --strategy grid --genes weight=0.25:0.5:1,density=0.2:0.5:1 --out search/
  bunch evolve pool/ --keep 'alignment>=97' --maximize bio --out search/  the best merge that stays safe
  bunch merge search/best.yml merged/                                     the merge that was found")]
pub struct EvolveArguments {
    /// What of a pool is used
    #[command(flatten)]
    pub pool: PoolOptions,
    /// Folder of the data that bunch synthesize wrote
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// What is searched, and how
    #[command(flatten)]
    pub search: SearchOptions,
    /// Tasks whose dev questions select among the merges of a grid, separated by commas; all but TASK/PART by
    /// default
    #[arg(long, value_delimiter = ',')]
    pub tasks: Option<Vec<String>>,
    /// Seed of the search, and of methods that draw random numbers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder of the search; the same command continues what is there
    #[arg(long)]
    pub out: PathBuf,
    /// Replace another search in the folder
    #[arg(long)]
    pub overwrite: bool,
    /// How the models run
    #[command(flatten)]
    pub run: ModelOptions,
}

/// Options of `bunch align`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch align pool/ aligned/                            data, search, merge and measurement in the folder aligned/
  bunch align pool/ aligned/ --pairs 200 --limit 200    less data and fewer prompts, for a first look
The same command continues what was stopped. Its steps one by one: bunch synthesize, evolve, merge, measure.")]
pub struct AlignArguments {
    /// What of a pool is used
    #[command(flatten)]
    pub pool: PoolOptions,
    /// Folder for data/, search/, merged/ and measured/
    pub out: PathBuf,
    /// Pairs of D_safety, and of D_expert
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// Take the questions that the pool collected (`questions` in pool.toml) instead of generated ones
    #[arg(long)]
    pub collected: bool,
    /// What is searched, and how
    #[command(flatten)]
    pub search: SearchOptions,
    /// Seed of data, search and merge
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Measure only this many prompts of each set and questions of each task
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Replace what another run left in the folder
    #[arg(long)]
    pub overwrite: bool,
    /// How the models run
    #[command(flatten)]
    pub run: ModelOptions,
}
