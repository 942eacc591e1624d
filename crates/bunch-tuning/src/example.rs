//! One training sequence.

use std::ops::Range;

use bunch_lm::TokenId;
use bunch_transformer::LlamaConfig;

use crate::TuningError;

/// A sequence and the parts of it that are learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// All tokens, prompts and answers.
    pub tokens: Vec<TokenId>,
    /// The tokens that count in the loss, in ascending ranges; the rest is read only. The first token of a sequence is
    /// never predicted, so none begins at 0.
    pub learned: Vec<Range<usize>>,
}

impl Example {
    /// A prompt and its answer: every token from `loss_from` on is learned.
    pub fn answer(tokens: Vec<TokenId>, loss_from: usize) -> Self {
        let learned = std::iter::once(loss_from..tokens.len()).collect();
        Self { tokens, learned }
    }

    /// Number of tokens that are learned.
    pub fn learned_tokens(&self) -> usize {
        self.learned.iter().map(ExactSizeIterator::len).sum()
    }

    /// Places of the tokens that are learned.
    pub(crate) fn learned_places(&self) -> impl Iterator<Item = usize> + '_ {
        self.learned.iter().cloned().flatten()
    }

    /// What the model reads: the last token that is learned, and what follows it, predicts nothing.
    pub(crate) fn input(&self) -> &[TokenId] {
        &self.tokens[..self.learned.last().map_or(0, |range| range.end - 1)]
    }

    /// Refuses an example without prompt or answer, and one that the model cannot read.
    pub(crate) fn check(&self, index: usize, config: &LlamaConfig) -> Result<(), TuningError> {
        let refuse = |what: String| Err(TuningError::Example { index, what });
        let mut end = 1;
        for range in &self.learned {
            if range.start < end || range.is_empty() || range.end > self.tokens.len() {
                let what = format!("the loss counts tokens {range:?} of {}", self.tokens.len());
                return refuse(what + ", expected ranges within 1.. in ascending order");
            }
            end = range.end;
        }
        if self.learned.is_empty() {
            return refuse("no token counts in the loss".into());
        }
        if let Some(id) = self.tokens.iter().find(|&&id| id as usize >= config.vocab_size) {
            return refuse(format!("token id {id} is outside the vocabulary of {}", config.vocab_size));
        }
        let (tokens, window) = (self.tokens.len(), config.max_position_embeddings);
        if tokens > window {
            return refuse(format!("{tokens} tokens do not fit into the context window of {window}"));
        }
        Ok(())
    }
}
