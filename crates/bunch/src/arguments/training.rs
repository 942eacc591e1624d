//! Options of `bunch train`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::model::ModelOptions;

/// The commands of `bunch train`.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Learn the answers of conversations (supervised fine-tuning)
    Sft(SftArguments),
    /// Prefer one response to another, close to the original model (direct preference optimisation)
    Dpo(PreferenceArguments),
    /// Learn one response and prefer it to another (odds ratio preference optimisation)
    Orpo(PreferenceArguments),
}

/// How a conversation becomes one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatOption {
    /// The model's chat template; every turn of the assistant is learned
    ChatTemplate,
    /// Prompt, one space, response, EOS
    Plain,
}

/// What happens to a conversation with more tokens than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TooLongOption {
    /// Fail with an error
    Refuse,
    /// Truncate its end
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

/// How conversations become tokens.
#[derive(Debug, Args)]
pub struct EncodingOptions {
    /// Upper limit on the tokens of a conversation
    #[arg(long, default_value_t = 1024)]
    pub max_tokens: usize,
    /// What to do with longer conversations
    #[arg(long, value_enum, default_value = "refuse")]
    pub too_long: TooLongOption,
    /// How a conversation becomes one text
    #[arg(long, value_enum, default_value = "chat-template")]
    pub format: FormatOption,
}

/// Options of `bunch importance`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch importance --model expert/ --data data/expert.jsonl --out expert-fisher/
  bunch importance --model base/ --data data/safety.jsonl --score led --out base-safety-led/")]
pub struct ImportanceArguments {
    /// Folder of the model, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Answers that the weights matter to: JSON lines as for `bunch train sft`; about 128 are usual
    #[arg(long)]
    pub data: PathBuf,
    /// Output folder: like the model's, with a score in place of each weight
    #[arg(long)]
    pub out: PathBuf,
    /// What a score is
    #[arg(long, value_enum, default_value = "fisher")]
    pub score: ScoreOption,
    /// How conversations become tokens
    #[command(flatten)]
    pub encoding: EncodingOptions,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}

/// What a weight's score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScoreOption {
    /// The mean square of its gradient, for the merge method `fisher`
    Fisher,
    /// Its magnitude times the mean magnitude of its gradient, for the merge method `led`
    Led,
}

/// Options of `bunch train sft`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bunch train sft --model base/ --data chats.jsonl --out tuned/ --epochs 2
  bunch train sft --model base/ --data chats.jsonl --out adapter/ --lora-rank 16   a LoRA adapter in PEFT's layout")]
pub struct SftArguments {
    /// JSON lines with `prompt` and `response` (and `system`), or with `messages`
    #[arg(long)]
    pub data: PathBuf,
    /// Options of all kinds of training
    #[command(flatten)]
    pub training: TrainingArguments,
}

/// Options of `bunch train dpo` and `bunch train orpo`.
#[derive(Debug, Args)]
pub struct PreferenceArguments {
    /// JSON lines with `prompt`, `chosen` and `rejected`, each a text or a list of messages
    #[arg(long)]
    pub data: PathBuf,
    /// DPO: how strongly the model is kept close to the original; ORPO: the weight of the odds ratio
    #[arg(long, default_value_t = 0.1)]
    pub beta: f64,
    /// Options of all kinds of training
    #[command(flatten)]
    pub training: TrainingArguments,
}

/// Options of all kinds of training. A pair of responses to one prompt counts as one conversation.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    /// Folder of the model to train, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Output folder, for the trained model or for the adapter in PEFT's layout
    #[arg(long)]
    pub out: PathBuf,
    /// Passes over the data
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: u32,
    /// Steps, instead of epochs
    #[arg(long, conflicts_with = "epochs", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Conversations per step
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Conversations processed at a time, which bounds the memory; a whole step by default
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub micro_batch_size: usize,
    /// Peak learning rate; by default 1e-4 for an adapter and 2e-5 for all weights, with preferences 1e-5 and 1e-6
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Share of the steps during which the learning rate rises
    #[arg(long, default_value_t = 0.1)]
    pub warmup_ratio: f64,
    /// Share of the peak to which the learning rate falls along a cosine
    #[arg(long, default_value_t = 0.1)]
    pub final_ratio: f64,
    /// Weight decay of AdamW
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f32,
    /// Norm above which gradients are scaled down to it
    #[arg(long, default_value_t = 1.0)]
    pub max_grad_norm: f64,
    /// How conversations become tokens
    #[command(flatten)]
    pub encoding: EncodingOptions,
    /// Train a low-rank adapter of this rank instead of the weights themselves
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub lora_rank: Option<u32>,
    /// Numerator of the adapter's scale, alpha / rank; twice the rank by default
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
    /// Modules whose weights stay fixed, such as embed_tokens; separated by commas
    #[arg(long, value_delimiter = ',', conflicts_with = "lora_rank")]
    pub freeze: Vec<String>,
    /// Seed of the order of the data and of a new adapter
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Steps between saved states, from which a stopped run resumes
    #[arg(long, default_value_t = 20)]
    pub save_every: usize,
    /// Dtype of the trained model's weights; an adapter's are float32
    #[arg(long, value_enum, default_value = "float32", conflicts_with = "lora_rank")]
    pub dtype: StoredOption,
    /// Where the model runs
    #[command(flatten)]
    pub run: ModelOptions,
}
