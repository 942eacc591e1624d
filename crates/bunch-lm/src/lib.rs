//! What a language model is to the rest of the workspace.

mod model;

pub use model::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
