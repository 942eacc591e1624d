//! The command line.

mod alignment;
mod evaluation;
mod measurement;
mod model;
mod pool;
mod report;
mod training;
mod verification;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use alignment::{AlignArguments, EvolveArguments, SearchOptions, SynthesizeArguments};
pub use evaluation::EvalArguments;
pub use measurement::MeasureArguments;
pub use model::{
    FetchArguments, GenerateArguments, JudgeArguments, JudgesArguments, LoglikelihoodArguments, ModelOptions,
    SafetyArguments, TextOptions,
};
pub use pool::{PoolCheckArguments, PoolCommand, PoolMiniatureArguments};
pub use report::ReportArguments;
pub use training::{
    EncodingOptions, FormatOption, ImportanceArguments, PreferenceArguments, ScoreOption, SftArguments, TooLongOption,
    TrainCommand, TrainingArguments,
};
pub use verification::VerifyArguments;

/// Merge language models, measure how safe they are, and reproduce papers on the safety of merged models.
#[derive(Debug, Parser)]
#[command(name = "bunch", version)]
pub struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `bunch`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Merge checkpoints by a recipe or by options
    Merge(MergeArguments),
    /// Describe a checkpoint and report what is wrong with it
    Inspect(InspectArguments),
    /// Compare two checkpoints by layer and module
    Compare(CompareArguments),
    /// List the merge methods, or describe one
    Methods(MethodsArguments),
    /// Score a model on benchmarks, as lm-evaluation-harness does
    Eval(EvalArguments),
    /// Measure how safely a model answers harmful prompts
    Safety(SafetyArguments),
    /// Judge responses with a guard model, line by line
    Judge(JudgeArguments),
    /// List the judges and refusal lists, or describe a judge
    Judges(JudgesArguments),
    /// Generate answers to prompts, line by line
    Generate(GenerateArguments),
    /// Compute log-likelihoods of continuations, line by line
    Loglikelihood(LoglikelihoodArguments),
    /// Fine-tune a model or an adapter
    #[command(subcommand)]
    Train(TrainCommand),
    /// Score how much each weight of a model matters to answers, for merges that read that
    Importance(ImportanceArguments),
    /// Check a pool of models, or make the miniature's
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Merge the members of a pool safely: data, search, merge and measurement
    Align(AlignArguments),
    /// Generate safety and domain data with the models of a pool
    Synthesize(SynthesizeArguments),
    /// Search the merge of a pool's members that is safe and capable
    Evolve(EvolveArguments),
    /// Measure a merge next to every member of its pool: safety, over-refusal, tasks
    Measure(MeasureArguments),
    /// Fetch a model from the Hugging Face hub
    Fetch(FetchArguments),
    /// Run an experiment and print its table next to the paper's
    Reproduce(ReproduceArguments),
    /// Check results: files, claims, and numbers computed again
    Verify(VerifyArguments),
    /// Write all results, claims and samples as one HTML page
    Report(ReportArguments),
}

/// Options of `bunch reproduce`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch reproduce                                  list the experiments
  bunch reproduce hammoud2024/table-1              one table, on three seeds
  bunch reproduce hammoud2024/table-1 --limit 50   a quick look with small test sets
  bunch reproduce --all --dry-run                  the work of all experiments")]
pub struct ReproduceArguments {
    /// Experiment to run, as in `hammoud2024/table-1`; lists all if left out
    pub experiment: Option<String>,
    /// Run every experiment that has the scale; shared models and data are made once
    #[arg(long, conflicts_with = "experiment")]
    pub all: bool,
    /// Size of models and data: miniature, small or paper
    #[arg(long, default_value = "miniature")]
    pub scale: String,
    /// Seeds instead of the experiment's own, separated by commas; the results go to a folder of their own
    #[arg(long, value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,
    /// Device the models run on: flex, or ndarray and wgpu if compiled in
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Parallel jobs; one per core by default
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Upper limit on prompts, questions and pairs, for a quick look; the results go to a folder of their own
    #[arg(long)]
    pub limit: Option<usize>,
    /// Make everything from scratch, models included, instead of reusing the cache
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
    /// Folder of downloaded models, for the scales that start from them
    #[arg(long, env = "BUNCH_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Folder of published prompts and data sets, for the scale `paper`
    #[arg(long, env = "BUNCH_DATA", default_value = "datasets")]
    pub data: PathBuf,
    /// Print what is needed and what would be done, and stop
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `bunch merge`.
#[derive(Debug, Args)]
#[command(
    override_usage = "bunch merge <CONFIG> <OUT> [OPTIONS]\n       \
    bunch merge <OUT> --method <METHOD> [--base <MODEL>] --expert <[ROLE=]MODEL[:WEIGHT]>... [OPTIONS]",
    after_help = "Examples:
  bunch merge recipe.yml merged/             a recipe of mergekit
  bunch merge recipe.yml merged/ --dry-run   the plan and everything that is wrong, from headers only
  bunch merge merged/ --method ties --base base/ --expert chat/:0.5 --expert code/:0.5 --set density=0.4"
)]
pub struct MergeArguments {
    /// Recipe (mergekit's YAML, or TOML) and output folder; only the output folder with --method
    #[arg(required = true, num_args = 1..=2, value_name = "CONFIG OUT")]
    pub paths: Vec<PathBuf>,
    /// Pool whose members and helpers the recipe and the options may call by name; its base is the default for --base
    #[arg(long)]
    pub pool: Option<PathBuf>,
    /// Merge method, instead of a recipe; `bunch methods` lists them
    #[arg(long)]
    pub method: Option<String>,
    /// Folder of the base model
    #[arg(long, requires = "method", value_name = "MODEL")]
    pub base: Option<String>,
    /// Folder of an expert and its weight, with its role if the method names roles (`tuned=DIR`); repeat for each expert
    #[arg(long, requires = "method", value_name = "[ROLE=]MODEL[:WEIGHT]")]
    pub expert: Vec<String>,
    /// Parameter of the method, as in `density=0.5`; repeat for each parameter
    #[arg(long, requires = "method", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Round the models to float32, float16 or bfloat16 before merging, and write that dtype
    #[arg(long, requires = "method")]
    pub dtype: Option<String>,
    /// Dtype to write: float32, float16 or bfloat16
    #[arg(long, requires = "method")]
    pub out_dtype: Option<String>,
    /// Largest size of a shard, as in 5B, 500M or 2GiB
    #[arg(long, default_value = "5B", value_parser = parse_size)]
    pub out_shard_size: u64,
    /// Truncate vocabularies to the smallest; correct only if equal ids are equal tokens
    #[arg(long)]
    pub unsafe_truncate_embeddings: bool,
    /// Merge models of different architectures
    #[arg(long, alias = "allow-crimes")]
    pub allow_mixed_architectures: bool,
    /// Merge infinite values and NaN like any other number
    #[arg(long)]
    pub allow_non_finite: bool,
    /// Threads; one per core by default
    #[arg(long, short = 'j', alias = "num-threads", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Most memory to use, as in 512MiB
    #[arg(long, default_value = "512MiB", value_parser = parse_size)]
    pub max_memory: u64,
    /// Seed of the methods that draw random numbers
    #[arg(long, alias = "random-seed", default_value_t = 0)]
    pub seed: u64,
    /// Which models to list with their SHA-256 in the model card: auto (if known or quick), always or never
    #[arg(long, default_value = "auto", value_enum)]
    pub digests: DigestPolicy,
    /// Print the plan and everything that is wrong, without reading a weight
    #[arg(long)]
    pub dry_run: bool,
    /// Replace the model in the output folder
    #[arg(long)]
    pub overwrite: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Which models the model card lists with their SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DigestPolicy {
    /// Those whose hash is known or quick to compute.
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
    /// Folder of the model, or a GGUF file
    pub model: PathBuf,
    /// Read every value and report infinite ones and NaN
    #[arg(long)]
    pub check_values: bool,
    /// Print each file's SHA-256
    #[arg(long)]
    pub digests: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `bunch compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Folder of a model
    pub a: PathBuf,
    /// Folder of another model
    pub b: PathBuf,
    /// Model that both come from; compares task vectors too
    #[arg(long)]
    pub base: Option<PathBuf>,
    /// Write all numbers of all tensors to this CSV file
    #[arg(long)]
    pub csv: Option<PathBuf>,
    /// Draw a map of layers and modules to this SVG or PNG file
    #[arg(long)]
    pub heat_map: Option<PathBuf>,
    /// Quantity on the map: cosine, relative-distance, equal-share, task-vector-cosine or sign-agreement
    #[arg(long, requires = "heat_map")]
    pub quantity: Option<String>,
    /// Threads; one per core by default
    #[arg(long, short = 'j', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
}

/// Options of `bunch methods`.
#[derive(Debug, Args)]
pub struct MethodsArguments {
    /// Method to describe
    pub name: Option<String>,
    /// Print JSON: the schema of the method's configuration, or of all methods
    #[arg(long)]
    pub json: bool,
}
