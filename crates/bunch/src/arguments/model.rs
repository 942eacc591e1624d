//! Options of the commands that run a model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::pool::SplitOption;

/// Options of every command that runs a model.
#[derive(Debug, Args)]
pub struct ModelOptions {
    /// Device the model runs on: flex, or ndarray and wgpu if compiled in
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Threads; one per core by default
    #[arg(long, short = 'j', value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Load the model even if it may not fit into free memory
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
    /// Special tokens around a text: the tokenizer's default, or none
    #[arg(long, value_enum, default_value = "auto")]
    pub add_bos: AddBosOption,
    /// Wrap each text as a user's message in the model's chat template
    #[arg(long)]
    pub apply_chat_template: bool,
}

/// Options of the commands that read and write JSON lines.
#[derive(Debug, Args)]
pub struct LinesOptions {
    /// Process only this many lines
    #[arg(long)]
    pub limit: Option<usize>,
    /// Replace the output instead of resuming it
    #[arg(long)]
    pub overwrite: bool,
}

/// Options of `bunch loglikelihood`.
#[derive(Debug, Args)]
pub struct LoglikelihoodArguments {
    /// Folder of the model, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Input: JSON lines with `context` and `continuation`
    #[arg(long)]
    pub requests: PathBuf,
    /// Output: the same lines with `loglikelihood` (nats), `is_greedy` and `continuation_ids`
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
    /// Folder of the model, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Input: JSON lines with `prompt`
    #[arg(long)]
    pub prompts: PathBuf,
    /// Output: the same lines with the new tokens' `ids` (stop token included) and `text` (without special tokens)
    #[arg(long)]
    pub out: PathBuf,
    /// Upper limit on new tokens
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: u32,
    /// Sample tokens from softmax(logits / T); 0 takes the most probable one
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f32,
    /// Sample from the smallest set of tokens with this total probability
    #[arg(long, default_value_t = 1.0, requires = "temperature")]
    pub top_p: f32,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Id of another token that ends an answer; repeat for each
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
    /// Repository of the model, ORG/NAME
    pub repo: String,
    /// Branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,
    /// Output folder; models/ORG/NAME by default
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of `bunch judge`.
#[derive(Debug, Args)]
pub struct JudgeArguments {
    /// Folder of the guard model, or a GGUF file; a judge that is a rule of words needs none
    #[arg(long)]
    pub guard: Option<PathBuf>,
    /// Input: JSON lines, or an array, with `prompt` and `response` (or `text`, as `bunch generate` writes)
    #[arg(long)]
    pub responses: PathBuf,
    /// Output: the same lines with `verdict` (safe, unsafe or unparsed), `categories`, `reply` and perhaps `p_unsafe`
    #[arg(long)]
    pub out: PathBuf,
    /// How to judge: a judge's name or a TOML file; `bunch judges` lists them
    #[arg(long, default_value = "llama_guard_2")]
    pub judge: String,
    /// Also compute the probability of unsafe against safe
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
#[command(after_help = "Examples:
  bunch safety --model merged/ --prompts xstest --data datasets/ --out safety/         refusals only
  bunch safety --model merged/ --guard Llama-Guard-2/ --data datasets/ --out safety/   the papers' alignment score
  bunch safety --model merged/ --prompts mine.jsonl --out safety/                      prompts of your own")]
pub struct SafetyArguments {
    /// Folder of the model, or a GGUF file; with a pool, the name of a member or helper
    #[arg(long)]
    pub model: PathBuf,
    /// Pool whose models, judges and prompts may be called by name
    #[arg(long)]
    pub pool: Option<PathBuf>,
    /// Which of the pool's prompts
    #[arg(long, value_enum, default_value = "test", requires = "pool")]
    pub split: SplitOption,
    /// Folder of a guard model, or a GGUF file; with a pool, the name of a helper, by default the one called guard. Without
    /// a guard and a judge, only refusals are counted
    #[arg(long)]
    pub guard: Option<PathBuf>,
    /// How to judge: a judge's name, a TOML file or a helper of the pool; by default the pool's, or llama_guard_2 if there is
    /// a guard
    #[arg(long)]
    pub judge: Option<String>,
    /// Second guard; the report shows how far both judges agree
    #[arg(long)]
    pub second_guard: Option<PathBuf>,
    /// How to judge a second time; by default the pool's, or md_judge_v0_1 if there is a second guard
    #[arg(long)]
    pub second_judge: Option<String>,
    /// Prompts: beavertails, advbench, harmbench, strongreject or xstest; the pool's, by name; or a file of JSON lines with
    /// `prompt`; by default beavertails, with a pool harmful
    #[arg(long)]
    pub prompts: Option<String>,
    /// Folder of the prompt sets
    #[arg(long, env = "BUNCH_DATA")]
    pub data: Option<PathBuf>,
    /// Lists of phrases that mark a refusal, separated by commas: names or TOML files
    #[arg(long, value_delimiter = ',', default_value = "gcg_short,jailbreakbench_12")]
    pub refusals: Vec<String>,
    /// Output folder, for responses.jsonl, judgements and report.json
    #[arg(long)]
    pub out: PathBuf,
    /// Upper limit on the tokens of a response; by default the pool's, or 512
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: Option<u32>,
    /// Give the bare prompt to a model without a chat template
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
    /// Judge to describe
    pub name: Option<String>,
}
