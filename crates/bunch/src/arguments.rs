//! The command line.

mod evaluation;
mod model;
mod pool;
mod report;
mod training;
mod verification;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use evaluation::EvalArguments;
pub use model::{
    FetchArguments, GenerateArguments, JudgeArguments, JudgesArguments, LoglikelihoodArguments, ModelOptions,
    SafetyArguments, TextOptions,
};
pub use pool::{PoolCheckArguments, PoolCommand, PoolMiniatureArguments};
pub use report::ReportArguments;
pub use training::{FormatOption, PreferenceArguments, SftArguments, TooLongOption, TrainCommand, TrainingArguments};
pub use verification::VerifyArguments;

/// Merges language models, and reproduces what papers report on the safety of merged ones.
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
    /// Check results: their files, their claims, and their numbers by computing them again
    Verify(VerifyArguments),
    /// Write all results, claims and samples as one HTML page
    Report(ReportArguments),
    /// Merge checkpoints, as a recipe or options say
    Merge(MergeArguments),
    /// Show what a model directory holds and what is wrong with it
    Inspect(InspectArguments),
    /// Show how two checkpoints differ, by layer and module
    Compare(CompareArguments),
    /// List the merge methods, or describe one
    Methods(MethodsArguments),
    /// Score continuations after contexts, line by line
    Loglikelihood(LoglikelihoodArguments),
    /// Continue prompts, line by line
    Generate(GenerateArguments),
    /// Score a model on benchmarks, as lm-evaluation-harness does
    Eval(EvalArguments),
    /// Ask a guard model which responses are unsafe, line by line
    Judge(JudgeArguments),
    /// List the judges and refusal lists, or describe a judge
    Judges(JudgesArguments),
    /// Let a model answer harmful prompts, and tell its alignment score
    Safety(SafetyArguments),
    /// Fine-tune a model, or an adapter to it
    #[command(subcommand)]
    Train(TrainCommand),
    /// Check a pool of models, or make the miniature's
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Fetch a model from the Hugging Face hub
    Fetch(FetchArguments),
}

/// Options of `bunch reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArguments {
    /// The experiment, as in `hammoud2024/table-1`; without it all are listed
    pub experiment: Option<String>,
    /// Run every experiment that has the scale; what they share is made once
    #[arg(long, conflicts_with = "experiment")]
    pub all: bool,
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
    /// Folder of pretrained models, for the scales that start from one
    #[arg(long, env = "BUNCH_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Folder of the papers' data sets, for the scale of the paper
    #[arg(long, env = "BUNCH_DATA", default_value = "datasets")]
    pub data: PathBuf,
    /// Show what is needed and what would be done, with an estimate of the time, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The GPU whose hours a dry run at the scale of the paper estimates, as in data/hardware.toml
    #[arg(long, default_value = "A100-80GB", requires = "dry_run")]
    pub gpu: String,
}

/// Options of `bunch merge`.
#[derive(Debug, Args)]
#[command(override_usage = "bunch merge <CONFIG> <OUT> [OPTIONS]\n       \
    bunch merge <OUT> --method <METHOD> [--base <MODEL>] --expert <MODEL[:WEIGHT]>... [OPTIONS]")]
pub struct MergeArguments {
    /// The recipe (mergekit's YAML, or TOML) and the folder of the merged model; the folder alone with --method
    #[arg(required = true, num_args = 1..=2, value_name = "CONFIG OUT")]
    pub paths: Vec<PathBuf>,
    /// Pool whose members and helpers the recipe and the options may call by name; its base is the default for --base
    #[arg(long)]
    pub pool: Option<PathBuf>,
    /// Merge method, instead of a recipe; `bunch methods` lists them
    #[arg(long)]
    pub method: Option<String>,
    /// The base model's folder
    #[arg(long, requires = "method", value_name = "MODEL")]
    pub base: Option<String>,
    /// An expert's folder and its weight, once for each expert
    #[arg(long, requires = "method", value_name = "MODEL[:WEIGHT]")]
    pub expert: Vec<String>,
    /// A parameter of the method, once for each, as in `density=0.5`
    #[arg(long, requires = "method", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Round the models to float32, float16 or bfloat16 before merging, and write that
    #[arg(long, requires = "method")]
    pub dtype: Option<String>,
    /// Write float32, float16 or bfloat16
    #[arg(long, requires = "method")]
    pub out_dtype: Option<String>,
    /// Bytes of a shard, at most, as in 5B, 500M or 2GiB
    #[arg(long, default_value = "5B", value_parser = parse_size)]
    pub out_shard_size: u64,
    /// Cut vocabularies of different size to the smallest; right only if equal ids are equal tokens
    #[arg(long)]
    pub unsafe_truncate_embeddings: bool,
    /// Merge models of different architecture
    #[arg(long, alias = "allow-crimes")]
    pub allow_mixed_architectures: bool,
    /// Merge infinite values and NaN like any other number
    #[arg(long)]
    pub allow_non_finite: bool,
    /// Threads; one for each processor unless given
    #[arg(long, short = 'j', alias = "num-threads", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Bytes of memory, at most, as in 512MiB
    #[arg(long, default_value = "512MiB", value_parser = parse_size)]
    pub max_memory: u64,
    /// Seed of the methods that draw random numbers
    #[arg(long, alias = "random-seed", default_value_t = 0)]
    pub seed: u64,
    /// SHA-256 of the models in the model card: auto (where it is known or takes no time), always or never
    #[arg(long, default_value = "auto", value_enum)]
    pub digests: DigestPolicy,
    /// Show what would be done, and what is wrong, without reading a weight
    #[arg(long)]
    pub dry_run: bool,
    /// Replace the model that is in the folder
    #[arg(long)]
    pub overwrite: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Which models' SHA-256 the model card tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DigestPolicy {
    /// Where it is known or takes no time.
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}

/// Reads a number of bytes: plain, in mergekit's decimal units (K, M, B), or in the usual ones (KB, MiB, ...).
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "b" | "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(format!("unknown unit `{unit}`, expected K, M, B, KB, MB, GB, KiB, MiB or GiB")),
    };
    let number: f64 = number.parse().map_err(|_| format!("expected a number, got `{number}`"))?;
    let bytes = number * factor as f64;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(format!("expected at least 1 byte, got {text}")) }
}

/// Options of `bunch inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// The model's folder, or a GGUF file
    pub model: PathBuf,
    /// Read every value, to find those that are infinite or not numbers
    #[arg(long)]
    pub check_values: bool,
    /// Tell each file's SHA-256
    #[arg(long)]
    pub digests: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `bunch compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// A model's folder
    pub a: PathBuf,
    /// Another model's folder
    pub b: PathBuf,
    /// The model that both come from: task vectors are compared as well
    #[arg(long)]
    pub base: Option<PathBuf>,
    /// Write all numbers of all tensors to this CSV file
    #[arg(long)]
    pub csv: Option<PathBuf>,
    /// Draw a map of layers and modules to this file, SVG or PNG by its extension
    #[arg(long)]
    pub heat_map: Option<PathBuf>,
    /// What the map shows: cosine, relative-distance, equal-share, task-vector-cosine or sign-agreement
    #[arg(long, requires = "heat_map")]
    pub quantity: Option<String>,
    /// Threads; one for each processor unless given
    #[arg(long, short = 'j', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
}

/// Options of `bunch methods`.
#[derive(Debug, Args)]
pub struct MethodsArguments {
    /// The method to describe
    pub name: Option<String>,
    /// Print JSON: the schema of the method's configuration, or all methods
    #[arg(long)]
    pub json: bool,
}
