//! What a language model is to the rest of the workspace: the trait, and the text side of a model directory.

mod ask;
mod chat_template;
mod date;
mod error;
mod generation_block;
mod gguf_metadata;
mod gguf_tokenizer;
mod json_file;
mod json_text;
mod message;
mod model;
mod sentencepiece_merges;
mod special_tokens;
mod split_pattern;
mod template_source;
mod text_files;
mod tokenizer;
mod whitespace;

pub use ask::{ChatFormat, Completion, QuestionAnswer, TemplateChat, answer_loss, complete};
pub use chat_template::ChatTemplate;
pub use error::LmError;
pub use gguf_tokenizer::GgufTokenizer;
pub use message::Message;
pub use model::{GenerateConfig, LanguageModel, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
pub use text_files::text_files;
pub use tokenizer::{AddBos, Tokenizer};
