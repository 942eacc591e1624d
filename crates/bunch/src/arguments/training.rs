//! Options of `bunch train`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::model::ModelOptions;

/// What `bunch train` does.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Supervised fine-tuning: learn the answers of conversations
    Sft(SftArguments),
    /// Direct preference optimisation: prefer one response to another, near the model as it was
    Dpo(PreferenceArguments),
    /// Odds ratio preference optimisation: learn one response and prefer it to another
    Orpo(PreferenceArguments),
}

/// How a conversation becomes one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatOption {
    /// By the model's chat template; every turn of the assistant is learned
    ChatTemplate,
    /// Prompt, one space, response, EOS
    Plain,
}

/// What happens to a conversation of more tokens than are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TooLongOption {
    /// It is an error
    Refuse,
    /// Its end is cut off
    Cut,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoredOption {
    /// IEEE 754 binary32
    Float32,
    /// IEEE 754 binary16
    Float16,
    /// The upper half of a binary32
    Bfloat16,
}

impl From<StoredOption> for bunch_checkpoint::Dtype {
    fn from(option: StoredOption) -> Self {
        match option {
            StoredOption::Float32 => Self::F32,
            StoredOption::Float16 => Self::F16,
            StoredOption::Bfloat16 => Self::BF16,
        }
    }
}

/// Options of `bunch train sft`.
#[derive(Debug, Args)]
pub struct SftArguments {
    /// JSON lines with `prompt` and `response` (and `system`), or with `messages`
    #[arg(long)]
    pub data: PathBuf,
    /// What all kinds of training have
    #[command(flatten)]
    pub training: TrainingArguments,
}

/// Options of `bunch train dpo` and `bunch train orpo`.
#[derive(Debug, Args)]
pub struct PreferenceArguments {
    /// JSON lines with `prompt`, `chosen` and `rejected`, each a text or a list of messages
    #[arg(long)]
    pub data: PathBuf,
    /// DPO: how strongly the model is kept near what it was; ORPO: the weight of the odds ratio
    #[arg(long, default_value_t = 0.1)]
    pub beta: f64,
    /// What all kinds of training have
    #[command(flatten)]
    pub training: TrainingArguments,
}

/// Options of all kinds of training. A pair of responses to one prompt counts as one conversation.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    /// The model that is trained: its folder, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Folder of the trained model, or of the adapter in PEFT's layout
    #[arg(long)]
    pub out: PathBuf,
    /// Times that every conversation is seen
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: u32,
    /// Steps, instead of epochs
    #[arg(long, conflicts_with = "epochs", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Conversations of a step
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Conversations that go through the model at a time, which bounds the memory; all of a step unless given
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub micro_batch_size: usize,
    /// Learning rate at its peak; unless given, 1e-4 for an adapter and 2e-5 for all weights, with preferences 1e-5 and 1e-6
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Share of the steps in which the learning rate rises
    #[arg(long, default_value_t = 0.1)]
    pub warmup_ratio: f64,
    /// The learning rate falls, along a cosine, to this share of its peak
    #[arg(long, default_value_t = 0.1)]
    pub final_ratio: f64,
    /// Weight decay of AdamW
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f32,
    /// Norm to which larger gradients are scaled down
    #[arg(long, default_value_t = 1.0)]
    pub max_grad_norm: f64,
    /// The most tokens of a conversation
    #[arg(long, default_value_t = 1024)]
    pub max_tokens: usize,
    /// What happens to longer ones
    #[arg(long, value_enum, default_value = "refuse")]
    pub too_long: TooLongOption,
    /// How a conversation becomes one text
    #[arg(long, value_enum, default_value = "chat-template")]
    pub format: FormatOption,
    /// Train a low-rank adapter of this rank instead of the weights themselves
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub lora_rank: Option<u32>,
    /// The adapter's product is scaled by this over its rank; twice the rank unless given
    #[arg(long, requires = "lora_rank")]
    pub lora_alpha: Option<f64>,
    /// Modules that get an adapter
    #[arg(
        long,
        requires = "lora_rank",
        value_delimiter = ',',
        default_value = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
    )]
    pub target_modules: Vec<String>,
    /// Modules whose weights are left as they are, as in embed_tokens; separated by commas
    #[arg(long, value_delimiter = ',', conflicts_with = "lora_rank")]
    pub freeze: Vec<String>,
    /// Seed of the order of the data, and of a fresh adapter
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Steps between the states from which a stopped run continues
    #[arg(long, default_value_t = 20)]
    pub save_every: usize,
    /// How the trained model's weights are stored; an adapter's are float32
    #[arg(long, value_enum, default_value = "float32", conflicts_with = "lora_rank")]
    pub dtype: StoredOption,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}
