//! A loaded model answers requests.

use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

use crate::generate::{Continuation, continuations};
use crate::llama_model::LlamaModel;
use crate::loglikelihood::loglikelihood;

impl LlamaModel {
    /// Continues each prompt, and says which stop token ended it.
    ///
    /// # Errors
    /// As [`LanguageModel::generate`], and logits that are not numbers.
    pub fn continuations(
        &self,
        prompts: &[Vec<TokenId>],
        config: &GenerateConfig,
    ) -> Result<Vec<Continuation>, LmError> {
        continuations(self, prompts, config)
    }
}

impl LanguageModel for LlamaModel {
    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        loglikelihood(self, requests)
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        Ok(self.continuations(prompts, config)?.into_iter().map(|continuation| continuation.tokens).collect())
    }

    fn context_window(&self) -> usize {
        self.llama.config.max_position_embeddings
    }
}
