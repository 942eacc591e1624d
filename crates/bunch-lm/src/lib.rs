//! What a language model is to the rest of the workspace.

mod model;
mod tokenizer;

pub use model::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
pub use tokenizer::Tokenizer;
