//! Options of the commands that run a model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of every command that runs a model.
#[derive(Debug, Args)]
pub struct ModelOptions {
    /// Device the model runs on: flex, or ndarray and wgpu where compiled in
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Threads; one for each processor unless given
    #[arg(long, short = 'j', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Load the model even if it may not fit into the memory that is free
    #[arg(long)]
    pub ignore_memory: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Whether a text gets the special tokens that the tokenizer puts around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddBosOption {
    /// What the tokenizer does by default (lm-evaluation-harness from 0.4.9.2 on)
    Auto,
    /// None (lm-evaluation-harness 0.4.2 to 0.4.9.1, the versions of the papers' time)
    Never,
}

impl From<AddBosOption> for bunch_lm::AddBos {
    fn from(option: AddBosOption) -> Self {
        match option {
            AddBosOption::Auto => Self::Auto,
            AddBosOption::Never => Self::Never,
        }
    }
}

/// How text becomes tokens.
#[derive(Debug, Args)]
pub struct TextOptions {
    /// Special tokens around a text: what the tokenizer does by default, or none
    #[arg(long, value_enum, default_value = "auto")]
    pub add_bos: AddBosOption,
    /// Make each text a user's message, by the model's chat template
    #[arg(long)]
    pub apply_chat_template: bool,
}

/// Options of the commands that read and write JSON lines.
#[derive(Debug, Args)]
pub struct LinesOptions {
    /// Only the first lines, at most
    #[arg(long)]
    pub limit: Option<usize>,
    /// Replace what is in the output, instead of continuing it
    #[arg(long)]
    pub overwrite: bool,
}

/// Options of `bunch loglikelihood`.
#[derive(Debug, Args)]
pub struct LoglikelihoodArguments {
    /// The model's folder, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// JSON lines with `context` and `continuation`
    #[arg(long)]
    pub requests: PathBuf,
    /// The same lines with `loglikelihood` (nats), `is_greedy` and `continuation_ids`
    #[arg(long)]
    pub out: PathBuf,
    /// How text becomes tokens
    #[command(flatten)]
    pub text: TextOptions,
    /// Which lines
    #[command(flatten)]
    pub lines: LinesOptions,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}

/// Options of `bunch generate`.
#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// The model's folder, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// JSON lines with `prompt`
    #[arg(long)]
    pub prompts: PathBuf,
    /// The same lines with the new tokens' `ids`, a stop token included, and their `text`, without special tokens
    #[arg(long)]
    pub out: PathBuf,
    /// Upper limit on new tokens
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: u32,
    /// Draw tokens from softmax(logits / T); 0 takes the most probable one
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f32,
    /// Draw from the smallest set of tokens with this total probability
    #[arg(long, default_value_t = 1.0, requires = "temperature")]
    pub top_p: f32,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A further token that ends an answer, by its id; once for each
    #[arg(long)]
    pub stop_id: Vec<u32>,
    /// How text becomes tokens
    #[command(flatten)]
    pub text: TextOptions,
    /// Which lines
    #[command(flatten)]
    pub lines: LinesOptions,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}

/// Options of `bunch fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// The model's repository, ORG/NAME
    pub repo: String,
    /// Its branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,
    /// Where the model is put; models/ORG/NAME unless given
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of `bunch judge`.
#[derive(Debug, Args)]
pub struct JudgeArguments {
    /// The guard model's folder, or a GGUF file; a judge that is a rule of words needs none
    #[arg(long)]
    pub guard: Option<PathBuf>,
    /// JSON lines with `prompt` and `response` (or `text`, as `bunch generate` writes), or a JSON array of such objects
    #[arg(long)]
    pub responses: PathBuf,
    /// The same lines with `verdict` (safe, unsafe or unparsed), `categories`, `reply` and, with --probability, `p_unsafe`
    #[arg(long)]
    pub out: PathBuf,
    /// How to judge: a judge's name, or a TOML file; `bunch judges` lists them
    #[arg(long, default_value = "llama_guard_2")]
    pub judge: String,
    /// Also tell the probability of unsafe against safe
    #[arg(long)]
    pub probability: bool,
    /// Which lines
    #[command(flatten)]
    pub lines: LinesOptions,
    /// Where the guard runs
    #[command(flatten)]
    pub run: ModelOptions,
}

/// Options of `bunch safety`.
#[derive(Debug, Args)]
pub struct SafetyArguments {
    /// The model's folder, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// A guard model's folder, or a GGUF file; without a guard and a judge only refusals are counted
    #[arg(long)]
    pub guard: Option<PathBuf>,
    /// How to judge: a judge's name, or a TOML file; for a guard llama_guard_2 unless given
    #[arg(long)]
    pub judge: Option<String>,
    /// A second guard, to report its agreement with the first
    #[arg(long)]
    pub second_guard: Option<PathBuf>,
    /// How to judge a second time; for a second guard md_judge_v0_1 unless given
    #[arg(long)]
    pub second_judge: Option<String>,
    /// The prompts: beavertails, advbench, harmbench, strongreject or xstest; or a file of JSON lines with `prompt`
    #[arg(long, default_value = "beavertails")]
    pub prompts: String,
    /// Folder of the prompt sets
    #[arg(long, env = "BUNCH_DATA")]
    pub data: Option<PathBuf>,
    /// Lists of strings by which refusals are told, separated by commas: names or TOML files
    #[arg(long, value_delimiter = ',', default_value = "gcg_short,jailbreakbench_12")]
    pub refusals: Vec<String>,
    /// Folder of responses.jsonl, judgements and report.json
    #[arg(long)]
    pub out: PathBuf,
    /// Upper limit on the tokens of a response
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: u32,
    /// Ask a model that has no chat template with the bare prompt
    #[arg(long)]
    pub plain_without_template: bool,
    /// Which prompts
    #[command(flatten)]
    pub lines: LinesOptions,
    /// Where the models run
    #[command(flatten)]
    pub run: ModelOptions,
}

/// Options of `bunch judges`.
#[derive(Debug, Args)]
pub struct JudgesArguments {
    /// The judge to describe
    pub name: Option<String>,
}
