//! Options of `bunch eval`.

use std::path::PathBuf;

use clap::Args;

use super::model::{ModelOptions, TextOptions};

/// Options of `bunch eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch eval --list                                                                the tasks and groups
  bunch eval --model merged/ --tasks arc_easy,winogrande --data datasets/          scores on two tasks
  bunch eval --model merged/ --tasks mmlu_stem --n-shot 5 --data datasets/ --out scores.json")]
pub struct EvalArguments {
    /// Folder of the model, or a GGUF file
    #[arg(long, required_unless_present = "list")]
    pub model: Option<PathBuf>,
    /// Tasks and groups, separated by commas: names, or TOML files of your own
    #[arg(long, value_delimiter = ',', required_unless_present_any = ["list", "perplexity"])]
    pub tasks: Vec<String>,
    /// Text to measure the perplexity of: a text file, or JSON lines with `text`
    #[arg(long, conflicts_with = "tasks")]
    pub perplexity: Option<PathBuf>,
    /// List tasks and groups
    #[arg(long)]
    pub list: bool,
    /// Folder of the data sets; an error says which files are missing and where to get them
    #[arg(long, env = "BUNCH_DATA")]
    pub data: Option<PathBuf>,
    /// Examples before each question, instead of the task's own number
    #[arg(long)]
    pub n_shot: Option<usize>,
    /// With a chat template: whether examples are turns of the conversation or part of the question
    #[arg(long, requires = "apply_chat_template")]
    pub fewshot_as_multiturn: Option<bool>,
    /// Text before each task's description; with a chat template, both form the system message
    #[arg(long)]
    pub system_instruction: Option<String>,
    /// Evaluate only this many documents of each task
    #[arg(long)]
    pub limit: Option<usize>,
    /// Seed of the choice of examples and of sampling
    #[arg(long, default_value_t = 1234)]
    pub fewshot_seed: u64,
    /// File of the results, in lm-evaluation-harness's layout; answers are kept next to it until it is complete
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Also write requests and answers, one line per document, to OUT.samples.TASK.jsonl
    #[arg(long, requires = "out")]
    pub log_samples: bool,
    /// Replace existing results
    #[arg(long)]
    pub overwrite: bool,
    /// How text becomes tokens
    #[command(flatten)]
    pub text: TextOptions,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}
