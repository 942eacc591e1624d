//! The language model trait: everything an evaluator or a data generator may ask of a model.

use crate::LmError;

/// A token's index in the vocabulary.
pub type TokenId = u32;

/// A continuation to be scored after a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoglikelihoodRequest {
    /// Tokens that are conditioned on, beginning with the BOS token where the model wants one; not empty.
    pub context: Vec<TokenId>,
    /// Tokens that are scored; not empty.
    pub continuation: Vec<TokenId>,
}

/// The score of one continuation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loglikelihood {
    /// Sum over the continuation's tokens of ln p(token | everything before it), in nats; at most 0.
    pub sum: f64,
    /// Whether greedy decoding would have produced exactly the continuation.
    pub is_greedy: bool,
}

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// The most probable token; the lowest id among equals.
    Greedy,
    /// Sampling from softmax(logits / temperature), cut to the smallest set of tokens with total probability `top_p`.
    Temperature {
        /// Above 0.
        temperature: f32,
        /// In (0, 1]; 1 keeps all tokens.
        top_p: f32,
        /// Prompt number `i` of a call draws from a stream keyed by this seed and `i`, whatever the batching.
        seed: u64,
    },
}

/// How prompts are continued.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateConfig {
    /// Upper limit on generated tokens per prompt, at least 1.
    pub max_new_tokens: usize,
    /// Token ids that end an answer; not part of the returned tokens.
    pub stop: Vec<TokenId>,
    /// How the next token is chosen.
    pub sampling: Sampling,
}

/// A causal language model: scores continuations and continues prompts.
///
/// Answers come in the order of the requests and do not depend on how an implementation batches them.
pub trait LanguageModel {
    /// The most tokens the model takes at once, context and continuation or prompt and answer together; at least 1.
    ///
    /// It is `max_position_embeddings` of `config.json`; callers cut longer contexts from the left, as
    /// lm-evaluation-harness does.
    fn context_window(&self) -> usize;

    /// Scores each request's continuation.
    ///
    /// # Errors
    /// A request with an empty context or continuation, a token outside the vocabulary, or more tokens than fit.
    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError>;

    /// Continues each prompt until a stop token or `max_new_tokens`; the stop token is not returned.
    ///
    /// # Errors
    /// An empty prompt, a token outside the vocabulary, or more tokens than fit.
    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError>;
}
